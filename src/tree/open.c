/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Images: what a path holds is recognised by its content, never by its name, and handed
 * to the provider for it. What no provider opens is named in the error.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "tree/provider.h"

/* A signature at an offset that says what a file is. */
struct signature {
	off_t offset;
	const char *bytes;
	size_t len;
	const char *what;
};
#define SIGNATURE(offset, bytes, what)                 \
	{                                              \
		offset, bytes, sizeof(bytes) - 1, what \
	}

/*
 * What is no disk, though it may look like one (an ISO 9660 image often has a partition
 * table). First match wins. Sources: the formats' public specifications.
 */
static const struct signature signatures[] = {
	SIGNATURE(0, "MSWIM\0\0\0", "wim"),
	SIGNATURE(0, "WLPWM\0\0\0", "wim"),
	SIGNATURE(32768,
		  "\x01"
		  "CD001",
		  "iso"),
	SIGNATURE(32768, "\0BEA01", "iso"),
	SIGNATURE(0, "MSCF", "a cabinet archive"),
	SIGNATURE(0, "PK\x03\x04", "a ZIP archive"),
	SIGNATURE(0, "7z\xbc\xaf\x27\x1c", "a 7z archive"),
	SIGNATURE(0, "regf", "a registry hive"),
	SIGNATURE(0, "MZ", "a Windows program"),
};

static const char *recognise(int fd)
{
	char found[32];

	for (size_t i = 0; i < ARRAY_SIZE(signatures); i++) {
		const struct signature *s = &signatures[i];

		if (pread(fd, found, s->len, s->offset) == (ssize_t)s->len &&
		    memcmp(found, s->bytes, s->len) == 0)
			return s->what;
	}
	return NULL;
}

static int refuse(const char *path, const char *what, struct error *err)
{
	error_set(err, ERROR_USAGE, path, "is %s, and no image that gild knows", what);
	return error_remedy(
		err, "give a WIM (.wim, .swm, .esd), a Windows ISO, a disk image, or the "
		     "folder that holds a Windows file system");
}

struct image *image_open(const char *path, const struct image_options *options,
			 struct error *err)
{
	_cleanup_close_ int fd = -1;
	const char *what;
	struct stat st;

	if (stat(path, &st) < 0) {
		error_errno(err, path, "cannot open");
		return NULL;
	}
	if (S_ISDIR(st.st_mode))
		return dir_open(path, options, err);
	if (S_ISBLK(st.st_mode))
		return disk_open(path, options, err);
	if (!S_ISREG(st.st_mode) || st.st_size == 0) {
		refuse(path, S_ISREG(st.st_mode) ? "an empty file" : "no file or folder",
		       err);
		return NULL;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		error_errno(err, path, "cannot open");
		return NULL;
	}
	what = recognise(fd);
	if (!what)
		return disk_open(path, options, err);
	if (strcmp(what, "wim") == 0)
		return wim_open(path, options, err);
	if (strcmp(what, "iso") == 0)
		return wim_open_in_iso(path, options, err);
	refuse(path, what, err);
	return NULL;
}

const char *image_path(const struct image *image)
{
	return image->path;
}

const char *image_format(const struct image *image)
{
	return image->format;
}

const char *image_provider(const struct image *image)
{
	return image->provider;
}

bool image_is_disk(const struct image *image)
{
	return image->disk != NULL;
}

int image_system_tree(struct image *image, size_t i, struct tree **ret, char **why,
		      struct error *err)
{
	if (why)
		*why = NULL;
	if (image->ops->system_tree)
		return image->ops->system_tree(image, i, ret, why, err);
	*ret = image_tree(image, i, err);
	return *ret ? 1 : -1;
}

const struct image_problems *image_problems(const struct image *image, size_t i)
{
	static const struct image_problems none;

	return i < image->problems.len ? &image->problems.items[i] : &none;
}

const struct image_disk *image_disk(const struct image *image)
{
	return image->disk;
}

size_t image_count(const struct image *image)
{
	return image->infos.len;
}

const struct image_info *image_info(const struct image *image, size_t i)
{
	return &image->infos.items[i];
}

struct tree *image_tree(struct image *image, size_t i, struct error *err)
{
	if (i >= image->infos.len) {
		error_set(err, ERROR_USAGE, image->path,
			  "has %zu image(s), and index %zu was asked for",
			  image->infos.len, i + 1);
		error_remedy(err, "see gild inspect for the images it holds");
		return NULL;
	}
	while (image->trees.len < image->infos.len)
		vec_push(&image->trees, NULL);
	if (!image->trees.items[i])
		image->trees.items[i] = image->ops->tree(image, i, err);
	return image->trees.items[i];
}

int image_commit(struct image *image, const struct image_commit_options *options,
		 uint64_t *bytes_written, struct error *err)
{
	static const struct image_commit_options in_place;
	uint64_t written = 0;
	bool changed = false;

	if (!options)
		options = &in_place;
	if (interrupted())
		return error_interrupted(err);
	vec_foreach (tree, &image->trees)
		changed |= *tree && !overlay_empty((*tree)->overlay);
	if (image->ops->changed)
		changed |= image->ops->changed(image);
	if (!options->output && !image->options.write)
		return error_set(err, ERROR_FAILED, image->path,
				 "was opened for reading only");
	if (options->output && access(options->output, F_OK) == 0) {
		error_set(err, ERROR_FAILED, options->output, "exists already");
		return error_remedy(err, "remove it or give another name");
	}
	if ((changed || options->output) &&
	    image->ops->commit(image, options, &written, err) < 0)
		return -1;
	if (bytes_written)
		*bytes_written = written;
	if (options->output)
		return 0;
	vec_foreach (tree, &image->trees) {
		if (!*tree)
			continue;
		overlay_free((*tree)->overlay);
		(*tree)->overlay = overlay_new("");
	}
	return 0;
}

static void free_layout(struct image_disk *layout)
{
	if (!layout)
		return;
	vec_foreach (part, &layout->partitions) {
		free(part->name);
		free(part->label);
	}
	vec_free(&layout->partitions);
	strings_free(&layout->problems);
	free(layout);
}

void image_close(struct image *image)
{
	if (!image)
		return;
	image->ops->close(image);
	vec_foreach (tree, &image->trees)
		tree_free(*tree);
	vec_free(&image->trees);
	vec_foreach (info, &image->infos) {
		free(info->name);
		free(info->description);
		free(info->file_system);
		free(info->label);
	}
	vec_free(&image->infos);
	vec_foreach (problems, &image->problems) {
		vec_foreach (problem, problems) {
			free(problem->message);
			free(problem->remedy);
		}
		vec_free(problems);
	}
	vec_free(&image->problems);
	free_layout(image->disk);
	temp_folder_remove(image->temp);
	free(image->path);
	free(image);
}

void image_closep(struct image **image)
{
	image_close(*image);
	*image = NULL;
}
