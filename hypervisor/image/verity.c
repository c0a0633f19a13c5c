/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The format is the kernel's Documentation/admin-guide/device-mapper/verity.rst; that of
 * the superblock cryptsetup's wiki page DMVerity: a block of its own, then the levels of
 * the tree, the root's first. A block of a level holds the hashes of 128 blocks of the
 * one below, each made of the salt and the block.
 */
#include "image/verity.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/progress.h"

#define BLOCK LAYOUT_BLOCK
#define DIGEST SEAL_DIGEST
#define PER_BLOCK SEAL_PER_BLOCK
#define MAX_LEVELS 9 /* 128^9 blocks are 2^63 */
#define MAX_SIZE (SEAL_MAX_BLOCKS * BLOCK)
#define CHUNK_BLOCKS ((size_t)PER_BLOCK * 2) /* read at once: two blocks of hashes */
#define MAX_THREADS 16

struct tree {
	uint64_t data_blocks;
	unsigned levels;	    /* 0: the root hash is that of the only block */
	uint64_t count[MAX_LEVELS]; /* blocks of a level; 0 is next to the data */
	uint64_t start[MAX_LEVELS]; /* in blocks from the data's start */
	uint64_t end;
};

static void tree_plan(uint64_t data_blocks, struct tree *ret)
{
	uint64_t at = data_blocks + 1, below = data_blocks;

	*ret = (struct tree){.data_blocks = data_blocks};
	while (below > 1) {
		below = (below + PER_BLOCK - 1) / PER_BLOCK;
		ret->count[ret->levels++] = below;
	}
	for (unsigned level = ret->levels; level-- > 0;) {
		ret->start[level] = at;
		at += ret->count[level];
	}
	ret->end = at;
}

uint64_t seal_size(uint64_t size)
{
	struct seal seal = {.blocks = (size + BLOCK - 1) / BLOCK};

	return size && size <= MAX_SIZE ? seal_whole_size(&seal) : 0;
}

/* ---- hashing ---- */

/* The state after the salt, from which each block's hash goes on. */
static EVP_MD_CTX *salted(const uint8_t *salt, size_t len)
{
	EVP_MD_CTX *state = EVP_MD_CTX_new();

	if (!state || !EVP_DigestInit_ex(state, EVP_sha256(), NULL) ||
	    !EVP_DigestUpdate(state, salt, len))
		abort(); /* only when OpenSSL has no SHA-256: no input reaches this */
	return state;
}

static void hash_block(EVP_MD_CTX *scratch, const EVP_MD_CTX *state, const void *block,
		       uint8_t digest[DIGEST])
{
	if (!EVP_MD_CTX_copy_ex(scratch, state) ||
	    !EVP_DigestUpdate(scratch, block, BLOCK) ||
	    !EVP_DigestFinal_ex(scratch, digest, NULL))
		abort();
}

/*
 * One level: hashes of `count` blocks that lie at block `from` are written at block `to`.
 * With a source, those blocks are its own and are put to their place first.
 */
struct work {
	int fd;
	uint64_t offset; /* bytes: where the data starts */
	uint64_t from, to, count;
	struct block *source;
	const char *path, *step; /* no step: nothing is reported */
	const EVP_MD_CTX *state;
	uint8_t of_zeros[DIGEST]; /* a block's digest */
	pthread_mutex_t lock;	  /* of all that follows, and of the source */
	uint64_t next;		  /* block */
	uint64_t data, data_end;  /* bytes: where the source goes on */
	bool failed;
	struct error err;
};

struct chunk {
	uint64_t first; /* block */
	size_t count;
	bool hole; /* of the source: `data` was not read */
	uint8_t data[CHUNK_BLOCKS * BLOCK];
};

/* With zeros to the end of the last block. */
static int read_source(struct work *w, struct chunk *c, struct error *err)
{
	uint64_t at = c->first * BLOCK, left = w->source->size - at;
	size_t len = left < c->count * BLOCK ? (size_t)left : c->count * BLOCK;

	if (at >= w->data_end &&
	    block_data(w->source, at, &w->data, &w->data_end, err) < 0)
		return -1;
	c->hole = at + len <= w->data;
	if (c->hole)
		return 0;
	memset(c->data + len, 0, c->count * BLOCK - len);
	return block_pread(w->source, c->data, len, at, err);
}

