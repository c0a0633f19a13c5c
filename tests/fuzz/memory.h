/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A disk in memory, unpacked from what tests/fuzz/seed_disk.sh describes. */
#ifndef FUZZ_MEMORY_H
#define FUZZ_MEMORY_H

#include <string.h>

#include "base/memory.h"
#include "block/block.h"

struct memory {
	struct block block;
	uint8_t *data;
};

static int memory_pread(struct block *block, void *buf, size_t len, uint64_t offset,
			struct error *err _unused_)
{
	memcpy(buf, ((struct memory *)block)->data + offset, len);
	return 0;
}

static const struct block_ops memory_ops = {.pread = memory_pread};

/* Pieces: where (4 bytes), how many (2), the bytes. The first 4 are the disk's size. */
static void unpack(struct memory *m, const uint8_t *data, size_t size)
{
	size_t at = 4;

	while (at + 6 <= size) {
		uint32_t to = get_le32(data + at), len = get_le16(data + at + 4);

		at += 6;
		if (len > size - at)
			len = (uint32_t)(size - at);
		if (to <= m->block.size && len <= m->block.size - to)
			memcpy(m->data + to, data + at, len);
		at += len;
	}
}

#endif
