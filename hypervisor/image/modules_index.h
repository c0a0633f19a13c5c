/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The chosen modules as a folder that libkmod reads: files and indexes, by depmod. */
#ifndef IMAGE_MODULES_INDEX_H
#define IMAGE_MODULES_INDEX_H

#include "image/files.h"
#include "image/modules.h"

/*
 * Adds /usr/lib/modules/VERSION to the list: all chosen modules, or the early ones, and
 * indexes that name these only.
 */
int modules_add(struct image_files *files, const struct modules *modules, bool early,
		struct error *err);

#endif
