/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The partition table, looked at copy by copy: block/partition.c reads a disk by whatever
 * is left of its table, here the rest counts. GPT: UEFI specification, chapter 5. MBR:
 * offsets as in every PC since DOS 3.3.
 */
#include "block/crc.h"
#include "builder/verify_private.h"

#define MBR_CODE_SIZE 440
#define MBR_TABLE 446
#define MBR_ENTRY 16
#define MBR_PROTECTIVE 0xee
#define GPT_HEADER 92
#define GPT_ENTRY 128
#define GPT_MAX_ENTRY 4096
#define GPT_MAX_ENTRIES 1024
#define MAX_SECTOR 4096
#define MIB ((uint64_t)1 << 20)

#define REPAIR_GPT \
	"restore it from the other copy: sgdisk --verify, then gdisk (r, b or d, w)"

/* ---- GPT -----------------------------------------------------------------------------
 */

struct gpt_copy {
	const char *name; /* "the first GPT", "the backup GPT" */
	const char *code;
	bool sound;
	uint64_t lba, other, first, last, entries_lba;
	uint32_t count, entry_size, entries_crc;
	struct guid disk;
	struct buffer entries;
};

/* NULL: the header is sound; else why it is not. */
static const char *read_header(const struct verify *v, struct gpt_copy *copy)
{
	uint8_t sector[MAX_SECTOR];
	uint32_t size = v->table.sector_size, length, crc;

	if (block_pread(v->disk, sector, size, copy->lba * size, NULL) < 0)
		return "its header cannot be read";
	if (memcmp(sector, "EFI PART", 8) != 0)
		return "there is no header";
	length = get_le32(sector + 12);
	crc = get_le32(sector + 16);
	if (length < GPT_HEADER || length > size)
		return "its header has an impossible length";
	put_le32(sector + 16, 0);
	if (crc32_of(CRC32_GPT, (struct bytes){sector, length}) != crc)
		return "the checksum of its header is wrong";
	if (get_le64(sector + 24) != copy->lba)
		return "its header names another sector as its own";
	copy->other = get_le64(sector + 32);
	copy->first = get_le64(sector + 40);
	copy->last = get_le64(sector + 48);
	memcpy(copy->disk.bytes, sector + 56, sizeof(copy->disk.bytes));
	copy->entries_lba = get_le64(sector + 72);
	copy->count = get_le32(sector + 80);
	copy->entry_size = get_le32(sector + 84);
	copy->entries_crc = get_le32(sector + 88);
	return NULL;
}

static const char *read_entries(const struct verify *v, struct gpt_copy *copy)
{
	uint64_t at;
	size_t len;

	if (copy->entry_size < GPT_ENTRY || copy->entry_size > GPT_MAX_ENTRY ||
	    copy->entry_size & (copy->entry_size - 1) || !copy->count ||
	    copy->count > GPT_MAX_ENTRIES)
		return "its array of entries has an impossible size";
	len = (size_t)copy->count * copy->entry_size;
	if (mul_overflow(copy->entries_lba, v->table.sector_size, &at))
		return "its array of entries lies nowhere";
	buffer_reserve(&copy->entries, len);
	if (block_pread(v->disk, copy->entries.data, len, at, NULL) < 0)
		return "its array of entries cannot be read";
	copy->entries.len = len;
	if (crc32_of(CRC32_GPT, buffer_view(&copy->entries)) != copy->entries_crc)
		return "the checksum of its entries is wrong";
	return NULL;
}

static void read_copy(struct verify *v, struct gpt_copy *copy)
{
	const char *why = read_header(v, copy);

	if (!why)
		why = read_entries(v, copy);
	copy->sound = !why;
	/* Firmware and Windows go on with the other one. */
	if (why)
		verify_add(v, copy->code, VERIFY_WARNING, copy->name, REPAIR_GPT,
			   "%s is damaged: %s", copy->name, why);
}

static void compare_copies(struct verify *v, const struct gpt_copy *first,
			   const struct gpt_copy *backup, uint64_t last_lba)
{
	if (first->sound && first->other != last_lba)
		verify_add(v, "gpt_backup_misplaced", VERIFY_WARNING, backup->name,
			   "move it to the end: sgdisk -e",
			   "the backup GPT is expected in sector %ju, and the disk ends "
			   "with sector %ju",
			   (uintmax_t)first->other, (uintmax_t)last_lba);
	if (first->sound && backup->sound &&
	    (!guid_equal(&first->disk, &backup->disk) || first->first != backup->first ||
	     first->last != backup->last ||
	     !bytes_equal(buffer_view(&first->entries), buffer_view(&backup->entries))))
		verify_add(v, "gpt_copies_differ", VERIFY_WARNING, "the GPT", REPAIR_GPT,
			   "the two copies of the GPT are sound but do not say the same");
}

/* An entry in use, in sectors. */
struct gpt_use {
	unsigned number;
	uint64_t first, last;
	struct guid guid;
};
DEFINE_VEC(gpt_uses, struct gpt_use);

