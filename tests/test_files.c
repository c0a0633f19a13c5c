/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * New NTFS volumes from a source in memory: what is refused, and what a mount shows. Real
 * images and other programs' view of the result are in tests/e2e/apply.sh.
 */
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "tree/files_make.h"
#include "tree/ntfs.h"

#define PIECE 1000u /* odd, to cross all borders of the writer */

/* ---- a source -----------------------------------------------------------------------
 */

struct source {
	struct files files;
	struct vec_of(struct bytes) contents;
	bool lies; /* gives a byte less than it said */
};

static int source_read(struct files *files, const uint32_t *blobs, size_t count,
		       const struct files_sink *sink, struct error *err)
{
	struct source *s = (struct source *)files;

	for (size_t i = 0; i < count; i++) {
		struct bytes left = s->contents.items[blobs[i]];

		left.len -= s->lies;
		if (sink->begin(sink->arg, blobs[i], err) < 0)
			return -1;
		while (left.len) {
			size_t n = left.len < PIECE ? left.len : PIECE;

			if (sink->data(sink->arg, (struct bytes){left.data, n}, err) < 0)
				return -1;
			left.data += n;
			left.len -= n;
		}
		if (sink->end(sink->arg, err) < 0)
			return -1;
	}
	return 0;
}

static void source_close(struct files *files)
{
	struct source *s = (struct source *)files;

	vec_foreach (content, &s->contents)
		free((void *)content->data);
	vec_free(&s->contents);
	files_free_model(files);
}

static uint32_t add(struct source *s, uint32_t parent, const char *name,
		    uint32_t attributes, const char *short_name)
{
	vec_push(&s->files.inodes, (struct files_inode){.attributes = attributes,
							.created = 130000000000000000,
							.modified = 130000000000000001,
							.security = FILES_NONE,
							.links = 1});
	vec_push(&s->files.entries,
		 (struct files_entry){xstrdup(name),
				      short_name ? xstrdup(short_name) : NULL,
				      (uint32_t)s->files.inodes.len - 1, parent});
	return (uint32_t)s->files.entries.len - 1;
}

static uint32_t add_file(struct source *s, uint32_t parent, const char *name, size_t size)
{
	uint32_t entry = add(s, parent, name, TREE_ATTR_ARCHIVE, NULL);
	struct files_inode *inode =
		&s->files.inodes.items[s->files.entries.items[entry].inode];
	uint8_t *data = xmalloc(size + 1);

	for (size_t i = 0; i < size; i++)
		data[i] = (uint8_t)(i * 7 + size + i / 251);
	vec_push(&s->contents, (struct bytes){data, size});
	vec_push(&s->files.blobs, (struct files_blob){.size = size});
	inode->streams = xcalloc(1, sizeof(*inode->streams));
	inode->streams[0].blob = (uint32_t)s->files.blobs.len - 1;
	inode->stream_count = 1;
	return entry;
}

static struct source *new_source(void)
{
	static const struct files_ops ops = {.read = source_read, .close = source_close};
	struct source *s = xcalloc(1, sizeof(*s));

	s->files.ops = &ops;
	s->files.name = xstrdup("memory");
	add(s, 0, "", FILES_ATTR_DIRECTORY, NULL);
	return s;
}

static int setup(void **state)
{
	*state = new_source();
	return 0;
}

static int teardown(void **state)
{
	struct source *s = *state;

	files_close(&s->files);
	return 0;
}

/* ---- volumes ------------------------------------------------------------------------
 */

static char *scratch;

static struct block *new_volume(uint64_t size)
{
	_cleanup_free_ char *path = xasprintf("%s/volume", scratch);
	struct block *block;
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	close(fd);
	block = block_file_open(path, true, 0, NULL);
	assert_non_null(block);
	return block;
}

static int build(struct source *s, struct block *block, struct error *err)
{
	struct ntfs_build_options options = {.label = "New"};

	return ntfs_build(block, &s->files, &options, NULL, err);
}

static void refuses(struct source *s, const char *reason)
{
	_cleanup_block_ struct block *block = new_volume(16 << 20);
	_cleanup_error_ struct error err = ERROR_INIT;

	assert_int_equal(build(s, block, &err), -1);
	assert_non_null(err.subject);
	if (!strstr(err.reason, reason))
		fail_msg("%s, not %s", err.reason, reason);
}

struct mounted {
	struct block *block;
	struct ntfs *ntfs;
	struct image image;
	struct tree *tree;
};

static void mount(struct source *s, struct mounted *m, uint64_t size)
{
	_cleanup_error_ struct error err = ERROR_INIT;

	*m = (struct mounted){.image.path = (char *)"volume"};
	m->block = new_volume(size);
	if (build(s, m->block, &err) < 0)
		fail_msg("%s", err.reason);
	m->ntfs = ntfs_open(m->block, false, &err);
	if (!m->ntfs)
		fail_msg("%s", err.reason);
	m->tree = ntfs_tree(&m->image, 0, xstrdup("volume"), m->ntfs);
}

static void unmount(struct mounted *m)
{
	tree_free(m->tree);
	assert_int_equal(ntfs_close(m->ntfs, NULL), 0);
	block_close(m->block);
}

/* ---- tests ----------------------------------------------------------------------------
 */

