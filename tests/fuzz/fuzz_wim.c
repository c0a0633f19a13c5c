/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * WIMs: the bytes as a file, or (without the magic) as an image's metadata. Hashes of
 * uncompressed metadata are corrected first, so that the parser behind them is reached.
 *
 * Beyond crashes and leaks: what opens is edited, and must open again with the change and
 * all the rest; metadata that parses is written, parsed and written to the same bytes.
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "tree/provider.h"
#include "tree/wim.h"

#define MAX_SIZE ((size_t)1 << 20)
#define MAX_READ ((size_t)4 << 20)
#define MAX_FOLDERS 200

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *folder;

static void die(const char *why)
{
	fprintf(stderr, "fuzz_wim: %s\n", why);
	abort();
}

/* Opens and reads below a folder; returns how many entries there are. */
static size_t walk(struct tree *tree, const char *path, unsigned *left)
{
	_cleanup_tree_entries_ struct tree_entries list = VEC_INIT;
	size_t count;

	if (!*left || tree_list(tree, path, &list, NULL) != 1)
		return 0;
	--*left;
	count = list.len;
	vec_foreach (entry, &list) {
		_cleanup_free_ char *below = path_join(path, entry->name);
		_cleanup_buffer_ struct buffer b = BUFFER_INIT;

		if (strchr(entry->name, '/'))
			die("a name with a slash");
		if (entry->stat.type == TREE_FOLDER)
			count += walk(tree, below, left);
		else if (entry->stat.type == TREE_FILE)
			(void)tree_read(tree, below, MAX_READ, &b, NULL);
	}
	return count;
}

static size_t walk_all(struct image *image)
{
	unsigned left = MAX_FOLDERS;
	size_t count = 0;

	for (size_t i = 0; i < image_count(image) && i < 3; i++) {
		struct tree *tree = image_tree(image, i, NULL);

		if (tree)
			count += walk(tree, "", &left) + 1;
	}
	return count;
}

/* Adds a file and commits: then it is there, or the WIM is as it was. */
static void edit(const char *path, struct image *image)
{
	struct bytes text = {(const uint8_t *)"gild", 4};
	_cleanup_buffer_ struct buffer back = BUFFER_INIT, before = BUFFER_INIT;
	_cleanup_buffer_ struct buffer after = BUFFER_INIT;
	_cleanup_error_ struct error err = ERROR_INIT;
	struct image_options options = {0};
	struct tree *tree = image_tree(image, 0, NULL);
	_cleanup_image_ struct image *again = NULL;
	bool written;

	if (!tree || tree_write(tree, "New/Folder/file", text, 0, NULL) < 0 ||
	    file_read(path, 2 * MAX_SIZE, &before, NULL) < 0) {
		image_close(image);
		return;
	}
	written = image_commit(image, NULL, NULL, NULL) == 0;
	image_close(image);
	if (!written) {
		if (file_read(path, 2 * MAX_SIZE, &after, NULL) < 0 ||
		    !bytes_equal(buffer_view(&before), buffer_view(&after)))
			die("a failed commit changed the file");
		return;
	}
	again = image_open(path, &options, &err);
	tree = again ? image_tree(again, 0, &err) : NULL;
	if (!tree || tree_read(tree, "new/folder/FILE", 4, &back, &err) < 0) {
		fprintf(stderr, "%s: %s\n", err.subject, err.reason);
		die("what was committed cannot be read");
	}
}

/* Entries of uncompressed metadata get the hash of what they point to. */
static void correct_hashes(uint8_t *data, size_t size)
{
	struct bytes all = {data, size}, table;
	struct wim_header h;

	if (wim_header_read(all, size, &h, NULL) < 0)
		return;
	table = bytes_at(all, h.blobs.offset, h.blobs.size);
	for (size_t i = 0; table.data && i + WIM_BLOB_SIZE <= table.len;
	     i += WIM_BLOB_SIZE) {
		struct wim_resource r;
		struct bytes content;

		wim_resource_read(table.data + i, &r);
		content = bytes_at(all, r.offset, r.size);
		if (!content.data || !(r.flags & WIM_RESOURCE_METADATA) ||
		    r.flags & WIM_RESOURCE_COMPRESSED)
			continue;
		hash_sha1(content, data + h.blobs.offset + i + 30);
	}
}

static void fuzz_file(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *path = xasprintf("%s/x.wim", folder);
	struct image_options options = {.write = true, .allow_esd = true};
	_cleanup_free_ uint8_t *copy = xmemdup(data, size);
	struct image *image;
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	correct_hashes(copy, size);
	if (fd < 0 || file_write_all(fd, (struct bytes){copy, size}, path, NULL) < 0)
		die("no place to write");
	close(fd);
	image = image_open(path, &options, NULL);
	if (!image) { /* split sets and read-only ones */
		options.write = false;
		image = image_open(path, &options, NULL);
	}
	if (!image)
		return;
	(void)walk_all(image);
	if (options.write)
		edit(path, image);
	else
		image_close(image);
}

static void fuzz_metadata(const uint8_t *data, size_t size)
{
	struct buffer raw = BUFFER_INIT, again = BUFFER_INIT;
	_cleanup_buffer_ struct buffer once = BUFFER_INIT, twice = BUFFER_INIT;
	struct wim_metadata *m = NULL;

	buffer_append(&raw, data, size);
	if (wim_metadata_parse(&raw, "x", &m, NULL) < 0)
		return;
	wim_metadata_emit(m, &once);
	wim_metadata_free(m);
	buffer_append(&again, once.data, once.len);
	if (wim_metadata_parse(&again, "x", &m, NULL) < 0)
		die("what was written does not parse");
	wim_metadata_emit(m, &twice);
	wim_metadata_free(m);
	if (!bytes_equal(buffer_view(&once), buffer_view(&twice)))
		die("the second writing differs from the first");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > MAX_SIZE)
		return 0;
	if (!folder)
		folder = temp_folder_make(NULL, NULL);
	if (!folder)
		die("no temporary folder");
	if (size >= 8 && memcmp(data, "MSWIM\0\0\0", 8) == 0)
		fuzz_file(data, size);
	else
		fuzz_metadata(data, size);
	return 0;
}
