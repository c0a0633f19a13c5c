/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "block/vhdx.h"

#include "base/text.h"
#include "block/crc.h"

#define MIB ((uint64_t)1 << 20)
#define MAX_REGIONS 2047
#define MAX_METADATA 2047
#define MAX_LOCATOR ((uint32_t)64 << 10)
#define MAX_LOCATOR_ENTRIES 64
#define BAT_CHUNK ((size_t)64 << 10)
#define MAX_CHECKED ((uint64_t)2 << 20) /* entries: 16 MiB */
#define OFFSET_MASK (~(uint64_t)0xfffff)

void vhdx_free(struct vhdx *vhdx)
{
	strings_free(&vhdx->parents);
}

static int damaged(const struct block *file, struct error *err, const char *what)
{
	error_set(err, ERROR_FAILED, file->name, "is a damaged VHDX: %s", what);
	return error_remedy(err, "get the image again, or let Hyper-V repair it");
}

static bool is_guid(const uint8_t *at, const char *text)
{
	struct guid wanted;

	return guid_parse(text, &wanted) && memcmp(at, wanted.bytes, 16) == 0;
}

/* CRC-32C over the structure with its own field, at 4, as zeros. */
static bool checksum_right(uint8_t *data, size_t len)
{
	uint32_t found = get_le32(data + 4), right;

	put_le32(data + 4, 0);
	right = crc32_of(CRC32_VHDX, (struct bytes){data, len});
	put_le32(data + 4, found);
	return found == right;
}

void vhdx_seal(uint8_t *data, size_t len)
{
	put_le32(data + 4, 0);
	put_le32(data + 4, crc32_of(CRC32_VHDX, (struct bytes){data, len}));
}

uint64_t vhdx_chunk_ratio(uint32_t sector_size, uint32_t block_size)
{
	return ((uint64_t)1 << 23) * sector_size / block_size;
}

uint64_t vhdx_block_size(uint64_t size)
{
	uint64_t block = MIB;

	while (size / block > ((uint64_t)2 << 20))
		block *= 2;
	return block;
}

/* The header with the higher sequence number of those that are whole ([MS-VHDX] 2.2.2).
 */
static int read_header(struct block *file, struct vhdx *ret, struct error *err)
{
	uint8_t header[VHDX_HEADER_SIZE];
	uint64_t newest = 0;
	bool found = false;

	for (uint64_t at = VHDX_HEADER_1; at <= VHDX_HEADER_2;
	     at += VHDX_HEADER_2 - VHDX_HEADER_1) {
		uint64_t sequence;

		if (at + VHDX_HEADER_SIZE > file->size)
			break;
		if (block_pread(file, header, sizeof(header), at, err) < 0)
			return -1;
		sequence = get_le64(header + 8);
		if (memcmp(header, "head", 4) != 0 ||
		    !checksum_right(header, sizeof(header)) ||
		    (found && sequence < newest))
			continue;
		found = true;
		newest = sequence;
		memcpy(ret->data_id.bytes, header + 32, 16);
		ret->log_pending = false;
		for (unsigned i = 48; i < 64; i++)
			ret->log_pending |= header[i] != 0;
		if (get_le16(header + 66) != 1)
			return damaged(file, err, "it has an unknown version");
	}
	return found ? 0 : damaged(file, err, "both headers are broken");
}

/* What the two regions are that every VHDX has. */
struct regions {
	uint64_t metadata, metadata_size;
};

static int parse_regions(struct block *file, const uint8_t *table, struct vhdx *ret,
			 struct regions *regions, struct error *err)
{
	uint32_t count = get_le32(table + 8);

	if (count > MAX_REGIONS)
		return damaged(file, err, "its region table has too many entries");
	for (uint32_t i = 0; i < count; i++) {
		const uint8_t *e = table + 16 + i * 32;
		uint64_t at = get_le64(e + 16), size = get_le32(e + 24);

		if (at > file->size || size > file->size - at)
			return damaged(file, err, "a region lies outside of the file");
		if (is_guid(e, VHDX_BAT)) {
			ret->table = at;
			ret->table_size = size;
		} else if (is_guid(e, VHDX_METADATA)) {
			regions->metadata = at;
			regions->metadata_size = size;
		} else if (get_le32(e + 28) & 1) {
			return damaged(file, err,
				       "it requires a region that is not "
				       "known");
		}
	}
	if (!ret->table || regions->metadata_size < VHDX_METADATA_TABLE_SIZE)
		return damaged(file, err, "a region is missing");
	return 0;
}

