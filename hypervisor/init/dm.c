/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "init/dm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "layout.h"

#define CONTROL "/dev/mapper/control"
#define CHUNK ((size_t)1 << 20)
#define LOOP_TRIES 16

/* ---- device mapper ---- */

/* devtmpfs makes the node when the module is there; where it does not, /proc/misc tells.
 */
static int open_control(struct error *err)
{
	int fd = open(CONTROL, O_RDWR | O_CLOEXEC);
	_cleanup_buffer_ struct buffer misc = BUFFER_INIT;
	_cleanup_free_ char *text = NULL;
	const char *at;
	unsigned minor_number = 0;

	if (fd >= 0 || errno != ENOENT)
		goto out;
	if (file_read("/proc/misc", 65536, &misc, NULL) < 0)
		goto out;
	text = buffer_steal_string(&misc);
	at = strstr(text, " device-mapper\n");
	while (at && at > text && at[-1] >= '0' && at[-1] <= '9')
		at--;
	if (!at || sscanf(at, "%9u", &minor_number) != 1)
		goto out;
	(void)mkdir("/dev/mapper", 0755);
	(void)mknod(CONTROL, S_IFCHR | 0600, makedev(10, minor_number));
	fd = open(CONTROL, O_RDWR | O_CLOEXEC);
out:
	if (fd < 0) {
		error_errno(err, CONTROL, "cannot open");
		(void)error_remedy(err, "are the kernel's modules dm-mod and dm-verity "
					"packed?");
	}
	return fd;
}

/* The structure that each request begins with, and room for a table behind it. */
struct request {
	struct dm_ioctl head;
	struct dm_target_spec target;
	char table[2048];
};

static int ask(int fd, unsigned long command, const char *name, struct request *r)
{
	r->head.version[0] = DM_VERSION_MAJOR;
	r->head.data_size = sizeof(*r);
	r->head.data_start = offsetof(struct request, target);
	(void)snprintf(r->head.name, sizeof(r->head.name), "%s", name);
	return ioctl(fd, command, r);
}

static int make_sealed(int fd, const char *name, const struct seal *seal,
		       const char *table, char **ret)
{
	struct request r = {0};

	if (strlen(table) >= sizeof(r.table)) {
		errno = E2BIG;
		return -1;
	}
	if (ask(fd, DM_DEV_CREATE, name, &r) < 0)
		return -1;
	*ret = xasprintf("/dev/dm-%u", minor((dev_t)r.head.dev));
	r = (struct request){.head = {.flags = DM_READONLY_FLAG, .target_count = 1}};
	r.target.length = seal_data_size(seal) / 512;
	memcpy(r.target.target_type, "verity", 7);
	memcpy(r.table, table, strlen(table) + 1);
	if (ask(fd, DM_TABLE_LOAD, name, &r) < 0)
		return -1;
	/* Without its flag it is the opposite of a suspension. */
	r = (struct request){.head = {.flags = DM_READONLY_FLAG}};
	return ask(fd, DM_DEV_SUSPEND, name, &r);
}

void dm_remove(const char *name)
{
	_cleanup_close_ int fd = open(CONTROL, O_RDWR | O_CLOEXEC);
	struct request r = {0};

	if (fd >= 0)
		(void)ask(fd, DM_DEV_REMOVE, name, &r);
}

bool dm_is_corrupted(const char *name)
{
	_cleanup_close_ int fd = open(CONTROL, O_RDWR | O_CLOEXEC);
	struct request r = {0};

	/* Its status is 'V', or 'C' from the first wrong block on. */
	if (fd < 0 || ask(fd, DM_TABLE_STATUS, name, &r) < 0)
		return false;
	return r.table[0] == 'C';
}

static int damaged(const char *subject, struct error *err)
{
	error_errno(err, subject, "is damaged: its hash is not that of the seal");
	if (err)
		err->code = ERROR_STATE;
	return error_remedy(err, "write the medium anew, and replace it if that does not "
				 "last");
}

static int read_ends(const char *device, const struct seal *seal, const char *subject,
		     struct error *err)
{
	_cleanup_close_ int fd = open(device, O_RDONLY | O_CLOEXEC);
	uint8_t block[LAYOUT_BLOCK];

	if (fd < 0)
		return error_errno(err, device, "cannot open");
	if (pread(fd, block, sizeof(block), 0) != (ssize_t)sizeof(block) ||
	    pread(fd, block, sizeof(block),
		  (off_t)(seal_data_size(seal) - LAYOUT_BLOCK)) != (ssize_t)sizeof(block))
		return damaged(subject, err);
	return 0;
}

static int read_super(const char *device, const char *subject, const struct seal *seal,
		      struct verity_super *ret, struct error *err)
{
	_cleanup_close_ int fd = open(device, O_RDONLY | O_CLOEXEC);
	uint8_t super[VERITY_SUPER_SIZE];
	uint64_t size;
	ssize_t n;

