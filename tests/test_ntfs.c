/* SPDX-License-Identifier: GPL-3.0-or-later */
/* NTFS volumes read through a block, on volumes that mkntfs and libntfs-3g make. */
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "ntfs_volume.h"

#include "base/file.h"
#include "base/text.h"
#include "tree/ntfs_wof.h"

static int setup(void **state)
{
	struct volume *v;

	if (!pristine) {
		*state = NULL;
		return 0;
	}
	v = xcalloc(1, sizeof(*v));
	volume_open(v, pristine, false);
	*state = v;
	return 0;
}

static int teardown(void **state)
{
	struct volume *v = *state;

	if (!v)
		return 0;
	/* Nothing was even tried. */
	assert_int_equal(v->block.writes, 0);
	volume_close(v);
	free(v);
	return 0;
}

#define need_volume(state)                 \
	({                                 \
		if (!pristine)             \
			skip();            \
		(struct volume *)*(state); \
	})

/* ---- reading ------------------------------------------------------------------------
 */

static void test_volume(void **state)
{
	struct volume *v = need_volume(state);
	uint8_t serial[8];

	assert_string_equal(ntfs_label(v->ntfs), "Größe");
	assert_int_equal(ntfs_cluster_size(v->ntfs), 4096);
	assert_int_equal(pread(v->block.fd, serial, 8, 0x48), 8);
	assert_int_equal(ntfs_serial(v->ntfs), get_le64(serial));
}

static void test_names(void **state)
{
	struct volume *v = need_volume(state);
	char *stored = NULL;
	struct tree_stat st;

	assert_int_equal(v->tree->ops->stat(v->tree, "gRÖSSE", &st, NULL, NULL), 0);
	assert_int_equal(v->tree->ops->stat(v->tree, "gRÖßE/äöü.TXT", &st, &stored, NULL),
			 1);
	assert_string_equal(stored, "Größe/ÄÖÜ.txt");
	free(stored);
	assert_int_equal(st.type, TREE_FILE);
	assert_int_equal(st.size, 20);
	assert_int_equal(tree_stat(v->tree, "", &st, NULL), 1);
	assert_int_equal(st.type, TREE_FOLDER);
	/* The file system's own files, DOS names, what lies below a file. */
	assert_int_equal(tree_stat(v->tree, "$MFT", NULL, NULL), 0);
	assert_int_equal(tree_stat(v->tree, "$Extend/$Quota", NULL, NULL), 0);
	assert_int_equal(tree_stat(v->tree, "Content/ALONGN~1.TXT", NULL, NULL), 0);
	assert_int_equal(tree_stat(v->tree, "Content/a long NAME.txt", NULL, NULL), 1);
	assert_int_equal(tree_stat(v->tree, "Content/empty/x", NULL, NULL), 0);
	assert_int_equal(tree_stat(v->tree, "Content/none", NULL, NULL), 0);
}

static void test_large_folder(void **state)
{
	struct volume *v = need_volume(state);
	_cleanup_tree_entries_ struct tree_entries list = VEC_INIT;

	assert_int_equal(tree_list(v->tree, "MANY", &list, NULL), 1);
	assert_int_equal(list.len, VOLUME_FILES);
	for (unsigned i = 0; i < VOLUME_FILES; i++) {
		_cleanup_free_ char *name = xasprintf("File number %05u.txt", i);
		_cleanup_free_ char *other = xasprintf("many/FILE NUMBER %05u.TXT", i);
		_cleanup_free_ char *between = xasprintf("many/FILE NUMBER %05u.TXS", i);
		struct tree_stat st;

		assert_string_equal(list.items[i].name, name);
		assert_int_equal(list.items[i].stat.size, i % 50);
		assert_int_equal(tree_stat(v->tree, other, &st, NULL), 1);
		assert_int_equal(st.type, TREE_FILE);
		assert_int_equal(st.size, i % 50);
		assert_int_equal(st.attributes, list.items[i].stat.attributes);
		assert_int_equal(st.created, list.items[i].stat.created);
		assert_int_equal(st.modified, list.items[i].stat.modified);
		assert_int_equal(tree_stat(v->tree, between, NULL, NULL), 0);
	}
	/* All that from few requests. */
	assert_true(v->block.reads < 150);
}

