/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A unified kernel image: systemd's boot stub with command line, kernel and initramfs as
 * further sections of the one PE file, so that one signature covers them all.
 */
#ifndef IMAGE_UKI_H
#define IMAGE_UKI_H

#include "base/buffer.h"
#include "base/error.h"

struct uki_section {
	const char *name;	/* at most 8 characters */
	struct bytes data;
};
/*
 * Adds sections behind those of a PE image (PE32+, as yet unsigned), in their order. The
 * image, its sections and what is left of its header are checked: ERROR_FAILED says what
 * is wrong with `name`.
 */
int uki_add_sections(struct bytes stub, const char *name,
		     const struct uki_section sections[], size_t count,
		     struct buffer *ret, struct error *err);
/*
 * Signs it, for Secure Boot, at the time that base/clock.h says: with an RSA key the same
 * image gives the same bytes. Key and certificate are PEM files. `work`: a temporary
 * folder.
 */
int uki_sign(struct buffer *image, const char *key, const char *cert, const char *work,
	     struct error *err);

#endif
