/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "block/fat.h"

#include "block/fat_private.h"

#define MAX_CLUSTER ((uint32_t)256 << 10)
#define MAX_TABLE ((uint64_t)256 << 20) /* 2 TiB in clusters of 32 KiB */
#define PIECE ((size_t)1 << 20)
/* From so many clusters on it is FAT16. */
#define MIN_FAT16 4085
/* Not unmounted, or to be checked: drivers' flag in the boot sector. */
#define STATE_FAT16 37
#define STATE_FAT32 65
#define STATE_DIRTY 3
/* Windows' flag, in the last byte of the second entry of the table. */
#define UNMOUNTED_FAT16 0x80
#define UNMOUNTED_FAT32 0x08

int fat_damaged(const struct fat *fat, struct error *err, const char *what)
{
	error_set(err, ERROR_FAILED, fat->volume->name, "is a damaged FAT volume: %s",
		  what);
	return error_remedy(err, "check it: chkdsk /f in Windows, or fsck.fat");
}

bool fat_is_cluster(const struct fat *fat, uint32_t cluster)
{
	return cluster >= FAT_FIRST && cluster - FAT_FIRST < fat->clusters;
}

uint64_t fat_cluster_at(const struct fat *fat, uint32_t cluster)
{
	return fat->data_at + (uint64_t)(cluster - FAT_FIRST) * fat->cluster;
}

void fat_entry_free(struct fat_entry *entry)
{
	free(entry->name);
	free(entry->short_name);
	*entry = (struct fat_entry){0};
}

void fat_entries_free(struct fat_entries *entries)
{
	vec_foreach (entry, entries)
		fat_entry_free(entry);
	vec_free(entries);
}

/* ---- opening ---- */

static bool power_of_two(uint32_t n)
{
	return n && !(n & (n - 1));
}

/* Where things lie, by the parameter block; the counts of sectors are of 32 bits at most.
 */
static int parse(struct fat *fat, const uint8_t *s, struct error *err)
{
	uint32_t reserved = get_le16(s + 14), root = get_le16(s + 17);
	uint32_t per_table = get_le16(s + 22) ? get_le16(s + 22) : get_le32(s + 36);
	uint64_t total = get_le16(s + 19) ? get_le16(s + 19) : get_le32(s + 32), data;

	fat->sector = get_le16(s + 11);
	fat->cluster = fat->sector * s[13];
	fat->copies = s[16];
	if (s[510] != 0x55 || s[511] != 0xaa || !power_of_two(fat->sector) ||
	    fat->sector < 512 || fat->sector > 4096 || !power_of_two(s[13]) ||
	    fat->cluster > MAX_CLUSTER || !reserved || !fat->copies || fat->copies > 2 ||
	    !per_table || total * fat->sector > fat->volume->size)
		return fat_damaged(fat, err, "its boot sector makes no sense");
	fat->table_size = (uint64_t)per_table * fat->sector;
	fat->table_at = (uint64_t)reserved * fat->sector;
	fat->active = fat->copies;
	fat->root_at = fat->table_at + fat->copies * fat->table_size;
	fat->root_size = (uint64_t)root * FAT_SLOT;
	data = reserved + (uint64_t)fat->copies * per_table +
	       (fat->root_size + fat->sector - 1) / fat->sector;
	fat->data_at = data * fat->sector;
	if (data >= total || (total - data) / s[13] > 0x0ffffff5)
		return fat_damaged(fat, err, "its boot sector makes no sense");
	fat->clusters = (uint32_t)((total - data) / s[13]);
	fat->bits = !get_le16(s + 22) ? 32 : fat->clusters < MIN_FAT16 ? 12 : 16;
	return 0;
}

static int parse_fat32(struct fat *fat, const uint8_t *s, struct error *err)
{
	uint16_t flags = get_le16(s + 40), info = get_le16(s + FAT_BOOT_INFO);

	fat->root_cluster = get_le32(s + 44);
	if (!fat_is_cluster(fat, fat->root_cluster))
		return fat_damaged(fat, err, "its root folder lies nowhere");
	/* Not mirrored: only that copy is up to date. */
	if (flags & 0x80) {
		fat->active = flags & 15;
		if (fat->active >= fat->copies)
			return fat_damaged(fat, err, "its allocation table lies nowhere");
		fat->table_at += fat->active * fat->table_size;
	}
	if (info && info < get_le16(s + 14))
		fat->info_at = (uint64_t)info * fat->sector;
	return 0;
}

