/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * QEMU's locks on image files, so that gild and virtual machines keep out of each other's
 * way. What a program does with an image it says by a shared lock on byte 100 + n, what
 * it forbids to others by one on 200 + n (n: 0 consistent reads, 1 writes, 3 resizes);
 * and it looks whether others hold what contradicts that. Both are locks of the open file
 * description. (QEMU, block/file-posix.c and docs/system/images.rst.)
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "block/container_private.h"

#define USES 100
#define FORBIDS 200
enum { READS, WRITES, RESIZES = 3 };

/* 0, or -1 with errno. A file system without such locks is as good as an unlocked file.
 */
static int hold(int fd, int byte)
{
	struct flock lock = {
		.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	return errno == EINVAL || errno == ENOLCK || errno == ENOTSUP ? 0 : -1;
}

static bool held_by_others(int fd, int byte)
{
	struct flock lock = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

	return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

int image_lock(int fd, const char *path, bool write, struct error *err)
{
	static const int reader[] = {USES + READS, FORBIDS + WRITES, FORBIDS + RESIZES};
	static const int writer[] = {USES + READS, USES + WRITES, FORBIDS + WRITES,
				     FORBIDS + RESIZES};
	const int *mine = write ? writer : reader;
	size_t count = write ? ARRAY_SIZE(writer) : ARRAY_SIZE(reader);
	bool refused = false;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_errno(err, path, "cannot examine");
	if (!S_ISREG(st.st_mode))
		return 0;
	for (size_t i = 0; i < count; i++) {
		if (hold(fd, mine[i]) == 0)
			continue;
		if (errno != EAGAIN && errno != EACCES)
			return error_errno(err, path, "cannot lock");
		refused = true;
	}
	if (!refused && !held_by_others(fd, USES + WRITES) &&
	    !held_by_others(fd, USES + RESIZES) && !held_by_others(fd, FORBIDS + READS) &&
	    !(write && held_by_others(fd, FORBIDS + WRITES)))
		return 0;
	error_set(err, ERROR_STATE, path, "is in use by another program%s",
		  held_by_others(fd, USES + WRITES) ? " that writes to it" : "");
	return error_remedy(err, "shut the virtual machine down, or wait for the other "
				 "program to end");
}
