/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Boot code for BIOS, put where the BIOS and the MBR look for it. */
#include "builder/boot_code.h"

#include "builder/boot_code_private.h"

#define SECTOR 512u
#define SIGNATURE_AT 510u
#define BPB_BEGIN 3u
#define BPB_END 0x54u
/* Fields of an NTFS volume's BPB. */
enum {
	BPB_NAME = 3,
	BPB_SECTOR_SIZE = 0x0b,
	BPB_SECTORS_PER_TRACK = 0x18,
	BPB_HEADS = 0x1a,
	BPB_HIDDEN = 0x1c,
	BPB_DRIVE = 0x24,
	BPB_SECTORS = 0x28,
};

struct bytes boot_code_mbr(void)
{
	return (struct bytes){boot_code_mbr_bytes, sizeof(boot_code_mbr_bytes)};
}

struct bytes boot_code_ntfs(void)
{
	return (struct bytes){boot_code_ntfs_bytes, sizeof(boot_code_ntfs_bytes)};
}

int boot_code_install_mbr(struct block *disk, struct error *err)
{
	uint8_t sector[SECTOR];

	if (disk->sector_size != SECTOR) {
		error_set(err, ERROR_FAILED, disk->name,
			  "a BIOS starts disks with sectors of %u bytes only, this one "
			  "has %u",
			  SECTOR, disk->sector_size);
		return error_remedy(err, "use --firmware=uefi for such disks");
	}
	if (block_pread(disk, sector, sizeof(sector), 0, err) < 0)
		return -1;
	memcpy(sector, boot_code_mbr_bytes, sizeof(boot_code_mbr_bytes));
	put_le16(sector + SIGNATURE_AT, 0xaa55);
	return block_pwrite(disk, sector, sizeof(sector), 0, err);
}

/* The heads of the geometry that BIOSes make up for a disk of that size. */
static uint16_t heads_of(uint64_t disk_size)
{
	if (disk_size < 2114445312u)
		return 0x40;
	return disk_size < 4228374780u ? 0x80 : 0xff;
}

static int check_volume(const struct block *volume, const uint8_t *sector, uint64_t start,
			struct error *err)
{
	uint64_t sectors = get_le64(sector + BPB_SECTORS);

	if (memcmp(sector + BPB_NAME, "NTFS    ", 8) != 0)
		return error_set(err, ERROR_FAILED, volume->name, "no NTFS volume");
	if (get_le16(sector + BPB_SECTOR_SIZE) != SECTOR) {
		error_set(err, ERROR_FAILED, volume->name,
			  "a BIOS starts volumes with sectors of %u bytes only, this one "
			  "has %u",
			  SECTOR, get_le16(sector + BPB_SECTOR_SIZE));
		return error_remedy(err, "use --firmware=uefi for such volumes");
	}
	if (sectors < BOOT_CODE_NTFS_SIZE / SECTOR || sectors >= volume->size / SECTOR ||
	    start > UINT32_MAX)
		return error_set(err, ERROR_FAILED, volume->name,
				 "the NTFS volume of %llu sectors from sector %llu on "
				 "does not fit its partition or an MBR disk",
				 (unsigned long long)sectors, (unsigned long long)start);
	return 0;
}

int boot_code_install(struct block *volume, uint64_t start, uint64_t disk_size,
		      struct error *err)
{
	uint8_t boot[BOOT_CODE_NTFS_SIZE], bpb[BPB_END - BPB_BEGIN];
	uint64_t sectors;

	if (block_pread(volume, boot, SECTOR, 0, err) < 0 ||
	    check_volume(volume, boot, start, err) < 0)
		return -1;
	sectors = get_le64(boot + BPB_SECTORS);
	memcpy(bpb, boot + BPB_BEGIN, sizeof(bpb));
	memcpy(boot, boot_code_ntfs_bytes, sizeof(boot));
	memcpy(boot + BPB_BEGIN, bpb, sizeof(bpb));
	put_le16(boot + BPB_SECTORS_PER_TRACK, 63);
	put_le16(boot + BPB_HEADS, heads_of(disk_size));
	put_le32(boot + BPB_HIDDEN, (uint32_t)start);
	boot[BPB_DRIVE] = 0x80;
	/* The backup first: one of both is right at any time. */
	if (block_pwrite(volume, boot, SECTOR, sectors * SECTOR, err) < 0)
		return -1;
	return block_pwrite(volume, boot, sizeof(boot), 0, err);
}
