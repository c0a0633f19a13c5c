/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Partition tables: the choice between GPT, MBR and a bare volume, and the MBR with its
 * chain of logical partitions. The offsets of an MBR are those of every PC since DOS 3.3.
 */
#include <stdarg.h>
#include <stdio.h>

#include "block/partition_private.h"

#define FIRST_LOGICAL 5
#define MAX_LOGICAL 128
#define TYPE_ESP 0xef

void partition_table_free(struct partition_table *table)
{
	vec_foreach (p, &table->partitions)
		free(p->name);
	vec_free(&table->partitions);
	strings_free(&table->problems);
	*table = (struct partition_table){0};
}

void partition_problem(struct partition_table *table, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	vec_push(&table->problems, text);
}

struct mbr_entry {
	uint8_t status, type;
	uint32_t first, count; /* sectors */
};

static struct mbr_entry get_entry(const uint8_t *sector, unsigned i)
{
	const uint8_t *e = sector + MBR_ENTRIES + i * MBR_ENTRY_SIZE;

	return (struct mbr_entry){e[0], e[4], get_le32(e + 8), get_le32(e + 12)};
}

static bool has_signature(const uint8_t *sector)
{
	return sector[510] == 0x55 && sector[511] == 0xaa;
}

static bool is_extended(uint8_t type)
{
	return type == 0x05 || type == 0x0f || type == 0x85;
}

/*
 * A sector that ends like an MBR may as well be a boot sector with code where the table
 * would be: every entry has to make sense, and one has to be in use.
 */
static bool plausible(struct block *disk, const uint8_t *sector)
{
	unsigned used = 0;

	if (!has_signature(sector))
		return false;
	for (unsigned i = 0; i < 4; i++) {
		struct mbr_entry e = get_entry(sector, i);

		if (e.status & 0x7f)
			return false;
		if (!e.type)
			continue;
		if (!e.first && e.type != MBR_PROTECTIVE)
			return false;
		if ((uint64_t)e.first * 512 < disk->size)
			used++;
	}
	return used > 0;
}

static bool has_type(const uint8_t *sector, uint8_t type)
{
	for (unsigned i = 0; i < 4; i++)
		if (get_entry(sector, i).type == type)
			return true;
	return false;
}

static void take(struct block *disk, struct partition_table *table, unsigned number,
		 const struct mbr_entry *e, uint64_t first)
{
	struct partition p = {
		.number = number, .mbr_type = e->type, .active = e->status & 0x80};

	p.offset = first * table->sector_size;
	p.size = (uint64_t)e->count * table->sector_size;
	if (!p.size)
		return;
	if (p.offset >= disk->size || p.size > disk->size - p.offset) {
		partition_problem(table,
				  "partition %u reaches beyond the end of the disk and "
				  "is left out: the image is cut short",
				  number);
		return;
	}
	vec_push(&table->partitions, p);
}

/*
 * Each sector of the chain has a logical partition, counted from itself, and a link to
 * the next, counted from the extended partition. A chain must go forward: thus it ends.
 */
static void take_logical(struct block *disk, struct partition_table *table,
			 uint64_t extended, unsigned *number)
{
	uint64_t at = extended;

	for (unsigned i = 0; i < MAX_LOGICAL; i++) {
		uint8_t sector[512];
		struct mbr_entry e, link = {0};

		if (block_pread(disk, sector, sizeof(sector), at * table->sector_size,
				NULL) < 0 ||
		    !has_signature(sector)) {
			partition_problem(table,
					  "the chain of logical partitions is "
					  "broken at sector %ju",
					  (uintmax_t)at);
			return;
		}
		for (unsigned slot = 0; slot < 4; slot++) {
			e = get_entry(sector, slot);
			if (is_extended(e.type) && !link.type)
				link = e;
			else if (e.type && !is_extended(e.type))
				take(disk, table, (*number)++, &e, at + e.first);
		}
		if (!link.type || !link.first)
			return;
		if (extended + link.first <= at) {
			partition_problem(table,
					  "the chain of logical partitions leads "
					  "back from sector %ju",
					  (uintmax_t)at);
			return;
		}
		at = extended + link.first;
	}
	partition_problem(table,
			  "more than %d logical partitions: the others are left out",
			  MAX_LOGICAL);
}

/*
 * An MBR does not say in which sectors it counts. On 4Kn disks what it points to begins
 * with a boot signature if one counts in 4096, and not if one counts in 512.
 */
