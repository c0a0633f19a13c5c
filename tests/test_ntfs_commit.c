/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Staged changes carried out on NTFS volumes that mkntfs and libntfs-3g make. */
#include "test.h"

#include <errno.h>
#include <limits.h>
#include <sys/mman.h>
#include <unistd.h>

/* The others need it first. */
#include "ntfs_volume.h"

#include <ntfs-3g/dir.h>
#include <ntfs-3g/ea.h>
#include <ntfs-3g/object_id.h>
#include <ntfs-3g/security.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/short_name.h"
#include "base/text.h"
#include "tree/ntfs_commit.h"
#include "tree/security.h"

#define EPOCH "1720000000"

/* Where a write fails inside of it, libntfs-3g forgets an inode now and then. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libntfs-3g.so";
}

/* ---- short names ---------------------------------------------------------------------
 */

static char *short_name(const char *name, unsigned n)
{
	_cleanup_buffer_ struct buffer units = BUFFER_INIT, ret = BUFFER_INIT;

	utf16_append(&units, name);
	if (!short_name_candidate(buffer_view(&units), n, &ret))
		return NULL;
	return utf16_to_utf8(ret.data, ret.len);
}

static void test_short_names(void **state _unused_)
{
	/* The hashed ones are what Windows made of these names. */
	static const struct {
		const char *name;
		unsigned n;
		const char *want;
	} cases[] = {
		{"Program Files", 0, "PROGRA~1"},
		{"Program Files (x86)", 1, "PROGRA~2"},
		{"SomeStuff.aspx", 0, "SOMEST~1.ASP"},
		{"SomeStuff.aspx", 4, "SOBC84~1.ASP"},
		{"SomeStuff.aspx", 12, "SOBC84~9.ASP"},
		{"SomeStuff.aspx", 13, "SOBC8~10.ASP"},
		{"Rammstein & Tatu - Moscow.mp3", 4, "RA8E17~1.MP3"},
		{"Rammstein - Asche zu Asche.mp3", 4, "RA23A6~1.MP3"},
		{"Rammstein - Du Hast.mp3", 4, "RA0CAE~1.MP3"},
		{"Rammstein - Haifisch.mp3", 4, "RA6BAA~1.MP3"},
		{"5+6 June Report.doc", 0, "5_6JUN~1.DOC"},
		{"a.testing.file.bat", 0, "ATESTI~1.BAT"},
		{".gitignore", 0, "GITIGN~1"},
		{"..two.dots.x", 0, "TWODOT~1.X"},
		{"net1ic64.inf_amd64_5e6bcdc4ba3f7a53", 0, "NET1IC~1.INF"},
		{"Ünïcode.txt", 0, "_N_COD~1.TXT"},
		{"x y", 0, "XY~1"},
		{"a [b];=,.sys", 0, "A_B___~1.SYS"},
		{"日本", 0, "__~1"},
		{"n.html", 0, "N~1.HTM"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *got = short_name(cases[i].name, cases[i].n);

		assert_string_equal(got, cases[i].want);
	}
	assert_null(short_name("SomeStuff.aspx", 1000000));
}

static void test_short_validity(void **state _unused_)
{
	static const char *const valid[] = {
		"a", "ntoskrnl.exe", "A.B", "12345678.123", "hal.dll", "~1", "a-b_c!.x"};
	static const char *const not_valid[] = {
		"123456789", "a.html", ".x",  "a.b.c", "a b", "a+b", "x.",
		"ä.txt",     "a[1]",   "a;b", "a,b",   "a=b", "",    "a."};

	for (size_t i = 0; i < ARRAY_SIZE(valid); i++) {
		_cleanup_buffer_ struct buffer units = BUFFER_INIT;

		utf16_append(&units, valid[i]);
		assert_true(short_name_valid(buffer_view(&units)));
	}
	for (size_t i = 0; i < ARRAY_SIZE(not_valid); i++) {
		_cleanup_buffer_ struct buffer units = BUFFER_INIT;

		utf16_append(&units, not_valid[i]);
		assert_false(short_name_valid(buffer_view(&units)));
	}
}

/* ---- an edit
 * ----------------------------------------------------------------------------
 */

/* A volume that is read, to stage changes, and then written to. */
struct edit {
	char *path;
	struct volume base;
};

static void edit_open(struct edit *e, char *path)
{
	e->path = path;
	volume_open(&e->base, path, false);
}

static struct bytes text(const char *s)
{
	return (struct bytes){(const uint8_t *)s, strlen(s)};
}

static void put(struct edit *e, const char *path, const char *content)
{
	assert_int_equal(tree_write(e->base.tree, path, text(content), 0, NULL), 0);
}

/* A file of so many bytes. */
static void put_large(struct edit *e, const char *path, size_t len)
{
	_cleanup_buffer_ struct buffer data = ntfs_sample_noise(len, 7);
	_cleanup_free_ char *host = xasprintf("%s/large-%zu", scratch, len);

	assert_int_equal(file_replace(host, buffer_view(&data), NULL), 0);
	assert_int_equal(tree_write_host(e->base.tree, path, host, 0, NULL), 0);
}

static void apply(struct edit *e)
{
	struct error err = ERROR_INIT;
	struct volume v;

	volume_open(&v, e->path, true);
	if (ntfs_check_space(v.ntfs, e->base.tree, &err) < 0 ||
	    ntfs_apply(v.ntfs, e->base.tree, &err) < 0)
		fail_msg("%s: %s", err.subject, err.reason);
	volume_close(&v);
	volume_close(&e->base);
}

static ntfs_inode *open_path(ntfs_volume *volume, const char *path)
{
	ntfs_inode *inode = ntfs_pathname_to_inode(volume, NULL, path);

	if (!inode)
		fail_msg("%s: %s", path, strerror(errno));
	return inode;
}

/* ---- metadata
 * ---------------------------------------------------------------------------
 */

/* One extended attribute as it lies on the volume. */
static void append_ea(struct buffer *b, const char *name, const char *value)
{
	size_t start = b->len;

	buffer_append_le32(b, 0);
	buffer_append(b, "", 1);
	buffer_append(b, (const uint8_t[]){(uint8_t)strlen(name)}, 1);
	buffer_append_le16(b, (uint16_t)strlen(value));
	buffer_append(b, name, strlen(name) + 1);
	buffer_append(b, value, strlen(value));
	while ((b->len - start) % 4)
		buffer_append(b, "", 1);
	put_le32(b->data + start, (uint32_t)(b->len - start));
}

static const uint8_t object_id[16] = {1, 2,  3,	 4,  5,	 6,  7,	 8,
				      9, 10, 11, 12, 13, 14, 15, 16};

static char *prepare_metadata(void)
{
	char *path = volume_copy("metadata");
	_cleanup_buffer_ struct buffer ea = BUFFER_INIT, only = BUFFER_INIT;
	ntfs_volume *volume = ntfs_sample_mount(path);
	ntfs_inode *inode = open_path(volume, "Content/resident.txt");
	static const char stream[] = "from the net";
	ntfschar *name = NULL;
	int len = ntfs_mbstoucs("Zone", &name);

	append_ea(&ea, "$CI.CATALOGHINT", "some.cat");
	append_ea(&ea, "$KERNEL.PURGE.ESBCACHE", "a verdict");
	append_ea(&ea, "LAST", "kept");
	assert_int_equal(ntfs_set_ntfs_ea(inode, (char *)ea.data, ea.len, 0), 0);
	assert_int_equal(ntfs_set_ntfs_object_id(inode, (const char *)object_id, 16, 0),
			 0);
	assert_int_equal(ntfs_attr_add(inode, AT_DATA, name, (u8)len, (const u8 *)stream,
				       sizeof(stream)),
			 0);
	ntfs_inode_close(inode);
	inode = open_path(volume, "Content/first name");
	append_ea(&only, "$KERNEL.PURGE.X", "a verdict");
	assert_int_equal(ntfs_set_ntfs_ea(inode, (char *)only.data, only.len, 0), 0);
	assert_int_equal(ntfs_attr_add(inode, AT_DATA, name, (u8)len, (const u8 *)stream,
				       sizeof(stream)),
			 0);
	ntfs_inode_close(inode);
	free(name);
	ntfs_sample_unmount(volume);
	return path;
}

static bool has_stream(ntfs_inode *inode, const char *text_name)
{
	ntfschar *name = NULL;
	int len = ntfs_mbstoucs(text_name, &name);
	bool has = ntfs_attr_exist(inode, AT_DATA, name, (u32)len);

	free(name);
	return has;
}

static void test_replaced_metadata(void **state _unused_)
{
	struct edit e;
	ntfs_volume *volume;
	ntfs_inode *inode;
	uint64_t number;
	char buf[256];

	if (!pristine)
		skip();
	edit_open(&e, prepare_metadata());
	put(&e, "Content/resident.txt", "new");
	put(&e, "Content/first name", "new too");
	apply(&e);
	volume = ntfs_sample_mount(e.path);
	inode = open_path(volume, "Content/resident.txt");
	/* Object ID and streams stay; what NTFS drops on a write is gone. */
	assert_true(ntfs_get_ntfs_object_id(inode, buf, sizeof(buf)) >= 16);
	assert_memory_equal(buf, object_id, 16);
	assert_true(has_stream(inode, "Zone"));
	assert_int_equal(inode->data_size, 3);
	assert_int_equal(ntfs_get_ntfs_ea(inode, buf, sizeof(buf)), 32 + 20);
	assert_memory_equal(buf + 8, "$CI.CATALOGHINT\0some.cat", 24);
	ntfs_inode_close(inode);
	/* The copy of a hard link has streams and EAs of its own. */
	inode = open_path(volume, "Content/first name");
	number = inode->mft_no;
	assert_true(has_stream(inode, "Zone"));
	assert_false(ntfs_attr_exist(inode, AT_EA, AT_UNNAMED, 0));
	assert_int_equal(inode->data_size, 7);
	assert_int_equal(le16_to_cpu(inode->mrec->link_count), 2);
	ntfs_inode_close(inode);
	inode = open_path(volume, "Content/second name");
	assert_int_not_equal(inode->mft_no, number);
	assert_int_equal(inode->data_size, 5000);
	assert_true(ntfs_attr_exist(inode, AT_EA, AT_UNNAMED, 0));
	assert_int_equal(le16_to_cpu(inode->mrec->link_count), 1);
	ntfs_inode_close(inode);
	ntfs_sample_unmount(volume);
	free(e.path);
}

static struct buffer descriptor_of(ntfs_volume *volume, ntfs_inode *inode)
{
	struct SECURITY_CONTEXT context = {.vol = volume};
	struct buffer ret = BUFFER_INIT;
	int size = ntfs_get_ntfs_acl(&context, inode, NULL, 0);

	assert_true(size > 0);
	assert_int_equal(ntfs_get_ntfs_acl(&context, inode,
					   (char *)buffer_reserve(&ret, (size_t)size),
					   (size_t)size),
			 size);
	ret.len = (size_t)size;
	return ret;
}

static void test_new_metadata(void **state _unused_)
{
	struct edit e;
	ntfs_volume *volume;
	ntfs_inode *folder, *file;
	uint64_t now = clock_filetime();

	if (!pristine)
		skip();
	edit_open(&e, volume_copy("new"));
	put(&e, "Content/New folder/New file.txt", "x");
	assert_int_equal(tree_write(e.base.tree, "Content/New folder/dated", text("y"),
				    125911584000000002, NULL),
			 0);
	assert_int_equal(tree_set_attributes(e.base.tree, "Content/New folder/dated",
					     TREE_ATTR_READONLY | TREE_ATTR_HIDDEN, NULL),
			 0);
	apply(&e);
	volume = ntfs_sample_mount(e.path);
	folder = open_path(volume, "Content/New folder");
	file = open_path(volume, "Content/New folder/New file.txt");
	{
		_cleanup_buffer_ struct buffer parent = descriptor_of(volume, folder);
		_cleanup_buffer_ struct buffer own = descriptor_of(volume, file);
		_cleanup_buffer_ struct buffer want = BUFFER_INIT;

		security_inherit(buffer_view(&parent), false, &want);
		assert_true(bytes_equal(buffer_view(&own), buffer_view(&want)));
	}
	assert_int_equal(file->flags, FILE_ATTR_ARCHIVE);
	assert_int_equal(folder->flags, 0);
	assert_int_equal(file->creation_time, now);
	assert_int_equal(file->last_data_change_time, now);
	assert_int_equal(folder->last_mft_change_time, now);
	ntfs_inode_close(file);
	ntfs_inode_close(folder);
	file = open_path(volume, "Content/New folder/dated");
	assert_int_equal(file->last_data_change_time, 125911584000000002);
	assert_int_equal(file->creation_time, now);
	assert_int_equal(le32_to_cpu(file->flags), TREE_ATTR_READONLY | TREE_ATTR_HIDDEN);
	ntfs_inode_close(file);
	ntfs_sample_unmount(volume);
	free(e.path);
}

/* ---- moves
 * --------------------------------------------------------------------------------
 */

static void check(struct volume *v, const char *path, const char *content)
{
	_cleanup_buffer_ struct buffer got = BUFFER_INIT;
	struct error err = ERROR_INIT;

	if (tree_read(v->tree, path, 1 << 20, &got, &err) < 0)
		fail_msg("%s: %s", path, err.reason);
	assert_int_equal(got.len, strlen(content));
	assert_memory_equal(got.data, content, got.len);
}

static void test_moves(void **state _unused_)
{
	struct volume v;
	struct edit e;

	if (!pristine)
		skip();
	edit_open(&e, volume_copy("moves"));
	put(&e, "one/two/three/file", "deep");
	put(&e, "one/a", "A");
	put(&e, "one/b", "B");
	put(&e, "gone/kept/file", "kept");
	apply(&e);
	volume_open(&e.base, e.path, false);
	/* Out of a folder that goes, and into one that was below it. */
	assert_int_equal(tree_rename(e.base.tree, "gone/kept", "saved", NULL), 0);
	assert_int_equal(tree_remove(e.base.tree, "gone", NULL), 0);
	/* A folder and what was in it change places. */
	assert_int_equal(tree_rename(e.base.tree, "one/two", "top", NULL), 0);
	assert_int_equal(tree_rename(e.base.tree, "one", "top/one", NULL), 0);
	/* Two files swap; then one is written to. */
	assert_int_equal(tree_rename(e.base.tree, "top/one/a", "t", NULL), 0);
	assert_int_equal(tree_rename(e.base.tree, "top/one/b", "top/one/a", NULL), 0);
	assert_int_equal(tree_rename(e.base.tree, "t", "top/one/b", NULL), 0);
	put(&e, "top/one/b", "new A");
	assert_int_equal(tree_rename(e.base.tree, "top/three", "top/THREE", NULL), 0);
	apply(&e);
	volume_open(&v, e.path, false);
	check(&v, "saved/file", "kept");
	check(&v, "top/THREE/file", "deep");
	check(&v, "top/one/a", "B");
	check(&v, "top/one/b", "new A");
	assert_int_equal(tree_stat(v.tree, "gone", NULL, NULL), 0);
	assert_int_equal(tree_stat(v.tree, "one", NULL, NULL), 0);
	volume_close(&v);
	free(e.path);
}

/* ---- room and failures
 * ------------------------------------------------------------------
 */

static void test_no_room(void **state _unused_)
{
	struct error err = ERROR_INIT;
	struct volume v;
	struct edit e;

	if (!pristine)
		skip();
	edit_open(&e, volume_copy("full"));
	put_large(&e, "large", VOLUME_SIZE);
	volume_open(&v, e.path, true);
	assert_int_equal(ntfs_check_space(v.ntfs, e.base.tree, &err), -1);
	assert_int_equal(err.code, ERROR_FAILED);
	assert_non_null(strstr(err.reason, "bytes free and up to"));
	assert_non_null(err.remedy);
	error_clear(&err);
	/* And if it is tried all the same. */
	assert_int_equal(ntfs_apply(v.ntfs, e.base.tree, &err), -1);
	assert_non_null(strstr(err.reason, "the volume is full"));
	error_clear(&err);
	assert_int_equal(v.block.writes, 0);
	volume_close(&v);
	volume_close(&e.base);
	free(e.path);
}

/* Records run out before clusters: the error is libntfs-3g's, and said in full. */
static void test_no_records(void **state _unused_)
{
	_cleanup_free_ char *path = xasprintf("%s/tiny", scratch);
	struct error err = ERROR_INIT;
	struct volume v;
	struct edit e;

	if (!pristine)
		skip();
	assert_true(ntfs_sample_format(path, 2u << 20, 512, 4096));
	edit_open(&e, xstrdup(path));
	for (unsigned i = 0; i < 3000; i++) {
		_cleanup_free_ char *name = xasprintf("file %u", i);

		put(&e, name, "some bytes that lie in the record itself");
	}
	volume_open(&v, e.path, true);
	assert_int_equal(ntfs_check_space(v.ntfs, e.base.tree, NULL), -1);
	assert_int_equal(ntfs_apply(v.ntfs, e.base.tree, &err), -1);
	assert_non_null(err.subject);
	assert_non_null(err.remedy);
	error_clear(&err);
	(void)ntfs_close(v.ntfs, NULL);
	tree_free(v.tree);
	close(v.block.fd);
	free(v.block.block.name);
	free(v.path);
	volume_close(&e.base);
	free(e.path);
}

/* A private copy of the volume in memory; writes fail from the n-th on. */
static uint8_t *image;
static unsigned writes_left;

static int failing_pread(struct block *block _unused_, void *buf, size_t len,
			 uint64_t offset, struct error *err _unused_)
{
	memcpy(buf, image + offset, len);
	return 0;
}

static int failing_pwrite(struct block *block, const void *buf, size_t len,
			  uint64_t offset, struct error *err)
{
	if (!writes_left)
		return error_set(err, ERROR_FAILED, block->name, "the cable came off");
	writes_left--;
	memcpy(image + offset, buf, len);
	return 0;
}

static int failing_flush(struct block *block _unused_, struct error *err _unused_)
{
	return 0;
}

static const struct block_ops failing_ops = {
	.pread = failing_pread,
	.pwrite = failing_pwrite,
	.flush = failing_flush,
};

static int apply_failing(const struct edit *e, struct error *err)
{
	struct block block = {&failing_ops, (char *)"volume", VOLUME_SIZE, 512, true};
	struct ntfs *ntfs;
	int result;

	image = mmap(NULL, VOLUME_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE,
		     e->base.block.fd, 0);
	assert_true(image != MAP_FAILED);
	ntfs = ntfs_open(&block, true, err);
	assert_non_null(ntfs);
	result = ntfs_apply(ntfs, e->base.tree, err);
	/* It leaves nothing to the unmounting, where libntfs-3g leaks on errors. */
	if (result == 0)
		assert_int_equal(writes_left, 0);
	writes_left = UINT_MAX;
	if (ntfs_close(ntfs, NULL) < 0)
		assert_int_equal(result, -1);
	munmap(image, VOLUME_SIZE);
	return result;
}

static void stage_for_failure(struct edit *e)
{
	put(e, "New folder/a long name of it.txt", "x");
	put_large(e, "New folder/large.bin", 200000);
	put(e, "Content/first name", "new");
	put(e, "Wof/0-1", "plain");
	assert_int_equal(tree_remove(e->base.tree, "Reparse", NULL), 0);
	assert_int_equal(tree_rename(e->base.tree, "Content/old.txt", "older.txt", NULL),
			 0);
	assert_int_equal(tree_set_attributes(e->base.tree, "Content/large.txt",
					     TREE_ATTR_HIDDEN, NULL),
			 0);
}

/* Whatever write fails: an error that names the cause, no crash and nothing leaked. */
static void test_write_errors(void **state _unused_)
{
	struct edit e;
	unsigned n;

	if (!pristine)
		skip();
	edit_open(&e, xstrdup(pristine));
	stage_for_failure(&e);
	for (n = 0;; n++) {
		struct error err = ERROR_INIT;

		writes_left = n;
		if (apply_failing(&e, &err) == 0)
			break;
		assert_int_equal(err.code, ERROR_FAILED);
		assert_non_null(strstr(err.reason, "the cable came off"));
		error_clear(&err);
	}
	assert_in_range(n, 20, 500);
	volume_close(&e.base);
	free(e.path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_short_names),
		cmocka_unit_test(test_short_validity),
		cmocka_unit_test(test_replaced_metadata),
		cmocka_unit_test(test_new_metadata),
		cmocka_unit_test(test_moves),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_no_records),
		cmocka_unit_test(test_write_errors),
	};

	setenv("SOURCE_DATE_EPOCH", EPOCH, 1);
	return cmocka_run_group_tests(tests, volumes_setup, volumes_teardown);
}
