/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * New partition tables. Both take what partition_table_read() gives; of the table the
 * scheme, sector size and problems are not looked at: sectors are those of the disk, and
 * partitions may come in any order. What does not fit (outside, overlapping, not on a
 * sector's boundary, too many, too far behind for an MBR) is ERROR_FAILED, nothing written.
 */
#ifndef BLOCK_PARTITION_WRITE_H
#define BLOCK_PARTITION_WRITE_H

#include "block/partition.h"

/*
 * A GPT of 128 entries with its backup and a protective MBR. `number` is the entry (from
 * 1); names have at most 36 UTF-16 units.
 */
int partition_write_gpt(struct block *disk, const struct partition_table *table,
			struct error *err);
/*
 * The same for a disk that has such a table and partitions in the same places: its first
 * sector stays, and the mirror is written and synced before the table itself, so that one
 * of them is whole at any time.
 */
int partition_change_gpt(struct block *disk, const struct partition_table *table,
			 struct error *err);
/*
 * A table of four primary partitions (`number` 1 to 4). `boot_code`: at most 440 bytes,
 * may be empty.
 */
int partition_write_mbr(struct block *disk, const struct partition_table *table,
			struct bytes boot_code, struct error *err);
/* Bytes that a GPT takes at the disk's start, with the MBR, and in the mirror at its end. */
uint64_t partition_gpt_start(uint32_t sector_size);
uint64_t partition_gpt_end(uint32_t sector_size);

#endif
