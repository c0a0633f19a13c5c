/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Drivers for the devices that are there: every modalias below /sys/devices is looked up in
 * the modules' index and what fits is loaded, several at once. No udev. A process of its own
 * does it where the one that asks has something better to do: first what a guest cannot start
 * without, then the rest, then what is plugged in.
 */
#ifndef INIT_COLDPLUG_H
#define INIT_COLDPLUG_H

#include <stdbool.h>
#include <sys/types.h>

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

	pid_t process;		/* coldplug_start()'s, which sweeps from then on; 0: none */
	int answers;		/* what it has done, if there is one */
	unsigned done;		/* enum coldplug_done that it has told of */
	unsigned devices, drivers;	/* that it has seen and loaded */

	struct strings seen;	/* aliases that were looked up in earlier sweeps */
	struct strings loaded;	/* names of modules, sorted */
	struct strings failed;	/* "MODULE: REASON" */
};
void coldplug_free(struct coldplug *coldplug);
/*
 * One sweep; the number of aliases that were new. Drivers make new devices, so it is called
 * until what is waited for is there. -1: the modules' index cannot be read. Where there is a
 * process that loads drivers, it does nothing: that one has seen the news itself.
 */
int coldplug_sweep(struct coldplug *coldplug, struct error *err);
/* Loads modules by name ("kvm_amd"), whatever the devices, one after the other. Those that are not there: `failed`. */
int coldplug_load(struct coldplug *coldplug, const char *const names[], size_t count,
		  struct error *err);


/*
 * Adds the aliases that are new to `seen`; the number of the first of them in it. For
 * coldplug_process.c, as coldplug_load_some().
 */
size_t coldplug_look(struct coldplug *coldplug);
/* One that a device came with. True if it is new; it is then the last of `seen`. */
bool coldplug_note(struct coldplug *coldplug, const char *alias);
/* How soon a driver is needed. */
enum coldplug_rank {
	COLDPLUG_FIRST,		/* before QEMU is started: disks, network, sound, USB, buttons */
	COLDPLUG_SCREEN,	/* soon: the presenter takes what firmware has, until then */
	COLDPLUG_LATE,		/* a guest starts without: processor, sensors, pointers */
	COLDPLUG_RANKS
};
enum coldplug_rank coldplug_rank(const char *alias);
/* Those of `seen` from `first` on that have this rank. */
int coldplug_load_some(struct coldplug *coldplug, size_t first, enum coldplug_rank rank,
		       struct error *err);

enum coldplug_done {
	COLDPLUG_NOTHING,
	COLDPLUG_URGENT,	/* what comes first has been loaded */
	COLDPLUG_ALL,
	COLDPLUG_NO_INDEX,	/* there is nothing to be loaded from; the process has ended */
};
/*
 * Starts the process, without threads in this one. It loads `names` (up to NULL), what comes
 * first, and from then on what the kernel tells of; beside that, at the lowest priority, the
 * screen's, and after ten seconds or coldplug_go() the rest.
 */
int coldplug_start(struct coldplug *coldplug, const char *const *names, struct error *err);
/* Until it has done that much, or has ended. */
int coldplug_wait(struct coldplug *coldplug, enum coldplug_done done, struct error *err);
/* The guest runs: what is late may be loaded. */
void coldplug_go(const struct coldplug *coldplug);
/* What it has done by now, without waiting. */
enum coldplug_done coldplug_progress(struct coldplug *coldplug);
/* Ends it at once, wherever it is: the kernel finishes the driver that it has begun. */
void coldplug_stop(struct coldplug *coldplug);

#endif
