/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Device instances: everything that Enum knows of one PC's hardware, with what hangs on
 * it (class instances, interfaces, network connections and bindings).
 *
 * The rules, for a control set:
 * - Only instances below the enumerators of hardware buses go (list below: the bus
 * drivers that come with Windows, Microsoft, "System-supplied bus drivers"). HTREE, ROOT,
 * SW, SWD, ACPI_HAL and enumerators that are not known stay: software devices are made by
 * setup and come back by nobody.
 * - An instance with a boot-start service goes only if Windows would find its driver
 * again before the system volume is there: one of its hardware or compatible IDs is in
 * the driver database (Windows 8 and later) or CriticalDeviceDatabase. Else it stays, and
 * is reported: the disk hangs on it.
 * - What refers to an instance by name goes with it, and nothing else.
 */
#include "base/name_set.h"
#include "base/text.h"
#include "builder/depersonalize_private.h"
#include "windows/driverdb.h"
#include "windows/service.h"

#define NET_CLASS "{4d36e972-e325-11ce-bfc1-08002be10318}"

static const char *const buses[] = {
	"PCI",	      "USB",	    "USBSTOR",
	"USBPRINT",   "HDAUDIO",    "HID",
	"DISPLAY",    "IDE",	    "PCIIDE",
	"SCSI",	      "STORAGE",    "FDC",
	"LPTENUM",    "ISAPNP",	    "BTH",
	"BTHENUM",    "BTHLE",	    "BTHLEDevice",
	"SD",	      "1394",	    "SBP2",
	"PCMCIA",     "ACPI",	    "VMBUS",
	"UASPSTOR",   "WPDBUSENUM", "WpdBusEnumRoot",
	"INTELAUDIO",
};

struct device_work {
	struct depersonalizing *d;
	struct hive *hive;
	const char *set;
	struct driverdb database;
	bool has_database;
	struct strings instances; /* "PCI\VEN_...\3&...": removed */
	struct name_set set_of_instances;
	struct strings adapters; /* "{guid}" of their network adapters */
};

static hkey find(const struct device_work *w, const char *path)
{
	_cleanup_free_ char *full = xasprintf("%s\\%s", w->set, path);

	return hive_find(w->hive, hive_root(w->hive), full);
}

/* ---- what has to stay
 * -------------------------------------------------------------------- */

static bool is_boot_start(const struct device_work *w, const char *service)
{
	_cleanup_free_ char *path = xasprintf("Services\\%s", service);
	hkey key = find(w, path);
	uint32_t start;

	return key && hive_get_dword(w->hive, key, "Start", &start) &&
	       start == SERVICE_BOOT;
}

static bool is_known_id(const struct device_work *w, const char *id)
{
	_cleanup_db_matches_ struct db_matches matches = VEC_INIT;
	_cleanup_free_ char *path = NULL, *service = NULL;
	hkey key;

	if (w->has_database)
		return device_id_valid(id) &&
		       driverdb_device(&w->database, id, &matches, NULL) >= 0 &&
		       matches.len;
	path = xasprintf("Control\\CriticalDeviceDatabase\\%s", id);
	for (char *c = path + strlen("Control\\CriticalDeviceDatabase\\"); *c; c++)
		if (*c == '\\')
			*c = '#';
	key = find(w, path);
	service = key ? hive_get_string(w->hive, key, "Service") : NULL;
	return service && is_boot_start(w, service);
}

/* NULL: it may go; else the service that it starts Windows with. Caller's. */
static char *needed_service(const struct device_work *w, hkey instance)
{
	_cleanup_(strings_free) struct strings ids = VEC_INIT;
	char *service = hive_get_string(w->hive, instance, "Service");

	if (!service || !is_boot_start(w, service)) {
		free(service);
		return NULL;
	}
	hive_get_strings(w->hive, instance, "HardwareID", &ids);
	hive_get_strings(w->hive, instance, "CompatibleIDs", &ids);
	vec_foreach (id, &ids)
		if (**id && is_known_id(w, *id)) {
			free(service);
			return NULL;
		}
	return service;
}

/* ---- instances
 * --------------------------------------------------------------------------- */

