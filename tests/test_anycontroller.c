/* SPDX-License-Identifier: GPL-3.0-or-later */
/* --any-controller on installations that the tests make: what changes, stays, is refused.
 */
#include "windows_sample.h"

#include "base/text.h"
#include "windows/anycontroller.h"
#include "windows/bcd.h"
#include "windows/critical_device.h"
#include "windows/service.h"

/* Stands for the injector: notes what it is given, refuses oem3.inf. */
static int note_reflected(const struct db_package *package, void *arg, struct error *err)
{
	if (strcmp(package->published, "oem3.inf") == 0)
		return error_set(err, ERROR_ANSWER_NO, package->published, "is unsigned");
	strings_push(arg, package->store);
	return 1;
}

static struct any_controller_service *find_changed(struct any_controller_result *result,
						   const char *set, const char *name)
{
	vec_foreach (service, &result->services)
		if (strcmp(service->control_set, set) == 0 &&
		    text_equal(service->service, name))
			return service;
	return NULL;
}

static const char *left_reason(const struct any_controller_result *result,
			       const char *name)
{
	vec_foreach (left, &result->left)
		if (text_equal(left->name, name))
			return left->reason;
	return "";
}

static uint32_t start_of(struct hive *hive, const char *set, const char *name)
{
	_cleanup_service_ struct service service = {0};

	assert_int_equal(service_read(hive, set, name, &service, NULL), 1);
	return service.start;
}

static struct sample *sample_for_any(void)
{
	struct sample *s = sample_make();
	struct hive *h = s->system;

	mask(s, "stornvme");
	mask(s, "beep");
	set_text(h, "HardwareConfig\\{2}", "Id", "x");
	set_text(h, "HardwareConfig", "LastConfig", "{2}");
	add_service(s, "storahci", 3, 3, true);
	add_package(h, "mshdc.inf_amd64_0000000000000001", "mshdc.inf", HDC, "storahci",
		    "PCI\\CC_010601");
	set_text(h, "ControlSet001\\Services\\storahci", "ImagePath",
		 "\\SystemRoot\\System32\\drivers\\storahci.sys");
	add_service(s, "disabled", 4, 1, true);
	add_package(h, "disabled.inf_amd64_0000000000000001", "disabled.inf", SCSI,
		    "disabled", "PCI\\VEN_E005&DEV_0001");
	add_service(s, "usbxhci", 3, 1, true);
	set_number(h, "ControlSet001\\Services\\usbxhci", "BootFlags", 0x10);
	set_number(h, "ControlSet002\\Services\\usbxhci", "BootFlags", 0x10);
	add_service(s, "iscsi", 3, 1, true);
	set_number(h, "ControlSet001\\Services\\iscsi", "BootFlags", 1);
	set_number(h, "ControlSet002\\Services\\iscsi", "BootFlags", 1);
	add_package(h, "iscsi.inf_amd64_0000000000000001", "iscsi.inf", SCSI, "iscsi",
		    "Root\\iSCSIPrt");
	add_service(s, "partmgr", 0, 3, true);
	add_service(s, "iaStorF", 0, 1, true);
	add_service(s, "encrypt", 0, 1, true);
	set_list(h, "ControlSet001\\Control\\Class\\" DISK, "UpperFilters", "partmgr",
		 "iaStorF", "nowhere", "encrypt", "exscsi", NULL);
	set_list(h, "ControlSet001\\Services\\exscsi", "Owners", "oem0.inf", NULL);
	set_list(h, "ControlSet001\\Control\\Class\\" DISK, "LowerFilters", "nowhere",
		 NULL);
	return s;
}

