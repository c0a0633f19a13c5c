/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Sealed data (layout.h): data with dm-verity's superblock and hash tree behind it, so that
 * the kernel refuses a damaged block. Version 1 of the format, SHA-256, blocks of
 * LAYOUT_BLOCK; salt and UUID follow from the data, so that the same data gives the same
 * bytes. `veritysetup verify --hash-offset=DATA-BLOCKS*4096` reads it.
 */
#ifndef IMAGE_VERITY_H
#define IMAGE_VERITY_H

#include "block/block.h"
#include "seal.h"

/*
 * Bytes of `size` bytes of data when they are sealed: a multiple of LAYOUT_BLOCK. 0 if
 * `size` is 0 or too large.
 */
uint64_t seal_size(uint64_t size);
/*
 * Seals the `size` bytes that lie at `offset` of `fd` (open for reading and writing): what
 * follows them is written, up to offset + seal_size(size). One pass over the data, all
 * CPUs, a few MiB of memory. `path` is for messages and progress.
 */
int seal_make(int fd, uint64_t offset, uint64_t size, const char *path, struct seal *ret,
	      struct error *err);
/*
 * Copies all of `source` to `offset` of `fd`, where zeros are, and seals it there on the
 * way: it is read once, but for its holes; what is a hole or zeros is not written.
 */
int seal_copy(struct block *source, int fd, uint64_t offset, const char *path,
	      struct seal *ret, struct error *err);
/*
 * Reads `count` data blocks from block `first` on, and what leads from them to the root
 * hash. ERROR_ANSWER_NO with the number of the first block that is damaged.
 */
int seal_check(int fd, uint64_t offset, const struct seal *seal, uint64_t first,
	       uint64_t count, const char *path, struct error *err);

#endif
