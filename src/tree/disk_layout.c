/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a disk is divided into, in words: partition types, file systems, labels. */
#include <ctype.h>

#include "tree/disk.h"

/* Where a FAT boot sector keeps its label, by the signature at 38 or 66. */
#define FAT16_SIGNATURE 38
#define FAT32_SIGNATURE 66
#define FAT_LABEL_SIZE 11

#define RECOVERY "Windows recovery"

/* GPT types, by Microsoft's and the UEFI specification's names. */
static const struct {
	const char *guid, *name;
} gpt_types[] = {
	{"c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "EFI system"},
	{"e3c9e316-0b5c-4db8-817d-f92df00215ae", "Microsoft reserved"},
	{"ebd0a0a2-b9e5-4433-87c0-68b6b72699c7", "Microsoft basic data"},
	{"de94bba4-06d1-4d40-a16a-bfd50179d6ac", RECOVERY},
	{"5808c8aa-7e8f-42e0-85d2-e1e90434cfb3", "LDM metadata"},
	{"af9b60a0-1431-4f62-bc68-3311714a69ad", "LDM data"},
	{"e75caf8f-f680-4cee-afa3-b001e56efc2d", "Storage Spaces"},
	{"0fc63daf-8483-4772-8e79-3d69d8477de4", "Linux file system"},
	{"0657fd6d-a4ab-43c4-84e5-0933c84b4f4f", "Linux swap"},
	{"21686148-6449-6e6f-744e-656564454649", "BIOS boot"},
};

static const struct {
	uint8_t type;
	const char *name;
} mbr_types[] = {
	{0x01, "FAT12"},
	{0x04, "FAT16"},
	{0x05, "extended"},
	{0x06, "FAT16"},
	{0x07, "NTFS or exFAT"},
	{0x0B, "FAT32"},
	{0x0C, "FAT32 (LBA)"},
	{0x0E, "FAT16 (LBA)"},
	{0x0F, "extended (LBA)"},
	{0x27, RECOVERY},
	{0x42, "LDM data"},
	{0x82, "Linux swap"},
	{0x83, "Linux file system"},
	{0xEE, "GPT protective"},
	{0xEF, "EFI system"},
};

static const char *type_name(const struct partition_table *table,
			     const struct partition *partition)
{
	struct guid guid;

	if (table->scheme == PARTITION_BARE)
		return "whole disk";
	for (size_t i = 0; table->scheme == PARTITION_GPT && i < ARRAY_SIZE(gpt_types);
	     i++)
		if (guid_parse(gpt_types[i].guid, &guid) &&
		    guid_equal(&guid, &partition->type))
			return gpt_types[i].name;
	for (size_t i = 0; table->scheme == PARTITION_MBR && i < ARRAY_SIZE(mbr_types);
	     i++)
		if (mbr_types[i].type == partition->mbr_type)
			return mbr_types[i].name;
	return "other";
}

/* The label in a FAT boot sector, without its padding; NULL if there is none. */
static char *fat_label(struct block *disk, const struct partition *partition)
{
	uint8_t sector[512];
	char text[FAT_LABEL_SIZE + 1];
	size_t len = FAT_LABEL_SIZE, at = FAT16_SIGNATURE;

	if (partition->size < sizeof(sector) ||
	    block_pread(disk, sector, sizeof(sector), partition->offset, NULL) < 0)
		return NULL;
	if (sector[at] != 0x29)
		at = FAT32_SIGNATURE;
	if (sector[at] != 0x29)
		return NULL;
	memcpy(text, sector + at + 5, len);
	while (len && text[len - 1] == ' ')
		len--;
	text[len] = '\0';
	for (size_t i = 0; i < len; i++)
		if (!isprint((unsigned char)text[i]))
			return NULL;
	return len && strcmp(text, "NO NAME") != 0 ? xstrdup(text) : NULL;
}

static char *volume_label(const struct disk_image *disk, const struct disk_volume *volume)
{
	if (volume->ntfs && *ntfs_label(volume->ntfs))
		return xstrdup(ntfs_label(volume->ntfs));
	if (volume->info.kind == VOLUME_FAT)
		return fat_label(disk->block, &volume->partition);
	return NULL;
}

static const struct image_info *windows_on(const struct disk_image *disk, unsigned number)
{
	vec_foreach (info, &disk->image.infos)
		if (info->partition == number)
			return info;
	return NULL;
}

static bool is_system(const struct disk_image *disk, const struct disk_volume *volume)
{
	if (volume->system)
		return true;
	vec_foreach (info, &disk->image.infos)
		if (info->system_partition &&
		    info->system_partition == volume->partition.number)
			return true;
	return false;
}

static void describe(struct image_partition *part, const struct disk_image *disk,
		     const struct disk_volume *volume)
{
	const struct image_info *info = windows_on(disk, part->number);

	if (volume->info.kind != VOLUME_UNKNOWN && volume->info.kind != VOLUME_EMPTY)
		part->file_system = volume->info.name;
	part->label = volume_label(disk, volume);
	if (!part->label && info && info->label)
		part->label = xstrdup(info->label);
	if (info)
		part->holds = "windows";
	else if (strcmp(part->type, RECOVERY) == 0)
		part->holds = "recovery";
	else if (is_system(disk, volume))
		part->holds = "system";
}

void disk_layout(struct disk_image *disk)
{
	static const char *const schemes[] = {
		[PARTITION_BARE] = "none",
		[PARTITION_MBR] = "mbr",
		[PARTITION_GPT] = "gpt",
	};
	const struct partition_table *table = &disk->table;
	struct image_disk *layout = xcalloc(1, sizeof(*layout));

	layout->table = schemes[table->scheme];
	layout->subtype = disk->container.subtype;
	layout->sector_size = disk->container.sector_size;
	layout->virtual_size = disk->container.virtual_size;
	vec_foreach (problem, &table->problems)
		strings_push(&layout->problems, *problem);
	vec_foreach (partition, &table->partitions) {
		struct image_partition part = {
			.number = partition->number,
			.offset = partition->offset,
			.size = partition->size,
			.type = type_name(table, partition),
			.name = partition->name ? xstrdup(partition->name) : NULL,
		};

		vec_foreach (volume, &disk->volumes)
			if (volume->partition.number == partition->number)
				describe(&part, disk, volume);
		vec_push(&layout->partitions, part);
	}
	disk->image.disk = layout;
}