static void test_root(void **state)
{
	static const char *const names[] = {"Content", "Größe", "Many", "Reparse", "Wof"};
	struct volume *v = need_volume(state);
	_cleanup_tree_entries_ struct tree_entries list = VEC_INIT;

	assert_int_equal(tree_list(v->tree, "", &list, NULL), 1);
	assert_int_equal(list.len, ARRAY_SIZE(names));
	for (size_t i = 0; i < list.len; i++)
		assert_string_equal(list.items[i].name, names[i]);
}

static void test_metadata(void **state)
{
	struct volume *v = need_volume(state);
	struct tree_stat st;

	assert_int_equal(tree_stat(v->tree, "Content/old.txt", &st, NULL), 1);
	assert_int_equal(st.created, 119600064000000001);
	assert_int_equal(st.modified, 125911584000000002);
	assert_int_equal(st.attributes, 0x27);
	assert_int_equal(tree_stat(v->tree, "Content", &st, NULL), 1);
	assert_true(st.attributes & TREE_ATTR_DIRECTORY);
	assert_int_equal(tree_stat(v->tree, "Content/second name", &st, NULL), 1);
	assert_int_equal(st.size, 5000);
}

static void check_content(struct volume *v, const char *path, struct bytes want)
{
	_cleanup_buffer_ struct buffer got = BUFFER_INIT, extracted = BUFFER_INIT;
	_cleanup_free_ char *host = xasprintf("%s/extracted", scratch);
	struct error err = ERROR_INIT;

	if (tree_read(v->tree, path, want.len, &got, &err) < 0)
		fail_msg("%s: %s", path, err.reason);
	assert_true(bytes_equal(buffer_view(&got), want));
	(void)unlink(host);
	assert_int_equal(tree_extract(v->tree, path, host, NULL), 0);
	assert_int_equal(file_read(host, want.len, &extracted, NULL), 0);
	assert_true(bytes_equal(buffer_view(&extracted), want));
	/* One byte less is too little, and says so before it reads. */
	if (want.len)
		assert_int_equal(tree_read(v->tree, path, want.len - 1, &got, NULL), -1);
}

static void check_text(struct volume *v, const char *path, size_t len)
{
	_cleanup_buffer_ struct buffer want = ntfs_sample_text(len, (unsigned)len);

	check_content(v, path, buffer_view(&want));
}

static void test_content(void **state)
{
	struct volume *v = need_volume(state);
	_cleanup_buffer_ struct buffer noise = ntfs_sample_noise(70000, 1), sparse = {0};

	check_text(v, "Content/empty", 0);
	check_text(v, "Content/resident.txt", 300);
	check_text(v, "Content/large.txt", 3000001);
	check_text(v, "Content/fragments.txt", 400001);
	check_text(v, "Content/lznt1.txt", 250001);
	check_text(v, "Content/second name", 5000);
	check_content(v, "Content/lznt1.bin", buffer_view(&noise));
	memset(buffer_reserve(&sparse, 5000000), 0, 5000000);
	sparse.len = 5000000;
	memcpy(sparse.data + 2000000, noise.data, noise.len);
	check_content(v, "Content/sparse.bin", buffer_view(&sparse));
}

static void test_wof(void **state)
{
	static const size_t chunk_sizes[] = {4096, 32768, 8192, 16384};
	struct volume *v = need_volume(state);

	for (unsigned algorithm = 0; algorithm < 4; algorithm++) {
		size_t chunk = chunk_sizes[algorithm];
		const size_t sizes[] = {1,	   chunk - 1,	  chunk,
					chunk + 1, 3 * chunk + 7, 20 * chunk};

		for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
			_cleanup_free_ char *path =
				xasprintf("Wof/%u-%zu", algorithm, sizes[i]);
			_cleanup_buffer_ struct buffer want =
				ntfs_sample_text(sizes[i], algorithm);
			_cleanup_buffer_ struct buffer noise =
				ntfs_sample_noise(chunk, algorithm);
			struct tree_stat st;

			if (sizes[i] == 20 * chunk)
				memcpy(want.data + 5 * chunk, noise.data, chunk);
			assert_int_equal(tree_stat(v->tree, path, &st, NULL), 1);
			assert_int_equal(st.type, TREE_FILE);
			assert_int_equal(st.size, sizes[i]);
			assert_int_equal(st.attributes, TREE_ATTR_ARCHIVE);
			check_content(v, path, buffer_view(&want));
		}
	}
}

