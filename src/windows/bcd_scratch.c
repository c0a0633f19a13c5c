/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the objects of a BCD store hold by default, for images without a BCD-Template: the
 * settings that stores and templates of Windows 7, 8.1 and 10 have in common, by version.
 */
#include "windows/bcd_build.h"

#define FROM(major, minor) ((major) << 8 | (minor))
#define ANY 0u
#define LATEST 0xffffu

const struct bcd_inherited_object bcd_inherited[] = {
	{BCD_GUID_GLOBALSETTINGS, BCD_INHERIT},
	{BCD_GUID_LOADERSETTINGS, BCD_INHERIT_LOADER},
	{BCD_GUID_RESUMESETTINGS, BCD_INHERIT_RESUME},
	{BCD_GUID_DEBUGGER, BCD_INHERIT},
	{BCD_GUID_EMS, BCD_INHERIT},
	{BCD_GUID_BADMEMORY, BCD_INHERIT},
	{BCD_GUID_HYPERVISOR, BCD_INHERIT_LOADER},
};
const size_t bcd_inherited_count = ARRAY_SIZE(bcd_inherited);

/* Integers and booleans. */
static const struct number {
	const char *guid; /* the object; NULL: every one of this type */
	uint32_t object_type, type;
	uint32_t from, before; /* versions of Windows */
	uint64_t v;
} numbers[] = {
	{BCD_GUID_BOOTMGR, 0, BCD_TIMEOUT, ANY, LATEST, 30},
	{BCD_GUID_MEMDIAG, 0, 0x1600000b, ANY, LATEST, 1}, /* badmemoryaccess */
	{BCD_GUID_EMS, 0, 0x16000020, ANY, LATEST, 0},	   /* bootems */
	/* The debugger: local, once a serial line. */
	{BCD_GUID_DEBUGGER, 0, 0x15000011, FROM(10, 0), LATEST, 4},
	{BCD_GUID_DEBUGGER, 0, 0x15000011, ANY, FROM(10, 0), 0},
	{BCD_GUID_DEBUGGER, 0, 0x15000013, ANY, FROM(10, 0), 1},
	{BCD_GUID_DEBUGGER, 0, 0x15000014, ANY, FROM(10, 0), 115200},
	{BCD_GUID_HYPERVISOR, 0, 0x250000f3, ANY, LATEST, 0},
	{BCD_GUID_HYPERVISOR, 0, 0x250000f4, ANY, LATEST, 1},
	{BCD_GUID_HYPERVISOR, 0, 0x250000f5, ANY, LATEST, 115200},
	{NULL, BCD_OS_LOADER, BCD_ISOLATED_CONTEXT, FROM(6, 2), LATEST, 1},
	{NULL, BCD_OS_LOADER, 0x250000c2, FROM(6, 2), LATEST, 1}, /* menu: standard */
	{NULL, BCD_RESUME_LOADER, BCD_ISOLATED_CONTEXT, FROM(6, 2), LATEST, 1},
	{NULL, BCD_RESUME_LOADER, 0x25000008, FROM(6, 2), LATEST, 1}, /* menu: standard */
	{NULL, BCD_RESUME_LOADER, 0x26000006, ANY, FROM(6, 2), 0},    /* debugging */
};

static const struct text {
	const char *guid;
	uint32_t object_type, type;
	const char *text;
} texts[] = {
	{BCD_GUID_BOOTMGR, 0, BCD_DESCRIPTION, "Windows Boot Manager"},
	{NULL, BCD_RESUME_LOADER, BCD_DESCRIPTION, "Windows Resume Application"},
};

static const struct inheritance {
	const char *guid;
	uint32_t object_type;
	const char *from[3];
} inheritances[] = {
	{BCD_GUID_BOOTMGR, 0, {BCD_GUID_GLOBALSETTINGS}},
	{BCD_GUID_MEMDIAG, 0, {BCD_GUID_GLOBALSETTINGS}},
	{BCD_GUID_GLOBALSETTINGS,
	 0,
	 {BCD_GUID_DEBUGGER, BCD_GUID_EMS, BCD_GUID_BADMEMORY}},
	{BCD_GUID_LOADERSETTINGS, 0, {BCD_GUID_GLOBALSETTINGS, BCD_GUID_HYPERVISOR}},
	{BCD_GUID_RESUMESETTINGS, 0, {BCD_GUID_GLOBALSETTINGS}},
	{NULL, BCD_OS_LOADER, {BCD_GUID_LOADERSETTINGS}},
	{NULL, BCD_RESUME_LOADER, {BCD_GUID_RESUMESETTINGS}},
};