static int read_regions(struct block *file, struct vhdx *ret, struct regions *regions,
			struct error *err)
{
	_cleanup_free_ uint8_t *table = xmalloc(VHDX_REGIONS_SIZE);

	for (uint64_t at = VHDX_REGIONS_1; at <= VHDX_REGIONS_2;
	     at += VHDX_REGIONS_2 - VHDX_REGIONS_1) {
		if (at + VHDX_REGIONS_SIZE > file->size)
			break;
		if (block_pread(file, table, VHDX_REGIONS_SIZE, at, err) < 0)
			return -1;
		if (memcmp(table, "regi", 4) == 0 &&
		    checksum_right(table, VHDX_REGIONS_SIZE))
			return parse_regions(file, table, ret, regions, err);
	}
	return damaged(file, err, "both region tables are broken");
}

/* ---- metadata ---- */

/*
 * The parent locator ([MS-VHDX] 2.6.2.6): keys and values in UTF-16. Which paths there
 * are depends on what made it; the linkage is the parent's data_id.
 */
static int parse_locator(struct block *file, struct bytes item, struct vhdx *ret,
			 struct error *err)
{
	static const char *const order[] = {"relative_path", "absolute_win32_path",
					    "volume_path"};
	char *paths[ARRAY_SIZE(order)] = {NULL};
	bool linked = false;
	uint16_t count;

	if (item.len < 20 || !is_guid(item.data, "b04aefb7-d19e-4a81-b789-25b8e9445913"))
		return damaged(file, err, "its parent is named in an unknown way");
	count = get_le16(item.data + 18);
	for (uint16_t i = 0; i < count && i < MAX_LOCATOR_ENTRIES; i++) {
		struct bytes e = bytes_at(item, 20 + (uint64_t)i * 12, 12), k, v;
		_cleanup_free_ char *key = NULL, *value = NULL;

		if (!e.data)
			break;
		k = bytes_at(item, get_le32(e.data), get_le16(e.data + 8));
		v = bytes_at(item, get_le32(e.data + 4), get_le16(e.data + 10));
		if (!k.data || !v.data)
			break;
		key = utf16_to_utf8(k.data, k.len);
		value = utf16_to_utf8(v.data, v.len);
		if (text_equal(key, "parent_linkage"))
			linked = guid_parse(value, &ret->parent_id);
		for (size_t p = 0; p < ARRAY_SIZE(order); p++)
			if (text_equal(key, order[p]) && !paths[p])
				paths[p] = steal_ptr(value);
	}
	for (size_t p = 0; p < ARRAY_SIZE(order); p++)
		if (paths[p])
			vec_push(&ret->parents, paths[p]);
	return linked && ret->parents.len
		       ? 0
		       : damaged(file, err, "it does not say what its parent is");
}

static int take_item(struct block *file, const uint8_t *entry, struct bytes item,
		     struct vhdx *ret, struct error *err)
{
	if (is_guid(entry, VHDX_PARAMETERS) && item.len >= 8) {
		ret->block_size = get_le32(item.data);
		ret->fixed = get_le32(item.data + 4) & 1;
		ret->has_parent = get_le32(item.data + 4) & 2;
	} else if (is_guid(entry, VHDX_SIZE) && item.len >= 8) {
		ret->size = get_le64(item.data);
	} else if (is_guid(entry, VHDX_LOGICAL_SECTOR) && item.len >= 4) {
		ret->sector_size = get_le32(item.data);
	} else if (is_guid(entry, "a8d35f2d-b30b-454d-abf7-d3d84834ab0c")) {
		return parse_locator(file, item, ret, err);
	} else if (!is_guid(entry, VHDX_DISK_ID) &&
		   !is_guid(entry, VHDX_PHYSICAL_SECTOR) && (get_le32(entry + 24) & 4)) {
		return damaged(file, err, "it requires an item that is not known");
	}
	return 0;
}

static int read_metadata(struct block *file, const struct regions *regions,
			 struct vhdx *ret, struct error *err)
{
	_cleanup_free_ uint8_t *table = xmalloc(VHDX_METADATA_TABLE_SIZE);
	uint16_t count;

