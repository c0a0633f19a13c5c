/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The mass storage drivers that Windows brings: what sysprep's BuildMassStorageSection
 * lists and mini-setup then installs. Every model of scsi.inf, pnpscsi.inf and mshdc.inf,
 * and the buses that they hang on from machine.inf, gets its entry in
 * CriticalDeviceDatabase; the services become boot-start and their files come out of the
 * driver cache.
 */
#include "base/text.h"
#include "injector/inf.h"
#include "injector/nt5.h"
#include "windows/boot_storage.h"
#include "windows/service.h"

#define NAMES_SHOWN 12u
#define CLASS_HDC "{4d36e96a-e325-11ce-bfc1-08002be10318}"
#define CLASS_DISKDRIVE "{4d36e967-e325-11ce-bfc1-08002be10318}"

static const char *const inf_names[] = {"mshdc.inf", "scsi.inf", "pnpscsi.inf",
					"machine.inf"};

/*
 * IDE as every PC of that time had it: the entries of Microsoft's article 314082, for
 * images whose INFs do not say it.
 */
static const struct {
	const char *id, *class_guid, *service;
} generic[] = {
	{"primary_ide_channel", CLASS_HDC, "atapi"},
	{"secondary_ide_channel", CLASS_HDC, "atapi"},
	{"*pnp0600", CLASS_HDC, "atapi"},
	{"pci\\cc_0101", CLASS_HDC, "pciide"},
	{"pci\\ven_8086&dev_1222", CLASS_HDC, "intelide"},
	{"pci\\ven_8086&dev_1230", CLASS_HDC, "intelide"},
	{"pci\\ven_8086&dev_2411", CLASS_HDC, "intelide"},
	{"pci\\ven_8086&dev_2421", CLASS_HDC, "intelide"},
	{"pci\\ven_8086&dev_7010", CLASS_HDC, "intelide"},
	{"pci\\ven_8086&dev_7111", CLASS_HDC, "intelide"},
	{"pci\\ven_8086&dev_7199", CLASS_HDC, "intelide"},
	{"gendisk", CLASS_DISKDRIVE, "disk"},
};

struct storage {
	struct nt5_any *any;
	struct package *notes; /* takes the remarks of what the INFs do */
	struct vec_of(struct driver *) drivers;
	struct strings enumerators; /* of the controllers' IDs: names of bus drivers */
	struct strings wanted;	    /* files that are not installed */
	struct inbox_files found;
	struct strings missing, served; /* files; services that are done */
};

static void storage_free(struct storage *s)
{
	vec_foreach (driver, &s->drivers)
		driver_close(*driver);
	vec_free(&s->drivers);
	package_close(s->notes);
	strings_free(&s->enumerators);
	strings_free(&s->wanted);
	inbox_files_free(&s->found);
	strings_free(&s->missing);
	strings_free(&s->served);
}

/* ---- reading ----------------------------------------------------------------------- */

static void note_enumerators(struct storage *s, const struct driver *driver)
{
	vec_foreach (model, &driver->models)
		vec_foreach (id, &model->ids) {
			const char *end = strchr(*id, '\\');
			_cleanup_free_ char *name =
				end ? xstrndup(*id, (size_t)(end - *id)) : NULL;

			if (name && !strings_contain(&s->enumerators, name))
				strings_push(&s->enumerators, name);
		}
}

static int read_inf(struct storage *s, const char *name, struct error *err)
{
	struct store *store = s->any->store;
	_cleanup_error_ struct error mine = ERROR_INIT;
	_cleanup_buffer_ struct buffer raw = BUFFER_INIT;
	_cleanup_free_ char *path = xasprintf(INF_FOLDER "/%s", name), *text = NULL;
	struct driver *driver;
	int found = tree_stat(store->tree, path, NULL, err);

	if (found < 0)
		return -1;
	if (!found) {
		text = xasprintf("%s is not in the image: what it lists is left out",
				 path);
		strings_push(&s->any->out->remarks, text);
		return 0;
	}
	if (tree_read(store->tree, path, INF_SIZE_MAX, &raw, err) < 0)
		return -1;
	driver = driver_open(name, buffer_view(&raw), &store->installation->target,
			     package_include, store->tree, NULL, &mine);
	if (!driver) {
		if (mine.code != ERROR_ANSWER_NO)
			return error_move(err, &mine);
		text = error_message(&mine);
		nt5_any_error(s->any, path, steal_ptr(text),
			      "take the file of another image of this Windows");
		return 0;
	}
	vec_push(&s->drivers, driver);
	if (storage_host_class(&driver->class_guid))
		note_enumerators(s, driver);
	return 0;
}