static void check_place(struct verify *v, const struct gpt_copy *gpt,
			const struct gpt_use *use, uint64_t sectors)
{
	_cleanup_free_ char *name = xasprintf("partition %u", use->number);

	if (use->last < use->first || use->first < gpt->first || use->last > gpt->last ||
	    use->last >= sectors)
		verify_add(v, "partition_bounds", VERIFY_ERROR, name, VERIFY_COPY_AGAIN,
			   "lies in sectors %ju to %ju, outside of the %ju to %ju that "
			   "the table has for partitions on a disk of %ju",
			   (uintmax_t)use->first, (uintmax_t)use->last,
			   (uintmax_t)gpt->first, (uintmax_t)gpt->last,
			   (uintmax_t)sectors);
	else if (use->first * v->table.sector_size % MIB)
		verify_add(v, "partition_alignment", VERIFY_NOTE, name,
			   "make it begin at a multiple of 1 MiB when the disk is made "
			   "again",
			   "begins at sector %ju, which is no multiple of 1 MiB: slower "
			   "on disks with large sectors",
			   (uintmax_t)use->first);
}

/* At most GPT_MAX_ENTRIES: each with each is quick enough. */
static void check_pair(struct verify *v, const struct gpt_use *a, const struct gpt_use *b)
{
	_cleanup_free_ char *name = xasprintf("partition %u", b->number);

	if (a->first <= b->last && b->first <= a->last)
		verify_add(v, "partition_overlap", VERIFY_ERROR, name, VERIFY_BUILD_AGAIN,
			   "lies over partition %u (sectors %ju to %ju and %ju to %ju)",
			   a->number, (uintmax_t)b->first, (uintmax_t)b->last,
			   (uintmax_t)a->first, (uintmax_t)a->last);
	if (guid_equal(&a->guid, &b->guid))
		verify_add(v, "partition_guid_twice", VERIFY_ERROR, name,
			   "give it another one: sgdisk --partition-guid=N:R",
			   "has the same GUID as partition %u: the boot configuration "
			   "cannot tell them apart",
			   a->number);
}

static void check_entries(struct verify *v, const struct gpt_copy *gpt, uint64_t sectors)
{
	static const struct guid unused;
	struct gpt_uses uses = VEC_INIT;

	for (uint32_t i = 0; i < gpt->count; i++) {
		const uint8_t *entry = gpt->entries.data + (size_t)i * gpt->entry_size;
		struct gpt_use use = {.number = i + 1,
				      .first = get_le64(entry + 32),
				      .last = get_le64(entry + 40)};
		struct guid type;

		memcpy(type.bytes, entry, 16);
		memcpy(use.guid.bytes, entry + 16, 16);
		if (guid_equal(&type, &unused))
			continue;
		check_place(v, gpt, &use, sectors);
		vec_foreach (other, &uses)
			check_pair(v, other, &use);
		vec_push(&uses, use);
	}
	vec_free(&uses);
}

static void check_protective(struct verify *v, const uint8_t *sector)
{
	unsigned protective = 0, others = 0;

	for (unsigned i = 0; i < 4; i++) {
		uint8_t type = sector[MBR_TABLE + i * MBR_ENTRY + 4];

		protective += type == MBR_PROTECTIVE;
		others += type && type != MBR_PROTECTIVE;
	}
	if (!protective || sector[510] != 0x55 || sector[511] != 0xaa)
		verify_add(v, "mbr_protective", VERIFY_ERROR, "the MBR",
			   "write it anew: gdisk, w",
			   "the protective MBR is missing: neither firmware nor Windows "
			   "takes the disk for GPT");
	else if (others)
		verify_add(v, "mbr_hybrid", VERIFY_ERROR, "the MBR",
			   "make it a protective one: gdisk (x, n, w)",
			   "a hybrid MBR lies over the GPT: Windows takes its "
			   "partitions");
}

static void check_esp(struct verify *v)
{
	unsigned found = 0;

	vec_foreach (partition, &v->table.partitions)
		found += partition_is_esp(partition);
	if (!found)
		verify_add(v, "esp_missing", VERIFY_ERROR, "the GPT", VERIFY_BUILD_AGAIN,
			   "there is no EFI system partition: the firmware finds nothing "
			   "to start");
	else if (found > 1)
		verify_add(v, "esp_several", VERIFY_WARNING, "the GPT",
			   "keep one EFI system partition",
			   "there are %u EFI system partitions: which one the firmware "
			   "takes depends on it",
			   found);
}

static void verify_gpt(struct verify *v, const uint8_t *sector)
{
	uint64_t sectors = v->disk->size / v->table.sector_size;
	struct gpt_copy first = {.name = "the first GPT",
				 .code = "gpt_damaged",
				 .lba = 1},
			backup = {.name = "the backup GPT",
				  .code = "gpt_backup_damaged",
				  .lba = sectors - 1};

	check_protective(v, sector);
	read_copy(v, &first);
	/* A disk that was made larger has it where the header says. */
	if (first.sound && first.other < sectors)
		backup.lba = first.other;
	read_copy(v, &backup);
	compare_copies(v, &first, &backup, sectors - 1);
	if (first.sound || backup.sound)
		check_entries(v, first.sound ? &first : &backup, sectors);
	check_esp(v);
	buffer_free(&first.entries);
	buffer_free(&backup.entries);
	verify_checked(v, "GPT and its backup");
}

