/* SPDX-License-Identifier: GPL-3.0-or-later */
/* PCs: SMBIOS, Computer Hardware IDs, devices by role. */
#include "test.h"

#include "base/guid.h"
#include "hwprofiles/identity.h"

static void expect_chid(const struct pc_identity *identity, unsigned n, const char *text,
			const char *guid)
{
	_cleanup_free_ char *got = chid_text(identity, n);
	char formatted[GUID_TEXT_SIZE];
	struct chids ids;

	chids_of(identity, &ids);
	if (!text) {
		assert_null(got);
		assert_false(ids.present[n]);
		return;
	}
	assert_string_equal(got, text);
	assert_true(ids.present[n]);
	guid_format(&ids.ids[n], formatted);
	assert_string_equal(formatted, guid);
}

/* What a real Windows 10 wrote into HardwareConfig\...\ComputerIds of a Latitude. */
static void test_chids_dell(void **state _unused_)
{
	struct pc_identity i = {.manufacturer = (char *)"Dell Inc.",
				.family = (char *)"",
				.product = (char *)"Latitude E6430",
				.sku = (char *)"Latitude E6430",
				.bios_vendor = (char *)"Dell Inc.",
				.bios_version = (char *)"A14",
				.bios_major = 4,
				.bios_minor = 6,
				.enclosure = 9,
				.board_manufacturer = (char *)"Dell Inc.",
				.board_product = (char *)"0CDR63"};

	expect_chid(&i, 0, "Dell Inc.&&Latitude E6430&Latitude E6430&Dell Inc.&A14&04&06",
		    "{c9859588-f460-5dc3-bff5-c1d37f9496f0}");
	expect_chid(&i, 1, "Dell Inc.&&Latitude E6430&Dell Inc.&A14&04&06",
		    "{d1a9b880-ce31-5301-aad0-be43b87965ed}");
	expect_chid(&i, 2, "Dell Inc.&Latitude E6430&Dell Inc.&A14&04&06",
		    "{752ec90e-aa94-56d9-b85a-5b11fee6bde4}");
	expect_chid(&i, 3, "Dell Inc.&&Latitude E6430&Latitude E6430&Dell Inc.&0CDR63",
		    "{cb1c4021-08d4-5d58-b753-716ff76d6e45}");
	expect_chid(&i, 8, "Dell Inc.&Latitude E6430&Dell Inc.&0CDR63",
		    "{bdc20b6c-7c23-5cb0-9dfa-6bab4e20499b}");
	expect_chid(&i, 12, "Dell Inc.&9", "{29ca4080-4d68-5395-afe2-35fa9a4f13bf}");
	expect_chid(&i, 13, "Dell Inc.&Dell Inc.&0CDR63",
		    "{95373bfa-2196-5ec2-97fd-c5d358a8ef97}");
	expect_chid(&i, 14, "Dell Inc.", "{85d38fda-fc0e-5c6f-808f-076984ae7978}");
	/* An empty family makes no ID of its own. */
	expect_chid(&i, 10, NULL, NULL);
	expect_chid(&i, 11, NULL, NULL);
}

/* And Windows 8.1 in a virtual machine. */
static void test_chids_virtualbox(void **state _unused_)
{
	struct pc_identity i = {.manufacturer = (char *)"innotek GmbH",
				.family = (char *)"Virtual Machine",
				.product = (char *)"VirtualBox",
				.sku = (char *)"",
				.bios_vendor = (char *)"innotek GmbH",
				.bios_version = (char *)"VirtualBox",
				.enclosure = 1};

	expect_chid(&i, 1,
		    "innotek GmbH&Virtual Machine&VirtualBox&innotek "
		    "GmbH&VirtualBox&00&00",
		    "{57b77579-4c74-5a49-ada3-a286779a7b0e}");
	expect_chid(&i, 5, "innotek GmbH&Virtual Machine&VirtualBox",
		    "{f4af0e4f-b6b1-51e6-b1b0-e89122ff97c2}");
	expect_chid(&i, 11, "innotek GmbH&Virtual Machine",
		    "{d85b4471-f11d-5da8-9969-7418961197e5}");
	expect_chid(&i, 0, NULL, NULL);
	expect_chid(&i, 4, NULL, NULL);
	expect_chid(&i, 7, NULL, NULL);
	expect_chid(&i, 13, NULL, NULL);
}

static void append_structure(struct buffer *b, uint8_t type, const uint8_t *fields,
			     uint8_t len, const char *strings, size_t strings_len)
{
	buffer_append(b, (uint8_t[]){type, (uint8_t)(len + 4), type, 0}, 4);
	buffer_append(b, fields, len);
	buffer_append(b, strings, strings_len);
}
#define STRUCTURE(b, type, fields, strings) \
	append_structure(b, type, fields, sizeof(fields), strings, sizeof(strings))

static void smbios_sample(struct buffer *b)
{
	static const uint8_t bios[0x12 + 2] = {1, 2, 0, 0, 3, [0x10] = 4, [0x11] = 0xFF};
	static const uint8_t system[0x17] = {1, 2, 0, 3, [0x15] = 4, [0x16] = 0};
	static const uint8_t enclosure[5] = {1, 0x80 | 10};

	STRUCTURE(b, 0, bios,
		  "Vendor\0 1.2 \0"
		  "01/02/2020\0");
	STRUCTURE(b, 1, system, "Maker\0Model 5\0serial\0SKU\0");
	/* A second one of its type does not count. */
	STRUCTURE(b, 1, system, "Other\0Other\0serial\0SKU\0");
	STRUCTURE(b, 3, enclosure, "Maker\0");
	STRUCTURE(b, 127, ((const uint8_t[]){0}), "\0");
}

