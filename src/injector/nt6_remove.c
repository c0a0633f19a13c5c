/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Vista and 7: removing a package that gild put in. What it had taken over goes back to
 * what it was; what a later package has taken over from it stays with that one.
 */
#include "base/text.h"
#include "injector/nt6.h"

struct undo {
	struct store *store;
	const struct injected_packages *records;
	const struct injected_package *package;
	struct removal *report;
	struct error *err;
};

static int refuse(struct removal *ret, char *reason)
{
	ret->verdict = PACKAGE_REFUSED;
	ret->reason = reason;
	return 0;
}

/* The next package after this one that took the item over. */
static const struct injected_package *next_holder(const struct undo *u, size_t member,
						  const char *item)
{
	vec_foreach (record, u->records) {
		const struct strings *list =
			(const void *)((const char *)record + member);

		if (record > u->package && strings_contain(list, item))
			return record;
	}
	return NULL;
}

static int restore_service(struct undo *u, const char *name)
{
	const struct injected_package *heir =
		next_holder(u, offsetof(struct injected_package, services), name);

	vec_foreach (set, &u->store->control_sets) {
		_cleanup_free_ char *path = xasprintf("%s\\Services\\%s", *set, name);

		if (nt6_restore_key(u->store, u->package->key, heir ? heir->key : 0, *set,
				    "Services", name, path, u->err) < 0)
			return -1;
		if (!hive_find(u->store->system, hive_root(u->store->system), path) &&
		    !strings_contain(&u->report->services, name))
			strings_push(&u->report->services, name);
	}
	return 0;
}

static int restore_event_source(struct undo *u, const char *name)
{
	const struct injected_package *heir =
		next_holder(u, offsetof(struct injected_package, events), name);

	vec_foreach (set, &u->store->control_sets) {
		_cleanup_free_ char *path =
			xasprintf("%s\\" NT6_EVENT_LOG "\\%s", *set, name);

		if (nt6_restore_key(u->store, u->package->key, heir ? heir->key : 0, *set,
				    "EventLog", name, path, u->err) < 0)
			return -1;
	}
	return 0;
}

static int restore_device(struct undo *u, const char *id)
{
	const struct injected_package *heir =
		next_holder(u, offsetof(struct injected_package, ids), id);

	vec_foreach (set, &u->store->control_sets) {
		_cleanup_free_ char *path = critical_device_path(*set, id);

		if (nt6_restore_key(u->store, u->package->key, heir ? heir->key : 0, *set,
				    "Devices", id, path, u->err) < 0)
			return -1;
	}
	return 0;
}

static int move_file(struct tree *tree, const char *from, const char *to,
		     struct error *err)
{
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;

	if (tree_read(tree, from, SIZE_MAX, &data, err) < 0)
		return -1;
	return tree_write(tree, to, buffer_view(&data), 0, err);
}

static int restore_file(struct undo *u, const char *path)
{
	const struct injected_package *heir =
		next_holder(u, offsetof(struct injected_package, files), path);
	_cleanup_free_ char *kept = nt6_kept_file(u->package->folder, path);
	_cleanup_free_ char *to =
		heir ? nt6_kept_file(heir->folder, path) : xstrdup(path);
	int found = tree_stat(u->store->tree, kept, NULL, u->err);

	if (found < 0)
		return -1;
	return found ? move_file(u->store->tree, kept, to, u->err)
		     : tree_remove(u->store->tree, to, u->err);
}

/* The record, and the keys above it that are empty without it. */
static int remove_record(struct undo *u)
{
	struct hive *hive = u->store->software;
	_cleanup_free_ char *path = injected_record_path(u->package->published);
	hkey key = hive_find(hive, hive_root(hive), path);

	while (key) {
		char *last = strrchr(path, '\\');

		if (hive_delete(hive, key, u->err) < 0)
			return -1;
		if (!last)
			break;
		*last = 0;
		key = hive_find(hive, hive_root(hive), path);
		if (key && (hive_child_count(hive, key) || hive_value_count(hive, key)))
			break;
	}
	return 0;
}

/* True if the package asks for an entry that the removed one had. */
static bool shares_device(const struct undo *u, const struct package *package)
{
	struct nt6_devices devices = VEC_INIT;
	bool shares = false;

	nt6_devices_of(package, &devices);
	vec_foreach (device, &devices)
		shares |= strings_contain(&u->package->ids, device->id);
	nt6_devices_free(&devices);
	return shares;
}

