/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the parts of the builder share. */
#ifndef BUILDER_BUILD_PRIVATE_H
#define BUILDER_BUILD_PRIVATE_H

#include "block/partition.h"
#include "builder/build.h"
#include "tree/files.h"

/* ---- build_source.c: what is built from ---- */

struct build_source {
	struct image *image;	/* open for reading */
	size_t position;	/* of the chosen one, from 0 */
	struct target target;
	struct answer *answer;	/* its answer file, or NULL */
	struct files *files;	/* all of it; of outputs that are made from scratch */
};
/*
 * Opens the source and the image in it that the options name; a folder of install media
 * stands for its install image. Refuses, by name, what gild does not build from, and an
 * answer file that is wrong.
 */
int build_source_open(const struct build_options *options, struct build_source *source,
		      struct build_result *ret, struct error *err);
/* Fills source->files. */
int build_source_files(struct build_source *source, struct error *err);
void build_source_close(struct build_source *source);
/* What the source's metadata and content are, as far as known without reading: 32 bytes. */
void build_source_digest(const struct files *files, uint8_t digest[32]);

/* ---- build_stage.c: changes to the new image ---- */

/*
 * Depersonalizes the i-th Windows of the image, injects the drivers, places the answer
 * file, and commits (`commit` as image_commit() takes it).
 */
int build_stage(const struct build_options *options, const struct build_source *source,
		struct image *image, size_t i, const struct image_commit_options *commit,
		struct build_result *ret, struct error *err);

/* ---- build_layout.c: what a disk is divided into ---- */

#define BUILD_ALIGNMENT ((uint64_t)1 << 20)
/* Bytes that the disk needs beside the Windows volume. */
uint64_t build_layout_overhead(const struct build_options *options);
/* A disk on which a Windows that needs `volume` bytes has room to live. */
uint64_t build_layout_size(const struct build_options *options, uint64_t volume);
/*
 * Divides a disk that is at least as large as its overhead and a volume. GUIDs and
 * signature follow from the seed. ret->parts and ret->part_count are set, too.
 */
void build_layout(const struct build_options *options, uint64_t size, struct bytes seed,
		  struct partition_table *table, struct build_result *ret);
const struct build_part *build_part_of(const struct build_result *result, const char *role);

/* ---- build_boot.c ---- */

/* System volume and boot code, for a disk whose Windows volume is written. */
int build_boot(const struct build_options *options, const struct build_source *source,
	       const struct partition_table *table, struct bytes seed, struct block *disk,
	       struct build_result *ret, struct error *err);

/* ---- the outputs ---- */

int build_disk(const struct build_options *options, struct build_source *source,
	       struct build_result *ret, struct error *err);
int build_wim(const struct build_options *options, struct build_source *source,
	      struct build_result *ret, struct error *err);

#endif
