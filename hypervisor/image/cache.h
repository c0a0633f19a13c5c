/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Compressed images of earlier runs, below $XDG_CACHE_HOME/gild: named by the hash of all
 * that they were made of, and used only if their own hash is the one that was noted. A
 * cache that cannot be read or written is none.
 */
#ifndef IMAGE_CACHE_H
#define IMAGE_CACHE_H

#include "image/files.h"

#define CACHE_KEPT 6	/* images; the ones not used for longest go */
#define CACHE_NOTE 128
#define CACHE_KEY 65

/*
 * The key of what the list's contents and `kind` ("root") make, with the tools and the
 * libraries that compress, and the date. Finishes the list.
 */
int cache_key(struct image_files *files, const char *kind, char key[CACHE_KEY],
	      struct error *err);
/* A descriptor for reading, the size and the text that was noted; -1: not there. */
int cache_get(const char *key, uint64_t *size, char note[CACHE_NOTE]);
/* Keeps a copy of the file. `note` is one line. */
void cache_put(const char *key, int fd, uint64_t size, const char *note);

#endif
