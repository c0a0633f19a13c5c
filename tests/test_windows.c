/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The Windows layer: binary values against real ones, the driver database, services, and
 * what the inspection finds in installations that the tests make and break.
 */
#include "windows_sample.h"

#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "windows/driverdb.h"
#include "windows/pe.h"
#include "windows/service.h"

/* ---- binary values ----------------------------------------------------------------- */

static void device_matches_are_four_bytes(void **state _unused_)
{
	static const uint8_t raw[] = {0x02, 0xFB, 0x01, 0x00};
	struct device_match match;
	uint8_t back[DEVICE_MATCH_SIZE];

	assert_true(device_match_parse((struct bytes){raw, 4}, &match));
	assert_int_equal(match.type, DEVICE_MATCH_COMPATIBLE);
	assert_int_equal(match.score, 0xFB);
	assert_int_equal(match.index, 1);
	device_match_format(&match, back);
	assert_memory_equal(raw, back, 4);
	assert_false(device_match_parse((struct bytes){raw, 3}, &match));
	assert_false(device_match_parse((struct bytes){NULL, 0}, &match));
}

static void package_versions_round_trip(void **state _unused_)
{
	/* As Windows 10 wrote it for VMware's vmci. */
	static const uint8_t raw[PACKAGE_VERSION_SIZE] = {
		0x00, 0xff, 0x09, 0x00, 0x00, 0x00, 0x00, 0x00, 0x7d, 0xe9, 0x36, 0x4d,
		0x25, 0xe3, 0xce, 0x11, 0xbf, 0xc1, 0x08, 0x00, 0x2b, 0xe1, 0x03, 0x18,
		0x00, 0x80, 0x24, 0x95, 0x7b, 0x37, 0xd5, 0x01, 0x00, 0x00, 0x10, 0x00,
		0x08, 0x00, 0x09, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00};
	uint8_t back[PACKAGE_VERSION_SIZE];
	struct package_version version;
	char text[PACKAGE_VERSION_TEXT_SIZE], date[PACKAGE_DATE_TEXT_SIZE];
	char guid[GUID_TEXT_SIZE];

	assert_true(package_version_parse((struct bytes){raw, sizeof(raw)}, &version));
	assert_false(version.inbox);
	assert_int_equal(version.arch, ARCH_AMD64);
	guid_format(&version.class_guid, guid);
	assert_string_equal(guid, SYSTEM_CLASS);
	package_version_text(version.version, text);
	assert_string_equal(text, "9.8.16.0");
	package_date_text(version.date, date);
	assert_string_equal(date, "2019-07-11");
	package_version_format(&version, back);
	assert_memory_equal(raw, back, sizeof(raw));
	assert_false(package_version_parse((struct bytes){raw, 47}, &version));
	package_date_text(0, date);
	assert_string_equal(date, "");
	package_date_text(UINT64_MAX, date);
	assert_string_equal(date, "");
}

static void published_names_are_counted(void **state _unused_)
{
	_cleanup_buffer_ struct buffer map = BUFFER_INIT;
	unsigned n = 7;

	assert_true(oem_inf_number("oem0.inf", &n));
	assert_int_equal(n, 0);
	assert_true(oem_inf_number("OEM65535.INF", &n));
	assert_int_equal(n, 65535);
	assert_false(oem_inf_number("oem65536.inf", &n));
	assert_false(oem_inf_number("oem99999999999999999999.inf", &n));
	assert_false(oem_inf_number("oem01.inf", &n));
	assert_false(oem_inf_number("oem.inf", &n));
	assert_false(oem_inf_number("oem1.infx", &n));
	assert_false(oem_inf_number("oemsetup.inf", &n));
	/* Bit 7 of byte 0 is oem0.inf: {0, 2} is A0, as Windows writes it. */
	oem_map_set(&map, 0, true);
	oem_map_set(&map, 2, true);
	assert_int_equal(map.len, 1);
	assert_int_equal(map.data[0], 0xA0);
	oem_map_set(&map, 11, true);
	assert_int_equal(map.len, 2);
	assert_int_equal(map.data[1], 0x10);
	assert_true(oem_map_get(buffer_view(&map), 11));
	oem_map_set(&map, 11, false);
	oem_map_set(&map, 500, false);
	assert_int_equal(map.len, 2);
	assert_false(oem_map_get(buffer_view(&map), 11));
	assert_false(oem_map_get(buffer_view(&map), 4000000000u));
}

