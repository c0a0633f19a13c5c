/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The overlay, paths, and one suite over both providers on images made here. */
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wimlib.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/progress.h"
#include "base/text.h"
#include "tree/provider.h"
#include "tree/wim.h"

struct fixture {
	char *folder; /* scratch */
	char *image;  /* the image to open */
};

static void put_file(const char *folder, const char *name, const char *text)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", folder, name);
	struct bytes data = {(const uint8_t *)text, strlen(text)};

	assert_int_equal(file_replace(path, data, NULL), 0);
}

/* Windows/{INF/a.inf,System32/config/SYSTEM,old/{x,sub/y}}, Link -> Windows, empty. */
static struct fixture *make_folder(void)
{
	static const char *const folders[] = {"image",
					      "image/Windows",
					      "image/Windows/INF",
					      "image/Windows/System32",
					      "image/Windows/System32/config",
					      "image/Windows/old",
					      "image/Windows/old/sub"};
	struct fixture *f = xcalloc(1, sizeof(*f));
	_cleanup_free_ char *link = NULL;

	f->folder = temp_folder_make(NULL, NULL);
	assert_non_null(f->folder);
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		_cleanup_free_ char *path = xasprintf("%s/%s", f->folder, folders[i]);

		assert_int_equal(mkdir(path, 0755), 0);
	}
	f->image = xasprintf("%s/image", f->folder);
	put_file(f->image, "Windows/INF/a.inf", "inf");
	put_file(f->image, "Windows/System32/config/SYSTEM", "hive");
	put_file(f->image, "Windows/old/x", "x");
	put_file(f->image, "Windows/old/sub/y", "y");
	put_file(f->image, "empty", "");
	link = xasprintf("%s/Link", f->image);
	assert_int_equal(symlink("Windows", link), 0);
	return f;
}

static int setup_folder(void **state)
{
	*state = make_folder();
	return 0;
}

static int setup_wim(void **state)
{
	struct fixture *f = make_folder();
	char *path = xasprintf("%s/x.wim", f->folder);
	WIMStruct *wim;

	assert_int_equal(wimlib_create_new_wim(WIMLIB_COMPRESSION_TYPE_XPRESS, &wim), 0);
	assert_int_equal(wimlib_add_image(wim, f->image, "one", NULL, 0), 0);
	assert_int_equal(wimlib_write(wim, path, WIMLIB_ALL_IMAGES, 0, 1), 0);
	wimlib_free(wim);
	free(f->image);
	f->image = path;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	temp_folder_remove(f->folder);
	free(f->image);
	free(f);
	return 0;
}

static struct tree *open_tree(const struct fixture *f, struct image **image)
{
	struct image_options options = {.write = true};
	_cleanup_error_ struct error err = ERROR_INIT;
	struct tree *tree;

	*image = image_open(f->image, &options, &err);
	if (!*image)
		fail_msg("%s", err.reason);
	tree = image_tree(*image, 0, &err);
	assert_non_null(tree);
	return tree;
}

static void assert_content(struct tree *tree, const char *path, const char *want)
{
	_cleanup_buffer_ struct buffer b = BUFFER_INIT;
	_cleanup_error_ struct error err = ERROR_INIT;

	if (tree_read(tree, path, 1000, &b, &err) < 0)
		fail_msg("%s: %s", path, err.reason);
	assert_int_equal(b.len, strlen(want));
	if (b.len)
		assert_memory_equal(b.data, want, b.len);
}

static int write_text(struct tree *tree, const char *path, const char *text)
{
	struct bytes data = {(const uint8_t *)text, strlen(text)};

	return tree_write(tree, path, data, 0, NULL);
}

/* All paths of the tree, folders with a slash, in order, joined by spaces. */
static void collect(struct tree *tree, const char *path, struct buffer *out)
{
	_cleanup_tree_entries_ struct tree_entries list = VEC_INIT;

	assert_int_equal(tree_list(tree, path, &list, NULL), 1);
	vec_foreach (entry, &list) {
		_cleanup_free_ char *below = path_join(path, entry->name);

		buffer_printf(out, "%s%s%s", out->len ? " " : "", below,
			      entry->stat.type == TREE_FOLDER ? "/"
			      : entry->stat.type == TREE_LINK ? "@"
							      : "");
		if (entry->stat.type == TREE_FOLDER)
			collect(tree, below, out);
	}
}

