/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Removing a third-party package: every record and file that adding it made. What it
 * shared with another package (a service, a file) is given back to that one.
 */
#include <stdarg.h>
#include <stdio.h>

#include "base/name_set.h"
#include "base/text.h"
#include "injector/store_private.h"
#include "windows/service.h"

struct removing {
	struct store *store;
	struct removal *report;
	const char *published;
	struct package *package;	/* the stored INF; NULL if it cannot be read */
	struct strings heirs;		/* INFs that own what it owned */
	struct strings services, files; /* those that they share with it */
	struct strings rivals;		/* other oemN.inf for the same device IDs */
	struct strings used;		/* files of the services that stay */
	struct name_set used_set;
	bool used_known;
	struct error *err;
};

static void remark(struct removing *r, const char *fmt, ...) _printf_(2, 3);
static void remark(struct removing *r, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	if (!strings_contain(&r->report->remarks, text))
		strings_push(&r->report->remarks, text);
	free(text);
}

static void heir(struct removing *r, const char *inf)
{
	if (!text_equal(inf, r->published) && !strings_contain(&r->heirs, inf))
		strings_push(&r->heirs, inf);
}

/* ---- services ---------------------------------------------------------------------- */

/* The event log source that the stored INF made for the service. */
static int remove_event_log(struct removing *r, const char *set, const char *service)
{
	struct hive *hive = r->store->system;

	if (!r->package || !r->package->driver)
		return 0;
	vec_foreach (c, &r->package->driver->configurations) {
		vec_foreach (s, &c->services) {
			_cleanup_free_ char *path = NULL;
			hkey key;

			if (!s->name || !text_equal(s->name, service) || !s->eventlog.len)
				continue;
			path = xasprintf("%s\\Services\\EventLog\\%s\\%s", set,
					 s->eventlog_type ? s->eventlog_type : "System",
					 s->eventlog_name ? s->eventlog_name : s->name);
			key = hive_find(hive, hive_root(hive), path);
			if (key && hive_delete(hive, key, r->err) < 0)
				return -1;
		}
	}
	return 0;
}

/* The package had made the service its own, not just asked for another INF's. */
static bool brought_binary(const struct removing *r, const char *name)
{
	if (!r->package || !r->package->driver)
		return true;
	vec_foreach (c, &r->package->driver->configurations)
		vec_foreach (s, &c->services)
			if (!s->remove && text_equal(s->name, name) && s->binary &&
			    package_file(r->package, path_base(s->binary)))
				return true;
	return false;
}

static int remove_from_service(struct removing *r, const char *set,
			       const struct service *service)
{
	struct hive *hive = r->store->system;
	size_t left;

	if (!strings_contain(&service->owners, r->published))
		return 0;
	vec_foreach (owner, &service->owners)
		heir(r, *owner);
	if (multi_remove(hive, service->key, "Owners", r->published, &left, r->err) < 0)
		return -1;
	if (left > 0) {
		if (brought_binary(r, service->name) &&
		    !strings_contain(&r->services, service->name))
			strings_push(&r->services, service->name);
		return 0;
	}
	if (!strings_contain(&r->report->services, service->name))
		strings_push(&r->report->services, service->name);
	if (remove_event_log(r, set, service->name) < 0)
		return -1;
	return hive_delete(hive, service->key, r->err);
}

static int remove_services(struct removing *r)
{
	vec_foreach (set, &r->store->control_sets) {
		_cleanup_services_ struct services services = VEC_INIT;

		if (services_read(r->store->system, *set, &services, r->err) < 0)
			return -1;
		vec_foreach (service, &services)
			if (remove_from_service(r, *set, service) < 0)
				return -1;
	}
	return 0;
}

/* ---- files ------------------------------------------------------------------------- */

