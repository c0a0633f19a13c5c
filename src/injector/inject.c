/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "injector/inject.h"

#include <libgen.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/progress.h"
#include "base/text.h"
#include "injector/store.h"
#include "media/media.h"

#define INF_LIMIT ((size_t)16 << 20)
#define WINRE "Windows/System32/Recovery/Winre.wim"

struct served {
	struct image *image;
	bool split; /* a split set of setup media, which is written anew */
};

struct inject_job {
	const struct inject_options *options;
	struct inject_result *result;
	struct source_media media;
	struct vec_of(struct served) images;
	struct strings scratch; /* temporary folders that the commits read from */
	struct signing *signing;
	struct wanted *wanted; /* NULL: all packages are */
	bool removing;
	size_t steps, step;
};

void inject_result_free(struct inject_result *result)
{
	vec_foreach (tree, &result->trees) {
		free(tree->path);
		packages_free(&tree->packages);
		strings_free(&tree->missing);
		if (tree->removals)
			removals_free(tree->removals);
		free(tree->removals);
		any_controller_result_free(&tree->controllers);
	}
	vec_free(&result->trees);
	strings_free(&result->problems);
}

/* ---- one tree -----------------------------------------------------------------------
 */

/* 1: a profile wants the package (or none was given), 0: not, -1. */
static int is_wanted(struct inject_job *job, const struct media_inf *inf,
		     const struct target *target, struct error *err)
{
	_cleanup_buffer_ struct buffer raw = BUFFER_INIT;

	if (!job->wanted)
		return 1;
	if (file_read(inf->path, INF_LIMIT, &raw, err) < 0)
		return -1;
	return wanted_inf(job->wanted, path_base(inf->path), buffer_view(&raw), target);
}

static void add_missing(struct inject_job *job, struct inject_tree *result)
{
	wanted_missing(job->wanted, &result->missing);
	if (result->packages.len || !result->unwanted)
		return;
	vec_push(&job->result->problems,
		 xasprintf("%s: none of the %zu packages is for the profiles",
			   result->path, result->unwanted));
	job->result->refused = true;
}

static int add_packages(struct inject_job *job, struct tree *tree, struct store *store,
			const struct installation *installation,
			struct inject_tree *result, struct error *err)
{
	struct packages *packages = &result->packages;

	if (job->wanted)
		wanted_begin(job->wanted);
	vec_foreach (inf, &job->media.infs) {
		struct package *package;
		int wanted;

		progress_report("injecting packages", job->step++, job->steps);
		if (interrupted())
			return error_interrupted(err);
		wanted = is_wanted(job, inf, &installation->target, err);
		if (wanted < 0)
			return -1;
		if (!wanted) {
			result->unwanted++;
			continue;
		}
		package =
			package_open(&job->media, inf, tree, &installation->target, err);
		if (!package)
			return -1;
		vec_push(packages, package);
		if (store_add(store, package, false, err) < 0)
			return -1;
	}
	if (store_add_textmode(store, &job->media, packages, &job->result->problems,
			       err) < 0)
		return -1;
	if (job->wanted)
		add_missing(job, result);
	vec_foreach (package, packages)
		if ((*package)->verdict == PACKAGE_REFUSED)
			job->result->refused = true;
	if (job->result->problems.len)
		job->result->refused = true;
	return 0;
}

static int remove_packages(struct inject_job *job, struct store *store,
			   struct removals *removals, struct error *err)
{
	vec_foreach (published, job->options->published) {
		struct removal removal = {0};

		if (store_remove(store, *published, &removal, err) < 0) {
			removal_free(&removal);
			return -1;
		}
		if (removal.verdict == PACKAGE_REFUSED)
			job->result->refused = true;
		vec_push(removals, removal);
	}
	return 0;
}

/* A staged package of a storage class, for --any-controller. */
static int reflect_stored(const struct db_package *record, void *store, struct error *err)
{
	return store_reflect(store, record->store, err);
}

/* `place` is where the tree comes from; NULL for a WIM inside a tree. */
struct place {
	struct image *image;
	size_t i;
};

/* What --any-controller sets in the boot configuration, where that can be reached. */
static int change_boot(const struct place *place, const struct target *target,
		       struct inject_tree *result, struct error *err)
{
	_cleanup_free_ char *why = NULL;
	struct tree *system = NULL;
	int found = image_system_tree(place->image, place->i, &system, &why, err);