/* 1: a chunk, 0: none is left. */
static int take_chunk(struct work *w, struct chunk *c, struct error *err)
{
	uint64_t left;
	int result = 0;

	(void)pthread_mutex_lock(&w->lock);
	left = w->failed ? 0 : w->count - w->next;
	if (left) {
		c->first = w->next;
		c->count = left < CHUNK_BLOCKS ? (size_t)left : CHUNK_BLOCKS;
		w->next += c->count;
		result = w->source && read_source(w, c, err) < 0 ? -1 : 1;
	}
	(void)pthread_mutex_unlock(&w->lock);
	return result;
}

static int put_data(struct work *w, struct chunk *c, struct error *err)
{
	uint64_t at = w->offset + (w->from + c->first) * BLOCK;

	if (!w->source)
		return file_read_at(w->fd, c->data, c->count * BLOCK, at, w->path, err);
	return c->hole ? 0
		       : file_write_sparse(w->fd, c->data, c->count * BLOCK, at, w->path,
					   err);
}

static int do_chunk(struct work *w, EVP_MD_CTX *scratch, struct chunk *c,
		    struct error *err)
{
	uint8_t hashes[CHUNK_BLOCKS * DIGEST] = {0};
	size_t hash_blocks = (c->count + PER_BLOCK - 1) / PER_BLOCK;

	if (interrupted())
		return error_interrupted(err);
	if (put_data(w, c, err) < 0)
		return -1;
	for (size_t i = 0; i < c->count; i++)
		if (c->hole)
			memcpy(hashes + i * DIGEST, w->of_zeros, DIGEST);
		else
			hash_block(scratch, w->state, c->data + i * BLOCK,
				   hashes + i * DIGEST);
	return file_write_at(w->fd, hashes, hash_blocks * BLOCK,
			     w->offset + (w->to + c->first / PER_BLOCK) * BLOCK, w->path,
			     err);
}

static void fail(struct work *w, struct error *err)
{
	(void)pthread_mutex_lock(&w->lock);
	if (!w->failed)
		(void)error_move(&w->err, err);
	w->failed = true;
	(void)pthread_mutex_unlock(&w->lock);
}

static void work_on(struct work *w, bool report)
{
	_cleanup_free_ struct chunk *chunk = xcalloc(1, sizeof(*chunk));
	_cleanup_error_ struct error err = ERROR_INIT;
	EVP_MD_CTX *scratch = EVP_MD_CTX_new();
	int result;

	if (!scratch)
		abort();
	while ((result = take_chunk(w, chunk, &err)) > 0) {
		if (report)
			progress_report(w->step, chunk->first * BLOCK, w->count * BLOCK);
		result = do_chunk(w, scratch, chunk, &err);
		if (result < 0)
			break;
	}
	if (result < 0)
		fail(w, &err);
	EVP_MD_CTX_free(scratch);
}

static void *work_thread(void *arg)
{
	work_on(arg, false);
	return NULL;
}

/* This thread works, too, and reports. */
static int hash_level(struct work *w, struct error *err)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t chunks = (w->count + CHUNK_BLOCKS - 1) / CHUNK_BLOCKS;
	pthread_t threads[MAX_THREADS];
	size_t started = 0;

	(void)pthread_mutex_init(&w->lock, NULL);
	while (started < MAX_THREADS && (long)started + 1 < cpus &&
	       started + 1 < chunks &&
	       pthread_create(&threads[started], NULL, work_thread, w) == 0)
		started++;
	work_on(w, w->step);
	while (started > 0)
		(void)pthread_join(threads[--started], NULL);
	(void)pthread_mutex_destroy(&w->lock);
	return w->failed ? error_move(err, &w->err) : 0;
}

/* ---- sealing ---- */

/* Zeros from the data's end to its last block's. */
static int pad(int fd, uint64_t offset, uint64_t size, const char *path,
	       struct error *err)
{
	static const uint8_t zeros[BLOCK];
	size_t over = (size_t)(size % BLOCK);

	return over ? file_write_at(fd, zeros, BLOCK - over, offset + size, path, err)
		    : 0;
}

/* What is sealed: it lies at its place, or is put there on the way. */
struct sealing {
	struct block *source; /* or NULL */
	int fd;
	uint64_t offset;
	const char *path;
};

