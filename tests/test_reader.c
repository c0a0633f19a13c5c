/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The reader without a network: the hash tree against one that is made here, the cache,
 * and what init understands of the reader's lines. tests/e2e/reader.sh has servers.
 */
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "init/stream.h"
#include "reader/cache.h"
#include "reader/tree.h"

#define SALT "salt"

/* ---- the tree ---- */

static void hash_block(const uint8_t *block, uint8_t *ret)
{
	_cleanup_buffer_ struct buffer b = BUFFER_INIT;

	buffer_append_string(&b, SALT);
	buffer_append(&b, block, LAYOUT_BLOCK);
	hash_sha256(buffer_view(&b), ret);
}

/* The hashes of all blocks of the level below, filled up with zeros. */
static void make_level(const struct buffer *below, struct buffer *ret)
{
	size_t blocks = below->len / LAYOUT_BLOCK;
	size_t size =
		(blocks * TREE_HASH + LAYOUT_BLOCK - 1) / LAYOUT_BLOCK * LAYOUT_BLOCK;

	memset(buffer_reserve(ret, size), 0, size);
	ret->len = size;
	for (size_t i = 0; i < blocks; i++)
		hash_block(below->data + i * LAYOUT_BLOCK, ret->data + i * TREE_HASH);
}

/* A whole sealed file of so many blocks, by the format's description alone. */
static void make_file(size_t blocks, struct buffer *ret, struct seal *seal)
{
	struct buffer levels[8] = {BUFFER_INIT};
	size_t count = 0;
	uint8_t root[TREE_HASH];

	for (size_t i = 0; i < blocks * LAYOUT_BLOCK / 8; i++)
		buffer_append_le64(&levels[0], i * 0x9e3779b97f4a7c15u);
	while (levels[count].len > LAYOUT_BLOCK) {
		make_level(&levels[count], &levels[count + 1]);
		count++;
	}
	hash_block(levels[count].data, root);
	hash_hex(root, sizeof(root), seal->hash);
	seal->blocks = blocks;
	buffer_append(ret, levels[0].data, levels[0].len);
	memset(buffer_reserve(ret, LAYOUT_BLOCK), 0xee, LAYOUT_BLOCK);
	ret->len += LAYOUT_BLOCK;
	for (size_t i = count; i > 0; i--)
		buffer_append(ret, levels[i].data, levels[i].len);
	for (size_t i = 0; i <= count; i++)
		buffer_free(&levels[i]);
}

static void check_tree(size_t blocks)
{
	_cleanup_buffer_ struct buffer file = BUFFER_INIT;
	struct verity_super super = {.salt = SALT, .salt_len = strlen(SALT)};
	struct seal seal;
	struct tree tree;
	size_t roots = 0;

	make_file(blocks, &file, &seal);
	tree_init(&tree, &seal, &super);
	assert_int_equal(tree.end * LAYOUT_BLOCK, file.len);
	for (uint64_t i = 0; i < tree.end; i++) {
		const uint8_t *wanted = tree.root;
		uint8_t got[TREE_HASH];
		uint64_t parent = 0;
		size_t offset = 0;

		tree_hash(&tree, file.data + i * LAYOUT_BLOCK, got);
		switch (tree_rule(&tree, i, &parent, &offset)) {
		case TREE_FREE:
			assert_int_equal(i, blocks);
			continue;
		case TREE_ROOT:
			roots++;
			break;
		case TREE_ENTRY:
			/* Whoever waits for a block of the tree waits for an earlier one.
			 */
			assert_true(parent > blocks && parent < tree.end);
			assert_true(i < blocks || parent < i);
			wanted = file.data + parent * LAYOUT_BLOCK + offset;
			break;
		}
		assert_memory_equal(got, wanted, TREE_HASH);
	}
	assert_int_equal(roots, 1);
	assert_int_equal(tree_rule(&tree, tree.end, &(uint64_t){0}, &(size_t){0}),
			 TREE_FREE);
}

static void test_tree(void **state _unused_)
{
	static const size_t sizes[] = {1, 2, 127, 128, 129, 256, 1000, 16384, 16385};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		check_tree(sizes[i]);
}

/* ---- the cache ---- */

#define DATA ((uint64_t)10 * CACHE_CHUNK + 8192)
#define ALL (DATA + CACHE_CHUNK + 4096)

