/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Files that the Windows Overlay Filter (Compact OS, "compact /exe") keeps compressed: a
 * reparse point says how, the stream WofCompressedData holds the content, the unnamed
 * stream is sparse and only has the size. Private to src/tree.
 *
 * WofCompressedData: a table of n - 1 little-endian offsets for n chunks (4 bytes each; 8
 * if the content is larger than 4 GiB - 1), counted from the table's end, of the second
 * chunk on; then the chunks. A chunk as long as its content is stored as it is.
 * (Facts: [MS-FSCC] 2.1.2 and wofapi.h for the reparse point; the stream's form was
 * measured, it is that of a resource in a WIM.)
 */
#ifndef TREE_NTFS_WOF_H
#define TREE_NTFS_WOF_H

#include "base/buffer.h"
#include "base/error.h"

/* FILE_PROVIDER_COMPRESSION_* */
enum wof_algorithm {
	WOF_XPRESS4K = 0,
	WOF_LZX = 1,
	WOF_XPRESS8K = 2,
	WOF_XPRESS16K = 3,
};

/*
 * Reads the reparse data (after tag and length) of tag 0x80000017. Refuses by name what is
 * not in the file itself: content in a WIM, unknown providers and algorithms.
 */
int wof_parse(struct bytes reparse, enum wof_algorithm *ret, const char *path,
	      struct error *err);
/* Content bytes of a chunk. */
uint32_t wof_chunk_size(enum wof_algorithm algorithm);

struct wof_source {
	/* Exactly `len` bytes of WofCompressedData that lie inside of it. */
	int (*read)(void *arg, void *buf, size_t len, uint64_t offset,
		    struct error *err);
	void *arg;
	uint64_t packed;	/* bytes of WofCompressedData */
	uint64_t size;		/* bytes of the content */
	enum wof_algorithm algorithm;
	const char *path;	/* for messages */
};
/*
 * Decompresses everything, handing it to `sink` in pieces. Memory does not grow with the
 * file. Damage is an error that says where.
 */
int wof_decompress(const struct wof_source *source,
		   int (*sink)(struct bytes data, void *arg, struct error *err), void *arg,
		   struct error *err);

#endif
