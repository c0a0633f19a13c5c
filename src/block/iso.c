/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Images of optical discs: what they are, paths, extents and reading. The formats are in
 * iso_udf*.c and iso_9660.c.
 *
 * libcdio's libudf reads such discs too, but not hostile ones: the offsets of allocation
 * descriptors are taken from the file entry without a look at its size, extent types and
 * partition numbers are ignored, and extended file entries, metadata partitions, embedded
 * data and other block sizes than 2048 are unknown to it (lib/udf/udf_file.c, udf_fs.c).
 */
#include "block/iso.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"
#include "block/iso_private.h"

int iso_damaged(const struct iso *iso, struct error *err, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	error_set(err, ERROR_FAILED, iso->block->name, "is damaged: %s", text);
	free(text);
	return error_remedy(err, "get the image again");
}

/* ---- extents -----------------------------------------------------------------------
 */

static uint64_t extents_end(const struct iso_extents *extents)
{
	const struct iso_extent *last;

	if (!extents->len)
		return 0;
	last = &extents->items[extents->len - 1];
	return last->at + last->length;
}

int iso_extent_push(struct iso *iso, struct iso_extents *extents, uint64_t offset,
		    uint64_t length, struct error *err)
{
	struct iso_extent *last = extents->len ? &extents->items[extents->len - 1] : NULL;
	uint64_t at = extents_end(extents), end;

	if (!length)
		return 0;
	if (offset != ISO_HOLE &&
	    (offset > iso->block->size || length > iso->block->size - offset)) {
		iso->cut = true;
		return iso_damaged(iso, err,
				   "it has %ju bytes, and %ju bytes of a file are said "
				   "to lie at %ju",
				   (uintmax_t)iso->block->size, (uintmax_t)length,
				   (uintmax_t)offset);
	}
	if (add_overflow(at, length, &end))
		return iso_damaged(iso, err, "a file is too large");
	if (last &&
	    (offset == ISO_HOLE ? last->offset == ISO_HOLE
				: last->offset != ISO_HOLE &&
					  last->offset + last->length == offset)) {
		last->length += length;
		return 0;
	}
	if (extents->len >= ISO_MAX_EXTENTS)
		return iso_damaged(iso, err, "a file has more than %u extents",
				   ISO_MAX_EXTENTS);
	vec_push(extents, (struct iso_extent){at, offset, length});
	return 0;
}

