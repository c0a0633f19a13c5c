/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Looks at an NTFS volume in a file through gild's provider, for the scripts: a listing
 * to compare with other tools, the state, what would mark it dirty. The volume is opened
 * such that no write can reach the file.
 *
 *   ntfstool VOLUME[@OFFSET[+SIZE]] list        type, size, attributes, times, hash, path
 *   ntfstool VOLUME state | info | cat PATH | bitmap | mark OUT
 *   ntfstool VOLUME capture OUT.wim COMPRESSION [PATH...]    all but these files, to a
 * WIM ntfstool VOLUME make SIZE SECTOR CLUSTER FILES    a new one, with one of everything
 *   ntfstool VOLUME small SIZE SECTOR CLUSTER         the same in little
 *   ntfstool VOLUME metadata [SIZE SECTOR CLUSTER]    adds what a capture has to keep
 *   ntfstool VOLUME compact ALGORITHM PATH...         files of Compact OS from then on
 *   ntfstool FILE pack ALGORITHM    to standard output: what fuzz_wof reads
 */
#include <stdio.h>

#include "ntfs_sample.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "tree/files.h"
#include "tree/ntfs.h"

#define MAX_DEPTH 200
#define LIMIT (1u << 30)

_Noreturn static void fail(const struct error *err)
{
	_cleanup_free_ char *message = error_message(err);

	fprintf(stderr, "ntfstool: %s\n", message);
	exit(1);
}

static const char *hash_of(struct tree *tree, const char *path, char hex[65])
{
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;
	_cleanup_error_ struct error err = ERROR_INIT;
	uint8_t digest[32];

	if (tree_read(tree, path, LIMIT, &data, &err) < 0) {
		_cleanup_free_ char *message = error_message(&err);

		fprintf(stderr, "%s\n", message);
		return "unreadable";
	}
	hash_sha256(buffer_view(&data), digest);
	hash_hex(digest, sizeof(digest), hex);
	return hex;
}

static void list(struct tree *tree, const char *folder, unsigned depth)
{
	_cleanup_tree_entries_ struct tree_entries entries = VEC_INIT;
	struct error err = ERROR_INIT;
	char hex[65];

	if (depth > MAX_DEPTH)
		return;
	if (tree_list(tree, folder, &entries, &err) < 0)
		fail(&err);
	vec_foreach (entry, &entries) {
		_cleanup_free_ char *path = path_join(folder, entry->name);
		const struct tree_stat *st = &entry->stat;
		struct tree_stat again;

		if (tree_stat(tree, path, &again, &err) != 1)
			fail(&err);
		if (again.type != st->type || again.size != st->size ||
		    again.attributes != st->attributes || again.created != st->created ||
		    again.modified != st->modified)
			fprintf(stderr, "%s: listed otherwise than found\n", path);
		printf("%c %ju %x %ju %ju %s %s\n", "fdl"[st->type],
		       (uintmax_t)st -> size, st -> attributes, (uintmax_t)st -> created,
		       (uintmax_t)st -> modified,
		       st -> type == TREE_FILE ? hash_of(tree, path, hex) : "-", path);
		if (st->type == TREE_FOLDER)
			list(tree, path, depth + 1);
	}
}

static void state(struct ntfs *ntfs)
{
	static const char *const names[] = {
		[NTFS_SOUND] = "sound",
		[NTFS_HIBERNATED] = "hibernated",
		[NTFS_FAST_STARTED] = "fast_startup",
		[NTFS_LOG_UNCLEAN] = "log_unclean",
		[NTFS_DIRTY] = "dirty",
	};
	_cleanup_free_ char *detail = NULL;
	struct error err = ERROR_INIT;
	enum ntfs_condition condition;

	if (ntfs_examine(ntfs, &condition, &detail, &err) < 0)
		fail(&err);
	printf("%s%s%s\n", names[condition], detail ? ": " : "", detail ?: "");
}

static void cat(struct tree *tree, const char *path)
{
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;
	struct error err = ERROR_INIT;

	if (tree_read(tree, path, LIMIT, &data, &err) < 0)
		fail(&err);
	fwrite(data.data, 1, data.len, stdout);
}

static void bitmap(struct ntfs *ntfs)
{
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;
	struct error err = ERROR_INIT;

	if (ntfs_bitmap(ntfs, &data, &err) < 0)
		fail(&err);
	fwrite(data.data, 1, data.len, stdout);
}

static void mark(struct ntfs *ntfs, const char *out)
{
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;
	struct error err = ERROR_INIT;
	uint64_t offset;

	if (ntfs_dirty_mark(ntfs, 0, &offset, &data, &err) < 0 ||
	    file_replace(out, buffer_view(&data), &err) < 0)
		fail(&err);
	printf("%ju\n", (uintmax_t)offset);
}

static bool is_left_out(void *arg, const char *path)
{
	for (char **left_out = arg; *left_out; left_out++)
		if (strcmp(*left_out, path) == 0)
			return true;
	return false;
}

