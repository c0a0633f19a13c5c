/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the status panel says: the verdict, memory, network, the end of the log. */
#ifndef CONSOLE_STATUS_H
#define CONSOLE_STATUS_H

#include "console/panel.h"

struct status_question {
	const char *root;	/* before /proc and /sys; "" on a real PC */
	const char *run;	/* init's folder: verdict.json and log */
	const char *headline;	/* what is the matter with the guest's picture; or NULL */
	const char *screen;	/* "guest 1280x800 on 1920x1080 (drm)" */
	const char *keys;	/* what can be pressed */
	int shown;		/* which of several guests is on the screen; -1: there is one */
	unsigned log_lines;
};
/* "NAME STATE" of each guest, as init has written it (session.h); none where there is one. */
#define STATUS_MAX_GUESTS 16
void status_guests(const char *run, struct strings *ret);
/* True if this is one that will not come back. */
bool status_guest_is_over(const char *guest);

/* What cannot be read is left out. */
void status_read(const struct status_question *question, struct panel_lines *ret);

#endif
