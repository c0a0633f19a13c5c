/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reading of the driver database. What cannot be read as it should be is left out field
 * by field (the inspection names it); only a hive that is damaged is an error.
 */
#include "windows/driverdb.h"

#include "base/text.h"

int driverdb_open(struct registry *registry, enum registry_hive node,
		  struct driverdb *ret, struct error *err)
{
	int has = registry_has(registry, node, err);
	uint32_t arch;

	if (has <= 0)
		return has;
	*ret = (struct driverdb){.node = node, .arch = ARCH_UNKNOWN};
	ret->hive = registry_hive(registry, node, err);
	if (!ret->hive)
		return -1;
	ret->root = hive_find(ret->hive, hive_root(ret->hive), "DriverDatabase");
	if (!ret->root)
		return 0;
	hive_get_dword(ret->hive, ret->root, "Version", &ret->version);
	if (hive_get_dword(ret->hive, ret->root, "Architecture", &arch) &&
	    arch <= UINT16_MAX)
		ret->arch = (enum windows_arch)arch;
	return 1;
}

/* A text value; an empty one counts as missing. */
static char *text_value(struct hive *hive, hkey key, const char *name)
{
	_cleanup_free_ char *text = hive_get_string(hive, key, name);

	return text && *text ? steal_ptr(text) : NULL;
}

/* ---- packages ---------------------------------------------------------------------- */

void db_package_free(struct db_package *package)
{
	free(package->store);
	free(package->published);
	free(package->original);
	free(package->provider);
	free(package->signer);
	free(package->catalog);
	*package = (struct db_package){0};
}

void db_packages_free(struct db_packages *packages)
{
	vec_foreach (package, packages)
		db_package_free(package);
	vec_free(packages);
}

static int read_package(const struct driverdb *db, hkey key, struct db_package *ret,
			struct error *err)
{
	_cleanup_reg_value_ struct reg_value version = {0};
	uint32_t boot_critical = 0;
	struct hive *hive = db->hive;
	int found = hive_value(hive, key, "Version", &version, err);

	if (found < 0)
		return -1;
	*ret = (struct db_package){
		.store = hive_key_name(hive, key),
		.published = text_value(hive, key, ""),
		.original = text_value(hive, key, "InfName"),
		.provider = text_value(hive, key, "Provider"),
		.signer = text_value(hive, key, "SignerName"),
		.catalog = text_value(hive, key, "Catalog"),
		.reflected = hive_find(hive, key, "Configurations") != 0,
		.node = db->node,
		.key = key,
	};
	if (!ret->store)
		ret->store = xstrdup("");
	if (found)
		ret->has_version = package_version_parse(
			(struct bytes){version.data, version.len}, &ret->version);
	hive_get_dword(hive, key, "StatusFlags", &ret->status_flags);
	hive_get_dword(hive, key, "SignerScore", &ret->signer_score);
	hive_get_dword(hive, key, "BootCritical", &boot_critical);
	ret->boot_critical = boot_critical != 0;
	return 0;
}

int driverdb_packages(const struct driverdb *db, struct db_packages *ret,
		      struct error *err)
{
	hkey list = hive_find(db->hive, db->root, "DriverPackages");
	uint32_t count = list ? hive_child_count(db->hive, list) : 0;

	for (uint32_t i = 0; i < count; i++) {
		hkey key = hive_child(db->hive, list, i);
		struct db_package package;

		if (!key)
			continue;
		if (read_package(db, key, &package, err) < 0)
			return -1;
		vec_push(ret, package);
	}
	return 0;
}

int driverdb_package(const struct driverdb *db, const char *store, struct db_package *ret,
		     struct error *err)
{
	_cleanup_free_ char *path = xasprintf("DriverPackages\\%s", store);
	hkey key = *store ? hive_find(db->hive, db->root, path) : 0;

	if (!key)
		return 0;
	return read_package(db, key, ret, err) < 0 ? -1 : 1;
}

bool db_package_third_party(const struct db_package *package)
{
	unsigned number;

	/* The name decides: an inbox package keeps the name of its INF. */
	if (package->published)
		return oem_inf_number(package->published, &number);
	return package->has_version && !package->version.inbox;
}

/* ---- configurations, descriptors, strings ------------------------------------------ */

