/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Staging: the package's files in the driver store, its INF and catalog under their
 * published names, and its records in the driver database. From then on Plug and Play
 * installs it when a device of its appears. Values, their order and when they are there
 * follow what Windows wrote into real hives of 8.1 and 10.
 */
#include <inttypes.h>

#include "base/clock.h"
#include "base/text.h"
#include "injector/store_private.h"

/* StatusFlags, by what the packages of real hives have in common. */
#define STATUS_COPIES_FILES 0x2u  /* to places outside the store */
#define STATUS_ABSOLUTE_KEYS 0x4u /* AddReg with another root than HKR */
#define STATUS_CO_INSTALLERS 0x8u
#define STATUS_HAS_FILES 0x10u
#define STATUS_INCLUDES 0x100u /* Windows 10: Include= of another INF */

/* Version, +40: why the kernel cannot configure a device from the package by itself. */
#define REASON_REGISTERS_DLLS 0x20u
#define REASON_LOG_CONFIG 0x80u
#define REASON_DELETES_SERVICE 0x2000u
#define REASON_CO_INSTALLERS 0x4000u
#define REASON_ABSOLUTE_KEYS 0x8000u

int stage_files(struct store *store, struct package *package, struct error *err)
{
	_cleanup_free_ char *inf = xasprintf(INF_FOLDER "/%s", package->published);
	_cleanup_free_ char *pnf = xstrdup(inf);

	vec_foreach (file, &package->files) {
		_cleanup_free_ char *path =
			xasprintf(REPOSITORY "/%s/%s", package->store, file->path);

		if (interrupted())
			return error_interrupted(err);
		if (package_put(package, file, store->tree, path, err) < 0)
			return -1;
		if (package->catalog && text_equal(file->path, package->catalog)) {
			/* oem3.inf -> oem3.cat */
			size_t stem = strlen(package->published) - strlen(".inf");
			_cleanup_free_ char *catalog = xasprintf(
				CATALOGS "/%.*s.cat", (int)stem, package->published);

			if (package_put(package, file, store->tree, catalog, err) < 0)
				return -1;
		}
	}
	/* A precompiled INF left under this name would be believed. */
	memcpy(pnf + strlen(pnf) - strlen("inf"), "PNF", strlen("PNF"));
	if (tree_remove(store->tree, pnf, err) < 0)
		return -1;
	return tree_write(store->tree, inf, buffer_view(&package->driver->raw), 0, err);
}

/* ---- numbers ----------------------------------------------------------------------- */

int oem_number_mark(struct store *store, unsigned number, bool used, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(store->nodes); i++) {
		struct driverdb *db = &store->nodes[i];
		_cleanup_buffer_ struct buffer map = BUFFER_INIT;

		/*
		 * The SYSTEM node's map covers both nodes. The DRIVERS node of real
		 * images has none; where a tool has made one it is kept right.
		 */
		if (!db->hive || driverdb_oem_map(db, &map, err) < 0)
			continue;
		if (i != NODE_SYSTEM && map.len == 0)
			continue;
		if (!used && map.len == 0)
			continue;
		oem_map_set(&map, number, used);
		if (hive_set(db->hive, db->root, "OemInfMap", REG_BINARY,
			     buffer_view(&map), err) < 0)
			return -1;
	}
	return 0;
}

/* 1: the number is taken by the map, a record or a file; 0: free, -1. */
static int number_taken(struct store *store, const struct injected_packages *records,
			unsigned number, struct error *err)
{
	_cleanup_free_ char *name = xasprintf("oem%u.inf", number);
	_cleanup_free_ char *key = xasprintf("DriverInfFiles\\%s", name);
	_cleanup_free_ char *path = xasprintf(INF_FOLDER "/%s", name);

	if (records && injected_find(records, name))
		return 1;
	for (size_t i = 0; i < ARRAY_SIZE(store->nodes); i++) {
		struct driverdb *db = &store->nodes[i];
		_cleanup_buffer_ struct buffer map = BUFFER_INIT;

		if (!db->hive)
			continue;
		if (driverdb_oem_map(db, &map, err) < 0)
			return -1;
		if (oem_map_get(buffer_view(&map), number) || node_find(db, key))
			return 1;
	}
	return tree_stat(store->tree, path, NULL, err);
}

int oem_number_free(struct store *store, const struct injected_packages *records,
		    unsigned *ret, struct error *err)
{
	for (unsigned n = 0; n < OEM_INF_LIMIT; n++) {
		int taken = number_taken(store, records, n, err);

		if (taken < 0)
			return -1;
		if (!taken) {
			*ret = n;
			return 0;
		}
	}
	return error_set(err, ERROR_FAILED, tree_name(store->tree),
			 "all %u oemN.inf names are in use", OEM_INF_LIMIT);
}

