/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * VHDX ([MS-VHDX]): two headers, two region tables, a metadata region and a block
 * allocation table. Little-endian, checksums CRC-32C. Private to src/block.
 */
#ifndef BLOCK_VHDX_H
#define BLOCK_VHDX_H

#include "block/container_private.h"

/* Where things are in the file, and how long (2.2). */
#define VHDX_HEADER_1 ((uint64_t)64 << 10)
#define VHDX_HEADER_2 ((uint64_t)128 << 10)
#define VHDX_HEADER_SIZE ((size_t)4 << 10)
#define VHDX_REGIONS_1 ((uint64_t)192 << 10)
#define VHDX_REGIONS_2 ((uint64_t)256 << 10)
#define VHDX_REGIONS_SIZE ((size_t)64 << 10)
#define VHDX_METADATA_TABLE_SIZE ((size_t)64 << 10)
#define VHDX_MAX_SIZE ((uint64_t)64 << 40) /* the format's own limit: 64 TiB */
/* Regions (2.2.3.2) and items of the metadata (2.6.2). */
#define VHDX_BAT "2dc27766-f623-4200-9d64-115e9bfd4a08"
#define VHDX_METADATA "8b7ca206-4790-4b9a-b8fe-575f050f886e"
#define VHDX_PARAMETERS "caa16737-fa36-4d43-b3b6-33f0aa44e76b"
#define VHDX_SIZE "2fa54224-cd1b-4876-b211-5dbed83bf4b8"
#define VHDX_LOGICAL_SECTOR "8141bf1d-a96f-4709-ba47-f233a8faab5f"
#define VHDX_PHYSICAL_SECTOR "cda348c7-445d-4471-9cc9-e9885251c556"
#define VHDX_DISK_ID "beca12ab-b2e6-4523-93ef-c309e000c746"
/* States of a payload block (2.5.1.1). */
#define VHDX_PAYLOAD_ZERO 2
#define VHDX_PAYLOAD_PRESENT 6 /* and 7, in part */

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

/* Sets the checksum at 4 of a header or region table. */
void vhdx_seal(uint8_t *data, size_t len);
/* So many blocks' entries are followed by one of a sector bitmap. */
uint64_t vhdx_chunk_ratio(uint32_t sector_size, uint32_t block_size);
/* Of a dynamic one: as small as the table of blocks, 8 bytes each, stays below 16 MiB. */
uint64_t vhdx_block_size(uint64_t size);
int vhdx_read(struct block *file, struct vhdx *ret, struct error *err);

#endif
