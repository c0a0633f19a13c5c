/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The parts of boot media that need no program of others: GRUB's files, settings, UKI. */
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "block/fat.h"
#include "image/grub.h"
#include "image/pack_private.h"
#include "image/sbat.h"
#include "image/uki.h"

static struct bytes text(const char *s)
{
	return (struct bytes){(const uint8_t *)s, strlen(s)};
}

/* ---- GRUB ---- */

static void environment_is_read_and_written(void **state _unused_)
{
	struct grub_environment in = {'b', 3, 'a'}, out = {0};
	_cleanup_buffer_ struct buffer block = BUFFER_INIT;

	grub_environment_write(&in, &block);
	assert_int_equal(block.len, GRUB_ENVIRONMENT_SIZE);
	assert_memory_equal(block.data,
			    "# GRUB Environment Block\nslot=b\ntries=3\ngood=a\n#", 48);
	assert_int_equal(block.data[GRUB_ENVIRONMENT_SIZE - 1], '#');
	grub_environment_read(buffer_view(&block), &out);
	assert_int_equal(out.slot, 'b');
	assert_int_equal(out.tries, 3);
	assert_int_equal(out.good, 'a');
	/* What makes no sense, is missing or is part of another word. */
	grub_environment_read(text("x\nslot=c\ntries=x\nnogood=b\ngood="), &out);
	assert_int_equal(out.slot, 'a');
	assert_int_equal(out.tries, 3);
	assert_int_equal(out.good, 0);
	grub_environment_read(text("tries=0"), &out);
	assert_int_equal(out.tries, 0);
}

static void menu_has_an_entry_for_each_image(void **state _unused_)
{
	struct golden items[] = {
		{.name = (char *)"a", .title = (char *)"Windows 7 (it's \"$a\")"},
		{.name = (char *)"b", .title = (char *)"b"}};
	struct goldens goldens = {.items = items, .len = 1};
	_cleanup_free_ char *one = NULL, *two = NULL, *none = NULL;

	one = grub_menu("gild/a", "gild.root=x:1  quiet", &goldens, NULL, NULL);
	assert_string_equal(one, "# Made by gild pack.\n"
				 "menuentry 'Windows 7 (it s   a )' --id 'a' {\n"
				 "\tlinux /gild/a/vmlinuz 'gild.root=x:1' 'quiet'\n"
				 "\tinitrd /gild/a/initrd /gild/a/config\n}\n");
	goldens.len = 2;
	two = grub_menu("gild", "quiet", &goldens, NULL, NULL);
	assert_non_null(strstr(two, "'quiet' gild.image=a\n"));
	assert_non_null(strstr(two, "'quiet' gild.image=b\n"));
	goldens.len = 0;
	none = grub_menu("gild", "quiet", &goldens, NULL, NULL);
	assert_non_null(strstr(none, "--id 'gild'"));
	assert_null(strstr(none, "gild.image"));
}

/* Several at once: all of them, and those that are to be started if nobody chooses. */
static void menu_starts_several(void **state _unused_)
{
	struct golden items[] = {{.name = (char *)"a", .title = (char *)"A"},
				 {.name = (char *)"b", .title = (char *)"B"},
				 {.name = (char *)"c", .title = (char *)"C"}};
	struct goldens goldens = {.items = items, .len = 3};
	_cleanup_free_ char *none = grub_menu("gild", "quiet", &goldens, NULL, NULL);
	_cleanup_free_ char *one = grub_menu("gild", "quiet", &goldens, "b", NULL);
	_cleanup_free_ char *two = grub_menu("gild", "quiet", &goldens, "c,a", NULL);
	_cleanup_free_ char *all = grub_menu("gild", "quiet", &goldens, "a,b,c", NULL);

	assert_non_null(strstr(none, "menuentry 'All together' --id 'all together' {\n"
				     "\tlinux /gild/vmlinuz 'quiet' gild.image=a,b,c\n"));
	assert_null(strstr(none, "default"));
	assert_non_null(strstr(one, "set default='b'"));
	assert_non_null(strstr(two, "menuentry 'c+a together' --id 'these together' {\n"
				    "\tlinux /gild/vmlinuz 'quiet' gild.image=c,a\n"));
	assert_non_null(strstr(two, "set default='these together'"));
	assert_non_null(strstr(all, "set default='all together'"));
	assert_null(strstr(all, "these"));
}

