/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The WIM header and blob table. Every offset and size is checked against the file
 * before it is used.
 */
#include "tree/wim.h"

#include <wimlib.h>

#include "base/text.h"

#define MAX_BLOB_TABLE (512u * 1024 * 1024)

static uint64_t get_le56(const uint8_t *p)
{
	return get_le64(p) & 0xffffffffffffffu;
}

void wim_resource_read(const uint8_t raw[WIM_RESOURCE_SIZE], struct wim_resource *r)
{
	r->size = get_le56(raw); /* +0x00: 7 bytes of size, then the flags */
	r->flags = raw[7];
	r->offset = get_le64(raw + 8);
	r->full_size = get_le64(raw + 16);
}

void wim_resource_write(const struct wim_resource *r, uint8_t raw[WIM_RESOURCE_SIZE])
{
	put_le64(raw, (r->size & 0xffffffffffffffu) | (uint64_t)r->flags << 56);
	put_le64(raw + 8, r->offset);
	put_le64(raw + 16, r->full_size);
}

static bool lies_inside(const struct wim_resource *r, uint64_t size)
{
	uint64_t end;

	return !add_overflow(r->offset, r->size, &end) && end <= size;
}

int wim_compression(const struct wim_header *header)
{
	if (!(header->flags & WIM_COMPRESSED))
		return WIMLIB_COMPRESSION_TYPE_NONE;
	if (header->flags & WIM_LZX)
		return WIMLIB_COMPRESSION_TYPE_LZX;
	if (header->flags & WIM_LZMS)
		return WIMLIB_COMPRESSION_TYPE_LZMS;
	return WIMLIB_COMPRESSION_TYPE_XPRESS;
}

static int check_header(const struct wim_header *h, uint64_t size, struct error *err)
{
	if (h->version != WIM_VERSION_DEFAULT && h->version != WIM_VERSION_SOLID)
		return error_set(err, ERROR_FAILED, NULL,
				 "has the unknown WIM version 0x%x", h->version);
	if (h->part == 0 || h->part > h->parts)
		return error_set(err, ERROR_FAILED, NULL, "says it is part %u of %u",
				 h->part, h->parts);
	if (h->image_count > WIM_MAX_IMAGES)
		return error_set(err, ERROR_FAILED, NULL, "says it has %u images",
				 h->image_count);
	if (h->flags & WIM_COMPRESSED &&
	    (h->chunk_size & (h->chunk_size - 1) || h->chunk_size < 4096 ||
	     h->chunk_size > (1u << 26)))
		return error_set(err, ERROR_FAILED, NULL, "has the invalid chunk size %u",
				 h->chunk_size);
	if (!lies_inside(&h->blobs, size) || !lies_inside(&h->xml, size) ||
	    !lies_inside(&h->integrity, size) || !lies_inside(&h->boot_metadata, size)) {
		error_set(err, ERROR_FAILED, NULL,
			  "is cut off: its header points behind its end at %ju",
			  (uintmax_t)size);
		return error_remedy(err, "copy the file again from where it came from");
	}
	return 0;
}

int wim_header_read(struct bytes raw, uint64_t size, struct wim_header *header,
		    struct error *err)
{
	const uint8_t *p = raw.data;

	if (raw.len < WIM_HEADER_SIZE || get_le32(p + 8) != WIM_HEADER_SIZE)
		return error_set(err, ERROR_FAILED, NULL, "has no complete WIM header");
	if (memcmp(p, "WLPWM\0\0\0", 8) == 0) {
		error_set(err, ERROR_FAILED, NULL,
			  "is a pipable WIM, which only wimlib reads");
		return error_remedy(err,
				    "convert it: wimlib-imagex optimize --not-pipable");
	}
	if (memcmp(p, "MSWIM\0\0\0", 8) != 0)
		return error_set(err, ERROR_FAILED, NULL, "is no WIM");
	header->version = get_le32(p + 12);
	header->flags = get_le32(p + 16);
	header->chunk_size = get_le32(p + 20);
	if (header->flags & WIM_COMPRESSED && header->chunk_size == 0)
		header->chunk_size = 32768; /* the only size there was at first */
	memcpy(header->guid.bytes, p + WIM_HEADER_GUID, 16);
	header->part = get_le16(p + 40);
	header->parts = get_le16(p + 42);
	header->image_count = get_le32(p + 44);
	wim_resource_read(p + 48, &header->blobs);
	wim_resource_read(p + 72, &header->xml);
	wim_resource_read(p + 96, &header->boot_metadata);
	header->boot_index = get_le32(p + 120);
	wim_resource_read(p + 124, &header->integrity);
	memcpy(header->unused, p + 148, sizeof(header->unused));
	return check_header(header, size, err);
}

void wim_header_write(const struct wim_header *header, uint8_t raw[WIM_HEADER_SIZE])
{
	memcpy(raw, "MSWIM\0\0\0", 8);
	put_le32(raw + 8, WIM_HEADER_SIZE);
	put_le32(raw + 12, header->version);
	put_le32(raw + 16, header->flags);
	put_le32(raw + 20, header->chunk_size);
	memcpy(raw + WIM_HEADER_GUID, header->guid.bytes, 16);
	put_le16(raw + 40, header->part);
	put_le16(raw + 42, header->parts);
	put_le32(raw + 44, header->image_count);
	wim_resource_write(&header->blobs, raw + 48);
	wim_resource_write(&header->xml, raw + 72);
	wim_resource_write(&header->boot_metadata, raw + 96);
	put_le32(raw + 120, header->boot_index);
	wim_resource_write(&header->integrity, raw + 124);
	memcpy(raw + 148, header->unused, sizeof(header->unused));
}

