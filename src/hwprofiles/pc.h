/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One PC as an inventory describes it: who made it, its firmware, its devices by role.
 * What an inventory does not speak of is unknown, never absent. Needs src/base only, so
 * that the hypervisor's init can use it.
 */
#ifndef HWPROFILES_PC_H
#define HWPROFILES_PC_H

#include "base/memory.h"

/* ---- identity: the SMBIOS fields that tell models apart -------------------------------- */

/*
 * NULL: not known; "": the firmware says nothing. Spaces at both ends are removed,
 * placeholders of makers are kept.
 */
struct pc_identity {
	char *manufacturer, *product, *version, *family, *sku;	/* type 1 */
	char *board_manufacturer, *board_product, *board_version;	/* type 2 */
	char *bios_vendor, *bios_version, *bios_date;		/* type 0 */
	int bios_major, bios_minor;	/* type 0, release; -1: not known */
	int enclosure;			/* type 3, kind without the lock bit; -1: not known */
};
#define PC_IDENTITY_INIT                                                                  \
	{                                                                                 \
		.bios_major = -1, .bios_minor = -1, .enclosure = -1                       \
	}
void pc_identity_free(struct pc_identity *identity);
/* The year of "12/27/2013" or "12/27/13"; 0: not known. */
unsigned pc_bios_year(const struct pc_identity *identity);
/* True for "To Be Filled By O.E.M.", "Default string", "System Product Name", ... */
bool pc_placeholder(const char *text);

/* ---- devices ----------------------------------------------------------------------------- */

enum pc_bus {
	PC_PCI,
	PC_USB,
	PC_ACPI,
	PC_OTHER,	/* VMBUS, HDAUDIO, SCSI, ... */
	PC_BUSES,	/* their number */
};

enum pc_role {
	PC_BOOT_STORAGE,	/* controllers that a system disk may hang on */
	PC_NETWORK,		/* wired */
	PC_WIRELESS,
	PC_BLUETOOTH,
	PC_DISPLAY,
	PC_AUDIO,
	PC_INPUT,
	PC_USB_CONTROLLER,
	PC_MANAGEMENT,		/* Intel ME, AMT, AMD PSP */
	PC_CAMERA,
	PC_CARD_READER,
	PC_SECURITY,		/* TPM, fingerprint readers */
	PC_SYSTEM,		/* bridges, SMBus, timers, sensors of the chipset */
	PC_OTHER_ROLE,
	PC_ROLES,	/* their number */
};
const char *pc_bus_name(enum pc_bus bus);	/* "PCI", "USB", "ACPI", "other" */
const char *pc_role_name(enum pc_role role);	/* "boot-storage", "network", ... */
bool pc_role_parse(const char *name, enum pc_role *ret);

struct pc_device {
	enum pc_bus bus;
	enum pc_role role;
	/*
	 * The ID with all that is known, in Windows' form:
	 * "PCI\VEN_8086&DEV_2822&SUBSYS_85081028&REV_04&CC_010400", "USB\VID_046D&PID_C31C",
	 * "ACPI\PNP0303".
	 */
	char *id;
	/* The lists as reported, most specific first; empty: they follow from `id`. */
	struct strings hardware_ids, compatible_ids;
	char *name;		/* for people; NULL: not known */
};
DEFINE_VEC(pc_devices, struct pc_device);
void pc_device_free(struct pc_device *device);

#define PC_NO_ID 0x10000u	/* a 16-bit field that the inventory lacks */
struct pci_function {
	uint32_t vendor, device, subvendor, subdevice;	/* PC_NO_ID: not known */
	uint32_t class_code;	/* 0xCCSSPP; PC_NO_CLASS: not known */
	uint32_t revision;	/* PC_NO_ID: not known */
};
#define PC_NO_CLASS 0x1000000u
/* The device with ID and role; `name` (may be NULL) is copied. */
struct pc_device pci_device(const struct pci_function *function, const char *name);
/* The role of a PCI class code, vendor and device: 0xCCSSPP. */
enum pc_role pci_role(const struct pci_function *function);
/*
 * A device from a kernel modalias ("pci:v...", "usb:v...p...", "acpi:PNP0303:",
 * "vmbus:..."). False: of another kind, or malformed.
 */
bool modalias_device(const char *modalias, struct pc_device *ret);
/* A device from an ID in Windows' form; the role follows from the ID as far as it can. */
struct pc_device windows_device(const char *id, const char *name);

/* ---- the PC ------------------------------------------------------------------------------ */

enum pc_answer {
	PC_UNKNOWN,
	PC_NO,
	PC_YES,
};

struct pc {
	char *label;		/* what reports call it: "Dell Latitude 5400" */
	char *id;		/* of the inventory's record; or NULL */
	char *type;		/* "notebook", "desktop", ...; or NULL */
	struct pc_identity identity;
	unsigned year;		/* of a profile; 0: see pc_year() */
	enum pc_answer uefi, secure_boot, iommu;
	enum pc_answer bios;	/* starts as a BIOS PC does: BIOS firmware, or UEFI's CSM */
	enum pc_answer acpi;
	char *tpm;		/* "2.0", "1.2", "none"; NULL: not known */
	bool listed[PC_BUSES];	/* the inventory lists the devices of this bus */
	struct pc_devices devices;
};
#define PC_INIT                                                                           \
	{                                                                                 \
		.identity = PC_IDENTITY_INIT                                              \
	}
void pc_free(struct pc *pc);
#define _cleanup_pc_ _cleanup_(pc_free)
/* The year of the firmware, or the profile's; 0: not known. */
unsigned pc_year(const struct pc *pc);
/* Sets the label from the identity, if it has none; "unknown PC" in the last resort. */
void pc_name(struct pc *pc);

#endif
