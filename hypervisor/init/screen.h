/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Keeps the presenter (hypervisor/console) running beside QEMU: a process of its own that
 * starts it again when it ends, after 0.1, 0.2, 0.4 ... 5 seconds. Both end with init.
 */
#ifndef INIT_SCREEN_H
#define INIT_SCREEN_H

#include <sys/types.h>

#include "base/error.h"

/* What the presenter may ask for, a byte each through the pipe. */
#define SCREEN_POWER 'p' /* as if the power button was pressed */
#define SCREEN_RESET 'r' /* the guest's reset button */

struct screen {
	pid_t pid;	/* of the keeper; 0: there is none */
	int requests;	/* where they arrive, not blocking; 0: nowhere */
};
/* run: init's folder of sockets. Where the program is not in the image: ERROR_FAILED. */
int screen_start(struct screen *screen, const char *program, const char *run,
		 struct error *err);
void screen_stop(struct screen *screen);

#endif
