/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The commit of a WIM: everything new is appended behind the old end, synced, and made
 * valid by one write of the header. What the old header points to is never overwritten,
 * so a stop at any moment leaves the old or the new WIM (wim_recover.c cuts off the
 * rest).
 *
 *   old WIM | mark | new contents | metadata of edited images | blob table | XML |
 * integrity
 */
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/progress.h"
#include "tree/wim.h"

#define INTEGRITY_HEADER 12
#define INTEGRITY_CHUNK (10 * 1024 * 1024)
#define INTEGRITY_MIN_CHUNK 4096
#define INTEGRITY_MAX_CHUNK (128u * 1024 * 1024)
#define MAX_INTEGRITY (64 * 1024 * 1024)
#define COPY_SIZE (256 * 1024)

struct append {
	struct wim *wim;
	struct wim_part *part;
	struct wim_edit edit;
	struct wim_counts *counts;   /* per image */
	struct wim_counts **changes; /* the edited images' */
	struct buffer *metadata;     /* per image: the new resource's content */
	struct wim_header header;    /* the new one */
	struct wim_packing *items;   /* contents, then metadata */
	uint64_t start, at;
};

/* ---- planning
 * --------------------------------------------------------------------------- */

static struct wim_tree *edited_tree(const struct wim *wim, size_t i)
{
	struct tree *tree = i < wim->image.trees.len ? wim->image.trees.items[i] : NULL;

	return tree && !overlay_empty(tree->overlay) ? (struct wim_tree *)tree : NULL;
}

/* Drops the edited metadata; the next read gets the file's. */
static void forget_metadata(struct wim *wim)
{
	vec_foreach (tree, &wim->image.trees) {
		if (!*tree)
			continue;
		wim_metadata_free(((struct wim_tree *)*tree)->metadata);
		((struct wim_tree *)*tree)->metadata = NULL;
	}
}

/* Edits the images one by one and keeps only the new resource's content of each. */
static int plan(struct append *a, struct error *err)
{
	struct wim *wim = a->wim;

	for (size_t i = 0; i < wim->image.infos.len; i++) {
		struct wim_tree *tree = edited_tree(wim, i);

		if (!tree)
			continue;
		if (interrupted())
			return error_interrupted(err);
		if (!wim_tree_metadata(tree, err) ||
		    wim_edit_tree(&a->edit, tree, &a->counts[i], err) < 0)
			return -1;
		wim_metadata_emit(tree->metadata, &a->metadata[i]);
		wim_metadata_free(tree->metadata);
		tree->metadata = NULL;
		a->changes[i] = &a->counts[i];
	}
	if (a->edit.rejected)
		notice("%s: %zu folder(s) with named streams or junctions are stored in "
		       "the form of wimlib before 1.14.2, which some versions of DISM "
		       "and "
		       "Windows setup reject; any wimlib-imagex update with a newer "
		       "wimlib "
		       "repairs them",
		       wim->image.path, a->edit.rejected);
	return 0;
}

static uint64_t space_needed(const struct append *a)
{
	uint64_t need = 1024 * 1024 + 2 * a->wim->xml.len + MAX_INTEGRITY / 1024 +
			(a->wim->blobs.len + a->edit.contents.len) * WIM_BLOB_SIZE;

	vec_foreach (content, &a->edit.contents)
		need += content->size;
	for (size_t i = 0; i < a->wim->image.infos.len; i++)
		need += a->metadata[i].len;
	return need;
}

/* ---- appending
 * -------------------------------------------------------------------------- */

static int put(struct append *a, struct bytes data, struct error *err)
{
	if (file_write_at(a->part->fd, data.data, data.len, a->at, a->part->path, err) <
	    0)
		return -1;
	a->at += data.len;
	return 0;
}

static int sync_file(const struct append *a, struct error *err)
{
	if (fsync(a->part->fd) < 0)
		return error_errno(err, a->part->path, "cannot sync");
	return 0;
}

