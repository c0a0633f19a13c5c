/* SPDX-License-Identifier: GPL-3.0-or-later */
/* File systems that init mounts: the kernel's own, then those with the images. */
#ifndef INIT_MOUNTS_H
#define INIT_MOUNTS_H

#include "base/error.h"

/* As mount(2), with a result of 0 or -1 and errno; a test's, or NULL for the real one. */
typedef int mounts_fn(const char *source, const char *target, const char *type,
		      unsigned long flags, const void *data);

/* proc, sysfs, devtmpfs, a tmpfs on /run, and efivarfs where the firmware is UEFI. */
int mounts_kernel(const char *root, mounts_fn *fn, struct error *err);
/*
 * The file system of a block device, whatever it is, on `target`, which is made. Nothing in
 * it is a device or program to run. Types are tried in turn; 1: the device is not there yet.
 */
int mounts_device(const char *device, const char *target, bool writable, mounts_fn *fn,
		  struct error *err);
/* Before the PC goes off: unmounts, or makes read-only where something is still open. */
void mounts_end(const char *target);

#endif
