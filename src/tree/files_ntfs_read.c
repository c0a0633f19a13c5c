/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Content of an NTFS volume, blob by blob. What lies in clusters is read from there;
 * libntfs-3g reads what is in records or compressed by NTFS itself (LZNT1). Files of
 * Compact OS are decompressed.
 */
#include <errno.h>

#include "tree/files_ntfs_ahead.h"

#include <ntfs-3g/device.h>

#include "base/text.h"

#define PIECE (1024u * 1024)

/* A blob that is being read. */
struct reader {
	struct files_ntfs *f;
	const struct files_ntfs_content *content;
	char *path;
	ntfs_inode *inode; /* FILES_NTFS_LIBRARY only */
	ntfs_attr *attribute;
	/* The run that was used last and where it begins, in clusters of the stream. */
	size_t run;
	uint64_t run_begin;
};

static void reader_close(struct reader *r)
{
	ntfs_close_attribute(&r->attribute);
	ntfs_close_inode(&r->inode);
	free(r->path);
}
#define _cleanup_reader_ _cleanup_(reader_close)

static int open_attribute(struct reader *r, struct error *err)
{
	const struct files_ntfs_content *c = r->content;
	const struct files_inode *inode = &r->f->files.inodes.items[c->inode];
	const char *name = inode->streams[c->stream].name;
	_cleanup_buffer_ struct buffer units = BUFFER_INIT;

	r->inode = ntfs_open_inode(r->f->ntfs, r->f->references.items[c->inode], r->path,
				   err);
	if (!r->inode)
		return -1;
	if (name)
		utf16_append(&units, name);
	ntfs_begin(r->f->ntfs);
	if (c->wof)
		r->attribute = ntfs_open_wof(r->inode);
	else
		r->attribute = ntfs_attr_open(r->inode, AT_DATA,
					      name ? (ntfschar *)units.data : AT_UNNAMED,
					      (u32)units.len / 2);
	return r->attribute
		       ? 0
		       : ntfs_failed(r->f->ntfs, err, r->path, "cannot open its content");
}

static int reader_open(struct reader *r, struct files_ntfs *f, uint32_t blob,
		       struct error *err)
{
	const struct files_ntfs_content *c =
		&f->contents.items[f->files.blobs.items[blob].private];

	*r = (struct reader){.f = f, .content = c};
	r->path = files_ntfs_path(f, c->inode);
	if (c->refused) {
		error_set(err, ERROR_FAILED, r->path, "%s", c->refused);
		return error_remedy(err, "%s", c->remedy);
	}
	return c->storage == FILES_NTFS_LIBRARY ? open_attribute(r, err) : 0;
}

/* Moves to the run that holds a cluster of the stream. */
static int seek_run(struct reader *r, uint64_t vcn, struct files_ntfs_run *ret,
		    struct error *err)
{
	const struct files_ntfs_content *c = r->content;

	if (vcn < r->run_begin) {
		r->run = 0;
		r->run_begin = 0;
	}
	for (; r->run < c->runs; r->run++) {
		const struct files_ntfs_run *run =
			&r->f->runs.items[c->first_run + r->run];

		if (vcn - r->run_begin < run->clusters) {
			*ret = *run;
			return 0;
		}
		r->run_begin += run->clusters;
	}
	error_set(err, ERROR_FAILED, r->path, "its content ends before its size");
	return error_remedy(err, "run chkdsk on the volume in Windows");
}

static int device_read(struct reader *r, uint8_t *to, size_t len, uint64_t at,
		       struct error *err)
{
	struct ntfs_device *device = r->f->ntfs->volume->dev;
	s64 n;

	ntfs_begin(r->f->ntfs);
	n = device->d_ops->pread(device, to, (s64)len, (s64)at);
	if (n >= 0 && (size_t)n == len)
		return 0;
	return ntfs_failed(r->f->ntfs, err, r->path, "cannot read %zu bytes at %ju", len,
			   (uintmax_t)at);
}

