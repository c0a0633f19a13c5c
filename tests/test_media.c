/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Folders and archives. Archives come from the tools that people use, where these are
 * installed; what no tool makes (spanned cabinets, hostile names) is written here.
 */
#include "test_media.h"

/* ---- tests ---------------------------------------------------------------------- */

static void folders_are_searched(void **state _unused_)
{
	_cleanup_media_ struct source_media m = {0};

	shell("mkdir -p drv/b/c drv/A outside && ln -s ../outside drv/link && "
	      "touch drv/b/c/z.INF drv/A/x.inf drv/b/readme.txt outside/o.inf "
	      "drv/e.inf.txt "
	      "&& ln -s ../outside/o.inf drv/o.inf");
	assert_adds(&m, "drv/");
	assert_infs(&m, "drv/A/x.inf|drv/b/c/z.INF");
	assert_problems(
		&m, "drv/link: is a link, which gild does not follow; give its target|"
		    "drv/o.inf: is a link, which gild does not follow; give its target");
	assert_true(text_ends_with(m.infs.items[1].folder, "/drv/b/c"));
	assert_adds(&m, "drv/A/x.inf"); /* given twice, it counts once */
	assert_adds(&m, "drv/b");
	assert_int_equal(m.infs.len, 2);
	assert_refuses("nothing", "No such file");
	assert_refuses("drv/b/readme.txt", "is empty");
}

static void folders_without_drivers_say_so(void **state _unused_)
{
	_cleanup_media_ struct source_media m = {0};

	shell("mkdir none msi");
	put_text("none/x.txt", "x");
	put_bytes("msi/a.msi", "\320\317\021\340\241\261\032\341....", 12);
	assert_adds(&m, "none");
	assert_adds(&m, "msi");
	assert_infs(&m, "");
	assert_problem(&m, "none: holds no INF");
	assert_problem(&m, "msi/a.msi: is a Windows Installer package");
	assert_refuses("msi/a.msi", "msiextract");
}

static void deep_folders_end(void **state _unused_)
{
	_cleanup_media_ struct source_media m = {0};

	shell("mkdir d && cd d && for i in $(seq 70); do mkdir x && cd x; done; touch "
	      "a.inf");
	assert_adds(&m, "d");
	assert_infs(&m, "");
	assert_problem(&m, "nested too deep");
}

static void names_are_found_as_windows_does(void **state _unused_)
{
	_cleanup_media_ struct source_media m = {0};
	_cleanup_error_ struct error err = ERROR_INIT;
	static const struct {
		const char *name, *want;
	} cases[] = {
		{"X64\\VIOSCSI.SYS", "p/x64/vioscsi.sys"},
		{"\\x64\\vioscsi.sys", "p/x64/vioscsi.sys"},
		{"x64//.\\vioscsi.sys", "p/x64/vioscsi.sys"},
		{"x64/../a.cat", "p/A.cat"},
		{"case/f", "p/case/f"},		    /* the exact one */
		{"case/OnlyBig", "p/Case/ONLYBIG"}, /* found in the other folder */
		{"../secret", NULL},
		{"x64/../../secret", NULL},
		{"..", NULL},
		{"", NULL},
		{"x64", NULL}, /* a folder */
		{"link", NULL},
		{"linked/secret", NULL},
		{"x64/vioscsi.sys/x", NULL},
	};

	shell("mkdir -p p/x64 p/case p/Case && touch p/x64/vioscsi.sys p/A.cat secret "
	      "p/case/f p/Case/F p/Case/ONLYBIG && ln -s ../secret p/link && "
	      "ln -s .. p/linked");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *got = media_find(&m, "p", cases[i].name, &err);

		assert_int_equal(err.code, ERROR_NONE);
		if (cases[i].want && !got)
			fail_msg("%s was not found", cases[i].name);
		if (cases[i].want)
			assert_string_equal(got, cases[i].want);
		else
			assert_null(got);
	}
}

/* LZSS with literals only: each control byte 0xFF stands for eight of them. */
static void put_szdd(const char *name, const char *text)
{
	_cleanup_buffer_ struct buffer b = BUFFER_INIT;
	size_t len = strlen(text);

	buffer_append(&b, "SZDD\210\360\047\063A\0", 10);
	buffer_append_le32(&b, (uint32_t)len);
	for (size_t i = 0; i < len; i++) {
		if (i % 8 == 0)
			buffer_append(&b, "\377", 1);
		buffer_append(&b, text + i, 1);
	}
	put_buffer(name, &b);
}

