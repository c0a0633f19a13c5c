/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copies of a folder: metadata of one file, and the whole tree for --output. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/file.h"
#include "tree/dir.h"

#define MAX_XATTR (64 * 1024)

static void copy_xattr(int from, int to, const char *name, void *value)
{
	ssize_t len = fgetxattr(from, name, value, MAX_XATTR);

	if (len >= 0)
		(void)fsetxattr(to, name, value, (size_t)len, 0);
}

void dir_copy_metadata(int from, int to, const struct stat *st)
{
	/* What an ntfs-3g mount keeps but does not list. */
	static const char *const hidden[] = {"system.ntfs_acl", "system.ntfs_attrib_be",
					     "system.ntfs_crtime_be",
					     "system.ntfs_dos_name"};
	_cleanup_free_ char *names = xmalloc(MAX_XATTR);
	_cleanup_free_ void *value = xmalloc(MAX_XATTR);
	ssize_t len = flistxattr(from, names, MAX_XATTR);

	/* The owner first: a change of owner clears bits of the mode. */
	(void)!fchown(to, st->st_uid, st->st_gid);
	(void)fchmod(to, st->st_mode & 07777);
	for (ssize_t at = 0; at < len; at += (ssize_t)strlen(names + at) + 1)
		copy_xattr(from, to, names + at, value);
	for (size_t i = 0; i < ARRAY_SIZE(hidden); i++)
		copy_xattr(from, to, hidden[i], value);
}

static int copy_file(int from, int to, const char *name, const struct stat *st,
		     struct error *err)
{
	_cleanup_close_ int in =
		openat(from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	_cleanup_close_ int out = -1;
	struct timespec times[2] = {st->st_atim, st->st_mtim};

	if (in < 0)
		return error_errno(err, name, "cannot open");
	out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		     0600);
	if (out < 0)
		return error_errno(err, name, "cannot create the copy");
	if (file_copy_bytes(in, out, name, name, err) < 0)
		return -1;
	dir_copy_metadata(in, out, st);
	(void)futimens(out, times);
	if (fsync(out) < 0)
		return error_errno(err, name, "cannot sync the copy");
	return 0;
}

static int copy_link(int from, int to, const char *name, struct error *err)
{
	char target[4096];
	ssize_t len = readlinkat(from, name, target, sizeof(target) - 1);

	if (len < 0)
		return error_errno(err, name, "cannot read the link");
	target[len] = '\0';
	if (symlinkat(target, to, name) < 0)
		return error_errno(err, name, "cannot copy the link");
	return 0;
}

static int copy_folder(int from, int to, const char *name, const struct stat *st,
		       unsigned depth, struct error *err)
{
	int in = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_close_ int out = -1;
	struct timespec times[2] = {st->st_atim, st->st_mtim};
	struct dirent *entry;
	DIR *dir = in < 0 ? NULL : fdopendir(in);
	int result = -1;

	if (!dir) {
		error_errno(err, name, "cannot list");
		closep(&in);
		return -1;
	}
	if ((mkdirat(to, name, 0700) < 0 && errno != EEXIST) ||
	    (out = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) <
		    0) {
		error_errno(err, name, "cannot create the copy");
		goto done;
	}
	while ((entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		    (depth == 0 && strncmp(entry->d_name, ".gild-", 6) == 0))
			continue;
		if (dir_copy_at(in, out, entry->d_name, depth + 1, err) < 0)
			goto done;
	}
	dir_copy_metadata(in, out, st);
	(void)futimens(out, times);
	if (fsync(out) < 0)
		error_errno(err, name, "cannot sync the copy");
	else
		result = 0;
done:
	closedir(dir);
	return result;
}

int dir_copy_at(int from, int to, const char *name, unsigned depth, struct error *err)
{
	struct stat st;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(err, name, "cannot stat");
	if (depth > DIR_MAX_DEPTH)
		return error_set(err, ERROR_FAILED, name, "lies too deep to be copied");
	if (S_ISREG(st.st_mode))
		return copy_file(from, to, name, &st, err);
	if (S_ISLNK(st.st_mode))
		return copy_link(from, to, name, err);
	if (S_ISDIR(st.st_mode))
		return copy_folder(from, to, name, &st, depth, err);
	error_set(err, ERROR_FAILED, name, "is a device, socket or pipe");
	return error_remedy(err, "remove it: no Windows file system has such a file");
}
