/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The initramfs: init, its libraries and the modules that reach the medium and mount the
 * root file system. It knows no golden image, so one serves all.
 */
#ifndef IMAGE_INITRD_H
#define IMAGE_INITRD_H

#include "image/files.h"
#include "image/modules.h"
#include "image/rootfs.h"

/* Adds all that it holds to the list. */
int initrd_fill(struct image_files *files, const struct boot_options *options,
		const struct modules *modules, struct error *err);

#endif