static void compressed_files_are_expanded(void **state _unused_)
{
	_cleanup_media_ struct source_media m = {0};
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_free_ char *a = NULL, *b = NULL, *c = NULL, *d = NULL, *again = NULL;
	static const struct cab cab = {.files = {{"driver.dll", 5, 0, 0}},
				       .n_files = 1,
				       .blocks = {{"hello", 5, 5}},
				       .n_blocks = 1};

	shell("mkdir p");
	put_szdd("p/DRIVER.SY_", "twelve bytes");
	put_bytes("p/k.c_", "KWAJ\210\360\047\321\0\0\16\0\0\0kwaj", 18);
	put_cab("p/driver.dl_", &cab);
	put_text("p/plain._", "not compressed");
	a = media_find(&m, "p", "driver.sys", &err);
	assert_non_null(a);
	assert_file(a, "twelve bytes");
	again = media_find(&m, "p", "Driver.Sys", &err);
	assert_string_equal(a, again);
	b = media_find(&m, "p", "k.c", &err);
	assert_file(b, "kwaj");
	c = media_find(&m, "p", "Driver.dll", &err);
	assert_file(c, "hello");
	d = media_find(&m, "p", "plain", &err);
	assert_file(d, "not compressed");
	assert_int_equal(err.code, ERROR_NONE);
	/* A header that is cut off inside its name: libmspack frees what it did not set.
	 */
	put_bytes("p/bad.sy_", "KWAJ\210\360\047\321\0\0\16\0\152", 13);
	assert_null(media_find(&m, "p", "bad.sys", &err));
	assert_int_equal(err.code, ERROR_FAILED);
	error_clear(&err);
	assert_null(media_find(&m, "p", "none.sys", &err));
	assert_int_equal(err.code, ERROR_NONE);
}

static void compressed_infs_count(void **state _unused_)
{
	_cleanup_media_ struct source_media m = {0};

	shell("mkdir p");
	put_szdd("p/NET.IN_", "[Version]");
	put_text("p/OLD.IN_", "[Version]");
	assert_adds(&m, "p");
	assert_infs(&m, "p/NET.IN_|p/OLD.IN_");
	assert_file(m.infs.items[0].path, "[Version]");
	assert_true(text_ends_with(m.infs.items[0].path, "/NET.INf"));
	assert_true(text_ends_with(m.infs.items[0].folder, "/p"));
}

/* One pack by every tool: the same INFs come out, with readable names. */
static void archives_of_all_tools(void **state _unused_)
{
	static const struct {
		const char *tool, *command, *name, *prefix;
	} cases[] = {
		{"zip", "zip -qr a.zip p", "a.zip", "p/"},
		{"7z", "7z a -bd a.7z p >/dev/null", "a.7z", "p/"},
		{"7z", "7z a -bd -m0=PPMd b.7z p >/dev/null", "b.7z", "p/"},
		{"7z", "7z a -bd -mm=LZMA b.zip p >/dev/null", "b.zip", "p/"},
		{"tar", "tar cf a.tar p", "a.tar", "p/"},
		{"tar", "tar czf a.tgz p", "a.tgz", "p/"},
		{"xz", "tar cJf a.tar.xz p", "a.tar.xz", "p/"},
		{"xorriso", "xorriso -as mkisofs -quiet -J -R -o a.iso p", "a.iso", ""},
		{"genisoimage", "genisoimage -quiet -udf -J -o b.iso p", "b.iso", ""},
	};

	shell("mkdir -p p/x64 && printf inf >p/x64/B.Inf && printf '\\303\\274' "
	      ">p/\xc3\xbc.inf "
	      "&& seq 30000 >p/x64/b.sys");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_media_ struct source_media m = {0};
		_cleanup_free_ char *want =
			xasprintf("%1$s/%2$sx64/B.Inf|%1$s/%2$s\xc3\xbc.inf",
				  cases[i].name, cases[i].prefix);
		_cleanup_free_ char *check =
			xasprintf("command -v %s >/dev/null", cases[i].tool);
		_cleanup_free_ char *sys = NULL, *cmp = NULL;

		if (system(check) != 0) {
			print_message("# %s is not installed\n", cases[i].tool);
			continue;
		}
		shell(cases[i].command);
		assert_adds(&m, cases[i].name);
		assert_infs(&m, want);
		assert_problems(&m, "");
		sys = media_find(&m, m.infs.items[0].folder, "B.SYS", NULL);
		assert_non_null(sys);
		cmp = xasprintf("cmp %s p/x64/b.sys", sys);
		shell(cmp);
	}
}

