/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define SPARSE_BLOCK 4096
#define COPY_CHUNK (1024 * 1024)

void closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

int file_read_all(int fd, const char *path, size_t limit, struct buffer *out,
		  struct error *err)
{
	size_t start = out->len;

	for (;;) {
		ssize_t n = read(fd, buffer_reserve(out, 65536), 65536);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, path, "cannot read");
		if (n == 0)
			return 0;
		out->len += (size_t)n;
		if (out->len - start > limit)
			return error_set(err, ERROR_FAILED, path,
					 "grew beyond %zu bytes while it was read",
					 limit);
	}
}

int file_read(const char *path, size_t limit, struct buffer *out, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return error_errno(err, path, "cannot open");
	if (fstat(fd, &st) < 0)
		return error_errno(err, path, "cannot stat");
	if (!S_ISREG(st.st_mode))
		return error_set(err, ERROR_FAILED, path, "is not a regular file");
	if ((uint64_t)st.st_size > limit) {
		error_set(err, ERROR_FAILED, path,
			  "is %jd bytes long, more than the %zu allowed",
			  (intmax_t)st.st_size, limit);
		return -1;
	}
	buffer_reserve(out, (size_t)st.st_size + 1);
	return file_read_all(fd, path, limit, out, err);
}

int file_write_all(int fd, struct bytes data, const char *path, struct error *err)
{
	while (data.len) {
		ssize_t n = write(fd, data.data, data.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, path, "cannot write");
		data.data += n;
		data.len -= (size_t)n;
	}
	return 0;
}

