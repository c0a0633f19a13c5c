/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Problems of an installation other than those of the driver store. Codes are stable:
 * programs select by them.
 */
#include "base/name_set.h"
#include "base/text.h"
#include "windows/installation_private.h"

#define NAMES_SHOWN 8
#define ANY_CONTROLLER "gild inject --any-controller does it"
/* volsnap's files: each holds what one shadow copy had where the volume has changed. */
#define SHADOW_FOLDER "System Volume Information"
#define SHADOW_STORE "}{3808876b-c176-4e48-b7ae-04046e6cc752}"

static void check_hives(struct inspection *in)
{
	for (int which = 0; which < REGISTRY_HIVES; which++) {
		const char *name = registry_hive_name(which);
		struct hive *hive;

		if (registry_has(in->registry, which, NULL) <= 0)
			continue;
		hive = registry_hive(in->registry, which, NULL);
		if (!hive)
			continue;
		if (hive_was_dirty(hive))
			problem_add(
				in->out, "hive_dirty", PROBLEM_WARNING,
				"start and shut down this Windows once, or take its logs "
				"along",
				"the %s hive was not closed properly and has no usable "
				"transaction logs: its last changes are missing",
				name);
		else if (hive_recovered(hive))
			problem_add(
				in->out, "hive_recovered", PROBLEM_INFO, NULL,
				"the %s hive was brought up to date from its transaction "
				"logs",
				name);
	}
	if (!in->software)
		problem_add(
			in->out, "software_missing", PROBLEM_WARNING, NULL,
			"there is no SOFTWARE hive: product and edition are not known");
	if (tree_stat(in->tree, "hiberfil.sys", NULL, NULL) > 0)
		problem_add(in->out, "hibernated", PROBLEM_WARNING,
			    "shut this Windows down with shutdown /s /t 0, or delete "
			    "hiberfil.sys",
			    "hiberfil.sys is there: a hibernated or fast-started Windows "
			    "undoes every change when it resumes");
}

/* Up to Windows 7 CriticalDeviceDatabase has the part of the driver database. */
static bool is_legacy(const struct inspection *in)
{
	const struct target *t = &in->out->target;
	_cleanup_free_ char *path =
		xasprintf("%s\\Control\\CriticalDeviceDatabase", in->out->control_set);

	if (t->major)
		return target_compare_version(t, 6, 2, 0) < 0;
	return !in->node_count && hive_find(in->system, hive_root(in->system), path);
}

static void check_generation(struct inspection *in)
{
	const struct target *t = &in->out->target;

	if (!t->major || t->arch == ARCH_UNKNOWN)
		problem_add(in->out, "version_unknown", PROBLEM_WARNING, NULL,
			    "the %s of this Windows cannot be told from its registry or "
			    "kernel",
			    t->major ? "architecture" : "version");
	if (is_legacy(in))
		problem_add(in->out, "legacy_driver_store", PROBLEM_INFO, NULL,
			    "this Windows is older than 8 and has no driver database: "
			    "injected packages wait in folders that DevicePath names "
			    "until its first start");
	else if (!in->node_count)
		problem_add(
			in->out, "driver_database_missing", PROBLEM_ERROR,
			"take the SYSTEM hive of a working installation",
			"the SYSTEM hive has no DriverDatabase: Windows finds no driver");
	else if (!in->out->has_drivers_hive)
		problem_add(in->out, "drivers_hive_missing", PROBLEM_WARNING, NULL,
			    "there is no DRIVERS hive: packages of classes that are not "
			    "boot-critical (network, display, ...) cannot be listed");
}

/* What System32 has and what the registry says of it belong together. */
static void check_hal(struct inspection *in)
{
	const struct hal *hal = in->out->hal;

	if (!hal || !hal->kind)
		return;
	if (hal->registered && hal->registered != hal->kind)
		problem_add(
			in->out, "hal_mismatch", PROBLEM_WARNING, NULL,
			"hal.dll is %s (%s), but the device Computer was installed as "
			"%s",
			hal->file, hal->kind->text, hal->registered->text);
	if (hal->kernel && hal->kind->multiprocessor != hal->kernel_multiprocessor)
		problem_add(in->out, "hal_mismatch", PROBLEM_WARNING,
			    "put HAL and kernel of one kind there",
			    "hal.dll is %s (%s), but the kernel is %s", hal->file,
			    hal->kind->text, hal->kernel);
}

/* ---- services ---------------------------------------------------------------------- */

