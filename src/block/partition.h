/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a disk is divided into (GPT, MBR with logical partitions, or one bare volume), and
 * what file system a volume holds, told by its content. Both come from untrusted bytes.
 */
#ifndef BLOCK_PARTITION_H
#define BLOCK_PARTITION_H

#include "base/guid.h"
#include "block/block.h"

enum partition_scheme {
	PARTITION_BARE,	/* the volume begins at byte 0: one partition, number 0 */
	PARTITION_MBR,
	PARTITION_GPT,
};

struct partition {
	unsigned number;	/* as fdisk and Windows' tools count: 1-based, logical ones from 5 */
	uint64_t offset, size;	/* bytes, inside the disk */
	struct guid type, guid;	/* GPT */
	uint64_t attributes;	/* GPT: bit 0 required, 63 no drive letter, ... */
	uint8_t mbr_type;	/* MBR */
	bool active;		/* MBR */
	char *name;		/* GPT, UTF-8; or NULL */
};
DEFINE_VEC(partitions, struct partition);

struct partition_table {
	enum partition_scheme scheme;
	struct guid disk_guid;		/* GPT */
	uint32_t disk_signature;	/* MBR */
	uint32_t sector_size;		/* that the table counts in */
	struct partitions partitions;	/* by number */
	struct strings problems;	/* "the primary GPT is damaged, the backup is used" */
};
void partition_table_free(struct partition_table *table);
#define _cleanup_partition_table_ _cleanup_(partition_table_free)

/* A disk without any table or volume is ERROR_FAILED. */
int partition_table_read(struct block *disk, struct partition_table *ret,
			 struct error *err);

enum volume_kind {
	VOLUME_UNKNOWN,
	VOLUME_EMPTY,		/* nothing but zeros where a boot sector would be */
	VOLUME_NTFS,
	VOLUME_FAT,		/* 12, 16, 32 */
	VOLUME_EXFAT,
	VOLUME_REFS,
	VOLUME_BITLOCKER,
	VOLUME_LDM,		/* dynamic disk's database or container */
	VOLUME_STORAGE_SPACES,
	VOLUME_BTRFS,
	VOLUME_OTHER,		/* ext, XFS, LUKS, swap, ...: known, but no home of Windows */
};
struct volume_info {
	enum volume_kind kind;
	const char *name;	/* "NTFS", "FAT32", "BitLocker", "ext4": for messages */
	uint32_t cluster_size;	/* NTFS, FAT; bytes */
	uint64_t serial;	/* NTFS, FAT; 0 otherwise */
};
/* `partition` may be NULL; only its type helps (LDM, Storage Spaces, ESP, MSR). */
int volume_recognise(struct block *volume, const struct partition *partition,
		     struct volume_info *ret, struct error *err);
/* True for an ESP (GPT type, or MBR type 0xEF). */
bool partition_is_esp(const struct partition *partition);

#endif
