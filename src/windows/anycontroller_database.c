/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Windows 8 and later have their miniports at Start=0 and mask those that a machine does
 * not need by StartOverride, per entry of HardwareConfig. So generalizing means above all
 * to forget that machine; Start is changed only for what Windows starts on demand: USB
 * and SD, and drivers that somebody has set back.
 */
#include "base/text.h"
#include "windows/anycontroller_private.h"

/* ---- staged packages --------------------------------------------------------------- */

static int note_inf(const char *id _unused_, const struct db_match *match, void *arg,
		    struct error *err _unused_)
{
	struct strings *infs = arg;

	/* One INF's IDs mostly follow each other. */
	if (!infs->len || !text_equal(infs->items[infs->len - 1], match->published))
		strings_push(infs, match->published);
	return 0;
}

static int reflect_package(struct any_work *w, const struct db_package *package,
			   struct error *err)
{
	_cleanup_error_ struct error local = ERROR_INIT;
	int r;

	if (!w->reflect) {
		any_leave(w, "", package->published, 0,
			  xasprintf("%s is staged and could not be reflected",
				    package->store));
		return 0;
	}
	r = w->reflect(package, w->arg, &local);
	if (r > 0) {
		strings_push(&w->out->reflected, package->published);
		return 0;
	}
	if (r == 0)
		return 0;
	if (local.code != ERROR_ANSWER_NO)
		return error_move(err, &local);
	vec_push(&w->out->errors,
		 (struct any_controller_error){.subject = xstrdup(package->published),
					       .message = error_message(&local)});
	return 0;
}

/*
 * Packages of storage host classes that claim devices but have no configuration yet: the
 * kernel finds their IDs and has no service to start.
 */
static int reflect_staged(struct any_work *w, struct error *err)
{
	_cleanup_db_packages_ struct db_packages packages = VEC_INIT;
	_cleanup_(strings_free) struct strings claiming = VEC_INIT;
	struct driverdb db;
	int has = driverdb_open(w->registry, REGISTRY_SYSTEM, &db, err);

	if (has < 0)
		return -1;
	if (!has) {
		error_set(
			err, ERROR_STATE, tree_name(w->tree),
			"the SYSTEM hive has no DriverDatabase, though this is Windows 8 "
			"or later");
		return error_remedy(err, "the image is incomplete: take a whole one");
	}
	if (driverdb_packages(&db, &packages, err) < 0 ||
	    driverdb_each_device(&db, note_inf, &claiming, err) < 0)
		return -1;
	names_sort(&claiming);
	vec_foreach (package, &packages) {
		if (!package->has_version || !package->published ||
		    !storage_host_class(&package->version.class_guid))
			continue;
		if (db_package_third_party(package))
			strings_push(&w->vendor_infs, package->published);
		if (!package->reflected &&
		    strings_contain(&claiming, package->published) &&
		    reflect_package(w, package, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- what a machine left behind ---------------------------------------------------- */

/* Every service's, not only storage's: the machine that made them is gone. */
static int drop_overrides(struct any_work *w, const char *control_set, struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s\\Services", control_set);
	hkey list = hive_find(w->system, hive_root(w->system), path);
	uint32_t count = list ? hive_child_count(w->system, list) : 0;

	for (uint32_t i = 0; i < count; i++) {
		hkey service = hive_child(w->system, list, i);
		hkey override =
			service ? hive_find(w->system, service, "StartOverride") : 0;
		_cleanup_free_ char *name = NULL, *removed = NULL;

		if (interrupted())
			return error_interrupted(err);
		if (!override)
			continue;
		name = hive_key_name(w->system, service);
		removed = xasprintf("%s\\%s\\StartOverride", path, name ? name : "?");
		if (hive_delete(w->system, override, err) < 0)
			return -1;
		strings_push(&w->out->removed, removed);
	}
	return 0;
}

/*
 * The machines that the image ran on. The key stays with its security; the kernel makes a
 * new entry for the machine it finds itself on.
 */
static int drop_machines(struct any_work *w, struct error *err)
{
	hkey list = hive_find(w->system, hive_root(w->system), "HardwareConfig");

	if (!list)
		return 0;
	for (uint32_t i = hive_child_count(w->system, list); i-- > 0;) {
		hkey machine = hive_child(w->system, list, i);
		_cleanup_free_ char *name =
			machine ? hive_key_name(w->system, machine) : NULL;
		_cleanup_free_ char *removed =
			xasprintf("HardwareConfig\\%s", name ? name : "?");

		if (!machine)
			continue;
		if (hive_delete(w->system, machine, err) < 0)
			return -1;
		strings_push(&w->out->removed, removed);
	}
	if (hive_unset(w->system, list, "LastConfig", err) < 0 ||
	    hive_unset(w->system, list, "LastId", err) < 0)
		return -1;
	return 0;
}

/* The kernel gives a new machine's HardwareConfig entry these flags. */
static int set_boot_flags(struct any_work *w, const char *control_set, struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s\\Control", control_set);
	hkey control = hive_find(w->system, hive_root(w->system), path);
	uint32_t flags = 0;

	if (!control)
		return 0;
	hive_get_dword(w->system, control, "BootDriverFlags", &flags);
	if ((flags & BOOT_FLAGS_DISK) == BOOT_FLAGS_DISK)
		return 0;
	return hive_set_dword(w->system, control, "BootDriverFlags",
			      flags | BOOT_FLAGS_DISK, err);
}

int any_database_apply(struct any_work *w, struct error *err)
{
	if (reflect_staged(w, err) < 0)
		return -1;
	vec_foreach (set, &w->sets)
		if (any_services(w, *set, err) < 0 || set_boot_flags(w, *set, err) < 0 ||
		    drop_overrides(w, *set, err) < 0 || any_classes(w, *set, err) < 0)
			return -1;
	return drop_machines(w, err);
}
