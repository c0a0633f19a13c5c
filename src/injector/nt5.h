/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Windows XP and Server 2003 (NT 5.1, 5.2). They have no driver store: Plug and Play looks
 * for INFs in the folders of the registry value DevicePath, and at boot the kernel finds
 * the service of a device in CriticalDeviceDatabase.
 *
 * A package goes in as into Vista and 7 (injector/nt6.h): one folder with its files and its
 * INF under its own name, which DevicePath lists, and what Windows starts from in place.
 * The INF is not put into Windows/inf as oemN.inf: setup would look for the sources of such
 * an INF where its .PNF says, which only Windows can make, and ask for a floppy otherwise.
 * PnP numbers the package when it installs it.
 *
 * What is of this generation alone is here: TXTSETUP.OEM packs, and --any-controller with
 * Windows' own mass storage drivers, which are in its driver cache, and with its HALs.
 */
#ifndef INJECTOR_NT5_H
#define INJECTOR_NT5_H

#include "injector/package.h"
#include "injector/store_private.h"
#include "windows/anycontroller.h"
#include "windows/critical_device.h"

/* ---- nt5_path.c: DevicePath (also of Vista and 7) ---- */

/* "%SystemRoot%\Drivers\oem3_exstor" for a folder of the tree. Caller's. */
char *nt5_device_path_entry(const char *folder);
char *nt5_device_path(struct store *store);	/* all of it, or NULL; caller's */
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
/*
 * Everything of these names that the image keeps (Driver Cache: loose files and sp*.cab,
 * driver.cab; ServicePackFiles) and that the source has (the i386 folder of a CD, or the
 * folder above it), in that order; the cabinet of the latest service pack first. What is
 * damaged becomes a line of `problems`.
 */
int inbox_find(struct tree *tree, struct source_media *media, const char *source,
	       const struct strings *names, struct inbox_files *ret,
	       struct strings *problems, struct error *err);
/* Stages a copy at `path` of the tree. */
int inbox_put(const struct inbox_file *file, struct tree *tree, const char *path,
	      struct error *err);

/* ---- nt5_service.c: Windows' own drivers ---- */

/* The service that drives the devices of a section (SPSVCINST_ASSOCSERVICE), or NULL. */
const struct inf_service *nt5_function_service(const struct inf_configuration *c);
/*
 * Makes the service of an inbox INF boot-start in every control set: a key that is there
 * keeps what it has and gets what it lacks. `notes` takes the remarks.
 */
int nt5_service_enable(struct store *store, struct package *notes,
		       const struct inf_service *service, struct error *err);
/*
 * Enters the IDs of all models that this service drives, unless an entry is there. The
 * new ones are added to `ids`.
 */
int nt5_devices_enter(struct store *store, struct driver *driver, const char *service,
		      struct strings *ids, struct error *err);

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
/* nt5_device.c: instances in Enum that would keep devices from the entries. */
int nt5_drop_stale_instances(struct store *store, struct any_controller_result *out,
			     struct error *err);
int nt5_stale_instances(struct store *store, size_t *ret, struct error *err);
/* One more reason why the image would not start everywhere. Takes `message`. */
void nt5_any_error(struct nt5_any *any, const char *subject, char *message,
		   const char *remedy);

#endif