	if (found < 0)
		return -1;
	if (found)
		return any_controller_boot(system, target, &result->controllers, err);
	if (why && target_compare_version(target, 6, 2, 0) < 0)
		vec_push(&result->controllers.left,
			 (struct any_controller_left){
				 .control_set = xstrdup(""),
				 .name = xstrdup("boot configuration"),
				 .reason = xstrdup(why)});
	return 0;
}

/* 1: done by the generation itself, 0: to be done by any_controller_apply(), -1. */
static int change_by_store(struct inject_job *job, struct store *store,
			   const struct place *place, struct inject_tree *result,
			   struct error *err)
{
	struct any_controller_options options = {.media = &job->media,
						 .source = job->options->source};
	_cleanup_free_ char *why = NULL;

	if (place) {
		if (image_system_tree(place->image, place->i, &options.boot, &why, err) <
		    0)
			return -1;
		options.no_boot = why;
		options.partition = image_info(place->image, place->i)->partition;
	}
	return store_any_controller(store, &options, &result->controllers, err);
}

static int change_controllers(struct inject_job *job, struct tree *tree,
			      struct registry *registry, struct store *store,
			      const struct target *target, const struct place *place,
			      struct inject_tree *result, struct error *err)
{
	int done = target_compare_version(target, 6, 0, 0) < 0
			   ? change_by_store(job, store, place, result, err)
			   : 0;

	if (done == 0 && any_controller_apply(tree, registry, reflect_stored, store,
					      &result->controllers, err) < 0)
		return -1;
	if (result->controllers.errors.len)
		job->result->refused = true;
	if (done != 0)
		return done < 0 ? -1 : 0;
	return place ? change_boot(place, target, result, err) : 0;
}

static int change_tree(struct inject_job *job, struct tree *tree,
		       struct registry *registry, const struct place *place,
		       struct inject_tree *result, struct error *err)
{
	_cleanup_installation_ struct installation *installation = NULL;
	_cleanup_store_ struct store *store = NULL;

	installation = installation_identify(tree, registry, err);
	if (!installation)
		return -1;
	result->arch = installation->target.arch;
	store = store_open(tree, registry, installation, err);
	if (!store)
		return -1;
	store_set_signing(store, job->signing);
	if (job->removing) {
		result->removals = xcalloc(1, sizeof(*result->removals));
		return remove_packages(job, store, result->removals, err);
	}
	if (add_packages(job, tree, store, installation, result, err) < 0)
		return -1;
	if (!job->options->any_controller)
		return 0;
	result->any_controller = true;
	return change_controllers(job, tree, registry, store, &installation->target,
				  place, result, err);
}

static int serve_winre(struct inject_job *job, struct tree *tree, struct error *err);

/* `place` is NULL for a WIM inside a tree, which has no further one inside. */
static int serve_tree(struct inject_job *job, struct tree *tree, unsigned index,
		      const struct place *place, struct error *err)
{
	_cleanup_registry_ struct registry *registry =
		registry_open(tree, job->options->accept_dirty);
	struct inject_tree result = {.path = xstrdup(tree_name(tree)), .index = index};
	int code = change_tree(job, tree, registry, place, &result, err);

	vec_push(&job->result->trees, result);
	if (code < 0)
		return -1;
	if (job->options->plan)
		job->options->plan(tree, registry, job->options->plan_arg);
	if (!job->options->dry_run && registry_stage(registry, err) < 0)
		return -1;
	return place && job->options->winre ? serve_winre(job, tree, err) : 0;
}

/* Every tree of the nested WIM is served, and the file is put back if it changed. */
static int serve_winre(struct inject_job *job, struct tree *tree, struct error *err)
{
	struct image_options options = {.write = !job->options->dry_run};
	_cleanup_image_ struct image *image = NULL;
	_cleanup_free_ char *path = NULL;
	struct tree_stat st;
	uint64_t bytes = 0;
	char *folder;
	int found = tree_stat(tree, WINRE, &st, err);

	if (found < 0)
		return -1;
	if (!found || st.type != TREE_FILE) {
		notice("%s: has no %s to service", tree_name(tree), WINRE);
		return 0;
	}
	folder = temp_folder_make(NULL, err);
	if (!folder)
		return -1;
	strings_push(&job->scratch, folder);
	path = xasprintf("%s/Winre.wim", folder);
	free(folder);
	if (tree_extract(tree, WINRE, path, err) < 0)
		return -1;
	image = image_open(path, &options, err);
	if (!image)
		return error_wrap(err, tree_name(tree), "cannot service %s", WINRE);
	for (size_t i = 0; i < image_count(image); i++) {
		struct tree *inner = image_tree(image, i, err);
		struct inject_tree *served;

		if (!inner ||
		    serve_tree(job, inner, image_info(image, i)->index, NULL, err) < 0)
			return error_wrap(err, tree_name(tree), "cannot service %s",
					  WINRE);
		served = &job->result->trees.items[job->result->trees.len - 1];
		free(served->path);
		served->path = xasprintf("%s/%s", tree_name(tree), WINRE);
	}
	if (job->options->dry_run)
		return 0;
	if (image_commit(image, &(struct image_commit_options){0}, &bytes, err) < 0)
		return -1;
	return bytes ? tree_write_host(tree, WINRE, path, 0, err) : 0;
}