static int open_volume(struct fat *fat, struct error *err)
{
	uint8_t s[FAT_BOOT_SECTOR];

	if (block_pread(fat->volume, s, sizeof(s), 0, err) < 0 || parse(fat, s, err) < 0)
		return -1;
	if (fat->bits == 32 && parse_fat32(fat, s, err) < 0)
		return -1;
	if (((uint64_t)fat->clusters + FAT_FIRST) * fat->bits > fat->table_size * 8)
		return fat_damaged(fat, err, "its allocation table is too small");
	if (fat->table_size > MAX_TABLE) {
		error_set(err, ERROR_FAILED, fat->volume->name,
			  "is a FAT volume of %u clusters, more than gild reads",
			  fat->clusters);
		return error_remedy(err, "copy its files to one with larger clusters");
	}
	fat->dirty = s[fat->bits == 32 ? STATE_FAT32 : STATE_FAT16] & STATE_DIRTY;
	fat->page_count = (size_t)((fat->table_size + FAT_PAGE - 1) / FAT_PAGE);
	fat->pages = xcalloc(fat->page_count, sizeof(*fat->pages));
	return 0;
}

struct fat *fat_open(struct block *volume, struct error *err)
{
	struct fat *fat = xcalloc(1, sizeof(*fat));

	fat->volume = volume;
	if (open_volume(fat, err) == 0)
		return fat;
	fat_close(fat);
	return NULL;
}

void fat_forget(struct fat *fat)
{
	for (size_t i = 0; i < fat->page_count; i++) {
		free(fat->pages[i].data);
		fat->pages[i] = (struct fat_page){0};
	}
}

void fat_close(struct fat *fat)
{
	if (!fat)
		return;
	fat_forget(fat);
	free(fat->pages);
	free(fat);
}

void fat_closep(struct fat **fat)
{
	fat_close(*fat);
}

unsigned fat_bits(const struct fat *fat)
{
	return fat->bits;
}

uint32_t fat_cluster_size(const struct fat *fat)
{
	return fat->cluster;
}

int fat_dirty_mark(struct fat *fat, unsigned copy, uint64_t *offset, struct buffer *ret,
		   struct error *err)
{
	unsigned copies = fat->active == fat->copies ? fat->copies : 1;

	if (fat->bits == 12 || copy >= copies)
		return 0;
	*offset = fat->table_at + copy * fat->table_size;
	buffer_reserve(ret, fat->sector);
	if (block_pread(fat->volume, ret->data, fat->sector, *offset, err) < 0)
		return -1;
	ret->len = fat->sector;
	/* The highest bit in use of the second entry. */
	ret->data[fat->bits == 32 ? 7 : 3] &=
		fat->bits == 32 ? (uint8_t)~UNMOUNTED_FAT32 : (uint8_t)~UNMOUNTED_FAT16;
	return 1;
}

/* The second entry of the table has a bit of Windows: it was unmounted. */
int fat_is_dirty(struct fat *fat, bool *ret, struct error *err)
{
	uint32_t entry;

	*ret = fat->dirty;
	if (fat->bits == 12)
		return 0;
	if (fat_get(fat, 1, &entry, err) < 0)
		return -1;
	*ret |= !(entry & (fat->bits == 32 ? (uint32_t)UNMOUNTED_FAT32 << 24
					   : (uint32_t)UNMOUNTED_FAT16 << 8));
	return 0;
}

/* ---- looking up ---- */

