/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * 8.3 names as NT makes them (RtlGenerate8dot3Name): six characters and ~1 to ~4, then
 * two, a hash of the long name in four digits, and ~1 on. The hash is that of Windows 7
 * and later, over the long name as written; ASCII only, as NT does without
 * NtfsAllowExtendedCharacterIn8dot3Name.
 */
#include "base/short_name.h"

#include <stdio.h>

#define STEM_MAX 8
#define STEM_KEPT 6   /* characters before "~1" */
#define HASHED_KEPT 2 /* characters before the hash */
#define EXTENSION_MAX 3
#define PLAIN_TRIES 4 /* ~1 to ~4 */
#define TRIES 1000000u

static unsigned unit_at(struct bytes name, size_t i)
{
	return get_le16(name.data + 2 * i);
}

/* Characters that a long name may have and FAT's directory may not. */
static bool is_legal(unsigned c)
{
	return c > ' ' && c < 0x7f && !strchr("\"*+,/:;<=>?[\\]|", (int)c);
}

bool short_name_valid(struct bytes name)
{
	size_t len = name.len / 2, dot = len;

	for (size_t i = 0; i < len; i++) {
		if (!is_legal(unit_at(name, i)))
			return false;
		if (unit_at(name, i) != '.')
			continue;
		if (dot != len)
			return false;
		dot = i;
	}
	if (dot == 0 || dot > STEM_MAX)
		return false;
	return dot == len || (len - dot - 1 >= 1 && len - dot - 1 <= EXTENSION_MAX);
}

/* As found out by Tom Galvin, "A tale of two file names" (2015); the digits backwards. */
static unsigned name_hash(struct bytes name)
{
	uint32_t hash = 0;

	for (size_t i = 0; i < name.len / 2; i++)
		hash = (hash * 37 + unit_at(name, i)) & 0xffff;
	hash *= 314159269u;
	if (hash & 0x80000000u)
		hash = -hash;
	hash = hash % 1000000007u & 0xffff;
	return (hash >> 12 & 0xf) | (hash >> 4 & 0xf0) | (hash << 4 & 0xf00) |
	       (hash << 12 & 0xf000);
}

/* Up to `max` characters from units [from, to) as a short name has them. */
static size_t shorten(struct bytes name, size_t from, size_t to, size_t max, char *ret)
{
	size_t n = 0;

	for (size_t i = from; i < to && n < max; i++) {
		unsigned c = unit_at(name, i);

		if (c == ' ' || c == '.')
			continue;
		if (c >= 'a' && c <= 'z')
			c -= 'a' - 'A';
		ret[n++] = is_legal(c) ? (char)c : '_';
	}
	ret[n] = 0;
	return n;
}

bool short_name_candidate(struct bytes name, unsigned n, struct buffer *ret)
{
	size_t len = name.len / 2, start = 0, dot, stem_len;
	char stem[STEM_MAX + 8], extension[EXTENSION_MAX + 1] = "", number[12];
	_cleanup_free_ char *text = NULL;

	if (n >= TRIES)
		return false;
	while (start < len && unit_at(name, start) == '.')
		start++;
	for (dot = len; dot > start && unit_at(name, dot - 1) != '.';)
		dot--;
	/* `dot` is behind the last one; none leaves no extension. */
	if (dot > start)
		shorten(name, dot, len, EXTENSION_MAX, extension);
	else
		dot = len + 1;
	if (n < PLAIN_TRIES) {
		stem_len = shorten(name, start, dot - 1, STEM_KEPT, stem);
	} else {
		n -= PLAIN_TRIES;
		stem_len = shorten(name, start, dot - 1, HASHED_KEPT, stem);
		snprintf(stem + stem_len, sizeof(stem) - stem_len, "%04X",
			 name_hash(name));
		stem_len += 4;
	}
	snprintf(number, sizeof(number), "~%u", n + 1);
	if (stem_len + strlen(number) > STEM_MAX)
		stem_len = STEM_MAX - strlen(number);
	text = xasprintf("%.*s%s%s%s", (int)stem_len, stem, number, *extension ? "." : "",
			 extension);
	for (const char *p = text; *p; p++)
		buffer_append_le16(ret, (uint16_t)*p);
	return true;
}
