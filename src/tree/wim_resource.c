/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reading resources of a WIM: stored, compressed in chunks, or many blobs in one solid
 * resource. Everything is streamed; a blob's SHA-1 is always checked.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include <wimlib.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/progress.h"
#include "tree/wim_chunks.h"

#define COPY_SIZE (256 * 1024)
#define WINDOW WIM_CHUNKS_WINDOW
#define SOLID_HEADER_SIZE 16
/* The largest chunk wimlib and Windows use in solid resources. */
#define MAX_SOLID_CHUNK (1u << 30)

/* The chunk of a solid resource that was decompressed last. */
struct wim_solid_cache {
	uint8_t *data;
	size_t len;
	uint64_t offset, chunk; /* of the resource; number */
	uint8_t file;
};

int wim_pread(const struct wim_part *part, uint64_t offset, void *to, size_t len,
	      struct error *err)
{
	uint8_t *p = to;

	while (len) {
		ssize_t n = pread(part->fd, p, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, part->path, "cannot read");
		if (n == 0) {
			error_set(err, ERROR_FAILED, part->path, "is cut off at %ju",
				  (uintmax_t)offset);
			return error_remedy(
				err, "copy the file again from where it came from");
		}
		p += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int damaged(const struct wim_part *part, const char *what, const char *why,
		   struct error *err)
{
	error_set(err, ERROR_FAILED, part->path, "%s is damaged: %s", what, why);
	return error_remedy(err, "copy the WIM again from where it came from");
}

void wim_decompressor_free(struct wim_decompressor *d)
{
	wimlib_free_decompressor(d->handle);
	d->handle = NULL;
}

/* A decompressor for the type and chunk size; the last one is kept. */
static struct wimlib_decompressor *decompressor(struct wim_decompressor *d, int type,
						size_t chunk)
{
	if (d->handle && d->type == type && d->chunk_size == chunk)
		return d->handle;
	wim_decompressor_free(d);
	if (wimlib_create_decompressor((enum wimlib_compression_type)type, chunk,
				       &d->handle) != 0)
		d->handle = NULL;
	d->type = type;
	d->chunk_size = chunk;
	return d->handle;
}

/* That of reading without threads. */
static struct wim_decompressor *wim_own(struct wim *wim)
{
	if (!wim->decompressor)
		wim->decompressor = xcalloc(1, sizeof(*wim->decompressor));
	return wim->decompressor;
}

/* Table entry `i`, read in windows so that a hostile size costs no memory. */
static int table_entry(struct wim_chunks *c, uint64_t i, uint64_t *value,
		       struct error *err)
{
	uint64_t entries = c->sizes ? c->count : c->count - 1;
	const uint8_t *p;

	if (i < c->window_first || i >= c->window_first + c->window_len) {
		c->window_first = i;
		c->window_len = entries - i < WINDOW ? entries - i : WINDOW;
		if (wim_pread(c->part, c->table + i * c->entry_size, c->window,
			      (size_t)c->window_len * c->entry_size, err) < 0)
			return -1;
	}
	p = c->window + (i - c->window_first) * c->entry_size;
	*value = c->entry_size == 8 ? get_le64(p) : get_le32(p);
	return 0;
}

/* Where chunk `i` lies among the chunks and how long it is. */
int wim_chunk_place(struct wim_chunks *c, uint64_t i, uint64_t *offset, uint64_t *size,
		    struct error *err)
{
	uint64_t end = c->data_size;

	if (c->sizes) {
		if (i < c->next)
			c->next = c->next_offset = 0;
		for (;; c->next++, c->next_offset += *size) {
			if (table_entry(c, c->next, size, err) < 0)
				return -1;
			if (c->next == i)
				break;
		}
		*offset = c->next_offset;
		return 0;
	}
	*offset = 0;
	if ((i > 0 && table_entry(c, i - 1, offset, err) < 0) ||
	    (i + 1 < c->count && table_entry(c, i, &end, err) < 0))
		return -1;
	*size = end - *offset;
	return 0;
}

size_t wim_chunk_full_size(const struct wim_chunks *c, uint64_t i)
{
	uint64_t left = c->full_size - i * c->chunk_size;

	return left < c->chunk_size ? (size_t)left : c->chunk_size;
}

/* Reads and decompresses chunk `i` into `to` (wim_chunk_full_size() bytes). */
int wim_chunk_read(struct wim_chunks *c, struct wim_decompressor *own, uint64_t i,
		   uint8_t *to, uint8_t *packed, const char *what, struct error *err)
{
	size_t full = wim_chunk_full_size(c, i);
	struct wimlib_decompressor *d;
	uint64_t offset, size, end;

	if (wim_chunk_place(c, i, &offset, &size, err) < 0)
		return -1;
	if (size == 0 || size > full || add_overflow(offset, size, &end) ||
	    end > c->data_size)
		return damaged(c->part, what, "its chunk table is invalid", err);
	if (wim_pread(c->part, c->data + offset, size == full ? to : packed, (size_t)size,
		      err) < 0)
		return -1;
	if (size == full)
		return 0;
	d = decompressor(own, c->type, c->chunk_size);
	if (!d)
		return damaged(c->part, what, "its compression is unknown", err);
	if (wimlib_decompress(packed, (size_t)size, to, full, d) != 0)
		return damaged(c->part, what, "its data cannot be decompressed", err);
	return 0;
}

int wim_chunks_init(struct wim_chunks *c, const struct wim_part *part,
		    const struct wim_resource *r, const char *what, struct error *err)
{
	uint64_t table;

	memset(c, 0, offsetof(struct wim_chunks, window));
	c->next = c->next_offset = 0;
	c->part = part;
	c->chunk_size = part->header.chunk_size;
	c->type = wim_compression(&part->header);
	c->full_size = r->full_size;
	c->entry_size = r->full_size > UINT32_MAX ? 8 : 4;
	if (c->type == WIMLIB_COMPRESSION_TYPE_NONE)
		return damaged(part, what, "compressed in a WIM without compression",
			       err);
	c->count = r->full_size / c->chunk_size + (r->full_size % c->chunk_size != 0);
	if (c->count == 0 || mul_overflow(c->count - 1, c->entry_size, &table) ||
	    table >= r->size)
		return damaged(part, what, "its sizes do not fit together", err);
	c->table = r->offset;
	c->data = r->offset + table;
	c->data_size = r->size - table;
	return 0;
}

static int stream_chunks(struct wim *wim, const struct wim_part *part,
			 const struct wim_resource *r, wim_sink *sink, void *arg,
			 const char *what, struct error *err)
{
	_cleanup_free_ struct wim_chunks *c = xmalloc(sizeof(*c));
	_cleanup_free_ uint8_t *full = NULL, *packed = NULL;

	if (wim_chunks_init(c, part, r, what, err) < 0)
		return -1;
	full = xmalloc(c->chunk_size);
	packed = xmalloc(c->chunk_size);
	for (uint64_t i = 0; i < c->count; i++) {
		if (interrupted())
			return error_interrupted(err);
		if (wim_chunk_read(c, wim_own(wim), i, full, packed, what, err) < 0 ||
		    sink((struct bytes){full, wim_chunk_full_size(c, i)}, arg, err) < 0)
			return -1;
	}
	return 0;
}

static int stream_stored(const struct wim_part *part, uint64_t offset, uint64_t size,
			 wim_sink *sink, void *arg, struct error *err)
{
	_cleanup_free_ uint8_t *chunk = xmalloc(COPY_SIZE);

	while (size) {
		size_t n = size < COPY_SIZE ? (size_t)size : COPY_SIZE;

		if (interrupted())
			return error_interrupted(err);
		if (wim_pread(part, offset, chunk, n, err) < 0 ||
		    sink((struct bytes){chunk, n}, arg, err) < 0)
			return -1;
		offset += n;
		size -= n;
	}
	return 0;
}

static int stream_resource(struct wim *wim, const struct wim_part *part,
			   const struct wim_resource *r, wim_sink *sink, void *arg,
			   const char *what, struct error *err)
{
	if (r->full_size == 0)
		return 0;
	if (r->flags & WIM_RESOURCE_COMPRESSED)
		return stream_chunks(wim, part, r, sink, arg, what, err);
	return stream_stored(part, r->offset, r->size, sink, arg, err);
}

/* ---- solid resources ------------------------------------------------------------------
 */

/* Opens the solid resource that holds offset *at of the run; *at becomes relative to it.
 */
int wim_chunks_init_solid(struct wim_chunks *c, const struct wim *wim,
			  const struct wim_blob *blob, uint64_t *at, struct error *err)
{
	const struct wim_part *part = &wim->parts.items[blob->file];
	uint8_t raw[SOLID_HEADER_SIZE];
	uint64_t table, end;

	for (uint32_t i = blob->run; i < wim->blobs.len; i++) {
		const struct wim_blob *entry = &wim->blobs.items[i];
		const struct wim_resource *r = &entry->resource;

		if (entry->run != blob->run)
			break;
		if (!wim_blob_is_run_resource(entry))
			continue;
		if (r->size < SOLID_HEADER_SIZE ||
		    wim_pread(part, r->offset, raw, sizeof(raw), err) < 0)
			return damaged(part, "a solid resource", "it is cut off", err);
		memset(c, 0, offsetof(struct wim_chunks, window));
		c->next = c->next_offset = 0;
		c->part = part;
		c->full_size = get_le64(raw);
		c->chunk_size = get_le32(raw + 8);
		c->type = (int)get_le32(raw + 12);
		c->sizes = true;
		c->entry_size = 4;
		if (add_overflow(*at, blob->resource.size, &end) || end > c->full_size) {
			if (*at < c->full_size)
				break;
			*at -= c->full_size;
			continue;
		}
		if (c->chunk_size < 4096 || c->chunk_size & (c->chunk_size - 1) ||
		    c->chunk_size > MAX_SOLID_CHUNK || c->full_size == 0)
			break;
		c->count = (c->full_size - 1) / c->chunk_size + 1;
		if (mul_overflow(c->count, 4, &table) ||
		    table > r->size - SOLID_HEADER_SIZE)
			break;
		c->table = r->offset + SOLID_HEADER_SIZE;
		c->data = c->table + table;
		c->data_size = r->size - SOLID_HEADER_SIZE - table;
		return 0;
	}
	return damaged(part, "a solid resource", "its sizes do not fit together", err);
}

static int solid_chunk(struct wim *wim, struct wim_chunks *c, uint8_t file, uint64_t i,
		       const char *what, struct error *err)
{
	struct wim_solid_cache *cache = wim->solid;
	_cleanup_free_ uint8_t *packed = NULL;

	if (!cache)
		cache = wim->solid = xcalloc(1, sizeof(*cache));
	if (cache->data && cache->file == file && cache->offset == c->table &&
	    cache->chunk == i)
		return 0;
	free(cache->data);
	cache->data = NULL;
	cache->len = wim_chunk_full_size(c, i);
	/* A lying size must not cost more than what the file could hold. */
	if (cache->len / 2048 > c->data_size)
		return damaged(c->part, what, "its sizes do not fit together", err);
	cache->data = xmalloc(cache->len);
	packed = xmalloc(cache->len);
	cache->file = file;
	cache->offset = c->table;
	cache->chunk = i;
	if (wim_chunk_read(c, wim_own(wim), i, cache->data, packed, what, err) == 0)
		return 0;
	free(cache->data);
	cache->data = NULL;
	return -1;
}

static int stream_solid(struct wim *wim, const struct wim_blob *blob, wim_sink *sink,
			void *arg, const char *what, struct error *err)
{
	_cleanup_free_ struct wim_chunks *c = xmalloc(sizeof(*c));
	uint64_t at = blob->resource.offset, left = blob->resource.size;

	if (!left)
		return 0;
	if (wim_chunks_init_solid(c, wim, blob, &at, err) < 0)
		return -1;
	while (left) {
		uint64_t i = at / c->chunk_size;
		size_t skip = (size_t)(at % c->chunk_size), n;

		if (interrupted())
			return error_interrupted(err);
		if (solid_chunk(wim, c, blob->file, i, what, err) < 0)
			return -1;
		n = wim->solid->len - skip;
		if (n > left)
			n = (size_t)left;
		if (sink((struct bytes){wim->solid->data + skip, n}, arg, err) < 0)
			return -1;
		at += n;
		left -= n;
	}
	return 0;
}

/* ---- blobs
 * ------------------------------------------------------------------------------ */

struct checked {
	wim_sink *sink;
	void *arg;
	struct hash_stream *hash;
};

static int check_and_pass(struct bytes data, void *arg, struct error *err)
{
	struct checked *checked = arg;

	hash_stream_add(checked->hash, data.data, data.len);
	return checked->sink(data, checked->arg, err);
}

int wim_blob_stream(struct wim *wim, const struct wim_blob *blob, wim_sink *sink,
		    void *arg, const char *what, struct error *err)
{
	struct checked checked = {sink, arg, hash_sha1_begin()};
	const struct wim_part *part = &wim->parts.items[blob->file];
	uint8_t digest[WIM_HASH_SIZE];
	int result;

	if (blob->run != UINT32_MAX)
		result = stream_solid(wim, blob, check_and_pass, &checked, what, err);
	else
		result = stream_resource(wim, part, &blob->resource, check_and_pass,
					 &checked, what, err);
	hash_sha1_end(checked.hash, digest);
	if (result < 0)
		return -1;
	if (memcmp(digest, blob->hash, sizeof(digest)) != 0)
		return damaged(part, what, "its SHA-1 does not match", err);
	return 0;
}

static int to_buffer(struct bytes data, void *arg, struct error *err _unused_)
{
	buffer_append(arg, data.data, data.len);
	return 0;
}

int wim_blob_load(struct wim *wim, const struct wim_blob *blob, struct buffer *out,
		  const char *what, struct error *err)
{
	return wim_blob_stream(wim, blob, to_buffer, out, what, err);
}

int wim_resource_load(struct wim *wim, size_t part, const struct wim_resource *resource,
		      uint64_t limit, struct buffer *out, const char *what,
		      struct error *err)
{
	const struct wim_part *file = &wim->parts.items[part];

	if (resource->full_size > limit)
		return damaged(file, what, "it is too large", err);
	if (!(resource->flags & WIM_RESOURCE_COMPRESSED) &&
	    resource->size != resource->full_size)
		return damaged(file, what, "it has two different sizes", err);
	return stream_resource(wim, file, resource, to_buffer, out, what, err);
}

void wim_resource_close(struct wim *wim)
{
	if (wim->decompressor)
		wim_decompressor_free(wim->decompressor);
	free(wim->decompressor);
	wim->decompressor = NULL;
	if (wim->solid)
		free(wim->solid->data);
	free(wim->solid);
	wim->solid = NULL;
}