void db_configurations_free(struct db_configurations *configurations)
{
	vec_foreach (configuration, configurations) {
		free(configuration->name);
		free(configuration->service);
		strings_free(&configuration->upper_filters);
		strings_free(&configuration->lower_filters);
	}
	vec_free(configurations);
}

int driverdb_configurations(const struct driverdb *db, const struct db_package *package,
			    struct db_configurations *ret, struct error *err)
{
	struct hive *hive = db->hive;
	hkey list = hive_find(hive, package->key, "Configurations");
	uint32_t count = list ? hive_child_count(hive, list) : 0;

	for (uint32_t i = 0; i < count; i++) {
		struct db_configuration c = {.key = hive_child(hive, list, i)};

		if (interrupted())
			return error_interrupted(err);
		if (!c.key)
			continue;
		c.name = hive_key_name(hive, c.key);
		if (!c.name)
			continue;
		c.service = text_value(hive, c.key, "Service");
		c.has_flags = hive_get_dword(hive, c.key, "ConfigFlags", &c.flags);
		hive_get_strings(hive, c.key, "UpperFilters", &c.upper_filters);
		hive_get_strings(hive, c.key, "LowerFilters", &c.lower_filters);
		vec_push(ret, c);
	}
	return 0;
}

/*
 * IDs are stored as keys, split at their first '\': an enumerator with IDs below it, or
 * the whole ID. Both lists (Descriptors, DeviceIds) are walked alike, two levels deep.
 */
typedef int id_fn(hkey key, const char *id, void *arg, struct error *err);
static int walk_ids(struct hive *hive, hkey list, id_fn *fn, void *arg, struct error *err)
{
	uint32_t count = hive_child_count(hive, list);

	for (uint32_t i = 0; i < count; i++) {
		hkey outer = hive_child(hive, list, i);
		_cleanup_free_ char *first = outer ? hive_key_name(hive, outer) : NULL;
		uint32_t inner_count;
		int r;

		if (interrupted())
			return error_interrupted(err);
		if (!first)
			continue;
		r = fn(outer, first, arg, err);
		if (r)
			return r;
		inner_count = hive_child_count(hive, outer);
		for (uint32_t j = 0; j < inner_count; j++) {
			hkey inner = hive_child(hive, outer, j);
			_cleanup_free_ char *second =
				inner ? hive_key_name(hive, inner) : NULL;
			_cleanup_free_ char *id = NULL;

			if (!second)
				continue;
			id = xasprintf("%s\\%s", first, second);
			r = fn(inner, id, arg, err);
			if (r)
				return r;
		}
	}
	return 0;
}

void db_descriptors_free(struct db_descriptors *descriptors)
{
	vec_foreach (descriptor, descriptors) {
		free(descriptor->id);
		free(descriptor->configuration);
	}
	vec_free(descriptors);
}

struct descriptor_walk {
	const struct driverdb *db;
	struct db_descriptors *ret;
};

static int add_descriptor(hkey key, const char *id, void *arg, struct error *err _unused_)
{
	struct descriptor_walk *walk = arg;

	/* The enumerator's own key carries no values. */
	if (!hive_value_count(walk->db->hive, key))
		return 0;
	vec_push(walk->ret, (struct db_descriptor){
				    .id = xstrdup(id),
				    .configuration = text_value(walk->db->hive, key,
								"Configuration"),
			    });
	return 0;
}

int driverdb_descriptors(const struct driverdb *db, const struct db_package *package,
			 struct db_descriptors *ret, struct error *err)
{
	hkey list = hive_find(db->hive, package->key, "Descriptors");

	return list ? walk_ids(db->hive, list, add_descriptor,
			       &(struct descriptor_walk){db, ret}, err)
		    : 0;
}

/* ---- DriverInfFiles ---------------------------------------------------------------- */

void db_inf_free(struct db_inf *inf)
{
	free(inf->published);
	free(inf->active);
	strings_free(&inf->packages);
	strings_free(&inf->configurations);
	*inf = (struct db_inf){0};
}

void db_infs_free(struct db_infs *infs)
{
	vec_foreach (inf, infs)
		db_inf_free(inf);
	vec_free(infs);
}

static void read_inf(struct hive *hive, hkey key, struct db_inf *ret)
{
	*ret = (struct db_inf){
		.published = hive_key_name(hive, key),
		.active = text_value(hive, key, "Active"),
		.key = key,
	};
	if (!ret->published)
		ret->published = xstrdup("");
	hive_get_strings(hive, key, "", &ret->packages);
	hive_get_strings(hive, key, "Configurations", &ret->configurations);
}

