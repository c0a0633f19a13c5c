/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Between create.c and the formats. A new container is divided into grains (VHDX: blocks,
 * qcow2: clusters), each of which gets its place in the file when something that is not
 * zeros is first written to it.
 */
#ifndef BLOCK_CREATE_PRIVATE_H
#define BLOCK_CREATE_PRIVATE_H

#include "base/guid.h"
#include "block/create.h"

/* Grains per table of places: as many as a table of a qcow2 has. */
#define CREATION_TABLE 8192

struct creation;
struct creation_format {
	/* Refuses what the format cannot be, before the file is made; may be NULL. */
	int (*check)(const char *path, const struct container_create *options,
		     struct error *err);
	/* Sets how grains are placed. */
	void (*begin)(struct creation *c);
	/* Writes all that is no grain; the file's size is set to `end` afterwards. */
	int (*finish)(struct creation *c, uint64_t *end, struct error *err);
};

struct creation {
	struct block block;
	const struct creation_format *format;
	int fd;
	uint64_t offset;	/* of the container in it */
	bool part;		/* of a file that is the caller's: has no name yet */
	struct buffer seed;
	uint32_t grain;		/* bytes; a power of two, 64 KiB and more */
	bool packed;		/* grains follow each other; else each is where the disk has it */
	uint64_t first;		/* packed: where the first one lies in the file */
	uint32_t placed;	/* so many have a place */
	uint32_t **tables;	/* of CREATION_TABLE grains, or NULL: place's number from 1, 0: none */
	size_t table_count;
};

/* True if the grain has a place in the file. */
bool creation_place(const struct creation *c, uint64_t grain, uint64_t *place);
/* Writes to the container's file, `at` from its start. */
int creation_write(struct creation *c, const void *data, size_t len, uint64_t at,
		   struct error *err);
/* An identifier that follows from the seed and from what it is for. */
struct guid creation_id(const struct creation *c, const char *what);

extern const struct creation_format creation_vhd, creation_vhdx, creation_qcow2;

#endif
