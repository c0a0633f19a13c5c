/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Services as NT 5 writes them: "system32\drivers\x.sys" whatever the Start, the text of
 * the display name itself, and no record of who owns the service.
 */
#include "base/text.h"
#include "injector/nt5.h"
#include "windows/sddl.h"
#include "windows/service.h"

#define SERVICE_KERNEL_TYPES 0xBu /* kernel, file system, recognizer drivers */
#define TAGS_SEARCHED 0x1000u

char *nt5_image_path(const struct inf_service *service, enum windows_arch arch)
{
	const char *folder;
	char *path;

	if (!service->binary)
		return NULL;
	if (service->binary_dirid == 0)
		return xstrdup(service->binary);
	folder = driver_dirid_path(service->binary_dirid, arch);
	if (!folder)
		return NULL;
	if (text_starts_with(folder, "Windows/"))
		path = xasprintf("%s/%s", folder + strlen("Windows/"), service->binary);
	else
		path = xasprintf("%s%s%s", folder, *folder ? "/" : "", service->binary);
	if (text_starts_with(path, "System32/"))
		*path = 's'; /* as XP's own hives have it */
	for (char *c = path; *c; c++)
		if (*c == '/')
			*c = '\\';
	if (service->type & SERVICE_KERNEL_TYPES)
		return path;
	/* A program's path is looked up by the service manager, not below SystemRoot. */
	char *expanded = xasprintf("%%SystemRoot%%\\%s", path);

	free(path);
	return expanded;
}

/* The lowest tag that no service of the group has. */
static uint32_t free_tag(struct store *store, const char *set, const char *group)
{
	struct hive *hive = store->system;
	_cleanup_free_ char *path = xasprintf("%s\\Services", set);
	_cleanup_free_ bool *used = xcalloc(TAGS_SEARCHED, sizeof(*used));
	hkey services = hive_find(hive, hive_root(hive), path);
	uint32_t count = services ? hive_child_count(hive, services) : 0, tag;

	for (uint32_t i = 0; i < count; i++) {
		hkey key = hive_child(hive, services, i);
		_cleanup_free_ char *other =
			key ? hive_get_string(hive, key, "Group") : NULL;

		if (other && text_equal(other, group) &&
		    hive_get_dword(hive, key, "Tag", &tag) && tag < TAGS_SEARCHED)
			used[tag] = true;
	}
	for (tag = 1; tag < TAGS_SEARCHED - 1 && used[tag]; tag++)
		;
	return tag;
}

static bool has_value(struct hive *hive, hkey key, const char *name)
{
	struct reg_value value = {0};
	bool found = hive_value(hive, key, name, &value, NULL) > 0;

	reg_value_free(&value);
	return found;
}

/* What is being written, and whether it differed from what was there. */
struct writing {
	struct store *store;
	struct package *package;
	const struct inf_service *service;
	const char *set, *path;
	hkey key;
	bool inbox, changed;
};

static int put_dword(struct writing *w, const char *name, uint32_t v, bool overwrite,
		     struct error *err)
{
	int r;

	if (!overwrite && has_value(w->store->system, w->key, name))
		return 0;
	r = hive_set_dword(w->store->system, w->key, name, v, err);
	w->changed |= r > 0;
	return r < 0 ? -1 : 0;
}

static int put_text(struct writing *w, const char *name, uint32_t type, const char *text,
		    struct error *err)
{
	int r;

	if (!text || !*text || (w->inbox && has_value(w->store->system, w->key, name)))
		return 0;
	r = hive_set_string(w->store->system, w->key, name, type, text, err);
	w->changed |= r > 0;
	return r < 0 ? -1 : 0;
}

static int put_tag(struct writing *w, struct error *err)
{
	const struct inf_service *s = w->service;

	if (!s->group || !*s->group || !(s->type & SERVICE_KERNEL_TYPES))
		return 0;
	if (s->has_tag)
		return put_dword(w, "Tag", s->tag, !w->inbox, err);
	if (has_value(w->store->system, w->key, "Tag"))
		return 0;
	return put_dword(w, "Tag", free_tag(w->store, w->set, s->group), true, err);
}

static int put_dependencies(struct writing *w, struct error *err)
{
	_cleanup_(strings_free) struct strings services = VEC_INIT, groups = VEC_INIT;

	vec_foreach (name, &w->service->dependencies) {
		if (**name == '+')
			strings_push(&groups, *name + 1);
		else if (**name)
			strings_push(&services, *name);
	}
	if (services.len && hive_set_strings(w->store->system, w->key, "DependOnService",
					     &services, err) < 0)
		return -1;
	return groups.len && hive_set_strings(w->store->system, w->key, "DependOnGroup",
					      &groups, err) < 0
		       ? -1
		       : 0;
}

