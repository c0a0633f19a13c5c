/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Slots of a disk install: GRUB counts `tries` in its environment block down at each start
 * and takes the other slot at 0; init says that a slot came up.
 */
#ifndef INIT_SLOT_H
#define INIT_SLOT_H

#include "base/buffer.h"
#include "base/error.h"

#define SLOT_ENV_SIZE 1024
#define SLOT_TRIES 3

/*
 * Sets a variable in GRUB's environment block (GRUB manual, "The GRUB environment block");
 * its size stays. False if it is none, or the variable does not fit.
 */
bool slot_env_set(struct buffer *env, const char *key, const char *value);
struct slot_variable {
	const char *key, *value;
};
/*
 * Sets them in a file, in place: its blocks stay where they are, since GRUB writes to them
 * by their numbers. 1: written; 0: it said so already.
 */
int slot_env_write(const char *path, const struct slot_variable *variables, size_t count,
		   struct error *err);
/* The same for tries and good=SLOT. */
int slot_mark_good(const char *path, const char *slot, struct error *err);
/* Looks for the block on the boot disk and does it. `target`: where to mount. 0 also where
 * the disk has no such block. */
int slot_came_up(const char *disk, const char *slot, const char *target, struct error *err);

#endif
