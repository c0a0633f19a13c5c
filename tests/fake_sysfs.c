/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "test.h"

#include "fake_sysfs.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

char *fake_root(void)
{
	struct error err = ERROR_INIT;
	char *root = temp_folder_make(NULL, &err), *sys;

	assert_non_null(root);
	sys = xasprintf("%s/sys", root);
	assert_int_equal(mkdir(sys, 0755), 0);
	free(sys);
	return root;
}

/* Folders on the way to the file. */
static char *full_path(const char *root, const char *path)
{
	char *full = xasprintf("%s/%s", root, path);

	for (char *slash = full + strlen(root) + 1; (slash = strchr(slash, '/'));
	     slash++) {
		*slash = 0;
		(void)mkdir(full, 0755);
		*slash = '/';
	}
	return full;
}

void fake_bytes(const char *root, const char *path, struct bytes data)
{
	_cleanup_free_ char *full = full_path(root, path);

	assert_int_equal(file_replace(full, data, NULL), 0);
}

void fake_file(const char *root, const char *path, const char *text)
{
	fake_bytes(root, path, (struct bytes){(const uint8_t *)text, strlen(text)});
}

void fake_link(const char *root, const char *path, const char *target)
{
	_cleanup_free_ char *full = full_path(root, path);

	(void)unlink(full);
	assert_int_equal(symlink(target, full), 0);
}

static void attribute(const char *root, const char *folder, const char *name,
		      const char *text)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", folder, name);

	if (text)
		fake_file(root, path, text);
}

void fake_pci(const char *root, const struct fake_pci *d)
{
	_cleanup_free_ char *folder = xasprintf("sys/bus/pci/devices/%s", d->address);
	_cleanup_free_ char *group = xasprintf("%s/iommu_group", folder);
	_cleanup_free_ char *target =
		xasprintf("../../../../kernel/iommu_groups/%d", d->group);
	_cleanup_free_ char *member =
		xasprintf("sys/kernel/iommu_groups/%d/devices/%s", d->group, d->address);
	_cleanup_free_ char *driver = xasprintf("%s/driver", folder);
	_cleanup_free_ char *driver_target =
		xasprintf("../../../../bus/pci/drivers/%s", d->driver ? d->driver : "");
	_cleanup_free_ char *unbind =
		xasprintf("sys/bus/pci/drivers/%s/unbind", d->driver ? d->driver : "");

	attribute(root, folder, "vendor", d->vendor);
	attribute(root, folder, "device", d->device);
	attribute(root, folder, "class", d->class_code);
	attribute(root, folder, "reset_method", d->reset);
	attribute(root, folder, "driver_override", "(null)\n");
	attribute(root, folder, "boot_vga", d->boot_vga ? "1\n" : "0\n");
	if (d->group >= 0) {
		fake_link(root, group, target);
		fake_file(root, member, "");
	}
	if (d->driver) {
		fake_link(root, driver, driver_target);
		fake_file(root, unbind, "");
	}
}

char *fake_link_target(const char *root, const char *path)
{
	_cleanup_free_ char *full = xasprintf("%s/%s", root, path);
	char target[512];
	ssize_t len = readlink(full, target, sizeof(target) - 1);
	const char *slash;

	if (len < 0)
		return NULL;
	target[len] = 0;
	slash = strrchr(target, '/');
	return xstrdup(slash ? slash + 1 : target);
}

char *fake_text(const char *root, const char *path)
{
	_cleanup_free_ char *full = xasprintf("%s/%s", root, path);
	struct buffer data = BUFFER_INIT;

	if (file_read(full, 1 << 20, &data, NULL) < 0) {
		buffer_free(&data);
		return NULL;
	}
	return buffer_steal_string(&data);
}
