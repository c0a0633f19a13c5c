/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A device of the appliance as a block. Each request is a round trip through a virtual
 * serial line: what is written is gathered in chunks and goes out when it is flushed or
 * room is needed. Reading brings no chunks in; whoever reads has a cache.
 *
 * The devices are read as files of a devtmpfs mounted in the appliance: libguestfs' calls
 * that take a device look it up each time, which is some thirty times slower.
 */
#include "tree/guestfs.h"

#define CHUNK_SIZE ((size_t)128 << 10)
#define CHUNKS 128

struct chunk {
	uint64_t number;
	uint8_t *data;
	uint64_t used;
};

struct guestfs_block {
	struct block block;
	struct guestfs *guestfs;
	char *device;		     /* as a file of the appliance */
	struct chunk chunks[CHUNKS]; /* dirty ones; data NULL: free */
	uint64_t clock;
};

static struct chunk *find_chunk(struct guestfs_block *b, uint64_t number)
{
	for (size_t i = 0; i < CHUNKS; i++) {
		struct chunk *chunk = &b->chunks[i];

		if (!chunk->data || chunk->number != number)
			continue;
		chunk->used = ++b->clock;
		return chunk;
	}
	return NULL;
}

static size_t chunk_length(const struct guestfs_block *b, uint64_t number)
{
	uint64_t left = b->block.size - number * CHUNK_SIZE;

	return left < CHUNK_SIZE ? (size_t)left : CHUNK_SIZE;
}

/* What the device itself has there. */
static int read_device(struct guestfs_block *b, uint8_t *to, size_t len, uint64_t offset,
		       struct error *err)
{
	struct guestfs *g = b->guestfs;

	while (len) {
		size_t part = len < GUESTFS_REQUEST ? len : GUESTFS_REQUEST, got = 0;
		char *data = g->api->pread(g->handle, b->device, (int)part,
					   (int64_t)offset, &got);

		if (interrupted()) {
			free(data);
			return error_interrupted(err);
		}
		if (!data)
			return guestfs_failed(g, err, "cannot read %s", b->device);
		if (got == 0 || got > part) {
			free(data);
			return error_set(err, ERROR_FAILED, b->block.name,
					 "%s ends at byte %ju", b->device,
					 (uintmax_t)offset);
		}
		memcpy(to, data, got);
		free(data);
		to += got;
		len -= got;
		offset += got;
	}
	return 0;
}

static int write_device(struct guestfs_block *b, const uint8_t *from, size_t len,
			uint64_t offset, struct error *err)
{
	struct guestfs *g = b->guestfs;

	while (len) {
		int got = g->api->pwrite(g->handle, b->device, (const char *)from, len,
					 (int64_t)offset);

		if (got <= 0 || (size_t)got > len)
			return guestfs_failed(g, err, "cannot write to %s", b->device);
		from += got;
		len -= (size_t)got;
		offset += (uint64_t)got;
	}
	return 0;
}

static int write_back(struct guestfs_block *b, struct chunk *chunk, struct error *err)
{
	if (write_device(b, chunk->data, chunk_length(b, chunk->number),
			 chunk->number * CHUNK_SIZE, err) < 0)
		return -1;
	free(chunk->data);
	chunk->data = NULL;
	return 0;
}

/* Runs of chunks that are not here come in one request. */
static int block_read(struct block *block, void *buf, size_t len, uint64_t offset,
		      struct error *err)
{
	struct guestfs_block *b = (struct guestfs_block *)block;
	uint8_t *to = buf;

	while (len) {
		uint64_t number = offset / CHUNK_SIZE;
		size_t at = (size_t)(offset % CHUNK_SIZE);
		size_t n = CHUNK_SIZE - at < len ? CHUNK_SIZE - at : len;
		struct chunk *chunk = find_chunk(b, number);

		if (chunk) {
			memcpy(to, chunk->data + at, n);
		} else {
			while (n < len && !find_chunk(b, ++number))
				n = len - n < CHUNK_SIZE ? len : n + CHUNK_SIZE;
			if (read_device(b, to, n, offset, err) < 0)
				return -1;
		}
		to += n;
		len -= n;
		offset += n;
	}
	return 0;
}

