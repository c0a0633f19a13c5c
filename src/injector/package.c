/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Driver packages: reading the INF for an image and finding its files.
 *
 * What Windows imports is what CopyFiles of the applicable install sections names (a
 * missing one fails the import), the catalog, and whatever else [SourceDisksFiles] lists
 * for the architecture and the medium has.
 */
#include "injector/package.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/file.h"
#include "base/name_set.h"
#include "base/text.h"
#include "injector/inf.h"
#include "injector/signing.h"

#define INCLUDE_LIMIT INF_SIZE_MAX
/* Names of missing files that a reason lists before it says "and N more". */
#define MISSING_SHOWN 4u
/* Hostile files could ask for any number; nobody reads that many. */
#define MAX_REMARKS 200u

/* Where the files of a package are looked for. */
struct source {
	struct name_set found;	    /* paths that package->files has */
	struct source_media *media; /* NULL: in the tree */
	const char *folder;
	struct tree *tree;
};

const char *package_verdict_name(enum package_verdict verdict)
{
	static const char *const names[] = {
		[PACKAGE_ADDED] = "added",
		[PACKAGE_ALREADY] = "already",
		[PACKAGE_SKIPPED] = "skipped",
		[PACKAGE_REFUSED] = "refused",
	};

	return names[verdict];
}

void package_decide(struct package *package, enum package_verdict verdict,
		    const char *fmt, ...)
{
	va_list ap;
	char *text = NULL;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	free(package->reason);
	package->reason = text;
	package->verdict = verdict;
}

void package_remark(struct package *package, const char *fmt, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	if (package->remarks.len < MAX_REMARKS &&
	    !strings_contain(&package->remarks, text))
		strings_push(&package->remarks, text);
}

void package_close(struct package *package)
{
	if (!package)
		return;
	vec_foreach (file, &package->files) {
		free(file->path);
		free(file->host);
		free(file->stored);
	}
	vec_free(&package->files);
	driver_close(package->driver);
	free(package->label);
	free(package->inf_name);
	free(package->store);
	free(package->published);
	free(package->catalog);
	signature_free(&package->signature);
	free(package->reason);
	strings_free(&package->remarks);
	strings_free(&package->services);
	strings_free(&package->hardware_ids);
	free(package);
}

void package_closep(struct package **package)
{
	package_close(*package);
	*package = NULL;
}

void packages_free(struct packages *packages)
{
	vec_foreach (package, packages)
		package_close(*package);
	vec_free(packages);
}

int package_include(const char *name, struct buffer *ret, void *arg, struct error *err)
{
	_cleanup_free_ char *path = xasprintf("Windows/INF/%s", name);
	struct tree *tree = arg;
	int found;

	if (strpbrk(name, "/\\:"))
		return 0;
	found = tree_stat(tree, path, NULL, err);
	if (found <= 0)
		return found;
	return tree_read(tree, path, INCLUDE_LIMIT, ret, err) < 0 ? -1 : 1;
}

/* 1: the file was added (or was there before), 0: the medium does not have it, -1. */
static int add_file(struct package *package, struct source *source, const char *path,
		    struct error *err)
{
	struct package_file file = {0};

	if (name_set_has(&source->found, path) ||
	    text_equal(package->files.items[0].path, path))
		return 1;
	if (source->media) {
		_cleanup_error_ struct error why = ERROR_INIT;

		file.host = media_find(source->media, source->folder, path, &why);
		if (!file.host && why.code)
			return error_move(err, &why);
	} else {
		_cleanup_free_ char *stored = xasprintf("%s/%s", source->folder, path);
		struct tree_stat st;
		int found = tree_stat(source->tree, stored, &st, err);

		if (found < 0)
			return -1;
		if (found && st.type == TREE_FILE)
			file.stored = steal_ptr(stored);
	}
	if (!file.host && !file.stored)
		return 0;
	file.path = xstrdup(path);
	name_set_add(&source->found, file.path);
	vec_push(&package->files, file);
	return 1;
}