static void assert_tree(struct tree *tree, const char *want)
{
	_cleanup_buffer_ struct buffer out = BUFFER_INIT;
	_cleanup_free_ char *text = NULL;

	collect(tree, "", &out);
	text = buffer_steal_string(&out);
	assert_string_equal(text, want);
}

/* Checks the staged state, commits, and checks the same again from the file. */
static void assert_both(const struct fixture *f, struct image *image, struct tree *tree,
			const char *want)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct image *again;

	assert_tree(tree, want);
	if (image_commit(image, NULL, NULL, &err) < 0)
		fail_msg("%s: %s", err.subject, err.reason);
	assert_true(overlay_empty(tree->overlay));
	assert_tree(tree, want);
	image_close(image);
	assert_tree(open_tree(f, &again), want);
	image_close(again);
}

#define BASE_OLD                                                                      \
	"empty Link@ Windows/ Windows/INF/ Windows/INF/a.inf Windows/old/ "           \
	"Windows/old/sub/ "                                                           \
	"Windows/old/sub/y Windows/old/x Windows/System32/ Windows/System32/config/ " \
	"Windows/System32/config/SYSTEM"

static void lookups_ignore_case(void **state)
{
	_cleanup_image_ struct image *image = NULL;
	struct tree *tree = open_tree(*state, &image);
	struct tree_stat st;

	assert_tree(tree, BASE_OLD);
	assert_content(tree, "windows/SYSTEM32/Config/system", "hive");
	assert_content(tree, "EMPTY", "");
	assert_int_equal(tree_stat(tree, "WINDOWS/inf", &st, NULL), 1);
	assert_int_equal(st.type, TREE_FOLDER);
	assert_int_equal(tree_stat(tree, "", &st, NULL), 1);
	assert_int_equal(tree_stat(tree, "Windows/none/x", &st, NULL), 0);
	assert_int_equal(tree_stat(tree, "empty/x", &st, NULL), 0);
	assert_int_equal(tree_stat(tree, "Link", &st, NULL), 1);
	assert_int_equal(st.type, TREE_LINK);
	assert_int_equal(tree_stat(tree, "Link/INF", &st, NULL), 0);
}

static void bad_paths_are_refused(void **state)
{
	static const char *const bad[] = {"..",
					  "a/../b",
					  "/a",
					  "a/",
					  "a//b",
					  ".",
					  "C:/a",
					  "a\\b",
					  "a*",
					  "a?",
					  "a|b",
					  "a<b",
					  "a\"b",
					  "a\x01",
					  "CON",
					  "x/nul.txt",
					  "com1.a",
					  "a.",
					  "a ",
					  "Link/x",
					  "empty/x",
					  "Windows",
					  ".gild-journal/x"};
	_cleanup_image_ struct image *image = NULL;
	struct tree *tree = open_tree(*state, &image);
	_cleanup_free_ char *name = xcalloc(1, 300);

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_error_ struct error err = ERROR_INIT;

		assert_int_equal(
			tree_write(tree, bad[i], (struct bytes){NULL, 0}, 0, &err), -1);
		assert_non_null(err.reason);
	}
	memset(name, 'n', 255);
	assert_int_equal(write_text(tree, name, ""), 0);
	name[255] = 'n';
	assert_int_equal(write_text(tree, name, ""), -1);
	assert_int_equal(tree_remove(tree, "", NULL), -1);
	assert_int_equal(tree_rename(tree, "Windows", "Windows/INF/w", NULL), -1);
	assert_int_equal(tree_rename(tree, "none", "x", NULL), -1);
	assert_int_equal(tree_rename(tree, "empty", "Windows/INF/a.inf", NULL), -1);
	assert_int_equal(tree_set_attributes(tree, "Link", 1, NULL), -1);
}

