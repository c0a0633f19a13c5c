/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The bytes under a volume: a file or device, a container that qemu-nbd serves, a window
 * onto a partition, a journal over any of them. Offsets and sizes are bytes; a request
 * that does not lie inside the block is an error, as is one that is not done whole.
 */
#ifndef BLOCK_BLOCK_H
#define BLOCK_BLOCK_H

#include "base/buffer.h"
#include "base/error.h"

struct block;

struct block_ops {
	/* Whole requests inside the block, len > 0; 0 or -1. */
	int (*pread)(struct block *block, void *buf, size_t len, uint64_t offset,
		     struct error *err);
	int (*pwrite)(struct block *block, const void *buf, size_t len, uint64_t offset,
		      struct error *err);
	/* What was written is on the medium when it returns. */
	int (*flush)(struct block *block, struct error *err);
	/* The range reads as zeros or old data afterwards; only a hint. May be NULL. */
	int (*trim)(struct block *block, uint64_t offset, uint64_t len,
		    struct error *err);
	/* block_data() inside the block. May be NULL. */
	int (*data)(struct block *block, uint64_t offset, uint64_t *start, uint64_t *end,
		    struct error *err);
	/* Releases all but the structure itself. Does not flush. */
	void (*close)(struct block *block);
};

/* Implementations put this first in their own structure, made with xcalloc(). */
struct block {
	const struct block_ops *ops;
	char *name;	/* for messages: the file, "disk.vhdx, partition 3" */
	uint64_t size;
	uint32_t sector_size;	/* logical: 512 or 4096 */
	bool writable;
};

int block_pread(struct block *block, void *buf, size_t len, uint64_t offset,
		struct error *err);
/* Not writable: error. */
int block_pwrite(struct block *block, const void *buf, size_t len, uint64_t offset,
		 struct error *err);
int block_flush(struct block *block, struct error *err);
int block_trim(struct block *block, uint64_t offset, uint64_t len, struct error *err);
/*
 * The first range from `offset` on that may hold other than zeros, so that who reads all
 * need not read holes: [*start, *end), empty at the block's end if none follows. What
 * cannot tell says that all may.
 */
int block_data(struct block *block, uint64_t offset, uint64_t *start, uint64_t *end,
	       struct error *err);
void block_close(struct block *block);	/* NULL is fine */
void block_closep(struct block **block);
#define _cleanup_block_ _cleanup_(block_closep)

/*
 * A regular file or a block device, which is opened exclusively for writing (ERROR_STATE if
 * it is in use). `size`: 0 for all of it, else only so many bytes.
 */
struct block *block_file_open(const char *path, bool write, uint64_t size,
			      struct error *err);
/*
 * Takes QEMU's locks on such a file (not on devices), as a reader or a writer by how it was
 * opened: ERROR_STATE while another program's use of it contradicts. They go with the block.
 */
int block_file_lock(struct block *file, struct error *err);
/* [offset, offset + size) of `parent`, which is not owned and must outlive it. */
struct block *block_window_open(struct block *parent, uint64_t offset, uint64_t size,
				char *name, struct error *err);

#endif
