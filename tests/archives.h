/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Writes the archives that no tool makes: hostile names, spanned and LZX cabinets. */
#ifndef TESTS_ARCHIVES_H
#define TESTS_ARCHIVES_H

#include "base/buffer.h"

/* A ZIP of stored files (APPNOTE 4.3); names as given, each file holds its own name. */
void make_zip(struct buffer *out, const char *const *names, size_t count);

struct cab_file {
	const char *name;
	uint32_t size, offset;
	uint16_t folder;
};
struct cab_block {
	const void *data;
	uint16_t len, plain; /* plain 0: goes on in the next cabinet */
};
struct cab {
	const char *previous, *next;
	uint16_t compression, index;
	struct cab_file files[4];
	struct cab_block blocks[4];
	size_t n_files, n_blocks;
};
#define FROM_PREVIOUS 0xFFFD
#define INTO_NEXT 0xFFFE

/* A cabinet of one folder as MS-CAB has it, checksums left out (0: not checked). */
void make_cab(struct buffer *out, const struct cab *cab);

#endif
