/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * depmod looks at a folder of links to the modules: it is kmod's own, so that libkmod's
 * formats are not written here a second time. What it writes follows from what it reads.
 */
#include "image/modules_index.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"
#include "base/progress.h"
#include "base/text.h"

#define FOLDER "/lib/modules/"
#define TARGET "/usr" FOLDER
#define MAX_INDEX ((size_t)64 << 20)
#define INDEX_PART "modules: indexes"

/* What depmod is given of the kernel, and what libkmod reads in the image. */
static const char *const inputs[] = {"modules.order", "modules.builtin",
				     "modules.builtin.modinfo"};
static const char *const outputs[] = {
	"modules.alias.bin",   "modules.builtin",
	"modules.builtin.bin", "modules.builtin.alias.bin",
	"modules.dep",	       "modules.dep.bin",
	"modules.order",       "modules.softdep",
	"modules.symbols.bin",
};

static const char *part_of(enum module_class class)
{
	static const char *const parts[] = {
		"modules: storage",	   "modules: net",	    "modules: display",
		"modules: input",	   "modules: USB",	    "modules: sound",
		"modules: virtualisation", "modules: file systems", "modules: crypto",
		"modules: platform",	   "modules: extra",
	};

	return parts[class];
}

static int make_folders(const char *root, const char *path, struct error *err)
{
	_cleanup_free_ char *copy = xasprintf("%s%s", root, path);

	for (char *at = copy + strlen(root) + 1; (at = strchr(at, '/')); at++) {
		*at = 0;
		if (mkdir(copy, 0700) < 0 && errno != EEXIST)
			return error_errno(err, copy, "cannot make the folder");
		*at = '/';
	}
	return 0;
}

/* A link for each module, and copies of what the kernel's build said. */
static int stage(const struct modules *modules, bool early, const char *root,
		 struct error *err)
{
	const char *version = kernel_release(modules->kernel);

	for (size_t i = 0; i < ARRAY_SIZE(inputs); i++) {
		_cleanup_free_ char *path = xasprintf(FOLDER "%s/%s", version, inputs[i]);
		_cleanup_free_ char *to = xasprintf("%s%s", root, path);
		_cleanup_free_ char *from =
			xasprintf("%s/%s", kernel_folder(modules->kernel), inputs[i]);

		if (make_folders(root, path, err) < 0)
			return -1;
		if (access(from, F_OK) == 0 && symlink(from, to) < 0)
			return error_errno(err, to, "cannot link");
	}
	vec_foreach (module, &modules->list) {
		_cleanup_free_ char *path =
			xasprintf(FOLDER "%s/%s", version, module->file);
		_cleanup_free_ char *to = xasprintf("%s%s", root, path);
		_cleanup_free_ char *from =
			xasprintf("%s/%s", kernel_folder(modules->kernel), module->file);

		if (early && !module->early)
			continue;
		if (make_folders(root, path, err) < 0)
			return -1;
		if (symlink(from, to) < 0)
			return error_errno(err, to, "cannot link");
	}
	return 0;
}

static int run_depmod(const char *root, const char *version, struct error *err)
{
	/* Users' PATH may lack the folders of root's programs. */
	static const char *const places[] = {"/usr/sbin/depmod", "/sbin/depmod"};
	const char *program = "depmod";

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (access(places[i], X_OK) == 0)
			program = places[i];
	char *argv[] = {(char *)program, (char *)"-b", (char *)root, (char *)version,
			NULL};

	if (process_run(argv, err) == 0)
		return 0;
	if (err && err->reason && strcmp(err->reason, "is not installed") == 0)
		(void)error_remedy(err, "apt-get install kmod");
	return -1;
}

static int add_indexes(struct image_files *files, const char *root, const char *version,
		       struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(outputs); i++) {
		_cleanup_buffer_ struct buffer data = BUFFER_INIT;
		_cleanup_free_ char *from =
			xasprintf("%s" FOLDER "%s/%s", root, version, outputs[i]);
		_cleanup_free_ char *to = xasprintf(TARGET "%s/%s", version, outputs[i]);

		if (access(from, F_OK) < 0)
			continue;
		if (file_read(from, MAX_INDEX, &data, err) < 0)
			return -1;
		image_files_bytes(files, to, buffer_view(&data), 0644, INDEX_PART);
	}
	return 0;
}

int modules_add(struct image_files *files, const struct modules *modules, bool early,
		struct error *err)
{
	const char *version = kernel_release(modules->kernel);
	_cleanup_(temp_folder_removep) char *root = temp_folder_make(NULL, err);

	if (!root)
		return -1;
	progress_report("indexing modules", 0, 0);
	if (stage(modules, early, root, err) < 0 || run_depmod(root, version, err) < 0 ||
	    add_indexes(files, root, version, err) < 0)
		return -1;
	vec_foreach (module, &modules->list) {
		_cleanup_free_ char *to =
			xasprintf(TARGET "%s/%s", version, module->file);
		_cleanup_free_ char *from =
			xasprintf("%s/%s", kernel_folder(modules->kernel), module->file);

		if (!early || module->early)
			image_files_source(files, to, from, 0644, part_of(module->class));
	}
	return 0;
}