uint64_t wim_header_end(const struct wim_header *header)
{
	const struct wim_resource *all[] = {&header->blobs, &header->xml,
					    &header->integrity};
	uint64_t end = WIM_HEADER_SIZE;

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (all[i]->size && all[i]->offset + all[i]->size > end)
			end = all[i]->offset + all[i]->size;
	return end;
}

uint64_t wim_blob_size(const struct wim_blob *blob)
{
	return blob->run == UINT32_MAX ? blob->resource.full_size : blob->resource.size;
}

bool wim_blob_is_run_resource(const struct wim_blob *blob)
{
	return blob->run != UINT32_MAX && blob->resource.full_size == WIM_SOLID_SIZE;
}

void wim_blob_write(const struct wim_blob *blob, uint8_t raw[WIM_BLOB_SIZE])
{
	wim_resource_write(&blob->resource, raw);
	put_le16(raw + 24, blob->part);
	put_le32(raw + 26, blob->references);
	memcpy(raw + 30, blob->hash, WIM_HASH_SIZE);
}

static int check_blob(const struct wim_blob *blob, const struct wim_part *part, size_t i,
		      struct error *err)
{
	const struct wim_resource *r = &blob->resource;
	bool in_run = blob->run != UINT32_MAX && !wim_blob_is_run_resource(blob);

	if (!in_run && !lies_inside(r, part->size)) {
		error_set(err, ERROR_FAILED, part->path,
			  "blob table entry %zu points behind the end of the file", i);
		return error_remedy(err, "copy the file again from where it came from");
	}
	if (blob->run == UINT32_MAX && !(r->flags & WIM_RESOURCE_COMPRESSED) &&
	    r->size != r->full_size)
		return error_set(err, ERROR_FAILED, part->path,
				 "blob table entry %zu has two different sizes", i);
	return 0;
}

int wim_blobs_read(struct wim *wim, size_t part, struct error *err)
{
	const struct wim_part *file = &wim->parts.items[part];
	_cleanup_buffer_ struct buffer raw = BUFFER_INIT;
	uint32_t run = UINT32_MAX;

	if (wim_resource_load(wim, part, &file->header.blobs, MAX_BLOB_TABLE, &raw,
			      "the blob table", err) < 0)
		return -1;
	for (size_t i = 0; i + 1 <= raw.len / WIM_BLOB_SIZE; i++) {
		const uint8_t *p = raw.data + i * WIM_BLOB_SIZE;
		struct wim_blob blob = {.run = UINT32_MAX, .file = (uint8_t)part};

		wim_resource_read(p, &blob.resource);
		blob.part = get_le16(p + 24);
		blob.references = get_le32(p + 26);
		memcpy(blob.hash, p + 30, WIM_HASH_SIZE);
		/* Before version 0xe00 the flag had no meaning. */
		if (file->header.version == WIM_VERSION_SOLID &&
		    blob.resource.flags & WIM_RESOURCE_SOLID) {
			if (run == UINT32_MAX)
				run = (uint32_t)wim->blobs.len;
			blob.run = run;
		} else {
			run = UINT32_MAX;
		}
		if (check_blob(&blob, file, i, err) < 0)
			return -1;
		vec_push(&wim->blobs, blob);
	}
	return 0;
}

bool wim_hash_is_zero(const uint8_t *hash)
{
	static const uint8_t zero[WIM_HASH_SIZE];

	return memcmp(hash, zero, WIM_HASH_SIZE) == 0;
}

static int compare_by_hash(const void *a, const void *b, void *arg)
{
	const struct wim_blobs *blobs = arg;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	int order = memcmp(blobs->items[x].hash, blobs->items[y].hash, WIM_HASH_SIZE);

	return order ? order : (x > y) - (x < y);
}

/* True for what describes content of a file in the part where it says it is. */
static bool is_content(const struct wim *wim, const struct wim_blob *blob)
{
	return !(blob->resource.flags & WIM_RESOURCE_METADATA) &&
	       !wim_blob_is_run_resource(blob) && !wim_hash_is_zero(blob->hash) &&
	       blob->part == wim->parts.items[blob->file].header.part;
}

int wim_blobs_index(struct wim *wim, struct error *err)
{
	uint32_t images = wim->parts.items[0].header.image_count;

	free(wim->by_hash);
	wim->by_hash = xmalloc((wim->blobs.len + 1) * sizeof(*wim->by_hash));
	wim->hashed = 0;
	wim->metadata.len = 0;
	for (uint32_t i = 0; i < wim->blobs.len; i++) {
		const struct wim_blob *blob = &wim->blobs.items[i];

		if (is_content(wim, blob))
			wim->by_hash[wim->hashed++] = i;
		else if (blob->resource.flags & WIM_RESOURCE_METADATA &&
			 wim->metadata.len < images)
			vec_push(&wim->metadata, i);
	}
	if (wim->metadata.len < images) {
		error_set(err, ERROR_FAILED, wim->image.path,
			  "has metadata for %zu of its %u images", wim->metadata.len,
			  images);
		return error_remedy(err, "copy the file again from where it came from");
	}
	qsort_r(wim->by_hash, wim->hashed, sizeof(*wim->by_hash), compare_by_hash,
		&wim->blobs);
	return 0;
}

struct wim_blob *wim_blob_find(const struct wim *wim, const uint8_t *hash)
{
	size_t low = 0, high = wim->hashed;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(wim->blobs.items[wim->by_hash[middle]].hash, hash,
			   WIM_HASH_SIZE) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == wim->hashed ||
	    memcmp(wim->blobs.items[wim->by_hash[low]].hash, hash, WIM_HASH_SIZE) != 0)
		return NULL;
	return &wim->blobs.items[wim->by_hash[low]];
}
