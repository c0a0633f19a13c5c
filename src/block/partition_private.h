/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Between partition.c, partition_gpt.c and partition_write.c. */
#ifndef BLOCK_PARTITION_PRIVATE_H
#define BLOCK_PARTITION_PRIVATE_H

#include "block/partition.h"

#define MBR_ENTRIES 446 /* four, in the first sector */
#define MBR_ENTRY_SIZE 16
#define MBR_PROTECTIVE 0xee /* the whole disk, to those that do not know GPT */
#define GPT_HEADER_SIZE 92 /* of revision 1.0 */
#define GPT_ENTRY_SIZE 128 /* the least; others are a power of two times it */
/* In an entry. */
#define GPT_ATTRIBUTES 48
#define GPT_NAME 56
#define GPT_NAME_SIZE 72

/*
 * Fills the table from a GPT at this sector size: the first one, or if it is damaged the
 * backup at the disk's end. False if there is neither.
 */
bool gpt_read(struct block *disk, uint32_t sector_size, struct partition_table *ret);
/* Appends to .problems. */
void partition_problem(struct partition_table *table, const char *fmt, ...)
	_printf_(2, 3);

#endif
