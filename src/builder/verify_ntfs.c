/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An NTFS volume's own structures, before any file system code trusts them: the boot
 * sector and its backup in the partition's last sector, where they say the volume lies,
 * and the first records of $MFT beside their copies in $MFTMirr. Offsets: layout.h of
 * libntfs-3g.
 */
#include "builder/verify_private.h"

#define BOOT_SIZE 512
#define BOOT_SECTOR_BYTES 11
#define BOOT_CLUSTER_SECTORS 13
#define BOOT_HIDDEN 28
#define BOOT_SECTORS 40
#define BOOT_MFT 48
#define BOOT_MIRROR 56
#define BOOT_RECORD 64
#define BOOT_CODE 0x54
#define RECORD_USED 24
#define MIRRORED 4 /* records that $MFTMirr has at least */
#define MAX_RECORD 4096
#define MAX_CLUSTER ((uint32_t)2 << 20) /* since Windows 10 1709 */
#define STRIDE 512 /* what is protected by one number of the update sequence */

struct ntfs_boot {
	uint32_t sector, cluster, record, hidden;
	uint64_t sectors, mft, mirror;
};

static bool power_of_two(uint64_t v)
{
	return v && !(v & (v - 1));
}

/* False if it is no boot sector of NTFS, or says what cannot be. */
static bool parse_boot(const uint8_t *s, struct ntfs_boot *ret)
{
	uint8_t per_cluster = s[BOOT_CLUSTER_SECTORS], record = s[BOOT_RECORD];
	uint64_t cluster;

	ret->sector = get_le16(s + BOOT_SECTOR_BYTES);
	if (memcmp(s + 3, "NTFS    ", 8) != 0 || s[510] != 0x55 || s[511] != 0xaa ||
	    !power_of_two(ret->sector) || ret->sector < 256 || ret->sector > 4096 ||
	    (per_cluster > 128 && per_cluster <= 224))
		return false;
	cluster = per_cluster > 224 ? (uint64_t)1 << (256 - per_cluster) : per_cluster;
	cluster *= ret->sector;
	if (!power_of_two(cluster) || cluster > MAX_CLUSTER)
		return false;
	ret->cluster = (uint32_t)cluster;
	/* Positive: in clusters; negative: the exponent of bytes. */
	ret->record = record >= 0xe1 ? 1u << (256 - record) : record * ret->cluster;
	ret->hidden = get_le32(s + BOOT_HIDDEN);
	ret->sectors = get_le64(s + BOOT_SECTORS);
	ret->mft = get_le64(s + BOOT_MFT);
	ret->mirror = get_le64(s + BOOT_MIRROR);
	return power_of_two(ret->record) && ret->record >= STRIDE &&
	       ret->record <= MAX_RECORD && ret->sectors;
}

/* ---- $MFT and $MFTMirr ---------------------------------------------------------------
 */

/*
 * Takes the update sequence out of a record, so that two copies of one state are equal
 * whatever number each was written with. False if the record is torn or none.
 */
static bool plain_record(uint8_t *record, size_t len)
{
	size_t array = get_le16(record + 4), count = get_le16(record + 6);

	if (memcmp(record, "FILE", 4) != 0 || count != len / STRIDE + 1 || array < 8 ||
	    array + 2 * count > STRIDE - 2)
		return false;
	for (size_t i = 1; i < count; i++) {
		uint8_t *tail = record + i * STRIDE - 2;

		if (memcmp(tail, record + array, 2) != 0)
			return false;
		memcpy(tail, record + array + 2 * i, 2);
	}
	memset(record + array, 0, 2 * count);
	return true;
}

static const char *const record_names[MIRRORED] = {"$MFT", "$MFTMirr", "$LogFile",
						   "$Volume"};

static bool read_records(struct block *volume, const struct ntfs_boot *boot,
			 uint64_t cluster, uint8_t *to)
{
	uint64_t at;

	return !mul_overflow(cluster, boot->cluster, &at) &&
	       block_pread(volume, to, (size_t)boot->record * MIRRORED, at, NULL) == 0;
}

static void compare_records(struct verify *v, const char *name,
			    const struct ntfs_boot *boot, uint8_t *mft, uint8_t *mirror)
{
	for (size_t i = 0; i < MIRRORED; i++) {
		uint8_t *a = mft + i * boot->record, *b = mirror + i * boot->record;
		bool sound = plain_record(a, boot->record);
		uint32_t used = get_le32(a + RECORD_USED);

		if (!sound)
			verify_add(v, "ntfs_mft", VERIFY_ERROR, name, VERIFY_CHKDSK,
				   "the MFT record of %s is damaged", record_names[i]);
		else if (!plain_record(b, boot->record) || used > boot->record ||
			 memcmp(a, b, used) != 0)
			verify_add(v, "ntfs_mft_mirror", VERIFY_WARNING, name,
				   VERIFY_CHKDSK,
				   "$MFTMirr's copy of the record of %s is not the same "
				   "as in $MFT",
				   record_names[i]);
	}
}

static void check_mft(struct verify *v, const char *name, struct block *volume,
		      const struct ntfs_boot *boot)
{
	uint8_t mft[MIRRORED * MAX_RECORD], mirror[MIRRORED * MAX_RECORD];

	if (!read_records(volume, boot, boot->mft, mft))
		verify_add(v, "ntfs_mft", VERIFY_ERROR, name, VERIFY_COPY_AGAIN,
			   "$MFT lies outside of the partition");
	else if (!read_records(volume, boot, boot->mirror, mirror))
		verify_add(v, "ntfs_mft_mirror", VERIFY_WARNING, name, VERIFY_CHKDSK,
			   "$MFTMirr lies outside of the partition");
	else
		compare_records(v, name, boot, mft, mirror);
}

