/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The third-party packages of an installation: from the driver database, or, up to
 * Windows 7, from the class keys of the devices that were installed.
 */
#include "base/text.h"
#include "windows/installation_private.h"

#define INF_LIMIT ((size_t)16 << 20)

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

/* ---- Vista and 7: packages that Windows or gild put in ---- */

/* "x.inf" of "x.inf_amd64_neutral_0123456789abcdef"; NULL if the name is of no package.
 */
static char *inf_of_folder(const char *folder)
{
	for (const char *p = folder; *p; p++)
		if (text_starts_with(p, ".inf_"))
			return xstrndup(folder, (size_t)(p - folder) + strlen(".inf"));
	return NULL;
}

/* True if the folder of the store has the INF with these bytes; `path` is its path. */
static int same_inf(struct tree *tree, const char *path, struct bytes inf,
		    struct error *err)
{
	_cleanup_buffer_ struct buffer other = BUFFER_INIT;
	struct tree_stat st;
	int found = tree_stat(tree, path, &st, err);

	if (found <= 0 || st.type != TREE_FILE || st.size != inf.len)
		return found < 0 ? -1 : 0;
	if (tree_read(tree, path, inf.len, &other, err) < 0)
		return -1;
	return bytes_equal(inf, buffer_view(&other));
}

/*
 * Which folder of the store a published INF is the INF of: by its bytes, since the index
 * that tells Windows is not readable.
 */
static int find_folder(struct inspection *in, const struct tree_entries *folders,
		       const char *published, uint64_t size,
		       struct installed_driver *driver, struct error *err)
{
	_cleanup_free_ char *path = xasprintf("Windows/INF/%s", published);
	_cleanup_buffer_ struct buffer inf = BUFFER_INIT;

	if (size > INF_LIMIT || tree_read(in->tree, path, INF_LIMIT, &inf, err) < 0)
		return size > INF_LIMIT ? 0 : -1;
	vec_foreach (folder, folders) {
		_cleanup_free_ char *name = inf_of_folder(folder->name);
		_cleanup_free_ char *stored =
			name ? xasprintf(DRIVER_STORE_FOLDER "/%s/%s", folder->name, name)
			     : NULL;
		int same =
			stored ? same_inf(in->tree, stored, buffer_view(&inf), err) : 0;

		if (same < 0)
			return -1;
		if (!same)
			continue;
		free(driver->store);
		driver->store = xstrdup(folder->name);
		free(driver->original);
		driver->original = steal_ptr(name);
		return 0;
	}
	return 0;
}

/* Every oemN.inf that Windows has published, whether a device has used it or not. */
static int add_published(struct inspection *in, struct error *err)
{
	_cleanup_tree_entries_ struct tree_entries infs = VEC_INIT, folders = VEC_INIT;

	if (tree_list(in->tree, "Windows/INF", &infs, err) < 0 ||
	    tree_list(in->tree, DRIVER_STORE_FOLDER, &folders, err) < 0)
		return -1;
	vec_foreach (inf, &infs) {
		struct installed_driver *driver;
		unsigned number;

		if (inf->stat.type != TREE_FILE || !oem_inf_number(inf->name, &number))
			continue;
		if (interrupted())
			return error_interrupted(err);
		driver = find_driver(in->out, inf->name);
		if (!driver) {
			vec_push(&in->out->drivers,
				 (struct installed_driver){.published =
								   text_lower(inf->name),
							   .store = xstrdup(""),
							   .arch = in->out->target.arch,
							   .node = REGISTRY_SYSTEM});
			driver = &in->out->drivers.items[in->out->drivers.len - 1];
		}
		if (find_folder(in, &folders, inf->name, inf->stat.size, driver, err) < 0)
			return -1;
	}
	return 0;
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
	if (!in->node_count &&
	    (add_instances(in, err) < 0 || add_published(in, err) < 0 ||
	     inspect_injected(in, err) < 0))
		return -1;
	if (in->out->drivers.len)
		qsort(in->out->drivers.items, in->out->drivers.len,
		      sizeof(*in->out->drivers.items), compare_drivers);
	return 0;
}
