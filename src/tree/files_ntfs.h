/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the files of the NTFS source share: where the content of each blob lies on the
 * volume. Private to src/tree/files_ntfs*.c.
 */
#ifndef TREE_FILES_NTFS_H
#define TREE_FILES_NTFS_H

/* libntfs-3g's other headers need it first. */
#include "tree/ntfs_private.h"

#include "base/number_map.h"
#include "tree/files_make.h"
#include "tree/ntfs_wof.h"

#define FILES_NTFS_HOLE UINT64_MAX

/* Clusters that follow each other. */
struct files_ntfs_run {
	uint64_t lcn;		/* FILES_NTFS_HOLE: none, reads as zeros */
	uint64_t clusters;
};

enum files_ntfs_storage {
	FILES_NTFS_RUNS,	/* read from its clusters */
	FILES_NTFS_LIBRARY,	/* in the record, or LZNT1: read by libntfs-3g */
};

/* Where a blob's content is. */
struct files_ntfs_content {
	enum files_ntfs_storage storage;
	uint32_t inode, stream;		/* in files.inodes; of that inode */
	uint64_t stored;	/* bytes of the attribute: of WOF, of the packed one */
	uint64_t initialized;	/* what lies behind reads as zeros */
	size_t first_run, runs;
	bool wof;
	enum wof_algorithm algorithm;
	char *refused;		/* why it cannot be read; or NULL */
	const char *remedy;
};

struct files_ntfs {
	struct files files;
	struct ntfs *ntfs;
	struct vec_of(uint64_t) references;	/* of each inode, with sequence numbers */
	struct vec_of(struct files_ntfs_content) contents;
	struct vec_of(struct files_ntfs_run) runs;
	uint32_t *entry_of;	/* of each inode, for `mapped` entries; for messages */
	size_t mapped;
	size_t most_runs;	/* what the MFT has room for */
	size_t extended;	/* files with extended attributes, which are left out */
	struct number_map security_ids;	/* by the volume's number, in files.security */
	struct files_securities securities;
};

/* The path by which an inode was found first, for messages; the caller's. */
char *files_ntfs_path(struct files_ntfs *f, uint32_t inode);

/* ---- files_ntfs_security.c ---- */

/* Reads $Secure. Volumes before NTFS 3 have none. */
int files_ntfs_security_read(struct files_ntfs *f, struct error *err);

/* ---- files_ntfs_record.c ---- */

/* Fills an inode from its record. `folder`: what the index says of it. */
int files_ntfs_record(struct files_ntfs *f, uint32_t inode, bool folder,
		      struct error *err);

/* ---- files_ntfs_object_id.c ---- */

/* Completes the object IDs of all inodes by the volume's index of them. */
int files_ntfs_object_ids(struct files_ntfs *f, struct error *err);

/* ---- files_ntfs_read.c ---- */

/* All bytes of a content as they are stored (of WOF, packed): content->stored of them. */
int files_ntfs_read_stored(struct files_ntfs *f, uint32_t blob, uint8_t *to,
			   struct error *err);
int files_ntfs_read(struct files *files, const uint32_t *blobs, size_t count,
		    const struct files_sink *sink, struct error *err);

#endif
