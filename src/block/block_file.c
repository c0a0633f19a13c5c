/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A block that is a regular file or a block device of the host. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "block/container_private.h"

struct block_file {
	struct block block;
	int fd;
};

static int file_pread(struct block *block, void *buf, size_t len, uint64_t offset,
		      struct error *err)
{
	const struct block_file *f = (struct block_file *)block;
	uint8_t *to = buf;

	while (len) {
		ssize_t n = pread(f->fd, to, len, (off_t)offset);

		if (n < 0 && errno == EINTR && !interrupted())
			continue;
		if (n < 0 && errno == EINTR)
			return error_interrupted(err);
		if (n < 0)
			return error_errno(err, block->name, "cannot read at %ju",
					   (uintmax_t)offset);
		if (n == 0)
			return error_set(err, ERROR_FAILED, block->name,
					 "ends at %ju: it was cut while being read",
					 (uintmax_t)offset);
		to += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

static int file_pwrite(struct block *block, const void *buf, size_t len, uint64_t offset,
		       struct error *err)
{
	const struct block_file *f = (struct block_file *)block;

	if (file_write_at(f->fd, buf, len, offset, block->name, NULL) < 0)
		return error_errno(err, block->name, "cannot write at %ju",
				   (uintmax_t)offset);
	return 0;
}

static int file_flush(struct block *block, struct error *err)
{
	if (fdatasync(((struct block_file *)block)->fd) < 0)
		return error_errno(err, block->name, "cannot sync");
	return 0;
}

/* Not every file system can: then nothing happens. */
static int file_trim(struct block *block, uint64_t offset, uint64_t len,
		     struct error *err _unused_)
{
	(void)fallocate(((struct block_file *)block)->fd,
			FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
			(off_t)len);
	return 0;
}

static int file_data(struct block *block, uint64_t offset, uint64_t *start, uint64_t *end,
		     struct error *err _unused_)
{
	int fd = ((struct block_file *)block)->fd;
	off_t data = lseek(fd, (off_t)offset, SEEK_DATA), hole;

	if (data < 0 && errno == ENXIO) { /* none */
		*start = *end;
		return 0;
	}
	hole = data < 0 ? -1 : lseek(fd, data, SEEK_HOLE);
	if (hole < 0) /* devices and some file systems do not tell */
		return 0;
	if ((uint64_t)data < *end)
		*start = (uint64_t)data;
	else
		*start = *end;
	if ((uint64_t)hole < *end)
		*end = (uint64_t)hole;
	return 0;
}

static void file_close(struct block *block)
{
	closep(&((struct block_file *)block)->fd);
}

static const struct block_ops file_ops = {
	.pread = file_pread,
	.pwrite = file_pwrite,
	.flush = file_flush,
	.trim = file_trim,
	.data = file_data,
	.close = file_close,
};

/* Size and logical sector size of what is open. */
static int measure(int fd, const char *path, uint64_t *size, uint32_t *sector_size,
		   struct error *err)
{
	struct stat st;
	int sector = 0;

	*sector_size = 512;
	if (fstat(fd, &st) < 0)
		return error_errno(err, path, "cannot examine");
	if (S_ISREG(st.st_mode)) {
		*size = (uint64_t)st.st_size;
		return 0;
	}
	if (!S_ISBLK(st.st_mode))
		return error_set(err, ERROR_USAGE, path,
				 "is neither a regular file nor a block device");
	if (ioctl(fd, BLKGETSIZE64, size) < 0)
		return error_errno(err, path, "cannot learn its size");
	if (ioctl(fd, BLKSSZGET, &sector) == 0 && sector > 0)
		*sector_size = (uint32_t)sector;
	return 0;
}

/*
 * A device that is mounted, swapped to or part of another one cannot be opened
 * exclusively. O_NONBLOCK is for what turns out to be a pipe.
 */
static int open_file(const char *path, bool write, struct error *err)
{
	struct stat st;
	bool device = stat(path, &st) == 0 && S_ISBLK(st.st_mode);
	int fd = open(path, (write ? O_RDWR : O_RDONLY) | (write && device ? O_EXCL : 0) |
				    O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0 && errno == EBUSY) {
		error_set(err, ERROR_STATE, path, "is in use on this machine");
		error_remedy(err, "unmount its volumes and end what uses it (lsblk shows "
				  "it), or shut the virtual machine down");
	} else if (fd < 0) {
		error_errno(err, path, "cannot open");
	}
	return fd;
}

int block_file_lock(struct block *file, struct error *err)
{
	return image_lock(((struct block_file *)file)->fd, file->name, file->writable,
			  err);
}

struct block *block_file_open(const char *path, bool write, uint64_t size,
			      struct error *err)
{
	_cleanup_close_ int fd = open_file(path, write, err);
	struct block_file *f;
	uint32_t sector_size;
	uint64_t whole;

	if (fd < 0)
		return NULL;
	if (measure(fd, path, &whole, &sector_size, err) < 0)
		return NULL;
	if (size > whole) {
		error_set(err, ERROR_FAILED, path,
			  "has %ju bytes where its header says %ju", (uintmax_t)whole,
			  (uintmax_t)size);
		error_remedy(err, "the image is cut short: get it again");
		return NULL;
	}
	f = xcalloc(1, sizeof(*f));
	f->block = (struct block){&file_ops, xstrdup(path), size ? size : whole,
				  sector_size, write};
	f->fd = fd;
	fd = -1;
	return &f->block;
}
