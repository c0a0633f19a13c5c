/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Windows XP and Server 2003: packages into the image. */
#include "injector/nt5.h"

#include "base/text.h"
#include "injector/inf.h"
#include "windows/boot_storage.h"
#include "windows/pe.h"
#include "windows/service.h"

/* CopyFiles flags (setupapi.h). */
#define COPY_NO_VERSION_CHECK 0x4u
#define COPY_NO_OVERWRITE 0x10u
#define COPY_REPLACE_ONLY 0x400u
#define FOLDER_STEM_MAX 32
#define BINARY_LIMIT ((size_t)64 << 20)
/* Setup reads lists of folders into a buffer of this size (OemPnPDriversPath, M). */
#define DEVICE_PATH_MAX 4096u

int nt5_open(struct store *store, struct error *err)
{
	int found;

	if (target_compare_version(&store->installation->target, 5, 1, 0) < 0) {
		error_set(err, ERROR_USAGE, tree_name(store->tree),
			  "holds Windows 2000, which gild does not service");
		return error_remedy(err, "XP and Server 2003 are the oldest it does");
	}
	store->system = registry_hive(store->registry, REGISTRY_SYSTEM, err);
	if (!store->system ||
	    registry_control_sets(store->registry, &store->control_sets, err) < 0)
		return -1;
	found = registry_has(store->registry, REGISTRY_SOFTWARE, err);
	if (found > 0)
		store->software = registry_hive(store->registry, REGISTRY_SOFTWARE, err);
	return found < 0 || (found && !store->software) ? -1 : 0;
}

/* ---- what is there ----------------------------------------------------------------- */

void nt5_packages_free(struct nt5_packages *packages)
{
	vec_foreach (package, packages) {
		free(package->folder);
		free(package->inf_name);
	}
	vec_free(packages);
}

/* The part of a folder's name that comes from the INF: nothing that DevicePath minds. */
static char *folder_stem(const char *inf_name)
{
	char *stem = xstrndup(inf_name, FOLDER_STEM_MAX);
	char *dot = strrchr(stem, '.');

	if (dot)
		*dot = 0;
	for (char *c = stem; *c; c++)
		if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
		      (*c >= '0' && *c <= '9') || *c == '-'))
			*c = '_';
	return stem;
}

/* The INF that the folder was made for: others may lie beside it. */
static int find_inf(struct tree *tree, const char *folder, const char *stem, char **ret,
		    struct error *err)
{
	_cleanup_tree_entries_ struct tree_entries entries = VEC_INIT;

	if (tree_list(tree, folder, &entries, err) < 0)
		return -1;
	vec_foreach (entry, &entries) {
		_cleanup_free_ char *own = NULL;

		if (entry->stat.type != TREE_FILE || !text_ends_with(entry->name, ".inf"))
			continue;
		own = folder_stem(entry->name);
		if (!text_equal(own, stem))
			continue;
		*ret = xstrdup(entry->name);
		break;
	}
	return 0;
}

int nt5_packages_read(struct tree *tree, struct nt5_packages *ret, struct error *err)
{
	_cleanup_tree_entries_ struct tree_entries entries = VEC_INIT;

	if (tree_list(tree, NT5_FOLDER, &entries, err) < 0)
		return -1;
	vec_foreach (entry, &entries) {
		struct nt5_package package = {0};
		const char *bar = strchr(entry->name, '_');
		_cleanup_free_ char *published =
			bar ? xasprintf("%.*s.inf", (int)(bar - entry->name), entry->name)
			    : NULL;

		if (entry->stat.type != TREE_FOLDER || !published ||
		    !oem_inf_number(published, &package.number))
			continue;
		package.folder = xasprintf(NT5_FOLDER "/%s", entry->name);
		if (find_inf(tree, package.folder, bar + 1, &package.inf_name, err) < 0) {
			free(package.folder);
			return -1;
		}
		vec_push(ret, package);
	}
	return 0;
}

