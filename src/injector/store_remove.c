/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Taking a third-party package out of the driver store of Windows 8 and later: what
 * DISM's /Remove-Driver takes, and what the package was reflected to (services, files,
 * filters).
 */
#include "injector/store_private.h"

#include <stdio.h>

#include "base/text.h"
#include "windows/service.h"

#define SYSTEM_ROOT "%SystemRoot%"

/* True if a service of any control set runs the file. 1, 0, -1. */
static int file_in_use(struct store *store, const char *path, struct error *err)
{
	vec_foreach (set, &store->control_sets) {
		_cleanup_services_ struct services services = VEC_INIT;

		if (services_read(store->system, *set, &services, err) < 0)
			return -1;
		vec_foreach (service, &services)
			if (service->file && text_equal(service->file, path))
				return 1;
	}
	return 0;
}

/* ---- services ---------------------------------------------------------------------- */

static int remove_filters(struct store *store, const char *set, const char *service,
			  struct error *err)
{
	static const char *const values[] = {"UpperFilters", "LowerFilters"};
	_cleanup_free_ char *path = xasprintf("%s\\Control\\Class", set);
	hkey classes = hive_find(store->system, hive_root(store->system), path);

	for (uint32_t i = 0; classes && i < hive_child_count(store->system, classes);
	     i++) {
		hkey class = hive_child(store->system, classes, i);
		size_t left;

		for (size_t v = 0; class && v < ARRAY_SIZE(values); v++)
			if (multi_remove(store->system, class, values[v], service, &left,
					 err) < 0)
				return -1;
	}
	return 0;
}

static int delete_service(struct store *store, const char *set,
			  const struct service *service, struct error *err)
{
	_cleanup_free_ char *log =
		xasprintf("%s\\Services\\EventLog\\System\\%s", set, service->name);
	hkey source = hive_find(store->system, hive_root(store->system), log);

	if (hive_delete(store->system, service->key, err) < 0 ||
	    (source && hive_delete(store->system, source, err) < 0))
		return -1;
	return remove_filters(store, set, service->name, err);
}

/*
 * Takes the package out of the owners of its services; one without owners goes. `heirs`
 * gets the INFs that own one of them as well.
 */
static int remove_services(struct store *store, const char *set, struct removal *removal,
			   struct strings *heirs, struct error *err)
{
	_cleanup_services_ struct services services = VEC_INIT;

	if (services_read(store->system, set, &services, err) < 0)
		return -1;
	vec_foreach (service, &services) {
		size_t left;

		if (!strings_contain(&service->owners, removal->published))
			continue;
		if (multi_remove(store->system, service->key, "Owners",
				 removal->published, &left, err) < 0)
			return -1;
		if (left == 0) {
			if (!strings_contain(&removal->services, service->name))
				strings_push(&removal->services, service->name);
			if (delete_service(store, set, service, err) < 0)
				return -1;
			continue;
		}
		vec_foreach (owner, &service->owners)
			if (!text_equal(*owner, removal->published) &&
			    !strings_contain(heirs, *owner))
				strings_push(heirs, *owner);
	}
	return 0;
}

/* The other owner's service values and files are put back in force. */
static int restore_heirs(struct store *store, const struct strings *heirs,
			 struct removal *removal, struct error *err)
{
	vec_foreach (heir, heirs) {
		_cleanup_db_package_ struct db_package package = {0};
		_cleanup_error_ struct error own = ERROR_INIT;
		_cleanup_free_ char *remark = NULL;
		struct driverdb *node;
		int found = store_find_published(store, *heir, &package, &node, err);

		if (found < 0)
			return -1;
		if (found && store_reflect(store, package.store, &own) == 0) {
			remark = xasprintf("%s shares its service and is in force again",
					   *heir);
		} else if (found && own.code != ERROR_ANSWER_NO) {
			return error_move(err, &own);
		} else {
			remark = xasprintf(
				"%s shares its service, which keeps its present values: "
				"%s",
				*heir,
				found ? own.reason
				      : "its package is not in the "
					"driver database");
		}
		strings_push(&removal->remarks, remark);
	}
	return 0;
}

/* ---- files ------------------------------------------------------------------------- */

static int remove_if_unused(struct store *store, const char *path, struct error *err)
{
	int used = file_in_use(store, path, err);

	if (used != 0)
		return used < 0 ? -1 : 0;
	return tree_remove(store->tree, path, err);
}

