/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What keeps an NTFS volume from being edited, and volumes that are not as they should
 * be. */
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "ntfs_volume.h"

#include "base/file.h"

#include <ntfs-3g/dir.h>

/* ---- state --------------------------------------------------------------------------
 */

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
	volume_patch(path, log + page * 4096, raw, sizeof(raw));
}

static void test_log(void **state _unused_)
{
	_cleanup_free_ char *path = NULL;
	uint64_t log;

	if (!pristine)
		skip();
	path = volume_copy("log");
	log = volume_locate(path, 2, 0);
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
	volume_patch(path, log + 1022, "\1\2", 2);
	check_state(path, NTFS_SOUND, NULL);
	volume_patch(path, log + 4096 + 1022, "\1\2", 2);
	check_state(path, NTFS_LOG_UNCLEAN, "no valid restart page");
	volume_patch(path, log, "CHKD", 4);
	volume_patch(path, log + 6, "\0\0", 2);
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
	path = volume_copy("hibernated");
	put_hibernation(path, "hibr", 0xa8, 0, 0);
	check_state(path, NTFS_HIBERNATED, "holds its session");
	put_hibernation(path, "HIBR", 0x3e0, 0x364, 0);
	check_state(path, NTFS_HIBERNATED, "holds its session");
	put_hibernation(path, "HIBR", 0x3e0, 0x364, 1);
	check_state(path, NTFS_FAST_STARTED, "kernel's session");
	put_hibernation(path, "HIBR", 0x2c8, 0x27c, 1);
	check_state(path, NTFS_FAST_STARTED, "kernel's session");
	/* A header of a Windows yet to come: which of the two cannot be told. */
	put_hibernation(path, "HIBR", 0x500, 0x364, 1);
	check_state(path, NTFS_HIBERNATED, "of fast startup");
	put_hibernation(path, "RSTR", 0x3e0, 0x364, 0);
	check_state(path, NTFS_HIBERNATED, "holds its session");
	put_hibernation(path, "WAKE", 0x3e0, 0x364, 1);
	check_state(path, NTFS_SOUND, NULL);
	put_hibernation(path, "wake", 0xa8, 0, 0);
	check_state(path, NTFS_SOUND, NULL);
	put_hibernation(path, "", 0, 0, 0);
	check_state(path, NTFS_SOUND, NULL);
	small = volume_copy("small");
	volume = ntfs_sample_mount(small);
	ntfs_sample_file(volume, "hiberfil.sys", (struct bytes){(const uint8_t *)"x", 1},
			 NTFS_SAMPLE_PLAIN);
	ntfs_sample_unmount(volume);
	check_state(small, NTFS_HIBERNATED, "too small");
}

/* Takes both copies' marks, then writes them: with one of the two it does not mount. */
static void put_marks(const char *path, unsigned sector)
{
	struct buffer marks[2] = {BUFFER_INIT, BUFFER_INIT};
	struct error err = ERROR_INIT;
	uint64_t offsets[3];
	struct volume v;

	volume_open(&v, path, false);
	v.block.block.sector_size = sector;
	for (unsigned copy = 0; copy < 2; copy++)
		if (ntfs_dirty_mark(v.ntfs, copy, &offsets[copy], &marks[copy], &err) !=
		    1)
			fail_msg("%s", err.reason);
	assert_int_equal(ntfs_dirty_mark(v.ntfs, 2, &offsets[2], &marks[0], NULL), 0);
	volume_close(&v);
	assert_true(offsets[0] != offsets[1]);
	for (unsigned copy = 0; copy < 2; copy++) {
		assert_int_equal(marks[copy].len, sector);
		assert_int_equal(offsets[copy] % sector, 0);
		volume_patch(path, offsets[copy], marks[copy].data, marks[copy].len);
		buffer_free(&marks[copy]);
	}
}

