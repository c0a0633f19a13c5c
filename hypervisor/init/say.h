/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lines for the screen and the log, through whoever has them. */
#ifndef INIT_SAY_H
#define INIT_SAY_H

#include "base/memory.h"

/* One line, without its end, to `to`. */
void say_to(void (*to)(const char *line), const char *fmt, ...) _printf_(2, 3);
#endif
