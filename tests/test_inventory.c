/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inventories in all their forms, good and damaged. */
#include "folder.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "hwprofiles/inventory.h"

static char *write_file(const char *name, const void *data, size_t len)
{
	char *path = xasprintf("%s/%s", folder, name);

	assert_int_equal(file_replace(path, (struct bytes){data, len}, NULL), 0);
	return path;
}

static void read_text(const char *text, struct pc *pc)
{
	_cleanup_free_ char *path = write_file("inventory", text, strlen(text));
	struct strings paths = VEC_INIT;
	struct error err = ERROR_INIT;

	strings_push(&paths, path);
	if (inventory_read_one(&paths, pc, &err) < 0)
		fail_msg("%s: %s", err.subject, err.reason);
	strings_free(&paths);
}

static void refuse_text(const char *text, const char *subject_end, const char *reason)
{
	_cleanup_free_ char *path = write_file("inventory", text, strlen(text));
	struct strings paths = VEC_INIT;
	struct error err = ERROR_INIT;
	struct pc pc;

	strings_push(&paths, path);
	assert_int_equal(inventory_read_one(&paths, &pc, &err), -1);
	assert_true(text_ends_with(err.subject, subject_end));
	assert_non_null(strstr(err.reason, reason));
	error_clear(&err);
	strings_free(&paths);
}

static void expect(const struct pc *pc, size_t i, const char *id, enum pc_role role)
{
	assert_true(i < pc->devices.len);
	assert_string_equal(pc->devices.items[i].id, id);
	assert_string_equal(pc_role_name(pc->devices.items[i].role), pc_role_name(role));
}

static void test_lspci(void **state _unused_)
{
	struct pc pc;

	read_text(
		"00:00.0 Host bridge [0600]: Intel Corporation Host Bridge [8086:3ec2] "
		"(rev "
		"07)\n"
		"\tSubsystem: Lenovo Device [17aa:312a]\n"
		"\n"
		"0000:00:17.0 SATA controller [0106]: Intel Corporation SATA [AHCI mode] "
		"[8086:a352] (rev 10) (prog-if 01 [AHCI 1.0])\n"
		"\tSubsystem: Lenovo Device [17aa:312a]\n"
		"\tKernel driver in use: ahci\n"
		"10000:e1:00.0 Non-Volatile memory controller [0108]: Samsung NVMe "
		"[144d:a808]\n",
		&pc);
	assert_int_equal(pc.devices.len, 3);
	expect(&pc, 0, "PCI\\VEN_8086&DEV_3EC2&SUBSYS_312A17AA&REV_07&CC_060000",
	       PC_SYSTEM);
	expect(&pc, 1, "PCI\\VEN_8086&DEV_A352&SUBSYS_312A17AA&REV_10&CC_010601",
	       PC_BOOT_STORAGE);
	assert_string_equal(pc.devices.items[1].name,
			    "Intel Corporation SATA [AHCI mode]");
	expect(&pc, 2, "PCI\\VEN_144D&DEV_A808&CC_010800", PC_BOOT_STORAGE);
	assert_true(pc.listed[PC_PCI]);
	assert_false(pc.listed[PC_USB]);
	pc_free(&pc);
	refuse_text("00:00.0 Host bridge: Intel Corporation Host Bridge (rev 07)\n", ":1",
		    "has no numbers");
}

static void test_lspci_machine(void **state _unused_)
{
	struct pc pc;

	read_text(
		"Slot:\t00:1f.2\nClass:\tSATA controller [0106]\n"
		"Vendor:\tIntel Corporation [8086]\nDevice:\tC216 AHCI [1e02]\n"
		"SVendor:\tDell [1028]\nSDevice:\tDevice [0534]\nRev:\t04\nProgIf:\t01\n"
		"\n"
		"Slot:\t02:00.0\nClass:\tNetwork controller [0280]\n"
		"Vendor:\tIntel Corporation [8086]\nDevice:\tWireless 7260 [08b1]\n",
		&pc);
	assert_int_equal(pc.devices.len, 2);
	expect(&pc, 0, "PCI\\VEN_8086&DEV_1E02&SUBSYS_05341028&REV_04&CC_010601",
	       PC_BOOT_STORAGE);
	expect(&pc, 1, "PCI\\VEN_8086&DEV_08B1&CC_028000", PC_WIRELESS);
	pc_free(&pc);
	refuse_text("Slot:\t00:1f.2\nClass:\tSATA controller\n\n", ":3",
		    "without vendor");
}

