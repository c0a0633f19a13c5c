/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The allocation table of a FAT volume, read in pages when they are first needed. */
#include "block/fat_private.h"

#define INFO_SIGNATURE 0x41615252
#define INFO_SIGNATURE_2 0x61417272
#define INFO_SIGNATURE_AT 484
#define FAT32_MASK 0x0fffffffu

static int load_page(struct fat *fat, uint64_t at, struct fat_page **ret,
		     struct error *err)
{
	struct fat_page *page = &fat->pages[at / FAT_PAGE];
	uint64_t start = at / FAT_PAGE * FAT_PAGE, left = fat->table_size - start;

	*ret = page;
	if (page->data)
		return 0;
	page->data = xcalloc(1, FAT_PAGE);
	if (block_pread(fat->volume, page->data,
			left < FAT_PAGE ? (size_t)left : FAT_PAGE, fat->table_at + start,
			err) == 0)
		return 0;
	free(page->data);
	page->data = NULL;
	return -1;
}

/* The place of an entry in its page. */
static int find_entry(struct fat *fat, uint32_t cluster, struct fat_page **page,
		      uint8_t **entry, struct error *err)
{
	uint64_t at = (uint64_t)cluster * fat->bits / 8;

	/* What is inside the volume has an entry; see open_volume(). */
	if (cluster >= fat->clusters + FAT_FIRST)
		return fat_damaged(fat, err, "a chain leads out of it");
	if (load_page(fat, at, page, err) < 0)
		return -1;
	*entry = (*page)->data + at % FAT_PAGE;
	return 0;
}

int fat_get(struct fat *fat, uint32_t cluster, uint32_t *ret, struct error *err)
{
	uint32_t value,
		end = (uint32_t)(((uint64_t)1 << (fat->bits < 32 ? fat->bits : 28)) - 8);
	struct fat_page *page;
	uint8_t *entry;

	if (find_entry(fat, cluster, &page, &entry, err) < 0)
		return -1;
	if (fat->bits == 32)
		value = get_le32(entry) & FAT32_MASK;
	else if (fat->bits == 16)
		value = get_le16(entry);
	else
		value = cluster & 1 ? get_le16(entry) >> 4 : get_le16(entry) & 0xfff;
	*ret = value >= end ? FAT_END : value;
	return 0;
}

int fat_set(struct fat *fat, uint32_t cluster, uint32_t value, struct error *err)
{
	struct fat_page *page;
	uint8_t *entry;

	if (find_entry(fat, cluster, &page, &entry, err) < 0)
		return -1;
	if (fat->bits == 32) {
		put_le32(entry, (get_le32(entry) & ~FAT32_MASK) | (value & FAT32_MASK));
	} else if (fat->bits == 16) {
		put_le16(entry, (uint16_t)value);
	} else {
		uint16_t old = get_le16(entry);

		value &= 0xfff;
		put_le16(entry, (uint16_t)(cluster & 1 ? (old & 0xf) | value << 4
						       : (old & 0xf000) | value));
	}
	page->changed = true;
	return 0;
}

int fat_chain(struct fat *fat, uint32_t first, size_t most, struct fat_clusters *ret,
	      struct error *err)
{
	uint32_t cluster = first;