int file_read_at(int fd, void *data, size_t len, uint64_t offset, const char *path,
		 struct error *err)
{
	for (uint8_t *at = data; len;) {
		ssize_t n = pread(fd, at, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, path, "cannot read");
		if (n == 0)
			return error_set(err, ERROR_FAILED, path,
					 "ends before byte %" PRIu64, offset + len);
		at += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

int file_write_at(int fd, const void *data, size_t len, uint64_t offset, const char *path,
		  struct error *err)
{
	for (const uint8_t *at = data; len;) {
		ssize_t n = pwrite(fd, at, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, path, "cannot write");
		at += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

int file_write_sparse(int fd, const void *data, size_t len, uint64_t offset,
		      const char *path, struct error *err)
{
	static const uint8_t zeros[SPARSE_BLOCK];
	const uint8_t *from = data;
	size_t start = 0, i = 0;

	while (i < len) {
		size_t n = len - i < SPARSE_BLOCK ? len - i : SPARSE_BLOCK;
		bool hole = memcmp(from + i, zeros, n) == 0;

		if (hole && i > start &&
		    file_write_at(fd, from + start, i - start, offset + start, path,
				  err) < 0)
			return -1;
		i += n;
		if (hole)
			start = i;
	}
	return i > start ? file_write_at(fd, from + start, i - start, offset + start,
					 path, err)
			 : 0;
}

int file_sync_folder(const char *path, struct error *err)
{
	_cleanup_free_ char *copy = xstrdup(path);
	_cleanup_close_ int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || (fsync(fd) < 0 && errno != EINVAL && errno != ENOTSUP))
		return error_errno(err, path, "cannot sync its folder");
	return 0;
}

int file_replace(const char *path, struct bytes data, struct error *err)
{
	_cleanup_free_ char *temp = xasprintf("%s.gild-XXXXXX", path);
	_cleanup_close_ int fd = mkostemp(temp, O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return error_errno(err, path, "cannot make a temporary file beside it");
	if (stat(path, &st) == 0)
		(void)fchmod(fd, st.st_mode & 07777);
	else
		(void)fchmod(fd, 0644);
	if (file_write_all(fd, data, path, err) < 0)
		goto undo;
	if (fsync(fd) < 0) {
		error_errno(err, path, "cannot sync");
		goto undo;
	}
	if (rename(temp, path) < 0) {
		error_errno(err, path, "cannot rename the new file into place");
		goto undo;
	}
	return file_sync_folder(path, err);
undo:
	(void)unlink(temp);
	return -1;
}

int file_copy_bytes(int in, int out, const char *src, const char *dst, struct error *err)
{
	_cleanup_free_ uint8_t *chunk = NULL;

	if (ioctl(out, FICLONE, in) == 0)
		return 0;
	for (;;) {
		ssize_t n = copy_file_range(in, NULL, out, NULL, COPY_CHUNK, 0);

		if (interrupted())
			return error_interrupted(err);
		if (n == 0)
			return 0;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EXDEV && errno != EINVAL && errno != ENOSYS &&
		    errno != EOPNOTSUPP)
			return error_errno(err, dst, "cannot copy from %s", src);
		if (n < 0)
			break;
	}
	chunk = xmalloc(COPY_CHUNK);
	for (;;) {
		ssize_t n = read(in, chunk, COPY_CHUNK);

		if (interrupted())
			return error_interrupted(err);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, src, "cannot read");
		if (n == 0)
			return 0;
		if (file_write_all(out, (struct bytes){chunk, (size_t)n}, dst, err) < 0)
			return -1;
	}
}

int file_open_new(const char *path, uint64_t size, struct error *err)
{
	int fd;

	if (size && file_check_space(path, size, err) < 0)
		return -1;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		(void)error_errno(err, path, "cannot create");
	return fd;
}

int file_close_new(int fd, const char *path, int result, struct error *err)
{
	if (close(fd) < 0 && result == 0)
		result = error_errno(err, path, "cannot write");
	if (result < 0)
		(void)unlink(path);
	return result;
}

int file_copy(const char *src, const char *dst, struct error *err)
{
	_cleanup_close_ int in = open(src, O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int out = -1;

	if (in < 0)
		return error_errno(err, src, "cannot open");
	out = open(dst, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (out < 0)
		return error_errno(err, dst, "cannot create");
	if (file_copy_bytes(in, out, src, dst, err) < 0 || fsync(out) < 0) {
		if (err && err->code == ERROR_NONE)
			error_errno(err, dst, "cannot sync");
		(void)unlink(dst);
		return -1;
	}
	return 0;
}

static struct strings temp_folders = VEC_INIT;
static pid_t temp_owner;

static int remove_entry(const char *path, const struct stat *st _unused_,
			int type _unused_, struct FTW *ftw _unused_)
{
	return remove(path);
}

int folder_list(const char *folder, struct strings *ret)
{
	struct dirent **entries;
	int n = scandir(folder, &entries, NULL, alphasort);

	if (n < 0)
		return -1;
	for (int i = 0; i < n; i++) {
		if (strcmp(entries[i]->d_name, ".") != 0 &&
		    strcmp(entries[i]->d_name, "..") != 0)
			strings_push(ret, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return 0;
}

int remove_tree(const char *path, struct error *err)
{
	if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) < 0 && errno != ENOENT)
		return error_errno(err, path, "cannot remove");
	return 0;
}

static void remove_temp_folders(void)
{
	if (getpid() != temp_owner) /* a forked child must not clean up its parent's */
		return;
	vec_foreach (path, &temp_folders)
		(void)remove_tree(*path, NULL);
	strings_free(&temp_folders);
}

char *temp_folder_make(const char *near, struct error *err)
{
	const char *base = getenv("TMPDIR");
	_cleanup_free_ char *copy = NULL;
	_cleanup_free_ char *path = NULL;

	if (near) {
		copy = xstrdup(near);
		base = dirname(copy);
	} else if (!base || !*base) {
		base = "/tmp";
	}
	path = xasprintf("%s/%sgild-XXXXXX", base, near ? "." : "");
	if (!mkdtemp(path)) {
		error_errno(err, base, "cannot make a temporary folder");
		return NULL;
	}
	if (!temp_owner) {
		temp_owner = getpid();
		(void)atexit(remove_temp_folders);
	}
	strings_push(&temp_folders, path);
	return steal_ptr(path);
}

void temp_folder_remove(char *path)
{
	if (!path)
		return;
	(void)remove_tree(path, NULL);
	for (size_t i = 0; i < temp_folders.len; i++) {
		if (strcmp(temp_folders.items[i], path) != 0)
			continue;
		free(temp_folders.items[i]);
		temp_folders.items[i] = temp_folders.items[--temp_folders.len];
		break;
	}
	free(path);
}

void temp_folder_removep(char **path)
{
	temp_folder_remove(*path);
	*path = NULL;
}

int file_lock(int fd, const char *path, bool exclusive, struct error *err)
{
	struct flock lock = {.l_type = exclusive ? F_WRLCK : F_RDLCK,
			     .l_whence = SEEK_SET};

	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	if (errno == EAGAIN || errno == EACCES) {
		error_set(err, ERROR_STATE, path, "is in use by another run of gild");
		return error_remedy(err, "wait for that run to end and try again");
	}
	return error_errno(err, path, "cannot lock");
}

int file_check_space(const char *path, uint64_t need, struct error *err)
{
	_cleanup_free_ char *copy = xstrdup(path);
	struct statvfs fs;
	uint64_t have;

	if (statvfs(path, &fs) < 0 && statvfs(dirname(copy), &fs) < 0)
		return error_errno(err, path, "cannot tell the free space");
	if (mul_overflow((uint64_t)fs.f_bavail, (uint64_t)fs.f_frsize, &have))
		have = UINT64_MAX;
	if (have >= need)
		return 0;
	error_set(err, ERROR_FAILED, path,
		  "not enough free space: %ju bytes are needed and %ju are free; nothing "
		  "was "
		  "written",
		  (uintmax_t)need, (uintmax_t)have);
	return error_remedy(err,
			    "free %ju bytes on that file system, or write elsewhere with "
			    "--output",
			    (uintmax_t)(need - have));
}