static uint32_t mbr_sector_size(struct block *disk, const uint8_t *sector)
{
	unsigned small = 0, large = 0;

	for (unsigned i = 0; i < 4; i++) {
		struct mbr_entry e = get_entry(sector, i);
		uint8_t start[512];

		if (!e.type || !e.first)
			continue;
		if (block_pread(disk, start, 512, (uint64_t)e.first * 512, NULL) == 0 &&
		    has_signature(start))
			small++;
		if (block_pread(disk, start, 512, (uint64_t)e.first * 4096, NULL) == 0 &&
		    has_signature(start))
			large++;
	}
	if (large > small)
		return 4096;
	return small > large ? 512 : disk->sector_size;
}

static void mbr_read(struct block *disk, const uint8_t *sector,
		     struct partition_table *ret)
{
	unsigned logical = FIRST_LOGICAL;

	ret->scheme = PARTITION_MBR;
	ret->disk_signature = get_le32(sector + 440);
	ret->sector_size = mbr_sector_size(disk, sector);
	for (unsigned i = 0; i < 4; i++) {
		struct mbr_entry e = get_entry(sector, i);

		if (e.type && e.type != MBR_PROTECTIVE && !is_extended(e.type))
			take(disk, ret, i + 1, &e, e.first);
	}
	for (unsigned i = 0; i < 4; i++) {
		struct mbr_entry e = get_entry(sector, i);

		if (is_extended(e.type) && e.first)
			take_logical(disk, ret, e.first, &logical);
	}
}

static bool any_gpt(struct block *disk, const uint8_t *sector,
		    struct partition_table *ret)
{
	uint32_t own = disk->sector_size == 4096 ? 4096 : 512;

	/* A disk that was GPT once and got an MBR later may still have the GPT. */
	if (plausible(disk, sector) && !has_type(sector, MBR_PROTECTIVE))
		return false;
	if (!gpt_read(disk, own, ret) && !gpt_read(disk, own == 512 ? 4096 : 512, ret))
		return false;
	if (!has_signature(sector) || !has_type(sector, MBR_PROTECTIVE)) {
		partition_problem(ret, "the protective MBR is missing");
		return true;
	}
	for (unsigned i = 0; i < 4; i++) {
		uint8_t type = get_entry(sector, i).type;

		if (type && type != MBR_PROTECTIVE) {
			partition_problem(ret, "a hybrid MBR lies over the GPT: Windows "
					       "uses the MBR's partitions");
			break;
		}
	}
	return true;
}

/* The others lie behind it, and may be what was there before the MBR. */
static bool in_first_sector(enum volume_kind kind)
{
	return kind == VOLUME_NTFS || kind == VOLUME_FAT || kind == VOLUME_EXFAT ||
	       kind == VOLUME_REFS || kind == VOLUME_BITLOCKER;
}

int partition_table_read(struct block *disk, struct partition_table *ret,
			 struct error *err)
{
	struct volume_info info;
	uint8_t sector[512];

	*ret = (struct partition_table){.sector_size = disk->sector_size};
	if (disk->size < sizeof(sector)) {
		error_set(err, ERROR_FAILED, disk->name, "is too small for a disk");
		return error_remedy(err, "give a disk image");
	}
	if (block_pread(disk, sector, sizeof(sector), 0, err) < 0)
		return -1;
	if (any_gpt(disk, sector, ret))
		return 0;
	partition_table_free(ret);
	ret->sector_size = disk->sector_size;
	if (volume_recognise(disk, NULL, &info, err) < 0)
		return -1;
	if (!in_first_sector(info.kind) && plausible(disk, sector)) {
		mbr_read(disk, sector, ret);
		return 0;
	}
	if (info.kind != VOLUME_UNKNOWN && info.kind != VOLUME_EMPTY) {
		struct partition whole = {.size = disk->size};

		ret->scheme = PARTITION_BARE;
		vec_push(&ret->partitions, whole);
		return 0;
	}
	error_set(err, ERROR_FAILED, disk->name, "has no partition table and no volume");
	return error_remedy(err,
			    "give an image of a disk with a Windows, or of its volume");
}

bool partition_is_esp(const struct partition *partition)
{
	struct guid esp;

	return partition->mbr_type == TYPE_ESP ||
	       (guid_parse("c12a7328-f81f-11d2-ba4b-00a0c93ec93b", &esp) &&
		guid_equal(&partition->type, &esp));
}
