/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The guest's picture, its pointer and the status panel become one picture of the size of
 * the output, and only what changed of it is drawn and put there.
 */
#ifndef CONSOLE_PRESENTER_H
#define CONSOLE_PRESENTER_H

#include "console/output.h"
#include "console/panel.h"
#include "console/rfb.h"
#include "console/scale.h"

struct presenter {
	struct output *output;		/* NULL: there is none yet */
	struct surface canvas;		/* what the output shows */
	struct fit fit;
	struct damage damage;		/* of the canvas */
	struct panel_lines panel;
	struct rect panel_at;		/* where it is drawn; empty: nowhere */
	struct rect cursor_at;
	bool blank;			/* the screen is dark, nothing is shown */
	int x, y;			/* the pointer on the guest's screen */
	unsigned long long frames;
};
void presenter_free(struct presenter *p);	/* the output is the owner's */
/* Everything is drawn anew: another output, or its size changed. */
void presenter_reset(struct presenter *p, struct rfb *rfb);
/* Lets the output choose anew, for the guest's size or another screen. */
void presenter_choose(struct presenter *p, struct rfb *rfb);
/* Makes the screen dark, or shows all again. */
void presenter_blank(struct presenter *p, struct rfb *rfb, bool blank);
/* Its text is in p->panel, or was taken out of it. */
void presenter_panel_changed(struct presenter *p);
/* Takes what changed on the guest's screen, and shows it. */
void presenter_show(struct presenter *p, struct rfb *rfb);

#endif