/* Another injected package that had to stand back for the removed one takes its place. */
static int promote(struct undo *u, const struct injected_packages *left,
		   const struct injected_package *other)
{
	_cleanup_error_ struct error why = ERROR_INIT;
	_cleanup_package_ struct package *package =
		package_open_stored(u->store->tree, other->folder, other->inf_name,
				    &u->store->installation->target, &why);

	if (!package && why.code == ERROR_INTERRUPTED)
		return error_move(u->err, &why);
	if (!package || package->verdict != PACKAGE_ADDED || !shares_device(u, package))
		return 0;
	free(package->published);
	package->published = xstrdup(other->published);
	free(package->store);
	package->store = xstrdup(other->id);
	package->boot_critical = true;
	if (nt6_make_bootable(u->store, package, other->key, left, other, u->err) < 0)
		return -1;
	vec_push(&u->report->remarks,
		 xasprintf("%s serves some of its devices now", other->published));
	return 0;
}

static int promote_others(struct undo *u)
{
	_cleanup_injected_packages_ struct injected_packages left = VEC_INIT;

	if (injected_packages_read(u->store->software, &left, u->err) < 0)
		return -1;
	vec_foreach (other, &left)
		if (other->boot_critical && promote(u, &left, other) < 0)
			return -1;
	return 0;
}

static int undo(struct undo *u)
{
	vec_foreach (id, &u->package->ids)
		if (restore_device(u, *id) < 0)
			return -1;
	vec_foreach (name, &u->package->services)
		if (restore_service(u, *name) < 0)
			return -1;
	vec_foreach (name, &u->package->events)
		if (restore_event_source(u, *name) < 0)
			return -1;
	vec_foreach (path, &u->package->files)
		if (restore_file(u, *path) < 0)
			return -1;
	if (nt6_unstage(u->store, u->package, u->err) < 0)
		return -1;
	if (remove_record(u) < 0)
		return -1;
	return promote_others(u);
}

static void describe(const struct injected_package *package, struct removal *ret)
{
	free(ret->published);
	ret->published = xstrdup(package->published);
	ret->original = xstrdup(package->inf_name);
	ret->store = xstrdup(package->id);
	ret->boot_critical = package->boot_critical;
	if (package->boot_critical)
		strings_push(&ret->remarks,
			     "the package is boot-critical: a machine that starts from "
			     "its device no longer will");
}

int nt60_remove(struct store *store, const char *published, struct removal *ret,
		struct error *err)
{
	_cleanup_injected_packages_ struct injected_packages records = VEC_INIT;
	_cleanup_free_ char *path = xasprintf(INF_FOLDER "/%s", published);
	struct undo u = {.store = store, .records = &records, .report = ret, .err = err};
	unsigned number;
	int found = 0;

	if (injected_packages_read(store->software, &records, err) < 0)
		return -1;
	if (tree_path_check(path, NULL) == 0 && !strpbrk(published, "/\\"))
		found = tree_stat(store->tree, path, NULL, err);
	if (found < 0)
		return -1;
	u.package = injected_find(&records, published);
	if (!u.package && found && oem_inf_number(published, &number) &&
	    store->installation->target.major < 6)
		return refuse(ret,
			      xstrdup("Windows installed it itself: remove it in its "
				      "Device Manager"));
	if (!u.package && found && oem_inf_number(published, &number))
		return refuse(ret, xasprintf("Windows published it itself, in an index "
					     "that only a running Windows can change: "
					     "pnputil -d %s there",
					     published));
	if (!u.package)
		return refuse(ret, found ? xstrdup("it came with Windows; inbox drivers "
						   "are never removed")
					 : xstrdup("the image has no such package; gild "
						   "inspect lists them"));
	/* Imported since: the name may mean another package by now. */
	if (found && text_equal(u.package->published, published))
		return refuse(ret, xasprintf("Windows has published a package of that "
					     "name since; name what gild put in by its "
					     "package ID, %s",
					     u.package->id));
	describe(u.package, ret);
	ret->verdict = PACKAGE_ADDED;
	return undo(&u);
}