static void test_smbios(void **state _unused_)
{
	_cleanup_buffer_ struct buffer b = BUFFER_INIT;
	struct error err = ERROR_INIT;
	struct pc_identity i;

	smbios_sample(&b);
	assert_int_equal(smbios_read(buffer_view(&b), "DMI", &i, &err), 0);
	assert_string_equal(i.manufacturer, "Maker");
	assert_string_equal(i.product, "Model 5");
	assert_string_equal(i.version, "");
	assert_string_equal(i.sku, "SKU");
	assert_string_equal(i.family, "");
	assert_string_equal(i.bios_version, "1.2");
	assert_string_equal(i.bios_date, "01/02/2020");
	assert_int_equal(i.bios_major, 4);
	assert_int_equal(i.bios_minor, -1);
	assert_int_equal(i.enclosure, 10);
	assert_null(i.board_product);
	pc_identity_free(&i);
	/* Cut anywhere, it is refused or read as far as it goes; never beyond. */
	for (size_t len = 0; len < b.len; len++) {
		_cleanup_free_ uint8_t *copy = xmemdup(b.data, len ? len : 1);

		if (smbios_read((struct bytes){copy, len}, "DMI", &i, &err) == 0)
			pc_identity_free(&i);
		else
			error_clear(&err);
	}
}

static void expect_device(struct pc_device device, const char *id, enum pc_role role)
{
	assert_string_equal(device.id, id);
	assert_string_equal(pc_role_name(device.role), pc_role_name(role));
	pc_device_free(&device);
}

static void test_modalias(void **state _unused_)
{
	static const struct {
		const char *modalias, *id;
		enum pc_role role;
	} good[] = {
		{"pci:v00008086d00001C02sv00001043sd00008519bc01sc06i01",
		 "PCI\\VEN_8086&DEV_1C02&SUBSYS_85191043&CC_010601", PC_BOOT_STORAGE},
		{"pci:v00008086d00001C3Asv00000000sd00000000bc07sc80i00",
		 "PCI\\VEN_8086&DEV_1C3A&CC_078000", PC_MANAGEMENT},
		{"pci:v00001022d00001649sv00001022sd00001649bc10sc80i00",
		 "PCI\\VEN_1022&DEV_1649&SUBSYS_16491022&CC_108000", PC_MANAGEMENT},
		{"pci:v00008086d000024F3sv00008086sd00000010bc02sc80i00",
		 "PCI\\VEN_8086&DEV_24F3&SUBSYS_00108086&CC_028000", PC_WIRELESS},
		{"usb:v046DpC31Cd6402dc00dsc00dp00ic03isc01ip01in00",
		 "USB\\VID_046D&PID_C31C&REV_6402", PC_INPUT},
		{"usb:v8087p0A2Bd0010dcE0dsc01dp01icE0isc01ip01in00",
		 "USB\\VID_8087&PID_0A2B&REV_0010", PC_BLUETOOTH},
		{"acpi:SYN1219:PNP0F13:", "ACPI\\SYN1219", PC_INPUT},
		{"acpi:MSFT0101:", "ACPI\\MSFT0101", PC_SECURITY},
		{"vmbus:635161f83edfc546913ff2d2f965ed0e",
		 "VMBUS\\{f8615163-df3e-46c5-913f-f2d2f965ed0e}", PC_OTHER_ROLE},
	};
	static const char *const bad[] = {
		"",
		"pci:",
		"pci:v0000808",
		"pci:v00008086d0000ZZZZsv00001043sd00008519bc01sc06i01",
		"pci:v00018086d00001C02sv00001043sd00008519bc01sc06i01",
		"usb:v046D",
		"acpi:",
		"acpi:PNP0303:../..:",
		"vmbus:f86151",
		"hid:b0003g0001v0000046Dp0000C31C",
	};
	struct pc_device device;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_true(modalias_device(good[i].modalias, &device));
		expect_device(device, good[i].id, good[i].role);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(modalias_device(bad[i], &device));
}

static void test_windows_device(void **state _unused_)
{
	expect_device(windows_device(
			      "PCI\\VEN_8086&DEV_2822&SUBSYS_85081028&REV_04\\3&11583659&"
			      "0&FA",
			      "RAID"),
		      "PCI\\VEN_8086&DEV_2822&SUBSYS_85081028&REV_04", PC_OTHER_ROLE);
	expect_device(windows_device("pci\\ven_8086&dev_2822&cc_0104", NULL),
		      "PCI\\VEN_8086&DEV_2822&CC_010400", PC_BOOT_STORAGE);
	expect_device(windows_device("PCI\\VEN_8086", NULL), "PCI\\VEN_8086",
		      PC_OTHER_ROLE);
	expect_device(windows_device("ACPI\\PNP0303\\4&1d401fb5&0", NULL),
		      "ACPI\\PNP0303", PC_INPUT);
	expect_device(windows_device("*PNP0F13", NULL), "*PNP0F13", PC_INPUT);
}

static void test_name(void **state _unused_)
{
	struct pc pc = PC_INIT;

	pc.identity.manufacturer = xstrdup("To be filled by O.E.M.");
	pc.identity.board_manufacturer = xstrdup("ASRock");
	pc.identity.product = xstrdup("Default string");
	pc.identity.board_product = xstrdup("H310M-ITX/ac");
	pc_name(&pc);
	assert_string_equal(pc.label, "ASRock H310M-ITX/ac");
	pc_free(&pc);
	pc_name(&pc);
	assert_string_equal(pc.label, "unknown PC");
	pc_free(&pc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chids_dell),
		cmocka_unit_test(test_chids_virtualbox),
		cmocka_unit_test(test_smbios),
		cmocka_unit_test(test_modalias),
		cmocka_unit_test(test_windows_device),
		cmocka_unit_test(test_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
