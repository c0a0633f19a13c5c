/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which of a kernel's modules the image gets. Modules belong to classes by the folder that
 * they lie in (modules_table.c): what makes a PC work is taken, what is for servers' cards,
 * other buses and test benches is not; never is a PC named. What a chosen module depends
 * on, or asks for by a soft dependency, comes along.
 */
#ifndef IMAGE_MODULES_H
#define IMAGE_MODULES_H

#include "check/kernel.h"

enum module_class {
	MODULE_STORAGE,
	MODULE_NET,
	MODULE_DISPLAY,
	MODULE_INPUT,
	MODULE_USB,
	MODULE_SOUND,
	MODULE_VIRTUALISATION,
	MODULE_FILE_SYSTEM,
	MODULE_CRYPTO,
	MODULE_PLATFORM,
	MODULE_EXTRA,	/* named by the caller */
	MODULE_CLASSES,
	MODULE_LEFT_OUT = MODULE_CLASSES,
};
const char *module_class_name(enum module_class class);	/* "storage", "net", ... */

/* By the first rule that fits. */
struct module_rule {
	const char *pattern;	/* fnmatch() of "drivers/ata/ahci"; '*' has '/' in it */
	enum module_class class;
};
extern const struct module_rule module_rules[];	/* ends with a pattern NULL */
/* Patterns of what must be there before the root file system is; ends with NULL. */
extern const char *const module_early[];

struct module {
	const char *name, *file;	/* the kernel's: see kernel_module_get() */
	const struct strings *firmware;
	size_t number;	/* in the kernel */
	enum module_class class;
	bool early;	/* belongs into the initramfs, too */
	uint64_t size;
};
struct modules {
	struct kernel *kernel;	/* all of its modules */
	struct vec_of(struct module) list; /* by file */
	bool *chosen;	/* by number in the kernel; built-in ones are */
};
/*
 * `where` as kernel_open() takes it; `extra` are names of more modules, and one that is not
 * there is an error.
 */
int modules_choose(const char *where, const struct strings *extra, struct modules *ret,
		   struct error *err);
void modules_free(struct modules *modules);

/* ---- what the choice costs: devices that the whole kernel drives and the chosen do not ---- */

struct module_loss {
	char *device;	/* "8086:1572", "USB\VID_...", "ACPI\..." */
	char *name;	/* or NULL */
	enum pc_role role;
	char *modules;	/* that would drive it: "i40e" */
	size_t pcs;
	size_t last;	/* number of the PC that was counted last */
};
struct module_losses {
	struct vec_of(struct module_loss) list;	/* most PCs first, once sorted */
	size_t pcs, losing;	/* PCs; those that lose something */
};
/* One more PC. True if it loses something. */
bool module_losses_add(struct module_losses *losses, const struct modules *modules,
		       const struct pc *pc);
void module_losses_sort(struct module_losses *losses);
void module_losses_free(struct module_losses *losses);

#endif
