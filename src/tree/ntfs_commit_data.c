/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The content of files on an NTFS volume. All of it is written first, to clusters that
 * are free, in one go and in order: a journal below then lets it pass straight through,
 * and the metadata that leads to it comes afterwards. Content that an MFT record can hold
 * is put there.
 */
#include <errno.h>

/* libntfs-3g's other headers need it first. */
#include "tree/ntfs_commit.h"

#include <ntfs-3g/bitmap.h>
#include <ntfs-3g/ea.h>
#include <ntfs-3g/reparse.h>
#include <ntfs-3g/runlist.h>

#include "base/progress.h"
#include "base/text.h"

#define WRITE_CHUNK (1024u * 1024)
#define BITMAP_CHUNK (256u * 1024)
/* What an MFT record holds besides content: its head, $STANDARD_INFORMATION, one name. */
#define RECORD_REST 280
/* The head of a resident attribute; that of a non-resident one with a few runs. */
#define RESIDENT_HEAD 24
#define NONRESIDENT_ROOM 120
/* A $FILE_NAME: head, fixed part; a short name in whole. */
#define NAME_HEAD 96
#define SHORT_NAME_ROOM 120
/* Named streams up to this size are copied through memory at once. */
#define STREAM_CHUNK (256u * 1024)
/* NT's own limit of all extended attributes of a file. */
#define MAX_EA 65536
#define EA_HEAD 8
/* NTFS drops these when a file is written to ([MS-FSA]): verdicts on the old content. */
#define EA_PURGED "$KERNEL.PURGE."

struct run {
	LCN lcn;
	s64 length;
};
DEFINE_VEC(run_list, struct run);

static void run_list_free(struct run_list *runs)
{
	vec_free(runs);
}

static const char wof_stream[] = "WofCompressedData";

/* ---- allocation -----------------------------------------------------------------------
 */

/* Adds a cluster to the run that ends there. */
static void add_free(struct run_list *runs, LCN lcn)
{
	struct run *last = runs->len ? &runs->items[runs->len - 1] : NULL;

	if (last && last->lcn + last->length == lcn)
		last->length++;
	else
		vec_push(runs, (struct run){lcn, 1});
}

/*
 * Appends the free runs of [from, to). 1 as soon as one has `wanted` clusters: it is the
 * last; 0, -1.
 */
static int find_free(struct ntfs_edit *edit, LCN from, LCN to, s64 wanted,
		     struct run_list *runs, struct error *err)
{
	_cleanup_free_ uint8_t *bits = xmalloc(BITMAP_CHUNK);

	for (LCN lcn = from; lcn < to;) {
		s64 first = lcn / 8, n;

		ntfs_begin(edit->ntfs);
		n = ntfs_attr_pread(edit->volume->lcnbmp_na, first, BITMAP_CHUNK, bits);
		if (n <= 0)
			return ntfs_failed(edit->ntfs, err, "$Bitmap", "cannot read");
		for (; lcn < to && lcn / 8 < first + n; lcn++) {
			uint8_t byte = bits[lcn / 8 - first];

			if (byte == 0xff) {
				lcn |= 7;
				continue;
			}
			if (byte >> (lcn & 7) & 1)
				continue;
			add_free(runs, lcn);
			if (runs->items[runs->len - 1].length >= wanted)
				return 1;
		}
	}
	return 0;
}

static int longest_first(const void *a, const void *b)
{
	const struct run *x = a, *y = b;

	if (x->length != y->length)
		return x->length > y->length ? -1 : 1;
	return x->lcn < y->lcn ? -1 : 1;
}

static int lowest_first(const void *a, const void *b)
{
	const struct run *x = a, *y = b;

	return x->lcn < y->lcn ? -1 : 1;
}

static s64 sum(const struct run_list *runs)
{
	s64 clusters = 0;

	vec_foreach (run, runs)
		clusters += run->length;
	return clusters;
}

/* Leaves `wanted` clusters in as few runs as there can be. */
static void keep_longest(struct run_list *runs, s64 wanted)
{
	size_t n = 0;

	qsort(runs->items, runs->len, sizeof(*runs->items), longest_first);
	for (; wanted > 0; n++) {
		if (runs->items[n].length > wanted)
			runs->items[n].length = wanted;
		wanted -= runs->items[n].length;
	}
	runs->len = n;
	qsort(runs->items, runs->len, sizeof(*runs->items), lowest_first);
}