/* ---- one image file -----------------------------------------------------------------
 */

static int serve_image(struct inject_job *job, const char *path, const char *index,
		       bool split, struct error *err)
{
	const struct inject_options *o = job->options;
	struct image_options options = o->image;
	struct image_positions positions = VEC_INIT;
	struct image *image;
	int result = 0;

	options.write = !o->dry_run && !o->output && !split;
	options.allow_esd = o->esd;
	image = image_open(path, &options, err);
	if (!image)
		return -1;
	vec_push(&job->images, (struct served){image, split});
	if (image_select(image, index, &positions, err) < 0)
		return -1;
	job->steps += positions.len * job->media.infs.len;
	vec_foreach (i, &positions) {
		struct tree *tree = image_tree(image, *i, err);
		struct place place = {image, *i};

		result = tree ? serve_tree(job, tree, image_info(image, *i)->index,
					   &place, err)
			      : -1;
		if (result < 0)
			break;
	}
	vec_free(&positions);
	return result;
}

/* ---- setup media --------------------------------------------------------------------
 */

/* The path of the file below `folder`, whatever its case; NULL if it is not there. */
static char *find_file(struct inject_job *job, const char *folder, const char *name)
{
	_cleanup_error_ struct error ignored = ERROR_INIT;

	return media_find(&job->media, folder, name, &ignored);
}

static bool has_changes(struct image *image)
{
	size_t n = 0;

	for (size_t i = 0; i < image_count(image); i++) {
		struct tree *tree = image_tree(image, i, NULL);
		struct tree_changes changes = VEC_INIT;

		if (tree)
			tree_staged(tree, &changes);
		n += changes.len;
		vec_free(&changes);
	}
	return n > 0;
}

/*
 * A split set cannot be appended to: all parts are written anew into the folder, which is
 * then committed as a whole (finished by the next run if this one is killed in between).
 */
static int commit_split(struct inject_job *job, struct image *set, uint64_t *bytes,
			struct error *err)
{
	_cleanup_free_ char *copy = xstrdup(image_path(set));
	_cleanup_image_ struct image *folder =
		image_open(dirname(copy), &(struct image_options){.write = true}, err);
	struct tree *tree = folder ? image_tree(folder, 0, err) : NULL;
	struct image_commit_options options = {0};
	_cleanup_free_ char *whole = NULL, *first = NULL;
	const char *base = path_base(image_path(set));
	uint64_t part_size = 0;
	unsigned before, after;
	char *scratch;

	if (!tree)
		return -1;
	if (!has_changes(set))
		return 0;
	scratch = temp_folder_make(image_path(folder), err);

	if (!scratch)
		return -1;
	strings_push(&job->scratch, scratch);
	whole = xasprintf("%s/whole.wim", scratch);
	first = xasprintf("%s/%s", scratch, base);
	free(scratch);
	for (before = 0;; before++) {
		_cleanup_free_ char *name = image_part_path(base, before + 1);
		struct tree_stat st;
		int found = tree_stat(tree, name, &st, err);

		if (found < 0)
			return -1;
		if (!found)
			break;
		if (st.size > part_size)
			part_size = st.size;
	}
	options.output = whole;
	if (image_commit(set, &options, bytes, err) < 0 ||
	    image_split(whole, first, part_size, &after, err) < 0)
		return -1;
	for (unsigned i = 1; i <= (before > after ? before : after); i++) {
		_cleanup_free_ char *name = image_part_path(base, i);
		_cleanup_free_ char *host = image_part_path(first, i);

		if (i > after ? tree_remove(tree, name, err) < 0
			      : tree_write_host(tree, name, host, 0, err) < 0)
			return -1;
	}
	return image_commit(folder, &(struct image_commit_options){0}, bytes, err);
}

/* boot.wim is served whole (Windows PE and Setup), the install image by --index. */
static int serve_media(struct inject_job *job, const char *boot, const char *install,
		       struct error *err)
{
	const char *index = job->options->index ? job->options->index : "all";