	if (fd < 0)
		return error_errno(err, device, "cannot open");
	if (device_size(fd, subject, &size, err) < 0)
		return -1;
	if (size < seal_whole_size(seal)) {
		error_set(err, ERROR_STATE, subject,
			  "has %llu bytes, its seal is for %llu",
			  (unsigned long long)size,
			  (unsigned long long)seal_whole_size(seal));
		return error_remedy(err, "it was cut off: write the medium anew");
	}
	n = pread(fd, super, sizeof(super), (off_t)seal_data_size(seal));
	if (n < 0)
		return error_errno(err, subject, "cannot read");
	if (verity_super_read((struct bytes){super, (size_t)n}, subject, seal, ret, err) <
	    0)
		return error_remedy(err, "write the medium anew");
	return 0;
}

char *dm_verity_table(const char *device, const struct seal *seal,
		      const struct verity_super *super)
{
	char salt[2 * VERITY_MAX_SALT + 1] = "-";

	if (super->salt_len)
		hash_hex(super->salt, super->salt_len, salt);
	/* The tree begins a block after the superblock. Blocks of zeros are not read. */
	return xasprintf("1 %s %s %d %d %llu %llu sha256 %s %s 1 ignore_zero_blocks",
			 device, device, LAYOUT_BLOCK, LAYOUT_BLOCK,
			 (unsigned long long)seal->blocks,
			 (unsigned long long)seal->blocks + 1, seal->hash, salt);
}

int dm_open_sealed(const char *name, const char *device, const char *subject,
		   const struct seal *seal, char **ret, struct error *err)
{
	struct verity_super super;
	_cleanup_free_ char *table = NULL, *made = NULL;
	_cleanup_close_ int fd = -1;

	if (read_super(device, subject, seal, &super, err) < 0)
		return -1;
	fd = open_control(err);
	if (fd < 0)
		return -1;
	table = dm_verity_table(device, seal, &super);
	if (make_sealed(fd, name, seal, table, &made) < 0) {
		error_errno(err, subject, "the kernel does not open it by dm-verity");
		(void)error_remedy(err, "is the kernel's module dm-verity packed?");
		dm_remove(name);
		return -1;
	}
	if (read_ends(made, seal, subject, err) < 0) {
		dm_remove(name);
		return -1;
	}
	*ret = steal_ptr(made);
	return 0;
}

/* ---- loop devices ---- */

static int configure_loop(int control, const struct loop_config *config, bool writable,
			  char **ret)
{
	int number = ioctl(control, LOOP_CTL_GET_FREE);
	_cleanup_free_ char *device = NULL;
	_cleanup_close_ int fd = -1;

	if (number < 0)
		return -1;
	device = xasprintf("/dev/loop%d", number);
	fd = open(device, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (ioctl(fd, LOOP_CONFIGURE, config) < 0)
		return -1;
	*ret = steal_ptr(device);
	return 0;
}

int loop_attach(const char *path, uint64_t offset, uint64_t size, bool writable,
		char **ret, struct error *err)
{
	_cleanup_close_ int file = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	_cleanup_close_ int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	/* Direct access is taken where the file system below has it. */
	struct loop_config config = {
		.fd = (uint32_t)file,
		.block_size = 0,
		.info = {.lo_offset = offset,
			 .lo_sizelimit = size,
			 .lo_flags = LO_FLAGS_DIRECT_IO |
				     (writable ? 0u : LO_FLAGS_READ_ONLY)},
	};

	if (file < 0)
		return error_errno(err, path, "cannot open");
	if (control < 0) {
		error_errno(err, "/dev/loop-control", "cannot open");
		return error_remedy(err, "is the kernel's module loop packed?");
	}
	(void)snprintf((char *)config.info.lo_file_name, LO_NAME_SIZE, "%s", path);
	for (unsigned i = 0; i < LOOP_TRIES; i++) {
		if (configure_loop(control, &config, writable, ret) == 0)
			return 0;
		/* Somebody else was quicker. */
		if (errno != EBUSY)
			break;
	}
	return error_errno(err, path, "cannot be made a loop device");
}

void loop_detach(const char *device)
{
	_cleanup_close_ int fd = open(device, O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		(void)ioctl(fd, LOOP_CLR_FD);
}

/* ---- any device ---- */

int device_size(int fd, const char *path, uint64_t *ret, struct error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_errno(err, path, "cannot be looked at");
	*ret = (uint64_t)st.st_size;
	if (S_ISBLK(st.st_mode) && ioctl(fd, BLKGETSIZE64, ret) < 0)
		return error_errno(err, path, "has no size");
	return 0;
}

int device_read_all(const char *device, const char *subject,
		    void (*progress)(void *arg, unsigned percent), void *arg,
		    struct error *err)
{
	_cleanup_close_ int fd = open(device, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ uint8_t *chunk = xmalloc(CHUNK);
	unsigned said = 0;
	uint64_t size, at = 0;

	if (fd < 0)
		return error_errno(err, device, "cannot open");
	if (device_size(fd, device, &size, err) < 0)
		return -1;
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	while (at < size) {
		ssize_t n = read(fd, chunk, CHUNK);
		unsigned percent;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return damaged(subject, err);
		if (n == 0)
			break;
		at += (uint64_t)n;
		percent = (unsigned)(at * 100 / size);
		if (progress && percent / 10 > said / 10)
			progress(arg, percent);
		said = percent;
	}
	return 0;
}
