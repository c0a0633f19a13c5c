/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is read: from the cache, else from the server; all of it held against the tree. */
#include <stdio.h>
#include <time.h>

#include "reader/reader.h"

#define FILL_PAUSE 20 /* ms */

const struct reader_times reader_default_times = {
	.patience = 10000,
	.pause = 500,
	.silence = 3000,
	.idle = 5000,
};

static int64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void sleep_ms(unsigned ms)
{
	(void)nanosleep(&(struct timespec){.tv_sec = ms / 1000,
					   .tv_nsec = (long)(ms % 1000) * 1000000},
			NULL);
}

/* ---- is the server there ---- */

/*
 * With the lock. Also when another thing is to be done than was said: a PC's network
 * comes, and its clock is wrong.
 */
static bool is_news(const struct reader *r, const struct error *err, int64_t now)
{
	if (!r->away)
		return now - r->failing >= r->times->silence;
	return now - r->told >= r->times->silence && err->remedy && r->remedy &&
	       strcmp(err->remedy, r->remedy) != 0;
}

/* Said once, and only if it lasts. */
static void on_failure(struct reader *r, const struct error *err)
{
	int64_t now = now_ms();
	bool tell;

	(void)pthread_mutex_lock(&r->lock);
	if (!r->failing)
		r->failing = now;
	tell = is_news(r, err, now);
	if (tell) {
		r->away = true;
		r->told = now;
		free(r->remedy);
		r->remedy = err->remedy ? xstrdup(err->remedy) : NULL;
	}
	(void)pthread_mutex_unlock(&r->lock);
	if (tell) {
		_cleanup_free_ char *line =
			xasprintf("away %s%s%s", err->reason, err->remedy ? "; " : "",
				  err->remedy ? err->remedy : "");

		r->say(line);
	}
}

static void on_success(struct reader *r)
{
	bool tell;

	(void)pthread_mutex_lock(&r->lock);
	tell = r->away;
	r->away = false;
	r->failing = 0;
	(void)pthread_mutex_unlock(&r->lock);
	if (tell)
		r->say("back");
}

static int fetch(struct reader *r, struct http *http, uint64_t offset, size_t len,
		 bool fresh, uint8_t *data)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	uint64_t total;
	int result = http_range(http, offset, len, fresh, data, &total, &err);

	if (result == 0 && total < r->size) {
		error_set(&err, ERROR_FAILED, r->url,
			  "has %ju bytes, its seal is for %ju", (uintmax_t)total,
			  (uintmax_t)r->size);
		result = error_remedy(&err, "publish it anew, whole");
	}
	if (result < 0)
		on_failure(r, &err);
	else
		on_success(r);
	return result;
}

/* ---- what it must be ---- */

enum judgement {
	JUDGE_GOOD,
	JUDGE_WRONG,
	JUDGE_UNKNOWN, /* what it is judged by cannot be had */
};

static int get_chunk(struct reader *r, struct http *http, uint64_t chunk, uint8_t *data);

static bool known_hash(struct reader *r, uint64_t block, uint8_t *data)
{
	size_t slot = block % READER_HASH_BLOCKS;
	bool known;

	(void)pthread_mutex_lock(&r->lock);
	known = r->hashes[slot].block == block;
	if (known)
		memcpy(data, r->hashes[slot].data, LAYOUT_BLOCK);
	(void)pthread_mutex_unlock(&r->lock);
	return known;
}

static void keep_hash(struct reader *r, uint64_t block, const uint8_t *data)
{
	size_t slot = block % READER_HASH_BLOCKS;

	(void)pthread_mutex_lock(&r->lock);
	r->hashes[slot].block = block;
	memcpy(r->hashes[slot].data, data, LAYOUT_BLOCK);
	(void)pthread_mutex_unlock(&r->lock);
}

/* A verified block of the tree. Its piece comes before that of what it verifies. */
static enum judgement hash_block(struct reader *r, struct http *http, uint64_t block,
				 uint8_t *ret)
{
	uint64_t offset = block * LAYOUT_BLOCK, start;
	uint64_t chunk = cache_chunk(&r->cache, offset);
	_cleanup_free_ uint8_t *data = NULL;
	int result;

	if (known_hash(r, block, ret))
		return JUDGE_GOOD;
	data = xmalloc(CACHE_CHUNK);
	(void)cache_span(&r->cache, chunk, &start);
	result = get_chunk(r, http, chunk, data);
	if (result < 0)
		return JUDGE_UNKNOWN;
	memcpy(ret, data + (offset - start), LAYOUT_BLOCK);
	if (result == 0)
		keep_hash(r, block, ret);
	return result == 0 ? JUDGE_GOOD : JUDGE_WRONG;
}