static void check_overrides(struct inspection *in)
{
	_cleanup_(strings_free) struct strings names = VEC_INIT;
	_cleanup_free_ char *list = NULL;
	hkey key = hive_find(in->system, hive_root(in->system), "HardwareConfig");
	uint32_t machines = key ? hive_child_count(in->system, key) : 0;

	vec_foreach (candidate, &in->storage)
		if (candidate->service.overridden &&
		    candidate->service.start == SERVICE_BOOT)
			strings_push(&names, candidate->service.name);
	if (names.len) {
		list = names_list(&names, NAMES_SHOWN);
		problem_add(
			in->out, "start_override", PROBLEM_WARNING,
			"delete their StartOverride keys: " ANY_CONTROLLER,
			"%zu boot storage services are switched off by StartOverride on "
			"the machine this image last ran on (%s): behind another disk "
			"controller it stops with INACCESSIBLE_BOOT_DEVICE",
			names.len, list);
	}
	if (machines)
		problem_add(in->out, "hardware_config", PROBLEM_INFO,
			    "delete the subkeys of HardwareConfig: " ANY_CONTROLLER,
			    "the image remembers %u machine%s in HardwareConfig",
			    machines, machines == 1 ? "" : "s");
}

/* Start 1 to 3 and not promoted by BootFlags: such a controller cannot be booted from. */
static void check_starts(struct inspection *in)
{
	_cleanup_(strings_free) struct strings later = VEC_INIT, disabled = VEC_INIT;

	vec_foreach (candidate, &in->storage) {
		const struct service *service = &candidate->service;

		if (!candidate->present || service->boot_flags ||
		    candidate->role == BOOT_FILTER)
			continue;
		if (service->start > SERVICE_BOOT && service->start < SERVICE_DISABLED)
			strings_push(&later, service->name);
		else if (service->start == SERVICE_DISABLED)
			strings_push(&disabled, service->name);
	}
	if (later.len) {
		_cleanup_free_ char *list = names_list(&later, NAMES_SHOWN);

		problem_add(in->out, "storage_not_boot_start", PROBLEM_INFO,
			    "set Start to 0: " ANY_CONTROLLER,
			    "%zu storage services are not started at boot: %s", later.len,
			    list);
	}
	if (disabled.len) {
		_cleanup_free_ char *list = names_list(&disabled, NAMES_SHOWN);

		problem_add(in->out, "storage_disabled", PROBLEM_INFO,
			    in->out->target.major == 5 ? "start them: " ANY_CONTROLLER
						       : NULL,
			    "%zu storage services are disabled: %s", disabled.len, list);
	}
}

static int check_service_files(struct inspection *in, struct error *err)
{
	vec_foreach (service, &in->services) {
		bool fatal = service->error_control >= 2;
		int present;

		if (service->start != SERVICE_BOOT || !service_is_driver(service))
			continue;
		if (interrupted())
			return error_interrupted(err);
		present = service_file_present(in->tree, service, err);
		if (present < 0)
			return -1;
		if (present)
			continue;
		problem_add(in->out, "driver_file_missing",
			    fatal ? PROBLEM_ERROR : PROBLEM_WARNING,
			    "put the file back, or set the service's Start to 4",
			    "%s, which boot-start service %s needs, is missing%s",
			    service->file, service->name,
			    fatal ? ": Windows does not start" : "");
	}
	return 0;
}

/* ---- packages and filters ---------------------------------------------------------- */

/* Whether better, reflected packages claim all IDs that a staged one does. */
struct superseding {
	const struct db_package *staged;
	struct name_set better; /* published names of newer packages that are reflected */
	char *id;		/* the walk comes ID by ID */
	bool claimed, covered;
	size_t total;
};

/* False if the ID is the staged package's alone: that settles it. */
static bool finish_id(struct superseding *s)
{
	bool settled = s->claimed && !s->covered;

	s->total += s->claimed;
	s->claimed = s->covered = false;
	free(steal_ptr(s->id));
	return !settled;
}

static bool is_newer(const struct package_version *a, const struct package_version *b)
{
	return a->date != b->date ? a->date > b->date : a->version > b->version;
}

static int note_claim(const char *id, const struct db_match *match, void *arg,
		      struct error *err _unused_)
{
	struct superseding *s = arg;

	if (!s->id || strcmp(s->id, id) != 0) {
		if (!finish_id(s))
			return 1;
		s->id = xstrdup(id);
	}
	if (text_equal(match->published, s->staged->published))
		s->claimed = true;
	else if (name_set_has(&s->better, match->published))
		s->covered = true;
	return 0;
}

/* 1: a package that ranks better drives all its devices: that it is staged only is right.
 */
static int is_superseded(struct inspection *in, const struct db_package *staged,
			 struct error *err)
{
	struct superseding s = {.staged = staged};
	int result = 0;
	bool covered;

	vec_foreach (package, &in->packages)
		if (package->reflected && package->published &&
		    is_newer(&package->version, &staged->version))
			(void)name_set_add(&s.better, package->published);
	/* Without any there is no need to go through all IDs of the database. */
	if (!staged->published || !s.better.used)
		goto done;
	for (size_t i = 0; i < in->node_count && result == 0; i++)
		if (in->nodes[i].node == staged->node)
			result = driverdb_each_device(&in->nodes[i], note_claim, &s, err);
done:
	covered = finish_id(&s) && result == 0;
	name_set_free(&s.better);
	return result < 0 ? -1 : covered && s.total;
}