	if (job->options->output) {
		error_set(err, ERROR_USAGE, job->options->path,
			  "is a setup media folder, which is serviced in place");
		return error_remedy(err, "copy the folder first and leave --output out");
	}
	if (boot && serve_image(job, boot, "all", false, err) < 0)
		return -1;
	if (!install)
		return 0;
	return serve_image(job, install, index, text_ends_with(install, ".swm"), err);
}

static int serve_path(struct inject_job *job, struct error *err)
{
	static const char *const installs[] = {
		"sources/install.wim", "sources/install.esd", "sources/install.swm"};
	const char *path = job->options->path;
	_cleanup_free_ char *boot = NULL, *install = NULL;
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
		boot = find_file(job, path, "sources/boot.wim");
		for (size_t i = 0; !install && i < ARRAY_SIZE(installs); i++)
			install = find_file(job, path, installs[i]);
	}
	if (boot || install)
		return serve_media(job, boot, install, err);
	return serve_image(job, path, job->options->index, false, err);
}

/* ---- the run ------------------------------------------------------------------------
 */

static int commit(struct inject_job *job, struct error *err)
{
	const struct inject_options *o = job->options;
	struct image_commit_options options = {
		.output = o->output, .esd = o->esd, .standalone = o->standalone};

	if (o->dry_run || (o->strict && job->result->refused))
		return 0;
	vec_foreach (served, &job->images) {
		uint64_t bytes = 0;
		int result = served->split
				     ? commit_split(job, served->image, &bytes, err)
				     : image_commit(served->image, &options, &bytes, err);

		if (result < 0) {
			if (served > job->images.items)
				error_wrap(err, image_path(served->image),
					   "failed after %s was written completely",
					   image_path(served[-1].image));
			return -1;
		}
		job->result->bytes_written += bytes;
	}
	job->result->written = true;
	return 0;
}

static int read_media(struct inject_job *job, struct error *err)
{
	vec_foreach (path, job->options->drivers) {
		progress_report("reading packages",
				(uint64_t)(path - job->options->drivers->items),
				job->options->drivers->len);
		if (media_add(&job->media, *path, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < job->media.problems.len; i++) {
		strings_push(&job->result->problems, job->media.problems.items[i]);
		job->result->refused = true;
	}
	if (job->media.infs.len || job->media.textmode.len ||
	    job->options->any_controller || job->result->problems.len)
		return 0;
	error_set(err, ERROR_FAILED, job->options->drivers->items[0],
		  "holds no driver package (no INF file)");
	return error_remedy(err, "give the folder or archive that has the .inf files");
}

static void job_free(struct inject_job *job)
{
	vec_foreach (served, &job->images)
		image_close(served->image);
	vec_free(&job->images);
	media_close(&job->media);
	signing_close(job->signing);
	wanted_close(job->wanted);
	vec_foreach (folder, &job->scratch)
		temp_folder_remove(xstrdup(*folder));
	strings_free(&job->scratch);
}

int inject_run(const struct inject_options *options, struct inject_result *ret,
	       struct error *err)
{
	struct inject_job job = {
		.options = options,
		.result = ret,
		.signing = signing_open(options->unsigned_policy),
		.wanted = options->profiles ? wanted_open(options->profiles) : NULL};
	int result = read_media(&job, err);

	if (result == 0)
		result = serve_path(&job, err);
	if (result == 0)
		result = commit(&job, err);
	job_free(&job);
	return result;
}

int inject_stage(const struct inject_options *options, struct image *image, size_t i,
		 struct inject_result *ret, struct inject_job **keep, struct error *err)
{
	struct inject_job *job = xcalloc(1, sizeof(*job));
	struct place place = {image, i};
	struct tree *tree;
	int result;

	*keep = job;
	job->options = options;
	job->result = ret;
	job->signing = signing_open(options->unsigned_policy);
	if (options->profiles)
		job->wanted = wanted_open(options->profiles);
	result = read_media(job, err);
	tree = result == 0 ? image_tree(image, i, err) : NULL;
	if (!tree)
		return -1;
	job->steps = job->media.infs.len;
	return serve_tree(job, tree, image_info(image, i)->index, &place, err);
}

void inject_release(struct inject_job *keep)
{
	if (keep)
		job_free(keep);
	free(keep);
}

int inject_remove(const struct inject_options *options, struct inject_result *ret,
		  struct error *err)
{
	struct inject_job job = {.options = options, .result = ret, .removing = true};
	int result = serve_path(&job, err);

	if (result == 0)
		result = commit(&job, err);
	job_free(&job);
	return result;
}
