/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The driver store of Windows 8 and later: opening it, finding packages in it, and what
 * adding one means for the image as it is.
 */
#include "injector/store_private.h"

#include <stdio.h>

#include "base/text.h"
#include "injector/signing.h"

#define WINDOWS_10_DATABASE 0x0A000000u

struct store *store_open(struct tree *tree, struct registry *registry,
			 const struct installation *installation, struct error *err)
{
	_cleanup_store_ struct store *store = xcalloc(1, sizeof(*store));

	store->tree = tree;
	store->registry = registry;
	store->installation = installation;
	store->strategy = strategy_for(&installation->target, err);
	if (!store->strategy || store->strategy->open(store, err) < 0)
		return NULL;
	return steal_ptr(store);
}

void store_close(struct store *store)
{
	if (!store)
		return;
	strings_free(&store->control_sets);
	if (store->generation_free)
		store->generation_free(store->generation);
	free(store);
}

void store_closep(struct store **store)
{
	store_close(*store);
	*store = NULL;
}

void store_set_signing(struct store *store, struct signing *signing)
{
	store->signing = signing;
}

int store_add(struct store *store, struct package *package, bool force, struct error *err)
{
	if (package->verdict != PACKAGE_ADDED)
		return 0;
	if (store->signing && signing_check(store->signing, package, store->tree,
					    &store->installation->target, err) < 0)
		return -1;
	if (package->verdict != PACKAGE_ADDED)
		return 0;
	return store->strategy->add(store, package, force, err);
}

int store_add_textmode(struct store *store, struct source_media *media,
		       struct packages *packages, struct strings *problems,
		       struct error *err)
{
	if (store->strategy->add_textmode)
		return store->strategy->add_textmode(store, media, packages, problems,
						     err);
	vec_foreach (file, &media->textmode)
		if (!media->infs.len)
			vec_push(problems,
				 xasprintf("%s is for XP and Server 2003: the pack has "
					   "no INF for this image",
					   file->label));
	return 0;
}

int store_any_controller(struct store *store,
			 const struct any_controller_options *options,
			 struct any_controller_result *ret, struct error *err)
{
	if (!store->strategy->any_controller)
		return 0;
	return store->strategy->any_controller(store, options, ret, err) < 0 ? -1 : 1;
}

int store_remove(struct store *store, const char *published, struct removal *ret,
		 struct error *err)
{
	*ret = (struct removal){.published = text_lower(published)};
	return store->strategy->remove(store, ret->published, ret, err);
}

void removal_free(struct removal *removal)
{
	free(removal->published);
	free(removal->original);
	free(removal->store);
	free(removal->reason);
	strings_free(&removal->services);
	strings_free(&removal->remarks);
	*removal = (struct removal){0};
}

void removals_free(struct removals *removals)
{
	vec_foreach (removal, removals)
		removal_free(removal);
	vec_free(removals);
}

/* ---- Windows 8 and later ----------------------------------------------------------- */

int store_open_hives(struct store *store, struct error *err)
{
	int found;

	store->system = registry_hive(store->registry, REGISTRY_SYSTEM, err);
	if (!store->system ||
	    registry_control_sets(store->registry, &store->control_sets, err) < 0)
		return -1;
	found = registry_has(store->registry, REGISTRY_SOFTWARE, err);
	if (found > 0)
		store->software = registry_hive(store->registry, REGISTRY_SOFTWARE, err);
	return found < 0 || (found && !store->software) ? -1 : 0;
}

