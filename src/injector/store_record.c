/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The record from which the kernel configures a device before Plug and Play setup runs:
 * Configurations (what each install section does), Descriptors (which section a device ID
 * gets) and Strings (their texts) of DriverPackages\<package>.
 */
#include <stdio.h>

#include "base/text.h"
#include "injector/store_private.h"

/* ConfigFlags: setup has to finish the installation when somebody logs on. */
#define CONFIG_FLAG_FINISH_INSTALL 0x400u

const char *function_service(const struct inf_configuration *c)
{
	const char *name = NULL;

	vec_foreach (service, &c->services)
		if (!service->remove && service->flags & 2)
			name = service->name;
	return name;
}

/* The filters that .HW and .Filters put on the device. */
static int set_filters(struct hive *hive, hkey key, const struct inf_configuration *c,
		       bool upper, struct error *err)
{
	const char *name = upper ? "UpperFilters" : "LowerFilters";
	struct inf_regs list = VEC_INIT;
	int result;

	vec_foreach (reg, &c->hw_regs)
		if (reg->root == INF_HKR && !*reg->key && text_equal(reg->name, name) &&
		    (reg->kind == INF_REG_SET || reg->kind == INF_REG_APPEND))
			vec_push(&list, *reg);
	result = multi_apply(hive, key, &list, err);
	vec_free(&list);
	if (result < 0)
		return -1;
	vec_foreach (filter, &c->filters)
		if (filter->upper == upper &&
		    multi_append(hive, key, name, filter->name, err) < 0)
			return -1;
	return 0;
}

static int set_values(struct store *store, struct hive *hive, hkey key,
		      const struct package *package, const struct inf_configuration *c,
		      struct error *err)
{
	const struct strings *excluded =
		c->exclude_ids.len ? &c->exclude_ids : &package->driver->exclude_ids;
	const char *service = function_service(c);
	bool legacy = c->own_co_installers || c->log_config || c->register_dlls ||
		      configuration_foreign_keys(c);
	uint32_t flags = legacy ? CONFIG_FLAG_FINISH_INSTALL : 0;

	if (service && hive_set_string(hive, key, "Service", REG_SZ, service, err) < 0)
		return -1;
	if (set_filters(hive, key, c, true, err) < 0 ||
	    set_filters(hive, key, c, false, err) < 0)
		return -1;
	if (excluded->len && hive_set_strings(hive, key, "ExcludeIds", excluded, err) < 0)
		return -1;
	if (store->windows10 &&
	    hive_set_dword(hive, key, "ConfigScope", c->scope, err) < 0)
		return -1;
	if (c->included_infs.len &&
	    hive_set_strings(hive, key, "IncludedInfs", &c->included_infs, err) < 0)
		return -1;
	if (c->reboot && hive_set_dword(hive, key, "Reboot", 1, err) < 0)
		return -1;
	/* Without ConfigFlags the kernel ranks the package behind all others. */
	return hive_set_dword(hive, key, "ConfigFlags", flags, err) < 0 ? -1 : 0;
}

static int set_properties(struct hive *hive, hkey key, const struct inf_configuration *c,
			  struct error *err)
{
	vec_foreach (property, &c->properties) {
		char guid[GUID_TEXT_SIZE];
		_cleanup_free_ char *path = NULL;
		hkey at;

		guid_format(&property->category, guid);
		path = xasprintf("Properties\\%s\\%04X", guid, property->id);
		if (hive_create(hive, key, path, &at, err) < 0 ||
		    hive_set(hive, at, "", 0xFFFF0000u | property->type,
			     buffer_view(&property->data), err) < 0)
			return -1;
	}
	return 0;
}

static int set_interfaces(struct hive *hive, hkey key, const struct inf_configuration *c,
			  struct package *package, struct error *err)
{
	vec_foreach (interface, &c->interfaces) {
		char guid[GUID_TEXT_SIZE];
		_cleanup_free_ char *path = NULL;
		hkey at;

		guid_format(&interface->class_guid, guid);
		path = xasprintf("Interfaces\\%s", guid);
		if (hive_create(hive, key, path, &at, err) < 0 ||
		    registry_record(hive, key, path, &interface->regs, RECORD_SERVICE,
				    package, err) < 0)
			return -1;
	}
	return 0;
}

