/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Vista and 7: a boot-critical package made bootable, and which package serves a device
 * where several could.
 */
#include "base/text.h"
#include "injector/driver_private.h"
#include "injector/inf.h"
#include "injector/nt6.h"

#define REPLACE_ONLY 0x400u /* COPYFLG_REPLACEONLY */

/* ---- which entries ----------------------------------------------------------------- */

static void push_filters(const struct inf_configuration *c, const char *name,
			 struct strings *ret)
{
	vec_foreach (reg, &c->hw_regs) {
		_cleanup_free_ char *text = NULL;

		if (reg->root != INF_HKR || *reg->key || !text_equal(reg->name, name) ||
		    (reg->kind != INF_REG_SET && reg->kind != INF_REG_APPEND))
			continue;
		/* REG_MULTI_SZ: one text after the other, each with its terminator. */
		for (size_t at = 0; at + 2 <= reg->data.len;) {
			size_t end = at;

			while (end + 2 <= reg->data.len &&
			       get_le16(reg->data.data + end) != 0)
				end += 2;
			if (end > at) {
				text = utf16_to_utf8(reg->data.data + at, end - at);
				if (!strings_contain(ret, text))
					strings_push(ret, text);
				free(steal_ptr(text));
			}
			at = end + 2;
		}
	}
}

static bool excluded(const struct driver *driver, const struct inf_configuration *c,
		     const char *id)
{
	return strings_contain(
		c->exclude_ids.len ? &c->exclude_ids : &driver->exclude_ids, id);
}

static struct critical_device *find_device(struct nt6_devices *devices, const char *id)
{
	vec_foreach (device, devices)
		if (text_equal(device->id, id))
			return device;
	return NULL;
}

static void plan_device(const struct driver *driver, const struct inf_configuration *c,
			const char *id, struct nt6_devices *ret)
{
	const char *service = function_service(c);
	struct critical_device device = {.has_class = true}, *before;

	/* Windows' store makes no entry where a section has no service. */
	if (!service || !*service || !*id || !device_id_valid(id) ||
	    excluded(driver, c, id))
		return;
	device.id = xstrdup(id);
	device.class_guid = driver->class_guid;
	device.service = xstrdup(service);
	push_filters(c, "UpperFilters", &device.upper_filters);
	push_filters(c, "LowerFilters", &device.lower_filters);
	/* Of several lines with one ID the last one counts. */
	before = find_device(ret, id);
	if (before) {
		critical_device_free(before);
		*before = device;
	} else {
		vec_push(ret, device);
	}
}

void nt6_devices_of(const struct package *package, struct nt6_devices *ret)
{
	const struct driver *driver = package->driver;

	vec_foreach (model, &driver->models) {
		const struct inf_configuration *c =
			&driver->configurations.items[model->configuration];

		vec_foreach (id, &model->ids)
			plan_device(driver, c, *id, ret);
	}
}

void nt6_devices_free(struct nt6_devices *devices)
{
	vec_foreach (device, devices)
		critical_device_free(device);
	vec_free(devices);
}
#define _cleanup_nt6_devices_ _cleanup_(nt6_devices_free)

/* ---- rank -------------------------------------------------------------------------- */

/* "iastorv.inf" of "iastorv.inf_x86_neutral_18cccb83b34e1453"; NULL if it is none. */
static char *inf_of_package(const char *package)
{
	for (const char *p = package; *p; p++)
		if (text_starts_with(p, ".inf_"))
			return xstrndup(package, (size_t)(p - package) + strlen(".inf"));
	return NULL;
}

/* DriverVer of an INF of the image. False if it is not there or cannot be read. */
static bool read_rank(struct store *store, const char *path, struct nt6_rank *ret)
{
	_cleanup_buffer_ struct buffer raw = BUFFER_INIT;
	_cleanup_inf_ struct inf *inf = NULL;
	struct version_facts facts = {0};

	if (tree_path_check(path, NULL) < 0 ||
	    tree_stat(store->tree, path, NULL, NULL) <= 0 ||
	    tree_read(store->tree, path, INF_SIZE_MAX, &raw, NULL) < 0)
		return false;
	inf = inf_open(path_base(path), buffer_view(&raw), NULL);
	if (!inf)
		return false;
	version_facts_read(inf, &facts);
	ret->date = facts.date;
	ret->version = facts.version;
	version_facts_free(&facts);
	return true;
}

static const struct nt6_rank *rank_of(struct store *store, const char *package)
{
	struct nt6 *nt6 = store->generation;
	_cleanup_free_ char *name = NULL, *stored = NULL, *published = NULL;
	struct nt6_rank rank = {0};

	vec_foreach (known, &nt6->ranks)
		if (text_equal(known->package, package))
			return known;
	rank.package = xstrdup(package);
	name = inf_of_package(package);
	if (name && !strpbrk(package, "/\\")) {
		stored = xasprintf(REPOSITORY "/%s/%s", package, name);
		published = xasprintf(INF_FOLDER "/%s", name);
		rank.known = read_rank(store, stored, &rank) ||
			     read_rank(store, published, &rank);
	}
	vec_push(&nt6->ranks, rank);
	return &nt6->ranks.items[nt6->ranks.len - 1];
}

