/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A WIM's own tables. Header, blob table and metadata are checked by tree/wim*.c when
 * they are read; here is what only shows when all of it is laid side by side: resources
 * over each other, contents that nothing has, an integrity table that does not fit, an
 * XML that counts something else than there is.
 */
#include "base/hash.h"
#include "base/progress.h"
#include "builder/verify_private.h"
#include "tree/wim.h"

#define INTEGRITY_HEADER 12 /* size, entries, chunk size; then SHA-1s */
#define MAX_INTEGRITY (64u << 20)
#define MAX_INTEGRITY_CHUNK (256u << 20)
#define PIECE ((size_t)1 << 20)
#define ATTR_DIRECTORY 0x10u

/* ---- what lies where ------------------------------------------------------------------
 */

struct extent {
	uint64_t offset, end;
	uint8_t file;
	const char *what;
};
DEFINE_VEC(extents, struct extent);

static int by_place(const void *a, const void *b)
{
	const struct extent *x = a, *y = b;

	if (x->file != y->file)
		return x->file < y->file ? -1 : 1;
	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	return (x->end > y->end) - (x->end < y->end);
}

static void add_extent(struct extents *list, const struct wim_resource *r, size_t file,
		       const char *what)
{
	if (r->size)
		vec_push(list, (struct extent){r->offset, r->offset + r->size,
					       (uint8_t)file, what});
}

static void collect_extents(const struct wim *wim, struct extents *list)
{
	vec_foreach (blob, &wim->blobs)
		if (blob->run == UINT32_MAX || wim_blob_is_run_resource(blob))
			add_extent(list, &blob->resource, blob->file,
				   blob->resource.flags & WIM_RESOURCE_METADATA
					   ? "an image's metadata"
					   : "a content");
	for (size_t i = 0; i < wim->parts.len; i++) {
		const struct wim_header *h = &wim->parts.items[i].header;

		add_extent(list, &h->blobs, i, "the blob table");
		add_extent(list, &h->xml, i, "the XML data");
		add_extent(list, &h->integrity, i, "the integrity table");
	}
}

/* Two names for one resource (the same place and size) are no overlap. */
static void check_overlap(struct verify *v, const struct wim *wim)
{
	struct extents list = VEC_INIT;
	size_t overlaps = 0;

	collect_extents(wim, &list);
	if (list.len)
		qsort(list.items, list.len, sizeof(*list.items), by_place);
	for (size_t i = 0; i + 1 < list.len; i++) {
		const struct extent *a = &list.items[i], *b = a + 1;

		if (a->file != b->file || b->offset >= a->end ||
		    (a->offset == b->offset && a->end == b->end))
			continue;
		if (!overlaps++)
			verify_add(v, "wim_overlap", VERIFY_ERROR,
				   wim->parts.items[a->file].path, VERIFY_COPY_AGAIN,
				   "%s at %ju lies over %s at %ju", b->what,
				   (uintmax_t)b->offset, a->what, (uintmax_t)a->offset);
	}
	vec_free(&list);
}

/* ---- integrity table
 * ------------------------------------------------------------------- */

/* SHA-1s of the bytes from behind the header to the end of the blob table. */
static int check_chunks(struct verify *v, const struct wim_part *part, struct bytes table,
			uint32_t chunk, struct error *err)
{
	uint64_t end = part->header.blobs.offset + part->header.blobs.size;
	_cleanup_free_ uint8_t *piece = xmalloc(PIECE);
	uint64_t at = WIM_HEADER_SIZE;

	for (size_t i = 0; at < end; i++) {
		uint64_t left = end - at < chunk ? end - at : chunk;
		struct hash_stream *hash = hash_sha1_begin();
		uint8_t digest[20];
		int result = 0;

		while (left && result == 0) {
			size_t n = left < PIECE ? (size_t)left : PIECE;

			result = wim_pread(part, at, piece, n, err);
			if (result == 0)
				hash_stream_add(hash, piece, n);
			at += n;
			left -= n;
			progress_report("checking integrity", at, end);
		}
		hash_sha1_end(hash, digest);
		if (result < 0 || interrupted())
			return result < 0 ? -1 : error_interrupted(err);
		if (memcmp(digest, table.data + INTEGRITY_HEADER + i * 20, 20) != 0)
			verify_add(v, "wim_integrity", VERIFY_ERROR, part->path,
				   VERIFY_COPY_AGAIN,
				   "part %zu of its integrity table (%u bytes each) does "
				   "not have the hash noted for it",
				   i, chunk);
	}
	return 0;
}

