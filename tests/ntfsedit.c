/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Edits an NTFS volume in a file without any journal, or a folder or WIM by the same
 * script, to compare what comes of it. The script is read from stdin: one change a line,
 * its words separated by tabs.
 *
 *   ntfsedit VOLUME | --image IMAGE
 *
 *   write PATH TEXT | put PATH HOST [FILETIME] | noise PATH SIZE SEED
 *   mkdir PATH | rm PATH | mv FROM TO | attr PATH HEX
 *
 * Of a volume it prints how many writes there were, how many bytes these had, how many
 * bytes of the volume they touched, and how many of these lie in clusters that were in
 * use.
 */
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "tree/ntfs.h"

#define MAX_WORDS 4

struct counting {
	struct block block;
	struct block *below;
	struct buffer bitmap;
	uint32_t cluster_size;
	uint64_t writes, bytes, in_use;
	struct buffer touched, touched_in_use; /* a bit for each 512 bytes */
};

_Noreturn static void fail(const struct error *err)
{
	_cleanup_free_ char *message = error_message(err);

	fprintf(stderr, "ntfsedit: %s\n", message);
	exit(err->code ? (int)err->code : 1);
}

static void set_bit(struct buffer *bits, uint64_t i)
{
	while (bits->len <= i / 8) {
		memset(buffer_reserve(bits, 4096), 0, 4096);
		bits->len += 4096;
	}
	bits->data[i / 8] |= (uint8_t)(1u << i % 8);
}

static uint64_t count_bits(const struct buffer *bits)
{
	uint64_t count = 0;

	for (size_t i = 0; i < bits->len; i++)
		count += (unsigned)__builtin_popcount(bits->data[i]);
	return count;
}

static int counted_pread(struct block *block, void *buf, size_t len, uint64_t offset,
			 struct error *err)
{
	return block_pread(((struct counting *)block)->below, buf, len, offset, err);
}

static int counted_pwrite(struct block *block, const void *buf, size_t len,
			  uint64_t offset, struct error *err)
{
	struct counting *c = (struct counting *)block;

	c->writes++;
	c->bytes += len;
	for (uint64_t at = offset / 512; at < (offset + len + 511) / 512; at++) {
		uint64_t cluster = at * 512 / c->cluster_size;

		set_bit(&c->touched, at);
		if (cluster / 8 >= c->bitmap.len ||
		    c->bitmap.data[cluster / 8] >> cluster % 8 & 1)
			set_bit(&c->touched_in_use, at);
	}
	return block_pwrite(c->below, buf, len, offset, err);
}

static int counted_flush(struct block *block, struct error *err)
{
	return block_flush(((struct counting *)block)->below, err);
}

static void counted_close(struct block *block)
{
	struct counting *c = (struct counting *)block;

	block_close(c->below);
	buffer_free(&c->bitmap);
	buffer_free(&c->touched);
	buffer_free(&c->touched_in_use);
}

static const struct block_ops counting_ops = {
	.pread = counted_pread,
	.pwrite = counted_pwrite,
	.flush = counted_flush,
	.close = counted_close,
};

static struct counting *open_counting(const char *path, struct error *err)
{
	struct block *below = block_file_open(path, true, 0, err);
	struct counting *c;

	if (!below)
		return NULL;
	c = xcalloc(1, sizeof(*c));
	c->block = *below;
	c->block.ops = &counting_ops;
	c->block.name = xstrdup(path);
	c->below = below;
	return c;
}

/* ---- the script ----------------------------------------------------------------------
 */

/* Content that does not repeat, of a number. */
static void noise(struct buffer *ret, size_t len, uint32_t seed)
{
	uint32_t x = seed * 2654435761u + 1;
	uint8_t *p = buffer_reserve(ret, len);

	for (size_t i = 0; i < len; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		p[i] = (uint8_t)x;
	}
	ret->len += len;
}

static int write_noise(struct tree *tree, const char *path, size_t len, uint32_t seed,
		       const char *temp, struct error *err)
{
	static unsigned number;
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;
	_cleanup_free_ char *host = xasprintf("%s/%u", temp, number++);

	noise(&data, len, seed);
	if (file_replace(host, buffer_view(&data), err) < 0)
		return -1;
	return tree_write_host(tree, path, host, 0, err);
}

static int run(struct tree *tree, char **word, size_t words, const char *temp,
	       struct error *err)
{
	const char *command = word[0];

