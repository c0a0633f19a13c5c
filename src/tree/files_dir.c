/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A folder of the host as the source of a whole volume. A host knows no security
 * descriptors, short names or named streams: the root gets what NT gives where nothing is
 * inherited (full access for SYSTEM and Administrators, read access for Users), the rest
 * inherits that. Hard links stay links. What is neither file nor folder is left out, with
 * a notice; names that Windows could not open are refused.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/progress.h"
#include "base/text.h"
#include "tree/dir.h"
#include "tree/files_make.h"
#include "tree/security.h"

#define PIECE ((size_t)1 << 20)
#define MAX_ENTRIES 16000000u
#define DESCRIPTOR_FOLDER 0u
#define DESCRIPTOR_FILE 1u

/* A file with several names, until its last name is seen. */
struct link {
	dev_t device;
	ino_t number;
	uint32_t inode;
};

struct files_dir {
	struct files files;
	int root;			  /* the image's */
	struct vec_of(struct link) links; /* ordered by device and number */
	size_t left_out;
	char *first_left_out;
};

/* ---- content ---- */

static int open_exact(int root, const char *path, int flags, struct error *err)
{
	_cleanup_close_ int parent = -1;
	const char *leaf;
	int found = 1, fd;

	if (*path)
		found = dir_parent(root, path, &parent, &leaf, err);
	if (found < 0)
		return -1;
	fd = !found  ? -1
	     : *path ? openat(parent, leaf, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
		     : openat(root, ".", flags | O_CLOEXEC);
	return fd < 0 ? error_errno(err, path, "cannot open") : fd;
}

static int give(int fd, const char *path, uint64_t size, const struct files_sink *sink,
		uint8_t *piece, struct error *err)
{
	uint64_t left = size;

	while (left) {
		size_t want = left < PIECE ? (size_t)left : PIECE;
		ssize_t n = read(fd, piece, want);

		if (n < 0 && errno == EINTR && !interrupted())
			continue;
		if (interrupted())
			return error_interrupted(err);
		if (n < 0)
			return error_errno(err, path, "cannot read");
		if (n == 0)
			return error_set(err, ERROR_FAILED, path,
					 "became shorter while it was read");
		left -= (uint64_t)n;
		if (sink->data(sink->arg, (struct bytes){piece, (size_t)n}, err) < 0)
			return -1;
	}
	return 0;
}

static int dir_files_read(struct files *files, const uint32_t *blobs, size_t count,
			  const struct files_sink *sink, struct error *err)
{
	struct files_dir *dir = (struct files_dir *)files;
	_cleanup_free_ uint8_t *piece = xmalloc(PIECE);

	for (size_t i = 0; i < count; i++) {
		const struct files_blob *blob = &files->blobs.items[blobs[i]];
		_cleanup_free_ char *path = files_path(files, blob->private);
		_cleanup_close_ int fd = open_exact(dir->root, path, O_RDONLY, err);

		if (fd < 0)
			return -1;
		if (sink->begin && sink->begin(sink->arg, blobs[i], err) < 0)
			return -1;
		if (give(fd, path, blob->size, sink, piece, err) < 0)
			return -1;
		if (sink->end && sink->end(sink->arg, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- names and metadata ---- */

static uint64_t filetime_of(const struct timespec *t)
{
	return filetime_from_unix(t->tv_sec) + (uint64_t)t->tv_nsec / 100;
}

static uint32_t add_inode(struct files *files, const struct stat *st, uint32_t entry)
{
	struct files_inode inode = {
		.security = S_ISDIR(st->st_mode) ? DESCRIPTOR_FOLDER : DESCRIPTOR_FILE,
		.attributes =
			S_ISDIR(st->st_mode) ? FILES_ATTR_DIRECTORY : TREE_ATTR_ARCHIVE,
		.modified = filetime_of(&st->st_mtim),
		.links = 1};

	inode.created = inode.accessed = inode.changed = inode.modified;
	if (S_ISREG(st->st_mode)) {
		if (!(st->st_mode & S_IWUSR))
			inode.attributes |= TREE_ATTR_READONLY;
		inode.streams = xcalloc(1, sizeof(*inode.streams));
		inode.stream_count = 1;
		inode.streams[0].blob = FILES_NONE;
		if (st->st_size) {
			inode.streams[0].blob = (uint32_t)files->blobs.len;
			vec_push(&files->blobs,
				 (struct files_blob){.size = (uint64_t)st->st_size,
						     .place = st->st_ino,
						     .private = entry});
		}
	}
	vec_push(&files->inodes, inode);
	return (uint32_t)files->inodes.len - 1;
}

static int compare_link(const struct link *a, const struct stat *st)
{
	if (a->device != st->st_dev)
		return a->device < st->st_dev ? -1 : 1;
	return a->number == st->st_ino ? 0 : a->number < st->st_ino ? -1 : 1;
}

/* The inode of a file that may have been seen under another name. */
static uint32_t inode_of(struct files_dir *dir, const struct stat *st, uint32_t entry)
{
	size_t low = 0, high = dir->links.len;
	struct link link = {st->st_dev, st->st_ino, 0};

	if (S_ISDIR(st->st_mode) || st->st_nlink < 2)
		return add_inode(&dir->files, st, entry);
	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = compare_link(&dir->links.items[middle], st);

		if (order == 0) {
			link = dir->links.items[middle];
			dir->files.inodes.items[link.inode].links++;
			return link.inode;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	link.inode = add_inode(&dir->files, st, entry);
	vec_push(&dir->links, link);
	memmove(dir->links.items + low + 1, dir->links.items + low,
		(dir->links.len - 1 - low) * sizeof(link));
	dir->links.items[low] = link;
	return link.inode;
}

/* False with errno; names of a folder that become entries. */
static bool read_names(DIR *listing, bool root, struct strings *names)
{
	struct dirent *entry;

	for (errno = 0; (entry = readdir(listing)); errno = 0) {
		const char *name = entry->d_name;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
		    (root && strncmp(name, ".gild-", 6) == 0))
			continue;
		strings_push(names, name);
	}
	return errno == 0;
}

/* In the order of Windows' names. */
static int list_names(struct files_dir *dir, int fd, const char *path,
		      struct strings *names, struct error *err)
{
	int copy = dup(fd);
	DIR *listing = copy < 0 ? NULL : fdopendir(copy);
	int result = 0;

	if (!listing) {
		closep(&copy);
		return error_errno(err, path, "cannot list");
	}
	if (!read_names(listing, !*path, names))
		result = error_errno(err, path, "cannot list");
	else if (dir->files.entries.len + names->len > MAX_ENTRIES)
		result = error_set(err, ERROR_FAILED, path, "makes more than %u files",
				   MAX_ENTRIES);
	closedir(listing);
	if (result == 0 && names->len)
		qsort(names->items, names->len, sizeof(*names->items), text_compare_p);
	return result;
}

/* What Windows would not open, or would take for another file of the folder. */
static int check_name(const char *folder, const char *name, const char *before,
		      struct error *err)
{
	_cleanup_free_ char *path = path_join(folder, name);

	if (path_check(path, true, err) < 0)
		return -1;
	if (!before || !text_equal(before, name))
		return 0;
	error_set(err, ERROR_FAILED, path,
		  "differs from %s in case only, which Windows does not tell apart",
		  before);
	return error_remedy(err, "rename or remove one of them");
}

static int add_name(struct files_dir *dir, int fd, uint32_t folder, const char *path,
		    const char *name, struct error *err)
{
	uint32_t entry = (uint32_t)dir->files.entries.len;
	struct stat st;

	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(err, name, "cannot stat");
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)) {
		if (!dir->left_out++)
			dir->first_left_out = path_join(path, name);
		return 0;
	}
	vec_push(&dir->files.entries,
		 (struct files_entry){.name = xstrdup(name), .parent = folder});
	dir->files.entries.items[entry].inode = inode_of(dir, &st, entry);
	return 0;
}

static int add_folder(struct files_dir *dir, uint32_t folder, struct error *err)
{
	_cleanup_free_ char *path = files_path(&dir->files, folder);
	_cleanup_close_ int fd = open_exact(dir->root, path, O_RDONLY | O_DIRECTORY, err);
	struct strings names = VEC_INIT;
	int result = fd < 0 ? -1 : list_names(dir, fd, path, &names, err);

	for (size_t i = 0; i < names.len && result == 0; i++) {
		result = check_name(path, names.items[i], i ? names.items[i - 1] : NULL,
				    err);
		if (result == 0)
			result = add_name(dir, fd, folder, path, names.items[i], err);
	}
	strings_free(&names);
	return interrupted() ? error_interrupted(err) : result;
}

/* Breadth first: the children of a folder follow each other. */
static int add_all(struct files_dir *dir, struct error *err)
{
	struct files *files = &dir->files;
	struct stat st;

	if (fstat(dir->root, &st) < 0)
		return error_errno(err, files->name, "cannot stat");
	vec_push(&files->entries, (struct files_entry){.name = xstrdup("")});
	files->entries.items[0].inode = add_inode(files, &st, 0);
	for (uint32_t i = 0; i < files->entries.len; i++) {
		const struct files_entry *e = &files->entries.items[i];

		if (files->inodes.items[e->inode].attributes & FILES_ATTR_DIRECTORY &&
		    add_folder(dir, i, err) < 0)
			return -1;
	}
	if (dir->left_out)
		notice("%s: %zu that are no files or folders are left out, %s first",
		       files->name, dir->left_out, dir->first_left_out);
	return 0;
}

static void add_descriptors(struct files *files)
{
	_cleanup_buffer_ struct buffer root = BUFFER_INIT, file = BUFFER_INIT;

	security_inherit((struct bytes){0}, true, &root);
	security_inherit(buffer_view(&root), false, &file);
	vec_push(&files->security,
		 (struct bytes){xmemdup(root.data, root.len), root.len});
	vec_push(&files->security,
		 (struct bytes){xmemdup(file.data, file.len), file.len});
}

static void dir_files_close(struct files *files)
{
	struct files_dir *dir = (struct files_dir *)files;

	vec_free(&dir->links);
	free(dir->first_left_out);
	files_free_model(files);
}

static const struct files_ops dir_files_ops = {
	.read = dir_files_read,
	.close = dir_files_close,
};

struct files *files_of_folder(struct image *folder, struct error *err)
{
	struct files_dir *dir = xcalloc(1, sizeof(*dir));

	dir->files.ops = &dir_files_ops;
	dir->files.name = xstrdup(folder->path);
	dir->root = ((const struct dir_image *)folder)->fd;
	add_descriptors(&dir->files);
	if (add_all(dir, err) == 0)
		return &dir->files;
	files_close(&dir->files);
	return NULL;
}