static void cabinets_of_gcab(void **state _unused_)
{
	_cleanup_media_ struct source_media m = {0};
	_cleanup_free_ char *sys = NULL, *cmp = NULL;

	need("gcab");
	shell("mkdir -p p && printf inf >p/a.inf && seq 100000 >p/a.sys && "
	      "gcab -c s.cab p/a.inf p/a.sys && gcab -c -z z.cab p/a.inf p/a.sys");
	assert_adds(&m, "s.cab");
	assert_adds(&m, "z.cab");
	assert_infs(&m, "s.cab/p/a.inf|z.cab/p/a.inf");
	assert_problems(&m, "");
	sys = media_find(&m, m.infs.items[1].folder, "a.sys", NULL);
	assert_non_null(sys);
	cmp = xasprintf("cmp %s p/a.sys", sys);
	shell(cmp);
}

/*
 * LZX with a 16-bit window, as one uncompressed block: the header bit 0 (no E8
 * translation), three bits block type 3, 24 bits size, then R0 to R2 and the bytes.
 */
static void cabinets_with_lzx(void **state _unused_)
{
	_cleanup_media_ struct source_media m = {0};
	_cleanup_buffer_ struct buffer lzx = BUFFER_INIT;
	struct cab cab = {.compression = 0x1003,
			  .files = {{"l\xfczx.inf", 12, 0, 0}},
			  .n_files = 1,
			  .n_blocks = 1};
	uint32_t bits = 3u << 28 | 12u << 4; /* 0 011 and the size, 28 bits in all */

	buffer_append_le16(&lzx, (uint16_t)(bits >> 16));
	buffer_append_le16(&lzx, (uint16_t)bits);
	for (int i = 0; i < 3; i++)
		buffer_append_le32(&lzx, 1);
	buffer_append(&lzx, "lzx contents", 12);
	cab.blocks[0] = (struct cab_block){lzx.data, (uint16_t)lzx.len, 12};
	put_cab("l.cab", &cab);
	assert_adds(&m, "l.cab");
	assert_infs(&m, "l.cab/l\xc3\xbczx.inf"); /* the name is Windows-1252 */
	assert_file(m.infs.items[0].path, "lzx contents");
}

/* x.sys starts in the first cabinet, whose last block goes on in the second. */
static void put_spanned(const char *first, const char *second)
{
	struct cab one = {.next = "X2.CAB",
			  .files = {{"x.inf", 3, 0, 0},
				    {"x.sys", 9, 3, INTO_NEXT},
				    {"y.inf", 2, 12, INTO_NEXT}},
			  .n_files = 3,
			  .blocks = {{"inf123", 6, 0}},
			  .n_blocks = 1};
	struct cab two = {.previous = "x1.cab",
			  .index = 1,
			  .files = {{"x.sys", 9, 3, FROM_PREVIOUS},
				    {"y.inf", 2, 12, FROM_PREVIOUS}},
			  .n_files = 2,
			  .blocks = {{"456789YY", 8, 14}},
			  .n_blocks = 1};

	if (first)
		put_cab(first, &one);
	if (second)
		put_cab(second, &two);
}

static void cabinets_that_span(void **state _unused_)
{
	_cleanup_media_ struct source_media m = {0}, n = {0}, o = {0};
	_cleanup_free_ char *sys = NULL;

	shell("mkdir s only2");
	put_spanned("s/x1.cab", "s/x2.cab");
	assert_adds(&m, "s");
	assert_infs(&m, "s/x1.cab/x.inf|s/x1.cab/y.inf");
	assert_problems(&m, "");
	sys = media_find(&m, m.infs.items[0].folder, "X.SYS", NULL);
	assert_file(sys, "123456789");
	assert_file(m.infs.items[1].path, "YY");
	assert_adds(&n, "s/x2.cab"); /* any part stands for the set */
	assert_infs(&n, "s/x2.cab/x.inf|s/x2.cab/y.inf");
	put_spanned(NULL, "only2/x2.cab");
	assert_adds(&o, "only2");
	assert_problem(&o, "x1.cab: this part of the cabinet set is not in its folder");
	assert_infs(&o, "");
}

