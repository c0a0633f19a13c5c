/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * VHD (Microsoft, Virtual Hard Disk Image Format Specification 1.0): a footer at the end
 * of the file, and for sparse ones a copy of it at the start, a header and a table of
 * blocks. Big-endian. Private to src/block.
 */
#ifndef BLOCK_VHD_H
#define BLOCK_VHD_H

#include "block/container_private.h"

#define VHD_FOOTER_SIZE 512
#define VHD_CHECKSUM 64 /* offset of the footer's checksum in it */
#define VHD_EPOCH 946684800 /* 2000-01-01: what its times count from */
/* The format's own limit is 2040 GiB. */
#define VHD_MAX_SIZE ((uint64_t)2040 << 30)

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

/* The complement of the sum of all bytes, the checksum's own at `field` left out. */
uint32_t vhd_checksum(const uint8_t *data, size_t len, size_t field);
int vhd_read(struct block *file, struct vhd *ret, struct error *err);

#endif
