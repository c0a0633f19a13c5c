/* SPDX-License-Identifier: GPL-3.0-or-later */
/* NTFS volumes read through a block, on volumes that mkntfs and libntfs-3g make. */
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ntfs_sample.h"

#include "base/file.h"
#include "base/text.h"
#include "tree/ntfs_private.h"
#include "tree/ntfs_wof.h"

#include <ntfs-3g/dir.h>

#define VOLUME_SIZE (32u << 20)
#define FILES 1500

/* ---- a volume, and a block over its file that counts what it is asked ---------------
 */

static char *scratch;
static char *pristine; /* made once; NULL: no mkntfs */

struct counting {
	struct block block;
	int fd;
	unsigned reads, writes;
	bool refuse_writes;
};

static int counting_pread(struct block *block, void *buf, size_t len, uint64_t offset,
			  struct error *err)
{
	struct counting *c = (struct counting *)block;

	c->reads++;
	if (pread(c->fd, buf, len, (off_t)offset) != (ssize_t)len)
		return error_set(err, ERROR_FAILED, block->name, "read error");
	return 0;
}

static int counting_pwrite(struct block *block, const void *buf, size_t len,
			   uint64_t offset, struct error *err)
{
	struct counting *c = (struct counting *)block;

	c->writes++;
	if (c->refuse_writes)
		return error_set(err, ERROR_FAILED, block->name, "medium is full");
	return pwrite(c->fd, buf, len, (off_t)offset) == (ssize_t)len ? 0 : -1;
}

static int counting_flush(struct block *block _unused_, struct error *err _unused_)
{
	return 0;
}

static const struct block_ops counting_ops = {
	.pread = counting_pread,
	.pwrite = counting_pwrite,
	.flush = counting_flush,
};

struct volume {
	struct counting block;
	char *path;
	struct ntfs *ntfs;
	struct tree *tree;
};

static void volume_open(struct volume *v, const char *path, bool write)
{
	struct error err = ERROR_INIT;
	struct stat st;

	*v = (struct volume){.path = xstrdup(path)};
	v->block.fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(v->block.fd >= 0 && fstat(v->block.fd, &st) == 0);
	v->block.block = (struct block){&counting_ops, xstrdup("volume"),
					(uint64_t)st.st_size, 512, true};
	v->block.refuse_writes = !write;
	v->ntfs = ntfs_open(&v->block.block, write, &err);
	if (!v->ntfs)
		fail_msg("%s", err.reason);
	v->tree = ntfs_tree(NULL, 0, xstrdup("volume"), v->ntfs);
}

static void volume_close(struct volume *v)
{
	tree_free(v->tree);
	assert_int_equal(ntfs_close(v->ntfs, NULL), 0);
	close(v->block.fd);
	free(v->block.block.name);
	free(v->path);
}

static char *copy_volume(const char *name)
{
	char *path = xasprintf("%s/%s", scratch, name);

	(void)unlink(path);
	assert_int_equal(file_copy(pristine, path, NULL), 0);
	return path;
}

static int group_setup(void **state _unused_)
{
	_cleanup_free_ char *path = NULL;
	ntfs_volume *volume;

	scratch = temp_folder_make(NULL, NULL);
	path = xasprintf("%s/pristine", scratch);
	if (!ntfs_sample_format(path, VOLUME_SIZE, 512, 4096))
		return 0;
	volume = ntfs_sample_mount(path);
	ntfs_sample_fill(volume, FILES);
	ntfs_sample_unmount(volume);
	pristine = steal_ptr(path);
	return 0;
}

