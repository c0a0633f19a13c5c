/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Firmware files that the chosen modules may ask for, out of a folder like /lib/firmware.
 * Those that are compressed there (.xz, .zst) are stored plain: every kernel loads that,
 * and the root file system compresses all it holds.
 */
#ifndef IMAGE_FIRMWARE_H
#define IMAGE_FIRMWARE_H

#include "image/files.h"
#include "image/modules.h"

#define FIRMWARE_MAX_SIZE ((size_t)256 << 20)	/* of a file, unpacked */
#define FIRMWARE_FOLDER "/usr/lib/firmware"

/*
 * Adds what is there; "MODULE: FILE" goes to `missing` for what is not. `folder` NULL: there
 * is none.
 */
int firmware_add(struct image_files *files, const struct modules *modules,
		 const char *folder, struct strings *missing, struct error *err);

/*
 * A file of such a folder, unpacked if it is compressed. 1: read, 0: not there, -1: it
 * cannot be read, or has more than `limit` bytes.
 */
int firmware_read(const char *folder, const char *name, size_t limit, struct buffer *ret,
		  struct error *err);

#endif