static void test_contents(void **state)
{
	static const size_t sizes[] = {0,	1,	 500,	 700,  999,
				       1000,	4095,	 4096,	 4097, 1048575,
				       1048576, 1048577, 3000001};
	struct source *s = *state;
	uint32_t folder = add(s, 0, "Folder", FILES_ATTR_DIRECTORY, NULL);
	struct ntfs_build_options options = {0};
	struct mounted m;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		_cleanup_free_ char *name = xasprintf("file %02zu", i);

		add_file(s, folder, name, sizes[i]);
	}
	mount(s, &m, ntfs_build_size(&s->files, 512, &options));
	assert_string_equal(ntfs_label(m.ntfs), "New");
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		_cleanup_free_ char *path = xasprintf("folder/FILE %02zu", i);
		_cleanup_buffer_ struct buffer got = BUFFER_INIT;

		assert_int_equal(tree_read(m.tree, path, 4 << 20, &got, NULL), 0);
		assert_true(bytes_equal(buffer_view(&got), s->contents.items[i]));
	}
	unmount(&m);
}

/* A short name that another file has as its long one goes; both files stay. */
static void test_short_names(void **state)
{
	struct source *s = *state;
	struct tree_stat st;
	struct mounted m;

	add(s, 0, "a long name.txt", 0, "ALONGN~1.TXT");
	add_file(s, 0, "alongn~1.txt", 7);
	mount(s, &m, 16 << 20);
	assert_int_equal(tree_stat(m.tree, "A long name.txt", &st, NULL), 1);
	assert_int_equal(tree_stat(m.tree, "ALONGN~1.TXT", &st, NULL), 1);
	assert_int_equal(st.size, 7);
	unmount(&m);
}

static void test_refused_names(void **state)
{
	static const char *const names[][2] = {{"a/b", "none on Windows"},
					       {"..", "none on Windows"},
					       {"", "1 to 255"},
					       {"$mft", "of NTFS itself"}};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct source *s = new_source();

		add(s, 0, names[i][0], 0, NULL);
		refuses(s, names[i][1]);
		files_close(&s->files);
	}
	add(*state, 0, "same", 0, NULL);
	add(*state, 0, "same", 0, NULL);
	refuses(*state, "twice");
}

static void test_refused_links(void **state)
{
	struct source *s = *state;
	uint32_t entry = add(s, 0, "folder", FILES_ATTR_DIRECTORY, NULL);

	vec_push(&s->files.entries,
		 (struct files_entry){xstrdup("again"), NULL,
				      s->files.entries.items[entry].inode, 0});
	refuses(s, "number of names");
	s->files.inodes.items[1].links = 2;
	refuses(s, "several names");
	s->files.inodes.items[1].attributes = 0;
	s->files.inodes.items[1].links = 1025;
	refuses(s, "1024");
}

static void test_refused_parents(void **state)
{
	struct source *s = *state;
	uint32_t file = add(s, 0, "file", 0, NULL);

	add(s, file, "below a file", 0, NULL);
	refuses(s, "in no folder");
}

static void test_lying_source(void **state)
{
	struct source *s = *state;

	add_file(s, 0, "file", 5000);
	s->lies = true;
	refuses(s, "shorter");
}

static void test_too_small(void **state)
{
	struct source *s = *state;
	struct ntfs_build_options options = {0};
	_cleanup_block_ struct block *block = new_volume(8 << 20);
	_cleanup_error_ struct error err = ERROR_INIT;
	uint8_t sector[512], zeros[512] = {0};

	add_file(s, 0, "file", 9 << 20);
	assert_true(ntfs_build_size(&s->files, 512, &options) > 9 << 20);
	assert_int_equal(build(s, block, &err), -1);
	assert_non_null(strstr(err.reason, "8388608 bytes"));
	assert_int_equal(block_pread(block, sector, sizeof(sector), 0, NULL), 0);
	assert_memory_equal(sector, zeros, sizeof(sector));
}

static void test_label(void **state)
{
	struct source *s = *state;
	struct ntfs_build_options options = {
		.label = "a label of more than 32 characters"};
	_cleanup_block_ struct block *block = new_volume(8 << 20);
	_cleanup_error_ struct error err = ERROR_INIT;

	assert_int_equal(ntfs_build(block, &s->files, &options, NULL, &err), -1);
	assert_int_equal(err.code, ERROR_USAGE);
}

static void test_securities(void **state)
{
	struct source *s = *state;
	struct files_securities known = {0};

	for (uint32_t round = 0; round < 2; round++)
		for (uint32_t i = 0; i < 1000; i++) {
			struct bytes d = {(const uint8_t *)&i, sizeof(i)};

			assert_int_equal(files_security(&s->files, &known, d), i);
		}
	assert_int_equal(s->files.security.len, 1000);
	files_securities_free(&known);
}

static void test_threads(void **state _unused_)
{
	files_set_threads(1000);
	assert_int_equal(files_threads(), FILES_MAX_THREADS);
	files_set_threads(0);
	assert_in_range(files_threads(), 1, FILES_MAX_THREADS);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_contents),      T(test_short_names),	T(test_refused_names),
		T(test_refused_links), T(test_refused_parents), T(test_lying_source),
		T(test_too_small),     T(test_label),		T(test_securities),
		T(test_threads),
	};
	int result;

	cmocka_set_message_output(CM_OUTPUT_TAP);
	scratch = temp_folder_make(NULL, NULL);
	if (!scratch)
		return 1;
	result = cmocka_run_group_tests_name("files", tests, NULL, NULL);
	temp_folder_remove(scratch);
	return result;
}
