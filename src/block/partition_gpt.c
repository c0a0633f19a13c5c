/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The GUID partition table (UEFI specification, chapter 5): a header in the second sector
 * and its backup in the last, each with a CRC over itself and over the array of entries.
 */
#include "base/text.h"
#include "block/crc.h"
#include "block/partition_private.h"

#define MAX_ENTRY_SIZE 4096
#define MAX_ENTRIES 1024 /* 128 are usual */

struct gpt_header {
	uint64_t self, backup, first, last, entries_at;
	uint32_t count, entry_size, entries_crc;
	struct guid disk;
};

/* Offsets as in the specification, table 5-5. */
static bool parse_header(struct bytes sector, uint64_t lba, uint64_t sectors,
			 struct gpt_header *h)
{
	uint8_t copy[4096];
	uint32_t size;

	if (sector.len > sizeof(copy) || sector.len < GPT_HEADER_SIZE ||
	    memcmp(sector.data, "EFI PART", 8) != 0)
		return false;
	size = get_le32(sector.data + 12);
	if (size < GPT_HEADER_SIZE || size > sector.len)
		return false;
	memcpy(copy, sector.data, sector.len);
	put_le32(copy + 16, 0);
	if (crc32_of(CRC32_GPT, (struct bytes){copy, size}) != get_le32(sector.data + 16))
		return false;
	h->self = get_le64(copy + 24);
	h->backup = get_le64(copy + 32);
	h->first = get_le64(copy + 40);
	h->last = get_le64(copy + 48);
	memcpy(h->disk.bytes, copy + 56, sizeof(h->disk.bytes));
	h->entries_at = get_le64(copy + 72);
	h->count = get_le32(copy + 80);
	h->entry_size = get_le32(copy + 84);
	h->entries_crc = get_le32(copy + 88);
	return h->self == lba && h->entries_at >= 2 && h->entries_at < sectors &&
	       h->first <= h->last && h->entry_size >= GPT_ENTRY_SIZE &&
	       h->entry_size <= MAX_ENTRY_SIZE &&
	       !(h->entry_size & (h->entry_size - 1)) && h->count &&
	       h->count <= MAX_ENTRIES;
}

static void take_entry(struct block *disk, const struct gpt_header *h,
		       const uint8_t *entry, unsigned number,
		       struct partition_table *table)
{
	static const struct guid unused;
	uint64_t first = get_le64(entry + 32), last = get_le64(entry + 40), size, end;
	struct partition p = {.number = number};

	memcpy(p.type.bytes, entry, 16);
	memcpy(p.guid.bytes, entry + 16, 16);
	if (guid_equal(&p.type, &unused))
		return;
	if (last < first || first < h->first ||
	    mul_overflow(first, table->sector_size, &p.offset) ||
	    mul_overflow(last - first + 1, table->sector_size, &size) ||
	    add_overflow(p.offset, size, &end)) {
		partition_problem(table,
				  "partition %u has no possible place and is "
				  "left out",
				  number);
		return;
	}
	if (end > disk->size) {
		partition_problem(table,
				  "partition %u reaches beyond the end of the disk and "
				  "is left out: the image is cut short",
				  number);
		return;
	}
	p.size = size;
	p.attributes = get_le64(entry + GPT_ATTRIBUTES);
	p.name = utf16_to_utf8(entry + GPT_NAME, GPT_NAME_SIZE);
	vec_push(&table->partitions, p);
}

/* One of the two copies, whole and with both checksums right. */
static bool read_copy(struct block *disk, uint64_t lba, struct gpt_header *h,
		      struct buffer *entries, uint32_t sector_size)
{
	uint64_t sectors = disk->size / sector_size;
	uint8_t sector[4096];
	size_t len;

	if (lba >= sectors ||
	    block_pread(disk, sector, sector_size, lba * sector_size, NULL) < 0 ||
	    !parse_header((struct bytes){sector, sector_size}, lba, sectors, h))
		return false;
	len = (size_t)h->count * h->entry_size;
	buffer_free(entries);
	buffer_reserve(entries, len);
	if (block_pread(disk, entries->data, len, h->entries_at * sector_size, NULL) < 0)
		return false;
	entries->len = len;
	return crc32_of(CRC32_GPT, buffer_view(entries)) == h->entries_crc;
}

bool gpt_read(struct block *disk, uint32_t sector_size, struct partition_table *ret)
{
	_cleanup_buffer_ struct buffer entries = BUFFER_INIT;
	uint64_t last = disk->size / sector_size;
	struct gpt_header h;

	if (last < 6)
		return false;
	ret->sector_size = sector_size;
	if (!read_copy(disk, 1, &h, &entries, sector_size)) {
		if (!read_copy(disk, last - 1, &h, &entries, sector_size))
			return false;
		partition_problem(ret, "the first GPT is damaged, its backup is used");
	} else {
		struct gpt_header other;
		_cleanup_buffer_ struct buffer copy = BUFFER_INIT;

		if (!read_copy(disk, h.backup, &other, &copy, sector_size))
			partition_problem(ret, "the backup of the GPT is damaged");
	}
	ret->scheme = PARTITION_GPT;
	ret->disk_guid = h.disk;
	for (uint32_t i = 0; i < h.count; i++)
		take_entry(disk, &h, entries.data + (size_t)i * h.entry_size, i + 1, ret);
	return true;
}
