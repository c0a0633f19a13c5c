/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Folders of a FAT volume as a whole: a chain of clusters, or the fixed root of old. */
#include "base/text.h"
#include "block/fat_private.h"

void fat_folder_free(struct fat_folder *folder)
{
	buffer_free(&folder->raw);
	vec_free(&folder->chain);
}

uint32_t fat_root(const struct fat *fat)
{
	return fat->bits == 32 ? fat->root_cluster : 0;
}

int fat_folder_load(struct fat *fat, uint32_t cluster, struct fat_folder *ret,
		    struct error *err)
{
	size_t most = FAT_MAX_FOLDER / fat->cluster;

	ret->cluster = cluster;
	if (!cluster) {
		buffer_reserve(&ret->raw, (size_t)fat->root_size);
		ret->raw.len = (size_t)fat->root_size;
		return block_pread(fat->volume, ret->raw.data, ret->raw.len, fat->root_at,
				   err);
	}
	if (fat_chain(fat, cluster, most, &ret->chain, err) < 0)
		return -1;
	buffer_reserve(&ret->raw, ret->chain.len * fat->cluster);
	vec_foreach (c, &ret->chain) {
		if (block_pread(fat->volume, ret->raw.data + ret->raw.len, fat->cluster,
				fat_cluster_at(fat, *c), err) < 0)
			return -1;
		ret->raw.len += fat->cluster;
	}
	return 0;
}

int fat_folder_store(struct fat *fat, struct fat_folder *folder, size_t from, size_t to,
		     struct error *err)
{
	/* Whole sectors. */
	from -= from % fat->sector;
	to += (fat->sector - to % fat->sector) % fat->sector;
	if (to > folder->raw.len)
		to = folder->raw.len;
	while (from < to) {
		size_t in = from % fat->cluster, n = to - from;
		uint64_t at = fat->root_at + from;

		if (folder->cluster) {
			if (n > fat->cluster - in)
				n = fat->cluster - in;
			at = fat_cluster_at(fat,
					    folder->chain.items[from / fat->cluster]) +
			     in;
		}
		if (block_pwrite(fat->volume, folder->raw.data + from, n, at, err) < 0)
			return -1;
		from += n;
	}
	return 0;
}

const struct fat_entry *fat_entries_find(const struct fat_entries *entries,
					 const char *name)
{
	vec_foreach (entry, entries)
		if (text_equal(entry->name, name) || text_equal(entry->short_name, name))
			return entry;
	return NULL;
}

/* ---- changes ---- */

/* The first of `count` unused slots in a row; the number of slots if there are not. */
static size_t find_gap(const struct fat_folder *folder, size_t count, bool *behind_end)
{
	size_t slots = folder->raw.len / FAT_SLOT, len = 0;

	*behind_end = false;
	for (size_t i = 0; i < slots; i++) {
		uint8_t first = folder->raw.data[i * FAT_SLOT];

		*behind_end |= !first;
		len = *behind_end || first == SLOT_DELETED ? len + 1 : 0;
		if (len == count)
			return i + 1 - count;
	}
	return slots - len;
}

static int grow(struct fat *fat, struct fat_folder *folder, size_t len, struct error *err)
{
	uint32_t count;
	size_t old = folder->raw.len;

	if (!folder->cluster || len > FAT_MAX_FOLDER) {
		error_set(err, ERROR_FAILED, fat->volume->name,
			  "has a folder that is full");
		return error_remedy(err, "remove files from it");
	}
	count = (uint32_t)((len - old + fat->cluster - 1) / fat->cluster);
	if (fat_allocate(fat, count, folder->chain.items[folder->chain.len - 1],
			 &folder->chain, err) < 0)
		return -1;
	memset(buffer_reserve(&folder->raw, (size_t)count * fat->cluster), 0,
	       (size_t)count * fat->cluster);
	folder->raw.len += (size_t)count * fat->cluster;
	return fat_folder_store(fat, folder, old, folder->raw.len, err);
}

int fat_folder_add(struct fat *fat, struct fat_folder *folder, const char *name,
		   const uint8_t raw[FAT_SLOT], struct error *err)
{
	_cleanup_fat_entries_ struct fat_entries entries = VEC_INIT;
	_cleanup_buffer_ struct buffer slots = BUFFER_INIT;
	bool behind_end;
	size_t at, end;

	fat_parse_folder(buffer_view(&folder->raw), &entries);
	if (!fat_name_slots(name, &entries, raw, &slots)) {
		error_set(err, ERROR_FAILED, fat->volume->name,
			  "cannot have the name \"%s\"", name);
		return error_remedy(err, "choose a shorter one");
	}
	at = find_gap(folder, slots.len / FAT_SLOT, &behind_end) * FAT_SLOT;
	end = at + slots.len;
	if (end > folder->raw.len && grow(fat, folder, end, err) < 0)
		return -1;
	memcpy(folder->raw.data + at, slots.data, slots.len);
	/* What lay behind the end of the folder does not count, and must not now. */
	if (behind_end && end < folder->raw.len) {
		memset(folder->raw.data + end, 0, FAT_SLOT);
		end += FAT_SLOT;
	}
	return fat_folder_store(fat, folder, at, end, err);
}

int fat_folder_drop(struct fat *fat, struct fat_folder *folder,
		    const struct fat_entry *entry, struct error *err)
{
	size_t from = (size_t)entry->slot * FAT_SLOT,
	       to = from + (size_t)entry->slots * FAT_SLOT;

	for (size_t at = from; at < to; at += FAT_SLOT)
		folder->raw.data[at] = SLOT_DELETED;
	return fat_folder_store(fat, folder, from, to, err);
}
