/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hwprofiles/pc.h"

#include "base/text.h"

static const char *const bus_names[PC_BUSES] = {"PCI", "USB", "ACPI", "other"};
static const char *const role_names[PC_ROLES] = {
	[PC_BOOT_STORAGE] = "boot-storage",
	[PC_NETWORK] = "network",
	[PC_WIRELESS] = "wireless",
	[PC_BLUETOOTH] = "bluetooth",
	[PC_DISPLAY] = "display",
	[PC_AUDIO] = "audio",
	[PC_INPUT] = "input",
	[PC_USB_CONTROLLER] = "usb",
	[PC_MANAGEMENT] = "management-engine",
	[PC_CAMERA] = "camera",
	[PC_CARD_READER] = "card-reader",
	[PC_SECURITY] = "security",
	[PC_SYSTEM] = "system",
	[PC_OTHER_ROLE] = "other",
};

const char *pc_bus_name(enum pc_bus bus)
{
	return bus_names[bus];
}

const char *pc_role_name(enum pc_role role)
{
	return role_names[role];
}

bool pc_role_parse(const char *name, enum pc_role *ret)
{
	for (unsigned i = 0; i < PC_ROLES; i++) {
		if (strcmp(role_names[i], name) == 0) {
			*ret = (enum pc_role)i;
			return true;
		}
	}
	return false;
}

void pc_identity_free(struct pc_identity *i)
{
	free(i->manufacturer);
	free(i->product);
	free(i->version);
	free(i->family);
	free(i->sku);
	free(i->board_manufacturer);
	free(i->board_product);
	free(i->board_version);
	free(i->bios_vendor);
	free(i->bios_version);
	free(i->bios_date);
	*i = (struct pc_identity)PC_IDENTITY_INIT;
}

void pc_device_free(struct pc_device *device)
{
	free(device->id);
	strings_free(&device->hardware_ids);
	strings_free(&device->compatible_ids);
	free(device->name);
}

void pc_free(struct pc *pc)
{
	free(pc->label);
	free(pc->id);
	free(pc->type);
	free(pc->tpm);
	pc_identity_free(&pc->identity);
	vec_foreach (device, &pc->devices)
		pc_device_free(device);
	vec_free(&pc->devices);
	*pc = (struct pc)PC_INIT;
}

unsigned pc_bios_year(const struct pc_identity *identity)
{
	const char *date = identity->bios_date;
	const char *slash = date ? strrchr(date, '/') : NULL;
	unsigned long year = slash ? strtoul(slash + 1, NULL, 10) : 0;

	if (year && year < 100)
		year += year < 80 ? 2000 : 1900;
	return year >= 1980 && year < 2100 ? (unsigned)year : 0;
}

/* What makers leave in fields that they should have filled. */
bool pc_placeholder(const char *text)
{
	static const char *const texts[] = {
		"To be filled by O.E.M.",
		"To be filled by O.E.M",
		"Default string",
		"System manufacturer",
		"System Product Name",
		"System Version",
		"Not Specified",
		"Not Applicable",
		"None",
		"OEM",
		"O.E.M.",
		"INVALID",
		"Unknown",
		"Undefined",
		"empty",
		"Type1Family",
		"Type1ProductConfigId",
		"SKU",
		"<BAD INDEX>",
		"x.x",
		"N/A",
		"System SKU",
		"System Family",
		"123456789",
	};

	if (!text || !*text)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (text_equal(text, texts[i]))
			return true;
	return false;
}

void pc_name(struct pc *pc)
{
	const struct pc_identity *i = &pc->identity;
	const char *maker = !pc_placeholder(i->manufacturer) ? i->manufacturer
			    : !pc_placeholder(i->board_manufacturer)
				    ? i->board_manufacturer
				    : NULL;
	const char *model = !pc_placeholder(i->product)		? i->product
			    : !pc_placeholder(i->board_product) ? i->board_product
								: NULL;

	if (pc->label)
		return;
	if (maker && model && text_starts_with(model, maker))
		pc->label = xstrdup(model);
	else if (maker && model)
		pc->label = xasprintf("%s %s", maker, model);
	else
		pc->label = xstrdup(model ? model : maker ? maker : "unknown PC");
}

unsigned pc_year(const struct pc *pc)
{
	return pc->year ? pc->year : pc_bios_year(&pc->identity);
}
