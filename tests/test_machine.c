/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The PC as init reads it from a folder: processor, IOMMU tables, devices, log, KVM. */
#include "test.h"

#include <unistd.h>

#include "base/file.h"
#include "fake_sysfs.h"
#include "init/machine.h"

/* ---- tables of IOMMUs ---- */

static void table_start(struct buffer *b, const char *signature)
{
	buffer_free(b);
	buffer_append(b, signature, 4);
	memset(buffer_reserve(b, 44), 0, 44);
	b->len += 44;
}

static struct bytes table_end(struct buffer *b)
{
	put_le32(b->data + 4, (uint32_t)b->len);
	return buffer_view(b);
}

static void add_dmar(struct buffer *b, uint16_t type, const char *body, size_t len)
{
	buffer_append_le16(b, type);
	buffer_append_le16(b, (uint16_t)(4 + len));
	buffer_append(b, body, len);
}

/* Two units; reserved memory of 00:1d.0 and of something behind a bridge. */
static void make_dmar(struct buffer *b)
{
	static const char unit[12] = {1};
	static const char rmrr[20 + 8 + 10] = {[20] = 1, 8, 0,	      0,  0, 0,
					       0x1D,	 0, [28] = 1, 10, 0, 0,
					       0,	 0, 0x1C,     0,  0, 0};

	table_start(b, "DMAR");
	b->data[37] = 1;
	add_dmar(b, 0, unit, sizeof(unit));
	add_dmar(b, 0, unit, sizeof(unit));
	add_dmar(b, 1, rmrr, sizeof(rmrr));
}

static void test_dmar(void **state _unused_)
{
	_cleanup_buffer_ struct buffer b = BUFFER_INIT;
	_cleanup_error_ struct error err = ERROR_INIT;
	struct acpi_iommu iommu;

	make_dmar(&b);
	assert_int_equal(acpi_iommu_read(table_end(&b), "DMAR", &iommu, &err), 0);
	assert_int_equal(iommu.kind, ACPI_IOMMU_DMAR);
	assert_int_equal(iommu.units, 2);
	assert_true(iommu.interrupt_remapping);
	assert_int_equal(iommu.reserved_count, 1);
	assert_int_equal(iommu.reserved[0], 0x1D << 3);
	for (size_t len = 0; len < b.len; len++)
		assert_int_equal(acpi_iommu_read((struct bytes){b.data, len}, "DMAR",
						 &iommu, NULL),
				 -1);
	b.data[37] = 0;
	assert_int_equal(acpi_iommu_read(buffer_view(&b), "DMAR", &iommu, &err), 0);
	assert_false(iommu.interrupt_remapping);
	/* A structure of length 0 would never end. */
	put_le16(b.data + 50, 0);
	assert_int_equal(acpi_iommu_read(buffer_view(&b), "DMAR", &iommu, &err), -1);
	assert_non_null(strstr(err.reason, "byte 48"));
}

static void test_ivrs(void **state _unused_)
{
	/* IVHD of kind 10h: a range, then an I/O APIC. */
	static const uint8_t ivhd[] = {
		0x10, 0, 36, 0, 2, 0, 0x40, 0, 0, 0, 0xB8, 0xFE, 0, 0, 0, 0,	0, 0,
		0,    0, 0,  0, 0, 0, 2,    0, 0, 0, 0x48, 0,	 0, 0, 0, 0xA0, 0, 1};
	_cleanup_buffer_ struct buffer b = BUFFER_INIT;
	struct acpi_iommu iommu;

	table_start(&b, "IVRS");
	buffer_append(&b, ivhd, sizeof(ivhd));
	assert_int_equal(acpi_iommu_read(table_end(&b), "IVRS", &iommu, NULL), 0);
	assert_int_equal(iommu.kind, ACPI_IOMMU_IVRS);
	assert_int_equal(iommu.units, 1);
	assert_true(iommu.interrupt_remapping);
	/* An HPET is no I/O APIC. */
	b.data[b.len - 1] = 2;
	assert_int_equal(acpi_iommu_read(buffer_view(&b), "IVRS", &iommu, NULL), 0);
	assert_false(iommu.interrupt_remapping);
	memcpy(b.data, "APIC", 4);
	assert_int_equal(acpi_iommu_read(buffer_view(&b), "IVRS", &iommu, NULL), -1);
}

