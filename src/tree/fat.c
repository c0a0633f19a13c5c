/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tree/fat.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"

struct fat_tree {
	struct tree tree;
	struct fat *fat;
};

static void fill_stat(const struct fat_entry *entry, struct tree_stat *st)
{
	bool folder = entry->attributes & FAT_ATTR_DIRECTORY;

	*st = (struct tree_stat){.type = folder ? TREE_FOLDER : TREE_FILE,
				 .size = entry->size,
				 .attributes = entry->attributes,
				 .created = entry->created,
				 .modified = entry->modified};
	if (!st->attributes)
		st->attributes = TREE_ATTR_NORMAL;
}

static int stat_op(struct tree *tree, const char *path, struct tree_stat *st,
		   char **stored, struct error *err)
{
	_cleanup_fat_entry_ struct fat_entry entry = {0};
	int found = fat_find(((struct fat_tree *)tree)->fat, path, &entry, stored, err);

	if (found == 1)
		fill_stat(&entry, st);
	return found;
}

static int list_op(struct tree *tree, const char *path, struct tree_entries *ret,
		   struct error *err)
{
	_cleanup_fat_entries_ struct fat_entries entries = VEC_INIT;
	int found = fat_list(((struct fat_tree *)tree)->fat, path, &entries, err);

	vec_foreach (entry, &entries) {
		struct tree_entry item = {.name = xstrdup(entry->name)};

		fill_stat(entry, &item.stat);
		vec_push(ret, item);
	}
	return found;
}

static int find_file(struct tree *tree, const char *path, struct fat_entry *ret,
		     struct error *err)
{
	int found = fat_find(((struct fat_tree *)tree)->fat, path, ret, NULL, err);

	if (found == 1 && !(ret->attributes & FAT_ATTR_DIRECTORY))
		return 0;
	return found < 0 ? -1
			 : error_set(err, ERROR_FAILED, path,
				     "is no file that can be read");
}

static int to_buffer(void *arg, struct bytes data, struct error *err _unused_)
{
	buffer_append(arg, data.data, data.len);
	return 0;
}

static int read_op(struct tree *tree, const char *path, size_t limit, struct buffer *ret,
		   struct error *err)
{
	_cleanup_fat_entry_ struct fat_entry entry = {0};

	if (find_file(tree, path, &entry, err) < 0)
		return -1;
	if (entry.size > limit)
		return error_set(err, ERROR_FAILED, path,
				 "is %u bytes long, more than the %zu allowed",
				 entry.size, limit);
	return fat_read(((struct fat_tree *)tree)->fat, &entry, to_buffer, ret, err);
}

static int to_file(void *arg, struct bytes data, struct error *err)
{
	return file_write_all(*(int *)arg, data, "the extracted file", err);
}

static int extract_op(struct tree *tree, const char *path, const char *host_path,
		      struct error *err)
{
	_cleanup_fat_entry_ struct fat_entry entry = {0};
	int fd, result;

	if (find_file(tree, path, &entry, err) < 0)
		return -1;
	fd = file_open_new(host_path, entry.size, err);
	if (fd < 0)
		return -1;
	result = fat_read(((struct fat_tree *)tree)->fat, &entry, to_file, &fd, err);
	return file_close_new(fd, host_path, result, err);
}

static const struct tree_ops fat_tree_ops = {
	.stat = stat_op,
	.list = list_op,
	.read = read_op,
	.extract = extract_op,
};

struct tree *fat_tree(struct image *image, size_t index, char *name, struct fat *fat)
{
	struct fat_tree *t = xcalloc(1, sizeof(*t));

	t->fat = fat;
	tree_init(&t->tree, &fat_tree_ops, image, index, name);
	return &t->tree;
}