	if (block_pread(file, table, VHDX_METADATA_TABLE_SIZE, regions->metadata, err) <
	    0)
		return -1;
	count = get_le16(table + 10);
	if (memcmp(table, "metadata", 8) != 0 || count > MAX_METADATA)
		return damaged(file, err, "its metadata table is broken");
	for (uint16_t i = 0; i < count; i++) {
		const uint8_t *e = table + 32 + (size_t)i * 32;
		uint32_t at = get_le32(e + 16), len = get_le32(e + 20);
		_cleanup_free_ uint8_t *item = NULL;

		/* Users' items are of no concern. */
		if ((get_le32(e + 24) & 1) || !len)
			continue;
		if (at > regions->metadata_size || len > regions->metadata_size - at ||
		    len > MAX_LOCATOR)
			return damaged(file, err, "an item of its metadata lies outside");
		item = xmalloc(len);
		if (block_pread(file, item, len, regions->metadata + at, err) < 0 ||
		    take_item(file, e, (struct bytes){item, len}, ret, err) < 0)
			return -1;
	}
	return 0;
}

/*
 * Every block that is there lies inside of the file. QEMU refuses one that does not
 * without a word; files of which the end is missing are what one gets from broken
 * downloads.
 */
static int check_blocks(struct block *file, const struct vhdx *v, uint64_t entries,
			uint64_t ratio, struct error *err)
{
	_cleanup_free_ uint8_t *chunk = xmalloc(BAT_CHUNK);
	uint64_t last = entries < MAX_CHECKED ? entries : MAX_CHECKED;

	for (uint64_t i = 0; i < last; i += BAT_CHUNK / 8) {
		size_t n = last - i < BAT_CHUNK / 8 ? (size_t)(last - i) : BAT_CHUNK / 8;

		if (block_pread(file, chunk, n * 8, v->table + i * 8, err) < 0)
			return -1;
		for (size_t k = 0; k < n; k++) {
			uint64_t entry = get_le64(chunk + k * 8),
				 at = entry & OFFSET_MASK;
			bool bitmap = (i + k) % (ratio + 1) == ratio;
			uint64_t size = bitmap ? MIB : v->block_size;

			if ((entry & 7) < VHDX_PAYLOAD_PRESENT)
				continue;
			if (at > file->size || size > file->size - at)
				return damaged(file, err,
					       "it is cut short: a block lies behind its "
					       "end");
		}
	}
	return 0;
}

int vhdx_read(struct block *file, struct vhdx *ret, struct error *err)
{
	struct regions regions = {0};
	uint64_t ratio, blocks, entries;

	*ret = (struct vhdx){0};
	if (read_header(file, ret, err) < 0 ||
	    read_regions(file, ret, &regions, err) < 0 ||
	    read_metadata(file, &regions, ret, err) < 0)
		return -1;
	if ((ret->sector_size != 512 && ret->sector_size != 4096) ||
	    ret->block_size < MIB || ret->block_size > 256 * MIB ||
	    (ret->block_size & (ret->block_size - 1)) || !ret->size ||
	    ret->size > VHDX_MAX_SIZE || ret->size % ret->sector_size)
		return damaged(file, err, "its size, block or sector size is impossible");
	if (ret->has_parent && !ret->parents.len)
		return damaged(file, err, "it does not say what its parent is");
	/* A sector bitmap's entry follows the entries of as many blocks as it covers. */
	ratio = vhdx_chunk_ratio(ret->sector_size, ret->block_size);
	blocks = (ret->size + ret->block_size - 1) / ret->block_size;
	entries = ret->has_parent ? (blocks + ratio - 1) / ratio * (ratio + 1)
				  : blocks + (blocks - 1) / ratio;
	if (entries * 8 > ret->table_size)
		return damaged(file, err, "its block table is too small for its size");
	return check_blocks(file, ret, entries, ratio, err);
}

int vhdx_header_read(struct block *file, struct container_header *ret, struct error *err)
{
	_cleanup_vhdx_ struct vhdx vhdx = {0};

	if (vhdx_read(file, &vhdx, err) < 0)
		return -1;
	ret->subtype = xstrdup(vhdx.has_parent ? "differencing"
			       : vhdx.fixed    ? "fixed"
					       : "dynamic");
	ret->virtual_size = ret->qemu_size = vhdx.size;
	ret->sector_size = vhdx.sector_size;
	ret->log_pending = vhdx.log_pending;
	ret->id = vhdx.data_id;
	ret->differencing = vhdx.has_parent;
	ret->parent_id = vhdx.parent_id;
	ret->parents = vhdx.parents;
	vhdx.parents = (struct strings){0};
	return 0;
}
