/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The upper-case table is libntfs-3g's, which builds the one that Windows writes to
 * $UpCase; the registry compares names by the same table.
 */
#include "base/text.h"

#include <pthread.h>

/* unistr.h needs what volume.h declares: the blank line keeps the order. */
#include <ntfs-3g/volume.h>

#include <ntfs-3g/unistr.h>

#define REPLACEMENT 0xFFFDu

static uint16_t *upcase_table, *downcase_table; /* of 0x10000 units each */
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

static void load_tables(void)
{
	ntfschar *table = NULL;
	uint32_t len = ntfs_upcase_build_default(&table);

	upcase_table = xmalloc(0x10000 * sizeof(*upcase_table));
	downcase_table = xmalloc(0x10000 * sizeof(*downcase_table));
	for (uint32_t i = 0; i < 0x10000; i++) {
		upcase_table[i] = (uint16_t)(i < len ? le16_to_cpu(table[i]) : i);
		downcase_table[i] = (uint16_t)i;
	}
	for (uint32_t i = 0xFFFF; i >= 0x80; i--)
		if (upcase_table[i] != i)
			downcase_table[upcase_table[i]] = (uint16_t)i;
	free(table);
}

/* The upper half: ftp.unicode.org/Public/MAPPINGS/VENDORS/MICSFT/PC/CP437.TXT. */
uint16_t cp437_unit(uint8_t byte)
{
	static const uint16_t upper[128] = {
		0x00c7, 0x00fc, 0x00e9, 0x00e2, 0x00e4, 0x00e0, 0x00e5, 0x00e7, 0x00ea,
		0x00eb, 0x00e8, 0x00ef, 0x00ee, 0x00ec, 0x00c4, 0x00c5, 0x00c9, 0x00e6,
		0x00c6, 0x00f4, 0x00f6, 0x00f2, 0x00fb, 0x00f9, 0x00ff, 0x00d6, 0x00dc,
		0x00a2, 0x00a3, 0x00a5, 0x20a7, 0x0192, 0x00e1, 0x00ed, 0x00f3, 0x00fa,
		0x00f1, 0x00d1, 0x00aa, 0x00ba, 0x00bf, 0x2310, 0x00ac, 0x00bd, 0x00bc,
		0x00a1, 0x00ab, 0x00bb, 0x2591, 0x2592, 0x2593, 0x2502, 0x2524, 0x2561,
		0x2562, 0x2556, 0x2555, 0x2563, 0x2551, 0x2557, 0x255d, 0x255c, 0x255b,
		0x2510, 0x2514, 0x2534, 0x252c, 0x251c, 0x2500, 0x253c, 0x255e, 0x255f,
		0x255a, 0x2554, 0x2569, 0x2566, 0x2560, 0x2550, 0x256c, 0x2567, 0x2568,
		0x2564, 0x2565, 0x2559, 0x2558, 0x2552, 0x2553, 0x256b, 0x256a, 0x2518,
		0x250c, 0x2588, 0x2584, 0x258c, 0x2590, 0x2580, 0x03b1, 0x00df, 0x0393,
		0x03c0, 0x03a3, 0x03c3, 0x00b5, 0x03c4, 0x03a6, 0x0398, 0x03a9, 0x03b4,
		0x221e, 0x03c6, 0x03b5, 0x2229, 0x2261, 0x00b1, 0x2265, 0x2264, 0x2320,
		0x2321, 0x00f7, 0x2248, 0x00b0, 0x2219, 0x00b7, 0x221a, 0x207f, 0x00b2,
		0x25a0, 0x00a0,
	};

	return byte < 0x80 ? byte : upper[byte - 0x80];
}

uint16_t upcase_unit(uint16_t unit)
{
	if (unit < 0x80)
		return unit >= 'a' && unit <= 'z' ? (uint16_t)(unit - 32) : unit;
	(void)pthread_once(&tables_once, load_tables);
	return upcase_table[unit];
}

