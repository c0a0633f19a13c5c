/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The same question for a Linux kernel, that of the hypervisor for instance: which PCs have
 * all devices that one needs to work driven by its modules, and where firmware files that
 * the modules ask for are not there. Aliases and firmware names are read from the modules
 * themselves (libkmod), so that an unpacked kernel package needs no depmod.
 */
#ifndef CHECK_KERNEL_H
#define CHECK_KERNEL_H

#include "base/error.h"
#include "hwprofiles/pc.h"

struct kernel;

/*
 * `where` is a version below /lib/modules, a folder of modules, or a root folder with one
 * version in lib/modules or usr/lib/modules. Firmware is looked for in `firmware`; if there
 * is none given, in lib/firmware of the root. ERROR_FAILED with what was looked for.
 */
struct kernel *kernel_open(const char *where, const struct strings *firmware,
			   struct error *err);
void kernel_close(struct kernel *kernel);
const char *kernel_release(const struct kernel *kernel);
size_t kernel_modules(const struct kernel *kernel);	/* built-in ones included */
/* What a module says of itself; the kernel's. */
struct kernel_module_view {
	const char *name;	/* with '_' for '-' */
	const char *file;	/* below the folder of modules; NULL: part of the kernel */
	const struct strings *depends;	/* names */
	const struct strings *softdeps;	/* names of what it wants loaded, too */
	const struct strings *firmware;	/* files that it may ask for */
};
/* `number` is below kernel_modules(). */
void kernel_module_get(const struct kernel *kernel, size_t number,
		       struct kernel_module_view *ret);
const char *kernel_folder(const struct kernel *kernel);	/* its modules' */
const struct strings *kernel_firmware_folders(const struct kernel *kernel);

enum kernel_verdict {
	KERNEL_DRIVEN,
	KERNEL_FIRMWARE,	/* has a driver, none of whose firmware files is there */
	KERNEL_UNDRIVEN,	/* no module for it */
	KERNEL_UNKNOWN,		/* PCs: no storage, or no display, is listed */
};
const char *kernel_verdict_name(enum kernel_verdict verdict);	/* "driven", ... */

struct kernel_device {
	const struct pc_device *device;
	enum kernel_verdict verdict;
	const struct strings *modules;	/* that claim it; the kernel's */
	const struct strings *missing;	/* files they name that are not there; or NULL */
	bool builtin;		/* one of the modules is part of the kernel */
};
DEFINE_VEC(kernel_devices, struct kernel_device);
struct kernel_result {
	enum kernel_verdict verdict;	/* the worst of its devices */
	struct kernel_devices devices;	/* of the roles that count */
	struct strings unknown;		/* roles that the inventory says nothing of */
};
void kernel_result_free(struct kernel_result *result);
/* Storage, network, wireless, display, input and the USB controllers that input hangs on. */
bool kernel_role_counts(enum pc_role role);
void kernel_check_pc(struct kernel *kernel, const struct pc *pc, struct kernel_result *ret);
/* The kernel's own name of a device, "" if it has none. Caller's. */
char *kernel_modalias(const struct pc_device *device);

#endif
