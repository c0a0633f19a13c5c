/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Making the small Windows: hives through the registry layer, files in a folder. */
#include "windows_sample.h"

#include <stdio.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "windows/driverdb.h"

void set_text(struct hive *hive, const char *path, const char *name, const char *text)
{
	hkey key;

	assert_int_equal(hive_create(hive, hive_root(hive), path, &key, NULL), 0);
	assert_true(hive_set_string(hive, key, name, REG_SZ, text, NULL) >= 0);
}

void set_number(struct hive *hive, const char *path, const char *name, uint32_t v)
{
	hkey key;

	assert_int_equal(hive_create(hive, hive_root(hive), path, &key, NULL), 0);
	assert_true(hive_set_dword(hive, key, name, v, NULL) >= 0);
}

void set_list(struct hive *hive, const char *path, const char *name, ...)
{
	_cleanup_(strings_free) struct strings items = VEC_INIT;
	const char *item;
	va_list ap;
	hkey key;

	va_start(ap, name);
	while ((item = va_arg(ap, const char *)))
		strings_push(&items, item);
	va_end(ap);
	assert_int_equal(hive_create(hive, hive_root(hive), path, &key, NULL), 0);
	assert_true(hive_set_strings(hive, key, name, &items, NULL) >= 0);
}

void set_bytes(struct hive *hive, const char *path, const char *name, uint32_t type,
	       const void *data, size_t len)
{
	hkey key;

	assert_int_equal(hive_create(hive, hive_root(hive), path, &key, NULL), 0);
	assert_true(hive_set(hive, key, name, type, (struct bytes){data, len}, NULL) >=
		    0);
}

void put_file(const struct sample *s, const char *path, struct bytes data)
{
	_cleanup_free_ char *full = xasprintf("%s/%s", s->folder, path);

	for (char *c = full + strlen(s->folder) + 1; (c = strchr(c, '/')); c++) {
		*c = '\0';
		(void)mkdir(full, 0777);
		*c = '/';
	}
	assert_int_equal(file_replace(full, data, NULL), 0);
}

void put_text(const struct sample *s, const char *path, const char *text)
{
	put_file(s, path, (struct bytes){(const uint8_t *)text, strlen(text)});
}

void remove_file(const struct sample *s, const char *path)
{
	_cleanup_free_ char *full = xasprintf("%s/%s", s->folder, path);

	assert_int_equal(remove(full), 0);
}

void add_class(struct sample *s, const char *guid, const char *name, bool boot)
{
	for (int set = 1; set <= 2; set++) {
		_cleanup_free_ char *key =
			xasprintf("ControlSet00%d\\Control\\Class\\%s", set, guid);
		_cleanup_free_ char *property =
			xasprintf("%s\\Properties\\" CLASS_PROPERTIES "\\0003", key);
		static const uint8_t yes = 0xFF;

		set_text(s->system, key, "Class", name);
		if (boot)
			set_bytes(s->system, property, "", 0xFFFF0011, &yes, 1);
	}
}

/* A driver service in both control sets, and its file. */
void add_service(struct sample *s, const char *name, uint32_t start,
		 uint32_t error_control, bool with_file)
{
	for (int set = 1; set <= 2; set++) {
		_cleanup_free_ char *key =
			xasprintf("ControlSet00%d\\Services\\%s", set, name);

		set_number(s->system, key, "Type", 1);
		set_number(s->system, key, "Start", start);
		set_number(s->system, key, "ErrorControl", error_control);
	}
	if (with_file) {
		_cleanup_free_ char *path =
			xasprintf("Windows/System32/drivers/%s.sys", name);

		put_text(s, path, "driver");
	}
}

void mask(struct sample *s, const char *name)
{
	for (int set = 1; set <= 2; set++) {
		_cleanup_free_ char *key = xasprintf(
			"ControlSet00%d\\Services\\%s\\StartOverride", set, name);

		set_number(s->system, key, "0", 3);
	}
}

