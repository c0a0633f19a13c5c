/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the two halves of the folder provider share: reading and lookup, and the commit. */
#ifndef TREE_DIR_H
#define TREE_DIR_H

#include <sys/stat.h>

#include "tree/provider.h"

/* In the folder's root while a commit runs; hidden from the tree. */
#define DIR_JOURNAL ".gild-journal"
/* The journal when it has done its work and is being removed. */
#define DIR_TRASH ".gild-trash"
/* Folders nested deeper than this are refused where every level needs a descriptor. */
#define DIR_MAX_DEPTH 512

struct dir_image {
	struct image image;
	int fd; /* the folder, locked */
};

/*
 * Finds `path` below `root` without regard to case and without following links. 1: found,
 * *parent is an open folder (the caller's) and *leaf the name as stored in it; 0: missing.
 * For "" the leaf is ".".
 */
int dir_find(int root, const char *path, int *parent, char **leaf, char **stored,
	     struct error *err);
/*
 * The walk to the parent alone, for a path whose names are exact. 1: the parent is open,
 * 0: it does not exist, -1: error. `leaf` points into `path`.
 */
int dir_parent(int root, const char *path, int *parent, const char **leaf,
	       struct error *err);
/* Removes what `name` is, with all in it; missing is fine. Follows nothing. */
int dir_remove_at(int fd, const char *name, unsigned depth, struct error *err);

int dir_commit(struct image *image, const struct image_commit_options *options,
	       uint64_t *bytes_written, struct error *err);
/*
 * Copies what `name` is from one folder into the other under the same name: mode, owner
 * (where allowed), extended attributes, times; links as links. The copies are synced.
 */
int dir_copy_at(int from, int to, const char *name, unsigned depth, struct error *err);
/* Gives `to` the mode, owner and extended attributes of `from`, as far as it may. */
void dir_copy_metadata(int from, int to, const struct stat *st);
/* True if a journal, or what is left of one, lies in the folder. */
bool dir_has_journal(int root);
/* Rolls a committed journal forward or drops an uncommitted one, with a notice. */
int dir_recover(int root, const char *path, struct error *err);

#endif