static void store_hashes_are_windows_own(void **state _unused_)
{
	const char *data = getenv("GILD_TEST_DATA");
	char hash[STORE_HASH_TEXT_SIZE];
	_cleanup_buffer_ struct buffer raw = BUFFER_INIT;
	_cleanup_free_ char *path = NULL;

	store_hash((struct bytes){(const uint8_t *)"", 0}, hash);
	assert_string_equal(hash, "0000000000000000");
	/* 1*39 + 0xFF = 0x126: bytes count as unsigned, the lowest is printed first. */
	store_hash((struct bytes){(const uint8_t *)"\x01\xff", 2}, hash);
	assert_string_equal(hash, "2601000000000000");
	/* The folder that a real Windows 10 made for this INF, by its setupapi log. */
	path = xasprintf("%s/inf/osdeploy/"
			 "Win11-Wireless__net819xp_2002.1.0106.2013__net819xp.inf",
			 data ? data : "");
	if (access(path, R_OK) == 0) {
		assert_int_equal(file_read(path, 1 << 20, &raw, NULL), 0);
		store_hash(buffer_view(&raw), hash);
		assert_string_equal(hash, "ff7a5dd4f9b1ceba");
	}
}

static void device_ids_are_checked_before_use(void **state _unused_)
{
	char longest[201];

	assert_true(device_id_valid("PCI\\VEN_1AF4&DEV_1001"));
	assert_true(device_id_valid("*PNP0500"));
	assert_true(device_id_valid("{8e7bd593-6e6c-4c52-86a6-77175494dd8e}\\MsVhdHba"));
	assert_false(device_id_valid(""));
	assert_false(device_id_valid("PCI\\"));
	assert_false(device_id_valid("\\PCI"));
	assert_false(device_id_valid("PCI\\\\X"));
	assert_false(device_id_valid("PCI\\A\tB"));
	memset(longest, 'A', sizeof(longest));
	longest[199] = '\0';
	assert_true(device_id_valid(longest));
	longest[199] = 'A';
	longest[200] = '\0';
	assert_false(device_id_valid(longest));
}

