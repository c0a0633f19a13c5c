/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * DevicePath: the folders that Plug and Play searches for INFs, in SOFTWARE. It is a
 * REG_EXPAND_SZ list with ';', and folders below those that it names are not searched.
 */
#include "base/text.h"
#include "injector/nt5.h"

#define CURRENT_VERSION "Microsoft\\Windows\\CurrentVersion"
#define INF_DEFAULT "%SystemRoot%\\inf"

char *nt5_device_path_entry(const char *folder)
{
	char *path = xasprintf("%%SystemRoot%%\\%s", folder + strlen("Windows/"));

	for (char *c = path; *c; c++)
		if (*c == '/')
			*c = '\\';
	return path;
}

char *nt5_device_path(struct store *store)
{
	struct hive *hive = store->software;
	hkey key = hive ? hive_find(hive, hive_root(hive), CURRENT_VERSION) : 0;

	return key ? hive_get_string(hive, key, "DevicePath") : NULL;
}

static void read_list(struct store *store, struct strings *ret)
{
	_cleanup_free_ char *list = nt5_device_path(store);
	char *save = NULL;

	for (char *part = list ? strtok_r(list, ";", &save) : NULL; part;
	     part = strtok_r(NULL, ";", &save))
		strings_push(ret, part);
}

static int write_list(struct store *store, const struct strings *list, struct error *err)
{
	struct hive *hive = store->software;
	_cleanup_buffer_ struct buffer text = BUFFER_INIT;
	_cleanup_free_ char *value = NULL;
	hkey key;

	for (size_t i = 0; i < list->len; i++)
		buffer_printf(&text, "%s%s", i ? ";" : "", list->items[i]);
	value = buffer_steal_string(&text);
	if (hive_create(hive, hive_root(hive), CURRENT_VERSION, &key, err) < 0)
		return -1;
	return hive_set_string(hive, key, "DevicePath", REG_EXPAND_SZ, value, err) < 0
		       ? -1
		       : 0;
}

bool nt5_device_path_has(struct store *store, const char *folder)
{
	_cleanup_(strings_free) struct strings list = VEC_INIT;
	_cleanup_free_ char *entry = nt5_device_path_entry(folder);

	read_list(store, &list);
	return strings_contain(&list, entry);
}

int nt5_device_path_add(struct store *store, const char *folder, struct error *err)
{
	_cleanup_(strings_free) struct strings list = VEC_INIT;
	_cleanup_free_ char *entry = nt5_device_path_entry(folder);

	if (!store->software)
		return error_set(err, ERROR_STATE, tree_name(store->tree),
				 "has no SOFTWARE hive, where DevicePath is");
	read_list(store, &list);
	if (strings_contain(&list, entry))
		return 0;
	/* Without the value Windows searches its own folder only. */
	if (list.len == 0)
		strings_push(&list, INF_DEFAULT);
	strings_push(&list, entry);
	return write_list(store, &list, err);
}

int nt5_device_path_remove(struct store *store, const char *folder, struct error *err)
{
	_cleanup_(strings_free) struct strings list = VEC_INIT, kept = VEC_INIT;
	_cleanup_free_ char *entry = nt5_device_path_entry(folder);

	if (!store->software)
		return 0;
	read_list(store, &list);
	vec_foreach (item, &list)
		if (!text_equal(*item, entry))
			strings_push(&kept, *item);
	return kept.len == list.len ? 0 : write_list(store, &kept, err);
}