static int check_staged(struct inspection *in, struct error *err)
{
	vec_foreach (package, &in->packages) {
		_cleanup_device_class_ struct device_class class = {0};
		enum problem_severity severity = PROBLEM_WARNING;
		int superseded;

		if (package->reflected || !package->has_version ||
		    !db_package_third_party(package))
			continue;
		if (device_class_read(in->system, in->out->control_set,
				      &package->version.class_guid, &class, err) < 0)
			return -1;
		if (!class.boot_critical && !package->boot_critical)
			continue;
		superseded = is_superseded(in, package, err);
		if (superseded < 0)
			return -1;
		if (superseded)
			continue;
		/* With reasons, Windows itself leaves the rest to the first start. */
		if (storage_host_class(&package->version.class_guid))
			severity = package->version.reasons ? PROBLEM_WARNING
							    : PROBLEM_ERROR;
		else if (package->version.reasons)
			severity = PROBLEM_INFO;
		problem_add(in->out, "staged_not_reflected", severity,
			    severity == PROBLEM_INFO ? NULL
						     : "reflect it: gild inject "
						       "--any-controller, or inject the "
						       "package again",
			    "boot-critical package %s (%s, class %s) is only staged: its "
			    "driver does not start before PnP has installed it",
			    package->published ? package->published : "?", package->store,
			    class.name ? class.name : class.guid);
	}
	return 0;
}

static int check_filters(struct inspection *in, const struct device_class *class,
			 const struct strings *filters, const char *value,
			 struct error *err)
{
	struct guid guid;
	bool stack = guid_parse(class->guid, &guid) && storage_stack_class(&guid);

	vec_foreach (filter, filters) {
		const struct service *service = services_find(&in->services, *filter);
		int present;

		if (!**filter)
			continue;
		present = service ? service_file_present(in->tree, service, err) : 0;
		if (present < 0)
			return -1;
		if (present)
			continue;
		problem_add(in->out, "filter_missing",
			    stack ? PROBLEM_ERROR : PROBLEM_WARNING,
			    stack && storage_filter_inbox(*filter)
				    ? "put the file back: the filter is Windows' own"
			    : stack && !is_legacy(in)
				    ? "take it out of the list: " ANY_CONTROLLER
				    : "take it out of the list with gild edit --reg=FILE",
			    "%s of class %s names %s, %s: no device of the class starts",
			    value, class->name ? class->name : class->guid, *filter,
			    service ? "whose file is missing" : "which is no service");
	}
	return 0;
}

static int check_classes(struct inspection *in, struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s\\Control\\Class", in->out->control_set);
	hkey list = hive_find(in->system, hive_root(in->system), path);
	uint32_t count = list ? hive_child_count(in->system, list) : 0;

	for (uint32_t i = 0; i < count; i++) {
		hkey key = hive_child(in->system, list, i);
		_cleanup_free_ char *name = key ? hive_key_name(in->system, key) : NULL;
		_cleanup_device_class_ struct device_class class = {0};
		struct guid guid;
		int r;

		if (!name || !guid_parse(name, &guid))
			continue;
		r = device_class_read(in->system, in->out->control_set, &guid, &class,
				      err);
		if (r < 0 || (r && (check_filters(in, &class, &class.upper_filters,
						  "UpperFilters", err) < 0 ||
				    check_filters(in, &class, &class.lower_filters,
						  "LowerFilters", err) < 0)))
			return -1;
	}
	return 0;
}

/*
 * Only Windows' own driver saves what is overwritten. What cannot be listed is no problem
 * of the installation.
 */
static void check_shadow_copies(struct inspection *in)
{
	_cleanup_tree_entries_ struct tree_entries list = VEC_INIT;
	size_t count = 0;

	(void)tree_list(in->tree, SHADOW_FOLDER, &list, NULL);
	vec_foreach (entry, &list)
		count += text_ends_with(entry->name, SHADOW_STORE);
	if (count)
		problem_add(
			in->out, "shadow_copies", PROBLEM_INFO,
			"delete them in Windows before: vssadmin delete shadows /all",
			"the volume has %zu shadow cop%s (restore points), which an edit "
			"from outside of Windows damages",
			count, count == 1 ? "y" : "ies");
}

int inspect_problems(struct inspection *in, struct error *err)
{
	struct problems sorted = VEC_INIT, *problems = &in->out->problems;

	check_hives(in);
	check_generation(in);
	if (in->out->target.major == 5)
		check_hal(in);
	check_overrides(in);
	check_starts(in);
	check_shadow_copies(in);
	if (check_service_files(in, err) < 0 || check_staged(in, err) < 0 ||
	    check_classes(in, err) < 0 || inspect_store(in, err) < 0)
		return -1;
	/* The worst first; within a severity the order of discovery stays. */
	for (int severity = PROBLEM_ERROR; severity >= PROBLEM_INFO; severity--)
		vec_foreach (problem, problems)
			if ((int)problem->severity == severity)
				vec_push(&sorted, *problem);
	vec_free(problems);
	*problems = sorted;
	return 0;
}
