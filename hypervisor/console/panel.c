/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "console/panel.h"

#include "console/font.h"

#define BACKGROUND 0x1c2733
static const uint32_t colours[] = {
	[PANEL_TEXT] = 0xe8e8e8,
	[PANEL_TITLE] = 0x8fd0ff,
	[PANEL_QUIET] = 0x9aa7b3,
	[PANEL_WARNING] = 0xffc060,
};

/* How much of the text fits on a line: up to a blank if there is one in its second half.
 */
static size_t line_length(const char *text)
{
	size_t len = strlen(text), cut = PANEL_COLUMNS;

	if (len <= PANEL_COLUMNS)
		return len;
	while (cut > PANEL_COLUMNS / 2 && text[cut] != ' ')
		cut--;
	return text[cut] == ' ' ? cut : PANEL_COLUMNS;
}

void panel_add(struct panel_lines *lines, enum panel_tone tone, const char *text)
{
	do {
		size_t len = line_length(text);

		if (lines->len == PANEL_MAX_LINES)
			return;
		vec_push(lines, (struct panel_line){tone, xstrndup(text, len)});
		text += len;
		text += *text == ' ';
	} while (*text);
}

void panel_free(struct panel_lines *lines)
{
	vec_foreach (line, lines)
		free(line->text);
	vec_free(lines);
}

/* Twice as large where the screen has room: dots are small there. */
static int panel_scale(unsigned width, unsigned height)
{
	return width >= 2 * 80 * FONT_WIDTH && height >= 2 * 25 * FONT_HEIGHT ? 2 : 1;
}

struct rect panel_place(const struct panel_lines *lines, unsigned width, unsigned height)
{
	int scale = panel_scale(width, height);
	int w = (PANEL_COLUMNS + 2) * FONT_WIDTH * scale;
	int h = ((int)lines->len + 1) * FONT_HEIGHT * scale;

	if (w > (int)width)
		w = (int)width;
	if (h > (int)height)
		h = (int)height;
	return (struct rect){((int)width - w) / 2, ((int)height - h) / 2, w, h};
}

void panel_draw(const struct panel_lines *lines, struct surface *screen, struct rect clip)
{
	struct rect box = panel_place(lines, screen->width, screen->height);
	int scale = panel_scale(screen->width, screen->height);
	int x = box.x + FONT_WIDTH * scale, y = box.y + FONT_HEIGHT * scale / 2;

	clip = rect_intersect(clip, box);
	surface_fill(screen, clip, BACKGROUND);
	vec_foreach (line, lines) {
		font_draw(screen, clip, x, y, scale, line->text, strlen(line->text),
			  colours[line->tone], BACKGROUND);
		y += FONT_HEIGHT * scale;
	}
}