	while (cluster != FAT_END) {
		if (!fat_is_cluster(fat, cluster))
			return fat_damaged(fat, err, "a chain of clusters breaks off");
		if (ret->len >= most)
			return fat_damaged(fat, err,
					   "a chain of clusters has no end, or is too "
					   "long for a folder");
		vec_push(ret, cluster);
		if (fat_get(fat, cluster, &cluster, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- changes ---- */

/* The first of `count` free clusters in one piece within [from, to); 0: there is none. */
static int find_piece(struct fat *fat, uint32_t count, uint32_t from, uint32_t to,
		      uint32_t *ret, struct error *err)
{
	uint32_t len = 0, value;

	*ret = 0;
	for (uint32_t c = from; c < to; c++) {
		if (fat_get(fat, c, &value, err) < 0)
			return -1;
		len = value ? 0 : len + 1;
		if (len == count) {
			*ret = c + 1 - count;
			return 0;
		}
	}
	return 0;
}

static int collect(struct fat *fat, uint32_t count, struct fat_clusters *ret,
		   struct error *err)
{
	uint32_t end = fat->clusters + FAT_FIRST, first, value;

	if (find_piece(fat, count, fat->next, end, &first, err) < 0 ||
	    (!first && find_piece(fat, count, FAT_FIRST, end, &first, err) < 0))
		return -1;
	for (uint32_t i = 0; first && i < count; i++)
		vec_push(ret, first + i);
	for (uint32_t c = FAT_FIRST, found = 0; !first && c < end && found < count; c++) {
		if (fat_get(fat, c, &value, err) < 0)
			return -1;
		if (value)
			continue;
		vec_push(ret, c);
		found++;
	}
	return 0;
}

int fat_allocate(struct fat *fat, uint32_t count, uint32_t after,
		 struct fat_clusters *ret, struct error *err)
{
	size_t old = ret->len;

	if (count > fat->free) {
		error_set(err, ERROR_FAILED, fat->volume->name,
			  "is full: %ju bytes are needed, %ju are free",
			  (uintmax_t)count * fat->cluster,
			  (uintmax_t)fat_free_space(fat));
		return error_remedy(err, "remove files from it, or make it larger");
	}
	if (!count)
		return 0;
	if (collect(fat, count, ret, err) < 0)
		return -1;
	for (size_t i = old; i < ret->len; i++)
		if (fat_set(fat, ret->items[i],
			    i + 1 < ret->len ? ret->items[i + 1] : FAT_END, err) < 0)
			return -1;
	if (after && fat_set(fat, after, ret->items[old], err) < 0)
		return -1;
	fat->free -= count;
	fat->next = ret->items[ret->len - 1] + 1;
	return 0;
}

int fat_free_chain(struct fat *fat, uint32_t first, struct error *err)
{
	struct fat_clusters chain = VEC_INIT;
	int result = first ? fat_chain(fat, first, fat->clusters, &chain, err) : 0;

	vec_foreach (cluster, &chain)
		if (result == 0)
			result = fat_set(fat, *cluster, 0, err);
	fat->free += (uint32_t)chain.len;
	vec_free(&chain);
	return result;
}

int fat_begin(struct fat *fat, struct error *err)
{
	uint32_t value;

	if (!fat->volume->writable)
		return error_set(err, ERROR_FAILED, fat->volume->name,
				 "was opened for reading only");
	fat->free = 0;
	fat->next = 0;
	for (uint32_t c = FAT_FIRST; c < fat->clusters + FAT_FIRST; c++) {
		if (fat_get(fat, c, &value, err) < 0)
			return -1;
		if (!value && !fat->next)
			fat->next = c;
		fat->free += !value;
	}
	if (!fat->next)
		fat->next = FAT_FIRST;
	fat->writing = true;
	return 0;
}

uint64_t fat_free_space(const struct fat *fat)
{
	return (uint64_t)fat->free * fat->cluster;
}

/* Hints for drivers: how many clusters are free, and where. */
static int write_info(struct fat *fat, struct error *err)
{
	uint8_t info[4096];

	if (!fat->info_at)
		return 0;
	if (block_pread(fat->volume, info, fat->sector, fat->info_at, err) < 0)
		return -1;
	if (get_le32(info) != INFO_SIGNATURE ||
	    get_le32(info + INFO_SIGNATURE_AT) != INFO_SIGNATURE_2)
		return 0;
	put_le32(info + FAT_INFO_FREE, fat->free);
	put_le32(info + FAT_INFO_NEXT,
		 fat_is_cluster(fat, fat->next) ? fat->next : FAT_FIRST);
	return block_pwrite(fat->volume, info, fat->sector, fat->info_at, err);
}

int fat_write_table(struct fat *fat, struct error *err)
{
	bool mirrored = fat->active == fat->copies;

	for (size_t i = 0; i < fat->page_count; i++) {
		struct fat_page *page = &fat->pages[i];
		uint64_t at = (uint64_t)i * FAT_PAGE, left = fat->table_size - at;

		for (unsigned k = 0; page->changed && k < (mirrored ? fat->copies : 1);
		     k++)
			if (block_pwrite(fat->volume, page->data,
					 left < FAT_PAGE ? (size_t)left : FAT_PAGE,
					 fat->table_at + k * fat->table_size + at,
					 err) < 0)
				return -1;
		page->changed = false;
	}
	return write_info(fat, err);
}
