/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The boot configuration: does its default entry lead to a loader on a partition of this
 * disk? Followed as the boot manager does: default object, device, path; then the
 * loader's own device and folder of Windows.
 */
#include "base/text.h"
#include "builder/verify_private.h"
#include "windows/bcd_store.h"

#define MAX_STORE ((size_t)64 << 20)
#define BOOTMGR "{9dea862c-5cdd-4e70-acc1-f32b344d4795}"
#define REMEDY "make it anew: bcdboot C:\\Windows in Windows PE, or gild build"

struct bcd_check {
	struct verify *v;
	const char *path; /* of the store */
	struct bcd_store store;
	struct tree *system, *windows;
	unsigned windows_partition, system_partition; /* 0: not in a partition */
	bool uefi;
	enum windows_arch arch;
};

static void add(struct bcd_check *c, const char *code, enum verify_severity severity,
		const char *what, const char *message)
{
	verify_add(c->v, code, severity, c->path, REMEDY, "%s %s", what, message);
}

/* ---- devices -------------------------------------------------------------------------
 */

/* The partition that a device names; NULL: none of this disk. */
static const struct partition *partition_of(const struct bcd_check *c,
					    const struct bcd_device *device)
{
	const struct partition_table *table = &c->v->table;
	bool gpt = device->kind == BCD_DEVICE_GPT;

	if (gpt != (table->scheme == PARTITION_GPT) ||
	    (gpt ? !guid_equal(&device->disk, &table->disk_guid)
		 : device->signature != table->disk_signature))
		return NULL;
	vec_foreach (partition, &table->partitions)
		if (gpt ? guid_equal(&partition->guid, &device->partition)
			: partition->offset == device->offset)
			return partition;
	return NULL;
}

/*
 * The tree that a device leads to; NULL if that cannot be looked into here (a ramdisk, a
 * VHD, another partition) or a finding says why it leads nowhere.
 */
static struct tree *device_tree(struct bcd_check *c, const struct bcd_object *object,
				uint32_t element, const char *what)
{
	const struct bcd_element *e = bcd_element_find(object, element);
	_cleanup_bcd_device_ struct bcd_device device = {0};
	_cleanup_free_ char *text = NULL;
	const struct partition *partition;

	if (!e || !bcd_device_parse(buffer_view(&e->data), &device)) {
		add(c, "bcd_device", VERIFY_ERROR, what,
		    e ? "has a device that cannot be understood" : "has no device");
		return NULL;
	}
	if (device.kind == BCD_DEVICE_BOOT)
		return c->system;
	/* It is looked for on all volumes: only this Windows is known to be whole. */
	if (device.kind == BCD_DEVICE_LOCATE)
		return c->windows;
	/* A bare volume is that of a disk which is not here. */
	if ((device.kind != BCD_DEVICE_GPT && device.kind != BCD_DEVICE_MBR) ||
	    c->v->table.scheme == PARTITION_BARE)
		return NULL;
	partition = partition_of(c, &device);
	text = bcd_device_text(&device);
	if (!partition)
		verify_add(c->v, "bcd_partition", VERIFY_ERROR, c->path, REMEDY,
			   "%s leads to %s, which this disk does not have", what, text);
	else if (partition->number == c->windows_partition)
		return c->windows;
	else if (partition->number == c->system_partition)
		return c->system;
	return NULL;
}

/* ---- objects -------------------------------------------------------------------------
 */

/* "\Windows\system32\winload.efi" as a path in a tree; NULL if it is none. Caller's. */
static char *tree_path(const char *text)
{
	char *path = text && *text == '\\' ? xstrdup(text + 1) : NULL;

	for (char *p = path; p && *p; p++)
		if (*p == '\\')
			*p = '/';
	if (path && tree_path_check(path, NULL) == 0)
		return path;
	free(path);
	return NULL;
}

static int check_loader_path(struct bcd_check *c, const struct bcd_object *loader,
			     struct tree *tree, const char *what, struct error *err)
{
	_cleanup_free_ char *text = bcd_get_text(loader, BCD_PATH);
	_cleanup_free_ char *path = tree_path(text);
	const char *end = c->uefi ? ".efi" : ".exe";

	if (!path) {
		add(c, "bcd_loader", VERIFY_ERROR, what, "names no loader");
		return 0;
	}
	if (!text_ends_with(path, end))
		verify_add(c->v, "bcd_firmware", VERIFY_ERROR, c->path, REMEDY,
			   "%s starts %s, and a boot manager of %s starts *%s", what,
			   text, c->uefi ? "UEFI" : "BIOS", end);
	return tree ? verify_program(c->v, tree, path, c->arch,
				     "the boot configuration starts it", err)
		    : 0;
}

/* osdevice and systemroot: where the loader takes Windows from. */
static int check_root(struct bcd_check *c, const struct bcd_object *loader,
		      const char *what, struct error *err)
{
	struct tree *tree = device_tree(c, loader, BCD_OS_DEVICE, what);
	_cleanup_free_ char *text = bcd_get_text(loader, BCD_SYSTEM_ROOT);
	_cleanup_free_ char *path = tree_path(text);
	int found = 1;

	if (path && tree)
		found = tree_stat(tree, path, NULL, err);
	if (found < 0)
		return -1;
	if (!path)
		add(c, "bcd_root", VERIFY_ERROR, what, "names no folder of Windows");
	else if (!found)
		verify_add(c->v, "bcd_root", VERIFY_ERROR, c->path, REMEDY,
			   "%s takes Windows from %s, which is not there", what, text);
	return 0;
}