static void staged_content_is_read_back(void **state)
{
	_cleanup_buffer_ struct buffer large = BUFFER_INIT, back = BUFFER_INIT;
	_cleanup_image_ struct image *image = NULL;
	struct tree *tree = open_tree(*state, &image);
	struct tree_changes changes = VEC_INIT;
	struct tree_stat st;

	buffer_reserve(&large, 3000000);
	for (size_t i = 0; i < 3000000; i++)
		large.data[i] = (uint8_t)(i >> 8 ^ i);
	large.len = 3000000;
	assert_int_equal(write_text(tree, "windows/inf/A.INF", "new"), 0);
	assert_int_equal(tree_write(tree, "Windows/big", buffer_view(&large), 0, NULL),
			 0);
	assert_int_equal(tree_mkdir(tree, "Windows/New/Deep", NULL), 0);
	assert_content(tree, "Windows/INF/a.inf", "new");
	assert_int_equal(tree_read(tree, "Windows/BIG", large.len, &back, NULL), 0);
	assert_true(bytes_equal(buffer_view(&large), buffer_view(&back)));
	assert_int_equal(tree_read(tree, "Windows/BIG", large.len - 1, &back, NULL), -1);
	assert_int_equal(tree_stat(tree, "Windows/big", &st, NULL), 1);
	assert_int_equal(st.size, large.len);
	assert_int_equal(st.modified, clock_filetime());

	tree_staged(tree, &changes);
	assert_int_equal(changes.len, 4);
	assert_int_equal(changes.items[0].kind, TREE_CHANGE_ADD);
	assert_string_equal(changes.items[0].path, "Windows/big");
	assert_int_equal(changes.items[1].kind, TREE_CHANGE_REPLACE);
	assert_string_equal(changes.items[1].path, "Windows/INF/a.inf"); /* as stored */
	assert_string_equal(changes.items[3].path, "Windows/New/Deep");
	vec_free(&changes);

	assert_int_equal(tree_remove(tree, "Windows/big", NULL), 0);
	assert_int_equal(tree_remove(tree, "Windows/New", NULL), 0);
	assert_int_equal(tree_remove(tree, "Windows/none", NULL), 0);
	tree_staged(tree, &changes);
	assert_int_equal(changes.len, 1);
	vec_free(&changes);
}

static void changes_survive_the_commit(void **state)
{
	struct image *image;
	struct tree *tree = open_tree(*state, &image);

	assert_int_equal(write_text(tree, "windows/inf/A.INF", "new"), 0);
	assert_int_equal(write_text(tree, "Windows/Store/p/x.sys", "sys"), 0);
	assert_int_equal(tree_mkdir(tree, "Windows/Empty", NULL), 0);
	assert_int_equal(tree_remove(tree, "windows/OLD", NULL), 0);
	assert_int_equal(tree_remove(tree, "Link", NULL), 0);
	assert_both(*state, image, tree,
		    "empty Windows/ Windows/Empty/ Windows/INF/ Windows/INF/a.inf "
		    "Windows/Store/ Windows/Store/p/ Windows/Store/p/x.sys "
		    "Windows/System32/ Windows/System32/config/ "
		    "Windows/System32/config/SYSTEM");
	tree = open_tree(*state, &image);
	assert_content(tree, "Windows/INF/a.inf", "new");
	assert_content(tree, "Windows/Store/p/x.sys", "sys");
	image_close(image);
}

