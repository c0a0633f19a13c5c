/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * File records of a new volume. A record that cannot hold all attributes keeps the first
 * ones; the others go to extension records, which an attribute list names. Extension
 * records get numbers behind all files and are written last.
 */
#include "tree/ntfs_build.h"

#include "base/text.h"

#define RECORD_USA 0x30u
#define RECORD_SEQUENCE 16
#define RESIDENT_HEADER 24u
#define NON_RESIDENT_HEADER 64u
#define SPARSE_HEADER 72u
#define LIST_ENTRY 26u
/* Bytes of runs in one attribute; longer ones are cut into several. */
#define MAX_RUN_BYTES 400u
#define MAX_LIST (256u * 1024) /* as Windows */
#define LIST_IN_RECORD 200u

static unsigned record_header(const struct ntfs_build *b)
{
	return (unsigned)ntfs_align8(RECORD_USA + 2 * (b->record_size / NTFS_SECTOR + 1));
}

size_t ntfs_record_room(const struct ntfs_build *b)
{
	return b->record_size - record_header(b) - 8;
}

/* ---- runs
 * -------------------------------------------------------------------------- */

static unsigned bytes_of(int64_t v)
{
	unsigned n = 1;

	while (n < 8 &&
	       (v < -(INT64_C(1) << (8 * n - 1)) || v >= INT64_C(1) << (8 * n - 1)))
		n++;
	return n;
}

/* Encodes a run behind one that began at *lcn; returns its bytes (at most 17). */
static size_t encode_run(const struct ntfs_run *run, uint64_t *lcn, uint8_t *to)
{
	unsigned n = bytes_of((int64_t)run->count), m = 0;
	int64_t delta;

	for (unsigned i = 0; i < n; i++)
		to[1 + i] = (uint8_t)(run->count >> 8 * i);
	if (run->lcn != NTFS_HOLE) {
		delta = (int64_t)(run->lcn - *lcn);
		m = bytes_of(delta);
		for (unsigned i = 0; i < m; i++)
			to[1 + n + i] = (uint8_t)((uint64_t)delta >> 8 * i);
		*lcn = run->lcn;
	}
	to[0] = (uint8_t)(m << 4 | n);
	return 1 + n + m;
}

/* Bytes of the runs with the zero at their end; stops at *count runs or MAX_RUN_BYTES. */
static size_t encode_runs(const struct ntfs_run *runs, size_t *count, uint8_t *to)
{
	uint64_t lcn = 0;
	size_t len = 0, i;

	for (i = 0; i < *count && len + 17 < MAX_RUN_BYTES; i++)
		len += encode_run(&runs[i], &lcn, to + len);
	*count = i;
	to[len++] = 0;
	return len;
}

/* ---- attributes
 * --------------------------------------------------------------------- */

/* A piece of an attribute as it is in one record. */
struct part {
	const struct ntfs_attr *attr;
	size_t first_run, run_count;
	uint64_t first_vcn;
	size_t bytes;
	uint32_t record; /* which one it is in */
	uint16_t instance;
};
DEFINE_VEC(parts, struct part);

static size_t name_bytes(const struct ntfs_attr *a)
{
	return a->name ? 2 * utf16_units(a->name) : 0;
}

static size_t non_resident_header(const struct ntfs_attr *a)
{
	return a->flags & (NTFS_AF_SPARSE | NTFS_AF_COMPRESSED) ? SPARSE_HEADER
								: NON_RESIDENT_HEADER;
}

static size_t part_bytes(const struct part *p)
{
	const struct ntfs_attr *a = p->attr;
	uint8_t runs[MAX_RUN_BYTES + 32];
	size_t count = p->run_count;

	if (!a->non_resident)
		return ntfs_align8(RESIDENT_HEADER + name_bytes(a)) +
		       ntfs_align8(a->value.len);
	return ntfs_align8(non_resident_header(a) + name_bytes(a)) +
	       ntfs_align8(encode_runs(a->runs + p->first_run, &count, runs));
}

size_t ntfs_attr_size(const struct ntfs_attr *attr)
{
	struct part p = {.attr = attr, .run_count = attr->run_count};

	return part_bytes(&p);
}