/* A service that stays uses the file. 1, 0, -1. Called once all services are gone. */
static int in_use(struct removing *r, const char *path)
{
	if (!r->used_known) {
		vec_foreach (set, &r->store->control_sets) {
			_cleanup_services_ struct services services = VEC_INIT;

			if (services_read(r->store->system, *set, &services, r->err) < 0)
				return -1;
			vec_foreach (service, &services)
				if (service->file)
					vec_push(&r->used, steal_ptr(service->file));
		}
		vec_foreach (file, &r->used)
			name_set_add(&r->used_set, *file);
		r->used_known = true;
	}
	return name_set_has(&r->used_set, path);
}

/* Takes the package out of the file's owners; *left says how many remain. */
static int release_file(struct removing *r, const char *path, size_t *left,
			bool *recorded)
{
	_cleanup_free_ char *key_path = lockdown_path(path);
	struct hive *hive = r->store->software;
	struct strings owners = VEC_INIT;
	hkey key = hive ? hive_find(hive, hive_root(hive), key_path) : 0;

	*left = 0;
	*recorded = false;
	if (!key)
		return 0;
	hive_get_strings(hive, key, "Owners", &owners);
	*recorded = strings_contain(&owners, r->published);
	vec_foreach (owner, &owners)
		heir(r, *owner);
	strings_free(&owners);
	if (multi_remove(hive, key, "Owners", r->published, left, r->err) < 0)
		return -1;
	return *left > 0 || !*recorded ? 0 : hive_delete(hive, key, r->err);
}

static int same_content(struct removing *r, const char *path, const char *stored)
{
	_cleanup_buffer_ struct buffer a = BUFFER_INIT, b = BUFFER_INIT;
	struct tree_stat st, st2;
	int there = tree_stat(r->store->tree, path, &st, r->err);

	if (there > 0)
		there = tree_stat(r->store->tree, stored, &st2, r->err);
	if (there <= 0)
		return there;
	if (st.type != TREE_FILE || st2.type != TREE_FILE || st.size != st2.size)
		return 0;
	if (tree_read(r->store->tree, path, SIZE_MAX, &a, r->err) < 0 ||
	    tree_read(r->store->tree, stored, SIZE_MAX, &b, r->err) < 0)
		return -1;
	return bytes_equal(buffer_view(&a), buffer_view(&b));
}

/* A file outside the store: gone if nobody else owns or uses it. */
static int remove_file(struct removing *r, const char *path, const char *stored)
{
	bool recorded;
	size_t left;
	int used;

	if (release_file(r, path, &left, &recorded) < 0)
		return -1;
	if (left > 0) {
		strings_push(&r->files, path);
		return 0;
	}
	used = in_use(r, path);
	if (used != 0)
		return used < 0 ? -1 : 0;
	/* Without a record of its owners only what is surely the package's goes. */
	if (!recorded) {
		int same = same_content(r, path, stored);

		if (same <= 0)
			return same;
	}
	return tree_remove(r->store->tree, path, r->err);
}

static int remove_installed_files(struct removing *r)
{
	enum windows_arch arch = r->store->installation->target.arch;

	if (!r->package || !r->package->driver)
		return 0;
	vec_foreach (c, &r->package->driver->configurations) {
		vec_foreach (file, &c->files) {
			_cleanup_free_ char *path = NULL, *stored = NULL;

			if (file->kind != INF_FILE_COPY || !file->source_path)
				continue;
			path = file_destination(file, arch);
			if (!path)
				continue;
			stored = xasprintf(REPOSITORY "/%s/%s", r->report->store,
					   file->source_path);
			if (remove_file(r, path, stored) < 0)
				return -1;
		}
	}
	return 0;
}

/* Whatever else PnpLockdownFiles says is the package's. */
static int remove_locked_files(struct removing *r)
{
	struct hive *hive = r->store->software;
	hkey list = hive ? hive_find(hive, hive_root(hive), LOCKDOWN) : 0;
	struct strings paths = VEC_INIT;
	int result = 0;

	for (uint32_t i = 0; list && i < hive_child_count(hive, list); i++) {
		hkey key = hive_child(hive, list, i);
		_cleanup_free_ char *name = key ? hive_key_name(hive, key) : NULL;
		struct strings owners = VEC_INIT;

		if (!name)
			continue;
		hive_get_strings(hive, key, "Owners", &owners);
		if (strings_contain(&owners, r->published) &&
		    text_starts_with(name, "%SystemRoot%/"))
			vec_push(&paths,
				 xasprintf("Windows/%s", name + strlen("%SystemRoot%/")));
		strings_free(&owners);
	}
	vec_foreach (path, &paths)
		if (result == 0)
			result = remove_file(r, *path, *path);
	strings_free(&paths);
	return result;
}