/* The new contents, then the metadata of the edited images. */
static int put_contents(struct append *a, struct error *err)
{
	size_t images = a->wim->image.infos.len, count = a->edit.contents.len;
	struct wim_packing *item;

	a->items = xcalloc(count + images + 1, sizeof(*a->items));
	item = a->items;
	vec_foreach (content, &a->edit.contents)
		(item++)->source =
			(struct wim_source){.node = content->node, .size = content->size};
	for (size_t i = 0; i < images; i++) {
		if (!a->changes[i])
			continue;
		item->flags = WIM_RESOURCE_METADATA;
		item->source = (struct wim_source){.bytes = buffer_view(&a->metadata[i]),
						   .size = a->metadata[i].len};
		item++;
	}
	return wim_pack(a->part->fd, a->part->path, &a->part->header, &a->at, a->items,
			(size_t)(item - a->items), err);
}

/*
 * The new count of references. Only what was counted in the edited images changes: the
 * table's own counts are not trusted to say that nothing else needs a blob.
 */
static uint32_t references(const struct append *a, size_t i, bool all_edited)
{
	int64_t before = a->edit.before[i], after = a->edit.after[i], sum;

	sum = (int64_t)a->wim->blobs.items[i].references + after - before;
	if (all_edited)
		sum = after;
	else if (sum < after || sum < 1)
		sum = after ? after : 1;
	return sum > UINT32_MAX ? UINT32_MAX : (uint32_t)sum;
}

static void build_blob_table(const struct append *a, struct buffer *out)
{
	const struct wim *wim = a->wim;
	const struct wim_packing *item = a->items,
				 *metadata = item + a->edit.contents.len;
	uint8_t raw[WIM_BLOB_SIZE];
	bool all_edited = true;
	size_t image = 0;

	for (size_t i = 0; i < wim->image.infos.len; i++)
		all_edited &= a->changes[i] != NULL;
	for (size_t i = 0; i < wim->blobs.len; i++) {
		struct wim_blob blob = wim->blobs.items[i];

		if (image < wim->metadata.len && wim->metadata.items[image] == i) {
			if (a->changes[image]) {
				blob.resource = metadata->resource;
				hash_sha1(metadata->source.bytes, blob.hash);
				metadata++;
			}
			image++;
		} else if (a->edit.before[i] != a->edit.after[i]) {
			blob.references = references(a, i, all_edited);
			if (!blob.references)
				continue;
		}
		wim_blob_write(&blob, raw);
		buffer_append(out, raw, sizeof(raw));
	}
	vec_foreach (content, &a->edit.contents) {
		struct wim_blob blob = {.resource = (item++)->resource,
					.part = a->part->header.part,
					.references = content->references};

		memcpy(blob.hash, content->hash, WIM_HASH_SIZE);
		wim_blob_write(&blob, raw);
		buffer_append(out, raw, sizeof(raw));
	}
}

/* Blob table and XML data. Their resources are stored, marked as metadata. */
static int put_tables(struct append *a, struct buffer *xml, struct error *err)
{
	_cleanup_buffer_ struct buffer table = BUFFER_INIT;
	const struct wim_packing *metadata = a->items + a->edit.contents.len;
	struct wim_header *h = &a->header;

	build_blob_table(a, &table);
	h->blobs =
		(struct wim_resource){a->at, table.len, table.len, WIM_RESOURCE_METADATA};
	if (put(a, buffer_view(&table), err) < 0 ||
	    wim_xml_update(a->wim, a->changes, a->at, xml, err) < 0)
		return -1;
	h->xml = (struct wim_resource){a->at, xml->len, xml->len, WIM_RESOURCE_METADATA};
	if (put(a, buffer_view(xml), err) < 0)
		return -1;
	for (size_t i = 0; i < a->wim->image.infos.len; i++) {
		if (!a->changes[i])
			continue;
		if (i + 1 == h->boot_index)
			h->boot_metadata = metadata->resource;
		metadata++;
	}
	if (a->wim->fresh_copy) { /* another file than its source: another identity */
		_cleanup_buffer_ struct buffer seed = BUFFER_INIT;

		buffer_append(&seed, h->guid.bytes, sizeof(h->guid.bytes));
		buffer_append(&seed, table.data, table.len);
		buffer_append(&seed, xml->data, xml->len);
		h->guid = guid_from(buffer_view(&seed));
		h->flags &= ~(uint32_t)WIM_READ_ONLY;
	}
	return 0;
}