/* The chunk, for writing `n` bytes of it: with its old content unless all is replaced. */
static struct chunk *chunk_to_write(struct guestfs_block *b, uint64_t number, size_t n,
				    struct error *err)
{
	struct chunk *chunk = find_chunk(b, number), *oldest = &b->chunks[0];
	size_t len = chunk_length(b, number);

	if (chunk)
		return chunk;
	for (size_t i = 0; i < CHUNKS && oldest->data; i++)
		if (!b->chunks[i].data || b->chunks[i].used < oldest->used)
			oldest = &b->chunks[i];
	if (oldest->data && write_back(b, oldest, err) < 0)
		return NULL;
	oldest->data = xmalloc(CHUNK_SIZE);
	oldest->number = number;
	oldest->used = ++b->clock;
	if (n == len || read_device(b, oldest->data, len, number * CHUNK_SIZE, err) == 0)
		return oldest;
	free(oldest->data);
	oldest->data = NULL;
	return NULL;
}

static int block_write(struct block *block, const void *buf, size_t len, uint64_t offset,
		       struct error *err)
{
	struct guestfs_block *b = (struct guestfs_block *)block;
	const uint8_t *from = buf;

	while (len) {
		size_t at = (size_t)(offset % CHUNK_SIZE);
		size_t n = CHUNK_SIZE - at < len ? CHUNK_SIZE - at : len;
		struct chunk *chunk = chunk_to_write(b, offset / CHUNK_SIZE, n, err);

		if (!chunk)
			return -1;
		memcpy(chunk->data + at, from, n);
		from += n;
		len -= n;
		offset += n;
	}
	return 0;
}

static int block_sync(struct block *block, struct error *err)
{
	struct guestfs_block *b = (struct guestfs_block *)block;
	struct guestfs *g = b->guestfs;

	for (;;) {
		struct chunk *first = NULL;

		for (size_t i = 0; i < CHUNKS; i++)
			if (b->chunks[i].data &&
			    (!first || b->chunks[i].number < first->number))
				first = &b->chunks[i];
		if (!first)
			break;
		if (write_back(b, first, err) < 0)
			return -1;
	}
	if (block->writable && g->api->sync(g->handle) < 0)
		return guestfs_failed(g, err, "cannot write to %s", b->device);
	return 0;
}

static void block_end(struct block *block)
{
	struct guestfs_block *b = (struct guestfs_block *)block;

	for (size_t i = 0; i < CHUNKS; i++)
		free(b->chunks[i].data);
	free(b->device);
}

static const struct block_ops guestfs_block_ops = {
	.pread = block_read,
	.pwrite = block_write,
	.flush = block_sync,
	.close = block_end,
};

/*
 * libguestfs calls the disk /dev/sda even where the kernel named it otherwise; its label
 * tells which it is.
 */
static char *file_of(const char *device)
{
	static const char disk[] = "/dev/sda";

	if (strncmp(device, disk, sizeof(disk) - 1) != 0)
		return xstrdup(device);
	return xasprintf("/dev/disk/guestfs/" GUESTFS_LABEL "%s",
			 device + sizeof(disk) - 1);
}

struct block *guestfs_block_open(struct guestfs *guestfs, const char *device, bool write,
				 struct error *err)
{
	const struct guestfs_api *api = guestfs->api;
	int64_t size = api->blockdev_getsize64(guestfs->handle, device);
	struct guestfs_block *b;

	if (size <= 0) {
		guestfs_failed(guestfs, err, "cannot open %s", device);
		return NULL;
	}
	b = xcalloc(1, sizeof(*b));
	b->block.ops = &guestfs_block_ops;
	b->block.name = xasprintf("%s, %s", guestfs->name, device);
	b->block.size = (uint64_t)size;
	b->block.sector_size = guestfs->sector_size;
	b->block.writable = write;
	b->guestfs = guestfs;
	b->device = file_of(device);
	return &b->block;
}
