/* SPDX-License-Identifier: GPL-3.0-or-later */
/* .reg files merged into the hives of a folder, and exported again. */
#include "test.h"

#include <stdio.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/text.h"
#include "registry/regfile.h"

struct fixture {
	char *folder;
	struct image *image;
	struct registry *registry;
};

static void make_folder(const char *base, const char *below)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", base, below);

	assert_int_equal(mkdir(path, 0755), 0);
}

static void put_hive(const char *folder, const char *name, struct hive *hive)
{
	_cleanup_free_ char *path =
		xasprintf("%s/Windows/System32/config/%s", folder, name);
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;

	assert_int_equal(hive_serialize(hive, &data, NULL), 0);
	assert_int_equal(file_replace(path, buffer_view(&data), NULL), 0);
}

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	_cleanup_hive_ struct hive *system = hive_new("ROOT", NULL);
	_cleanup_hive_ struct hive *software = hive_new("ROOT", NULL);
	struct image_options options = {.write = true};
	struct tree *tree;
	hkey key;

	f->folder = temp_folder_make(NULL, NULL);
	make_folder(f->folder, "Windows");
	make_folder(f->folder, "Windows/System32");
	make_folder(f->folder, "Windows/System32/config");
	assert_int_equal(hive_create(system, hive_root(system), "ControlSet001\\Services",
				     &key, NULL),
			 0);
	assert_int_equal(hive_create(system, hive_root(system), "ControlSet003\\Services",
				     &key, NULL),
			 0);
	assert_int_equal(hive_create(system, hive_root(system), "Select", &key, NULL), 0);
	assert_int_equal(hive_set_dword(system, key, "Current", 3, NULL), 1);
	put_hive(f->folder, "SYSTEM", system);
	put_hive(f->folder, "SOFTWARE", software);
	f->image = image_open(f->folder, &options, NULL);
	assert_non_null(f->image);
	tree = image_tree(f->image, 0, NULL);
	assert_non_null(tree);
	f->registry = registry_open(tree, false);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	registry_close(f->registry);
	image_close(f->image);
	temp_folder_remove(f->folder);
	free(f);
	return 0;
}

static int merge(struct fixture *f, const char *text, size_t *changes, struct error *err)
{
	return regfile_merge(f->registry, "t.reg",
			     (struct bytes){(const uint8_t *)text, strlen(text)}, changes,
			     err);
}

#define HEADER "Windows Registry Editor Version 5.00\r\n\r\n"

static void every_type_arrives(void **state)
{
	struct fixture *f = *state;
	struct hive *software = registry_hive(f->registry, REGISTRY_SOFTWARE, NULL);
	static const uint8_t wide[] = {'a', 0, '%', 0, 0, 0};
	size_t changes;
	uint32_t dword;
	hkey key;

	assert_int_equal(merge(f,
			       HEADER "; a comment\r\n"
				      "[HKEY_LOCAL_MACHINE\\SOFTWARE\\Acme]  \r\n"
				      "@=\"default \\\"quoted\\\" C:\\\\x\"\r\n"
				      "\"d\"=dword:0000002A ; behind\r\n"
				      "\"b\"=hex:01,02,\\\r\n  ff\r\n"
				      "\"e\"=hex(2):61,00,25,00,00,00\r\n"
				      "\"odd\"=hex(ffff0012):00\r\n"
				      "\"none\"=hex(0):\r\n",
			       &changes, NULL),
			 0);
	assert_int_equal(changes, 7);
	key = hive_find(software, hive_root(software), "acme");
	assert_int_not_equal(key, 0);
	_cleanup_free_ char *text = hive_get_string(software, key, "");

	assert_string_equal(text, "default \"quoted\" C:\\x");
	assert_true(hive_get_dword(software, key, "D", &dword));
	assert_int_equal(dword, 42);
	for (size_t i = 0; i < 4; i++) {
		static const struct {
			const char *name;
			uint32_t type, len;
		} want[] = {{"b", REG_BINARY, 3},
			    {"e", REG_EXPAND_SZ, 6},
			    {"odd", 0xffff0012, 1},
			    {"none", REG_NONE, 0}};
		_cleanup_reg_value_ struct reg_value v = {0};

		assert_int_equal(hive_value(software, key, want[i].name, &v, NULL), 1);
		assert_int_equal(v.type, want[i].type);
		assert_int_equal(v.len, want[i].len);
		if (i == 1)
			assert_memory_equal(v.data, wide, sizeof(wide));
	}
}

