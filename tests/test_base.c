/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The base layer: text, buffers, clock, GUIDs, files. */
#include "test.h"

#include <errno.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/guid.h"
#include "base/process.h"
#include "base/text.h"
#include "base/url.h"

static void utf16_keeps_every_unit(void **state _unused_)
{
	/* "A", a lone surrogate, U+1F600, and an unpaired low surrogate. */
	static const uint8_t raw[] = {0x41, 0,	  0x00, 0xD8, 0x3D,
				      0xD8, 0x00, 0xDE, 0x01, 0xDC};
	_cleanup_free_ char *text = utf16_to_utf8(raw, sizeof(raw));
	_cleanup_buffer_ struct buffer back = BUFFER_INIT;

	utf16_append(&back, text);
	assert_int_equal(back.len, sizeof(raw));
	assert_memory_equal(back.data, raw, sizeof(raw));
	assert_int_equal(utf16_units(text), 5);
	assert_false(utf8_valid(text, strlen(text)));
	assert_true(utf8_valid("\xc3\xa4", 2));
	assert_false(utf8_valid("\xc0\x80", 2));
	assert_false(utf8_valid("\xe4", 1));
}

static void names_compare_as_windows_does(void **state _unused_)
{
	assert_true(text_equal("System32", "sYSTEM32"));
	assert_true(text_equal("\xc3\xa4", "\xc3\x84")); /* a umlaut */
	assert_false(text_equal("\xc3\x9f", "ss"));	 /* no folding of sharp s */
	assert_true(text_compare("_", "A") > 0); /* compared as upper case: '_' > 'A' */
	assert_true(text_compare("A", "AB") < 0);
	assert_true(text_starts_with("oem12.INF", "OEM"));
	assert_true(text_ends_with("oem12.INF", ".inf"));
	assert_int_equal(text_hash("ABC\xc3\x84"), text_hash("abc\xc3\xa4"));
	_cleanup_free_ char *lower = text_lower("PCI\\VEN_8086\xc3\x84");

	assert_string_equal(lower, "pci\\ven_8086\xc3\xa4");
}

static void guids_have_windows_byte_order(void **state _unused_)
{
	struct guid g;
	char text[GUID_TEXT_SIZE];

	/* From the Version value of a real DriverPackages key (System class). */
	static const uint8_t bytes[] = {0x7d, 0xe9, 0x36, 0x4d, 0x25, 0xe3, 0xce, 0x11,
					0xbf, 0xc1, 0x08, 0x00, 0x2b, 0xe1, 0x03, 0x18};

	assert_true(guid_parse("{4D36E97D-E325-11CE-BFC1-08002BE10318}", &g));
	assert_memory_equal(g.bytes, bytes, sizeof(bytes));
	guid_format(&g, text);
	assert_string_equal(text, "{4d36e97d-e325-11ce-bfc1-08002be10318}");
	assert_false(guid_parse("{4D36E97D-E325-11CE-BFC1-08002BE1031}", &g));
	assert_false(guid_parse("{4D36E97D-E325-11CE-BFC1-08002BE1031g}", &g));
}

static void dates_become_filetimes(void **state _unused_)
{
	char text[CLOCK_TEXT_SIZE];

	/* vmci's DriverDate 2019-07-11 as in a real Version value. */
	assert_int_equal(filetime_from_date(2019, 7, 11), 0x01d5377b95248000);
	assert_int_equal(filetime_from_date(2019, 2, 30), 0);
	assert_int_equal(filetime_from_date(1600, 1, 1), 0);
	assert_int_equal(filetime_to_unix(filetime_from_unix(1700000000)), 1700000000);
	clock_format(1700000000, text);
	assert_string_equal(text, "2023-11-14T22:13:20Z");
}

static void views_never_read_past_the_end(void **state _unused_)
{
	static const uint8_t raw[] = {1, 2, 3, 4};
	struct bytes b = {raw, sizeof(raw)};
	uint32_t v = 7;

	assert_true(bytes_le32(b, 0, &v));
	assert_int_equal(v, 0x04030201);
	assert_false(bytes_le32(b, 1, &v));
	assert_false(bytes_le32(b, UINT64_MAX, &v));
	assert_null(bytes_at(b, 2, UINT64_MAX).data);
	assert_int_equal(bytes_at(b, 4, 0).len, 0);
	assert_null(bytes_at((struct bytes){0}, 0, 0).data);
}

static void errors_are_one_line_with_a_remedy(void **state _unused_)
{
	_cleanup_error_ struct error err = ERROR_INIT;

	assert_int_equal(error_set(&err, ERROR_STATE, "x.wim", "is %s", "locked"), -1);
	error_remedy(&err, "wait");
	error_wrap(&err, "job", "cannot open");
	_cleanup_free_ char *text = error_message(&err);

	assert_string_equal(text, "job: cannot open: x.wim: is locked; wait");
	assert_int_equal(err.code, ERROR_STATE);
	assert_int_equal(error_set(NULL, ERROR_FAILED, NULL, "ignored"), -1);
}

