/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The status panel: lines of text in a box in the middle of the screen. */
#ifndef CONSOLE_PANEL_H
#define CONSOLE_PANEL_H

#include "console/surface.h"

#define PANEL_COLUMNS 78	/* longer lines are broken */
#define PANEL_MAX_LINES 64

enum panel_tone {
	PANEL_TEXT,
	PANEL_TITLE,
	PANEL_QUIET,	/* of less weight: the log */
	PANEL_WARNING,
};
struct panel_line {
	enum panel_tone tone;
	char *text;
};
DEFINE_VEC(panel_lines, struct panel_line);
/* Breaks the text between words where it is too long; no more than PANEL_MAX_LINES. */
void panel_add(struct panel_lines *lines, enum panel_tone tone, const char *text);
void panel_free(struct panel_lines *lines);

/* Where it is on a screen of this size. Too many lines for it: the last ones are left out. */
struct rect panel_place(const struct panel_lines *lines, unsigned width, unsigned height);
void panel_draw(const struct panel_lines *lines, struct surface *screen, struct rect clip);

#endif