/* ---- processor and log ---- */

static void test_cpuinfo(void **state _unused_)
{
	_cleanup_machine_ struct machine m = MACHINE_INIT;

	machine_read_cpuinfo("processor\t: 0\nflags\t\t: fpu vmx sse\n"
			     "vmx flags\t: vnmi ept vpid\n\nprocessor\t: 1\n",
			     &m);
	assert_true(m.vmx && !m.svm && m.paging);
	assert_int_equal(m.cpus, 2);
	machine_read_cpuinfo("processor\t: 0\nflags\t\t: fpu svm svm_lock\n", &m);
	assert_true(!m.vmx && m.svm && !m.paging);
	machine_read_cpuinfo("flags\t\t: vmxx npt\n", &m);
	assert_true(!m.vmx && m.paging);
	assert_int_equal(m.cpus, 1);
}

static void test_log(void **state _unused_)
{
	_cleanup_machine_ struct machine m = MACHINE_INIT;

	machine_read_log(
		"4,1,2,-;iwlwifi 0000:02:00.0: Direct firmware load for "
		"iwlwifi-9000.ucode failed with error -2\n"
		"3,1,2,-;r8169: firmware: failed to load rtl_nic/rtl8168h-2.fw (-2)\n"
		"4,1,2,-;x: Direct firmware load for iwlwifi-9000.ucode failed\n",
		&m);
	assert_int_equal(m.firmware.len, 2);
	assert_string_equal(m.firmware.items[0], "iwlwifi-9000.ucode");
	assert_string_equal(m.firmware.items[1], "rtl_nic/rtl8168h-2.fw");
	assert_false(m.disabled);
	machine_read_log("6,5,6,-;x86/cpu: VMX (outside TXT) disabled by BIOS\n", &m);
	assert_true(m.disabled);
}

/* ---- all of it from a folder ---- */

static void fill(const char *root)
{
	static const struct fake_pci functions[] = {
		{"0000:00:00.0", "0x8086", "0x3e34", "0x060000", 0, NULL, NULL, false},
		{"0000:00:02.0", "0x8086", "0x3ea0", "0x030000", 1, "i915", "flr pm",
		 true},
		{"0000:00:1d.0", "0x8086", "0x1c26", "0x0c0320", 2, "ehci-pci", NULL,
		 false},
		{"0000:00:14.0", "0x8086", "0x9ded", "0x0c0330", 3, "xhci_hcd", "",
		 false},
		{"0000:01:00.0", "0x10de", "0x1c8d", "0x030200", -1, NULL, "bus", false},
	};
	_cleanup_buffer_ struct buffer dmar = BUFFER_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
		fake_pci(root, &functions[i]);
	make_dmar(&dmar);
	fake_bytes(root, "sys/firmware/acpi/tables/DMAR", table_end(&dmar));
	fake_file(root, "sys/firmware/acpi/tables/MSDM", "MSDM");
	fake_file(root, "sys/firmware/efi/systab", "");
	fake_bytes(root,
		   "sys/firmware/efi/efivars/"
		   "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c",
		   (struct bytes){(const uint8_t *)"\6\0\0\0\1", 5});
	fake_file(root, "sys/class/tpm/tpm0/tpm_version_major", "2\n");
	fake_file(root, "sys/class/dmi/id/sys_vendor", "Maker\n");
	fake_file(root, "sys/class/dmi/id/product_name", "Model 1\n");
	fake_file(root, "sys/class/dmi/id/product_uuid", "4c4c4544-0042\n");
	fake_file(root, "sys/class/dmi/id/product_serial", "To be filled by O.E.M.\n");
	fake_file(root, "sys/bus/serio/devices/serio0/description", "");
	fake_file(root, "sys/module/kvm_intel/parameters/ept", "Y\n");
	fake_file(root, "proc/cpuinfo", "processor\t: 0\nflags\t\t: vmx\n");
	fake_file(root, "proc/meminfo", "MemTotal:        8388608 kB\nMemFree: 1 kB\n");
	fake_file(root, "dev/kmsg", "Direct firmware load for a.bin failed\n");
}

