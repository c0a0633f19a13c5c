/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The stand-ins for Windows' boot managers, which are built beside this program. */
#include <unistd.h>

#include "base/file.h"
#include "samples/sample.h"

#define STANDIN_MAX ((size_t)4 << 20)

bool standin_read(const char *name, struct buffer *ret)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", STANDINS_FOLDER, name);
	struct error err = ERROR_INIT;

	if (access(path, R_OK) < 0)
		return false;
	(void)file_read(path, STANDIN_MAX, ret, &err);
	die_on(&err);
	return true;
}