static void put_resident(const struct ntfs_attr *a, uint8_t *p)
{
	size_t at = ntfs_align8(RESIDENT_HEADER + name_bytes(a));

	put_le32(p + 16, (uint32_t)a->value.len);
	put_le16(p + 20, (uint16_t)at);
	p[22] = a->indexed;
	if (a->value.len)
		memcpy(p + at, a->value.data, a->value.len);
}

static void put_non_resident(const struct part *part, uint8_t *p)
{
	const struct ntfs_attr *a = part->attr;
	size_t header = non_resident_header(a), count = part->run_count;
	size_t at = ntfs_align8(header + name_bytes(a));
	uint64_t all = 0, real = 0, here = 0;

	for (size_t i = 0; i < a->run_count; i++) {
		all += a->runs[i].count;
		real += a->runs[i].lcn == NTFS_HOLE ? 0 : a->runs[i].count;
	}
	for (size_t i = 0; i < part->run_count; i++)
		here += a->runs[part->first_run + i].count;
	put_le64(p + 16, part->first_vcn);
	put_le64(p + 24, part->first_vcn + here - 1);
	put_le16(p + 32, (uint16_t)at);
	if (!part->first_vcn) {
		put_le64(p + 40, all * NTFS_CLUSTER);
		put_le64(p + 48, a->size);
		put_le64(p + 56, a->initialized);
		if (header == SPARSE_HEADER)
			put_le64(p + 64, real * NTFS_CLUSTER);
	}
	encode_runs(a->runs + part->first_run, &count, p + at);
}

static void put_part(const struct part *part, uint8_t *p)
{
	const struct ntfs_attr *a = part->attr;
	size_t header = a->non_resident ? non_resident_header(a) : RESIDENT_HEADER;
	_cleanup_buffer_ struct buffer name = BUFFER_INIT;

	if (a->name)
		utf16_append(&name, a->name);
	put_le32(p, a->type);
	put_le32(p + 4, (uint32_t)part->bytes);
	p[8] = a->non_resident;
	p[9] = (uint8_t)(name.len / 2);
	put_le16(p + 10, (uint16_t)header);
	put_le16(p + 12, a->flags);
	put_le16(p + 14, part->instance);
	if (name.len)
		memcpy(p + header, name.data, name.len);
	if (a->non_resident)
		put_non_resident(part, p);
	else
		put_resident(a, p);
}

static int compare_parts(const void *a, const void *b)
{
	const struct part *x = a, *y = b;
	_cleanup_buffer_ struct buffer m = BUFFER_INIT, n = BUFFER_INIT;
	int order;

	if (x->attr->type != y->attr->type)
		return x->attr->type < y->attr->type ? -1 : 1;
	utf16_append(&m, x->attr->name ? x->attr->name : "");
	utf16_append(&n, y->attr->name ? y->attr->name : "");
	order = ntfs_order_names(buffer_view(&m), buffer_view(&n), true);
	if (order)
		return order;
	if (x->attr != y->attr)
		return x->attr < y->attr ? -1 : 1;
	return (x->first_vcn > y->first_vcn) - (x->first_vcn < y->first_vcn);
}

/* ---- records
 * ------------------------------------------------------------------------ */

/* Makes a record of those parts that are in it. `extension`: 0 for the base record. */
static void make_record(const struct ntfs_build *b, const struct ntfs_record *record,
			const struct parts *parts, uint32_t number, uint8_t *raw)
{
	size_t at = record_header(b);
	bool base = number == record->number;
	unsigned instances = 0;

	memset(raw, 0, b->record_size);
	memcpy(raw, "FILE", 4);
	put_le16(raw + RECORD_SEQUENCE, base ? record->sequence : 1);
	put_le16(raw + 18, base ? record->links : 0);
	put_le16(raw + 20, (uint16_t)at);
	put_le16(raw + 22, base ? record->flags : NTFS_RECORD_IN_USE);
	put_le32(raw + 28, b->record_size);
	if (!base)
		put_le64(raw + 32, (uint64_t)record->sequence << 48 | record->number);
	put_le32(raw + 44, number);
	vec_foreach (part, parts) {
		if (part->record != number)
			continue;
		put_part(part, raw + at);
		at += part->bytes;
		if (part->instance >= instances)
			instances = part->instance + 1u;
	}
	put_le16(raw + 40, (uint16_t)instances);
	put_le32(raw + at, UINT32_MAX);
	put_le32(raw + 24, (uint32_t)at + 8);
	ntfs_protect(raw, b->record_size, RECORD_USA);
}

