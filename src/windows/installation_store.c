/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Problems of the driver store: records that point at nothing, files that no record
 * names, and packages that Windows would not find or not configure.
 */
#include <stdio.h>

#include "base/text.h"
#include "windows/installation_private.h"

#define STORE DRIVER_STORE_FOLDER
#define CATALOGS "Windows/System32/CatRoot/{F750E6C3-38EE-11D1-85E5-00C04FC295EE}"
#define INF_LIMIT ((size_t)16 << 20)
#define REINJECT "remove the package with gild remove and inject it again"

/* The INF that a package folder holds: its name up to "_<arch>_<hash>". */
static char *store_inf(const struct db_package *package)
{
	const char *store = package->store;
	size_t len = strlen(store);

	if (package->original)
		return xstrdup(package->original);
	for (int cut = 0; len && cut < 2; len--)
		cut += store[len - 1] == '_';
	return len ? xstrndup(store, len) : xstrdup(store);
}

static bool plain_name(const char *name)
{
	return *name && !strpbrk(name, "/\\:") && strcmp(name, ".") && strcmp(name, "..");
}

/* True if the folder is there; a name that no folder can have is not. */
static int folder_exists(struct tree *tree, const char *path, struct error *err)
{
	_cleanup_error_ struct error local = ERROR_INIT;
	struct tree_stat st;
	int r = tree_stat(tree, path, &st, &local);

	if (r < 0 && local.code == ERROR_INTERRUPTED)
		return error_move(err, &local);
	return r > 0 && st.type == TREE_FOLDER;
}

/* False if the file cannot be read (missing or damaged): the caller has its own words. */
static bool read_inf_file(struct tree *tree, const char *path, struct buffer *ret)
{
	struct tree_stat st;

	return tree_stat(tree, path, &st, NULL) > 0 && st.type == TREE_FILE &&
	       tree_read(tree, path, INF_LIMIT, ret, NULL) == 0;
}

static void check_hash(struct inspection *in, const struct db_package *package,
		       struct bytes inf)
{
	size_t len = strlen(package->store);
	char hash[STORE_HASH_TEXT_SIZE];

	store_hash(inf, hash);
	if (len > 17 && package->store[len - 17] == '_' &&
	    text_equal(package->store + len - 16, hash))
		return;
	problem_add(in->out, "store_hash", PROBLEM_WARNING, REINJECT,
		    "driver store folder %s does not carry the hash of its INF (%s): "
		    "Windows would add the package a second time",
		    package->store, hash);
}

static void check_published(struct inspection *in, const struct db_package *package,
			    struct bytes inf)
{
	_cleanup_free_ char *path = xasprintf("Windows/INF/%s", package->published);
	_cleanup_buffer_ struct buffer published = BUFFER_INIT;

	if (!read_inf_file(in->tree, path, &published))
		problem_add(in->out, "published_inf_missing", PROBLEM_ERROR, REINJECT,
			    "%s of package %s is missing", path, package->store);
	else if (inf.data && !bytes_equal(buffer_view(&published), inf))
		problem_add(in->out, "published_inf_differs", PROBLEM_WARNING, REINJECT,
			    "%s is not the INF of package %s", path, package->store);
}

static void check_catalog(struct inspection *in, const struct db_package *package)
{
	_cleanup_free_ char *base =
		xstrndup(package->published, strlen(package->published) - 4);
	_cleanup_free_ char *path = xasprintf(CATALOGS "/%s.cat", base);

	/* 0x80000000: it never had a signature. */
	if (package->signer_score >= 0x80000000u || tree_stat(in->tree, path, NULL, NULL))
		return;
	problem_add(
		in->out, "catalog_missing", PROBLEM_WARNING, REINJECT,
		"the catalog of %s (%s) is not installed: Windows takes the package for "
		"unsigned",
		package->published, package->store);
}

static int check_files(struct inspection *in, const struct db_package *package,
		       struct error *err)
{
	_cleanup_free_ char *folder = xasprintf(STORE "/%s", package->store);
	_cleanup_free_ char *name = store_inf(package), *path = NULL;
	_cleanup_buffer_ struct buffer inf = BUFFER_INIT;
	int there = folder_exists(in->tree, folder, err);