/* A package with one configuration and one ID; service NULL: only staged. */
void add_package(struct hive *node, const char *store, const char *published,
		 const char *guid, const char *service, const char *id)
{
	struct package_version version = {.inbox = !text_starts_with(published, "oem"),
					  .arch = ARCH_AMD64,
					  .date = filetime_from_date(2019, 7, 11),
					  .version = 0x0001000200030004};
	struct device_match match = {DEVICE_MATCH_HARDWARE, DEVICE_SCORE_DEFAULT, 0};
	uint8_t data[PACKAGE_VERSION_SIZE], four[DEVICE_MATCH_SIZE];
	_cleanup_free_ char *key = xasprintf("DriverDatabase\\DriverPackages\\%s", store);
	_cleanup_free_ char *configuration = xasprintf("%s\\Configurations\\inst", key);
	_cleanup_free_ char *descriptor = xasprintf("%s\\Descriptors\\%s", key, id);
	_cleanup_free_ char *strings = xasprintf("%s\\Strings", key);
	_cleanup_free_ char *inf =
		xasprintf("DriverDatabase\\DriverInfFiles\\%s", published);
	_cleanup_free_ char *ids = xasprintf("DriverDatabase\\DeviceIds\\%s", id);

	assert_true(guid_parse(guid, &version.class_guid));
	package_version_format(&version, data);
	set_text(node, key, "", published);
	set_text(node, key, "Provider", "Example");
	set_bytes(node, key, "Version", REG_BINARY, data, sizeof(data));
	set_list(node, inf, "", store, NULL);
	set_text(node, inf, "Active", store);
	device_match_format(&match, four);
	set_bytes(node, ids, published, REG_BINARY, four, sizeof(four));
	if (!service)
		return;
	set_text(node, configuration, "Service", service);
	set_number(node, configuration, "ConfigFlags", 0);
	set_text(node, descriptor, "Configuration", "inst");
	set_text(node, descriptor, "Description", "%name%");
	set_text(node, strings, "name", "A Controller");
}

/* The package's files in the store and in INF, under the name that its hash gives. */
char *add_oem(struct sample *s, struct hive *node, unsigned number, const char *base,
	      const char *guid, const char *service, const char *id)
{
	_cleanup_free_ char *text = xasprintf("; %s.inf\r\n", base);
	_cleanup_free_ char *published = xasprintf("oem%u.inf", number);
	_cleanup_free_ char *path = NULL, *inf = xasprintf("Windows/INF/%s", published);
	_cleanup_free_ char *catalog =
		xasprintf("Windows/System32/CatRoot/"
			  "{F750E6C3-38EE-11D1-85E5-00C04FC295EE}/oem%u.cat",
			  number);
	char hash[STORE_HASH_TEXT_SIZE], *store;

	store_hash((struct bytes){(const uint8_t *)text, strlen(text)}, hash);
	store = xasprintf("%s.inf_amd64_%s", base, hash);
	path = xasprintf("Windows/System32/DriverStore/FileRepository/%s/%s.inf", store,
			 base);
	put_text(s, path, text);
	put_text(s, inf, text);
	put_text(s, catalog, "catalog");
	add_package(node, store, published, guid, service, id);
	return store;
}

struct sample *sample_make(void)
{
	struct sample *s = xcalloc(1, sizeof(*s));
	static const uint8_t map = 0xC0;
	_cleanup_free_ char *net = NULL, *scsi = NULL;

	s->folder = temp_folder_make(NULL, NULL);
	s->system = hive_new("ROOT", NULL);
	s->software = hive_new("ROOT", NULL);
	s->drivers = hive_new("ROOT", NULL);
	assert_non_null(s->folder);
	set_number(s->system, "Select", "Current", 1);
	set_number(s->system, "Select", "Default", 1);
	set_text(s->system, "ControlSet001\\Control\\Session Manager\\Environment",
		 "PROCESSOR_ARCHITECTURE", "AMD64");
	set_text(s->system, "ControlSet001\\Control\\ProductOptions", "ProductType",
		 "WinNT");
	set_list(s->system, "ControlSet001\\Control\\ProductOptions", "ProductSuite",
		 "Terminal Server", "Personal", NULL);
	set_text(s->system, "ControlSet001\\Control\\Nls\\Language", "InstallLanguage",
		 "0407");
	set_number(s->system, "DriverDatabase", "Version", 0x0A000000);
	set_number(s->drivers, "DriverDatabase", "Version", 0x0A000000);
	set_bytes(s->system, "DriverDatabase", "OemInfMap", REG_BINARY, &map, 1);
	set_text(s->software, "Microsoft\\Windows NT\\CurrentVersion", "ProductName",
		 "Windows 10 Pro");
	set_text(s->software, "Microsoft\\Windows NT\\CurrentVersion", "EditionID",
		 "Professional");
	set_text(s->software, "Microsoft\\Windows NT\\CurrentVersion", "InstallationType",
		 "Client");
	set_text(s->software, "Microsoft\\Windows NT\\CurrentVersion",
		 "CurrentBuildNumber", "22631");
	set_text(s->software, "Microsoft\\Windows NT\\CurrentVersion", "CurrentBuild",
		 "1.511.1 () (Obsolete data - do not use)");
	set_text(s->software, "Microsoft\\Windows NT\\CurrentVersion", "CurrentVersion",
		 "6.3");
	set_number(s->software, "Microsoft\\Windows NT\\CurrentVersion",
		   "CurrentMajorVersionNumber", 10);
	set_number(s->software, "Microsoft\\Windows NT\\CurrentVersion",
		   "CurrentMinorVersionNumber", 0);
	set_number(s->software, "Microsoft\\Windows NT\\CurrentVersion", "UBR", 2861);
	set_text(s->software, "Microsoft\\Windows\\CurrentVersion\\Setup\\State",
		 "ImageState", "IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE");
	add_class(s, SCSI, "SCSIAdapter", true);
	add_class(s, HDC, "HDC", true);
	add_class(s, SYSTEM_CLASS, "System", true);
	add_class(s, DISK, "DiskDrive", true);
	add_class(s, NET, "Net", false);
	add_service(s, "stornvme", 0, 3, true);
	add_service(s, "pci", 0, 3, true);
	add_service(s, "exscsi", 0, 1, true);
	add_service(s, "beep", 1, 1, true);
	add_package(s->system, "stornvme.inf_amd64_0000000000000001", "stornvme.inf",
		    SCSI, "stornvme", "PCI\\CC_010802");
	add_package(s->system, "pci.inf_amd64_0000000000000001", "pci.inf", SYSTEM_CLASS,
		    "pci", "*PNP0A08");
	add_package(s->system, "beep.inf_amd64_0000000000000001", "beep.inf",
		    SYSTEM_CLASS, "beep", "*PNP0800");
	scsi = add_oem(s, s->system, 0, "exscsi", SCSI, "exscsi",
		       "PCI\\VEN_E001&DEV_0001");
	net = add_oem(s, s->drivers, 1, "exnet", NET, NULL, "PCI\\VEN_E002&DEV_0001");
	return s;
}

