/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A block that a qemu-nbd serves, which gild starts by socket activation and which ends
 * with the block. Private to src/block.
 */
#ifndef BLOCK_NBD_H
#define BLOCK_NBD_H

#include "block/block.h"

struct block_extents;

/*
 * `nodes` is the image as QEMU's block nodes, as "json:{...}" with every driver named, so
 * that QEMU guesses nothing; `name` is for messages. `sector_size` is the disk's own. With
 * `depth` the server tells apart what the top image holds itself: nbd_own_extents().
 */
struct block *nbd_open(const char *nodes, const char *name, uint32_t sector_size,
		       bool write, bool depth, struct error *err);
/* True if the server ended by itself: what it wrote last may be half done. */
bool nbd_died(const struct block *block);
/* The ranges that the top image of the chain holds itself, in order. */
int nbd_own_extents(struct block *block, struct block_extents *ret, struct error *err);

#endif
