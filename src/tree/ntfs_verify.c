/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A walk over $MFT: what each record in use has on the volume is marked in a map of
 * clusters that is compared with $Bitmap at the end, and read. WOF files are
 * decompressed, which finds damage that reading does not.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

/* libntfs-3g's other headers need it first. */
#include "tree/ntfs_private.h"

#include <ntfs-3g/mft.h>
#include <ntfs-3g/runlist.h>

#include "base/progress.h"
#include "base/text.h"
#include "tree/ntfs_verify.h"
#include "tree/ntfs_wof.h"

#define PIECE ((size_t)1 << 20)
#define REPARSE_HEADER 8
#define MAX_REPARSE (16 * 1024)
/* FILE_NAME_ATTR: where the name's length and the name lie. */
#define NAME_LENGTH 64
#define NAME_NAMESPACE 65
#define NAME_UNITS 66

struct walk {
	struct ntfs *ntfs;
	const struct ntfs_verify_sink *sink;
	uint8_t *used; /* a bit for each cluster that a content has */
	uint64_t clusters, bytes;
	uint64_t free_but_used, crossed; /* clusters, in all */
	char *name;			 /* of the record that is looked at */
	uint8_t *piece;
	struct buffer bitmap;
};

static bool bit(const uint8_t *map, uint64_t i)
{
	return map[i / 8] >> (i % 8) & 1;
}

static void say(struct walk *w, enum ntfs_damage kind, const char *why)
{
	w->sink->damage(w->sink->arg, kind, w->name, why);
}

/* ---- names
 * ------------------------------------------------------------------------------ */

/* The record's first name that is no DOS one. */
static char *record_name(ntfs_inode *inode)
{
	ntfs_attr_search_ctx *ctx = ntfs_attr_get_search_ctx(inode, NULL);
	char *name = NULL;

	while (ctx && ntfs_attr_lookup(AT_FILE_NAME, AT_UNNAMED, 0, CASE_SENSITIVE, 0,
				       NULL, 0, ctx) == 0) {
		size_t len = le32_to_cpu(ctx->attr->value_length);
		const uint8_t *value =
			(const uint8_t *)ctx->attr + le16_to_cpu(ctx->attr->value_offset);
		struct bytes view = {value, len}, units;

		if (ctx->attr->non_resident || len < NAME_UNITS)
			continue;
		units = bytes_at(view, NAME_UNITS, (size_t)value[NAME_LENGTH] * 2);
		if (!units.data)
			continue;
		free(name);
		name = utf16_to_utf8(units.data, units.len);
		if (value[NAME_NAMESPACE] != FILE_NAME_DOS)
			break;
	}
	if (ctx)
		ntfs_attr_put_search_ctx(ctx);
	return name ? name : xasprintf("record %" PRIu64, (uint64_t)inode->mft_no);
}

/* ---- clusters
 * --------------------------------------------------------------------------- */

static void mark_run(struct walk *w, uint64_t first, uint64_t count)
{
	uint64_t crossed = 0, unmarked = 0;

	for (uint64_t i = first; i < first + count; i++) {
		crossed += bit(w->used, i);
		unmarked += !bit(w->bitmap.data, i);
		w->used[i / 8] |= (uint8_t)(1u << (i % 8));
	}
	if (crossed && !w->crossed)
		say(w, NTFS_CROSS_LINKED, "has clusters that another file has, too");
	if (unmarked && !w->free_but_used)
		say(w, NTFS_NOT_IN_BITMAP,
		    "has clusters that $Bitmap says are free: Windows will write over "
		    "them");
	w->crossed += crossed;
	w->free_but_used += unmarked;
}

static void mark_runs(struct walk *w, const runlist_element *runs)
{
	for (; runs && runs->length > 0; runs++) {
		uint64_t first = (uint64_t)runs->lcn, count = (uint64_t)runs->length;

		if (runs->lcn < 0)
			continue; /* a hole */
		if (first >= w->clusters || count > w->clusters - first) {
			say(w, NTFS_DAMAGED_RECORD,
			    "has clusters behind the end of the volume");
			return;
		}
		mark_run(w, first, count);
	}
}

/* ---- contents
 * --------------------------------------------------------------------------- */

static int drop(struct bytes data, void *arg, struct error *err)
{
	*(uint64_t *)arg += data.len;
	return interrupted() ? error_interrupted(err) : 0;
}

/* False if the stream is damaged there, which was said. */
static bool read_range(struct walk *w, ntfs_attr *stream, uint64_t at, uint64_t end)
{
	_cleanup_error_ struct error why = ERROR_INIT;

	for (; at < end && !interrupted(); at += PIECE) {
		size_t n = end - at < PIECE ? (size_t)(end - at) : PIECE;

		if (ntfs_read_attribute(w->ntfs, stream, w->piece, n, at, w->name, &why) <
		    0) {
			say(w, NTFS_DAMAGED_CONTENT, why.reason);
			return false;
		}
		w->bytes += n;
	}
	return true;
}