static int record_configuration(struct store *store, struct driverdb *db, hkey list,
				struct package *package,
				const struct inf_configuration *c, struct error *err)
{
	struct hive *hive = db->hive;
	hkey key;

	if (hive_create(hive, list, c->name, &key, err) < 0 ||
	    set_values(store, hive, key, package, c, err) < 0 ||
	    registry_record(hive, key, "Device", &c->hw_regs, RECORD_DEVICE, package,
			    err) < 0 ||
	    registry_record(hive, key, "Driver", &c->regs, RECORD_DRIVER, package, err) <
		    0 ||
	    set_properties(hive, key, c, err) < 0 ||
	    set_interfaces(hive, key, c, package, err) < 0)
		return -1;
	vec_foreach (service, &c->services) {
		_cleanup_free_ char *path = xasprintf("Services\\%s", service->name);

		if (!service->remove && *service->name &&
		    registry_record(hive, key, path, &service->regs, RECORD_SERVICE,
				    package, err) < 0)
			return -1;
	}
	return 0;
}

/* "%token%" in lower case with its text in Strings, or the literal text. */
static int set_text(struct hive *hive, hkey descriptor, hkey strings, const char *name,
		    const char *text, const char *token, struct error *err)
{
	_cleanup_free_ char *lower = token ? text_lower(token) : NULL;
	_cleanup_free_ char *reference = lower ? xasprintf("%%%s%%", lower) : NULL;

	if (lower &&
	    hive_set_string(hive, strings, lower, REG_SZ, text ? text : "", err) < 0)
		return -1;
	if (!descriptor)
		return 0;
	return hive_set_string(hive, descriptor, name, REG_SZ,
			       reference ? reference
			       : text	 ? text
					 : "",
			       err) < 0
		       ? -1
		       : 0;
}

static int record_model(struct driverdb *db, hkey package_key, hkey strings,
			const struct package *package, const struct inf_model *model,
			struct error *err)
{
	const struct inf_configuration *c =
		&package->driver->configurations.items[model->configuration];
	struct hive *hive = db->hive;

	/* A line without an ID still has its texts in Strings. */
	if (set_text(hive, 0, strings, NULL, model->manufacturer,
		     model->manufacturer_token, err) < 0 ||
	    set_text(hive, 0, strings, NULL, model->description, model->description_token,
		     err) < 0)
		return -1;
	vec_foreach (id, &model->ids) {
		_cleanup_free_ char *below = NULL, *path = NULL;
		hkey key;

		if (!device_id_valid(*id))
			continue;
		below = device_id_path(*id);
		path = xasprintf("Descriptors%s", strchr(below, '\\'));
		if (hive_create(hive, package_key, path, &key, err) < 0 ||
		    hive_set_string(hive, key, "Configuration", REG_SZ, c->name, err) <
			    0 ||
		    set_text(hive, key, strings, "Manufacturer", model->manufacturer,
			     model->manufacturer_token, err) < 0 ||
		    set_text(hive, key, strings, "Description", model->description,
			     model->description_token, err) < 0)
			return -1;
	}
	return 0;
}

/* DriverInfFiles\oemN.inf\Configurations: the sections in the order of the models. */
static int list_configurations(struct driverdb *db, const struct package *package,
			       struct error *err)
{
	_cleanup_free_ char *path = xasprintf("DriverInfFiles\\%s", package->published);
	struct strings names = VEC_INIT;
	hkey key;
	int result;

	vec_foreach (c, &package->driver->configurations)
		if (!c->missing && !strings_contain(&names, c->name))
			strings_push(&names, c->name);
	result = node_create(db, path, &key, err);
	if (result == 0)
		result = hive_set_strings(db->hive, key, "Configurations", &names, err);
	strings_free(&names);
	return result < 0 ? -1 : 0;
}

int record_configurations(struct store *store, struct driverdb *db,
			  struct package *package, struct error *err)
{
	static const char *const parts[] = {"Configurations", "Descriptors", "Strings"};
	_cleanup_free_ char *path = xasprintf("DriverPackages\\%s", package->store);
	hkey keys[ARRAY_SIZE(parts)], key;

	if (node_create(db, path, &key, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		hkey old = hive_find(db->hive, key, parts[i]);

		if (old && hive_delete(db->hive, old, err) < 0)
			return -1;
		if (hive_create(db->hive, key, parts[i], &keys[i], err) < 0)
			return -1;
	}
	vec_foreach (c, &package->driver->configurations)
		if (!c->missing &&
		    record_configuration(store, db, keys[0], package, c, err) < 0)
			return -1;
	vec_foreach (model, &package->driver->models)
		if (record_model(db, key, keys[2], package, model, err) < 0)
			return -1;
	return list_configurations(db, package, err);
}