static void missing_reason(struct package *package, const struct source *source,
			   const struct strings *missing)
{
	_cleanup_buffer_ struct buffer names = BUFFER_INIT;
	_cleanup_free_ char *text = NULL;
	size_t shown = missing->len < MISSING_SHOWN ? missing->len : MISSING_SHOWN;

	for (size_t i = 0; i < shown; i++)
		buffer_printf(&names, "%s%s", i ? ", " : "", missing->items[i]);
	if (shown < missing->len)
		buffer_printf(&names, " and %zu more", missing->len - shown);
	text = buffer_steal_string(&names);
	package_decide(package, PACKAGE_REFUSED,
		       "the INF copies %s, which %s not in %s; give the complete package",
		       text, missing->len > 1 ? "are" : "is", source->folder);
}

/* Files that the install sections copy: each must be there. */
static int find_copied(struct package *package, struct source *source, struct error *err)
{
	_cleanup_name_set_ struct name_set named = {0};
	struct strings missing = VEC_INIT;
	int result = 0;

	vec_foreach (configuration, &package->driver->configurations) {
		vec_foreach (file, &configuration->files) {
			int found;

			if (file->kind != INF_FILE_COPY || !file->source_path)
				continue;
			found = add_file(package, source, file->source_path, err);
			if (found < 0) {
				result = -1;
				goto out;
			}
			if (!found && name_set_add(&named, file->source_path))
				strings_push(&missing, file->source_path);
		}
	}
	if (missing.len > 0)
		missing_reason(package, source, &missing);
out:
	strings_free(&missing);
	return result;
}

/* What [SourceDisksFiles] lists beyond that comes along where it is there. */
static int find_listed(struct package *package, struct source *source, struct error *err)
{
	vec_foreach (file, &package->driver->source_files) {
		int found;

		if (!file->source_path)
			continue;
		found = add_file(package, source, file->source_path, err);
		if (found < 0)
			return -1;
		if (!found)
			package_remark(
				package,
				"%s is listed in [SourceDisksFiles] but not on the "
				"medium; no install section for this image copies it",
				file->source_path);
	}
	return 0;
}

static int find_catalog(struct package *package, struct source *source, struct error *err)
{
	const char *name = package->driver->catalog;
	int found;

	package->signer_score = SIGNER_SCORE_UNSIGNED;
	if (!name) {
		package_remark(package, "the INF names no catalog: Windows takes the "
					"package for unsigned");
		return 0;
	}
	found = add_file(package, source, name, err);
	if (found < 0)
		return -1;
	if (!found) {
		package_remark(package,
			       "its catalog %s is not on the medium: Windows takes the "
			       "package for unsigned",
			       name);
		return 0;
	}
	package->catalog = xstrdup(name);
	return 0;
}

static int compare_files(const void *a, const void *b)
{
	const struct package_file *x = a, *y = b;

	return text_compare(x->path, y->path);
}

static void collect_report(struct package *package)
{
	_cleanup_name_set_ struct name_set services = {0}, ids = {0};
	const struct driver *driver = package->driver;

	vec_foreach (configuration, &driver->configurations) {
		vec_foreach (service, &configuration->services)
			if (!service->remove && *service->name &&
			    name_set_add(&services, service->name))
				strings_push(&package->services, service->name);
		vec_foreach (text, &configuration->unsupported)
			package_remark(package, "not carried out: %s", *text);
		vec_foreach (name, &configuration->software)
			package_remark(package,
				       "AddSoftware %s is left to Windows: it needs a "
				       "running system",
				       *name);
		if (configuration->missing)
			package_remark(package, "install section [%s] does not exist",
				       configuration->base);
	}
	vec_foreach (text, &driver->unsupported)
		package_remark(package, "not carried out: %s", *text);
	vec_foreach (model, &driver->models)
		if (model->ids.len > 0 && *model->ids.items[0] &&
		    name_set_add(&ids, model->ids.items[0]))
			strings_push(&package->hardware_ids, model->ids.items[0]);
}

static bool all_configurations_missing(const struct driver *driver)
{
	vec_foreach (configuration, &driver->configurations)
		if (!configuration->missing)
			return false;
	return true;
}