static void menu_refuses_what_cannot_be_quoted(void **state _unused_)
{
	static const char *const bad[] = {"a='b'", "a\nb", "a\tb", "\xc3\xa9"};
	struct goldens goldens = VEC_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_error_ struct error err = ERROR_INIT;

		assert_null(grub_menu("gild", bad[i], &goldens, NULL, &err));
		assert_int_equal(err.code, ERROR_USAGE);
		assert_non_null(err.remedy);
	}
}

static void waits_only_with_several_images(void **state _unused_)
{
	_cleanup_free_ char *one = grub_settings_slots(1), *two = grub_settings_slots(2);

	assert_non_null(strstr(one, "timeout_style=hidden"));
	assert_non_null(strstr(two, "timeout_style=menu"));
}

/* ---- settings ---- */

static void settings_are_read_back(void **state _unused_)
{
	static const char image[] = "windows=6.1.7601\ntitle=Windows_7_(x)\nimage=y\n";
	const struct config_file files[] = {
		{"etc/gild/images/x.conf",
		 {(const uint8_t *)image, sizeof(image) - 1},
		 false},
		{"etc/gild/init.conf", {(const uint8_t *)"a=b\n", 4}, false},
		{"etc/passwd", {(const uint8_t *)"x", 1}, false},
	};
	_cleanup_buffer_ struct buffer archive = BUFFER_INIT;
	_cleanup_(media_files_free) struct media_files got = VEC_INIT;
	struct goldens goldens = VEC_INIT;

	assert_int_equal(config_archive(files, ARRAY_SIZE(files), &archive, NULL), 0);
	assert_int_equal(settings_read(buffer_view(&archive), "x", &got, NULL), 0);
	/* Nothing else than settings is taken over. */
	assert_int_equal(got.len, 2);
	assert_string_equal(got.items[1].path, "etc/gild/init.conf");
	assert_memory_equal(got.items[1].data.data, "a=b\n", 4);
	settings_images(&got, &goldens);
	assert_int_equal(goldens.len, 1);
	assert_string_equal(goldens.items[0].name, "x");
	assert_string_equal(goldens.items[0].title, "Windows 7 (x)");
	goldens_free(&goldens);
}

static void damaged_settings_are_refused(void **state _unused_)
{
	const struct config_file file = {
		"etc/gild/init.conf", {(const uint8_t *)"a=b\n", 4}, false};
	_cleanup_buffer_ struct buffer archive = BUFFER_INIT;
	size_t whole;

	assert_int_equal(config_archive(&file, 1, &archive, NULL), 0);
	/* The trailer is looked for, the padding behind it is not. */
	whole = (size_t)((uint8_t *)memmem(archive.data, archive.len, "TRAILER!!!", 11) -
			 archive.data) +
		11;
	for (size_t len = 0; len < whole; len++) {
		_cleanup_(media_files_free) struct media_files got = VEC_INIT;
		_cleanup_error_ struct error err = ERROR_INIT;

		assert_int_equal(
			settings_read((struct bytes){archive.data, len}, "x", &got, &err),
			-1);
		assert_non_null(err.remedy);
	}
	archive.data[0] = 'x';
	_cleanup_(media_files_free) struct media_files got = VEC_INIT;

	assert_int_equal(settings_read(buffer_view(&archive), "x", &got, NULL), -1);
}

/* ---- identifiers and copies ---- */

static void copies_leave_holes(void **state _unused_)
{
	enum { SIZE = 3 << 20 };
	int from = memfd_create("from", 0), to = memfd_create("to", 0);
	_cleanup_free_ uint8_t *got = xmalloc(SIZE);

	assert_int_equal(ftruncate(from, SIZE), 0);
	assert_int_equal(ftruncate(to, SIZE), 0);
	assert_int_equal(pwrite(from, "first", 5, 10), 5);
	assert_int_equal(pwrite(from, "last", 4, SIZE - 4), 4);
	assert_int_equal(media_copy(from, 0, SIZE - 8192, to, 8192, "x", NULL), 0);
	assert_int_equal(pread(to, got, SIZE, 0), SIZE);
	assert_memory_equal(got + 8192 + 10, "first", 5);
	assert_int_equal(lseek(to, 0, SEEK_DATA), 8192);
	/* What lies behind the range is not copied. */
	assert_int_equal(lseek(to, 1 << 20, SEEK_HOLE), 1 << 20);
	close(from);
	close(to);
}

