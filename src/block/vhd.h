/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * VHD (Microsoft, Virtual Hard Disk Image Format Specification 1.0): a footer at the end
 * of the file, and for sparse ones a copy of it at the start, a header and a table of
 * blocks. Big-endian. Private to src/block.
 */
#ifndef BLOCK_VHD_H
#define BLOCK_VHD_H

#include "block/container_private.h"

enum vhd_type { VHD_FIXED = 2, VHD_DYNAMIC = 3, VHD_DIFFERENCING = 4 };

struct vhd {
	enum vhd_type type;
	uint64_t size;		/* of the virtual disk */
	uint64_t qemu_size;	/* what QEMU takes for it if it is not told */
	bool by_geometry;	/* `size` is that of cylinders, heads and sectors */
	struct guid id;
	/* Dynamic and differencing: */
	uint64_t table;		/* offset of the block table */
	uint32_t entries, block_size;
	struct guid parent_id;
	struct strings parents;	/* names of the parent, the best first */
};
void vhd_free(struct vhd *vhd);
#define _cleanup_vhd_ _cleanup_(vhd_free)

int vhd_read(struct block *file, struct vhd *ret, struct error *err);

#endif
