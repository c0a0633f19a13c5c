/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An NTFS volume on a block, in this process, by libntfs-3g: reading (ntfs.c, ntfs_wof.c),
 * its state (ntfs_state.c), and carrying staged changes out (ntfs_commit*.c). Private to
 * src/tree. libntfs-3g's own messages are caught and become reasons.
 */
#ifndef TREE_NTFS_H
#define TREE_NTFS_H

#include "block/block.h"
#include "tree/provider.h"

struct ntfs;	/* a mounted volume */

/* Why a volume must not be edited, or should be looked at with care. */
enum ntfs_condition {
	NTFS_SOUND,
	NTFS_HIBERNATED,	/* hiberfil.sys holds a session: hibernation */
	NTFS_FAST_STARTED,	/* the same of a fast startup (kernel session only) */
	NTFS_LOG_UNCLEAN,	/* $LogFile has transactions to replay */
	NTFS_DIRTY,		/* the volume's dirty flag: chkdsk is due */
};

/*
 * Mounts the volume; `block` is not owned. With `write` the caller has made sure that it
 * is sound. Never writes anything by itself when mounting for reading.
 */
struct ntfs *ntfs_open(struct block *block, bool write, struct error *err);
/* Writes back what is cached (if mounted for writing) and releases it. */
int ntfs_close(struct ntfs *ntfs, struct error *err);

/*
 * Reads the volume anew after another writer changed it: trees over it go on. After a
 * failure they give errors.
 */
int ntfs_remount(struct ntfs *ntfs, struct error *err);

const char *ntfs_label(const struct ntfs *ntfs);	/* UTF-8; "" if none */
uint64_t ntfs_serial(const struct ntfs *ntfs);
uint32_t ntfs_cluster_size(const struct ntfs *ntfs);
/*
 * Examines dirty flag, $LogFile and hiberfil.sys. `detail` (may be NULL) gets a sentence
 * for people, the caller's; NULL if sound.
 */
int ntfs_examine(struct ntfs *ntfs, enum ntfs_condition *ret, char **detail,
		 struct error *err);
/* $Bitmap as it is on the volume: bit 0 of byte 0 is cluster 0. */
int ntfs_bitmap(struct ntfs *ntfs, struct buffer *ret, struct error *err);
/*
 * The sector(s) that hold the volume's dirty flag as they are now, with the flag set, and
 * their offset on the block: for journal_mark(). `copy` 0: in $MFT, 1: in $MFTMirr, which
 * others compare with it. 1 and both, 0: the volume has no such copy, -1.
 */
int ntfs_dirty_mark(struct ntfs *ntfs, unsigned copy, uint64_t *offset,
		    struct buffer *ret, struct error *err);

/*
 * A tree that reads the volume. Case-insensitive by the volume's own $UpCase; reparse
 * points are TREE_LINK (but for WOF and deduplication, which are files: deduplicated ones
 * cannot be read and say so); system files below 24 ($MFT, ...) are not shown. `name` is
 * taken. The volume must outlive the tree.
 */
struct tree *ntfs_tree(struct image *image, size_t index, char *name, struct ntfs *ntfs);

/*
 * Carries the staged changes of `tree` out on a volume mounted for writing: the same volume
 * whose read-only mount the tree reads (contents of moved files stay in place). Replaced
 * files keep descriptor, short name, attributes, creation time and object ID; new ones get
 * the descriptor that NT would inherit, the attributes of a fresh file, a short name where
 * the folder's other files have them, and times from base/clock.h. The same change to the
 * same volume gives the same bytes. Nothing is undone on failure: the journal below drops
 * it.
 */
int ntfs_apply(struct ntfs *ntfs, const struct tree *tree, struct error *err);
/*
 * Bytes of clusters that carrying the changes out may need at most, and whether the volume
 * has them: ERROR_FAILED with both figures otherwise.
 */
int ntfs_check_space(struct ntfs *ntfs, const struct tree *tree, struct error *err);

#endif
