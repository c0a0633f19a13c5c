/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Unit tests that work with files and tools: a folder of their own, and the shell in it. */
#ifndef TESTS_SCRATCH_H
#define TESTS_SCRATCH_H

#include "test.h"

#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"

static char *work; /* every test has its own */

static int setup(void **state _unused_)
{
	work = temp_folder_make(NULL, NULL);
	return work && chdir(work) == 0 ? 0 : -1;
}

static int teardown(void **state _unused_)
{
	if (chdir("/") < 0)
		return -1;
	temp_folder_remove(work);
	return 0;
}

/* Runs a shell command in the test's folder. */
static void shell(const char *command)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_free_ char *text = xstrdup(command);
	char *argv[] = {(char *)"sh", (char *)"-ec", text, NULL};

	if (process_run(argv, &err) < 0)
		fail_msg("%s: %s", command, err.reason);
}

/* Skips the test where a tool is missing. */
static void need(const char *tool)
{
	_cleanup_free_ char *test = xasprintf("command -v %s >/dev/null", tool);

	if (system(test) != 0) {
		print_message("# %s is not installed\n", tool);
		skip();
	}
}

#endif
