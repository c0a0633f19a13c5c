/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Driver services, as Windows writes them when it reflects a package: every control set,
 * the final Start, Owners, and nothing (StartOverride) that would mask them.
 */
#include <stdio.h>

#include "base/text.h"
#include "injector/store_private.h"
#include "windows/sddl.h"
#include "windows/service.h"

#define SERVICE_KERNEL_TYPES 0xBu /* kernel, file system, recognizer drivers */
#define EVENT_LOG "Services\\EventLog"
#define TAGS_SEARCHED 0x10000u

/* ---- ImagePath --------------------------------------------------------------------- */

static char *backslashes(char *path)
{
	for (char *c = path; *c; c++)
		if (*c == '/')
			*c = '\\';
	return path;
}

char *service_path(const struct package *package, const struct inf_service *service,
		   enum windows_arch arch)
{
	bool kernel = (service->type & SERVICE_KERNEL_TYPES) != 0;
	_cleanup_free_ char *path = NULL;
	const char *folder;

	if (!service->binary)
		return NULL;
	/* Without a dirid it is written as it stands: %SystemRoot%\... */
	if (service->binary_dirid == 0)
		return xstrdup(service->binary);
	folder = driver_dirid_path(service->binary_dirid, arch);
	if (service->binary_dirid == 13)
		path = xasprintf("Windows/System32/DriverStore/FileRepository/%s/%s",
				 package->store, service->binary);
	else if (folder)
		path = xasprintf("%s%s%s", folder, *folder ? "/" : "", service->binary);
	else
		return NULL;
	backslashes(path);
	if (!text_starts_with(path, "Windows\\"))
		return xasprintf("%s%s", kernel ? "\\??\\C:\\" : "%SystemDrive%\\", path);
	/* The boot loader wants it relative to the Windows folder. */
	if (kernel && service->start == SERVICE_BOOT)
		return xstrdup(path + strlen("Windows\\"));
	return xasprintf("%s\\%s", kernel ? "\\SystemRoot" : "%SystemRoot%",
			 path + strlen("Windows\\"));
}

/* ---- load order tags --------------------------------------------------------------- */

static bool tag_listed(const struct reg_value *list, uint32_t tag)
{
	/* GroupOrderList: a count and as many tags. */
	for (uint32_t at = 4; at + 4 <= list->len; at += 4)
		if (get_le32(list->data + at) == tag)
			return true;
	return false;
}

static int append_tag(struct hive *hive, hkey key, const char *group,
		      const struct reg_value *list, uint32_t tag, struct error *err)
{
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;

	buffer_append_le32(&data, list->len / 4);
	if (list->len > 4)
		buffer_append(&data, list->data + 4, (list->len - 4) & ~3u);
	buffer_append_le32(&data, tag);
	return hive_set(hive, key, group, REG_BINARY, buffer_view(&data), err) < 0 ? -1
										   : 0;
}

/*
 * The lowest tag that neither a service of the group nor GroupOrderList has, as the
 * service manager chooses; Windows 8 also adds it to the list, 10 does not.
 */
static int choose_tag(struct store *store, const char *set, const char *group,
		      uint32_t *ret, struct error *err)
{
	struct hive *hive = store->system;
	_cleanup_free_ char *services_path = xasprintf("%s\\Services", set);
	_cleanup_free_ char *lists_path = xasprintf("%s\\Control\\GroupOrderList", set);
	_cleanup_free_ bool *used = xcalloc(TAGS_SEARCHED, sizeof(*used));
	_cleanup_reg_value_ struct reg_value list = {0};
	hkey services = hive_find(hive, hive_root(hive), services_path);
	hkey lists = hive_find(hive, hive_root(hive), lists_path);
	uint32_t count = services ? hive_child_count(hive, services) : 0, tag = 1;

	if (lists && hive_value(hive, lists, group, &list, err) < 0)
		return -1;
	for (uint32_t i = 0; i < count; i++) {
		hkey key = hive_child(hive, services, i);
		_cleanup_free_ char *other =
			key ? hive_get_string(hive, key, "Group") : NULL;
		uint32_t t;

		if (other && text_equal(other, group) &&
		    hive_get_dword(hive, key, "Tag", &t) && t < TAGS_SEARCHED)
			used[t] = true;
	}
	while (tag < TAGS_SEARCHED - 1 && (used[tag] || tag_listed(&list, tag)))
		tag++;
	*ret = tag;
	if (store->windows10 || !lists || list.len < 4)
		return 0;
	return append_tag(hive, lists, group, &list, tag, err);
}

