/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Indexes of a new volume: the entries come in order, and fill blocks from left to right.
 * The entry between two blocks goes up a level, as in every B-tree, until what is left
 * fits into the root.
 */
#include "tree/ntfs_build.h"

#define ENTRY_SIZE 16u
#define ENTRY_NODE 1u
#define ENTRY_LAST 2u
#define BLOCK_HEADER 24u /* before the header of the entries */
#define BLOCK_USA 0x28u
#define BLOCK_ENTRIES 64u /* offset of the first */
#define NO_CHILD UINT64_MAX

void ntfs_protect(uint8_t *raw, size_t size, unsigned offset)
{
	size_t count = size / NTFS_SECTOR;

	put_le16(raw + 4, (uint16_t)offset);
	put_le16(raw + 6, (uint16_t)(count + 1));
	put_le16(raw + offset, 1);
	for (size_t i = 1; i <= count; i++) {
		uint8_t *end = raw + i * NTFS_SECTOR - 2;

		memcpy(raw + offset + 2 * i, end, 2);
		put_le16(end, 1);
	}
}

static uint8_t *add_entry(struct ntfs_index *index, struct bytes key, size_t len)
{
	uint8_t *p;

	vec_push(&index->offsets, (uint32_t)index->bytes.len);
	p = buffer_reserve(&index->bytes, len);
	memset(p, 0, len);
	index->bytes.len += len;
	put_le16(p + 8, (uint16_t)len);
	put_le16(p + 10, (uint16_t)key.len);
	memcpy(p + ENTRY_SIZE, key.data, key.len);
	return p;
}

void ntfs_index_add_file(struct ntfs_index *index, uint64_t reference, struct bytes key)
{
	put_le64(add_entry(index, key, ntfs_align8(ENTRY_SIZE + key.len)), reference);
}

void ntfs_index_add_view(struct ntfs_index *index, struct bytes key, struct bytes data,
			 uint32_t tail)
{
	size_t at = ENTRY_SIZE + key.len, end = at + data.len + (tail ? 4 : 0);
	uint8_t *p = add_entry(index, key, ntfs_align8(end));

	put_le16(p, (uint16_t)at);
	put_le16(p + 2, (uint16_t)data.len);
	if (data.len)
		memcpy(p + at, data.data, data.len);
	if (tail)
		put_le32(p + at + data.len, tail);
}

/* ---- the tree
 * ----------------------------------------------------------------------------- */

/* An entry of a level, and the block with what comes before it. */
struct item {
	uint32_t offset; /* in index->bytes */
	uint64_t child;
};
DEFINE_VEC(level, struct item);

static size_t item_len(const struct ntfs_index *index, const struct item *item)
{
	return get_le16(index->bytes.data + item->offset + 8) +
	       (item->child == NO_CHILD ? 0 : 8u);
}

/* Appends items and the end entry. */
static void put_items(const struct ntfs_index *index, const struct item *items, size_t n,
		      uint64_t last_child, struct buffer *to)
{
	uint8_t *p;

	for (size_t i = 0; i < n; i++) {
		const uint8_t *entry = index->bytes.data + items[i].offset;
		size_t len = item_len(index, &items[i]);

		p = buffer_reserve(to, len);
		memcpy(p, entry, get_le16(entry + 8));
		put_le16(p + 8, (uint16_t)len);
		if (items[i].child != NO_CHILD) {
			put_le16(p + 12, ENTRY_NODE);
			put_le64(p + len - 8, items[i].child);
		}
		to->len += len;
	}
	p = buffer_reserve(to, 24);
	memset(p, 0, 24);
	put_le16(p + 8, last_child == NO_CHILD ? 16 : 24);
	put_le16(p + 12, last_child == NO_CHILD ? ENTRY_LAST : ENTRY_LAST | ENTRY_NODE);
	if (last_child != NO_CHILD)
		put_le64(p + 16, last_child);
	to->len += last_child == NO_CHILD ? 16 : 24;
}

/* The header of the entries that follow it: at, used, allocated, whether it has children.
 */
static void put_header(uint8_t *p, uint32_t at, uint32_t used, uint32_t room, bool node)
{
	put_le32(p, at);
	put_le32(p + 4, used);
	put_le32(p + 8, room);
	put_le32(p + 12, node);
}

