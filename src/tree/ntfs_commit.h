/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the files that carry an overlay out on an NTFS volume share. Private to
 * src/tree/ntfs_commit*.c and its test.
 *
 * libntfs-3g reads the clock, takes hints from nobody on where to allocate, and makes
 * files that only POSIX would name so. Here its primitives are used (records, attributes,
 * runlists, indexes), and what goes into them is ours, so that the same change to the
 * same volume gives the same bytes.
 *
 * One rule guards against two copies of one record in memory: whoever holds a folder open
 * does not open it again, and libntfs-3g opens the folders of a file whose names are
 * marked dirty. So names are never marked dirty; ntfs_edit_refresh() does that work.
 */
#ifndef TREE_NTFS_COMMIT_H
#define TREE_NTFS_COMMIT_H

#include "tree/ntfs_private.h"

/* What is under way. Inodes are remembered by the number of their MFT record. */
struct ntfs_edit {
	struct ntfs *ntfs;
	ntfs_volume *volume;
	const struct tree *tree;
	uint64_t now; /* FILETIME of the edit */
	struct vec_of(struct ntfs_place *) places;
	struct vec_of(uint64_t) folders; /* whose entries changed */
	/* Security IDs that children of a folder with another inherit. */
	struct vec_of(struct ntfs_inherited) inherited;
	struct vec_of(struct ntfs_habit) habits;
	int short_names;	      /* of the volume's root: 1, 0; -1: not looked yet */
	struct vec_of(uint64_t) held; /* inodes between two names: not to be freed */
	uint64_t bytes;		      /* content written so far, for the progress */
	uint8_t *chunk, *there;	      /* of content; what lies where it goes */
};

/* Whether new names in a folder get short ones. */
struct ntfs_habit {
	uint64_t folder;
	bool wanted;
};

struct ntfs_inherited {
	uint32_t parent;
	bool folder;
	uint32_t id;
};

/* What an overlay node is bound to. */
struct ntfs_place {
	uint64_t inode;	       /* 0: none (yet); the root is 5 */
	bool detached;	       /* was taken out of its old place: see origin */
	unsigned links;	       /* its other names then */
	runlist_element *runs; /* clusters that hold the new content already; or NULL */
};

/* ---- ntfs_commit_data.c: content ------------------------------------------
 */

/*
 * Allocates clusters for the content of all staged files at once and writes it there,
 * before anything is freed: replaced content never goes to clusters that hold the old
 * one.
 */
int ntfs_edit_write_contents(struct ntfs_edit *edit, struct error *err);
/* Gives an open file without unnamed data the node's content. */
int ntfs_edit_set_content(struct ntfs_edit *edit, ntfs_inode *inode,
			  const struct overlay *node, struct error *err);
/*
 * Takes the unnamed data away, and what says how it is stored: compression, holes, WOF,
 * and extended attributes that NTFS drops when a file is written to.
 */
int ntfs_edit_drop_content(struct ntfs_edit *edit, ntfs_inode *inode, const char *path,
			   struct error *err);
/* Named streams and extended attributes, as a copy keeps them. */
int ntfs_edit_copy_streams(struct ntfs_edit *edit, ntfs_inode *from, ntfs_inode *to,
			   const char *path, struct error *err);
/* Bytes of content that never fit into an MFT record. */
uint64_t ntfs_edit_resident_limit(const ntfs_volume *volume);

/* ---- ntfs_commit_name.c: names and the records they lead to ---------------
 */

/* The number of the entry of exactly this name, 0 if there is none; -1. */
int ntfs_edit_lookup(struct ntfs_edit *edit, uint64_t folder, const char *name,
		     uint64_t *ret, struct error *err);
/*
 * Gives an inode a name in a folder, with a short name if it needs one there:
 * `short_name` if it is not empty, else a new one. `path` is for messages.
 */
int ntfs_edit_link(struct ntfs_edit *edit, uint64_t inode, const struct overlay *node,
		   uint64_t folder, struct bytes short_name, const char *path,
		   struct error *err);
/*
 * Takes the name (and the short name that belongs to it) from the folder and from the
 * inode, which lives on even if it was the last. `links` gets how many names are left,
 * `short_name` (may be NULL) what it was.
 */
int ntfs_edit_unlink(struct ntfs_edit *edit, uint64_t inode, uint64_t folder,
		     const char *name, const char *path, unsigned *links,
		     struct buffer *short_name, struct error *err);
/*
 * The same for an open inode and a folder that is about to go with all its entries. If no
 * name is left, they stay in the record, which is to be freed.
 */
int ntfs_edit_unlink_all(struct ntfs_edit *edit, ntfs_inode *inode, uint64_t folder,
			 const char *path, unsigned *links, struct error *err);
/* How many names other than this one (with its short name) lead to the inode. */
int ntfs_edit_other_links(struct ntfs_edit *edit, uint64_t inode, uint64_t folder,
			  const char *name, const char *path, unsigned *ret,
			  struct error *err);
/* Brings the entries that lead to the inode up to date. */
int ntfs_edit_refresh(struct ntfs_edit *edit, uint64_t inode, const char *path,
		      struct error *err);
/* Remembers that the folder's entries changed. */
void ntfs_edit_touch(struct ntfs_edit *edit, uint64_t folder);
/* Forgets what is known of an inode that goes. */
void ntfs_edit_forget(struct ntfs_edit *edit, uint64_t inode);
/* Gives the folders that were touched their times. */
int ntfs_edit_touched(struct ntfs_edit *edit, struct error *err);

/* ---- ntfs_commit_inode.c: files and folders come and go -------------------
 */

/*
 * A new file with the node's content, or an empty folder, without any name. `model` (may
 * be NULL) is the file whose metadata it gets, else it is fresh, with what it inherits
 * from `folder`.
 */
int ntfs_edit_create(struct ntfs_edit *edit, const struct overlay *node, uint64_t folder,
		     ntfs_inode *model, const char *path, uint64_t *ret,
		     struct error *err);
/* Removes what has this name in the folder, and if it is a folder, all in it. */
int ntfs_edit_remove(struct ntfs_edit *edit, uint64_t folder, const char *name,
		     const char *path, struct error *err);
/* Sets what tree_set_attributes() may set. */
void ntfs_edit_set_attributes(struct ntfs_edit *edit, ntfs_inode *inode,
			      uint32_t attributes);

/* Opens for writing; the caller closes with ntfs_edit_close(). */
ntfs_inode *ntfs_edit_open(struct ntfs_edit *edit, uint64_t inode, const char *path,
			   struct error *err);
/* Closes it without writing anything. */
void ntfs_edit_abandon(ntfs_inode *inode);
/* Writes the inode back and closes it. NULL is fine. */
int ntfs_edit_close(struct ntfs_edit *edit, ntfs_inode *inode, const char *path,
		    struct error *err);

#endif
