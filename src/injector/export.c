/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "injector/export.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/progress.h"
#include "base/text.h"
#include "windows/driverdb.h"

#define MAX_DEPTH 16

void export_list_free(struct export_list *list)
{
	vec_foreach (item, list)
		free(item->reason);
	vec_free(list);
}

static int export_folder(struct tree *tree, const char *from, const char *to,
			 unsigned depth, struct exported *item, struct error *err)
{
	_cleanup_tree_entries_ struct tree_entries entries = VEC_INIT;

	if (depth > MAX_DEPTH)
		return error_set(err, ERROR_FAILED, from,
				 "folders are nested too deeply");
	if (interrupted())
		return error_interrupted(err);
	if (tree_list(tree, from, &entries, err) < 0)
		return -1;
	if (mkdir(to, 0777) < 0)
		return error_errno(err, to, "cannot make the folder");
	vec_foreach (entry, &entries) {
		_cleanup_free_ char *source = xasprintf("%s/%s", from, entry->name);
		_cleanup_free_ char *target = xasprintf("%s/%s", to, entry->name);

		if (entry->stat.type == TREE_FOLDER) {
			if (export_folder(tree, source, target, depth + 1, item, err) < 0)
				return -1;
		} else if (entry->stat.type == TREE_FILE) {
			if (tree_extract(tree, source, target, err) < 0)
				return -1;
			item->files++;
			item->bytes += entry->stat.size;
		}
	}
	return 0;
}

static int export_one(struct tree *tree, const struct installed_driver *driver,
		      const char *folder, struct exported *item, struct error *err)
{
	_cleanup_free_ char *from = NULL, *to = NULL;
	struct tree_stat st;
	int found;

	if (!driver->store || !*driver->store || strpbrk(driver->store, "/\\") ||
	    *driver->store == '.') {
		item->reason =
			xstrdup("the driver database names no driver store folder");
		return 0;
	}
	from = driver->folder ? xstrdup(driver->folder)
			      : xasprintf(DRIVER_STORE_FOLDER "/%s", driver->store);
	found = tree_stat(tree, from, &st, err);
	if (found < 0)
		return -1;
	if (!found || st.type != TREE_FOLDER) {
		item->reason = xasprintf("%s is missing from the image", from);
		return 0;
	}
	to = xasprintf("%s/%s", folder, driver->store);
	return export_folder(tree, from, to, 0, item, err);
}

static int check_output(const char *output, struct error *err)
{
	_cleanup_(strings_free) struct strings names = VEC_INIT;
	struct stat st;

	if (lstat(output, &st) < 0)
		return errno == ENOENT ? 0
				       : error_errno(err, output, "cannot look at it");
	if (!S_ISDIR(st.st_mode)) {
		error_set(err, ERROR_USAGE, output, "exists and is no folder");
		return error_remedy(err, "give --output a new folder");
	}
	if (folder_list(output, &names) < 0)
		return error_errno(err, output, "cannot list");
	if (!names.len)
		return 0;
	error_set(err, ERROR_USAGE, output, "is not empty");
	return error_remedy(err, "give --output a new or an empty folder");
}

static const struct installed_driver *find_driver(const struct installation *installation,
						  const char *published)
{
	vec_foreach (driver, &installation->drivers)
		if (text_equal(driver->published, published))
			return driver;
	return NULL;
}

static int export_all(struct tree *tree, const struct installation *installation,
		      const struct strings *published, const char *folder,
		      struct export_list *ret, struct error *err)
{
	size_t n = installation->drivers.len, done = 0;

	vec_foreach (name, published) {
		if (find_driver(installation, *name))
			continue;
		vec_push(ret,
			 (struct exported){.reason = xasprintf("%s is not a third-party "
							       "package of this image",
							       *name)});
	}
	vec_foreach (driver, &installation->drivers) {
		struct exported item = {.driver = driver};

		progress_report("exporting packages", done++, n);
		if (published->len && !strings_contain(published, driver->published))
			continue;
		vec_push(ret, item);
		if (export_one(tree, driver, folder, &ret->items[ret->len - 1], err) < 0)
			return -1;
	}
	progress_report("exporting packages", n, n);
	return 0;
}

int export_drivers(struct tree *tree, const struct installation *installation,
		   const struct strings *published, const char *output,
		   struct export_list *ret, struct error *err)
{
	_cleanup_free_ char *target = xstrdup(output);
	_cleanup_(temp_folder_removep) char *scratch = NULL;
	_cleanup_free_ char *folder = NULL;

	for (size_t n = strlen(target); n > 1 && target[n - 1] == '/'; n--)
		target[n - 1] = '\0';
	if (check_output(target, err) < 0)
		return -1;
	scratch = temp_folder_make(target, err);
	if (!scratch)
		return -1;
	folder = xasprintf("%s/out", scratch);
	if (mkdir(folder, 0777) < 0)
		return error_errno(err, folder, "cannot make the folder");
	if (export_all(tree, installation, published, folder, ret, err) < 0)
		return -1;
	if (rename(folder, target) < 0)
		return error_errno(err, target, "cannot move the finished folder there");
	return file_sync_folder(target, err);
}