/* Attributes as parts: long runs in several. */
static void split(const struct ntfs_record *record, struct parts *parts)
{
	vec_foreach (attr, &record->attrs) {
		struct part p = {.attr = attr, .record = UINT32_MAX};

		do {
			uint8_t runs[MAX_RUN_BYTES + 32];

			p.run_count = attr->run_count - p.first_run;
			if (attr->non_resident)
				encode_runs(attr->runs + p.first_run, &p.run_count, runs);
			p.bytes = part_bytes(&p);
			vec_push(parts, p);
			for (size_t i = 0; i < p.run_count; i++)
				p.first_vcn += attr->runs[p.first_run + i].count;
			p.first_run += p.run_count;
		} while (p.first_run < attr->run_count);
	}
	qsort(parts->items, parts->len, sizeof(*parts->items), compare_parts);
}

static size_t list_entry_bytes(const struct part *p)
{
	return ntfs_align8(LIST_ENTRY + name_bytes(p->attr));
}

/* What a base record keeps before all else. */
static bool is_first(const struct part *p)
{
	uint32_t type = p->attr->type;

	return type == NTFS_AT_STANDARD || type == NTFS_AT_INDEX_ROOT ||
	       (type == NTFS_AT_DATA && !p->attr->name && !p->first_vcn);
}

/* Gives the parts their records: first those that must stay, then by order. */
static void spread(struct ntfs_build *b, const struct ntfs_record *record,
		   struct parts *parts, size_t list_bytes)
{
	size_t room = ntfs_record_room(b) - list_bytes;
	uint32_t number = record->number;
	uint16_t instance = 1; /* 0 is the list's */

	vec_foreach (part, parts) {
		if (!is_first(part))
			continue;
		part->record = number;
		part->instance = instance++;
		room -= part->bytes;
	}
	vec_foreach (part, parts) {
		if (part->record != UINT32_MAX)
			continue;
		if (part->bytes > room) {
			number = b->base_records + (uint32_t)b->extensions.len;
			vec_push(&b->extensions, NULL);
			room = ntfs_record_room(b);
			instance = 0;
		}
		part->record = number;
		part->instance = instance++;
		room -= part->bytes;
	}
}

static void make_list(const struct ntfs_record *record, const struct parts *parts,
		      struct buffer *list)
{
	vec_foreach (part, parts) {
		_cleanup_buffer_ struct buffer name = BUFFER_INIT;
		size_t len = list_entry_bytes(part);
		uint64_t sequence = part->record == record->number ? record->sequence : 1;
		uint8_t *p = buffer_reserve(list, len);

		memset(p, 0, len);
		if (part->attr->name)
			utf16_append(&name, part->attr->name);
		put_le32(p, part->attr->type);
		put_le16(p + 4, (uint16_t)len);
		p[6] = (uint8_t)(name.len / 2);
		p[7] = LIST_ENTRY;
		put_le64(p + 8, part->first_vcn);
		put_le64(p + 16, sequence << 48 | part->record);
		put_le16(p + 24, part->instance);
		if (name.len)
			memcpy(p + LIST_ENTRY, name.data, name.len);
		list->len += len;
	}
}

static int place_list(struct ntfs_build *b, const struct buffer *list,
		      struct ntfs_attr *attr, struct ntfs_run *run, struct error *err)
{
	attr->type = NTFS_AT_LIST;
	if (list->len <= LIST_IN_RECORD) {
		attr->value = buffer_view(list);
		return 0;
	}
	attr->non_resident = true;
	attr->size = attr->initialized = list->len;
	run->count = ntfs_clusters_of(list->len);
	attr->runs = run;
	attr->run_count = 1;
	if (ntfs_allocate(b, run->count, &run->lcn, err) < 0)
		return -1;
	return ntfs_output_write(&b->out, run->lcn * NTFS_CLUSTER, buffer_view(list),
				 err);
}