/* The injected package with these very bytes of INF; NULL if there is none. */
static int find_same(struct store *store, const struct nt5_packages *all,
		     const struct package *package, const struct nt5_package **ret,
		     struct error *err)
{
	*ret = NULL;
	vec_foreach (other, all) {
		_cleanup_buffer_ struct buffer raw = BUFFER_INIT;
		_cleanup_free_ char *path = NULL;

		if (!other->inf_name || !text_equal(other->inf_name, package->inf_name))
			continue;
		path = xasprintf("%s/%s", other->folder, other->inf_name);
		if (tree_read(store->tree, path, INF_SIZE_MAX, &raw, err) < 0)
			return -1;
		if (!bytes_equal(buffer_view(&raw), buffer_view(&package->driver->raw)))
			continue;
		*ret = other;
		return 0;
	}
	return 0;
}

static bool serves(const struct driver *driver, const char *service)
{
	vec_foreach (c, &driver->configurations)
		vec_foreach (s, &c->services)
			if (!s->remove && s->binary && text_equal(s->name, service))
				return true;
	return false;
}

/* True if both install a service of one name: only one can be in force. */
static bool share_service(const struct driver *a, const struct driver *b)
{
	vec_foreach (c, &a->configurations)
		vec_foreach (s, &c->services)
			if (!s->remove && s->binary && serves(b, s->name))
				return true;
	return false;
}

/* Another injected package with the same service is newer: it stays. 1, 0, -1. */
static int outranked_by(struct store *store, const struct nt5_packages *all,
			const struct package *package, const struct nt5_package **ret,
			struct error *err)
{
	vec_foreach (other, all) {
		_cleanup_package_ struct package *stored = NULL;
		const struct driver *d = package->driver;

		if (!other->inf_name)
			continue;
		stored = package_open_stored(store->tree, other->folder, other->inf_name,
					     &store->installation->target, err);
		if (!stored)
			return -1;
		if (stored->verdict != PACKAGE_ADDED ||
		    !share_service(d, stored->driver) ||
		    bytes_equal(buffer_view(&stored->driver->raw), buffer_view(&d->raw)))
			continue;
		if (stored->driver->date > d->date ||
		    (stored->driver->date == d->date &&
		     stored->driver->version > d->version)) {
			*ret = other;
			return 1;
		}
	}
	return 0;
}

/* 1: the name is taken by Windows or by an injected package, 0, -1. */
static int number_taken(struct store *store, const struct nt5_packages *all,
			unsigned number, struct error *err)
{
	char *paths[] = {xasprintf(INF_FOLDER "/oem%u.inf", number),
			 xasprintf(INF_FOLDER "/oem%u.PNF", number),
			 xasprintf(CATALOGS "/oem%u.cat", number)};
	int found = 0;

	vec_foreach (other, all)
		found |= other->number == number;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		if (found == 0)
			found = tree_stat(store->tree, paths[i], NULL, err);
		free(paths[i]);
	}
	return found;
}

static int free_number(struct store *store, const struct nt5_packages *all, unsigned *ret,
		       struct error *err)
{
	for (*ret = 0; *ret < OEM_INF_LIMIT; (*ret)++) {
		int taken = number_taken(store, all, *ret, err);

		if (taken <= 0)
			return taken;
	}
	return error_set(err, ERROR_FAILED, tree_name(store->tree),
			 "all %u oemN.inf names are in use", OEM_INF_LIMIT);
}

/* ---- what Windows must have before it reads INFs ------------------------------------
 */

int nt5_boot_critical(struct store *store, const struct driver *driver, bool *ret,
		      struct error *err)
{
	struct guids classes = VEC_INIT;
	bool known;

	*ret = driver->boot_critical || storage_host_class(&driver->class_guid);
	if (*ret)
		return 0;
	if (critical_device_classes(store->system, store->installation->control_set,
				    &classes, err) < 0)
		return -1;
	known = guids_contain(&classes, &driver->class_guid);
	vec_free(&classes);
	if (!known)
		return 0;
	/* Of such classes (System, Keyboard, ...) only what is started by the loader. */
	vec_foreach (c, &driver->configurations) {
		const struct inf_service *service = nt5_function_service(c);

		*ret |= service && service->has_start && service->start == SERVICE_BOOT;
	}
	return 0;
}

/* True where the tree's file is newer than the package's: setup would keep it. */
static int is_newer(struct store *store, const struct package *package,
		    const struct package_file *file, const char *path, bool *ret,
		    struct error *err)
{
	_cleanup_buffer_ struct buffer now = BUFFER_INIT, own = BUFFER_INIT;
	uint64_t a, b;

