/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Drivers for the devices that are there: every modalias below /sys/devices is looked up in
 * the modules' index and what fits is loaded, several at once. No udev.
 */
#ifndef INIT_COLDPLUG_H
#define INIT_COLDPLUG_H

#include "base/error.h"

#define COLDPLUG_MAX_DEPTH 32
#define COLDPLUG_MAX_ALIASES 16384

/* Loads a module (and what it needs), by name; 0 or a negative errno. */
typedef int coldplug_load_fn(const char *module, void *arg);

struct coldplug {
	const char *root;	/* before /sys; "" on a real PC */
	const char *modules;	/* folder with modules.alias.bin; NULL: the running kernel's */
	/* PCI addresses whose devices (and what hangs on them) get no driver; or NULL */
	const struct strings *spared;
	coldplug_load_fn *load;	/* NULL: into the kernel */
	void *load_arg;		/* load() is called by several threads at once */
	unsigned threads;	/* at most; 0: 1 */

	struct strings seen;	/* aliases that were looked up in earlier sweeps */
	struct strings loaded;	/* names of modules, sorted */
	struct strings failed;	/* "MODULE: REASON" */
};
void coldplug_free(struct coldplug *coldplug);
/*
 * One sweep; the number of aliases that were new. Drivers make new devices, so it is called
 * until what is waited for is there. -1: the modules' index cannot be read.
 */
int coldplug_sweep(struct coldplug *coldplug, struct error *err);
/* Loads modules by name ("kvm_amd"), whatever the devices. Those that are not there: `failed`. */
int coldplug_load(struct coldplug *coldplug, const char *const names[], size_t count,
		  struct error *err);

#endif
