/* SPDX-License-Identifier: GPL-3.0-or-later */
/* New FAT32 volumes, such as EFI system partitions, and FAT16 ones, as on ISOs. */
#include "base/clock.h"
#include "base/guid.h"
#include "block/fat_private.h"

#define GIB ((uint64_t)1 << 30)
/* Fewer would be FAT16; and 16 more, since not all drivers count alike (Microsoft). */
#define MIN_CLUSTERS (65525 + 16)
#define MAX_CLUSTERS 0x0ffffff5
#define MAX_SECTORS UINT32_MAX
#define SMALL_MIN_CLUSTERS (4085 + 16)
#define SMALL_MAX_CLUSTERS (65525 - 16)
#define SMALL_ROOT 512 /* entries of FAT16's root folder */
#define SMALL_MIN_CLUSTER 512
#define SMALL_MAX_CLUSTER 32768
#define RESERVED 32 /* sectors, at least */
#define COPIES 2
#define INFO 1	 /* sector */
#define BACKUP 6 /* sector: of the boot sectors, three */
#define BOOT_SECTORS 3
#define MEDIA 0xf8
#define LABEL_SIZE 11
#define ZEROS ((size_t)1 << 20)

struct geometry {
	uint32_t sector, per_cluster, reserved, per_table, clusters;
	uint64_t total; /* sectors */
	bool small;	/* FAT16 */
};

/* The cluster size that Windows takes for a size; less where that makes too few. */
static uint32_t usual_cluster(uint64_t size)
{
	if (size < 8 * GIB)
		return 4096;
	if (size < 16 * GIB)
		return 8192;
	return size < 32 * GIB ? 16384 : 32768;
}

/* Tables that are large enough, and the first cluster on a multiple of its size. */
static bool fit(struct geometry *g, uint32_t cluster)
{
	uint64_t data, per_entry = g->sector / 4;

	g->per_cluster = cluster / g->sector;
	g->reserved = RESERVED;
	if (g->total <= RESERVED)
		return false;
	g->per_table = (uint32_t)(((g->total - RESERVED) / g->per_cluster + FAT_FIRST +
				   per_entry - 1) /
				  per_entry);
	data = g->reserved + (uint64_t)COPIES * g->per_table;
	g->reserved +=
		(uint32_t)((g->per_cluster - data % g->per_cluster) % g->per_cluster);
	data = g->reserved + (uint64_t)COPIES * g->per_table;
	if (data >= g->total)
		return false;
	g->clusters = (uint32_t)((g->total - data) / g->per_cluster);
	return g->clusters >= MIN_CLUSTERS && g->clusters <= MAX_CLUSTERS;
}

/* FAT16: the root folder lies between the tables and the clusters. */
static bool fit_small(struct geometry *g, uint32_t cluster)
{
	uint64_t per_entry = g->sector / 2, fixed = 1 + SMALL_ROOT * FAT_SLOT / g->sector;

	g->small = true;
	g->per_cluster = cluster / g->sector;
	g->reserved = 1;
	if (g->total <= fixed)
		return false;
	g->per_table = (uint32_t)(((g->total - fixed) / g->per_cluster + FAT_FIRST +
				   per_entry - 1) /
				  per_entry);
	fixed += (uint64_t)COPIES * g->per_table;
	if (fixed >= g->total)
		return false;
	g->clusters = (uint32_t)((g->total - fixed) / g->per_cluster);
	return g->clusters >= SMALL_MIN_CLUSTERS && g->clusters <= SMALL_MAX_CLUSTERS;
}

static int choose(const struct block *volume, bool small, struct geometry *g,
		  struct error *err)
{
	uint32_t cluster = usual_cluster(volume->size);