static void service_files_are_found(void **state _unused_)
{
	static const struct {
		const char *image, *path;
	} cases[] = {
		{NULL, "Windows/System32/drivers/x.sys"},
		{"", "Windows/System32/drivers/x.sys"},
		{"System32\\drivers\\y.sys", "Windows/System32/drivers/y.sys"},
		{"\\SystemRoot\\System32\\drivers\\y.sys",
		 "Windows/System32/drivers/y.sys"},
		{"%systemroot%\\y.sys", "Windows/y.sys"},
		{"\\??\\C:\\Windows\\y.sys", "Windows/y.sys"},
		{"D:\\Program Files\\y.sys", "Program Files/y.sys"},
		{"\\Device\\Harddisk0\\y.sys", NULL},
		{"%ProgramFiles%\\y.sys", NULL},
		{"System32\\..\\..\\..\\etc\\passwd", NULL},
		{"System32\\\\y.sys", NULL},
		{"C:\\", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *path = service_image(cases[i].image, "x");

		if (cases[i].path)
			assert_string_equal(path, cases[i].path);
		else
			assert_null(path);
	}
}

/* ---- executables ------------------------------------------------------------------- */

/* A PE32+ with one section that holds a version resource 10.0.19041.572. */
static void make_pe(struct buffer *pe)
{
	uint8_t *p = memset(buffer_reserve(pe, 0x400), 0, 0x400), *r = p + 0x200;

	pe->len = 0x400;
	put_le16(p, 0x5A4D);
	put_le32(p + 0x3C, 0x40);
	put_le32(p + 0x40, 0x00004550);
	put_le16(p + 0x44, 0x8664);
	put_le16(p + 0x46, 1);	 /* sections */
	put_le16(p + 0x54, 240); /* optional header */
	put_le16(p + 0x58, 0x20B);
	put_le32(p + 0x58 + 112 + 16, 0x1000); /* resource table */
	put_le32(p + 0x58 + 240 + 12, 0x1000); /* the section: address, size, offset */
	put_le32(p + 0x58 + 240 + 16, 0x200);
	put_le32(p + 0x58 + 240 + 20, 0x200);
	for (unsigned level = 0; level < 3; level++) {
		uint8_t *folder = r + 24 * level;

		put_le16(folder + 14, 1);
		put_le32(folder + 16, level == 0 ? 16 : 1);
		put_le32(folder + 20, 24 * (level + 1) | (level < 2 ? 0x80000000u : 0));
	}
	put_le32(r + 72, 0x1080); /* data: address, size */
	put_le32(r + 76, 0x60);
	put_le32(r + 0x80 + 40, 0xFEEF04BD);
	put_le32(r + 0x80 + 48, 10u << 16);
	put_le32(r + 0x80 + 52, 19041u << 16 | 572);
}

static void kernel_versions_are_read(void **state _unused_)
{
	_cleanup_buffer_ struct buffer pe = BUFFER_INIT;
	char text[PACKAGE_VERSION_TEXT_SIZE];
	uint64_t version = 1;

	make_pe(&pe);
	assert_int_equal(pe_arch(buffer_view(&pe)), ARCH_AMD64);
	assert_true(pe_file_version(buffer_view(&pe), &version));
	package_version_text(version, text);
	assert_string_equal(text, "10.0.19041.572");
	/* Cut anywhere, it is refused or read, never read past its end (ASan watches). */
	for (size_t n = 0; n < pe.len; n++) {
		_cleanup_free_ uint8_t *cut = xmemdup(pe.data, n ? n : 1);

		(void)pe_file_version((struct bytes){cut, n}, &version);
		(void)pe_arch((struct bytes){cut, n});
	}
	/* A resource folder that points at itself ends after three levels. */
	put_le32(pe.data + 0x200 + 20, 0x80000000u);
	assert_false(pe_file_version(buffer_view(&pe), &version));
}

/* ---- driver database --------------------------------------------------------------- */

static void the_database_is_read(void **state _unused_)
{
	struct sample *s = sample_make();
	struct opened o = sample_open(s);
	struct driverdb db;
	_cleanup_db_package_ struct db_package package = {0};
	_cleanup_db_configurations_ struct db_configurations configurations = VEC_INIT;
	_cleanup_db_descriptors_ struct db_descriptors descriptors = VEC_INIT;
	_cleanup_db_matches_ struct db_matches matches = VEC_INIT;
	_cleanup_db_packages_ struct db_packages packages = VEC_INIT;
	_cleanup_db_inf_ struct db_inf inf = {0};
	_cleanup_buffer_ struct buffer map = BUFFER_INIT;

	assert_int_equal(driverdb_open(o.registry, REGISTRY_SYSTEM, &db, NULL), 1);
	assert_int_equal(db.version, 0x0A000000);
	assert_int_equal(db.arch, ARCH_UNKNOWN);
	assert_int_equal(driverdb_packages(&db, &packages, NULL), 0);
	assert_int_equal(packages.len, 4);
	assert_int_equal(driverdb_package(&db, "STORNVME.inf_amd64_0000000000000001",
					  &package, NULL),
			 1);
	assert_string_equal(package.published, "stornvme.inf");
	assert_true(package.has_version && package.version.inbox && package.reflected);
	assert_false(db_package_third_party(&package));
	assert_int_equal(driverdb_configurations(&db, &package, &configurations, NULL),
			 0);
	assert_int_equal(configurations.len, 1);
	assert_string_equal(configurations.items[0].service, "stornvme");
	assert_true(configurations.items[0].has_flags);
	assert_int_equal(driverdb_descriptors(&db, &package, &descriptors, NULL), 0);
	assert_int_equal(descriptors.len, 1);
	assert_string_equal(descriptors.items[0].id, "PCI\\CC_010802");
	assert_string_equal(descriptors.items[0].configuration,
			    configurations.items[0].name);
	assert_int_equal(driverdb_device(&db, "pci\\cc_010802", &matches, NULL), 0);
	assert_int_equal(matches.len, 1);
	assert_string_equal(matches.items[0].published, "stornvme.inf");
	assert_int_equal(matches.items[0].match.type, DEVICE_MATCH_HARDWARE);
	assert_int_equal(driverdb_device(&db, "PCI\\", &matches, NULL), 0);
	assert_int_equal(driverdb_device(&db, "PCI\\NOT_THERE", &matches, NULL), 0);
	assert_int_equal(matches.len, 1);
	assert_int_equal(driverdb_inf(&db, "OEM0.INF", &inf, NULL), 1);
	assert_true(text_starts_with(inf.active, "exscsi.inf_amd64_"));
	assert_int_equal(driverdb_oem_map(&db, &map, NULL), 0);
	assert_int_equal(map.len, 1);
	sample_close(&o);
	sample_free(s);
}

static void classes_decide_the_node(void **state _unused_)
{
	struct sample *s = sample_make();
	static const struct {
		const char *guid;
		enum registry_hive node;
	} cases[] = {{SCSI, REGISTRY_SYSTEM},
		     {NET, REGISTRY_DRIVERS},
		     {CLASS_EXTENSION, REGISTRY_SYSTEM}};

	add_class(s, CLASS_EXTENSION, "Extension", false);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_device_class_ struct device_class class = {0};
		struct guid guid;

		assert_true(guid_parse(cases[i].guid, &guid));
		assert_int_equal(device_class_read(s->system, "ControlSet001", &guid,
						   &class, NULL),
				 1);
		assert_int_equal(device_class_node(&class), cases[i].node);
	}
	sample_free(s);
}

