/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The index of a kernel's modules (kernel_index.c), as its judge (kernel.c) sees it. */
#ifndef CHECK_KERNEL_PRIVATE_H
#define CHECK_KERNEL_PRIVATE_H

#include "base/name_set.h"
#include "check/kernel.h"

struct kernel_module {
	char *name;		/* with '_' for '-' */
	char *file;		/* below the folder; NULL: part of the kernel */
	bool builtin;
	bool complete;		/* all modules that it depends on are there */
	struct strings depends, softdeps, firmware;
	bool looked_for;	/* `missing` is known */
	struct strings missing;	/* of its firmware */
};
struct kernel_alias {
	char *pattern;		/* "pci:v00008086d00001C02sv*sd*bc*sc*i*" */
	uint32_t module;
};
struct kernel_memo {
	char *key;
	enum kernel_verdict verdict;
	bool builtin;
	struct strings modules;
	const struct strings *missing;	/* of the first module that lacks some */
};
struct kernel {
	char *release, *folder;
	struct strings firmware;	/* folders */
	struct vec_of(struct kernel_module) modules;
	struct vec_of(struct kernel_alias) aliases;	/* by pattern, in strcmp() order */
	struct {
		struct kernel_memo **slots;
		size_t size, used;
	} memo;
};

/* Fills modules and aliases from the folder. */
int kernel_index(struct kernel *kernel, struct error *err);
/* modules.builtin (changed) and modules.builtin.modinfo, each with a NUL at its end. */
void kernel_add_builtin(struct kernel *kernel, char *list);
void kernel_add_modinfo(struct kernel *kernel, const char *facts, size_t len);
/* Makes the aliases searchable: after all is added. */
void kernel_finish(struct kernel *kernel);
/* Calls `fn` with every module whose alias fits. */
void kernel_lookup(const struct kernel *kernel, const char *modalias,
		   void (*fn)(struct kernel_module *module, void *arg), void *arg);

#endif
