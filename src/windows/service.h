/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Driver services of a control set: how, when and from which file Windows starts them. */
#ifndef WINDOWS_SERVICE_H
#define WINDOWS_SERVICE_H

#include "registry/registry.h"

enum service_start {
	SERVICE_BOOT = 0,	/* by the boot loader */
	SERVICE_SYSTEM = 1,
	SERVICE_AUTO = 2,
	SERVICE_DEMAND = 3,	/* by PnP, when its device appears */
	SERVICE_DISABLED = 4,
};
#define SERVICE_START_UNKNOWN UINT32_MAX	/* the value is missing or no number */

/* Service value BootFlags: the kinds of boot for which the loader starts it as well. */
#define BOOT_FLAG_NETWORK 0x01u
#define BOOT_FLAG_VHD 0x02u
#define BOOT_FLAG_USB 0x04u
#define BOOT_FLAG_SD 0x08u
#define BOOT_FLAG_USB3 0x10u
#define BOOT_FLAGS_DISK (BOOT_FLAG_USB | BOOT_FLAG_SD | BOOT_FLAG_USB3)

struct service {
	char *name;		/* as the key is spelt */
	uint32_t type, start, error_control;	/* SERVICE_START_UNKNOWN; else 0 if missing */
	uint32_t boot_flags;
	char *group;		/* or NULL */
	struct strings owners;	/* INFs that made it */
	char *file;		/* path in the tree; NULL if ImagePath leads out of it */
	bool overridden;	/* StartOverride masks it on some hardware */
	hkey key;
};
DEFINE_VEC(services, struct service);
void service_free(struct service *service);
/* True if an oemN.inf owns it. */
bool service_is_third_party(const struct service *service);
#define _cleanup_service_ _cleanup_(service_free)
void services_free(struct services *services);
#define _cleanup_services_ _cleanup_(services_free)

/* 1: found, 0: the control set has no such service, -1: error. */
int service_read(struct hive *system, const char *control_set, const char *name,
		 struct service *ret, struct error *err);
/* All services of the set, in key order. */
int services_read(struct hive *system, const char *control_set, struct services *ret,
		  struct error *err);
/* NULL if there is none of that name. */
const struct service *services_find(const struct services *services, const char *name);
/* A kernel-mode driver (Type 1, 2 or 8): what can be boot-start at all. */
bool service_is_driver(const struct service *service);
/*
 * Where ImagePath leads, as a path in the tree: "\SystemRoot\...", "%SystemRoot%\...",
 * "System32\..." and paths with a drive letter; without one it is
 * Windows/System32/drivers/NAME.sys. NULL for anything else. Caller's.
 */
char *service_image(const char *image_path, const char *name);
/*
 * 1: the service's file is in the tree, 0: it is not, -1: error. Where the path cannot be
 * told, it counts as present: nothing may be concluded.
 */
int service_file_present(struct tree *tree, const struct service *service,
			 struct error *err);

#endif
