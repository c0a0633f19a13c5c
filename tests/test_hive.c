/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Hives made, edited, written and read again; damaged ones refused; logs in
 * test_hive_log. */
#include "test.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/text.h"
#include "registry/hive.h"

static struct hive *hive_make(void)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct hive *hive = hive_new("ROOT", &err);

	assert_non_null(hive);
	return hive;
}

static hkey make(struct hive *hive, const char *path)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	hkey key = 0;

	assert_int_equal(hive_create(hive, hive_root(hive), path, &key, &err), 0);
	assert_int_not_equal(key, 0);
	return key;
}

static hkey find(const struct hive *hive, const char *path)
{
	return hive_find(hive, hive_root(hive), path);
}

static struct buffer file_of(struct hive *hive)
{
	struct buffer b = BUFFER_INIT;

	assert_int_equal(hive_serialize(hive, &b, NULL), 0);
	return b;
}

/* Writes the hive, closes it and opens what was written. */
static struct hive *again(struct hive *hive)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_buffer_ struct buffer b = file_of(hive);

	hive_close(hive);
	hive = hive_open(buffer_view(&b), NULL, &err);
	if (!hive)
		fail_msg("%s", err.reason);
	return hive;
}

static struct bytes text_bytes(const char *s)
{
	return (struct bytes){(const uint8_t *)s, strlen(s)};
}

static void assert_value(const struct hive *hive, hkey key, const char *name,
			 uint32_t type, struct bytes data)
{
	_cleanup_reg_value_ struct reg_value v = {0};

	assert_int_equal(hive_value(hive, key, name, &v, NULL), 1);
	assert_int_equal(v.type, type);
	assert_int_equal(v.len, data.len);
	if (data.len)
		assert_memory_equal(v.data, data.data, data.len);
}

static void keys_are_made_found_and_deleted(void **state _unused_)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_hive_ struct hive *hive = hive_make();
	hkey key = make(hive, "ControlSet001\\Services\\stornvme\\Parameters");
	hkey services = find(hive, "controlset001\\SERVICES");

	assert_int_equal(find(hive, "CONTROLSET001\\services\\StorNVMe\\parameters"),
			 key);
	assert_int_equal(hive_find(hive, services, "stornvme\\Parameters"), key);
	assert_int_equal(hive_find(hive, key, ""), key);
	assert_int_equal(find(hive, "\\ControlSet001\\Services\\"), services);
	assert_int_equal(find(hive, "ControlSet001\\Services\\stornvm"), 0);
	assert_int_equal(make(hive, "CONTROLSET001\\services"), services);

	_cleanup_free_ char *name = hive_key_name(hive, services);

	assert_string_equal(name, "Services");
	assert_int_equal(hive_delete(hive, hive_root(hive), &err), -1);
	assert_int_equal(err.code, ERROR_FAILED);
	assert_int_equal(hive_delete(hive, services, &err), 0);
	assert_int_equal(find(hive, "ControlSet001\\Services"), 0);
	assert_int_equal(hive_child_count(hive, find(hive, "ControlSet001")), 0);
	/* A handle of a key that is gone names nothing. */
	assert_int_equal(hive_find(hive, key, ""), 0);
	assert_int_equal(hive_set_dword(hive, key, "x", 1, &err), -1);
	assert_int_equal(hive_delete(hive, key, &err), -1);
	hive = again(hive);
	assert_int_not_equal(find(hive, "ControlSet001"), 0);
	assert_int_equal(hive_child_count(hive, hive_root(hive)), 1);
}

static char *nth_name(unsigned i)
{
	/* A permutation, so that keys come in no order. */
	return xasprintf("%s_%05u", i % 3 ? "Key" : "kEY", i * 7919u % 20011u);
}

static void assert_sorted(const struct hive *hive, hkey key, uint32_t count)
{
	_cleanup_free_ char *last = xstrdup("");

	assert_int_equal(hive_child_count(hive, key), count);
	for (uint32_t i = 0; i < count; i++) {
		char *name = hive_key_name(hive, hive_child(hive, key, i));

		assert_true(text_compare(last, name) < 0);
		free(last);
		last = name;
	}
	assert_int_equal(hive_child(hive, key, count), 0);
}

