/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Device setup classes as a control set describes them. */
#include "base/text.h"
#include "windows/driverdb.h"

/* A class property that is there and not FALSE (DEVPROP_TYPE_BOOLEAN is one byte). */
static int property_true(struct hive *hive, hkey class, const char *id, bool *ret,
			 struct error *err)
{
	_cleanup_free_ char *path = xasprintf("Properties\\" CLASS_PROPERTIES "\\%s", id);
	_cleanup_reg_value_ struct reg_value value = {0};
	hkey key = hive_find(hive, class, path);
	int found;

	*ret = false;
	if (!key)
		return 0;
	found = hive_value(hive, key, "", &value, err);
	if (found < 0)
		return -1;
	*ret = found && value.len && value.data[0];
	return 0;
}

int device_class_read(struct hive *system, const char *control_set,
		      const struct guid *guid, struct device_class *ret,
		      struct error *err)
{
	_cleanup_device_class_ struct device_class class = {0};
	_cleanup_free_ char *path = NULL;

	guid_format(guid, class.guid);
	path = xasprintf("%s\\Control\\Class\\%s", control_set, class.guid);
	class.key = hive_find(system, hive_root(system), path);
	if (!class.key)
		return 0;
	class.name = hive_get_string(system, class.key, "Class");
	if (property_true(system, class.key, "0003", &class.boot_critical, err) < 0 ||
	    property_true(system, class.key, "0006", &class.configurable, err) < 0)
		return -1;
	hive_get_strings(system, class.key, "UpperFilters", &class.upper_filters);
	hive_get_strings(system, class.key, "LowerFilters", &class.lower_filters);
	*ret = class;
	class = (struct device_class){0};
	return 1;
}

void device_class_free(struct device_class *class)
{
	free(class->name);
	strings_free(&class->upper_filters);
	strings_free(&class->lower_filters);
	*class = (struct device_class){0};
}

enum registry_hive device_class_node(const struct device_class *class)
{
	if (class->boot_critical || text_equal(class->guid, CLASS_EXTENSION))
		return REGISTRY_SYSTEM;
	return REGISTRY_DRIVERS;
}
