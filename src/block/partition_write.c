/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "block/partition_write.h"

#include "base/text.h"
#include "block/crc.h"
#include "block/partition_private.h"

#define ENTRIES 128
#define ENTRIES_SIZE ((size_t)ENTRIES * GPT_ENTRY_SIZE)
#define REVISION 0x00010000
#define MAX_SECTOR 4096
#define MBR_SIZE 512
#define MBR_BOOT_CODE 440 /* the disk signature follows */
#define MBR_PARTITIONS 4
#define MBR_ACTIVE 0x80
/* What Windows counts cylinders by, whatever the disk is. */
#define HEADS 255
#define SECTORS_PER_TRACK 63
#define MAX_CYLINDER 1023

uint64_t partition_gpt_end(uint32_t sector_size)
{
	return ENTRIES_SIZE + sector_size;
}

uint64_t partition_gpt_start(uint32_t sector_size)
{
	return partition_gpt_end(sector_size) + sector_size;
}

/* ---- what fits ---- */

static int bad(const struct block *disk, const struct partition *p, struct error *err,
	       const char *what)
{
	error_set(err, ERROR_FAILED, disk->name, "cannot have partition %u: it %s",
		  p->number, what);
	return error_remedy(err, "give the partitions other places, or make the disk "
				 "larger");
}

static bool overlap(const struct partition *a, const struct partition *b)
{
	return a->offset < b->offset + b->size && b->offset < a->offset + a->size;
}

/* All lies between the two bytes, without meeting, and is numbered within the table. */
static int check(const struct block *disk, const struct partitions *all, uint64_t first,
		 uint64_t end, unsigned most, struct error *err)
{
	if (disk->sector_size < MBR_SIZE || disk->sector_size > MAX_SECTOR ||
	    disk->size % disk->sector_size || end < first) {
		error_set(err, ERROR_FAILED, disk->name,
			  "of %ju bytes in sectors of %u takes no partition table",
			  (uintmax_t)disk->size, disk->sector_size);
		return error_remedy(err, "make the disk larger");
	}
	vec_foreach (p, all) {
		if (!p->number || p->number > most)
			return bad(disk, p, err, "has no entry in the table");
		if (p->offset % disk->sector_size || p->size % disk->sector_size)
			return bad(disk, p, err, "does not consist of whole sectors");
		if (!p->size || p->offset < first || p->offset > end ||
		    p->size > end - p->offset)
			return bad(disk, p, err,
				   "does not lie in the disk's usable part");
		vec_foreach (other, all) {
			if (other == p)
				break;
			if (other->number == p->number || overlap(other, p))
				return bad(disk, p, err, "meets another one");
		}
	}
	return 0;
}

/* ---- MBR ---- */

/* Cylinder, head and sector as they are packed; the last that there is beyond their end.
 */
static void put_chs(uint8_t *to, uint64_t lba)
{
	uint64_t cylinder = lba / (HEADS * SECTORS_PER_TRACK);
	unsigned head = (unsigned)(lba / SECTORS_PER_TRACK % HEADS),
		 sector = (unsigned)(lba % SECTORS_PER_TRACK + 1);

	if (cylinder > MAX_CYLINDER) {
		cylinder = MAX_CYLINDER;
		head = HEADS - 1;
		sector = SECTORS_PER_TRACK;
	}
	to[0] = (uint8_t)head;
	to[1] = (uint8_t)(sector | (cylinder >> 2 & 0xc0));
	to[2] = (uint8_t)cylinder;
}

int partition_write_mbr(struct block *disk, const struct partition_table *table,
			struct bytes boot_code, struct error *err)
{
	uint8_t sector[MAX_SECTOR] = {0};
	uint64_t reach = (uint64_t)UINT32_MAX * disk->sector_size;

	if (check(disk, &table->partitions, disk->sector_size, disk->size, MBR_PARTITIONS,
		  err) < 0)
		return -1;
	if (boot_code.len > MBR_BOOT_CODE)
		return error_set(err, ERROR_FAILED, disk->name,
				 "has room for %d bytes of boot code, not %zu",
				 MBR_BOOT_CODE, boot_code.len);
	if (boot_code.len)
		memcpy(sector, boot_code.data, boot_code.len);
	put_le32(sector + MBR_BOOT_CODE, table->disk_signature);
	vec_foreach (p, &table->partitions) {
		uint8_t *entry =
			sector + MBR_ENTRIES + (size_t)(p->number - 1) * MBR_ENTRY_SIZE;
		uint64_t lba = p->offset / disk->sector_size,
			 count = p->size / disk->sector_size;

		if (p->offset > reach || p->size > reach) {
			error_set(err, ERROR_FAILED, disk->name,
				  "cannot have partition %u in an MBR, which counts no "
				  "further than 2^32 sectors",
				  p->number);
			return error_remedy(err,
					    "use a GPT (UEFI) or make the disk smaller");
		}
		entry[0] = p->active ? MBR_ACTIVE : 0;
		put_chs(entry + 1, lba);
		entry[4] = p->mbr_type;
		put_chs(entry + 5, lba + count - 1);
		put_le32(entry + 8, (uint32_t)lba);
		put_le32(entry + 12, (uint32_t)count);
	}
	put_le16(sector + MBR_SIZE - 2, 0xaa55);
	return block_pwrite(disk, sector, disk->sector_size, 0, err);
}

/* ---- GPT ---- */

