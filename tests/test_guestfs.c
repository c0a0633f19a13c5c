/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The libguestfs provider without an appliance: its calls are answered from a folder of
 * this machine and from memory. What staged changes show before they are carried out must
 * be there afterwards, whatever they are; answers of a broken appliance are errors.
 */
#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "tree/guestfs.h"

/* ---- an appliance ---------------------------------------------------------------------
 */

struct attribute {
	ino_t file;
	char text[16];
};

struct guestfs_h {
	struct buffer device; /* the content of /dev/disk/guestfs/gild1 */
	struct vec_of(struct attribute) attributes;
	size_t answer; /* at most so many bytes a request; 0: all */
	bool too_much; /* more bytes than were asked for */
	bool fails;    /* every call */
	unsigned requests;
};

static const char *fake_error(guestfs_h *g _unused_)
{
	return "the appliance says no";
}

static char *give(guestfs_h *g, const uint8_t *data, size_t len, size_t wanted,
		  size_t *got)
{
	char *copy;

	g->requests++;
	if (g->fails)
		return NULL;
	*got = len < wanted ? len : wanted;
	if (g->answer && *got > g->answer)
		*got = g->answer;
	copy = xmemdup(*got ? data : (const uint8_t *)"", *got ? *got : 1);
	if (g->too_much)
		*got = wanted + 1;
	return copy;
}

static bool is_device(const char *path)
{
	return strncmp(path, "/dev/", 5) == 0;
}

static char *fake_pread(guestfs_h *g, const char *path, int count, int64_t offset,
			size_t *got)
{
	_cleanup_buffer_ struct buffer file = BUFFER_INIT;
	const struct buffer *from = &file;

	if (is_device(path)) {
		assert_string_equal(path, "/dev/disk/guestfs/gild1");
		from = &g->device;
	} else if (file_read(path, 1 << 20, &file, NULL) < 0) {
		return NULL;
	}
	if ((uint64_t)offset > from->len)
		offset = (int64_t)from->len;
	return give(g, from->data + offset, from->len - (size_t)offset, (size_t)count,
		    got);
}

static int fake_pwrite(guestfs_h *g, const char *path, const char *data, size_t len,
		       int64_t offset)
{
	size_t n = g->answer && g->answer < len ? g->answer : len;

	assert_true(is_device(path));
	assert_true((uint64_t)offset + len <= g->device.len);
	g->requests++;
	if (g->fails)
		return -1;
	memcpy(g->device.data + offset, data, n);
	return (int)n;
}

static int64_t fake_size(guestfs_h *g, const char *device)
{
	assert_string_equal(device, "/dev/sda1");
	return g->fails ? -1 : (int64_t)g->device.len;
}

static int fake_sync(guestfs_h *g)
{
	return g->fails ? -1 : 0;
}

static struct api_dirents *fake_readdir(guestfs_h *g, const char *path)
{
	struct api_dirents *list = xcalloc(1, sizeof(*list));
	struct dirent *entry;
	DIR *folder = g->fails ? NULL : opendir(path);

	if (!folder) {
		free(list);
		return NULL;
	}
	while ((entry = readdir(folder))) {
		list->items =
			xreallocarray(list->items, list->len + 1, sizeof(*list->items));
		list->items[list->len++] =
			(struct api_dirent){.type = 'u', .name = xstrdup(entry->d_name)};
	}
	closedir(folder);
	return list;
}

static void fake_free_dirents(struct api_dirents *list)
{
	for (uint32_t i = 0; i < list->len; i++)
		free(list->items[i].name);
	free(list->items);
	free(list);
}

static struct api_stats *fake_stats(guestfs_h *g _unused_, const char *path,
				    char *const *names)
{
	struct api_stats *list = xcalloc(1, sizeof(*list));

	for (; *names; names++) {
		_cleanup_free_ char *whole = xasprintf("%s/%s", path, *names);
		struct stat st;

		assert_int_equal(lstat(whole, &st), 0);
		list->items =
			xreallocarray(list->items, list->len + 1, sizeof(*list->items));
		list->items[list->len++] = (struct api_stat){
			.ino = (int64_t)st.st_ino,
			.mode = st.st_mode,
			.size = st.st_size,
			.mtime = st.st_mtim.tv_sec,
			.mtime_ns = st.st_mtim.tv_nsec,
		};
	}
	return list;
}

static void fake_free_stats(struct api_stats *list)
{
	free(list->items);
	free(list);
}

