/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Overlays: kept, made anew, refused; qemu-img finds them sound. */
#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"
#include "init/overlay.h"

static char *folder, *golden_path, *overlay_path;

static int setup(void **state _unused_)
{
	folder = temp_folder_make(NULL, NULL);
	golden_path = xasprintf("%s/golden", folder);
	overlay_path = xasprintf("%s/overlay", folder);
	return 0;
}

static int teardown(void **state _unused_)
{
	free(golden_path);
	free(overlay_path);
	temp_folder_remove(folder);
	return 0;
}

/* A sparse file with some bytes at its start. */
static void make_raw(uint64_t size, const char *text)
{
	assert_int_equal(file_replace(golden_path,
				      (struct bytes){(const uint8_t *)text, strlen(text)},
				      NULL),
			 0);
	assert_int_equal(truncate(golden_path, (off_t)size), 0);
}

static void open_golden(struct overlay_golden *g)
{
	struct error err = ERROR_INIT;

	if (overlay_open_golden(golden_path, g, &err) < 0)
		fail_msg("%s", err.reason);
}

/* True if another program finds no fault. */
static bool sound(const char *path)
{
	struct error err = ERROR_INIT;
	char *argv[] = {(char *)"qemu-img", (char *)"check", (char *)"-q", (char *)"-f",
			(char *)"qcow2",    (char *)path,    NULL};
	bool good = process_run(argv, &err) == 0;

	if (!good && err.reason && strstr(err.reason, "not installed"))
		good = true;
	error_clear(&err);
	return good;
}

static void write_at(const char *path, off_t at, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_int_equal(pwrite(fd, text, strlen(text), at), strlen(text));
}

static bool has_text_at(const char *path, off_t at, const char *text)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	char got[64] = "";

	return pread(fd, got, strlen(text), at) == (ssize_t)strlen(text) &&
	       strcmp(got, text) == 0;
}

static void test_persist(void **state _unused_)
{
	struct overlay_golden g;

	make_raw((uint64_t)40 << 30, "boot");
	open_golden(&g);
	assert_int_equal(g.format, OVERLAY_RAW);
	assert_true(g.size == (uint64_t)40 << 30);
	assert_int_equal(overlay_prepare(overlay_path, &g, true, NULL), 0);
	assert_true(sound(overlay_path));
	/* What is written there stays, or goes. (The L1 table ends in its cluster.) */
	write_at(overlay_path, 4 * 65536 - 8, "mark");
	assert_int_equal(overlay_prepare(overlay_path, &g, true, NULL), 0);
	assert_true(has_text_at(overlay_path, 4 * 65536 - 8, "mark"));
	assert_int_equal(overlay_prepare(overlay_path, &g, false, NULL), 0);
	assert_false(has_text_at(overlay_path, 4 * 65536 - 8, "mark"));
	overlay_golden_free(&g);
}

static void refuse_overlay(const struct overlay_golden *g, enum error_code code,
			   const char *reason)
{
	_cleanup_error_ struct error err = ERROR_INIT;

	assert_int_equal(overlay_prepare(overlay_path, g, true, &err), -1);
	assert_int_equal(err.code, code);
	assert_string_equal(err.subject, overlay_path);
	if (!strstr(err.reason, reason))
		fail_msg("\"%s\" does not speak of %s", err.reason, reason);
}

static void test_other_golden(void **state _unused_)
{
	struct overlay_golden g;

	make_raw(1 << 20, "one");
	open_golden(&g);
	assert_int_equal(overlay_prepare(overlay_path, &g, false, NULL), 0);
	overlay_golden_free(&g);
	make_raw(1 << 20, "two");
	open_golden(&g);
	refuse_overlay(&g, ERROR_STATE, "another golden image");
	assert_int_equal(overlay_prepare(overlay_path, &g, false, NULL), 0);
	assert_int_equal(overlay_prepare(overlay_path, &g, true, NULL), 0);
	/* Changed at its end only. */
	overlay_golden_free(&g);
	write_at(golden_path, (1 << 20) - 3, "end");
	open_golden(&g);
	refuse_overlay(&g, ERROR_STATE, "another golden image");
	make_raw(0, "");
	assert_int_equal(
		file_replace(overlay_path, (struct bytes){(uint8_t *)"x", 1}, NULL), 0);
	refuse_overlay(&g, ERROR_STATE, "damaged");
	overlay_golden_free(&g);
}

/* A seal stands for the bytes: another time makes no other image, another seal does. */
static void test_sealed_golden(void **state _unused_)
{
	struct overlay_hints hints = {.seal = "one", .label = "image one on sda3"};
	struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
	struct overlay_golden first, second;

	make_raw(1 << 20, "same");
	assert_int_equal(overlay_open_golden_as(golden_path, &hints, &first, NULL), 0);
	assert_int_equal(utimensat(AT_FDCWD, golden_path, times, 0), 0);
	assert_int_equal(overlay_open_golden_as(golden_path, &hints, &second, NULL), 0);
	assert_string_equal(first.identity, second.identity);
	overlay_golden_free(&second);
	hints.seal = "two";
	assert_int_equal(overlay_open_golden_as(golden_path, &hints, &second, NULL), 0);
	assert_string_not_equal(first.identity, second.identity);
	overlay_golden_free(&second);
	overlay_golden_free(&first);
}