/* ---- DriverPackages ---------------------------------------------------------------- */

/* HKLM\SYSTEM is what a driver may write to and still be configured by the kernel. */
static bool foreign_keys(const struct inf_regs *regs)
{
	vec_foreach (reg, regs)
		if (reg->root == INF_HKCR || reg->root == INF_HKCU ||
		    reg->root == INF_HKU ||
		    (reg->root == INF_HKLM && !text_starts_with(reg->key, "SYSTEM\\")))
			return true;
	return false;
}

static bool absolute_keys(const struct inf_regs *regs)
{
	vec_foreach (reg, regs)
		if (reg->root != INF_HKR)
			return true;
	return false;
}

bool configuration_foreign_keys(const struct inf_configuration *c)
{
	bool foreign = foreign_keys(&c->regs) || foreign_keys(&c->hw_regs);

	vec_foreach (service, &c->services)
		foreign |= foreign_keys(&service->regs);
	return foreign;
}

static uint32_t reasons(const struct driver *driver)
{
	uint32_t r = 0;

	vec_foreach (c, &driver->configurations) {
		if (c->own_co_installers)
			r |= REASON_CO_INSTALLERS;
		if (configuration_foreign_keys(c))
			r |= REASON_ABSOLUTE_KEYS;
		vec_foreach (service, &c->services) {
			if (service->remove)
				r |= REASON_DELETES_SERVICE;
		}
		if (c->log_config)
			r |= REASON_LOG_CONFIG;
		if (c->register_dlls)
			r |= REASON_REGISTERS_DLLS;
	}
	return r;
}

static bool includes_others(const struct package *package,
			    const struct inf_configuration *c)
{
	vec_foreach (name, &c->included_infs)
		if (!text_equal(*name, package->inf_name))
			return true;
	return false;
}

static uint32_t status_flags(const struct store *store, const struct package *package)
{
	uint32_t flags = 0;

	if (package->driver->source_files.len > 0)
		flags |= STATUS_HAS_FILES;
	vec_foreach (c, &package->driver->configurations) {
		vec_foreach (file, &c->files)
			if (file->kind == INF_FILE_COPY && file->source_path &&
			    file->dirid != 13)
				flags |= STATUS_COPIES_FILES;
		if (c->umdf || absolute_keys(&c->regs) || absolute_keys(&c->hw_regs))
			flags |= STATUS_ABSOLUTE_KEYS;
		vec_foreach (service, &c->services)
			if (absolute_keys(&service->regs))
				flags |= STATUS_ABSOLUTE_KEYS;
		if (c->own_co_installers)
			flags |= STATUS_CO_INSTALLERS;
		if (store->windows10 && includes_others(package, c))
			flags |= STATUS_INCLUDES;
	}
	return flags;
}

/* The folder that the package came from, as far as it is the same on every machine. */
static char *source_name(const struct package *package)
{
	_cleanup_free_ char *folder = xstrdup(package->label);
	char *slash = strrchr(folder, '/');
	const char *name;

	if (slash)
		*slash = 0;
	name = path_base(folder);
	return xstrdup(slash && *name ? name : ".");
}

static int set_identity(struct store *store, struct hive *hive, hkey key,
			const struct package *package, struct error *err)
{
	const struct driver *driver = package->driver;
	_cleanup_free_ char *source = source_name(package);
	struct package_version version = {
		.arch = store->installation->target.arch,
		.class_guid = driver->class_guid,
		.date = driver->date,
		.version = driver->version,
		.reasons = reasons(driver),
	};
	uint8_t blob[PACKAGE_VERSION_SIZE], date[8];

	package_version_format(&version, blob);
	put_le64(date, clock_filetime());
	if (hive_set(hive, key, "Version", REG_BINARY, (struct bytes){blob, sizeof(blob)},
		     err) < 0 ||
	    hive_set_string(hive, key, "Provider", REG_SZ,
			    driver->provider ? driver->provider : "", err) < 0 ||
	    hive_set_string(hive, key, "InfName", REG_SZ, package->inf_name, err) < 0 ||
	    hive_set_string(hive, key, "OemPath", REG_SZ, source, err) < 0)
		return -1;
	if (package->signature.verdict == SIGNATURE_VALID &&
	    hive_set_string(hive, key, "SignerName", REG_SZ, package->signature.signer,
			    err) < 0)
		return -1;
	if (store->windows10 && hive_set(hive, key, "ImportDate", REG_BINARY,
					 (struct bytes){date, sizeof(date)}, err) < 0)
		return -1;
	if (store->schema && package->catalog &&
	    hive_set_string(hive, key, "Catalog", REG_SZ, package->catalog, err) < 0)
		return -1;
	return 0;
}