/* ---- the integrity table
 * ------------------------------------------------------------------ */

static int chunk_hash(const struct append *a, uint64_t at, uint64_t len, uint8_t *hash,
		      struct error *err)
{
	_cleanup_free_ uint8_t *piece = xmalloc(COPY_SIZE);
	struct hash_stream *stream = hash_sha1_begin();
	int result = 0;

	while (len && result == 0) {
		size_t n = len < COPY_SIZE ? (size_t)len : COPY_SIZE;

		result = interrupted() ? error_interrupted(err)
				       : wim_pread(a->part, at, piece, n, err);
		if (result == 0)
			hash_stream_add(stream, piece, n);
		at += n;
		len -= n;
	}
	hash_sha1_end(stream, hash);
	return result;
}

/*
 * A WIM that has an integrity table gets a new one: SHA-1 of each chunk from behind the
 * header to the end of the blob table. Chunks that lie before the old end keep theirs.
 */
static int put_integrity(struct append *a, struct error *err)
{
	const struct wim_header *old = &a->part->header;
	_cleanup_buffer_ struct buffer before = BUFFER_INIT, out = BUFFER_INIT;
	uint64_t old_len = old->blobs.offset + old->blobs.size - WIM_HEADER_SIZE;
	uint64_t len = a->header.blobs.offset + a->header.blobs.size - WIM_HEADER_SIZE;
	uint32_t chunk = INTEGRITY_CHUNK, known = 0;
	uint64_t count;

	if (!old->integrity.size)
		return 0;
	if (wim_resource_load(a->wim, 0, &old->integrity, MAX_INTEGRITY, &before,
			      "the integrity table", err) < 0)
		return -1;
	if (before.len >= INTEGRITY_HEADER) {
		uint32_t size = get_le32(before.data + 8);
		uint64_t full = size ? old_len / size : 0;

		if (size >= INTEGRITY_MIN_CHUNK && size <= INTEGRITY_MAX_CHUNK &&
		    full <= (before.len - INTEGRITY_HEADER) / WIM_HASH_SIZE) {
			chunk = size;
			known = (uint32_t)full;
		}
	}
	count = len / chunk + (len % chunk != 0);
	buffer_append_le32(&out, (uint32_t)(INTEGRITY_HEADER + count * WIM_HASH_SIZE));
	buffer_append_le32(&out, (uint32_t)count);
	buffer_append_le32(&out, chunk);
	for (uint64_t i = 0; i < count; i++) {
		uint8_t hash[WIM_HASH_SIZE];
		uint64_t at = i * chunk, n = len - at < chunk ? len - at : chunk;

		progress_report("writing the integrity table", i, count);
		if (i < known)
			memcpy(hash, before.data + INTEGRITY_HEADER + i * WIM_HASH_SIZE,
			       sizeof(hash));
		else if (chunk_hash(a, WIM_HEADER_SIZE + at, n, hash, err) < 0)
			return -1;
		buffer_append(&out, hash, sizeof(hash));
	}
	a->header.integrity = (struct wim_resource){
		a->at, out.len, out.len, old->integrity.flags & ~WIM_RESOURCE_COMPRESSED};
	return put(a, buffer_view(&out), err);
}

/* ---- the switch
 * --------------------------------------------------------------------------- */