static char *fake_getxattr(guestfs_h *g, const char *path, const char *name, size_t *len)
{
	struct stat st;

	assert_string_equal(name, "user.DOSATTRIB");
	assert_int_equal(lstat(path, &st), 0);
	vec_foreach (a, &g->attributes) {
		if (a->file != st.st_ino)
			continue;
		*len = strlen(a->text);
		return xstrdup(a->text);
	}
	return NULL;
}

static int fake_setxattr(guestfs_h *g, const char *name, const char *value, int len,
			 const char *path)
{
	struct attribute new = {0};
	struct stat st;

	assert_string_equal(name, "user.DOSATTRIB");
	assert_int_equal(lstat(path, &st), 0);
	new.file = st.st_ino;
	memcpy(new.text, value, (size_t)len);
	vec_foreach (a, &g->attributes) {
		if (a->file != st.st_ino)
			continue;
		*a = new;
		return 0;
	}
	vec_push(&g->attributes, new);
	return 0;
}

/* A number given to a new file must not bring old attributes with it. */
static void forget_attributes(guestfs_h *g, const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return;
	vec_foreach (a, &g->attributes)
		if (a->file == st.st_ino)
			a->file = 0;
}

static int fake_write(guestfs_h *g, const char *path, const char *data, size_t len)
{
	bool new = access(path, F_OK) < 0;
	int fd = g->fails ? -1
			  : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		return -1;
	assert_int_equal(write(fd, data, len), (ssize_t)len);
	close(fd);
	if (new)
		forget_attributes(g, path);
	return 0;
}

static int fake_upload(guestfs_h *g, const char *host, const char *path)
{
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;

	assert_int_equal(file_read(host, 1 << 24, &data, NULL), 0);
	return fake_write(g, path, (const char *)data.data, data.len);
}

static int fake_download(guestfs_h *g, const char *path, const char *host)
{
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;

	if (g->fails || file_read(path, 1 << 24, &data, NULL) < 0)
		return -1;
	return fake_write(g, host, (const char *)data.data, data.len);
}

static int fake_utimens(guestfs_h *g _unused_, const char *path, int64_t at,
			int64_t at_ns, int64_t mt, int64_t mt_ns)
{
	struct timespec times[] = {{at, at_ns}, {mt, mt_ns}};

	return utimensat(AT_FDCWD, path, times, 0);
}

static int fake_mkdir(guestfs_h *g, const char *path)
{
	if (mkdir(path, 0755) < 0)
		return -1;
	forget_attributes(g, path);
	return 0;
}

static int fake_mv(guestfs_h *g _unused_, const char *from, const char *to)
{
	return rename(from, to);
}

static int fake_rm_rf(guestfs_h *g _unused_, const char *path)
{
	struct stat st;

	return lstat(path, &st) < 0 ? 0 : remove_tree(path, NULL);
}

static const struct guestfs_api fake_api = {
	.last_error = fake_error,
	.pread = fake_pread,
	.pwrite = fake_pwrite,
	.blockdev_getsize64 = fake_size,
	.sync = fake_sync,
	.readdir = fake_readdir,
	.free_dirent_list = fake_free_dirents,
	.lstatnslist = fake_stats,
	.free_statns_list = fake_free_stats,
	.lgetxattr = fake_getxattr,
	.lsetxattr = fake_setxattr,
	.write = fake_write,
	.upload = fake_upload,
	.download = fake_download,
	.utimens = fake_utimens,
	.mkdir = fake_mkdir,
	.mv = fake_mv,
	.rm_rf = fake_rm_rf,
};

/* ---- a volume in it -------------------------------------------------------------------
 */

struct fixture {
	struct guestfs_h appliance;
	struct guestfs guestfs;
	struct guestfs_open volume;
	char *folder;
	struct tree *tree;
};

static void put(const char *folder, const char *name, const char *text)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", folder, name);

	assert_int_equal(file_replace(path,
				      (struct bytes){(const uint8_t *)text, strlen(text)},
				      NULL),
			 0);
}

static void new_tree(struct fixture *f)
{
	if (f->tree)
		tree_free(f->tree);
	f->tree = guestfs_files_tree(NULL, 0, xstrdup("volume"), &f->guestfs, &f->volume);
}

