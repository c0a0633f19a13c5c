/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What was fetched, in pieces of CACHE_CHUNK: a sparse file of the image's own layout. One
 * that lies with the state is kept from start to start: what is data in it, and no hole, was
 * fetched, and is verified anew before it is believed. One in memory has a limit, and gives
 * up what it took first.
 *
 * Data and tree are in pieces of their own, so that no piece waits for a later one.
 * All functions may be called by several threads.
 */
#ifndef READER_CACHE_H
#define READER_CACHE_H

#include <pthread.h>

#include "base/error.h"

#define CACHE_CHUNK ((size_t)128 << 10)
#define CACHE_MAX_CHUNKS ((uint64_t)1 << 24)	/* 2 TiB */

struct cache {
	uint64_t data_size, size;	/* bytes of the data, of all */
	uint64_t data_chunks, chunks;
	int fd;
	uint64_t room;		/* pieces in memory; 0: all that the file system takes */
	uint64_t reserve;	/* bytes that stay free there */
	uint8_t *state;		/* of each piece */
	uint32_t *taken;	/* in memory: a ring of those that are there */
	uint64_t first, count;	/* of the ring */
	pthread_mutex_t lock;
	pthread_cond_t changed;
};
/*
 * `fd`: a file to keep, which becomes the cache's; -1: in memory, with room for so many
 * bytes. `reserve`: what others need of the file system.
 */
int cache_open(struct cache *cache, uint64_t data_size, uint64_t size, int fd,
	       uint64_t room, uint64_t reserve, struct error *err);
void cache_close(struct cache *cache);

/* The piece that has this byte; where it begins and its length. */
uint64_t cache_chunk(const struct cache *cache, uint64_t offset);
size_t cache_span(const struct cache *cache, uint64_t chunk, uint64_t *offset);

enum cache_answer {
	CACHE_GOOD,	/* it is in `data` */
	CACHE_OLD,	/* it is in `data`, from an earlier start: to be verified */
	CACHE_NONE,	/* it has to be fetched */
};
/*
 * Waits while another thread fetches it. After CACHE_OLD and CACHE_NONE the piece is the
 * caller's, who ends that by cache_put() or cache_drop().
 */
enum cache_answer cache_get(struct cache *cache, uint64_t chunk, uint8_t *data);
/* It is good. `stored`: it is there already. */
void cache_put(struct cache *cache, uint64_t chunk, const uint8_t *data, bool stored);
/* It is not. */
void cache_drop(struct cache *cache, uint64_t chunk);
/* The first piece from there on that is not there; cache->chunks: none. */
uint64_t cache_missing(struct cache *cache, uint64_t from);
/* True while there is room in a cache that is kept. */
bool cache_fills(const struct cache *cache);

#endif