static int group_teardown(void **state _unused_)
{
	free(pristine);
	temp_folder_remove(scratch);
	return 0;
}

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
	assert_int_equal(list.len, FILES);
	for (unsigned i = 0; i < FILES; i++) {
		_cleanup_free_ char *name = xasprintf("File number %05u.txt", i);
		_cleanup_free_ char *other = xasprintf("many/FILE NUMBER %05u.TXT", i);
		_cleanup_free_ char *between = xasprintf("many/FILE NUMBER %05u.TXS", i);
		struct tree_stat st;

		assert_string_equal(list.items[i].name, name);
		assert_int_equal(list.items[i].stat.size, i % 50);
		assert_int_equal(tree_stat(v->tree, other, &st, NULL), 1);
		assert_memory_equal(&st, &list.items[i].stat, sizeof(st));
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
	path = copy_volume("wof");
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

/* ---- state --------------------------------------------------------------------------
 */

static void patch(const char *path, uint64_t offset, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_int_equal(pwrite(fd, data, len, (off_t)offset), len);
	close(fd);
}

/* Where a byte of a system file lies. */
static uint64_t locate(const char *path, uint64_t record, uint64_t at)
{
	ntfs_volume *volume = ntfs_sample_mount(path);
	ntfs_inode *ni = ntfs_inode_open(volume, record);
	ntfs_attr *na = ntfs_attr_open(ni, AT_DATA, AT_UNNAMED, 0);
	LCN cluster = ntfs_attr_vcn_to_lcn(na, (VCN)(at / volume->cluster_size));
	uint64_t offset =
		(uint64_t)cluster * volume->cluster_size + at % volume->cluster_size;

	assert_true(cluster > 0);
	ntfs_attr_close(na);
	ntfs_inode_close(ni);
	ntfs_sample_unmount(volume);
	return offset;
}

static void check_state(const char *path, enum ntfs_condition want, const char *word)
{
	_cleanup_free_ char *detail = NULL;
	enum ntfs_condition got;
	struct error err = ERROR_INIT;
	struct volume v;

	volume_open(&v, path, false);
	if (ntfs_examine(v.ntfs, &got, &detail, &err) < 0)
		fail_msg("%s", err.reason);
	assert_int_equal(v.block.writes, 0);
	volume_close(&v);
	assert_int_equal(got, want);
	if (want == NTFS_SOUND)
		assert_null(detail);
	else
		assert_non_null(strstr(detail, word));
}

/*
 * Two restart pages as Windows writes them, protected; the one with the higher LSN
 * counts.
 */
static void put_restart(const char *path, uint64_t log, unsigned page, unsigned major,
			bool clean, uint64_t lsn)
{
	uint8_t raw[4096] = "RSTR";

	put_le16(raw + 4, 0x1e); /* update sequence array */
	put_le16(raw + 6, 9);
	put_le32(raw + 0x10, 4096); /* page sizes */
	put_le32(raw + 0x14, 4096);
	put_le16(raw + 0x18, 0x30); /* restart area */
	put_le16(raw + 0x1a, major == 2 ? 0 : 1);
	put_le16(raw + 0x1c, (uint16_t)major);
	put_le16(raw + 0x1e, 0x55);
	put_le64(raw + 0x30, lsn);
	put_le16(raw + 0x30 + 0x08, 1); /* clients; none free, the first in use */
	put_le16(raw + 0x30 + 0x0a, 0xffff);
	put_le16(raw + 0x30 + 0x0c, 0);
	put_le16(raw + 0x30 + 0x0e, clean ? 2 : 0);
	for (size_t i = 1; i <= 8; i++)
		put_le16(raw + i * 512 - 2, 0x55);
	patch(path, log + page * 4096, raw, sizeof(raw));
}

static void test_log(void **state _unused_)
{
	_cleanup_free_ char *path = NULL;
	uint64_t log;

	if (!pristine)
		skip();
	path = copy_volume("log");
	log = locate(path, 2, 0);
	check_state(path, NTFS_SOUND, NULL); /* as mkntfs leaves it: all ones */
	put_restart(path, log, 0, 1, true, 10);
	put_restart(path, log, 1, 1, false, 9);
	check_state(path, NTFS_SOUND, NULL);
	put_restart(path, log, 1, 1, false, 11);
	check_state(path, NTFS_LOG_UNCLEAN, "replay");
	put_restart(path, log, 1, 1, true, 11);
	put_restart(path, log, 0, 1, false, 10);
	check_state(path, NTFS_SOUND, NULL);
	put_restart(path, log, 0, 2, true, 12);
	check_state(path, NTFS_LOG_UNCLEAN, "version 2.0");
	put_restart(path, log, 0, 3, true, 12);
	check_state(path, NTFS_LOG_UNCLEAN, "unknown version");
	/* A torn first page: the second one counts. */
	put_restart(path, log, 0, 1, false, 12);
	patch(path, log + 1022, "\1\2", 2);
	check_state(path, NTFS_SOUND, NULL);
	patch(path, log + 4096 + 1022, "\1\2", 2);
	check_state(path, NTFS_LOG_UNCLEAN, "no valid restart page");
	patch(path, log, "CHKD", 4);
	patch(path, log + 6, "\0\0", 2);
	put_restart(path, log, 1, 1, false, 1);
	check_state(path, NTFS_LOG_UNCLEAN, "replay");
}

static void put_hibernation(const char *path, const char *signature, uint32_t length,
			    uint32_t hiberboot, uint8_t value)
{
	_cleanup_buffer_ struct buffer file = BUFFER_INIT;
	ntfs_volume *volume = ntfs_mount(path, NTFS_MNT_IGNORE_HIBERFILE);
	uint64_t inode;
	ntfs_inode *ni, *root;
	ntfs_attr *na;

	assert_non_null(volume);
	memset(buffer_reserve(&file, 8192), 0, 8192);
	file.len = 8192;
	memcpy(file.data, signature, strlen(signature));
	put_le32(file.data + 12, length);
	if (hiberboot)
		file.data[hiberboot] = value;
	root = ntfs_inode_open(volume, FILE_root);
	inode = ntfs_inode_lookup_by_mbsname(root, "HiberFil.sys");
	ntfs_inode_close(root);
	if (inode == (uint64_t)-1) {
		ntfs_sample_file(volume, "HiberFil.sys", buffer_view(&file),
				 NTFS_SAMPLE_PLAIN);
	} else {
		ni = ntfs_inode_open(volume, inode);
		na = ntfs_attr_open(ni, AT_DATA, AT_UNNAMED, 0);
		assert_int_equal(ntfs_attr_pwrite(na, 0, 8192, file.data), 8192);
		ntfs_attr_close(na);
		ntfs_inode_close(ni);
	}
	ntfs_sample_unmount(volume);
}

static void test_hibernation(void **state _unused_)
{
	_cleanup_free_ char *path = NULL, *small = NULL;
	ntfs_volume *volume;

	if (!pristine)
		skip();
	path = copy_volume("hibernated");
	put_hibernation(path, "hibr", 0xa8, 0, 0);
	check_state(path, NTFS_HIBERNATED, "Windows is hibernated:");
	put_hibernation(path, "HIBR", 0x3e0, 0x364, 0);
	check_state(path, NTFS_HIBERNATED, "Windows is hibernated:");
	put_hibernation(path, "HIBR", 0x3e0, 0x364, 1);
	check_state(path, NTFS_FAST_STARTED, "fast startup");
	put_hibernation(path, "HIBR", 0x2c8, 0x27c, 1);
	check_state(path, NTFS_FAST_STARTED, "fast startup");
	/* A header of a Windows yet to come: which of the two cannot be told. */
	put_hibernation(path, "HIBR", 0x500, 0x364, 1);
	check_state(path, NTFS_HIBERNATED, "or was shut down with fast startup");
	put_hibernation(path, "RSTR", 0x3e0, 0x364, 0);
	check_state(path, NTFS_HIBERNATED, "Windows is hibernated:");
	put_hibernation(path, "WAKE", 0x3e0, 0x364, 1);
	check_state(path, NTFS_SOUND, NULL);
	put_hibernation(path, "wake", 0xa8, 0, 0);
	check_state(path, NTFS_SOUND, NULL);
	put_hibernation(path, "", 0, 0, 0);
	check_state(path, NTFS_SOUND, NULL);
	small = copy_volume("small");
	volume = ntfs_sample_mount(small);
	ntfs_sample_file(volume, "hiberfil.sys", (struct bytes){(const uint8_t *)"x", 1},
			 NTFS_SAMPLE_PLAIN);
	ntfs_sample_unmount(volume);
	check_state(small, NTFS_HIBERNATED, "too small");
}

/* What journal_mark() would write, written: the flag is set and nothing else changes. */
static void test_dirty_mark(void **state _unused_)
{
	static const unsigned sectors[] = {512, 4096};
	struct error err = ERROR_INIT;

	if (!pristine)
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(sectors); i++) {
		_cleanup_buffer_ struct buffer mark = BUFFER_INIT, again = BUFFER_INIT;
		_cleanup_free_ char *path = xasprintf("%s/mark", scratch);
		uint64_t offset, mirror, record;
		struct volume v;

		assert_true(ntfs_sample_format(path, VOLUME_SIZE, sectors[i], 4096));
		record = locate(path, 0, 0);
		mirror = locate(path, 1, 0);
		volume_open(&v, path, false);
		v.block.block.sector_size = sectors[i];
		if (ntfs_dirty_mark(v.ntfs, &offset, &mark, &err) < 0)
			fail_msg("%s", err.reason);
		assert_int_equal(mark.len, sectors[i]);
		assert_int_equal(offset % sectors[i], 0);
		volume_close(&v);
		check_state(path, NTFS_SOUND, NULL);
		patch(path, offset, mark.data, mark.len);
		/* Only the mirror is in the way of mounting now. */
		patch(path, mirror + (offset - record), mark.data, mark.len);
		check_state(path, NTFS_DIRTY, "dirty flag");
		/* Marked already: the same bytes again. */
		volume_open(&v, path, false);
		v.block.block.sector_size = sectors[i];
		assert_int_equal(ntfs_dirty_mark(v.ntfs, &offset, &again, NULL), 0);
		volume_close(&v);
		assert_int_equal(again.len, mark.len);
		(void)unlink(path);
	}
}

