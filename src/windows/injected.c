/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading the records of packages that gild put into Windows Vista and 7. */
#include "windows/injected.h"

#include <stdio.h>

#include "base/text.h"
#include "windows/driverdb.h"

void injected_package_free(struct injected_package *package)
{
	free(package->published);
	free(package->id);
	free(package->folder);
	free(package->inf_name);
	free(package->class_name);
	free(package->provider);
	strings_free(&package->services);
	strings_free(&package->events);
	strings_free(&package->files);
	strings_free(&package->ids);
	*package = (struct injected_package){0};
}

void injected_packages_free(struct injected_packages *packages)
{
	vec_foreach (package, packages)
		injected_package_free(package);
	vec_free(packages);
}

char *injected_record_path(const char *published)
{
	return xasprintf(INJECTED_RECORDS "\\%s", published);
}

const struct injected_package *injected_find(const struct injected_packages *packages,
					     const char *name)
{
	vec_foreach (package, packages)
		if (text_equal(package->published, name) || text_equal(package->id, name))
			return package;
	return NULL;
}

/* "1.2.3.4" as the injector writes it. */
static uint64_t read_version(const char *text)
{
	unsigned p[4] = {0};

	if (!text || sscanf(text, "%5u.%5u.%5u.%5u", &p[0], &p[1], &p[2], &p[3]) != 4)
		return 0;
	return (uint64_t)(p[0] & 0xFFFF) << 48 | (uint64_t)(p[1] & 0xFFFF) << 32 |
	       (uint64_t)(p[2] & 0xFFFF) << 16 | (p[3] & 0xFFFF);
}

/* Only what a tree can hold, and for the folder and the INF only where gild puts them. */
static bool sound(const struct injected_package *package)
{
	unsigned number;

	if (!oem_inf_number(package->published, &number) || !package->id ||
	    !*package->id || !package->folder || !package->inf_name ||
	    !text_starts_with(package->folder, INJECTED_FOLDER "/") ||
	    strpbrk(package->folder + strlen(INJECTED_FOLDER "/"), "/\\") ||
	    strpbrk(package->inf_name, "/\\") || strpbrk(package->id, "/\\"))
		return false;
	if (tree_path_check(package->folder, NULL) < 0 ||
	    tree_path_check(package->inf_name, NULL) < 0)
		return false;
	vec_foreach (file, &package->files)
		if (tree_path_check(*file, NULL) < 0)
			return false;
	vec_foreach (service, &package->services)
		if (!**service || strpbrk(*service, "/\\"))
			return false;
	vec_foreach (source, &package->events) {
		const char *name = strchr(*source, '\\');

		if (!name || name == *source || !name[1] || strchr(name + 1, '\\'))
			return false;
	}
	vec_foreach (id, &package->ids)
		if (!device_id_valid(*id))
			return false;
	return true;
}

/* Takes `published`. */
static void read_record(struct hive *hive, hkey key, char *published,
			struct injected_package *ret)
{
	_cleanup_free_ char *class = hive_get_string(hive, key, "ClassGUID");
	_cleanup_free_ char *version = hive_get_string(hive, key, "Version");
	_cleanup_reg_value_ struct reg_value date = {0};
	uint32_t v;

	*ret = (struct injected_package){
		.published = published,
		.id = hive_get_string(hive, key, ""),
		.folder = hive_get_string(hive, key, "Folder"),
		.inf_name = hive_get_string(hive, key, "InfName"),
		.class_name = hive_get_string(hive, key, "Class"),
		.provider = hive_get_string(hive, key, "Provider"),
		.version = read_version(version),
		.arch = ARCH_UNKNOWN,
		.key = key,
	};
	if (class)
		(void)guid_parse(class, &ret->class_guid);
	if (hive_value(hive, key, "Date", &date, NULL) > 0 && date.len == 8)
		ret->date = get_le64(date.data);
	if (hive_get_dword(hive, key, "Architecture", &v))
		ret->arch = (enum windows_arch)v;
	if (hive_get_dword(hive, key, "BootCritical", &v))
		ret->boot_critical = v != 0;
	if (hive_get_dword(hive, key, "Signed", &v))
		ret->is_signed = v != 0;
	hive_get_dword(hive, key, "Sequence", &ret->sequence);
	hive_get_strings(hive, key, "Services", &ret->services);
	hive_get_strings(hive, key, "EventSources", &ret->events);
	hive_get_strings(hive, key, "Files", &ret->files);
	hive_get_strings(hive, key, "DeviceIds", &ret->ids);
}

static int compare_sequence(const void *a, const void *b)
{
	const struct injected_package *x = a, *y = b;

	if (x->sequence != y->sequence)
		return x->sequence < y->sequence ? -1 : 1;
	return text_compare(x->published, y->published);
}

int injected_packages_read(struct hive *software, struct injected_packages *ret,
			   struct error *err)
{
	hkey list = hive_find(software, hive_root(software), INJECTED_RECORDS);
	uint32_t count = list ? hive_child_count(software, list) : 0;

	for (uint32_t i = 0; i < count; i++) {
		hkey key = hive_child(software, list, i);
		char *name = key ? hive_key_name(software, key) : NULL;
		struct injected_package package;

		if (interrupted()) {
			free(name);
			return error_interrupted(err);
		}
		if (!name)
			continue;
		read_record(software, key, name, &package);
		if (sound(&package))
			vec_push(ret, package);
		else
			injected_package_free(&package);
	}
	if (ret->len)
		qsort(ret->items, ret->len, sizeof(*ret->items), compare_sequence);
	return 0;
}
