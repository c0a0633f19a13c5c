/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Boot code for BIOS: the program in a disk's MBR, and the boot record of an NTFS volume
 * that starts its bootmgr. Both are gild's own (boot/mbr.S, boot/ntfs.S).
 */
#ifndef BUILDER_BOOT_CODE_H
#define BUILDER_BOOT_CODE_H

#include "block/block.h"

/* At most 440 bytes: what lies before the disk's signature. */
struct bytes boot_code_mbr(void);
/* 8 KiB: all of $Boot, without a BPB (zeros from 3 to 0x53). */
struct bytes boot_code_ntfs(void);

/*
 * Puts the program into the disk's first sector, whose signature and table stay. The
 * partition to start must be marked active by who writes the table.
 */
int boot_code_install_mbr(struct block *disk, struct error *err);
/*
 * Puts the boot record into an NTFS volume of 512-byte sectors: into $Boot, and its first
 * sector also into the last one of the volume, which is its backup. The BPB stays but for
 * what says where the volume lies: `start` is its first sector on the disk, `disk_size` is
 * in bytes (the heads that Windows' boot manager counts with follow from it).
 */
int boot_code_install(struct block *volume, uint64_t start, uint64_t disk_size,
		      struct error *err);

#endif
