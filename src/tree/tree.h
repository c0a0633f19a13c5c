/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A Windows file system, wherever it lives, and the image that holds one or more.
 *
 * An *image* is what the user names: a WIM (one tree per image in it), an ISO that holds
 * one, a folder (one tree), a disk image or block device (one tree per Windows on it). A
 * *tree* reads through to the image and keeps every change in memory (large content in a
 * temporary file) until image_commit() makes all changes of all trees atomically: killed
 * at any point, the image is the old or the new one.
 *
 * Paths are relative to the volume root, '/'-separated, matched without regard to case
 * by Windows' rules. "", ".", ".." components, drive letters and characters that Windows
 * forbids are refused. Links and reparse points are never followed.
 */
#ifndef TREE_TREE_H
#define TREE_TREE_H

#include "base/buffer.h"
#include "base/error.h"

struct image;
struct tree;

enum tree_type {
	TREE_FILE,
	TREE_FOLDER,
	TREE_LINK,	/* symbolic link or other reparse point: reported, never followed */
};

/* How the remedy begins when a commit finds the volume full. */
#define TREE_FULL_REMEDY "make room on the volume"

/* Windows file attributes (FILE_ATTRIBUTE_*). */
#define TREE_ATTR_READONLY 0x1u
#define TREE_ATTR_HIDDEN 0x2u
#define TREE_ATTR_SYSTEM 0x4u
#define TREE_ATTR_ARCHIVE 0x20u
#define TREE_ATTR_NORMAL 0x80u

struct tree_stat {
	enum tree_type type;
	uint64_t size;		/* bytes of the unnamed data stream */
	uint32_t attributes;
	uint64_t created, modified;	/* FILETIME; 0 where the provider has none */
};

struct tree_entry {
	char *name;	/* as stored */
	struct tree_stat stat;
};
DEFINE_VEC(tree_entries, struct tree_entry);
void tree_entries_free(struct tree_entries *entries);
#define _cleanup_tree_entries_ _cleanup_(tree_entries_free)

/* 1: exists (and *st is filled, if not NULL), 0: does not, -1: error. */
int tree_stat(struct tree *tree, const char *path, struct tree_stat *st, struct error *err);
/*
 * The entries of a folder ("" is the root), ordered by text_compare(). 1: listed, 0: there
 * is no such folder, -1: error.
 */
int tree_list(struct tree *tree, const char *path, struct tree_entries *ret,
	      struct error *err);
/*
 * Reads a whole file of at most `limit` bytes, staged content included. A missing file is
 * an error that names it.
 */
int tree_read(struct tree *tree, const char *path, size_t limit, struct buffer *ret,
	      struct error *err);
/*
 * Says that these files are about to be read: a provider for which single reads are dear
 * (WIM) gets them in one pass. Missing ones are ignored. Only a hint, never needed.
 */
int tree_prefetch(struct tree *tree, const struct strings *paths, struct error *err);
/* Writes the content to a host file (which must not exist), whatever its size. */
int tree_extract(struct tree *tree, const char *path, const char *host_path,
		 struct error *err);

/*
 * Stages a file; missing parent folders are made. An existing file keeps its security
 * descriptor, attributes, short name and creation time; a new one gets what NT would
 * inherit from the parent. `modified` is a FILETIME, 0 for the clock's. The data is
 * copied.
 */
int tree_write(struct tree *tree, const char *path, struct bytes data, uint64_t modified,
	       struct error *err);
/* The same with the content of a host file, which must stay until the commit. */
int tree_write_host(struct tree *tree, const char *path, const char *host_path,
		    uint64_t modified, struct error *err);
/* Refuses what no file of a tree may be called; says why. Nothing is looked up. */
int tree_path_check(const char *path, struct error *err);
int tree_mkdir(struct tree *tree, const char *path, struct error *err);
/* Removes a file, or a folder with all in it. What is missing is no error. */
int tree_remove(struct tree *tree, const char *path, struct error *err);
int tree_rename(struct tree *tree, const char *from, const char *to, struct error *err);
int tree_set_attributes(struct tree *tree, const char *path, uint32_t attributes,
			struct error *err);

/* The staged changes, for --dry-run and reports, in path order. */
enum tree_change_kind {
	TREE_CHANGE_ADD,
	TREE_CHANGE_REPLACE,
	TREE_CHANGE_MKDIR,
	TREE_CHANGE_REMOVE,
	TREE_CHANGE_ATTRIBUTES,
};
struct tree_change {
	enum tree_change_kind kind;
	const char *path;
	uint64_t size;
};
DEFINE_VEC(tree_changes, struct tree_change);
/* The paths belong to the tree and live until its next change. Free with vec_free(). */
void tree_staged(struct tree *tree, struct tree_changes *ret);
/* "x.wim:2" or the folder: for messages. */
const char *tree_name(const struct tree *tree);

/* How the volumes of a disk image are opened. */
enum image_via {
	IMAGE_VIA_AUTO,		/* native, and libguestfs for what only it opens */
	IMAGE_VIA_NATIVE,
	IMAGE_VIA_GUESTFS,
};

struct image_options {
	bool write;		/* locks exclusively; refuses what cannot be written */
	bool allow_esd;		/* solid resources may be written back (recompressed) */
	/* Disk images: */
	enum image_via via;
	const struct strings *keys;		/* of BitLocker volumes, or NULL */
	const struct strings *allow_backing;	/* folders that backing files may lie in */
	const char *journal;	/* the journal file; NULL: beside the image */
};

