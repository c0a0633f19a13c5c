/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Cyclic redundancy checks of 32 bits, reflected: those of GPT and of VHDX. */
#ifndef BLOCK_CRC_H
#define BLOCK_CRC_H

#include "base/buffer.h"

#define CRC32_GPT 0xedb88320	/* IEEE 802.3: UEFI's CRC-32 */
#define CRC32_VHDX 0x82f63b78	/* Castagnoli */

uint32_t crc32_of(uint32_t polynomial, struct bytes data);

#endif
