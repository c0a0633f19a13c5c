/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Text: UTF-8 inside gild, UTF-16LE in Windows' files, and Windows' case rules.
 *
 * Registry and file names may hold any 16-bit unit, unpaired surrogates included. Inside
 * gild these are kept as their three-byte form (WTF-8), so that every name survives the
 * way through UTF-8 and back.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/buffer.h"

/* NUL-terminated UTF-8 of `len` bytes UTF-16LE (an odd last byte is ignored). */
char *utf16_to_utf8(const void *utf16, size_t len);
/* Appends UTF-16LE without terminator; invalid UTF-8 bytes become U+FFFD. */
void utf16_append(struct buffer *b, const char *utf8);
/* The same with the terminating zero unit. */
void utf16_append_z(struct buffer *b, const char *utf8);
/* Number of 16-bit units that utf16_append() would write. */
size_t utf16_units(const char *utf8);

/* True if the string is well-formed UTF-8 (WTF-8 not accepted). */
bool utf8_valid(const void *text, size_t len);

/* A byte of IBM's code page 437, as Windows' installers have it, in Unicode. */
uint16_t cp437_unit(uint8_t byte);

/* Upper case of one UTF-16 unit by the table of Windows' file system and registry. */
uint16_t upcase_unit(uint16_t unit);
/* Compares as Windows orders names: by upper-cased UTF-16 unit. <0, 0, >0. */
int text_compare(const char *a, const char *b);
bool text_equal(const char *a, const char *b);
bool text_equal_n(const char *a, const char *b, size_t n); /* first n bytes, ASCII only */
bool text_starts_with(const char *s, const char *prefix);
bool text_ends_with(const char *s, const char *suffix);
/* Upper/lower case by the same table, as new strings. */
char *text_upper(const char *s);
char *text_lower(const char *s);
/* Hash that is equal for names that text_equal() finds equal. */
uint64_t text_hash(const char *s);
/* For qsort() over `char *`. */
int text_compare_p(const void *a, const void *b);

/* A file name's last component, with / or \ as separator. */
const char *path_base(const char *path);

#endif
