/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * GRUB's environment block (GRUB manual, "The GRUB environment block"): exactly 1024 bytes,
 * a line that says so, lines NAME=VALUE, and '#' up to the end. GRUB writes it by the places
 * of its sectors, so that a file that holds one is never made anew.
 */
#ifndef INIT_GRUBENV_H
#define INIT_GRUBENV_H

#include "base/error.h"

#define GRUBENV_SIZE 1024

/* The value, as a new string; NULL: it is not set, or this is no environment block. */
char *grubenv_get(const char block[GRUBENV_SIZE], const char *name);
/*
 * Sets or (NULL) unsets. name: for messages, `file`. A value has no line end and no
 * backslash. ERROR_FAILED where it is no block, or is full.
 */
int grubenv_set(char block[GRUBENV_SIZE], const char *name, const char *value,
		const char *file, struct error *err);
/* Reads the file, sets, writes in its place, synced. */
int grubenv_file_set(const char *path, const char *name, const char *value,
		     struct error *err);

#endif