/* An unsigned package ranks behind every signed one; then date and version count. */
static bool better(bool is_signed, uint64_t date, uint64_t version,
		   const struct package *package, const struct injected_package *own)
{
	const struct driver *driver = package->driver;
	bool own_signed = own ? own->is_signed : nt6_is_signed(package);

	if (is_signed != own_signed)
		return is_signed;
	return date != driver->date ? date > driver->date : version > driver->version;
}

/* The last injected package that has the ID in its record, other than `own`. */
static const struct injected_package *holder(const struct injected_packages *records,
					     const struct injected_package *own,
					     const char *id)
{
	const struct injected_package *last = NULL;

	vec_foreach (record, records)
		if (record != own && strings_contain(&record->ids, id))
			last = record;
	return last;
}

/*
 * 1: the entry that the control set has is of a package that ranks better (its name in
 * `by`, the caller's), 0: it is not, -1.
 */
static int better_there(struct store *store, const char *set,
			const struct package *package,
			const struct injected_packages *records,
			const struct injected_package *own, const char *id, char **by,
			struct error *err)
{
	_cleanup_critical_device_ struct critical_device now = {0};
	const struct injected_package *other = holder(records, own, id);
	const struct nt6_rank *rank;
	int found = critical_device_read(store->system, set, id, &now, err);

	if (found <= 0)
		return found;
	if (other) {
		if (!better(other->is_signed, other->date, other->version, package, own))
			return 0;
		*by = xstrdup(other->published);
		return 1;
	}
	if ((own && strings_contain(&own->ids, id)) || !now.package)
		return 0;
	rank = rank_of(store, now.package);
	if (!rank->known || !better(true, rank->date, rank->version, package, own))
		return 0;
	*by = xstrdup(now.package);
	return 1;
}

int nt6_outranked(struct store *store, const struct package *package,
		  const struct injected_packages *records,
		  const struct injected_package *own, char **by, struct error *err)
{
	_cleanup_nt6_devices_ struct nt6_devices devices = VEC_INIT;

	nt6_devices_of(package, &devices);
	vec_foreach (device, &devices) {
		_cleanup_free_ char *name = NULL;
		int there = better_there(store, store->installation->control_set, package,
					 records, own, device->id, &name, err);

		if (there <= 0)
			return there;
		if (!*by)
			*by = steal_ptr(name);
	}
	return devices.len > 0;
}

/* ---- entries ----------------------------------------------------------------------- */

static int enter_device(struct store *store, struct package *package, hkey record,
			const struct injected_packages *records,
			const struct injected_package *own,
			const struct critical_device *device, struct error *err)
{
	bool entered = false;

	vec_foreach (set, &store->control_sets) {
		_cleanup_free_ char *by = NULL, *path = NULL;
		int there = better_there(store, *set, package, records, own, device->id,
					 &by, err);

		if (there < 0)
			return -1;
		if (there) {
			package_remark(package, "%s stays with %s, which ranks better",
				       device->id, by);
			continue;
		}
		path = critical_device_path(*set, device->id);
		if ((!own || !strings_contain(&own->ids, device->id)) &&
		    nt6_keep_key(store, record, *set, "Devices", device->id, path, err) <
			    0)
			return -1;
		if (critical_device_write(store->system, *set, device, err) < 0)
			return -1;
		entered = true;
	}
	if (!entered)
		return 0;
	return multi_append(store->software, record, "DeviceIds", device->id, err);
}

static int enter_devices(struct store *store, struct package *package, hkey record,
			 const struct injected_packages *records,
			 const struct injected_package *own, struct error *err)
{
	_cleanup_nt6_devices_ struct nt6_devices devices = VEC_INIT;

	nt6_devices_of(package, &devices);
	vec_foreach (device, &devices)
		if (enter_device(store, package, record, records, own, device, err) < 0)
			return -1;
	return 0;
}

/* ---- before the change ------------------------------------------------------------- */

/* The event log source that the service registers; NULL if it has none. Caller's. */
static char *event_source(const struct inf_service *service)
{
	char *name;

	if (!service->eventlog.len)
		return NULL;
	name = xasprintf("%s\\%s",
			 service->eventlog_type ? service->eventlog_type : "System",
			 service->eventlog_name ? service->eventlog_name : service->name);
	return name;
}

