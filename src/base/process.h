/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Subprocesses: helper programs, and forked children that parse hostile input. */
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H

#include "base/error.h"

/*
 * Runs argv[0] (found in PATH) with its output thrown away; its standard error becomes
 * the reason on failure. Waits for it; SIGINT ends it.
 */
int process_run(char *const argv[], struct error *err);

struct process_limits {
	uint64_t memory;	/* bytes of address space; 0: no limit */
	uint64_t file_size;	/* bytes per file written; 0: no limit */
	unsigned cpu_seconds;	/* 0: no limit */
};
/*
 * Runs `work(arg, err)` in a forked child under the limits and gives its result and
 * error back. A child that dies gives an error that says by which limit or signal.
 */
int process_isolate(int (*work)(void *arg, struct error *err), void *arg,
		    const struct process_limits *limits, const char *subject,
		    struct error *err);

#endif
