/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The programs of the root file system with their data files, by the Debian package that
 * has them, and the shared libraries of all of them.
 */
#ifndef IMAGE_PROGRAMS_H
#define IMAGE_PROGRAMS_H

#include "image/elf.h"
#include "image/files.h"

/*
 * QEMU, its firmware, swtpm, ALSA's settings and what else the root needs from `sysroot`.
 * What is missing is an error, or, where the image works without it, in `left_out`.
 */
int programs_add(struct image_files *files, const char *sysroot, struct strings *left_out,
		 struct error *err);
/*
 * One of gild's own programs as `target`: `given`, or the one that belongs to this gild,
 * built or installed. Without its debugging information.
 */
int programs_add_own(struct image_files *files, const char *name, const char *given,
		     const char *target, struct error *err);
/* The libraries of all programs and libraries that the list has so far. */
int programs_add_libraries(struct image_files *files, const char *sysroot,
			   struct error *err);

#endif