static enum judgement judge_block(struct reader *r, struct http *http, uint64_t block,
				  uint64_t first, const uint8_t *chunk)
{
	uint8_t hash[TREE_HASH], above[LAYOUT_BLOCK];
	const uint8_t *wanted = r->tree.root;
	enum judgement judgement = JUDGE_GOOD;
	uint64_t parent;
	size_t offset;

	switch (tree_rule(&r->tree, block, &parent, &offset)) {
	case TREE_FREE:
		return JUDGE_GOOD;
	case TREE_ROOT:
		break;
	case TREE_ENTRY:
		/* In the same piece it was judged before this one. */
		if (block > r->tree.blocks && parent >= first && parent < block) {
			wanted = chunk + (parent - first) * LAYOUT_BLOCK + offset;
			break;
		}
		judgement = hash_block(r, http, parent, above);
		wanted = above + offset;
		break;
	}
	if (judgement != JUDGE_GOOD)
		return judgement;
	tree_hash(&r->tree, chunk + (block - first) * LAYOUT_BLOCK, hash);
	return memcmp(hash, wanted, TREE_HASH) == 0 ? JUDGE_GOOD : JUDGE_WRONG;
}

static enum judgement judge_chunk(struct reader *r, struct http *http, uint64_t chunk,
				  const uint8_t *data)
{
	enum judgement judgement = JUDGE_GOOD;
	uint64_t start;
	size_t len = cache_span(&r->cache, chunk, &start);
	uint64_t first = start / LAYOUT_BLOCK;

	for (size_t i = 0; i < len / LAYOUT_BLOCK && judgement == JUDGE_GOOD; i++)
		judgement = judge_block(r, http, first + i, first, data);
	return judgement;
}

static void say_wrong(struct reader *r, uint64_t offset)
{
	_cleanup_free_ char *line = NULL;
	bool tell;

	(void)pthread_mutex_lock(&r->lock);
	tell = !r->wrong;
	r->wrong = true;
	(void)pthread_mutex_unlock(&r->lock);
	if (!tell)
		return;
	line = xasprintf("wrong %s: what it has at byte %ju is not what was published",
			 r->url, (uintmax_t)offset);
	r->say(line);
}

/* ---- pieces ---- */

/* Fetched twice at most: the second time past all caches on the way. */
static int fetch_chunk(struct reader *r, struct http *http, uint64_t chunk, uint8_t *data)
{
	enum judgement judgement = JUDGE_WRONG;
	uint64_t offset;
	size_t len = cache_span(&r->cache, chunk, &offset);

	for (int fresh = 0; fresh < 2 && judgement == JUDGE_WRONG; fresh++) {
		if (fetch(r, http, offset, len, fresh != 0, data) < 0)
			judgement = JUDGE_UNKNOWN;
		else
			judgement = judge_chunk(r, http, chunk, data);
	}
	if (judgement == JUDGE_GOOD) {
		cache_put(&r->cache, chunk, data, false);
		return 0;
	}
	cache_drop(&r->cache, chunk);
	if (judgement == JUDGE_UNKNOWN)
		return -1;
	say_wrong(r, offset);
	return 1;
}

/* 0: good; 1: it is what the server has, and wrong; -1: it cannot be had now. */
static int get_chunk(struct reader *r, struct http *http, uint64_t chunk, uint8_t *data)
{
	enum judgement judgement;

	switch (cache_get(&r->cache, chunk, data)) {
	case CACHE_GOOD:
		return 0;
	case CACHE_OLD:
		judgement = judge_chunk(r, http, chunk, data);
		if (judgement == JUDGE_GOOD) {
			cache_put(&r->cache, chunk, data, true);
			return 0;
		}
		if (judgement == JUDGE_WRONG)
			break;
		cache_drop(&r->cache, chunk);
		return -1;
	case CACHE_NONE:
		break;
	}
	return fetch_chunk(r, http, chunk, data);
}

static int read_chunk(struct reader *r, struct http *http, uint64_t chunk, int64_t end,
		      uint8_t *data)
{
	while (get_chunk(r, http, chunk, data) < 0) {
		if (now_ms() + r->times->pause >= end)
			return -1;
		sleep_ms(r->times->pause);
	}
	return 0;
}

int reader_read(struct reader *r, struct http *http, uint64_t offset, size_t len,
		uint8_t *data)
{
	_cleanup_free_ uint8_t *piece = xmalloc(CACHE_CHUNK);
	int64_t now = now_ms();

	(void)pthread_mutex_lock(&r->lock);
	r->asked = now;
	(void)pthread_mutex_unlock(&r->lock);
	while (len) {
		uint64_t chunk = cache_chunk(&r->cache, offset), start;
		size_t span = cache_span(&r->cache, chunk, &start);
		size_t skip = (size_t)(offset - start);
		size_t n = span - skip < len ? span - skip : len;

		if (read_chunk(r, http, chunk, now + r->times->patience, piece) < 0)
			return -1;
		memcpy(data, piece + skip, n);
		data += n;
		offset += n;
		len -= n;
	}
	return 0;
}

