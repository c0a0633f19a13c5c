/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A folder for a test, or for all of a program. */
#ifndef TESTS_FOLDER_H
#define TESTS_FOLDER_H

#include "test.h"

#include "base/file.h"

static char *folder;

static int setup(void **state _unused_)
{
	folder = temp_folder_make(NULL, NULL);
	return folder ? 0 : -1;
}

static int teardown(void **state _unused_)
{
	temp_folder_remove(folder);
	return 0;
}

#endif