/* The part that is the same wherever the bytes come from. */
static int interpret(struct package *package, struct bytes raw, struct source *source,
		     const struct target *target, struct error *err)
{
	_cleanup_free_ char *reason = NULL;
	_cleanup_error_ struct error why = ERROR_INIT;

	package->driver = driver_open(package->inf_name, raw, target, package_include,
				      source->tree, &reason, &why);
	if (!package->driver) {
		if (why.code != ERROR_ANSWER_NO)
			return error_move(err, &why);
		package_decide(package, PACKAGE_REFUSED, "%s: %s",
			       why.subject ? why.subject : package->inf_name, why.reason);
		return 0;
	}
	package->store = driver_store_name(package->inf_name, raw, target->arch);
	if (package->driver->models.len == 0) {
		package_decide(
			package, PACKAGE_SKIPPED, "%s",
			reason ? reason
			: package->driver->default_install
				? "no Plug and Play driver: it has [DefaultInstall] only"
				: "no Models section fits this image");
		return 0;
	}
	if (all_configurations_missing(package->driver)) {
		package_decide(
			package, PACKAGE_REFUSED,
			"%s: the install section that its models name does not exist",
			package->inf_name);
		return 0;
	}
	package_check_limits(package, target->arch);
	if (package->verdict != PACKAGE_ADDED)
		return 0;
	collect_report(package);
	if (find_copied(package, source, err) < 0 ||
	    find_listed(package, source, err) < 0 ||
	    find_catalog(package, source, err) < 0)
		return -1;
	/* Without the INF, which stays first. */
	if (package->files.len > 1)
		qsort(package->files.items + 1, package->files.len - 1,
		      sizeof(*package->files.items), compare_files);
	return 0;
}

struct package *package_open(struct source_media *media, const struct media_inf *inf,
			     struct tree *tree, const struct target *target,
			     struct error *err)
{
	_cleanup_package_ struct package *package = xcalloc(1, sizeof(*package));
	_cleanup_buffer_ struct buffer raw = BUFFER_INIT;
	_cleanup_error_ struct error why = ERROR_INIT;
	struct source source = {.media = media, .folder = inf->folder, .tree = tree};
	int result;

	package->label = xstrdup(inf->label);
	package->inf_name = xstrdup(path_base(inf->path));
	vec_push(&package->files, (struct package_file){
					  .path = xstrdup(package->inf_name),
					  .host = xstrdup(inf->path),
				  });
	if (file_read(inf->path, INF_SIZE_MAX, &raw, &why) < 0) {
		if (why.code != ERROR_FAILED) {
			error_move(err, &why);
			return NULL;
		}
		package_decide(package, PACKAGE_REFUSED, "%s", why.reason);
		return steal_ptr(package);
	}
	result = interpret(package, buffer_view(&raw), &source, target, err);
	name_set_free(&source.found);
	return result < 0 ? NULL : steal_ptr(package);
}

struct package *package_open_stored(struct tree *tree, const char *folder,
				    const char *inf_name, const struct target *target,
				    struct error *err)
{
	_cleanup_package_ struct package *package = xcalloc(1, sizeof(*package));
	_cleanup_free_ char *path = xasprintf("%s/%s", folder, inf_name);
	_cleanup_buffer_ struct buffer raw = BUFFER_INIT;
	struct source source = {.folder = folder, .tree = tree};
	int result;

	package->label = xstrdup(path);
	package->inf_name = xstrdup(inf_name);
	vec_push(&package->files, (struct package_file){
					  .path = xstrdup(inf_name),
					  .stored = xstrdup(path),
				  });
	if (tree_read(tree, path, INF_SIZE_MAX, &raw, err) < 0)
		return NULL;
	result = interpret(package, buffer_view(&raw), &source, target, err);
	name_set_free(&source.found);
	return result < 0 ? NULL : steal_ptr(package);
}

const struct package_file *package_file(const struct package *package, const char *name)
{
	vec_foreach (file, &package->files)
		if (text_equal(path_base(file->path), name))
			return file;
	return NULL;
}

int package_read(const struct package *package _unused_, const struct package_file *file,
		 struct tree *tree, size_t limit, struct buffer *ret, struct error *err)
{
	return file->host ? file_read(file->host, limit, ret, err)
			  : tree_read(tree, file->stored, limit, ret, err);
}

int package_put(const struct package *package, const struct package_file *file,
		struct tree *tree, const char *path, struct error *err)
{
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;

	if (file->host)
		return tree_write_host(tree, path, file->host, 0, err);
	if (package_read(package, file, tree, SIZE_MAX, &data, err) < 0)
		return -1;
	return tree_write(tree, path, buffer_view(&data), 0, err);
}
