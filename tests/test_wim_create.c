/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * New WIMs of files that exist in memory only: what is stored once, what is stored as it
 * is, the order of writing, failures of the source. Read back by wimlib.
 */
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include <wimlib.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/number_map.h"
#include "base/text.h"
#include "builder/exclusion.h"
#include "tree/files_make.h"

static char *scratch;

/* A source whose contents are given; `fail_at` is the blob that cannot be read. */
struct memory {
	struct files files;
	struct vec_of(struct buffer) contents;
	uint32_t fail_at, cut_at;
	size_t piece;
};

static int memory_read(struct files *files, const uint32_t *blobs, size_t count,
		       const struct files_sink *sink, struct error *err)
{
	struct memory *m = (struct memory *)files;

	for (size_t i = 0; i < count; i++) {
		const struct buffer *b = &m->contents.items[blobs[i]];
		size_t len = blobs[i] == m->cut_at ? b->len / 2 : b->len;

		if (sink->begin(sink->arg, blobs[i], err) < 0)
			return -1;
		for (size_t at = 0; at < len; at += m->piece) {
			size_t n = len - at < m->piece ? len - at : m->piece;

			if (blobs[i] == m->fail_at && at >= len / 2)
				return error_set(err, ERROR_FAILED, "memory", "breaks");
			if (sink->data(sink->arg, (struct bytes){b->data + at, n}, err) <
			    0)
				return -1;
		}
		if (sink->end(sink->arg, err) < 0)
			return -1;
	}
	return 0;
}

static void memory_close(struct files *files)
{
	struct memory *m = (struct memory *)files;

	vec_foreach (content, &m->contents)
		buffer_free(content);
	vec_free(&m->contents);
	files_free_model(files);
}

static const struct files_ops memory_ops = {.read = memory_read, .close = memory_close};

static uint32_t add_entry(struct memory *m, const char *name, uint32_t parent,
			  uint32_t attributes)
{
	vec_push(&m->files.inodes, (struct files_inode){.attributes = attributes,
							.created = 125911584000000001,
							.modified = 125911584000000002,
							.accessed = 125911584000000003,
							.security = FILES_NONE,
							.links = 1});
	vec_push(&m->files.entries,
		 (struct files_entry){.name = xstrdup(name),
				      .inode = (uint32_t)m->files.inodes.len - 1,
				      .parent = parent});
	return (uint32_t)m->files.entries.len - 1;
}

/* A file in the root; the content is taken. */
static uint32_t add_file(struct memory *m, const char *name, struct buffer content)
{
	uint32_t entry = add_entry(m, name, 0, 0x20);
	struct files_inode *inode = &m->files.inodes.items[entry];

	inode->streams = xcalloc(1, sizeof(*inode->streams));
	inode->stream_count = 1;
	inode->streams[0].blob = FILES_NONE;
	if (!content.len)
		return entry;
	inode->streams[0].blob = (uint32_t)m->files.blobs.len;
	/* Read backwards. */
	vec_push(&m->files.blobs,
		 (struct files_blob){.size = content.len,
				     .place = 1000 - m->files.blobs.len});
	vec_push(&m->contents, content);
	return entry;
}

static struct buffer text(size_t len, unsigned seed)
{
	struct buffer b = BUFFER_INIT;

	for (unsigned i = 0; b.len < len; i++)
		buffer_printf(&b, "line %u of %u\n", i * (i + seed), seed);
	b.len = len;
	return b;
}

static struct buffer noise(size_t len, uint64_t state)
{
	struct buffer b = BUFFER_INIT;

	while (b.len < len) {
		state ^= state >> 12;
		state ^= state << 25;
		state ^= state >> 27;
		buffer_append_le64(&b, state * 0x2545f4914f6cdd1dull);
	}
	b.len = len;
	return b;
}

static const uint8_t point[] = "not a real reparse point";

static struct memory *make(void)
{
	struct memory *m = xcalloc(1, sizeof(*m));
	struct buffer nearly = noise(3000001, 5);
	struct files_inode *link;

