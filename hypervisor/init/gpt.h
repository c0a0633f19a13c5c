/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The GUID partition table of a disk (UEFI specification 2.10, chapter 5), as far as init
 * needs it: partitions by type and GUID, and one that grows to the end of its disk. Kept
 * apart from src/block, which carries all that reads volumes and images.
 */
#ifndef INIT_GPT_H
#define INIT_GPT_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/guid.h"

#define GPT_MAX_ENTRIES 1024
#define GPT_MAX_ENTRY_SIZE 4096

struct gpt_partition {
	unsigned number;	/* from 1 */
	struct guid type, guid;
	uint64_t offset, size;	/* bytes */
};
DEFINE_VEC(gpt_partitions, struct gpt_partition);

struct gpt {
	uint32_t sector;	/* bytes: 512 or 4096 */
	bool from_backup;	/* the first header is damaged */
	uint64_t at;		/* sector of the header that was taken */
	struct buffer header;	/* its sector, as it is on the disk */
	struct buffer entries;	/* all of them, the same */
	struct gpt_partitions partitions;
};
#define GPT_INIT                                                                          \
	{                                                                                 \
		0                                                                         \
	}
void gpt_free(struct gpt *gpt);
#define _cleanup_gpt_ _cleanup_(gpt_free)
/*
 * Reads the table at sectors of 512 bytes, then of 4096; at each the first header, or if it
 * is damaged the one in the last sector. `size` is the disk's, in bytes. False: no table.
 */
bool gpt_load(int fd, uint64_t size, struct gpt *ret);
/* The first with this type and GUID; NULL: any. Belongs to the table. */
const struct gpt_partition *gpt_find(const struct gpt *gpt, const struct guid *type,
				     const struct guid *guid);

/*
 * The partition gets all space up to the backup's place at the end of the disk. 1: done, and
 * `*ret` is its new size; 0: there is nothing to gain, or another partition follows. The
 * order is safe: the new backup first, then the first header's entries and header, each
 * synced; a disk on which that was cut off still has one whole table, and the next call
 * completes it.
 */
int gpt_grow(int fd, const char *name, uint64_t size, struct gpt *gpt, unsigned number,
	     uint64_t *ret, struct error *err);

#endif