bool bcd_version_from(const struct bcd_building *b, uint32_t major, uint32_t minor)
{
	return target_compare_version(b->options->target, major, minor, 0) >= 0;
}

static bool is_of(const struct bcd_object *object, const char *guid, uint32_t type)
{
	struct guid wanted;

	if (!guid)
		return object->type == type;
	wanted = bcd_known_guid(guid);
	return guid_equal(&object->guid, &wanted);
}

static void add_numbers(const struct bcd_building *b, struct bcd_object *object)
{
	const struct target *target = b->options->target;
	uint32_t version = FROM(target->major, target->minor);

	for (const struct number *n = numbers; n < numbers + ARRAY_SIZE(numbers); n++) {
		if (!is_of(object, n->guid, n->object_type) || version < n->from ||
		    version >= n->before)
			continue;
		if (bcd_element_format(n->type) == BCD_FORMAT_BOOLEAN)
			bcd_set_boolean(object, n->type, n->v != 0);
		else
			bcd_set_integer(object, n->type, n->v);
	}
}

/* Settings that are more than a number of their own. */
static void add_loader_settings(const struct bcd_building *b, struct bcd_object *object)
{
	/* Which settings may come from memory: 15000075 alone. */
	static const uint8_t allowed[] = {0x75, 0, 0, 0x15, 0, 0, 0, 0};
	enum product_type product = b->options->target->product;

	if (object->type != BCD_OS_LOADER && object->type != BCD_RESUME_LOADER)
		return;
	if (bcd_version_from(b, 6, 2))
		bcd_set_bytes(object, 0x17000077,
			      (struct bytes){allowed, sizeof(allowed)});
	/* No-execute: what opts in, on servers all that does not opt out. */
	if (object->type == BCD_OS_LOADER)
		bcd_set_integer(object, 0x25000020,
				product == PRODUCT_DC || product == PRODUCT_SERVER);
}

void bcd_scratch_elements(const struct bcd_building *b, struct bcd_object *object)
{
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (is_of(object, texts[i].guid, texts[i].object_type))
			bcd_set_text(object, texts[i].type, texts[i].text);
	for (size_t i = 0; i < ARRAY_SIZE(inheritances); i++) {
		const struct inheritance *in = &inheritances[i];
		struct guid from[ARRAY_SIZE(in->from)];
		size_t count = 0;

		if (!is_of(object, in->guid, in->object_type))
			continue;
		while (count < ARRAY_SIZE(in->from) && in->from[count]) {
			from[count] = bcd_known_guid(in->from[count]);
			count++;
		}
		bcd_set_guids(object, BCD_INHERITED, from, count);
	}
	add_numbers(b, object);
	add_loader_settings(b, object);
}

/* ---- names of Windows ---- */

static const struct {
	uint32_t major, minor, build; /* from this one on */
	const char *client, *server;
} descriptions[] = {
	{10, 0, 22000, "Windows 11", "Windows Server"},
	{10, 0, 0, "Windows 10", "Windows Server"},
	{6, 3, 0, "Windows 8.1", "Windows Server 2012 R2"},
	{6, 2, 0, "Windows 8", "Windows Server 2012"},
	{6, 1, 0, "Windows 7", "Windows Server 2008 R2"},
	{6, 0, 0, "Microsoft Windows Vista", "Microsoft Windows Server 2008"},
};

char *bcd_description(const struct target *target, const char *product)
{
	for (size_t i = 0; i < ARRAY_SIZE(descriptions) && target->major <= 10; i++) {
		if (target_compare_version(target, descriptions[i].major,
					   descriptions[i].minor,
					   descriptions[i].build) < 0)
			continue;
		if (target->product == PRODUCT_CLIENT)
			return xstrdup(descriptions[i].client);
		if (target->product != PRODUCT_ANY)
			return xstrdup(descriptions[i].server);
		break;
	}
	return xstrdup(product ? product : "Windows");
}
