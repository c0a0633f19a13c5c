/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Decompressing files of Compact OS ahead. Private to src/tree/files_ntfs*.c. */
#ifndef TREE_FILES_NTFS_AHEAD_H
#define TREE_FILES_NTFS_AHEAD_H

#include "tree/files_ntfs.h"

struct files_ntfs_ahead;
/* For a list of blobs, which must outlive it. Threads start when they are needed. */
struct files_ntfs_ahead *files_ntfs_ahead_new(struct files_ntfs *f, const uint32_t *blobs,
					      size_t count);
void files_ntfs_ahead_free(struct files_ntfs_ahead *ahead);
void files_ntfs_ahead_freep(struct files_ntfs_ahead **ahead);
#define _cleanup_ahead_ _cleanup_(files_ntfs_ahead_freep)
/* Reads from the volume what the threads can work on while `position` is handed over. */
int files_ntfs_ahead_fill(struct files_ntfs_ahead *ahead, size_t position,
			  struct error *err);
/* 1: the content at `position` was given to the sink, 0: it is none of these, -1. */
int files_ntfs_ahead_take(struct files_ntfs_ahead *ahead, size_t position,
			  const struct files_sink *sink, struct error *err);

#endif
