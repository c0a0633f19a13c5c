/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Binding devices to vfio-pci. driver_override is exact, where writing an ID to new_id
 * would also catch the device's twins, and those that are plugged in later.
 */
#include "init/passthrough.h"

#include "base/sysfs.h"

#define VFIO "vfio-pci"
#define PROBE "bus/pci/drivers_probe"

static char *device_path(const char *address, const char *name)
{
	return xasprintf("bus/pci/devices/%s/%s", address, name);
}

/* NULL: none is bound. */
static char *bound_driver(const char *root, const char *address)
{
	_cleanup_free_ char *path = device_path(address, "driver");

	return sysfs_link(root, path);
}

static int set_override(const char *root, const char *address, const char *driver,
			passthrough_write_fn *write, struct error *err)
{
	_cleanup_free_ char *path = device_path(address, "driver_override");

	return write(root, path, driver, err);
}

static int unbind(const char *root, const char *address, passthrough_write_fn *write,
		  struct error *err)
{
	_cleanup_free_ char *driver = bound_driver(root, address);
	_cleanup_free_ char *path = device_path(address, "driver/unbind");

	return driver ? write(root, path, address, err) : 0;
}

/* An empty line takes the override away. */
static int give_back(const char *root, const char *address, passthrough_write_fn *write,
		     struct error *err)
{
	_cleanup_free_ char *driver = bound_driver(root, address);
	int result = set_override(root, address, "\n", write, err);

	if (driver && strcmp(driver, VFIO) == 0 && unbind(root, address, write, NULL) < 0)
		result = error_set(err, ERROR_FAILED, address,
				   "cannot be taken from vfio-pci");
	/* Where no driver wants it, it stays without one. */
	if (write(root, PROBE, address, NULL) < 0 && result == 0)
		result = error_set(err, ERROR_FAILED, address,
				   "cannot be given back to its driver");
	return result;
}

static int bind_one(const char *root, const char *address, passthrough_write_fn *write,
		    struct error *err)
{
	_cleanup_free_ char *before = bound_driver(root, address), *after = NULL;

	if (before && strcmp(before, VFIO) == 0)
		return 0;
	if (set_override(root, address, VFIO, write, err) < 0 ||
	    unbind(root, address, write, err) < 0 || write(root, PROBE, address, err) < 0)
		return -1;
	after = bound_driver(root, address);
	if (after && strcmp(after, VFIO) == 0)
		return 0;
	error_set(err, ERROR_FAILED, address, "is not bound to vfio-pci but to %s",
		  after ? after : "nothing");
	return error_remedy(err, "load vfio-pci, and start the kernel with the IOMMU on");
}

static int group_of(const char *root, const char *address)
{
	_cleanup_free_ char *path = device_path(address, "iommu_group");
	_cleanup_free_ char *group = sysfs_link(root, path);

	return group && *group >= '0' && *group <= '9' ? atoi(group) : -1;
}

static bool is_bridge(const char *root, const char *address)
{
	_cleanup_free_ char *folder = xasprintf("bus/pci/devices/%s", address);

	return sysfs_number(root, folder, "class", PC_NO_CLASS) >> 16 == 0x06;
}

bool passthrough_viable(const char *root, int group)
{
	_cleanup_free_ char *path = xasprintf("kernel/iommu_groups/%d/devices", group);
	_cleanup_(strings_free) struct strings members = VEC_INIT;

	sysfs_list(root, path, &members);
	vec_foreach (member, &members) {
		_cleanup_free_ char *driver = bound_driver(root, *member);

		if (driver && strcmp(driver, VFIO) != 0 && !is_bridge(root, *member))
			return false;
	}
	return members.len != 0;
}

int passthrough_release(const char *root, const struct passthrough_set *set,
			passthrough_write_fn *write, struct error *err)
{
	int result = 0;

	vec_foreach (address, &set->addresses)
		if (give_back(root, *address, write, result < 0 ? NULL : err) < 0)
			result = -1;
	return result;
}

/* The devices before `count` go back. */
static void roll_back(const char *root, const struct passthrough_set *set, size_t count,
		      passthrough_write_fn *write)
{
	for (size_t i = count; i > 0; i--)
		(void)give_back(root, set->addresses.items[i - 1], write, NULL);
}

int passthrough_bind(const char *root, const struct passthrough_set *set,
		     passthrough_write_fn *write, struct error *err)
{
	for (size_t i = 0; i < set->addresses.len; i++) {
		if (bind_one(root, set->addresses.items[i], write, err) < 0) {
			roll_back(root, set, i + 1, write);
			return error_wrap(err, set->name, "stays with the host");
		}
	}
	vec_foreach (address, &set->addresses) {
		int group = group_of(root, *address);

		if (passthrough_viable(root, group))
			continue;
		error_set(err, ERROR_FAILED, *address,
			  "IOMMU group %d has a device that another driver holds", group);
		roll_back(root, set, set->addresses.len, write);
		return error_wrap(err, set->name, "stays with the host");
	}
	return 0;
}
