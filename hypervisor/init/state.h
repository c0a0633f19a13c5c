/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where what the guest writes is kept: an ext4 partition of gild's own type, which is grown
 * to the end of its disk at the first start.
 */
#ifndef INIT_STATE_H
#define INIT_STATE_H

#include "base/buffer.h"
#include "base/error.h"
#include "init/medium.h"

#define STATE_SUPER_AT 1024	/* bytes, of ext4's superblock */
#define STATE_SUPER_SIZE 1024

/* Bytes that the file system covers; false: it is no ext4. */
bool state_file_system_size(struct bytes super, uint32_t *block, uint64_t *ret);

/* The first on the boot disk, else on any other: 1; there is none: 0. `disk`: NULL or the
 * kernel's name. */
int state_find(const char *root, const char *disk, struct medium *ret);
/*
 * Lets the partition and then its file system have all space up to the end of the disk, and
 * mounts it (its journal is played back). Neither is tried where a partition follows. What
 * was done is told by `say`.
 */
int state_mount(const struct medium *medium, const char *root, const char *target,
		void (*say)(const char *line), struct error *err);

#endif
