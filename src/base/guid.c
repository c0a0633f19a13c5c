/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/guid.h"

#include <stdio.h>

#include "base/hash.h"

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool guid_parse(const char *text, struct guid *guid)
{
	/* Position in the text of each byte in memory order. */
	static const uint8_t order[] = {6,  4,	2,  0,	11, 9,	16, 14,
					19, 21, 24, 26, 28, 30, 32, 34};
	bool brace = *text == '{';
	struct guid g;

	text += brace;
	if (strlen(text) != 36u + brace || (brace && text[36] != '}'))
		return false;
	if (text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-')
		return false;
	for (size_t i = 0; i < 16; i++) {
		int high = hex(text[order[i]]), low = hex(text[order[i] + 1]);

		if (high < 0 || low < 0)
			return false;
		g.bytes[i] = (uint8_t)(high << 4 | low);
	}
	*guid = g;
	return true;
}

void guid_format(const struct guid *guid, char text[GUID_TEXT_SIZE])
{
	const uint8_t *b = guid->bytes;

	(void)snprintf(text, GUID_TEXT_SIZE,
		       "{%08x-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x}", get_le32(b),
		       get_le16(b + 4), get_le16(b + 6), b[8], b[9], b[10], b[11], b[12],
		       b[13], b[14], b[15]);
}

bool guid_equal(const struct guid *a, const struct guid *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

struct guid guid_from(struct bytes seed)
{
	uint8_t digest[32];
	struct guid g;

	hash_sha256(seed, digest);
	memcpy(g.bytes, digest, sizeof(g.bytes));
	g.bytes[7] = (uint8_t)((g.bytes[7] & 0x0F) | 0x40);
	g.bytes[8] = (uint8_t)((g.bytes[8] & 0x3F) | 0x80);
	return g;
}