static void test_pciconf(void **state _unused_)
{
	struct pc pc;

	read_text("ahci0@pci0:0:23:0:\tclass=0x010601 card=0x80791043 chip=0x9d038086 "
		  "rev=0x21 hdr=0x00\n"
		  "    vendor     = 'Intel Corporation'\n"
		  "    device     = 'Sunrise Point-LP SATA Controller [AHCI mode]'\n"
		  "none1@pci0:1:0:0:\tclass=0x028000 rev=0x61 hdr=0x00 vendor=0x8086 "
		  "device=0x095a subvendor=0x0000 subdevice=0x0000\n",
		  &pc);
	assert_int_equal(pc.devices.len, 2);
	expect(&pc, 0, "PCI\\VEN_8086&DEV_9D03&SUBSYS_80791043&REV_21&CC_010601",
	       PC_BOOT_STORAGE);
	assert_string_equal(pc.devices.items[0].name,
			    "Sunrise Point-LP SATA Controller [AHCI mode]");
	expect(&pc, 1, "PCI\\VEN_8086&DEV_095A&REV_61&CC_028000", PC_WIRELESS);
	pc_free(&pc);
	refuse_text("ahci0@pci0:0:23:0:\tclass=0x010601\n", ":1", "vendor= and device=");
}

static void test_dmidecode(void **state _unused_)
{
	struct pc pc;

	read_text("# dmidecode 3.3\nHandle 0x0000, DMI type 0, 26 bytes\n"
		  "BIOS Information\n\tVendor: Dell Inc.\n\tVersion: A14\n"
		  "\t\tUEFI is supported\n\tBIOS Revision: 4.6\n\n"
		  "Handle 0x0001, DMI type 1, 27 bytes\nSystem Information\n"
		  "\tManufacturer: Dell Inc.\n\tProduct Name: Latitude E6430\n"
		  "\tFamily: Not Specified\n\n"
		  "Handle 0x0002, DMI type 3, 27 bytes\nChassis Information\n"
		  "\tManufacturer: Dell Inc.\n\tType: Laptop\n",
		  &pc);
	assert_string_equal(pc.label, "Dell Inc. Latitude E6430");
	assert_string_equal(pc.identity.family, "");
	assert_null(pc.identity.sku);
	assert_int_equal(pc.identity.bios_major, 4);
	assert_int_equal(pc.identity.bios_minor, 6);
	assert_int_equal(pc.identity.enclosure, 9);
	assert_int_equal(pc.uefi, PC_YES);
	assert_false(pc.listed[PC_PCI]);
	pc_free(&pc);
	refuse_text("# dmidecode 3.3\nHandle 0x0000, DMI type 0, 26 bytes\n", ":2",
		    "type 1");
}

static void test_qubes(void **state _unused_)
{
	struct pc pc;

	read_text("---\nlayout:\n  'hcl'\ntype:\n  'laptop'\niommu:\n  'yes'\n"
		  "brand: |\n  LENOVO\nmodel: |\n  20AQCTO1WW\n"
		  "chipset: |\n  Intel Corporation Haswell-ULT DRAM Controller "
		  "[8086:0a04] (rev "
		  "0b)\n"
		  "gpu: |\n  Intel Corporation Graphics [8086:0a16] (rev 0b)\n",
		  &pc);
	assert_string_equal(pc.label, "LENOVO 20AQCTO1WW");
	assert_int_equal(pc.iommu, PC_YES);
	assert_int_equal(pc.devices.len, 2);
	expect(&pc, 1, "PCI\\VEN_8086&DEV_0A16&CC_030000", PC_DISPLAY);
	/* It names some functions, not all. */
	assert_false(pc.listed[PC_PCI]);
	pc_free(&pc);
}