static int set_group(struct store *store, const char *set, hkey key,
		     const struct inf_service *service, struct error *err)
{
	struct hive *hive = store->system;
	_cleanup_free_ char *before = hive_get_string(hive, key, "Group");
	uint32_t tag = 0;

	if (!service->group || !*service->group) {
		/* Windows 8 writes an empty Group. */
		return store->windows10 || store->legacy
			       ? 0
			       : hive_set_string(hive, key, "Group", REG_SZ, "", err);
	}
	if (hive_set_string(hive, key, "Group", REG_SZ, service->group, err) < 0)
		return -1;
	if (!(service->type & SERVICE_KERNEL_TYPES))
		return 0;
	if (service->has_tag)
		tag = service->tag;
	else if (store->legacy) /* Windows 7 gives reflected services no tag of its own */
		return 0;
	else if (before && text_equal(before, service->group) &&
		 hive_get_dword(hive, key, "Tag", &tag))
		return 0;
	else if (choose_tag(store, set, service->group, &tag, err) < 0)
		return -1;
	return hive_set_dword(hive, key, "Tag", tag, err) < 0 ? -1 : 0;
}

/* ---- the service key --------------------------------------------------------------- */

/* "@oem3.inf,%Token%;text", or the text. */
static int set_text(struct hive *hive, hkey key, const char *name, const char *text,
		    const char *token, const char *inf, struct error *err)
{
	_cleanup_free_ char *indirect =
		token ? xasprintf("@%s,%%%s%%;%s", inf, token, text) : NULL;

	if (!text)
		return 0;
	return hive_set_string(hive, key, name, REG_SZ, indirect ? indirect : text, err) <
			       0
		       ? -1
		       : 0;
}

static int set_dependencies(struct hive *hive, hkey key,
			    const struct inf_service *service, struct error *err)
{
	struct strings services = VEC_INIT, groups = VEC_INIT;
	int result = 0;

	vec_foreach (name, &service->dependencies) {
		if (**name == '+')
			strings_push(&groups, *name + 1);
		else if (**name)
			strings_push(&services, *name);
	}
	if (services.len)
		result = hive_set_strings(hive, key, "DependOnService", &services, err);
	if (result >= 0 && groups.len)
		result = hive_set_strings(hive, key, "DependOnGroup", &groups, err);
	strings_free(&services);
	strings_free(&groups);
	return result < 0 ? -1 : 0;
}

static int set_security(struct hive *hive, hkey key, const struct inf_service *service,
			struct package *package, struct error *err)
{
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;
	hkey at;

	if (!service->security)
		return 0;
	if (!sddl_compile(service->security, &data)) {
		package_remark(package,
			       "not carried out: Security of service %s (line %u)",
			       service->name, service->line);
		return 0;
	}
	if (hive_create(hive, key, "Security", &at, err) < 0)
		return -1;
	return hive_set(hive, at, "Security", REG_BINARY, buffer_view(&data), err) < 0
		       ? -1
		       : 0;
}

static int add_owner(struct store *store, hkey key, const struct package *package,
		     struct error *err)
{
	return store->legacy ? 0
			     : multi_prepend(store->system, key, "Owners",
					     package->published, err);
}

/* The values of the service-install section, in the order in which Windows writes them.
 */
static int set_values(struct store *store, const char *set, hkey key,
		      struct package *package, const struct inf_service *service,
		      struct error *err)
{
	struct hive *hive = store->system;
	const char *inf = service->text_inf ? service->text_inf : package->published;
	bool indirect = !store->legacy; /* Windows 7 keeps the text itself */
	_cleanup_free_ char *image =
		service_path(package, service, store->installation->target.arch);

	if ((image &&
	     hive_set_string(hive, key, "ImagePath", REG_EXPAND_SZ, image, err) < 0) ||
	    hive_set_dword(hive, key, "Type", service->type, err) < 0 ||
	    hive_set_dword(hive, key, "Start", service->start, err) < 0 ||
	    hive_set_dword(hive, key, "ErrorControl", service->error_control, err) < 0 ||
	    set_group(store, set, key, service, err) < 0 ||
	    set_dependencies(hive, key, service, err) < 0)
		return -1;
	if (service->start_name && hive_set_string(hive, key, "ObjectName", REG_SZ,
						   service->start_name, err) < 0)
		return -1;
	if (set_text(hive, key, "DisplayName", service->display_name,
		     indirect ? service->display_token : NULL, inf, err) < 0 ||
	    set_text(hive, key, "Description", service->description,
		     indirect ? service->description_token : NULL, inf, err) < 0 ||
	    add_owner(store, key, package, err) < 0)
		return -1;
	if (service->boot_flags &&
	    hive_set_dword(hive, key, "BootFlags", service->boot_flags, err) < 0)
		return -1;
	return set_security(hive, key, service, package, err);
}