static int keep_event_source(struct store *store, hkey record,
			     const struct injected_package *own,
			     const struct inf_service *service, struct error *err)
{
	_cleanup_free_ char *name = event_source(service);

	if (!name)
		return 0;
	vec_foreach (set, &store->control_sets) {
		_cleanup_free_ char *path =
			xasprintf("%s\\" NT6_EVENT_LOG "\\%s", *set, name);

		if ((!own || !strings_contain(&own->events, name)) &&
		    nt6_keep_key(store, record, *set, "EventLog", name, path, err) < 0)
			return -1;
	}
	return multi_append(store->software, record, "EventSources", name, err);
}

static int keep_service(struct store *store, const struct package *package, hkey record,
			const struct injected_package *own,
			const struct inf_service *service, struct error *err)
{
	if (service->remove || !*service->name || !service_name_sound(service->name) ||
	    service_foreign(store, store->installation->control_set, package, service))
		return 0;
	vec_foreach (set, &store->control_sets) {
		_cleanup_free_ char *path =
			xasprintf("%s\\Services\\%s", *set, service->name);

		if ((!own || !strings_contain(&own->services, service->name)) &&
		    nt6_keep_key(store, record, *set, "Services", service->name, path,
				 err) < 0)
			return -1;
	}
	if (multi_append(store->software, record, "Services", service->name, err) < 0)
		return -1;
	return keep_event_source(store, record, own, service, err);
}

static const struct package_file *source_of(const struct package *package,
					    const struct inf_file *file)
{
	vec_foreach (f, &package->files)
		if (file->source_path && text_equal(f->path, file->source_path))
			return f;
	return NULL;
}

/* Keeps a copy of a file that is about to be replaced by another one. */
static int keep_file(struct store *store, const struct package *package,
		     const char *folder, hkey record, const struct injected_package *own,
		     const struct inf_file *file, struct error *err)
{
	_cleanup_free_ char *to =
		file_destination(file, store->installation->target.arch);
	const struct package_file *from = source_of(package, file);
	_cleanup_buffer_ struct buffer old = BUFFER_INIT, new = BUFFER_INIT;
	_cleanup_free_ char *kept = NULL;
	int there;

	if (file->kind != INF_FILE_COPY || !to || !from ||
	    (own && strings_contain(&own->files, to)))
		return 0;
	there = tree_stat(store->tree, to, NULL, err);
	if (there < 0 || (!there && file->flags & REPLACE_ONLY))
		return there;
	if (there) {
		if (tree_read(store->tree, to, SIZE_MAX, &old, err) < 0 ||
		    package_read(package, from, store->tree, SIZE_MAX, &new, err) < 0)
			return -1;
		if (bytes_equal(buffer_view(&old), buffer_view(&new)))
			return 0;
		kept = nt6_kept_file(folder, to);
		if (tree_write(store->tree, kept, buffer_view(&old), 0, err) < 0)
			return -1;
	}
	return multi_append(store->software, record, "Files", to, err);
}

static int keep_all(struct store *store, const struct package *package, hkey record,
		    const struct injected_package *own, struct error *err)
{
	_cleanup_free_ char *folder = hive_get_string(store->software, record, "Folder");

	vec_foreach (c, &package->driver->configurations) {
		if (c->missing)
			continue;
		vec_foreach (service, &c->services)
			if (keep_service(store, package, record, own, service, err) < 0)
				return -1;
		vec_foreach (file, &c->files)
			if (keep_file(store, package, folder, record, own, file, err) < 0)
				return -1;
	}
	return 0;
}

int nt6_make_bootable(struct store *store, struct package *package, hkey record,
		      const struct injected_packages *records,
		      const struct injected_package *own, struct error *err)
{
	if (keep_all(store, package, record, own, err) < 0 ||
	    install_package(store, package, err) < 0)
		return -1;
	return enter_devices(store, package, record, records, own, err);
}

/* The entry names the service, or another package's that ranks better. 1, 0, -1. */
static int entry_intact(struct store *store, const char *set,
			const struct package *package,
			const struct injected_packages *records,
			const struct injected_package *own,
			const struct critical_device *device, struct error *err)
{
	_cleanup_critical_device_ struct critical_device now = {0};
	_cleanup_free_ char *by = NULL;
	int found = critical_device_read(store->system, set, device->id, &now, err);

	if (found <= 0)
		return found;
	if (now.service && text_equal(now.service, device->service))
		return 1;
	if (holder(records, own, device->id))
		return 1;
	return better_there(store, set, package, records, own, device->id, &by, err);
}

int nt6_bootable(struct store *store, const struct package *package,
		 const struct injected_packages *records,
		 const struct injected_package *own, struct error *err)
{
	_cleanup_nt6_devices_ struct nt6_devices devices = VEC_INIT;
	int intact = reflection_intact(store, package, err);

	if (intact <= 0)
		return intact;
	nt6_devices_of(package, &devices);
	vec_foreach (set, &store->control_sets)
		vec_foreach (device, &devices) {
			intact = entry_intact(store, *set, package, records, own, device,
					      err);
			if (intact <= 0)
				return intact;
		}
	return 1;
}