static int crash(void *arg _unused_, struct error *err _unused_)
{
	raise(SIGKILL); /* which the test runner cannot catch */
	return 0;
}

static int refuse(void *arg, struct error *err)
{
	error_set(err, ERROR_ANSWER_NO, arg, "no");
	return error_remedy(err, "ask again");
}

static void isolated_readers_report(void **state _unused_)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct process_limits limits = {.cpu_seconds = 10};

	assert_int_equal(process_isolate(refuse, (void *)"it", &limits, "a.zip", &err),
			 -1);
	assert_int_equal(err.code, ERROR_ANSWER_NO);
	assert_string_equal(err.subject, "it");
	assert_string_equal(err.remedy, "ask again");
	assert_int_equal(process_isolate(crash, NULL, &limits, "a.zip", &err), -1);
	assert_string_equal(err.subject, "a.zip");
}

static void replacing_a_file_leaves_nothing_behind(void **state _unused_)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_(temp_folder_removep) char *folder = temp_folder_make(NULL, &err);
	_cleanup_free_ char *path = xasprintf("%s/f", folder);
	_cleanup_free_ char *bad = xasprintf("%s/none/f", folder);
	_cleanup_(strings_free) struct strings names = VEC_INIT;
	_cleanup_buffer_ struct buffer b = BUFFER_INIT;

	assert_int_equal(
		file_replace(path, (struct bytes){(const uint8_t *)"old", 3}, &err), 0);
	assert_int_equal(
		file_replace(path, (struct bytes){(const uint8_t *)"new!", 4}, &err), 0);
	assert_int_equal(file_read(path, 100, &b, &err), 0);
	assert_int_equal(b.len, 4);
	assert_int_equal(file_read(path, 3, &b, &err), -1);
	assert_int_equal(file_replace(bad, buffer_view(&b), &err), -1);
	assert_int_equal(folder_list(folder, &names), 0);
	assert_int_equal(names.len, 1);
	assert_string_equal(names.items[0], "f");
	assert_int_equal(folder_list(path, &names), -1);
	assert_int_equal(errno, ENOTDIR);
}

static void takes(const char *url)
{
	assert_int_equal(url_check(url, "url", NULL), 0);
}

static void takes_not(const char *url)
{
	_cleanup_error_ struct error err = ERROR_INIT;

	assert_int_equal(url_check(url, "url", &err), -1);
	assert_int_equal(err.code, ERROR_USAGE);
	assert_non_null(err.remedy);
	assert_null(strstr(err.reason, "secret"));
}

static void addresses_are_plain_http(void **state _unused_)
{
	_cleanup_free_ char *name = NULL, *beside = NULL,
			    *longest = xcalloc(1, URL_MAX + 2);

	takes("http://10.0.2.2:8080/gild/images/a.img");
	takes("https://server/");
	takes("https://server");
	takes("http://[fe80::1]/a%20b.img");
	takes_not("");
	takes_not("http://");
	takes_not("http:///a.img");
	takes_not("http://:80/a.img");
	takes_not("ftp://server/a.img");
	takes_not("file:///etc/passwd");
	takes_not("http://me:secret@server/a.img");
	takes_not("http://server/a.img?x=1");
	takes_not("http://server/a.img#x");
	takes_not("http://server/a b.img");
	takes_not("http://server/a[1].img");
	takes_not("http://server/a$b.img");
	takes_not("http://server/\"a.img");
	memset(longest, 'a', URL_MAX + 1);
	memcpy(longest, "http://", 7);
	takes_not(longest);
	longest[URL_MAX] = 0;
	takes(longest);
	assert_int_equal(url_check_image("http://server/a.img", "url", NULL), 0);
	assert_int_equal(url_check_image("http://server/.img", "url", NULL), -1);
	assert_int_equal(url_check_image("http://server.img", "url", NULL), -1);
	assert_int_equal(url_check_image("http://server/a.iso", "url", NULL), -1);
	name = url_image_name("http://server/x/win10.img");
	assert_string_equal(name, "win10");
	beside = url_beside("http://server/x/win10.img", ".conf");
	assert_string_equal(beside, "http://server/x/win10.conf");
	assert_true(url_is_secure("https://a/") && !url_is_secure("http://a/"));
	assert_true(url_is("http://a") && !url_is("a.img"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(utf16_keeps_every_unit),
		cmocka_unit_test(names_compare_as_windows_does),
		cmocka_unit_test(guids_have_windows_byte_order),
		cmocka_unit_test(dates_become_filetimes),
		cmocka_unit_test(views_never_read_past_the_end),
		cmocka_unit_test(errors_are_one_line_with_a_remedy),
		cmocka_unit_test(isolated_readers_report),
		cmocka_unit_test(addresses_are_plain_http),
		cmocka_unit_test(replacing_a_file_leaves_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