/* ---- MBR -----------------------------------------------------------------------------
 */

struct mbr_use {
	uint8_t status, type;
	uint64_t first, count;
};

static struct mbr_use mbr_entry(const uint8_t *sector, unsigned i)
{
	const uint8_t *e = sector + MBR_TABLE + i * MBR_ENTRY;

	return (struct mbr_use){e[0], e[4], get_le32(e + 8), get_le32(e + 12)};
}

static void check_mbr_place(struct verify *v, const uint8_t *sector, unsigned i,
			    uint64_t sectors)
{
	_cleanup_free_ char *name = xasprintf("partition %u", i + 1);
	struct mbr_use use = mbr_entry(sector, i);

	if (!use.type)
		return;
	if (!use.first || !use.count || use.first + use.count > sectors)
		verify_add(v, "partition_bounds", VERIFY_ERROR, name, VERIFY_COPY_AGAIN,
			   "lies in sectors %ju to %ju of a disk that has %ju",
			   (uintmax_t)use.first, (uintmax_t)(use.first + use.count),
			   (uintmax_t)sectors);
	for (unsigned k = 0; k < i; k++) {
		struct mbr_use other = mbr_entry(sector, k);

		if (other.type && other.first < use.first + use.count &&
		    use.first < other.first + other.count)
			verify_add(v, "partition_overlap", VERIFY_ERROR, name,
				   VERIFY_BUILD_AGAIN, "lies over partition %u", k + 1);
	}
}

static bool all_zeros(const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (data[i])
			return false;
	return true;
}

static void verify_mbr(struct verify *v, const uint8_t *sector)
{
	uint64_t sectors = v->disk->size / v->table.sector_size;
	unsigned active = 0;
	bool esp = false;

	for (unsigned i = 0; i < 4; i++) {
		if (mbr_entry(sector, i).type == MBR_PROTECTIVE) {
			verify_add(v, "table_unreadable", VERIFY_ERROR, "the GPT",
				   VERIFY_COPY_AGAIN,
				   "the MBR is that of a GPT disk, and neither copy of "
				   "the GPT is sound");
			return;
		}
		check_mbr_place(v, sector, i, sectors);
		active += mbr_entry(sector, i).status == 0x80;
	}
	vec_foreach (partition, &v->table.partitions)
		esp |= partition_is_esp(partition);
	verify_checked(v, "MBR");
	if (active > 1)
		verify_add(v, "mbr_several_active", VERIFY_ERROR, "the MBR",
			   "leave one partition active: sfdisk --activate",
			   "%u partitions are active: the boot code stops", active);
	/* UEFI starts such a disk without either. */
	if (esp)
		return;
	if (!active)
		verify_add(v, "mbr_no_active", VERIFY_ERROR, "the MBR",
			   "make the boot manager's partition active: sfdisk --activate",
			   "no partition is active: the firmware (BIOS) finds nothing to "
			   "start");
	if (all_zeros(sector, MBR_CODE_SIZE))
		verify_add(v, "mbr_code_missing", VERIFY_ERROR, "the MBR",
			   "make the disk with gild build --firmware=bios, or run "
			   "bootsect /nt60 C: /mbr in Windows PE",
			   "it has no boot code: the firmware (BIOS) starts nothing");
	if (!v->table.disk_signature)
		verify_add(
			v, "mbr_signature_missing", VERIFY_WARNING, "the MBR",
			"give it one: sfdisk --disk-id",
			"it has no disk signature: Windows gives it one at the first "
			"start, and a boot configuration that names the disk no longer "
			"fits");
}

bool verify_starts_by_code(const struct verify *v, const struct partition *partition)
{
	return v->table.scheme == PARTITION_MBR && partition->active &&
	       !partition_is_esp(partition);
}

int verify_table(struct verify *v, struct error *err)
{
	_cleanup_error_ struct error why = ERROR_INIT;
	uint8_t sector[512];

	if (partition_table_read(v->disk, &v->table, &why) < 0) {
		verify_add_error(v, "table_unreadable", VERIFY_ERROR, v->path,
				 VERIFY_COPY_AGAIN, &why);
		return 0;
	}
	v->has_table = true;
	if (block_pread(v->disk, sector, sizeof(sector), 0, err) < 0)
		return -1;
	if (v->table.scheme == PARTITION_GPT)
		verify_gpt(v, sector);
	else if (v->table.scheme == PARTITION_MBR)
		verify_mbr(v, sector);
	else
		verify_add(v, "no_partition_table", VERIFY_WARNING, v->path,
			   "make a disk of it with gild build",
			   "it is one volume without a partition table: no firmware "
			   "starts from it");
	return 0;
}