/* ---- what nobody waits for ---- */

static bool is_idle(struct reader *r)
{
	bool idle;

	(void)pthread_mutex_lock(&r->lock);
	idle = !r->failing && now_ms() - r->asked >= r->times->idle;
	(void)pthread_mutex_unlock(&r->lock);
	return idle;
}

void *reader_fill(void *arg)
{
	struct reader *r = arg;
	_cleanup_http_ struct http *http = http_open(r->url, r->ca, NULL);
	_cleanup_free_ uint8_t *data = xmalloc(CACHE_CHUNK);
	uint64_t chunk = 0;

	while (http && (chunk = cache_missing(&r->cache, chunk)) < r->cache.chunks) {
		if (!is_idle(r) || !cache_fills(&r->cache)) {
			sleep_ms(r->times->idle);
			continue;
		}
		/* What is wrong there stays missing. */
		if (get_chunk(r, http, chunk, data) > 0)
			chunk++;
		sleep_ms(FILL_PAUSE);
	}
	return NULL;
}

static int read_super(struct reader *r, struct http *http, uint8_t *super)
{
	return fetch(r, http, seal_data_size(&r->seal), VERITY_SUPER_SIZE, false, super);
}

void *reader_watch(void *arg)
{
	struct reader *r = arg;
	_cleanup_http_ struct http *http = http_open(r->url, r->ca, NULL);
	uint8_t super[VERITY_SUPER_SIZE];

	while (http) {
		bool failing;

		sleep_ms(r->times->pause);
		(void)pthread_mutex_lock(&r->lock);
		failing = r->failing != 0;
		(void)pthread_mutex_unlock(&r->lock);
		if (failing)
			(void)read_super(r, http, super);
	}
	return NULL;
}

/* ---- open ---- */

/*
 * From a cache that has all: nothing has to be asked for. The superblock has no hash of
 * its own; but with another salt the root of the tree, behind it, has not the hash of the
 * seal.
 */
static bool keeps_all(struct reader *r)
{
	uint64_t chunk = cache_chunk(&r->cache, seal_data_size(&r->seal));
	_cleanup_free_ uint8_t *data = NULL;
	struct verity_super super;

	if (cache_missing(&r->cache, 0) < r->cache.chunks)
		return false;
	data = xmalloc(CACHE_CHUNK);
	if (cache_get(&r->cache, chunk, data) == CACHE_OLD &&
	    verity_super_read((struct bytes){data, VERITY_SUPER_SIZE}, r->url, &r->seal,
			      &super, NULL) == 0) {
		tree_init(&r->tree, &r->seal, &super);
		if (r->tree.levels && judge_chunk(r, NULL, chunk, data) == JUDGE_GOOD) {
			cache_put(&r->cache, chunk, data, true);
			return true;
		}
	}
	cache_drop(&r->cache, chunk);
	return false;
}

/* What is published in its place may be put right as long as nobody reads it. */
static void wait_for_super(struct reader *r, struct http *http, struct verity_super *ret)
{
	uint8_t super[VERITY_SUPER_SIZE];

	for (;; sleep_ms(r->times->pause)) {
		_cleanup_error_ struct error err = ERROR_INIT;

		if (read_super(r, http, super) < 0)
			continue;
		if (verity_super_read((struct bytes){super, sizeof(super)}, r->url,
				      &r->seal, ret, &err) == 0)
			return;
		on_failure(r, &err);
	}
}

struct reader *reader_open(const struct reader_config *c, struct error *err)
{
	struct reader *r = xcalloc(1, sizeof(*r));
	_cleanup_http_ struct http *http = http_open(c->url, c->ca, err);
	struct verity_super super;

	r->url = c->url;
	r->ca = c->ca;
	r->seal = c->seal;
	r->size = seal_whole_size(&c->seal);
	r->times = c->times;
	r->say = c->say;
	(void)pthread_mutex_init(&r->lock, NULL);
	if (!http || cache_open(&r->cache, seal_data_size(&c->seal), r->size, c->cache,
				c->room, c->reserve, err) < 0) {
		free(r);
		return NULL;
	}
	if (!keeps_all(r)) {
		wait_for_super(r, http, &super);
		tree_init(&r->tree, &r->seal, &super);
	}
	r->asked = now_ms();
	r->say("ready");
	return r;
}

void reader_close(struct reader *r)
{
	cache_close(&r->cache);
	free(r->remedy);
	free(r);
}