static uint16_t downcase_unit(uint16_t unit)
{
	if (unit < 0x80)
		return unit >= 'A' && unit <= 'Z' ? (uint16_t)(unit + 32) : unit;
	(void)pthread_once(&tables_once, load_tables);
	return downcase_table[unit];
}

/* Appends one code point (surrogates included) as (W)UTF-8. */
static void append_code_point(struct buffer *b, uint32_t c)
{
	uint8_t *p = buffer_reserve(b, 4);

	if (c < 0x80) {
		p[0] = (uint8_t)c;
		b->len += 1;
	} else if (c < 0x800) {
		p[0] = (uint8_t)(0xC0 | c >> 6);
		p[1] = (uint8_t)(0x80 | (c & 0x3F));
		b->len += 2;
	} else if (c < 0x10000) {
		p[0] = (uint8_t)(0xE0 | c >> 12);
		p[1] = (uint8_t)(0x80 | (c >> 6 & 0x3F));
		p[2] = (uint8_t)(0x80 | (c & 0x3F));
		b->len += 3;
	} else {
		p[0] = (uint8_t)(0xF0 | c >> 18);
		p[1] = (uint8_t)(0x80 | (c >> 12 & 0x3F));
		p[2] = (uint8_t)(0x80 | (c >> 6 & 0x3F));
		p[3] = (uint8_t)(0x80 | (c & 0x3F));
		b->len += 4;
	}
}

char *utf16_to_utf8(const void *utf16, size_t len)
{
	const uint8_t *p = utf16;
	struct buffer out = BUFFER_INIT;

	/* Enough for ASCII with its terminator. */
	(void)buffer_reserve(&out, len / 2 + 1);
	for (size_t i = 0; i + 1 < len; i += 2) {
		uint32_t c = get_le16(p + i);

		if (c >= 0xD800 && c < 0xDC00 && i + 3 < len) {
			uint32_t low = get_le16(p + i + 2);

			if (low >= 0xDC00 && low < 0xE000) {
				c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
				i += 2;
			}
		}
		append_code_point(&out, c);
	}
	return buffer_steal_string(&out);
}

/*
 * Decodes one code point of at most `left` bytes; returns its length in bytes.
 * Malformed input gives U+FFFD and length 1. Surrogates are let through (WTF-8).
 */
static size_t next_code_point(const uint8_t *s, size_t left, uint32_t *c)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n;

	*c = REPLACEMENT;
	if (s[0] < 0x80) {
		*c = s[0];
		return 1;
	}
	n = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
	if (s[0] < 0xC2 || s[0] > 0xF4 || n > left)
		return 1;
	uint32_t v = s[0] & (0x7Fu >> n);

	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xC0) != 0x80)
			return 1;
		v = v << 6 | (s[i] & 0x3F);
	}
	if (v < least[n] || v > 0x10FFFF)
		return 1;
	*c = v;
	return n;
}

bool utf8_valid(const void *text, size_t len)
{
	const uint8_t *s = text;

	while (len) {
		uint32_t c;
		size_t n = next_code_point(s, len, &c);

		if ((n == 1 && s[0] >= 0x80) || (c >= 0xD800 && c < 0xE000))
			return false;
		s += n;
		len -= n;
	}
	return true;
}

/* Walks a string as UTF-16 units. */
struct units {
	const uint8_t *s;
	size_t left;
	uint16_t pending;
};

static bool next_unit(struct units *u, uint16_t *unit)
{
	uint32_t c;
	size_t n;

	if (u->pending) {
		*unit = u->pending;
		u->pending = 0;
		return true;
	}
	if (!u->left)
		return false;
	n = next_code_point(u->s, u->left, &c);
	u->s += n;
	u->left -= n;
	if (c >= 0x10000) {
		*unit = (uint16_t)(0xD800 + ((c - 0x10000) >> 10));
		u->pending = (uint16_t)(0xDC00 + ((c - 0x10000) & 0x3FF));
	} else {
		*unit = (uint16_t)c;
	}
	return true;
}