static void big_lists_stay_sorted(void **state _unused_)
{
	const unsigned count = 5000;
	_cleanup_hive_ struct hive *hive = hive_make();
	hkey key = make(hive, "List");

	for (unsigned i = 0; i < count; i++) {
		_cleanup_free_ char *name = nth_name(i);

		assert_int_equal(hive_create(hive, key, name, NULL, NULL), 0);
	}
	hive = again(hive);
	key = find(hive, "List");
	assert_sorted(hive, key, count);
	for (unsigned i = 0; i < count; i += 2) {
		_cleanup_free_ char *name = nth_name(i);

		assert_int_equal(hive_delete(hive, hive_find(hive, key, name), NULL), 0);
		assert_int_equal(hive_find(hive, key, name), 0);
	}
	hive = again(hive);
	key = find(hive, "List");
	assert_sorted(hive, key, count / 2);
	for (unsigned i = 1; i < count; i += 2) {
		_cleanup_free_ char *name = nth_name(i);
		_cleanup_free_ char *upper = text_upper(name);

		assert_int_not_equal(hive_find(hive, key, upper), 0);
		assert_int_equal(hive_delete(hive, hive_find(hive, key, name), NULL), 0);
	}
	assert_sorted(hive, key, 0);
	hive = again(hive);
	assert_int_equal(hive_child_count(hive, find(hive, "List")), 0);
}

static void freed_cells_are_used_again(void **state _unused_)
{
	_cleanup_hive_ struct hive *hive = hive_make();
	_cleanup_buffer_ struct buffer first = BUFFER_INIT, last = BUFFER_INIT;

	for (unsigned round = 0; round < 20; round++) {
		hkey key = make(hive, "A\\B");

		for (unsigned i = 0; i < 400; i++) {
			_cleanup_free_ char *name = nth_name(i + round);
			hkey child;

			assert_int_equal(hive_create(hive, key, name, &child, NULL), 0);
			assert_int_equal(
				hive_set_string(hive, child, "", REG_SZ, name, NULL), 1);
		}
		if (round == 0)
			first = file_of(hive);
		assert_int_equal(hive_delete(hive, find(hive, "A"), NULL), 0);
	}
	last = file_of(hive);
	assert_int_equal(first.len, last.len);
}

static void data_of_every_length_is_kept(void **state _unused_)
{
	static const size_t lengths[] = {0,	1,     2,     3,     4,	     5,
					 100,	4000,  4060,  4096,  8192,   16343,
					 16344, 16345, 32688, 32689, 100000, 16344,
					 20,	4,     0,     70000, 3};
	_cleanup_hive_ struct hive *hive = hive_make();
	_cleanup_free_ uint8_t *data = xmalloc(100000);

	for (size_t i = 0; i < 100000; i++)
		data[i] = (uint8_t)(i * 31 + i / 251 + 1);
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		_cleanup_free_ char *name = xasprintf("v%zu", lengths[i]);
		struct bytes b = {data, lengths[i]};

		hkey key = make(hive, "K");

		/* One value through all lengths, and one of each length. */
		assert_int_equal(hive_set(hive, key, "changing", 3, b, NULL), 1);
		assert_int_not_equal(hive_set(hive, key, name, 0xffff0012u, b, NULL), -1);
		hive = again(hive);
		key = find(hive, "K");
		assert_value(hive, key, "CHANGING", 3, b);
		assert_value(hive, key, name, 0xffff0012u, b);
		/* What is there already changes nothing. */
		assert_int_equal(hive_set(hive, key, "Changing", 3, b, NULL), 0);
		assert_false(hive_modified(hive));
		/* Another type is a change. */
		assert_int_equal(hive_set(hive, key, "changing", 8, b, NULL), 1);
		assert_true(hive_modified(hive));
	}
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		_cleanup_free_ char *name = xasprintf("V%zu", lengths[i]);

		assert_int_not_equal(hive_unset(hive, find(hive, "K"), name, NULL), -1);
		assert_int_equal(hive_unset(hive, find(hive, "K"), name, NULL), 0);
	}
	hive = again(hive);
	assert_int_equal(hive_value_count(hive, find(hive, "K")), 1);
}

