/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * New disk image files, written directly: raw (sparse), fixed VHD, VHDX, qcow2. Sparse
 * formats are packed: what is not written, or is zeros, takes no space, and blocks follow
 * each other in the order in which they were first written. The same writes give the same
 * file to the byte (identifiers come from the seed, times from base/clock.h).
 */
#ifndef BLOCK_CREATE_H
#define BLOCK_CREATE_H

#include "base/draft.h"
#include "block/container.h"

struct container_create {
	enum container_format format;	/* RAW, VHD (fixed), VHDX (dynamic), QCOW2 */
	uint64_t virtual_size;		/* a multiple of 1 MiB */
	uint32_t sector_size;		/* 512 or 4096 (RAW and VHDX) */
	struct bytes seed;		/* identifiers of the container follow from it */
};
/*
 * Makes the new file `path` (which must not exist; the caller removes it on failure) and
 * gives its virtual disk, readable and writable, all zeros.
 */
struct block *container_create(const char *path, const struct container_create *options,
			       struct error *err);
/*
 * The same in an open file, from `offset` on, where it must read as zeros: what lies there
 * and behind is the container's until it is finished, when the file ends with it. The
 * descriptor stays the caller's; `name` is for messages.
 */
struct block *container_create_at(int fd, uint64_t offset, const char *name,
				  const struct container_create *options,
				  struct error *err);
/* The same in a draft, which the caller publishes. */
struct block *container_create_draft(const struct draft *draft,
				     const struct container_create *options,
				     struct error *err);
/*
 * Writes what makes the container whole, and syncs it. The block may be read afterwards,
 * not written; it is closed with block_close(), which alone leaves an incomplete file.
 */
int container_finish(struct block *block, struct error *err);

#endif
