/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * FAT and Btrfs volumes, mounted in the appliance: a tree that reads them. Folders are
 * listed as a whole and kept, so that a look-up without regard to case costs no round
 * trip of its own.
 */
#include "tree/guestfs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

/* Entries of one folder; more is no Windows' boot volume. */
#define MAX_ENTRIES 1000000
/* WinBtrfs keeps file attributes there, as text: "0x21". */
#define BTRFS_ATTRIBUTES "user.DOSATTRIB"

struct files_tree {
	struct tree tree;
	struct guestfs *guestfs;
	struct guestfs_open *volume;
};

char *guestfs_path(const struct guestfs_open *volume, const char *path)
{
	return xasprintf("%s/%s", volume->mountpoint, path);
}

int guestfs_mount(struct guestfs *guestfs, struct guestfs_open *volume, struct error *err)
{
	const struct guestfs_api *api = guestfs->api;
	_cleanup_free_ char *point = xasprintf("/%s", path_base(volume->device));
	_cleanup_free_ char *options =
		xasprintf("%s%s", guestfs->write ? "rw" : "ro",
			  volume->kind == VOLUME_FAT ? ",utf8,tz=UTC" : "");

	if (api->mkmountpoint(guestfs->handle, point) < 0 ||
	    api->mount_options(guestfs->handle, options, volume->device, point) < 0)
		return guestfs_failed(guestfs, err, "cannot mount %s", volume->device);
	volume->mountpoint = steal_ptr(point);
	return 0;
}

void guestfs_forget_folders(struct guestfs_open *volume)
{
	vec_foreach (folder, &volume->folders) {
		tree_entries_free(&folder->entries);
		free(folder->path);
	}
	vec_free(&volume->folders);
}

/* ---- folders --------------------------------------------------------------------------
 */

static void fill_stat(const struct api_stat *from, struct tree_stat *to)
{
	*to = (struct tree_stat){.type = TREE_LINK,
				 .attributes = TREE_ATTR_REPARSE_POINT};
	if (S_ISREG(from->mode)) {
		to->type = TREE_FILE;
		to->attributes = TREE_ATTR_ARCHIVE;
		to->size = from->size > 0 ? (uint64_t)from->size : 0;
	} else if (S_ISDIR(from->mode)) {
		to->type = TREE_FOLDER;
		to->attributes = TREE_ATTR_DIRECTORY;
	}
	if (!(from->mode & 0222))
		to->attributes |= TREE_ATTR_READONLY;
	to->modified = filetime_from_unix(from->mtime) + (uint64_t)from->mtime_ns / 100;
}

static int add_entries(struct guestfs *guestfs, const char *path,
		       const struct api_dirents *names, struct tree_entries *entries,
		       struct error *err)
{
	const struct guestfs_api *api = guestfs->api;
	_cleanup_free_ char **list = xcalloc((size_t)names->len + 1, sizeof(*list));
	struct api_stats *stats;
	uint32_t n = 0;

	for (uint32_t i = 0; i < names->len; i++)
		if (strcmp(names->items[i].name, ".") != 0 &&
		    strcmp(names->items[i].name, "..") != 0)
			list[n++] = names->items[i].name;
	stats = n ? api->lstatnslist(guestfs->handle, path, list) : NULL;
	if (n && (!stats || stats->len != n)) {
		if (stats)
			api->free_statns_list(stats);
		return guestfs_failed(guestfs, err, "cannot list %s", path);
	}
	for (uint32_t i = 0; i < n; i++) {
		struct tree_entry entry = {.name = list[i]};

		if (stats->items[i].ino < 0) /* could not be looked at */
			continue;
		fill_stat(&stats->items[i], &entry.stat);
		entry.name = xstrdup(list[i]);
		vec_push(entries, entry);
	}
	if (stats)
		api->free_statns_list(stats);
	return 0;
}

/* The entries of a folder that is known to be one, `path` in stored spelling. */
static const struct tree_entries *entries_of(struct files_tree *t, const char *path,
					     struct error *err)
{
	struct guestfs *g = t->guestfs;
	_cleanup_free_ char *where = guestfs_path(t->volume, path);
	struct guestfs_folder folder = {.entries = VEC_INIT};
	struct api_dirents *names;
	int result;

	vec_foreach (known, &t->volume->folders)
		if (strcmp(known->path, path) == 0)
			return &known->entries;
	names = g->api->readdir(g->handle, where);
	if (!names) {
		guestfs_failed(g, err, "cannot list %s", where);
		return NULL;
	}
	if (names->len > MAX_ENTRIES)
		result = error_set(err, ERROR_FAILED, where,
				   "has %u entries, more than the %u allowed", names->len,
				   MAX_ENTRIES);
	else
		result = add_entries(g, where, names, &folder.entries, err);
	g->api->free_dirent_list(names);
	if (result < 0) {
		tree_entries_free(&folder.entries);
		return NULL;
	}
	folder.path = xstrdup(path);
	vec_push(&t->volume->folders, folder);
	return &t->volume->folders.items[t->volume->folders.len - 1].entries;
}

/* The very name, else one that differs in case. */
static const struct tree_entry *find_entry(const struct tree_entries *entries,
					   const char *name)
{
	const struct tree_entry *found = NULL;

	vec_foreach (entry, entries) {
		if (strcmp(entry->name, name) == 0)
			return entry;
		if (!found && text_equal(entry->name, name))
			found = entry;
	}
	return found;
}