static void refused(struct volume *v, const char *path, const char *why)
{
	_cleanup_buffer_ struct buffer got = BUFFER_INIT;
	_cleanup_error_ struct error err = ERROR_INIT;

	assert_int_equal(tree_read(v->tree, path, 1 << 30, &got, &err), -1);
	if (!strstr(err.reason, why))
		fail_msg("%s: %s", path, err.reason);
}

static void test_refused(void **state)
{
	struct volume *v = need_volume(state);
	struct tree_stat st;

	refused(v, "Content/encrypted", "encrypted (EFS)");
	refused(v, "Reparse/wim", "in a WIM");
	refused(v, "Reparse/unknown", "unknown algorithm");
	refused(v, "Reparse/dedup", "Deduplication");
	refused(v, "Content/none", "does not exist");
	refused(v, "Content", "is a folder");
	assert_int_equal(tree_stat(v->tree, "Reparse/dedup", &st, NULL), 1);
	assert_int_equal(st.type, TREE_FILE);
	assert_int_equal(st.size, 5000);
	/* Never followed, not even where the target is on the volume. */
	assert_int_equal(tree_stat(v->tree, "Reparse/junction", &st, NULL), 1);
	assert_int_equal(st.type, TREE_LINK);
	assert_int_equal(tree_stat(v->tree, "Reparse/junction/empty", NULL, NULL), 0);
}

static void test_bitmap(void **state)
{
	struct volume *v = need_volume(state);
	_cleanup_buffer_ struct buffer map = BUFFER_INIT;
	size_t used = 0;

	assert_int_equal(ntfs_bitmap(v->ntfs, &map, NULL), 0);
	assert_int_equal(map.len, (VOLUME_SIZE / 4096 + 7) / 8);
	assert_true(map.data[0] & 1);
	for (size_t i = 0; i < map.len; i++)
		used += (size_t)__builtin_popcount(map.data[i]);
	assert_int_equal(ntfs_volume_get_free_space(v->ntfs->volume), 0);
	/* mkntfs keeps the last sector, the backup boot sector, out of the clusters. */
	assert_in_range((uint64_t)v->ntfs->volume->free_clusters + used,
			VOLUME_SIZE / 4096 - 1, VOLUME_SIZE / 4096 + 8);
}

/* ---- Compact OS files that are not as they should be ---------------------------------
 */

struct memory {
	struct bytes stream;
	uint64_t claimed;
};

/* Beyond what is there, zeros. */
static int memory_read(void *arg, void *buf, size_t len, uint64_t offset,
		       struct error *err _unused_)
{
	const struct memory *m = arg;

	assert_true(offset <= m->claimed && len <= m->claimed - offset);
	memset(buf, 0, len);
	if (offset < m->stream.len)
		memcpy(buf, m->stream.data + offset,
		       len < m->stream.len - offset ? len
						    : m->stream.len - (size_t)offset);
	return 0;
}

static int collect(struct bytes data, void *arg, struct error *err _unused_)
{
	buffer_append(arg, data.data, data.len);
	return 0;
}

static int unpack(struct bytes stream, uint64_t claimed, uint64_t size,
		  enum wof_algorithm algorithm, struct buffer *out, struct error *err)
{
	struct memory m = {stream, claimed};
	const struct wof_source source = {memory_read, &m,	  claimed,
					  size,	       algorithm, "file"};

	return wof_decompress(&source, collect, out, err);
}

static void unpack_fails(struct bytes stream, uint64_t size, enum wof_algorithm algorithm)
{
	_cleanup_buffer_ struct buffer out = BUFFER_INIT;
	_cleanup_error_ struct error err = ERROR_INIT;

	assert_int_equal(unpack(stream, stream.len, size, algorithm, &out, &err), -1);
	assert_non_null(strstr(err.reason, "Compact OS"));
	assert_true(out.len < size);
}

