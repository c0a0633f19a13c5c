/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Errors: what failed, on which file, key or line, why, and the remedy.
 *
 * A function that can fail takes `struct error *err` last, returns 0 / -1 (or a
 * pointer / NULL) and fills it once. Only src/cli prints. `err` may be NULL where the
 * caller does not care.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include "base/memory.h"

/* The values are gild's exit codes (design: command-line contract). */
enum error_code {
	ERROR_NONE = 0,
	ERROR_FAILED = 1,	/* failed, nothing changed */
	ERROR_USAGE = 2,	/* wrong usage */
	ERROR_ANSWER_NO = 3,	/* a gap, a refused package */
	ERROR_STATE = 4,	/* the image is in a state that gild refuses to edit */
	ERROR_INTERRUPTED = 130,
};

struct error {
	enum error_code code;
	char *subject;	/* file, key path, "file:line"; may be NULL */
	char *reason;	/* why; outermost first, causes appended after ": " */
	char *remedy;	/* what to do; may be NULL */
};
#define ERROR_INIT                                                                        \
	{                                                                                 \
		0                                                                         \
	}

/* Sets the error (an earlier one is replaced). Always returns -1. subject may be NULL. */
int error_set(struct error *err, enum error_code code, const char *subject,
	      const char *fmt, ...) _printf_(4, 5);
/* The same with ": strerror(errno)" appended; ENOSPC, EACCES and EFBIG get their remedy. */
int error_errno(struct error *err, const char *subject, const char *fmt, ...)
	_printf_(3, 4);
/* Adds or replaces the remedy. Always returns -1. */
int error_remedy(struct error *err, const char *fmt, ...) _printf_(2, 3);
/*
 * Puts context before what is already set: the reason becomes
 * "CONTEXT: SUBJECT: REASON" and `subject` the new subject. Always returns -1.
 */
int error_wrap(struct error *err, const char *subject, const char *fmt, ...)
	_printf_(3, 4);
/*
 * The one line for people: "SUBJECT: REASON; REMEDY". Owned by the caller. The linker knows it
 * by another name, since libcom_err, which comes with libcurl, has one like this.
 */
char *error_message(const struct error *err) __asm__("gild_error_message");
void error_clear(struct error *err);
#define _cleanup_error_ _cleanup_(error_clear)
/* Moves `from` into `to` (which may be NULL) and empties `from`. Always returns -1. */
int error_move(struct error *to, struct error *from);

/*
 * True once SIGINT or SIGTERM arrived (src/cli installs the handler). Long loops ask
 * between steps and return error_interrupted().
 */
bool interrupted(void);
void interrupt_set(void);
int error_interrupted(struct error *err);

#endif
