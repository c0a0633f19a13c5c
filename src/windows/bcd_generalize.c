/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A BCD store made ready for other PCs, with the settings that sysprep /generalize leaves
 * in it. The hive is edited in place: what is not named here keeps its bytes.
 */
#include <stdio.h>

#include "base/text.h"
#include "windows/bcd_build.h"

#define FIRMWARE_APPLICATION 0x101fffffu
#define RECOVERY_MARK 0x46000010u
#define TIMEOUT 30
#define PATH_SIZE 128

struct edit {
	struct hive *hive;
	hkey objects;
	const char *path;
	struct strings *ret;
};

static void report(struct edit *e, const struct bcd_object *object, const char *what)
{
	char guid[GUID_TEXT_SIZE];

	guid_format(&object->guid, guid);
	vec_push(e->ret, xasprintf("%s %s: %s", e->path, guid, what));
}

static hkey object_key(struct edit *e, const struct bcd_object *object)
{
	char guid[GUID_TEXT_SIZE];

	guid_format(&object->guid, guid);
	return hive_find(e->hive, e->objects, guid);
}

/* Writes the object's element into the hive. */
static int put(struct edit *e, const struct bcd_object *object, uint32_t type,
	       const char *what, struct error *err)
{
	const struct bcd_element *element = bcd_element_find(object, type);
	char path[PATH_SIZE];
	hkey key;
	int changed;

	snprintf(path, sizeof(path), "Elements\\%08x", type);
	if (hive_create(e->hive, object_key(e, object), path, &key, err) < 0)
		return -1;
	changed = hive_set(e->hive, key, "Element", element->reg_type,
			   buffer_view(&element->data), err);
	if (changed > 0)
		report(e, object, what);
	return changed < 0 ? -1 : 0;
}

static int drop(struct edit *e, const struct bcd_object *object, uint32_t type,
		const char *what, struct error *err)
{
	char path[PATH_SIZE];
	hkey key;

	snprintf(path, sizeof(path), "Elements\\%08x", type);
	key = hive_find(e->hive, object_key(e, object), path);
	if (!key)
		return 0;
	report(e, object, what);
	return hive_delete(e->hive, key, err);
}

static int drop_object(struct edit *e, const struct bcd_object *object, const char *what,
		       struct error *err)
{
	hkey key = object_key(e, object);

	if (!key)
		return 0;
	report(e, object, what);
	return hive_delete(e->hive, key, err);
}

/* True if the element names a partition of one disk. */
static bool is_partition(const struct bcd_object *object, uint32_t type)
{
	const struct bcd_element *element = bcd_element_find(object, type);
	_cleanup_bcd_device_ struct bcd_device device = {0};

	return element && bcd_device_parse(buffer_view(&element->data), &device) &&
	       (device.kind == BCD_DEVICE_GPT || device.kind == BCD_DEVICE_MBR);
}

static int set_boot(struct edit *e, struct bcd_object *object, struct error *err)
{
	struct bcd_device device = {.kind = BCD_DEVICE_BOOT};

	if (!is_partition(object, BCD_DEVICE))
		return 0;
	bcd_set_device(object, BCD_DEVICE, &device);
	return put(e, object, BCD_DEVICE, "device", err);
}

/* The volume becomes the one on which the path in `named` is found. */
static int set_locate(struct edit *e, struct bcd_object *object, uint32_t type,
		      uint32_t named, const char *what, struct error *err)
{
	_cleanup_free_ char *path = bcd_get_text(object, named);
	struct bcd_device device = {.kind = BCD_DEVICE_LOCATE, .path = path};

	if (!path || !is_partition(object, type))
		return 0;
	bcd_set_device(object, type, &device);
	return put(e, object, type, what, err);
}

static int change_manager(struct edit *e, struct bcd_object *object, struct error *err)
{
	hkey description;
	int gone;

	if (set_boot(e, object, err) < 0)
		return -1;
	bcd_set_integer(object, BCD_TIMEOUT, TIMEOUT);
	if (put(e, object, BCD_TIMEOUT, "timeout", err) < 0)
		return -1;
	description = hive_find(e->hive, object_key(e, object), "Description");
	gone = description ? hive_unset(e->hive, description, "FirmwareVariable", err)
			   : 0;
	if (gone > 0)
		report(e, object, "firmware variable");
	return gone < 0 ? -1 : 0;
}

static int change_loader(struct edit *e, struct bcd_object *object, struct error *err)
{
	bool on = false;

	if (set_locate(e, object, BCD_DEVICE, BCD_PATH, "device", err) < 0 ||
	    set_locate(e, object, BCD_OS_DEVICE, BCD_SYSTEM_ROOT,
		       object->type == BCD_OS_LOADER ? "osdevice" : "filedevice",
		       err) < 0 ||
	    drop(e, object, BCD_RECOVERY_SEQUENCE, "recoverysequence", err) < 0)
		return -1;
	if (!bcd_get_boolean(object, BCD_RECOVERY_ENABLED, &on) || !on)
		return 0;
	bcd_set_boolean(object, BCD_RECOVERY_ENABLED, false);
	return put(e, object, BCD_RECOVERY_ENABLED, "recoveryenabled", err);
}

/* An entry for Windows RE names one disk's partition; reagentc makes it anew. */
static int drop_recovery(struct edit *e, struct bcd_store *store,
			 const struct bcd_object *object, struct error *err)
{
	const struct bcd_element *element = bcd_element_find(object, BCD_DEVICE);
	_cleanup_bcd_device_ struct bcd_device device = {0};
	const struct bcd_object *image;

	if (element && bcd_device_parse(buffer_view(&element->data), &device)) {
		image = bcd_object_find(store, &device.options);
		if (image && image->type == BCD_DEVICE_OPTIONS &&
		    drop_object(e, image, "recovery image", err) < 0)
			return -1;
	}
	return drop_object(e, object, "recovery entry", err);
}

static int change_object(struct edit *e, struct bcd_store *store,
			 struct bcd_object *object, struct error *err)
{
	bool recovery = false;

	switch (object->type) {
	case BCD_FIRMWARE_MANAGER:
	case FIRMWARE_APPLICATION:
		return drop_object(e, object, "firmware entry", err);
	case BCD_BOOT_MANAGER:
		return change_manager(e, object, err);
	case BCD_MEMORY_TESTER:
		return set_boot(e, object, err);
	case BCD_OS_LOADER:
		(void)bcd_get_boolean(object, RECOVERY_MARK, &recovery);
		if (recovery)
			return drop_recovery(e, store, object, err);
		return change_loader(e, object, err);
	case BCD_RESUME_LOADER:
		return change_loader(e, object, err);
	default:
		return 0;
	}
}

int bcd_generalize(struct tree *tree, const char *path, bool accept_dirty,
		   struct strings *ret, struct error *err)
{
	_cleanup_hive_ struct hive *hive = NULL;
	_cleanup_bcd_store_ struct bcd_store store = {0};
	struct edit e = {.path = path, .ret = ret};
	int found = bcd_hive_open(tree, path, accept_dirty, &hive, err);

	if (found <= 0)
		return found;
	if (bcd_store_read(hive, path, &store, err) < 0)
		return -1;
	e.hive = hive;
	e.objects = hive_find(hive, hive_root(hive), "Objects");
	vec_foreach (object, &store.objects)
		if (change_object(&e, &store, object, err) < 0)
			return -1;
	if (!hive_modified(hive))
		return 0;
	return bcd_hive_stage(tree, path, hive, err) < 0 ? -1 : 1;
}