/* All levels and the root's hash. */
static int build(const struct sealing *s, const struct tree *tree,
		 const EVP_MD_CTX *state, uint8_t root[DIGEST], struct error *err)
{
	static const uint8_t zeros[BLOCK];
	EVP_MD_CTX *scratch = EVP_MD_CTX_new();
	uint8_t top[BLOCK];
	int result = 0;

	if (!scratch)
		abort();
	for (unsigned level = 0; result == 0 && level < tree->levels; level++) {
		struct work w = {.fd = s->fd,
				 .offset = s->offset,
				 .from = level ? tree->start[level - 1] : 0,
				 .to = tree->start[level],
				 .count = level ? tree->count[level - 1]
						: tree->data_blocks,
				 .source = level ? NULL : s->source,
				 .path = s->path,
				 .state = state};

		if (!level)
			w.step = s->source ? "packing the image" : "sealing";
		hash_block(scratch, state, zeros, w.of_zeros);
		result = hash_level(&w, err);
	}
	if (result == 0)
		result = file_read_at(
			s->fd, top, BLOCK,
			s->offset + (tree->levels ? tree->start[tree->levels - 1] : 0) *
					    BLOCK,
			s->path, err);
	if (result == 0)
		hash_block(scratch, state, top, root);
	EVP_MD_CTX_free(scratch);
	return result;
}

static int seal(const struct sealing *s, uint64_t size, const uint8_t first[BLOCK],
		struct seal *ret, struct error *err)
{
	struct verity_super super = {.salt_len = DIGEST};
	uint8_t root[DIGEST], block[BLOCK];
	struct tree tree;
	EVP_MD_CTX *state;

	tree_plan((size + BLOCK - 1) / BLOCK, &tree);
	hash_sha256((struct bytes){first, BLOCK}, super.salt);
	state = salted(super.salt, DIGEST);
	if (build(s, &tree, state, root, err) < 0) {
		EVP_MD_CTX_free(state);
		return -1;
	}
	EVP_MD_CTX_free(state);
	ret->blocks = tree.data_blocks;
	hash_hex(root, DIGEST, ret->hash);
	verity_super_write(ret, &super, block);
	return file_write_at(s->fd, block, BLOCK, s->offset + seal_data_size(ret),
			     s->path, err);
}

static int check_size(uint64_t size, const char *path, struct error *err)
{
	if (seal_size(size))
		return 0;
	return error_set(err, ERROR_FAILED, path, "cannot be sealed: it has %s",
			 size ? "more than 64 TiB" : "no data");
}

int seal_make(int fd, uint64_t offset, uint64_t size, const char *path, struct seal *ret,
	      struct error *err)
{
	struct sealing s = {NULL, fd, offset, path};
	uint8_t first[BLOCK];

	if (check_size(size, path, err) < 0 || pad(fd, offset, size, path, err) < 0 ||
	    file_read_at(fd, first, BLOCK, offset, path, err) < 0)
		return -1;
	return seal(&s, size, first, ret, err);
}

int seal_copy(struct block *source, int fd, uint64_t offset, const char *path,
	      struct seal *ret, struct error *err)
{
	struct sealing s = {source, fd, offset, path};
	uint8_t first[BLOCK] = {0};
	size_t len = source->size < BLOCK ? (size_t)source->size : BLOCK;

	if (check_size(source->size, path, err) < 0 ||
	    block_pread(source, first, len, 0, err) < 0)
		return -1;
	/* There is no level below the root that would have put it there. */
	if (source->size <= BLOCK &&
	    file_write_at(fd, first, BLOCK, offset, path, err) < 0)
		return -1;
	return seal(&s, source->size, first, ret, err);
}

/* ---- checking ---- */

struct check {
	int fd;
	uint64_t offset;
	const char *path;
	const struct seal *seal;
	struct tree tree;
	EVP_MD_CTX *state, *scratch;
	struct {
		bool known;
		uint64_t index;
		uint8_t data[BLOCK];
	} verified[MAX_LEVELS]; /* the last block of each level */
};

static int damaged(const struct check *c, uint64_t block, struct error *err)
{
	error_set(err, ERROR_ANSWER_NO, c->path,
		  "is damaged: block %" PRIu64
		  " has not the hash that its seal has for it",
		  block);
	return error_remedy(err, "write it again from where it came from");
}

