/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * New dynamic VHDXs ([MS-VHDX]). One MiB each: headers, an empty log, the metadata; then
 * the block allocation table and the blocks.
 */
#include "base/text.h"
#include "block/create_private.h"
#include "block/vhdx.h"

#define MIB ((uint64_t)1 << 20)
#define LOG_AT MIB
#define METADATA_AT (2 * MIB)
#define BAT_AT (3 * MIB)
#define ITEMS_AT ((uint32_t)VHDX_METADATA_TABLE_SIZE)
#define BAT_PIECE ((size_t)8192)
#define REQUIRED 1u /* of a region */
/* Of an item of the metadata. */
#define ITEM_OF_DISK 2u
#define ITEM_REQUIRED 4u
#define PHYSICAL_SECTOR 4096

/* As check_blocks() counts them: a bitmap's entry only where blocks follow it. */
static uint64_t bat_entries(const struct creation *c)
{
	uint64_t blocks = (c->block.size + c->grain - 1) / c->grain;

	return blocks + (blocks - 1) / vhdx_chunk_ratio(c->block.sector_size, c->grain);
}

static uint64_t bat_size(const struct creation *c)
{
	return (bat_entries(c) * 8 + MIB - 1) / MIB * MIB;
}

static void vhdx_begin(struct creation *c)
{
	c->grain = (uint32_t)vhdx_block_size(c->block.size);
	c->packed = true;
	c->first = BAT_AT + bat_size(c);
}

static void put_guid(uint8_t *to, const char *text)
{
	struct guid guid = {0};

	(void)guid_parse(text, &guid); /* a constant */
	memcpy(to, guid.bytes, sizeof(guid.bytes));
}

static int write_headers(struct creation *c, struct error *err)
{
	struct guid file = creation_id(c, "VHDX file"),
		    data = creation_id(c, "VHDX content");
	_cleanup_buffer_ struct buffer id = BUFFER_INIT;
	uint8_t header[VHDX_HEADER_SIZE] = {0};

	buffer_append_string(&id, "vhdxfile");
	utf16_append_z(&id, "gild");
	memcpy(header, "head", 4);
	memcpy(header + 16, file.bytes, sizeof(file.bytes));
	memcpy(header + 32, data.bytes, sizeof(data.bytes));
	put_le16(header + 66, 1); /* version; that of the log, before it, is 0 */
	put_le32(header + 68, (uint32_t)MIB);
	put_le64(header + 72, LOG_AT);
	if (creation_write(c, id.data, id.len, 0, err) < 0)
		return -1;
	for (unsigned i = 0; i < 2; i++) {
		put_le64(header + 8, i + 1);
		vhdx_seal(header, sizeof(header));
		if (creation_write(c, header, sizeof(header),
				   i ? VHDX_HEADER_2 : VHDX_HEADER_1, err) < 0)
			return -1;
	}
	return 0;
}

static void put_region(uint8_t *entry, const char *guid, uint64_t at, uint64_t size)
{
	put_guid(entry, guid);
	put_le64(entry + 16, at);
	put_le32(entry + 24, (uint32_t)size);
	put_le32(entry + 28, REQUIRED);
}

static int write_regions(struct creation *c, struct error *err)
{
	_cleanup_free_ uint8_t *table = xcalloc(1, VHDX_REGIONS_SIZE);

	memcpy(table, "regi", 4);
	put_le32(table + 8, 2);
	put_region(table + 16, VHDX_BAT, BAT_AT, bat_size(c));
	put_region(table + 48, VHDX_METADATA, METADATA_AT, MIB);
	vhdx_seal(table, VHDX_REGIONS_SIZE);
	if (creation_write(c, table, VHDX_REGIONS_SIZE, VHDX_REGIONS_1, err) < 0)
		return -1;
	return creation_write(c, table, VHDX_REGIONS_SIZE, VHDX_REGIONS_2, err);
}

/* Adds an item to the table at the start of `metadata` and its content behind the last.
 */
static void add_item(struct buffer *metadata, const char *guid, uint32_t flags,
		     struct bytes content)
{
	uint16_t count = get_le16(metadata->data + 10);
	uint8_t *entry = metadata->data + 32 + count * 32;

	put_guid(entry, guid);
	put_le32(entry + 16, (uint32_t)metadata->len);
	put_le32(entry + 20, (uint32_t)content.len);
	put_le32(entry + 24, flags);
	put_le16(metadata->data + 10, (uint16_t)(count + 1));
	buffer_append(metadata, content.data, content.len);
}

static int write_metadata(struct creation *c, struct error *err)
{
	_cleanup_buffer_ struct buffer m = BUFFER_INIT;
	struct guid disk = creation_id(c, "VHDX disk");
	uint8_t parameters[8] = {0}, size[8], logical[4], physical[4];

	memset(buffer_reserve(&m, ITEMS_AT + MIB / 16), 0, ITEMS_AT);
	m.len = ITEMS_AT;
	memcpy(m.data, "metadata", 8);
	put_le32(parameters, c->grain);
	put_le64(size, c->block.size);
	put_le32(logical, c->block.sector_size);
	put_le32(physical, PHYSICAL_SECTOR);
	add_item(&m, VHDX_PARAMETERS, ITEM_REQUIRED, (struct bytes){parameters, 8});
	add_item(&m, VHDX_SIZE, ITEM_REQUIRED | ITEM_OF_DISK, (struct bytes){size, 8});
	add_item(&m, VHDX_DISK_ID, ITEM_REQUIRED | ITEM_OF_DISK,
		 (struct bytes){disk.bytes, sizeof(disk.bytes)});
	add_item(&m, VHDX_LOGICAL_SECTOR, ITEM_REQUIRED | ITEM_OF_DISK,
		 (struct bytes){logical, 4});
	add_item(&m, VHDX_PHYSICAL_SECTOR, ITEM_REQUIRED | ITEM_OF_DISK,
		 (struct bytes){physical, 4});
	return creation_write(c, m.data, m.len, METADATA_AT, err);
}

/* Blocks without a place are zeros; a sector bitmap is for differencing disks only. */
static int write_table(struct creation *c, struct error *err)
{
	_cleanup_free_ uint8_t *piece = xcalloc(BAT_PIECE, 8);
	uint64_t ratio = vhdx_chunk_ratio(c->block.sector_size, c->grain), grain = 0,
		 place, entries = bat_entries(c);

	for (uint64_t i = 0; i < entries;) {
		size_t n = 0;
		uint64_t at = BAT_AT + i * 8;

		for (; n < BAT_PIECE && i < entries; n++, i++) {
			uint64_t entry = VHDX_PAYLOAD_ZERO;

			if (i % (ratio + 1) == ratio)
				entry = 0;
			else if (creation_place(c, grain++, &place))
				entry = place | VHDX_PAYLOAD_PRESENT;
			put_le64(piece + n * 8, entry);
		}
		if (creation_write(c, piece, n * 8, at, err) < 0)
			return -1;
	}
	return 0;
}

static int vhdx_finish(struct creation *c, uint64_t *end, struct error *err)
{
	*end = c->first + (uint64_t)c->placed * c->grain;
	if (write_table(c, err) < 0 || write_metadata(c, err) < 0 ||
	    write_regions(c, err) < 0)
		return -1;
	return write_headers(c, err);
}

const struct creation_format creation_vhdx = {NULL, vhdx_begin, vhdx_finish};
