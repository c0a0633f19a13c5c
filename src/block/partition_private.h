/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Between partition.c and partition_gpt.c. */
#ifndef BLOCK_PARTITION_PRIVATE_H
#define BLOCK_PARTITION_PRIVATE_H

#include "block/partition.h"

/*
 * Fills the table from a GPT at this sector size: the first one, or if it is damaged the
 * backup at the disk's end. False if there is neither.
 */
bool gpt_read(struct block *disk, uint32_t sector_size, struct partition_table *ret);
/* Appends to .problems. */
void partition_problem(struct partition_table *table, const char *fmt, ...)
	_printf_(2, 3);

#endif