static int setup(void **state)
{
	static const char *const folders[] = {"Windows", "Windows/System32",
					      "Windows/old", "Windows/old/sub", "Boot"};
	struct fixture *f = xcalloc(1, sizeof(*f));
	_cleanup_free_ char *link = NULL;

	f->folder = temp_folder_make(NULL, NULL);
	assert_non_null(f->folder);
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		_cleanup_free_ char *path = xasprintf("%s/%s", f->folder, folders[i]);

		assert_int_equal(mkdir(path, 0755), 0);
	}
	put(f->folder, "Windows/System32/HAL.dll", "hal");
	put(f->folder, "Windows/old/x", "x");
	put(f->folder, "Windows/old/sub/y", "y");
	put(f->folder, "boot.ini", "");
	link = xasprintf("%s/Link", f->folder);
	assert_int_equal(symlink("Windows", link), 0);
	f->guestfs = (struct guestfs){.api = &fake_api,
				      .handle = &f->appliance,
				      .name = (char *)"test",
				      .write = true,
				      .sector_size = 512};
	f->volume.kind = VOLUME_BTRFS;
	f->volume.mountpoint = f->folder;
	new_tree(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	tree_free(f->tree);
	guestfs_forget_folders(&f->volume);
	vec_free(&f->appliance.attributes);
	buffer_free(&f->appliance.device);
	temp_folder_remove(f->folder);
	free(f);
	return 0;
}

/* ---- reading --------------------------------------------------------------------------
 */

static void test_look_up(void **state)
{
	struct fixture *f = *state;
	_cleanup_tree_entries_ struct tree_entries list = VEC_INIT;
	_cleanup_error_ struct error err = ERROR_INIT;
	struct tree_stat st;

	assert_int_equal(tree_stat(f->tree, "WINDOWS/system32/hal.DLL", &st, NULL), 1);
	assert_int_equal(st.type, TREE_FILE);
	assert_int_equal(st.size, 3);
	assert_int_equal(tree_stat(f->tree, "Windows/nothing", &st, NULL), 0);
	assert_int_equal(tree_stat(f->tree, "boot.ini/x", &st, NULL), 0);
	/* Links are seen and not followed. */
	assert_int_equal(tree_stat(f->tree, "link", &st, NULL), 1);
	assert_int_equal(st.type, TREE_LINK);
	assert_int_equal(tree_stat(f->tree, "Link/System32", &st, NULL), 0);
	assert_int_equal(tree_list(f->tree, "windows", &list, NULL), 1);
	assert_int_equal(list.len, 2);
	assert_string_equal(list.items[0].name, "old");
	f->appliance.fails = true;
	assert_int_equal(tree_stat(f->tree, "Boot/x", &st, &err), -1);
	assert_non_null(strstr(err.reason, "the appliance says no"));
}

/* Two names that differ in case only, as Btrfs may have them: the very one is meant. */
static void test_case(void **state)
{
	struct fixture *f = *state;
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;

	put(f->folder, "Windows/System32/hal.dll", "second");
	assert_int_equal(tree_read(f->tree, "Windows/System32/hal.dll", 100, &data, NULL),
			 0);
	assert_int_equal(tree_read(f->tree, "Windows/System32/HAL.dll", 100, &data, NULL),
			 0);
	assert_int_equal(data.len, 9);
	assert_memory_equal(data.data, "secondhal", 9);
}

static void test_read(void **state)
{
	struct fixture *f = *state;
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;
	_cleanup_free_ char *out =
		xasprintf("%s/../gild-extract-%d", f->folder, getpid());
	_cleanup_error_ struct error err = ERROR_INIT;

	assert_int_equal(tree_read(f->tree, "windows/system32/hal.dll", 2, &data, NULL),
			 -1);
	f->appliance.answer = 1; /* short answers are asked on */
	assert_int_equal(tree_read(f->tree, "windows/system32/hal.dll", 3, &data, NULL),
			 0);
	assert_memory_equal(data.data, "hal", 3);
	f->appliance.answer = 0;
	f->appliance.too_much = true;
	assert_int_equal(tree_read(f->tree, "windows/system32/hal.dll", 3, &data, &err),
			 -1);
	f->appliance.too_much = false;
	assert_int_equal(tree_extract(f->tree, "windows/system32/hal.dll", out, NULL), 0);
	data.len = 0;
	assert_int_equal(file_read(out, 100, &data, NULL), 0);
	assert_memory_equal(data.data, "hal", 3);
	assert_int_equal(unlink(out), 0);
	f->appliance.fails = true;
	assert_int_equal(tree_extract(f->tree, "windows/system32/hal.dll", out, NULL),
			 -1);
	assert_int_equal(access(out, F_OK), -1);
}

/* ---- carrying changes out -------------------------------------------------------------
 */

