/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Slots of a disk install: GRUB counts `tries` in its environment block down at each start
 * and takes the other slot at 0; init says that a slot came up.
 */
#ifndef INIT_SLOT_H
#define INIT_SLOT_H

#include "base/error.h"

#define SLOT_TRIES 3

/*
 * Writes tries and good=SLOT in place: the file's blocks stay where they are, since GRUB
 * writes to them by their numbers. 1: written; 0: it said so already.
 */
int slot_mark_good(const char *path, const char *slot, struct error *err);
/* Looks for the block on the boot disk and does it. `target`: where to mount. 0 also where
 * the disk has no such block. */
int slot_came_up(const char *disk, const char *slot, const char *target, struct error *err);

#endif