static void cabinets_in_archives(void **state _unused_)
{
	_cleanup_media_ struct source_media m = {0};
	static const struct cab data = {.files = {{"readme.txt", 2, 0, 0}},
					.n_files = 1,
					.blocks = {{"hi", 2, 2}},
					.n_blocks = 1};

	need("zip");
	shell("mkdir -p p/sub");
	put_spanned("p/sub/x1.cab", "p/sub/x2.cab");
	put_cab("p/data.cab", &data); /* without a driver: left alone */
	shell("zip -qr p.zip p && mkdir q && mv p.zip q && zip -qr q.zip q");
	assert_adds(&m, "q.zip");
	assert_infs(&m, "q.zip/q/p.zip/p/sub/x1.cab/x.inf|"
			"q.zip/q/p.zip/p/sub/x1.cab/y.inf");
	assert_problems(&m, "");
}

static void nesting_ends(void **state _unused_)
{
	_cleanup_media_ struct source_media m = {0}, n = {0};

	need("zip");
	shell("touch a.inf && zip -q 1.zip a.inf && for i in 1 2 3 4 5; do "
	      "zip -q $((i+1)).zip $i.zip; done");
	assert_adds(&m, "4.zip");
	assert_infs(&m, "4.zip/3.zip/2.zip/1.zip/a.inf");
	assert_adds(&n, "5.zip");
	assert_infs(&n, "");
	assert_problems(&n, "5.zip/4.zip/3.zip/2.zip/1.zip: not unpacked: archives are "
			    "nested too deep");
}

static void names_that_lead_outside(void **state _unused_)
{
	_cleanup_media_ struct source_media m = {0};
	_cleanup_buffer_ struct buffer zip = BUFFER_INIT;
	_cleanup_free_ char *around = NULL;
	static const char *const names[] = {
		"../evil.inf",	"x/../../evil.inf", "/tmp/evil.inf", "\\evil.inf",
		"C:\\evil.inf", "..\\..\\evil.inf", "a.inf:ads.inf", "ok/./good.inf",
		"OK\\GOOD.INF", "n\newline.inf",    "dos\x81.inf",   "ok/good.inf/x.inf",
	};

	/* What is around the scratch folder must be this test's alone. */
	_cleanup_free_ char *temp = getenv("TMPDIR") ? xstrdup(getenv("TMPDIR")) : NULL;

	assert_int_equal(setenv("TMPDIR", work, 1), 0);
	make_zip(&zip, names, ARRAY_SIZE(names));
	put_buffer("t.zip", &zip);
	assert_adds(&m, "t.zip");
	assert_int_equal(temp ? setenv("TMPDIR", temp, 1) : unsetenv("TMPDIR"), 0);
	assert_infs(&m, "t.zip/dos\xc3\xbc.inf|t.zip/ok/good.inf");
	assert_int_equal(m.problems.len, 10);
	assert_problem(&m, "t.zip/../evil.inf: not unpacked: its name leads out");
	assert_problem(&m, "t.zip//tmp/evil.inf: not unpacked: its name is absolute");
	assert_problem(&m, "C:/evil.inf: not unpacked: its name has a drive letter");
	assert_problem(&m, "n?ewline.inf: not unpacked: its name has control characters");
	assert_problem(&m, "OK/GOOD.INF: not unpacked: the archive has another entry");
	assert_problem(&m,
		       "x.inf: not unpacked: a file of the archive has the name of its");
	around = xasprintf("[ ! -e /tmp/evil.inf ] && "
			   "! find %s/.. -maxdepth 2 -name 'evil*' | grep .",
			   m.scratch);
	shell(around);
}