static void any_controller_frees_the_image(void **state _unused_)
{
	struct sample *s = sample_for_any();
	_cleanup_free_ char *two = add_oem(s, s->system, 2, "exstaged", SCSI, NULL,
					   "PCI\\VEN_E003&DEV_0001");
	_cleanup_free_ _unused_ char *three =
		add_oem(s, s->system, 3, "exbad", SCSI, NULL, "PCI\\VEN_E006&DEV_0001");
	struct opened o = sample_open(s);
	_cleanup_any_controller_result_ struct any_controller_result result;
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_(strings_free) struct strings filters = VEC_INIT, given = VEC_INIT;
	struct hive *h = registry_hive(o.registry, REGISTRY_SYSTEM, NULL);
	_cleanup_free_ char *path = NULL;
	uint32_t flags = 0;
	hkey class;

	if (any_controller_apply(o.tree, o.registry, note_reflected, &given, &result,
				 &err) < 0)
		fail_msg("%s", err.reason);
	/* Services, in both control sets. */
	for (int set = 1; set <= 2; set++) {
		_cleanup_free_ char *name = xasprintf("ControlSet00%d", set);
		struct any_controller_service *changed =
			find_changed(&result, name, "storahci");

		assert_non_null(changed);
		assert_int_equal(changed->from, 3);
		assert_int_equal(start_of(h, name, "storahci"), 0);
		assert_int_equal(start_of(h, name, "usbxhci"), 0);
		assert_int_equal(start_of(h, name, "disabled"), 4);
		assert_int_equal(start_of(h, name, "iscsi"), 3);
		assert_int_equal(start_of(h, name, "beep"), 1);
		changed = find_changed(&result, name, "stornvme");
		assert_true(changed && changed->unmasked && changed->from == 0);
	}
	path = hive_get_string(
		h, hive_find(h, hive_root(h), "ControlSet001\\Services\\storahci"),
		"ImagePath");
	assert_string_equal(path, "System32\\drivers\\storahci.sys");
	assert_non_null(strstr(left_reason(&result, "disabled"), "Start=4"));
	assert_non_null(strstr(left_reason(&result, "iscsi"), "network"));
	assert_int_equal(find_changed(&result, "ControlSet001", "exscsi") != NULL, 0);
	assert_true(strings_contain(&result.ids, "PCI\\CC_010601"));
	assert_true(strings_contain(&result.ids, "PCI\\CC_010802"));
	assert_false(strings_contain(&result.ids, "PCI\\VEN_E001&DEV_0001"));
	hive_get_dword(h, hive_find(h, hive_root(h), "ControlSet002\\Control"),
		       "BootDriverFlags", &flags);
	assert_int_equal(flags, 0x1C);
	/* What remembered one machine. */
	assert_int_equal(result.removed.len, 5);
	assert_int_equal(hive_find(h, hive_root(h),
				   "ControlSet001\\Services\\beep\\StartOverride"),
			 0);
	assert_int_equal(hive_find(h, hive_root(h), "HardwareConfig\\{2}"), 0);
	assert_int_not_equal(hive_find(h, hive_root(h), "HardwareConfig"), 0);
	/* Filters: Windows' own and strangers stay, vendors' and dead ones go. */
	class = hive_find(h, hive_root(h), "ControlSet001\\Control\\Class\\" DISK);
	assert_true(hive_get_strings(h, class, "UpperFilters", &filters));
	assert_int_equal(filters.len, 2);
	assert_string_equal(filters.items[0], "partmgr");
	assert_string_equal(filters.items[1], "encrypt");
	assert_false(hive_get_strings(h, class, "LowerFilters", &filters));
	assert_int_equal(result.filters.len, 4);
	/* Staged packages went to the injector; its refusal is an error of the result. */
	assert_int_equal(result.reflected.len, 1);
	assert_string_equal(result.reflected.items[0], "oem2.inf");
	assert_int_equal(given.len, 1);
	assert_string_equal(given.items[0], two);
	assert_int_equal(result.errors.len, 1);
	assert_string_equal(result.errors.items[0].subject, "oem3.inf");
	sample_close(&o);
	sample_free(s);
}

/* A second run finds nothing to do: same bytes. */
static void any_controller_is_idempotent(void **state _unused_)
{
	struct sample *s = sample_for_any();
	struct opened o = sample_open(s);
	_cleanup_any_controller_result_ struct any_controller_result first, second;
	struct hive *h = registry_hive(o.registry, REGISTRY_SYSTEM, NULL);
	size_t changes;

	assert_int_equal(
		any_controller_apply(o.tree, o.registry, NULL, NULL, &first, NULL), 0);
	changes = hive_changes(h)->len;
	assert_int_not_equal(changes, 0);
	assert_int_equal(
		any_controller_apply(o.tree, o.registry, NULL, NULL, &second, NULL), 0);
	assert_int_equal(hive_changes(h)->len, changes);
	assert_int_equal(second.services.len, 0);
	assert_int_equal(second.removed.len, 0);
	assert_int_equal(second.filters.len, 0);
	assert_int_equal(second.ids.len, 0);
	sample_close(&o);
	sample_free(s);
}