	*g = (struct geometry){.sector = volume->sector_size,
			       .total = volume->size / volume->sector_size};
	for (; cluster >= g->sector && g->total <= MAX_SECTORS; cluster /= 2)
		if (fit(g, cluster))
			return 0;
	for (cluster = SMALL_MIN_CLUSTER; small && cluster <= SMALL_MAX_CLUSTER;
	     cluster *= 2)
		if (cluster >= g->sector && fit_small(g, cluster))
			return 0;
	error_set(err, ERROR_FAILED, volume->name, "of %ju bytes cannot be FAT32",
		  (uintmax_t)volume->size);
	return error_remedy(err, "make it %u MiB or larger, and no larger than 2 TiB",
			    g->sector == 512 ? 33 : 260);
}

static int write_zeros(struct block *volume, uint64_t at, uint64_t len, struct error *err)
{
	_cleanup_free_ uint8_t *zeros = xcalloc(1, ZEROS);

	while (len) {
		size_t n = len < ZEROS ? (size_t)len : ZEROS;

		if (block_pwrite(volume, zeros, n, at, err) < 0)
			return -1;
		at += n;
		len -= n;
	}
	return 0;
}

/* Padded with spaces and in upper case; false if it is no label. */
static bool make_label(const char *label, uint8_t to[LABEL_SIZE])
{
	size_t len = strlen(label);

	memset(to, ' ', LABEL_SIZE);
	if (!len || len > LABEL_SIZE)
		return false;
	for (size_t i = 0; i < len; i++) {
		uint8_t c = (uint8_t)label[i];

		if (c < ' ' || c > '~' || strchr("\"*+,./:;<=>?[\\]|", c))
			return false;
		to[i] = c >= 'a' && c <= 'z' ? (uint8_t)(c - ('a' - 'A')) : c;
	}
	return true;
}

/*
 * The parameter block is Windows' own in all but the code, which hands over to the next
 * boot device (int 18h): nothing boots from here in BIOS' way.
 */
static void make_boot(const struct geometry *g, uint64_t hidden, uint32_t serial,
		      const uint8_t *label, uint8_t *s)
{
	static const uint8_t code[] = {0xcd, 0x18, 0xf4, 0xeb, 0xfd};
	static const uint8_t jump[] = {0xeb, 0x58, 0x90};

	memcpy(s, jump, sizeof(jump));
	memcpy(s + 3, "MSDOS5.0", 8);
	put_le16(s + 11, (uint16_t)g->sector);
	s[13] = (uint8_t)g->per_cluster;
	put_le16(s + 14, (uint16_t)g->reserved);
	s[16] = COPIES;
	s[21] = MEDIA;
	put_le16(s + 24, 63);  /* sectors per track */
	put_le16(s + 26, 255); /* heads */
	put_le32(s + 28, (uint32_t)(hidden / g->sector));
	put_le32(s + 32, (uint32_t)g->total);
	put_le32(s + 36, g->per_table);
	put_le32(s + 44, FAT_FIRST); /* the root folder */
	put_le16(s + FAT_BOOT_INFO, INFO);
	put_le16(s + 50, BACKUP);
	s[64] = 0x80; /* drive */
	s[66] = 0x29; /* the next three are there */
	put_le32(s + 67, serial);
	memcpy(s + 71, label, LABEL_SIZE);
	memcpy(s + 82, "FAT32   ", 8);
	memcpy(s + 90, code, sizeof(code));
	put_le16(s + 510, 0xaa55);
}

static void make_info(const struct geometry *g, uint8_t *s)
{
	put_le32(s, 0x41615252);
	put_le32(s + 484, 0x61417272);
	put_le32(s + FAT_INFO_FREE, g->clusters - 1);
	put_le32(s + FAT_INFO_NEXT, FAT_FIRST + 1);
	put_le32(s + 508, 0xaa550000);
}

