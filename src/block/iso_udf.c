/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * UDF volumes: anchor, volume descriptor sequence, partition maps, file set. Structures
 * are those of ECMA-167 (parts 3 and 4); what UDF makes of them, among it metadata
 * partitions, is in the OSTA UDF specification 2.60 (2.2.4 to 2.2.13).
 */
#include "block/iso_private.h"

/* Sector sizes that discs and disks have, the usual one first. */
static const uint32_t sector_sizes[] = {2048, 512, 4096, 1024, 8192, 16384, 32768};
/* Of one sequence, and how many sequences one may lead to. */
#define MAX_DESCRIPTORS 1024
#define MAX_SEQUENCES 16
#define MAX_PARTITIONS 16

/* CRC of ECMA-167 1/7.2.6: x^16 + x^12 + x^5 + 1, from 0. */
static uint16_t crc16(struct bytes data)
{
	uint16_t crc = 0;

	for (size_t i = 0; i < data.len; i++) {
		crc ^= (uint16_t)(data.data[i] << 8);
		for (int bit = 0; bit < 8; bit++)
			crc = (uint16_t)(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
	}
	return crc;
}

uint16_t udf_tag(struct bytes d)
{
	struct bytes body;
	uint8_t sum = 0;

	if (d.len < UDF_TAG_SIZE)
		return 0;
	for (int i = 0; i < UDF_TAG_SIZE; i++)
		if (i != 4)
			sum = (uint8_t)(sum + d.data[i]);
	if (sum != d.data[4])
		return 0;
	body = bytes_at(d, UDF_TAG_SIZE, get_le16(d.data + 10));
	if (get_le16(d.data + 10) && (!body.data || crc16(body) != get_le16(d.data + 8)))
		return 0;
	return get_le16(d.data);
}

int udf_map(struct iso *iso, uint16_t partition, uint64_t at, uint64_t length,
	    struct iso_extents *ret, struct error *err)
{
	const struct udf_partition *p;

	if (partition >= iso->partitions.len)
		return iso_damaged(iso, err, "partition %u is named, which it lacks",
				   partition);
	p = &iso->partitions.items[partition];
	if (p->extents.len)
		return iso_extents_part(iso, &p->extents, at, length, ret, err);
	if (at > p->size || length > p->size - at)
		return iso_damaged(iso, err,
				   "%ju bytes at %ju lie outside of a partition of %ju "
				   "bytes",
				   (uintmax_t)length, (uintmax_t)at, (uintmax_t)p->size);
	return iso_extent_push(iso, ret, p->start + at, length, err);
}

int udf_block_load(struct iso *iso, struct udf_address address, struct buffer *ret,
		   struct error *err)
{
	struct iso_extents extents = VEC_INIT;
	int status =
		udf_map(iso, address.partition, (uint64_t)address.block * iso->block_size,
			iso->block_size, &extents, err);

	ret->len = 0;
	(void)buffer_reserve(ret, iso->block_size);
	if (status == 0)
		status = iso_extents_read(iso, &extents, ret->data, iso->block_size, 0,
					  err);
	if (status == 0)
		ret->len = iso->block_size;
	vec_free(&extents);
	return status;
}

/* ---- volume descriptors ------------------------------------------------------------
 */

struct sequence {
	struct buffer volume; /* the logical volume descriptor that prevails */
	uint32_t volume_number;
	struct vec_of(struct udf_partition) partitions; /* physical ones, by number */
	struct vec_of(uint32_t) partition_numbers;	/* of their descriptors */
};

static void sequence_free(struct sequence *s)
{
	buffer_free(&s->volume);
	vec_free(&s->partitions);
	vec_free(&s->partition_numbers);
}

static bool sector_read(struct iso *iso, uint64_t sector, uint8_t *to)
{
	uint64_t at;

	return !mul_overflow(sector, iso->block_size, &at) && at <= iso->block->size &&
	       iso->block_size <= iso->block->size - at &&
	       block_pread(iso->block, to, iso->block_size, at, NULL) == 0;
}

/* Partition descriptor, ECMA-167 3/10.5. Of two with one number the later prevails. */
static void take_partition(const struct iso *iso, struct sequence *s, const uint8_t *d)
{
	uint32_t number = get_le32(d + 16);
	struct udf_partition p = {.number = get_le16(d + 22),
				  .start = (uint64_t)get_le32(d + 188) * iso->block_size,
				  .size = (uint64_t)get_le32(d + 192) * iso->block_size};

	for (size_t i = 0; i < s->partitions.len; i++) {
		if (s->partitions.items[i].number != p.number)
			continue;
		if (number >= s->partition_numbers.items[i]) {
			s->partitions.items[i] = p;
			s->partition_numbers.items[i] = number;
		}
		return;
	}
	if (s->partitions.len >= MAX_PARTITIONS)
		return;
	vec_push(&s->partitions, p);
	vec_push(&s->partition_numbers, number);
}

/* Reads the sequence at `sector`; *next is where it is continued, with *length bytes. */
static void read_sequence(struct iso *iso, struct sequence *s, uint32_t *sector,
			  uint32_t *length, uint8_t *buf)
{
	uint32_t at = *sector, count = *length / iso->block_size;

	*length = 0;
	for (uint32_t i = 0; i < count && i < MAX_DESCRIPTORS; i++) {
		if (!sector_read(iso, (uint64_t)at + i, buf))
			return;
		switch (udf_tag((struct bytes){buf, iso->block_size})) {
		case UDF_POINTER: /* 3/10.3 */
			*length = get_le32(buf + 20);
			*sector = get_le32(buf + 24);
			break;
		case UDF_PARTITION:
			take_partition(iso, s, buf);
			break;
		case UDF_LOGICAL_VOLUME:
			if (s->volume.len && get_le32(buf + 16) < s->volume_number)
				break;
			s->volume.len = 0;
			s->volume_number = get_le32(buf + 16);
			buffer_append(&s->volume, buf, iso->block_size);
			break;
		case UDF_TERMINATOR:
		case 0:
			return;
		default:
			break;
		}
	}
}

/* 1: what is needed is there. `extent`: extent_ad, ECMA-167 3/7.1. */
static int take_sequence(struct iso *iso, const uint8_t *extent, struct sequence *s)
{
	_cleanup_free_ uint8_t *buf = xmalloc(iso->block_size);
	uint32_t length = get_le32(extent), sector = get_le32(extent + 4);

	for (int i = 0; i < MAX_SEQUENCES && length; i++)
		read_sequence(iso, s, &sector, &length, buf);
	if (s->volume.len && s->partitions.len)
		return 1;
	sequence_free(s);
	*s = (struct sequence){0};
	return 0;
}

/* An anchor (3/10.2) at one of its places, and a complete sequence that it leads to. */
static bool find_sequence(struct iso *iso, struct sequence *s)
{
	uint64_t sectors = iso->block->size / iso->block_size;
	const uint64_t places[] = {256, sectors - 1, sectors - 257, 512};
	_cleanup_free_ uint8_t *buf = xmalloc(iso->block_size);

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		if (places[i] >= sectors || !sector_read(iso, places[i], buf) ||
		    udf_tag((struct bytes){buf, iso->block_size}) != UDF_ANCHOR)
			continue;
		if (take_sequence(iso, buf + 16, s) || take_sequence(iso, buf + 24, s))
			return true;
	}
	return false;
}

