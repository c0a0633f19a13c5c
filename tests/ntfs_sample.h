/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * NTFS volumes for tests, made by mkntfs and libntfs-3g apart from the code under test: every
 * kind of content (resident, runs, sparse, compressed, Compact OS in its four forms,
 * encrypted, deduplicated), of name and of reparse point.
 */
#ifndef TESTS_NTFS_SAMPLE_H
#define TESTS_NTFS_SAMPLE_H

/* libntfs-3g's other headers need it first. */
#include <ntfs-3g/volume.h>

#include "base/buffer.h"

/* mkntfs on a new sparse file; false if it is not installed or refuses. */
bool ntfs_sample_format(const char *path, uint64_t size, unsigned sector,
			unsigned cluster);
/* Any failure ends the program with a message. */
ntfs_volume *ntfs_sample_mount(const char *path);
void ntfs_sample_unmount(ntfs_volume *volume);

enum ntfs_sample_kind {
	NTFS_SAMPLE_PLAIN,
	NTFS_SAMPLE_COMPRESSED,	/* LZNT1 */
	NTFS_SAMPLE_FRAGMENTED,	/* pieces of a cluster */
};
/* Makes a folder; its parent exists. */
void ntfs_sample_folder(ntfs_volume *volume, const char *path);
/* Makes a file; its folder exists. */
void ntfs_sample_file(ntfs_volume *volume, const char *path, struct bytes data,
		      enum ntfs_sample_kind kind);
/* A file of `size` bytes that is sparse but for `data` at `offset`. */
void ntfs_sample_sparse(ntfs_volume *volume, const char *path, uint64_t size,
			struct bytes data, uint64_t offset);
/* As Windows' "compact /exe" leaves it; algorithm: see ntfs_wof.h. */
void ntfs_sample_wof(ntfs_volume *volume, const char *path, struct bytes data,
		     unsigned algorithm);
/* Makes such a file of one that is there. */
void ntfs_sample_compact(ntfs_volume *volume, const char *path, unsigned algorithm);
/* WofCompressedData of a content. */
void ntfs_sample_wof_pack(struct bytes data, unsigned algorithm, struct buffer *out);
/* Replaces the stream WofCompressedData. */
void ntfs_sample_wof_stream(ntfs_volume *volume, const char *path, struct bytes stream);
/* Gives a file or folder a reparse point: tag and data. */
void ntfs_sample_reparse(ntfs_volume *volume, const char *path, uint32_t tag,
			 struct bytes data);
void ntfs_sample_attributes(ntfs_volume *volume, const char *path, uint32_t set);
void ntfs_sample_link(ntfs_volume *volume, const char *from, const char *to);
void ntfs_sample_short_name(ntfs_volume *volume, const char *path, const char *name);
/* A named stream of a file or folder. */
void ntfs_sample_stream(ntfs_volume *volume, const char *path, const char *name,
			struct bytes data);
/* 16 to 64 bytes: the ID, and where the file was born. */
void ntfs_sample_object_id(ntfs_volume *volume, const char *path, struct bytes id);
/* Its descriptor goes from $Secure into its record, as before NTFS 3. */
void ntfs_sample_old_descriptor(ntfs_volume *volume, const char *path,
				struct bytes descriptor);
void ntfs_sample_times(ntfs_volume *volume, const char *path, uint64_t created,
		       uint64_t modified);

/* Content that compresses somewhat, reproducible. The caller's. */
struct buffer ntfs_sample_text(size_t len, unsigned seed);
/* Content that does not compress. */
struct buffer ntfs_sample_noise(size_t len, unsigned seed);
/* Fills a volume with one of everything, and `files` files in one folder. */
void ntfs_sample_fill(ntfs_volume *volume, unsigned files);
/* Adds the folder Metadata with one of each thing that a capture has to keep. */
void ntfs_sample_fill_metadata(ntfs_volume *volume);
/* The same in little, for a volume of 2 MiB. */
void ntfs_sample_fill_small(ntfs_volume *volume);

#endif
