/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Progress of long work. Lower layers report; src/cli sets the callback that draws it
 * (a bar on a terminal, lines or JSON on request) or none.
 */
#ifndef BASE_PROGRESS_H
#define BASE_PROGRESS_H

#include <stdint.h>

/* `step` is what a person would call the work ("reading packages"); total 0: unknown. */
typedef void progress_fn(const char *step, uint64_t done, uint64_t total, void *arg);
void progress_set(progress_fn *fn, void *arg);
void progress_report(const char *step, uint64_t done, uint64_t total);

/*
 * A remark that is neither result nor error ("finished an interrupted edit of x.wim").
 * src/cli prints it to stderr unless --quiet.
 */
typedef void notice_fn(const char *text, void *arg);
void notice_set(notice_fn *fn, void *arg);
void notice(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
