/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * libntfs-3g's view of a block: its device operations, a read cache, and its messages,
 * which are kept as reasons for errors rather than printed.
 *
 * libntfs-3g reads a record or an index block at a time, and each is a round trip where
 * qemu-nbd serves the block. The cache holds whole aligned chunks, the least recently
 * used of which is replaced, and writes go through it, so that it never differs from the
 * block.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include "tree/ntfs_private.h"

/* ---- messages -----------------------------------------------------------------------
 */

static _Thread_local char last_message[256];

_printf_(6, 0) static int keep_message(const char *function _unused_,
				       const char *file _unused_, int line _unused_,
				       u32 level, void *data _unused_, const char *format,
				       va_list args)
{
	int saved = errno;
	size_t len;

	if (level &
	    (NTFS_LOG_LEVEL_ERROR | NTFS_LOG_LEVEL_PERROR | NTFS_LOG_LEVEL_CRITICAL)) {
		vsnprintf(last_message, sizeof(last_message), format, args);
		len = strlen(last_message);
		while (len && strchr("\n. ", last_message[len - 1]))
			last_message[--len] = 0;
		if (level & NTFS_LOG_LEVEL_PERROR)
			snprintf(last_message + len, sizeof(last_message) - len, " (%s)",
				 strerror(saved));
	}
	errno = saved;
	return 0;
}

void ntfs_begin(struct ntfs *ntfs)
{
	ntfs_log_set_handler(keep_message);
	last_message[0] = 0;
	error_clear(&ntfs->failure);
	errno = 0;
}

int ntfs_failed(struct ntfs *ntfs, struct error *err, const char *subject,
		const char *fmt, ...)
{
	_cleanup_free_ char *what = NULL;
	const char *why = last_message;
	int saved = errno;
	va_list args;

	va_start(args, fmt);
	what = xvasprintf(fmt, args);
	va_end(args);
	if (ntfs->failure.code) {
		error_set(err, ntfs->failure.code, subject, "%s: %s: %s", what,
			  ntfs->failure.subject ?: ntfs->block->name,
			  ntfs->failure.reason);
		if (ntfs->failure.remedy)
			error_remedy(err, "%s", ntfs->failure.remedy);
		return -1;
	}
	if (!*why)
		why = saved ? strerror(saved) : "it is damaged";
	error_set(err, ERROR_FAILED, subject, "%s: %s", what, why);
	if (saved == ENOSPC)
		return error_remedy(err, TREE_FULL_REMEDY);
	return error_remedy(err, "if it stays so, run chkdsk on the volume in Windows");
}

/* ---- the cache ----------------------------------------------------------------------
 */

static size_t chunk_len(const struct ntfs *ntfs, uint64_t number)
{
	uint64_t left = ntfs->block->size - number * NTFS_CHUNK_SIZE;

	return left < NTFS_CHUNK_SIZE ? (size_t)left : NTFS_CHUNK_SIZE;
}

static struct ntfs_chunk *cached(struct ntfs *ntfs, uint64_t number)
{
	if (ntfs->last_chunk && ntfs->last_chunk->data &&
	    ntfs->last_chunk->number == number)
		return ntfs->last_chunk;
	for (size_t i = 0; i < NTFS_CHUNKS; i++)
		if (ntfs->chunks[i].data && ntfs->chunks[i].number == number)
			return &ntfs->chunks[i];
	return NULL;
}

static void forget(struct ntfs *ntfs, struct ntfs_chunk *chunk)
{
	if (chunk == ntfs->last_chunk)
		ntfs->last_chunk = NULL;
	free(chunk->data);
	*chunk = (struct ntfs_chunk){0};
}

/* The chunk, read if need be; NULL and ntfs->failure. */
static struct ntfs_chunk *get_chunk(struct ntfs *ntfs, uint64_t number)
{
	struct ntfs_chunk *chunk = cached(ntfs, number), *oldest = ntfs->chunks;

	for (size_t i = 0; !chunk && i < NTFS_CHUNKS; i++)
		if (ntfs->chunks[i].used < oldest->used)
			oldest = &ntfs->chunks[i];
	if (!chunk) {
		chunk = oldest;
		if (!chunk->data)
			chunk->data = xmalloc(NTFS_CHUNK_SIZE);
		chunk->number = number;
		if (block_pread(ntfs->block, chunk->data, chunk_len(ntfs, number),
				number * NTFS_CHUNK_SIZE, &ntfs->failure) < 0) {
			forget(ntfs, chunk);
			return NULL;
		}
	}
	chunk->used = ++ntfs->clock;
	ntfs->last_chunk = chunk;
	return chunk;
}

void ntfs_cache_free(struct ntfs *ntfs)
{
	for (size_t i = 0; i < NTFS_CHUNKS; i++)
		forget(ntfs, &ntfs->chunks[i]);
}

/* How much of [offset, offset + len) lies in the chunk that holds `offset`. */
static size_t in_chunk(uint64_t offset, uint64_t len)
{
	uint64_t left = NTFS_CHUNK_SIZE - offset % NTFS_CHUNK_SIZE;

	return (size_t)(len < left ? len : left);
}

