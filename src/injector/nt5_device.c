/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What NT 5 knows of devices before it can read an INF: CriticalDeviceDatabase, and the
 * instances below Enum that a machine has left.
 */
#include "base/text.h"
#include "injector/nt5.h"
#include "windows/boot_storage.h"

#define FUNCTION_DRIVER 2u /* SPSVCINST_ASSOCSERVICE */

const struct inf_service *nt5_function_service(const struct inf_configuration *c)
{
	vec_foreach (service, &c->services)
		if (!service->remove && service->flags & FUNCTION_DRIVER &&
		    *service->name)
			return service;
	return NULL;
}

/* The filter lists that .HW AddReg gives the device. */
static void device_filters(const struct inf_configuration *c, const char *name,
			   struct strings *ret)
{
	vec_foreach (reg, &c->hw_regs) {
		size_t start = 0;

		if (reg->root != INF_HKR || *reg->key || !text_equal(reg->name, name) ||
		    (reg->kind != INF_REG_SET && reg->kind != INF_REG_APPEND))
			continue;
		for (size_t at = 0; at + 2 <= reg->data.len; at += 2) {
			if (get_le16(reg->data.data + at))
				continue;
			if (at > start) {
				_cleanup_free_ char *one =
					utf16_to_utf8(reg->data.data + start, at - start);

				if (!strings_contain(ret, one))
					strings_push(ret, one);
			}
			start = at + 2;
		}
	}
}

/* Calls `fn` for every ID that a model with a function service claims, lower case. */
typedef int device_fn(const struct critical_device *device, void *arg, struct error *err);

static int each_device(const struct driver *driver, const struct strings *services,
		       device_fn *fn, void *arg, struct error *err)
{
	vec_foreach (model, &driver->models) {
		const struct inf_configuration *c =
			&driver->configurations.items[model->configuration];
		const struct inf_service *service = nt5_function_service(c);
		struct critical_device device = {.class_guid = driver->class_guid,
						 .has_class = true};
		int r = 0;

		if (!service || (services && !strings_contain(services, service->name)))
			continue;
		device.service = service->name;
		device_filters(c, "UpperFilters", &device.upper_filters);
		device_filters(c, "LowerFilters", &device.lower_filters);
		vec_foreach (id, &model->ids) {
			if (r < 0 || !**id || !device_id_valid(*id))
				continue;
			/* As Windows' own entries of XP are spelt. */
			device.id = text_lower(*id);
			r = fn(&device, arg, err);
			free(device.id);
		}
		strings_free(&device.upper_filters);
		strings_free(&device.lower_filters);
		if (r < 0)
			return -1;
	}
	return 0;
}

struct entering {
	struct store *store;
	bool keep;
	struct strings *ids;
	const struct strings *services;
	bool missing;
};

static int enter(const struct critical_device *device, void *arg, struct error *err)
{
	struct entering *e = arg;

	if (interrupted())
		return error_interrupted(err);
	vec_foreach (set, &e->store->control_sets) {
		_cleanup_critical_device_ struct critical_device now = {0};
		int found = critical_device_read(e->store->system, *set, device->id, &now,
						 err);

		if (found < 0)
			return -1;
		if (found && e->keep && now.service)
			continue;
		found = critical_device_write(e->store->system, *set, device, err);
		if (found < 0)
			return -1;
		if (found && e->ids && set == e->store->control_sets.items)
			strings_push(e->ids, device->id);
	}
	return 0;
}

int nt5_devices_enter(struct store *store, const struct driver *driver,
		      const struct strings *services, bool keep, struct strings *ids,
		      struct error *err)
{
	struct entering e = {.store = store, .keep = keep, .ids = ids};

	return each_device(driver, services, enter, &e, err);
}

static int check(const struct critical_device *device, void *arg, struct error *err)
{
	struct entering *e = arg;

	vec_foreach (set, &e->store->control_sets) {
		_cleanup_critical_device_ struct critical_device now = {0};
		int found = critical_device_read(e->store->system, *set, device->id, &now,
						 err);

		if (found < 0)
			return -1;
		if (!found || !now.service || !text_equal(now.service, device->service))
			e->missing = true;
	}
	return 0;
}

int nt5_devices_intact(struct store *store, const struct driver *driver,
		       struct error *err)
{
	struct entering e = {.store = store};

	if (each_device(driver, NULL, check, &e, err) < 0)
		return -1;
	return !e.missing;
}

static int take_out(const struct critical_device *device, void *arg, struct error *err)
{
	struct entering *e = arg;

	vec_foreach (set, &e->store->control_sets) {
		_cleanup_critical_device_ struct critical_device now = {0};
		int found = critical_device_read(e->store->system, *set, device->id, &now,
						 err);

		if (found < 0)
			return -1;
		if (found && now.service && text_equal(now.service, device->service) &&
		    critical_device_remove(e->store->system, *set, device->id, err) < 0)
			return -1;
	}
	return 0;
}

int nt5_devices_remove(struct store *store, const struct driver *driver,
		       const struct strings *services, struct error *err)
{
	struct entering e = {.store = store};

	return each_device(driver, services, take_out, &e, err);
}

/* ---- instances --------------------------------------------------------------------- */

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

static int drop_in_set(struct store *store, const char *set,
		       struct any_controller_result *out, struct error *err)
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

			if (stale < 0 || (stale && hive_delete(hive, instance, err) < 0))
				return -1;
			if (stale)
				strings_push(&out->removed, full);
		}
	}
	return 0;
}

int nt5_drop_stale_instances(struct store *store, struct any_controller_result *out,
			     struct error *err)
{
	vec_foreach (set, &store->control_sets)
		if (drop_in_set(store, *set, out, err) < 0)
			return -1;
	return 0;
}
