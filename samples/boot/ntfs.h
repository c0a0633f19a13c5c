/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading files of an NTFS volume, for the BIOS stand-in. */
#ifndef SAMPLES_BOOT_NTFS_H
#define SAMPLES_BOOT_NTFS_H

#include <stddef.h>
#include <stdint.h>

void *memcpy(void *to, const void *from, size_t len);
void *memset(void *to, int byte, size_t len);

/* 0 on failure. */
int disk_read(uint64_t sector, uint32_t count, void *data);
/* A file of the volume that begins at that sector. NULL, or what is wrong. */
const char *ntfs_read_file(uint32_t start, const char *path, uint8_t *data, uint32_t max,
			   uint32_t *size);

#endif
