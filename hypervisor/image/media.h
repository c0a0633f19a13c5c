/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is put on every kind of boot medium (stick or disk, ISO, folder for network boot):
 * boot loader, kernel, initramfs, settings, root file system and golden images. pack.h
 * gathers it, stick.c, iso.c and network.c write it.
 */
#ifndef IMAGE_MEDIA_H
#define IMAGE_MEDIA_H

#include "base/guid.h"
#include "image/golden.h"
#include "image/rootfs.h"

#define MEDIA_MIB ((uint64_t)1 << 20)
#define MEDIA_GIB ((uint64_t)1 << 30)
/* GUID of the EFI system partition's type. */
#define MEDIA_TYPE_ESP "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
/* GUID of the type of a partition that holds GRUB's BIOS image. */
#define MEDIA_TYPE_BIOS "21686148-6449-6e6f-744e-656564454649"
#define MEDIA_MAX_FILE ((size_t)1 << 30)	/* of kernel, initramfs, boot loader */

/* A file of the boot volume. */
struct media_file {
	char *path;	/* "gild/a/vmlinuz" */
	struct buffer data;
};
DEFINE_VEC(media_files, struct media_file);
void media_files_free(struct media_files *files);
/* Takes the data out of the buffer. */
void media_files_add(struct media_files *files, const char *path, struct buffer *data);
void media_files_add_text(struct media_files *files, const char *path, const char *text);
/* Reads a file of this machine; what is missing names its Debian package. */
int media_read(const char *path, const char *package, struct buffer *ret, struct error *err);

struct media {
	const struct boot_set *set;
	struct buffer kernel, initrd, config;
	char *cmdline;			/* without gild.image */
	struct goldens *goldens;
	const struct media_files *kept;	/* settings of the disk that is updated, or NULL */
	const char *start;		/* names by commas, started unless others are chosen;
					   NULL: the first */
	struct guid seed;		/* all identifiers follow from it */
	struct buffer uki;		/* signed; empty: shim and GRUB */
	const char *work;		/* temporary folder beside the output */
};
/* A GUID that follows from the contents and a name. */
struct guid media_guid(const struct media *media, const char *name);
/* Without braces. */
void media_guid_text(const struct guid *guid, char text[GUID_TEXT_SIZE]);

/*
 * Copies `size` bytes between open files, where both have places; what is a hole or zeros
 * is left out, so the target must read as zeros there.
 */
int media_copy(int from, uint64_t from_offset, uint64_t size, int to, uint64_t to_offset,
	       const char *path, struct error *err);
/* The folder of kernel, initramfs, settings and menu. `slot`: "a", "b" or NULL. */
char *media_folder(const char *slot);
/* Kernel, initramfs, settings, command line and menu of that folder. */
int media_slot(const struct media *media, const char *slot, struct media_files *ret,
	       struct error *err);
/* Shim, GRUB and MokManager, or the signed kernel, for \EFI\BOOT. `grub`: a file name. */
int media_loader(const struct media *media, const char *grub, struct media_files *ret,
		 struct error *err);
/* Makes all of the volume an EFI system partition: FAT32, or FAT16 where it is too small. */
struct block;
int media_fill_fat(struct block *volume, const struct media *media, uint64_t hidden,
		   const struct media_files *files, struct error *err);
/* Puts the files on one that is there. */
int media_add_to_fat(struct block *volume, const struct media_files *files,
		     struct error *err);

#endif