int nt62_open(struct store *store, struct error *err)
{
	static const enum registry_hive hives[] = {REGISTRY_SYSTEM, REGISTRY_DRIVERS};
	uint32_t schema;
	int found;

	if (store_open_hives(store, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(hives); i++) {
		found = driverdb_open(store->registry, hives[i], &store->nodes[i], err);
		if (found < 0)
			return -1;
		if (!found)
			store->nodes[i] = (struct driverdb){.node = hives[i]};
	}
	if (!store->nodes[NODE_SYSTEM].hive) {
		error_set(
			err, ERROR_STATE, tree_name(store->tree),
			"the SYSTEM hive has no DriverDatabase, though this is Windows 8 "
			"or later");
		return error_remedy(err, "the image is incomplete: take a whole one");
	}
	store->windows10 = store->nodes[NODE_SYSTEM].version >= WINDOWS_10_DATABASE;
	for (size_t i = 0; i < ARRAY_SIZE(hives); i++) {
		const struct driverdb *db = &store->nodes[i];

		if (db->hive &&
		    hive_get_dword(db->hive, db->root, "SchemaVersion", &schema))
			store->schema = true;
	}
	return 0;
}

hkey node_find(const struct driverdb *db, const char *path)
{
	return db->hive ? hive_find(db->hive, db->root, path) : 0;
}

int node_create(struct driverdb *db, const char *path, hkey *ret, struct error *err)
{
	return hive_create(db->hive, db->root, path, ret, err);
}

int class_of(struct store *store, const struct driver *driver, struct device_class *ret,
	     struct error *err)
{
	return device_class_read(store->system, store->installation->control_set,
				 &driver->class_guid, ret, err);
}

char *store_folder(const char *store)
{
	return xasprintf(REPOSITORY "/%s", store);
}

int store_find(struct store *store, const char *name, struct db_package *ret,
	       struct driverdb **node, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(store->nodes); i++) {
		int found;

		if (!store->nodes[i].hive)
			continue;
		found = driverdb_package(&store->nodes[i], name, ret, err);
		if (found != 0) {
			*node = &store->nodes[i];
			return found;
		}
	}
	return 0;
}

int store_find_published(struct store *store, const char *published,
			 struct db_package *ret, struct driverdb **node,
			 struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(store->nodes); i++) {
		_cleanup_db_inf_ struct db_inf inf = {0};
		int found;

		if (!store->nodes[i].hive)
			continue;
		found = driverdb_inf(&store->nodes[i], published, &inf, err);
		if (found < 0)
			return -1;
		if (!found || !inf.active)
			continue;
		found = driverdb_package(&store->nodes[i], inf.active, ret, err);
		if (found != 0) {
			*node = &store->nodes[i];
			return found;
		}
	}
	return 0;
}

/* True if every file of the package lies in its folder of the store. 1, 0, -1. */
static int files_present(struct store *store, const struct package *package,
			 struct error *err)
{
	vec_foreach (file, &package->files) {
		_cleanup_free_ char *path =
			xasprintf(REPOSITORY "/%s/%s", package->store, file->path);
		int found = tree_stat(store->tree, path, NULL, err);

		if (found <= 0)
			return found;
	}
	return 1;
}

/* The package's registration is whole: number, INF copy and Active agree. 1, 0, -1. */
static int record_intact(struct store *store, const struct driverdb *db,
			 const struct db_package *package, struct error *err)
{
	_cleanup_db_inf_ struct db_inf inf = {0};
	_cleanup_free_ char *path = NULL;
	int found;

	if (!package->published || !package->has_version)
		return 0;
	found = driverdb_inf(db, package->published, &inf, err);
	if (found <= 0)
		return found;
	if (!inf.active || !text_equal(inf.active, package->store))
		return 0;
	path = xasprintf(INF_FOLDER "/%s", package->published);
	/* The name comes from the hive and may be anything. */
	if (tree_path_check(path, NULL) < 0)
		return 0;
	return tree_stat(store->tree, path, NULL, err);
}

/*
 * The number that the package may keep: its own if no other package goes by it, else the
 * lowest free one.
 */
static int choose_number(struct store *store, const struct db_package *before, char **ret,
			 struct error *err)
{
	unsigned number;