static int remove_stored_files(struct removing *r)
{
	size_t stem = strlen(r->published) - strlen(".inf");
	char *paths[] = {
		xasprintf(INF_FOLDER "/%s", r->published),
		xasprintf(INF_FOLDER "/%.*s.PNF", (int)stem, r->published),
		xasprintf(CATALOGS "/%.*s.cat", (int)stem, r->published),
		r->report->store ? store_folder(r->report->store) : NULL,
	};
	int result = 0;

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		if (paths[i] && result == 0)
			result = tree_remove(r->store->tree, paths[i], r->err);
		free(paths[i]);
	}
	return result;
}

/* ---- the driver database ----------------------------------------------------------- */

static int collect_id(const char *id, const struct db_match *match, void *arg,
		      struct error *err _unused_)
{
	struct {
		const char *published;
		struct strings *ids;
	} *want = arg;

	if (text_equal(match->published, want->published))
		strings_push(want->ids, id);
	return 0;
}

/* Deletes the value, and the keys that are empty without it, up to DeviceIds. */
static int remove_match(struct driverdb *db, char *path, const char *published,
			struct error *err)
{
	hkey key = node_find(db, path);

	if (key && hive_unset(db->hive, key, published, err) < 0)
		return -1;
	while (key && strchr(path, '\\') && hive_value_count(db->hive, key) == 0 &&
	       hive_child_count(db->hive, key) == 0) {
		if (hive_delete(db->hive, key, err) < 0)
			return -1;
		*strrchr(path, '\\') = 0;
		key = node_find(db, path);
	}
	return 0;
}

/* Third-party INFs that stand beside the package for one of its device IDs. */
static int note_rivals(struct removing *r, const struct driverdb *db, const char *id)
{
	struct db_matches matches = VEC_INIT;
	int result = driverdb_device(db, id, &matches, r->err);
	unsigned number;

	vec_foreach (match, &matches)
		if (result >= 0 && !text_equal(match->published, r->published) &&
		    oem_inf_number(match->published, &number) &&
		    !strings_contain(&r->rivals, match->published))
			strings_push(&r->rivals, match->published);
	db_matches_free(&matches);
	return result < 0 ? -1 : 0;
}

static int remove_device_ids(struct removing *r, struct driverdb *db,
			     const struct db_package *record)
{
	struct strings ids = VEC_INIT;
	struct {
		const char *published;
		struct strings *ids;
	} want = {r->published, &ids};
	char guid[GUID_TEXT_SIZE];
	int result = driverdb_each_device(db, collect_id, &want, r->err);

	vec_foreach (id, &ids) {
		_cleanup_free_ char *path = device_id_path(*id);

		if (result == 0)
			result = note_rivals(r, db, *id);
		if (result == 0)
			result = remove_match(db, path, r->published, r->err);
	}
	strings_free(&ids);
	if (result == 0 && record && record->has_version) {
		_cleanup_free_ char *path = NULL;

		guid_format(&record->version.class_guid, guid);
		path = xasprintf("DeviceIds\\%s", guid);
		result = remove_match(db, path, r->published, r->err);
	}
	return result;
}

static int remove_key(struct driverdb *db, const char *folder, const char *name,
		      struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s\\%s", folder, name);
	hkey key = node_find(db, path);

	return key ? hive_delete(db->hive, key, err) : 0;
}