static void missing_boot_files_are_errors(void **state _unused_)
{
	struct sample *s = sample_for_any();
	struct opened o;
	_cleanup_any_controller_result_ struct any_controller_result result;

	remove_file(s, "Windows/System32/drivers/storahci.sys"); /* ErrorControl 3 */
	remove_file(s, "Windows/System32/drivers/exscsi.sys");	 /* ErrorControl 1 */
	o = sample_open(s);
	assert_int_equal(
		any_controller_apply(o.tree, o.registry, NULL, NULL, &result, NULL), 0);
	assert_int_equal(result.errors.len, 2); /* one per control set */
	assert_string_equal(result.errors.items[0].subject,
			    "ControlSet001\\Services\\storahci");
	assert_non_null(result.errors.items[0].remedy);
	assert_int_equal(start_of(registry_hive(o.registry, REGISTRY_SYSTEM, NULL),
				  "ControlSet001", "storahci"),
			 3);
	assert_non_null(strstr(left_reason(&result, "exscsi"), "is missing"));
	sample_close(&o);
	sample_free(s);
}

static void older_windows_has_no_database(void **state _unused_)
{
	struct sample *s = sample_make_seven();
	struct hive *h = s->system;
	const char *cddb =
		"ControlSet001\\Control\\CriticalDeviceDatabase\\PCI#CC_010601";
	struct installation *in;

	add_service(s, "msahci", 0, 3, true);
	set_text(h, cddb, "Service", "msahci");
	set_text(h, cddb, "ClassGUID", "{4D36E96A-E325-11CE-BFC1-08002BE10318}");
	set_text(h, "ControlSet001\\Control\\Class\\" NET "\\0000", "InfPath",
		 "oem4.inf");
	set_text(h, "ControlSet001\\Control\\Class\\" NET "\\0000", "DriverVersion",
		 "1.2.3.99999");
	in = inspect(s);
	assert_int_equal(in->boot_storage.len, 1);
	assert_string_equal(in->boot_storage.items[0].name, "msahci");
	assert_string_equal(in->boot_storage.items[0].ids.items[0], "PCI\\CC_010601");
	/* Two that Windows published and no device uses, then the one of a device. */
	assert_int_equal(in->drivers.len, 3);
	assert_string_equal(in->drivers.items[2].published, "oem4.inf");
	assert_true(in->drivers.items[2].version == 0x000100020003FFFF);
	assert_int_equal(count_problems(in, "legacy_driver_store", PROBLEM_INFO), 1);
	installation_close(in);
	sample_free(s);
}

/* 32-bit Windows 7 as setup leaves it: most miniports on demand, one entry taken out. */
static struct sample *sample_seven(void)
{
	static const char cddb[] =
		"ControlSet001\\Control\\CriticalDeviceDatabase\\PCI#CC_010601";
	struct sample *s = sample_make_seven();
	struct hive *h = s->system;

	set_text(h, "ControlSet001\\Control\\Session Manager\\Environment",
		 "PROCESSOR_ARCHITECTURE", "x86");
	add_service(s, "msahci", 3, 3, true);
	set_text(h, cddb, "Service", "msahci");
	set_text(h, cddb, "ClassGUID", "{4D36E96A-E325-11CE-BFC1-08002BE10318}");
	set_text(h, cddb, "DriverPackageId", "mshdc.inf_x86_neutral_0");
	add_service(s, "pciide", 3, 3, true);
	add_service(s, "atapi", 0, 3, false);
	return s;
}

static void windows_7_starts_from_inbox_controllers(void **state _unused_)
{
	struct sample *s = sample_seven();
	struct any_controller_result result;
	_cleanup_critical_device_ struct critical_device claim = {0};
	_cleanup_error_ struct error err = ERROR_INIT;
	struct opened o = sample_open(s);
	struct hive *h = registry_hive(o.registry, REGISTRY_SYSTEM, &err);

	assert_int_equal(
		any_controller_apply(o.tree, o.registry, NULL, NULL, &result, &err), 0);
	assert_int_equal(start_of(h, "ControlSet001", "msahci"), 0);
	assert_int_equal(start_of(h, "ControlSet001", "pciide"), 0);
	/* Its entry is back, since the service and its file are there. */
	assert_int_equal(
		critical_device_read(h, "ControlSet001", "PCI\\CC_0101", &claim, &err),
		1);
	assert_string_equal(claim.service, "pciide");
	assert_null(claim.package);
	assert_true(strings_contain(&result.ids, "PCI\\CC_0101"));
	/* atapi has no file: no entry for it. */
	assert_false(strings_contain(&result.ids, "Internal_IDE_Channel"));
	assert_non_null(strstr(left_reason(&result, "hal.dll"), "halacpi.dll"));
	any_controller_result_free(&result);
	assert_int_equal(
		any_controller_apply(o.tree, o.registry, NULL, NULL, &result, &err), 0);
	assert_int_equal(result.services.len, 0);
	assert_int_equal(result.ids.len, 0);
	any_controller_result_free(&result);
	sample_close(&o);
	sample_free(s);
}

