/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Up to Windows 7 a controller needs two things to be booted from: an entry in
 * CriticalDeviceDatabase that leads from one of its IDs to a service, and that service at
 * Start=0. Windows has the entries of all its own packages there from Vista on, but keeps
 * most miniports at Start=3, where the boot loader does not look.
 */
#include "windows/anycontroller_private.h"

#include "base/text.h"
#include "windows/bcd.h"
#include "windows/critical_device.h"

#define HDC "{4d36e96a-e325-11ce-bfc1-08002be10318}"
#define SCSIADAPTER "{4d36e97b-e325-11ce-bfc1-08002be10318}"
#define SYSTEM_CLASS "{4d36e97d-e325-11ce-bfc1-08002be10318}"
#define DISKDRIVE "{4d36e967-e325-11ce-bfc1-08002be10318}"
#define USB "{36fc9e60-c465-11cf-8056-444553540000}"

/*
 * What a PC of any maker has, by the IDs that the inbox INFs (mshdc.inf, machine.inf,
 * usbport.inf, disk.inf, wvmbus.inf, wstorvsc.inf) name: entries that somebody took out
 * are put back. All are in the hive of a Windows 7 SP1.
 */
static const struct any_claim nt6_claims[] = {
	{"PCI\\CC_0101", HDC, "pciide"},
	{"PCI\\CC_010601", HDC, "msahci"},
	{"Primary_IDE_Channel", HDC, "atapi"},
	{"Secondary_IDE_Channel", HDC, "atapi"},
	{"Internal_IDE_Channel", HDC, "atapi"},
	{"*PNP0A03", SYSTEM_CLASS, "pci"},
	{"*PNP0A08", SYSTEM_CLASS, "pci"},
	{"PCI\\CC_0604", SYSTEM_CLASS, "pci"},
	{"PCI\\CC_0C0300", USB, "usbuhci"},
	{"PCI\\CC_0C0310", USB, "usbohci"},
	{"PCI\\CC_0C0320", USB, "usbehci"},
	{"USB\\ROOT_HUB", USB, "usbhub"},
	{"USB\\ROOT_HUB20", USB, "usbhub"},
	{"USB\\Class_08&SubClass_06&Prot_50", USB, "USBSTOR"},
	{"ACPI\\VMBus", SYSTEM_CLASS, "vmbus"},
	{"VMBUS\\{ba6163d9-04a1-4d29-b605-72e2ffb1dc7f}", SCSIADAPTER, "storvsc"},
	{"GenDisk", DISKDRIVE, "disk"},
	{0},
};

/* The package that another entry of the same service names. */
static const char *package_of(const struct critical_devices *devices, const char *service)
{
	vec_foreach (device, devices)
		if (device->service && device->package &&
		    text_equal(device->service, service))
			return device->package;
	return NULL;
}

static bool has_id(const struct critical_devices *devices, const char *id)
{
	vec_foreach (device, devices)
		if (text_equal(device->id, id))
			return true;
	return false;
}

static int add_claim(struct any_work *w, const char *control_set,
		     const struct any_claim *claim,
		     const struct critical_devices *devices, struct error *err)
{
	_cleanup_service_ struct service service = {0};
	struct critical_device device = {.id = (char *)claim->id, .has_class = true};
	int found = service_read(w->system, control_set, claim->service, &service, err);

	if (found > 0)
		found = service_file_present(w->tree, &service, err);
	if (found <= 0)
		return found;
	if (!guid_parse(claim->class_guid, &device.class_guid))
		return 0;
	device.service = service.name;
	device.package = (char *)package_of(devices, claim->service);
	if (critical_device_write(w->system, control_set, &device, err) < 0)
		return -1;
	strings_push(&w->out->ids, claim->id);
	return 0;
}

int any_claims(struct any_work *w, const char *control_set,
	       const struct any_claim *claims, struct error *err)
{
	_cleanup_critical_devices_ struct critical_devices devices = VEC_INIT;

	if (critical_devices_read(w->system, control_set, &devices, err) < 0)
		return -1;
	for (; claims->id; claims++)
		if (!has_id(&devices, claims->id) &&
		    add_claim(w, control_set, claims, &devices, err) < 0)
			return -1;
	return 0;
}

/* ---- Vista and 7 ------------------------------------------------------------------- */

/*
 * hal.dll and the kernel of 32-bit Windows are those of the PC it was installed on; told
 * to, the boot loader chooses halacpi.dll or halmacpi.dll, which are all on the disk.
 */
static int detect_hal(struct any_work *w, struct error *err)
{
	static const char *const files[] = {"halacpi.dll", "halmacpi.dll"};

	if (w->windows->target.arch != ARCH_X86)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		_cleanup_free_ char *path = xasprintf("Windows/System32/%s", files[i]);
		int found = tree_stat(w->tree, path, NULL, err);

		if (found < 0)
			return -1;
		if (!found) {
			any_leave(w, "", "hal.dll", 0,
				  xasprintf("%s is missing: the image starts only on "
					    "PCs that its own HAL fits",
					    path));
			return 0;
		}
	}
	return bcd_detect_hal(w->tree, BCD_TEMPLATE, false, &w->out->boot_settings, err) <
			       0
		       ? -1
		       : 0;
}

int any_nt6_apply(struct any_work *w, struct error *err)
{
	vec_foreach (set, &w->sets)
		if (any_claims(w, *set, nt6_claims, err) < 0 ||
		    any_services(w, *set, err) < 0 || any_classes(w, *set, err) < 0)
			return -1;
	return detect_hal(w, err);
}

static int nt6_boot(struct tree *system, struct any_controller_result *ret,
		    struct error *err)
{
	static const char *const stores[] = {BCD_BIOS, BCD_EFI};

	for (size_t i = 0; i < ARRAY_SIZE(stores); i++)
		if (bcd_detect_hal(system, stores[i], false, &ret->boot_settings, err) <
		    0)
			return -1;
	return 0;
}

int any_controller_boot(struct tree *system, const struct target *target,
			struct any_controller_result *ret, struct error *err)
{
	bool vista = target_compare_version(target, 6, 0, 0) >= 0 &&
		     target_compare_version(target, 6, 2, 0) < 0;

	/* 8 and later have one HAL for every PC, and so has every 64-bit Windows. */
	if (vista && target->arch == ARCH_X86)
		return nt6_boot(system, ret, err);
	return 0;
}
