/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A new WIM from an image and its staged changes. The source's bytes are copied (or, for
 * split and solid sources and ESD outputs, rewritten by wimlib without touching an
 * image's metadata), the changes are appended to the copy, and the copy gets its name at
 * the very end: it is a file without a name until then, so nothing half-written is left.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wimlib.h>

#include "base/draft.h"
#include "base/file.h"
#include "base/progress.h"
#include "tree/wim.h"

#define COPY_SIZE (1024 * 1024)
#define WIM_CHUNK 32768
/* Larger chunks pack better; this one keeps the compressor below some 500 MiB. */
#define SOLID_CHUNK (1u << 24)

/* ---- the copy
 * ----------------------------------------------------------------------------- */

static int copy_range(const struct wim_part *part, int to, uint64_t len,
		      const char *output, struct error *err)
{
	_cleanup_free_ uint8_t *chunk = NULL;
	uint64_t at = 0;

	if (ioctl(to, FICLONE, part->fd) == 0) {
		if (ftruncate(to, (off_t)len) < 0)
			return error_errno(err, output, "cannot set its size");
		return 0;
	}
	chunk = xmalloc(COPY_SIZE);
	while (at < len) {
		size_t n = len - at < COPY_SIZE ? (size_t)(len - at) : COPY_SIZE;

		if (interrupted())
			return error_interrupted(err);
		progress_report("copying the WIM", at, len);
		if (wim_pread(part, at, chunk, n, err) < 0 ||
		    wim_pwrite(to, output, at, (struct bytes){chunk, n}, err) < 0)
			return -1;
		at += n;
	}
	return 0;
}

static enum wimlib_progress_status wimlib_step(enum wimlib_progress_msg message,
					       union wimlib_progress_info *info,
					       void *context _unused_)
{
	if (message == WIMLIB_PROGRESS_MSG_WRITE_STREAMS)
		progress_report("writing the WIM", info->write_streams.completed_bytes,
				info->write_streams.total_bytes);
	return interrupted() ? WIMLIB_PROGRESS_STATUS_ABORT
			     : WIMLIB_PROGRESS_STATUS_CONTINUE;
}

int wimlib_failed(const char *path, int code, struct error *err)
{
	if (interrupted())
		return error_interrupted(err);
	error_set(err, ERROR_FAILED, path, "cannot be rewritten: %s",
		  wimlib_get_error_string((enum wimlib_error_code)code));
	return error_remedy(err, "check it with wimlib-imagex verify");
}

/* Sets how wimlib writes: solid LZMS, or the LZX that every Windows reads. */
static int set_format(WIMStruct *w, bool esd, bool was_solid)
{
	int code = 0;

	if (esd) {
		code = wimlib_set_output_compression_type(w,
							  WIMLIB_COMPRESSION_TYPE_LZMS);
		if (!code)
			code = wimlib_set_output_pack_compression_type(
				w, WIMLIB_COMPRESSION_TYPE_LZMS);
		if (!code)
			code = wimlib_set_output_pack_chunk_size(w, SOLID_CHUNK);
	} else if (was_solid) {
		code = wimlib_set_output_compression_type(w, WIMLIB_COMPRESSION_TYPE_LZX);
		if (!code)
			code = wimlib_set_output_chunk_size(w, WIM_CHUNK);
	}
	return code;
}

/*
 * Lets wimlib write all images of `path` (and the further parts of a split set) to `fd`.
 * It copies the metadata of images that it has not changed, byte for byte.
 */
static int rewrite(const char *path, const struct wim *parts, bool esd, bool was_solid,
		   int fd, struct error *err)
{
	int flags = WIMLIB_WRITE_FLAG_RETAIN_GUID | WIMLIB_WRITE_FLAG_STREAMS_OK |
		    WIMLIB_WRITE_FLAG_IGNORE_READONLY_FLAG |
		    (esd ? WIMLIB_WRITE_FLAG_SOLID : 0);
	WIMStruct *w = NULL;
	int code = wimlib_open_wim_with_progress(path, 0, &w, wimlib_step, NULL);

	for (size_t i = 1; code == 0 && parts && i < parts->parts.len; i++) {
		const wimlib_tchar *name = parts->parts.items[i].path;

		code = wimlib_reference_resource_files(w, &name, 1, 0, 0);
	}
	if (!code)
		code = set_format(w, esd, was_solid);
	if (!code)
		code = wimlib_write_to_fd(w, fd, WIMLIB_ALL_IMAGES, flags, 0);
	wimlib_free(w);
	return code ? wimlib_failed(path, code, err) : 0;
}