	m->files.ops = &memory_ops;
	m->files.name = xstrdup("memory");
	m->fail_at = m->cut_at = FILES_NONE;
	m->piece = 300000;
	(void)add_entry(m, "", 0, FILES_ATTR_DIRECTORY);
	(void)add_file(m, "a", text(3000000, 1));
	(void)add_file(m, "b", text(3000000, 1)); /* a large copy */
	/* Some chunks get a little smaller, all together they do not. */
	memset(nearly.data + 100000, 0, 100);
	memset(nearly.data + 2000000, 0, 100);
	(void)add_file(m, "c", nearly);
	(void)add_file(m, "d", text(40000, 2));
	(void)add_file(m, "e", text(40000, 2)); /* a small copy */
	(void)add_file(m, "f", noise(5000, 9));
	(void)add_file(m, "g", (struct buffer)BUFFER_INIT);
	(void)add_file(m, "h", text(1, 3));
	for (unsigned i = 0; i < 300; i++) {
		char name[16];

		snprintf(name, sizeof(name), "i%03u", i);
		(void)add_file(m, name, text(i * 37 + 1, i + 100));
	}
	link = &m->files.inodes.items[add_entry(m, "j", 0, 0x420)];
	link->reparse_tag = 0xa000000cu;
	link->reparse = (struct bytes){xmemdup(point, sizeof(point)), sizeof(point)};
	return m;
}

static char *path_of(const char *name)
{
	return xasprintf("%s/%s", scratch, name);
}

static int write_wim(struct memory *m, const char *name, const char *compression,
		     struct error *err)
{
	const struct wim_create_options options = {.compression = compression,
						   .level = 5};
	_cleanup_free_ char *path = path_of(name);
	uint64_t written;

	(void)unlink(path);
	return wim_create(path, &m->files, &options, &written, err);
}

/* wimlib's view. */
struct check {
	struct memory *m;
	size_t seen, plain, shared;
};

static int check_entry(const struct wimlib_dir_entry *entry, void *arg)
{
	struct check *check = arg;
	const struct wimlib_stream_entry *stream = &entry->streams[0];
	uint8_t hash[20];

	for (size_t i = 1; i < check->m->files.entries.len; i++) {
		const struct files_entry *e = &check->m->files.entries.items[i];
		const struct files_inode *inode = &check->m->files.inodes.items[e->inode];

		if (strcmp(e->name, entry->filename ? entry->filename : "") != 0)
			continue;
		check->seen++;
		assert_int_equal(entry->attributes, inode->attributes);
		if (!inode->stream_count || inode->streams[0].blob == FILES_NONE)
			continue;
		hash_sha1(buffer_view(&check->m->contents.items[inode->streams[0].blob]),
			  hash);
		assert_memory_equal(stream->resource.sha1_hash, hash, sizeof(hash));
		assert_false(stream->resource.is_missing);
		check->plain += !stream->resource.is_compressed;
		check->shared += stream->resource.reference_count > 1;
	}
	return 0;
}

static void check_wim(struct memory *m, const char *name, struct check *check)
{
	_cleanup_free_ char *path = path_of(name);
	WIMStruct *w = NULL;

	*check = (struct check){.m = m};
	assert_int_equal(wimlib_open_wim(path, 0, &w), 0);
	assert_int_equal(wimlib_verify_wim(w, 0), 0);
	assert_int_equal(wimlib_iterate_dir_tree(w, 1, "/",
						 WIMLIB_ITERATE_DIR_TREE_FLAG_RECURSIVE,
						 check_entry, check),
			 0);
	wimlib_free(w);
	assert_int_equal(check->seen, m->files.entries.len - 1);
}

static void test_contents(void **state _unused_)
{
	static const char *const kinds[] = {"lzx", "xpress", "none"};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct memory *m = make();
		struct check check;

		assert_int_equal(write_wim(m, "x.wim", kinds[i], NULL), 0);
		check_wim(m, "x.wim", &check);
		/* What does not get smaller: noise, and a file of one byte. */
		if (strcmp(kinds[i], "none") != 0)
			assert_in_range(check.plain, 4, 40);
		assert_int_equal(check.shared, 6);
		files_close(&m->files);
	}
}

