/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Images of a WIM applied to a new NTFS volume: the bytes as a WIM, or (without the
 * magic) as an image's metadata, whose hashes become those of contents that are there.
 * What is built must mount, be clean, and show as many names as there are entries at
 * least in its root.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../memory_disk.h"
#include "base/file.h"
#include "base/hash.h"
#include "tree/files.h"
#include "tree/ntfs.h"
#include "tree/wim.h"

#define MAX_SIZE ((size_t)1 << 18)
#define VOLUME_SIZE ((size_t)32 << 20)
/* Contents in the WIM are so long at most. */
#define MAX_CONTENT 150000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *folder;

static void die(const char *why, const struct error *err)
{
	fprintf(stderr, "fuzz_apply: %s: %s\n", why,
		err && err->reason ? err->reason : "");
	abort();
}

/* ---- a volume in memory -------------------------------------------------------------
 */

static void unmap(struct block *block)
{
	munmap(((struct memory *)block)->data, VOLUME_SIZE);
}

static struct block *memory_open(uint32_t sector_size)
{
	static const struct block_ops ops = {.pread = memory_pread,
					     .pwrite = memory_pwrite,
					     .flush = memory_flush,
					     .close = unmap};
	struct memory *m = xcalloc(1, sizeof(*m));

	m->block =
		(struct block){&ops, xstrdup("volume"), VOLUME_SIZE, sector_size, true};
	m->data = mmap(NULL, VOLUME_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m->data == MAP_FAILED)
		die("no memory", NULL);
	return &m->block;
}

/* ---- building -----------------------------------------------------------------------
 */

static size_t root_names(const struct files *files)
{
	size_t n = 0;

	vec_foreach (entry, &files->entries)
		n += entry > files->entries.items && entry->parent == 0;
	return n;
}

static void check(struct block *block, const struct files *files)
{
	_cleanup_tree_entries_ struct tree_entries list = VEC_INIT;
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_free_ char *detail = NULL;
	enum ntfs_condition condition;
	struct image image = {.path = (char *)"volume"};
	struct ntfs *ntfs = ntfs_open(block, false, &err);
	struct tree *tree;

	if (!ntfs)
		die("what was built does not mount", &err);
	if (ntfs_examine(ntfs, &condition, &detail, &err) < 0 || condition != NTFS_SOUND)
		die("what was built is not clean", &err);
	tree = ntfs_tree(&image, 0, xstrdup("volume"), ntfs);
	if (tree_list(tree, "", &list, &err) != 1)
		die("the root cannot be listed", &err);
	if (list.len > root_names(files))
		die("the root has more names than the image", NULL);
	tree_free(tree);
	if (ntfs_close(ntfs, &err) < 0)
		die("it does not close", &err);
}

static void build(struct files *files, uint32_t sector_size, bool compact)
{
	struct ntfs_build_options options = {.hidden_sectors = 2048, .compact = compact};
	_cleanup_block_ struct block *block = memory_open(sector_size);
	uint64_t need = ntfs_build_size(files, sector_size, &options);
	struct error err = ERROR_INIT;

	if (ntfs_build(block, files, &options, NULL, &err) == 0)
		check(block, files);
	else if (need <= VOLUME_SIZE && err.reason && strstr(err.reason, "too small"))
		die("it said it would fit", &err);
	error_clear(&err);
}

static void apply(const char *path)
{
	struct image_options options = {0};
	_cleanup_image_ struct image *image = image_open(path, &options, NULL);

	for (size_t i = 0; image && i < image_count(image) && i < 2; i++) {
		_cleanup_files_ struct files *files = files_of_wim(image, i, NULL);

		if (!files)
			continue;
		build(files, i ? 4096 : 512, false);
		build(files, 512, true);
	}
}

/* ---- a WIM around metadata ------------------------------------------------------------
 */

struct content {
	uint8_t hash[WIM_HASH_SIZE];
	uint64_t offset, size;
};

struct contents {
	struct vec_of(struct content) list;
	struct buffer file;
};