/* The class instance ("{guid}\0007"), and of a network adapter its GUID. */
static int drop_class_instance(struct device_work *w, hkey instance, struct error *err)
{
	_cleanup_free_ char *driver = hive_get_string(w->hive, instance, "Driver");
	_cleanup_free_ char *path = NULL, *adapter = NULL;
	hkey key;

	/* A class and a number: nothing else is deleted for a name in a hive. */
	if (!driver || *driver != '{' || !strchr(driver, '\\') ||
	    strchr(driver, '\\') != strrchr(driver, '\\') || !strchr(driver, '\\')[1])
		return 0;
	path = xasprintf("Control\\Class\\%s", driver);
	key = find(w, path);
	if (!key)
		return 0;
	if (text_starts_with(driver, NET_CLASS))
		adapter = hive_get_string(w->hive, key, "NetCfgInstanceId");
	if (adapter && *adapter == '{')
		strings_push(&w->adapters, adapter);
	return hive_delete(w->hive, key, err);
}

static int drop_instance(struct device_work *w, hkey instance, const char *path,
			 struct error *err)
{
	_cleanup_free_ char *service = needed_service(w, instance);

	if (service) {
		vec_push(&w->d->out->left,
			 xasprintf("%s\\Enum\\%s: boot-start service %s is not known for "
				   "any of its IDs",
				   w->set, path, service));
		return 0;
	}
	if (drop_class_instance(w, instance, err) < 0 ||
	    hive_delete(w->hive, instance, err) < 0)
		return -1;
	strings_push(&w->instances, path);
	return 0;
}

static int drop_device(struct device_work *w, hkey device, const char *path,
		       struct error *err)
{
	for (uint32_t i = hive_child_count(w->hive, device); i-- > 0;) {
		hkey instance = hive_child(w->hive, device, i);
		_cleanup_free_ char *name =
			instance ? hive_key_name(w->hive, instance) : NULL;
		_cleanup_free_ char *full = name ? xasprintf("%s\\%s", path, name) : NULL;

		if (full && drop_instance(w, instance, full, err) < 0)
			return -1;
	}
	return hive_child_count(w->hive, device) ? 0 : hive_delete(w->hive, device, err);
}

static int drop_bus(struct device_work *w, const char *bus, struct error *err)
{
	_cleanup_free_ char *path = xasprintf("Enum\\%s", bus);
	_cleanup_free_ char *where = xasprintf("SYSTEM\\%s\\%s", w->set, path);
	hkey key = find(w, path);
	size_t before = w->instances.len;

	for (uint32_t i = key ? hive_child_count(w->hive, key) : 0; i-- > 0;) {
		hkey device = hive_child(w->hive, key, i);
		_cleanup_free_ char *name =
			device ? hive_key_name(w->hive, device) : NULL;
		_cleanup_free_ char *full = name ? xasprintf("%s\\%s", bus, name) : NULL;

		if (interrupted())
			return error_interrupted(err);
		if (full && drop_device(w, device, full, err) < 0)
			return -1;
	}
	depersonalized(w->d, "devices", "devices of the old machine", where,
		       w->instances.len - before, 0);
	return 0;
}

/* ---- interfaces of devices
 * ----------------------------------------------------------------- */

/* Control\DeviceClasses\{guid}\##?#...: the device that it belongs to is a value. */
static int drop_interfaces(struct device_work *w, struct error *err)
{
	_cleanup_free_ char *where =
		xasprintf("SYSTEM\\%s\\Control\\DeviceClasses", w->set);
	hkey list = find(w, "Control\\DeviceClasses");
	uint64_t count = 0;

	for (uint32_t i = 0; list && i < hive_child_count(w->hive, list); i++) {
		hkey class = hive_child(w->hive, list, i);

		for (uint32_t k = class ? hive_child_count(w->hive, class) : 0;
		     k-- > 0;) {
			hkey key = hive_child(w->hive, class, k);
			_cleanup_free_ char *device =
				key ? hive_get_string(w->hive, key, "DeviceInstance")
				    : NULL;

			if (!device || !name_set_has(&w->set_of_instances, device))
				continue;
			if (hive_delete(w->hive, key, err) < 0)
				return -1;
			count++;
		}
	}
	depersonalized(w->d, "device_interfaces", "interfaces of these devices", where,
		       count, 0);
	return 0;
}

/* ---- network adapters
 * ------------------------------------------------------------------------ */

/* Connections whose device went without a class instance that named them. */
static void find_connections(struct device_work *w)
{
	hkey list = find(w, "Control\\Network\\" NET_CLASS);

	for (uint32_t i = 0; list && i < hive_child_count(w->hive, list); i++) {
		hkey key = hive_child(w->hive, list, i);
		_cleanup_free_ char *name = key ? hive_key_name(w->hive, key) : NULL;
		hkey connection = key ? hive_find(w->hive, key, "Connection") : 0;
		_cleanup_free_ char *device =
			connection ? hive_get_string(w->hive, connection, "PnpInstanceID")
				   : NULL;

		if (name && device && name_set_has(&w->set_of_instances, device) &&
		    !strings_contain(&w->adapters, name))
			strings_push(&w->adapters, name);
	}
}