static void names_may_be_any_unicode(void **state _unused_)
{
	/* Latin-1, Cyrillic, beyond the BMP, a lone surrogate (as WTF-8). */
	static const char *const names[] = {
		"\xc3\x84rger", "\xd0\x9a\xd0\xbb\xd1\x8e\xd1\x87", "\xf0\x9f\x98\x80",
		"\xed\xa0\x80x", "\xc3\xbf"};
	_cleanup_hive_ struct hive *hive = hive_make();

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_int_equal(hive_set_string(hive, make(hive, names[i]), names[i],
						 REG_SZ, names[i], NULL),
				 1);
	hive = again(hive);
	assert_sorted(hive, hive_root(hive), ARRAY_SIZE(names));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		hkey key = find(hive, names[i]);
		_cleanup_free_ char *name = hive_key_name(hive, key);
		_cleanup_free_ char *text = hive_get_string(hive, key, names[i]);

		assert_string_equal(name, names[i]);
		assert_string_equal(text, names[i]);
	}
	assert_int_not_equal(find(hive, "\xc3\xa4RGER"), 0); /* a umlaut */
	assert_int_not_equal(find(hive, "\xd0\xba\xd0\xbb\xd1\x8e\xd0\xa7"), 0);
	assert_int_equal(find(hive, "argER"), 0);
}

static void typed_values(void **state _unused_)
{
	_cleanup_hive_ struct hive *hive = hive_make();
	struct strings items = VEC_INIT, back = VEC_INIT;
	hkey key = make(hive, "T");
	uint32_t v = 0;

	strings_push(&items, "one");
	strings_push(&items, "two words");
	assert_int_equal(hive_set_strings(hive, key, "multi", &items, NULL), 1);
	assert_int_equal(hive_set_dword(hive, key, "dword", 0xdeadbeef, NULL), 1);
	assert_int_equal(hive_set_qword(hive, key, "qword", 1ull << 40, NULL), 1);
	assert_int_equal(hive_set_string(hive, key, "", REG_EXPAND_SZ, "%x%", NULL), 1);
	assert_true(hive_get_strings(hive, key, "multi", &back));
	assert_int_equal(back.len, 2);
	assert_string_equal(back.items[1], "two words");
	strings_free(&back);
	assert_true(hive_get_dword(hive, key, "DWORD", &v));
	assert_int_equal(v, 0xdeadbeef);
	assert_false(hive_get_dword(hive, key, "qword", &v));
	assert_false(hive_get_dword(hive, key, "none", &v));
	assert_null(hive_get_string(hive, key, "dword"));
	assert_value(hive, key, "qword", REG_QWORD,
		     (struct bytes){(uint8_t *)"\0\0\0\0\0\1\0\0", 8});

	_cleanup_free_ char *text = hive_get_string(hive, key, "");

	assert_string_equal(text, "%x%");
	/* A list without any terminator, one with an odd byte, and a string as a list. */
	assert_int_equal(hive_set(hive, key, "raw", REG_MULTI_SZ,
				  (struct bytes){(const uint8_t *)"a\0\0\0b\0c", 7},
				  NULL),
			 1);
	assert_true(hive_get_strings(hive, key, "raw", &back));
	assert_int_equal(back.len, 2);
	assert_string_equal(back.items[1], "b");
	strings_free(&back);
	assert_int_equal(hive_set_string(hive, key, "single", REG_SZ, "only", NULL), 1);
	assert_true(hive_get_strings(hive, key, "single", &back));
	assert_int_equal(back.len, 1);
	strings_free(&back);
	strings_free(&items);
}

static void changes_are_recorded_in_order(void **state _unused_)
{
	_cleanup_hive_ struct hive *hive = hive_make();

	make(hive, "A\\B");
	hive = again(hive);
	assert_false(hive_modified(hive));
	assert_int_equal(hive_changes(hive)->len, 0);
	make(hive, "A\\B\\C");
	hive_set(hive, find(hive, "A\\B"), "v", REG_BINARY, text_bytes("data"), NULL);
	hive_unset(hive, find(hive, "a\\b"), "V", NULL);
	hive_unset(hive, find(hive, "a\\b"), "V", NULL);
	hive_delete(hive, find(hive, "A"), NULL);

	const struct hive_changes *c = hive_changes(hive);

	assert_int_equal(c->len, 4);
	assert_int_equal(c->items[0].kind, HIVE_KEY_CREATED);
	assert_string_equal(c->items[0].path, "A\\B\\C");
	assert_int_equal(c->items[1].kind, HIVE_VALUE_SET);
	assert_string_equal(c->items[1].value.name, "v");
	assert_memory_equal(c->items[1].value.data, "data", 4);
	assert_int_equal(c->items[2].kind, HIVE_VALUE_DELETED);
	assert_int_equal(c->items[3].kind, HIVE_KEY_DELETED);
	assert_string_equal(c->items[3].path, "A");
}

