/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lists of PCI functions: lspci, pciconf; and lists of kernel modaliases. */
#include <ctype.h>

#include "base/text.h"
#include "hwprofiles/inventory_private.h"

static const struct pci_function no_function = {PC_NO_ID, PC_NO_ID,    PC_NO_ID,
						PC_NO_ID, PC_NO_CLASS, PC_NO_ID};

/* Exactly `digits` hexadecimal digits. */
static bool hex_field(const char *at, unsigned digits, uint32_t *ret)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < digits; i++) {
		if (!isxdigit((unsigned char)at[i]))
			return false;
		value = value << 4 |
			(uint32_t)(isdigit((unsigned char)at[i])
					   ? at[i] - '0'
					   : tolower((unsigned char)at[i]) - 'a' + 10);
	}
	*ret = value;
	return true;
}

/* "[8086:1c02]" somewhere in the text: the last one. */
static bool bracketed_pair(const char *text, uint32_t *a, uint32_t *b, const char **where)
{
	const char *found = NULL;

	for (const char *at = text; (at = strchr(at, '[')); at++)
		if (hex_field(at + 1, 4, a) && at[5] == ':' && hex_field(at + 6, 4, b) &&
		    at[10] == ']')
			found = at;
	if (!found)
		return false;
	(void)hex_field(found + 1, 4, a);
	(void)hex_field(found + 6, 4, b);
	if (where)
		*where = found;
	return true;
}

/* "00:1f.2 " or "0000:00:1f.2 " at the start of the line; bytes, 0 if it is no address.
 */
static size_t address_length(const char *line)
{
	uint32_t unused;
	size_t at = hex_field(line, 4, &unused) && line[4] == ':' ? 5 : 0;

	/* A domain of more than four digits is what VMD makes: 10000:e0:06.0 */
	if (!at && hex_field(line, 5, &unused) && line[5] == ':')
		at = 6;
	if (!hex_field(line + at, 2, &unused) || line[at + 2] != ':' ||
	    !hex_field(line + at + 3, 2, &unused) || line[at + 5] != '.' ||
	    !isdigit((unsigned char)line[at + 6]))
		return 0;
	at += 7;
	return line[at] == ' ' || line[at] == '\t' ? at : 0;
}

/* 00:1f.2 SATA controller [0106]: Intel Corporation ... [8086:1c02] (rev 05) (prog-if 01)
 */
static int lspci_head(char *line, const char *path, unsigned number,
		      struct pci_function *f, char **name, struct error *err)
{
	char *text = line + address_length(line), *colon, *bracket;
	const char *ids, *revision, *interface;
	uint32_t class_code, value;

	while (*text == ' ' || *text == '\t')
		text++;
	bracket = strchr(text, '[');
	colon = bracket ? strstr(bracket, "]: ") : NULL;
	if (!bracket || !colon || !hex_field(bracket + 1, 4, &class_code) ||
	    bracket[5] != ']' || !bracketed_pair(colon, &f->vendor, &f->device, &ids)) {
		inventory_error(err, path, number,
				"has no numbers such as [0106] and [8086:1c02]");
		return error_remedy(err, "list the PCI functions with lspci -nn");
	}
	f->class_code = class_code << 8;
	revision = strstr(ids, "(rev ");
	if (revision && hex_field(revision + 5, 2, &value))
		f->revision = value;
	interface = strstr(ids, "(prog-if ");
	if (interface && hex_field(interface + 9, 2, &value))
		f->class_code |= value;
	free(*name);
	*name = xstrndup(colon + 3, (size_t)(ids - colon - 3));
	(void)strip(*name);
	return 0;
}

static int finish_function(struct pc *pc, struct pci_function *f, char **name,
			   const char *path, unsigned line, struct error *err)
{
	int result = 0;

	if (f->vendor != PC_NO_ID)
		result = inventory_add(pc, pci_device(f, *name), path, line, err);
	*f = no_function;
	free(*name);
	*name = NULL;
	return result;
}

int read_lspci(char *text, const char *path, struct pc *pc, struct error *err)
{
	struct lines lines = {text, 0};
	struct pci_function f = no_function;
	_cleanup_free_ char *name = NULL;
	char *line;

	pc->listed[PC_PCI] = true;
	while ((line = next_line(&lines))) {
		char *subsystem = after_name(line, "Subsystem");

		if (address_length(line)) {
			if (finish_function(pc, &f, &name, path, lines.number, err) < 0 ||
			    lspci_head(line, path, lines.number, &f, &name, err) < 0)
				return -1;
		} else if (subsystem && f.vendor != PC_NO_ID) {
			(void)bracketed_pair(subsystem, &f.subvendor, &f.subdevice, NULL);
		}
	}
	return finish_function(pc, &f, &name, path, lines.number, err);
}

/* "Intel Corporation [8086]": the number in the last brackets. */
static uint32_t last_number(const char *text, uint32_t missing)
{
	const char *bracket = strrchr(text, '[');
	uint32_t value;

	return bracket && hex_field(bracket + 1, 4, &value) && bracket[5] == ']'
		       ? value
		       : missing;
}

