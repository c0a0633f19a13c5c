/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The hash tree of sealed data (layout.h), as the kernel's dm-verity reads it: which hash
 * each block of the file must have. The kernel verifies all of it again; here it keeps what
 * is wrong out of the cache.
 *
 * Blocks are counted from the file's start: data, the superblock, the tree with its root
 * first (Linux, drivers/md/dm-verity-target.c: verity_ctr(), verity_hash_at_level()).
 */
#ifndef READER_TREE_H
#define READER_TREE_H

#include "seal.h"
#include "layout.h"

#define TREE_MAX_LEVELS 8
#define TREE_HASH 32

struct tree {
	uint64_t blocks;		/* of data */
	uint64_t end;			/* blocks of all */
	uint8_t root[TREE_HASH];
	uint8_t salt[VERITY_MAX_SALT];
	size_t salt_len;
	unsigned levels;
	uint64_t at[TREE_MAX_LEVELS];	/* first block of each level; 0: the leaves */
};
void tree_init(struct tree *tree, const struct seal *seal, const struct verity_super *super);
enum tree_rule {
	TREE_ROOT,	/* its hash is tree->root */
	TREE_ENTRY,	/* its hash is in another block */
	TREE_FREE,	/* nobody says what it must be: the superblock */
};
/* For TREE_ENTRY: the block that has its hash, and where in it. */
enum tree_rule tree_rule(const struct tree *tree, uint64_t block, uint64_t *parent,
			 size_t *offset);
void tree_hash(const struct tree *tree, const uint8_t block[LAYOUT_BLOCK],
	       uint8_t digest[TREE_HASH]);

#endif
