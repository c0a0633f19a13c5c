/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The text of dmidecode(8), and Qubes OS' HCL reports: both speak of the machine itself.
 */
#include <ctype.h>
#include <stdio.h>

#include "base/text.h"
#include "hwprofiles/inventory_private.h"

/* ---- dmidecode
 * --------------------------------------------------------------------------------
 */

/* What dmidecode prints for a string that the structure does not have. */
static const char *field_value(const char *value)
{
	return strcmp(value, "Not Specified") == 0 || strcmp(value, "<BAD INDEX>") == 0
		       ? ""
		       : value;
}

/* DSP0134, 7.4.1: the names dmidecode prints, by number. */
static int enclosure_kind(const char *name)
{
	static const char *const names[] = {
		NULL,
		"Other",
		"Unknown",
		"Desktop",
		"Low Profile Desktop",
		"Pizza Box",
		"Mini Tower",
		"Tower",
		"Portable",
		"Laptop",
		"Notebook",
		"Hand Held",
		"Docking Station",
		"All In One",
		"Sub Notebook",
		"Space-saving",
		"Lunch Box",
		"Main Server Chassis",
		"Expansion Chassis",
		"Sub Chassis",
		"Bus Expansion Chassis",
		"Peripheral Chassis",
		"RAID Chassis",
		"Rack Mount Chassis",
		"Sealed-case PC",
		"Multi-system",
		"CompactPCI",
		"AdvancedTCA",
		"Blade",
		"Blade Enclosing",
		"Tablet",
		"Convertible",
		"Detachable",
		"IoT Gateway",
		"Embedded PC",
		"Mini PC",
		"Stick PC",
	};

	for (size_t i = 1; i < ARRAY_SIZE(names); i++)
		if (strcmp(names[i], name) == 0)
			return (int)i;
	return -1;
}

struct dmi_field {
	int type;
	const char *name;
	size_t offset; /* of a char * in struct pc_identity */
};
#define FIELD(type, name, member)                                \
	{                                                        \
		type, name, offsetof(struct pc_identity, member) \
	}
static const struct dmi_field dmi_fields[] = {
	FIELD(0, "Vendor", bios_vendor),
	FIELD(0, "Version", bios_version),
	FIELD(0, "Release Date", bios_date),
	FIELD(1, "Manufacturer", manufacturer),
	FIELD(1, "Vendor", manufacturer),
	FIELD(1, "Product Name", product),
	FIELD(1, "Product", product),
	FIELD(1, "Version", version),
	FIELD(1, "SKU Number", sku),
	FIELD(1, "Family", family),
	FIELD(2, "Manufacturer", board_manufacturer),
	FIELD(2, "Product Name", board_product),
	FIELD(2, "Version", board_version),
};

/* "BIOS Revision: 4.6": system BIOS release. */
static void bios_revision(char *line, struct pc_identity *i)
{
	char *value = after_name(line, "BIOS Revision");
	unsigned major, minor;

	if (value && sscanf(value, "%u.%u", &major, &minor) == 2 && major < 255 &&
	    minor < 255) {
		i->bios_major = (int)major;
		i->bios_minor = (int)minor;
	}
}

static void dmi_line(char *line, int type, struct pc *pc)
{
	struct pc_identity *identity = &pc->identity;
	char *value;

	for (size_t i = 0; i < ARRAY_SIZE(dmi_fields); i++) {
		const struct dmi_field *f = &dmi_fields[i];

		if (f->type == type && (value = after_name(line, f->name)))
			set_field((char **)(void *)((char *)identity + f->offset),
				  field_value(value));
	}
	if (type == 0) {
		bios_revision(line, identity);
		if (strstr(line, "UEFI is supported"))
			pc->uefi = PC_YES;
		/* "ACPI is supported", among the BIOS characteristics. */
		if (strstr(line, "ACPI is supported"))
			pc->acpi = PC_YES;
	} else if (type == 3 && identity->enclosure < 0 &&
		   (value = after_name(line, "Type"))) {
		identity->enclosure = enclosure_kind(value);
	} else if (type == 43 && (value = after_name(line, "Specification Version"))) {
		set_field(&pc->tpm, value);
	}
}