static void refuse_as(const char *format, enum error_code code, const char *reason)
{
	struct overlay_hints hints = {.format = format, .label = "image one on sda3"};
	_cleanup_error_ struct error err = ERROR_INIT;
	struct overlay_golden g;

	assert_int_equal(overlay_open_golden_as(golden_path, &hints, &g, &err), -1);
	assert_int_equal(err.code, code);
	assert_non_null(err.remedy);
	if (!strstr(err.reason, reason))
		fail_msg("\"%s\" does not speak of %s", err.reason, reason);
}

static void test_format(void **state _unused_)
{
	struct overlay_hints hints = {.format = "raw"};
	_cleanup_buffer_ struct buffer image = BUFFER_INIT;
	struct overlay_golden g;
	char identity[65];

	make_raw(1 << 20, "no header");
	refuse_as("qcow2", ERROR_STATE, "no qcow2");
	refuse_as("vhdx", ERROR_FAILED, "neither raw nor qcow2");
	memset(identity, 'a', 64);
	identity[64] = 0;
	qcow2_write(3 << 20, identity, &image);
	assert_int_equal(file_replace(golden_path, buffer_view(&image), NULL), 0);
	/* A disk on which somebody keeps such a file from its first sector on. */
	assert_int_equal(overlay_open_golden_as(golden_path, &hints, &g, NULL), 0);
	assert_int_equal(g.format, OVERLAY_RAW);
	overlay_golden_free(&g);
	/* The first table beyond the end: it was cut off. */
	image.data[42] = 1;
	assert_int_equal(file_replace(golden_path, buffer_view(&image), NULL), 0);
	refuse_as(NULL, ERROR_STATE, "beyond its end");
}

/* QEMU's own mark, and an overlay that was cut off. */
static void test_damaged_overlay(void **state _unused_)
{
	struct overlay_golden g;

	make_raw(1 << 20, "golden");
	open_golden(&g);
	assert_int_equal(overlay_prepare(overlay_path, &g, false, NULL), 0);
	write_at(overlay_path, 79, "\2");
	refuse_overlay(&g, ERROR_STATE, "is damaged");
	assert_int_equal(overlay_prepare(overlay_path, &g, false, NULL), 0);
	assert_int_equal(truncate(overlay_path, 4096), 0);
	refuse_overlay(&g, ERROR_STATE, "is damaged");
	overlay_golden_free(&g);
}

static void refuse_golden(const char *reason)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct overlay_golden g;

	assert_int_equal(overlay_open_golden(golden_path, &g, &err), -1);
	if (!strstr(err.reason, reason))
		fail_msg("\"%s\" does not speak of %s", err.reason, reason);
}

static void test_qcow2_golden(void **state _unused_)
{
	_cleanup_buffer_ struct buffer image = BUFFER_INIT;
	struct overlay_golden g;
	char identity[65];

	memset(identity, 'a', 64);
	identity[64] = 0;
	qcow2_write(3 << 20, identity, &image);
	assert_int_equal(file_replace(golden_path, buffer_view(&image), NULL), 0);
	open_golden(&g);
	assert_int_equal(g.format, OVERLAY_QCOW2);
	assert_true(g.size == 3 << 20);
	assert_int_equal(overlay_prepare(overlay_path, &g, false, NULL), 0);
	assert_true(sound(overlay_path));
	overlay_golden_free(&g);
	/* One that names a file below it could name any file of the host. */
	image.data[15] = 200;
	assert_int_equal(file_replace(golden_path, buffer_view(&image), NULL), 0);
	refuse_golden("overlay itself");
	image.data[15] = 0;
	image.data[79] = 4;
	assert_int_equal(file_replace(golden_path, buffer_view(&image), NULL), 0);
	refuse_golden("data in another file");
	make_raw(0, "");
	refuse_golden("empty");
	assert_int_equal(file_replace(golden_path, (struct bytes){image.data, 71}, NULL),
			 0);
	refuse_golden("no qcow2");
	assert_int_equal(unlink(golden_path), 0);
	refuse_golden("cannot open");
	assert_int_equal(mkdir(golden_path, 0700), 0);
	refuse_golden("neither a file");
	assert_int_equal(rmdir(golden_path), 0);
}

static void test_header(void **state _unused_)
{
	static const uint64_t sizes[] = {512, (uint64_t)512 << 20,
					 ((uint64_t)512 << 20) + 512, (uint64_t)3 << 40};
	char identity[65];

	memset(identity, '7', 64);
	identity[64] = 0;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		_cleanup_buffer_ struct buffer image = BUFFER_INIT;
		struct qcow2_header h;

		qcow2_write(sizes[i], identity, &image);
		assert_int_equal(qcow2_read(buffer_view(&image), "x", &h, NULL), 0);
		assert_true(h.size == sizes[i] && !h.backing);
		assert_string_equal(h.identity, identity);
		assert_int_equal(file_replace(overlay_path, buffer_view(&image), NULL),
				 0);
		assert_true(sound(overlay_path));
		/* Cut off within its extension: it has none. */
		assert_int_equal(
			qcow2_read((struct bytes){image.data, 150}, "x", &h, NULL), 0);
		assert_string_equal(h.identity, "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_persist),
		cmocka_unit_test(test_other_golden),
		cmocka_unit_test(test_sealed_golden),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_damaged_overlay),
		cmocka_unit_test(test_qcow2_golden),
		cmocka_unit_test(test_header),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
