/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A FAT volume as a tree: the EFI system partition, above all. Private to src/tree. */
#ifndef TREE_FAT_H
#define TREE_FAT_H

#include "block/fat.h"
#include "tree/provider.h"

/* Reads the volume. `name` is taken. The volume must outlive the tree. */
struct tree *fat_tree(struct image *image, size_t index, char *name, struct fat *fat);
/*
 * Carries the staged changes of `tree` out on a block that has the volume that the tree
 * reads. Replaced files keep names, attributes and creation time. Nothing is undone on
 * failure: the journal below drops it.
 */
int fat_apply(struct block *volume, const struct tree *tree, struct error *err);

#endif