/* The first structure of a type counts; a line is "\tName: value" below its head. */
int read_dmidecode(char *text, const char *path, struct pc *pc, struct error *err)
{
	struct lines lines = {text, 0};
	bool seen[256] = {false};
	int type = -1;
	char *line;

	while ((line = next_line(&lines))) {
		const char *mark = strstr(line, "DMI type ");
		unsigned number;

		/* Before dmidecode 2.8 the type has a line of its own. */
		if (mark && (strncmp(line, "Handle 0x", 9) == 0 ||
			     mark == line + strspn(line, " \t"))) {
			type = -1;
			if (sscanf(mark, "DMI type %u", &number) == 1 && number < 256 &&
			    !seen[number]) {
				seen[number] = true;
				type = (int)number;
			}
		} else if (type >= 0 && isspace((unsigned char)*line)) {
			dmi_line(line, type, pc);
		}
	}
	if (seen[1])
		return 0;
	inventory_error(err, path, lines.number,
			"has no structure of type 1 (system information)");
	return error_remedy(err, "run dmidecode as root, without -t");
}

/* ---- Qubes HCL
 * ------------------------------------------------------------------------------------
 */

static enum pc_answer answer(const char *text)
{
	return strcmp(text, "yes") == 0	 ? PC_YES
	       : strcmp(text, "no") == 0 ? PC_NO
					 : PC_UNKNOWN;
}

/* A scalar of YAML on one line: 'text', "text" or plain. */
static char *scalar(char *value)
{
	size_t len = strlen(value);

	if (len >= 2 && (*value == '\'' || *value == '"') && value[len - 1] == *value) {
		value[len - 1] = 0;
		value++;
	}
	return strip(value);
}

int read_functions(const char *text, uint32_t class_code, const char *path, unsigned line,
		   struct pc *pc, struct error *err)
{
	for (const char *at = text; (at = strchr(at, '[')); at++) {
		struct pci_function f = {.subvendor = PC_NO_ID,
					 .subdevice = PC_NO_ID,
					 .class_code = class_code,
					 .revision = PC_NO_ID};
		char *end;
		unsigned long vendor = strtoul(at + 1, &end, 16), device;

		if (end != at + 5 || *end != ':')
			continue;
		device = strtoul(at + 6, &end, 16);
		if (end != at + 10 || *end != ']')
			continue;
		f.vendor = (uint32_t)vendor;
		f.device = (uint32_t)device;
		if (inventory_add(pc, pci_device(&f, NULL), path, line, err) < 0)
			return -1;
	}
	return 0;
}

/*
 * The report of qubes-hcl-report: flat "key:" lines, with the value on the same line or,
 * indented, on the next ones (folded text). Only keys that say something of the hardware
 * are read, so that nothing of YAML beyond this is needed.
 */
int read_qubes(char *text, const char *path, struct pc *pc, struct error *err)
{
	static const struct {
		const char *key;
		uint32_t class_code;
	} devices[] = {{"chipset", 0x060000}, {"gpu", 0x030000}, {"network", 0x020000}};
	struct lines lines = {text, 0};
	char key[32] = "", *line;

	while ((line = next_line(&lines))) {
		bool indented = isspace((unsigned char)*line);
		char *colon = indented ? NULL : strchr(line, ':');
		char *value = scalar(strip(indented || !colon ? line : colon + 1));

		if (colon)
			(void)snprintf(key, sizeof(key), "%.*s",
				       (int)(colon - line < 31 ? colon - line : 31),
				       line);
		if (!*value || *value == '|')
			continue;
		if (strcmp(key, "brand") == 0)
			set_field(&pc->identity.manufacturer, value);
		else if (strcmp(key, "model") == 0)
			set_field(&pc->identity.product, value);
		else if (strcmp(key, "bios") == 0)
			set_field(&pc->identity.bios_version, value);
		else if (strcmp(key, "type") == 0)
			set_field(&pc->type, value);
		else if (strcmp(key, "iommu") == 0)
			pc->iommu = answer(value);
		else if (strcmp(key, "tpm") == 0 && strcmp(value, "unknown") != 0)
			set_field(&pc->tpm, value);
		for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
			if (strcmp(key, devices[i].key) == 0 &&
			    read_functions(value, devices[i].class_code, path,
					   lines.number, pc, err) < 0)
				return -1;
	}
	if (pc->identity.product)
		return 0;
	return inventory_error(err, path, lines.number,
			       "ends without brand: and model: of a HCL report");
}