static int set_package(struct store *store, struct driverdb *db,
		       const struct package *package, struct error *err)
{
	const struct driver *driver = package->driver;
	_cleanup_free_ char *path = xasprintf("DriverPackages\\%s", package->store);
	uint32_t flags = status_flags(store, package);
	struct hive *hive = db->hive;
	hkey key = node_find(db, path);

	/* A record that was broken is made afresh. */
	if (key && hive_delete(hive, key, err) < 0)
		return -1;
	if (node_create(db, path, &key, err) < 0 ||
	    set_identity(store, hive, key, package, err) < 0 ||
	    hive_set_dword(hive, key, "SignerScore", package->signer_score, err) < 0)
		return -1;
	if (driver->boot_critical &&
	    hive_set_dword(hive, key, "BootCritical", 1, err) < 0)
		return -1;
	if (driver->has_extension_id &&
	    hive_set(hive, key, "ExtensionId", REG_BINARY,
		     (struct bytes){driver->extension_id.bytes, 16}, err) < 0)
		return -1;
	if (flags && hive_set_dword(hive, key, "StatusFlags", flags, err) < 0)
		return -1;
	return hive_set_string(hive, key, "", REG_SZ, package->published, err) < 0 ? -1
										   : 0;
}

static int set_inf_file(struct driverdb *db, const struct package *package,
			struct error *err)
{
	_cleanup_free_ char *path = xasprintf("DriverInfFiles\\%s", package->published);
	hkey key = node_find(db, path);

	if (key && hive_delete(db->hive, key, err) < 0)
		return -1;
	if (node_create(db, path, &key, err) < 0 ||
	    multi_append(db->hive, key, "", package->store, err) < 0 ||
	    hive_set_string(db->hive, key, "Active", REG_SZ, package->store, err) < 0)
		return -1;
	return 0;
}

/* ---- DeviceIds --------------------------------------------------------------------- */

static int set_device_id(struct driverdb *db, const struct package *package,
			 const char *id, const struct device_match *match,
			 struct error *err)
{
	_cleanup_free_ char *path = device_id_path(id);
	uint8_t data[DEVICE_MATCH_SIZE];
	hkey key;

	device_match_format(match, data);
	if (node_create(db, path, &key, err) < 0 ||
	    hive_set(db->hive, key, package->published, REG_BINARY,
		     (struct bytes){data, sizeof(data)}, err) < 0)
		return -1;
	return 0;
}

int stage_device_ids(struct driverdb *db, struct package *package, struct error *err)
{
	const struct driver *driver = package->driver;
	char guid[GUID_TEXT_SIZE];
	_cleanup_free_ char *class = NULL;
	hkey key;

	vec_foreach (model, &driver->models) {
		const struct inf_configuration *c =
			&driver->configurations.items[model->configuration];
		uint8_t score = c->has_feature_score ? (uint8_t)c->feature_score
						     : DEVICE_SCORE_DEFAULT;

		/* Of several lines with one ID the last one counts, as in real hives. */
		for (size_t i = 0; i < model->ids.len; i++) {
			const char *id = model->ids.items[i];
			struct device_match match = {
				.type = driver->extension ? DEVICE_MATCH_EXTENSION
					: i == 0	  ? DEVICE_MATCH_HARDWARE
							  : DEVICE_MATCH_COMPATIBLE,
				.score = score,
				.index = (uint16_t)(i == 0 || driver->extension ? 0
										: i - 1),
			};

			if (!*id)
				continue;
			if (!device_id_valid(id)) {
				package_remark(package,
					       "\"%s\" is no device ID: left out", id);
				continue;
			}
			if (set_device_id(db, package, id, &match, err) < 0)
				return -1;
		}
	}
	guid_format(&driver->class_guid, guid);
	class = xasprintf("DeviceIds\\%s", guid);
	if (node_create(db, class, &key, err) < 0 ||
	    hive_set(db->hive, key, package->published, REG_NONE, (struct bytes){0},
		     err) < 0)
		return -1;
	return 0;
}

int stage_records(struct store *store, struct driverdb *db, struct package *package,
		  struct error *err)
{
	struct reg_value value = {0};
	uint8_t date[8];
	int found;

	if (set_package(store, db, package, err) < 0 ||
	    set_inf_file(db, package, err) < 0 || stage_device_ids(db, package, err) < 0)
		return -1;
	/* Later Windows 10 notes when the node was changed; earlier ones have no such
	 * value. */
	found = hive_value(db->hive, db->root, "UpdateDate", &value, err);
	reg_value_free(&value);
	if (found <= 0)
		return found;
	put_le64(date, clock_filetime());
	return hive_set(db->hive, db->root, "UpdateDate", REG_BINARY,
			(struct bytes){date, sizeof(date)}, err) < 0
		       ? -1
		       : 0;
}