/* Every path with its type, content and attributes, a line each. */
static void dump(struct tree *tree, const char *folder, struct buffer *out)
{
	_cleanup_tree_entries_ struct tree_entries list = VEC_INIT;

	assert_int_equal(tree_list(tree, folder, &list, NULL), 1);
	vec_foreach (entry, &list) {
		_cleanup_free_ char *path = path_join(folder, entry->name);
		_cleanup_buffer_ struct buffer data = BUFFER_INIT;
		struct tree_stat st;

		assert_int_equal(tree_stat(tree, path, &st, NULL), 1);
		if (st.type == TREE_FILE)
			assert_int_equal(tree_read(tree, path, 1 << 20, &data, NULL), 0);
		buffer_printf(out, "%s %d %x %.*s", path, st.type,
			      st.attributes & TREE_ATTR_SETTABLE, (int)data.len,
			      data.len ? (const char *)data.data : "");
		if (st.type == TREE_FILE)
			buffer_printf(out, " %ju",
				      (uintmax_t)filetime_to_unix(st.modified));
		buffer_append_string(out, "\n");
		if (st.type == TREE_FOLDER)
			dump(tree, path, out);
	}
}

/* Applies what is staged and compares what shows before and after. */
static void apply(struct fixture *f)
{
	_cleanup_buffer_ struct buffer before = BUFFER_INIT, after = BUFFER_INIT;
	_cleanup_error_ struct error err = ERROR_INIT;

	dump(f->tree, "", &before);
	if (guestfs_files_apply(&f->guestfs, &f->volume, f->tree, &err) < 0)
		fail_msg("%s", err.reason);
	new_tree(f);
	dump(f->tree, "", &after);
	buffer_append(&before, "", 1);
	buffer_append(&after, "", 1);
	assert_string_equal((char *)after.data, (char *)before.data);
}

static void write_text(struct fixture *f, const char *path, const char *text)
{
	assert_int_equal(tree_write(f->tree, path,
				    (struct bytes){(const uint8_t *)text, strlen(text)},
				    filetime_from_unix(1600000000), NULL),
			 0);
}

static void test_apply(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *host = xasprintf("%s/../gild-host-%d", f->folder, getpid());

	assert_int_equal(tree_set_attributes(f->tree, "boot.ini", 7, NULL), 0);
	apply(f);
	/* Replaced, it keeps them. */
	write_text(f, "BOOT.INI", "[boot loader]");
	write_text(f, "New/er/file", "new");
	apply(f);
	/* Two change places. */
	assert_int_equal(tree_rename(f->tree, "Windows/old/x", "t", NULL), 0);
	assert_int_equal(tree_rename(f->tree, "boot.ini", "Windows/old/x", NULL), 0);
	assert_int_equal(tree_rename(f->tree, "t", "boot.ini", NULL), 0);
	apply(f);
	/* Out of a folder that moves itself, and into it; only the case of a name. */
	assert_int_equal(tree_rename(f->tree, "Windows/old/sub/y", "y", NULL), 0);
	assert_int_equal(tree_rename(f->tree, "Windows/old", "older", NULL), 0);
	assert_int_equal(tree_rename(f->tree, "boot.ini", "older/SUB/z", NULL), 0);
	assert_int_equal(tree_rename(f->tree, "Windows", "WINDOWS", NULL), 0);
	write_text(f, "older/x", "changed in the folder that moved");
	apply(f);
	/* A folder in a file's place, a file in a folder's. */
	assert_int_equal(tree_remove(f->tree, "y", NULL), 0);
	assert_int_equal(tree_mkdir(f->tree, "Y", NULL), 0);
	assert_int_equal(tree_remove(f->tree, "older", NULL), 0);
	write_text(f, "OLDER", "a file");
	assert_int_equal(
		file_replace(host, (struct bytes){(const uint8_t *)"h", 1}, NULL), 0);
	assert_int_equal(tree_write_host(f->tree, "y/from host", host, 0, NULL), 0);
	apply(f);
	assert_int_equal(unlink(host), 0);
}

static unsigned random_below(uint32_t *seed, unsigned limit)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (unsigned)((uint64_t)*seed * limit >> 32);
}

static void random_path(uint32_t *seed, char path[64])
{
	static const char *const names[] = {"a", "B", "b", "Windows", "old", "sub", "x"};
	unsigned depth = 1 + random_below(seed, 3);

	path[0] = '\0';
	for (unsigned i = 0; i < depth; i++) {
		strcat(path, i ? "/" : "");
		strcat(path, names[random_below(seed, ARRAY_SIZE(names))]);
	}
}

