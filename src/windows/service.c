/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading of the Services key. */
#include "windows/service.h"

#include "base/text.h"
#include "windows/driverdb.h"

void service_free(struct service *service)
{
	free(service->name);
	free(service->group);
	free(service->file);
	strings_free(&service->owners);
	*service = (struct service){0};
}

bool service_is_third_party(const struct service *service)
{
	unsigned number;

	vec_foreach (owner, &service->owners)
		if (oem_inf_number(*owner, &number))
			return true;
	return false;
}

void services_free(struct services *services)
{
	vec_foreach (service, services)
		service_free(service);
	vec_free(services);
}

bool service_is_driver(const struct service *service)
{
	return service->type == 1 || service->type == 2 || service->type == 8;
}

/* False if a component is empty, "." or "..": no file of a tree has such a path. */
static bool components_sound(const char *path)
{
	while (*path) {
		size_t n = strcspn(path, "/");

		if (n == 0 || (n == 1 && path[0] == '.') ||
		    (n == 2 && path[0] == '.' && path[1] == '.'))
			return false;
		path += n;
		if (*path == '/' && !*++path)
			return false;
	}
	return true;
}

char *service_image(const char *image_path, const char *name)
{
	static const char *const windows[] = {"\\SystemRoot\\", "%SystemRoot%\\",
					      "SystemRoot\\", "%windir%\\"};
	_cleanup_free_ char *path = NULL;
	const char *p = image_path ? image_path : "";

	if (text_starts_with(p, "\\??\\"))
		p += 4;
	if (!*p) {
		path = xasprintf("Windows/System32/drivers/%s.sys", name);
	} else if (((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z') && p[1] == ':') {
		/* Which letter the volume had cannot be told offline; drivers lie on it.
		 */
		path = xstrdup(p[2] == '\\' ? p + 3 : p + 2);
	} else {
		for (size_t i = 0; i < ARRAY_SIZE(windows) && !path; i++)
			if (text_starts_with(p, windows[i]))
				path = xasprintf("Windows/%s", p + strlen(windows[i]));
		if (!path && *p != '\\' && *p != '%')
			path = xasprintf("Windows/%s", p);
	}
	if (!path)
		return NULL;
	for (char *c = path; *c; c++)
		if (*c == '\\')
			*c = '/';
	return *path && components_sound(path) ? steal_ptr(path) : NULL;
}

static bool masked(struct hive *hive, hkey key)
{
	hkey list = hive_find(hive, key, "StartOverride");

	return list && hive_value_count(hive, list) > 0;
}

static void read_key(struct hive *hive, hkey key, char *name, struct service *ret)
{
	_cleanup_free_ char *image = hive_get_string(hive, key, "ImagePath");

	*ret = (struct service){
		.name = name,
		.start = SERVICE_START_UNKNOWN,
		.group = hive_get_string(hive, key, "Group"),
		.overridden = masked(hive, key),
		.file = service_image(image, name),
		.key = key,
	};
	hive_get_dword(hive, key, "Type", &ret->type);
	hive_get_dword(hive, key, "Start", &ret->start);
	hive_get_dword(hive, key, "ErrorControl", &ret->error_control);
	hive_get_dword(hive, key, "BootFlags", &ret->boot_flags);
	hive_get_strings(hive, key, "Owners", &ret->owners);
}

int service_read(struct hive *system, const char *control_set, const char *name,
		 struct service *ret, struct error *err _unused_)
{
	_cleanup_free_ char *path = NULL;
	char *stored;
	hkey key;

	if (!*name || strchr(name, '\\'))
		return 0;
	path = xasprintf("%s\\Services\\%s", control_set, name);
	key = hive_find(system, hive_root(system), path);
	stored = key ? hive_key_name(system, key) : NULL;
	if (!stored)
		return 0;
	read_key(system, key, stored, ret);
	return 1;
}

int services_read(struct hive *system, const char *control_set, struct services *ret,
		  struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s\\Services", control_set);
	hkey list = hive_find(system, hive_root(system), path);
	uint32_t count;

	if (!list)
		return error_set(err, ERROR_STATE, path,
				 "the SYSTEM hive has no services in this control set");
	count = hive_child_count(system, list);
	for (uint32_t i = 0; i < count; i++) {
		hkey key = hive_child(system, list, i);
		char *name = key ? hive_key_name(system, key) : NULL;
		struct service service;

		if (interrupted())
			return error_interrupted(err);
		if (!name)
			continue;
		read_key(system, key, name, &service);
		vec_push(ret, service);
	}
	return 0;
}

const struct service *services_find(const struct services *services, const char *name)
{
	vec_foreach (service, services)
		if (text_equal(service->name, name))
			return service;
	return NULL;
}

int service_file_present(struct tree *tree, const struct service *service,
			 struct error *err)
{
	_cleanup_error_ struct error local = ERROR_INIT;
	struct tree_stat st;
	int r;

	if (!service->file)
		return 1;
	r = tree_stat(tree, service->file, &st, &local);
	/* A path with characters that no file can have is a file that is not there. */
	if (r < 0 && local.code == ERROR_INTERRUPTED)
		return error_move(err, &local);
	return r > 0 && st.type != TREE_FOLDER;
}
