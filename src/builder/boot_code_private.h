/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The assembled boot code. */
#ifndef BUILDER_BOOT_CODE_PRIVATE_H
#define BUILDER_BOOT_CODE_PRIVATE_H

#include <stdint.h>

#define BOOT_CODE_MBR_SIZE 440
#define BOOT_CODE_NTFS_SIZE 8192

extern const uint8_t boot_code_mbr_bytes[BOOT_CODE_MBR_SIZE];
extern const uint8_t boot_code_ntfs_bytes[BOOT_CODE_NTFS_SIZE];

#endif