/* ---- UKI ---- */

/* A PE32+ image with one section of `size` bytes and symbols behind it. */
static void make_stub(struct buffer *b, uint32_t headers)
{
	size_t at = 0x80, optional = at + 24, table = optional + 240;

	memset(buffer_reserve(b, 0x800), 0, 0x800);
	b->len = 0x800;
	put_le32(b->data + 0x3c, (uint32_t)at);
	memcpy(b->data + at, "PE\0\0", 4);
	put_le16(b->data + at + 6, 1);
	put_le32(b->data + at + 12, 0x600); /* symbols */
	put_le32(b->data + at + 16, 4);
	put_le16(b->data + at + 20, 240);
	put_le16(b->data + optional, 0x20b);
	put_le32(b->data + optional + 32, 4096);
	put_le32(b->data + optional + 36, 512);
	put_le32(b->data + optional + 60, headers);
	put_le32(b->data + optional + 108, 16);
	memcpy(b->data + table, ".text", 5);
	put_le32(b->data + table + 8, 0x100);
	put_le32(b->data + table + 12, 0x1000);
	put_le32(b->data + table + 16, 0x200);
	put_le32(b->data + table + 20, 0x400);
	memset(b->data + 0x400, 'T', 0x200);
	memset(b->data + 0x600, 'S', 0x200);
}

static void sections_are_added(void **state _unused_)
{
	const struct uki_section sections[] = {{".cmdline", {(const uint8_t *)"abc", 3}},
					       {".linux", {(const uint8_t *)"k", 1}}};
	_cleanup_buffer_ struct buffer stub = BUFFER_INIT, image = BUFFER_INIT;
	const uint8_t *header;

	make_stub(&stub, 0x400);
	assert_int_equal(
		uki_add_sections(buffer_view(&stub), "stub", sections, 2, &image, NULL),
		0);
	/* The symbols are gone: header, text and two sections, each in 512 bytes. */
	assert_int_equal(image.len, 0x400 + 3 * 0x200);
	assert_int_equal(get_le16(image.data + 0x80 + 6), 3);
	assert_int_equal(get_le32(image.data + 0x80 + 12), 0);
	header = image.data + 0x80 + 24 + 240 + 40;
	assert_memory_equal(header, ".cmdline", 8);
	assert_int_equal(get_le32(header + 8), 3);
	assert_int_equal(get_le32(header + 12), 0x2000);
	assert_int_equal(get_le32(header + 20), 0x600);
	assert_memory_equal(image.data + 0x600, "abc\0", 4);
	assert_int_equal(get_le32(header + 40 + 12), 0x3000);
	assert_int_equal(get_le32(image.data + 0x80 + 24 + 56), 0x4000);
	assert_memory_equal(image.data + 0x400, "TTTT", 4);
}

static void bad_stubs_are_refused(void **state _unused_)
{
	const struct uki_section section = {".a", {(const uint8_t *)"abc", 3}};
	_cleanup_buffer_ struct buffer stub = BUFFER_INIT, full = BUFFER_INIT;

	make_stub(&stub, 0x400);
	for (size_t len = 0; len < 0x600; len++) {
		_cleanup_buffer_ struct buffer image = BUFFER_INIT;
		_cleanup_error_ struct error err = ERROR_INIT;

		assert_int_equal(uki_add_sections((struct bytes){stub.data, len}, "stub",
						  &section, 1, &image, &err),
				 -1);
		assert_non_null(err.remedy);
	}
	/* No room for another header. */
	make_stub(&full, 0x80 + 24 + 240 + 40);
	_cleanup_buffer_ struct buffer image = BUFFER_INIT;

	assert_int_equal(
		uki_add_sections(buffer_view(&full), "stub", &section, 1, &image, NULL),
		-1);
	/* Signed already. */
	put_le32(stub.data + 0x80 + 24 + 112 + 4 * 8, 0x600);
	assert_int_equal(
		uki_add_sections(buffer_view(&stub), "stub", &section, 1, &image, NULL),
		-1);
}