/* Any changes in any order, of which many are refused; then again on the result. */
static void test_random(void **state)
{
	struct fixture *f = *state;

	for (uint32_t round = 1; round <= 60; round++) {
		uint32_t seed = round;

		for (unsigned i = 0; i < 12; i++) {
			char a[64], b[64], text[16];

			random_path(&seed, a);
			random_path(&seed, b);
			(void)snprintf(text, sizeof(text), "%u.%u", round, i);
			switch (random_below(&seed, 6)) {
			case 0:
			case 1:
				(void)tree_write(
					f->tree, a,
					(struct bytes){(uint8_t *)text, strlen(text)},
					filetime_from_unix(1500000000 + i), NULL);
				break;
			case 2:
				(void)tree_mkdir(f->tree, a, NULL);
				break;
			case 3:
				(void)tree_rename(f->tree, a, b, NULL);
				break;
			case 4:
				(void)tree_remove(f->tree, a, NULL);
				break;
			default:
				(void)tree_set_attributes(f->tree, a,
							  random_below(&seed, 8), NULL);
			}
		}
		apply(f);
	}
}

static void test_apply_fails(void **state)
{
	struct fixture *f = *state;
	_cleanup_error_ struct error err = ERROR_INIT;

	write_text(f, "new", "x");
	f->appliance.fails = true;
	assert_int_equal(guestfs_files_apply(&f->guestfs, &f->volume, f->tree, &err), -1);
	assert_non_null(strstr(err.reason, "the appliance says no"));
}

/* ---- the block ------------------------------------------------------------------------
 */

#define DEVICE_SIZE ((size_t)24 << 20)

static void test_block(void **state)
{
	struct fixture *f = *state;
	struct buffer *device = &f->appliance.device, model = BUFFER_INIT;
	_cleanup_free_ uint8_t *piece = xmalloc(400000);
	struct block *block;
	uint32_t seed = 7;

	device->data = xcalloc(1, DEVICE_SIZE);
	device->len = DEVICE_SIZE - 512; /* the last chunk is cut short */
	for (size_t i = 0; i < device->len; i++)
		device->data[i] = (uint8_t)(i * 2654435761u >> 24);
	buffer_append(&model, device->data, device->len);
	block = guestfs_block_open(&f->guestfs, "/dev/sda1", true, NULL);
	assert_non_null(block);
	assert_int_equal(block->size, device->len);
	f->appliance.answer = 100000;
	for (unsigned i = 0; i < 600; i++) {
		size_t len = 1 + random_below(&seed, i % 8 ? 5000 : 400000);
		uint64_t at = (uint64_t)random_below(&seed, 65536) * 383;

		if (at + len > block->size)
			at = block->size - len;
		if (random_below(&seed, 2)) {
			memset(piece, (int)i, len);
			memcpy(model.data + at, piece, len);
			assert_int_equal(block_pwrite(block, piece, len, at, NULL), 0);
		} else {
			assert_int_equal(block_pread(block, piece, len, at, NULL), 0);
			assert_memory_equal(piece, model.data + at, len);
		}
	}
	assert_int_equal(block_flush(block, NULL), 0);
	assert_memory_equal(device->data, model.data, model.len);
	block_close(block);
	buffer_free(&model);
}

/* Small writes to one place cost no request each. */
static void test_block_gathers(void **state)
{
	struct fixture *f = *state;
	struct block *block;

	f->appliance.device.data = xcalloc(1, 1 << 20);
	f->appliance.device.len = 1 << 20;
	block = guestfs_block_open(&f->guestfs, "/dev/sda1", true, NULL);
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(block_pwrite(block, "ab", 2, i * 3, NULL), 0);
	assert_int_equal(block_flush(block, NULL), 0);
	assert_in_range(f->appliance.requests, 1, 4);
	assert_memory_equal(f->appliance.device.data, "ab\0ab\0ab", 8);
	block_close(block);
}

static void test_block_fails(void **state)
{
	struct fixture *f = *state;
	_cleanup_error_ struct error err = ERROR_INIT;
	struct block *block;
	char byte;

	f->appliance.device.data = xcalloc(1, 1 << 20);
	f->appliance.device.len = 1 << 20;
	block = guestfs_block_open(&f->guestfs, "/dev/sda1", true, NULL);
	f->appliance.too_much = true;
	assert_int_equal(block_pread(block, &byte, 1, 0, &err), -1);
	f->appliance.too_much = false;
	assert_int_equal(block_pwrite(block, "x", 1, 5, NULL), 0);
	f->appliance.fails = true;
	assert_int_equal(block_pread(block, &byte, 1, 1 << 19, &err), -1);
	assert_int_equal(block_flush(block, &err), -1);
	assert_non_null(strstr(err.reason, "the appliance says no"));
	block_close(block);
	assert_null(guestfs_block_open(&f->guestfs, "/dev/sda1", true, &err));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_look_up), TEST(test_case),	      TEST(test_read),
		TEST(test_apply),   TEST(test_random),	      TEST(test_apply_fails),
		TEST(test_block),   TEST(test_block_gathers), TEST(test_block_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