/* Parameters and what else AddReg of the service section sets; its event log source. */
static int put_regs(struct writing *w, struct error *err)
{
	const struct inf_service *s = w->service;
	struct reg_target target = {
		.store = w->store,
		.published = w->package ? w->package->published : NULL,
		.hive = w->store->system,
		.key = w->path,
		.package = w->package,
	};
	_cleanup_free_ char *log =
		xasprintf("%s\\Services\\EventLog\\%s\\%s", w->set,
			  s->eventlog_type ? s->eventlog_type : "System",
			  s->eventlog_name ? s->eventlog_name : s->name);

	if (registry_apply(&target, &s->regs, err) < 0)
		return -1;
	target.key = log;
	return s->eventlog.len ? registry_apply(&target, &s->eventlog, err) : 0;
}

static int put_security(struct writing *w, struct error *err)
{
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;
	hkey at;

	if (!w->service->security || w->inbox)
		return 0;
	if (!sddl_compile(w->service->security, &data)) {
		package_remark(w->package,
			       "not carried out: Security of service %s (line %u)",
			       w->service->name, w->service->line);
		return 0;
	}
	if (hive_create(w->store->system, w->key, "Security", &at, err) < 0)
		return -1;
	return hive_set(w->store->system, at, "Security", REG_BINARY, buffer_view(&data),
			err) < 0
		       ? -1
		       : 0;
}

static int write_service(struct writing *w, struct error *err)
{
	const struct inf_service *s = w->service;
	struct hive *hive = w->store->system;
	_cleanup_free_ char *image =
		nt5_image_path(s, w->store->installation->target.arch);
	bool there = hive_find(hive, hive_root(hive), w->path) != 0;

	if (hive_create(hive, hive_root(hive), w->path, &w->key, err) < 0)
		return -1;
	w->changed |= !there;
	if (put_dword(w, "Type", s->type, !w->inbox, err) < 0 ||
	    put_dword(w, "Start", w->inbox ? SERVICE_BOOT : s->start, true, err) < 0 ||
	    put_dword(w, "ErrorControl", s->error_control, !w->inbox, err) < 0 ||
	    put_tag(w, err) < 0 ||
	    put_text(w, "ImagePath", REG_EXPAND_SZ, image, err) < 0 ||
	    put_text(w, "DisplayName", REG_SZ, s->display_name, err) < 0 ||
	    put_text(w, "Group", REG_SZ, s->group, err) < 0)
		return -1;
	/* Parameters of a service that was there are the owner's, or the machine's. */
	if (w->inbox && there)
		return 0;
	if (put_text(w, "Description", REG_SZ, s->description, err) < 0 ||
	    put_text(w, "ObjectName", REG_SZ, s->start_name, err) < 0 ||
	    put_dependencies(w, err) < 0 || put_security(w, err) < 0)
		return -1;
	return put_regs(w, err);
}

int nt5_service_install(struct store *store, struct package *package,
			const struct inf_service *service, enum nt5_service_mode mode,
			bool *changed, struct error *err)
{
	if (service->remove || !*service->name || strpbrk(service->name, "\\/"))
		return 0;
	vec_foreach (set, &store->control_sets) {
		_cleanup_free_ char *path =
			xasprintf("%s\\Services\\%s", *set, service->name);
		struct writing w = {
			.store = store,
			.package = package,
			.service = service,
			.set = *set,
			.path = path,
			.inbox = mode == NT5_SERVICE_INBOX,
		};

		if (write_service(&w, err) < 0)
			return -1;
		if (changed)
			*changed |= w.changed;
	}
	return 0;
}

int nt5_service_intact(struct store *store, const struct inf_service *service)
{
	struct hive *hive = store->system;
	_cleanup_free_ char *image =
		nt5_image_path(service, store->installation->target.arch);

	if (service->remove || !*service->name || strpbrk(service->name, "\\/"))
		return 1;
	vec_foreach (set, &store->control_sets) {
		_cleanup_free_ char *path =
			xasprintf("%s\\Services\\%s", *set, service->name);
		hkey key = hive_find(hive, hive_root(hive), path);
		_cleanup_free_ char *now =
			key ? hive_get_string(hive, key, "ImagePath") : NULL;
		uint32_t start;

		if (!key || !hive_get_dword(hive, key, "Start", &start) ||
		    start != service->start ||
		    (image && (!now || !text_equal(image, now))))
			return 0;
	}
	return 1;
}
