/* SPDX-License-Identifier: GPL-3.0-or-later */
/* GUIDs as Windows stores them: the first three fields little-endian. */
#ifndef BASE_GUID_H
#define BASE_GUID_H

#include "base/buffer.h"

struct guid {
	uint8_t bytes[16];	/* as in memory on Windows */
};
#define GUID_TEXT_SIZE 39	/* "{8-4-4-4-12}" and the terminator */

/* Accepts "{...}" or without braces, any case. False if it is no GUID. */
bool guid_parse(const char *text, struct guid *guid);
/* Lower case, with braces. */
void guid_format(const struct guid *guid, char text[GUID_TEXT_SIZE]);
bool guid_equal(const struct guid *a, const struct guid *b);
/*
 * A version-4 shaped GUID that follows from `seed`: the same input gives the same GUID
 * (design: outputs are reproducible to the byte).
 */
struct guid guid_from(struct bytes seed);

#endif
