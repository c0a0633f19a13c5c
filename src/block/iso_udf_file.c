/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Files and folders of UDF: information control blocks, allocation descriptors, file
 * identifiers (ECMA-167 4/14) with names in OSTA compressed Unicode (UDF 2.1.1).
 */
#include "base/text.h"
#include "block/iso_private.h"

/*
 * Blocks of allocation descriptors of one file, and descriptors of all files of a folder:
 * lists may share blocks.
 */
#define MAX_DESCRIPTOR_BLOCKS 65536
#define MAX_DESCRIPTORS (4u << 20)
/* Entries that replace each other (strategy 4096). */
#define MAX_INDIRECT 256

enum icb_flags {
	ICB_DESCRIPTORS = 7, /* mask: */
	ICB_SHORT = 0,
	ICB_LONG = 1,
	ICB_EXTENDED = 2,
	ICB_EMBEDDED = 3,
};

enum file_type {
	TYPE_UNSPECIFIED = 0,
	TYPE_FOLDER = 4,
	TYPE_FILE = 5,
	TYPE_REAL_TIME = 249,
	TYPE_METADATA = 250,
	TYPE_METADATA_MIRROR = 251,
};

/* The two upper bits of an extent's length. */
enum extent_type {
	EXTENT_RECORDED = 0,
	EXTENT_ALLOCATED = 1,	/* reads as zeros */
	EXTENT_UNALLOCATED = 2, /* reads as zeros */
	EXTENT_CONTINUED = 3,	/* more descriptors */
};

/* ---- allocation descriptors --------------------------------------------------------
 */

struct allocation {
	struct iso *iso;
	struct iso_node *node;
	uint16_t partition; /* of the entry; short descriptors mean it */
	unsigned form;
	unsigned blocks;
	struct buffer next; /* the block that continues the list */
};

static const unsigned descriptor_sizes[] = {
	[ICB_SHORT] = 8, [ICB_LONG] = 16, [ICB_EXTENDED] = 20};

/* short_ad, long_ad, ext_ad: 4/14.14. */
static struct udf_address descriptor_address(const struct allocation *a, const uint8_t *d)
{
	switch (a->form) {
	case ICB_SHORT:
		return (struct udf_address){get_le32(d + 4), a->partition};
	case ICB_LONG:
		return (struct udf_address){get_le32(d + 4), get_le16(d + 8)};
	default:
		return (struct udf_address){get_le32(d + 12), get_le16(d + 16)};
	}
}

/* 1: recorded descriptors go on in a->next. 4/14.5 */
static int load_next(struct allocation *a, struct udf_address address, struct bytes *ret,
		     struct error *err)
{
	if (++a->blocks > MAX_DESCRIPTOR_BLOCKS)
		return iso_damaged(a->iso, err, "a file's descriptors do not end");
	if (udf_block_load(a->iso, address, &a->next, err) < 0)
		return -1;
	*ret = buffer_view(&a->next);
	if (udf_tag(*ret) == UDF_ALLOCATION_EXTENT)
		*ret = bytes_at(*ret, 24, get_le32(ret->data + 20));
	else
		ret->data = NULL;
	if (!ret->data)
		return iso_damaged(a->iso, err, "a block of descriptors is invalid");
	a->partition = address.partition;
	return 1;
}

static int add_extent(struct allocation *a, struct udf_address address, uint32_t length,
		      enum extent_type type, struct error *err)
{
	if (type != EXTENT_RECORDED)
		return iso_extent_push(a->iso, &a->node->extents, ISO_HOLE, length, err);
	return udf_map(a->iso, address.partition,
		       (uint64_t)address.block * a->iso->block_size, length,
		       &a->node->extents, err);
}

