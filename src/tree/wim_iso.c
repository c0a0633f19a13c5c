/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Windows' install media: the WIM (or ESD, or split set) of an ISO is read in place, as
 * the extents that its file has in the image. Nothing is written to an ISO.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/progress.h"
#include "tree/wim.h"

#define COPY_SIZE (1024 * 1024)

/* The files that Setup installs from, in the order in which it looks for them. */
static const char *const install_files[] = {
	"sources/install.wim",
	"sources/install.esd",
	"sources/install.swm",
};
/* Media of several architectures have them twice; the choice is the user's. */
static const char *const other_files[] = {
	"x64/sources/install.wim", "x64/sources/install.esd", "x86/sources/install.wim",
	"x86/sources/install.esd", "sources/boot.wim",
};

/* 1 if it is there and a file. */
static int has_file(struct iso *iso, const char *path, struct error *err)
{
	_cleanup_iso_node_ struct iso_node node = {0};
	int found = iso_find(iso, path, &node, err);

	return found <= 0 ? found : !node.folder;
}

static int refuse_media(struct iso *iso, const char *path, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(other_files); i++) {
		if (has_file(iso, other_files[i], NULL) <= 0)
			continue;
		error_set(err, ERROR_USAGE, path,
			  "is an ISO that has %s, but none of sources/install.wim, .esd "
			  "and .swm",
			  other_files[i]);
		return error_remedy(err, "take the image out (7z x) and give that");
	}
	error_set(err, ERROR_USAGE, path,
		  "is an ISO (%s) without sources/install.wim, .esd or .swm",
		  iso_kind(iso));
	return error_remedy(err, "give an ISO of Windows Vista or later, a WIM, a disk "
				 "image or a folder");
}

int wim_iso_open(struct wim *wim, char **inner, struct error *err)
{
	const char *path = wim->image.path;

	wim->iso = iso_open(path, err);
	if (!wim->iso)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(install_files); i++) {
		int found = has_file(wim->iso, install_files[i], err);

		if (found < 0)
			return -1;
		if (!found)
			continue;
		*inner = xstrdup(install_files[i]);
		if (!wim->image.options.write)
			return 0;
		error_set(err, ERROR_STATE, path, "is an ISO, which is not edited");
		return error_remedy(err,
				    "write its image as a new file (--output=FILE.wim) "
				    "or build a disk from it (gild build)");
	}
	return refuse_media(wim->iso, path, err);
}

int wim_iso_part(struct wim *wim, const char *inner, struct wim_part *part,
		 struct error *err)
{
	_cleanup_iso_node_ struct iso_node node = {0};
	int found = iso_find(wim->iso, inner, &node, err);

	if (found > 0 && !node.folder) {
		part->window = iso_block(wim->iso, &node, xstrdup(part->path));
		part->size = node.size;
		return 0;
	}
	if (found < 0)
		return -1;
	error_set(err, ERROR_FAILED, part->path, "is not in the ISO");
	return error_remedy(err, "get the image again");
}

/* ---- for wimlib, which reads files only --------------------------------------------
 */

static int copy_out(const struct wim_part *part, const char *to, struct error *err)
{
	_cleanup_close_ int fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	_cleanup_free_ uint8_t *chunk = xmalloc(COPY_SIZE);

	if (fd < 0)
		return error_errno(err, to, "cannot create");
	for (uint64_t at = 0; at < part->size;) {
		size_t n = part->size - at < COPY_SIZE ? (size_t)(part->size - at)
						       : COPY_SIZE;

		if (interrupted())
			return error_interrupted(err);
		progress_report("copying out of the ISO", at, part->size);
		if (wim_pread(part, at, chunk, n, err) < 0 ||
		    file_write_all(fd, (struct bytes){chunk, n}, to, err) < 0)
			return -1;
		at += n;
	}
	return 0;
}

char *wim_iso_extract(const struct wim *wim, const char *near, struct strings *ret,
		      struct error *err)
{
	char *folder = temp_folder_make(near, err);
	uint64_t need = 0;
	unsigned number = 0;
	int status = folder ? 0 : -1;

	vec_foreach (part, &wim->parts)
		need += part->size;
	if (status == 0)
		status = file_check_space(folder, need, err);
	if (status == 0)
		notice("%s: its %ju bytes are copied beside %s for a while: wimlib reads "
		       "no ISO",
		       wim->parts.items[0].path, (uintmax_t)need, near);
	vec_foreach (part, &wim->parts) {
		char *to = xasprintf("%s/%u.wim", folder ? folder : "", ++number);

		vec_push(ret, to);
		if (status == 0)
			status = copy_out(part, to, err);
	}
	if (status == 0)
		return folder;
	temp_folder_remove(folder);
	return NULL;
}
