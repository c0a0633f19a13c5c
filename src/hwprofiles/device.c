/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Devices: IDs in Windows' form, and roles, from what a bus tells. PCI class codes are
 * those of the PCI-SIG's "PCI Code and ID Assignment", ACPI and PNP IDs those of the UEFI
 * forum's registry and Microsoft's device setup INFs.
 */
#include <ctype.h>
#include <strings.h>

#include "base/text.h"
#include "hwprofiles/pc.h"

#define VENDOR_INTEL 0x8086u
#define VENDOR_AMD 0x1022u

/* ---- roles
 * --------------------------------------------------------------------------------
 */

static enum pc_role storage_role(unsigned subclass)
{
	/* Floppy (02) and "other" (80) hold no system disk that Windows starts from. */
	return subclass == 0x02 ? PC_OTHER_ROLE : PC_BOOT_STORAGE;
}

static enum pc_role network_role(const struct pci_function *f)
{
	unsigned subclass = f->class_code >> 8 & 0xFF;

	return subclass == 0x80 ? PC_WIRELESS : PC_NETWORK;
}

/* Communication devices: Intel's and AMD's management functions call themselves so. */
static enum pc_role communication_role(const struct pci_function *f)
{
	unsigned subclass = f->class_code >> 8 & 0xFF;

	if (f->vendor == VENDOR_INTEL && (subclass == 0x80 || subclass == 0x00))
		return PC_MANAGEMENT;
	return PC_OTHER_ROLE;
}

static enum pc_role serial_bus_role(unsigned subclass)
{
	switch (subclass) {
	case 0x03:
		return PC_USB_CONTROLLER;
	default: /* FireWire, SMBus, fibre channel, IPMI, ... */
		return PC_SYSTEM;
	}
}

enum pc_role pci_role(const struct pci_function *f)
{
	unsigned base = f->class_code >> 16, subclass = f->class_code >> 8 & 0xFF;

	if (f->class_code >= PC_NO_CLASS)
		return PC_OTHER_ROLE;
	switch (base) {
	case 0x01:
		return storage_role(subclass);
	case 0x02:
		return network_role(f);
	case 0x03:
		return PC_DISPLAY;
	case 0x04:
		return subclass == 0x01 || subclass == 0x03 ? PC_AUDIO : PC_OTHER_ROLE;
	case 0x07:
		return communication_role(f);
	case 0x08:
		return subclass == 0x05 ? PC_CARD_READER : PC_SYSTEM;
	case 0x09:
		return PC_INPUT;
	case 0x0C:
		return serial_bus_role(subclass);
	case 0x0D:
		return subclass == 0x11 ? PC_BLUETOOTH : PC_WIRELESS;
	case 0x10: /* AMD's platform security processor */
		return f->vendor == VENDOR_AMD ? PC_MANAGEMENT : PC_SYSTEM;
	case 0xFF: /* unassigned: card readers of Realtek are among these */
		return f->vendor == 0x10EC ? PC_CARD_READER : PC_OTHER_ROLE;
	default: /* 05 memory, 06 bridges, 11 signal processing, ... */
		return base == 0x05 || base == 0x06 || base == 0x11 || base == 0x08
			       ? PC_SYSTEM
			       : PC_OTHER_ROLE;
	}
}

/* USB base classes (usb.org, "Defined Class Codes"). */
static enum pc_role usb_role(unsigned class_code, unsigned subclass, unsigned protocol)
{
	switch (class_code) {
	case 0x01:
		return PC_AUDIO;
	case 0x03:
		return PC_INPUT;
	case 0x08:
		return PC_BOOT_STORAGE;
	case 0x09:
		return PC_SYSTEM;
	case 0x0B:
		return PC_SECURITY;
	case 0x0E:
		return PC_CAMERA;
	case 0xE0:
		return subclass == 0x01 && protocol == 0x01 ? PC_BLUETOOTH : PC_WIRELESS;
	default:
		return PC_OTHER_ROLE;
	}
}

