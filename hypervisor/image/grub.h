/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * GRUB: its settings for each medium, its environment block, and its BIOS image with boot
 * sector. Debian's signed GRUB for UEFI is taken as it is and has all modules that the
 * settings use built in.
 */
#ifndef IMAGE_GRUB_H
#define IMAGE_GRUB_H

#include "base/buffer.h"
#include "base/error.h"

struct goldens;

/*
 * The menu of a folder: an entry for each image, or one; where several fit at once by their
 * number one for all together, and the one for `start` (names by commas, or NULL: the first
 * image), which is started if nobody chooses. Refuses what cannot be quoted.
 */
char *grub_menu(const char *folder, const char *cmdline, const struct goldens *goldens,
		const char *start, struct error *err);
/* The settings that a medium begins with. */
char *grub_settings_slots(size_t images);	/* stick or disk: chooses the slot */
char *grub_settings_single(size_t images);	/* ISO */
/* Where the ISO's own settings are, for the GRUB on its EFI system partition. */
char *grub_settings_find(const char *root_name);
/* Network boot: everything lies in the server's top folder. */
char *grub_settings_network(const char *cmdline, const struct goldens *goldens,
			    const char *start, struct error *err);

/* An environment block is of exactly so many bytes. */
#define GRUB_ENVIRONMENT_SIZE 1024
struct grub_environment {
	char slot;	/* that is started: 'a' or 'b' */
	unsigned tries;	/* how often it may be before the other one is */
	char good;	/* that has started a guest; 0: none has yet */
};
void grub_environment_write(const struct grub_environment *environment, struct buffer *ret);
/* What is missing or makes no sense is as on a new medium. */
void grub_environment_read(struct bytes block, struct grub_environment *ret);

/* GRUB's BIOS image, made by grub-mkimage in the folder `work`. */
int grub_core(bool optical, const char *prefix, const char *work, struct buffer *ret,
	      struct error *err);
/*
 * What grub-bios-setup does, on a file: writes into the image where it will lie (bytes, a
 * multiple of 512), and gives the 440 bytes of boot code that load it from there.
 */
int grub_install(struct buffer *core, uint64_t offset, struct buffer *boot_code,
		 struct error *err);
/* The sector from which a disk's boot code loads the image. */
uint64_t grub_boot_sector(const uint8_t boot_code[440]);
/* On a stick: where the BIOS image looks, its settings, and which of the signed GRUBs. */
#define GRUB_STICK_PREFIX "(,gpt2)/EFI/debian"
#define GRUB_SETTINGS "EFI/debian/grub.cfg"
#define GRUB_STICK_FILE "grubx64.efi.signed"
/* GRUB's boot code for a disk that is an ISO: a path. */
#define GRUB_HYBRID "/usr/lib/grub/i386-pc/boot_hybrid.img"

#endif
