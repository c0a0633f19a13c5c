/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A folder of the host as an image. Windows' names are matched without regard to case on
 * a file system that has regard to it; no link is ever followed: every step is an
 * openat() with O_NOFOLLOW from the folder's own descriptor.
 */
#include "tree/dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/progress.h"
#include "base/text.h"

static void closedirp(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* Names that gild itself puts into the root. */
static bool is_own(const char *name)
{
	return strncmp(name, ".gild-", 6) == 0;
}

static DIR *open_listing(int fd)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);

	if (!dir && copy >= 0)
		close(copy);
	return dir;
}

/* The stored spelling of `name`: itself, else the first that differs in case only. */
static int find_name(int fd, const char *name, char **stored)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	struct dirent *entry;
	struct stat st;

	*stored = NULL;
	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		*stored = xstrdup(name);
		return 1;
	}
	dir = open_listing(fd);
	if (!dir)
		return errno == ENOTDIR ? 0 : -1;
	while ((entry = readdir(dir))) {
		if (!text_equal(entry->d_name, name))
			continue;
		if (*stored && strcmp(*stored, entry->d_name) < 0)
			continue;
		free(*stored);
		*stored = xstrdup(entry->d_name);
	}
	return *stored != NULL;
}

int dir_find(int root, const char *path, int *parent, char **leaf, char **stored,
	     struct error *err)
{
	_cleanup_free_ char *so_far = xstrdup("");
	int fd = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool top = true;

