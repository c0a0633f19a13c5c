/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * NTFS volumes. The input is what of a volume of 2 MiB is not zero: records of a 16-bit
 * page number and a page of 512 bytes. It is mounted, examined, walked and read; nothing
 * may be written, and no walk may go round.
 */
#include <stdio.h>

#include "../memory_disk.h"
#include "base/buffer.h"
#include "tree/files.h"
#include "tree/ntfs.h"
#include "tree/ntfs_verify.h"

#define PAGE 512
#define PAGES 4096
#define MAX_READ ((size_t)1 << 20)
#define MAX_FOLDERS 64
#define MAX_FILES 400

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* libFuzzer's: one of its own mutations. Missing where inputs are only replayed. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size)
	__attribute__((weak));
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size,
			       unsigned seed);

static _Noreturn void die(const char *why)
{
	fprintf(stderr, "fuzz_ntfs: %s\n", why);
	abort();
}

static int refuse(struct block *block _unused_, const void *buf _unused_,
		  size_t len _unused_, uint64_t offset _unused_,
		  struct error *err _unused_)
{
	die("a volume mounted for reading is written");
}

static const struct block_ops read_only_ops = {
	.pread = memory_pread,
	.pwrite = refuse,
	.flush = memory_flush,
};

struct left {
	unsigned folders, files;
};

static void walk(struct tree *tree, const char *path, struct left *left)
{
	_cleanup_tree_entries_ struct tree_entries list = VEC_INIT;

	if (strlen(path) > TREE_MAX_PATH)
		die("a path longer than any");
	if (!left->folders-- || tree_list(tree, path, &list, NULL) != 1)
		return;
	vec_foreach (entry, &list) {
		_cleanup_free_ char *below = path_join(path, entry->name);
		_cleanup_buffer_ struct buffer b = BUFFER_INIT;

		if (!left->folders || !left->files)
			return;
		if (strchr(entry->name, '/') || !*entry->name)
			die("a name with a slash, or none");
		if (entry->stat.type == TREE_FOLDER) {
			walk(tree, below, left);
		} else {
			left->files--;
			(void)tree_read(tree, below, MAX_READ, &b, NULL);
			if (b.len > MAX_READ)
				die("more than was asked for");
		}
	}
}

static int drop_data(void *arg, struct bytes data, struct error *err _unused_)
{
	uint64_t *left = arg;

	if (data.len > *left)
		die("a content is longer than its size");
	*left -= data.len;
	return 0;
}

/* All of the volume at once, as a capture reads it. */
static void read_all(struct ntfs *ntfs)
{
	_cleanup_files_ struct files *files = files_of_ntfs(ntfs, NULL);

	if (!files)
		return;
	(void)files_check(files, NULL);
	vec_foreach (entry, &files->entries)
		if (entry->inode >= files->inodes.len ||
		    (entry != files->entries.items &&
		     entry->parent >= (size_t)(entry - files->entries.items)))
			die("an entry that leads nowhere");
	for (uint32_t i = 0; i < files->blobs.len && i < MAX_FILES; i++) {
		uint64_t left = files->blobs.items[i].size;
		const struct files_sink sink = {.data = drop_data, .arg = &left};

		if (left <= MAX_READ && files_read(files, &i, 1, &sink, NULL) == 0 &&
		    left)
			die("a content is shorter than its size");
	}
}

static void look(struct ntfs *ntfs)
{
	_cleanup_buffer_ struct buffer bitmap = BUFFER_INIT, mark = BUFFER_INIT;
	_cleanup_free_ char *detail = NULL;
	struct left left = {MAX_FOLDERS, MAX_FILES};
	enum ntfs_condition condition;
	struct tree *tree;
	uint64_t offset;

	(void)ntfs_examine(ntfs, &condition, &detail, NULL);
	(void)ntfs_bitmap(ntfs, &bitmap, NULL);
	for (unsigned copy = 0; copy < 2; copy++)
		(void)ntfs_dirty_mark(ntfs, copy, &offset, &mark, NULL);
	tree = ntfs_tree(NULL, 0, xstrdup("volume"), ntfs);
	walk(tree, "", &left);
	(void)tree_stat(tree, "folder/Sub/FILE number 7.txt", NULL, NULL);
	tree_free(tree);
	read_all(ntfs);
}

static void ignore(void *arg, enum ntfs_damage kind _unused_, const char *name,
		   const char *why)
{
	unsigned *count = arg;

	if (!name || !why)
		die("damage without a name or a reason");
	++*count;
}

/* Every record and content, as gild verify --deep. */
static void look_at_all(struct ntfs *ntfs)
{
	unsigned count = 0;
	const struct ntfs_verify_sink sink = {ignore, &count};
	uint64_t bytes = 0;

	(void)ntfs_verify(ntfs, &sink, &bytes, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memory m = {.data = xcalloc(PAGES, PAGE)};
	struct ntfs *ntfs;

	m.block = (struct block){&read_only_ops, xstrdup("volume"), PAGES * PAGE, 512,
				 true};
	for (; size >= 2 + PAGE; data += 2 + PAGE, size -= 2 + PAGE)
		memcpy(m.data + get_le16(data) % PAGES * PAGE, data + 2, PAGE);
	ntfs = ntfs_open(&m.block, false, NULL);
	if (ntfs) {
		look(ntfs);
		look_at_all(ntfs);
		(void)ntfs_close(ntfs, NULL);
	}
	free(m.block.name);
	free(m.data);
	return 0;
}

static unsigned next_random(unsigned *state)
{
	*state = *state * 1103515245u + 12345u;
	return *state >> 8;
}

/*
 * Most of a volume is file content, which nobody parses. Half of the mutations go to
 * records and index blocks: a field gets a value that offsets, lengths and counts break
 * at.
 */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	static const uint32_t values[] = {
		0,	1,	2,	    8,		0x10,	   0x18,
		0x1f0,	0x1ff,	0x200,	    0x3f8,	0x400,	   0x7fff,
		0xffff, 0x8000, 0x7fffffff, 0x80000000, 0xffffffff};
	size_t pages = size / (2 + PAGE);

	if (seed % 2 || !pages)
		return LLVMFuzzerMutate(data, size, max_size);
	for (unsigned tries = 0; tries < 1000; tries++) {
		uint8_t *page = data + next_random(&seed) % pages * (2 + PAGE) + 2;
		unsigned at = next_random(&seed) % (PAGE - 6);

		if (memcmp(page, "FILE", 4) != 0 && memcmp(page, "INDX", 4) != 0)
			continue;
		switch (next_random(&seed) % 4) {
		case 0:
			page[at] = (uint8_t)next_random(&seed);
			break;
		case 1:
			put_le16(page + at / 2 * 2,
				 (uint16_t)
					 values[next_random(&seed) % ARRAY_SIZE(values)]);
			break;
		case 2:
			put_le32(page + at / 4 * 4,
				 values[next_random(&seed) % ARRAY_SIZE(values)]);
			break;
		default:
			page[at] ^= (uint8_t)(1u << next_random(&seed) % 8);
		}
		if (next_random(&seed) % 3)
			break;
	}
	return size;
}