static void test_pnp(void **state _unused_)
{
	static const char json[] =
		"[{\"InstanceId\":\"PCI\\\\VEN_8086&DEV_A0D3&SUBSYS_0A211028&REV_20\\\\3&"
		"11583659&0&B8\",\"FriendlyName\":\"AHCI\",\"HardwareID\":["
		"\"PCI\\\\VEN_8086&DEV_A0D3&SUBSYS_0A211028&REV_20\","
		"\"PCI\\\\VEN_8086&DEV_A0D3&CC_010601\"],\"CompatibleID\":null},"
		"{\"InstanceId\":\"SWD\\\\PRINTENUM\\\\{1}\"}]";
	static const char csv[] =
		"\"Class\",\"FriendlyName\",\"InstanceId\",\"HardwareID\"\r\n"
		"\"Keyboard\",\"Keyboard, "
		"\"\"HID\"\"\",\"ACPI\\PNP0303\\4&1&0\",\"System."
		"String[]\"\r\n"
		"\"USB\",\"Hub\",\"USB\\VID_8087&PID_0024\\5&1\",\"\"\r\n";
	static const char xml[] =
		"<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<PnpUtil Version=\"10.0\">\n"
		"<Device InstanceId=\"PCI\\VEN_8086&amp;DEV_9A0B\\3&amp;1\">\n"
		"<DeviceDescription>VMD</DeviceDescription>\n<HardwareIds>\n"
		"<HardwareId>PCI\\VEN_8086&amp;DEV_9A0B&amp;CC_010400</HardwareId>\n"
		"</HardwareIds></Device></PnpUtil>\n";
	struct pc pc;

	read_text(json, &pc);
	assert_int_equal(pc.devices.len, 1);
	assert_int_equal(pc.devices.items[0].hardware_ids.len, 2);
	expect(&pc, 0, "PCI\\VEN_8086&DEV_A0D3&SUBSYS_0A211028&REV_20", PC_OTHER_ROLE);
	pc_free(&pc);
	read_text(csv, &pc);
	assert_int_equal(pc.devices.len, 2);
	expect(&pc, 0, "ACPI\\PNP0303", PC_INPUT);
	assert_string_equal(pc.devices.items[0].name, "Keyboard, \"HID\"");
	expect(&pc, 1, "USB\\VID_8087&PID_0024", PC_OTHER_ROLE);
	pc_free(&pc);
	read_text(xml, &pc);
	assert_int_equal(pc.devices.len, 1);
	expect(&pc, 0, "PCI\\VEN_8086&DEV_9A0B&CC_010400", PC_BOOT_STORAGE);
	pc_free(&pc);
	refuse_text("<PnpUtil><Device></PnpUtil>", ":1", "well-formed");
	refuse_text("<PnpUtil>\n<Device/></PnpUtil>", ":2", "InstanceId");
	refuse_text("[{\"InstanceId\":1}]", ":1", "InstanceId");
}

/* Entities are neither expanded nor fetched. */
static void test_hostile_xml(void **state _unused_)
{
	refuse_text("<!DOCTYPE PnpUtil [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b "
		    "\"&a;&a;&a;\">]>\n<PnpUtil><Device InstanceId=\"&b;\"/></PnpUtil>",
		    ":1", "document type");
	refuse_text("<PnpUtil><!-- --></PnpUtil><!DOCTYPE x>", ":1", "well-formed");
	refuse_text("<MsInfo><Data>&nope;</Data></MsInfo>", ":1", "well-formed");
}

static void test_msinfo(void **state _unused_)
{
	static const char xml[] =
		"<?xml version=\"1.0\"?>\n<MsInfo>\n<Category name=\"System Summary\">\n"
		"<Data><Item>System Manufacturer</Item><Value>LENOVO</Value></Data>\n"
		"<Data><Item>System Model</Item><Value>20AQ</Value></Data>\n"
		"<Data><Item>BIOS Mode</Item><Value>UEFI</Value></Data>\n"
		"<Category name=\"Display\"><Data><Item>PNP Device ID</Item>"
		"<Value>PCI\\VEN_8086&amp;DEV_0A16&amp;SUBSYS_221417AA&amp;REV_0B\\3&amp;"
		"2"
		"</Value></Data>"
		"<Data><Item>PNP Device ID</Item>"
		"<Value>PCI\\VEN_8086&amp;DEV_0A16&amp;SUBSYS_221417AA&amp;REV_0B\\3&amp;"
		"2"
		"</Value></Data></Category></Category></MsInfo>";
	_cleanup_buffer_ struct buffer utf16 = BUFFER_INIT;
	_cleanup_free_ char *path = NULL;
	struct strings paths = VEC_INIT;
	struct pc pc;

	/* As msinfo32 writes it: UTF-16 with a byte order mark. */
	buffer_append(&utf16, "\xFF\xFE", 2);
	utf16_append(&utf16, xml);
	path = write_file("x.nfo", utf16.data, utf16.len);
	strings_push(&paths, path);
	assert_int_equal(inventory_read_one(&paths, &pc, NULL), 0);
	strings_free(&paths);
	assert_string_equal(pc.label, "LENOVO 20AQ");
	assert_int_equal(pc.uefi, PC_YES);
	assert_int_equal(pc.devices.len, 1);
	pc_free(&pc);
}

