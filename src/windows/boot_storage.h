/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which services of a control set stand between the firmware and the system volume, told
 * from what the image itself records: the device classes of the packages that name them,
 * the buses that storage controllers hang on, load order groups and BootFlags.
 */
#ifndef WINDOWS_BOOT_STORAGE_H
#define WINDOWS_BOOT_STORAGE_H

#include "windows/driverdb.h"
#include "windows/service.h"

enum boot_role {
	BOOT_CONTROLLER,	/* host adapter: SCSIAdapter, HDC, SDHost, SBP2 classes */
	BOOT_BUS,		/* carries controllers or disks: pci, vmbus, USB host and hub */
	BOOT_DISK,		/* the disk class driver */
	BOOT_FILTER,		/* filter that a controller's package puts on it */
};

struct boot_candidate {
	struct service service;
	enum boot_role role;
	bool present;		/* its file is in the tree */
	bool third_party;	/* an oemN.inf owns or names it */
	/*
	 * Its BootFlags are for network or VHD boot only: the loader starts it itself for
	 * those, and no disk controller needs it.
	 */
	bool other_boot;
	struct strings ids;	/* hardware and compatible IDs it claims, sorted */
};
DEFINE_VEC(boot_candidates, struct boot_candidate);
void boot_candidates_free(struct boot_candidates *candidates);
#define _cleanup_boot_candidates_ _cleanup_(boot_candidates_free)

/*
 * Every boot storage service that the control set has, whatever its Start, in key order.
 * Works on the driver database (Windows 8 on) and on CriticalDeviceDatabase (up to 7).
 */
int boot_storage_find(struct tree *tree, struct registry *registry, const char *control_set,
		      struct boot_candidates *ret, struct error *err);

/* True for Windows' own class filters of the storage stack: partmgr, fvevol, ... */
bool storage_filter_inbox(const char *filter);

/* Sorts by Windows' case rules and keeps one of each name. */
void names_sort(struct strings *s);

/* True for the classes of storage host adapters (SCSIAdapter, HDC, SDHost, SBP2). */
bool storage_host_class(const struct guid *class_guid);
/* The same and the classes above them: DiskDrive, CDROM, Volume, USB. */
bool storage_stack_class(const struct guid *class_guid);

#endif
