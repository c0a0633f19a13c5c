/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The first stage: from the initramfs to the sealed root file system, which is looked for by
 * its hash on every disk that shows up, opened through dm-verity and switched to.
 */
#ifndef INIT_ROOT_H
#define INIT_ROOT_H

#include "init/options.h"

#define ROOT_FACTS "/run/gild/boot"	/* KEY=VALUE: disk, device, file, slot, toram */
#define ROOT_MEDIUM "/run/gild/medium"	/* file system with the root's file, if it is one */
#define ROOT_DEVICE "gild-root"		/* device mapper's name */

/* KVM's module for this processor; NULL where it cannot have one. */
const char *root_kvm_module(void);

/*
 * 0: the root file system is the root now. 1: it was stopped by a signal (or by the power
 * button); -1: it cannot go on. `options` are the kernel command line's.
 */
int root_switch(const struct options *options, void (*say)(const char *line), int stop_fd,
		struct error *err);

#endif