/* ---- SBAT ---- */

/* A PE file of one section. */
static void make_pe(struct buffer *b, const char *section, const char *content)
{
	size_t len = strlen(content);

	b->len = 0;
	memset(buffer_reserve(b, 256 + len), 0, 256 + len);
	b->len = 256 + len;
	memcpy(b->data, "MZ", 2);
	put_le32(b->data + 0x3c, 64);
	memcpy(b->data + 64, "PE\0\0", 4);
	put_le16(b->data + 64 + 6, 1);
	memcpy(b->data + 64 + 24, section, strlen(section));
	put_le32(b->data + 64 + 24 + 8, (uint32_t)len);
	put_le32(b->data + 64 + 24 + 16, (uint32_t)len);
	put_le32(b->data + 64 + 24 + 20, 256);
	memcpy(b->data + 256, content, len);
}

static void generations_are_compared(void **state _unused_)
{
	static const struct {
		const char *file, *other, *component;
	} cases[] = {
		{"shim,3,a\n", "shim,4,b\n", "shim"},
		{"sbat,1\nshim,4\n", "sbat,1\nshim,4\n", NULL},
		{"shim,10\n", "shim,9\n", NULL},
		{"shim,9\n", "shim,10", "shim"},
		{"shim,4\nshim.debian,1,x\n", "shim,4\nshim.debian,2\n", "shim.debian"},
		{"shim,4\nshim.ubuntu,1\n", "shim,4\nshim.debian,2\n", NULL},
		{"shim,3x\n", "shim,4\n", NULL},
		{"\033,3\n", "\033,4\n", NULL},
		{"shim\n,1\n\n", "shim,4\n", NULL},
		{"", "shim,4\n", NULL},
	};
	struct buffer file = BUFFER_INIT, other = BUFFER_INIT;
	char name[SBAT_NAME_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		bool older;

		make_pe(&file, ".sbat", cases[i].file);
		make_pe(&other, ".sbat", cases[i].other);
		older = sbat_is_older(buffer_view(&file), buffer_view(&other), name);
		assert_int_equal(older, cases[i].component != NULL);
		if (older)
			assert_string_equal(name, cases[i].component);
	}
	make_pe(&file, ".sbatx", "shim,3\n");
	make_pe(&other, ".sbat", "shim,4\n");
	assert_false(sbat_is_older(buffer_view(&file), buffer_view(&other), name));
	make_pe(&file, ".sbat", "shim,3\n");
	for (size_t len = 0; len < file.len; len++)
		(void)sbat_is_older((struct bytes){file.data, len}, buffer_view(&other),
				    name);
	buffer_free(&file);
	buffer_free(&other);
}

static void outputs_say_what_they_are(void **state _unused_)
{
	enum pack_kind kind;

	assert_true(pack_kind_of_name("a.img", &kind) && kind == PACK_DISK);
	assert_true(pack_kind_of_name("a.iso", &kind) && kind == PACK_ISO);
	assert_true(pack_kind_of_name("a.iso/", &kind) && kind == PACK_FOLDER);
	assert_false(pack_kind_of_name("a.qcow2", &kind));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(generations_are_compared),
		cmocka_unit_test(environment_is_read_and_written),
		cmocka_unit_test(menu_has_an_entry_for_each_image),
		cmocka_unit_test(menu_starts_several),
		cmocka_unit_test(menu_refuses_what_cannot_be_quoted),
		cmocka_unit_test(waits_only_with_several_images),
		cmocka_unit_test(settings_are_read_back),
		cmocka_unit_test(damaged_settings_are_refused),
		cmocka_unit_test(copies_leave_holes),
		cmocka_unit_test(sections_are_added),
		cmocka_unit_test(bad_stubs_are_refused),
		cmocka_unit_test(outputs_say_what_they_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
