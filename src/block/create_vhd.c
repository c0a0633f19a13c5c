/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * New fixed VHDs (Microsoft, Virtual Hard Disk Image Format Specification 1.0): the disk
 * as it is and a footer, as Azure takes them.
 */
#include "base/clock.h"
#include "block/big_endian.h"
#include "block/create_private.h"
#include "block/vhd.h"

#define GRAIN ((uint32_t)64 << 10)
#define MIN_SIZE ((uint64_t)20 << 20) /* Azure's */
#define SECTOR 512

static int vhd_check(const char *path, const struct container_create *options,
		     struct error *err)
{
	if (options->virtual_size < MIN_SIZE) {
		error_set(err, ERROR_USAGE, path,
			  "would be a VHD of %ju MiB, and Azure takes none below 20",
			  (uintmax_t)(options->virtual_size >> 20));
		return error_remedy(err, "make the disk larger, or write raw, vhdx or "
					 "qcow2");
	}
	if (options->virtual_size > VHD_MAX_SIZE) {
		error_set(err, ERROR_USAGE, path,
			  "would be a VHD of %ju GiB, and Windows reads none above 2040",
			  (uintmax_t)(options->virtual_size >> 30));
		return error_remedy(err, "make the disk smaller, or write raw, vhdx or "
					 "qcow2");
	}
	return 0;
}

static void vhd_begin(struct creation *c)
{
	c->grain = GRAIN;
}

/* The specification's appendix: what a BIOS of the time would have said. */
static void put_geometry(uint8_t *to, uint64_t size)
{
	uint64_t sectors = size / SECTOR, tracks;
	uint32_t heads, per_track;

	if (sectors > (uint64_t)65535 * 16 * 255)
		sectors = (uint64_t)65535 * 16 * 255;
	if (sectors >= (uint64_t)65535 * 16 * 63) {
		per_track = 255;
		heads = 16;
		tracks = sectors / per_track;
	} else {
		per_track = 17;
		tracks = sectors / per_track;
		heads = (uint32_t)((tracks + 1023) / 1024);
		if (heads < 4)
			heads = 4;
		if (tracks >= (uint64_t)heads * 1024 || heads > 16) {
			per_track = 31;
			heads = 16;
			tracks = sectors / per_track;
		}
		if (tracks >= (uint64_t)heads * 1024) {
			per_track = 63;
			heads = 16;
			tracks = sectors / per_track;
		}
	}
	put_be16(to, (uint16_t)(tracks / heads));
	to[2] = (uint8_t)heads;
	to[3] = (uint8_t)per_track;
}

/*
 * The creator "win " (Windows itself): QEMU and others believe the size of few others,
 * and cut the disk to its geometry otherwise.
 */
static int vhd_finish(struct creation *c, uint64_t *end, struct error *err)
{
	struct guid id = creation_id(c, "VHD");
	uint8_t footer[VHD_FOOTER_SIZE] = {0};

	memcpy(footer, "conectix", 8);
	put_be32(footer + 8, 2);
	put_be32(footer + 12, 0x00010000);
	put_be64(footer + 16, UINT64_MAX);
	put_be32(footer + 24, (uint32_t)(clock_now() - VHD_EPOCH));
	memcpy(footer + 28, "win ", 4);
	put_be32(footer + 32, 0x000a0000);
	memcpy(footer + 36, "Wi2k", 4);
	put_be64(footer + 40, c->block.size);
	put_be64(footer + 48, c->block.size);
	put_geometry(footer + 56, c->block.size);
	put_be32(footer + 60, VHD_FIXED);
	memcpy(footer + 68, id.bytes, sizeof(id.bytes));
	put_be32(footer + VHD_CHECKSUM,
		 vhd_checksum(footer, sizeof(footer), VHD_CHECKSUM));
	*end = c->block.size + sizeof(footer);
	return creation_write(c, footer, sizeof(footer), c->block.size, err);
}

const struct creation_format creation_vhd = {vhd_check, vhd_begin, vhd_finish};
