/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Editing a BCD store. Layout and types of values are those of stores that Windows made:
 * a boolean is REG_BINARY of one byte, a string REG_SZ.
 */
#include "windows/bcd.h"

#include <stdio.h>

#include "base/text.h"

#define BCD_LIMIT ((size_t)64 << 20)
#define OBJECT_OS_LOADER 0x10200003u
#define LOADER_WINPE 0x26000022u
#define ELEMENT_NAME 9 /* eight digits and the terminator */

static hkey element(struct hive *hive, hkey object, uint32_t type)
{
	char path[sizeof("Elements\\") + ELEMENT_NAME];

	snprintf(path, sizeof(path), "Elements\\%08x", type);
	return hive_find(hive, object, path);
}

static bool is_true(struct hive *hive, hkey object, uint32_t type)
{
	hkey key = element(hive, object, type);
	_cleanup_reg_value_ struct reg_value value = {0};

	return key && hive_value(hive, key, "Element", &value, NULL) > 0 && value.len &&
	       value.data[0];
}

/* A loader of a Windows that chooses neither HAL nor kernel by itself. */
static bool is_plain_loader(struct hive *hive, hkey object)
{
	hkey description = hive_find(hive, object, "Description");
	uint32_t type;

	return description && hive_get_dword(hive, description, "Type", &type) &&
	       type == OBJECT_OS_LOADER && !is_true(hive, object, LOADER_WINPE) &&
	       !element(hive, object, BCD_KERNEL) && !element(hive, object, BCD_HAL);
}

static int set_true(struct hive *hive, hkey object, uint32_t type, struct error *err)
{
	static const uint8_t one = 1;
	char path[sizeof("Elements\\") + ELEMENT_NAME];
	hkey key;

	snprintf(path, sizeof(path), "Elements\\%08x", type);
	if (hive_create(hive, object, path, &key, err) < 0)
		return -1;
	return hive_set(hive, key, "Element", REG_BINARY, (struct bytes){&one, 1}, err) <
			       0
		       ? -1
		       : 0;
}

static int change_loaders(struct hive *hive, const char *path, struct strings *ret,
			  struct error *err)
{
	hkey list = hive_find(hive, hive_root(hive), "Objects");
	uint32_t count = list ? hive_child_count(hive, list) : 0;

	for (uint32_t i = 0; i < count; i++) {
		hkey object = hive_child(hive, list, i);
		_cleanup_free_ char *name = object ? hive_key_name(hive, object) : NULL;

		if (!name || !is_plain_loader(hive, object) ||
		    is_true(hive, object, BCD_DETECT_HAL))
			continue;
		if (set_true(hive, object, BCD_DETECT_HAL, err) < 0)
			return -1;
		vec_push(ret, xasprintf("%s %s: detecthal", path, name));
	}
	return 0;
}

/* The log beside the store; an empty buffer if there is none. */
static int read_log(struct tree *tree, const char *path, const char *suffix,
		    struct buffer *ret, struct error *err)
{
	_cleanup_free_ char *log = xasprintf("%s%s", path, suffix);
	int found = tree_stat(tree, log, NULL, err);

	return found <= 0 ? found : tree_read(tree, log, BCD_LIMIT, ret, err);
}

/* An old log would be replayed over the new store. */
static int empty_logs(struct tree *tree, const char *path, struct error *err)
{
	static const char *const suffixes[] = {".LOG", ".LOG1", ".LOG2"};

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		_cleanup_free_ char *log = xasprintf("%s%s", path, suffixes[i]);
		struct tree_stat st;
		int found = tree_stat(tree, log, &st, err);

		if (found < 0 || (found && st.size &&
				  tree_write(tree, log, (struct bytes){0}, 0, err) < 0))
			return -1;
	}
	return 0;
}

int bcd_hive_open(struct tree *tree, const char *path, bool accept_dirty,
		  struct hive **ret, struct error *err)
{
	_cleanup_buffer_ struct buffer data = BUFFER_INIT, log = BUFFER_INIT,
				       log1 = BUFFER_INIT, log2 = BUFFER_INIT;
	struct hive_options options = {.name = path, .accept_dirty = accept_dirty};
	struct tree_stat st;
	int found = tree_stat(tree, path, &st, err);

	if (found <= 0 || st.type != TREE_FILE)
		return found < 0 ? -1 : 0;
	if (tree_read(tree, path, BCD_LIMIT, &data, err) < 0 ||
	    read_log(tree, path, ".LOG", &log, err) < 0 ||
	    read_log(tree, path, ".LOG1", &log1, err) < 0 ||
	    read_log(tree, path, ".LOG2", &log2, err) < 0)
		return -1;
	options.log = buffer_view(&log);
	options.log1 = buffer_view(&log1);
	options.log2 = buffer_view(&log2);
	*ret = hive_open(buffer_view(&data), &options, err);
	return *ret ? 1 : -1;
}

int bcd_hive_stage(struct tree *tree, const char *path, struct hive *hive,
		   struct error *err)
{
	_cleanup_buffer_ struct buffer out = BUFFER_INIT;

	if (hive_serialize(hive, &out, err) < 0 ||
	    tree_write(tree, path, buffer_view(&out), 0, err) < 0)
		return -1;
	return empty_logs(tree, path, err);
}

int bcd_detect_hal(struct tree *tree, const char *path, bool accept_dirty,
		   struct strings *ret, struct error *err)
{
	_cleanup_hive_ struct hive *hive = NULL;
	int found = bcd_hive_open(tree, path, accept_dirty, &hive, err);

	if (found <= 0)
		return found;
	if (change_loaders(hive, path, ret, err) < 0)
		return -1;
	if (!hive_modified(hive))
		return 0;
	return bcd_hive_stage(tree, path, hive, err) < 0 ? -1 : 1;
}