/* ---- partition maps ----------------------------------------------------------------
 */

static int refuse_map(const struct iso *iso, const char *what, struct error *err)
{
	error_set(err, ERROR_FAILED, iso->block->name, "has %s, which gild does not read",
		  what);
	return error_remedy(err, "copy its files into a plain ISO or a folder");
}

static int add_partition(struct iso *iso, const struct sequence *s, uint16_t number,
			 struct error *err)
{
	vec_foreach (p, &s->partitions) {
		if (p->number != number)
			continue;
		vec_push(&iso->partitions, *p);
		return 0;
	}
	return iso_damaged(iso, err, "partition %u has no descriptor", number);
}

/*
 * A metadata partition is a file of the physical one (UDF 2.60 2.2.10). As long as its
 * extents are not known the map leads to the physical partition, which is what the file's
 * own descriptors mean.
 */
static int add_metadata(struct iso *iso, const struct sequence *s, const uint8_t *map,
			struct error *err)
{
	uint16_t reference = (uint16_t)iso->partitions.len;
	struct iso_node node = {0};

	if (add_partition(iso, s, get_le16(map + 38), err) < 0)
		return -1;
	/* The file, or its mirror. */
	for (int i = 0; i < 2; i++) {
		struct udf_address icb = {get_le32(map + 40 + 4 * i), reference};

		if (udf_node_load(iso, icb, &node, err) == 0 && node.extents.len)
			break;
		iso_node_free(&node);
	}
	if (!node.extents.len)
		return iso_damaged(iso, err, "its metadata file cannot be read");
	error_clear(err);
	iso->partitions.items[reference].extents = node.extents;
	return 0;
}