	*ret = false;
	if (tree_read(store->tree, path, BINARY_LIMIT, &now, err) < 0 ||
	    package_read(package, file, store->tree, BINARY_LIMIT, &own, err) < 0)
		return -1;
	*ret = pe_file_version(buffer_view(&now), &a) &&
	       pe_file_version(buffer_view(&own), &b) && a > b;
	return 0;
}

static const struct package_file *by_path(const struct package *package, const char *path)
{
	vec_foreach (file, &package->files)
		if (text_equal(file->path, path))
			return file;
	return NULL;
}

/* Folders that are called otherwise before Vista: left to Plug and Play. */
static bool own_folder(const char *path)
{
	return text_starts_with(path, "Windows/");
}

static int copy_file(struct store *store, struct package *package,
		     const struct inf_file *line, struct error *err)
{
	_cleanup_free_ char *to =
		file_destination(line, store->installation->target.arch);
	const struct package_file *file =
		line->source_path ? by_path(package, line->source_path) : NULL;
	bool newer = false;
	int there;

	if (!to || !file || !own_folder(to))
		return 0;
	there = tree_stat(store->tree, to, NULL, err);
	if (there < 0)
		return -1;
	if ((there && line->flags & COPY_NO_OVERWRITE) ||
	    (!there && line->flags & COPY_REPLACE_ONLY))
		return 0;
	if (there && !(line->flags & COPY_NO_VERSION_CHECK) &&
	    is_newer(store, package, file, to, &newer, err) < 0)
		return -1;
	if (newer) {
		package_remark(package, "%s of the image is newer and stays", to);
		return 0;
	}
	return package_put(package, file, store->tree, to, err);
}

static bool installed_before(const struct driver *driver,
			     const struct inf_configuration *c, const char *name)
{
	vec_foreach (before, &driver->configurations) {
		if (before >= c)
			break;
		vec_foreach (s, &before->services)
			if (!s->remove && text_equal(s->name, name))
				return true;
	}
	return false;
}

int nt5_make_bootable(struct store *store, struct package *package, struct error *err)
{
	const struct driver *driver = package->driver;
	struct reg_target absolute = {
		.store = store, .published = package->published, .package = package};

	vec_foreach (c, &driver->configurations) {
		if (c->missing)
			continue;
		if (interrupted())
			return error_interrupted(err);
		vec_foreach (file, &c->files)
			if (file->kind == INF_FILE_COPY &&
			    copy_file(store, package, file, err) < 0)
				return -1;
		vec_foreach (service, &c->services)
			if (!installed_before(driver, c, service->name) &&
			    nt5_service_install(store, package, service,
						NT5_SERVICE_PACKAGE, NULL, err) < 0)
				return -1;
		/* HKR lines are the devices': Plug and Play carries them out. */
		if (registry_apply(&absolute, &c->regs, err) < 0 ||
		    registry_apply(&absolute, &c->hw_regs, err) < 0)
			return -1;
	}
	return nt5_devices_enter(store, driver, NULL, false, NULL, err);
}

/* ---- adding ------------------------------------------------------------------------ */

static char *catalog_path(unsigned number)
{
	return xasprintf(CATALOGS "/oem%u.cat", number);
}

static int stage(struct store *store, struct package *package,
		 const struct nt5_package *place, struct error *err)
{
	_cleanup_free_ char *catalog = catalog_path(place->number);

	vec_foreach (file, &package->files) {
		_cleanup_free_ char *path = xasprintf("%s/%s", place->folder, file->path);

		if (interrupted())
			return error_interrupted(err);
		if (package_put(package, file, store->tree, path, err) < 0)
			return -1;
		if (package->catalog && text_equal(file->path, package->catalog) &&
		    package_put(package, file, store->tree, catalog, err) < 0)
			return -1;
	}
	return nt5_device_path_add(store, place->folder, err);
}

