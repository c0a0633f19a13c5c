/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a machine has left below Enum\PCI: a device that is found again with the same IDs
 * in the same place keeps the service of its instance, and CriticalDeviceDatabase is not
 * asked. Where that names another service for it, the instance is of the former machine.
 */
#include "base/text.h"
#include "injector/nt5.h"
#include "windows/boot_storage.h"

/* 1: the database has the device, with its entry; by hardware IDs first. */
static int look_up(struct store *store, const char *set, hkey instance,
		   struct critical_device *ret, struct error *err)
{
	static const char *const lists[] = {"HardwareID", "CompatibleIDs"};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		_cleanup_(strings_free) struct strings ids = VEC_INIT;

		hive_get_strings(store->system, instance, lists[i], &ids);
		vec_foreach (id, &ids) {
			int found =
				critical_device_read(store->system, set, *id, ret, err);

			if (found != 0)
				return found;
		}
	}
	return 0;
}

/* True if the instance keeps the device from the service that the database names. */
static int is_stale(struct store *store, const char *set, hkey instance,
		    struct error *err)
{
	_cleanup_critical_device_ struct critical_device device = {0};
	_cleanup_free_ char *service =
		hive_get_string(store->system, instance, "Service");
	int found;

	if (!service || !*service)
		return 0;
	found = look_up(store, set, instance, &device, err);
	if (found <= 0)
		return found;
	return device.service && device.has_class &&
	       storage_host_class(&device.class_guid) &&
	       !text_equal(device.service, service);
}

/* Called for a stale instance, which it may delete. */
typedef int stale_fn(struct store *store, const char *path, hkey instance, void *arg,
		     struct error *err);

static int each_stale(struct store *store, const char *set, stale_fn *fn, void *arg,
		      struct error *err)
{
	struct hive *hive = store->system;
	_cleanup_free_ char *path = xasprintf("%s\\Enum\\PCI", set);
	hkey list = hive_find(hive, hive_root(hive), path);
	uint32_t devices = list ? hive_child_count(hive, list) : 0;

	for (uint32_t i = 0; i < devices; i++) {
		hkey device = hive_child(hive, list, i);
		_cleanup_free_ char *name = device ? hive_key_name(hive, device) : NULL;

		if (interrupted())
			return error_interrupted(err);
		for (uint32_t j = name ? hive_child_count(hive, device) : 0; j-- > 0;) {
			hkey instance = hive_child(hive, device, j);
			_cleanup_free_ char *id =
				instance ? hive_key_name(hive, instance) : NULL;
			_cleanup_free_ char *full =
				xasprintf("%s\\%s\\%s", path, name, id ? id : "?");
			int stale = id ? is_stale(store, set, instance, err) : 0;

			if (stale < 0 ||
			    (stale && fn(store, full, instance, arg, err) < 0))
				return -1;
		}
	}
	return 0;
}

static int drop(struct store *store, const char *path, hkey instance, void *arg,
		struct error *err)
{
	struct any_controller_result *out = arg;

	if (hive_delete(store->system, instance, err) < 0)
		return -1;
	strings_push(&out->removed, path);
	return 0;
}

int nt5_drop_stale_instances(struct store *store, struct any_controller_result *out,
			     struct error *err)
{
	vec_foreach (set, &store->control_sets)
		if (each_stale(store, *set, drop, out, err) < 0)
			return -1;
	return 0;
}

static int count(struct store *store _unused_, const char *path _unused_,
		 hkey instance _unused_, void *arg, struct error *err _unused_)
{
	++*(size_t *)arg;
	return 0;
}

int nt5_stale_instances(struct store *store, size_t *ret, struct error *err)
{
	*ret = 0;
	return each_stale(store, store->installation->control_set, count, ret, err);
}