/* "%SystemRoot%/System32/drivers/x.sys" as a path in the tree, or NULL. Caller's. */
static char *lockdown_path(const char *name)
{
	if (!text_starts_with(name, SYSTEM_ROOT) || name[strlen(SYSTEM_ROOT)] != '/')
		return NULL;
	return xasprintf("Windows%s", name + strlen(SYSTEM_ROOT));
}

/* The files that the package locked down, where no other package owns them as well. */
static int remove_locked_files(struct store *store, const char *published,
			       struct error *err)
{
	struct strings gone = VEC_INIT;
	hkey list;
	int result = 0;

	if (!store->software)
		return 0;
	list = hive_find(store->software, hive_root(store->software), LOCKDOWN);
	for (uint32_t i = 0; list && i < hive_child_count(store->software, list); i++) {
		hkey key = hive_child(store->software, list, i);
		struct strings owners = VEC_INIT;
		size_t left = 1;

		if (!key || !hive_get_strings(store->software, key, "Owners", &owners) ||
		    !strings_contain(&owners, published)) {
			strings_free(&owners);
			continue;
		}
		strings_free(&owners);
		result = multi_remove(store->software, key, "Owners", published, &left,
				      err);
		if (result < 0)
			break;
		if (left == 0) {
			_cleanup_free_ char *name = hive_key_name(store->software, key);

			strings_push(&gone, name);
		}
	}
	vec_foreach (name, &gone) {
		_cleanup_free_ char *path = lockdown_path(*name);
		hkey key = hive_find(store->software, list, *name);

		if (result == 0 && key)
			result = hive_delete(store->software, key, err);
		if (result == 0 && path)
			result = remove_if_unused(store, path, err);
	}
	strings_free(&gone);
	return result < 0 ? -1 : 0;
}

/*
 * What the INF copies to fixed places, for images without a SOFTWARE hive and for files
 * that were not locked down. An INF that can no longer be read is passed over: its files
 * stay, unreferenced.
 */
static int remove_copied_files(struct store *store, const struct db_package *record,
			       struct removal *removal, struct error *err)
{
	_cleanup_error_ struct error own = ERROR_INIT;
	_cleanup_package_ struct package *package = NULL;
	_cleanup_free_ char *folder = store_folder(record->store);
	enum windows_arch arch = store->installation->target.arch;

	package = package_open_stored(store->tree, folder,
				      record->original ? record->original
						       : record->published,
				      &store->installation->target, &own);
	if (!package || !package->driver) {
		strings_push(&removal->remarks, "its INF cannot be read from the driver "
						"store: files that it copied "
						"elsewhere may be left behind, unused");
		return 0;
	}
	vec_foreach (configuration, &package->driver->configurations) {
		vec_foreach (file, &configuration->files) {
			_cleanup_free_ char *path = file->kind == INF_FILE_COPY
							    ? file_destination(file, arch)
							    : NULL;

			if (path && remove_if_unused(store, path, err) < 0)
				return -1;
		}
	}
	return 0;
}

/* ---- records ----------------------------------------------------------------------- */

/* Deletes the INF's value in each key of DeviceIds, and the keys that it leaves empty. */
static int remove_device_ids(struct hive *hive, hkey key, const char *published,
			     unsigned depth, struct error *err)
{
	for (uint32_t i = hive_child_count(hive, key); depth && i-- > 0;) {
		hkey child = hive_child(hive, key, i);
		bool parent = child && hive_child_count(hive, child) > 0;
		int changed;

		if (!child)
			continue;
		if (remove_device_ids(hive, child, published, depth - 1, err) < 0)
			return -1;
		changed = hive_unset(hive, child, published, err);
		if (changed < 0)
			return -1;
		/* Only what became empty goes. */
		if ((changed || parent) && !hive_value_count(hive, child) &&
		    !hive_child_count(hive, child) && hive_delete(hive, child, err) < 0)
			return -1;
	}
	return 0;
}

static int delete_below(struct driverdb *db, const char *parent, const char *name,
			struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s\\%s", parent, name);
	hkey key = node_find(db, path);

	return key ? hive_delete(db->hive, key, err) : 0;
}