	if (before && before->published && oem_inf_number(before->published, &number)) {
		struct db_package other = {0};
		struct driverdb *node;
		int found = store_find_published(store, before->published, &other, &node,
						 err);
		bool own = found == 0 || text_equal(other.store, before->store);

		if (found > 0)
			db_package_free(&other);
		if (found < 0)
			return -1;
		if (own) {
			*ret = xasprintf("oem%u.inf", number);
			return oem_number_mark(store, number, true, err);
		}
	}
	if (oem_number_free(store, NULL, &number, err) < 0)
		return -1;
	*ret = xasprintf("oem%u.inf", number);
	return oem_number_mark(store, number, true, err);
}

/* The class is not in the image: make it from [ClassInstall32] as Windows would. */
static int create_class(struct store *store, struct package *package, struct error *err)
{
	const struct driver *driver = package->driver;
	char guid[GUID_TEXT_SIZE];

	guid_format(&driver->class_guid, guid);
	vec_foreach (set, &store->control_sets) {
		_cleanup_free_ char *path =
			xasprintf("%s\\Control\\Class\\%s", *set, guid);
		struct reg_target target = {
			.store = store,
			.published = package->published,
			.hive = store->system,
			.key = path,
			.package = package,
		};
		hkey key;

		if (hive_create(store->system, hive_root(store->system), path, &key,
				err) < 0)
			return -1;
		if (driver->class_name &&
		    hive_set_string(store->system, key, "Class", REG_SZ,
				    driver->class_name, err) < 0)
			return -1;
		if (registry_apply(&target, &driver->class_regs, err) < 0)
			return -1;
	}
	return 0;
}

struct decision {
	struct driverdb *node;
	bool critical; /* to be reflected */
	bool new_class;
	bool outranked;
};

static int decide(struct store *store, struct package *package, bool force,
		  struct decision *ret, struct error *err)
{
	_cleanup_device_class_ struct device_class class = {0};
	const struct driver *driver = package->driver;
	int found = class_of(store, driver, &class, err);
	enum registry_hive node = REGISTRY_DRIVERS;

	if (found < 0)
		return -1;
	if (found)
		node = device_class_node(&class);
	if (driver->extension)
		node = REGISTRY_SYSTEM;
	ret->node = &store->nodes[node == REGISTRY_SYSTEM ? NODE_SYSTEM : NODE_DRIVERS];
	if (!ret->node->hive)
		ret->node = &store->nodes[NODE_SYSTEM];
	ret->new_class = !found && driver->class_install;
	if (!found && !driver->class_install)
		package_remark(package,
			       "the image does not know its device class %s, and the INF "
			       "does not install it",
			       driver->class_name ? driver->class_name : "");
	/* An extension adds to another package's devices; PnP applies it to them. */
	ret->critical = !driver->extension && ((found && class.boot_critical) ||
					       driver->boot_critical || force);
	package->boot_critical = ret->critical;
	return package_check_binaries(package, store->tree, &store->installation->target,
				      ret->critical, err);
}

/*
 * 1: the image has the package as it should be, 0: something is to be done (`why` says
 * what, for a package that is there already).
 */
static int is_there(struct store *store, const struct package *package,
		    const struct db_package *before, struct driverdb *node,
		    const struct decision *decision, const char **why, struct error *err)
{
	int whole = record_intact(store, node, before, err);

	*why = "its record in the image was incomplete and is repaired";
	if (whole > 0)
		whole = files_present(store, package, err);
	if (whole <= 0)
		return whole;
	if (!decision->critical || decision->outranked || !db_package_third_party(before))
		return 1;
	*why = "it was staged only; now Windows can start from it";
	if (!before->reflected)
		return 0;
	*why = "what Windows needs to start from it was incomplete and is repaired";
	return reflection_intact(store, package, err);
}

/* The INF that Windows keeps using in place of the package. */
static void remark_outranked(struct package *package, const struct db_package *by)
{
	char version[PACKAGE_VERSION_TEXT_SIZE];

	package_version_text(by->version.version, version);
	package_remark(
		package,
		"%s (version %s) is in the image and ranks better: it stays in force",
		by->published, version);
}

