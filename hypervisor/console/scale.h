/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The guest's picture on a screen of another size: as large as its proportions allow, in
 * the middle. Pixel for pixel where the sizes agree, whole multiples where that fills the
 * screen, smooth (bilinear) otherwise.
 */
#ifndef CONSOLE_SCALE_H
#define CONSOLE_SCALE_H

#include "console/surface.h"

struct fit {
	unsigned width, height;	/* of the picture */
	struct rect to;		/* where it is on the screen */
	unsigned factor;	/* a whole one (1: pixel for pixel), or 0: smooth */
};
/* Both sizes are good ones (surface_size_good()). */
struct fit fit_find(unsigned width, unsigned height, unsigned screen_width,
		    unsigned screen_height);
/* The pixels of the screen that show something of this part of the picture. */
struct rect fit_to_screen(const struct fit *fit, struct rect part);
/* The picture's pixel that a point of the screen shows, or the nearest one. */
void fit_to_picture(const struct fit *fit, int *x, int *y);
/* Draws this part of the screen; what lies beside the picture becomes black. */
void fit_draw(const struct fit *fit, const struct surface *picture, struct surface *screen,
	      struct rect part);

#endif