static int count_pc(struct pc *pc, void *arg, struct error *err _unused_)
{
	unsigned *counts = arg;

	counts[0]++;
	counts[1] += (unsigned)pc->devices.len;
	return 0;
}

static void test_population(void **state _unused_)
{
	static const char lines[] =
		"{\"id\":\"A\",\"vendor\":\"Dell\",\"model\":\"X\",\"pci\":[[\"0000:00:"
		"1f.2\","
		"\"010601\",\"8086\",\"1c02\",\"1043\",\"8519\",\"05\",\"ahci\"]]}\n"
		"\n"
		"{\"id\":\"B\",\"dmi\":{\"sys_vendor\":\"HP\",\"product_name\":\"Y\"},"
		"\"devices\":[\"acpi:PNP0303:\",{\"hardware_ids\":[\"USB\\\\VID_1&PID_"
		"2\"]}]}"
		"\n";
	static const char *const bad[] = {
		"{\"id\":\"A\",\"model\":\"x\",\"vendor\":\"y\"}\n{\"id\":}\n",
		"{\"vendor\":\"y\",\"model\":\"x\"}\n{\"pci\":[[\"0000\"]]}\n",
		"{\"vendor\":\"y\",\"model\":\"x\"}\n{\"devices\":[{}]}\n",
		"{\"vendor\":\"y\",\"model\":\"x\"}\n{}\n",
	};
	_cleanup_free_ char *path = write_file("many.jsonl", lines, strlen(lines));
	unsigned counts[2] = {0};
	struct error err = ERROR_INIT;

	assert_int_equal(inventory_read(path, count_pc, counts, &err), 0);
	assert_int_equal(counts[0], 2);
	assert_int_equal(counts[1], 3);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		free(write_file("many.jsonl", bad[i], strlen(bad[i])));
		assert_int_equal(inventory_read(path, count_pc, counts, &err), -1);
		assert_true(text_ends_with(err.subject, "many.jsonl:2"));
		error_clear(&err);
	}
}

static void test_merge(void **state _unused_)
{
	static const char dmi[] = "Handle 0x0001, DMI type 1, 27 bytes\n"
				  "\tManufacturer: HP\n\tProduct Name: 250 G10\n";
	static const char pci[] =
		"00:02.0 VGA compatible controller [0300]: x [8086:9a49]\n";
	struct strings paths = VEC_INIT;
	struct pc pc;

	vec_push(&paths, write_file("dmi", dmi, strlen(dmi)));
	vec_push(&paths, write_file("pci", pci, strlen(pci)));
	assert_int_equal(inventory_read_one(&paths, &pc, NULL), 0);
	assert_string_equal(pc.label, "HP 250 G10");
	assert_int_equal(pc.devices.len, 1);
	pc_free(&pc);
	strings_free(&paths);
	refuse_text("hello\n", "inventory", "no inventory");
	refuse_text("", "inventory", "no inventory");
}

/* One modalias a line, as `cat /sys/bus/.../modalias` gives them. */
static void test_modaliases(void **state _unused_)
{
	struct pc pc;

	read_text("pci:v00008086d00001C02sv00001043sd00008519bc01sc06i01\r\n"
		  "acpi:PNP0303:\nusb:v046DpC31Cd6402dc00dsc00dp00ic03isc01ip01in00\n",
		  &pc);
	assert_int_equal(pc.devices.len, 3);
	expect(&pc, 0, "PCI\\VEN_8086&DEV_1C02&SUBSYS_85191043&CC_010601",
	       PC_BOOT_STORAGE);
	expect(&pc, 1, "ACPI\\PNP0303", PC_INPUT);
	expect(&pc, 2, "USB\\VID_046D&PID_C31C&REV_6402", PC_INPUT);
	assert_true(pc.listed[PC_ACPI] && pc.listed[PC_USB]);
	pc_free(&pc);
}

