/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Volumes by their content. Windows' own are told by the first sector (the BIOS parameter
 * block, NTFS' and FAT's serial numbers), others by the magic numbers of their
 * superblocks.
 */
#include "block/partition.h"

#define MBR_TYPE_LDM 0x42
#define EXT_MAGIC 0x438
#define MAX_CLUSTER ((uint32_t)2 << 20) /* NTFS since Windows 10 1709 */

/* Superblocks of what is no home of Windows but may lie on the same disk. */
static const struct magic {
	uint64_t offset;
	const char *bytes;
	size_t len;
	enum volume_kind kind;
	const char *name;
} magics[] = {
	{0x10040, "_BHRfS_M", 8, VOLUME_BTRFS, "btrfs"},
	{0, "LUKS\xba\xbe", 6, VOLUME_OTHER, "LUKS"},
	{0, "XFSB", 4, VOLUME_OTHER, "XFS"},
	{EXT_MAGIC, "\x53\xef", 2, VOLUME_OTHER, "ext2/3/4"},
	{0x200, "LABELONE", 8, VOLUME_OTHER, "LVM"},
	{4086, "SWAPSPACE2", 10, VOLUME_OTHER, "swap"},
	{0x400, "\x10\x20\xf5\xf2", 4, VOLUME_OTHER, "F2FS"},
	{0x400, "H+\0\4", 4, VOLUME_OTHER, "HFS+"},
	{0x400, "HX\0\5", 4, VOLUME_OTHER, "HFSX"},
	{32, "NXSB", 4, VOLUME_OTHER, "APFS"},
	{0, "hsqs", 4, VOLUME_OTHER, "SquashFS"},
	{0x8001, "CD001", 5, VOLUME_OTHER, "ISO 9660"},
	{0x8001, "BEA01", 5, VOLUME_OTHER, "UDF"},
	{0x400, "\xe2\xe1\xf5\xe0", 4, VOLUME_OTHER, "EROFS"},
};

static bool power_of_two(uint32_t v)
{
	return v && !(v & (v - 1));
}

/* "NTFS    " at 3; 11: bytes per sector; 13: sectors per cluster; 72: serial number. */
static bool is_ntfs(const uint8_t *s, struct volume_info *ret)
{
	uint32_t sector = get_le16(s + 11), per_cluster = s[13];
	uint64_t cluster;

	if (memcmp(s + 3, "NTFS    ", 8) != 0 || !power_of_two(sector) || sector < 256 ||
	    sector > 4096)
		return false;
	/* Above 128: the negative exponent, for clusters of more than 128 sectors. */
	if (per_cluster > 128 && per_cluster <= 224)
		return false;
	cluster = per_cluster > 224 ? (uint64_t)1 << (256 - per_cluster) : per_cluster;
	cluster *= sector;
	if (!cluster || cluster > MAX_CLUSTER || (cluster & (cluster - 1)))
		return false;
	*ret = (struct volume_info){VOLUME_NTFS, "NTFS", (uint32_t)cluster,
				    get_le64(s + 72)};
	return true;
}

/*
 * FAT has no reliable mark: the parameter block has to make sense. How many clusters it
 * has decides between 12, 16 and 32 bits (Microsoft, FAT: General Overview).
 */
static bool is_fat(const uint8_t *s, uint64_t size, struct volume_info *ret)
{
	uint32_t sector = get_le16(s + 11), per_cluster = s[13],
		 reserved = get_le16(s + 14);
	uint32_t fats = s[16], root = get_le16(s + 17), small = get_le16(s + 19);
	uint32_t fat_size = get_le16(s + 22) ? get_le16(s + 22) : get_le32(s + 36);
	uint64_t total = small ? small : get_le32(s + 32), meta, clusters;

	if ((s[0] != 0xeb && s[0] != 0xe9) || s[510] != 0x55 || s[511] != 0xaa ||
	    !power_of_two(sector) || sector < 512 || sector > 4096 ||
	    !power_of_two(per_cluster) || !reserved || !fats || fats > 2 || !fat_size ||
	    s[21] < 0xf0 || total * sector > size)
		return false;
	meta = reserved + (uint64_t)fats * fat_size + (root * 32 + sector - 1) / sector;
	if (meta >= total)
		return false;
	clusters = (total - meta) / per_cluster;
	*ret = (struct volume_info){VOLUME_FAT,
				    !get_le16(s + 22) ? "FAT32"
				    : clusters < 4085 ? "FAT12"
						      : "FAT16",
				    per_cluster * sector,
				    get_le32(s + (get_le16(s + 22) ? 39 : 67))};
	return true;
}