/*
 * Takes free clusters: the first run that is long enough, else the longest ones. What
 * libntfs-3g keeps for the MFT to grow comes last.
 */
static int allocate(struct ntfs_edit *edit, s64 wanted, struct run_list *runs,
		    struct error *err)
{
	ntfs_volume *volume = edit->volume;
	const LCN zones[][2] = {{volume->mft_zone_end, volume->nr_clusters},
				{0, volume->mft_zone_start},
				{volume->mft_zone_start, volume->mft_zone_end}};
	int found = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(zones) && !found; i++) {
		if (i == 2 && sum(runs) >= wanted)
			break;
		found = find_free(edit, zones[i][0], zones[i][1], wanted, runs, err);
		if (found < 0)
			return -1;
	}
	if (found) {
		runs->items[0] = runs->items[runs->len - 1];
		runs->len = 1;
	} else if (sum(runs) < wanted) {
		error_set(err, ERROR_FAILED, tree_name(edit->tree),
			  "the volume is full: %jd bytes are needed and %jd free",
			  (intmax_t)wanted * volume->cluster_size,
			  (intmax_t)sum(runs) * volume->cluster_size);
		return error_remedy(err, TREE_FULL_REMEDY);
	}
	keep_longest(runs, wanted);
	vec_foreach (run, runs) {
		ntfs_begin(edit->ntfs);
		if (ntfs_bitmap_set_run(volume->lcnbmp_na, run->lcn, run->length) != 0)
			return ntfs_failed(edit->ntfs, err, "$Bitmap", "cannot write");
	}
	if (NVolFreeSpaceKnown(volume))
		volume->free_clusters -= wanted;
	return 0;
}

/* The first `clusters` of the runs as libntfs-3g has them; they are taken off. */
static runlist_element *carve(struct run_list *runs, s64 clusters)
{
	runlist_element *ret = xcalloc(runs->len + 1, sizeof(*ret));
	size_t n = 0, used = 0;
	VCN vcn = 0;

	while (vcn < clusters) {
		struct run *run = &runs->items[used];
		s64 length = run->length;

		if (length > clusters - vcn)
			length = clusters - vcn;
		ret[n++] =
			(runlist_element){.vcn = vcn, .lcn = run->lcn, .length = length};
		vcn += length;
		run->lcn += length;
		run->length -= length;
		used += run->length == 0;
	}
	ret[n] = (runlist_element){.vcn = vcn, .lcn = LCN_ENOENT, .length = 0};
	memmove(runs->items, runs->items + used,
		(runs->len - used) * sizeof(*runs->items));
	runs->len -= used;
	return ret;
}

/* ---- writing -------------------------------------------------------------------------
 */

static bool all_zero(const uint8_t *p, size_t len)
{
	return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}

/*
 * Writes to free clusters. Zeros over zeros are left out: images stay sparse, and reading
 * them costs less than writing.
 */
static int write_clusters(struct ntfs_edit *edit, s64 at, const uint8_t *from, size_t len,
			  const char *path, struct error *err)
{
	ntfs_begin(edit->ntfs);
	if (all_zero(from, len)) {
		if (!edit->there)
			edit->there = xmalloc(WRITE_CHUNK);
		if (ntfs_pread(edit->volume->dev, at, (s64)len, edit->there) ==
			    (s64)len &&
		    all_zero(edit->there, len))
			return 0;
		ntfs_begin(edit->ntfs);
	}
	if (ntfs_pwrite(edit->volume->dev, at, (s64)len, from) != (s64)len)
		return ntfs_failed(edit->ntfs, err, path, "cannot write");
	return 0;
}