static struct units units_of(const char *s)
{
	return (struct units){(const uint8_t *)s, strlen(s), 0};
}

void utf16_append(struct buffer *b, const char *utf8)
{
	struct units u = units_of(utf8);
	/* No byte gives more than one unit. */
	uint8_t *to = buffer_reserve(b, 2 * u.left);
	uint16_t unit;

	for (; next_unit(&u, &unit); b->len += 2, to += 2)
		put_le16(to, unit);
}

void utf16_append_z(struct buffer *b, const char *utf8)
{
	utf16_append(b, utf8);
	buffer_append_le16(b, 0);
}

size_t utf16_units(const char *utf8)
{
	struct units u = units_of(utf8);
	uint16_t unit;
	size_t n = 0;

	while (next_unit(&u, &unit))
		n++;
	return n;
}

int text_compare(const char *a, const char *b)
{
	const uint8_t *p = (const uint8_t *)a, *q = (const uint8_t *)b;

	/* The common case is ASCII; the rest is decoded from where they first differ. */
	while (*p && *p < 0x80 &&
	       (*p == *q || (*q < 0x80 && upcase_unit(*p) == upcase_unit(*q)))) {
		p++;
		q++;
	}
	if (*p < 0x80 && *q < 0x80)
		return (int)upcase_unit(*p) - (int)upcase_unit(*q);
	struct units u = units_of((const char *)p), v = units_of((const char *)q);
	uint16_t x, y;

	for (;;) {
		bool more = next_unit(&u, &x), other = next_unit(&v, &y);

		if (!more || !other)
			return (int)more - (int)other;
		x = upcase_unit(x);
		y = upcase_unit(y);
		if (x != y)
			return x < y ? -1 : 1;
	}
}

bool text_equal(const char *a, const char *b)
{
	return text_compare(a, b) == 0;
}

bool text_equal_n(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (upcase_unit((uint8_t)a[i] & 0x7F) !=
			    upcase_unit((uint8_t)b[i] & 0x7F) ||
		    (((uint8_t)a[i] ^ (uint8_t)b[i]) & 0x80))
			return false;
		if (!a[i])
			return true;
	}
	return true;
}

bool text_starts_with(const char *s, const char *prefix)
{
	return text_equal_n(s, prefix, strlen(prefix));
}

bool text_ends_with(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && text_equal(s + n - m, suffix);
}

static char *map_units(const char *s, uint16_t (*map)(uint16_t))
{
	struct units u = units_of(s);
	_cleanup_buffer_ struct buffer utf16 = BUFFER_INIT;
	uint16_t unit;

	while (next_unit(&u, &unit))
		buffer_append_le16(&utf16, map(unit));
	return utf16_to_utf8(utf16.data, utf16.len);
}

char *text_upper(const char *s)
{
	return map_units(s, upcase_unit);
}

char *text_lower(const char *s)
{
	return map_units(s, downcase_unit);
}

uint64_t text_hash(const char *s)
{
	uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */
	struct units u;
	uint16_t unit;

	for (; *s && (uint8_t)*s < 0x80; s++)
		h = (h ^ (uint8_t)(*s >= 'a' && *s <= 'z' ? *s - 32 : *s)) *
		    0x100000001b3u;
	u = units_of(s);
	while (next_unit(&u, &unit))
		h = (h ^ upcase_unit(unit)) * 0x100000001b3u;
	return h;
}

int text_compare_p(const void *a, const void *b)
{
	return text_compare(*(char *const *)a, *(char *const *)b);
}

const char *path_base(const char *path)
{
	const char *base = path;

	for (const char *p = path; *p; p++)
		if (*p == '/' || *p == '\\')
			base = p + 1;
	return base;
}