/*
 * BitLocker: Windows' own volumes have "-FVE-FS-" for the name of the file system; "To
 * Go" ones look like FAT and are told by a GUID.
 */
static bool is_bitlocker(const uint8_t *s)
{
	struct guid go, found;

	if (memcmp(s + 3, "-FVE-FS-", 8) == 0)
		return true;
	memcpy(found.bytes, s + 424, sizeof(found.bytes));
	return memcmp(s + 3, "MSWIN4.1", 8) == 0 &&
	       guid_parse("4967d63b-2e29-4ad8-8399-f6a339e3d001", &go) &&
	       guid_equal(&found, &go);
}

/* What the partition's type tells and its content would not. */
static bool by_type(const struct partition *partition, struct volume_info *ret)
{
	static const struct {
		const char *guid;
		enum volume_kind kind;
		const char *name;
	} types[] = {
		{"5808c8aa-7e8f-42e0-85d2-e1e90434cfb3", VOLUME_LDM, "LDM metadata"},
		{"af9b60a0-1431-4f62-bc68-3311714a69ad", VOLUME_LDM, "LDM data"},
		{"e75caf8f-f680-4cee-afa3-b001e56efc2d", VOLUME_STORAGE_SPACES,
		 "Storage Spaces"},
	};
	struct guid type;

	if (!partition)
		return false;
	if (partition->mbr_type == MBR_TYPE_LDM) {
		*ret = (struct volume_info){VOLUME_LDM, "LDM data", 0, 0};
		return true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (guid_parse(types[i].guid, &type) &&
		    guid_equal(&type, &partition->type)) {
			*ret = (struct volume_info){types[i].kind, types[i].name, 0, 0};
			return true;
		}
	return false;
}

static bool all_zeros(const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (data[i])
			return false;
	return true;
}

/* Two bytes are not enough: the block size and the state have to be possible too. */
static bool is_ext(struct block *volume)
{
	uint8_t s[64];

	return volume->size >= 0x400 + sizeof(s) &&
	       block_pread(volume, s, sizeof(s), 0x400, NULL) == 0 &&
	       get_le32(s + 24) <= 6 && get_le16(s + 58) <= 7 && get_le32(s + 4) != 0;
}

static int by_magic(struct block *volume, struct volume_info *ret, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(magics); i++) {
		const struct magic *m = &magics[i];
		uint8_t found[16];

		if (m->offset + m->len > volume->size)
			continue;
		if (block_pread(volume, found, m->len, m->offset, err) < 0)
			return -1;
		if (memcmp(found, m->bytes, m->len) == 0 &&
		    (m->offset != EXT_MAGIC || is_ext(volume))) {
			*ret = (struct volume_info){m->kind, m->name, 0, 0};
			return 0;
		}
	}
	return 0;
}

int volume_recognise(struct block *volume, const struct partition *partition,
		     struct volume_info *ret, struct error *err)
{
	uint8_t s[512];

	*ret = (struct volume_info){VOLUME_UNKNOWN, "unknown", 0, 0};
	if (by_type(partition, ret) || volume->size < sizeof(s))
		return 0;
	if (block_pread(volume, s, sizeof(s), 0, err) < 0)
		return -1;
	if (is_bitlocker(s))
		*ret = (struct volume_info){VOLUME_BITLOCKER, "BitLocker", 0, 0};
	else if (memcmp(s + 3, "EXFAT   ", 8) == 0)
		*ret = (struct volume_info){VOLUME_EXFAT, "exFAT", 0, get_le32(s + 100)};
	else if (memcmp(s + 3, "ReFS\0\0\0\0", 8) == 0)
		*ret = (struct volume_info){VOLUME_REFS, "ReFS", 0, get_le64(s + 56)};
	else if (!is_ntfs(s, ret) && !is_fat(s, volume->size, ret)) {
		if (by_magic(volume, ret, err) < 0)
			return -1;
		if (ret->kind == VOLUME_UNKNOWN && all_zeros(s, sizeof(s)))
			*ret = (struct volume_info){VOLUME_EMPTY, "empty", 0, 0};
	}
	return 0;
}