static int read_super(const struct check *c, struct verity_super *ret, struct error *err)
{
	uint8_t super[VERITY_SUPER_SIZE];

	if (file_read_at(c->fd, super, sizeof(super), c->offset + seal_data_size(c->seal),
			 c->path, err) < 0)
		return -1;
	if (verity_super_read((struct bytes){super, sizeof(super)}, c->path, c->seal, ret,
			      err) == 0)
		return 0;
	err->code = ERROR_ANSWER_NO;
	return -1;
}

/* True if the digest is what the tree has for block `index` below `level`. */
static int check_digest(struct check *c, unsigned level, uint64_t index,
			const uint8_t digest[DIGEST], uint64_t block, struct error *err);

/* Makes the hash block known and verified. */
static int load_hashes(struct check *c, unsigned level, uint64_t index, uint64_t block,
		       struct error *err)
{
	uint8_t digest[DIGEST];

	if (c->verified[level].known && c->verified[level].index == index)
		return 0;
	c->verified[level].known = false;
	if (file_read_at(c->fd, c->verified[level].data, BLOCK,
			 c->offset + (c->tree.start[level] + index) * BLOCK, c->path,
			 err) < 0)
		return -1;
	hash_block(c->scratch, c->state, c->verified[level].data, digest);
	if (check_digest(c, level + 1, index, digest, block, err) < 0)
		return -1;
	c->verified[level].known = true;
	c->verified[level].index = index;
	return 0;
}

static int check_digest(struct check *c, unsigned level, uint64_t index,
			const uint8_t digest[DIGEST], uint64_t block, struct error *err)
{
	char text[2 * DIGEST + 1];

	if (level == c->tree.levels) {
		hash_hex(digest, DIGEST, text);
		return strcmp(text, c->seal->hash) == 0 ? 0 : damaged(c, block, err);
	}
	if (load_hashes(c, level, index / PER_BLOCK, block, err) < 0)
		return -1;
	if (memcmp(c->verified[level].data + index % PER_BLOCK * DIGEST, digest,
		   DIGEST) == 0)
		return 0;
	return damaged(c, block, err);
}

static int check_blocks(struct check *c, uint64_t first, uint64_t count,
			struct error *err)
{
	_cleanup_free_ uint8_t *data = xmalloc(CHUNK_BLOCKS * BLOCK);

	for (uint64_t at = 0; at < count; at += CHUNK_BLOCKS) {
		size_t n =
			count - at < CHUNK_BLOCKS ? (size_t)(count - at) : CHUNK_BLOCKS;

		if (interrupted())
			return error_interrupted(err);
		progress_report("checking the seal", at * BLOCK, count * BLOCK);
		if (file_read_at(c->fd, data, n * BLOCK, c->offset + (first + at) * BLOCK,
				 c->path, err) < 0)
			return -1;
		for (size_t i = 0; i < n; i++) {
			uint64_t block = first + at + i;
			uint8_t digest[DIGEST];

			hash_block(c->scratch, c->state, data + i * BLOCK, digest);
			if (check_digest(c, 0, block, digest, block, err) < 0)
				return -1;
		}
	}
	return 0;
}

int seal_check(int fd, uint64_t offset, const struct seal *seal, uint64_t first,
	       uint64_t count, const char *path, struct error *err)
{
	_cleanup_free_ struct check *c = xcalloc(1, sizeof(*c));
	struct verity_super super;
	int result;

	if (!seal->blocks || seal->blocks > SEAL_MAX_BLOCKS || first > seal->blocks ||
	    count > seal->blocks - first)
		return error_set(err, ERROR_FAILED, path,
				 "has no blocks %" PRIu64 " to %" PRIu64, first,
				 first + count);
	c->fd = fd;
	c->offset = offset;
	c->path = path;
	c->seal = seal;
	tree_plan(seal->blocks, &c->tree);
	if (read_super(c, &super, err) < 0)
		return -1;
	c->state = salted(super.salt, super.salt_len);
	c->scratch = EVP_MD_CTX_new();
	if (!c->scratch)
		abort();
	result = check_blocks(c, first, count, err);
	EVP_MD_CTX_free(c->scratch);
	EVP_MD_CTX_free(c->state);
	return result;
}
