/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From the initramfs to a mounted root file system, as switch_root does it. */
#ifndef INIT_ROOT_MOVE_H
#define INIT_ROOT_MOVE_H

#include "base/error.h"

#define ROOT_MOVE_MAX_DEPTH 16

/*
 * Moves /dev, /proc, /sys and /run, copies the settings to a tmpfs, makes the new root the
 * root and frees the initramfs, but for what is executed of it.
 */
int root_move(const char *new_root, struct error *err);

/* ---- for tests and the above ---- */

/* Folders and regular files only; `to` is there. */
int root_copy_tree(const char *from, const char *to, unsigned depth, struct error *err);
/* Removes what is in the folder and on its file system; what is mounted there stays. */
void root_empty_folder(int fd, unsigned depth);

#endif
