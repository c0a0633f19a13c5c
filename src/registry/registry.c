/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The hives of one tree: found in System32\config, opened with their logs, staged once.
 */
#include "registry/registry.h"

#include <stdio.h>

#include "base/text.h"

#define CONFIG_FOLDER "Windows/System32/config"
/* Windows 10's largest SOFTWARE hives are below 200 MiB; the format ends at 2 GiB. */
#define MAX_HIVE_SIZE ((size_t)1 << 30)
#define MAX_CONTROL_SETS 999

static const char *const hive_names[REGISTRY_HIVES] = {
	[REGISTRY_SYSTEM] = "SYSTEM",
	[REGISTRY_SOFTWARE] = "SOFTWARE",
	[REGISTRY_DRIVERS] = "DRIVERS",
};

/* In the order in which struct hive_options has them. */
static const char *const log_suffixes[] = {".LOG", ".LOG1", ".LOG2"};

struct registry {
	struct tree *tree;
	bool accept_dirty;
	struct hive *hives[REGISTRY_HIVES];
};

struct registry *registry_open(struct tree *tree, bool accept_dirty)
{
	struct registry *registry = xcalloc(1, sizeof(*registry));

	registry->tree = tree;
	registry->accept_dirty = accept_dirty;
	return registry;
}

void registry_close(struct registry *registry)
{
	if (!registry)
		return;
	for (size_t i = 0; i < REGISTRY_HIVES; i++)
		hive_close(registry->hives[i]);
	free(registry);
}

void registry_closep(struct registry **registry)
{
	registry_close(*registry);
	*registry = NULL;
}

const char *registry_hive_name(enum registry_hive which)
{
	return hive_names[which];
}

static char *hive_path(enum registry_hive which, const char *suffix)
{
	return xasprintf(CONFIG_FOLDER "/%s%s", hive_names[which], suffix);
}

int registry_has(struct registry *registry, enum registry_hive which, struct error *err)
{
	_cleanup_free_ char *path = hive_path(which, "");
	struct tree_stat st;
	int found;

	if (registry->hives[which])
		return 1;
	found = tree_stat(registry->tree, path, &st, err);
	return found > 0 ? st.type == TREE_FILE : found;
}

/* All hives that are there come in one pass: single reads are dear in a WIM. */
static int prefetch(struct registry *registry, struct error *err)
{
	struct strings paths = VEC_INIT;
	int result;

	for (size_t i = 0; i < REGISTRY_HIVES; i++) {
		_cleanup_free_ char *path = hive_path((enum registry_hive)i, "");

		if (registry->hives[i])
			continue;
		strings_push(&paths, path);
		for (size_t j = 0; j < ARRAY_SIZE(log_suffixes); j++) {
			_cleanup_free_ char *log =
				hive_path((enum registry_hive)i, log_suffixes[j]);

			strings_push(&paths, log);
		}
	}
	result = tree_prefetch(registry->tree, &paths, err);
	strings_free(&paths);
	return result;
}

static int read_log(struct registry *registry, enum registry_hive which,
		    const char *suffix, struct buffer *ret, struct error *err)
{
	_cleanup_free_ char *path = hive_path(which, suffix);
	struct tree_stat st;
	int found = tree_stat(registry->tree, path, &st, err);

	if (found <= 0)
		return found;
	if (st.type != TREE_FILE || st.size == 0)
		return 0;
	return tree_read(registry->tree, path, MAX_HIVE_SIZE, ret, err);
}

struct hive *registry_hive(struct registry *registry, enum registry_hive which,
			   struct error *err)
{
	_cleanup_free_ char *path = hive_path(which, "");
	_cleanup_free_ char *name = NULL;
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;
	struct buffer logs[ARRAY_SIZE(log_suffixes)] = {BUFFER_INIT};
	struct hive_options options = {.accept_dirty = registry->accept_dirty};

