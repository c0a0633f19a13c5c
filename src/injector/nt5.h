/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Windows XP and Server 2003 (NT 5.1, 5.2). They have no driver store: Plug and Play looks
 * for INFs in the folders of the registry value DevicePath, and at boot the kernel finds
 * the service of a device in CriticalDeviceDatabase.
 *
 * A package is one folder, Windows/Drivers/oemN_STEM, with its files and its INF under its
 * own name; DevicePath lists it. The INF is not put into Windows/inf as oemN.inf: setup
 * would look for the sources of such an INF where its .PNF says, which only Windows can
 * make, and ask for a floppy otherwise. PnP numbers the package when it installs it. The
 * catalog stands in CatRoot as oemN.cat, so that its files are trusted from the start.
 */
#ifndef INJECTOR_NT5_H
#define INJECTOR_NT5_H

#include "injector/package.h"
#include "injector/store_private.h"
#include "windows/anycontroller.h"
#include "windows/critical_device.h"

#define NT5_FOLDER "Windows/Drivers"

/* One injected package as the image has it. */
struct nt5_package {
	unsigned number;	/* N of oemN */
	char *folder;		/* "Windows/Drivers/oem3_exstor" */
	char *inf_name;		/* "exstor.inf"; NULL if the folder has none */
};
DEFINE_VEC(nt5_packages, struct nt5_package);
void nt5_packages_free(struct nt5_packages *packages);
#define _cleanup_nt5_packages_ _cleanup_(nt5_packages_free)

/* ---- nt5.c ---- */

int nt5_packages_read(struct tree *tree, struct nt5_packages *ret, struct error *err);
/* True for what must be in place before Plug and Play can read INFs. */
int nt5_boot_critical(struct store *store, const struct driver *driver, bool *ret,
		      struct error *err);
/*
 * Puts in place what Windows starts from: files, services, absolute registry keys and
 * entries of CriticalDeviceDatabase.
 */
int nt5_make_bootable(struct store *store, struct package *package, struct error *err);
/* The configuration's function service (SPSVCINST_ASSOCSERVICE), or NULL. */
const struct inf_service *nt5_function_service(const struct inf_configuration *c);

/* ---- nt5_service.c ---- */

enum nt5_service_mode {
	NT5_SERVICE_PACKAGE,	/* as the INF says: a package is installed */
	NT5_SERVICE_INBOX,	/* Windows' own: only what is missing, and Start=0 */
};
/* In every control set. `changed` (may be NULL) becomes true if anything was. */
int nt5_service_install(struct store *store, struct package *package,
			const struct inf_service *service, enum nt5_service_mode mode,
			bool *changed, struct error *err);
/* 1: every control set has it as nt5_service_install() makes it, 0, -1. */
int nt5_service_intact(struct store *store, const struct inf_service *service);
/* The ImagePath of a service as NT 5 spells it; NULL if it has no binary. Caller's. */
char *nt5_image_path(const struct inf_service *service, enum windows_arch arch);

/* ---- nt5_device.c: CriticalDeviceDatabase, stale instances ---- */

/*
 * Enters the IDs of every model whose configuration has a function service, in all control
 * sets. `keep`: an entry that names another service stays (inbox drivers do not displace
 * injected ones). New IDs are added to `ids` (may be NULL).
 */
int nt5_devices_enter(struct store *store, const struct driver *driver,
		      const struct strings *services, bool keep, struct strings *ids,
		      struct error *err);
/* 1: they are all there, 0, -1. */
int nt5_devices_intact(struct store *store, const struct driver *driver,
		       struct error *err);
/* Takes out entries of the driver's IDs that name one of `services`. */
int nt5_devices_remove(struct store *store, const struct driver *driver,
		       const struct strings *services, struct error *err);
/*
 * Instances of PCI devices that a former machine left in Enum: where CriticalDeviceDatabase
 * has another service for the device, they would win. Deletes them and names the keys.
 */
int nt5_drop_stale_instances(struct store *store, struct any_controller_result *out,
			     struct error *err);

/* ---- nt5_path.c: DevicePath ---- */

/* "%SystemRoot%\Drivers\oem3_exstor" for a folder of the tree. Caller's. */
char *nt5_device_path_entry(const char *folder);
bool nt5_device_path_has(struct store *store, const char *folder);
int nt5_device_path_add(struct store *store, const char *folder, struct error *err);
int nt5_device_path_remove(struct store *store, const char *folder, struct error *err);

/* ---- nt5_inbox.c: files that Windows brings ---- */

/* A file found in the driver cache of the image or in the given source. */
struct inbox_file {
	char *name;
	char *where;	/* for messages: "Windows/Driver Cache/i386/sp3.cab" */
	char *host;	/* on the host, or ... */
	char *stored;	/* ... in the tree */
	uint64_t version;	/* 0: none */
	char *original;	/* OriginalFilename or NULL */
};
DEFINE_VEC(inbox_files, struct inbox_file);
void inbox_files_free(struct inbox_files *files);
#define _cleanup_inbox_files_ _cleanup_(inbox_files_free)
/*
 * Everything of these names that the image keeps (Driver Cache: loose files and sp*.cab,
 * driver.cab; ServicePackFiles) and that the source has (the i386 folder of a CD, or the
 * folder above it), in that order; the cabinet of the latest service pack first. What is
 * damaged becomes a line of `problems`.
 */
int inbox_find(struct tree *tree, struct media *media, const char *source,
	       const struct strings *names, struct inbox_files *ret,
	       struct strings *problems, struct error *err);
/* Stages a copy at `path` of the tree. */
int inbox_put(const struct inbox_file *file, struct tree *tree, const char *path,
	      struct error *err);

/* ---- any controller ---- */

struct nt5_any {
	struct store *store;
	const struct any_controller_options *options;
	struct any_controller_result *out;
};
/* nt5_storage.c: Windows' own mass storage drivers, as sysprep's BuildMassStorageSection */
int nt5_any_storage(struct nt5_any *any, struct error *err);
/* nt5_hal.c: pairs of HAL and kernel, and boot.ini entries for them */
int nt5_any_hal(struct nt5_any *any, struct error *err);
/* One more reason why the image would not start everywhere. Takes `message`. */
void nt5_any_error(struct nt5_any *any, const char *subject, char *message,
		   const char *remedy);

#endif