static void links_and_devices_are_dropped(void **state _unused_)
{
	_cleanup_media_ struct source_media m = {0};
	_cleanup_free_ char *copy = NULL;

	shell("mkdir out p && ln -s $PWD/out p/d && ln -s ../a p/l.inf && mkfifo p/pipe "
	      "&& "
	      "printf good >p/g.inf && ln p/g.inf p/h.inf && tar cf t.tar p && "
	      "printf bad >x.inf && tar rf t.tar --transform 's|^|p/d/|' x.inf");
	assert_adds(&m, "t.tar");
	assert_infs(&m, "t.tar/p/d/x.inf|t.tar/p/g.inf|t.tar/p/h.inf");
	assert_problem(&m, "p/d: not unpacked: it is a symbolic link");
	assert_problem(&m, "p/pipe: not unpacked: it is a device or pipe");
	assert_int_equal(access("out/x.inf", F_OK), -1);
	copy = xstrdup(m.infs.items[2].path); /* hard links are copies */
	assert_file(copy, "good");
}

static struct unpack low_limits(const char *path, enum media_kind kind)
{
	assert_int_equal(mkdir("dest", 0700), 0);
	return (struct unpack){.path = path,
			       .label = path,
			       .dest = "dest",
			       .kind = kind,
			       .limits = {.bytes = 100000, .entries = 3}};
}

static void assert_over_limit(struct unpack *u, const char *reason)
{
	for (int isolated = 0; isolated < 2; isolated++) {
		_cleanup_error_ struct error err = ERROR_INIT;
		int status = isolated ? unpack_isolated(u, &err) : unpack_here(u, &err);

		assert_int_equal(status, -1);
		if (!strstr(err.reason, reason))
			fail_msg("\"%s\" is not in \"%s\"", reason, err.reason);
		assert_non_null(err.remedy);
		shell("rm -r dest && mkdir dest");
		unpack_done(u);
	}
	shell("rmdir dest");
}

static void bombs_end(void **state _unused_)
{
	struct unpack u;

	need("zip");
	shell("truncate -s 3M zeros && zip -q z.zip zeros && touch 1 2 3 4 && "
	      "zip -q n.zip 1 2 3 4 && tar cf n.tar 1 2 3 4 && truncate -s 200G hole && "
	      "tar cSf hole.tar hole && gcab -c -z z.cab zeros");
	u = low_limits("z.zip", MEDIA_ZIP);
	assert_over_limit(&u, "more than 100000 bytes");
	u = low_limits("z.cab", MEDIA_CAB);
	assert_over_limit(&u, "more than 100000 bytes");
	u = low_limits("n.zip", MEDIA_ZIP);
	assert_over_limit(&u, "more than the 3 entries");
	u = low_limits("n.tar", MEDIA_TAR);
	assert_over_limit(&u, "more than the 3 entries");
	assert_refuses("hole.tar", "unpacks to more than ");
}

static void damaged_archives_are_refused(void **state _unused_)
{
	static const char *const names[] = {"a.zip", "a.7z",  "a.tgz",
					    "a.cab", "a.iso", "a.tar"};

	need("7z");
	need("gcab");
	shell("mkdir p && printf inf >p/a.inf && head -c 300000 /dev/urandom >p/a.sys && "
	      "zip -qr a.zip p && 7z a -bd a.7z p && tar czf a.tgz p && tar cf a.tar p "
	      "&& "
	      "gcab -c -z a.cab p/a.sys p/a.inf && xorriso -as mkisofs -quiet -o a.iso "
	      "p && mkdir tmp");
	assert_int_equal(setenv("TMPDIR", "tmp", 1), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *cut = xasprintf("truncate -s 150000 %s", names[i]);

		shell(cut);
		assert_refuses(names[i], "is damaged");
	}
	assert_int_equal(unsetenv("TMPDIR"), 0);
	shell("rmdir tmp"); /* nothing is left behind */
}

static void damaged_entries_are_problems(void **state _unused_)
{
	_cleanup_media_ struct source_media m = {0}, n = {0};
	_cleanup_buffer_ struct buffer zip = BUFFER_INIT;
	static const char *const names[] = {"one.inf", "two.sys", "x.inf"};
	char *at;

	make_zip(&zip, names, ARRAY_SIZE(names));
	at = memmem(zip.data, zip.len, "two.systwo.sys", 14);
	assert_non_null(at);
	at[8]++; /* its data, not its name */
	put_buffer("d.zip", &zip);
	assert_adds(&m, "d.zip");
	assert_infs(&m, "d.zip/one.inf|d.zip/x.inf");
	assert_problem(&m, "d.zip/two.sys: not unpacked: ");
	assert_null(media_find(&m, m.infs.items[0].folder, "two.sys", NULL));
	shell("mkdir f && printf 'PK\\003\\004xx' >f/bad.zip && touch f/y.inf "
	      "f/empty.cab");
	assert_adds(&n, "f");
	assert_infs(&n, "f/y.inf");
	assert_problem(&n, "f/bad.zip: is damaged");
}

