/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "reader/tree.h"

#include <stdio.h>

#include "base/hash.h"

#define BITS 7 /* a block has 2^7 hashes */
#define HASHES ((uint64_t)1 << BITS)

static void read_root(const char *hex, uint8_t *ret)
{
	for (size_t i = 0; i < TREE_HASH; i++) {
		unsigned byte = 0;

		(void)sscanf(hex + 2 * i, "%2x", &byte);
		ret[i] = (uint8_t)byte;
	}
}

void tree_init(struct tree *t, const struct seal *seal, const struct verity_super *super)
{
	uint64_t at = seal->blocks + 1;

	*t = (struct tree){.blocks = seal->blocks, .salt_len = super->salt_len};
	memcpy(t->salt, super->salt, super->salt_len);
	read_root(seal->hash, t->root);
	while (t->levels < TREE_MAX_LEVELS && (t->blocks - 1) >> (BITS * t->levels))
		t->levels++;
	for (unsigned level = t->levels; level-- > 0;) {
		unsigned shift = BITS * (level + 1);

		t->at[level] = at;
		at += (t->blocks + ((uint64_t)1 << shift) - 1) >> shift;
	}
	t->end = at;
}

enum tree_rule tree_rule(const struct tree *t, uint64_t block, uint64_t *parent,
			 size_t *offset)
{
	unsigned level = 0; /* that has its hash */
	uint64_t index = block;

	if (block == t->blocks || block >= t->end)
		return TREE_FREE;
	if (block > t->blocks) {
		while (block < t->at[level])
			level++;
		index = block - t->at[level++];
	}
	if (level == t->levels)
		return TREE_ROOT;
	*parent = t->at[level] + index / HASHES;
	*offset = (size_t)(index % HASHES) * TREE_HASH;
	return TREE_ENTRY;
}

void tree_hash(const struct tree *t, const uint8_t block[LAYOUT_BLOCK],
	       uint8_t digest[TREE_HASH])
{
	struct hash_stream *stream = hash_sha256_begin();

	hash_stream_add(stream, t->salt, t->salt_len);
	hash_stream_add(stream, block, LAYOUT_BLOCK);
	hash_sha256_end(stream, digest);
}
