/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A block that is memory, for tests and fuzz targets. */
#ifndef TESTS_MEMORY_DISK_H
#define TESTS_MEMORY_DISK_H

#include <string.h>

#include "base/memory.h"
#include "block/block.h"

struct memory {
	struct block block;
	uint8_t *data;	/* block.size bytes, freed by block_close() */
	/*
	 * Where it may lose its power: what was synced (or NULL), after how many more writes,
	 * and which write was the last.
	 */
	uint8_t *synced;
	size_t left;
	uint64_t last;
	size_t last_len;
};

static inline int memory_pread(struct block *block, void *buf, size_t len, uint64_t offset,
			       struct error *err _unused_)
{
	memcpy(buf, ((struct memory *)block)->data + offset, len);
	return 0;
}

static inline int memory_pwrite(struct block *block, const void *buf, size_t len,
				uint64_t offset, struct error *err)
{
	struct memory *m = (struct memory *)block;

	if (m->synced && !m->left--)
		return error_set(err, ERROR_FAILED, "memory", "has no power");
	memcpy(m->data + offset, buf, len);
	m->last = offset;
	m->last_len = len;
	return 0;
}

static inline int memory_flush(struct block *block, struct error *err _unused_)
{
	struct memory *m = (struct memory *)block;

	if (m->synced)
		memcpy(m->synced, m->data, block->size);
	return 0;
}

static inline void memory_close(struct block *block)
{
	free(((struct memory *)block)->data);
	free(((struct memory *)block)->synced);
}

static const struct block_ops memory_ops _unused_ = {.pread = memory_pread,
						     .pwrite = memory_pwrite,
						     .flush = memory_flush,
						     .close = memory_close};

/* All zeros; closed with block_close(). */
static inline struct memory *memory_new(const char *name, uint64_t size, uint32_t sector)
{
	struct memory *m = xcalloc(1, sizeof(*m));

	m->block = (struct block){&memory_ops, xstrdup(name), size, sector, true};
	m->data = xcalloc(1, size);
	return m;
}

#endif
