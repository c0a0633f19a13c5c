/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a package replaces is kept in its record, so that removing it gives back the
 * inbox driver (or an earlier package's) and not a hole.
 */
#include "injector/nt6.h"

/* No key of Services or CriticalDeviceDatabase is nearly as deep. */
#define COPY_DEPTH_MAX 32u

static int copy_values(struct hive *from, hkey source, struct hive *to, hkey target,
		       struct error *err)
{
	uint32_t count = hive_value_count(from, source);

	for (uint32_t i = 0; i < count; i++) {
		_cleanup_reg_value_ struct reg_value value = {0};
		int found = hive_value_at(from, source, i, &value, err);

		if (found < 0 ||
		    (found && hive_set(to, target, value.name, value.type,
				       (struct bytes){value.data, value.len}, err) < 0))
			return -1;
	}
	return 0;
}

static int copy_key(struct hive *from, hkey source, struct hive *to, hkey target,
		    unsigned depth, struct error *err)
{
	uint32_t count = hive_child_count(from, source);

	if (depth > COPY_DEPTH_MAX)
		return error_set(err, ERROR_STATE, NULL,
				 "keys are nested too deeply to be kept");
	if (copy_values(from, source, to, target, err) < 0)
		return -1;
	for (uint32_t i = 0; i < count; i++) {
		hkey child = hive_child(from, source, i), copy;
		_cleanup_free_ char *name = child ? hive_key_name(from, child) : NULL;

		if (!name)
			continue;
		if (hive_create(to, target, name, &copy, err) < 0 ||
		    copy_key(from, child, to, copy, depth + 1, err) < 0)
			return -1;
	}
	return 0;
}

static char *before_path(const char *set, const char *kind, const char *name)
{
	char *path = xasprintf("Before\\%s\\%s\\%s", set, kind, name);
	size_t start = strlen(path) - strlen(name);

	/* A device ID is one key, as in CriticalDeviceDatabase. */
	for (char *c = path + start; *c; c++)
		if (*c == '\\')
			*c = '#';
	return path;
}

int nt6_keep_key(struct store *store, hkey record, const char *set, const char *kind,
		 const char *name, const char *path, struct error *err)
{
	struct hive *system = store->system, *software = store->software;
	_cleanup_free_ char *before = before_path(set, kind, name);
	hkey source = hive_find(system, hive_root(system), path), target;

	if (!source || hive_find(software, record, before))
		return 0;
	if (hive_create(software, record, before, &target, err) < 0)
		return -1;
	return copy_key(system, source, software, target, 0, err);
}

/* `from` becomes what the later package's record goes back to. */
static int hand_over(struct store *store, hkey from, hkey heir, const char *before,
		     struct error *err)
{
	struct hive *software = store->software;
	hkey old = hive_find(software, heir, before), copy;

	if (old && hive_delete(software, old, err) < 0)
		return -1;
	if (!from)
		return 0;
	if (hive_create(software, heir, before, &copy, err) < 0)
		return -1;
	return copy_key(software, from, software, copy, 0, err);
}

int nt6_restore_key(struct store *store, hkey record, hkey heir, const char *set,
		    const char *kind, const char *name, const char *path,
		    struct error *err)
{
	struct hive *system = store->system, *software = store->software;
	_cleanup_free_ char *before = before_path(set, kind, name);
	hkey from = hive_find(software, record, before);
	hkey key = hive_find(system, hive_root(system), path);

	if (heir)
		return hand_over(store, from, heir, before, err);
	if (key && hive_delete(system, key, err) < 0)
		return -1;
	if (!from)
		return 0;
	if (hive_create(system, hive_root(system), path, &key, err) < 0)
		return -1;
	return copy_key(software, from, system, key, 0, err);
}

char *nt6_kept_file(const char *folder, const char *path)
{
	return xasprintf("%s.before/%s", folder, path);
}
