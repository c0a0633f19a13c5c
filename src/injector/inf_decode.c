/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The bytes of an INF to UTF-8. Windows takes a byte-order mark, else asks
 * IsTextUnicode(), else reads the bytes in the system's ANSI code page. Here text without
 * a mark that is valid UTF-8 counts as UTF-8 (ASCII is both), all else as Windows-1252.
 */
#include "injector/inf_private.h"

#include "base/text.h"

#define CTRL_Z 0x1A

/* Windows-1252 from 0x80 to 0x9F; the five holes map to themselves, as on Windows. */
static const uint16_t windows_1252[32] = {
	0x20AC, 0x0081, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
	0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x008D, 0x017D, 0x008F,
	0x0090, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
	0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x009D, 0x017E, 0x0178,
};

static char *put_utf8(char *to, uint32_t c)
{
	if (c < 0x80) {
		*to++ = (char)c;
	} else if (c < 0x800) {
		*to++ = (char)(0xC0 | c >> 6);
		*to++ = (char)(0x80 | (c & 0x3F));
	} else if (c < 0x10000) {
		*to++ = (char)(0xE0 | c >> 12);
		*to++ = (char)(0x80 | (c >> 6 & 0x3F));
		*to++ = (char)(0x80 | (c & 0x3F));
	} else {
		*to++ = (char)(0xF0 | c >> 18);
		*to++ = (char)(0x80 | (c >> 12 & 0x3F));
		*to++ = (char)(0x80 | (c >> 6 & 0x3F));
		*to++ = (char)(0x80 | (c & 0x3F));
	}
	return to;
}

/*
 * UTF-16 without a mark: half of the first bytes are zero, all in odd (or all in even)
 * places, which no 8-bit text has.
 */
static bool guess_utf16(struct bytes raw, enum inf_encoding *encoding)
{
	size_t n = raw.len < 512 ? raw.len & ~(size_t)1 : 512;
	size_t zeros[2] = {0, 0};

	for (size_t i = 0; i < n; i++)
		zeros[i & 1] += raw.data[i] == 0;
	if (n < 4 || (raw.len & 1))
		return false;
	if (zeros[1] * 10 >= n / 2 * 9 && !zeros[0])
		*encoding = INF_UTF16LE;
	else if (zeros[0] * 10 >= n / 2 * 9 && !zeros[1])
		*encoding = INF_UTF16BE;
	else
		return false;
	return true;
}

static bool is_ascii(struct bytes b)
{
	size_t i = 0;

	for (; i + 8 <= b.len; i += 8) {
		uint64_t v;

		memcpy(&v, b.data + i, sizeof(v));
		if (v & 0x8080808080808080u)
			return false;
	}
	for (; i < b.len; i++)
		if (b.data[i] & 0x80)
			return false;
	return true;
}

static size_t from_utf16(struct bytes raw, bool big, char *text)
{
	char *to = text;

	for (size_t i = 0; i + 1 < raw.len; i += 2) {
		uint32_t c = big ? (uint32_t)(raw.data[i] << 8 | raw.data[i + 1])
				 : get_le16(raw.data + i);

		if (c == CTRL_Z)
			break;
		if (c >= 0xD800 && c < 0xDC00 && i + 3 < raw.len) {
			const uint8_t *p = raw.data + i + 2;
			uint32_t low = big ? (uint32_t)(p[0] << 8 | p[1]) : get_le16(p);

			if (low >= 0xDC00 && low < 0xE000) {
				c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
				i += 2;
			}
		}
		to = put_utf8(to, c);
	}
	return (size_t)(to - text);
}

static size_t from_ansi(struct bytes raw, char *text)
{
	char *to = text;

	for (size_t i = 0; i < raw.len; i++) {
		uint8_t c = raw.data[i];

		to = put_utf8(to, c >= 0x80 && c < 0xA0 ? windows_1252[c - 0x80] : c);
	}
	return (size_t)(to - text);
}

/* Without the mark, if there is one. */
static struct bytes detect(struct bytes raw, enum inf_encoding *encoding)
{
	if (raw.len >= 2 && raw.data[0] == 0xFF && raw.data[1] == 0xFE)
		*encoding = INF_UTF16LE;
	else if (raw.len >= 2 && raw.data[0] == 0xFE && raw.data[1] == 0xFF)
		*encoding = INF_UTF16BE;
	else if (raw.len >= 3 && memcmp(raw.data, "\xEF\xBB\xBF", 3) == 0)
		*encoding = INF_UTF8;
	else if (guess_utf16(raw, encoding))
		return raw;
	else {
		*encoding = is_ascii(raw) || !utf8_valid(raw.data, raw.len) ? INF_ANSI
									    : INF_UTF8;
		return raw;
	}
	return bytes_at(raw, *encoding == INF_UTF8 ? 3 : 2,
			raw.len - (*encoding == INF_UTF8 ? 3 : 2));
}

char *inf_decode(struct bytes raw, enum inf_encoding *encoding, size_t *len)
{
	struct bytes body = detect(raw, encoding);
	bool wide = *encoding == INF_UTF16LE || *encoding == INF_UTF16BE;
	const uint8_t *end;
	char *text;

	if (!wide && body.len && (end = memchr(body.data, CTRL_Z, body.len)))
		body.len = (size_t)(end - body.data);
	/* A unit of UTF-16 or a byte of ANSI gives at most three bytes. */
	if (wide) {
		text = xmalloc(body.len / 2 * 3 + 1);
		*len = from_utf16(body, *encoding == INF_UTF16BE, text);
	} else if (*encoding == INF_UTF8 || is_ascii(body)) {
		text = xmalloc(body.len + 1);
		if (body.len)
			memcpy(text, body.data, body.len);
		*len = body.len;
	} else {
		text = xmalloc(body.len * 3 + 1);
		*len = from_ansi(body, text);
	}
	for (char *p = text; (p = memchr(p, 0, (size_t)(text + *len - p))); p++)
		*p = ' ';
	for (char *p = text; (p = memchr(p, INF_DIRID_MARK, (size_t)(text + *len - p)));
	     p++)
		*p = '?';
	text[*len] = 0;
	return text;
}
