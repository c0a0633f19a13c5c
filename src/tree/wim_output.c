/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A new WIM from an image and its staged changes. The source's bytes are copied (or, for
 * split and solid sources and ESD outputs, rewritten by wimlib without touching an
 * image's metadata), the changes are appended to the copy, and the copy gets its name at
 * the very end: it is a file without a name until then, so nothing half-written is left.
 */
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

	if (!part->window && ioctl(to, FICLONE, part->fd) == 0) {
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
		    file_write_at(to, chunk, n, at, output, err) < 0)
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
	if (code == WIMLIB_ERR_WRITE)
		return error_remedy(err, "free some space where the new file lies, or "
					 "write it elsewhere");
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

/* A WIM in memory with one image of another, compressed alike: resources are copied. */
static int export_image(WIMStruct *from, unsigned image, WIMStruct **ret)
{
	struct wimlib_wim_info info;
	int code = wimlib_get_wim_info(from, &info);

	if (!code)
		code = wimlib_create_new_wim(
			(enum wimlib_compression_type)info.compression_type, ret);
	if (!code && info.chunk_size)
		code = wimlib_set_output_chunk_size(*ret, info.chunk_size);
	if (!code)
		wimlib_register_progress_function(*ret, wimlib_step, NULL);
	return code ? code : wimlib_export_image(from, (int)image, *ret, NULL, NULL, 0);
}

/*
 * Lets wimlib write all images of a WIM (with the further parts of a split set), or one,
 * to `fd`. It copies the metadata of images that it has not changed, byte for byte.
 */
static int rewrite(const struct strings *files, unsigned only, bool esd, bool was_solid,
		   int fd, struct error *err)
{
	const char *path = files->items[0];
	int flags = WIMLIB_WRITE_FLAG_STREAMS_OK |
		    WIMLIB_WRITE_FLAG_IGNORE_READONLY_FLAG |
		    (only ? 0 : WIMLIB_WRITE_FLAG_RETAIN_GUID) |
		    (esd ? WIMLIB_WRITE_FLAG_SOLID : 0);
	WIMStruct *w = NULL, *one = NULL;
	int code = wimlib_open_wim_with_progress(path, 0, &w, wimlib_step, NULL);

	for (size_t i = 1; code == 0 && i < files->len; i++) {
		const wimlib_tchar *name = files->items[i];

		code = wimlib_reference_resource_files(w, &name, 1, 0, 0);
	}
	if (!code && only)
		code = export_image(w, only, &one);
	if (!code)
		code = set_format(one ? one : w, esd, was_solid);
	if (!code)
		code = wimlib_write_to_fd(one ? one : w, fd, WIMLIB_ALL_IMAGES, flags, 0);
	wimlib_free(one);
	wimlib_free(w);
	return code ? wimlib_failed(path, code, err) : 0;
}

/* ---- the changes
 * -------------------------------------------------------------------------- */

/* The tree of the copy that the source's i-th image became; NULL in *ret: it was left
 * out. */
static int tree_in_copy(struct wim *copy, size_t i, unsigned only, struct tree **ret,
			struct error *err)
{
	*ret = NULL;
	if (only && i + 1 != only)
		return 0;
	*ret = image_tree(&copy->image, only ? 0 : i, err);
	return *ret ? 0 : -1;
}

static void swap_overlays(struct tree *a, struct tree *b)
{
	struct overlay *overlay = a->overlay;

	a->overlay = b->overlay;
	b->overlay = overlay;
}

/* Lends the source's overlays to the copy, whose base is the same, and commits there. */
static int append_changes(struct wim *wim, const struct draft *draft, unsigned only,
			  struct error *err)
{
	static const struct image_commit_options in_place;
	const struct image_options options = {.write = true, .allow_esd = true};
	struct wim *copy = wim_open_copy(draft->path, &options, err);
	struct vec_of(struct tree *) lent = VEC_INIT;
	uint64_t written;
	int result = copy ? 0 : -1;

	for (size_t i = 0; i < wim->image.trees.len && result == 0; i++) {
		struct tree *from = wim->image.trees.items[i], *to;

		if (!from || overlay_empty(from->overlay))
			continue;
		result = tree_in_copy(copy, i, only, &to, err);
		if (result < 0 || !to)
			continue;
		swap_overlays(to, from);
		vec_push(&lent, from);
		wim_metadata_free(((struct wim_tree *)from)->metadata);
		((struct wim_tree *)from)->metadata = NULL;
	}
	if (result == 0)
		result = wim_commit(&copy->image, &in_place, &written, err);
	vec_foreach (from, &lent) {
		struct tree *to = NULL;

		if (tree_in_copy(copy, (*from)->index, only, &to, NULL) == 0 && to)
			swap_overlays(to, *from);
	}
	vec_free(&lent);
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

/* A WIM that wimlib made anew has a random GUID: it gets one that follows from its
 * source. */
static int give_identity(const struct wim *wim, unsigned only, const struct draft *draft,
			 struct error *err)
{
	_cleanup_buffer_ struct buffer seed = BUFFER_INIT;
	const struct guid *source = &wim->parts.items[0].header.guid;
	struct guid guid;

	buffer_append(&seed, source->bytes, sizeof(source->bytes));
	buffer_append(&seed, &only, sizeof(only));
	guid = guid_from(buffer_view(&seed));
	return file_write_at(draft->fd, guid.bytes, sizeof(guid.bytes), WIM_HEADER_GUID,
			     draft->output, err);
}

static int rewrite_source(const struct wim *wim, unsigned only, bool solid,
			  const struct draft *draft, struct error *err)
{
	_cleanup_(strings_free) struct strings files = VEC_INIT;
	_cleanup_(temp_folder_removep) char *folder = NULL;

	if (wim->iso) {
		folder = wim_iso_extract(wim, draft->output, &files, err);
		if (!folder)
			return -1;
	} else {
		vec_foreach (part, &wim->parts)
			strings_push(&files, part->path);
	}
	return rewrite(&files, only, false, solid, draft->fd, err);
}

static int build(struct wim *wim, struct draft *draft,
		 const struct image_commit_options *options, struct error *err)
{
	bool solid = wim->parts.len == 1 && wim_is_solid(wim), esd = options->esd;
	unsigned only = wim->image.infos.len > 1 ? options->only : 0;
	struct strings drafts = VEC_INIT;
	struct draft packed;
	int result;

	if (only || wim->parts.len > 1 || (solid && !esd))
		result = rewrite_source(wim, only, solid, draft, err);
	else
		result = copy_range(&wim->parts.items[0], draft->fd, wim_end(wim),
				    draft->output, err);
	if (result == 0 && only)
		result = give_identity(wim, only, draft, err);
	if (result == 0 && has_changes(wim))
		result = append_changes(wim, draft, only, err);
	if (result < 0 || !esd)
		return result;
	/* Solid at last: what was appended is packed with the rest. */
	if (draft_open(&packed, draft->output, false, err) < 0)
		return -1;
	strings_push(&drafts, draft->path);
	result = rewrite(&drafts, 0, true, false, packed.fd, err);
	strings_free(&drafts);
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
	_cleanup_(strings_free) struct strings files = VEC_INIT;

	strings_push(&files, path);
	return code ? wimlib_failed(path, code, err)
		    : rewrite(&files, 0, true, false, fd, err);
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
	result = build(wim, &draft, options, err);
	if (result == 0)
		result = draft_publish(&draft, err);
	if (result == 0 && fstat(draft.fd, &st) == 0)
		*bytes_written = (uint64_t)st.st_size;
	draft_close(&draft);
	return result;
}