static enum pc_role acpi_role(const char *id)
{
	static const struct {
		const char *prefix;
		enum pc_role role;
	} roles[] = {
		{"PNP0303", PC_INPUT},
		{"PNP030", PC_INPUT},
		{"PNP0F", PC_INPUT},
		{"PNP0C50", PC_INPUT},
		{"SYN", PC_INPUT},
		{"ELAN", PC_INPUT},
		{"ALPS", PC_INPUT},
		{"DLL0", PC_INPUT},
		{"LEN00", PC_INPUT},
		{"MSFT0101", PC_SECURITY},
		{"IFX0102", PC_SECURITY},
		{"PNP0C31", PC_SECURITY},
		{"80860F14", PC_BOOT_STORAGE},
		{"80860F16", PC_CARD_READER},
		{"INT33C6", PC_BOOT_STORAGE},
		{"PNP0D40", PC_BOOT_STORAGE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(roles); i++)
		if (strncasecmp(id, roles[i].prefix, strlen(roles[i].prefix)) == 0)
			return roles[i].role;
	return PC_SYSTEM;
}

/* ---- PCI
 * ----------------------------------------------------------------------------------
 */

/* Inventories have millions of these: no printf. */
static char *put_hex(char *at, const char *tag, uint32_t value, unsigned digits)
{
	size_t len = strlen(tag);

	memcpy(at, tag, len);
	at += len;
	for (unsigned i = digits; i-- > 0;)
		*at++ = "0123456789ABCDEF"[value >> (4 * i) & 0xF];
	return at;
}

struct pc_device pci_device(const struct pci_function *f, const char *name)
{
	char id[sizeof("PCI\\VEN_0000&DEV_0000&SUBSYS_00000000&REV_00&CC_000000")];
	char *at = put_hex(id, "PCI\\VEN_", f->vendor, 4);