static int add_map(struct iso *iso, const struct sequence *s, struct bytes map,
		   struct error *err)
{
	const char *name = (const char *)map.data + 5;

	if (map.data[0] == 1 && map.len >= 6) /* 3/10.7.2 */
		return add_partition(iso, s, get_le16(map.data + 4), err);
	if (map.data[0] != 2 || map.len < 64)
		return refuse_map(iso, "a partition map of unknown type", err);
	if (memcmp(name, "*UDF Metadata Partition", 23) == 0)
		return add_metadata(iso, s, map.data, err);
	if (memcmp(name, "*UDF Virtual Partition", 22) == 0)
		return refuse_map(iso, "a virtual partition (a disc written in packets)",
				  err);
	if (memcmp(name, "*UDF Sparable Partition", 23) == 0)
		return refuse_map(iso, "a sparable partition (a rewritable disc)", err);
	return refuse_map(iso, "a partition map of unknown type", err);
}

static int add_maps(struct iso *iso, const struct sequence *s, struct error *err)
{
	struct bytes volume = buffer_view(&s->volume);
	uint32_t length = get_le32(volume.data + 264),
		 count = get_le32(volume.data + 268);
	struct bytes maps = bytes_at(volume, 440, length);
	uint64_t at = 0;

	if (!maps.data || !count || count > MAX_PARTITIONS)
		return iso_damaged(iso, err, "its partition maps are invalid");
	for (uint32_t i = 0; i < count; i++) {
		struct bytes map = bytes_at(maps, at, 2);

		if (map.data)
			map = bytes_at(maps, at, map.data[1]);
		if (map.len < 6)
			return iso_damaged(iso, err, "partition map %u is cut off", i);
		if (add_map(iso, s, map, err) < 0)
			return -1;
		at += map.len;
	}
	return 0;
}

/* ---- the file set ------------------------------------------------------------------
 */

static struct udf_address long_address(const uint8_t *ad)
{
	return (struct udf_address){get_le32(ad + 4), get_le16(ad + 8)};
}

static int open_root(struct iso *iso, const struct sequence *s, struct error *err)
{
	_cleanup_buffer_ struct buffer block = BUFFER_INIT;

	/* Logical volume contents use (UDF 2.2.4.4), then 4/14.1. */
	if (udf_block_load(iso, long_address(s->volume.data + 248), &block, err) < 0)
		return -1;
	if (udf_tag(buffer_view(&block)) != UDF_FILE_SET)
		return iso_damaged(iso, err, "its file set descriptor is invalid");
	if (udf_node_load(iso, long_address(block.data + 400), &iso->root, err) < 0)
		return -1;
	return iso->root.folder ? 0 : iso_damaged(iso, err, "its root is no folder");
}

static const struct iso_ops udf_ops = {
	.list = udf_list,
};

int udf_open(struct iso *iso, struct error *err)
{
	struct sequence s = {0};
	bool found = false;
	int status;

	for (size_t i = 0; i < ARRAY_SIZE(sector_sizes) && !found; i++) {
		iso->block_size = sector_sizes[i];
		found = find_sequence(iso, &s);
		/* UDF 2.2.4.2: the logical block size is the sector size. */
		if (found && get_le32(s.volume.data + 212) != iso->block_size) {
			sequence_free(&s);
			s = (struct sequence){0};
			found = false;
		}
	}
	iso->ops = &udf_ops;
	iso->kind = "UDF";
	if (!found)
		return iso_damaged(iso, err, "its UDF volume descriptors cannot be read");
	status = add_maps(iso, &s, err);
	if (status == 0)
		status = open_root(iso, &s, err);
	sequence_free(&s);
	return status;
}
