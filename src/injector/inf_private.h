/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the two halves of the INF reader share: tables made by inf_parse.c. */
#ifndef INJECTOR_INF_PRIVATE_H
#define INJECTOR_INF_PRIVATE_H

#include "injector/inf.h"

#define INF_NO_KEY UINT32_MAX

struct inf_section {
	uint32_t name;		/* offset of its text */
	uint32_t line;		/* of its first header */
	uint32_t first, lines;	/* in inf.order */
	uint64_t hash;
};

struct inf_entry {
	uint32_t section;
	uint32_t key;		/* offset, or INF_NO_KEY */
	uint32_t first, fields;	/* in inf.fields */
	uint32_t number;
};

/* A hash index over the keys of one section. */
struct inf_keys {
	size_t section;
	uint32_t *slots;	/* index of the entry in the section + 1; 0: free */
	uint64_t *hashes;
	size_t mask;
	bool raw;		/* [Strings]: its keys are not substituted */
};

struct inf {
	char *name;
	enum inf_encoding encoding;
	char *text;		/* UTF-8; tokens are NUL-terminated in place */
	size_t text_len;
	struct vec_of(struct inf_section) sections;
	uint32_t *slots;	/* hash table: section + 1 */
	size_t mask;
	struct vec_of(struct inf_entry) entries;
	struct vec_of(uint32_t) fields;
	uint32_t *order;	/* entries by section, in file order */
	unsigned stray;		/* line of the first text before any section; 0: none */
	struct vec_of(struct inf_keys) indexes;
	/* [Strings] sections in the order in which they are asked */
	size_t strings[2];
	size_t strings_len;
	struct strings arena;	/* substituted text */
	size_t arena_bytes;
};

/* Decodes to UTF-8 with a NUL behind it; NULs are blanks, Ctrl-Z is the end. */
char *inf_decode(struct bytes raw, enum inf_encoding *encoding, size_t *len);
/* Fills text, sections, entries, fields and order. */
int inf_parse(struct inf *inf, struct error *err);

#endif