static void written_hives_are_reproducible(void **state _unused_)
{
	_cleanup_buffer_ struct buffer a = BUFFER_INIT, b = BUFFER_INIT, c = BUFFER_INIT;

	for (int i = 0; i < 2; i++) {
		_cleanup_hive_ struct hive *hive = hive_make();

		for (unsigned n = 0; n < 600; n++) {
			_cleanup_free_ char *name = nth_name(n);

			make(hive, name);
		}
		hive_delete(hive, hive_child(hive, hive_root(hive), 300), NULL);
		*(i ? &b : &a) = file_of(hive);
	}
	assert_true(bytes_equal(buffer_view(&a), buffer_view(&b)));

	/* Opened and written without a change: the very same bytes. */
	_cleanup_hive_ struct hive *same = hive_open(buffer_view(&a), NULL, NULL);

	c = file_of(same);
	assert_true(bytes_equal(buffer_view(&a), buffer_view(&c)));
	assert_int_equal(get_le32(a.data + 4), get_le32(a.data + 8));
	assert_true(get_le64(a.data + 12) == clock_filetime());
	assert_true(hive_key_time(same, hive_root(same)) == clock_filetime());
	/* A change raises both sequence numbers. */
	make(same, "more");
	buffer_free(&c);
	c = file_of(same);
	assert_int_equal(get_le32(c.data + 4), get_le32(a.data + 4) + 1);
	assert_int_equal(get_le32(c.data + 8), get_le32(a.data + 8) + 1);
}

static void limits_are_refused(void **state _unused_)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_hive_ struct hive *hive = hive_make();
	char name[300];
	hkey key = hive_root(hive);
	size_t changes;

	memset(name, 'n', sizeof(name));
	name[255] = '\0';
	assert_int_equal(hive_create(hive, key, name, NULL, &err), 0);
	name[255] = 'n';
	name[256] = '\0';
	changes = hive_changes(hive)->len;
	assert_int_equal(hive_create(hive, key, name, NULL, &err), -1);
	assert_non_null(strstr(err.reason, "255"));
	assert_int_equal(hive_changes(hive)->len, changes);
	for (unsigned depth = 0; depth < 512; depth++)
		assert_int_equal(hive_create(hive, key, "d", &key, &err), 0);
	assert_int_equal(hive_create(hive, key, "d", &key, &err), -1);
	assert_non_null(strstr(err.reason, "512"));
	hive = again(hive);
	assert_int_equal(hive_delete(hive, find(hive, "d"), &err), 0);
	assert_null(hive_new("", &err));
	/* No memory is read: the length is refused first. */
	assert_int_equal(hive_set(hive, hive_root(hive), "v", 3,
				  (struct bytes){(const uint8_t *)name, 65u << 20}, &err),
			 -1);
}

/* Adding to a list of 3,000 costs what is added, not a new list each time. */
static void growth_is_what_was_added(void **state _unused_)
{
	_cleanup_hive_ struct hive *hive = hive_make();
	_cleanup_buffer_ struct buffer before = BUFFER_INIT, after = BUFFER_INIT;
	size_t cells = 0;

	for (unsigned i = 0; i < 3000; i++) {
		_cleanup_free_ char *name = nth_name(i);

		make(hive, name);
	}
	before = file_of(hive);
	for (unsigned i = 3000; i < 3300; i++) {
		_cleanup_free_ char *name = nth_name(i);
		hkey key = make(hive, name);

		hive_set(hive, key, "oem42.inf", REG_BINARY, text_bytes("abcd"), NULL);
		/* nk, its place in the list, value list and value. */
		cells += (4 + 76 + strlen(name) + 7) / 8 * 8 + 8 + 8 +
			 (4 + 20 + 9 + 7) / 8 * 8;
	}
	after = file_of(hive);
	assert_true(after.len - before.len <= cells + cells * 3 / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_made_found_and_deleted),
		cmocka_unit_test(big_lists_stay_sorted),
		cmocka_unit_test(freed_cells_are_used_again),
		cmocka_unit_test(data_of_every_length_is_kept),
		cmocka_unit_test(names_may_be_any_unicode),
		cmocka_unit_test(typed_values),
		cmocka_unit_test(changes_are_recorded_in_order),
		cmocka_unit_test(written_hives_are_reproducible),
		cmocka_unit_test(limits_are_refused),
		cmocka_unit_test(growth_is_what_was_added),
	};

	setenv("SOURCE_DATE_EPOCH", "1700000000", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
