/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Between the parts of FAT: fat*.c. */
#ifndef BLOCK_FAT_PRIVATE_H
#define BLOCK_FAT_PRIVATE_H

#include "block/fat.h"

#define FAT_SLOT 32
#define FAT_MAX_FOLDER ((size_t)65536 * FAT_SLOT)	/* Microsoft's limit */
#define FAT_MAX_DEPTH 128	/* of folders: far more than 260 characters hold */
#define FAT_END UINT32_MAX	/* fat_get(): the chain ends */
#define FAT_FIRST 2		/* the first cluster's number */
/* Of the table: larger than all of any FAT12, whose entries have odd places. */
#define FAT_PAGE ((size_t)16 << 10)
#define FAT_BOOT_SECTOR 512	/* so much of it is looked at */
/* In the boot sector of FAT32. */
#define FAT_BOOT_INFO 48
/* In FSInfo. */
#define FAT_INFO_FREE 488
#define FAT_INFO_NEXT 492

/* Fields of a slot. */
#define SLOT_ATTRIBUTES 11
#define SLOT_CASE 12
#define SLOT_CREATED 13
#define SLOT_CLUSTER_HIGH 20
#define SLOT_MODIFIED 22
#define SLOT_CLUSTER_LOW 26
#define SLOT_SIZE 28
#define SLOT_DELETED 0xe5
#define SLOT_LABEL 0x08		/* attribute of the volume's label */
#define SLOT_LONG 0x0f		/* attributes of a piece of a long name */
#define CASE_BASE 0x08		/* NT: that part is in lower case */
#define CASE_EXTENSION 0x10

DEFINE_VEC(fat_clusters, uint32_t);

struct fat {
	struct block *volume;
	unsigned bits;
	uint32_t sector, cluster;	/* bytes */
	uint32_t clusters;	/* how many */
	uint32_t root_cluster;	/* FAT32 */
	uint64_t root_at, root_size;	/* FAT12 and FAT16 */
	uint64_t data_at;
	uint64_t table_at, table_size;	/* of the copy that is read */
	unsigned copies, active;	/* `active`: the only one in use, or `copies` */
	uint64_t info_at;	/* FSInfo, or 0 */
	struct fat_page {
		uint8_t *data;	/* NULL: not read yet */
		bool changed;
	} *pages;
	size_t page_count;
	bool dirty, writing;	/* `dirty`: by the boot sector */
	uint32_t free, next;	/* free clusters; where to look for one */
};

_must_check_ int fat_damaged(const struct fat *fat, struct error *err, const char *what);
/* True if it is the number of a cluster of the volume. */
bool fat_is_cluster(const struct fat *fat, uint32_t cluster);
uint64_t fat_cluster_at(const struct fat *fat, uint32_t cluster);

/* ---- fat_table.c ---- */

/* The entry: 0 free, FAT_END, or anything else that is there. */
int fat_get(struct fat *fat, uint32_t cluster, uint32_t *ret, struct error *err);
int fat_set(struct fat *fat, uint32_t cluster, uint32_t value, struct error *err);
/* The clusters of a chain, which must not have more than `most`. */
int fat_chain(struct fat *fat, uint32_t first, size_t most, struct fat_clusters *ret,
	      struct error *err);
/*
 * Finds `count` free clusters, in one piece if there is one, chains them behind `after` (0:
 * nothing) and appends them to `ret`.
 */
int fat_allocate(struct fat *fat, uint32_t count, uint32_t after,
		 struct fat_clusters *ret, struct error *err);
int fat_free_chain(struct fat *fat, uint32_t first, struct error *err);
int fat_write_table(struct fat *fat, struct error *err);

/* ---- fat_name.c ---- */

/* Names and slots of an entry that begins at `slot` of a folder. */
void fat_parse_folder(struct bytes raw, struct fat_entries *ret);
uint64_t fat_time_read(uint16_t date, uint16_t time);
/* Date and time as one number, date above; clamped to what there is. */
uint32_t fat_time_make(uint64_t filetime);
/*
 * The slots of a new name: `raw` (32 bytes) is the last one but for name and case. The
 * short name meets none of `others`. False: no short name is left.
 */
bool fat_name_slots(const char *name, const struct fat_entries *others,
		    const uint8_t raw[FAT_SLOT], struct buffer *ret);

/* ---- fat_folder.c ---- */

struct fat_folder {
	uint32_t cluster;	/* 0: the fixed root */
	struct buffer raw;
	struct fat_clusters chain;
};
void fat_folder_free(struct fat_folder *folder);
#define _cleanup_fat_folder_ _cleanup_(fat_folder_free)
int fat_folder_load(struct fat *fat, uint32_t cluster, struct fat_folder *ret,
		    struct error *err);
/* The first cluster of the root; 0 for a fixed one. */
uint32_t fat_root(const struct fat *fat);
/* Writes [from, to) of the folder back. */
int fat_folder_store(struct fat *fat, struct fat_folder *folder, size_t from, size_t to,
		     struct error *err);
/* Adds an entry; the folder grows if it must. `raw` as for fat_name_slots(). */
int fat_folder_add(struct fat *fat, struct fat_folder *folder, const char *name,
		   const uint8_t raw[FAT_SLOT], struct error *err);
/* Takes an entry out. */
int fat_folder_drop(struct fat *fat, struct fat_folder *folder,
		    const struct fat_entry *entry, struct error *err);
/* The entry by long or short name; NULL if there is none. */
const struct fat_entry *fat_entries_find(const struct fat_entries *entries,
					 const char *name);

#endif