/* One block's descriptors. 1: they go on in *list, 0: that was all. */
static int take_list(struct allocation *a, struct bytes *list, struct error *err)
{
	unsigned size = descriptor_sizes[a->form];

	for (size_t at = 0; at + size <= list->len; at += size) {
		const uint8_t *d = list->data + at;
		struct udf_address address = descriptor_address(a, d);
		enum extent_type type = get_le32(d) >> 30;
		uint32_t length = get_le32(d) & 0x3fffffff;

		if (!length)
			return 0;
		if (++a->iso->descriptors > MAX_DESCRIPTORS)
			return iso_damaged(a->iso, err,
					   "its files have too many extents");
		if (type == EXTENT_CONTINUED)
			return load_next(a, address, list, err);
		if (a->form == ICB_EXTENDED && type == EXTENT_RECORDED &&
		    get_le32(d + 4) != get_le32(d + 8))
			return iso_damaged(a->iso, err, "a file is compressed");
		if (add_extent(a, address, length, type, err) < 0)
			return -1;
	}
	return 0;
}

static int take_descriptors(struct iso *iso, struct udf_address icb, unsigned form,
			    struct bytes list, struct iso_node *ret, struct error *err)
{
	struct allocation a = {
		.iso = iso, .node = ret, .partition = icb.partition, .form = form};
	int status;

	do
		status = take_list(&a, &list, err);
	while (status > 0);
	buffer_free(&a.next);
	return status;
}

/* ---- file entries ------------------------------------------------------------------
 */

/*
 * The block of the entry. Under strategy 4096 an entry is replaced by the one that the
 * indirect entry in the next block leads to (4/A.3).
 */
static int load_entry(struct iso *iso, struct udf_address *icb, struct buffer *block,
		      struct error *err)
{
	_cleanup_buffer_ struct buffer next = BUFFER_INIT;

	for (int i = 0; i < MAX_INDIRECT; i++) {
		struct udf_address at = {icb->block + 1, icb->partition};

		if (udf_block_load(iso, *icb, block, err) < 0)
			return -1;
		if (get_le16(block->data + 20) != 4096)
			return 0;
		if (udf_block_load(iso, at, &next, NULL) < 0 ||
		    udf_tag(buffer_view(&next)) != UDF_INDIRECT_ENTRY)
			return 0;
		*icb = (struct udf_address){get_le32(next.data + 40),
					    get_le16(next.data + 44)};
	}
	return iso_damaged(iso, err, "entries replace each other without end");
}

/* Where the fields of the two kinds of entry lie: 4/14.9 and 4/14.17. */
static int take_entry(struct iso *iso, struct udf_address icb, struct bytes entry,
		      struct iso_node *ret, struct error *err)
{
	uint16_t tag = udf_tag(entry);
	size_t fixed = tag == UDF_FILE_ENTRY ? 176 : 216;
	uint32_t attributes = get_le32(entry.data + fixed - 8);
	struct bytes list = bytes_at(entry, (uint64_t)fixed + attributes,
				     get_le32(entry.data + fixed - 4));
	unsigned form = get_le16(entry.data + 34) & ICB_DESCRIPTORS;
	uint16_t strategy = get_le16(entry.data + 20);
	uint64_t size = get_le64(entry.data + 56);
	uint64_t at;

	if (tag != UDF_FILE_ENTRY && tag != UDF_EXTENDED_FILE_ENTRY)
		return iso_damaged(iso, err, "the file entry in block %u is invalid",
				   icb.block);
	if (!list.data || form > ICB_EMBEDDED)
		return iso_damaged(iso, err, "the file entry in block %u is cut off",
				   icb.block);
	if (strategy != 4 && strategy != 4096)
		return iso_damaged(iso, err, "a file has the unknown strategy %u",
				   strategy);
	ret->folder = entry.data[27] == TYPE_FOLDER;
	if (form != ICB_EMBEDDED) {
		if (take_descriptors(iso, icb, form, list, ret, err) < 0)
			return -1;
		return iso_node_resize(iso, ret, size, err);
	}
	at = (uint64_t)icb.block * iso->block_size + (uint64_t)(list.data - entry.data);
	if (udf_map(iso, icb.partition, at, list.len, &ret->extents, err) < 0)
		return -1;
	return iso_node_resize(iso, ret, size, err);
}