/* The extent that `at` lies in; `at` is inside. */
static size_t extent_of(const struct iso_extents *extents, uint64_t at)
{
	size_t low = 0, high = extents->len;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (extents->items[middle].at <= at)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static int check_inside(const struct iso *iso, const struct iso_extents *extents,
			uint64_t at, uint64_t length, struct error *err)
{
	uint64_t end = extents_end(extents);

	if (at <= end && length <= end - at)
		return 0;
	return iso_damaged(iso, err,
			   "%ju bytes at %ju lie outside of a file of %ju bytes",
			   (uintmax_t)length, (uintmax_t)at, (uintmax_t)end);
}

int iso_extents_part(struct iso *iso, const struct iso_extents *file, uint64_t at,
		     uint64_t length, struct iso_extents *ret, struct error *err)
{
	if (check_inside(iso, file, at, length, err) < 0)
		return -1;
	for (size_t i = length ? extent_of(file, at) : 0; length; i++) {
		const struct iso_extent *e = &file->items[i];
		uint64_t skip = at - e->at;
		uint64_t n = e->length - skip < length ? e->length - skip : length;
		uint64_t offset = e->offset == ISO_HOLE ? ISO_HOLE : e->offset + skip;

		if (iso_extent_push(iso, ret, offset, n, err) < 0)
			return -1;
		at += n;
		length -= n;
	}
	return 0;
}

int iso_node_resize(const struct iso *iso, struct iso_node *node, uint64_t size,
		    struct error *err)
{
	struct iso_extents *extents = &node->extents;
	uint64_t end = extents_end(extents);

	if (size > end)
		return iso_damaged(iso, err,
				   "a file of %ju bytes has %ju bytes of extents",
				   (uintmax_t)size, (uintmax_t)end);
	while (extents->len && extents->items[extents->len - 1].at >= size)
		extents->len--;
	if (extents->len) {
		struct iso_extent *last = &extents->items[extents->len - 1];

		last->length = size - last->at;
	}
	node->size = size;
	return 0;
}

int iso_extents_read(struct iso *iso, const struct iso_extents *extents, void *buf,
		     size_t len, uint64_t offset, struct error *err)
{
	uint8_t *to = buf;

	if (check_inside(iso, extents, offset, len, err) < 0)
		return -1;
	for (size_t i = len ? extent_of(extents, offset) : 0; len; i++) {
		const struct iso_extent *e = &extents->items[i];
		uint64_t skip = offset - e->at;
		size_t n = e->length - skip < len ? (size_t)(e->length - skip) : len;

		if (e->offset == ISO_HOLE)
			memset(to, 0, n);
		else if (block_pread(iso->block, to, n, e->offset + skip, err) < 0)
			return -1;
		to += n;
		offset += n;
		len -= n;
	}
	return 0;
}

int iso_folder_load(struct iso *iso, const struct iso_node *folder, struct buffer *ret,
		    struct error *err)
{
	if (folder->size > ISO_MAX_FOLDER)
		return iso_damaged(iso, err, "a folder has %ju bytes of names",
				   (uintmax_t)folder->size);
	(void)buffer_reserve(ret, (size_t)folder->size);
	if (iso_extents_read(iso, &folder->extents, ret->data, (size_t)folder->size, 0,
			     err) < 0)
		return -1;
	ret->len = (size_t)folder->size;
	return 0;
}

/* ---- entries -----------------------------------------------------------------------
 */

void iso_node_free(struct iso_node *node)
{
	vec_free(&node->extents);
}

static void entry_free(struct iso_entry *entry)
{
	free(entry->name);
	free(entry->problem);
	iso_node_free(&entry->node);
}

void iso_entries_free(struct iso_entries *entries)
{
	vec_foreach (entry, entries)
		entry_free(entry);
	vec_free(entries);
}

struct iso_entry *iso_entry_add(const struct iso *iso, struct iso_entries *ret,
				char *name, const char *only, int *status,
				struct error *err)
{
	*status = 0;
	if (!*name || strchr(name, '/') || strcmp(name, ".") == 0 ||
	    strcmp(name, "..") == 0 || (only && !text_equal(name, only))) {
		free(name);
		return NULL;
	}
	if (ret->len >= ISO_MAX_ENTRIES) {
		free(name);
		*status = iso_damaged(iso, err, "a folder has more than %d entries",
				      ISO_MAX_ENTRIES);
		return NULL;
	}
	vec_push(ret, (struct iso_entry){.name = name});
	return &ret->items[ret->len - 1];
}

int iso_list(struct iso *iso, const struct iso_node *folder, struct iso_entries *ret,
	     struct error *err)
{
	return iso->ops->list(iso, folder, NULL, ret, err);
}

/* Takes one name's node out of its folder. */
static int find_in(struct iso *iso, const struct iso_node *folder, const char *name,
		   struct iso_node *ret, struct error *err)
{
	_cleanup_iso_entries_ struct iso_entries found = VEC_INIT;
	struct iso_entry *best;

	if (iso->ops->list(iso, folder, name, &found, err) < 0)
		return -1;
	if (!found.len)
		return 0;
	best = &found.items[0];
	vec_foreach (entry, &found)
		if (strcmp(entry->name, name) == 0)
			best = entry;
	if (best->problem) {
		_cleanup_free_ char *where = xasprintf("%s/%s", iso->block->name, name);

		error_set(err, ERROR_FAILED, where, "cannot be read: %s", best->problem);
		return error_remedy(err, "get the image again");
	}
	*ret = best->node;
	best->node = (struct iso_node){0};
	return 1;
}

int iso_find(struct iso *iso, const char *path, struct iso_node *ret, struct error *err)
{
	struct iso_node at = {.folder = true, .size = iso->root.size};
	unsigned depth = 0;

	*ret = (struct iso_node){0};
	if (iso_extents_part(iso, &iso->root.extents, 0, at.size, &at.extents, err) < 0)
		return -1;
	while (*path) {
		size_t len = strcspn(path, "/");
		_cleanup_free_ char *name = xstrndup(path, len);
		struct iso_node next = {0};
		int found = 0;

		path += len + (path[len] == '/');
		if (!len)
			continue;
		if (at.folder && ++depth <= ISO_MAX_DEPTH)
			found = find_in(iso, &at, name, &next, err);
		iso_node_free(&at);
		if (found <= 0)
			return found;
		at = next;
	}
	*ret = at;
	return 1;
}

int iso_read(struct iso *iso, const struct iso_node *file, void *buf, size_t len,
	     uint64_t offset, struct error *err)
{
	return iso_extents_read(iso, &file->extents, buf, len, offset, err);
}

/* ---- a file as a block -------------------------------------------------------------
 */

struct iso_block {
	struct block block;
	struct iso *iso;
	struct iso_extents extents;
};

static int iso_block_pread(struct block *block, void *buf, size_t len, uint64_t offset,
			   struct error *err)
{
	struct iso_block *b = (struct iso_block *)block;

	return iso_extents_read(b->iso, &b->extents, buf, len, offset, err);
}

static void iso_block_close(struct block *block)
{
	vec_free(&((struct iso_block *)block)->extents);
}

static const struct block_ops iso_block_ops = {
	.pread = iso_block_pread,
	.close = iso_block_close,
};

struct block *iso_block(struct iso *iso, const struct iso_node *file, char *name)
{
	struct iso_block *b = xcalloc(1, sizeof(*b));

	b->block = (struct block){&iso_block_ops, name, file->size, 512, false};
	b->iso = iso;
	vec_foreach (extent, &file->extents)
		vec_push(&b->extents, *extent);
	return &b->block;
}

/* ---- opening -----------------------------------------------------------------------
 */

unsigned iso_recognise(struct block *block)
{
	unsigned found = 0;

	for (int i = 0; i < ISO_MAX_VOLUMES; i++) {
		uint64_t at = ISO_VOLUMES_START + (uint64_t)i * ISO_VOLUME_SIZE + 1;
		char id[6] = "";

		if (at + 5 > block->size || block_pread(block, id, 5, at, NULL) < 0)
			break;
		if (strcmp(id, "CD001") == 0)
			found |= ISO_VOLUME_9660;
		else if (strcmp(id, "NSR02") == 0 || strcmp(id, "NSR03") == 0)
			found |= ISO_VOLUME_UDF;
		else if (strcmp(id, "BEA01") != 0 && strcmp(id, "BOOT2") != 0 &&
			 strcmp(id, "TEA01") != 0 && id[0])
			break;
	}
	return found;
}

struct iso *iso_open_block(struct block *block, struct error *err)
{
	struct iso *iso = xcalloc(1, sizeof(*iso));
	unsigned volumes;
	int status;

	iso->block = block;
	iso->root.folder = true;
	volumes = iso_recognise(block);
	if (volumes & ISO_VOLUME_UDF)
		status = udf_open(iso, err);
	else if (volumes & ISO_VOLUME_9660)
		status = iso9660_open(iso, err);
	else
		status = error_set(err, ERROR_FAILED, block->name,
				   "is neither a UDF nor an ISO 9660 image");
	if (status == 0)
		return iso;
	iso_close(iso);
	return NULL;
}

struct iso *iso_open(const char *path, struct error *err)
{
	struct block *block = block_file_open(path, false, 0, err);

	return block ? iso_open_block(block, err) : NULL;
}

void iso_close(struct iso *iso)
{
	if (!iso)
		return;
	vec_foreach (partition, &iso->partitions)
		vec_free(&partition->extents);
	vec_free(&iso->partitions);
	iso_node_free(&iso->root);
	block_close(iso->block);
	free(iso);
}

void iso_closep(struct iso **iso)
{
	iso_close(*iso);
	*iso = NULL;
}

const char *iso_kind(const struct iso *iso)
{
	return iso->kind;
}

bool iso_is_cut(const struct iso *iso)
{
	return iso->cut;
}

const struct iso_node *iso_root(const struct iso *iso)
{
	return &iso->root;
}