	if (there < 0)
		return -1;
	if (!there)
		problem_add(in->out, "store_folder_missing", PROBLEM_ERROR, REINJECT,
			    "package %s (%s) has no folder in the driver store",
			    package->store,
			    package->published ? package->published : "not published");
	if (there && plain_name(name)) {
		path = xasprintf("%s/%s", folder, name);
		if (read_inf_file(in->tree, path, &inf))
			check_hash(in, package, buffer_view(&inf));
		else
			problem_add(in->out, "store_inf_missing", PROBLEM_ERROR, REINJECT,
				    "%s is missing", path);
	}
	if (package->published) {
		check_published(in, package, buffer_view(&inf));
		check_catalog(in, package);
	}
	return 0;
}

/* ---- records ----------------------------------------------------------------------- */

/* Both lists are sorted by name first: hostile hives may hold very many records. */
static int compare_infs(const void *a, const void *b)
{
	return text_compare(((const struct db_inf *)a)->published,
			    ((const struct db_inf *)b)->published);
}

static const struct db_inf *find_inf(const struct db_infs *infs, const char *published)
{
	struct db_inf key = {.published = (char *)published};

	return infs->len
		       ? bsearch(&key, infs->items, infs->len, sizeof(key), compare_infs)
		       : NULL;
}

static bool have_package(const struct strings *stores, const char *store)
{
	return stores->len && bsearch(&store, stores->items, stores->len,
				      sizeof(*stores->items), text_compare_p);
}

static void check_package_record(struct inspection *in, const struct db_package *package,
				 const struct db_infs *infs)
{
	const struct db_inf *inf =
		package->published ? find_inf(infs, package->published) : NULL;

	if (!package->has_version)
		problem_add(
			in->out, "version_missing", PROBLEM_ERROR, REINJECT,
			"package %s has no valid Version value: Windows cannot use it",
			package->store);
	if (!package->published)
		problem_add(in->out, "package_unpublished", PROBLEM_WARNING, REINJECT,
			    "package %s has no published name", package->store);
	else if (!inf || !strings_contain(&inf->packages, package->store))
		problem_add(in->out, "package_unpublished", PROBLEM_WARNING, REINJECT,
			    "package %s says it is %s, but DriverInfFiles does not",
			    package->store, package->published);
}

static void check_inf_record(struct inspection *in, const struct strings *stores,
			     const struct db_inf *inf)
{
	unsigned number;

	if (!oem_inf_number(inf->published, &number))
		return;
	vec_foreach (store, &inf->packages)
		if (!have_package(stores, *store))
			problem_add(in->out, "inf_dangling", PROBLEM_ERROR, REINJECT,
				    "%s names package %s, which is not in the driver "
				    "database",
				    inf->published, *store);
	if (!inf->packages.len && (!inf->active || !have_package(stores, inf->active)))
		problem_add(in->out, "inf_dangling", PROBLEM_ERROR, REINJECT,
			    "%s names no package of the driver database", inf->published);
}

static int check_configurations(struct inspection *in, const struct driverdb *db,
				const struct db_package *package, struct error *err)
{
	_cleanup_db_configurations_ struct db_configurations configurations = VEC_INIT;

	if (driverdb_configurations(db, package, &configurations, err) < 0)
		return -1;
	vec_foreach (configuration, &configurations)
		if (!configuration->has_flags)
			problem_add(in->out, "config_flags_missing", PROBLEM_WARNING,
				    REINJECT,
				    "configuration %s of package %s has no ConfigFlags: "
				    "Windows ranks it behind every other driver",
				    configuration->name, package->store);
	return 0;
}

struct dangling_ids {
	const struct db_infs *infs;
	struct strings names; /* INFs that DeviceIds name and nothing else does */
};

static int note_dangling(const char *id _unused_, const struct db_match *match, void *arg,
			 struct error *err _unused_)
{
	struct dangling_ids *dangling = arg;
	unsigned number;

	if (oem_inf_number(match->published, &number) &&
	    !find_inf(dangling->infs, match->published) &&
	    !strings_contain(&dangling->names, match->published))
		strings_push(&dangling->names, match->published);
	return 0;
}

static int check_device_ids(struct inspection *in, const struct db_infs *infs,
			    struct error *err)
{
	struct dangling_ids dangling = {.infs = infs};
	int r = 0;

	for (size_t i = 0; i < in->node_count && r == 0; i++)
		r = driverdb_each_device(&in->nodes[i], note_dangling, &dangling, err);
	vec_foreach (name, &dangling.names)
		problem_add(in->out, "device_id_dangling", PROBLEM_WARNING,
			    "remove the rest of the package with gild remove",
			    "device IDs name %s, which is not in DriverInfFiles", *name);
	strings_free(&dangling.names);
	return r;
}