/* One write makes the new state valid. */
static int switch_header(struct append *a, struct error *err)
{
	uint8_t raw[WIM_HEADER_SIZE];

	wim_header_write(&a->header, raw);
	if (file_write_at(a->part->fd, raw, sizeof(raw), 0, a->part->path, err) == 0)
		return 0;
	wim_header_write(&a->part->header, raw);
	(void)file_write_at(a->part->fd, raw, sizeof(raw), 0, a->part->path, NULL);
	return -1;
}

static int append(struct append *a, struct buffer *xml, struct error *err)
{
	uint8_t mark[WIM_MARK_SIZE];

	wim_append_mark(&a->part->header, a->start, mark);
	a->at = a->start;
	if (put(a, (struct bytes){mark, sizeof(mark)}, err) < 0 ||
	    sync_file(a, err) < 0 || put_contents(a, err) < 0 ||
	    put_tables(a, xml, err) < 0 || put_integrity(a, err) < 0)
		return -1;
	/* What lay behind the old end may reach behind the new one. */
	if (a->at < a->part->size && ftruncate(a->part->fd, (off_t)a->at) < 0)
		return error_errno(err, a->part->path, "cannot set its size");
	if (interrupted())
		return error_interrupted(err);
	if (sync_file(a, err) < 0)
		return -1;
	return switch_header(a, err);
}

/* Takes the file back to what it was, with the bytes that lay behind its end. */
static void undo(const struct append *a, const struct buffer *tail)
{
	if (ftruncate(a->part->fd, (off_t)a->start) == 0 && tail->len)
		(void)file_write_at(a->part->fd, tail->data, tail->len, a->start,
				    a->part->path, NULL);
}

static int run(struct append *a, uint64_t *bytes_written, struct error *err)
{
	_cleanup_buffer_ struct buffer xml = BUFFER_INIT, tail = BUFFER_INIT;
	struct wim *wim = a->wim;

	if (plan(a, err) < 0 ||
	    file_check_space(wim->image.path, space_needed(a), err) < 0)
		return -1;
	if (a->part->size > a->start) {
		size_t len = (size_t)(a->part->size - a->start);

		if (wim_pread(a->part, a->start, buffer_reserve(&tail, len), len, err) <
		    0)
			return -1;
		tail.len = len;
	}
	if (append(a, &xml, err) < 0) {
		undo(a, &tail);
		return -1;
	}
	a->part->header = a->header;
	a->part->size = a->at;
	*bytes_written = a->at - a->start;
	buffer_free(&wim->xml);
	wim->xml = xml;
	xml = (struct buffer)BUFFER_INIT;
	if (sync_file(a, err) < 0)
		return -1;
	return wim_load(wim, err);
}

int wim_commit(struct image *image, const struct image_commit_options *options,
	       uint64_t *bytes_written, struct error *err)
{
	struct wim *wim = (struct wim *)image;
	size_t images = image->infos.len;
	struct append a = {.wim = wim};
	int result;

	if (options->output)
		return wim_commit_output(wim, options, bytes_written, err);
	if (options->esd) {
		error_set(err, ERROR_USAGE, image->path,
			  "an ESD is written as a new file only");
		return error_remedy(err, "give --output=FILE.esd");
	}
	a.part = &wim->parts.items[0];
	a.header = a.part->header;
	a.start = wim_end(wim);
	a.edit.wim = wim;
	a.edit.before = xcalloc(wim->blobs.len + 1, sizeof(*a.edit.before));
	a.edit.after = xcalloc(wim->blobs.len + 1, sizeof(*a.edit.after));
	a.counts = xcalloc(images + 1, sizeof(*a.counts));
	a.changes = xcalloc(images + 1, sizeof(*a.changes));
	a.metadata = xcalloc(images + 1, sizeof(*a.metadata));
	result = run(&a, bytes_written, err);
	forget_metadata(wim);
	for (size_t i = 0; i < images; i++)
		buffer_free(&a.metadata[i]);
	free(a.metadata);
	free(a.changes);
	free(a.counts);
	free(a.edit.before);
	free(a.edit.after);
	vec_free(&a.edit.contents);
	free(a.items);
	return result;
}
