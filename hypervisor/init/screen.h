/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Keeps the presenter (hypervisor/console) running beside QEMU: a process of its own that
 * starts it again when it ends, after 0.1, 0.2, 0.4 ... 5 seconds. Both end with init.
 *
 * The presenter has a user of its own and no capability. The keeper gives it what it needs:
 * the devices of screens, keyboards and pointers, whenever they show up, belong to its
 * group; and the kernel's terminal is its controlling terminal, whose mode it may set so.
 */
#ifndef INIT_SCREEN_H
#define INIT_SCREEN_H

#include <sys/types.h>

#include "base/error.h"

#define SCREEN_PRESENTER "/usr/bin/gild-console"
#define SCREEN_ID 991	/* the presenter's user and group in the image: nobody else's */

/*
 * What the presenter may ask for, a byte each through the pipe. Before one that is for one of
 * several guests goes a digit: which of screen_config's guests, from 0.
 */
#define SCREEN_POWER 'p'  /* as if the power button was pressed */
#define SCREEN_GUEST_POWER 'g' /* the guest's own power button */
#define SCREEN_START 's' /* a guest that is off, while others run */
#define SCREEN_RESET 'r'  /* the guest's reset button */
#define SCREEN_NATIVE 'n' /* Windows on the PC itself */
/* What it is told, the same way. */
#define SCREEN_BLANK 'b'   /* dark until it is told otherwise, or a key or pointer moves */
#define SCREEN_UNBLANK 'u'

struct screen_config {
	const char *program;	/* SCREEN_PRESENTER */
	const char *run;	/* init's folder: log, verdict.json */
	const char *vnc;	/* QEMU's socket, of several each, by commas; NULL: no guest */
	const char *guests;	/* the names of several, by commas; NULL: there is one */
	bool native;		/* SCREEN_NATIVE is offered */
	uid_t uid;		/* user and group, who is then given the devices, and keeps
				   to few system calls; 0: as init itself */
};
struct screen {
	pid_t pid;	/* of the keeper; 0: there is none */
	int requests;	/* where they arrive, not blocking; 0: nowhere */
	int words;	/* where SCREEN_BLANK goes; 0: nowhere */
};
/* Where the program is not in the image: ERROR_FAILED. */
int screen_start(struct screen *screen, const struct screen_config *config,
		 struct error *err);
/* For a notebook's lid. Nothing happens where there is no presenter. */
void screen_blank(const struct screen *screen, bool blank);
void screen_stop(struct screen *screen);

#endif