/* Folders that move, take changes along and leave their names to others. */
static void renames_keep_what_lies_below(void **state)
{
	struct image *image;
	struct tree *tree = open_tree(*state, &image);

	assert_int_equal(write_text(tree, "Windows/old/new", "new"), 0);
	assert_int_equal(tree_rename(tree, "Windows/old", "Moved", NULL), 0);
	assert_int_equal(tree_rename(tree, "Moved/sub/y", "y2", NULL), 0);
	assert_int_equal(write_text(tree, "Moved/sub/Y", "other"), 0);
	assert_int_equal(tree_remove(tree, "Moved/x", NULL), 0);
	assert_int_equal(write_text(tree, "Windows/old/x", "fresh"), 0);
	assert_int_equal(tree_rename(tree, "Windows/INF", "Windows/Inf", NULL), 0);
	assert_int_equal(tree_rename(tree, "empty", "e", NULL), 0);
	assert_int_equal(tree_rename(tree, "e", "empty", NULL), 0);
	assert_content(tree, "y2", "y");
	assert_content(tree, "Moved/sub/y", "other");
	assert_both(*state, image, tree,
		    "empty Link@ Moved/ Moved/new Moved/sub/ Moved/sub/Y Windows/ "
		    "Windows/Inf/ Windows/Inf/a.inf Windows/old/ Windows/old/x "
		    "Windows/System32/ Windows/System32/config/ "
		    "Windows/System32/config/SYSTEM y2");
	tree = open_tree(*state, &image);
	assert_content(tree, "y2", "y");
	assert_content(tree, "moved/SUB/y", "other");
	assert_content(tree, "Windows/old/x", "fresh");
	image_close(image);
}

static void a_name_can_change_its_kind(void **state)
{
	struct image *image;
	struct tree *tree = open_tree(*state, &image);

	assert_int_equal(tree_remove(tree, "Windows/old", NULL), 0);
	assert_int_equal(write_text(tree, "Windows/OLD", "a file"), 0);
	assert_int_equal(tree_remove(tree, "empty", NULL), 0);
	assert_int_equal(tree_mkdir(tree, "Empty", NULL), 0);
	assert_int_equal(write_text(tree, "Empty/f", "f"), 0);
	assert_both(*state, image, tree,
		    "Empty/ Empty/f Link@ Windows/ Windows/INF/ Windows/INF/a.inf "
		    "Windows/OLD Windows/System32/ Windows/System32/config/ "
		    "Windows/System32/config/SYSTEM");
}

static void attributes_are_kept(void **state)
{
	struct image *image;
	struct tree *tree = open_tree(*state, &image);
	struct tree_stat st;

	assert_int_equal(tree_set_attributes(tree, "Windows/INF/a.inf",
					     TREE_ATTR_READONLY | TREE_ATTR_ARCHIVE,
					     NULL),
			 0);
	assert_int_equal(write_text(tree, "Windows/n", "n"), 0);
	assert_int_equal(tree_set_attributes(tree, "Windows/n", TREE_ATTR_READONLY, NULL),
			 0);
	assert_int_equal(image_commit(image, NULL, NULL, NULL), 0);
	image_close(image);
	tree = open_tree(*state, &image);
	assert_int_equal(tree_stat(tree, "Windows/INF/a.inf", &st, NULL), 1);
	assert_true(st.attributes & TREE_ATTR_READONLY);
	assert_int_equal(tree_stat(tree, "Windows/n", &st, NULL), 1);
	assert_true(st.attributes & TREE_ATTR_READONLY);
	/* Replaced, a file keeps them. */
	assert_int_equal(write_text(tree, "Windows/INF/a.inf", "again"), 0);
	assert_int_equal(image_commit(image, NULL, NULL, NULL), 0);
	assert_int_equal(tree_stat(tree, "Windows/INF/a.inf", &st, NULL), 1);
	assert_true(st.attributes & TREE_ATTR_READONLY);
	image_close(image);
}

static void an_output_leaves_the_source_alone(void **state)
{
	struct fixture *f = *state, g = {.folder = f->folder};
	_cleanup_image_ struct image *image = NULL, *out = NULL;
	_cleanup_free_ char *path = xasprintf("%s/out", f->folder);
	struct image_commit_options options = {.output = path};
	struct tree *tree = open_tree(f, &image);
	uint64_t written = 0;

	assert_int_equal(write_text(tree, "Windows/INF/a.inf", "new"), 0);
	assert_int_equal(image_commit(image, &options, &written, NULL), 0);
	assert_true(written > 0);
	image_close(image);
	image = NULL;
	tree = open_tree(f, &image);
	assert_content(tree, "Windows/INF/a.inf", "inf");
	g.image = path;
	tree = open_tree(&g, &out);
	assert_content(tree, "Windows/INF/a.inf", "new");
	assert_tree(tree, BASE_OLD);
	assert_int_equal(image_commit(image, &options, &written, NULL), -1);
}

