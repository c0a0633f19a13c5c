/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A FAT volume's own structures: boot sector, its backup and the FSInfo sector of FAT32,
 * the two allocation tables. Offsets: Microsoft, "FAT: General Overview of On-Disk
 * Format".
 */
#include "builder/verify_private.h"

#define BOOT_SIZE 512
#define FSINFO_LEAD 0x41615252u
#define FSINFO_STRUCT 0x61417272u
/* A FAT32 of 32 GiB, the largest that Windows makes, has 32 MiB. */
#define MAX_TABLE ((uint64_t)64 << 20)
#define PIECE ((size_t)1 << 20)

struct fat_boot {
	uint32_t sector, reserved, fats, hidden, fsinfo, backup;
	uint64_t fat_size, sectors; /* in sectors */
	bool fat32;
};

static struct fat_boot parse_boot(const uint8_t *s)
{
	struct fat_boot b = {
		.sector = get_le16(s + 11),
		.reserved = get_le16(s + 14),
		.fats = s[16],
		.hidden = get_le32(s + 28),
		.fat_size = get_le16(s + 22),
		.sectors = get_le16(s + 19),
	};

	if (!b.sectors)
		b.sectors = get_le32(s + 32);
	b.fat32 = !b.fat_size;
	if (b.fat32) {
		b.fat_size = get_le32(s + 36);
		b.fsinfo = get_le16(s + 48);
		b.backup = get_le16(s + 50);
	}
	return b;
}

static int check_backup(struct verify *v, const char *name, struct block *volume,
			const struct fat_boot *boot, const uint8_t *first,
			struct error *err)
{
	uint8_t copy[BOOT_SIZE];

	if (!boot->backup || boot->backup >= boot->reserved) {
		verify_add(v, "fat_backup_boot", VERIFY_WARNING, name,
			   "format the partition again: gild build does",
			   "it has no backup of its boot sector");
		return 0;
	}
	if (block_pread(volume, copy, sizeof(copy), (uint64_t)boot->backup * boot->sector,
			err) < 0)
		return -1;
	if (memcmp(first, copy, sizeof(copy)) != 0)
		verify_add(v, "fat_backup_boot", VERIFY_WARNING, name,
			   "run chkdsk /f on it in Windows, or fsck.fat",
			   "the backup of its boot sector (sector %u) is not the same",
			   boot->backup);
	return 0;
}

static int check_fsinfo(struct verify *v, const char *name, struct block *volume,
			const struct fat_boot *boot, struct error *err)
{
	uint8_t s[BOOT_SIZE];

	if (!boot->fsinfo || boot->fsinfo >= boot->reserved)
		return 0; /* it is a hint, and may be missing */
	if (block_pread(volume, s, sizeof(s), (uint64_t)boot->fsinfo * boot->sector,
			err) < 0)
		return -1;
	if (get_le32(s) != FSINFO_LEAD || get_le32(s + 484) != FSINFO_STRUCT ||
	    s[510] != 0x55 || s[511] != 0xaa)
		verify_add(v, "fat_fsinfo", VERIFY_WARNING, name,
			   "run chkdsk /f on it in Windows, or fsck.fat",
			   "its FSInfo sector (sector %u) is damaged", boot->fsinfo);
	return 0;
}

/* The second table is a copy of the first. */
static int check_tables(struct verify *v, const char *name, struct block *volume,
			const struct fat_boot *boot, struct error *err)
{
	uint64_t len = boot->fat_size * boot->sector;
	uint64_t at = (uint64_t)boot->reserved * boot->sector;
	_cleanup_free_ uint8_t *a = xmalloc(PIECE), *b = xmalloc(PIECE);

	if (boot->fats < 2 || len > MAX_TABLE)
		return 0;
	for (uint64_t done = 0; done < len; done += PIECE) {
		size_t n = len - done < PIECE ? (size_t)(len - done) : PIECE;

		if (block_pread(volume, a, n, at + done, err) < 0 ||
		    block_pread(volume, b, n, at + len + done, err) < 0)
			return -1;
		if (memcmp(a, b, n) == 0)
			continue;
		verify_add(v, "fat_tables_differ", VERIFY_WARNING, name,
			   "run chkdsk /f on it in Windows, or fsck.fat",
			   "its two allocation tables are not the same");
		return 0;
	}
	return 0;
}

/* Windows clears bit 27 of the second entry (15 of FAT16) while it has it mounted. */
static int check_dirty(struct verify *v, const char *name, struct block *volume,
		       const struct fat_boot *boot, struct error *err)
{
	uint8_t entries[8];

	if (!boot->fat32)
		return 0;
	if (block_pread(volume, entries, sizeof(entries),
			(uint64_t)boot->reserved * boot->sector, err) < 0)
		return -1;
	if (!(get_le32(entries + 4) & 0x08000000u))
		verify_add(v, "fat_dirty", VERIFY_WARNING, name,
			   "run chkdsk /f on it in Windows, or fsck.fat",
			   "the volume was not unmounted");
	return 0;
}

int verify_fat(struct verify *v, const struct partition *partition, struct block *volume,
	       struct error *err)
{
	_cleanup_free_ char *name = verify_partition_name(partition);
	uint64_t start = partition->offset / v->table.sector_size;
	uint8_t first[BOOT_SIZE];
	struct fat_boot boot;

	if (block_pread(volume, first, sizeof(first), 0, err) < 0)
		return -1;
	boot = parse_boot(first);
	if (boot.sector != v->table.sector_size && v->table.scheme != PARTITION_BARE)
		verify_add(v, "sector_size", VERIFY_ERROR, name,
			   "make an image for such disks with gild build",
			   "the volume counts in sectors of %u bytes and the partition "
			   "table in %u: firmware does not read it",
			   boot.sector, v->table.sector_size);
	/* volume_recognise() has made sure that it is not larger than the partition. */
	if (verify_starts_by_code(v, partition) && boot.hidden != (uint32_t)start)
		verify_add(v, "fat_hidden_sectors", VERIFY_ERROR, name,
			   VERIFY_BUILD_AGAIN,
			   "its boot sector says that the partition begins at sector %u, "
			   "and it begins at %ju",
			   boot.hidden, (uintmax_t)start);
	if (boot.fat32 && (check_backup(v, name, volume, &boot, first, err) < 0 ||
			   check_fsinfo(v, name, volume, &boot, err) < 0))
		return -1;
	if (check_tables(v, name, volume, &boot, err) < 0 ||
	    check_dirty(v, name, volume, &boot, err) < 0)
		return -1;
	verify_checked(v, "FAT structures of %s", name);
	return 0;
}
