/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * All of a mounted NTFS volume read once: every record, every run beside $Bitmap, every
 * content. For `gild verify --deep`; what it finds is damage, not an error.
 */
#ifndef TREE_NTFS_VERIFY_H
#define TREE_NTFS_VERIFY_H

#include "tree/ntfs.h"

enum ntfs_damage {
	NTFS_DAMAGED_RECORD,	/* an MFT record or its attributes cannot be read */
	NTFS_DAMAGED_CONTENT,	/* a content cannot be read or decompressed */
	NTFS_CROSS_LINKED,	/* two contents have the same cluster */
	NTFS_NOT_IN_BITMAP,	/* a content has a cluster that $Bitmap says is free */
	NTFS_LOST_CLUSTERS,	/* $Bitmap says used, and no content has them */
};
struct ntfs_verify_sink {
	/* `name` is the file's name (without its folders) or "record N". */
	void (*damage)(void *arg, enum ntfs_damage kind, const char *name,
		       const char *why);
	void *arg;
};
/* `bytes`: what was read. -1: interrupted, or $Bitmap or $MFT cannot be read at all. */
int ntfs_verify(struct ntfs *ntfs, const struct ntfs_verify_sink *sink, uint64_t *bytes,
		struct error *err);

#endif
