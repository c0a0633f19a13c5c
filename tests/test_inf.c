/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * INF text. What is refused and how lines split was measured on Windows' SetupAPI by
 * others (the conformance tests of Wine record it); the cases here restate those facts.
 */
#include "test.h"

#include <unistd.h>

#include "base/text.h"
#include "injector/inf.h"

#define HEADER "[Version]\r\nSignature=\"$CHICAGO$\"\r\n"

static struct inf *open_bytes(const void *data, size_t len, struct error *err)
{
	return inf_open("some/folder/t.inf", (struct bytes){data, len}, err);
}

static struct inf *open_text(const char *text)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct inf *inf = open_bytes(text, strlen(text), &err);

	if (!inf)
		print_message("%s: %s\n", err.subject, err.reason);
	assert_non_null(inf);
	return inf;
}

/* ---- what is refused ----------------------------------------------------------------
 */

static char *repeat(char c, size_t n)
{
	char *s = xmalloc(n + 1);

	memset(s, c, n);
	s[n] = 0;
	return s;
}

static void refuses_what_setupapi_refuses(void **state _unused_)
{
	static const struct {
		const char *text;
		const char *subject; /* NULL: accepted */
	} cases[] = {
		{"", "t.inf"},
		{"\r\n", "t.inf"},
		{"abcd\r\n", "t.inf"},
		{"[Version]\r\n", "t.inf:1"},
		{"[Version]\nSignature=", "t.inf:2"},
		{"[Version]\nSignature=foo", "t.inf:2"},
		{"[Version]\nSignature=\"$Windows XP$\"", "t.inf:2"},
		{"[version]\nsignature=$chicago$", NULL},
		{"[VERSION]\nSIGNATURE=\"$WINDOWS NT$\"", NULL},
		{"[Version]\nSignature=\"$Windows 95$\"", NULL},
		{"[Version]\nSignature=$chicago$,abcd", NULL},
		{"[Version]\nabc=def\nSignature=$chicago$", NULL},
		{"[Version]\nabc=def\n[Version]\nSignature=$chicago$", NULL},
		{"[Version]\nSignature=%s%\n[Strings]\ns=$Chicago$", NULL},
		{HEADER, NULL},
		{HEADER "[]\r\n", NULL},
		{HEADER "]\r\n", NULL},
		{HEADER "[ab\r\n", "t.inf:3"},
		{HEADER "\n\n[ab\x1a]\n", "t.inf:5"},
		{"[abc]\n" HEADER, NULL},
		{"abc\r\n" HEADER, "t.inf:1"},
		{";\n;\nabc\r\n" HEADER, "t.inf:3"},
		{";\n;\nab\nab\n" HEADER, "t.inf:3"},
		{";aa\n;bb\n" HEADER, NULL},
		{"garbage1\n[abc]\n" HEADER, "t.inf:1"},
		{" \t\ngarbage1\n[abc]\n" HEADER, "t.inf:2"},
		/* a quirk that real files need: with [Strings] it is ignored */
		{"garbage1\ngarbage2\n[Strings]\n" HEADER, NULL},
		{";comment\ngarbage1\n" HEADER "[Strings]\n", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_error_ struct error err = ERROR_INIT;
		_cleanup_inf_ struct inf *inf =
			open_bytes(cases[i].text, strlen(cases[i].text), &err);

		if (!inf != !!cases[i].subject)
			print_message("case %zu: %s\n", i, cases[i].text);
		assert_int_equal(inf != NULL, cases[i].subject == NULL);
		if (inf)
			continue;
		assert_int_equal(err.code, ERROR_ANSWER_NO);
		assert_string_equal(err.subject, cases[i].subject);
		assert_non_null(err.remedy);
	}
}

static void names_and_fields_have_limits(void **state _unused_)
{
	static const struct {
		const char *before, *after;
		size_t n;
		bool good;
	} cases[] = {
		{HEADER "[", "]\n", 255, true},
		{HEADER "[", "]\n", 256, false},
		{HEADER "[a]\nk=", "\n", 4095, true},
		{HEADER "[a]\nk=", "\n", 4096, false},
		{HEADER "[a]\n", "=x\n", 4096, false},
		{HEADER "[a]\nk=\"", "\"\n", 4096, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_error_ struct error err = ERROR_INIT;
		_cleanup_free_ char *middle = repeat('A', cases[i].n);
		_cleanup_free_ char *text =
			xasprintf("%s%s%s", cases[i].before, middle, cases[i].after);
		_cleanup_inf_ struct inf *inf = open_bytes(text, strlen(text), &err);

		assert_int_equal(inf != NULL, cases[i].good);
	}
	/* Characters are counted, not bytes. */
	struct buffer b = BUFFER_INIT;

	buffer_append_string(&b, HEADER "[");
	for (int i = 0; i < 255; i++)
		buffer_append_string(&b, "\xc3\xa4");
	buffer_append_string(&b, "]\n");
	_cleanup_free_ char *text = buffer_steal_string(&b);

	inf_close(open_text(text));
}

static void a_huge_file_is_refused(void **state _unused_)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_free_ uint8_t *data = xcalloc(INF_SIZE_MAX + 1, 1);

	assert_null(open_bytes(data, INF_SIZE_MAX + 1, &err));
	assert_int_equal(err.code, ERROR_ANSWER_NO);
}

/* ---- sections ------------------------------------------------------------------------
 */

static void sections_are_found_by_name(void **state _unused_)
{
	static const struct {
		const char *text, *section;
		bool found;
	} cases[] = {
		{"[TestSection]", "TestSection", true},
		{"[TESTSECTION]\r\n", "TestSection", true},
		{"[TestSection]\n[abc]", "testsection", true},
		{";[TestSection]\n", "TestSection", false},
		{"[TestSection]\n", "Bad name", false},
		{"[TestSection]   \r\n", "TestSection", true},
		{"   [TestSection]   dummy\r\n", "TestSection", true},
		{"   [TestSection]   [foo]\r\n", "foo", false},
		{" [  Test Section  ] dummy\r\n", "  Test Section  ", true},
		{" [  Test Section  ] dummy\r\n", "Test Section", false},
		{"[TestSection] \032\ndummy", "TestSection", true},
		{"[Test[Section]\r\n", "Test[Section", true},
		{"[Test[S]ection]\r\n", "Test[S", true},
		{"[]\r\n", "", true},
		{"[Test\"Section]\r\n", "Test\"Section", true},
		{"[Test\\Section]\r\n", "Test\\Section", true},
		{"[Test;Section]\r\n", "Test;Section", true},
		{"[Test\xc3\x84]\r\n", "test\xc3\xa4", true},
		{"a=b \\\n[TestSection]\r\n", "TestSection", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *text = xasprintf(HEADER "%s", cases[i].text);
		_cleanup_inf_ struct inf *inf = open_text(text);

		if ((inf_find_section(inf, cases[i].section) != INF_NONE) !=
		    cases[i].found)
			print_message("case %zu: %s\n", i, cases[i].text);
		assert_int_equal(inf_find_section(inf, cases[i].section) != INF_NONE,
				 cases[i].found);
	}
}

static void sections_of_one_name_merge(void **state _unused_)
{
	_cleanup_inf_ struct inf *inf =
		open_text(HEADER "[a]\nx=1\n[b]\ny=2\n[A]\nz=3\nx=4\n");
	size_t a = inf_find_section(inf, "A");
	struct inf_line line;

	assert_int_equal(inf_sections(inf), 3);
	assert_int_equal(inf_section_lines(inf, a), 3);
	line = inf_line(inf, a, 1);
	assert_string_equal(inf_key(inf, &line), "z");
	assert_int_equal(line.number, 8);
	assert_int_equal(inf_section_line(inf, a), 3);
	/* of two keys the first counts */
	assert_true(inf_find_key(inf, a, "X", &line));
	assert_string_equal(inf_field(inf, &line, 0), "1");
	assert_false(inf_find_key(inf, a, "y", &line));
}

/* ---- lines ---------------------------------------------------------------------------
 */

#define STRINGS                                                                 \
	"[Strings]\nfoo=aaa\nbar=bbb\nloop=%loop2%\nloop2=ccc\nper=1\ncent=2\n" \
	"mydrive=\"C:\\\"\n\"quoted key\"=qqq\n"

static void lines_split_into_key_and_fields(void **state _unused_)
{
	static const struct {
		const char *text, *key; /* key NULL: none */
		const char *fields[8];
	} cases[] = {
		{"ab=cd", "ab", {"cd"}},
		{"ab=cd,ef,gh,ij", "ab", {"cd", "ef", "gh", "ij"}},
		{"ab", "ab", {"ab"}},
		{"ab,cd", NULL, {"ab", "cd"}},
		{"ab,cd=ef", NULL, {"ab", "cd=ef"}},
		{"=abcd,ef", "", {"abcd", "ef"}},
		/* backslashes */
		{"ba\\\ncd=ef", "bacd", {"ef"}},
		{"ab  \\  \ncd=ef", "abcd", {"ef"}},
		{"ab\\\ncd,ef", NULL, {"abcd", "ef"}},
		{"ab  \\ ;cc\ncd=ef", "abcd", {"ef"}},
		{"ab \\ \\ \ncd=ef", "abcd", {"ef"}},
		{"ba \\ dc=xx", "ba \\ dc", {"xx"}},
		{"ba \\\\ \nc=d", "bac", {"d"}},
		{"a=b\\\\c", "a", {"b\\\\c"}},
		{"ab=cd \\ ", "ab", {"cd"}},
		{"ba=c \\ \n \\ \n a", "ba", {"ca"}},
		{"ba=c \\ \n \\ a", "ba", {"c\\ a"}},
		{"  \\ a= \\ b", "\\ a", {"\\ b"}},
		{"a=b,\\\r\n  c,\\\r\n  d", "a", {"b", "c", "d"}},
		/* quotes */
		{"Ab\"Cd\"=Ef", "AbCd", {"Ef"}},
		{"Ab\"Cd=Ef\"", "AbCd=Ef", {"AbCd=Ef"}},
		{"ab\"\"\"cd,ef=gh\"", "ab\"cd,ef=gh", {"ab\"cd,ef=gh"}},
		{"ab\"\"cd=ef", "abcd", {"ef"}},
		{"ab=cd\"\"ef", "ab", {"cdef"}},
		{"ab=cd\",\"ef", "ab", {"cd,ef"}},
		{"ab=cd\",ef", "ab", {"cd,ef"}},
		{"ab=cd\",ef\\\nab", "ab", {"cd,ef\\"}},
		{"ab=\"c;d\" ; e", "ab", {"c;d"}},
		{"ab=\"c\\\"\\\n,d", "ab", {"c\\", "d"}},
		{"ab=\"open\r\n", "ab", {"open"}},
		{"HKLM,A,B,'C',D", NULL, {"HKLM", "A", "B", "'C'", "D"}},
		/* blanks */
		{" a b = c , d \n", "a b", {"c", "d"}},
		{" a b = c ,\" d\" \n", "a b", {"c", " d"}},
		{" a b\r = c\r\n", "a b", {"c"}},
		{"\ta\t=\tb\t\n", "a", {"b"}},
		/* empty fields */
		{"a=b,,,c,,,d", "a", {"b", "", "", "c", "", "", "d"}},
		{"a=b,\"\",c,\" \",d", "a", {"b", "", "c", " ", "d"}},
		{"=,,b", "", {"", "", "b"}},
		{",=,,b", NULL, {"", "=", "", "b"}},
		{"a=\n", "a", {""}},
		{"=", "", {""}},
		/* end of file */
		{"ab=c\032d", "ab", {"c"}},
		{"ab\032=cd", "ab", {"ab"}},
		/* strings */
		{"%foo%=%bar%\n" STRINGS, "aaa", {"bbb"}},
		{"%FOO%xx=%Bar%yy\n" STRINGS, "aaaxx", {"bbbyy"}},
		{"%% %foo%=%bar%\n" STRINGS, "% aaa", {"bbb"}},
		{"%f\"o\"o%=ccc\n" STRINGS, "aaa", {"ccc"}},
		{"abc=%bar;bla%\n" STRINGS, "abc", {"%bar"}},
		{"loop=%loop%\n" STRINGS, "loop", {"%loop2%"}},
		{"%per%%cent%=100\n" STRINGS, "12", {"100"}},
		{"a=%missing%,\"%bar%\"\n" STRINGS, "a", {"%missing%", "bbb"}},
		{"a=\"%%SystemRoot%%\\x\"\n" STRINGS, "a", {"%SystemRoot%\\x"}},
		{"a=\"%mydrive%\\fred\"\n" STRINGS, "a", {"C:\\\\fred"}},
		{"a=%quoted key%\n" STRINGS, "a", {"qqq"}},
		{"a=%12%\\x.sys\n" STRINGS, "a", {"%12%\\x.sys"}},
		{"a=%12%\n[Strings]\n12=twelve\n", "a", {"twelve"}},
		{"a=%x%\n[Strings]\nx=\n", "a", {""}},
		{"a=100%\n" STRINGS, "a", {"100%"}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *text = xasprintf(HEADER "[Test]\n%s", cases[i].text);
		_cleanup_inf_ struct inf *inf = open_text(text);
		struct inf_line line = inf_line(inf, inf_find_section(inf, "Test"), 0);

		if (line.has_key != !!cases[i].key)
			print_message("case %zu: %s\n", i, cases[i].text);
		assert_int_equal(line.has_key, cases[i].key != NULL);
		assert_string_equal(inf_key(inf, &line),
				    cases[i].key ? cases[i].key : "");
		for (size_t j = 0; j < line.fields || cases[i].fields[j]; j++) {
			assert_non_null(cases[i].fields[j]);
			assert_string_equal(inf_field(inf, &line, j), cases[i].fields[j]);
		}
		assert_string_equal(inf_field(inf, &line, 100), "");
	}
}

static void nul_is_a_blank(void **state _unused_)
{
	static const char text[] = HEADER "[Test]\nabcd=ef\0gh\n";
	_cleanup_inf_ struct inf *inf = open_bytes(text, sizeof(text) - 1, NULL);
	struct inf_line line = inf_line(inf, inf_find_section(inf, "Test"), 0);

	assert_string_equal(inf_field(inf, &line, 0), "ef gh");
}

static void line_numbers_count_continuations(void **state _unused_)
{
	_cleanup_inf_ struct inf *inf =
		open_text(HEADER "; c\n[Test]\na=b \\\n,c\n\nd=e\n");
	size_t test = inf_find_section(inf, "Test");

	assert_int_equal(inf_section_line(inf, test), 4);
	assert_int_equal(inf_line(inf, test, 0).number, 5);
	assert_int_equal(inf_line(inf, test, 1).number, 8);
}

/* ---- strings -------------------------------------------------------------------------
 */

static void strings_follow_the_language(void **state _unused_)
{
	static const char text[] =
		HEADER "[Test]\na=%x%,%y%\n[Strings]\nx=english\ny=neutral\n"
		       "[Strings.0407]\nx=deutsch\n[Strings.000c]\nx=langue\n"
		       "[Strings.0c0a]\nx=moderno\n";
	static const struct {
		uint16_t language;
		const char *x;
	} cases[] = {
		{0, "english"},	    {0x409, "english"}, {0x407, "deutsch"},
		{0x807, "deutsch"}, {0x40c, "langue"},	{0x80c, "langue"},
		{0x40a, "moderno"}, /* any other of the primary language */
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_inf_ struct inf *inf = open_text(text);
		struct inf_line line = inf_line(inf, inf_find_section(inf, "Test"), 0);

		inf_set_language(inf, cases[i].language);
		assert_string_equal(inf_field(inf, &line, 0), cases[i].x);
		assert_string_equal(inf_field(inf, &line, 1), "neutral");
	}
}

static void tokens_are_recognised(void **state _unused_)
{
	_cleanup_free_ char *token = inf_token("%Device.Desc%");

	assert_string_equal(token, "device.desc");
	assert_null(inf_token("%a%b"));
	assert_null(inf_token("%a%%b%"));
	assert_null(inf_token("%%"));
	assert_null(inf_token("x"));
}

static void dirids_differ_from_literals(void **state _unused_)
{
	_cleanup_inf_ struct inf *inf =
		open_text(HEADER "[Test]\na=%12%\\x,%%12%%\\x,%-1%,%12x%\n");
	struct inf_line line = inf_line(inf, inf_find_section(inf, "Test"), 0);

	assert_string_equal(inf_field_marked(inf, &line, 0), "\x01"
							     "12\x01\\x");
	assert_string_equal(inf_field_marked(inf, &line, 1), "%12%\\x");
	assert_string_equal(inf_field_marked(inf, &line, 2), "\x01-1\x01");
	assert_string_equal(inf_field_marked(inf, &line, 3), "%12x%");
	assert_string_equal(inf_field(inf, &line, 0), "%12%\\x");
}

static void substituted_text_is_cut_at_4095(void **state _unused_)
{
	_cleanup_free_ char *value = repeat('x', 1000);
	_cleanup_free_ char *text = xasprintf(
		HEADER "[Test]\na=%%b%%%%b%%%%b%%%%b%%%%b%%\n[Strings]\nb=%s\n", value);
	_cleanup_inf_ struct inf *inf = open_text(text);
	struct inf_line line = inf_line(inf, inf_find_section(inf, "Test"), 0);

	assert_int_equal(strlen(inf_field(inf, &line, 0)), 4095);
}

/* ---- numbers -------------------------------------------------------------------------
 */

static void numbers_are_setupapis(void **state _unused_)
{
	static const struct {
		const char *text;
		bool good;
		uint32_t value;
	} cases[] = {
		{"0", true, 0},
		{"", true, 0},
		{"010", true, 10},
		{"0x10", true, 16},
		{"0X00010001", true, 65537},
		{"-1", true, UINT32_MAX},
		{"4294967295", true, UINT32_MAX},
		{"4294967296", false, 0},
		{"0xFFFFFFFF", true, UINT32_MAX},
		{"0x1FFFFFFFF", false, 0},
		{"12x", false, 0},
		{"x", false, 0},
		{"0xG", false, 0},
		{"1 2", false, 0},
		{"\xd9\xa1", false, 0},
		{"%no%", false, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint32_t v = 77;

		assert_int_equal(inf_parse_number(cases[i].text, &v), cases[i].good);
		assert_int_equal(v, cases[i].good ? cases[i].value : 77);
	}
}

/* ---- encodings -----------------------------------------------------------------------
 */

static const char umlaut_text[] = HEADER "[Test]\na=\"M\xc3\xbcller \xe2\x84\xa2\"\n";

static void check_umlaut(struct buffer *raw, enum inf_encoding encoding)
{
	_cleanup_inf_ struct inf *inf = open_bytes(raw->data, raw->len, NULL);
	struct inf_line line;

	assert_non_null(inf);
	assert_int_equal(inf_encoding(inf), encoding);
	line = inf_line(inf, inf_find_section(inf, "Test"), 0);
	assert_string_equal(inf_field(inf, &line, 0), "M\xc3\xbcller \xe2\x84\xa2");
	assert_int_equal(line.number, 4);
	buffer_free(raw);
}

static void swap(struct buffer *b)
{
	for (size_t i = 0; i + 1 < b->len; i += 2) {
		uint8_t low = b->data[i];

		b->data[i] = b->data[i + 1];
		b->data[i + 1] = low;
	}
}

static void every_encoding_reads_the_same(void **state _unused_)
{
	static const char ansi[] = HEADER "[Test]\na=\"M\xfcller \x99\"\n";
	struct buffer b = BUFFER_INIT;

	buffer_append_string(&b, umlaut_text);
	check_umlaut(&b, INF_UTF8);
	buffer_append_string(&b, "\xef\xbb\xbf");
	buffer_append_string(&b, umlaut_text);
	check_umlaut(&b, INF_UTF8);
	buffer_append_string(&b, ansi);
	check_umlaut(&b, INF_ANSI);
	utf16_append(&b, "\xef\xbb\xbf");
	utf16_append(&b, umlaut_text);
	check_umlaut(&b, INF_UTF16LE);
	utf16_append(&b, umlaut_text);
	check_umlaut(&b, INF_UTF16LE);
	utf16_append(&b, "\xef\xbb\xbf");
	utf16_append(&b, umlaut_text);
	swap(&b);
	check_umlaut(&b, INF_UTF16BE);
	utf16_append(&b, umlaut_text);
	swap(&b);
	check_umlaut(&b, INF_UTF16BE);
}

static void odd_and_short_files_are_no_trouble(void **state _unused_)
{
	static const char *const texts[] = {"\xff\xfe",	    "\xff\xfe[", "\xfe\xff",
					    "\xef\xbb\xbf", "\xff",	 "[",
					    "\"",	    "\\",	 "="};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_error_ struct error err = ERROR_INIT;

		assert_null(open_bytes(texts[i], strlen(texts[i]), &err));
		assert_int_equal(err.code, ERROR_ANSWER_NO);
	}
	/* An odd last byte of UTF-16 does not count. */
	struct buffer b = BUFFER_INIT;

	utf16_append(&b, "\xef\xbb\xbf" HEADER);
	buffer_append(&b, "x", 1);
	inf_close(open_bytes(b.data, b.len, NULL));
	buffer_free(&b);
}

/* Time must grow with the size alone: each of these was quadratic in some INF reader. */
static void hostile_shapes_are_read_in_linear_time(void **state _unused_)
{
	static const char *const units[] = {"\\ ", "[a]\n", "a=b\n", "\"\"", "%a%,",
					    ",",   "a\\\n", ";",     "[a",   "\\\\"};

	(void)alarm(60); /* quadratic ones would need many minutes */
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		struct buffer b = BUFFER_INIT;

		buffer_append_string(&b, HEADER "[Test]\n");
		for (size_t n = 0; n < 300000; n++)
			buffer_append_string(&b, units[i]);
		inf_close(open_bytes(b.data, b.len, NULL));
		buffer_free(&b);
	}
	(void)alarm(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_what_setupapi_refuses),
		cmocka_unit_test(names_and_fields_have_limits),
		cmocka_unit_test(a_huge_file_is_refused),
		cmocka_unit_test(sections_are_found_by_name),
		cmocka_unit_test(sections_of_one_name_merge),
		cmocka_unit_test(lines_split_into_key_and_fields),
		cmocka_unit_test(nul_is_a_blank),
		cmocka_unit_test(line_numbers_count_continuations),
		cmocka_unit_test(strings_follow_the_language),
		cmocka_unit_test(tokens_are_recognised),
		cmocka_unit_test(dirids_differ_from_literals),
		cmocka_unit_test(substituted_text_is_cut_at_4095),
		cmocka_unit_test(numbers_are_setupapis),
		cmocka_unit_test(every_encoding_reads_the_same),
		cmocka_unit_test(odd_and_short_files_are_no_trouble),
		cmocka_unit_test(hostile_shapes_are_read_in_linear_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