static int write_run(struct ntfs_edit *edit, struct overlay_reader *reader,
		     const runlist_element *run, const char *path, struct error *err)
{
	uint8_t *chunk = edit->chunk;
	s64 cluster_size = edit->volume->cluster_size, left = run->length * cluster_size;
	s64 at = run->lcn * cluster_size;

	while (left > 0) {
		size_t len = left < WRITE_CHUNK ? (size_t)left : WRITE_CHUNK;
		ssize_t n;

		if (interrupted())
			return error_interrupted(err);
		n = overlay_read(reader, chunk, len, err);
		if (n < 0)
			return -1;
		/* The rest of the last cluster must not show what was there before. */
		memset(chunk + n, 0, len - (size_t)n);
		if (write_clusters(edit, at, chunk, len, path, err) < 0)
			return -1;
		edit->bytes += (uint64_t)n;
		progress_report("writing files", edit->bytes,
				overlay_bytes(edit->tree->overlay));
		at += (s64)len;
		left -= (s64)len;
	}
	return 0;
}

static int write_node(struct ntfs_edit *edit, const struct overlay *node,
		      const runlist_element *runs, struct error *err)
{
	_cleanup_free_ char *path = overlay_path(node);
	struct overlay_reader reader;
	int result = 0;

	if (!edit->chunk)
		edit->chunk = xmalloc(WRITE_CHUNK);

	if (overlay_open(node, &reader, err) < 0)
		return -1;
	for (; runs->length && result == 0; runs++)
		result = write_run(edit, &reader, runs, path, err);
	overlay_close(&reader);
	return result;
}

uint64_t ntfs_edit_resident_limit(const ntfs_volume *volume)
{
	return volume->mft_record_size - RECORD_REST;
}

static s64 clusters_of(const struct ntfs_edit *edit, const struct overlay *node)
{
	return (s64)((node->size + edit->volume->cluster_size - 1) >>
		     edit->volume->cluster_size_bits);
}