static int check_integrity(struct verify *v, struct wim *wim, size_t i, struct error *err)
{
	const struct wim_part *part = &wim->parts.items[i];
	_cleanup_buffer_ struct buffer table = BUFFER_INIT;
	_cleanup_error_ struct error why = ERROR_INIT;
	uint64_t covered = part->header.blobs.offset + part->header.blobs.size;
	uint32_t size = 0, count = 0, chunk = 0;

	if (!part->header.integrity.size)
		return 0;
	if (wim_resource_load(wim, i, &part->header.integrity, MAX_INTEGRITY, &table,
			      "the integrity table", &why) < 0) {
		verify_add_error(v, "wim_integrity_table", VERIFY_WARNING, part->path,
				 VERIFY_COPY_AGAIN, &why);
		return 0;
	}
	if (!bytes_le32(buffer_view(&table), 0, &size) ||
	    !bytes_le32(buffer_view(&table), 4, &count) ||
	    !bytes_le32(buffer_view(&table), 8, &chunk) || !chunk ||
	    chunk > MAX_INTEGRITY_CHUNK || size > table.len ||
	    size != INTEGRITY_HEADER + (uint64_t)count * 20 ||
	    count != (covered - WIM_HEADER_SIZE + chunk - 1) / chunk) {
		verify_add(v, "wim_integrity_table", VERIFY_WARNING, part->path,
			   "write it anew: wimlib-imagex optimize --check",
			   "its integrity table does not fit the file: it was changed "
			   "without it");
		return 0;
	}
	verify_checked(v, "integrity table");
	return v->options->deep ? check_chunks(v, part, buffer_view(&table), chunk, err)
				: 0;
}

/* ---- images
 * ---------------------------------------------------------------------------- */

struct walk {
	const struct wim *wim;
	const struct wim_node *node; /* the one that is looked at */
	char *first;		     /* path of the first without content */
	size_t missing;
	struct wim_counts counts;
};

static void look_up(const uint8_t *hash, void *arg)
{
	struct walk *walk = arg;

	if (wim_hash_is_zero(hash) || wim_blob_find(walk->wim, hash))
		return;
	if (!walk->missing++)
		walk->first = wim_node_path(walk->node);
}

/* Every entry, without recursion: a hostile tree may be as deep as it has entries. */
static void walk_nodes(struct walk *walk, struct wim_node *root)
{
	struct vec_of(struct wim_node *) left = VEC_INIT;

	vec_push(&left, root);
	while (left.len) {
		struct wim_node *node = left.items[--left.len];

		walk->node = node;
		wim_node_hashes(node, look_up, walk);
		if (wim_node_attributes(node) & ATTR_DIRECTORY)
			walk->counts.folders++;
		else
			walk->counts.files++;
		for (uint32_t i = node->child_count; i-- > 0;)
			vec_push(&left, node->children[i]);
	}
	vec_free(&left);
}

/* Writers count the root or not. */
static void check_counts(struct verify *v, const struct wim *wim, size_t i,
			 const struct wim_counts *found)
{
	struct wim_counts noted;
	int64_t folders;

	if (!wim_xml_counts(wim, (unsigned)i + 1, &noted))
		return;
	folders = found->folders - noted.folders;
	if (noted.files == found->files && folders >= 0 && folders <= 1)
		return;
	verify_add(v, "wim_xml_counts", VERIFY_NOTE, wim->image.path,
		   "nothing: programs only show it",
		   "its XML counts %jd files and %jd folders, and there are %jd and %jd",
		   (intmax_t)noted.files, (intmax_t)noted.folders, (intmax_t)found->files,
		   (intmax_t)found->folders);
}

static int check_image(struct verify *v, struct wim *wim, size_t i, struct error *err)
{
	struct walk walk = {.wim = wim};
	struct tree *tree = image_tree(&wim->image, i, NULL);
	struct wim_metadata *metadata;

	if (!tree)
		return 0; /* said when its Windows is looked at */
	metadata = wim_tree_metadata((struct wim_tree *)tree, err);
	if (!metadata)
		return -1;
	walk_nodes(&walk, metadata->root);
	if (walk.missing)
		verify_add(v, "wim_content_missing", VERIFY_ERROR, walk.first,
			   "join it with the WIM that it was made from: wimlib-imagex "
			   "export --ref",
			   "its content is not in the WIM%s",
			   walk.missing > 1 ? ", nor that of other files" : "");
	free(walk.first);
	check_counts(v, wim, i, &walk.counts);
	return 0;
}

int verify_wim(struct verify *v, struct image *image,
	       const struct image_positions *positions, struct error *err)
{
	struct wim *wim = (struct wim *)image;
	_cleanup_error_ struct error why = ERROR_INIT;

	check_overlap(v, wim);
	if (wim_xml_is_sound(wim, &why) < 0)
		verify_add_error(v, "wim_xml", VERIFY_WARNING, image_path(image),
				 "write a new WIM with wimlib-imagex export", &why);
	for (size_t i = 0; i < wim->parts.len; i++)
		if (check_integrity(v, wim, i, err) < 0)
			return -1;
	vec_foreach (position, positions) {
		v->index = image_info(image, *position)->index;
		if (check_image(v, wim, *position, err) < 0)
			return -1;
	}
	v->index = 0;
	verify_checked(v, "header, blob table (%zu entries), XML and metadata",
		       wim->blobs.len);
	return 0;
}
