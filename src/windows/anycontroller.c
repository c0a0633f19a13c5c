/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What making an image start from any controller means for every generation: boot storage
 * services start at boot from a path that the loader understands, and no filter of one
 * controller's vendor stays behind. What differs is in a table.
 */
#include "windows/anycontroller_private.h"

#include "base/text.h"

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
	strings_free(&result->boot_settings);
	strings_free(&result->files);
	strings_free(&result->remarks);
}

void any_leave(struct any_work *w, const char *control_set, const char *name,
	       uint32_t start, char *reason)
{
	vec_push(&w->out->left,
		 (struct any_controller_left){.control_set = xstrdup(control_set),
					      .name = xstrdup(name),
					      .start = start,
					      .reason = reason});
}

/* ---- services ---------------------------------------------------------------------- */

/*
 * A boot-start driver's path is relative to the Windows folder: the loader resolves it
 * before there is a name space that "\SystemRoot" or a drive letter could be looked up
 * in.
 */
static int any_path_relative(struct any_work *w, const struct service *service,
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

static void missing_file(struct any_work *w, const char *control_set,
			 const struct service *service)
{
	if (service->error_control < 2) {
		any_leave(w, control_set, service->name, service->start,
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

/* Claims nothing but devices that software makes up: multipath, iSCSI initiators. */
static bool drives_no_controller(const struct boot_candidate *candidate)
{
	vec_foreach (id, &candidate->ids)
		if (!text_starts_with(*id, "ROOT\\"))
			return false;
	return candidate->ids.len > 0;
}

static int treat_service(struct any_work *w, const char *control_set,
			 const struct boot_candidate *candidate, struct error *err)
{
	const struct service *service = &candidate->service;
	struct any_controller_service done = {.from = service->start, .to = SERVICE_BOOT};

	if (service->start > SERVICE_DEMAND) {
		any_leave(w, control_set, service->name, service->start,
			  xstrdup(service->start == SERVICE_DISABLED
					  ? "it is disabled (Start=4)"
					  : "its Start is no valid number"));
		return 0;
	}
	if (candidate->other_boot && service->start != SERVICE_BOOT) {
		any_leave(w, control_set, service->name, service->start,
			  xstrdup("the loader starts it for network and VHD boot by "
				  "BootFlags"));
		return 0;
	}
	if (drives_no_controller(candidate) && service->start != SERVICE_BOOT) {
		any_leave(w, control_set, service->name, service->start,
			  xstrdup("it drives no controller"));
		return 0;
	}
	if (!candidate->present) {
		missing_file(w, control_set, service);
		return 0;
	}
	if (service->start == SERVICE_BOOT && !service->overridden)
		return 0;
	if (service->start != SERVICE_BOOT &&
	    (any_path_relative(w, service, err) < 0 ||
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

int any_services(struct any_work *w, const char *control_set, struct error *err)
{
	_cleanup_boot_candidates_ struct boot_candidates candidates = VEC_INIT;

	if (boot_storage_find(w->tree, w->registry, control_set, &candidates, err) < 0)
		return -1;
	vec_foreach (candidate, &candidates)
		if (treat_service(w, control_set, candidate, err) < 0)
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
static char *filter_verdict(struct any_work *w, const char *filter,
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
static int keep_filter(struct any_work *w, const char *control_set,
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
			any_leave(
				w, control_set, filter, found ? service.start : 0,
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

static int treat_filters(struct any_work *w, const char *control_set,
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

int any_classes(struct any_work *w, const char *control_set, struct error *err)
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

/* ---- generations ------------------------------------------------------------------- */

static const struct generation {
	uint32_t major, minor; /* from this version on */
	int (*apply)(struct any_work *w, struct error *err);
} generations[] = {
	{6, 2, any_database_apply},
	{6, 0, any_nt6_apply},
};

static int apply(struct any_work *w, struct error *err)
{
	_cleanup_installation_ struct installation *windows =
		installation_identify(w->tree, w->registry, err);
	const struct target *target = windows ? &windows->target : NULL;
	struct driverdb db;
	int has;

	if (!windows || registry_control_sets(w->registry, &w->sets, err) < 0)
		return -1;
	w->windows = windows;
	has = driverdb_open(w->registry, REGISTRY_SYSTEM, &db, err);
	if (has < 0)
		return -1;
	/* Where the version is not recorded, this tells. */
	if (has)
		return any_database_apply(w, err);
	for (size_t i = 0; i < ARRAY_SIZE(generations); i++)
		if (target_compare_version(target, generations[i].major,
					   generations[i].minor, 0) >= 0)
			return generations[i].apply(w, err);
	error_set(err, ERROR_USAGE, tree_name(w->tree),
		  "--any-controller for Windows %u.%u is not in this build",
		  target->major, target->minor);
	return error_remedy(err, "use it on a later Windows");
}

int any_controller_apply(struct tree *tree, struct registry *registry,
			 any_controller_reflect_fn *reflect, void *arg,
			 struct any_controller_result *ret, struct error *err)
{
	struct any_work w = {.tree = tree,
			     .registry = registry,
			     .reflect = reflect,
			     .arg = arg,
			     .out = ret};
	int r;

	*ret = (struct any_controller_result){0};
	w.system = registry_hive(registry, REGISTRY_SYSTEM, err);
	if (!w.system)
		return -1;
	r = apply(&w, err);
	names_sort(&ret->ids);
	strings_free(&w.vendor_infs);
	strings_free(&w.sets);
	return r;
}

int any_controller_filters(struct tree *tree, struct registry *registry,
			   struct any_controller_result *ret, struct error *err)
{
	struct any_work w = {.tree = tree, .registry = registry, .out = ret};
	int r;

	w.system = registry_hive(registry, REGISTRY_SYSTEM, err);
	if (!w.system)
		return -1;
	r = registry_control_sets(registry, &w.sets, err);
	vec_foreach (set, &w.sets)
		if (r == 0)
			r = any_classes(&w, *set, err);
	strings_free(&w.sets);
	return r;
}
