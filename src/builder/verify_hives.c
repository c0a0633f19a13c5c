/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The hives that Windows loads before anybody logs on. Opening one checks all of it: base
 * block and checksum, bins, cells, every key, list and value; and replays its logs.
 */
#include "builder/verify_private.h"

#define CONFIG "Windows/System32/config"
#define MAX_HIVE ((size_t)1 << 30)

static const struct {
	const char *name;
	/* Windows stops without it: the loader (SYSTEM), or the session manager. */
	bool needed;
	int registry; /* enum registry_hive, or -1 */
} hives[] = {
	{"SYSTEM", true, REGISTRY_SYSTEM},
	{"SOFTWARE", true, REGISTRY_SOFTWARE},
	{"SAM", true, -1},
	{"SECURITY", true, -1},
	{"DEFAULT", true, -1},
	{"DRIVERS", false, REGISTRY_DRIVERS}, /* Windows 8 and later */
	{"COMPONENTS", false, -1},	      /* Vista and later, for servicing */
};

static int read_file(struct tree *tree, const char *path, struct buffer *ret,
		     struct error *err)
{
	struct tree_stat st;
	int found = tree_stat(tree, path, &st, err);

	if (found <= 0 || st.type != TREE_FILE)
		return found < 0 ? -1 : 0;
	return tree_read(tree, path, MAX_HIVE, ret, err) < 0 ? -1 : 1;
}

/* Logs that cannot be read are none. */
static void read_logs(struct tree *tree, const char *path, struct buffer logs[3])
{
	static const char *const ends[] = {".LOG", ".LOG1", ".LOG2"};

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		_cleanup_free_ char *log = xasprintf("%s%s", path, ends[i]);

		if (read_file(tree, log, &logs[i], NULL) < 0)
			buffer_free(&logs[i]);
	}
}

/* Opens a hive that no registry has; NULL and *why, or whether it was dirty. */
static bool open_hive(struct tree *tree, const char *path, bool *dirty, bool *recovered,
		      struct error *why)
{
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;
	struct buffer logs[3] = {BUFFER_INIT};
	struct hive_options options = {.name = path, .accept_dirty = true};
	_cleanup_hive_ struct hive *hive = NULL;

	if (read_file(tree, path, &data, why) < 0)
		return false;
	read_logs(tree, path, logs);
	options.log = buffer_view(&logs[0]);
	options.log1 = buffer_view(&logs[1]);
	options.log2 = buffer_view(&logs[2]);
	hive = hive_open(buffer_view(&data), &options, why);
	for (size_t i = 0; i < ARRAY_SIZE(logs); i++)
		buffer_free(&logs[i]);
	if (!hive)
		return false;
	*dirty = hive_was_dirty(hive);
	*recovered = hive_recovered(hive);
	return true;
}

static void judge(struct verify *v, const char *path, bool dirty, bool recovered)
{
	if (dirty)
		verify_add(v, "hive_dirty", VERIFY_WARNING, path,
			   "start and shut down this Windows once, or take its logs "
			   "along",
			   "was not closed properly and has no usable transaction logs: "
			   "its last changes are missing");
	else if (recovered)
		verify_add(v, "hive_recovered", VERIFY_NOTE, path,
			   "nothing: Windows does the same when it starts",
			   "was not closed properly; its transaction logs bring it up to "
			   "date");
}

static int check_hive(struct verify *v, struct tree *tree, struct registry *registry,
		      size_t i, struct error *err)
{
	_cleanup_free_ char *path = xasprintf(CONFIG "/%s", hives[i].name);
	_cleanup_error_ struct error why = ERROR_INIT;
	bool dirty = false, recovered = false, opened;
	struct tree_stat st;
	int found = tree_stat(tree, path, &st, &why);

	if (found == 0) {
		if (hives[i].needed)
			verify_add(v, "hive_missing", VERIFY_ERROR, path,
				   "take the image again from a sound source",
				   "is missing: Windows does not start without it");
		return 0;
	}
	if (found > 0 && hives[i].registry >= 0) {
		struct hive *hive = registry_hive(
			registry, (enum registry_hive)hives[i].registry, &why);

		opened = hive != NULL;
		dirty = hive && hive_was_dirty(hive);
		recovered = hive && hive_recovered(hive);
	} else {
		opened = found > 0 && open_hive(tree, path, &dirty, &recovered, &why);
	}
	if (why.code == ERROR_INTERRUPTED)
		return error_move(err, &why);
	if (opened)
		judge(v, path, dirty, recovered);
	else
		verify_add_error(v, "hive_damaged",
				 hives[i].needed ? VERIFY_ERROR : VERIFY_WARNING, path,
				 "take the hive from a copy of the image that starts",
				 &why);
	return 0;
}

int verify_hives(struct verify *v, struct tree *tree, struct registry *registry,
		 struct error *err)
{
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(hives); i++) {
		_cleanup_free_ char *path = xasprintf(CONFIG "/%s", hives[i].name);

		if (interrupted())
			return error_interrupted(err);
		if (check_hive(v, tree, registry, i, err) < 0)
			return -1;
		count += tree_stat(tree, path, NULL, NULL) > 0;
	}
	verify_checked(v, "%zu hives", count);
	return 0;
}
