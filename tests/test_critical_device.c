/* SPDX-License-Identifier: GPL-3.0-or-later */
/* CriticalDeviceDatabase: IDs and keys, reading, writing, removing, classes. */
#include "test.h"

#include "windows/critical_device.h"

#define SET "ControlSet001"
#define SCSI "{4d36e97b-e325-11ce-bfc1-08002be10318}"
#define SYSTEM "{4d36e97d-e325-11ce-bfc1-08002be10318}"

static struct critical_device device(const char *id, const char *class,
				     const char *service)
{
	struct critical_device d = {
		.id = xstrdup(id),
		.service = service ? xstrdup(service) : NULL,
		.has_class = true,
	};

	assert_true(guid_parse(class, &d.class_guid));
	return d;
}

static int put(struct hive *hive, const char *id, const char *class, const char *service)
{
	_cleanup_critical_device_ struct critical_device d = device(id, class, service);
	_cleanup_error_ struct error err = ERROR_INIT;

	return critical_device_write(hive, SET, &d, &err);
}

static void test_paths(void **state _unused_)
{
	_cleanup_free_ char *key =
		critical_device_path(SET, "PCI\\VEN_8086&DEV_2822&CC_0104");
	_cleanup_free_ char *list = critical_device_path(SET, NULL);

	assert_string_equal(key, "ControlSet001\\Control\\CriticalDeviceDatabase\\"
				 "PCI#VEN_8086&DEV_2822&CC_0104");
	assert_string_equal(list, "ControlSet001\\Control\\CriticalDeviceDatabase");
}

static void test_write_and_read(void **state _unused_)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_hive_ struct hive *hive = hive_new("ROOT", &err);
	_cleanup_critical_device_ struct critical_device in = {0}, out = {0};
	_cleanup_free_ char *text = NULL;

	in = device("PCI\\VEN_1022&DEV_7801", SCSI, "amdsata");
	in.package = xstrdup("amdsata.inf_x86_neutral_0123456789abcdef");
	strings_push(&in.upper_filters, "amdxata");
	assert_int_equal(critical_device_write(hive, SET, &in, &err), 1);
	assert_int_equal(critical_device_write(hive, SET, &in, &err), 0);
	assert_int_equal(
		critical_device_read(hive, SET, "pci\\ven_1022&dev_7801", &out, &err), 1);
	assert_string_equal(out.id, "PCI\\VEN_1022&DEV_7801");
	assert_true(out.has_class && guid_equal(&out.class_guid, &in.class_guid));
	assert_string_equal(out.service, "amdsata");
	assert_string_equal(out.package, in.package);
	assert_int_equal(out.upper_filters.len, 1);
	assert_string_equal(out.upper_filters.items[0], "amdxata");
	assert_int_equal(out.lower_filters.len, 0);
	/* As INFs, and so Windows, write it. */
	text = hive_get_string(hive, out.key, "ClassGUID");
	assert_string_equal(text, "{4D36E97B-E325-11CE-BFC1-08002BE10318}");
}

static void test_replaced_as_a_whole(void **state _unused_)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_hive_ struct hive *hive = hive_new("ROOT", &err);
	_cleanup_critical_device_ struct critical_device in = {0}, out = {0};

	in = device("*PNP0C0F", SYSTEM, "old");
	in.package = xstrdup("old.inf_x86_neutral_0");
	strings_push(&in.lower_filters, "filter");
	assert_int_equal(critical_device_write(hive, SET, &in, &err), 1);
	assert_int_equal(put(hive, "*pnp0c0f", SCSI, "new"), 1);
	assert_int_equal(critical_device_read(hive, SET, "*PNP0C0F", &out, &err), 1);
	assert_string_equal(out.id, "*PNP0C0F"); /* as the key is spelt */
	assert_string_equal(out.service, "new");
	assert_null(out.package);
	assert_int_equal(out.lower_filters.len, 0);
	assert_int_equal(put(hive, "*pnp0c0f", SCSI, NULL), 1);
	critical_device_free(&out);
	assert_int_equal(critical_device_read(hive, SET, "*PNP0C0F", &out, &err), 1);
	assert_null(out.service);
}

static void test_remove(void **state _unused_)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_hive_ struct hive *hive = hive_new("ROOT", &err);
	_cleanup_critical_device_ struct critical_device out = {0};

	assert_int_equal(critical_device_remove(hive, SET, "GenDisk", &err), 0);
	assert_int_equal(put(hive, "GenDisk", SCSI, "disk"), 1);
	assert_int_equal(critical_device_remove(hive, SET, "", &err), 0);
	assert_int_equal(critical_device_remove(hive, SET, "gendisk", &err), 1);
	assert_int_equal(critical_device_read(hive, SET, "GenDisk", &out, &err), 0);
}

static void test_bad_ids(void **state _unused_)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_hive_ struct hive *hive = hive_new("ROOT", &err);

	assert_int_equal(put(hive, "", SCSI, "x"), -1);
	assert_int_equal(put(hive, "PCI\\\\X", SCSI, "x"), -1);
	assert_int_equal(put(hive, "\\PCI", SCSI, "x"), -1);
}

static void test_all_and_classes(void **state _unused_)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_hive_ struct hive *hive = hive_new("ROOT", &err);
	_cleanup_critical_devices_ struct critical_devices all = VEC_INIT;
	struct guids classes = VEC_INIT;
	struct guid guid;

	assert_int_equal(critical_devices_read(hive, SET, &all, &err), 0);
	assert_int_equal(all.len, 0);
	assert_int_equal(put(hive, "PCI\\CC_0101", SCSI, "pciide"), 1);
	assert_int_equal(put(hive, "PCI\\CC_0100", SCSI, "other"), 1);
	assert_int_equal(put(hive, "*PNP0A03", SYSTEM, "pci"), 1);
	assert_int_equal(critical_devices_read(hive, SET, &all, &err), 0);
	assert_int_equal(all.len, 3);
	assert_string_equal(all.items[0].id, "*PNP0A03");
	assert_string_equal(all.items[1].id, "PCI\\CC_0100");
	assert_int_equal(critical_device_classes(hive, SET, &classes, &err), 0);
	assert_int_equal(classes.len, 2);
	assert_true(guid_parse(SYSTEM, &guid) && guids_contain(&classes, &guid));
	assert_true(guid_parse("{4d36e972-e325-11ce-bfc1-08002be10318}", &guid));
	assert_false(guids_contain(&classes, &guid));
	vec_free(&classes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_write_and_read),
		cmocka_unit_test(test_replaced_as_a_whole),
		cmocka_unit_test(test_remove),
		cmocka_unit_test(test_bad_ids),
		cmocka_unit_test(test_all_and_classes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