static void test_pieces(void **state _unused_)
{
	struct cache c;
	uint64_t end = 0, offset;

	assert_int_equal(cache_open(&c, DATA, ALL, -1, 0, 0, NULL), 0);
	assert_int_equal(c.chunks, 13);
	for (uint64_t i = 0; i < c.chunks; i++) {
		size_t len = cache_span(&c, i, &offset);

		assert_int_equal(offset, end);
		end += len;
		assert_int_equal(cache_chunk(&c, offset), i);
		assert_int_equal(cache_chunk(&c, end - 1), i);
	}
	assert_int_equal(end, ALL);
	cache_close(&c);
	assert_int_equal(cache_open(&c, CACHE_MAX_CHUNKS * CACHE_CHUNK + 4096,
				    CACHE_MAX_CHUNKS * CACHE_CHUNK + 8192, -1, 0, 0,
				    NULL),
			 -1);
}

static void put(struct cache *c, uint64_t chunk)
{
	_cleanup_free_ uint8_t *data = xcalloc(1, CACHE_CHUNK);

	assert_int_equal(cache_get(c, chunk, data), CACHE_NONE);
	memset(data, (int)chunk + 1, CACHE_CHUNK);
	cache_put(c, chunk, data, false);
}

static void expect(struct cache *c, uint64_t chunk, enum cache_answer answer)
{
	_cleanup_free_ uint8_t *data = xcalloc(1, CACHE_CHUNK);

	assert_int_equal(cache_get(c, chunk, data), answer);
	if (answer == CACHE_NONE) {
		cache_drop(c, chunk);
		return;
	}
	assert_int_equal(data[0], chunk + 1);
	if (answer == CACHE_OLD)
		cache_put(c, chunk, data, true);
}

/* What came first goes first, and nothing else. */
static void test_memory(void **state _unused_)
{
	struct cache c;

	assert_int_equal(cache_open(&c, DATA, ALL, -1, 3 * CACHE_CHUNK, 0, NULL), 0);
	for (uint64_t i = 0; i < 4; i++)
		put(&c, i);
	expect(&c, 0, CACHE_NONE);
	for (uint64_t i = 1; i < 4; i++)
		expect(&c, i, CACHE_GOOD);
	put(&c, 12);
	expect(&c, 1, CACHE_NONE);
	expect(&c, 12, CACHE_GOOD);
	assert_false(cache_fills(&c));
	cache_close(&c);
}

/* A part of a piece is none: the power may have failed while it was written. */
static void test_kept(void **state _unused_)
{
	_cleanup_(temp_folder_removep) char *folder = temp_folder_make(NULL, NULL);
	_cleanup_free_ char *path = xasprintf("%s/cache", folder);
	static const uint8_t zeros[4096];
	struct cache c;

	assert_int_equal(
		cache_open(&c, DATA, ALL, open(path, O_RDWR | O_CREAT, 0600), 0, 0, NULL),
		0);
	assert_int_equal(cache_missing(&c, 0), 0);
	put(&c, 0);
	put(&c, 1);
	put(&c, 10);
	put(&c, 12);
	assert_int_equal(cache_missing(&c, 0), 2);
	assert_int_equal(
		file_write_at(c.fd, zeros, sizeof(zeros), 5 * CACHE_CHUNK, "c", NULL), 0);
	cache_close(&c);
	assert_int_equal(cache_open(&c, DATA, ALL, open(path, O_RDWR), 0, 0, NULL), 0);
	expect(&c, 0, CACHE_OLD);
	expect(&c, 0, CACHE_GOOD);
	expect(&c, 1, CACHE_OLD);
	expect(&c, 5, CACHE_NONE);
	expect(&c, 10, CACHE_OLD);
	expect(&c, 11, CACHE_NONE);
	expect(&c, 12, CACHE_OLD);
	cache_close(&c);
	/* No room: what is there stays, and nothing comes. */
	assert_int_equal(
		cache_open(&c, DATA, ALL, open(path, O_RDWR), 0, UINT64_MAX, NULL), 0);
	assert_false(cache_fills(&c));
	put(&c, 2);
	expect(&c, 2, CACHE_NONE);
	expect(&c, 1, CACHE_OLD);
	cache_close(&c);
}

/* ---- lines ---- */

static void says(const char *line, enum stream_news news, const char *text)
{
	const char *got;

	assert_int_equal(stream_read(line, &got), news);
	assert_string_equal(got, text);
}

static void test_lines(void **state _unused_)
{
	says("ready", STREAM_READY, "");
	says("back", STREAM_BACK, "");
	says("away http://x: no route", STREAM_AWAY, "http://x: no route");
	says("wrong http://x", STREAM_WRONG, "http://x");
	says("readymade", STREAM_OTHER, "readymade");
	says("gild-reader: seccomp", STREAM_OTHER, "gild-reader: seccomp");
	says("", STREAM_OTHER, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tree),   cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_memory), cmocka_unit_test(test_kept),
		cmocka_unit_test(test_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