	if (registry->hives[which])
		return registry->hives[which];
	if (prefetch(registry, err) < 0 ||
	    tree_read(registry->tree, path, MAX_HIVE_SIZE, &data, err) < 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(log_suffixes); i++)
		if (read_log(registry, which, log_suffixes[i], &logs[i], err) < 0)
			goto out;
	name = xasprintf("%s: %s", tree_name(registry->tree), path);
	options.name = name;
	options.log = buffer_view(&logs[0]);
	options.log1 = buffer_view(&logs[1]);
	options.log2 = buffer_view(&logs[2]);
	registry->hives[which] = hive_open(buffer_view(&data), &options, err);
out:
	for (size_t i = 0; i < ARRAY_SIZE(log_suffixes); i++)
		buffer_free(&logs[i]);
	return registry->hives[which];
}

const struct hive *registry_opened(const struct registry *registry,
				   enum registry_hive which)
{
	return registry->hives[which];
}

int registry_control_sets(struct registry *registry, struct strings *ret,
			  struct error *err)
{
	struct hive *system = registry_hive(registry, REGISTRY_SYSTEM, err);

	if (!system)
		return -1;
	for (unsigned n = 0; n <= MAX_CONTROL_SETS; n++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "ControlSet%03u", n);
		if (hive_find(system, hive_root(system), name))
			strings_push(ret, name);
	}
	if (ret->len)
		return 0;
	error_set(err, ERROR_FAILED, tree_name(registry->tree),
		  "its SYSTEM hive has no control set");
	return error_remedy(err, "use an image with a complete SYSTEM hive");
}

char *registry_current_control_set(struct registry *registry, struct error *err)
{
	struct hive *system = registry_hive(registry, REGISTRY_SYSTEM, err);
	static const char *const values[] = {"Current", "Default", "LastKnownGood"};
	struct strings sets = VEC_INIT;
	char *name = NULL;
	hkey select;

	if (!system || registry_control_sets(registry, &sets, err) < 0)
		return NULL;
	select = hive_find(system, hive_root(system), "Select");
	for (size_t i = 0; !name && i < ARRAY_SIZE(values); i++) {
		uint32_t n;

		if (!select || !hive_get_dword(system, select, values[i], &n) ||
		    n > MAX_CONTROL_SETS)
			continue;
		name = xasprintf("ControlSet%03u", n);
		if (!strings_contain(&sets, name)) {
			free(name);
			name = NULL;
		}
	}
	if (!name)
		name = xstrdup(sets.items[0]);
	strings_free(&sets);
	return name;
}

/* A log that is there is staged empty: Windows treats it as one without entries. */
static int empty_logs(struct registry *registry, enum registry_hive which,
		      struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(log_suffixes); i++) {
		_cleanup_free_ char *path = hive_path(which, log_suffixes[i]);
		struct tree_stat st;
		int found = tree_stat(registry->tree, path, &st, err);

		if (found < 0)
			return -1;
		if (found && st.type == TREE_FILE && st.size &&
		    tree_write(registry->tree, path, (struct bytes){NULL, 0}, 0, err) < 0)
			return -1;
	}
	return 0;
}

int registry_stage(struct registry *registry, struct error *err)
{
	for (size_t i = 0; i < REGISTRY_HIVES; i++) {
		struct hive *hive = registry->hives[i];
		_cleanup_free_ char *path = hive_path((enum registry_hive)i, "");
		_cleanup_buffer_ struct buffer data = BUFFER_INIT;

		/* A hive that was only recovered stays as it is unless something changes:
		   its logs are still there, and reading must not cause a write. */
		if (!hive || !hive_modified(hive))
			continue;
		if (hive_serialize(hive, &data, err) < 0 ||
		    tree_write(registry->tree, path, buffer_view(&data), 0, err) < 0 ||
		    empty_logs(registry, (enum registry_hive)i, err) < 0)
			return -1;
	}
	return 0;
}
