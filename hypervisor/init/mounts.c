/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "init/mounts.h"

#include <errno.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define QUIET (MS_NOSUID | MS_NODEV | MS_NOEXEC)

static const struct {
	const char *type, *target;
	unsigned long flags;
	const char *data;
	bool if_there; /* where there is no such folder, there is nothing to mount */
} kernel_mounts[] = {
	{"proc", "/proc", QUIET, NULL, false},
	{"sysfs", "/sys", QUIET, NULL, false},
	{"devtmpfs", "/dev", MS_NOSUID | MS_NOEXEC, "mode=0755", false},
	{"tmpfs", "/run", QUIET, "mode=0755", false},
	{"efivarfs", "/sys/firmware/efi/efivars", QUIET, NULL, true},
};

/* Read-only image formats first: they refuse anything else at once. */
static const char *const device_types[] = {"erofs", "squashfs", "iso9660", "udf",
					   "ext4",  "xfs",	"btrfs",   "vfat",
					   "exfat", "ntfs3"};

static int make_folder(const char *path, struct error *err)
{
	if (mkdir(path, 0755) == 0 || errno == EEXIST)
		return 0;
	return error_errno(err, path, "cannot make the folder");
}

/* An earlier stage has mounted it: another file system than the folder above it. */
static bool is_mounted(const char *target)
{
	_cleanup_free_ char *above = xasprintf("%s/..", target);
	struct stat st, parent;

	return stat(target, &st) == 0 && stat(above, &parent) == 0 &&
	       st.st_dev != parent.st_dev;
}

int mounts_kernel(const char *root, mounts_fn *fn, struct error *err)
{
	if (!fn)
		fn = mount;
	for (size_t i = 0; i < ARRAY_SIZE(kernel_mounts); i++) {
		_cleanup_free_ char *target =
			xasprintf("%s%s", root, kernel_mounts[i].target);

		if (kernel_mounts[i].if_there && access(target, F_OK) < 0)
			continue;
		if (make_folder(target, err) < 0)
			return -1;
		if (is_mounted(target))
			continue;
		/* EBUSY: the kernel has done it. ENODEV: a module that is not there yet.
		 */
		if (fn(kernel_mounts[i].type, target, kernel_mounts[i].type,
		       kernel_mounts[i].flags, kernel_mounts[i].data) < 0 &&
		    errno != EBUSY && !(kernel_mounts[i].if_there && errno == ENODEV))
			return error_errno(err, target, "cannot mount %s",
					   kernel_mounts[i].type);
	}
	return 0;
}

int mounts_device(const char *device, const char *target, bool writable, mounts_fn *fn,
		  struct error *err)
{
	unsigned long flags = QUIET | (writable ? 0 : MS_RDONLY);
	int worst = ENODEV;

	if (!fn)
		fn = mount;
	if (access(device, F_OK) < 0)
		return 1;
	if (make_folder(target, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(device_types); i++) {
		if (fn(device, target, device_types[i], flags, NULL) == 0)
			return 0;
		/* ENODEV: the kernel lacks the type; EINVAL: it is not this one. */
		if (errno != ENODEV && errno != EINVAL)
			worst = errno;
	}
	errno = worst;
	error_errno(err, device, "cannot be mounted");
	return error_remedy(err, "is it a partition with a file system that the kernel "
				 "has a module for?");
}

void mounts_end(const char *target)
{
	if (umount2(target, 0) < 0)
		(void)mount(NULL, target, NULL, MS_REMOUNT | MS_RDONLY | QUIET, NULL);
}
