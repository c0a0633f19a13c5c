/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A seccomp filter: from here on the process can read and write, map memory, wait, and
 * connect to UNIX sockets. It starts no program, makes no process, has no network.
 */
#ifndef CONSOLE_SANDBOX_H
#define CONSOLE_SANDBOX_H

#include "base/error.h"

/* For good. Programs, debugging and x32 end the process by SIGSYS, all else is ENOSYS. */
int sandbox_enter(struct error *err);

#endif