static int check_loader(struct bcd_check *c, const struct guid *guid, struct error *err)
{
	const struct bcd_object *loader = bcd_object_find(&c->store, guid);
	char text[GUID_TEXT_SIZE];
	_cleanup_free_ char *what = NULL;
	struct tree *tree;
	bool pe = false;

	guid_format(guid, text);
	what = xasprintf("the default entry %s", text);
	if (!loader) {
		add(c, "bcd_default", VERIFY_ERROR, what, "is not in the store");
		return 0;
	}
	if (loader->type != BCD_OS_LOADER) {
		add(c, "bcd_default", VERIFY_WARNING, what, "is no loader of a Windows");
		return 0;
	}
	tree = device_tree(c, loader, BCD_DEVICE, what);
	if (check_loader_path(c, loader, tree, what, err) < 0)
		return -1;
	(void)bcd_get_boolean(loader, BCD_WINPE, &pe);
	return pe ? 0 : check_root(c, loader, what, err);
}

static int check_manager(struct bcd_check *c, struct error *err)
{
	const struct bcd_object *manager;
	struct guid guid;

	(void)guid_parse(BOOTMGR, &guid);
	manager = bcd_object_find(&c->store, &guid);
	if (!manager) {
		add(c, "bcd_manager", VERIFY_ERROR, "the store",
		    "has no object of the boot manager");
		return 0;
	}
	(void)device_tree(c, manager, BCD_DEVICE, "the boot manager");
	if (bcd_get_guid(manager, BCD_DEFAULT, &guid))
		return check_loader(c, &guid, err);
	add(c, "bcd_default", VERIFY_ERROR, "the boot manager", "has no default entry");
	return 0;
}

/* What the display order names and the store lacks is only not shown. */
static void check_order(struct bcd_check *c)
{
	struct bcd_guids order = VEC_INIT;
	const struct bcd_object *manager;
	char text[GUID_TEXT_SIZE];
	struct guid guid;

	(void)guid_parse(BOOTMGR, &guid);
	manager = bcd_object_find(&c->store, &guid);
	if (manager)
		(void)bcd_get_guids(manager, BCD_DISPLAY_ORDER, &order);
	vec_foreach (entry, &order) {
		if (bcd_object_find(&c->store, entry))
			continue;
		guid_format(entry, text);
		add(c, "bcd_order", VERIFY_WARNING, text,
		    "is in the boot menu's order and not in the store");
	}
	vec_free(&order);
}

static int read_store(struct bcd_check *c, struct error *err)
{
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;
	struct buffer logs[3] = {BUFFER_INIT};
	static const char *const ends[] = {".LOG", ".LOG1", ".LOG2"};
	struct hive_options options = {.name = c->path, .accept_dirty = true};
	_cleanup_hive_ struct hive *hive = NULL;

	if (tree_read(c->system, c->path, MAX_STORE, &data, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		_cleanup_free_ char *log = xasprintf("%s%s", c->path, ends[i]);

		if (tree_stat(c->system, log, NULL, NULL) > 0)
			(void)tree_read(c->system, log, MAX_STORE, &logs[i], NULL);
	}
	options.log = buffer_view(&logs[0]);
	options.log1 = buffer_view(&logs[1]);
	options.log2 = buffer_view(&logs[2]);
	hive = hive_open(buffer_view(&data), &options, err);
	for (size_t i = 0; i < ARRAY_SIZE(logs); i++)
		buffer_free(&logs[i]);
	return hive ? bcd_store_read(hive, c->path, &c->store, err) : -1;
}

int verify_bcd(struct verify *v, struct tree *system, struct tree *windows,
	       const struct image_info *info, bool uefi,
	       const struct installation *installation, struct error *err)
{
	struct bcd_check c = {.v = v,
			      .path = uefi ? BCD_EFI : BCD_BIOS,
			      .system = system,
			      .windows = windows,
			      .windows_partition = info->partition,
			      .system_partition = info->system_partition,
			      .uefi = uefi,
			      .arch = installation->target.arch};
	_cleanup_error_ struct error why = ERROR_INIT;
	int found = tree_stat(system, c.path, NULL, err), result = 0;

	if (found < 0)
		return -1;
	if (!found) {
		verify_add(v, "bcd_missing", VERIFY_ERROR, c.path, REMEDY,
			   "is missing: the boot manager has nothing to start");
		return 0;
	}
	if (read_store(&c, &why) < 0) {
		if (why.code == ERROR_INTERRUPTED)
			return error_move(err, &why);
		verify_add_error(v, "bcd_damaged", VERIFY_ERROR, c.path, REMEDY, &why);
	} else {
		result = check_manager(&c, err);
		check_order(&c);
		verify_checked(v, "boot configuration");
	}
	bcd_store_free(&c.store);
	return result;
}
