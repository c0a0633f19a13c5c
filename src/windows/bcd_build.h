/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What bcd_build.c and bcd_scratch.c share. */
#ifndef WINDOWS_BCD_BUILD_H
#define WINDOWS_BCD_BUILD_H

#include "windows/bcd_store.h"

#define BCD_GUID_BOOTMGR "{9dea862c-5cdd-4e70-acc1-f32b344d4795}"
#define BCD_GUID_MEMDIAG "{b2721d73-1db4-4c62-bf78-c548a880142d}"
#define BCD_GUID_GLOBALSETTINGS "{7ea2e1ac-2e61-4728-aaa3-896d9d0a9f0e}"
#define BCD_GUID_LOADERSETTINGS "{6efb52bf-1766-41db-a6b3-0ee5eff72bd7}"
#define BCD_GUID_RESUMESETTINGS "{1afa9c49-16ab-4a5c-901b-212802da9460}"
#define BCD_GUID_DEBUGGER "{4636856e-540f-4170-a130-a84776f4c654}"
#define BCD_GUID_EMS "{0ce4991b-e6b3-4b16-b23c-5e0d9250e5d9}"
#define BCD_GUID_BADMEMORY "{5189b25c-5558-4bf2-bca4-289b11bd29e2}"
#define BCD_GUID_HYPERVISOR "{7ff607e0-4395-11db-b0de-0800200c9a66}"

struct bcd_building {
	const struct bcd_options *options;
	struct bcd_store *store;
	struct bcd_store template;	/* empty if there is none */
	struct guid os, resume;
};

/* The objects that others inherit from, and their types. */
struct bcd_inherited_object {
	const char *guid;
	uint32_t type;
};
extern const struct bcd_inherited_object bcd_inherited[];
extern const size_t bcd_inherited_count;

/* Of a constant: always valid. */
struct guid bcd_known_guid(const char *text);
bool bcd_version_from(const struct bcd_building *b, uint32_t major, uint32_t minor);
/* Fills an object that no template describes, by its GUID or else its type. */
void bcd_scratch_elements(const struct bcd_building *b, struct bcd_object *object);

#endif
