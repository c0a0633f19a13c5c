/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The writers of each kind of medium. First they write the golden images to their places,
 * then media_settle() makes what has the images' seals in it, then the rest is written.
 */
#ifndef IMAGE_PACK_PRIVATE_H
#define IMAGE_PACK_PRIVATE_H

#include "block/partition.h"
#include "image/pack.h"

int stick_write(const struct pack_options *options, struct media *media,
		struct pack_result *ret, struct error *err);
int iso_write(const struct pack_options *options, struct media *media,
	      struct pack_result *ret, struct error *err);
int network_write(const struct pack_options *options, struct media *media,
		  struct pack_result *ret, struct error *err);
/* Settings, command line, identifiers, and the signed kernel: for media without one. */
int media_settle(const struct pack_options *options, struct media *media,
		 struct pack_result *ret, struct error *err);

/* ---- updates of a stick ---- */

/*
 * Reads a disk that stick_write() made, before anything new is made: its partitions, and
 * the settings of the slot that is in use, whose images stay, and which one is to be written.
 */
int update_open(const struct pack_options *options, struct media_files *settings,
		char *slot, struct error *err);
/* Writes that slot, ret->slot, then makes it the next one. */
int update_write(const struct pack_options *options, const struct media *media,
		 struct pack_result *ret, struct error *err);

/*
 * The boot loader of the stick, as far as this machine has another one (renew.c):
 * ret->renewed tells what was written. `bios`: the partition of GRUB's image, or NULL.
 */
int renew_loader(struct block *disk, struct block *esp, const struct partition *bios,
		 const struct media *media, struct pack_result *ret, struct error *err);

/* ---- settings ---- */

/* The archive of /etc/gild. `kept`: files taken over from a medium, or NULL. */
int settings_make(const struct pack_options *options, struct pack_result *result,
		  const struct media_files *kept, struct buffer *ret, struct error *err);
/* The files of such an archive; bounds are checked. */
int settings_read(struct bytes archive, const char *name, struct media_files *ret,
		  struct error *err);
/* The images that init starts unless it is told others, from init.conf; or NULL. Caller's. */
char *settings_start(const struct media_files *settings);
/* The settings' images, as far as menus need them: name and title. */
void settings_images(const struct media_files *settings, struct goldens *ret);

#endif