static void the_current_control_set_is_every_one(void **state)
{
	struct fixture *f = *state;
	struct hive *system = registry_hive(f->registry, REGISTRY_SYSTEM, NULL);
	size_t changes;
	uint32_t v;

	assert_int_equal(merge(f,
			       HEADER "[HKLM\\SYSTEM\\CurrentControlSet\\Services\\x]\n"
				      "\"Start\"=dword:3\n",
			       &changes, NULL),
			 0);
	assert_int_equal(changes, 4);
	for (int i = 1; i <= 3; i += 2) {
		_cleanup_free_ char *path = xasprintf("ControlSet00%d\\Services\\x", i);
		hkey key = hive_find(system, hive_root(system), path);

		assert_int_not_equal(key, 0);
		assert_true(hive_get_dword(system, key, "Start", &v));
	}
	assert_int_equal(merge(f,
			       HEADER "[HKLM\\SYSTEM\\CurrentControlSet\\Services\\x]\n"
				      "\"Start\"=dword:3\n",
			       &changes, NULL),
			 0);
	assert_int_equal(changes, 0);
	assert_int_equal(
		merge(f,
		      HEADER "[HKLM\\SYSTEM\\ControlSet001\\Services\\x]\n"
			     "\"Start\"=-\n[-HKLM\\SYSTEM\\ControlSet003\\Services\\x]\n",
		      &changes, NULL),
		0);
	assert_int_equal(changes, 2);
	assert_int_equal(
		hive_find(system, hive_root(system), "ControlSet003\\Services\\x"), 0);
}

static void a_bad_file_changes_nothing(void **state)
{
	static const struct {
		const char *text, *subject;
	} bad[] = {
		{"[HKLM\\SOFTWARE\\a]\n", "t.reg:1"},
		{HEADER "\"a\"=\"b\"\n", "t.reg:3"},
		{HEADER "[HKEY_CURRENT_USER\\a]\n", "t.reg:3"},
		{HEADER "[HKLM\\SOFTWARE\\a]\n\"a\"=\"b\n", "t.reg:4"},
		{HEADER "[HKLM\\SOFTWARE\\a]\n\"a\"=dword:x\n", "t.reg:4"},
		{HEADER "[HKLM\\SOFTWARE\\a]\n\"a\"=hex:1ff\n", "t.reg:4"},
		{HEADER "[HKLM\\SOFTWARE\\a]\n\"a\"=hex:1,\\\n zz\n", "t.reg:5"},
		{HEADER "[HKLM\\SOFTWARE\\a]\n\"a\"=hex(7:1\n", "t.reg:4"},
		{HEADER "[HKLM\\SOFTWARE\\a\n", "t.reg:3"},
		{HEADER "[HKLM\\SOFTWARE\\a]\nrubbish\n", "t.reg:4"},
		{HEADER "[HKLM\\SOFTWARE\\a]\n\"a\"=\"b\" c\n", "t.reg:4"},
		{HEADER "[HKLM\\SOFTWARE\\\\a]\n", "t.reg:3"},
		{HEADER "[HKLM\\SOFTWARE\\a]\n[HKLM\\SAM\\a]\n", "t.reg:4"},
		{HEADER "[HKLM\\SOFTWARE\\a]\n[-HKLM\\SOFTWARE]\n", "t.reg:4"},
	};
	struct fixture *f = *state;
	struct hive *software = registry_hive(f->registry, REGISTRY_SOFTWARE, NULL);

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_error_ struct error err = ERROR_INIT;

		assert_int_equal(merge(f, bad[i].text, NULL, &err), -1);
		assert_int_equal(err.code, ERROR_USAGE);
		assert_string_equal(err.subject, bad[i].subject);
		assert_non_null(err.remedy);
		assert_false(hive_modified(software));
	}
}