/* The record in several. */
static int write_extended(struct ntfs_build *b, struct ntfs_record *record,
			  struct parts *parts, struct error *err)
{
	_cleanup_buffer_ struct buffer list = BUFFER_INIT;
	size_t first = b->extensions.len, list_bytes = 0, room;
	struct ntfs_attr attr = {0};
	struct ntfs_run run = {0};
	uint8_t raw[NTFS_MAX_RECORD];

	vec_foreach (part, parts)
		list_bytes += list_entry_bytes(part);
	if (list_bytes > MAX_LIST)
		return error_set(err, ERROR_FAILED, b->files->name,
				 "a file has more names and streams than NTFS can hold");
	room = list_bytes <= LIST_IN_RECORD ? RESIDENT_HEADER + list_bytes
					    : NON_RESIDENT_HEADER + 24;
	spread(b, record, parts, room);
	make_list(record, parts, &list);
	if (place_list(b, &list, &attr, &run, err) < 0)
		return -1;
	vec_push(parts, (struct part){.attr = &attr,
				      .run_count = attr.run_count,
				      .record = record->number});
	parts->items[parts->len - 1].bytes = part_bytes(&parts->items[parts->len - 1]);
	qsort(parts->items, parts->len, sizeof(*parts->items), compare_parts);
	for (size_t i = first; i < b->extensions.len; i++) {
		make_record(b, record, parts, b->base_records + (uint32_t)i, raw);
		b->extensions.items[i] = xmemdup(raw, b->record_size);
	}
	make_record(b, record, parts, record->number, raw);
	return ntfs_mft_write(b, record->number, raw, err);
}

int ntfs_record_write(struct ntfs_build *b, struct ntfs_record *record, struct error *err)
{
	struct parts parts = VEC_INIT;
	uint8_t raw[NTFS_MAX_RECORD];
	uint16_t instance = 0;
	size_t bytes = 0;
	int result;

	split(record, &parts);
	vec_foreach (part, &parts)
		bytes += part->bytes;
	if (bytes <= ntfs_record_room(b) && parts.len == record->attrs.len) {
		vec_foreach (part, &parts) {
			part->record = record->number;
			part->instance = instance++;
		}
		make_record(b, record, &parts, record->number, raw);
		result = ntfs_mft_write(b, record->number, raw, err);
	} else {
		result = write_extended(b, record, &parts, err);
	}
	vec_free(&parts);
	return result;
}

/* ---- the MFT
 * ------------------------------------------------------------------------ */

int ntfs_mft_begin(struct ntfs_build *b, struct error *err)
{
	struct ntfs_run run = {.count = b->mft_clusters};

	if (ntfs_allocate(b, run.count, &run.lcn, err) < 0)
		return -1;
	vec_push(&b->mft, run);
	return 0;
}

/* Where the record lies; the MFT grows by a run if it must. */
static int record_place(struct ntfs_build *b, uint32_t number, uint64_t *at,
			struct error *err)
{
	uint64_t offset = (uint64_t)number * b->record_size;

	for (;;) {
		struct ntfs_run run = {.count = 64};
		uint64_t begin = 0;

		vec_foreach (r, &b->mft) {
			if (offset - begin < r->count * NTFS_CLUSTER) {
				*at = r->lcn * NTFS_CLUSTER + offset - begin;
				return 0;
			}
			begin += r->count * NTFS_CLUSTER;
		}
		if (ntfs_allocate(b, run.count, &run.lcn, err) < 0)
			return -1;
		b->mft_clusters += run.count;
		vec_push(&b->mft, run);
	}
}

int ntfs_mft_write(struct ntfs_build *b, uint32_t number, const uint8_t *raw,
		   struct error *err)
{
	uint64_t at;

	if (record_place(b, number, &at, err) < 0)
		return -1;
	if (number < 4 && ntfs_output_write(&b->out,
					    b->mirror * NTFS_CLUSTER +
						    (uint64_t)number * b->record_size,
					    (struct bytes){raw, b->record_size}, err) < 0)
		return -1;
	return ntfs_output_write(&b->records, at, (struct bytes){raw, b->record_size},
				 err);
}
