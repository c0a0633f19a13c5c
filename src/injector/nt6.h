/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Windows Vista and 7, Server 2008 and 2008 R2 (NT 6.0, 6.1).
 *
 * Their driver store is found through binary index files whose layout is not known, so a
 * package is not put there: Windows would not see it. It lies in Windows/Drivers/oemN_STEM
 * and gets into the store by Windows' own hand:
 *
 *	DevicePath names the folder. Plug and Play searches it for every device that the
 *	store has nothing for, copies the package into the store and installs it. (Whether
 *	it is searched where an inbox driver fits, Microsoft's own guides contradict each
 *	other.)
 *	RunOnce has a line that gives a signed package to pnputil when an administrator
 *	logs on for the first time: for devices that an inbox driver already serves.
 *
 * What Windows starts from cannot wait for that. Packages of the classes that the image's
 * own CriticalDeviceDatabase has entries of are made bootable as the store of Windows 7
 * does it when it reflects a package: files in place, services in every control set,
 * entries in CriticalDeviceDatabase. DriverPackageId is left out, since it names a folder
 * in the store: 25 of 2548 entries of a real hive, those of drivers installed later, have
 * none either.
 *
 * windows/injected.h describes the record of what was done, by which it can be undone.
 */
#ifndef INJECTOR_NT6_H
#define INJECTOR_NT6_H

#include "injector/store_private.h"
#include "windows/critical_device.h"
#include "windows/injected.h"

/* When a package of the image was made; read from its INF once. */
struct nt6_rank {
	char *package;		/* DriverPackageId */
	bool known;
	uint64_t date, version;
};
struct nt6 {
	struct guids critical;	/* classes that have to be bootable */
	struct vec_of(struct nt6_rank) ranks;
	bool sha2;		/* Windows verifies SHA-256 signatures */
};
#define NT6_EVENT_LOG "Services\\EventLog"	/* of a control set */
DEFINE_VEC(nt6_devices, struct critical_device);

/* ---- nt6_stage.c: folder, catalog, DevicePath, RunOnce, record ---- */

/*
 * Puts the package into `folder` and makes (or completes) its record, which is returned in
 * `record`. package->published is set.
 */
int nt6_stage(struct store *store, struct package *package, const char *folder,
	      const struct injected_packages *before, hkey *record, struct error *err);
/* Takes out what nt6_stage() made, but for the record. */
int nt6_unstage(struct store *store, const struct injected_package *package,
		struct error *err);
/* 1: it is all there, 0, -1. */
int nt6_staged(struct store *store, const struct package *package,
	       const struct injected_package *record, struct error *err);
/* It has a catalog that Windows trusts, or that was not looked at. */
bool nt6_is_signed(const struct package *package);
/* "Windows/Drivers/oem3_vioscsi". Caller's. */
char *nt6_folder(unsigned number, const char *inf_name);

/* ---- nt6_boot.c: what Windows starts from ---- */

/* The entries that a package asks for: every ID of a section with a function service. */
void nt6_devices_of(const struct package *package, struct nt6_devices *ret);
void nt6_devices_free(struct nt6_devices *devices);
/*
 * 1: every ID is served by a package of the image that Windows ranks better (`by` names
 * one, the caller's), 0: not, -1. `own` is the record of the package, or NULL.
 */
int nt6_outranked(struct store *store, const struct package *package,
		  const struct injected_packages *records,
		  const struct injected_package *own, char **by, struct error *err);
/* Files, services and entries; what was there before goes into the record. */
int nt6_make_bootable(struct store *store, struct package *package, hkey record,
		      const struct injected_packages *records,
		      const struct injected_package *own, struct error *err);
/* 1: as nt6_make_bootable() makes it, 0, -1. */
int nt6_bootable(struct store *store, const struct package *package,
		 const struct injected_packages *records,
		 const struct injected_package *own, struct error *err);

/* ---- nt6_before.c: what was there before ---- */

/*
 * Copies a key of the SYSTEM hive (which need not exist) below Before of the record:
 * `kind` is "Services", "EventLog" or "Devices". What is there already stays.
 */
int nt6_keep_key(struct store *store, hkey record, const char *set, const char *kind,
		 const char *name, const char *path, struct error *err);
/*
 * Makes the key what Before has, or deletes it if that has nothing. If a later package
 * (`heir`, may be NULL) took the key over, only what it goes back to is changed.
 */
int nt6_restore_key(struct store *store, hkey record, hkey heir, const char *set,
		    const char *kind, const char *name, const char *path,
		    struct error *err);
/* The copy of a file of the tree: "<folder>.before/<path>". Caller's. */
char *nt6_kept_file(const char *folder, const char *path);

#endif