	if (words == 3 && strcmp(command, "write") == 0)
		return tree_write(
			tree, word[1],
			(struct bytes){(const uint8_t *)word[2], strlen(word[2])}, 0,
			err);
	if (words >= 3 && strcmp(command, "put") == 0)
		return tree_write_host(tree, word[1], word[2],
				       words == 4 ? strtoull(word[3], NULL, 0) : 0, err);
	if (words == 4 && strcmp(command, "noise") == 0)
		return write_noise(tree, word[1], strtoul(word[2], NULL, 0),
				   (uint32_t)strtoul(word[3], NULL, 0), temp, err);
	if (words == 2 && strcmp(command, "mkdir") == 0)
		return tree_mkdir(tree, word[1], err);
	if (words == 2 && strcmp(command, "rm") == 0)
		return tree_remove(tree, word[1], err);
	if (words == 3 && strcmp(command, "mv") == 0)
		return tree_rename(tree, word[1], word[2], err);
	if (words == 3 && strcmp(command, "attr") == 0)
		return tree_set_attributes(tree, word[1],
					   (uint32_t)strtoul(word[2], NULL, 16), err);
	return error_set(err, ERROR_USAGE, command, "is no change");
}

/* Changes that the tree refuses are said and left out: random scripts have such. */
static void stage_all(struct tree *tree, const char *temp)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t len;

	while ((len = getline(&line, &size, stdin)) > 0) {
		_cleanup_error_ struct error err = ERROR_INIT;
		char *words[MAX_WORDS] = {0}, *rest = line, *word;
		size_t n = 0;

		if (line[len - 1] == '\n')
			line[len - 1] = 0;
		while (n < MAX_WORDS && (word = strsep(&rest, "\t")))
			words[n++] = word;
		if (run(tree, words, n, temp, &err) == 0)
			continue;
		if (err.code == ERROR_USAGE)
			fail(&err);
		printf("refused: %s %s\n", words[0], n > 1 ? words[1] : "");
	}
	free(line);
}

static void edit_volume(const char *path, const char *temp)
{
	struct error err = ERROR_INIT;
	_cleanup_block_ struct block *block = block_file_open(path, false, 0, &err);
	struct ntfs *base = block ? ntfs_open(block, false, &err) : NULL, *ntfs;
	struct counting *counting = open_counting(path, &err);
	struct tree *tree;

	if (!base || !counting || ntfs_bitmap(base, &counting->bitmap, &err) < 0)
		fail(&err);
	counting->cluster_size = ntfs_cluster_size(base);
	tree = ntfs_tree(NULL, 0, xstrdup(path), base);
	stage_all(tree, temp);
	ntfs = ntfs_open(&counting->block, true, &err);
	if (!ntfs || ntfs_check_space(ntfs, tree, &err) < 0 ||
	    ntfs_apply(ntfs, tree, &err) < 0 || ntfs_close(ntfs, &err) < 0)
		fail(&err);
	printf("writes %ju bytes %ju touched %ju in use %ju\n",
	       (uintmax_t)counting->writes, (uintmax_t)counting->bytes,
	       (uintmax_t)count_bits(&counting->touched) * 512,
	       (uintmax_t)count_bits(&counting->touched_in_use) * 512);
	overlay_free(tree->overlay);
	free(tree->name);
	free(tree);
	if (ntfs_close(base, &err) < 0)
		fail(&err);
	block_close(&counting->block);
}

static void edit_image(const char *path, const char *temp)
{
	const struct image_options options = {.write = true};
	const struct image_commit_options commit = {0};
	struct error err = ERROR_INIT;
	_cleanup_image_ struct image *image = image_open(path, &options, &err);
	struct tree *tree = image ? image_tree(image, 0, &err) : NULL;

	if (!tree)
		fail(&err);
	stage_all(tree, temp);
	if (image_commit(image, &commit, NULL, &err) < 0)
		fail(&err);
}

int main(int argc, char **argv)
{
	struct error err = ERROR_INIT;
	_cleanup_(temp_folder_removep) char *temp = NULL;

	if (argc < 2 || argc > 3)
		return 2;
	temp = temp_folder_make(NULL, &err);
	if (!temp)
		fail(&err);
	if (argc == 3)
		edit_image(argv[2], temp);
	else
		edit_volume(argv[1], temp);
	return 0;
}