static int remove_records(struct removing *r, const struct db_package *record)
{
	unsigned number;

	for (size_t i = 0; i < ARRAY_SIZE(r->store->nodes); i++) {
		struct driverdb *db = &r->store->nodes[i];

		if (!db->hive)
			continue;
		if (remove_device_ids(r, db, record) < 0 ||
		    remove_key(db, "DriverInfFiles", r->published, r->err) < 0)
			return -1;
		if (r->report->store &&
		    remove_key(db, "DriverPackages", r->report->store, r->err) < 0)
			return -1;
	}
	if (!oem_inf_number(r->published, &number))
		return 0;
	return oem_number_mark(r->store, number, false, r->err);
}

/* ---- what takes over --------------------------------------------------------------- */

/*
 * Services and files that the package had taken over are made anew from the packages that
 * share them. Owners are listed latest first, and the latest comes last here and so has
 * the last word: it had taken over from the earlier ones because it ranks better.
 */
static int reinstall_heirs(struct removing *r)
{
	struct store *store = r->store;

	if (r->services.len == 0 && r->files.len == 0)
		return 0;
	for (size_t i = r->heirs.len; i > 0; i--) {
		const char *inf = r->heirs.items[i - 1];
		_cleanup_db_package_ struct db_package record = {0};
		_cleanup_package_ struct package *package = NULL;
		_cleanup_error_ struct error why = ERROR_INIT;
		_cleanup_free_ char *folder = NULL;
		struct driverdb *node;
		int found = store_find_published(store, inf, &record, &node, r->err);

		if (found < 0)
			return -1;
		if (!found || !record.reflected || !record.published)
			continue;
		folder = store_folder(record.store);
		package = package_open_stored(store->tree, folder,
					      record.original ? record.original : inf,
					      &store->installation->target, &why);
		if (!package || package->verdict != PACKAGE_ADDED) {
			remark(r, "%s shares its service but cannot be read: %s", inf,
			       package ? package->reason : why.reason);
			continue;
		}
		free(package->store);
		package->store = xstrdup(record.store);
		package->published = xstrdup(record.published);
		if (reflect_shared(store, package, &r->services, &r->files, r->err) < 0)
			return -1;
		remark(r, "%s takes over what both had", inf);
	}
	return 0;
}

/*
 * A package that was only staged because the removed one ranked better is now what
 * Windows has to start from.
 */
static int promote_rivals(struct removing *r)
{
	struct store *store = r->store;

	vec_foreach (inf, &r->rivals) {
		_cleanup_db_package_ struct db_package record = {0};
		_cleanup_error_ struct error why = ERROR_INIT;
		struct driverdb *node;
		int found = store_find_published(store, *inf, &record, &node, r->err);

		if (found < 0)
			return -1;
		if (!found || record.reflected)
			continue;
		found = store_reflect(store, record.store, &why);
		if (found < 0 && why.code != ERROR_ANSWER_NO)
			return error_move(r->err, &why);
		if (found < 0)
			remark(r, "%s cannot take its place: %s", *inf, why.reason);
		if (found <= 0)
			continue;
		remark(r, "%s was only staged beside it and takes its place", *inf);
	}
	return 0;
}

/* HKLM lines cannot be undone: what was there before is not known. */
static void remark_left_keys(struct removing *r)
{
	size_t lines = 0;

	if (!r->package || !r->package->driver)
		return;
	vec_foreach (c, &r->package->driver->configurations) {
		vec_foreach (reg, &c->regs)
			lines += reg->root != INF_HKR;
		vec_foreach (reg, &c->hw_regs)
			lines += reg->root != INF_HKR;
	}
	if (lines)
		remark(r,
		       "what %zu lines of its INF wrote outside its own registry keys "
		       "stays, as on Windows",
		       lines);
}

/* ---- all of it --------------------------------------------------------------------- */

static int read_stored(struct removing *r)
{
	_cleanup_free_ char *folder = NULL;
	_cleanup_error_ struct error why = ERROR_INIT;

	if (!r->report->store)
		return 0;
	folder = store_folder(r->report->store);
	r->package = package_open_stored(r->store->tree, folder,
					 r->report->original ? r->report->original
							     : r->published,
					 &r->store->installation->target, &why);
	if (!r->package && why.code == ERROR_INTERRUPTED)
		return error_move(r->err, &why);
	if (!r->package || !r->package->driver)
		remark(r, "its INF in the store cannot be read: files outside the store "
			  "are known from the registry only");
	return 0;
}

