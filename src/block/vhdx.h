/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * VHDX ([MS-VHDX]): two headers, two region tables, a metadata region and a block
 * allocation table. Little-endian, checksums CRC-32C. Private to src/block.
 */
#ifndef BLOCK_VHDX_H
#define BLOCK_VHDX_H

#include "block/container_private.h"

struct vhdx {
	uint64_t size;		/* of the virtual disk */
	uint32_t sector_size, block_size;
	bool fixed, has_parent, log_pending;
	uint64_t table, table_size;	/* the block allocation table */
	struct guid data_id;	/* changes whenever the content does */
	struct guid parent_id;	/* the parent's data_id */
	struct strings parents;	/* names of the parent, the best first */
};
void vhdx_free(struct vhdx *vhdx);
#define _cleanup_vhdx_ _cleanup_(vhdx_free)

int vhdx_read(struct block *file, struct vhdx *ret, struct error *err);

#endif