static bool is_readable_type(uint8_t type)
{
	return type == TYPE_UNSPECIFIED || type == TYPE_FOLDER || type == TYPE_FILE ||
	       type == TYPE_REAL_TIME || type == TYPE_METADATA ||
	       type == TYPE_METADATA_MIRROR;
}

int udf_node_load(struct iso *iso, struct udf_address icb, struct iso_node *ret,
		  struct error *err)
{
	_cleanup_buffer_ struct buffer block = BUFFER_INIT;
	int status = -1;

	*ret = (struct iso_node){0};
	if (load_entry(iso, &icb, &block, err) < 0)
		return -1;
	if (udf_tag(buffer_view(&block)) && !is_readable_type(block.data[27]))
		error_set(err, ERROR_FAILED, iso->block->name,
			  "it is a link or another special file (type %u)",
			  block.data[27]);
	else
		status = take_entry(iso, icb, buffer_view(&block), ret, err);
	if (status < 0)
		iso_node_free(ret);
	return status;
}

/* ---- folders -----------------------------------------------------------------------
 */

enum identifier_flags {
	IDENTIFIER_DELETED = 4,
	IDENTIFIER_PARENT = 8,
};

/* NULL if it is no name. */
static char *decode_name(struct bytes name)
{
	_cleanup_buffer_ struct buffer utf16 = BUFFER_INIT;
	size_t unit = name.len && name.data[0] == 16 ? 2 : 1;

	if (!name.len || (name.data[0] != 8 && name.data[0] != 16))
		return NULL;
	for (size_t i = 1; i + unit <= name.len; i += unit) {
		uint16_t c = name.data[i];

		if (unit == 2)
			c = (uint16_t)(c << 8 | name.data[i + 1]);
		if (!c)
			return NULL;
		buffer_append_le16(&utf16, c);
	}
	return utf16_to_utf8(utf16.data, utf16.len);
}

static int add_identifier(struct iso *iso, const uint8_t *icb, struct bytes name,
			  const char *only, struct iso_entries *ret, struct error *err)
{
	struct udf_address address = {get_le32(icb + 4), get_le16(icb + 8)};
	_cleanup_error_ struct error why = ERROR_INIT;
	char *decoded = decode_name(name);
	struct iso_entry *entry;
	int status = 0;

	if (!decoded)
		return 0;
	entry = iso_entry_add(iso, ret, decoded, only, &status, err);
	if (entry && udf_node_load(iso, address, &entry->node, &why) < 0) {
		if (why.code == ERROR_INTERRUPTED)
			return error_move(err, &why);
		entry->problem = xstrdup(why.reason);
	}
	return status;
}

/* File identifier descriptors: 4/14.4. */
int udf_list(struct iso *iso, const struct iso_node *folder, const char *only,
	     struct iso_entries *ret, struct error *err)
{
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;
	struct bytes all;
	uint64_t at = 0;

	iso->descriptors = 0;
	if (iso_folder_load(iso, folder, &data, err) < 0)
		return -1;
	all = buffer_view(&data);
	while (bytes_has(all, at, 38)) {
		const uint8_t *d = all.data + at;
		uint32_t use = get_le16(d + 36), size = (38 + use + d[19] + 3) & ~3u;
		struct bytes name = bytes_at(all, at + 38 + use, d[19]);

		if (udf_tag(bytes_at(all, at, all.len - at)) != UDF_FILE_IDENTIFIER ||
		    !bytes_has(all, at + 38 + use, d[19]))
			return iso_damaged(iso, err, "a folder is invalid at byte %ju",
					   (uintmax_t)at);
		if (interrupted())
			return error_interrupted(err);
		if (!(d[18] & (IDENTIFIER_DELETED | IDENTIFIER_PARENT)) &&
		    add_identifier(iso, d + 20, name, only, ret, err) < 0)
			return -1;
		at += size;
	}
	return 0;
}
