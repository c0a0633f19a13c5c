/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files that write a new WIM share. Private to src/tree/wim_create*.c. */
#ifndef TREE_WIM_CREATE_H
#define TREE_WIM_CREATE_H

#include "tree/files.h"
#include "tree/wim.h"

/* ---- wim_create_blobs.c: contents become resources, in one pass ----------------------
 */

/* A resource of the new WIM. */
struct wim_stored {
	struct wim_resource resource;
	uint8_t hash[WIM_HASH_SIZE];
	uint32_t references;	/* the caller's */
};

struct wim_writer;
/*
 * Writes to `fd` from `at` on. `type` is wimlib's number of the compression, NONE
 * included, `level` its level (0: the default).
 */
struct wim_writer *wim_writer_new(int fd, const char *path, uint64_t at, int type,
				  unsigned level, struct error *err);
void wim_writer_free(struct wim_writer *writer);
void wim_writer_freep(struct wim_writer **writer);
/*
 * A content: begin with its size, data in pieces of any length, end. It gets a number,
 * which is that of an earlier one with the same bytes, if there is one. METADATA never is
 * taken for content. Compresses on other processors while the caller brings more.
 */
int wim_writer_begin(struct wim_writer *writer, uint64_t size, uint8_t flags,
		     struct error *err);
int wim_writer_data(struct wim_writer *writer, struct bytes data, struct error *err);
int wim_writer_end(struct wim_writer *writer, uint32_t *ret, struct error *err);
/* Waits until all is written; *end is where the file ends. */
int wim_writer_finish(struct wim_writer *writer, uint64_t *end, struct error *err);
/* The resources, complete after wim_writer_finish(). */
DEFINE_VEC(wim_stored_list, struct wim_stored);
struct wim_stored_list *wim_writer_stored(struct wim_writer *writer);

/* Bytes per chunk that the header names; 0: nothing is compressed. */
uint32_t wim_writer_chunk_size(const struct wim_writer *writer);

/* ---- wim_create_metadata.c ------------------------------------------------------------
 */

/* The numbers of contents, as the writer gave them; FILES_NONE: empty. */
struct wim_numbers {
	const uint32_t *blobs;		/* of each of files.blobs */
	const uint32_t *reparse;	/* of each of files.inodes */
};
/* The content of the metadata resource. */
void wim_create_metadata(const struct files *files, const struct wim_numbers *numbers,
			 const struct wim_stored_list *stored, struct buffer *ret);

/* ---- wim_create_xml.c ------------------------------------------------------------------
 */

/* The XML data. `total` is the size up to it. */
void wim_create_xml(const struct files *files, const struct wim_create_options *options,
		    uint64_t total, struct buffer *ret);

#endif
