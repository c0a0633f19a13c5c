/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "reader/cache.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"

enum state {
	ABSENT,
	OLD,	 /* in the file, not verified since the start */
	PENDING, /* some thread has it in hand */
	GOOD,
};

/* ---- pieces ---- */

static uint64_t pieces(uint64_t bytes)
{
	return (bytes + CACHE_CHUNK - 1) / CACHE_CHUNK;
}

uint64_t cache_chunk(const struct cache *c, uint64_t offset)
{
	return offset < c->data_size
		       ? offset / CACHE_CHUNK
		       : c->data_chunks + (offset - c->data_size) / CACHE_CHUNK;
}

size_t cache_span(const struct cache *c, uint64_t chunk, uint64_t *offset)
{
	bool data = chunk < c->data_chunks;
	uint64_t end = data ? c->data_size : c->size;

	*offset = data ? chunk * CACHE_CHUNK
		       : c->data_size + (chunk - c->data_chunks) * CACHE_CHUNK;
	return end - *offset < CACHE_CHUNK ? (size_t)(end - *offset) : CACHE_CHUNK;
}

/* ---- open ---- */

/* Of a piece nothing may be missing: what a power cut left out is a hole. */
static void find_old(struct cache *c)
{
	off_t at = 0;

	while (at >= 0 && (uint64_t)at < c->size) {
		off_t from = lseek(c->fd, at, SEEK_DATA);
		off_t to = from < 0 ? -1 : lseek(c->fd, from, SEEK_HOLE);

		if (to < 0)
			return;
		for (uint64_t chunk = cache_chunk(c, (uint64_t)from); chunk < c->chunks;
		     chunk++) {
			uint64_t start;
			size_t len = cache_span(c, chunk, &start);

			if (start + len > (uint64_t)to)
				break;
			if (start >= (uint64_t)from)
				c->state[chunk] = OLD;
		}
		at = to;
	}
}

int cache_open(struct cache *c, uint64_t data_size, uint64_t size, int fd, uint64_t room,
	       uint64_t reserve, struct error *err)
{
	*c = (struct cache){.data_size = data_size,
			    .size = size,
			    .data_chunks = pieces(data_size),
			    .fd = fd,
			    .reserve = reserve,
			    .lock = PTHREAD_MUTEX_INITIALIZER,
			    .changed = PTHREAD_COND_INITIALIZER};
	c->chunks = c->data_chunks + pieces(size - data_size);
	if (c->chunks > CACHE_MAX_CHUNKS) {
		closep(&c->fd);
		return error_set(err, ERROR_FAILED, "image", "has more than %ju GiB",
				 (uintmax_t)(CACHE_MAX_CHUNKS * CACHE_CHUNK >> 30));
	}
	if (fd < 0) {
		c->fd = memfd_create("cache", MFD_CLOEXEC);
		c->room = room / CACHE_CHUNK ? room / CACHE_CHUNK : 1;
		c->taken = xcalloc(c->room, sizeof(*c->taken));
	}
	c->state = xcalloc(c->chunks, 1);
	if (c->fd < 0 || ftruncate(c->fd, (off_t)size) < 0) {
		(void)error_errno(err, "cache", "cannot be made");
		cache_close(c);
		return -1;
	}
	if (fd >= 0)
		find_old(c);
	return 0;
}

void cache_close(struct cache *c)
{
	closep(&c->fd);
	free(c->state);
	free(c->taken);
	c->state = NULL;
	c->taken = NULL;
}

/* ---- use ---- */

static void settle(struct cache *c, uint64_t chunk, enum state state)
{
	(void)pthread_mutex_lock(&c->lock);
	c->state[chunk] = state;
	(void)pthread_cond_broadcast(&c->changed);
	(void)pthread_mutex_unlock(&c->lock);
}

enum cache_answer cache_get(struct cache *c, uint64_t chunk, uint8_t *data)
{
	enum state was;
	uint64_t offset;
	size_t len = cache_span(c, chunk, &offset);
	bool read = false;

	(void)pthread_mutex_lock(&c->lock);
	while (c->state[chunk] == PENDING)
		(void)pthread_cond_wait(&c->changed, &c->lock);
	was = c->state[chunk];
	/* What is in memory may be given up as soon as the lock is. */
	if (was == GOOD && c->room)
		read = file_read_at(c->fd, data, len, offset, "cache", NULL) == 0;
	if (was != GOOD || (c->room && !read))
		c->state[chunk] = PENDING;
	(void)pthread_mutex_unlock(&c->lock);
	if (was == ABSENT)
		return CACHE_NONE;
	if (!c->room)
		read = file_read_at(c->fd, data, len, offset, "cache", NULL) == 0;
	if (read)
		return was == GOOD ? CACHE_GOOD : CACHE_OLD;
	/* Its medium fails: as if it was not there. */
	if (was == GOOD)
		settle(c, chunk, PENDING);
	return CACHE_NONE;
}

static void punch(const struct cache *c, uint64_t chunk)
{
	uint64_t offset;
	size_t len = cache_span(c, chunk, &offset);

	(void)fallocate(c->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
			(off_t)len);
}

/* With the lock: the new one takes the place of the oldest. */
static void take_place(struct cache *c, uint64_t chunk)
{
	if (c->count == c->room) {
		uint64_t oldest = c->taken[c->first];

		punch(c, oldest);
		c->state[oldest] = ABSENT;
		c->first = (c->first + 1) % c->room;
		c->count--;
	}
	c->taken[(c->first + c->count++) % c->room] = (uint32_t)chunk;
}

bool cache_fills(const struct cache *c)
{
	struct statvfs st;

	return !c->room && fstatvfs(c->fd, &st) == 0 &&
	       (uint64_t)st.f_bavail * st.f_frsize > c->reserve;
}

void cache_put(struct cache *c, uint64_t chunk, const uint8_t *data, bool stored)
{
	uint64_t offset;
	size_t len = cache_span(c, chunk, &offset);
	bool there = stored;

	if (!there && (c->room || cache_fills(c)))
		there = file_write_at(c->fd, data, len, offset, "cache", NULL) == 0;
	if (!there && !c->room)
		punch(c, chunk);
	(void)pthread_mutex_lock(&c->lock);
	if (there && c->room)
		take_place(c, chunk);
	c->state[chunk] = there ? GOOD : ABSENT;
	(void)pthread_cond_broadcast(&c->changed);
	(void)pthread_mutex_unlock(&c->lock);
}

void cache_drop(struct cache *c, uint64_t chunk)
{
	punch(c, chunk);
	settle(c, chunk, ABSENT);
}

uint64_t cache_missing(struct cache *c, uint64_t from)
{
	(void)pthread_mutex_lock(&c->lock);
	while (from < c->chunks && c->state[from] != ABSENT)
		from++;
	(void)pthread_mutex_unlock(&c->lock);
	return from;
}