static void machine_field(char *line, struct pci_function *f, char **name)
{
	char *value;
	uint32_t number;

	if ((value = after_name(line, "Class"))) {
		number = last_number(value, PC_NO_CLASS);
		f->class_code = number < PC_NO_CLASS ? number << 8 : PC_NO_CLASS;
	} else if ((value = after_name(line, "Vendor"))) {
		f->vendor = last_number(value, PC_NO_ID);
	} else if ((value = after_name(line, "Device"))) {
		f->device = last_number(value, PC_NO_ID);
		free(*name);
		*name = xstrdup(value);
	} else if ((value = after_name(line, "SVendor"))) {
		f->subvendor = last_number(value, PC_NO_ID);
	} else if ((value = after_name(line, "SDevice"))) {
		f->subdevice = last_number(value, PC_NO_ID);
	} else if ((value = after_name(line, "Rev")) && hex_field(value, 2, &number)) {
		f->revision = number;
	} else if ((value = after_name(line, "ProgIf")) && hex_field(value, 2, &number) &&
		   f->class_code < PC_NO_CLASS) {
		f->class_code |= number;
	}
}

int read_lspci_machine(char *text, const char *path, struct pc *pc, struct error *err)
{
	struct lines lines = {text, 0};
	struct pci_function f = no_function;
	_cleanup_free_ char *name = NULL;
	char *line;
	bool in_record = false;

	pc->listed[PC_PCI] = true;
	do {
		line = next_line(&lines);
		if (line && *strip(line)) {
			in_record = true;
			machine_field(line, &f, &name);
			continue;
		}
		if (in_record && (f.vendor == PC_NO_ID || f.device == PC_NO_ID)) {
			inventory_error(err, path, lines.number,
					"ends a record without vendor and device number");
			return error_remedy(err, "list the PCI functions with lspci "
						 "-vmmnn");
		}
		in_record = false;
		if (finish_function(pc, &f, &name, path, lines.number, err) < 0)
			return -1;
	} while (line);
	return 0;
}

/* "key=0x1234" in the line; `missing` if it is not there. */
static uint32_t pciconf_number(const char *line, const char *key, uint32_t missing)
{
	const char *at = line;
	size_t len = strlen(key);

	while ((at = strstr(at, key))) {
		if (at > line && at[-1] != ' ' && at[-1] != '\t') {
			at += len;
			continue;
		}
		return (uint32_t)strtoul(at + len, NULL, 16);
	}
	return missing;
}

/* hostb0@pci0:0:0:0: class=0x060000 rev=0x0c hdr=0x00 vendor=0x8086 device=0x3e34 ... */
static bool pciconf_head(const char *line, struct pci_function *f)
{
	const char *at = strstr(line, "@pci");
	uint32_t card = pciconf_number(line, "card=", UINT32_MAX);
	uint32_t chip = pciconf_number(line, "chip=", UINT32_MAX);

	if (!at || isspace((unsigned char)*line))
		return false;
	f->class_code = pciconf_number(line, "class=", PC_NO_CLASS);
	f->revision = pciconf_number(line, "rev=", PC_NO_ID);
	/* FreeBSD up to 12 prints device and vendor as one number. */
	if (chip != UINT32_MAX) {
		f->vendor = chip & 0xFFFF;
		f->device = chip >> 16;
	} else {
		f->vendor = pciconf_number(line, "vendor=", PC_NO_ID);
		f->device = pciconf_number(line, "device=", PC_NO_ID);
	}
	if (card != UINT32_MAX) {
		f->subvendor = card & 0xFFFF;
		f->subdevice = card >> 16;
	} else {
		f->subvendor = pciconf_number(line, "subvendor=", PC_NO_ID);
		f->subdevice = pciconf_number(line, "subdevice=", PC_NO_ID);
	}
	if (!f->subvendor)
		f->subvendor = f->subdevice = PC_NO_ID;
	return f->vendor < PC_NO_ID && f->device < PC_NO_ID &&
	       f->class_code <= PC_NO_CLASS && f->revision <= PC_NO_ID;
}

int read_pciconf(char *text, const char *path, struct pc *pc, struct error *err)
{
	struct lines lines = {text, 0};
	struct pci_function f = no_function;
	_cleanup_free_ char *name = NULL;
	char *line;

	pc->listed[PC_PCI] = true;
	while ((line = next_line(&lines))) {
		if (strstr(line, "@pci") && !isspace((unsigned char)*line)) {
			if (finish_function(pc, &f, &name, path, lines.number, err) < 0)
				return -1;
			if (!pciconf_head(line, &f))
				return inventory_error(err, path, lines.number,
						       "has no vendor= and device=");
		} else if (strncmp(strip(line), "device", 6) == 0 && strchr(line, '\'')) {
			char *quote = strchr(line, '\'') + 1;

			quote[strcspn(quote, "'")] = 0;
			free(name);
			name = xstrdup(quote);
		}
	}
	return finish_function(pc, &f, &name, path, lines.number, err);
}

int read_modaliases(char *text, const char *path, struct pc *pc, struct error *err)
{
	struct lines lines = {text, 0};
	char *line;

	while ((line = next_line(&lines))) {
		struct pc_device device;

		/* Platform, serio, input ... aliases name no device of a bus. */
		if (!modalias_device(strip(line), &device))
			continue;
		pc->listed[device.bus] = true;
		if (inventory_add(pc, device, path, lines.number, err) < 0)
			return -1;
	}
	if (pc->devices.len)
		return 0;
	inventory_error(err, path, 1, "has no modalias of a PCI, USB or ACPI device");
	return error_remedy(err, "collect them with: cat "
				 "/sys/bus/{pci,usb,acpi}/devices/*/modalias");
}