/* What journal_mark() would write, written: the flag is set and all else is as it was. */
static void test_dirty_mark(void **state _unused_)
{
	static const unsigned sectors[] = {512, 4096};

	if (!pristine)
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(sectors); i++) {
		_cleanup_buffer_ struct buffer before = BUFFER_INIT, after = BUFFER_INIT;
		_cleanup_free_ char *path = xasprintf("%s/mark", scratch);
		size_t changed = 0;

		assert_true(ntfs_sample_format(path, VOLUME_SIZE, sectors[i], 4096));
		assert_int_equal(file_read(path, VOLUME_SIZE, &before, NULL), 0);
		put_marks(path, sectors[i]);
		check_state(path, NTFS_DIRTY, "dirty flag");
		assert_int_equal(file_read(path, VOLUME_SIZE, &after, NULL), 0);
		for (size_t at = 0; at < before.len; at++)
			changed += before.data[at] != after.data[at];
		assert_int_equal(changed, 2);
		(void)unlink(path);
	}
}

/* ---- volumes that lie ---------------------------------------------------------------
 */

static void mount_fails(const char *path, const char *why)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_block_ struct block *block = block_file_open(path, false, 0, NULL);

	assert_null(ntfs_open(block, false, &err));
	if (!strstr(err.reason, why))
		fail_msg("%s", err.reason);
}

static void test_mount_errors(void **state _unused_)
{
	_cleanup_free_ char *path = NULL;
	uint64_t mft;

	if (!pristine)
		skip();
	path = volume_copy("damaged");
	mft = volume_locate(path, 0, 0);
	/* $MFT says no longer what $MFTMirr does. */
	volume_patch(path, mft + 3 * 1024 + 0x16, "\1\1", 2);
	mount_fails(path, "cannot be mounted: ");
	assert_int_equal(truncate(path, VOLUME_SIZE / 2), 0);
	mount_fails(path, "is cut short");
	volume_patch(path, 3, "FAT32   ", 8);
	mount_fails(path, "is no NTFS volume");
}

/* Where the $DATA attribute of a record of $MFT begins. */
static uint64_t data_attribute(const char *path, uint64_t record)
{
	_cleanup_buffer_ struct buffer all = BUFFER_INIT;
	uint64_t at = volume_locate(path, 0, record * 1024);
	const uint8_t *raw;
	uint32_t a;

	assert_int_equal(file_read(path, VOLUME_SIZE, &all, NULL), 0);
	raw = all.data + at;
	for (a = get_le16(raw + 0x14); get_le32(raw + a) != 0x80;
	     a += get_le32(raw + a + 4))
		assert_true(get_le32(raw + a) < 0x80);
	return at + a;
}

/* libntfs-3g would not release what it has of such a volume: seen by leak checkers. */
static void test_attribute_definitions(void **state _unused_)
{
	_cleanup_free_ char *path = NULL;
	uint64_t data;

	if (!pristine)
		skip();
	path = volume_copy("attrdef");
	data = data_attribute(path, FILE_AttrDef);
	volume_patch(path, data + 0x33, "\1", 1); /* 16 MiB more */
	mount_fails(path, "$AttrDef cannot be read");
	volume_patch(path, data + 0x33, "\0", 1);
	volume_patch(path, data, "\x90", 1); /* no $DATA at all */
	mount_fails(path, "$AttrDef cannot be read");
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
	path = volume_copy("loop");
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
		volume_patch(path, at, block, 4096);
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
	path = volume_copy("parent");
	mft = volume_locate(path, 0, 0);
	/* The $FILE_NAME in the folder's record: its parent is 0x42 bytes before. */
	at = search(path, name, sizeof(name), mft + 24 * 1024) - 0x42;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(pread(fd, raw, 8, (off_t)at), 8);
	close(fd);
	assert_int_equal(get_le64(raw) & 0xffffffffffff, FILE_root);
	raw[0] = 64;
	volume_patch(path, at, raw, 8);
	volume_open(&v, path, false);
	assert_int_equal(tree_stat(v.tree, "Many", NULL, &err), -1);
	assert_non_null(strstr(err.reason, "does not name the folder"));
	volume_close(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_hibernation),
		cmocka_unit_test(test_dirty_mark),
		cmocka_unit_test(test_mount_errors),
		cmocka_unit_test(test_attribute_definitions),
		cmocka_unit_test(test_index_loop),
		cmocka_unit_test(test_wrong_parent),
	};

	return cmocka_run_group_tests(tests, volumes_setup, volumes_teardown);
}