/* ---- volumes that lie ---------------------------------------------------------------
 */

static void test_mount_errors(void **state _unused_)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_error_ struct error err = ERROR_INIT;
	struct block *block;

	if (!pristine)
		skip();
	path = copy_volume("cut");
	assert_int_equal(truncate(path, VOLUME_SIZE / 2), 0);
	block = block_file_open(path, false, 0, NULL);
	assert_null(ntfs_open(block, false, &err));
	assert_non_null(strstr(err.reason, "is no NTFS volume that can be mounted: "));
	assert_non_null(err.remedy);
	block_close(block);
	patch(path, 3, "FAT32   ", 8);
	block = block_file_open(path, false, 0, NULL);
	assert_null(ntfs_open(block, false, &err));
	block_close(block);
}

/* Finds bytes in the volume's file. */
static uint64_t search(const char *path, const void *bytes, size_t len, uint64_t from)
{
	_cleanup_buffer_ struct buffer all = BUFFER_INIT;
	uint8_t *found;

	assert_int_equal(file_read(path, VOLUME_SIZE, &all, NULL), 0);
	found = memmem(all.data + from, all.len - from, bytes, len);
	assert_non_null(found);
	return (uint64_t)(found - all.data);
}

/* The root of a large folder's index sends the search back to where it was. */
static void test_index_loop(void **state _unused_)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_tree_entries_ struct tree_entries list = VEC_INIT;
	_cleanup_buffer_ struct buffer all = BUFFER_INIT;
	unsigned patched = 0;
	struct volume v;

	if (!pristine)
		skip();
	path = copy_volume("loop");
	assert_int_equal(file_read(path, VOLUME_SIZE, &all, NULL), 0);
	/*
	 * Each leaf of an index becomes a node whose last entry has itself as its child:
	 * the entry of 16 bytes grows by 8, at the end of what is used.
	 */
	for (size_t at = 0; at + 4096 <= all.len; at += 4096) {
		uint8_t *block = all.data + at, *node = block + 0x18, *last;
		uint32_t used = get_le32(node + 4);

		if (memcmp(block, "INDX", 4) != 0 || used + 0x18 + 8 > 4000)
			continue;
		last = node + used - 16;
		if (get_le16(last + 8) != 16 || get_le16(last + 12) != 2 ||
		    (0x18 + used) % 512 > 480)
			continue;
		put_le16(last + 8, 24);
		put_le16(last + 12, 3);
		put_le64(last + 16, get_le64(block + 0x10));
		put_le32(node + 4, used + 8);
		node[12] = 1;
		patch(path, at, block, 4096);
		patched++;
	}
	assert_true(patched > 10);
	volume_open(&v, path, false);
	assert_int_equal(tree_list(v.tree, "Many", &list, &err), -1);
	assert_non_null(strstr(err.reason, "leads back to itself"));
	error_clear(&err);
	assert_int_equal(tree_stat(v.tree, "Many/zzz", NULL, &err), -1);
	assert_non_null(strstr(err.reason, "leads back to itself"));
	volume_close(&v);
}