static int drop_adapter(struct device_work *w, const char *adapter, struct error *err)
{
	/* %s is the adapter's GUID. Up to XP a service has its TCP/IP settings as well.
	 */
	static const char *const places[] = {
		"Control\\Network\\" NET_CLASS "\\%s",
		"Control\\NetworkSetup2\\Interfaces\\%s",
		"Services\\Tcpip\\Parameters\\Interfaces\\%s",
		"Services\\Tcpip\\Parameters\\Adapters\\%s",
		"Services\\Tcpip\\Parameters\\DNSRegisteredAdapters\\%s",
		"Services\\Tcpip6\\Parameters\\Interfaces\\%s",
		"Services\\NetBT\\Parameters\\Interfaces\\Tcpip_%s",
		"Services\\%s",
	};
	struct guid guid;

	if (!guid_parse(adapter, &guid))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		_cleanup_free_ char *folder = xstrndup(
			places[i], (size_t)(strstr(places[i], "%s") - places[i]));
		_cleanup_free_ char *path = xasprintf("%s%s", folder, adapter);
		_cleanup_free_ char *where = NULL;
		hkey key = find(w, path);

		if (!key)
			continue;
		if (hive_delete(w->hive, key, err) < 0)
			return -1;
		*strrchr(folder, '\\') = '\0';
		where = xasprintf("SYSTEM\\%s\\%s", w->set, folder);
		depersonalized(w->d, "network_adapters",
			       "settings of the old network adapters", where, 1, 0);
	}
	return 0;
}

static bool names_adapter(const struct device_work *w, const char *text)
{
	_cleanup_free_ char *lower = text_lower(text);

	vec_foreach (adapter, &w->adapters) {
		_cleanup_free_ char *guid = text_lower(*adapter);

		if (strstr(lower, guid))
			return true;
	}
	return false;
}

/* Bind, Route and Export of a protocol have an entry for each adapter it is bound to. */
static int drop_bindings(struct device_work *w, hkey linkage, uint64_t *count,
			 struct error *err)
{
	static const char *const lists[] = {"Bind", "Route", "Export"};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		_cleanup_(strings_free) struct strings old = VEC_INIT, kept = VEC_INIT;

		if (!hive_get_strings(w->hive, linkage, lists[i], &old))
			continue;
		vec_foreach (item, &old)
			if (!names_adapter(w, *item))
				strings_push(&kept, *item);
		if (kept.len == old.len)
			continue;
		*count += old.len - kept.len;
		if (hive_set_strings(w->hive, linkage, lists[i], &kept, err) < 0)
			return -1;
	}
	return 0;
}

static int drop_all_bindings(struct device_work *w, struct error *err)
{
	_cleanup_free_ char *where = xasprintf("SYSTEM\\%s\\Services", w->set);
	hkey list = find(w, "Services");
	uint32_t total = list && w->adapters.len ? hive_child_count(w->hive, list) : 0;
	uint64_t count = 0;

	for (uint32_t i = 0; i < total; i++) {
		hkey service = hive_child(w->hive, list, i);
		hkey linkage = service ? hive_find(w->hive, service, "Linkage") : 0;

		if (linkage && drop_bindings(w, linkage, &count, err) < 0)
			return -1;
	}
	depersonalized(w->d, "network_bindings", "bindings to the old network adapters",
		       where, count, 0);
	return 0;
}

/* ---- all
 * ---------------------------------------------------------------------------------------
 */

static int drop_all(struct device_work *w, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(buses); i++)
		if (drop_bus(w, buses[i], err) < 0)
			return -1;
	vec_foreach (instance, &w->instances)
		(void)name_set_add(&w->set_of_instances, *instance);
	find_connections(w);
	if (drop_interfaces(w, err) < 0)
		return -1;
	vec_foreach (adapter, &w->adapters)
		if (drop_adapter(w, *adapter, err) < 0)
			return -1;
	return drop_all_bindings(w, err);
}

int depersonalize_devices(struct depersonalizing *d, const char *set, struct error *err)
{
	struct device_work w = {.d = d, .hive = d->system, .set = set};
	int has = driverdb_open(d->registry, REGISTRY_SYSTEM, &w.database, err), result;

	if (has < 0)
		return -1;
	w.has_database = has > 0;
	result = drop_all(&w, err);
	name_set_free(&w.set_of_instances);
	strings_free(&w.instances);
	strings_free(&w.adapters);
	return result;
}