static uint64_t put_block(struct ntfs_index *index, const struct item *items, size_t n,
			  uint64_t last_child)
{
	struct buffer *blocks = &index->blocks;
	uint64_t number = blocks->len / NTFS_INDEX_BLOCK;
	size_t start = blocks->len;
	uint8_t *p = buffer_reserve(blocks, NTFS_INDEX_BLOCK);

	memset(p, 0, NTFS_INDEX_BLOCK);
	blocks->len += BLOCK_ENTRIES;
	buffer_reserve(blocks, NTFS_INDEX_BLOCK);
	put_items(index, items, n, last_child, blocks);
	p = blocks->data + start;
	memcpy(p, "INDX", 4);
	put_le64(p + 16, number);
	put_header(p + BLOCK_HEADER, BLOCK_ENTRIES - BLOCK_HEADER,
		   (uint32_t)(blocks->len - start - BLOCK_HEADER),
		   NTFS_INDEX_BLOCK - BLOCK_HEADER, last_child != NO_CHILD);
	blocks->len = start + NTFS_INDEX_BLOCK;
	ntfs_protect(p, NTFS_INDEX_BLOCK, BLOCK_USA);
	return number;
}

/* Items [i, return) go into one block; what is behind them goes up. */
static size_t block_end(const struct ntfs_index *index, const struct level *level,
			size_t i, uint64_t last_child)
{
	size_t room =
		NTFS_INDEX_BLOCK - BLOCK_ENTRIES - (last_child == NO_CHILD ? 16 : 24);

	while (i < level->len && item_len(index, &level->items[i]) <= room)
		room -= item_len(index, &level->items[i++]);
	/* The last block must not be empty. */
	return i + 1 == level->len ? i - 1 : i;
}

/* Puts a level into blocks; *level becomes the one above. */
static void put_level(struct ntfs_index *index, struct level *level, uint64_t *last_child)
{
	struct level above = VEC_INIT;

	for (size_t i = 0;;) {
		size_t end = block_end(index, level, i, *last_child);
		struct item up;

		if (end == level->len) {
			*last_child =
				put_block(index, level->items + i, end - i, *last_child);
			break;
		}
		up = level->items[end];
		up.child = put_block(index, level->items + i, end - i, up.child);
		vec_push(&above, up);
		i = end + 1;
	}
	vec_free(level);
	*level = above;
}

static size_t level_bytes(const struct ntfs_index *index, const struct level *level,
			  uint64_t last_child)
{
	size_t bytes = last_child == NO_CHILD ? 16 : 24;

	vec_foreach (item, level)
		bytes += item_len(index, item);
	return bytes;
}

static void put_root(struct ntfs_index *index, const struct level *level,
		     uint64_t last_child)
{
	struct buffer *root = &index->root;
	uint8_t *p = buffer_reserve(root, 32);

	memset(p, 0, 32);
	put_le32(p, index->type);
	put_le32(p + 4, index->collation);
	put_le32(p + 8, NTFS_INDEX_BLOCK);
	p[12] = NTFS_INDEX_BLOCK / NTFS_CLUSTER;
	root->len = 32;
	put_items(index, level->items, level->len, last_child, root);
	put_header(root->data + 16, 16, (uint32_t)root->len - 16,
		   (uint32_t)root->len - 16, last_child != NO_CHILD);
}

static int write_blocks(struct ntfs_build *b, struct ntfs_index *index, struct error *err)
{
	size_t count = index->blocks.len / NTFS_INDEX_BLOCK;

	if (!count)
		return 0;
	index->run.count = count;
	if (ntfs_allocate(b, count, &index->run.lcn, err) < 0 ||
	    ntfs_output_write(&b->out, index->run.lcn * NTFS_CLUSTER,
			      buffer_view(&index->blocks), err) < 0)
		return -1;
	for (size_t i = 0; i < (count + 63) / 64; i++)
		buffer_append_le64(&index->bitmap,
				   (i + 1) * 64 <= count
					   ? UINT64_MAX
					   : (UINT64_C(1) << count % 64) - 1);
	return 0;
}

int ntfs_index_build(struct ntfs_build *b, struct ntfs_index *index, size_t room,
		     struct error *err)
{
	struct level level = VEC_INIT;
	uint64_t last_child = NO_CHILD;

	vec_foreach (offset, &index->offsets)
		vec_push(&level, (struct item){*offset, NO_CHILD});
	room -= 32;
	while (level_bytes(index, &level, last_child) > room)
		put_level(index, &level, &last_child);
	put_root(index, &level, last_child);
	vec_free(&level);
	return write_blocks(b, index, err);
}

void ntfs_index_free(struct ntfs_index *index)
{
	buffer_free(&index->bytes);
	buffer_free(&index->root);
	buffer_free(&index->blocks);
	buffer_free(&index->bitmap);
	vec_free(&index->offsets);
}