/* Exactly `len` bytes that lie inside of the stream. */
static int read_runs(struct reader *r, uint8_t *to, size_t len, uint64_t at,
		     struct error *err)
{
	const uint32_t cluster = r->f->ntfs->volume->cluster_size;

	while (len) {
		struct files_ntfs_run run = {0};
		uint64_t offset, left;
		size_t n = len;

		if (at >= r->content->initialized) {
			memset(to, 0, len);
			return 0;
		}
		if (n > r->content->initialized - at)
			n = (size_t)(r->content->initialized - at);
		if (seek_run(r, at / cluster, &run, err) < 0)
			return -1;
		offset = at - r->run_begin * cluster;
		left = run.clusters - offset / cluster; /* of a hole perhaps very many */
		if (left <= n / cluster + 1 && n > left * cluster - at % cluster)
			n = (size_t)(left * cluster - at % cluster);
		if (run.lcn == FILES_NTFS_HOLE)
			memset(to, 0, n);
		else if (device_read(r, to, n, run.lcn * cluster + offset, err) < 0)
			return -1;
		to += n;
		at += n;
		len -= n;
	}
	return 0;
}

static int reader_pread(void *arg, void *to, size_t len, uint64_t at, struct error *err)
{
	struct reader *r = arg;

	if (r->attribute)
		return ntfs_read_attribute(r->f->ntfs, r->attribute, to, len, at, r->path,
					   err);
	return read_runs(r, to, len, at, err);
}

int files_ntfs_read_stored(struct files_ntfs *f, uint32_t blob, uint8_t *to,
			   struct error *err)
{
	_cleanup_reader_ struct reader r = {0};

	if (reader_open(&r, f, blob, err) < 0)
		return -1;
	return reader_pread(&r, to, (size_t)r.content->stored, 0, err);
}

/* ---- giving it away
 * ---------------------------------------------------------------------------- */

static int to_sink(struct bytes data, void *arg, struct error *err)
{
	const struct files_sink *sink = arg;

	return sink->data(sink->arg, data, err);
}

static int read_blob(struct files_ntfs *f, uint32_t blob, const struct files_sink *sink,
		     uint8_t *piece, struct error *err)
{
	_cleanup_reader_ struct reader r = {0};
	uint64_t size = f->files.blobs.items[blob].size;

	if (reader_open(&r, f, blob, err) < 0)
		return -1;
	if (r.content->wof) {
		const struct wof_source source = {.read = reader_pread,
						  .arg = &r,
						  .packed = r.content->stored,
						  .size = size,
						  .algorithm = r.content->algorithm,
						  .path = r.path};

		return wof_decompress(&source, to_sink, (void *)sink, err);
	}
	for (uint64_t at = 0; at < size;) {
		size_t n = size - at < PIECE ? (size_t)(size - at) : PIECE;

		if (interrupted())
			return error_interrupted(err);
		if (reader_pread(&r, piece, n, at, err) < 0 ||
		    sink->data(sink->arg, (struct bytes){piece, n}, err) < 0)
			return -1;
		at += n;
	}
	return 0;
}

int files_ntfs_read(struct files *files, const uint32_t *blobs, size_t count,
		    const struct files_sink *sink, struct error *err)
{
	struct files_ntfs *f = (struct files_ntfs *)files;
	_cleanup_free_ uint8_t *piece = xmalloc(PIECE);
	_cleanup_ahead_ struct files_ntfs_ahead *ahead =
		files_ntfs_ahead_new(f, blobs, count);

	for (size_t i = 0; i < count; i++) {
		int taken;

		if (files_ntfs_ahead_fill(ahead, i, err) < 0 ||
		    (sink->begin && sink->begin(sink->arg, blobs[i], err) < 0))
			return -1;
		taken = files_ntfs_ahead_take(ahead, i, sink, err);
		if (taken < 0 || (!taken && read_blob(f, blobs[i], sink, piece, err) < 0))
			return -1;
		if (sink->end && sink->end(sink->arg, err) < 0)
			return -1;
	}
	return 0;
}