/* ---- inspection -------------------------------------------------------------------- */

static void installations_are_described(void **state _unused_)
{
	struct sample *s = sample_make();
	_cleanup_installation_ struct installation *in = inspect(s);

	assert_string_equal(in->product, "Windows 11 Pro"); /* the value says 10 */
	assert_string_equal(in->edition, "Professional");
	assert_string_equal(in->installation_type, "Client");
	assert_int_equal(in->target.major, 10);
	assert_int_equal(in->target.build, 22631);
	assert_int_equal(in->revision, 2861);
	assert_int_equal(in->target.arch, ARCH_AMD64);
	assert_int_equal(in->target.product, PRODUCT_CLIENT);
	assert_int_equal(in->target.suite, 0x210);
	assert_int_equal(in->target.language, 0x407);
	assert_string_equal(in->control_set, "ControlSet001");
	assert_string_equal(in->state, "generalized");
	assert_true(in->has_drivers_hive);
	assert_int_equal(in->drivers.len, 2);
	assert_string_equal(in->drivers.items[0].published, "oem0.inf");
	assert_string_equal(in->drivers.items[0].class_name, "SCSIAdapter");
	assert_true(in->drivers.items[0].boot_critical && in->drivers.items[0].reflected);
	assert_int_equal(in->drivers.items[0].services.len, 1);
	assert_string_equal(in->drivers.items[1].published, "oem1.inf");
	assert_int_equal(in->drivers.items[1].node, REGISTRY_DRIVERS);
	assert_false(in->drivers.items[1].boot_critical);
	/* pci is a boot bus since storage hangs on PCI; beep is not. */
	assert_int_equal(in->boot_storage.len, 3);
	assert_string_equal(in->boot_storage.items[0].name, "exscsi");
	assert_string_equal(in->boot_storage.items[1].name, "pci");
	assert_string_equal(in->boot_storage.items[2].name, "stornvme");
	assert_int_equal(in->boot_storage.items[2].ids.len, 1);
	assert_string_equal(in->boot_storage.items[2].ids.items[0], "PCI\\CC_010802");
	assert_int_equal(in->problems.len, 0);
	sample_free(s);
}