/* ---- OemInfMap --------------------------------------------------------------------- */

static int check_map(struct inspection *in, const struct db_infs *infs, struct error *err)
{
	_cleanup_buffer_ struct buffer all = BUFFER_INIT;
	unsigned number, extra = 0, first = 0;

	for (size_t i = 0; i < in->node_count; i++) {
		_cleanup_buffer_ struct buffer map = BUFFER_INIT;

		if (driverdb_oem_map(&in->nodes[i], &map, err) < 0)
			return -1;
		for (unsigned n = 0; n < map.len * 8; n++)
			if (oem_map_get(buffer_view(&map), n))
				oem_map_set(&all, n, true);
	}
	vec_foreach (inf, infs)
		if (oem_inf_number(inf->published, &number) &&
		    !oem_map_get(buffer_view(&all), number))
			problem_add(in->out, "oem_map", PROBLEM_ERROR,
				    "inject any package: OemInfMap is then completed",
				    "OemInfMap does not count %s: the next driver that "
				    "Windows "
				    "adds may overwrite it",
				    inf->published);
	/* Without the DRIVERS node, what its packages are is not known. */
	if (!in->out->has_drivers_hive)
		return 0;
	for (unsigned n = 0; n < all.len * 8; n++) {
		char name[24];

		snprintf(name, sizeof(name), "oem%u.inf", n);
		if (!oem_map_get(buffer_view(&all), n) || find_inf(infs, name))
			continue;
		first = extra++ ? first : n;
	}
	if (extra)
		problem_add(in->out, "oem_map_unused", PROBLEM_INFO, NULL,
			    "OemInfMap counts %u published names that no package has "
			    "(oem%u.inf first): their numbers stay unused",
			    extra, first);
	return 0;
}

/* ---- all --------------------------------------------------------------------------- */

/* The INFs of the store and of Windows/INF, in one pass where single reads are dear. */
static int prefetch(struct inspection *in, struct error *err)
{
	_cleanup_(strings_free) struct strings paths = VEC_INIT;

	vec_foreach (package, &in->packages) {
		_cleanup_free_ char *name = NULL, *a = NULL, *b = NULL;

		if (!db_package_third_party(package))
			continue;
		name = store_inf(package);
		a = xasprintf(STORE "/%s/%s", package->store, name);
		if (plain_name(package->store) && plain_name(name))
			strings_push(&paths, a);
		if (package->published) { /* "oemN.inf": plain */
			b = xasprintf("Windows/INF/%s", package->published);
			strings_push(&paths, b);
		}
	}
	return paths.len ? tree_prefetch(in->tree, &paths, err) : 0;
}

static const struct driverdb *node_of(const struct inspection *in,
				      const struct db_package *package)
{
	for (size_t i = 0; i < in->node_count; i++)
		if (in->nodes[i].node == package->node)
			return &in->nodes[i];
	return &in->nodes[0];
}

int inspect_store(struct inspection *in, struct error *err)
{
	_cleanup_db_infs_ struct db_infs infs = VEC_INIT;
	_cleanup_(strings_free) struct strings stores = VEC_INIT;

	for (size_t i = 0; i < in->node_count; i++)
		if (driverdb_infs(&in->nodes[i], &infs, err) < 0)
			return -1;
	vec_foreach (package, &in->packages)
		strings_push(&stores, package->store);
	if (infs.len)
		qsort(infs.items, infs.len, sizeof(*infs.items), compare_infs);
	if (stores.len)
		qsort(stores.items, stores.len, sizeof(*stores.items), text_compare_p);
	if (prefetch(in, err) < 0)
		return -1;
	vec_foreach (package, &in->packages) {
		if (interrupted())
			return error_interrupted(err);
		if (!db_package_third_party(package))
			continue;
		check_package_record(in, package, &infs);
		if (plain_name(package->store) && check_files(in, package, err) < 0)
			return -1;
		if (package->reflected &&
		    check_configurations(in, node_of(in, package), package, err) < 0)
			return -1;
	}
	vec_foreach (inf, &infs)
		check_inf_record(in, &stores, inf);
	if (check_device_ids(in, &infs, err) < 0)
		return -1;
	return check_map(in, &infs, err);
}
