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
	unsigned log_lines;
};
/* What cannot be read is left out. */
void status_read(const struct status_question *question, struct panel_lines *ret);

#endif
