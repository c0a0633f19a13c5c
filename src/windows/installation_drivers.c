/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The third-party packages of an installation: from the driver database, or, up to
 * Windows 7, from the class keys of the devices that were installed.
 */
#include "base/text.h"
#include "windows/installation_private.h"

static void add_once(struct strings *list, const char *item)
{
	if (*item && !strings_contain(list, item))
		strings_push(list, item);
}

/* Services that the package's configurations name, then those it owns. */
static int package_services(const struct inspection *in, const struct driverdb *db,
			    const struct db_package *package, struct strings *ret,
			    struct error *err)
{
	_cleanup_db_configurations_ struct db_configurations configurations = VEC_INIT;

	if (driverdb_configurations(db, package, &configurations, err) < 0)
		return -1;
	vec_foreach (configuration, &configurations) {
		hkey list = hive_find(db->hive, configuration->key, "Services");
		uint32_t count = list ? hive_child_count(db->hive, list) : 0;

		if (configuration->service)
			add_once(ret, configuration->service);
		for (uint32_t i = 0; i < count; i++) {
			hkey key = hive_child(db->hive, list, i);
			_cleanup_free_ char *name =
				key ? hive_key_name(db->hive, key) : NULL;

			if (name)
				add_once(ret, name);
		}
	}
	if (package->published)
		vec_foreach (service, &in->services)
			if (strings_contain(&service->owners, package->published))
				add_once(ret, service->name);
	return 0;
}

static int add_package(struct inspection *in, const struct driverdb *db,
		       const struct db_package *package, struct error *err)
{
	_cleanup_device_class_ struct device_class class = {0};
	struct installed_driver driver = {
		.published = package->published ? xstrdup(package->published) : NULL,
		.original = package->original ? xstrdup(package->original) : NULL,
		.store = xstrdup(package->store),
		.provider = package->provider ? xstrdup(package->provider) : NULL,
		.arch = ARCH_UNKNOWN,
		.boot_critical = package->boot_critical,
		.reflected = package->reflected,
		.node = package->node,
	};
	int r = 0;

	if (package->has_version) {
		guid_format(&package->version.class_guid, driver.class_guid);
		driver.date = package->version.date;
		driver.version = package->version.version;
		driver.arch = package->version.arch;
		r = device_class_read(in->system, in->out->control_set,
				      &package->version.class_guid, &class, err);
		driver.class_name = steal_ptr(class.name);
		driver.boot_critical |= class.boot_critical;
	}
	if (r >= 0)
		r = package_services(in, db, package, &driver.services, err);
	vec_push(&in->out->drivers, driver); /* owned, whatever follows */
	return r < 0 ? -1 : 0;
}

static int compare_drivers(const void *a, const void *b)
{
	const struct installed_driver *x = a, *y = b;
	unsigned i = OEM_INF_LIMIT, j = OEM_INF_LIMIT;

	if (x->published)
		(void)oem_inf_number(x->published, &i);
	if (y->published)
		(void)oem_inf_number(y->published, &j);
	if (i != j)
		return i < j ? -1 : 1;
	return text_compare(x->store, y->store);
}

/* ---- up to Windows 7 --------------------------------------------------------------- */

/* "10.0.1.2" as class keys hold it; parts that are missing are 0. */
static uint64_t parse_version(const char *text)
{
	uint64_t version = 0;

	for (int i = 0; i < 4; i++) {
		uint64_t part = 0;

		for (; text && *text >= '0' && *text <= '9'; text++)
			part = part * 10 + (uint64_t)(*text - '0') > UINT16_MAX
				       ? UINT16_MAX
				       : part * 10 + (uint64_t)(*text - '0');
		version = version << 16 | part;
		if (text && *text == '.')
			text++;
	}
	return version;
}

static struct installed_driver *find_driver(struct installation *out,
					    const char *published)
{
	vec_foreach (driver, &out->drivers)
		if (driver->published && text_equal(driver->published, published))
			return driver;
	return NULL;
}

/* A driver instance, Class\{guid}\NNNN, that was made from an oemN.inf. */
static void add_instance(struct inspection *in, hkey class, const char *guid, hkey key)
{
	_cleanup_free_ char *published = hive_get_string(in->system, key, "InfPath");
	_cleanup_free_ char *version = NULL;
	_cleanup_reg_value_ struct reg_value date = {0};
	struct installed_driver driver = {0};
	struct guid parsed;
	unsigned number;

	if (!published || !oem_inf_number(published, &number) ||
	    find_driver(in->out, published))
		return;
	version = hive_get_string(in->system, key, "DriverVersion");
	driver.class_name = hive_get_string(in->system, class, "Class");
	driver.provider = hive_get_string(in->system, key, "ProviderName");
	driver.version = parse_version(version);
	driver.arch = in->out->target.arch;
	driver.published = steal_ptr(published);
	driver.store = xstrdup("");
	driver.reflected = true; /* it was installed on a running Windows */
	driver.node = REGISTRY_SYSTEM;
	if (guid_parse(guid, &parsed))
		guid_format(&parsed, driver.class_guid);
	if (hive_value(in->system, key, "DriverDateData", &date, NULL) > 0 &&
	    date.len == 8)
		driver.date = get_le64(date.data);
	vec_foreach (service, &in->services)
		if (strings_contain(&service->owners, driver.published))
			add_once(&driver.services, service->name);
	vec_push(&in->out->drivers, driver);
}

static int add_instances(struct inspection *in, struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s\\Control\\Class", in->out->control_set);
	hkey classes = hive_find(in->system, hive_root(in->system), path);
	uint32_t count = classes ? hive_child_count(in->system, classes) : 0;

	for (uint32_t i = 0; i < count; i++) {
		hkey class = hive_child(in->system, classes, i);
		_cleanup_free_ char *guid =
			class ? hive_key_name(in->system, class) : NULL;
		uint32_t instances = guid ? hive_child_count(in->system, class) : 0;

		if (interrupted())
			return error_interrupted(err);
		for (uint32_t j = 0; j < instances; j++) {
			hkey key = hive_child(in->system, class, j);

			if (key)
				add_instance(in, class, guid, key);
		}
	}
	return 0;
}

int inspect_drivers(struct inspection *in, struct error *err)
{
	vec_foreach (package, &in->packages) {
		const struct driverdb *db = &in->nodes[0];

		if (!db_package_third_party(package))
			continue;
		for (size_t i = 0; i < in->node_count; i++)
			if (in->nodes[i].node == package->node)
				db = &in->nodes[i];
		if (add_package(in, db, package, err) < 0)
			return -1;
	}
	if (!in->node_count && add_instances(in, err) < 0)
		return -1;
	if (in->out->drivers.len)
		qsort(in->out->drivers.items, in->out->drivers.len,
		      sizeof(*in->out->drivers.items), compare_drivers);
	return 0;
}