int ntfs_edit_write_contents(struct ntfs_edit *edit, struct error *err)
{
	const struct overlay *top = edit->tree->overlay;
	uint64_t limit = ntfs_edit_resident_limit(edit->volume);
	_cleanup_(run_list_free) struct run_list runs = VEC_INIT;
	s64 total = 0;

	for (const struct overlay *n = top; n; n = overlay_next(n, top))
		if (n->kind == OVERLAY_FILE && n->size > limit)
			total += clusters_of(edit, n);
	if (!total)
		return 0;
	if (allocate(edit, total, &runs, err) < 0)
		return -1;
	for (const struct overlay *n = top; n; n = overlay_next(n, top)) {
		struct ntfs_place *place = n->bound;

		if (n->kind != OVERLAY_FILE || n->size <= limit)
			continue;
		place->runs = carve(&runs, clusters_of(edit, n));
		if (write_node(edit, n, place->runs, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- the unnamed data attribute ------------------------------------------------------
 */

/* Bytes that the base record has left for data. */
static uint32_t room_for_data(const ntfs_inode *inode, const struct overlay *node)
{
	uint32_t room = le32_to_cpu(inode->mrec->bytes_allocated) -
			le32_to_cpu(inode->mrec->bytes_in_use);
	uint32_t names = 0;

	/* Its names come later: they must not push the data out again. */
	if (!inode->mrec->link_count)
		names = NAME_HEAD + ((2 * (uint32_t)utf16_units(node->name) + 7) & ~7u) +
			SHORT_NAME_ROOM;
	return room > names ? room - names : 0;
}

/* Moves other attributes out of the base record until there is room. */
static int make_room(struct ntfs_edit *edit, ntfs_inode *inode, const char *path,
		     struct error *err)
{
	uint32_t used = le32_to_cpu(inode->mrec->bytes_in_use);

	if (le32_to_cpu(inode->mrec->bytes_allocated) - used >= NONRESIDENT_ROOM)
		return 0;
	ntfs_begin(edit->ntfs);
	if ((!NInoAttrList(inode) && ntfs_inode_add_attrlist(inode) != 0) ||
	    ntfs_inode_free_space(inode, NONRESIDENT_ROOM) != 0)
		return ntfs_failed(edit->ntfs, err, path, "no room for the file's data");
	return 0;
}

/* The sizes of a data attribute whose runs are in place. */
static int set_sizes(ntfs_inode *inode, uint64_t size)
{
	ntfs_attr_search_ctx *search = ntfs_attr_get_search_ctx(inode, NULL);
	int result;

	if (!search)
		return -1;
	result = ntfs_attr_lookup(AT_DATA, AT_UNNAMED, 0, CASE_SENSITIVE, 0, NULL, 0,
				  search);
	if (result == 0) {
		search->attr->data_size = cpu_to_sle64((s64)size);
		search->attr->initialized_size = cpu_to_sle64((s64)size);
		ntfs_inode_mark_dirty(search->ntfs_ino);
	}
	ntfs_attr_put_search_ctx(search);
	return result;
}

/* Makes the (empty, resident) data attribute one that has these runs, which it takes. */
static int attach_runs(ntfs_attr *data, runlist_element *runs, s64 allocated,
		       uint64_t size)
{
	if (ntfs_attr_force_non_resident(data) != 0) {
		free(runs);
		return -1;
	}
	free(data->rl);
	data->rl = runs;
	NAttrSetFullyMapped(data);
	data->allocated_size = allocated;
	data->data_size = data->initialized_size = (s64)size;
	return ntfs_attr_update_mapping_pairs(data, 0) != 0 ||
			       set_sizes(data->ni, size) != 0
		       ? -1
		       : 0;
}

static int set_runs(struct ntfs_edit *edit, ntfs_inode *inode, const struct overlay *node,
		    const char *path, struct error *err)
{
	struct ntfs_place *place = node->bound;
	s64 allocated = clusters_of(edit, node) << edit->volume->cluster_size_bits;
	_cleanup_attribute_ ntfs_attr *data = NULL;

	if (make_room(edit, inode, path, err) < 0)
		return -1;
	ntfs_begin(edit->ntfs);
	if (ntfs_attr_add(inode, AT_DATA, AT_UNNAMED, 0, NULL, 0) == 0)
		data = ntfs_attr_open(inode, AT_DATA, AT_UNNAMED, 0);
	if (!data || attach_runs(data, steal_ptr(place->runs), allocated, node->size) < 0)
		return ntfs_failed(edit->ntfs, err, path, "cannot record its data");
	inode->data_size = (s64)node->size;
	inode->allocated_size = allocated;
	return 0;
}

/* Content that was left for the MFT record and does not fit there after all. */
static int write_late(struct ntfs_edit *edit, const struct overlay *node,
		      struct error *err)
{
	_cleanup_(run_list_free) struct run_list runs = VEC_INIT;
	struct ntfs_place *place = node->bound;

	if (allocate(edit, clusters_of(edit, node), &runs, err) < 0)
		return -1;
	place->runs = carve(&runs, clusters_of(edit, node));
	return write_node(edit, node, place->runs, err);
}

static int set_resident(struct ntfs_edit *edit, ntfs_inode *inode,
			const struct overlay *node, const char *path, struct error *err)
{
	_cleanup_free_ uint8_t *value = xcalloc(1, (size_t)node->size + 1);
	struct overlay_reader reader;
	ssize_t n;

	if (overlay_open(node, &reader, err) < 0)
		return -1;
	n = overlay_read(&reader, value, (size_t)node->size, err);
	overlay_close(&reader);
	if (n < 0)
		return -1;
	ntfs_begin(edit->ntfs);
	if (ntfs_attr_add(inode, AT_DATA, AT_UNNAMED, 0, value, n) != 0)
		return ntfs_failed(edit->ntfs, err, path, "cannot record its data");
	inode->data_size = n;
	inode->allocated_size = (n + 7) & ~7;
	return 0;
}

int ntfs_edit_set_content(struct ntfs_edit *edit, ntfs_inode *inode,
			  const struct overlay *node, struct error *err)
{
	_cleanup_free_ char *path = overlay_path(node);
	const struct ntfs_place *place = node->bound;

	if (!place->runs && RESIDENT_HEAD + ((node->size + 7) & ~UINT64_C(7)) <=
				    room_for_data(inode, node))
		return set_resident(edit, inode, node, path, err);
	if (!place->runs && node->size && write_late(edit, node, err) < 0)
		return -1;
	if (!place->runs) {
		ntfs_begin(edit->ntfs);
		if (ntfs_attr_add(inode, AT_DATA, AT_UNNAMED, 0, NULL, 0) != 0)
			return ntfs_failed(edit->ntfs, err, path, "cannot make its data");
		return 0;
	}
	return set_runs(edit, inode, node, path, err);
}

/* ---- what goes with the old content -------------------------------------------------
 */

/* Removes an attribute with its clusters, if it is there. */
static int remove_attribute(struct ntfs_edit *edit, ntfs_inode *inode, ATTR_TYPES type,
			    ntfschar *name, u32 name_len, const char *path,
			    struct error *err)
{
	_cleanup_attribute_ ntfs_attr *attribute = NULL;

	ntfs_begin(edit->ntfs);
	attribute = ntfs_attr_open(inode, type, name, name_len);
	if (!attribute && errno == ENOENT)
		return 0;
	if (!attribute || ntfs_attr_rm(attribute) != 0)
		return ntfs_failed(edit->ntfs, err, path, "cannot remove the old data");
	return 0;
}

static bool is_wof_stream(const ntfschar *name, size_t len)
{
	if (len != strlen(wof_stream))
		return false;
	for (size_t i = 0; i < len; i++)
		if (le16_to_cpu(name[i]) != (unsigned char)wof_stream[i])
			return false;
	return true;
}

/* The extended attributes that outlive a write; len 0: none. */
static int kept_ea(struct ntfs_edit *edit, ntfs_inode *inode, const char *path,
		   struct buffer *ret, bool *dropped, struct error *err)
{
	_cleanup_free_ uint8_t *raw = NULL;
	struct bytes all;
	s64 size = 0;

	*dropped = false;
	ntfs_begin(edit->ntfs);
	raw = ntfs_attr_readall(inode, AT_EA, AT_UNNAMED, 0, &size);
	if (!raw && errno == ENOENT)
		return 0;
	if (!raw || size < 0 || size > MAX_EA)
		return ntfs_failed(edit->ntfs, err, path,
				   "cannot read its extended attributes");
	all = (struct bytes){raw, (size_t)size};
	for (uint32_t at = 0, len = 1; len; at += len) {
		size_t start = ret->len;
		uint32_t whole;

		if (!bytes_le32(all, at, &len) || !bytes_has(all, at, EA_HEAD))
			break;
		whole = EA_HEAD + raw[at + 5] + 1u + get_le16(raw + at + 6);
		if (!bytes_has(all, at, whole) || (len && len < whole))
			return error_set(err, ERROR_FAILED, path,
					 "its extended attributes are damaged");
		if (raw[at + 5] >= strlen(EA_PURGED) &&
		    memcmp(raw + at + EA_HEAD, EA_PURGED, strlen(EA_PURGED)) == 0) {
			*dropped = true;
			continue;
		}
		buffer_append(ret, raw + at, whole);
		/* Each says where the next begins, on disk the last one too. */
		while ((ret->len - start) % 4)
			buffer_append(ret, "", 1);
		put_le32(ret->data + start, (uint32_t)(ret->len - start));
	}
	return 0;
}

static int put_ea(struct ntfs_edit *edit, ntfs_inode *inode, const struct buffer *ea,
		  const char *path, struct error *err)
{
	if (!ea->len)
		return 0;
	ntfs_begin(edit->ntfs);
	if (ntfs_set_ntfs_ea(inode, (const char *)ea->data, ea->len, 0) != 0)
		return ntfs_failed(edit->ntfs, err, path,
				   "cannot write its extended attributes");
	return 0;
}

static int purge_ea(struct ntfs_edit *edit, ntfs_inode *inode, const char *path,
		    struct error *err)
{
	_cleanup_buffer_ struct buffer ea = BUFFER_INIT;
	bool dropped;

	if (kept_ea(edit, inode, path, &ea, &dropped, err) < 0)
		return -1;
	if (!dropped)
		return 0;
	if (remove_attribute(edit, inode, AT_EA, AT_UNNAMED, 0, path, err) < 0 ||
	    remove_attribute(edit, inode, AT_EA_INFORMATION, AT_UNNAMED, 0, path, err) <
		    0)
		return -1;
	return put_ea(edit, inode, &ea, path, err);
}

int ntfs_edit_drop_content(struct ntfs_edit *edit, ntfs_inode *inode, const char *path,
			   struct error *err)
{
	ntfschar name[sizeof(wof_stream) - 1];

	for (size_t i = 0; i < ARRAY_SIZE(name); i++)
		name[i] = cpu_to_le16((unsigned char)wof_stream[i]);
	if (inode->flags & FILE_ATTR_REPARSE_POINT) {
		/* Also the volume's list of reparse points names it. */
		ntfs_begin(edit->ntfs);
		if (ntfs_delete_reparse_index(inode) != 0)
			return ntfs_failed(edit->ntfs, err, path,
					   "cannot remove its reparse point");
		if (remove_attribute(edit, inode, AT_REPARSE_POINT, AT_UNNAMED, 0, path,
				     err) < 0)
			return -1;
	}
	if (remove_attribute(edit, inode, AT_DATA, name, ARRAY_SIZE(name), path, err) <
		    0 ||
	    remove_attribute(edit, inode, AT_DATA, AT_UNNAMED, 0, path, err) < 0 ||
	    purge_ea(edit, inode, path, err) < 0)
		return -1;
	inode->flags &= ~(FILE_ATTR_COMPRESSED | FILE_ATTR_SPARSE_FILE |
			  FILE_ATTR_REPARSE_POINT | FILE_ATTR_ENCRYPTED);
	inode->data_size = inode->allocated_size = 0;
	ntfs_inode_mark_dirty(inode);
	return 0;
}

/* ---- copies --------------------------------------------------------------------------
 */

static int copy_stream(struct ntfs_edit *edit, ntfs_attr *from, ntfs_inode *to,
		       const char *path, struct error *err)
{
	_cleanup_free_ uint8_t *chunk = xmalloc(STREAM_CHUNK);
	_cleanup_attribute_ ntfs_attr *copy = NULL;
	s64 size = from->data_size, at = 0;

	if (ntfs_read_attribute(edit->ntfs, from, chunk,
				size < STREAM_CHUNK ? (size_t)size : 0, 0, path, err) < 0)
		return -1;
	ntfs_begin(edit->ntfs);
	if (ntfs_attr_add(to, AT_DATA, from->name, (u8)from->name_len,
			  size < STREAM_CHUNK ? chunk : NULL,
			  size < STREAM_CHUNK ? size : 0) != 0)
		return ntfs_failed(edit->ntfs, err, path, "cannot copy a named stream");
	if (size < STREAM_CHUNK)
		return 0;
	copy = ntfs_attr_open(to, AT_DATA, from->name, from->name_len);
	while (copy && at < size) {
		s64 n = size - at < STREAM_CHUNK ? size - at : STREAM_CHUNK;

		if (ntfs_read_attribute(edit->ntfs, from, chunk, (size_t)n, (uint64_t)at,
					path, err) < 0)
			return -1;
		ntfs_begin(edit->ntfs);
		if (ntfs_attr_pwrite(copy, at, n, chunk) != n)
			break;
		at += n;
	}
	if (at < size)
		return ntfs_failed(edit->ntfs, err, path, "cannot copy a named stream");
	return 0;
}

int ntfs_edit_copy_streams(struct ntfs_edit *edit, ntfs_inode *from, ntfs_inode *to,
			   const char *path, struct error *err)
{
	_cleanup_buffer_ struct buffer ea = BUFFER_INIT;
	ntfs_attr_search_ctx *search = ntfs_attr_get_search_ctx(from, NULL);
	bool dropped;
	int result = 0;

	while (search && result == 0 &&
	       ntfs_attr_lookup(AT_DATA, NULL, 0, CASE_SENSITIVE, 0, NULL, 0, search) ==
		       0) {
		const ATTR_RECORD *a = search->attr;
		ntfschar *name = (ntfschar *)((u8 *)a + le16_to_cpu(a->name_offset));
		_cleanup_attribute_ ntfs_attr *stream = NULL;

		if (!a->name_length || is_wof_stream(name, a->name_length) ||
		    (a->non_resident && a->lowest_vcn))
			continue;
		ntfs_begin(edit->ntfs);
		stream = ntfs_attr_open(from, AT_DATA, name, a->name_length);
		result = stream ? copy_stream(edit, stream, to, path, err)
				: ntfs_failed(edit->ntfs, err, path,
					      "cannot read a named stream");
	}
	if (search)
		ntfs_attr_put_search_ctx(search);
	if (result < 0 || kept_ea(edit, from, path, &ea, &dropped, err) < 0)
		return -1;
	return put_ea(edit, to, &ea, path, err);
}