/* 1: the folder, its catalog and its place in DevicePath are whole. 0, -1. */
static int stage_intact(struct store *store, const struct package *package,
			const struct nt5_package *place, struct error *err)
{
	_cleanup_free_ char *catalog = catalog_path(place->number);

	vec_foreach (file, &package->files) {
		_cleanup_free_ char *path = xasprintf("%s/%s", place->folder, file->path);
		int found = tree_stat(store->tree, path, NULL, err);

		if (found <= 0)
			return found;
	}
	if (!nt5_device_path_has(store, place->folder))
		return 0;
	return package->catalog ? tree_stat(store->tree, catalog, NULL, err) : 1;
}

static int bootable_intact(struct store *store, const struct driver *driver,
			   struct error *err)
{
	vec_foreach (c, &driver->configurations) {
		vec_foreach (file, &c->files) {
			_cleanup_free_ char *to = NULL;
			int found;

			if (file->kind != INF_FILE_COPY || !file->source_path ||
			    file->flags & COPY_REPLACE_ONLY)
				continue;
			to = file_destination(file, store->installation->target.arch);
			if (!to || !own_folder(to))
				continue;
			found = tree_stat(store->tree, to, NULL, err);
			if (found <= 0)
				return found;
		}
		vec_foreach (service, &c->services)
			if (!installed_before(driver, c, service->name) &&
			    !nt5_service_intact(store, service))
				return 0;
	}
	return nt5_devices_intact(store, driver, err);
}

static void add_remarks(struct store *store, struct package *package)
{
	struct hive *hive = store->software;
	hkey key = hive ? hive_find(hive, hive_root(hive),
				    "Microsoft\\Windows\\CurrentVersion")
			: 0;
	_cleanup_free_ char *list = key ? hive_get_string(hive, key, "DevicePath") : NULL;

	if (list && strlen(list) > DEVICE_PATH_MAX)
		package_remark(
			package,
			"DevicePath has %zu characters now: setup of that time reads "
			"%u; inject fewer packages, or several as one folder",
			strlen(list), DEVICE_PATH_MAX);
	if (tree_stat(store->tree, "sysprep/sysprep.inf", NULL, NULL) > 0)
		package_remark(package,
			       "the image has sysprep/sysprep.inf: where that says "
			       "OemPnPDriversPath, mini-setup sets DevicePath anew");
}

int nt5_add(struct store *store, struct package *package, bool force, struct error *err)
{
	_cleanup_nt5_packages_ struct nt5_packages all = VEC_INIT;
	const struct nt5_package *same = NULL, *by = NULL;
	struct nt5_package place = {0};
	_cleanup_free_ char *stem = NULL, *folder = NULL;
	bool critical;
	int intact;

	if (nt5_boot_critical(store, package->driver, &critical, err) < 0)
		return -1;
	package->boot_critical = critical || force;
	if (package_check_binaries(package, store->tree, &store->installation->target,
				   package->boot_critical, err) < 0)
		return -1;
	if (package->verdict != PACKAGE_ADDED)
		return 0;
	if (nt5_packages_read(store->tree, &all, err) < 0 ||
	    find_same(store, &all, package, &same, err) < 0)
		return -1;
	if (package->boot_critical && outranked_by(store, &all, package, &by, err) < 0)
		return -1;
	if (same) {
		place = *same;
	} else {
		if (free_number(store, &all, &place.number, err) < 0)
			return -1;
		stem = folder_stem(package->inf_name);
		place.folder = folder =
			xasprintf(NT5_FOLDER "/oem%u_%s", place.number, stem);
	}
	package->published = xasprintf("oem%u.inf", place.number);
	free(package->store);
	package->store = xstrdup(path_base(place.folder));
	intact = same ? stage_intact(store, package, &place, err) : 0;
	if (intact > 0 && package->boot_critical && !by)
		intact = bootable_intact(store, package->driver, err);
	if (intact < 0)
		return -1;
	if (intact) {
		package_decide(package, PACKAGE_ALREADY, "the image has it as %s",
			       package->published);
		return 0;
	}
	if (same)
		package_decide(package, PACKAGE_ADDED,
			       "what the image had of it was incomplete and is repaired");
	if (stage(store, package, &place, err) < 0)
		return -1;
	add_remarks(store, package);
	if (by)
		package_remark(package,
			       "%s is newer and has the same service: it stays "
			       "in force",
			       path_base(by->folder));
	if (!package->boot_critical || by)
		return 0;
	return nt5_make_bootable(store, package, err);
}