/* A folder that is found below another one than its record says. */
static void test_wrong_parent(void **state _unused_)
{
	static const uint8_t name[] = {'M', 0, 'a', 0, 'n', 0, 'y', 0};
	_cleanup_free_ char *path = NULL;
	_cleanup_error_ struct error err = ERROR_INIT;
	uint64_t at, mft;
	uint8_t raw[8];
	struct volume v;
	int fd;

	if (!pristine)
		skip();
	path = copy_volume("parent");
	mft = locate(path, 0, 0);
	/* The $FILE_NAME in the folder's record: its parent is 0x42 bytes before. */
	at = search(path, name, sizeof(name), mft + 24 * 1024) - 0x42;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(pread(fd, raw, 8, (off_t)at), 8);
	close(fd);
	assert_int_equal(get_le64(raw) & 0xffffffffffff, FILE_root);
	raw[0] = 64;
	patch(path, at, raw, 8);
	volume_open(&v, path, false);
	assert_int_equal(tree_stat(v.tree, "Many", NULL, &err), -1);
	assert_non_null(strstr(err.reason, "does not name the folder"));
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
	path = copy_volume("write");
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
	path = copy_volume("full");
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
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_hibernation),
		cmocka_unit_test(test_dirty_mark),
		cmocka_unit_test(test_mount_errors),
		cmocka_unit_test(test_index_loop),
		cmocka_unit_test(test_wrong_parent),
		cmocka_unit_test(test_write_through),
		cmocka_unit_test(test_write_error),
		cmocka_unit_test(test_geometries),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