static void test_wof_damage(void **state _unused_)
{
	for (unsigned algorithm = 0; algorithm < 4; algorithm++) {
		_cleanup_buffer_ struct buffer data = ntfs_sample_text(200000, 3);
		_cleanup_buffer_ struct buffer good = BUFFER_INIT, out = BUFFER_INIT;
		struct bytes view;
		size_t table, last;

		ntfs_sample_wof_pack(buffer_view(&data), algorithm, &good);
		view = buffer_view(&good);
		assert_int_equal(unpack(view, view.len, data.len, algorithm, &out, NULL),
				 0);
		assert_true(bytes_equal(buffer_view(&out), buffer_view(&data)));
		/* Without its last chunk (its own bytes have no check), in the table. */
		table = (data.len - 1) / wof_chunk_size(algorithm) * 4;
		last = table + get_le32(view.data + table - 4);
		unpack_fails((struct bytes){view.data, last}, data.len, algorithm);
		unpack_fails((struct bytes){view.data, 5}, data.len, algorithm);
		unpack_fails((struct bytes){view.data, 0}, data.len, algorithm);
		/* Of another size than the unnamed stream says. */
		unpack_fails(view, data.len * 2, algorithm);
		/* A chunk that begins behind the end, before its predecessor. */
		put_le32(good.data + 4, 0x7fffffff);
		unpack_fails(view, data.len, algorithm);
		put_le32(good.data + 4, 1);
		unpack_fails(view, data.len, algorithm);
		/* Without room for a single offset. */
		unpack_fails((struct bytes){view.data, 100}, UINT64_MAX / 2, algorithm);
	}
}

/* A sink that has seen enough. */
static int first_chunk(struct bytes data, void *arg, struct error *err)
{
	buffer_append(arg, data.data, data.len);
	return error_set(err, ERROR_INTERRUPTED, NULL, "enough");
}

/* The table's offsets are of 8 bytes as soon as the size needs more than 32 bits. */
static void test_wof_4gib(void **state _unused_)
{
	static const uint64_t sizes[] = {UINT32_MAX, (uint64_t)UINT32_MAX + 1};
	_cleanup_buffer_ struct buffer noise = ntfs_sample_noise(32768, 5);

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		_cleanup_buffer_ struct buffer stream = BUFFER_INIT, out = BUFFER_INIT;
		uint64_t chunks = (sizes[i] + 32767) / 32768;
		size_t entry = i ? 8 : 4, table = (size_t)(chunks - 1) * entry;
		struct memory m = {.claimed = sizes[i] + table};
		const struct wof_source source = {memory_read, &m,	m.claimed,
						  sizes[i],    WOF_LZX, "file"};

		memset(buffer_reserve(&stream, table), 0, table);
		stream.len = table;
		put_le32(stream.data, 32768);
		buffer_append(&stream, noise.data, noise.len);
		m.stream = buffer_view(&stream);
		assert_int_equal(wof_decompress(&source, first_chunk, &out, NULL), -1);
		assert_true(bytes_equal(buffer_view(&out), buffer_view(&noise)));
	}
}

static void test_wof_parse(void **state _unused_)
{
	uint8_t raw[16] = {1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3};
	enum wof_algorithm algorithm;

	assert_int_equal(wof_parse((struct bytes){raw, 16}, &algorithm, "f", NULL), 0);
	assert_int_equal(algorithm, WOF_XPRESS16K);
	for (size_t len = 0; len < 16; len++)
		assert_int_equal(
			wof_parse((struct bytes){raw, len}, &algorithm, "f", NULL), -1);
	for (size_t at = 0; at < 16; at += 4) {
		uint8_t kept = raw[at];

		raw[at] = 77;
		assert_int_equal(
			wof_parse((struct bytes){raw, 16}, &algorithm, "f", NULL), -1);
		raw[at] = kept;
	}
}

