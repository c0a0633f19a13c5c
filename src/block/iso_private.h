/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the readers of UDF and ISO 9660 share. */
#ifndef BLOCK_ISO_PRIVATE_H
#define BLOCK_ISO_PRIVATE_H

#include "block/iso.h"

/* Volume descriptors begin here, one per 2048 bytes (ECMA-119 6.7.1, ECMA-167 2/8.1). */
#define ISO_VOLUMES_START ((uint64_t)16 * 2048)
#define ISO_VOLUME_SIZE 2048
#define ISO_MAX_VOLUMES 64
/* Bytes of one folder's records: some 300,000 names. */
#define ISO_MAX_FOLDER ((uint64_t)32 << 20)
/* Of one folder. */
#define ISO_MAX_ENTRIES 200000
/* Of one file: 32 GiB in pieces of 32 KiB. */
#define ISO_MAX_EXTENTS (1u << 20)
#define ISO_MAX_DEPTH 64

struct udf_partition {
	uint16_t number;
	uint64_t start, size; /* bytes */
	/* A metadata partition: what of the physical one it consists of. */
	struct iso_extents extents;
};

struct iso_ops {
	/*
	 * The entries of a folder; with `only`, those that are called so (without regard
	 * to case).
	 */
	int (*list)(struct iso *iso, const struct iso_node *folder, const char *only,
		    struct iso_entries *ret, struct error *err);
};

struct iso {
	struct block *block;
	const struct iso_ops *ops;
	const char *kind;
	struct iso_node root;
	bool cut; /* an extent lies behind the end of the image */
	uint32_t block_size;
	/* UDF: allocation descriptors of the current listing, */
	unsigned descriptors;
	/* and by partition reference number: */
	struct vec_of(struct udf_partition) partitions;
	/* ISO 9660: */
	bool joliet, rock_ridge;
	uint8_t skip; /* bytes before the first Rock Ridge entry (SUSP 5.3) */
};

/* The error for what contradicts the format. Always returns -1. */
int iso_damaged(const struct iso *iso, struct error *err, const char *fmt, ...)
	_printf_(3, 4);
/* Appends an extent, which must lie inside the image and within the limits. */
int iso_extent_push(struct iso *iso, struct iso_extents *extents, uint64_t offset,
		    uint64_t length, struct error *err);
/* Appends what lies at [at, at + length) of a file to `ret`. */
int iso_extents_part(struct iso *iso, const struct iso_extents *file, uint64_t at,
		     uint64_t length, struct iso_extents *ret, struct error *err);
/* Sets node->size and cuts the extents to it; too few are an error. */
int iso_node_resize(const struct iso *iso, struct iso_node *node, uint64_t size,
		    struct error *err);
int iso_extents_read(struct iso *iso, const struct iso_extents *extents, void *buf,
		     size_t len, uint64_t offset, struct error *err);
/* The records of a folder. */
int iso_folder_load(struct iso *iso, const struct iso_node *folder, struct buffer *ret,
		    struct error *err);
/*
 * A new entry at the end of `ret`, NULL if it is not wanted or no path can name it (*status
 * is then 0) or there are too many (-1). `name` is taken over.
 */
struct iso_entry *iso_entry_add(const struct iso *iso, struct iso_entries *ret,
				char *name, const char *only, int *status,
				struct error *err);

/* Sets up what the block holds; -1 also if it is refused. */
int udf_open(struct iso *iso, struct error *err);
int iso9660_open(struct iso *iso, struct error *err);

/* ---- iso_udf.c, iso_udf_file.c ------------------------------------------------------- */
enum udf_tag {
	UDF_ANCHOR = 2,
	UDF_POINTER = 3,
	UDF_PARTITION = 5,
	UDF_LOGICAL_VOLUME = 6,
	UDF_TERMINATOR = 8,
	UDF_INDIRECT_ENTRY = 248,
	UDF_FILE_SET = 256,
	UDF_FILE_IDENTIFIER = 257,
	UDF_ALLOCATION_EXTENT = 258,
	UDF_FILE_ENTRY = 261,
	UDF_EXTENDED_FILE_ENTRY = 266,
};
#define UDF_TAG_SIZE 16

/* The tag's identifier if its checksums are right, else 0. */
uint16_t udf_tag(struct bytes descriptor);

/* An address in a partition (lb_addr, ECMA-167 4/7.1). */
struct udf_address {
	uint32_t block;
	uint16_t partition;
};
/* Appends [at, at + length) of the partition's bytes. */
int udf_map(struct iso *iso, uint16_t partition, uint64_t at, uint64_t length,
	    struct iso_extents *ret, struct error *err);
/* One logical block. */
int udf_block_load(struct iso *iso, struct udf_address address, struct buffer *ret,
		   struct error *err);
/* The file whose information control block lies there. */
int udf_node_load(struct iso *iso, struct udf_address icb, struct iso_node *ret,
		  struct error *err);
int udf_list(struct iso *iso, const struct iso_node *folder, const char *only,
	     struct iso_entries *ret, struct error *err);

#endif
