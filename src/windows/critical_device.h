/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * CriticalDeviceDatabase of a control set: how Windows 2000 to 7 know, before any INF can
 * be read, which service a device needs. One key per device ID below
 * Control\CriticalDeviceDatabase, with '#' for '\'. At boot the kernel looks up a new
 * device's hardware IDs, then its compatible IDs; user-mode PnP finishes the installation
 * later. Windows 8 and later have no such key (windows/driverdb.h).
 *
 * Counted in a real hive of Windows 7 SP1: 2548 keys, ClassGUID on all, Service on 2529,
 * DriverPackageId on 2523 (those that the driver store reflected), UpperFilters on 147,
 * LowerFilters on 32. XP has ClassGUID and Service only.
 */
#ifndef WINDOWS_CRITICAL_DEVICE_H
#define WINDOWS_CRITICAL_DEVICE_H

#include "base/guid.h"
#include "registry/registry.h"

struct critical_device {
	char *id;		/* "PCI\VEN_8086&DEV_2822": '\', not '#' */
	struct guid class_guid;
	bool has_class;		/* ClassGUID is there and is a GUID */
	char *service;		/* NULL: the device needs none */
	char *package;		/* DriverPackageId: folder in FileRepository; NULL: none */
	struct strings upper_filters, lower_filters;
	hkey key;		/* when read; ignored when written */
};
DEFINE_VEC(critical_devices, struct critical_device);
void critical_device_free(struct critical_device *device);
#define _cleanup_critical_device_ _cleanup_(critical_device_free)
void critical_devices_free(struct critical_devices *devices);
#define _cleanup_critical_devices_ _cleanup_(critical_devices_free)

/*
 * "ControlSet001\Control\CriticalDeviceDatabase\PCI#VEN_8086&DEV_2822", or the database
 * itself for a NULL id. Caller's.
 */
char *critical_device_path(const char *control_set, const char *id);

/* 1: the control set has the ID (in any case), 0: not, -1: error. */
int critical_device_read(struct hive *system, const char *control_set, const char *id,
			 struct critical_device *ret, struct error *err);
/* All of them in key order; `ret` is added to. None if there is no database. */
int critical_devices_read(struct hive *system, const char *control_set,
			  struct critical_devices *ret, struct error *err);
/*
 * Makes the key say just this: values that the struct does not have are deleted, those
 * that are equal already stay untouched. The ID is spelt as an existing key spells it.
 * ClassGUID is written in upper case, as INFs have it. 1: changed, 0: it said so, -1.
 * ERROR_FAILED for an ID that no key can be named by (device_id_valid()).
 */
int critical_device_write(struct hive *system, const char *control_set,
			  const struct critical_device *device, struct error *err);
/* 1: deleted, 0: there was none, -1: error. */
int critical_device_remove(struct hive *system, const char *control_set, const char *id,
			   struct error *err);

/*
 * The classes that the database has entries of, each once: what this Windows itself
 * treats as needed to boot. Empty if there is no database.
 */
DEFINE_VEC(guids, struct guid);
int critical_device_classes(struct hive *system, const char *control_set,
			    struct guids *ret, struct error *err);
bool guids_contain(const struct guids *guids, const struct guid *guid);

#endif