/* Goes down a path. `visited` has the first clusters of the folders on the way. */
static int descend(struct fat *fat, const char *path, struct fat_entry *at, char **stored,
		   struct fat_clusters *visited, struct error *err)
{
	while (*path) {
		size_t len = strcspn(path, "/");
		_cleanup_free_ char *name = xstrndup(path, len);
		_cleanup_fat_folder_ struct fat_folder folder = {0};
		_cleanup_fat_entries_ struct fat_entries entries = VEC_INIT;
		const struct fat_entry *found;
		char *longer;

		if (!(at->attributes & FAT_ATTR_DIRECTORY))
			return 0;
		vec_foreach (cluster, visited)
			if (*cluster == at->cluster)
				return fat_damaged(fat, err, "a folder contains itself");
		vec_push(visited, at->cluster);
		if (visited->len > FAT_MAX_DEPTH)
			return 0;
		if (fat_folder_load(fat, at->cluster, &folder, err) < 0)
			return -1;
		fat_parse_folder(buffer_view(&folder.raw), &entries);
		found = fat_entries_find(&entries, name);
		if (!found)
			return 0;
		longer = xasprintf("%s%s%s", *stored, **stored ? "/" : "", found->name);
		free(*stored);
		*stored = longer;
		fat_entry_free(at);
		*at = *found;
		at->name = xstrdup(found->name);
		at->short_name = xstrdup(found->short_name);
		path += len + (path[len] == '/');
		if ((at->attributes & FAT_ATTR_DIRECTORY) &&
		    !fat_is_cluster(fat, at->cluster))
			return fat_damaged(fat, err, "a folder lies nowhere");
	}
	return 1;
}

int fat_find(struct fat *fat, const char *path, struct fat_entry *ret, char **stored,
	     struct error *err)
{
	_cleanup_free_ char *so_far = xstrdup("");
	struct fat_clusters visited = VEC_INIT;
	int result;

	*ret = (struct fat_entry){.name = xstrdup(""),
				  .short_name = xstrdup(""),
				  .attributes = FAT_ATTR_DIRECTORY,
				  .cluster = fat_root(fat)};
	result = descend(fat, path, ret, &so_far, &visited, err);
	vec_free(&visited);
	if (result != 1)
		fat_entry_free(ret);
	else if (stored)
		*stored = steal_ptr(so_far);
	return result;
}

int fat_list(struct fat *fat, const char *path, struct fat_entries *ret,
	     struct error *err)
{
	_cleanup_fat_entry_ struct fat_entry entry = {0};
	_cleanup_fat_folder_ struct fat_folder folder = {0};
	int found = fat_find(fat, path, &entry, NULL, err);

	if (found <= 0 || !(entry.attributes & FAT_ATTR_DIRECTORY))
		return found < 0 ? -1 : 0;
	if (fat_folder_load(fat, entry.cluster, &folder, err) < 0)
		return -1;
	fat_parse_folder(buffer_view(&folder.raw), ret);
	return 1;
}

/* ---- content ---- */

/* How many clusters from `first` on lie in one piece, of `most`; `*next` follows them. */
static int piece_of(struct fat *fat, uint32_t first, uint32_t most, uint32_t *len,
		    uint32_t *next, struct error *err)
{
	*len = 0;
	if (!fat_is_cluster(fat, first))
		return fat_damaged(fat, err, "a file is shorter than its folder says");
	do {
		if (fat_get(fat, first + *len, next, err) < 0)
			return -1;
		++*len;
	} while (*len < most && *next == first + *len && fat_is_cluster(fat, *next));
	return 0;
}

int fat_read(struct fat *fat, const struct fat_entry *entry,
	     int (*sink)(void *arg, struct bytes data, struct error *err), void *arg,
	     struct error *err)
{
	_cleanup_free_ uint8_t *piece = NULL;
	uint32_t most = (uint32_t)(PIECE / fat->cluster), cluster = entry->cluster;
	uint64_t left = entry->size;

	if (left > (uint64_t)fat->clusters * fat->cluster)
		return fat_damaged(fat, err, "a file is larger than the volume");
	piece = xmalloc(PIECE);
	while (left) {
		uint64_t need = (left + fat->cluster - 1) / fat->cluster;
		uint32_t count, next = 0;
		size_t n;

		if (interrupted())
			return error_interrupted(err);
		if (piece_of(fat, cluster, need < most ? (uint32_t)need : most, &count,
			     &next, err) < 0)
			return -1;
		n = (size_t)count * fat->cluster;
		if (n > left)
			n = (size_t)left;
		if (block_pread(fat->volume, piece, n, fat_cluster_at(fat, cluster),
				err) < 0 ||
		    sink(arg, (struct bytes){piece, n}, err) < 0)
			return -1;
		left -= n;
		cluster = next;
	}
	return 0;
}