/* ---- boot sectors --------------------------------------------------------------------
 */

static void check_geometry(struct verify *v, const struct partition *partition,
			   const char *name, const struct ntfs_boot *boot)
{
	/* The last sector, which has the backup, is not counted. */
	uint64_t size, want = partition->size;
	uint64_t start = partition->offset / boot->sector;

	if (boot->sectors == UINT64_MAX ||
	    mul_overflow(boot->sectors + 1, boot->sector, &size))
		size = UINT64_MAX;
	if (size > want)
		verify_add(v, "ntfs_size", VERIFY_ERROR, name, VERIFY_COPY_AGAIN,
			   "the volume has %ju bytes and its partition only %ju",
			   (uintmax_t)size, (uintmax_t)want);
	else if (size < want && v->table.scheme != PARTITION_BARE)
		verify_add(v, "ntfs_size", VERIFY_WARNING, name,
			   "make the partition end where the volume does, or extend the "
			   "volume in Windows",
			   "the volume ends %ju bytes before its partition: the backup "
			   "of its boot sector is not where Windows looks for it",
			   (uintmax_t)(want - size));
	if (v->table.scheme == PARTITION_BARE)
		return;
	if (boot->sector != v->table.sector_size)
		verify_add(v, "sector_size", VERIFY_ERROR, name,
			   "make an image for such disks with gild build",
			   "the volume counts in sectors of %u bytes and the partition "
			   "table in %u: Windows does not mount it",
			   boot->sector, v->table.sector_size);
	else if (boot->hidden != (uint32_t)start)
		verify_add(v, "ntfs_hidden_sectors",
			   verify_starts_by_code(v, partition) ? VERIFY_ERROR
							       : VERIFY_WARNING,
			   name, "make the image again with gild build",
			   "its boot sector says that the partition begins at sector %u, "
			   "and it begins at %ju",
			   boot->hidden, (uintmax_t)start);
}

/* mkntfs writes code that only says that the disk does not start. */
static void check_code(struct verify *v, const struct partition *partition,
		       const char *name, const uint8_t *sector)
{
	static const char refusal[] = "This is not a bootable disk";
	struct bytes code = {sector + BOOT_CODE, BOOT_SIZE - BOOT_CODE - 2};
	bool missing = true;

	if (!verify_starts_by_code(v, partition))
		return;
	for (size_t i = 0; i < code.len && missing; i++)
		missing = !code.data[i];
	if (missing || memmem(code.data, code.len, refusal, sizeof(refusal) - 1))
		verify_add(v, "volume_code_missing", VERIFY_ERROR, name,
			   "make the disk with gild build --firmware=bios, or run "
			   "bootsect /nt60 C: in Windows PE",
			   "its boot sector has no code that starts the boot manager");
}

static int read_boot(struct block *volume, uint64_t at, uint8_t sector[BOOT_SIZE],
		     struct error *err)
{
	memset(sector, 0, BOOT_SIZE);
	return volume->size < at + BOOT_SIZE
		       ? 0
		       : block_pread(volume, sector, BOOT_SIZE, at, err);
}

int verify_ntfs(struct verify *v, const struct partition *partition, struct block *volume,
		struct error *err)
{
	_cleanup_free_ char *name = verify_partition_name(partition);
	uint8_t first[BOOT_SIZE], last[BOOT_SIZE];
	struct ntfs_boot boot, backup;
	uint32_t sector = v->table.sector_size;
	bool sound, saved;

	if (volume->size < 2 * (uint64_t)sector)
		return 0;
	if (read_boot(volume, 0, first, err) < 0 ||
	    read_boot(volume, volume->size - sector, last, err) < 0)
		return -1;
	sound = parse_boot(first, &boot);
	/* Without a partition it need not end where its container does. */
	if (sound && v->table.scheme == PARTITION_BARE &&
	    boot.sectors < volume->size / boot.sector &&
	    read_boot(volume, boot.sectors * boot.sector, last, err) < 0)
		return -1;
	saved = parse_boot(last, &backup);
	if (!sound && saved) {
		verify_add(v, "ntfs_boot_sector", VERIFY_ERROR, name,
			   "copy the last sector of the partition over its first",
			   "its boot sector is damaged; the backup in the last sector is "
			   "sound");
		check_mft(v, name, volume, &backup);
	} else if (!sound && memcmp(first + 3, "NTFS    ", 8) == 0) {
		verify_add(v, "ntfs_boot_sector", VERIFY_ERROR, name, VERIFY_COPY_AGAIN,
			   "its boot sector is damaged, and so is the backup");
	} else if (sound) {
		check_geometry(v, partition, name, &boot);
		check_code(v, partition, name, first);
		if (memcmp(first, last, BOOT_SIZE) != 0)
			verify_add(v, "ntfs_backup_boot", VERIFY_WARNING, name,
				   "copy the first sector of the partition over its last",
				   "the backup of its boot sector, in the last sector of "
				   "the partition, %s",
				   saved ? "is not the same" : "is missing");
		check_mft(v, name, volume, &boot);
	} else {
		return 0;
	}
	verify_checked(v, "NTFS structures of %s", name);
	return 0;
}