/* 1 and the stored path, 0: missing, -1. No link is followed on the way. */
static int look_up(struct files_tree *t, const char *path, struct tree_stat *st,
		   char **stored, struct error *err)
{
	char *so_far = xstrdup("");

	*st = (struct tree_stat){.type = TREE_FOLDER, .attributes = TREE_ATTR_DIRECTORY};
	while (*path) {
		size_t len = path_component(path);
		_cleanup_free_ char *name = xstrndup(path, len);
		const struct tree_entries *entries = NULL;
		const struct tree_entry *entry = NULL;
		char *longer;

		if (st->type == TREE_FOLDER) {
			entries = entries_of(t, so_far, err);
			if (!entries) {
				free(so_far);
				return -1;
			}
			entry = find_entry(entries, name);
		}
		if (!entry) {
			free(so_far);
			return 0;
		}
		*st = entry->stat;
		longer = path_join(so_far, entry->name);
		free(so_far);
		so_far = longer;
		path += len + (path[len] == '/');
	}
	*stored = so_far;
	return 1;
}

/* ---- the tree -------------------------------------------------------------------------
 */

static void read_attributes(struct files_tree *t, const char *where, struct tree_stat *st)
{
	struct guestfs *g = t->guestfs;
	char text[16];
	size_t len = 0;
	char *value = g->api->lgetxattr(g->handle, where, BTRFS_ATTRIBUTES, &len);

	if (value && len < sizeof(text)) {
		memcpy(text, value, len);
		text[len] = '\0';
		st->attributes = (st->attributes & ~TREE_ATTR_SETTABLE) |
				 ((uint32_t)strtoul(text, NULL, 16) & TREE_ATTR_SETTABLE);
	}
	free(value);
}

static int files_stat(struct tree *tree, const char *path, struct tree_stat *st,
		      char **stored, struct error *err)
{
	struct files_tree *t = (struct files_tree *)tree;
	_cleanup_free_ char *found = NULL;
	int result = look_up(t, path, st, &found, err);

	if (result != 1)
		return result;
	if (t->volume->kind == VOLUME_BTRFS && st->type != TREE_LINK) {
		_cleanup_free_ char *where = guestfs_path(t->volume, found);

		read_attributes(t, where, st);
	}
	if (stored)
		*stored = steal_ptr(found);
	return 1;
}

static int files_list(struct tree *tree, const char *path, struct tree_entries *ret,
		      struct error *err)
{
	struct files_tree *t = (struct files_tree *)tree;
	_cleanup_free_ char *stored = NULL;
	const struct tree_entries *entries;
	struct tree_stat st;
	int found = look_up(t, path, &st, &stored, err);

	if (found <= 0)
		return found;
	entries = entries_of(t, stored, err);
	if (!entries)
		return -1;
	vec_foreach (entry, entries)
		vec_push(ret, (struct tree_entry){xstrdup(entry->name), entry->stat});
	return 0;
}

static char *path_to_read(struct files_tree *t, const char *path, struct tree_stat *st,
			  struct error *err)
{
	_cleanup_free_ char *stored = NULL;
	int found = look_up(t, path, st, &stored, err);

	if (found == 1 && st->type == TREE_FILE)
		return guestfs_path(t->volume, stored);
	if (found >= 0)
		error_set(err, ERROR_FAILED, path, "is no file that can be read");
	return NULL;
}

static int files_read(struct tree *tree, const char *path, size_t limit,
		      struct buffer *ret, struct error *err)
{
	struct files_tree *t = (struct files_tree *)tree;
	struct guestfs *g = t->guestfs;
	struct tree_stat st;
	_cleanup_free_ char *where = path_to_read(t, path, &st, err);

	if (!where)
		return -1;
	if (st.size > limit)
		return error_set(err, ERROR_FAILED, path,
				 "is %ju bytes long, more than the %zu allowed",
				 (uintmax_t)st.size, limit);
	for (uint64_t at = 0; at < st.size;) {
		uint64_t left = st.size - at;
		size_t part = left < GUESTFS_REQUEST ? (size_t)left : GUESTFS_REQUEST;
		size_t got = 0;
		char *data =
			g->api->pread(g->handle, where, (int)part, (int64_t)at, &got);

		if (data && got && got <= part)
			buffer_append(ret, data, got);
		free(data);
		if (!data)
			return guestfs_failed(g, err, "cannot read %s", where);
		if (!got || got > part)
			return error_set(err, ERROR_FAILED, where,
					 "became shorter while it was read");
		at += got;
	}
	return 0;
}

static int files_extract(struct tree *tree, const char *path, const char *host_path,
			 struct error *err)
{
	struct files_tree *t = (struct files_tree *)tree;
	struct guestfs *g = t->guestfs;
	struct tree_stat st;
	_cleanup_free_ char *where = path_to_read(t, path, &st, err);
	int fd;

	if (!where)
		return -1;
	fd = open(host_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return error_errno(err, host_path, "cannot create");
	close(fd);
	if (g->api->download(g->handle, where, host_path) == 0)
		return 0;
	(void)unlink(host_path);
	return guestfs_failed(g, err, "cannot read %s", where);
}

static const struct tree_ops files_ops = {
	.stat = files_stat,
	.list = files_list,
	.read = files_read,
	.extract = files_extract,
};

struct tree *guestfs_files_tree(struct image *image, size_t index, char *name,
				struct guestfs *guestfs, struct guestfs_open *volume)
{
	struct files_tree *t = xcalloc(1, sizeof(*t));

	tree_init(&t->tree, &files_ops, image, index, name);
	t->guestfs = guestfs;
	t->volume = volume;
	return &t->tree;
}
