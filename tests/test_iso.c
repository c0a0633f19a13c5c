/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Optical discs: images of every form from tests/mkudf.py (which writes what no tool here
 * does), and from genisoimage and xorriso; what is wrong with a disc is said.
 */
#include "scratch.h"

#include "block/iso.h"

/* The image of a variant as x.iso, its content as x.dat; all are made at the first call.
 */
static void make_udf(const char *variant)
{
	static char *all;
	const char *source = getenv("GILD_SOURCE");
	_cleanup_free_ char *command = NULL;

	need("python3");
	if (!source) {
		print_message("# GILD_SOURCE is not set\n");
		skip();
	}
	if (!all) {
		_cleanup_free_ char *make = NULL;

		all = temp_folder_make(NULL, NULL);
		make = xasprintf("python3 '%s'/tests/mkudf.py %s all", source, all);
		shell(make);
	}
	command = xasprintf("cp %s/%s.iso x.iso; cp %s/%s.dat x.dat", all, variant, all,
			    variant);
	shell(command);
}

static struct iso *opened(const char *path)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct iso *iso = iso_open(path, &err);

	if (!iso)
		fail_msg("%s: %s", path, err.reason);
	return iso;
}

static void assert_finds(struct iso *iso, const char *path, struct iso_node *node)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	int found = iso_find(iso, path, node, &err);

	if (found != 1)
		fail_msg("%s: %d %s", path, found, err.reason ? err.reason : "");
}

/* The file read in pieces of odd sizes, and as a block, is the wanted content. */
static void assert_content(struct iso *iso, const char *path, const char *host)
{
	static const size_t steps[] = {1, 511, 2048, 2049, 70001};
	_cleanup_buffer_ struct buffer want = BUFFER_INIT;
	_cleanup_iso_node_ struct iso_node node = {0};
	_cleanup_block_ struct block *block = NULL;
	_cleanup_free_ uint8_t *got = NULL;

	assert_finds(iso, path, &node);
	assert_int_equal(file_read(host, 1 << 24, &want, NULL), 0);
	assert_false(node.folder);
	assert_int_equal(node.size, want.len);
	got = xcalloc(1, want.len + 1);
	for (size_t at = 0, i = 0; at < want.len; i++) {
		size_t n = steps[i % ARRAY_SIZE(steps)];

		n = n < want.len - at ? n : want.len - at;
		assert_int_equal(iso_read(iso, &node, got + at, n, at, NULL), 0);
		at += n;
	}
	assert_memory_equal(got, want.data, want.len);
	assert_int_equal(iso_read(iso, &node, got, 2, want.len - 1, NULL), -1);
	assert_int_equal(iso_read(iso, &node, got, 1, UINT64_MAX, NULL), -1);
	block = iso_block(iso, &node, xstrdup("x"));
	memset(got, 0, want.len);
	assert_int_equal(block_pread(block, got, want.len, 0, NULL), 0);
	assert_memory_equal(got, want.data, want.len);
	assert_int_equal(block_pwrite(block, got, 1, 0, NULL), -1);
}

static void every_form_is_read(void **state _unused_)
{
	static const char *const variants[] = {
		"short",  "long",  "extended", "embedded", "continued",
		"holes",  "names", "indirect", "metadata", "mirror",
		"anchor", "b512",  "reserve",  "pointer",  "b4096",
	};

	for (size_t i = 0; i < ARRAY_SIZE(variants); i++) {
		_cleanup_iso_node_ struct iso_node node = {0};
		_cleanup_iso_ struct iso *iso = NULL;

		make_udf(variants[i]);
		iso = opened("x.iso");
		print_message("# %s\n", variants[i]);
		assert_string_equal(iso_kind(iso), "UDF");
		assert_content(iso, "data.BIN", "x.dat");
		assert_finds(iso, "FOLDER/inside.txt", &node);
		assert_int_equal(node.size, 5);
		iso_node_free(&node);
		assert_int_equal(iso_find(iso, "gone", &node, NULL), 0);
		assert_int_equal(iso_find(iso, "Data.bin/x", &node, NULL), 0);
	}
}

static void extents_lie_in_the_image(void **state _unused_)
{
	_cleanup_iso_node_ struct iso_node node = {0};
	_cleanup_iso_ struct iso *iso = NULL;
	uint8_t direct[64], read[64];
	FILE *f;

	make_udf("holes");
	iso = opened("x.iso");
	assert_finds(iso, "Data.bin", &node);
	assert_int_equal(node.extents.len, 3);
	assert_int_equal(node.extents.items[0].at, 0);
	assert_true(node.extents.items[1].offset == ISO_HOLE);
	assert_int_equal(node.extents.items[2].at + node.extents.items[2].length,
			 node.size);
	f = fopen("x.iso", "rb");
	assert_non_null(f);
	assert_int_equal(fseek(f, (long)node.extents.items[2].offset, SEEK_SET), 0);
	assert_int_equal(fread(direct, 1, sizeof(direct), f), sizeof(direct));
	fclose(f);
	assert_int_equal(
		iso_read(iso, &node, read, sizeof(read), node.extents.items[2].at, NULL),
		0);
	assert_memory_equal(direct, read, sizeof(read));
}