static void windows_8_needs_its_database(void **state _unused_)
{
	struct sample *s = sample_seven();
	struct any_controller_result result;
	_cleanup_error_ struct error err = ERROR_INIT;
	struct opened o;

	set_number(s->software, "Microsoft\\Windows NT\\CurrentVersion",
		   "CurrentMinorVersionNumber", 3);
	o = sample_open(s);
	assert_int_equal(
		any_controller_apply(o.tree, o.registry, NULL, NULL, &result, &err), -1);
	assert_int_equal(err.code, ERROR_STATE);
	assert_non_null(strstr(err.reason, "no DriverDatabase"));
	any_controller_result_free(&result);
	sample_close(&o);
	sample_free(s);
}

/* ---- boot configuration ------------------------------------------------------------ */

#define LOADER 0x10200003u
#define DETECT "\\Elements\\26000010"

static void add_object(struct hive *store, const char *guid, uint32_t type,
		       const char *element)
{
	_cleanup_free_ char *description = xasprintf("Objects\\%s\\Description", guid);
	_cleanup_free_ char *path =
		element ? xasprintf("Objects\\%s\\Elements\\%s", guid, element) : NULL;

	set_number(store, description, "Type", type);
	if (path)
		set_bytes(store, path, "Element", REG_BINARY, "\1", 1);
}

static bool detects(const struct opened *o, const char *path, const char *guid)
{
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;
	_cleanup_free_ char *key = xasprintf("Objects\\%s" DETECT, guid);
	struct hive_options options = {.name = path};
	_cleanup_hive_ struct hive *store = NULL;

	assert_int_equal(tree_read(o->tree, path, 1 << 20, &data, NULL), 0);
	store = hive_open(buffer_view(&data), &options, NULL);
	assert_non_null(store);
	return hive_find(store, hive_root(store), key) != 0;
}

static void loaders_detect_the_hal(void **state _unused_)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_hive_ struct hive *store = hive_new("BCD", NULL);
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;
	_cleanup_(strings_free) struct strings changed = VEC_INIT;
	struct sample *s = sample_make();
	struct opened o;

	add_object(store, "{01}", LOADER, NULL);
	add_object(store, "{02}", LOADER, "26000022"); /* Windows PE */
	add_object(store, "{03}", LOADER, "22000012"); /* has a HAL of its own */
	add_object(store, "{04}", LOADER, "22000011"); /* and a kernel */
	add_object(store, "{05}", 0x10200004u, NULL);  /* resumes from hibernation */
	assert_int_equal(hive_serialize(store, &data, NULL), 0);
	put_file(s, "Boot/BCD", buffer_view(&data));
	put_text(s, "Boot/BCD.LOG", "");
	o = sample_open(s);
	assert_int_equal(bcd_detect_hal(o.tree, BCD_EFI, false, &changed, &err), 0);
	assert_int_equal(bcd_detect_hal(o.tree, BCD_BIOS, false, &changed, &err), 1);
	assert_int_equal(changed.len, 1);
	assert_string_equal(changed.items[0], "Boot/BCD {01}: detecthal");
	assert_true(detects(&o, BCD_BIOS, "{01}"));
	assert_false(detects(&o, BCD_BIOS, "{02}"));
	assert_false(detects(&o, BCD_BIOS, "{03}"));
	assert_false(detects(&o, BCD_BIOS, "{04}"));
	assert_false(detects(&o, BCD_BIOS, "{05}"));
	assert_int_equal(bcd_detect_hal(o.tree, BCD_BIOS, false, &changed, &err), 0);
	sample_close(&o);
	sample_free(s);
	/* What is no hive is named. */
	s = sample_make();
	put_text(s, "Boot/BCD", "no hive");
	o = sample_open(s);
	assert_int_equal(bcd_detect_hal(o.tree, BCD_BIOS, false, &changed, &err), -1);
	assert_int_equal(err.code, ERROR_STATE);
	sample_close(&o);
	sample_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_controller_frees_the_image),
		cmocka_unit_test(any_controller_is_idempotent),
		cmocka_unit_test(missing_boot_files_are_errors),
		cmocka_unit_test(older_windows_has_no_database),
		cmocka_unit_test(windows_7_starts_from_inbox_controllers),
		cmocka_unit_test(windows_8_needs_its_database),
		cmocka_unit_test(loaders_detect_the_hal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