static void a_second_run_is_locked_out(void **state)
{
	const struct fixture *f = *state;
	struct image_options write = {.write = true}, read = {0};
	_cleanup_image_ struct image *image = NULL, *other = NULL;
	_cleanup_error_ struct error err = ERROR_INIT;

	image = image_open(f->image, &write, &err);
	assert_non_null(image);
	assert_null(image_open(f->image, &write, &err));
	assert_int_equal(err.code, ERROR_STATE);
	assert_null(image_open(f->image, &read, &err));
	image_close(image);
	image = image_open(f->image, &read, &err);
	other = image_open(f->image, &read, &err);
	assert_non_null(other);
	assert_null(image_open(f->image, &write, &err));
	assert_int_equal(image_commit(image, NULL, NULL, &err), -1);
}

static void host_files_must_not_change(void **state)
{
	struct fixture *f = *state;
	_cleanup_image_ struct image *image = NULL;
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_free_ char *host = xasprintf("%s/host", f->folder);
	struct tree *tree = open_tree(f, &image);

	put_file(f->folder, "host", "before");
	assert_int_equal(tree_write_host(tree, "Windows/h", host, 0, NULL), 0);
	assert_content(tree, "Windows/h", "before");
	put_file(f->folder, "host", "after that");
	assert_int_equal(image_commit(image, NULL, NULL, &err), -1);
	image_close(image);
	image = NULL;
	assert_tree(open_tree(f, &image), BASE_OLD);
}

/* ---- WIM only
 * ---------------------------------------------------------------------------- */

static void a_header_is_written_as_it_was_read(void **state _unused_)
{
	uint8_t raw[WIM_HEADER_SIZE] = "MSWIM\0\0", back[WIM_HEADER_SIZE];
	struct wim_header h;

	for (size_t i = 24; i < 40; i++)
		raw[i] = (uint8_t)i;
	for (size_t i = 148; i < sizeof(raw); i++)
		raw[i] = (uint8_t)i;
	put_le32(raw + 8, WIM_HEADER_SIZE);
	put_le32(raw + 12, WIM_VERSION_DEFAULT);
	put_le32(raw + 16, WIM_COMPRESSED | WIM_LZX);
	put_le32(raw + 20, 32768);
	put_le16(raw + 40, 1);
	put_le16(raw + 42, 1);
	put_le32(raw + 44, 3);
	put_le64(raw + 48, 50 | UINT64_C(2) << 56);
	put_le64(raw + 56, 208);
	put_le64(raw + 64, 50);
	put_le32(raw + 120, 2);
	assert_int_equal(
		wim_header_read((struct bytes){raw, sizeof(raw)}, 1000, &h, NULL), 0);
	assert_int_equal(h.blobs.flags, WIM_RESOURCE_METADATA);
	wim_header_write(&h, back);
	assert_memory_equal(raw, back, sizeof(raw));
	/* It must not point behind the end, and other versions are not guessed at. */
	assert_int_equal(wim_header_read((struct bytes){raw, sizeof(raw)}, 257, &h, NULL),
			 -1);
	put_le64(raw + 56, UINT64_MAX - 10);
	assert_int_equal(
		wim_header_read((struct bytes){raw, sizeof(raw)}, 1000, &h, NULL), -1);
	put_le64(raw + 56, 208);
	put_le32(raw + 12, 0x20000);
	assert_int_equal(
		wim_header_read((struct bytes){raw, sizeof(raw)}, 1000, &h, NULL), -1);
}

