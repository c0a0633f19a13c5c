/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The image of a WIM as a source of files. Private to src/tree/files_wim*.c. */
#ifndef TREE_FILES_WIM_H
#define TREE_FILES_WIM_H

#include "tree/files_make.h"
#include "tree/wim_chunks.h"

struct files_wim {
	struct files files;
	struct wim *wim;
};

/* ---- files_wim_read.c ---------------------------------------------------------------- */
int files_wim_read(struct files *files, const uint32_t *blobs, size_t count,
		   const struct files_sink *sink, struct error *err);
int files_wim_raw(struct files *files, uint32_t blob, struct buffer *ret,
		  struct error *err);

#endif
