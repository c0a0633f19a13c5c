/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "init/state.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/blkpg.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "init/dm.h"
#include "init/gpt.h"
#include "layout.h"

#define MIB ((uint64_t)1 << 20)
#define RESIZE _IOW('f', 16, uint64_t) /* EXT4_IOC_RESIZE_FS, of fs/ext4/ext4.h */

/* The kernel's Documentation/filesystems/ext4/super.rst. */
enum {
	E_BLOCKS = 0x4,
	E_LOG_BLOCK = 0x18,
	E_MAGIC = 0x38,
	E_INCOMPATIBLE = 0x60,
	E_BLOCKS_HIGH = 0x150,
};
#define MAGIC 0xef53
#define INCOMPATIBLE_64BIT 0x80u
#define MAX_LOG_BLOCK 6 /* 64 KiB */

bool state_file_system_size(struct bytes super, uint32_t *block, uint64_t *ret)
{
	const uint8_t *s = super.data;
	uint64_t blocks;

	if (!bytes_has(super, 0, STATE_SUPER_SIZE) || get_le16(s + E_MAGIC) != MAGIC ||
	    get_le32(s + E_LOG_BLOCK) > MAX_LOG_BLOCK)
		return false;
	blocks = get_le32(s + E_BLOCKS);
	if (get_le32(s + E_INCOMPATIBLE) & INCOMPATIBLE_64BIT)
		blocks |= (uint64_t)get_le32(s + E_BLOCKS_HIGH) << 32;
	*block = 1024u << get_le32(s + E_LOG_BLOCK);
	return !mul_overflow(blocks, *block, ret);
}

int state_find(const char *root, const char *disk, struct medium *ret)
{
	struct guid type;
	int found = 0;

	(void)guid_parse(LAYOUT_TYPE_STATE, &type);
	/* The stick's own comes before that of a disk it was once copied to. */
	for (int any = disk ? 0 : 1; any < 2 && !found; any++) {
		struct medium_search search = {
			.root = root, .type = &type, .disk = any ? NULL : disk};

		found = medium_next(&search, ret);
		medium_search_free(&search);
	}
	return found;
}

/* ---- growth ---- */

/* A disk that is in use is not read anew: the one partition's end is told instead. */
static int tell_kernel(int fd, const struct gpt_partition *p, uint64_t size,
		       const char *name, struct error *err)
{
	struct blkpg_partition part = {.start = (long long)p->offset,
				       .length = (long long)size,
				       .pno = (int)p->number};
	struct blkpg_ioctl_arg arg = {
		.op = BLKPG_RESIZE_PARTITION, .datalen = sizeof(part), .data = &part};

	if (ioctl(fd, BLKPG, &arg) < 0 && ioctl(fd, BLKRRPART) < 0)
		return error_errno(err, name,
				   "the kernel does not take the partition's new size");
	return 0;
}

static int grow_partition(const struct medium *m, const char *root, struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s/dev/%s", root, m->disk);
	_cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC);
	_cleanup_gpt_ struct gpt gpt = GPT_INIT;
	const struct gpt_partition *p = NULL;
	uint64_t size, grown;
	int result;

	if (fd < 0)
		return error_errno(err, path, "cannot open");
	if (device_size(fd, path, &size, err) < 0)
		return -1;
	if (!gpt_load(fd, size, &gpt))
		return 0;
	vec_foreach (each, &gpt.partitions)
		if (each->number == m->number)
			p = each;
	result = p ? gpt_grow(fd, path, size, &gpt, m->number, &grown, err) : 0;
	if (result <= 0 || !m->is_device)
		return result;
	return tell_kernel(fd, p, grown, path, err);
}

/* The file system's bytes; 0: it is none. */
static uint64_t covered(const char *device, uint32_t *block, uint64_t *size)
{
	_cleanup_close_ int fd = open(device, O_RDONLY | O_CLOEXEC);
	uint8_t super[STATE_SUPER_SIZE];
	uint64_t ret;

	if (fd < 0 || device_size(fd, device, size, NULL) < 0 ||
	    pread(fd, super, sizeof(super), STATE_SUPER_AT) != (ssize_t)sizeof(super) ||
	    !state_file_system_size((struct bytes){super, sizeof(super)}, block, &ret))
		return 0;
	return ret;
}

/* Also when the partition was grown at an earlier start that was cut off. */
static int grow_file_system(const char *target, uint64_t size, uint32_t block,
			    struct error *err)
{
	_cleanup_close_ int fd = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t blocks = size / block;

	if (fd < 0 || ioctl(fd, RESIZE, &blocks) < 0)
		return error_errno(err, target, "cannot be grown");
	return 0;
}

static void complain(void (*say)(const char *line), const struct error *err)
{
	_cleanup_free_ char *text = error_message(err);

	say(text);
}

static int mount_ext4(const char *device, const char *label, const char *target,
		      struct error *err)
{
	if (mkdir(target, 0755) < 0 && errno != EEXIST)
		return error_errno(err, target, "cannot make the folder");
	/* Anybody can have written to it: no link in it leads anywhere. */
	if (mount(device, target, "ext4",
		  MS_NOSUID | MS_NODEV | MS_NOEXEC | MEDIUM_NO_SYMLINKS,
		  "errors=remount-ro") == 0)
		return 0;
	error_errno(err, label, "the file system with the state cannot be mounted");
	return error_remedy(err, "check it with e2fsck on another PC, or start with "
				 "gild.persist=off to leave it alone");
}

int state_mount(const struct medium *m, const char *root, const char *target,
		void (*say)(const char *line), struct error *err)
{
	_cleanup_error_ struct error grow = ERROR_INIT;
	_cleanup_free_ char *device = NULL;
	uint64_t size = 0, before;
	uint32_t block = 0;
	bool loop;

	/* A state that cannot grow is still one. */
	if (grow_partition(m, root, &grow) < 0)
		complain(say, &grow);
	if (medium_device(m, true, &device, &loop, err) < 0)
		return -1;
	before = covered(device, &block, &size);
	if (mount_ext4(device, m->label, target, err) < 0)
		return -1;
	if (!before || before + MIB > size)
		return 0;
	if (grow_file_system(target, size, block, &grow) < 0) {
		complain(say, &grow);
	} else {
		_cleanup_free_ char *text =
			xasprintf("the state was grown from %llu to %llu MiB",
				  (unsigned long long)(before / MIB),
				  (unsigned long long)(size / MIB));

		say(text);
	}
	return 0;
}
