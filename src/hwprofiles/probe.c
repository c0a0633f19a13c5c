/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hwprofiles/probe.h"

#include <ctype.h>
#include <errno.h>

#include "base/file.h"
#include "base/sysfs.h"
#include "hwprofiles/identity.h"

/* ---- identity
 * -------------------------------------------------------------------------------
 */

static void probe_identity_files(const char *root, struct pc_identity *i)
{
	const struct {
		const char *name;
		char **field;
	} fields[] = {
		{"sys_vendor", &i->manufacturer},
		{"product_name", &i->product},
		{"product_version", &i->version},
		{"product_sku", &i->sku},
		{"product_family", &i->family},
		{"board_vendor", &i->board_manufacturer},
		{"board_name", &i->board_product},
		{"board_version", &i->board_version},
		{"bios_vendor", &i->bios_vendor},
		{"bios_version", &i->bios_version},
		{"bios_date", &i->bios_date},
	};
	_cleanup_free_ char *release = sysfs_text(root, "class/dmi/id/bios_release");
	_cleanup_free_ char *kind = sysfs_text(root, "class/dmi/id/chassis_type");
	char *end;

	for (size_t n = 0; n < ARRAY_SIZE(fields); n++) {
		_cleanup_free_ char *path = xasprintf("class/dmi/id/%s", fields[n].name);

		*fields[n].field = sysfs_text(root, path);
	}
	if (kind && isdigit((unsigned char)*kind))
		i->enclosure = atoi(kind);
	if (release && isdigit((unsigned char)*release)) {
		i->bios_major = (int)strtol(release, &end, 10);
		if (*end == '.')
			i->bios_minor = atoi(end + 1);
	}
}

static void probe_identity(const char *root, struct pc *pc)
{
	_cleanup_free_ char *path = xasprintf("%s/sys/firmware/dmi/tables/DMI", root);
	_cleanup_buffer_ struct buffer table = BUFFER_INIT;

	if (file_read(path, 1 << 20, &table, NULL) == 0 &&
	    smbios_read(buffer_view(&table), path, &pc->identity, NULL) == 0)
		return;
	probe_identity_files(root, &pc->identity);
}

static void probe_firmware(const char *root, struct pc *pc)
{
	_cleanup_free_ char *variable = sysfs_text(
		root,
		"firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c");
	_cleanup_free_ char *path =
		xasprintf("%s/sys/firmware/efi/efivars/"
			  "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c",
			  root);
	_cleanup_free_ char *tpm = sysfs_text(root, "class/tpm/tpm0/tpm_version_major");
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;

	pc->uefi = sysfs_exists(root, "firmware/efi") ? PC_YES : PC_NO;
	if (pc->uefi == PC_NO)
		pc->secure_boot = PC_NO;
	else if (variable && file_read(path, 64, &data, NULL) == 0 && data.len >= 5)
		/* Four bytes of attributes, then the value. */
		pc->secure_boot = data.data[4] == 1 ? PC_YES : PC_NO;
	if (tpm)
		pc->tpm = xstrdup(strcmp(tpm, "2") == 0 ? "2.0" : "1.2");
	else if (sysfs_exists(root, "class/tpm"))
		pc->tpm = xstrdup("none");
	pc->iommu = sysfs_exists(root, "firmware/acpi/tables/DMAR") ||
				    sysfs_exists(root, "firmware/acpi/tables/IVRS")
			    ? PC_YES
		    : sysfs_exists(root, "firmware/acpi/tables") ? PC_NO
								 : PC_UNKNOWN;
}

/* ---- devices
 * ----------------------------------------------------------------------------------
 */

typedef void probe_fn(const char *root, const char *folder, struct pc *pc);

/* Calls `fn` for each device of the bus, in the order of their names. */
static int each_device(const char *root, const char *bus, probe_fn *fn, struct pc *pc,
		       struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s/sys/bus/%s/devices", root, bus);
	_cleanup_(strings_free) struct strings names = VEC_INIT;

	if (folder_list(path, &names) < 0)
		return errno == ENOENT ? 0 : error_errno(err, path, "cannot list");
	vec_foreach (name, &names) {
		_cleanup_free_ char *folder = xasprintf("bus/%s/devices/%s", bus, *name);

		fn(root, folder, pc);
	}
	return 1;
}

struct pci_function probe_pci_function(const char *root, const char *folder)
{
	struct pci_function f = {
		.vendor = sysfs_number(root, folder, "vendor", PC_NO_ID),
		.device = sysfs_number(root, folder, "device", PC_NO_ID),
		.subvendor = sysfs_number(root, folder, "subsystem_vendor", PC_NO_ID),
		.subdevice = sysfs_number(root, folder, "subsystem_device", PC_NO_ID),
		.class_code = sysfs_number(root, folder, "class", PC_NO_CLASS),
		.revision = sysfs_number(root, folder, "revision", PC_NO_ID),
	};

	if (!f.subvendor)
		f.subvendor = f.subdevice = PC_NO_ID;
	return f;
}

static void probe_pci(const char *root, const char *folder, struct pc *pc)
{
	struct pci_function f = probe_pci_function(root, folder);

	if (f.vendor != PC_NO_ID && f.device != PC_NO_ID)
		vec_push(&pc->devices, pci_device(&f, NULL));
}

static void probe_modalias(const char *root, const char *folder, struct pc *pc)
{
	_cleanup_free_ char *path = xasprintf("%s/modalias", folder);
	_cleanup_free_ char *text = sysfs_text(root, path);
	struct pc_device device;

	if (text && modalias_device(text, &device))
		vec_push(&pc->devices, device);
}

int probe_pc(const char *root, struct pc *ret, struct error *err)
{
	static const struct {
		const char *name;
		enum pc_bus bus;
		probe_fn *fn;
	} buses[] = {{"pci", PC_PCI, probe_pci},
		     {"usb", PC_USB, probe_modalias},
		     {"acpi", PC_ACPI, probe_modalias},
		     {"vmbus", PC_OTHER, probe_modalias}};

	*ret = (struct pc)PC_INIT;
	probe_identity(root, ret);
	probe_firmware(root, ret);
	for (size_t i = 0; i < ARRAY_SIZE(buses); i++) {
		int found = each_device(root, buses[i].name, buses[i].fn, ret, err);

		if (found < 0) {
			pc_free(ret);
			return -1;
		}
		ret->listed[buses[i].bus] |= found > 0;
	}
	pc_name(ret);
	if (ret->devices.len || ret->identity.manufacturer)
		return 0;
	pc_free(ret);
	error_set(err, ERROR_FAILED, "/sys", "tells nothing of this machine");
	return error_remedy(err, "mount sysfs, or import an inventory instead");
}
