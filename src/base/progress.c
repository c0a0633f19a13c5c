/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/progress.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

static progress_fn *progress_callback;
static void *progress_arg;
static notice_fn *notice_callback;
static void *notice_arg;

void progress_set(progress_fn *fn, void *arg)
{
	progress_callback = fn;
	progress_arg = arg;
}

void progress_report(const char *step, uint64_t done, uint64_t total)
{
	if (progress_callback)
		progress_callback(step, done, total, progress_arg);
}

void notice_set(notice_fn *fn, void *arg)
{
	notice_callback = fn;
	notice_arg = arg;
}

void notice(const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	if (!notice_callback)
		return;
	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	notice_callback(text, notice_arg);
	free(text);
}
