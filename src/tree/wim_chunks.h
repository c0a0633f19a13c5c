/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Compressed resources of a WIM chunk by chunk, for readers that decode several at a time.
 * Private to src/tree/wim*.c and files_wim*.c.
 */
#ifndef TREE_WIM_CHUNKS_H
#define TREE_WIM_CHUNKS_H

#include "tree/wim.h"

/* Chunk table entries read at a time. */
#define WIM_CHUNKS_WINDOW 8192

/* A resource as chunks. */
struct wim_chunks {
	const struct wim_part *part;
	uint64_t table;	    /* file offset of the chunk table */
	uint64_t data;	    /* file offset of the first chunk */
	uint64_t data_size; /* stored bytes of all chunks */
	uint64_t count, full_size;
	uint32_t chunk_size;
	int type;
	unsigned entry_size;
	bool sizes; /* the table holds sizes, not offsets (solid) */
	uint64_t window_first, window_len;
	uint64_t next, next_offset; /* solid: the running sum */
	uint8_t window[WIM_CHUNKS_WINDOW * 8];
};

/* The decompressor that was used last. Each thread has its own; start with zeros. */
struct wim_decompressor {
	int type;
	size_t chunk_size;
	struct wimlib_decompressor *handle;
};
void wim_decompressor_free(struct wim_decompressor *d);

/* The chunks of a compressed resource that is not solid. `what` is for messages. */
int wim_chunks_init(struct wim_chunks *c, const struct wim_part *part,
		    const struct wim_resource *r, const char *what, struct error *err);
/*
 * The solid resource that holds offset *at of the blob's run, all of the blob included;
 * *at becomes relative to it.
 */
int wim_chunks_init_solid(struct wim_chunks *c, const struct wim *wim,
			  const struct wim_blob *blob, uint64_t *at, struct error *err);
/* Content bytes of chunk `i`. */
size_t wim_chunk_full_size(const struct wim_chunks *c, uint64_t i);
/* Where chunk `i` lies among the chunks and how long it is; nothing of it is checked. */
int wim_chunk_place(struct wim_chunks *c, uint64_t i, uint64_t *offset, uint64_t *size,
		    struct error *err);
/*
 * Reads and decompresses chunk `i` into `to` (wim_chunk_full_size() bytes); `packed` is
 * room for as many.
 */
int wim_chunk_read(struct wim_chunks *c, struct wim_decompressor *d, uint64_t i,
		   uint8_t *to, uint8_t *packed, const char *what, struct error *err);

#endif
