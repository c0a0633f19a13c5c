/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Windows 8 and later have their miniports at Start=0 and mask those that a machine does
 * not need by StartOverride, per entry of HardwareConfig. So generalizing means above all
 * to forget that machine; Start is changed only for what Windows starts on demand: USB
 * and SD, and drivers that somebody has set back.
 */
#include "windows/anycontroller.h"

#include "base/text.h"
#include "windows/boot_storage.h"

struct work {
	struct tree *tree;
	struct registry *registry;
	struct hive *system;
	struct strings vendor_infs; /* oemN.inf of storage host classes */
	struct any_controller_result *out;
};

/* ---- result ------------------------------------------------------------------------ */

void any_controller_result_free(struct any_controller_result *result)
{
	vec_foreach (service, &result->services) {
		free(service->control_set);
		free(service->service);
		strings_free(&service->ids);
	}
	vec_free(&result->services);
	vec_foreach (left, &result->left) {
		free(left->control_set);
		free(left->name);
		free(left->reason);
	}
	vec_free(&result->left);
	vec_foreach (filter, &result->filters) {
		free(filter->control_set);
		free(filter->class_name);
		free(filter->filter);
		free(filter->reason);
	}
	vec_free(&result->filters);
	vec_foreach (error, &result->errors) {
		free(error->subject);
		free(error->message);
		free(error->remedy);
	}
	vec_free(&result->errors);
	strings_free(&result->reflected);
	strings_free(&result->removed);
	strings_free(&result->ids);
}

/* Takes `reason`. */
static void leave(struct work *w, const char *control_set, const char *name,
		  uint32_t start, char *reason)
{
	vec_push(&w->out->left,
		 (struct any_controller_left){.control_set = xstrdup(control_set),
					      .name = xstrdup(name),
					      .start = start,
					      .reason = reason});
}

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

static int reflect_package(struct work *w, const struct db_package *package,
			   any_controller_reflect_fn *reflect, void *arg,
			   struct error *err)
{
	_cleanup_error_ struct error local = ERROR_INIT;
	int r;

	if (!reflect) {
		leave(w, "", package->published, 0,
		      xasprintf("%s is staged and could not be reflected",
				package->store));
		return 0;
	}
	r = reflect(package, arg, &local);
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
static int reflect_staged(struct work *w, any_controller_reflect_fn *reflect, void *arg,
			  struct error *err)
{
	_cleanup_db_packages_ struct db_packages packages = VEC_INIT;
	_cleanup_(strings_free) struct strings claiming = VEC_INIT;
	struct driverdb db;
	int has = driverdb_open(w->registry, REGISTRY_SYSTEM, &db, err);