/* Compressed ones are decoded by libntfs-3g; of others holes are passed over. */
static void read_stream(struct walk *w, ntfs_attr *stream)
{
	uint64_t size = (uint64_t)stream->initialized_size;
	uint64_t cluster = w->ntfs->volume->cluster_size;

	if (!NAttrNonResident(stream) || stream->data_flags & ATTR_COMPRESSION_MASK) {
		(void)read_range(w, stream, 0, size);
		return;
	}
	for (const runlist_element *run = stream->rl; run && run->length > 0; run++) {
		uint64_t from = (uint64_t)run->vcn * cluster;
		uint64_t end = from + (uint64_t)run->length * cluster;

		if (run->lcn >= 0 && from < size &&
		    !read_range(w, stream, from, end < size ? end : size))
			return;
	}
}

struct packed {
	struct ntfs *ntfs;
	ntfs_attr *stream;
	const char *name;
};

static int read_packed(void *arg, void *buf, size_t len, uint64_t offset,
		       struct error *err)
{
	struct packed *p = arg;

	return ntfs_read_attribute(p->ntfs, p->stream, buf, len, offset, p->name, err);
}

static int unpack(struct walk *w, ntfs_inode *inode, ntfs_attr *stream, struct error *why)
{
	_cleanup_attribute_ ntfs_attr *reparse =
		ntfs_attr_open(inode, AT_REPARSE_POINT, AT_UNNAMED, 0);
	struct packed packed = {w->ntfs, stream, w->name};
	struct wof_source source = {.read = read_packed,
				    .arg = &packed,
				    .packed = (uint64_t)stream->data_size,
				    .size = (uint64_t)inode->data_size,
				    .path = w->name};
	uint8_t raw[MAX_REPARSE];
	size_t len;

	if (!reparse || reparse->data_size < REPARSE_HEADER ||
	    reparse->data_size > MAX_REPARSE)
		return error_set(why, ERROR_FAILED, w->name,
				 "its reparse point is damaged");
	len = (size_t)reparse->data_size;
	if (ntfs_read_attribute(w->ntfs, reparse, raw, len, 0, w->name, why) < 0 ||
	    wof_parse((struct bytes){raw + REPARSE_HEADER, len - REPARSE_HEADER},
		      &source.algorithm, w->name, why) < 0)
		return -1;
	return wof_decompress(&source, drop, &w->bytes, why);
}

/* ntfs_attr_open() keeps the name until the attribute is closed. */
static void look_at_stream(struct walk *w, ntfs_inode *inode, ATTR_TYPES type,
			   ntfschar *name, uint32_t name_len)
{
	_cleanup_attribute_ ntfs_attr *stream = NULL;
	_cleanup_error_ struct error why = ERROR_INIT;
	_cleanup_free_ char *text = utf16_to_utf8(name, (size_t)name_len * 2);
	bool bad = inode->mft_no == FILE_BadClus;

	ntfs_begin(w->ntfs);
	stream = ntfs_attr_open(inode, type, name_len ? name : AT_UNNAMED, name_len);
	if (!stream ||
	    (NAttrNonResident(stream) && ntfs_attr_map_whole_runlist(stream))) {
		ntfs_failed(w->ntfs, &why, w->name, "an attribute cannot be read");
		say(w, NTFS_DAMAGED_RECORD, why.reason);
		return;
	}
	if (NAttrNonResident(stream))
		mark_runs(w, stream->rl);
	/* Encrypted ones are read as they are; bad clusters are not to be read. */
	if (bad || type != AT_DATA)
		return;
	if (strcmp(text, "WofCompressedData") == 0 &&
	    ntfs_reparse_tag(inode) == NTFS_TAG_WOF) {
		if (unpack(w, inode, stream, &why) < 0 && !interrupted())
			say(w, NTFS_DAMAGED_CONTENT, why.reason);
	} else if (!(NAttrEncrypted(stream) && !NAttrNonResident(stream))) {
		read_stream(w, stream);
	}
}

/* An attribute as the record lists it, copied: opening one moves the search. */
struct listed {
	ATTR_TYPES type;
	ntfschar *name;
	uint32_t name_len;
};

/* The name of the attribute that the search found; no data if it does not lie in its
 * record. */
static struct bytes attribute_name(const struct walk *w, const ntfs_attr_search_ctx *ctx)
{
	struct bytes record = {(const uint8_t *)ctx->mrec,
			       w->ntfs->volume->mft_record_size};
	size_t at = (size_t)((const uint8_t *)ctx->attr - record.data);
	struct bytes attribute = bytes_at(record, at, le32_to_cpu(ctx->attr->length));

	return bytes_at(attribute, le16_to_cpu(ctx->attr->name_offset),
			(size_t)ctx->attr->name_length * sizeof(ntfschar));
}

