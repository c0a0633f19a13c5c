/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Serves a published image (docs/hypervisor.md, "Images from a server") to the kernel as a
 * network block device, whose other end gild-init has: source.c has what is read, from the
 * cache or the server, serve.c the protocol.
 *
 * It runs as a user of its own, reads what a server says, and is trusted by nobody: the
 * kernel verifies every block by the seal.
 */
#ifndef READER_READER_H
#define READER_READER_H

#include "base/http.h"
#include "reader/cache.h"
#include "reader/tree.h"

#define READER_THREADS 16
/* Hash blocks that were verified, each at its number modulo this. */
#define READER_HASH_BLOCKS 512

struct reader_times {		/* milliseconds */
	unsigned patience;	/* a read that is not answered by then is an error */
	unsigned pause;		/* between two tries */
	unsigned silence;	/* so long nothing is said of a server that is away */
	unsigned idle;		/* without reads: the cache is filled meanwhile */
};
extern const struct reader_times reader_default_times;

struct reader {
	const char *url, *ca;
	struct seal seal;
	uint64_t size;		/* of the file */
	const struct reader_times *times;
	struct tree tree;
	struct cache cache;
	void (*say)(const char *line);	/* "ready", "away WHY", "back", "wrong WHAT" */

	pthread_mutex_t lock;	/* of what follows */
	bool away;		/* that was said */
	char *remedy;		/* what was said then; NULL: nothing */
	int64_t told;		/* ms: when */
	int64_t failing;	/* ms: since when; 0: it answers */
	int64_t asked;		/* ms: the last read */
	bool wrong;		/* that was said */
	struct {
		uint64_t block;	/* 0: none */
		uint8_t data[LAYOUT_BLOCK];
	} hashes[READER_HASH_BLOCKS];
};

struct reader_config {
	const char *url, *ca;
	struct seal seal;
	int cache;		/* descriptor of a file that is kept, or -1 */
	uint64_t room;		/* of a cache in memory, bytes */
	uint64_t reserve;	/* of the file system of one that is kept */
	const struct reader_times *times;
	void (*say)(const char *line);
};
/*
 * Says "ready" when the file is what the seal says: at once where the cache has all of it, else
 * it waits until the server answers, however long that takes. NULL: the image is too large.
 */
struct reader *reader_open(const struct reader_config *config, struct error *err);
void reader_close(struct reader *reader);

/*
 * Reads any part of the file, from the cache or by `http` (one for each thread). Tries again
 * until the reader's patience is over: -1. What the server has wrong is given as it is.
 */
int reader_read(struct reader *reader, struct http *http, uint64_t offset, size_t len,
		uint8_t *data);
/* Fetches what is missing while nobody reads, until all is there. A thread's whole life. */
void *reader_fill(void *reader);
/* Asks a server that is away whether it is back. Likewise. */
void *reader_watch(void *reader);

/*
 * Answers the kernel's requests on the socket, by READER_THREADS threads, until it closes it.
 */
int reader_serve(struct reader *reader, int nbd, struct error *err);

#endif