struct sample *sample_make_seven(void)
{
	struct sample *s = sample_make();
	struct hive *h = s->system;

	assert_int_equal(
		hive_delete(h, hive_find(h, hive_root(h), "DriverDatabase"), NULL), 0);
	hive_close(s->drivers);
	s->drivers = NULL;
	set_text(s->software, "Microsoft\\Windows NT\\CurrentVersion",
		 "CurrentBuildNumber", "7601");
	set_number(s->software, "Microsoft\\Windows NT\\CurrentVersion",
		   "CurrentMajorVersionNumber", 6);
	set_number(s->software, "Microsoft\\Windows NT\\CurrentVersion",
		   "CurrentMinorVersionNumber", 1);
	return s;
}

void sample_save(struct sample *s)
{
	struct hive *const hives[] = {s->system, s->software, s->drivers};
	static const char *const names[] = {"SYSTEM", "SOFTWARE", "DRIVERS"};

	for (size_t i = 0; i < ARRAY_SIZE(hives); i++) {
		_cleanup_buffer_ struct buffer bytes = BUFFER_INIT;
		_cleanup_free_ char *path =
			xasprintf("Windows/System32/config/%s", names[i]);

		if (!hives[i])
			continue;
		assert_int_equal(hive_serialize(hives[i], &bytes, NULL), 0);
		put_file(s, path, buffer_view(&bytes));
	}
}

void sample_free(struct sample *s)
{
	hive_close(s->system);
	hive_close(s->software);
	hive_close(s->drivers);
	temp_folder_remove(s->folder);
	free(s);
}

struct opened sample_open(struct sample *s)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct opened o = {0};

	sample_save(s);
	o.image = image_open(s->folder, &(struct image_options){0}, &err);
	if (!o.image)
		fail_msg("%s: %s", err.subject, err.reason);
	o.tree = image_tree(o.image, 0, &err);
	assert_non_null(o.tree);
	o.registry = registry_open(o.tree, false);
	return o;
}

void sample_close(struct opened *o)
{
	registry_close(o->registry);
	image_close(o->image);
}

struct installation *inspect(struct sample *s)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct opened o = sample_open(s);
	struct installation *in = installation_open(o.tree, o.registry, &err);

	if (!in)
		fail_msg("%s: %s", err.subject ? err.subject : "", err.reason);
	sample_close(&o);
	return in;
}

size_t count_problems(const struct installation *in, const char *code,
		      enum problem_severity severity)
{
	size_t n = 0;

	vec_foreach (problem, &in->problems)
		n += strcmp(problem->code, code) == 0 && problem->severity == severity;
	return n;
}

const char *problem_text(const struct installation *in, const char *code)
{
	vec_foreach (problem, &in->problems)
		if (strcmp(problem->code, code) == 0)
			return problem->message;
	return "";
}