static void setup_states_are_told(void **state _unused_)
{
	static const struct {
		const char *image_state, *flag, *want;
	} cases[] = {
		{"IMAGE_STATE_COMPLETE", NULL, "complete"},
		{"IMAGE_STATE_COMPLETE", "SystemSetupInProgress", "setup"},
		{"IMAGE_STATE_COMPLETE", "OOBEInProgress", "oobe"},
		{"IMAGE_STATE_UNDEPLOYABLE", NULL, "undeployable"},
		{"IMAGE_STATE_SPECIALIZE_RESEAL_TO_AUDIT", "SystemSetupInProgress",
		 "audit"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sample *s = sample_make();

		set_text(s->software, "Microsoft\\Windows\\CurrentVersion\\Setup\\State",
			 "ImageState", cases[i].image_state);
		if (cases[i].flag)
			set_number(s->system, "Setup", cases[i].flag, 1);
		_cleanup_installation_ struct installation *in = inspect(s);

		assert_string_equal(in->state, cases[i].want);
		sample_free(s);
	}
	struct sample *s = sample_make();

	set_text(s->system, "Setup", "CmdLine", "winpeshl.exe");
	_cleanup_installation_ struct installation *in = inspect(s);

	assert_string_equal(in->state, "winpe");
	assert_string_equal(in->installation_type, "WindowsPE");
	sample_free(s);
}

static void without_software_the_kernel_tells(void **state _unused_)
{
	struct sample *s = sample_make();
	_cleanup_buffer_ struct buffer pe = BUFFER_INIT;

	make_pe(&pe);
	put_file(s, "Windows/System32/ntoskrnl.exe", buffer_view(&pe));
	put_text(s, "Windows/Setup/State/State.ini",
		 "[State]\r\nImageState=IMAGE_STATE_SPECIALIZE_RESEAL_TO_OOBE\r\n");
	hive_close(s->software);
	s->software = NULL;
	_cleanup_installation_ struct installation *in = inspect(s);

	assert_null(in->product);
	assert_int_equal(in->target.build, 19041);
	assert_int_equal(in->revision, 572);
	assert_string_equal(in->state, "oobe");
	assert_int_equal(count_problems(in, "software_missing", PROBLEM_WARNING), 1);
	sample_free(s);
}

static void without_windows_it_says_what_is_missing(void **state _unused_)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct sample *s = sample_make();
	struct opened o = sample_open(s);

	sample_close(&o);
	remove_file(s, "Windows/System32/config/SYSTEM");
	o.image = image_open(s->folder, &(struct image_options){0}, &err);
	o.tree = image_tree(o.image, 0, &err);
	o.registry = registry_open(o.tree, false);
	assert_null(installation_open(o.tree, o.registry, &err));
	assert_int_equal(err.code, ERROR_FAILED);
	assert_non_null(strstr(err.reason, "Windows/System32/config/SYSTEM"));
	sample_close(&o);
	sample_free(s);
}