/* The hash becomes that of a content of a size that it says itself. */
static void give_content(const uint8_t *hash, void *arg)
{
	struct contents *c = arg;
	size_t size = get_le32(hash) % (hash[4] % 8 ? 3000 : MAX_CONTENT) + 1;
	struct content content = {.offset = c->file.len, .size = size};
	uint8_t *p;

	vec_foreach (known, &c->list)
		if (memcmp(known->hash, hash, WIM_HASH_SIZE) == 0)
			return;
	if (c->file.len > ((size_t)8 << 20))
		return;
	p = buffer_reserve(&c->file, size);
	for (size_t i = 0; i < size; i++)
		p[i] = hash[5] % 4 ? hash[i % (1 + hash[6] % 20)] : 0;
	c->file.len += size;
	hash_sha1((struct bytes){p, size}, content.hash);
	memcpy((uint8_t *)hash, content.hash, WIM_HASH_SIZE);
	vec_foreach (known, &c->list)
		if (memcmp(known->hash, content.hash, WIM_HASH_SIZE) == 0)
			return;
	vec_push(&c->list, content);
}

static void visit_nodes(struct wim_node *node, struct contents *c)
{
	wim_node_hashes(node, give_content, c);
	for (uint32_t i = 0; i < node->child_count; i++)
		visit_nodes(node->children[i], c);
}

static void put_blob(struct buffer *table, const struct content *content, uint8_t flags)
{
	struct wim_blob blob = {
		.resource = {content->offset, content->size, content->size, flags},
		.part = 1,
		.references = 1,
		.run = UINT32_MAX};

	memcpy(blob.hash, content->hash, WIM_HASH_SIZE);
	wim_blob_write(&blob, buffer_reserve(table, WIM_BLOB_SIZE));
	table->len += WIM_BLOB_SIZE;
}

static void write_wim(const char *path, const uint8_t *data, size_t size)
{
	struct buffer raw = BUFFER_INIT, table = BUFFER_INIT;
	struct contents c = {0};
	struct wim_metadata *m = NULL;
	struct wim_header h = {
		.version = WIM_VERSION_DEFAULT, .part = 1, .parts = 1, .image_count = 1};
	static const char xml[] = "\xff\xfe<\0W\0I\0M\0>\0<\0/\0W\0I\0M\0>";
	struct content meta = {.size = size};

	buffer_append(&raw, data, size);
	if (wim_metadata_parse(&raw, "x", &m, NULL) < 0) {
		(void)unlink(path);
		return;
	}
	memset(buffer_reserve(&c.file, WIM_HEADER_SIZE), 0, WIM_HEADER_SIZE);
	c.file.len = WIM_HEADER_SIZE;
	visit_nodes(m->root, &c);
	meta.offset = c.file.len;
	hash_sha1((struct bytes){m->raw.data, size}, meta.hash);
	buffer_append(&c.file, m->raw.data, size);
	put_blob(&table, &meta, WIM_RESOURCE_METADATA);
	vec_foreach (content, &c.list)
		put_blob(&table, content, 0);
	h.blobs = (struct wim_resource){c.file.len, table.len, table.len, 0};
	buffer_append(&c.file, table.data, table.len);
	h.xml = (struct wim_resource){c.file.len, sizeof(xml), sizeof(xml), 0};
	buffer_append(&c.file, xml, sizeof(xml));
	wim_header_write(&h, c.file.data);
	if (file_replace(path, buffer_view(&c.file), NULL) < 0)
		die("no place to write", NULL);
	wim_metadata_free(m);
	buffer_free(&table);
	buffer_free(&c.file);
	vec_free(&c.list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *path = NULL;

	if (size > MAX_SIZE)
		return 0;
	if (!folder) {
		folder = temp_folder_make(NULL, NULL);
		files_set_threads(2);
	}
	if (!folder)
		die("no temporary folder", NULL);
	path = xasprintf("%s/x.wim", folder);
	if (size < 8 || memcmp(data, "MSWIM\0\0\0", 8) != 0) {
		write_wim(path, data, size);
	} else {
		int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

		if (fd < 0 ||
		    file_write_all(fd, (struct bytes){data, size}, path, NULL) < 0)
			die("no place to write", NULL);
		close(fd);
	}
	apply(path);
	return 0;
}
