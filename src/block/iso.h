/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Optical discs as images, read in process: UDF 1.02 to 2.60 (also where ISO 9660 is
 * beside it, as on Windows' media), ISO 9660 with Joliet or Rock Ridge names otherwise.
 * A file is a list of extents of the image, so that its content is read in place; nothing
 * is mounted and nothing is copied.
 *
 * The image is untrusted: every count, size and depth has a limit, every extent lies
 * inside the image, every structure with a checksum is checked.
 */
#ifndef BLOCK_ISO_H
#define BLOCK_ISO_H

#include "block/block.h"

struct iso;

/* An extent that is not recorded and reads as zeros. */
#define ISO_HOLE UINT64_MAX

struct iso_extent {
	uint64_t at;	 /* offset in the file */
	uint64_t offset; /* in the image, or ISO_HOLE */
	uint64_t length;
};
/* Ordered by `at`, without gaps; neighbours that follow each other are one. */
DEFINE_VEC(iso_extents, struct iso_extent);

struct iso_node {
	bool folder;
	uint64_t size;
	struct iso_extents extents; /* cover exactly `size` bytes */
};

struct iso_entry {
	char *name;	/* UTF-8, without slash */
	struct iso_node node;
	char *problem;	/* why its content cannot be read; or NULL */
};
DEFINE_VEC(iso_entries, struct iso_entry);

/* What the volume recognition sequence announces. */
enum iso_volume {
	ISO_VOLUME_9660 = 1,
	ISO_VOLUME_UDF = 2,
};
/* A set of enum iso_volume; 0 if it is no such image. */
unsigned iso_recognise(struct block *block);

/*
 * Opens the image: its UDF if it has one, else its Joliet names, else ISO 9660. NULL if it
 * is none, damaged, or of a kind that is refused by name (virtual and sparable partitions).
 */
struct iso *iso_open(const char *path, struct error *err);
/* The same for a block, which is taken over (also on failure). */
struct iso *iso_open_block(struct block *block, struct error *err);
void iso_close(struct iso *iso);
void iso_closep(struct iso **iso);
#define _cleanup_iso_ _cleanup_(iso_closep)

/* "UDF", "Joliet", "Rock Ridge" or "ISO 9660": where the names come from. */
const char *iso_kind(const struct iso *iso);
/* True once a file was met that ends behind the image: that was cut short. */
bool iso_is_cut(const struct iso *iso);
const struct iso_node *iso_root(const struct iso *iso);

/*
 * Looks up a path ('/' between names) without regard to case; of names that differ in case
 * only the exact one is preferred. 1 and *ret (the caller's), 0 if there is none, -1 if it cannot be read.
 */
int iso_find(struct iso *iso, const char *path, struct iso_node *ret, struct error *err);
/* What a folder holds, in the image's order. Entries that no path can name are left out. */
int iso_list(struct iso *iso, const struct iso_node *folder, struct iso_entries *ret,
	     struct error *err);
/* Exactly `len` bytes of the file from `offset` on. May be called by several threads. */
int iso_read(struct iso *iso, const struct iso_node *file, void *buf, size_t len,
	     uint64_t offset, struct error *err);
/*
 * The file as a read-only block, named `name` (taken over). The ISO must outlive it; `file`
 * is copied.
 */
struct block *iso_block(struct iso *iso, const struct iso_node *file, char *name);

void iso_node_free(struct iso_node *node);
#define _cleanup_iso_node_ _cleanup_(iso_node_free)
void iso_entries_free(struct iso_entries *entries);
#define _cleanup_iso_entries_ _cleanup_(iso_entries_free)

#endif