static int set_event_log(struct store *store, const char *set, struct package *package,
			 const struct inf_service *service, struct error *err)
{
	_cleanup_free_ char *path = NULL;
	struct reg_target target = {
		.store = store,
		.published = package->published,
		.hive = store->system,
		.package = package,
	};

	if (service->eventlog.len == 0)
		return 0;
	path = xasprintf("%s\\" EVENT_LOG "\\%s\\%s", set,
			 service->eventlog_type ? service->eventlog_type : "System",
			 service->eventlog_name ? service->eventlog_name : service->name);
	target.key = path;
	return registry_apply(&target, &service->eventlog, err);
}

/*
 * True if the service is another package's: the INF got it through Needs= of an inbox
 * INF, brings no binary for it, and the image has it.
 */
static bool belongs_elsewhere(struct store *store, hkey key,
			      const struct package *package,
			      const struct inf_service *service)
{
	struct hive *hive = store->system;
	struct strings owners = VEC_INIT;
	bool other = false;

	if (service->binary && package_file(package, path_base(service->binary)))
		return false;
	if (store->legacy)
		return true;
	hive_get_strings(hive, key, "Owners", &owners);
	vec_foreach (owner, &owners)
		other |= !text_equal(*owner, package->published);
	strings_free(&owners);
	return other;
}

bool service_foreign(struct store *store, const char *set, const struct package *package,
		     const struct inf_service *service)
{
	_cleanup_free_ char *path = xasprintf("%s\\Services\\%s", set, service->name);
	hkey key = hive_find(store->system, hive_root(store->system), path);

	return key && belongs_elsewhere(store, key, package, service);
}

static int install_in_set(struct store *store, const char *set, struct package *package,
			  const struct inf_service *service, struct error *err)
{
	struct hive *hive = store->system;
	_cleanup_free_ char *path = xasprintf("%s\\Services\\%s", set, service->name);
	struct reg_target target = {
		.store = store,
		.published = package->published,
		.hive = hive,
		.key = path,
		.package = package,
	};
	hkey key = hive_find(hive, hive_root(hive), path), override;

	if (key && belongs_elsewhere(store, key, package, service))
		return add_owner(store, key, package, err);
	if (hive_create(hive, hive_root(hive), path, &key, err) < 0 ||
	    set_values(store, set, key, package, service, err) < 0 ||
	    registry_apply(&target, &service->regs, err) < 0)
		return -1;
	/* Made when this driver was not needed on some machine: it would mask it here. */
	override = hive_find(hive, key, "StartOverride");
	if (override && hive_delete(hive, override, err) < 0)
		return -1;
	return set_event_log(store, set, package, service, err);
}

bool service_name_sound(const char *name)
{
	return *name && !strpbrk(name, "\\/");
}

int service_install(struct store *store, struct package *package,
		    const struct inf_service *service, struct error *err)
{
	if (service->remove || !*service->name)
		return 0;
	if (!service_name_sound(service->name)) {
		package_remark(package, "\"%s\" is no name for a service (line %u)",
			       service->name, service->line);
		return 0;
	}
	vec_foreach (set, &store->control_sets)
		if (install_in_set(store, *set, package, service, err) < 0)
			return -1;
	return 0;
}

int service_intact(struct store *store, const struct package *package,
		   const struct inf_service *service)
{
	struct hive *hive = store->system;

	if (service->remove || !service_name_sound(service->name))
		return 1;
	vec_foreach (set, &store->control_sets) {
		_cleanup_free_ char *path =
			xasprintf("%s\\Services\\%s", *set, service->name);
		hkey key = hive_find(hive, hive_root(hive), path);
		uint32_t start;

		if (!key || !hive_get_dword(hive, key, "Start", &start))
			return 0;
		if (belongs_elsewhere(store, key, package, service))
			continue;
		if (service->start == SERVICE_BOOT &&
		    hive_find(hive, key, "StartOverride"))
			return 0;
	}
	return 1;
}
