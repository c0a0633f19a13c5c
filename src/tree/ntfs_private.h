/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the files of the NTFS provider share: the mounted volume, libntfs-3g's messages as
 * errors, folders as B-trees, the content of a file. Private to src/tree/ntfs*.c.
 *
 * libntfs-3g is used for records, attributes, runlists, compression and all writing. Its
 * own walk through folders is not: it follows loops of a damaged index for ever, opens
 * every file of a listing and knows no names as stored.
 */
#ifndef TREE_NTFS_PRIVATE_H
#define TREE_NTFS_PRIVATE_H

/* libntfs-3g's other headers need it first. */
#include <ntfs-3g/volume.h>

#include "tree/ntfs.h"

/* MFT records below are the file system's own ($MFT, $Bitmap, ..., some reserved). */
#define NTFS_FIRST_USER 24
/* NT has no folders that deep: each level is at least 16 entries. */
#define NTFS_MAX_INDEX_DEPTH 32

/* ---- ntfs_device.c: libntfs-3g's device over a block, with a cache -------------------
 */

#define NTFS_CHUNK_SIZE (128u * 1024)
#define NTFS_CHUNKS 64

struct ntfs_chunk {
	uint8_t *data;		/* NULL: never used */
	uint64_t number;	/* of NTFS_CHUNK_SIZE bytes of the block */
	uint64_t used;		/* when; the lowest goes first */
};

struct ntfs {
	struct block *block;
	bool write;
	ntfs_volume *volume;
	char *label;
	uint64_t serial;
	struct ntfs_chunk chunks[NTFS_CHUNKS];
	struct ntfs_chunk *last_chunk;	/* the one used last */
	uint64_t clock;			/* counts uses of chunks */
	int64_t position;		/* of the device, for read() and seek() */
	struct error failure;	/* of the block, behind an errno of libntfs-3g */
};

/* A device for ntfs_device_mount(); ntfs_device_free() releases it, not `ntfs`. */
struct ntfs_device *ntfs_device_new(struct ntfs *ntfs);
void ntfs_cache_free(struct ntfs *ntfs);

/*
 * Before a call of libntfs-3g: forgets older messages and errno. Installs the handler that
 * keeps them instead of printing them.
 */
void ntfs_begin(struct ntfs *ntfs);
/*
 * An error from the last call of libntfs-3g: "fmt: why", where why is the block's own error,
 * else libntfs-3g's last message, else errno's. Always -1.
 */
int ntfs_failed(struct ntfs *ntfs, struct error *err, const char *subject,
		const char *fmt, ...) _printf_(4, 5);

/* ---- ntfs_index.c: folders --------------------------------------------------------
 */

/* One name in a folder, as the folder's index has it. */
struct ntfs_name {
	uint64_t reference;	/* MFT record and its sequence number */
	const uint8_t *units;	/* UTF-16LE, not terminated */
	size_t len;		/* bytes */
	unsigned namespace;	/* FILE_NAME_POSIX, _WIN32, _DOS, _WIN32_AND_DOS */
	struct tree_stat stat;	/* the index's copy: may be out of date */
};
/* False for what NT would not let anybody type: such names exist on damaged volumes. */
bool ntfs_name_is_nameable(const struct ntfs_name *name);

/*
 * Looks for a name without regard to case by the volume's $UpCase, preferring the exact
 * one; DOS-only names are found too. 1 and *ret (pointing into *storage, to be freed by the
 * caller), 0: there is none, -1.
 */
int ntfs_index_find(struct ntfs *ntfs, ntfs_inode *folder, struct bytes name,
		    struct ntfs_name *ret, uint8_t **storage, struct error *err);
/* Calls `each` for all names in the index' order; it returns 0 to go on, -1 with *err. */
int ntfs_index_each(struct ntfs *ntfs, ntfs_inode *folder,
		    int (*each)(void *arg, const struct ntfs_name *name,
				struct error *err),
		    void *arg, struct error *err);
/* Compares as the volume orders names, without regard to case. */
int ntfs_compare_names(const ntfs_volume *volume, struct bytes a, struct bytes b);

/* ---- ntfs.c --------------------------------------------------------------------------
 */

#define NTFS_TAG_WOF 0x80000017u	/* compressed by Compact OS, or backed by a WIM */
#define NTFS_TAG_DEDUP 0x80000013u	/* Data Deduplication of Windows Server */

/*
 * Opens what a path leads to, never through a reparse point. 1 and *ret (to be closed with
 * ntfs_inode_close()), 0: there is nothing, -1. `stored` (may be NULL) gets the path as
 * stored. System files and names that only DOS sees are not found.
 */
int ntfs_find(struct ntfs *ntfs, const char *path, ntfs_inode **ret, char **stored,
	      struct error *err);
/* An inode by reference; `path` is for the message. NULL and *err. */
ntfs_inode *ntfs_open_inode(struct ntfs *ntfs, uint64_t reference, const char *path,
			    struct error *err);
void ntfs_close_inode(ntfs_inode **inode);
#define _cleanup_inode_ _cleanup_(ntfs_close_inode)
void ntfs_close_attribute(ntfs_attr **attribute);
#define _cleanup_attribute_ _cleanup_(ntfs_close_attribute)
/* The tag of the reparse point; 0 if it has none. */
uint32_t ntfs_reparse_tag(ntfs_inode *inode);
void ntfs_fill_stat(ntfs_inode *inode, struct tree_stat *st);
/*
 * Reads from an attribute: exactly `len` bytes that lie inside of it, or an error.
 */
int ntfs_read_attribute(struct ntfs *ntfs, ntfs_attr *attribute, void *buf, size_t len,
			uint64_t offset, const char *path, struct error *err);
/* The stream WofCompressedData; NULL with what ntfs_failed() says. */
ntfs_attr *ntfs_open_wof(ntfs_inode *inode);

#endif
