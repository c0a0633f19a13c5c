/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading and writing CriticalDeviceDatabase. */
#include "windows/critical_device.h"

#include "base/text.h"
#include "windows/driverdb.h"

#define DATABASE "Control\\CriticalDeviceDatabase"

void critical_device_free(struct critical_device *device)
{
	free(device->id);
	free(device->service);
	free(device->package);
	strings_free(&device->upper_filters);
	strings_free(&device->lower_filters);
	*device = (struct critical_device){0};
}

void critical_devices_free(struct critical_devices *devices)
{
	vec_foreach (device, devices)
		critical_device_free(device);
	vec_free(devices);
}

static char *replace(char *text, char from, char to)
{
	for (char *c = text; *c; c++)
		if (*c == from)
			*c = to;
	return text;
}

char *critical_device_path(const char *control_set, const char *id)
{
	_cleanup_free_ char *name = id ? replace(xstrdup(id), '\\', '#') : NULL;

	return name ? xasprintf("%s\\" DATABASE "\\%s", control_set, name)
		    : xasprintf("%s\\" DATABASE, control_set);
}

static char *nonempty(char *text)
{
	if (text && !*text) {
		free(text);
		return NULL;
	}
	return text;
}

/* `name` is the key's own; taken. */
static void read_key(struct hive *system, hkey key, char *name,
		     struct critical_device *ret)
{
	_cleanup_free_ char *class = hive_get_string(system, key, "ClassGUID");

	*ret = (struct critical_device){
		.id = replace(name, '#', '\\'),
		.service = nonempty(hive_get_string(system, key, "Service")),
		.package = nonempty(hive_get_string(system, key, "DriverPackageId")),
		.key = key,
	};
	ret->has_class = class && guid_parse(class, &ret->class_guid);
	hive_get_strings(system, key, "UpperFilters", &ret->upper_filters);
	hive_get_strings(system, key, "LowerFilters", &ret->lower_filters);
}

int critical_device_read(struct hive *system, const char *control_set, const char *id,
			 struct critical_device *ret, struct error *err _unused_)
{
	_cleanup_free_ char *path = critical_device_path(control_set, id);
	hkey key = *id ? hive_find(system, hive_root(system), path) : 0;
	char *name = key ? hive_key_name(system, key) : NULL;

	if (!name)
		return 0;
	read_key(system, key, name, ret);
	return 1;
}

int critical_devices_read(struct hive *system, const char *control_set,
			  struct critical_devices *ret, struct error *err)
{
	_cleanup_free_ char *path = critical_device_path(control_set, NULL);
	hkey list = hive_find(system, hive_root(system), path);
	uint32_t count = list ? hive_child_count(system, list) : 0;

	for (uint32_t i = 0; i < count; i++) {
		hkey key = hive_child(system, list, i);
		char *name = key ? hive_key_name(system, key) : NULL;
		struct critical_device device;

		if (interrupted()) {
			free(name);
			return error_interrupted(err);
		}
		if (!name)
			continue;
		read_key(system, key, name, &device);
		vec_push(ret, device);
	}
	return 0;
}

/* Sets the text, or deletes the value for NULL. `*changed` is added to. */
static int put_text(struct hive *system, hkey key, const char *name, const char *text,
		    int *changed, struct error *err)
{
	int r = text ? hive_set_string(system, key, name, REG_SZ, text, err)
		     : hive_unset(system, key, name, err);

	*changed |= r > 0;
	return r < 0 ? -1 : 0;
}

static int put_list(struct hive *system, hkey key, const char *name,
		    const struct strings *items, int *changed, struct error *err)
{
	int r = items->len ? hive_set_strings(system, key, name, items, err)
			   : hive_unset(system, key, name, err);

	*changed |= r > 0;
	return r < 0 ? -1 : 0;
}

int critical_device_write(struct hive *system, const char *control_set,
			  const struct critical_device *device, struct error *err)
{
	_cleanup_free_ char *path = critical_device_path(control_set, device->id);
	_cleanup_free_ char *class = NULL;
	char guid[GUID_TEXT_SIZE];
	int changed = 0;
	hkey key;

	if (!device_id_valid(device->id))
		return error_set(err, ERROR_FAILED, device->id,
				 "is no device ID that CriticalDeviceDatabase can have");
	guid_format(&device->class_guid, guid);
	class = text_upper(guid);
	key = hive_find(system, hive_root(system), path);
	if (!key) {
		if (hive_create(system, hive_root(system), path, &key, err) < 0)
			return -1;
		changed = 1;
	}
	if (put_text(system, key, "ClassGUID", device->has_class ? class : NULL, &changed,
		     err) < 0 ||
	    put_text(system, key, "Service", device->service, &changed, err) < 0 ||
	    put_text(system, key, "DriverPackageId", device->package, &changed, err) <
		    0 ||
	    put_list(system, key, "UpperFilters", &device->upper_filters, &changed, err) <
		    0 ||
	    put_list(system, key, "LowerFilters", &device->lower_filters, &changed, err) <
		    0)
		return -1;
	return changed;
}

int critical_device_remove(struct hive *system, const char *control_set, const char *id,
			   struct error *err)
{
	_cleanup_free_ char *path = critical_device_path(control_set, id);
	hkey key = *id ? hive_find(system, hive_root(system), path) : 0;

	if (!key)
		return 0;
	return hive_delete(system, key, err) < 0 ? -1 : 1;
}

bool guids_contain(const struct guids *guids, const struct guid *guid)
{
	vec_foreach (other, guids)
		if (guid_equal(other, guid))
			return true;
	return false;
}

int critical_device_classes(struct hive *system, const char *control_set,
			    struct guids *ret, struct error *err)
{
	_cleanup_critical_devices_ struct critical_devices devices = VEC_INIT;

	if (critical_devices_read(system, control_set, &devices, err) < 0)
		return -1;
	vec_foreach (device, &devices)
		if (device->has_class && !guids_contain(ret, &device->class_guid))
			vec_push(ret, device->class_guid);
	return 0;
}
