/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The kernel's own terminal keeps off the screen and the keys while the presenter runs. */
#ifndef CONSOLE_TERMINAL_H
#define CONSOLE_TERMINAL_H

/*
 * given: the process's controlling terminal, or -1: /dev/tty0 is opened, which takes root.
 * The descriptor for terminal_release(); -1 where there is no such terminal.
 */
int terminal_take(int given);
void terminal_release(int fd);

#endif
