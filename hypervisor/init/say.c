/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "init/say.h"

void say_to(void (*to)(const char *line), const char *fmt, ...)
{
	_cleanup_free_ char *line = NULL;
	va_list ap;

	va_start(ap, fmt);
	line = xvasprintf(fmt, ap);
	va_end(ap);
	to(line);
}