static void test_read(void **state _unused_)
{
	char *root = fake_root();
	_cleanup_machine_ struct machine m = MACHINE_INIT;
	const struct machine_device *d;

	fill(root);
	assert_int_equal(machine_read(root, &m, NULL), 0);
	assert_string_equal(m.pc.label, "Maker Model 1");
	assert_int_equal(m.pc.secure_boot, PC_YES);
	assert_string_equal(m.pc.tpm, "2.0");
	assert_true(m.vmx && m.paging && m.i8042 && m.msdm && !m.slic);
	assert_true(m.memory == (uint64_t)8 << 30);
	assert_int_equal(m.kvm, KVM_MISSING);
	assert_non_null(strstr(m.kvm_why, "dev/kvm"));
	assert_int_equal(m.iommu.kind, ACPI_IOMMU_DMAR);
	assert_int_equal(m.iommu_groups, 4);
	assert_string_equal(m.uuid, "4c4c4544-0042");
	assert_null(m.serial);
	assert_string_equal(m.firmware.items[0], "a.bin");
	assert_int_equal(machine_gpus(&m), 2);
	assert_int_equal(machine_xhcis(&m), 1);
	assert_int_equal(m.devices.len, 5);
	d = &m.devices.items[0];
	assert_true(d->bridge && d->group == 0 && !d->driver);
	d = &m.devices.items[1];
	assert_string_equal(d->id, "PCI\\VEN_8086&DEV_3EA0&CC_030000");
	assert_true(d->boot_vga && d->role == PC_DISPLAY && d->group == 1);
	assert_string_equal(d->driver, "i915");
	assert_string_equal(d->reset_method, "flr pm");
	d = &m.devices.items[2];
	assert_null(d->reset_method); /* empty is none */
	assert_false(d->reserved);
	assert_true(m.devices.items[3].reserved);
	assert_int_equal(m.devices.items[4].group, -1);
	/* A driver came, and did not find its firmware; the rest stays. */
	fake_file(root, "dev/kmsg", "Direct firmware load for b.bin failed\n");
	machine_refresh(root, &m);
	assert_int_equal(m.firmware.len, 1);
	assert_string_equal(m.firmware.items[0], "b.bin");
	assert_int_equal(m.devices.len, 5);
	assert_string_equal(m.devices.items[1].driver, "i915");
	assert_true(m.vmx && m.paging && m.i8042);
	assert_int_equal(m.kvm, KVM_MISSING);
	assert_string_equal(m.pc.label, "Maker Model 1");
	temp_folder_remove(root);
}

/* A broken table is said, and no IOMMU is believed in. */
static void test_broken(void **state _unused_)
{
	char *root = fake_root();
	_cleanup_machine_ struct machine m = MACHINE_INIT;

	fake_file(root, "sys/firmware/acpi/tables/IVRS", "IVRS, cut off");
	fake_file(root, "dev/kvm", "no device");
	assert_int_equal(machine_read(root, &m, NULL), 0);
	assert_int_equal(m.iommu.kind, ACPI_IOMMU_NONE);
	assert_non_null(strstr(m.iommu_error, "cut off"));
	assert_int_equal(m.kvm, KVM_BROKEN);
	assert_non_null(strstr(m.kvm_why, "KVM_GET_API_VERSION"));
	assert_string_equal(m.pc.label, "unknown PC");
	temp_folder_remove(root);
	machine_free(&m);
	assert_int_equal(machine_read("/nonexistent", &m, NULL), -1);
}

/* Whatever KVM does on this machine, the probe ends in time and with a reason. */
static void test_probe_ends(void **state _unused_)
{
	_cleanup_free_ char *why = NULL;
	enum kvm_state kvm = kvm_probe("", 3000, &why);

	assert_true((kvm == KVM_RUNS) == (why == NULL));
	print_message("# KVM here: %s %s\n", kvm_state_name(kvm), why ? why : "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dmar),	   cmocka_unit_test(test_ivrs),
		cmocka_unit_test(test_cpuinfo),	   cmocka_unit_test(test_log),
		cmocka_unit_test(test_read),	   cmocka_unit_test(test_broken),
		cmocka_unit_test(test_probe_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