static int remove_records(struct store *store, struct driverdb *db, const char *published,
			  const struct strings *packages, struct error *err)
{
	hkey ids = node_find(db, "DeviceIds");

	if (ids && remove_device_ids(db->hive, ids, published, 3, err) < 0)
		return -1;
	vec_foreach (package, packages) {
		_cleanup_free_ char *folder = store_folder(*package);

		/* A name from the registry is used as a path only if it can be one. */
		if (strpbrk(*package, "/\\:") || **package == '.' || !**package)
			continue;
		if (delete_below(db, "DriverPackages", *package, err) < 0 ||
		    tree_remove(store->tree, folder, err) < 0)
			return -1;
	}
	return delete_below(db, "DriverInfFiles", published, err);
}

static int remove_published(struct store *store, const char *published, unsigned number,
			    struct error *err)
{
	const int stem = (int)(strlen(published) - strlen(".inf"));
	_cleanup_free_ char *inf = xasprintf(INF_FOLDER "/%s", published);
	_cleanup_free_ char *pnf = xasprintf(INF_FOLDER "/%.*s.PNF", stem, published);
	_cleanup_free_ char *cat = xasprintf(CATALOGS "/%.*s.cat", stem, published);

	if (tree_remove(store->tree, inf, err) < 0 ||
	    tree_remove(store->tree, pnf, err) < 0 ||
	    tree_remove(store->tree, cat, err) < 0)
		return -1;
	return oem_number_mark(store, number, false, err);
}

/* ---- the whole --------------------------------------------------------------------- */

static void refuse(struct removal *removal, char *reason)
{
	removal->verdict = PACKAGE_REFUSED;
	removal->reason = reason;
}

static bool is_boot_critical(struct store *store, const struct db_package *package)
{
	_cleanup_device_class_ struct device_class class = {0};

	return package->boot_critical ||
	       (device_class_read(store->system, store->installation->control_set,
				  &package->version.class_guid, &class, NULL) > 0 &&
		class.boot_critical);
}

/* Every folder that DriverInfFiles lists for the name. */
static int packages_of(struct driverdb *db, const char *published,
		       const struct db_package *active, struct strings *ret,
		       struct error *err)
{
	_cleanup_db_inf_ struct db_inf inf = {0};
	int found = driverdb_inf(db, published, &inf, err);

	if (found < 0)
		return -1;
	strings_push(ret, active->store);
	vec_foreach (package, &inf.packages)
		if (!strings_contain(ret, *package))
			strings_push(ret, *package);
	return 0;
}

static int remove_reflection(struct store *store, const struct db_package *package,
			     struct removal *removal, struct strings *heirs,
			     struct error *err)
{
	vec_foreach (set, &store->control_sets)
		if (remove_services(store, *set, removal, heirs, err) < 0)
			return -1;
	if (remove_locked_files(store, removal->published, err) < 0)
		return -1;
	return package->reflected ? remove_copied_files(store, package, removal, err) : 0;
}

int nt62_remove(struct store *store, const char *published, struct removal *ret,
		struct error *err)
{
	_cleanup_db_package_ struct db_package package = {0};
	struct strings packages = VEC_INIT, heirs = VEC_INIT;
	struct driverdb *db;
	unsigned number;
	int found, result;

	if (!oem_inf_number(published, &number)) {
		refuse(ret, xstrdup("is not a third-party package; drivers that came "
				    "with Windows "
				    "cannot be removed: give a name like oem0.inf"));
		return 0;
	}
	found = store_find_published(store, published, &package, &db, err);
	if (found < 0)
		return -1;
	if (!found) {
		refuse(ret, xstrdup("the image has no package of that name: gild inspect "
				    "lists "
				    "them"));
		return 0;
	}
	ret->original = xstrdup(package.original ? package.original : published);
	ret->store = xstrdup(package.store);
	ret->boot_critical = is_boot_critical(store, &package);
	if (ret->boot_critical)
		strings_push(&ret->remarks,
			     "it is boot-critical: a PC whose disk depends on it no "
			     "longer starts from this image");
	result = packages_of(db, published, &package, &packages, err);
	if (result == 0)
		result = remove_reflection(store, &package, ret, &heirs, err);
	for (size_t i = 0; result == 0 && i < ARRAY_SIZE(store->nodes); i++)
		if (store->nodes[i].hive)
			result = remove_records(store, &store->nodes[i], published,
						&packages, err);
	if (result == 0)
		result = remove_published(store, published, number, err);
	if (result == 0)
		result = restore_heirs(store, &heirs, ret, err);
	strings_free(&packages);
	strings_free(&heirs);
	return result;
}