/* On a volume: a stream that is missing, one that was cut. */
static void test_wof_on_volume(void **state _unused_)
{
	_cleanup_free_ char *path = NULL;
	static const uint8_t reparse[16] = {1, 0, 0, 0, 2, 0, 0, 0, 1};
	ntfs_volume *volume;
	struct volume v;

	if (!pristine)
		skip();
	path = volume_copy("wof");
	volume = ntfs_sample_mount(path);
	ntfs_sample_sparse(volume, "none", 100, (struct bytes){0}, 0);
	ntfs_sample_reparse(volume, "none", 0x80000017u,
			    (struct bytes){reparse, sizeof(reparse)});
	ntfs_sample_wof_stream(volume, "Wof/1-98311", (struct bytes){reparse, 10});
	ntfs_sample_unmount(volume);
	volume_open(&v, path, false);
	refused(&v, "none", "cannot open its compressed content (Compact OS)");
	refused(&v, "Wof/1-98311", "Compact OS");
	volume_close(&v);
}

/* ---- writing through the cache ------------------------------------------------------
 */

static void test_write_through(void **state _unused_)
{
	_cleanup_buffer_ struct buffer data = ntfs_sample_noise(300000, 9);
	_cleanup_free_ char *path = NULL;
	struct volume v;

	if (!pristine)
		skip();
	path = volume_copy("write");
	volume_open(&v, path, true);
	/* What was read before is not what is read afterwards. */
	assert_int_equal(tree_stat(v.tree, "Content/new", NULL, NULL), 0);
	ntfs_sample_file(v.ntfs->volume, "Content/new", buffer_view(&data),
			 NTFS_SAMPLE_PLAIN);
	check_content(&v, "Content/new", buffer_view(&data));
	assert_true(v.block.writes > 0);
	volume_close(&v);
	volume_open(&v, path, false);
	check_content(&v, "content/NEW", buffer_view(&data));
	volume_close(&v);
}

static void test_write_error(void **state _unused_)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_free_ char *path = NULL;
	struct volume v;

	if (!pristine)
		skip();
	path = volume_copy("full");
	volume_open(&v, path, true);
	v.block.refuse_writes = true;
	ntfs_begin(v.ntfs);
	assert_int_equal(ntfs_pwrite(v.ntfs->volume->dev, 4096, 4, "abcd"), -1);
	assert_int_equal(ntfs_failed(v.ntfs, &err, "x", "cannot write"), -1);
	assert_non_null(strstr(err.reason, "medium is full"));
	v.block.refuse_writes = false;
	volume_close(&v);
}

/* mkntfs' extremes of clusters and sectors. */
static void test_geometries(void **state _unused_)
{
	static const unsigned sizes[][2] = {{512, 512},	   {512, 65536}, {512, 131072},
					    {512, 524288}, {4096, 4096}, {4096, 65536}};

	if (!pristine)
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		_cleanup_free_ char *path = xasprintf("%s/geometry", scratch);
		ntfs_volume *volume;
		struct volume v;

		assert_true(
			ntfs_sample_format(path, 64u << 20, sizes[i][0], sizes[i][1]));
		volume = ntfs_sample_mount(path);
		ntfs_sample_fill(volume, 60);
		ntfs_sample_unmount(volume);
		volume_open(&v, path, false);
		assert_int_equal(ntfs_cluster_size(v.ntfs), sizes[i][1]);
		check_text(&v, "Content/resident.txt", 300);
		check_text(&v, "Content/large.txt", 3000001);
		check_text(&v, "Content/fragments.txt", 400001);
		assert_int_equal(
			tree_stat(v.tree, "Many/FILE number 00059.txt", NULL, NULL), 1);
		volume_close(&v);
		(void)unlink(path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_volume, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_root, setup, teardown),
		cmocka_unit_test_setup_teardown(test_large_folder, setup, teardown),
		cmocka_unit_test_setup_teardown(test_metadata, setup, teardown),
		cmocka_unit_test_setup_teardown(test_content, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wof, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bitmap, setup, teardown),
		cmocka_unit_test(test_wof_damage),
		cmocka_unit_test(test_wof_4gib),
		cmocka_unit_test(test_wof_parse),
		cmocka_unit_test(test_wof_on_volume),
		cmocka_unit_test(test_write_through),
		cmocka_unit_test(test_write_error),
		cmocka_unit_test(test_geometries),
	};

	return cmocka_run_group_tests(tests, volumes_setup, volumes_teardown);
}
