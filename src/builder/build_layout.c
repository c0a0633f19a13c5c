/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a new disk is divided into. UEFI: GPT with an EFI system partition of 260 MiB,
 * which FAT32 needs on disks of 4096-byte sectors, a Microsoft reserved partition of 16
 * MiB, and Windows, last, so that it can grow (Microsoft's "UEFI/GPT-based hard drive
 * partitions"). BIOS: one active partition that is Windows' own.
 */
#include "block/partition_write.h"
#include "builder/build_private.h"

#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)
#define ESP_SIZE (260 * MIB)
#define MSR_SIZE (16 * MIB)
/* What a Windows needs to live: updates, page file, user profiles. */
#define ROOM (4 * GIB)
#define MBR_TYPE_NTFS 0x07

#define GUID_ESP "{c12a7328-f81f-11d2-ba4b-00a0c93ec93b}"
#define GUID_MSR "{e3c9e316-0b5c-4db8-817d-f92df00215ae}"
#define GUID_BASIC_DATA "{ebd0a0a2-b9e5-4433-87c0-68b6b72699c7}"

uint64_t build_layout_overhead(const struct build_options *options)
{
	uint64_t sum = 2 * BUILD_ALIGNMENT; /* before the first, behind the last */

	return options->firmware == BUILD_UEFI ? sum + ESP_SIZE + MSR_SIZE : sum;
}

static uint64_t round_up(uint64_t value, uint64_t unit)
{
	return (value + unit - 1) / unit * unit;
}

uint64_t build_layout_size(const struct build_options *options, uint64_t volume)
{
	uint64_t need = build_layout_overhead(options) + volume;

	return options->size ? options->size : round_up(need + need / 2 + ROOM, GIB);
}

/* The same seed and name give the same GUID. */
static struct guid named_guid(struct bytes seed, const char *name)
{
	_cleanup_buffer_ struct buffer b = BUFFER_INIT;

	buffer_append_string(&b, name);
	buffer_append(&b, seed.data, seed.len);
	return guid_from(buffer_view(&b));
}

static void add_part(struct partition_table *table, struct build_result *ret,
		     const char *role, const char *name, const char *type,
		     uint64_t offset, uint64_t size, struct bytes seed)
{
	struct partition p = {.number = (unsigned)table->partitions.len + 1,
			      .offset = offset,
			      .size = size,
			      .guid = named_guid(seed, role),
			      .name = xstrdup(name)};

	(void)guid_parse(type, &p.type);
	if (table->scheme == PARTITION_MBR) {
		p.mbr_type = MBR_TYPE_NTFS;
		p.active = true;
	}
	vec_push(&table->partitions, p);
	ret->parts[ret->part_count++] =
		(struct build_part){role, p.number, offset, size, p.type, p.guid};
}

void build_layout(const struct build_options *options, uint64_t size, struct bytes seed,
		  struct partition_table *table, struct build_result *ret)
{
	uint64_t at = BUILD_ALIGNMENT, end = size - BUILD_ALIGNMENT;
	bool uefi = options->firmware == BUILD_UEFI;
	struct guid signature = named_guid(seed, "signature");

	*table = (struct partition_table){.scheme = uefi ? PARTITION_GPT : PARTITION_MBR,
					  .disk_guid = named_guid(seed, "disk"),
					  .disk_signature = get_le32(signature.bytes) | 1,
					  .sector_size = options->sector_size};
	ret->part_count = 0;
	if (uefi) {
		add_part(table, ret, "esp", "EFI system partition", GUID_ESP, at,
			 ESP_SIZE, seed);
		at += ESP_SIZE;
		add_part(table, ret, "msr", "Microsoft reserved partition", GUID_MSR, at,
			 MSR_SIZE, seed);
		at += MSR_SIZE;
	}
	add_part(table, ret, "windows", "Basic data partition", GUID_BASIC_DATA, at,
		 end - at, seed);
}

const struct build_part *build_part_of(const struct build_result *result,
				       const char *role)
{
	for (size_t i = 0; i < result->part_count; i++)
		if (strcmp(result->parts[i].role, role) == 0)
			return &result->parts[i];
	return NULL;
}