/* ---- the changes
 * -------------------------------------------------------------------------- */

/* Lends the source's overlays to the copy, whose base is the same, and commits there. */
static int append_changes(struct wim *wim, const struct draft *draft, struct error *err)
{
	static const struct image_commit_options in_place;
	const struct image_options options = {.write = true, .allow_esd = true};
	struct wim *copy = wim_open_copy(draft->path, &options, err);
	uint64_t written;
	int result = copy ? 0 : -1;

	for (size_t i = 0; i < wim->image.trees.len && result == 0; i++) {
		struct tree *from = wim->image.trees.items[i], *to;
		struct overlay *own;

		if (!from || overlay_empty(from->overlay))
			continue;
		to = image_tree(&copy->image, i, err);
		if (!to) {
			result = -1;
			break;
		}
		own = to->overlay;
		to->overlay = from->overlay;
		from->overlay = own;
		wim_metadata_free(((struct wim_tree *)from)->metadata);
		((struct wim_tree *)from)->metadata = NULL;
	}
	if (result == 0)
		result = wim_commit(&copy->image, &in_place, &written, err);
	for (size_t i = 0; copy && i < copy->image.trees.len; i++) {
		struct tree *to = copy->image.trees.items[i], *from;
		struct overlay *lent;

		if (!to)
			continue;
		from = wim->image.trees.items[i];
		lent = to->overlay;
		to->overlay = from->overlay;
		from->overlay = lent;
	}
	image_close(copy ? &copy->image : NULL);
	return result;
}

static bool has_changes(const struct wim *wim)
{
	vec_foreach (tree, &wim->image.trees)
		if (*tree && !overlay_empty((*tree)->overlay))
			return true;
	return false;
}

static uint64_t staged_bytes(const struct wim *wim)
{
	uint64_t bytes = 0;

	vec_foreach (tree, &wim->image.trees)
		if (*tree)
			bytes += overlay_bytes((*tree)->overlay);
	return bytes;
}

static int build(struct wim *wim, struct draft *draft, bool esd, struct error *err)
{
	bool solid = strcmp(wim->image.format, "esd") == 0;
	struct draft packed;
	int result;

	if (wim->parts.len > 1 || (solid && !esd))
		result = rewrite(wim->parts.items[0].path, wim, false, solid, draft->fd,
				 err);
	else
		result = copy_range(&wim->parts.items[0], draft->fd, wim_end(wim),
				    draft->output, err);
	if (result == 0 && has_changes(wim))
		result = append_changes(wim, draft, err);
	if (result < 0 || !esd)
		return result;
	/* Solid at last: what was appended is packed with the rest. */
	if (draft_open(&packed, draft->output, false, err) < 0)
		return -1;
	result = rewrite(draft->path, NULL, true, false, packed.fd, err);
	if (result < 0) {
		draft_close(&packed);
		return -1;
	}
	draft_close(draft);
	*draft = packed;
	return 0;
}

int wim_write_solid(const char *path, unsigned level, int fd, struct error *err)
{
	int code = level ? wimlib_set_default_compression_level(
				   WIMLIB_COMPRESSION_TYPE_LZMS, level)
			 : 0;

	return code ? wimlib_failed(path, code, err)
		    : rewrite(path, NULL, true, false, fd, err);
}

int wim_commit_output(struct wim *wim, const struct image_commit_options *options,
		      uint64_t *bytes_written, struct error *err)
{
	_cleanup_free_ char *copy = xstrdup(options->output);
	const char *folder = dirname(copy);
	uint64_t need = staged_bytes(wim);
	struct draft draft;
	struct stat st;
	int result;

	vec_foreach (part, &wim->parts)
		need += part->size;
	if (options->esd)
		need *= 2;
	if (file_check_space(folder, need, err) < 0 ||
	    draft_open(&draft, options->output, options->esd, err) < 0)
		return -1;
	result = build(wim, &draft, options->esd, err);
	if (result == 0)
		result = draft_publish(&draft, err);
	if (result == 0 && fstat(draft.fd, &st) == 0)
		*bytes_written = (uint64_t)st.st_size;
	draft_close(&draft);
	return result;
}