/* Each thing that is broken is found, named and graded. */
static void problems_are_found(void **state _unused_)
{
	struct sample *s = sample_make();
	_cleanup_free_ _unused_ char *staged = add_oem(s, s->system, 2, "exstaged", SCSI,
						       NULL, "PCI\\VEN_E003&DEV_0001");
	_cleanup_free_ char *broken = add_oem(s, s->system, 3, "exbroken", SCSI, "exscsi",
					      "PCI\\VEN_E004&DEV_0001");
	_cleanup_free_ char *key =
		xasprintf("DriverDatabase\\DriverPackages\\%s", broken);
	_cleanup_free_ char *configuration = xasprintf("%s\\Configurations\\inst", key);
	_cleanup_free_ char *inf = xasprintf(
		"Windows/System32/DriverStore/FileRepository/%s/exbroken.inf", broken);
	static const uint8_t map = 0xE4; /* oem3.inf is missing, oem5.inf is nobody's */
	struct hive *h = s->system;

	set_bytes(h, "DriverDatabase", "OemInfMap", REG_BINARY, &map, 1);
	set_bytes(h, key, "Version", REG_BINARY, "short", 5);
	assert_int_equal(hive_unset(h, hive_find(h, hive_root(h), configuration),
				    "ConfigFlags", NULL),
			 1);
	put_text(s, inf, "; changed\r\n");
	/* The list of shadow copies, and one. */
	put_text(s, "System Volume Information/{3808876b-c176-4e48-b7ae-04046e6cc752}",
		 "");
	put_text(s,
		 "System Volume Information/{9b2ae2cc-8461-11eb-90f8-080027768df7}"
		 "{3808876b-c176-4e48-b7ae-04046e6cc752}",
		 "");
	remove_file(s, "Windows/INF/oem2.inf");
	remove_file(s, "Windows/System32/CatRoot/{F750E6C3-38EE-11D1-85E5-00C04FC295EE}/"
		       "oem0.cat");
	set_list(h, "DriverDatabase\\DriverInfFiles\\oem7.inf", "", "gone.inf_amd64_0",
		 NULL);
	set_bytes(h, "DriverDatabase\\DeviceIds\\USB\\VID_0001", "oem9.inf", REG_BINARY,
		  "\x01\xff\0\0", 4);
	add_service(s, "storahci", 0, 3, false);
	add_service(s, "optional", 0, 1, false);
	add_service(s, "later", 3, 1, true);
	set_text(h, "ControlSet001\\Services\\later", "Group", "SCSI miniport");
	mask(s, "stornvme");
	set_text(h, "HardwareConfig\\{1}", "Id", "x");
	set_list(h, "ControlSet001\\Control\\Class\\" DISK, "LowerFilters", "gonefilter",
		 "beep", NULL);
	put_text(s, "hiberfil.sys", "hibr");
	_cleanup_installation_ struct installation *in = inspect(s);
	static const struct {
		const char *code;
		enum problem_severity severity;
	} want[] = {
		{"staged_not_reflected", PROBLEM_ERROR},
		{"version_missing", PROBLEM_ERROR},
		{"config_flags_missing", PROBLEM_WARNING},
		{"store_hash", PROBLEM_WARNING},
		{"published_inf_differs", PROBLEM_WARNING},
		{"published_inf_missing", PROBLEM_ERROR},
		{"catalog_missing", PROBLEM_WARNING},
		{"inf_dangling", PROBLEM_ERROR},
		{"device_id_dangling", PROBLEM_WARNING},
		{"oem_map_unused", PROBLEM_INFO},
		{"start_override", PROBLEM_WARNING},
		{"hardware_config", PROBLEM_INFO},
		{"filter_missing", PROBLEM_ERROR},
		{"storage_not_boot_start", PROBLEM_INFO},
		{"hibernated", PROBLEM_WARNING},
		{"shadow_copies", PROBLEM_INFO},
	};

	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		if (count_problems(in, want[i].code, want[i].severity) != 1)
			fail_msg("%s: %zu times", want[i].code,
				 count_problems(in, want[i].code, want[i].severity));
	assert_int_equal(count_problems(in, "oem_map", PROBLEM_ERROR), 2); /* 3 and 7 */
	assert_int_equal(count_problems(in, "driver_file_missing", PROBLEM_ERROR), 1);
	assert_int_equal(count_problems(in, "driver_file_missing", PROBLEM_WARNING), 1);
	assert_non_null(strstr(problem_text(in, "filter_missing"), "gonefilter"));
	assert_non_null(strstr(problem_text(in, "start_override"), "stornvme"));
	/* The worst comes first. */
	assert_int_equal(in->problems.items[0].severity, PROBLEM_ERROR);
	assert_int_equal(in->problems.items[in->problems.len - 1].severity, PROBLEM_INFO);
	sample_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(device_matches_are_four_bytes),
		cmocka_unit_test(package_versions_round_trip),
		cmocka_unit_test(published_names_are_counted),
		cmocka_unit_test(store_hashes_are_windows_own),
		cmocka_unit_test(device_ids_are_checked_before_use),
		cmocka_unit_test(service_files_are_found),
		cmocka_unit_test(kernel_versions_are_read),
		cmocka_unit_test(the_database_is_read),
		cmocka_unit_test(classes_decide_the_node),
		cmocka_unit_test(installations_are_described),
		cmocka_unit_test(setup_states_are_told),
		cmocka_unit_test(without_software_the_kernel_tells),
		cmocka_unit_test(without_windows_it_says_what_is_missing),
		cmocka_unit_test(problems_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