	at = put_hex(at, "&DEV_", f->device, 4);
	if (f->subvendor != PC_NO_ID && f->subdevice != PC_NO_ID) {
		at = put_hex(at, "&SUBSYS_", f->subdevice, 4);
		at = put_hex(at, "", f->subvendor, 4);
	}
	if (f->revision != PC_NO_ID)
		at = put_hex(at, "&REV_", f->revision, 2);
	if (f->class_code < PC_NO_CLASS)
		at = put_hex(at, "&CC_", f->class_code, 6);
	return (struct pc_device){.bus = PC_PCI,
				  .role = pci_role(f),
				  .id = xstrndup(id, (size_t)(at - id)),
				  .name = name && *name ? xstrdup(name) : NULL};
}

/* ---- modalias
 * -----------------------------------------------------------------------------
 */

/* "TAGvalue": hexadecimal digits after `tag`; false if it is not there. */
static bool hex_after(const char **at, const char *tag, unsigned digits, uint32_t *ret)
{
	uint32_t value = 0;
	size_t len = strlen(tag);

	if (strncmp(*at, tag, len) != 0)
		return false;
	*at += len;
	for (unsigned i = 0; i < digits; i++, (*at)++) {
		int c = toupper((unsigned char)**at);

		if (!isxdigit(c))
			return false;
		value = value << 4 | (uint32_t)(c <= '9' ? c - '0' : c - 'A' + 10);
	}
	*ret = value;
	return true;
}

/* pci:v00008086d00001C02sv00001043sd00008519bc01sc06i01 */
static bool pci_modalias(const char *at, struct pc_device *ret)
{
	struct pci_function f = {.revision = PC_NO_ID};
	uint32_t base, subclass, interface;

	if (!hex_after(&at, "v", 8, &f.vendor) || !hex_after(&at, "d", 8, &f.device) ||
	    !hex_after(&at, "sv", 8, &f.subvendor) ||
	    !hex_after(&at, "sd", 8, &f.subdevice) || !hex_after(&at, "bc", 2, &base) ||
	    !hex_after(&at, "sc", 2, &subclass) || !hex_after(&at, "i", 2, &interface))
		return false;
	if (f.vendor > 0xFFFF || f.device > 0xFFFF)
		return false;
	if (f.subvendor > 0xFFFF || f.subdevice > 0xFFFF || !f.subvendor)
		f.subvendor = f.subdevice = PC_NO_ID;
	f.class_code = base << 16 | subclass << 8 | interface;
	*ret = pci_device(&f, NULL);
	return true;
}

/* usb:v046DpC31Cd6402dc00dsc00dp00ic03isc01ip01in00 */
static bool usb_modalias(const char *at, struct pc_device *ret)
{
	uint32_t vendor, product, revision, unused, class_code, subclass, protocol;

	if (!hex_after(&at, "v", 4, &vendor) || !hex_after(&at, "p", 4, &product) ||
	    !hex_after(&at, "d", 4, &revision) || !hex_after(&at, "dc", 2, &unused) ||
	    !hex_after(&at, "dsc", 2, &unused) || !hex_after(&at, "dp", 2, &unused) ||
	    !hex_after(&at, "ic", 2, &class_code) ||
	    !hex_after(&at, "isc", 2, &subclass) || !hex_after(&at, "ip", 2, &protocol))
		return false;
	*ret = (struct pc_device){.bus = PC_USB,
				  .role = usb_role(class_code, subclass, protocol),
				  .id = xasprintf("USB\\VID_%04X&PID_%04X&REV_%04X",
						  vendor, product, revision)};
	strings_push(&ret->hardware_ids, ret->id);
	vec_push(&ret->hardware_ids,
		 xasprintf("USB\\VID_%04X&PID_%04X", vendor, product));
	vec_push(&ret->compatible_ids,
		 xasprintf("USB\\Class_%02X&SubClass_%02X&Prot_%02X", class_code,
			   subclass, protocol));
	vec_push(&ret->compatible_ids,
		 xasprintf("USB\\Class_%02X&SubClass_%02X", class_code, subclass));
	vec_push(&ret->compatible_ids, xasprintf("USB\\Class_%02X", class_code));
	return true;
}

/* acpi:PNP0303: or acpi:SYN1219:PNP0F13: -- the device's own ID, then compatible ones */
static bool acpi_modalias(const char *at, struct pc_device *ret)
{
	*ret = (struct pc_device){.bus = PC_ACPI};
	while (*at) {
		size_t len = strcspn(at, ":");

		if (len == 0 || len > 16 ||
		    strspn(at, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			       "abcdefghijklmnopqrstuvwxyz") < len)
			break;
		if (!ret->id) {
			ret->id = xasprintf("ACPI\\%.*s", (int)len, at);
			vec_push(&ret->hardware_ids, xstrdup(ret->id));
			vec_push(&ret->hardware_ids, xasprintf("*%.*s", (int)len, at));
			ret->role = acpi_role(at);
		} else {
			vec_push(&ret->compatible_ids,
				 xasprintf("ACPI\\%.*s", (int)len, at));
			vec_push(&ret->compatible_ids, xasprintf("*%.*s", (int)len, at));
			if (ret->role == PC_SYSTEM)
				ret->role = acpi_role(at);
		}
		at += len + (at[len] == ':');
	}
	if (ret->id && !*at)
		return true;
	pc_device_free(ret);
	return false;
}

/* vmbus:635161f83edfc546913ff2d2f965ed0e: a GUID's bytes in memory order */
static bool vmbus_modalias(const char *at, struct pc_device *ret)
{
	char text[33];

	if (strspn(at, "0123456789abcdef") != 32)
		return false;
	memcpy(text, at, 32);
	text[32] = 0;
	*ret = (struct pc_device){
		.bus = PC_OTHER,
		.role = PC_OTHER_ROLE,
		.id = xasprintf("VMBUS\\{%.2s%.2s%.2s%.2s-%.2s%.2s-%.2s%.2s-%.4s-%.12s}",
				text + 6, text + 4, text + 2, text, text + 10, text + 8,
				text + 14, text + 12, text + 16, text + 20)};
	return true;
}

bool modalias_device(const char *modalias, struct pc_device *ret)
{
	static const struct {
		const char *prefix;
		bool (*parse)(const char *at, struct pc_device *ret);
	} kinds[] = {
		{"pci:", pci_modalias},
		{"usb:", usb_modalias},
		{"acpi:", acpi_modalias},
		{"vmbus:", vmbus_modalias},
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (text_starts_with(modalias, kinds[i].prefix))
			return kinds[i].parse(modalias + strlen(kinds[i].prefix), ret);
	return false;
}

/* ---- IDs as Windows tools print them
 * --------------------------------------------------------
 */

/* The hexadecimal value after "KEY_" in "BUS\KEY_1234&KEY_12"; `missing` without one. */
static uint32_t id_field(const char *id, const char *key, unsigned digits,
			 uint32_t missing)
{
	const char *at = strchr(id, '\\');
	uint32_t value;

	if (!at)
		return missing;
	/* What follows a second backslash is the instance. */
	do {
		const char *field = at + 1;

		if (hex_after(&field, key, digits, &value) &&
		    strchr("&\\", *field) != NULL)
			return value;
		at += 1 + strcspn(at + 1, "&\\");
	} while (*at == '&');
	return missing;
}

/* SUBSYS_ is the subsystem's device, then its vendor. */
static struct pc_device windows_pci(const char *id, const char *name)
{
	struct pci_function f = {
		.vendor = id_field(id, "VEN_", 4, PC_NO_ID),
		.device = id_field(id, "DEV_", 4, PC_NO_ID),
		.subvendor = PC_NO_ID,
		.subdevice = PC_NO_ID,
		.revision = id_field(id, "REV_", 2, PC_NO_ID),
		.class_code = id_field(id, "CC_", 6, PC_NO_CLASS),
	};
	_cleanup_free_ char *upper = text_upper(id);
	const char *subsystem = strstr(upper, "&SUBSYS_");

	if (subsystem) {
		const char *at = subsystem + 1;
		uint32_t vendor, device;

		if (hex_after(&at, "SUBSYS_", 4, &device) &&
		    hex_after(&at, "", 4, &vendor) && vendor) {
			f.subvendor = vendor;
			f.subdevice = device;
		}
	}
	if (f.class_code == PC_NO_CLASS) {
		uint32_t class16 = id_field(id, "CC_", 4, PC_NO_CLASS);

		if (class16 < PC_NO_CLASS)
			f.class_code = class16 << 8;
	}
	return pci_device(&f, name);
}

struct pc_device windows_device(const char *id, const char *name)
{
	_cleanup_free_ char *upper = text_upper(id);
	/* An instance path has the instance as its third part. */
	char *instance = strchr(upper, '\\');
	struct pc_device device = {.bus = PC_OTHER, .role = PC_OTHER_ROLE};

	instance = instance ? strchr(instance + 1, '\\') : NULL;
	if (text_starts_with(upper, "PCI\\VEN_") &&
	    id_field(upper, "DEV_", 4, PC_NO_ID) != PC_NO_ID)
		return windows_pci(upper, name);
	if (text_starts_with(upper, "USB\\") || text_starts_with(upper, "USBSTOR\\"))
		device.bus = PC_USB;
	else if (text_starts_with(upper, "ACPI\\") || *upper == '*')
		device.bus = PC_ACPI;
	if (device.bus == PC_ACPI)
		device.role = acpi_role(*upper == '*' ? upper + 1 : upper + 5);
	device.id = instance ? xstrndup(id, (size_t)(instance - upper)) : xstrdup(id);
	device.name = name && *name ? xstrdup(name) : NULL;
	return device;
}