	*leaf = NULL;
	if (fd < 0)
		return error_errno(err, path, "cannot open");
	while (*path) {
		size_t len = path_component(path);
		_cleanup_free_ char *name = xstrndup(path, len);
		char *found = NULL, *longer;
		int next, result = top && is_own(name) ? 0 : find_name(fd, name, &found);

		if (result < 0)
			error_errno(err, path, "cannot read its folder");
		if (result <= 0) {
			close(fd);
			return result;
		}
		longer = path_join(so_far, found);
		free(so_far);
		so_far = longer;
		path += len + (path[len] == '/');
		top = false;
		if (!*path) {
			*leaf = found;
			break;
		}
		next = openat(fd, found, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		free(found);
		close(fd);
		if (next < 0 && (errno == ELOOP || errno == ENOTDIR || errno == ENOENT))
			return 0;
		if (next < 0)
			return error_errno(err, so_far, "cannot open");
		fd = next;
	}
	if (!*leaf)
		*leaf = xstrdup(".");
	if (stored)
		*stored = steal_ptr(so_far);
	*parent = fd;
	return 1;
}

int dir_parent(int root, const char *path, int *parent, const char **leaf,
	       struct error *err)
{
	const char *rest = path;
	int fd = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (;;) {
		size_t len = path_component(rest);
		_cleanup_free_ char *name = xstrndup(rest, len);
		int next;

		if (fd < 0)
			return error_errno(err, path, "cannot open its folder");
		if (!len || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
			close(fd);
			return error_set(err, ERROR_STATE, path,
					 "is no path in a folder");
		}
		if (!rest[len]) {
			*parent = fd;
			*leaf = rest;
			return 1;
		}
		next = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		close(fd);
		if (next < 0 && errno == ENOENT)
			return 0;
		fd = next;
		rest += len + 1;
	}
}

int dir_remove_at(int fd, const char *name, unsigned depth, struct error *err)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	struct dirent *entry;
	struct stat st;
	int below;

	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : error_errno(err, name, "cannot stat");
	if (!S_ISDIR(st.st_mode)) {
		if (unlinkat(fd, name, 0) < 0 && errno != ENOENT)
			return error_errno(err, name, "cannot remove");
		return 0;
	}
	if (depth > DIR_MAX_DEPTH)
		return error_set(err, ERROR_FAILED, name, "lies too deep to be removed");
	below = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	dir = below < 0 ? NULL : fdopendir(below);
	if (!dir) {
		error_errno(err, name, "cannot list");
		closep(&below);
		return -1;
	}
	while ((entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (dir_remove_at(dirfd(dir), entry->d_name, depth + 1, err) < 0)
			return -1;
	}
	if (unlinkat(fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return error_errno(err, name, "cannot remove");
	return 0;
}

static void fill_stat(const struct stat *from, struct tree_stat *st)
{
	*st = (struct tree_stat){.type = TREE_LINK};
	if (S_ISREG(from->st_mode)) {
		st->type = TREE_FILE;
		st->size = (uint64_t)from->st_size;
		st->attributes = TREE_ATTR_ARCHIVE;
		if (!(from->st_mode & S_IWUSR))
			st->attributes |= TREE_ATTR_READONLY;
	} else if (S_ISDIR(from->st_mode)) {
		st->type = TREE_FOLDER;
		st->attributes = TREE_ATTR_DIRECTORY;
	} else {
		st->attributes = TREE_ATTR_REPARSE_POINT;
	}
	st->modified = filetime_from_unix(from->st_mtim.tv_sec) +
		       (uint64_t)from->st_mtim.tv_nsec / 100;
}

static int root_of(const struct tree *tree)
{
	return ((const struct dir_image *)tree->image)->fd;
}

static int dir_stat(struct tree *tree, const char *path, struct tree_stat *st,
		    char **stored, struct error *err)
{
	_cleanup_free_ char *leaf = NULL;
	_cleanup_close_ int parent = -1;
	struct stat host;
	int found = dir_find(root_of(tree), path, &parent, &leaf, stored, err);

	if (found <= 0)
		return found;
	if (fstatat(parent, leaf, &host, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(err, path, "cannot stat");
	fill_stat(&host, st);
	return 1;
}

/* Opens what was found; never a device or FIFO that would block. */
static int open_found(struct tree *tree, const char *path, int flags, struct error *err)
{
	_cleanup_free_ char *leaf = NULL;
	_cleanup_close_ int parent = -1;
	int found = dir_find(root_of(tree), path, &parent, &leaf, NULL, err);
	int fd;

	if (found < 0)
		return -1;
	if (!found)
		return error_set(err, ERROR_FAILED, path, "does not exist in the image");
	fd = openat(parent, leaf, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return error_errno(err, path, "cannot open");
	return fd;
}

static int dir_list(struct tree *tree, const char *path, struct tree_entries *ret,
		    struct error *err)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	int fd = open_found(tree, path, O_RDONLY | O_DIRECTORY, err);
	struct dirent *entry;

	if (fd < 0)
		return -1;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return error_errno(err, path, "cannot list");
	}
	for (errno = 0; (entry = readdir(dir)); errno = 0) {
		struct tree_entry found;
		struct stat st;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		    (!*path && is_own(entry->d_name)))
			continue;
		if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue; /* gone since */
		fill_stat(&st, &found.stat);
		found.name = xstrdup(entry->d_name);
		vec_push(ret, found);
	}
	return errno ? error_errno(err, path, "cannot list") : 0;
}

static int dir_read(struct tree *tree, const char *path, size_t limit, struct buffer *ret,
		    struct error *err)
{
	_cleanup_close_ int fd = open_found(tree, path, O_RDONLY, err);

	return fd < 0 ? -1 : file_read_all(fd, path, limit, ret, err);
}

static int dir_extract(struct tree *tree, const char *path, const char *host_path,
		       struct error *err)
{
	_cleanup_close_ int fd = open_found(tree, path, O_RDONLY, err);
	char link[64];

	if (fd < 0)
		return -1;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return file_copy(link, host_path, err);
}

static const struct tree_ops dir_tree_ops = {
	.stat = dir_stat,
	.list = dir_list,
	.read = dir_read,
	.extract = dir_extract,
};

static struct tree *dir_tree(struct image *image, size_t i, struct error *err _unused_)
{
	struct tree *tree = xcalloc(1, sizeof(*tree));

	tree_init(tree, &dir_tree_ops, image, i, xstrdup(image->path));
	return tree;
}

static void dir_close(struct image *image)
{
	closep(&((struct dir_image *)image)->fd);
}

static const struct image_ops dir_image_ops = {
	.tree = dir_tree,
	.commit = dir_commit,
	.close = dir_close,
};

/* flock() on the folder itself: nothing to leave behind, and it goes with the process. */
static int lock_folder(int fd, const char *path, int how, struct error *err)
{
	if (flock(fd, how | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return error_errno(err, path, "cannot lock");
	error_set(err, ERROR_STATE, path, "is in use by another run of gild");
	return error_remedy(err, "wait for that run to end and try again");
}

/* An interrupted commit is finished or dropped before anything is read. */
static int settle(int fd, const char *path, bool write, struct error *err)
{
	if (!dir_has_journal(fd))
		return 0;
	if (faccessat(fd, ".", W_OK, 0) < 0) {
		error_set(err, ERROR_STATE, path,
			  "an edit of it was interrupted and it cannot be written now");
		return error_remedy(
			err, "run gild once with the right to write to the folder");
	}
	if (lock_folder(fd, path, LOCK_EX, err) < 0 || dir_recover(fd, path, err) < 0)
		return -1;
	return write ? 0 : lock_folder(fd, path, LOCK_SH, err);
}

struct image *dir_open(const char *path, const struct image_options *options,
		       struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dir_image *dir;

	if (fd < 0) {
		error_errno(err, path, "cannot open");
		return NULL;
	}
	if (options->write && faccessat(fd, ".", W_OK, 0) < 0) {
		error_errno(err, path, "cannot be written");
		return NULL;
	}
	if (lock_folder(fd, path, options->write ? LOCK_EX : LOCK_SH, err) < 0 ||
	    settle(fd, path, options->write, err) < 0)
		return NULL;
	dir = xcalloc(1, sizeof(*dir));
	dir->fd = fd;
	fd = -1;
	dir->image.ops = &dir_image_ops;
	dir->image.path = xstrdup(path);
	dir->image.format = "folder";
	dir->image.provider = "dir";
	dir->image.options = *options;
	vec_push(&dir->image.infos, (struct image_info){.index = 1});
	return &dir->image;
}
