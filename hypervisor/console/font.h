/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A font of 8x16 pixels for the status panel: ASCII, drawn for gild on a grid of 5x7. */
#ifndef CONSOLE_FONT_H
#define CONSOLE_FONT_H

#include "console/surface.h"

#define FONT_WIDTH 8
#define FONT_HEIGHT 16
/* The pixels of a glyph's row, 0x80 the leftmost. What is not ASCII looks like '?'. */
uint8_t font_row(char c, unsigned row);
/* Draws what lies within `clip`, every pixel of the font `scale` wide and high. */
void font_draw(struct surface *s, struct rect clip, int x, int y, int scale, const char *text,
	       size_t len, uint32_t colour, uint32_t background);

#endif
