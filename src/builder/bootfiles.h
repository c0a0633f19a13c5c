/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which files a system volume (ESP, or the active partition of a BIOS disk) gets from a
 * Windows, as bcdboot copies them.
 */
#ifndef BUILDER_BOOTFILES_H
#define BUILDER_BOOTFILES_H

#include "tree/tree.h"
#include "windows/target.h"

#define BOOT_FILES_MAX 4096u		     /* files of one folder of boot files */
#define BOOT_FILE_SIZE_MAX ((size_t)64 << 20) /* of one that is read whole */

/* Whose signature the UEFI boot manager carries: which of Microsoft's CAs. */
enum boot_ca {
	BOOT_CA_AUTO,
	BOOT_CA_2011,
	BOOT_CA_2023,
};

struct boot_file {
	char *target;		/* on the system volume, '/'-separated: "EFI/Boot/bootx64.efi" */
	uint32_t attributes;	/* TREE_ATTR_* */
	bool folder;		/* only attributes to set; comes before what is in it */
	char *source;		/* in the Windows' tree; NULL: `data` is the content */
	uint64_t size;
	struct buffer data;
};
DEFINE_VEC(boot_files, struct boot_file);
void boot_files_free(struct boot_files *files);
#define _cleanup_boot_files_ _cleanup_(boot_files_free)

struct boot_files_options {
	bool uefi;
	enum boot_ca ca;
	const struct target *target;	/* the Windows in the tree */
	struct bytes store;		/* the BCD of the disk */
	struct bytes recovery_store;	/* UEFI; may be empty: none is written */
};
/*
 * Lists what to write, in an order in which folders with attributes precede their files;
 * each target is listed once. BOOT_CA_AUTO takes the boot manager signed by the 2023 CA
 * where the image's own bcdboot would by default (builds from 26200 on) and the image has
 * it. *ca (may be NULL) says which it became. Boot files or loaders that the image does not
 * have, or that are for another machine, are ERROR_FAILED and named.
 */
int boot_files_plan(struct tree *windows, const struct boot_files_options *options,
		    struct boot_files *ret, enum boot_ca *ca, struct error *err);
/* Bytes of all files, for the size of the volume. */
uint64_t boot_files_size(const struct boot_files *files);

#endif
