/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Windows' own drivers that an image has switched off: textmode setup leaves a service
 * key with Start=4 and no path for each, and takes the rest from the INF when it is
 * needed.
 */
#include "base/text.h"
#include "injector/nt5.h"
#include "injector/nt6.h"
#include "windows/service.h"

#define TAGS_SEARCHED 0x1000u

#define FUNCTION_DRIVER 2u /* SPSVCINST_ASSOCSERVICE */

const struct inf_service *nt5_function_service(const struct inf_configuration *c)
{
	vec_foreach (service, &c->services)
		if (!service->remove && service->flags & FUNCTION_DRIVER &&
		    *service->name)
			return service;
	return NULL;
}

/* "system32\drivers\x.sys", as XP's own hives have it; NULL without a fixed place. */
static char *inbox_path(const struct inf_service *service, enum windows_arch arch)
{
	const char *folder = driver_dirid_path(service->binary_dirid, arch);
	char *path;

	if (!service->binary || !folder || !text_starts_with(folder, "Windows/"))
		return NULL;
	path = xasprintf("%s/%s", folder + strlen("Windows/"), service->binary);
	/* As Windows' own services of XP have it. */
	if (text_starts_with(path, "System32/drivers/"))
		memcpy(path, "system32/DRIVERS/", strlen("system32/DRIVERS/"));
	for (char *c = path; *c; c++)
		if (*c == '/')
			*c = '\\';
	return path;
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

/* One key being completed. */
struct completing {
	struct hive *hive;
	hkey key;
};

static int add_dword(struct completing *c, const char *name, uint32_t v,
		     struct error *err)
{
	if (has_value(c->hive, c->key, name))
		return 0;
	return hive_set_dword(c->hive, c->key, name, v, err) < 0 ? -1 : 0;
}

static int add_text(struct completing *c, const char *name, uint32_t type,
		    const char *text, struct error *err)
{
	if (!text || !*text || has_value(c->hive, c->key, name))
		return 0;
	return hive_set_string(c->hive, c->key, name, type, text, err) < 0 ? -1 : 0;
}

static int add_group(struct completing *c, struct store *store, const char *set,
		     const struct inf_service *service, struct error *err)
{
	uint32_t tag = service->tag;

	if (!service->group || !*service->group)
		return 0;
	if (!service->has_tag && !has_value(c->hive, c->key, "Tag"))
		tag = free_tag(store, set, service->group);
	if (add_dword(c, "Tag", tag, err) < 0)
		return -1;
	return add_text(c, "Group", REG_SZ, service->group, err);
}

/* Parameters and the event log source: of a service that was not there. */
static int add_regs(struct store *store, struct package *notes, const char *set,
		    const char *path, const struct inf_service *service,
		    struct error *err)
{
	_cleanup_free_ char *log = xasprintf(
		"%s\\Services\\EventLog\\%s\\%s", set,
		service->eventlog_type ? service->eventlog_type : "System",
		service->eventlog_name ? service->eventlog_name : service->name);
	struct reg_target target = {
		.store = store, .hive = store->system, .key = path, .package = notes};

	if (registry_apply(&target, &service->regs, err) < 0)
		return -1;
	target.key = log;
	return service->eventlog.len ? registry_apply(&target, &service->eventlog, err)
				     : 0;
}

static int enable_in_set(struct store *store, struct package *notes, const char *set,
			 const struct inf_service *service, struct error *err)
{
	struct completing c = {.hive = store->system};
	_cleanup_free_ char *path = xasprintf("%s\\Services\\%s", set, service->name);
	_cleanup_free_ char *image =
		inbox_path(service, store->installation->target.arch);
	bool there = hive_find(c.hive, hive_root(c.hive), path) != 0;

	if (hive_create(c.hive, hive_root(c.hive), path, &c.key, err) < 0 ||
	    add_dword(&c, "Type", service->type, err) < 0 ||
	    hive_set_dword(c.hive, c.key, "Start", SERVICE_BOOT, err) < 0 ||
	    add_dword(&c, "ErrorControl", service->error_control, err) < 0 ||
	    add_text(&c, "ImagePath", REG_EXPAND_SZ, image, err) < 0 ||
	    add_text(&c, "DisplayName", REG_SZ, service->display_name, err) < 0 ||
	    add_group(&c, store, set, service, err) < 0)
		return -1;
	/* Parameters of a service that was there are the owner's, or the machine's. */
	return there ? 0 : add_regs(store, notes, set, path, service, err);
}

int nt5_service_enable(struct store *store, struct package *notes,
		       const struct inf_service *service, struct error *err)
{
	if (!service_name_sound(service->name))
		return 0;
	vec_foreach (set, &store->control_sets)
		if (enable_in_set(store, notes, *set, service, err) < 0)
			return -1;
	return 0;
}

/* ---- CriticalDeviceDatabase -------------------------------------------------------- */

static int enter_device(struct store *store, const struct critical_device *device,
			struct strings *ids, struct error *err)
{
	bool added = false;

	vec_foreach (set, &store->control_sets) {
		_cleanup_critical_device_ struct critical_device now = {0};
		int found =
			critical_device_read(store->system, *set, device->id, &now, err);

		/* Another driver that was put in, or Windows' own: either stays. */
		if (found > 0 && now.service)
			continue;
		if (found < 0 ||
		    critical_device_write(store->system, *set, device, err) < 0)
			return -1;
		added = true;
	}
	if (added)
		strings_push(ids, device->id);
	return 0;
}

int nt5_devices_enter(struct store *store, struct driver *driver, const char *service,
		      struct strings *ids, struct error *err)
{
	struct package package = {.driver = driver};
	struct nt6_devices devices = VEC_INIT;
	int r = 0;

	nt6_devices_of(&package, &devices);
	vec_foreach (device, &devices) {
		char *spelt = device->id;

		if (r < 0 || !text_equal(device->service, service))
			continue;
		/* As Windows' own entries of XP are spelt. */
		device->id = text_lower(spelt);
		free(spelt);
		r = enter_device(store, device, ids, err);
	}
	nt6_devices_free(&devices);
	return r;
}