struct image_info {
	unsigned index;		/* 1-based, as WIM tools count */
	char *name, *description;	/* from the image's XML; may be NULL */
	bool bootable;		/* the WIM's boot index */
	/* Disk images: */
	unsigned partition;	/* of the Windows volume; 0 if the disk has no table */
	unsigned system_partition;	/* ESP or active partition, 0 if none was found */
	char *file_system;	/* of the Windows volume: "NTFS", "BitLocker"; or NULL */
	char *label;		/* of the Windows volume; or NULL */
};

/* A part of a disk and what is in it, for people and programs. */
struct image_partition {
	unsigned number;
	uint64_t offset, size;	/* bytes */
	const char *type;	/* "EFI system", "Microsoft basic data", "0x27"... */
	const char *holds;	/* "windows", "system", "recovery"; or NULL */
	const char *file_system;	/* "NTFS", "FAT32", "BitLocker"; or NULL: not known */
	char *name, *label;	/* of the GPT entry, of the volume; or NULL */
};
struct image_disk {
	const char *table;	/* "gpt", "mbr", "none": one volume from the first byte */
	const char *subtype;	/* of the container: "fixed", "dynamic"...; or NULL */
	uint32_t sector_size;
	uint64_t virtual_size;
	struct vec_of(struct image_partition) partitions; /* by number */
	struct strings problems;	/* of the table */
};

/*
 * Recognises what `path` is by its content and opens it. An interrupted earlier edit by
 * gild is undone or finished first, with a notice(). ERROR_STATE if locked by another run.
 * NULL and *err otherwise.
 */
struct image *image_open(const char *path, const struct image_options *options,
			 struct error *err);
struct block;
/*
 * The image on a disk that is being made: `block` is written directly, without a journal,
 * stays the caller's, and outlives the image. `format` is what image_format() says.
 */
struct image *image_open_block(struct block *block, const char *format, struct error *err);
const char *image_path(const struct image *image);
/* "wim", "swm", "esd", "iso" (install media), "folder", or a disk's: "raw", "device", "vhd", "vhdx", "qcow2", "vmdk" */
const char *image_format(const struct image *image);
const char *image_provider(const struct image *image);	/* "wim", "dir", "ntfs", "guestfs" */
/* True if it holds installations on volumes rather than images. */
bool image_is_disk(const struct image *image);
size_t image_count(const struct image *image);
const struct image_info *image_info(const struct image *image, size_t i); /* i from 0 */
/* The layout of a disk; NULL for WIMs and folders. */
const struct image_disk *image_disk(const struct image *image);
/* The tree of the i-th image, opened at the first call; belongs to the image. */
struct tree *image_tree(struct image *image, size_t i, struct error *err);

/*
 * The tree that the i-th Windows is started from (boot.ini, BCD store): the system volume,
 * which may be the same tree. 1 and *ret, 0 if there is none or none that can be opened
 * (`why`, may be NULL, gets a sentence, the caller's), -1. Changes staged in it are
 * committed with the others.
 */
int image_system_tree(struct image *image, size_t i, struct tree **ret, char **why,
		      struct error *err);

/*
 * What is wrong with the i-th tree's volume as a whole (hibernated, unclean): an image that
 * has any is refused for writing with ERROR_STATE, and readable otherwise.
 */
struct image_problem {
	const char *code;	/* "hibernated", "fast_startup", "log_unclean", "dirty" */
	char *message, *remedy;
};
DEFINE_VEC(image_problems, struct image_problem);
const struct image_problems *image_problems(const struct image *image, size_t i);

DEFINE_VEC(image_positions, size_t);
/*
 * The positions (from 0) that --index=N|all chooses; without it (NULL) the only image.
 * ERROR_USAGE that lists the images otherwise.
 */
int image_select(const struct image *image, const char *index, struct image_positions *ret,
		 struct error *err);

struct image_commit_options {
	const char *output;	/* NULL: in place; else a new image, the source is untouched */
	bool esd;		/* the output is a solid (.esd) WIM */
	unsigned only;		/* WIM outputs: keep this image alone, 1-based; 0: all */
	/*
	 * Disk images: a qcow2 output holds only the change and names the source as its
	 * backing file, unless this is set.
	 */
	bool standalone;
};
/*
 * Makes the staged changes of all trees durable, all or nothing. Checks the free space
 * before the first write. `bytes_written` may be NULL: what a WIM grew by, what
 * was written to a folder, or the size of the output.
 */
int image_commit(struct image *image, const struct image_commit_options *options,
		 uint64_t *bytes_written, struct error *err);
/*
 * Cuts the WIM into a split set of parts of at most `part_size` bytes (a file that does not
 * fit makes a larger one): `first` and the further names that image_part_path() gives.
 * `parts` receives their number. Nothing of the set may exist before.
 */
int image_split(const char *wim, const char *first, uint64_t part_size, unsigned *parts,
		struct error *err);
/* "x.swm" for part 1, "x2.swm", "x3.swm", ... Owned by the caller. */
char *image_part_path(const char *first, unsigned part);
/* Drops what is not committed; NULL is fine. */
void image_close(struct image *image);
void image_closep(struct image **image);
#define _cleanup_image_ _cleanup_(image_closep)

#endif