/* UEFI specification, table 5-4. */
static int write_protective(struct block *disk, uint64_t sectors, struct error *err)
{
	uint8_t sector[MAX_SECTOR] = {0}, *entry = sector + MBR_ENTRIES;

	entry[2] = 2; /* LBA 1, on any geometry */
	entry[4] = MBR_PROTECTIVE;
	memset(entry + 5, 0xff, 3);
	put_le32(entry + 8, 1);
	put_le32(entry + 12,
		 sectors - 1 > UINT32_MAX ? UINT32_MAX : (uint32_t)(sectors - 1));
	put_le16(sector + MBR_SIZE - 2, 0xaa55);
	return block_pwrite(disk, sector, disk->sector_size, 0, err);
}

static int put_entry(const struct block *disk, const struct partition *p,
		     uint8_t *entries, struct error *err)
{
	static const struct guid unused;
	_cleanup_buffer_ struct buffer name = BUFFER_INIT;
	uint8_t *entry = entries + (size_t)(p->number - 1) * GPT_ENTRY_SIZE;

	utf16_append(&name, p->name ? p->name : "");
	if (name.len > GPT_NAME_SIZE)
		return bad(disk, p, err, "has a name of more than 36 characters");
	if (guid_equal(&p->type, &unused) || guid_equal(&p->guid, &unused))
		return bad(disk, p, err, "has no type or no GUID");
	memcpy(entry, p->type.bytes, sizeof(p->type.bytes));
	memcpy(entry + 16, p->guid.bytes, sizeof(p->guid.bytes));
	put_le64(entry + 32, p->offset / disk->sector_size);
	put_le64(entry + 40, (p->offset + p->size) / disk->sector_size - 1);
	put_le64(entry + GPT_ATTRIBUTES, p->attributes);
	if (name.len)
		memcpy(entry + GPT_NAME, name.data, name.len);
	return 0;
}

/* One of the two headers, at `lba`; table 5-5. */
static int write_header(struct block *disk, const struct guid *id, uint64_t lba,
			uint64_t other, const uint8_t *entries, struct error *err)
{
	uint32_t size = disk->sector_size;
	uint64_t sectors = disk->size / size, used = ENTRIES_SIZE / size;
	uint8_t sector[MAX_SECTOR] = {0};

	memcpy(sector, "EFI PART", 8);
	put_le32(sector + 8, REVISION);
	put_le32(sector + 12, GPT_HEADER_SIZE);
	put_le64(sector + 24, lba);
	put_le64(sector + 32, other);
	put_le64(sector + 40, 2 + used);
	put_le64(sector + 48, sectors - 2 - used);
	memcpy(sector + 56, id->bytes, sizeof(id->bytes));
	put_le64(sector + 72, lba == 1 ? 2 : lba - used);
	put_le32(sector + 80, ENTRIES);
	put_le32(sector + 84, GPT_ENTRY_SIZE);
	put_le32(sector + 88, crc32_of(CRC32_GPT, (struct bytes){entries, ENTRIES_SIZE}));
	put_le32(sector + 16,
		 crc32_of(CRC32_GPT, (struct bytes){sector, GPT_HEADER_SIZE}));
	return block_pwrite(disk, sector, size, lba * size, err);
}

/* All entries as they lie on the disk. NULL with the error. */
static uint8_t *make_entries(const struct block *disk,
			     const struct partition_table *table, struct error *err)
{
	_cleanup_free_ uint8_t *entries = xcalloc(1, ENTRIES_SIZE);
	uint32_t size = disk->sector_size;
	/* A disk that is smaller than both tables has its end before its start. */
	uint64_t end = disk->size < partition_gpt_end(size)
			       ? 0
			       : disk->size - partition_gpt_end(size);

	if (check(disk, &table->partitions, partition_gpt_start(size), end, ENTRIES,
		  err) < 0)
		return NULL;
	vec_foreach (p, &table->partitions)
		if (put_entry(disk, p, entries, err) < 0)
			return NULL;
	return steal_ptr(entries);
}

static int write_first(struct block *disk, const struct partition_table *table,
		       const uint8_t *entries, struct error *err)
{
	uint64_t last = disk->size / disk->sector_size - 1;

	if (block_pwrite(disk, entries, ENTRIES_SIZE, 2 * (uint64_t)disk->sector_size,
			 err) < 0)
		return -1;
	return write_header(disk, &table->disk_guid, 1, last, entries, err);
}

static int write_mirror(struct block *disk, const struct partition_table *table,
			const uint8_t *entries, struct error *err)
{
	uint64_t last = disk->size / disk->sector_size - 1;

	if (block_pwrite(disk, entries, ENTRIES_SIZE,
			 disk->size - partition_gpt_end(disk->sector_size), err) < 0)
		return -1;
	return write_header(disk, &table->disk_guid, last, 1, entries, err);
}

int partition_write_gpt(struct block *disk, const struct partition_table *table,
			struct error *err)
{
	_cleanup_free_ uint8_t *entries = make_entries(disk, table, err);

	if (!entries || write_protective(disk, disk->size / disk->sector_size, err) < 0 ||
	    write_first(disk, table, entries, err) < 0)
		return -1;
	return write_mirror(disk, table, entries, err);
}

int partition_change_gpt(struct block *disk, const struct partition_table *table,
			 struct error *err)
{
	_cleanup_free_ uint8_t *entries = make_entries(disk, table, err);

	if (!entries || write_mirror(disk, table, entries, err) < 0 ||
	    block_flush(disk, err) < 0 || write_first(disk, table, entries, err) < 0)
		return -1;
	return block_flush(disk, err);
}