static void both_generations_and_encodings_are_read(void **state)
{
	struct fixture *f = *state;
	struct hive *software = registry_hive(f->registry, REGISTRY_SOFTWARE, NULL);
	_cleanup_buffer_ struct buffer wide = BUFFER_INIT;
	struct strings items = VEC_INIT;
	hkey key;

	buffer_append(&wide, "\xFF\xFE", 2);
	utf16_append(&wide,
		     HEADER "[HKLM\\SOFTWARE\\w]\r\n\"\xC3\xA4\"=\"\xE2\x82\xAC\"\r\n");
	assert_int_equal(
		regfile_merge(f->registry, "w.reg", buffer_view(&wide), NULL, NULL), 0);
	key = hive_find(software, hive_root(software), "W");
	_cleanup_free_ char *euro = hive_get_string(software, key, "\xC3\x84");

	assert_string_equal(euro, "\xE2\x82\xAC");
	assert_int_equal(merge(f,
			       "REGEDIT4\n\n[HKLM\\SOFTWARE\\old]\n\"n\"=\"\x80\"\n"
			       "\"m\"=hex(7):61,00,62,00,00\n",
			       NULL, NULL),
			 0);
	key = hive_find(software, hive_root(software), "old");
	_cleanup_free_ char *text = hive_get_string(software, key, "n");

	assert_string_equal(text, "\xE2\x82\xAC");
	assert_true(hive_get_strings(software, key, "m", &items));
	assert_int_equal(items.len, 2);
	assert_string_equal(items.items[1], "b");
	strings_free(&items);
}

static void an_export_merges_to_the_same(void **state)
{
	struct fixture *f = *state;
	struct hive *software = registry_hive(f->registry, REGISTRY_SOFTWARE, NULL);
	_cleanup_buffer_ struct buffer first = BUFFER_INIT, second = BUFFER_INIT;
	static const char text[] = HEADER
		"[HKLM\\SOFTWARE\\e]\n@=\"x\"\n\"d\"=dword:7\n\"m\"=hex(7):61,00,00,00,"
		"00,00\n"
		"\"line\"=hex(1):0a,00,00,00\n[HKLM\\SOFTWARE\\e\\sub]\n\"b\"=hex:00\n";
	hkey key;

	assert_int_equal(merge(f, text, NULL, NULL), 0);
	key = hive_find(software, hive_root(software), "e");
	assert_int_equal(regfile_export(software, key, "HKEY_LOCAL_MACHINE\\SOFTWARE\\e",
					&first, NULL),
			 0);
	assert_int_equal(hive_delete(software, key, NULL), 0);
	assert_int_equal(
		regfile_merge(f->registry, "e.reg", buffer_view(&first), NULL, NULL), 0);
	key = hive_find(software, hive_root(software), "e");
	assert_int_not_equal(key, 0);
	assert_int_equal(regfile_export(software, key, "HKEY_LOCAL_MACHINE\\SOFTWARE\\e",
					&second, NULL),
			 0);
	assert_int_equal(first.len, second.len);
	assert_memory_equal(first.data, second.data, first.len);
}

static void staging_empties_the_logs(void **state)
{
	struct fixture *f = *state;
	struct tree *tree = image_tree(f->image, 0, NULL);
	struct tree_stat st;
	_cleanup_free_ char *set = registry_current_control_set(f->registry, NULL);

	assert_string_equal(set, "ControlSet003");
	assert_int_equal(tree_write(tree, "windows/system32/CONFIG/system.log1",
				    (struct bytes){(const uint8_t *)"stale", 5}, 0, NULL),
			 0);
	assert_int_equal(merge(f, HEADER "[HKLM\\SYSTEM\\n]\n", NULL, NULL), 0);
	assert_int_equal(registry_stage(f->registry, NULL), 0);
	assert_int_equal(
		tree_stat(tree, "Windows/System32/config/SYSTEM.LOG1", &st, NULL), 1);
	assert_int_equal(st.size, 0);
	assert_int_equal(
		image_commit(f->image, &(struct image_commit_options){0}, NULL, NULL), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_type_arrives),
		TEST(the_current_control_set_is_every_one),
		TEST(a_bad_file_changes_nothing),
		TEST(both_generations_and_encodings_are_read),
		TEST(an_export_merges_to_the_same),
		TEST(staging_empties_the_logs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