/* hw-probe -save: logs/ of one PC; lspci is not counted twice. */
static void test_hw_probe(void **state _unused_)
{
	static const char pci[] =
		"00:17.0 SATA controller [0106]: x [8086:9dd3] (prog-if 01 [AHCI 1.0])\n";
	static const char dmi[] = "# dmidecode 3.3\nHandle 0x0001, DMI type 1, 27 bytes\n"
				  "\tManufacturer: Example\n\tProduct Name: Book\n";
	_cleanup_free_ char *probe = xasprintf("%s/probe", folder);
	_cleanup_free_ char *logs = xasprintf("%s/probe/logs", folder);
	struct error err = ERROR_INIT;
	struct strings paths = VEC_INIT;
	struct pc pc;

	assert_int_equal(mkdir(probe, 0777) | mkdir(logs, 0777), 0);
	strings_push(&paths, probe);
	assert_int_equal(inventory_read_one(&paths, &pc, &err), -1);
	assert_non_null(strstr(err.reason, "folder without"));
	error_clear(&err);
	free(write_file("probe/logs/lspci_all", pci, strlen(pci)));
	free(write_file("probe/logs/lspci", pci, strlen(pci)));
	free(write_file("probe/logs/dmidecode", dmi, strlen(dmi)));
	assert_int_equal(inventory_read_one(&paths, &pc, NULL), 0);
	assert_string_equal(pc.label, "Example Book");
	assert_int_equal(pc.devices.len, 1);
	pc_free(&pc);
	strings_free(&paths);
}

static void refuse_buffer(struct buffer *b, const char *subject_end, const char *reason)
{
	buffer_append(b, "", 1);
	refuse_text((const char *)b->data, subject_end, reason);
	b->len = 0;
}

/* Counts, depths and lengths end in an error that names the line. */
static void test_limits(void **state _unused_)
{
	_cleanup_buffer_ struct buffer b = BUFFER_INIT;
	_cleanup_free_ char *path = NULL;
	unsigned counts[2] = {0};
	struct error err = ERROR_INIT;

	for (unsigned i = 0; i <= INVENTORY_MAX_DEVICES; i++)
		buffer_printf(&b, "acpi:PNP%04X:\n", i);
	refuse_buffer(&b, ":16385", "16384");
	for (unsigned i = 0; i < 5000; i++)
		buffer_append_string(&b, "[");
	refuse_buffer(&b, "inventory", "no inventory");
	buffer_append_string(&b, "{\"vendor\":\"a\",\"model\":");
	for (unsigned i = 0; i < 5000; i++)
		buffer_append_string(&b, "[");
	refuse_buffer(&b, ":1", "");
	buffer_append_string(&b, "<PnpUtil>");
	for (unsigned i = 0; i < 5000; i++)
		buffer_append_string(&b, "<a>");
	refuse_buffer(&b, ":1", "");
	/* A population is read by lines: one without an end is no record. */
	buffer_append_string(&b, "{\"vendor\":\"a\",\"model\":\"b\"}\n{\"vendor\":\"");
	memset(buffer_reserve(&b, INVENTORY_MAX_LINE), 'x', INVENTORY_MAX_LINE);
	b.len += INVENTORY_MAX_LINE;
	path = write_file("long.jsonl", b.data, b.len);
	assert_int_equal(inventory_read(path, count_pc, counts, &err), -1);
	assert_true(text_ends_with(err.subject, "long.jsonl:2"));
	error_clear(&err);
}

/* Bytes that are no UTF-8, CR LF and NULs: what is legible is read, or an error said. */
static void test_encodings(void **state _unused_)
{
	static const char nul[] = "00:02.0 VGA [0300]: x [8086:9a49]\n\0\0\0\n";
	_cleanup_free_ char *path = write_file("nul", nul, sizeof(nul) - 1);
	struct strings paths = VEC_INIT;
	struct error err = ERROR_INIT;
	struct pc pc;

	read_text(
		"00:02.0 VGA compatible controller [0300]: \xFF\xFE\xC3 [8086:9a49]\r\n",
		&pc);
	assert_int_equal(pc.devices.len, 1);
	pc_free(&pc);
	strings_push(&paths, path);
	if (inventory_read_one(&paths, &pc, &err) == 0)
		pc_free(&pc);
	else
		assert_non_null(err.reason);
	error_clear(&err);
	strings_free(&paths);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lspci),	    cmocka_unit_test(test_lspci_machine),
		cmocka_unit_test(test_pciconf),	    cmocka_unit_test(test_dmidecode),
		cmocka_unit_test(test_qubes),	    cmocka_unit_test(test_pnp),
		cmocka_unit_test(test_hostile_xml), cmocka_unit_test(test_msinfo),
		cmocka_unit_test(test_population),  cmocka_unit_test(test_merge),
		cmocka_unit_test(test_modaliases),  cmocka_unit_test(test_hw_probe),
		cmocka_unit_test(test_limits),	    cmocka_unit_test(test_encodings),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