static void capture(struct ntfs *ntfs, char **args)
{
	const struct wim_create_options options = {.compression = args[1]};
	struct error err = ERROR_INIT;
	_cleanup_files_ struct files *files = files_of_ntfs(ntfs, &err);

	if (files)
		files_exclude(files, is_left_out, args + 2);
	if (!files || wim_create(args[0], files, &options, NULL, &err) < 0)
		fail(&err);
}

static int make(char **args)
{
	ntfs_volume *volume;

	if (!ntfs_sample_format(args[0], strtoull(args[2], NULL, 0),
				(unsigned)atoi(args[3]), (unsigned)atoi(args[4])))
		return 3;
	volume = ntfs_sample_mount(args[0]);
	if (args[5])
		ntfs_sample_fill(volume, (unsigned)atoi(args[5]));
	else
		ntfs_sample_fill_small(volume);
	ntfs_sample_unmount(volume);
	return 0;
}

static int metadata(char **args)
{
	ntfs_volume *volume;

	if (args[2] &&
	    !ntfs_sample_format(args[0], strtoull(args[2], NULL, 0),
				(unsigned)atoi(args[3]), (unsigned)atoi(args[4])))
		return 3;
	volume = ntfs_sample_mount(args[0]);
	ntfs_sample_fill_metadata(volume);
	ntfs_sample_unmount(volume);
	return 0;
}

static int compact(const char *path, unsigned algorithm, char **files)
{
	ntfs_volume *volume = ntfs_sample_mount(path);

	for (; *files; files++)
		ntfs_sample_compact(volume, *files, algorithm);
	ntfs_sample_unmount(volume);
	return 0;
}

static int pack(const char *path, unsigned algorithm)
{
	uint8_t header[24] = {1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, (uint8_t)algorithm};
	_cleanup_buffer_ struct buffer data = BUFFER_INIT, out = BUFFER_INIT;
	struct error err = ERROR_INIT;

	if (file_read(path, LIMIT, &data, &err) < 0)
		fail(&err);
	put_le64(header + 16, data.len);
	buffer_append(&out, header, sizeof(header));
	ntfs_sample_wof_pack(buffer_view(&data), algorithm, &out);
	return fwrite(out.data, 1, out.len, stdout) != out.len;
}

static struct block *open_block(char *name, struct error *err)
{
	char *at = strchr(name, '@'), *plus = at ? strchr(at, '+') : NULL;
	uint64_t offset = at ? strtoull(at + 1, NULL, 0) : 0, size;
	struct block *file;

	if (at)
		*at = 0;
	file = block_file_open(name, false, 0, err);
	if (!file || !at)
		return file;
	size = plus ? strtoull(plus + 1, NULL, 0) : file->size - offset;
	return block_window_open(file, offset, size, xstrdup(name), err);
}

int main(int argc, char **argv)
{
	struct error err = ERROR_INIT;
	_cleanup_block_ struct block *block = NULL;
	struct tree *tree;
	struct ntfs *ntfs;

	if (argc < 3)
		return 2;
	if ((strcmp(argv[2], "make") == 0 && argc == 7) ||
	    (strcmp(argv[2], "small") == 0 && argc == 6))
		return make(argv + 1);
	if (strcmp(argv[2], "compact") == 0 && argc > 4)
		return compact(argv[1], (unsigned)atoi(argv[3]), argv + 4);
	if (strcmp(argv[2], "metadata") == 0 && (argc == 3 || argc == 6))
		return metadata(argv + 1);
	if (strcmp(argv[2], "pack") == 0 && argc == 4)
		return pack(argv[1], (unsigned)atoi(argv[3]));
	block = open_block(argv[1], &err);
	ntfs = block ? ntfs_open(block, false, &err) : NULL;
	if (!ntfs)
		fail(&err);
	tree = ntfs_tree(NULL, 0, xstrdup(argv[1]), ntfs);
	if (strcmp(argv[2], "list") == 0)
		list(tree, "", 0);
	else if (strcmp(argv[2], "state") == 0)
		state(ntfs);
	else if (strcmp(argv[2], "info") == 0)
		printf("%016jX %u %s\n", (uintmax_t)ntfs_serial(ntfs),
		       ntfs_cluster_size(ntfs), ntfs_label(ntfs));
	else if (strcmp(argv[2], "capture") == 0 && argc > 4)
		capture(ntfs, argv + 3);
	else if (strcmp(argv[2], "cat") == 0 && argc == 4)
		cat(tree, argv[3]);
	else if (strcmp(argv[2], "bitmap") == 0)
		bitmap(ntfs);
	else if (strcmp(argv[2], "mark") == 0 && argc == 4)
		mark(ntfs, argv[3]);
	else
		return 2;
	tree_free(tree);
	return ntfs_close(ntfs, &err) < 0;
}