static void add_entry(struct buffer *b, const char *name, uint32_t attributes,
		      uint64_t subdir)
{
	size_t at = b->len;

	buffer_reserve(b, WIM_ENTRY_SIZE);
	memset(b->data + at, 0, WIM_ENTRY_SIZE);
	b->len += WIM_ENTRY_SIZE;
	if (*name) {
		utf16_append_z(b, name);
		put_le16(b->data + at + WIM_ENTRY_NAME,
			 (uint16_t)(b->len - at - WIM_ENTRY_SIZE - 2));
	}
	while (b->len & 7)
		buffer_append(b, "", 1);
	put_le64(b->data + at, b->len - at);
	put_le32(b->data + at + WIM_ENTRY_ATTRIBUTES, attributes);
	put_le64(b->data + at + WIM_ENTRY_SUBDIR, subdir);
}

static void metadata_without_changes_stays_the_same(void **state _unused_)
{
	struct buffer b = BUFFER_INIT;
	_cleanup_buffer_ struct buffer out = BUFFER_INIT, before = BUFFER_INIT;
	struct wim_metadata *m = NULL;

	buffer_append_le32(&b, 8);
	buffer_append_le32(&b, 0);
	add_entry(&b, "", TREE_ATTR_DIRECTORY, 8 + 104 + 8);
	buffer_append_le64(&b, 0);
	add_entry(&b, "..", TREE_ATTR_DIRECTORY, 0);
	add_entry(&b, "b", TREE_ATTR_ARCHIVE, 0);
	buffer_append_le64(&b, 0);
	/* The folder without a list gets an empty one; all else is as it was. */
	put_le64(b.data + 8 + 104 + 8 + WIM_ENTRY_SUBDIR, b.len);
	buffer_append_le64(&b, 0);
	buffer_append(&before, b.data, b.len);
	assert_int_equal(wim_metadata_parse(&b, "x", &m, NULL), 0);
	wim_metadata_emit(m, &out);
	assert_true(bytes_equal(buffer_view(&before), buffer_view(&out)));
	/* A name that no path can say is there, and cannot be reached. */
	assert_null(wim_node_find(m, ".."));
	assert_non_null(wim_node_find(m, "B"));
	wim_metadata_free(m);
}

static void damaged_metadata_is_refused(void **state _unused_)
{
	for (int damage = 0; damage < 6; damage++) {
		struct buffer b = BUFFER_INIT;
		struct wim_metadata *m = NULL;

		buffer_append_le32(&b, damage == 0 ? 0xfffffff0 : 8);
		buffer_append_le32(&b, damage == 1 ? 0x7fffffff : 0);
		add_entry(&b, "", damage == 2 ? TREE_ATTR_ARCHIVE : TREE_ATTR_DIRECTORY,
			  8 + 104 + 8);
		buffer_append_le64(&b, 0);
		/* A folder whose list is the one that holds it. */
		add_entry(&b, "loop", TREE_ATTR_DIRECTORY, damage == 3 ? 120 : 0);
		if (damage == 4)
			put_le16(b.data + 120 + WIM_ENTRY_NAME, 0xfffe);
		if (damage != 5)
			buffer_append_le64(&b, 0);
		assert_int_equal(wim_metadata_parse(&b, "x", &m, NULL), -1);
	}
}

#define BOTH(test)                                                     \
	cmocka_unit_test_setup_teardown(test, setup_folder, teardown), \
		cmocka_unit_test_setup_teardown(test, setup_wim, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(lookups_ignore_case),
		BOTH(bad_paths_are_refused),
		BOTH(staged_content_is_read_back),
		BOTH(changes_survive_the_commit),
		BOTH(renames_keep_what_lies_below),
		BOTH(a_name_can_change_its_kind),
		BOTH(attributes_are_kept),
		BOTH(an_output_leaves_the_source_alone),
		BOTH(a_second_run_is_locked_out),
		BOTH(host_files_must_not_change),
		cmocka_unit_test(a_header_is_written_as_it_was_read),
		cmocka_unit_test(metadata_without_changes_stays_the_same),
		cmocka_unit_test(damaged_metadata_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