static void empty_archives_say_so(void **state _unused_)
{
	_cleanup_media_ struct source_media m = {0};

	put_bytes("e.zip", "PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 22);
	assert_adds(&m, "e.zip");
	assert_problems(&m, "e.zip: holds no INF");
	put_bytes("zero.cab", "", 0);
	assert_refuses("zero.cab", "is empty");
}

static void encrypted_archives_are_refused(void **state _unused_)
{
	need("7z");
	shell("echo x >a.inf && zip -q -P pw e.zip a.inf && 7z a -bd -ppw e.7z a.inf && "
	      "7z a -bd -ppw -mhe=on h.7z a.inf && 7z a -bd -tzip -ppw -mem=AES256 "
	      "aes.zip "
	      "a.inf");
	assert_refuses("e.zip", "is encrypted; unpack it with its password");
	assert_refuses("aes.zip", "is encrypted");
	assert_refuses("e.7z", "is encrypted");
	assert_refuses("h.7z", "is encrypted");
}

static void self_extractors(void **state _unused_)
{
	_cleanup_media_ struct source_media m = {0}, n = {0};
	_cleanup_buffer_ struct buffer stub = BUFFER_INIT, cab_exe = BUFFER_INIT;
	static const struct cab cab = {.files = {{"c.inf", 3, 0, 0}},
				       .n_files = 1,
				       .blocks = {{"cab", 3, 3}},
				       .n_blocks = 1};

	need("zip");
	buffer_append(&stub, "MZ", 2);
	for (int i = 0; i < 5000; i++)
		buffer_append_le32(&stub, (uint32_t)i * 2654435761u);
	put_buffer("plain.exe", &stub);
	buffer_append(&cab_exe, stub.data, stub.len);
	make_cab(&cab_exe, &cab);
	shell("mkdir d");
	put_buffer("d/cab.exe", &cab_exe);
	shell("echo x >a.inf && zip -q a.zip a.inf && cat plain.exe a.zip >d/zip.exe && "
	      "cp d/zip.exe adjusted.exe && zip -qA adjusted.exe && 7z a -bd a.7z a.inf "
	      "&& "
	      "cat plain.exe a.7z >d/7z.exe && cp plain.exe d/other.exe && "
	      "cp -r d e && touch e/beside.inf");
	assert_adds(&m, "d");
	assert_adds(&m, "adjusted.exe");
	assert_infs(&m,
		    "adjusted.exe/a.inf|d/7z.exe/a.inf|d/cab.exe/c.inf|d/zip.exe/a.inf");
	assert_problems(&m, "");
	assert_adds(&n, "e"); /* programs beside a driver are not opened */
	assert_infs(&n, "e/beside.inf");
	assert_refuses("plain.exe", "is a program without an archive in it");
	buffer_append(&stub, "NullsoftInst", 12);
	put_buffer("nsis.exe", &stub);
	assert_refuses("nsis.exe", "is an NSIS installer");
}

static void other_files_are_refused_by_name(void **state _unused_)
{
	put_bytes("a.wim", "MSWIM\0\0\0....", 12);
	put_text("a.txt", "hello");
	assert_refuses("a.wim", "is a WIM image");
	assert_refuses("a.txt", "is neither an INF, a folder nor an archive");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(folders_are_searched),
		T(folders_without_drivers_say_so),
		T(deep_folders_end),
		T(names_are_found_as_windows_does),
		T(compressed_files_are_expanded),
		T(compressed_infs_count),
		T(archives_of_all_tools),
		T(cabinets_of_gcab),
		T(cabinets_with_lzx),
		T(cabinets_that_span),
		T(cabinets_in_archives),
		T(nesting_ends),
		T(names_that_lead_outside),
		T(links_and_devices_are_dropped),
		T(bombs_end),
		T(damaged_archives_are_refused),
		T(damaged_entries_are_problems),
		T(empty_archives_say_so),
		T(encrypted_archives_are_refused),
		T(self_extractors),
		T(other_files_are_refused_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
