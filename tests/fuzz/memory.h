/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A disk in memory, unpacked from what tests/fuzz/seed_disk.sh describes. */
#ifndef FUZZ_MEMORY_H
#define FUZZ_MEMORY_H

#include "../memory_disk.h"

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