static void look_at_inode(struct walk *w, ntfs_inode *inode)
{
	ntfs_attr_search_ctx *ctx = ntfs_attr_get_search_ctx(inode, NULL);
	struct vec_of(struct listed) list = VEC_INIT;

	while (ctx && ntfs_attr_lookup(AT_UNUSED, NULL, 0, CASE_SENSITIVE, 0, NULL, 0,
				       ctx) == 0) {
		const ATTR_RECORD *a = ctx->attr;
		struct bytes name;

		/* Further extents of one attribute come with the first. */
		if (a->non_resident && sle64_to_cpu(a->lowest_vcn))
			continue;
		if (!a->non_resident && a->type != AT_DATA)
			continue;
		name = attribute_name(w, ctx);
		if (!name.data && a->name_length) {
			say(w, NTFS_DAMAGED_RECORD,
			    "an attribute's name lies outside of it");
			continue;
		}
		vec_push(&list,
			 (struct listed){a->type,
					 a->name_length ? xmemdup(name.data, name.len)
							: xcalloc(1, sizeof(ntfschar)),
					 a->name_length});
	}
	if (!ctx || errno != ENOENT)
		say(w, NTFS_DAMAGED_RECORD, "its attributes cannot be listed");
	if (ctx)
		ntfs_attr_put_search_ctx(ctx);
	vec_foreach (item, &list) {
		look_at_stream(w, inode, item->type, item->name, item->name_len);
		free(item->name);
	}
	vec_free(&list);
}

/* ---- records
 * ---------------------------------------------------------------------------- */

/* 1: in use and a base record, 0: not, -1: damaged. */
static int record_kind(struct walk *w, uint64_t number, MFT_RECORD *record)
{
	if (ntfs_mft_record_read(w->ntfs->volume, number, record) < 0)
		return -1;
	if (!(record->flags & MFT_RECORD_IN_USE))
		return 0;
	return !MREF(le64_to_cpu(record->base_mft_record));
}

static void look_at_record(struct walk *w, uint64_t number)
{
	_cleanup_inode_ ntfs_inode *inode = NULL;
	_cleanup_error_ struct error why = ERROR_INIT;

	ntfs_begin(w->ntfs);
	inode = ntfs_inode_open(w->ntfs->volume, number);
	w->name = inode ? record_name(inode) : xasprintf("record %ju", (uintmax_t)number);
	if (inode) {
		look_at_inode(w, inode);
	} else {
		ntfs_failed(w->ntfs, &why, w->name, "cannot be opened");
		say(w, NTFS_DAMAGED_RECORD, why.reason);
	}
	free(steal_ptr(w->name));
}

static int each_record(struct walk *w, struct error *err)
{
	ntfs_volume *volume = w->ntfs->volume;
	uint64_t count = (uint64_t)volume->mft_na->initialized_size >>
			 volume->mft_record_size_bits;
	_cleanup_free_ MFT_RECORD *record = xmalloc(volume->mft_record_size);

	for (uint64_t i = 0; i < count; i++) {
		int kind;

		if (interrupted())
			return error_interrupted(err);
		if (i % 256 == 0)
			progress_report("reading all files", i, count);
		ntfs_begin(w->ntfs);
		kind = record_kind(w, i, record);
		if (kind < 0) {
			w->name = xasprintf("record %ju", (uintmax_t)i);
			say(w, NTFS_DAMAGED_RECORD, "the MFT record is damaged");
			free(steal_ptr(w->name));
		} else if (kind > 0) {
			look_at_record(w, i);
		}
	}
	progress_report("reading all files", count, count);
	return interrupted() ? error_interrupted(err) : 0;
}

static void count_lost(struct walk *w)
{
	uint64_t lost = 0;

	for (uint64_t i = 0; i < w->clusters; i++)
		lost += bit(w->bitmap.data, i) && !bit(w->used, i);
	if (!lost)
		return;
	w->name = xasprintf("%ju clusters", (uintmax_t)lost);
	say(w, NTFS_LOST_CLUSTERS, "are in use by $Bitmap and by no file");
	free(steal_ptr(w->name));
}

int ntfs_verify(struct ntfs *ntfs, const struct ntfs_verify_sink *sink, uint64_t *bytes,
		struct error *err)
{
	struct walk w = {.ntfs = ntfs,
			 .sink = sink,
			 .clusters = (uint64_t)ntfs->volume->nr_clusters};
	int result = ntfs_bitmap(ntfs, &w.bitmap, err);

	if (result == 0) {
		w.used = xcalloc(1, w.bitmap.len + 1);
		w.piece = xmalloc(PIECE);
		result = each_record(&w, err);
	}
	if (result == 0)
		count_lost(&w);
	*bytes += w.bytes;
	buffer_free(&w.bitmap);
	free(w.used);
	free(w.piece);
	return result;
}