int driverdb_infs(const struct driverdb *db, struct db_infs *ret, struct error *err)
{
	hkey list = hive_find(db->hive, db->root, "DriverInfFiles");
	uint32_t count = list ? hive_child_count(db->hive, list) : 0;

	for (uint32_t i = 0; i < count; i++) {
		hkey key = hive_child(db->hive, list, i);
		struct db_inf inf;

		if (interrupted())
			return error_interrupted(err);
		if (!key)
			continue;
		read_inf(db->hive, key, &inf);
		vec_push(ret, inf);
	}
	return 0;
}

int driverdb_inf(const struct driverdb *db, const char *published, struct db_inf *ret,
		 struct error *err _unused_)
{
	_cleanup_free_ char *path = xasprintf("DriverInfFiles\\%s", published);
	hkey key = *published ? hive_find(db->hive, db->root, path) : 0;

	if (!key)
		return 0;
	read_inf(db->hive, key, ret);
	return 1;
}

/* ---- DeviceIds --------------------------------------------------------------------- */

void db_matches_free(struct db_matches *matches)
{
	vec_foreach (match, matches)
		free(match->published);
	vec_free(matches);
}

struct device_walk {
	struct hive *hive;
	driverdb_device_fn *fn;
	void *arg;
};

/* Calls back for each INF that claims the ID: the four-byte values of its key. */
static int each_match(hkey key, const char *id, void *arg, struct error *err)
{
	struct device_walk *walk = arg;
	uint32_t count = hive_value_count(walk->hive, key);

	for (uint32_t i = 0; i < count; i++) {
		_cleanup_reg_value_ struct reg_value value = {0};
		struct db_match match;
		int r = hive_value_at(walk->hive, key, i, &value, err);

		if (r < 0)
			return -1;
		if (!r || !device_match_parse((struct bytes){value.data, value.len},
					      &match.match))
			continue;
		match.published = value.name;
		r = walk->fn(id, &match, walk->arg, err);
		if (r)
			return r;
	}
	return 0;
}

int driverdb_each_device(const struct driverdb *db, driverdb_device_fn *fn, void *arg,
			 struct error *err)
{
	hkey list = hive_find(db->hive, db->root, "DeviceIds");

	return list ? walk_ids(db->hive, list, each_match,
			       &(struct device_walk){db->hive, fn, arg}, err)
		    : 0;
}

static int add_match(const char *id _unused_, const struct db_match *match, void *arg,
		     struct error *err _unused_)
{
	struct db_matches *ret = arg;

	vec_push(ret, (struct db_match){xstrdup(match->published), match->match});
	return 0;
}

int driverdb_device(const struct driverdb *db, const char *id, struct db_matches *ret,
		    struct error *err)
{
	_cleanup_free_ char *path = device_id_path(id);
	hkey key = device_id_valid(id) ? hive_find(db->hive, db->root, path) : 0;

	return key ? each_match(key, id, &(struct device_walk){db->hive, add_match, ret},
				err)
		   : 0;
}

int driverdb_class_infs(const struct driverdb *db, const struct guid *class_guid,
			struct strings *ret, struct error *err)
{
	char guid[GUID_TEXT_SIZE];
	_cleanup_free_ char *path = NULL;
	uint32_t count;
	hkey key;

	guid_format(class_guid, guid);
	path = device_id_path(guid);
	key = hive_find(db->hive, db->root, path);
	count = key ? hive_value_count(db->hive, key) : 0;
	for (uint32_t i = 0; i < count; i++) {
		_cleanup_reg_value_ struct reg_value value = {0};
		int r = hive_value_at(db->hive, key, i, &value, err);

		if (r < 0)
			return -1;
		/* Values of real IDs (an ID may be a bare GUID) have four bytes. */
		if (r && !value.len)
			strings_push(ret, value.name);
	}
	return 0;
}

int driverdb_oem_map(const struct driverdb *db, struct buffer *ret, struct error *err)
{
	_cleanup_reg_value_ struct reg_value value = {0};
	int found = hive_value(db->hive, db->root, "OemInfMap", &value, err);

	if (found < 0)
		return -1;
	if (found && value.type == REG_BINARY && value.len <= OEM_INF_LIMIT / 8)
		buffer_append(ret, value.data, value.len);
	return 0;
}