/*
 * Of the storage classes every driver; of machine.inf those of buses, which have the name
 * of what they enumerate (pci, isapnp).
 */
static bool belongs(const struct storage *s, const struct driver *driver,
		    const char *service)
{
	return storage_host_class(&driver->class_guid) ||
	       strings_contain(&s->enumerators, service);
}

/* ---- files ------------------------------------------------------------------------- */

/* Calls for every installed file of the configurations with this function service. */
typedef int path_fn(struct storage *s, const char *name, const char *path,
		    struct error *err);

static int each_path(struct storage *s, const struct driver *driver, const char *service,
		     path_fn *fn, struct error *err)
{
	enum windows_arch arch = s->any->store->installation->target.arch;

	vec_foreach (c, &driver->configurations) {
		const struct inf_service *function = nt5_function_service(c);

		if (!function || !text_equal(function->name, service))
			continue;
		vec_foreach (file, &c->files) {
			_cleanup_free_ char *to = file->kind == INF_FILE_COPY
							  ? file_destination(file, arch)
							  : NULL;

			/* Property pages and the like do not matter to the boot. */
			if (to && text_starts_with(to, "Windows/System32/drivers/") &&
			    fn(s, file->source, to, err) < 0)
				return -1;
		}
	}
	return 0;
}

static int want(struct storage *s, const char *name, const char *path, struct error *err)
{
	int found = tree_stat(s->any->store->tree, path, NULL, err);

	if (found == 0 && !strings_contain(&s->wanted, name))
		strings_push(&s->wanted, name);
	return found < 0 ? -1 : 0;
}

static const struct inbox_file *found_file(const struct storage *s, const char *name)
{
	/* The latest service pack's comes first. */
	vec_foreach (file, &s->found)
		if (text_equal(file->name, name))
			return file;
	return NULL;
}

static int note_missing(struct storage *s, const char *name, const char *path,
			struct error *err)
{
	int there = tree_stat(s->any->store->tree, path, NULL, err);

	if (there == 0 && !found_file(s, name) && !strings_contain(&s->missing, name))
		strings_push(&s->missing, name);
	return there < 0 ? -1 : 0;
}

static int put(struct storage *s, const char *name, const char *path, struct error *err)
{
	struct tree *tree = s->any->store->tree;
	const struct inbox_file *file = found_file(s, name);
	int there = tree_stat(tree, path, NULL, err);

	if (there != 0 || !file)
		return there < 0 ? -1 : 0;
	if (inbox_put(file, tree, path, err) < 0)
		return -1;
	strings_push(&s->any->out->files, path);
	return 0;
}

/* ---- services ---------------------------------------------------------------------- */

/* What the report says of the service in each control set. */
static int report_service(struct storage *s, const char *name, const uint32_t *before,
			  const struct strings *ids, struct error *err)
{
	struct store *store = s->any->store;

	for (size_t i = 0; i < store->control_sets.len; i++) {
		const char *set = store->control_sets.items[i];
		struct any_controller_service done = {.from = before[i]};
		_cleanup_service_ struct service now = {0};
		int found = service_read(store->system, set, name, &now, err);

		if (found < 0)
			return -1;
		if (!found || (now.start == before[i] && !ids->len))
			continue;
		done.to = now.start;
		done.control_set = xstrdup(set);
		done.service = xstrdup(name);
		vec_foreach (id, ids)
			strings_push(&done.ids, *id);
		vec_push(&s->any->out->services, done);
	}
	vec_foreach (id, ids)
		strings_push(&s->any->out->ids, *id);
	return 0;
}

static int serve(struct storage *s, struct driver *driver,
		 const struct inf_service *service, struct error *err)
{
	struct store *store = s->any->store;
	_cleanup_(strings_free) struct strings ids = VEC_INIT;
	_cleanup_free_ uint32_t *before =
		xcalloc(store->control_sets.len + 1, sizeof(*before));
	size_t missing = s->missing.len;

	if (strings_contain(&s->served, service->name))
		return 0;
	strings_push(&s->served, service->name);
	/* Without its file it would only be an error at every boot. */
	if (each_path(s, driver, service->name, note_missing, err) < 0)
		return -1;
	if (s->missing.len > missing)
		return 0;
	for (size_t i = 0; i < store->control_sets.len; i++) {
		_cleanup_service_ struct service now = {0};
		int found = service_read(store->system, store->control_sets.items[i],
					 service->name, &now, err);

		if (found < 0)
			return -1;
		before[i] = found ? now.start : SERVICE_START_UNKNOWN;
	}
	if (each_path(s, driver, service->name, put, err) < 0 ||
	    nt5_service_enable(store, s->notes, service, err) < 0 ||
	    nt5_devices_enter(store, driver, service->name, &ids, err) < 0)
		return -1;
	return report_service(s, service->name, before, &ids, err);
}