int nt62_add(struct store *store, struct package *package, bool force, struct error *err)
{
	_cleanup_db_package_ struct db_package before = {0}, by = {0};
	struct decision decision = {0};
	struct driverdb *node = NULL;
	const char *why = NULL;
	int found, there;

	if (decide(store, package, force, &decision, err) < 0)
		return -1;
	if (package->verdict != PACKAGE_ADDED)
		return 0;
	found = store_find(store, package->store, &before, &node, err);
	if (found < 0)
		return -1;
	if (decision.critical) {
		int worse = outranked(store, package, &by, err);

		if (worse < 0)
			return -1;
		decision.outranked = worse > 0;
	}
	if (found) {
		decision.node = node;
		/* Who owns a service is judged by this name. */
		package->published = before.published ? xstrdup(before.published) : NULL;
		there = is_there(store, package, &before, node, &decision, &why, err);
		if (there < 0)
			return -1;
		if (there) {
			package_decide(package, PACKAGE_ALREADY, "the image has it as %s",
				       before.published);
			return 0;
		}
		free(package->published);
		package->published = NULL;
	}
	if (choose_number(store, found ? &before : NULL, &package->published, err) < 0)
		return -1;
	if (why)
		package_decide(package, PACKAGE_ADDED, "%s", why);
	if (decision.outranked)
		remark_outranked(package, &by);
	if (decision.new_class && create_class(store, package, err) < 0)
		return -1;
	if (stage_files(store, package, err) < 0 ||
	    stage_records(store, decision.node, package, err) < 0)
		return -1;
	if (decision.critical && !decision.outranked &&
	    reflect(store, decision.node, package, err) < 0)
		return -1;
	return 0;
}

int store_reflect(struct store *store, const char *name, struct error *err)
{
	_cleanup_package_ struct package *package = NULL;
	_cleanup_db_package_ struct db_package record = {0}, by = {0};
	_cleanup_free_ char *folder = store_folder(name), *path = NULL;
	struct driverdb *node = NULL;
	int found = store_find(store, name, &record, &node, err);
	const char *inf_name;

	if (found < 0)
		return -1;
	if (!found || !record.published)
		return error_set(err, ERROR_ANSWER_NO, name,
				 "the driver store has no such package");
	inf_name = record.original ? record.original : record.published;
	path = xasprintf("%s/%s", folder, inf_name);
	found = tree_path_check(path, NULL) < 0 ? 0
						: tree_stat(store->tree, path, NULL, err);
	if (found < 0)
		return -1;
	if (!found)
		return error_set(err, ERROR_ANSWER_NO, record.published,
				 "its INF is not in the driver store (%s)", path);
	package = package_open_stored(store->tree, folder, inf_name,
				      &store->installation->target, err);
	if (!package)
		return -1;
	/* Windows' own are signed by catalogs of whole Windows components. */
	if (package->verdict == PACKAGE_ADDED && store->signing &&
	    db_package_third_party(&record) &&
	    signing_check(store->signing, package, store->tree,
			  &store->installation->target, err) < 0)
		return -1;
	package->signer_score = record.signer_score;
	if (package->verdict == PACKAGE_ADDED &&
	    package_check_binaries(package, store->tree, &store->installation->target,
				   true, err) < 0)
		return -1;
	if (package->verdict != PACKAGE_ADDED)
		return error_set(err, ERROR_ANSWER_NO, record.published, "%s",
				 package->reason);
	free(package->store);
	package->store = xstrdup(record.store);
	package->published = xstrdup(record.published);
	package->boot_critical = true;
	found = outranked(store, package, &by, err);
	if (found != 0)
		return found < 0 ? -1 : 0;
	return reflect(store, node, package, err) < 0 ? -1 : 1;
}