/* FAT16: the fields from 36 on lie elsewhere, and one sector has all. */
static void make_small_boot(const struct geometry *g, uint64_t hidden, uint32_t serial,
			    const uint8_t *label, uint8_t *s)
{
	static const uint8_t code[] = {0xcd, 0x18, 0xf4, 0xeb, 0xfd};
	static const uint8_t jump[] = {0xeb, 0x3c, 0x90};

	make_boot(g, hidden, serial, label, s);
	memset(s + 32, 0, 510 - 32);
	memcpy(s, jump, sizeof(jump));
	put_le16(s + 17, SMALL_ROOT);
	if (g->total <= UINT16_MAX)
		put_le16(s + 19, (uint16_t)g->total);
	else
		put_le32(s + 32, (uint32_t)g->total);
	put_le16(s + 22, (uint16_t)g->per_table);
	s[36] = 0x80;
	s[38] = 0x29;
	put_le32(s + 39, serial);
	memcpy(s + 43, label, LABEL_SIZE);
	memcpy(s + 54, "FAT16   ", 8);
	memcpy(s + 62, code, sizeof(code));
}

static int write_boot(struct block *volume, const struct geometry *g, uint64_t hidden,
		      uint32_t serial, const uint8_t *label, struct error *err)
{
	size_t len = (size_t)BOOT_SECTORS * g->sector;
	_cleanup_free_ uint8_t *s = xcalloc(1, len);

	if (g->small) {
		make_small_boot(g, hidden, serial, label, s);
		return block_pwrite(volume, s, g->sector, 0, err);
	}
	make_boot(g, hidden, serial, label, s);
	make_info(g, s + (size_t)INFO * g->sector);
	put_le16(s + (size_t)2 * g->sector + 510, 0xaa55);
	if (block_pwrite(volume, s, len, 0, err) < 0)
		return -1;
	return block_pwrite(volume, s, len, (uint64_t)BACKUP * g->sector, err);
}

/* The media byte, a mark that it was unmounted and is sound, and the end of the root. */
static int write_tables(struct block *volume, const struct geometry *g, struct error *err)
{
	uint8_t s[4096] = {0};
	uint64_t at = (uint64_t)g->reserved * g->sector;

	if (g->small) {
		put_le16(s, 0xff00 | MEDIA);
		put_le16(s + 2, 0xffff);
	} else {
		put_le32(s, 0x0fffff00 | MEDIA);
		put_le32(s + 4, 0x0fffffff);
		put_le32(s + 8, 0x0fffffff);
	}
	for (unsigned copy = 0; copy < COPIES; copy++) {
		if (block_pwrite(volume, s, g->sector, at, err) < 0)
			return -1;
		at += (uint64_t)g->per_table * g->sector;
	}
	return 0;
}

static int write_label(struct block *volume, const struct geometry *g,
		       const uint8_t *label, struct error *err)
{
	uint64_t at =
		((uint64_t)g->reserved + (uint64_t)COPIES * g->per_table) * g->sector;
	uint32_t now = fat_time_make(clock_filetime());
	uint8_t s[4096] = {0};

	memcpy(s, label, LABEL_SIZE);
	s[SLOT_ATTRIBUTES] = SLOT_LABEL;
	put_le16(s + SLOT_MODIFIED, (uint16_t)now);
	put_le16(s + SLOT_MODIFIED + 2, (uint16_t)(now >> 16));
	return block_pwrite(volume, s, g->sector, at, err);
}

int fat_format(struct block *volume, const struct fat_format_options *options,
	       struct error *err)
{
	uint8_t label[LABEL_SIZE];
	struct guid id = guid_from(options->seed);
	struct geometry g;
	uint64_t meta, root;

	if (!make_label(options->label ? options->label : "NO NAME", label)) {
		error_set(err, ERROR_USAGE, volume->name,
			  "cannot have the label \"%s\" on FAT", options->label);
		return error_remedy(err, "give at most 11 letters and digits");
	}
	if (choose(volume, options->small, &g, err) < 0)
		return -1;
	/* What was there before, and the first cluster: the root. */
	root = g.small ? SMALL_ROOT * FAT_SLOT / g.sector : g.per_cluster;
	meta = ((uint64_t)g.reserved + (uint64_t)COPIES * g.per_table + root) * g.sector;
	if (write_zeros(volume, 0, meta, err) < 0 ||
	    write_boot(volume, &g, options->hidden, get_le32(id.bytes), label, err) < 0 ||
	    write_tables(volume, &g, err) < 0)
		return -1;
	return options->label ? write_label(volume, &g, label, err) : 0;
}