/* ---- what the INFs may not say ------------------------------------------------------
 */

static int enter_generic(struct nt5_any *any, const char *set, struct error *err)
{
	struct hive *hive = any->store->system;

	for (size_t i = 0; i < ARRAY_SIZE(generic); i++) {
		_cleanup_critical_device_ struct critical_device now = {0};
		_cleanup_service_ struct service service = {0};
		struct critical_device device = {.id = (char *)generic[i].id,
						 .service = (char *)generic[i].service,
						 .has_class = true};
		int found = critical_device_read(hive, set, device.id, &now, err);

		if (found == 0) {
			found = service_read(hive, set, device.service, &service, err);
			if (found < 0)
				return -1;
			if (!found || service.start != SERVICE_BOOT ||
			    service_file_present(any->store->tree, &service, err) <= 0)
				continue;
			guid_parse(generic[i].class_guid, &device.class_guid);
			found = critical_device_write(hive, set, &device, err);
			if (found > 0)
				strings_push(&any->out->ids, device.id);
		}
		if (found < 0)
			return -1;
	}
	return 0;
}

static int remark_ahci(struct nt5_any *any, struct error *err)
{
	_cleanup_critical_devices_ struct critical_devices all = VEC_INIT;

	if (critical_devices_read(any->store->system,
				  any->store->installation->control_set, &all, err) < 0)
		return -1;
	vec_foreach (device, &all) {
		_cleanup_free_ char *id = text_upper(device->id);

		if (device->service && strstr(id, "CC_0106"))
			return 0;
	}
	strings_push(
		&any->out->remarks,
		"this Windows has no driver for AHCI: to start from a SATA controller "
		"in AHCI mode, inject the vendor's (Intel iaAHCI.inf and iaStor.inf, "
		"AMD ahcix86.inf) or set the controller to IDE mode");
	return 0;
}

static void report_missing(struct storage *s)
{
	_cleanup_buffer_ struct buffer names = BUFFER_INIT;
	_cleanup_free_ char *text = NULL;

	if (!s->missing.len)
		return;
	for (size_t i = 0; i < s->missing.len && i < NAMES_SHOWN; i++)
		buffer_printf(&names, "%s%s", i ? ", " : "", s->missing.items[i]);
	if (s->missing.len > NAMES_SHOWN)
		buffer_printf(&names, " and %zu more", s->missing.len - NAMES_SHOWN);
	text = buffer_steal_string(&names);
	nt5_any_error(s->any, "mass storage drivers",
		      xasprintf("neither System32\\drivers nor the driver cache has %s: "
				"their controllers stay without a driver",
				text),
		      "give the i386 folder of the CD with --source");
}

static int each_service(struct storage *s, bool collect, struct error *err)
{
	vec_foreach (driver, &s->drivers) {
		vec_foreach (c, &(*driver)->configurations) {
			const struct inf_service *service = nt5_function_service(c);

			if (interrupted())
				return error_interrupted(err);
			if (!service || !belongs(s, *driver, service->name))
				continue;
			if (collect ? each_path(s, *driver, service->name, want, err) < 0
				    : serve(s, *driver, service, err) < 0)
				return -1;
		}
	}
	return 0;
}

static int apply(struct storage *s, struct error *err)
{
	struct nt5_any *any = s->any;

	for (size_t i = 0; i < ARRAY_SIZE(inf_names); i++)
		if (read_inf(s, inf_names[i], err) < 0)
			return -1;
	if (each_service(s, true, err) < 0 ||
	    inbox_find(any->store->tree, any->options->media, any->options->source,
		       &s->wanted, &s->found, &any->out->remarks, err) < 0 ||
	    each_service(s, false, err) < 0)
		return -1;
	report_missing(s);
	vec_foreach (set, &any->store->control_sets)
		if (enter_generic(any, *set, err) < 0)
			return -1;
	return remark_ahci(any, err);
}

int nt5_any_storage(struct nt5_any *any, struct error *err)
{
	struct storage s = {.any = any, .notes = xcalloc(1, sizeof(*s.notes))};
	int r = apply(&s, err);

	vec_foreach (remark, &s.notes->remarks)
		strings_push(&any->out->remarks, *remark);
	storage_free(&s);
	return r;
}