static int refuse(struct removal *ret, char *reason)
{
	ret->verdict = PACKAGE_REFUSED;
	ret->reason = reason;
	return 0;
}

/* Nothing of that name: 1 if there is at least some trace to clean away, 0, -1. */
static int has_traces(struct store *store, const char *published, struct error *err)
{
	_cleanup_free_ char *key = xasprintf("DriverInfFiles\\%s", published);
	_cleanup_free_ char *path = xasprintf(INF_FOLDER "/%s", published);

	for (size_t i = 0; i < ARRAY_SIZE(store->nodes); i++)
		if (node_find(&store->nodes[i], key))
			return 1;
	return tree_stat(store->tree, path, NULL, err);
}

static void describe(struct removing *r, const struct db_package *record)
{
	struct removal *ret = r->report;
	char guid[GUID_TEXT_SIZE];
	struct guid class_guid = record->version.class_guid;
	_cleanup_device_class_ struct device_class class = {0};

	ret->store = xstrdup(record->store);
	ret->original = record->original ? xstrdup(record->original) : NULL;
	guid_format(&class_guid, guid);
	ret->boot_critical =
		record->boot_critical || record->reflected ||
		(record->has_version &&
		 device_class_read(r->store->system, r->store->installation->control_set,
				   &class_guid, &class, NULL) > 0 &&
		 class.boot_critical);
	if (ret->boot_critical)
		remark(r, "the package is boot-critical: a machine that starts from its "
			  "device no longer will");
}

static bool own_record(const struct db_package *record, const char *published)
{
	_cleanup_free_ char *folder = store_folder(record->store);

	return record->published && text_equal(record->published, published) &&
	       tree_path_check(folder, NULL) == 0;
}

int nt62_remove(struct store *store, const char *published, struct removal *ret,
		struct error *err)
{
	_cleanup_db_package_ struct db_package record = {0};
	struct removing r = {
		.store = store, .report = ret, .published = published, .err = err};
	struct driverdb *node = NULL;
	unsigned number;
	int found = store_find_published(store, published, &record, &node, err), result;

	if (found < 0)
		return -1;
	/* A damaged record could name another package's folder, or none at all. */
	if (found && !own_record(&record, published))
		found = 0;
	if (!oem_inf_number(published, &number)) {
		int there = found ? 1
			    : strpbrk(published, "/\\:") || !*published
				    ? 0
				    : has_traces(store, published, err);

		if (there < 0)
			return -1;
		return refuse(ret, there ? xstrdup("it came with Windows; inbox drivers "
						   "are never removed")
					 : xstrdup("only third-party packages, oemN.inf, "
						   "can be removed; gild inspect lists "
						   "them"));
	}
	if (!found) {
		int traces = has_traces(store, published, err);

		if (traces <= 0)
			return traces < 0 ? -1
					  : refuse(ret, xstrdup("the image has no such "
								"package; gild inspect "
								"lists them"));
		remark(&r, "its record was incomplete: what is left of it was removed");
	} else {
		describe(&r, &record);
	}
	ret->verdict = PACKAGE_ADDED;
	result = read_stored(&r);
	if (result == 0)
		result = remove_services(&r);
	if (result == 0)
		result = remove_installed_files(&r);
	if (result == 0)
		result = remove_locked_files(&r);
	if (result == 0)
		result = remove_records(&r, found ? &record : NULL);
	if (result == 0)
		result = remove_stored_files(&r);
	if (result == 0)
		result = reinstall_heirs(&r);
	if (result == 0 && record.reflected) {
		remark_left_keys(&r);
		result = promote_rivals(&r);
	}
	package_close(r.package);
	strings_free(&r.heirs);
	strings_free(&r.services);
	strings_free(&r.files);
	strings_free(&r.rivals);
	name_set_free(&r.used_set);
	strings_free(&r.used);
	return result;
}