static bool lists(struct iso *iso, const char *name)
{
	_cleanup_iso_entries_ struct iso_entries entries = VEC_INIT;

	assert_int_equal(iso_list(iso, iso_root(iso), &entries, NULL), 0);
	vec_foreach (e, &entries)
		if (strcmp(e->name, name) == 0)
			return true;
	return false;
}

static void names_are_unicode(void **state _unused_)
{
	_cleanup_iso_node_ struct iso_node upper = {0};
	_cleanup_iso_ struct iso *iso = NULL;

	make_udf("names");
	iso = opened("x.iso");
	assert_true(lists(iso, "caf\xc3\xa9"));
	assert_true(lists(iso, "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e "
			       "\xf0\x9f\x98\x80.txt"));
	assert_false(lists(iso, "a/b"));
	assert_false(lists(iso, ".."));
	assert_false(lists(iso, "gone"));
	/* The exact name goes before one that differs in case. */
	assert_finds(iso, "DATA.BIN", &upper);
	assert_int_equal(upper.size, 5);
}

static void discs_of_other_writers(void **state _unused_)
{
	static const struct {
		const char *tool, *command, *kind;
	} cases[] = {
		{"genisoimage", "genisoimage -quiet -udf -o y.iso d", "UDF"},
		{"genisoimage", "genisoimage -quiet -J -R -o y.iso d", "Joliet"},
		{"xorriso", "xorriso -as mkisofs -quiet -J -o y.iso d", "Joliet"},
		{"xorriso", "xorriso -as mkisofs -quiet -R -o y.iso d", "Rock Ridge"},
		{"genisoimage", "genisoimage -quiet -R -o y.iso d", "Rock Ridge"},
	};

	shell("mkdir -p 'd/Sub Folder' && seq 50000 >'d/Sub Folder/A long name of a "
	      "file.Text' && for i in $(seq 200); do echo $i >d/many$i.txt; done");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_iso_ struct iso *iso = NULL;

		need(cases[i].tool);
		shell(cases[i].command);
		iso = opened("y.iso");
		print_message("# %s\n", cases[i].command);
		assert_string_equal(iso_kind(iso), cases[i].kind);
		assert_content(iso, "sub folder/a LONG name of a file.text",
			       "d/Sub Folder/A long name of a file.Text");
		assert_content(iso, "many137.TXT", "d/many137.txt");
	}
}

static void plain_iso_9660(void **state _unused_)
{
	_cleanup_iso_ struct iso *iso = NULL;

	need("genisoimage");
	shell("mkdir d && seq 50000 >d/file.txt && seq 3 >d/noext");
	shell("genisoimage -quiet -o y.iso d");
	iso = opened("y.iso");
	assert_string_equal(iso_kind(iso), "ISO 9660");
	assert_true(lists(iso, "FILE.TXT"));
	assert_content(iso, "file.txt", "d/file.txt");
	assert_content(iso, "noext", "d/noext");
}

/* Folders that were moved for being too deep are where they were; links are no files. */
static void rock_ridge_is_followed(void **state _unused_)
{
	_cleanup_iso_entries_ struct iso_entries entries = VEC_INIT;
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_iso_node_ struct iso_node node = {0};
	_cleanup_iso_ struct iso *iso = NULL;

	need("genisoimage");
	need("python3");
	shell("mkdir -p d/1/2/3/4/5/6/7/8/9/10 && seq 50000 >d/1/2/3/4/5/6/7/8/9/10/deep "
	      "&& "
	      "ln -s 1 d/link && seq 9 >d/zipped && "
	      "seq 9 >d/$(printf '%0200d' 7) && genisoimage -quiet -R -o y.iso d");
	shell("python3 - <<'E'\n"
	      "d = bytearray(open('y.iso', 'rb').read())\n"
	      "at = d.index(b'zipped', 34816)\n"
	      "px = d.index(b'PX', at)\n"
	      "d[px:px + 2] = b'ZF'\n"
	      "open('y.iso', 'wb').write(d)\n"
	      "E");
	iso = opened("y.iso");
	assert_content(iso, "1/2/3/4/5/6/7/8/9/10/DEEP", "d/1/2/3/4/5/6/7/8/9/10/deep");
	assert_int_equal(iso_find(iso, "link", &node, &err), -1);
	assert_non_null(strstr(err.reason, "symbolic link"));
	assert_int_equal(iso_find(iso, "zipped", &node, &err), -1);
	assert_non_null(strstr(err.reason, "zisofs"));
	/* The moved folders are not listed twice. */
	assert_finds(iso, "rr_moved", &node);
	assert_int_equal(iso_list(iso, &node, &entries, NULL), 0);
	assert_int_equal(entries.len, 0);
	assert_true(lists(iso,
			  "0000000000000000000000000000000000000000000000000000000000"
			  "0000000000000000000000000000000000000000000000000000000000"
			  "0000000000000000000000000000000000000000000000000000000000"
			  "00000000000000000000000007"));
}

