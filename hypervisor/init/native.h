/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The start on the PC itself: a Windows that lies on a disk of the PC is found, and the
 * firmware (UEFI) or GRUB on the boot medium (BIOS) is told to start it once, next.
 */
#ifndef INIT_NATIVE_H
#define INIT_NATIVE_H

#include "init/native_option.h"

struct native {
	bool uefi;		/* how the PC was started: Windows starts the same way */
	char *label;		/* "nvme0n1p1 (Samsung, 512.1 GB)"; NULL: none was found */
	/* UEFI only. */
	struct load_option_partition partition;
	char *file;		/* "\EFI\Microsoft\Boot\bootmgfw.efi" */
};
void native_free(struct native *native);

/*
 * Looks on all disks that are there; those in the PC come before those on its USB. A
 * Windows is, for UEFI, a boot configuration on a GPT disk's EFI system partition with
 * bootmgfw.efi, or with the removable path's file if that is not ours; for BIOS, boot code
 * in the MBR and NTFS in the active partition. True if there is one.
 */
bool native_find(const char *root, struct native *ret);
/*
 * The next start is this one. boot_disk: "sda", on which GRUB's block is looked for, or
 * NULL: on any. `say`: what was done, for the log.
 */
int native_next(const char *root, const struct native *native, const char *boot_disk,
		void (*say)(const char *line), struct error *err);
/* The first sector of a disk, and that of the partition its table calls active. */
bool native_mbr_active(const uint8_t mbr[512], uint32_t *first_sector);
bool native_mbr_starts(const uint8_t mbr[512], const uint8_t partition[512]);

#endif