static void test_same_bytes(void **state _unused_)
{
	static const struct {
		unsigned threads;
		size_t piece;
	} ways[] = {{1, 300000}, {2, 32768}, {7, 1000}, {16, 5000000}};
	_cleanup_buffer_ struct buffer first = BUFFER_INIT;
	_cleanup_free_ char *path = path_of("x.wim");

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		_cleanup_buffer_ struct buffer now = BUFFER_INIT;
		struct memory *m = make();

		files_set_threads(ways[i].threads);
		m->piece = ways[i].piece;
		assert_int_equal(write_wim(m, "x.wim", "lzx", NULL), 0);
		files_set_threads(0);
		files_close(&m->files);
		assert_int_equal(file_read(path, 1 << 26, &now, NULL), 0);
		if (i)
			assert_true(bytes_equal(buffer_view(&first), buffer_view(&now)));
		else
			buffer_append(&first, now.data, now.len);
	}
}

static void test_failures(void **state _unused_)
{
	/* A large and a small content that breaks, or is shorter than it says. */
	for (uint32_t blob = 0; blob < 4; blob += 3) {
		for (unsigned cut = 0; cut < 2; cut++) {
			_cleanup_error_ struct error err = ERROR_INIT;
			struct memory *m = make();

			if (cut)
				m->cut_at = blob;
			else
				m->fail_at = blob;
			m->piece = 10000;
			assert_int_equal(write_wim(m, "x.wim", "lzx", &err), -1);
			assert_string_equal(err.reason + strlen(err.reason) - 6,
					    cut ? "pected" : "breaks");
			files_close(&m->files);
		}
	}
}

static bool drop(void *arg _unused_, const char *path)
{
	return strcmp(path, "a") == 0 || strcmp(path, "Folder") == 0;
}

static void test_exclude(void **state _unused_)
{
	struct memory *m = make();
	uint32_t folder = add_entry(m, "Folder", 0, FILES_ATTR_DIRECTORY), below;
	size_t before = m->files.entries.len;
	struct check check;

	below = add_entry(m, "below", folder, 0x20);
	add_entry(m, "kept", 0, FILES_ATTR_DIRECTORY);
	files_exclude(&m->files, drop, NULL);
	assert_int_equal(m->files.entries.len, before + 2 - 3);
	assert_int_equal(m->files.inodes.items[below].links, 0);
	assert_int_equal(write_wim(m, "x.wim", "lzx", NULL), 0);
	check_wim(m, "x.wim", &check);
	files_close(&m->files);
}

static void test_patterns(void **state _unused_)
{
	static const struct {
		const char *pattern, *path;
		bool matches;
	} cases[] = {
		{"\\pagefile.sys", "PageFile.sys", true},
		{"\\pagefile.sys", "Users/pagefile.sys", false},
		{"/Windows/CSC", "windows/csc", true},
		{"\\Windows\\CSC", "Windows/CSC/x", false},
		{"*.tmp", "Users/A.TMP", true},
		{"*.tmp", "Users/a.tmp/b", false},
		{"\\Users\\*", "Users/a", true},
		{"\\Users\\*", "Users/a/b", false},
		{"\\Users\\*\\b", "Users/a/b", true},
		{"\\Users\\*\\b", "Users/a/c/b", false},
		{"a?c",
		 "a\xc3\x84"
		 "c",
		 true},
		{"a?c", "ac", false},
		{"\xc3\x84*", "\xc3\xa4x", true},
		{"**a*b", "xxaybzb", true},
		{"**a*b", "xxaybz", false},
		{"", "x", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *pattern = exclusion_parse(cases[i].pattern);
		_cleanup_free_ char *path = text_lower(cases[i].path);

		if (exclusion_matches(pattern, path) != cases[i].matches)
			fail_msg("%s and %s", cases[i].pattern, cases[i].path);
	}
}

static void test_number_map(void **state _unused_)
{
	_cleanup_number_map_ struct number_map map = {0};

	assert_null(number_map_find(&map, 0));
	for (uint32_t i = 0; i < 1000; i++)
		number_map_add(&map, (uint64_t)i << 40, i);
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(*number_map_find(&map, (uint64_t)i << 40), i);
	assert_null(number_map_find(&map, 1));
}

static int setup(void **state _unused_)
{
	setenv("SOURCE_DATE_EPOCH", "1700000000", 1);
	scratch = temp_folder_make(NULL, NULL);
	return scratch ? 0 : -1;
}

static int teardown(void **state _unused_)
{
	temp_folder_remove(scratch);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_contents), cmocka_unit_test(test_same_bytes),
		cmocka_unit_test(test_failures), cmocka_unit_test(test_exclude),
		cmocka_unit_test(test_patterns), cmocka_unit_test(test_number_map),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