/* A file over 4 GiB has several records in ISO 9660; the parts are one file. */
static void parts_of_large_files(void **state _unused_)
{
	_cleanup_iso_node_ struct iso_node node = {0};
	_cleanup_iso_ struct iso *iso = NULL;
	char end[4];

	need("xorriso");
	/* The last record is shortened by hand instead of writing 4 GiB: two records. */
	shell("mkdir d && seq 100000 >d/a.bin && seq 100000 200000 >d/b.bin && "
	      "xorriso -as mkisofs -quiet -iso-level 3 -o y.iso d");
	shell("python3 - <<'E'\n"
	      "d = bytearray(open('y.iso', 'rb').read())\n"
	      "a = d.index(b'A.BIN;1', 32768 + 4096) - 33\n"
	      "b = d.index(b'B.BIN;1', 32768 + 4096) - 33\n"
	      "d[a + 25] |= 128\n"
	      "d[b + 33] = ord('A')\n"
	      "open('y.iso', 'wb').write(d)\n"
	      "E");
	iso = opened("y.iso");
	assert_finds(iso, "a.bin", &node);
	assert_int_equal(node.size, 588895 + 700007);
	assert_int_equal(iso_read(iso, &node, end, 4, 588895, NULL), 0);
	assert_memory_equal(end, "1000", 4);
}

static void what_is_wrong_is_said(void **state _unused_)
{
	static const struct {
		const char *variant, *reason;
	} cases[] = {
		{"loop-list", "do not end"},
		{"loop-indirect", "without end"},
		{"loop-pointer", "volume descriptors cannot be read"},
		{"no-anchor", "volume descriptors cannot be read"},
		{"outside", "outside of a partition"},
		{"behind", "outside of a partition"},
		{"partition", "partition 7"},
		{"virtual", "a virtual partition"},
		{"sparable", "a sparable partition"},
		{"crc", "entry in block"},
		{"checksum", "entry in block"},
		{"size", "106496 bytes of extents"},
		{"attributes", "is cut off"},
		{"strategy", "unknown strategy 77"},
		{"link", "link or another special file"},
		{"folder-tag", "a folder is invalid at byte"},
		{"no-root", "block 777"},
		{"huge-folder", "bytes of names"},
		{"bad-map", "partition map 0"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_error_ struct error err = ERROR_INIT;
		_cleanup_iso_node_ struct iso_node node = {0};
		_cleanup_iso_ struct iso *iso = NULL;

		make_udf(cases[i].variant);
		iso = iso_open("x.iso", &err);
		if (iso)
			assert_int_equal(iso_find(iso, "data.bin", &node, &err), -1);
		assert_non_null(err.reason);
		if (!strstr(err.reason, cases[i].reason))
			fail_msg("%s: \"%s\"", cases[i].variant, err.reason);
		assert_non_null(err.remedy);
	}
}

static void one_bad_file_spares_the_others(void **state _unused_)
{
	_cleanup_iso_entries_ struct iso_entries entries = VEC_INIT;
	_cleanup_iso_ struct iso *iso = NULL;

	make_udf("crc");
	iso = opened("x.iso");
	assert_int_equal(iso_list(iso, iso_root(iso), &entries, NULL), 0);
	assert_int_equal(entries.len, 2);
	assert_non_null(entries.items[0].problem);
	assert_null(entries.items[1].problem);
	assert_true(entries.items[1].node.folder);
}

static void a_cut_disc_is_known(void **state _unused_)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_iso_node_ struct iso_node node = {0};
	_cleanup_iso_ struct iso *iso = NULL;

	make_udf("short");
	shell("truncate -s 1040000 x.iso");
	iso = opened("x.iso");
	assert_false(iso_is_cut(iso));
	assert_int_equal(iso_find(iso, "data.bin", &node, &err), -1);
	assert_true(iso_is_cut(iso));
	assert_non_null(strstr(err.reason, "it has 1040000 bytes"));
}

static void paths_do_not_loop(void **state _unused_)
{
	_cleanup_iso_node_ struct iso_node node = {0};
	_cleanup_buffer_ struct buffer path = BUFFER_INIT;
	_cleanup_iso_ struct iso *iso = NULL;
	_cleanup_free_ char *text = NULL;

	make_udf("loop-folder");
	iso = opened("x.iso");
	assert_finds(iso, "folder/inside.txt/folder/inside.txt/data.bin", &node);
	for (int i = 0; i < 40; i++)
		buffer_append_string(&path, "folder/inside.txt/");
	text = buffer_steal_string(&path);
	iso_node_free(&node);
	assert_int_equal(iso_find(iso, text, &node, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(every_form_is_read),
		TEST(extents_lie_in_the_image),
		TEST(names_are_unicode),
		TEST(discs_of_other_writers),
		TEST(plain_iso_9660),
		TEST(rock_ridge_is_followed),
		TEST(parts_of_large_files),
		TEST(what_is_wrong_is_said),
		TEST(one_bad_file_spares_the_others),
		TEST(a_cut_disc_is_known),
		TEST(paths_do_not_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
