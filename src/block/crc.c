/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "block/crc.h"

uint32_t crc32_of(uint32_t polynomial, struct bytes data)
{
	uint32_t table[256], crc = UINT32_MAX;

	for (uint32_t i = 0; i < ARRAY_SIZE(table); i++) {
		table[i] = i;
		for (int bit = 0; bit < 8; bit++)
			table[i] = table[i] >> 1 ^ (table[i] & 1 ? polynomial : 0);
	}
	for (size_t i = 0; i < data.len; i++)
		crc = crc >> 8 ^ table[(uint8_t)(crc ^ data.data[i])];
	return ~crc;
}