static int read_cached(struct ntfs *ntfs, uint8_t *to, uint64_t len, uint64_t offset)
{
	while (len) {
		size_t n = in_chunk(offset, len);
		struct ntfs_chunk *chunk;

		/* Large reads are file content: no need to push out what is cached. */
		if (len >= NTFS_CHUNK_SIZE) {
			n = (size_t)(len - len % NTFS_CHUNK_SIZE);
			if (block_pread(ntfs->block, to, n, offset, &ntfs->failure) < 0)
				return -1;
		} else {
			chunk = get_chunk(ntfs, offset / NTFS_CHUNK_SIZE);
			if (!chunk)
				return -1;
			memcpy(to, chunk->data + offset % NTFS_CHUNK_SIZE, n);
		}
		to += n;
		offset += n;
		len -= n;
	}
	return 0;
}

static void write_to_cache(struct ntfs *ntfs, const uint8_t *from, uint64_t len,
			   uint64_t offset, bool written)
{
	while (len) {
		size_t n = in_chunk(offset, len);
		struct ntfs_chunk *chunk = cached(ntfs, offset / NTFS_CHUNK_SIZE);

		if (chunk && written)
			memcpy(chunk->data + offset % NTFS_CHUNK_SIZE, from, n);
		else if (chunk)
			forget(ntfs, chunk);
		from += n;
		offset += n;
		len -= n;
	}
}

/* ---- the device's operations --------------------------------------------------------
 */

static struct ntfs *volume_of(const struct ntfs_device *device)
{
	return device->d_private;
}

static int device_open(struct ntfs_device *device, int flags)
{
	if ((flags & O_ACCMODE) == O_RDONLY)
		NDevSetReadOnly(device);
	NDevSetOpen(device);
	return 0;
}

static int device_close(struct ntfs_device *device)
{
	NDevClearOpen(device);
	return 0;
}

static s64 device_seek(struct ntfs_device *device, s64 offset, int whence)
{
	struct ntfs *ntfs = volume_of(device);
	int64_t from = whence == SEEK_CUR   ? ntfs->position
		       : whence == SEEK_END ? (int64_t)ntfs->block->size
					    : 0,
		to;

	if (add_overflow(from, offset, &to) || to < 0 ||
	    (uint64_t)to > ntfs->block->size) {
		errno = EINVAL;
		return -1;
	}
	ntfs->position = to;
	return to;
}

/* As pread(2): fewer bytes at the end, none behind it. */
static s64 device_pread(struct ntfs_device *device, void *buf, s64 count, s64 offset)
{
	struct ntfs *ntfs = volume_of(device);
	uint64_t left;

	if (count < 0 || offset < 0) {
		errno = EINVAL;
		return -1;
	}
	if ((uint64_t)offset >= ntfs->block->size)
		return 0;
	left = ntfs->block->size - (uint64_t)offset;
	if ((uint64_t)count > left)
		count = (s64)left;
	if (read_cached(ntfs, buf, (uint64_t)count, (uint64_t)offset) == 0)
		return count;
	errno = EIO;
	return -1;
}

static s64 device_pwrite(struct ntfs_device *device, const void *buf, s64 count,
			 s64 offset)
{
	struct ntfs *ntfs = volume_of(device);
	int result;

	if (!ntfs->write || NDevReadOnly(device)) {
		errno = EROFS;
		return -1;
	}
	if (count < 0 || offset < 0) {
		errno = EINVAL;
		return -1;
	}
	result = block_pwrite(ntfs->block, buf, (size_t)count, (uint64_t)offset,
			      &ntfs->failure);
	write_to_cache(ntfs, buf, (uint64_t)count, (uint64_t)offset, result == 0);
	if (result == 0)
		return count;
	errno = EIO;
	return -1;
}

static s64 device_read(struct ntfs_device *device, void *buf, s64 count)
{
	struct ntfs *ntfs = volume_of(device);
	s64 n = device_pread(device, buf, count, ntfs->position);

	if (n > 0)
		ntfs->position += n;
	return n;
}

static s64 device_write(struct ntfs_device *device, const void *buf, s64 count)
{
	struct ntfs *ntfs = volume_of(device);
	s64 n = device_pwrite(device, buf, count, ntfs->position);

	if (n > 0)
		ntfs->position += n;
	return n;
}

/* Called often; what must be durable is flushed by who commits. */
static int device_sync(struct ntfs_device *device)
{
	NDevClearDirty(device);
	return 0;
}

static int device_stat(struct ntfs_device *device, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_mode = S_IFREG | 0600;
	st->st_size = (off_t)volume_of(device)->block->size;
	return 0;
}

static int device_ioctl(struct ntfs_device *device _unused_,
			unsigned long request _unused_, void *argument _unused_)
{
	errno = EOPNOTSUPP;
	return -1;
}

static struct ntfs_device_operations operations = {
	.open = device_open,
	.close = device_close,
	.seek = device_seek,
	.read = device_read,
	.write = device_write,
	.pread = device_pread,
	.pwrite = device_pwrite,
	.sync = device_sync,
	.stat = device_stat,
	.ioctl = device_ioctl,
};

struct ntfs_device *ntfs_device_new(struct ntfs *ntfs)
{
	return ntfs_device_alloc(ntfs->block->name, 0, &operations, ntfs);
}