	if (has < 0)
		return -1;
	if (!has) {
		error_set(
			err, ERROR_USAGE, tree_name(w->tree),
			"--any-controller for Windows 7 and older is not in this build");
		return error_remedy(err, "use it on Windows 8 or later");
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
		    reflect_package(w, package, reflect, arg, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- services ---------------------------------------------------------------------- */

/*
 * A boot-start driver's path is relative to the Windows folder: the loader resolves it
 * before there is a name space that "\SystemRoot" or a drive letter could be looked up
 * in.
 */
static int make_path_relative(struct work *w, const struct service *service,
			      struct error *err)
{
	_cleanup_free_ char *old = hive_get_string(w->system, service->key, "ImagePath");
	_cleanup_free_ char *path = NULL;

	if (!old || !*old ||
	    !text_starts_with(service->file ? service->file : "", "Windows/"))
		return 0;
	path = xstrdup(service->file + strlen("Windows/"));
	for (char *c = path; *c; c++)
		if (*c == '/')
			*c = '\\';
	if (text_equal(old, path))
		return 0;
	return hive_set_string(w->system, service->key, "ImagePath", REG_EXPAND_SZ, path,
			       err);
}

static void missing_file(struct work *w, const char *control_set,
			 const struct service *service)
{
	if (service->error_control < 2) {
		leave(w, control_set, service->name, service->start,
		      xasprintf("its file %s is missing", service->file));
		return;
	}
	vec_push(
		&w->out->errors,
		(struct any_controller_error){
			.subject =
				xasprintf("%s\\Services\\%s", control_set, service->name),
			.message =
				xasprintf("%s is missing and ErrorControl is %u: %s",
					  service->file, service->error_control,
					  service->start == SERVICE_BOOT
						  ? "Windows does not start"
						  : "made boot-start it would stop the "
						    "boot, so it was left"),
			.remedy = xstrdup("put the file back, or set the service's Start "
					  "to 4"),
		});
}

static int treat_service(struct work *w, const char *control_set,
			 const struct boot_candidate *candidate, struct error *err)
{
	const struct service *service = &candidate->service;
	struct any_controller_service done = {.from = service->start, .to = SERVICE_BOOT};

	if (service->start > SERVICE_DEMAND) {
		leave(w, control_set, service->name, service->start,
		      xstrdup(service->start == SERVICE_DISABLED
				      ? "it is disabled (Start=4)"
				      : "its Start is no valid number"));
		return 0;
	}
	if (candidate->other_boot && service->start != SERVICE_BOOT) {
		leave(w, control_set, service->name, service->start,
		      xstrdup("the loader starts it for network and VHD boot by "
			      "BootFlags"));
		return 0;
	}
	if (!candidate->present) {
		missing_file(w, control_set, service);
		return 0;
	}
	if (service->start == SERVICE_BOOT && !service->overridden)
		return 0;
	if (service->start != SERVICE_BOOT &&
	    (make_path_relative(w, service, err) < 0 ||
	     hive_set_dword(w->system, service->key, "Start", SERVICE_BOOT, err) < 0))
		return -1;
	done.control_set = xstrdup(control_set);
	done.service = xstrdup(service->name);
	done.unmasked = service->overridden;
	vec_foreach (id, &candidate->ids) {
		strings_push(&done.ids, *id);
		strings_push(&w->out->ids, *id);
	}
	vec_push(&w->out->services, done);
	return 0;
}

static int treat_services(struct work *w, const char *control_set, struct error *err)
{
	_cleanup_boot_candidates_ struct boot_candidates candidates = VEC_INIT;
	_cleanup_free_ char *path = xasprintf("%s\\Control", control_set);
	hkey control = hive_find(w->system, hive_root(w->system), path);
	uint32_t flags = 0;

	if (boot_storage_find(w->tree, w->registry, control_set, &candidates, err) < 0)
		return -1;
	vec_foreach (candidate, &candidates)
		if (treat_service(w, control_set, candidate, err) < 0)
			return -1;
	/* The kernel gives a new machine's HardwareConfig entry these flags. */
	if (!control)
		return 0;
	hive_get_dword(w->system, control, "BootDriverFlags", &flags);
	if ((flags & BOOT_FLAGS_DISK) == BOOT_FLAGS_DISK)
		return 0;
	return hive_set_dword(w->system, control, "BootDriverFlags",
			      flags | BOOT_FLAGS_DISK, err);
}

/* Every service's, not only storage's: the machine that made them is gone. */
static int drop_overrides(struct work *w, const char *control_set, struct error *err)
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
static int drop_machines(struct work *w, struct error *err)
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

/* ---- class filters ----------------------------------------------------------------- */

/* Class filters of controller vendors, which wait for or talk to their own controller. */
static const struct {
	const char *name, *reason;
} vendor_filters[] = {
	{"iaStorF", "filter of Intel's Rapid Storage driver"},
	{"SiFilter", "filter of Silicon Image's SATA controllers"},
	{"SiRemFil", "filter of Silicon Image's SATA controllers"},
	{"JGOGO", "filter of JMicron's controllers"},
	{"mvxxmm", "filter of Marvell's controllers"},
	{"xfilt", "filter of VIA's RAID controllers"},
	{"amd_xata", "filter of AMD's SATA controllers"},
	{"amdxata", "filter of AMD's SATA controllers"},
	{"nvstflt", "filter of NVIDIA's storage controllers"},
	{"xenfilt", "takes disks away from emulated controllers under Xen"},
	{"prl_strg", "filter of Parallels' virtual controllers"},
};

/*
 * Why a filter has to go, or NULL: it stays. Others' filters (encryption, virus scanners,
 * motion sensors) stay as long as they exist: they do not depend on the controller.
 */
static char *filter_verdict(struct work *w, const char *filter,
			    const struct service *service, bool present)
{
	for (size_t i = 0; i < ARRAY_SIZE(vendor_filters); i++)
		if (text_equal(vendor_filters[i].name, filter))
			return xstrdup(vendor_filters[i].reason);
	if (!service)
		return xstrdup("there is no such service");
	if (!present)
		return xasprintf("its file %s is missing", service->file);
	vec_foreach (owner, &service->owners)
		if (strings_contain(&w->vendor_infs, *owner))
			return xasprintf("belongs to the storage controller driver %s",
					 *owner);
	return NULL;
}

/* 1: stays, 0: goes (and is in the result), -1: error. */
static int keep_filter(struct work *w, const char *control_set,
		       const struct device_class *class, const char *value,
		       const char *filter, struct error *err)
{
	_cleanup_service_ struct service service = {0};
	int found = service_read(w->system, control_set, filter, &service, err);
	int present = found > 0 ? service_file_present(w->tree, &service, err) : 0;
	char *reason;

	if (found < 0 || present < 0)
		return -1;
	if (storage_filter_inbox(filter)) {
		if (!present)
			leave(w, control_set, filter, found ? service.start : 0,
			      xasprintf("%s of class %s is Windows' own, but its %s is "
					"missing",
					value, class->name ? class->name : class->guid,
					found ? "file" : "service"));
		return 1;
	}
	reason = filter_verdict(w, filter, found ? &service : NULL, present);
	if (!reason)
		return 1;
	vec_push(&w->out->filters,
		 (struct any_controller_filter){
			 .control_set = xstrdup(control_set),
			 .class_name = xstrdup(class->name ? class->name : class->guid),
			 .value = value,
			 .filter = xstrdup(filter),
			 .reason = reason,
		 });
	return 0;
}

static int treat_filters(struct work *w, const char *control_set,
			 const struct device_class *class, const struct strings *filters,
			 const char *value, struct error *err)
{
	_cleanup_(strings_free) struct strings kept = VEC_INIT;

	vec_foreach (filter, filters) {
		int keep =
			**filter ? keep_filter(w, control_set, class, value, *filter, err)
				 : 0;

		if (keep < 0)
			return -1;
		if (keep)
			strings_push(&kept, *filter);
	}
	if (kept.len == filters->len)
		return 0;
	if (!kept.len)
		return hive_unset(w->system, class->key, value, err) < 0 ? -1 : 0;
	return hive_set_strings(w->system, class->key, value, &kept, err) < 0 ? -1 : 0;
}

static int treat_classes(struct work *w, const char *control_set, struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s\\Control\\Class", control_set);
	hkey list = hive_find(w->system, hive_root(w->system), path);
	uint32_t count = list ? hive_child_count(w->system, list) : 0;

	for (uint32_t i = 0; i < count; i++) {
		hkey key = hive_child(w->system, list, i);
		_cleanup_free_ char *name = key ? hive_key_name(w->system, key) : NULL;
		_cleanup_device_class_ struct device_class class = {0};
		struct guid guid;
		int r;

		if (!name || !guid_parse(name, &guid) || !storage_stack_class(&guid))
			continue;
		r = device_class_read(w->system, control_set, &guid, &class, err);
		if (r < 0 ||
		    (r && (treat_filters(w, control_set, &class, &class.upper_filters,
					 "UpperFilters", err) < 0 ||
			   treat_filters(w, control_set, &class, &class.lower_filters,
					 "LowerFilters", err) < 0)))
			return -1;
	}
	return 0;
}

static int apply(struct work *w, any_controller_reflect_fn *reflect, void *arg,
		 struct error *err)
{
	_cleanup_(strings_free) struct strings sets = VEC_INIT;

	if (reflect_staged(w, reflect, arg, err) < 0 ||
	    registry_control_sets(w->registry, &sets, err) < 0)
		return -1;
	vec_foreach (set, &sets)
		if (treat_services(w, *set, err) < 0 ||
		    drop_overrides(w, *set, err) < 0 || treat_classes(w, *set, err) < 0)
			return -1;
	if (drop_machines(w, err) < 0)
		return -1;
	names_sort(&w->out->ids);
	return 0;
}

int any_controller_apply(struct tree *tree, struct registry *registry,
			 any_controller_reflect_fn *reflect, void *arg,
			 struct any_controller_result *ret, struct error *err)
{
	struct work w = {.tree = tree, .registry = registry, .out = ret};
	int r;

	*ret = (struct any_controller_result){0};
	w.system = registry_hive(registry, REGISTRY_SYSTEM, err);
	if (!w.system)
		return -1;
	r = apply(&w, reflect, arg, err);
	strings_free(&w.vendor_infs);
	return r;
}
