/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * FAT12, FAT16 and FAT32 volumes on a block: reading, making new ones (FAT32, FAT16), and
 * changing what is on them. Facts from Microsoft's "FAT: General Overview of On-Disk
 * Format" 1.03 and from what NT's driver does with names.
 *
 * Names are UTF-8 (base/text.h); paths are '/'-separated and matched without regard to
 * case, each component by its long or its short name. Times are taken for UTC.
 */
#ifndef BLOCK_FAT_H
#define BLOCK_FAT_H

#include "block/block.h"

#define FAT_ATTR_READONLY 0x01
#define FAT_ATTR_HIDDEN 0x02
#define FAT_ATTR_SYSTEM 0x04
#define FAT_ATTR_DIRECTORY 0x10
#define FAT_ATTR_ARCHIVE 0x20
#define FAT_MAX_FILE ((uint64_t)UINT32_MAX)

struct fat;	/* an opened volume */

struct fat_entry {
	char *name;		/* the long one; or the short one in the case that NT shows */
	char *short_name;	/* "BOOTX64.EFI" */
	uint8_t attributes;
	uint32_t size;
	uint64_t created, modified;	/* FILETIME */
	/* Private: */
	uint32_t cluster;	/* the first; 0: none, or the root of FAT12 and FAT16 */
	uint32_t slot, slots;	/* where in the folder, and how many with the long name */
};
DEFINE_VEC(fat_entries, struct fat_entry);
void fat_entry_free(struct fat_entry *entry);
#define _cleanup_fat_entry_ _cleanup_(fat_entry_free)
void fat_entries_free(struct fat_entries *entries);
#define _cleanup_fat_entries_ _cleanup_(fat_entries_free)

/* ---- reading ---- */

/* `volume` is not owned and must outlive it. What makes no sense is ERROR_FAILED. */
struct fat *fat_open(struct block *volume, struct error *err);
void fat_close(struct fat *fat);	/* what is not flushed is dropped; NULL is fine */
void fat_closep(struct fat **fat);
#define _cleanup_fat_ _cleanup_(fat_closep)
/* Reads the volume anew after another writer changed it. */
void fat_forget(struct fat *fat);
unsigned fat_bits(const struct fat *fat);	/* 12, 16, 32 */
uint32_t fat_cluster_size(const struct fat *fat);
/* True if the volume is marked as not unmounted, or as to be checked; -1: error. */
int fat_is_dirty(struct fat *fat, bool *ret, struct error *err);
/*
 * A sector of the `copy`-th table as it is now, marked as not unmounted, and its offset: for
 * journal_mark(). 1 and both, 0: there is no such copy, or no mark (FAT12), -1.
 */
int fat_dirty_mark(struct fat *fat, unsigned copy, uint64_t *offset, struct buffer *ret,
		   struct error *err);
/* 1: found, 0: missing, -1. `stored` (may be NULL) gets the path with names as stored. */
int fat_find(struct fat *fat, const char *path, struct fat_entry *ret, char **stored,
	     struct error *err);
/* The entries of a folder ("" is the root) in its order. 1: listed, 0: no folder, -1. */
int fat_list(struct fat *fat, const char *path, struct fat_entries *ret,
	     struct error *err);
/* Gives a file's content to the sink in pieces of at most 1 MiB. */
int fat_read(struct fat *fat, const struct fat_entry *entry,
	     int (*sink)(void *arg, struct bytes data, struct error *err), void *arg,
	     struct error *err);

/* ---- new volumes ---- */

struct fat_format_options {
	uint64_t hidden;	/* bytes of the disk before the volume */
	const char *label;	/* at most 11 characters of ASCII; NULL: none */
	struct bytes seed;	/* the serial number follows from it */
	bool small;		/* FAT16 where it is too small for FAT32 */
};
/*
 * Makes all of the block an empty FAT32 volume, with the cluster size that Windows would
 * take where the size allows it. ERROR_FAILED if it is too small or too large for that.
 */
int fat_format(struct block *volume, const struct fat_format_options *options,
	       struct error *err);

/* A file or folder of fat_fill(). */
struct fat_item {
	const char *path;	/* folders that are no items themselves are made */
	uint8_t attributes;	/* FAT_ATTR_DIRECTORY: a folder */
	uint64_t modified;	/* FILETIME; 0: the clock's */
	struct bytes data;
};
/*
 * Puts files and folders on a volume, in their order and each in one piece if the volume
 * was empty; files that are there are replaced. Flushed, not synced.
 */
int fat_fill(struct block *volume, const struct fat_item *items, size_t count,
	     struct error *err);

/* ---- changes: fat_flush() writes the tables of what was done before ---- */

/* The content of a file: `read` gives the next `len` bytes, whole. */
struct fat_source {
	uint64_t size;
	int (*read)(void *arg, void *to, size_t len, struct error *err);
	void *arg;
};
/* Counts what is free. A block that was opened for reading is ERROR_FAILED. */
int fat_begin(struct fat *fat, struct error *err);
/* Bytes of free clusters; after fat_begin(). */
uint64_t fat_free_space(const struct fat *fat);
/*
 * Replaces a file, which keeps its names, attributes and creation time, or makes a new one
 * (archive) in a folder that is there.
 */
int fat_put(struct fat *fat, const char *path, const struct fat_source *source,
	    uint64_t modified, struct error *err);
/*
 * Replaces the content of a file by one of the same size, in place and at once: nothing but
 * the sectors that differ is written. It must lie in one cluster.
 */
int fat_rewrite(struct fat *fat, const char *path, struct bytes data, struct error *err);
/*
 * Replaces the content of a file, or makes a new one, so that at any point the volume has
 * the old one or the new one, whole: content and tables are synced before the one sector
 * that has the file's entry. What is stopped in between loses clusters, no more. Flushed
 * and synced; after fat_begin().
 */
int fat_replace(struct fat *fat, const char *path, struct bytes data, struct error *err);
/* Makes a folder with room for `slots` entries of 32 bytes (0: the least). */
int fat_mkdir(struct fat *fat, const char *path, uint32_t slots, uint64_t modified,
	      struct error *err);
/* Removes a file, or a folder with all in it; what is missing is no error. */
int fat_remove(struct fat *fat, const char *path, struct error *err);
/* Sets read-only, hidden, system and archive, and clears those that are not given. */
int fat_set_attributes(struct fat *fat, const char *path, uint8_t attributes,
		       struct error *err);
/* What was taken out of its folder, to be put into another. */
struct fat_detached {
	uint8_t raw[32];
};
int fat_detach(struct fat *fat, const char *path, struct fat_detached *ret,
	       struct error *err);
int fat_attach(struct fat *fat, const char *path, const struct fat_detached *detached,
	       struct error *err);
int fat_flush(struct fat *fat, struct error *err);

#endif
