/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/error.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

static volatile sig_atomic_t interrupt_seen;

static _printf_(1, 0) char *format(const char *fmt, va_list ap)
{
	char *s = NULL;

	if (vasprintf(&s, fmt, ap) < 0)
		return xstrdup(fmt);
	return s;
}

void error_clear(struct error *err)
{
	if (!err)
		return;
	free(err->subject);
	free(err->reason);
	free(err->remedy);
	*err = (struct error)ERROR_INIT;
}

/* Arguments may point into the error that they replace, hence the order. */
static void replace(struct error *err, enum error_code code, const char *subject,
		    char *reason)
{
	char *copy = subject ? xstrdup(subject) : NULL;

	error_clear(err);
	err->code = code;
	err->subject = copy;
	err->reason = reason;
}

int error_set(struct error *err, enum error_code code, const char *subject,
	      const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return -1;
	va_start(ap, fmt);
	replace(err, code, subject, format(fmt, ap));
	va_end(ap);
	return -1;
}

int error_errno(struct error *err, const char *subject, const char *fmt, ...)
{
	int saved = errno;
	_cleanup_free_ char *what = NULL;
	va_list ap;

	if (!err)
		return -1;
	va_start(ap, fmt);
	what = format(fmt, ap);
	va_end(ap);
	replace(err, saved == EINTR && interrupted() ? ERROR_INTERRUPTED : ERROR_FAILED,
		subject, xasprintf("%s: %s", what, strerror(saved)));
	if (saved == ENOSPC || saved == EDQUOT)
		error_remedy(err, "free some space there and run the command again");
	else if (saved == EACCES || saved == EPERM || saved == EROFS)
		error_remedy(err, "check the permissions of the file and its folder");
	else if (saved == EFBIG)
		error_remedy(err, "use a file system that takes files so large, or raise "
				  "the limit (ulimit -f)");
	errno = saved;
	return -1;
}

int error_remedy(struct error *err, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return -1;
	free(err->remedy);
	va_start(ap, fmt);
	err->remedy = format(fmt, ap);
	va_end(ap);
	return -1;
}

int error_wrap(struct error *err, const char *subject, const char *fmt, ...)
{
	_cleanup_free_ char *context = NULL;
	char *reason;
	va_list ap;

	if (!err)
		return -1;
	va_start(ap, fmt);
	context = format(fmt, ap);
	va_end(ap);
	reason = xasprintf("%s%s%s%s%s", context, err->subject ? ": " : "",
			   err->subject ? err->subject : "", err->reason ? ": " : "",
			   err->reason ? err->reason : "");
	free(err->reason);
	err->reason = reason;
	free(err->subject);
	err->subject = subject ? xstrdup(subject) : NULL;
	if (err->code == ERROR_NONE)
		err->code = ERROR_FAILED;
	return -1;
}

char *error_message(const struct error *err)
{
	return xasprintf("%s%s%s%s%s", err->subject ? err->subject : "",
			 err->subject ? ": " : "", err->reason ? err->reason : "failed",
			 err->remedy ? "; " : "", err->remedy ? err->remedy : "");
}

int error_move(struct error *to, struct error *from)
{
	if (to) {
		error_clear(to);
		*to = *from;
		*from = (struct error)ERROR_INIT;
	} else {
		error_clear(from);
	}
	return -1;
}

bool interrupted(void)
{
	return interrupt_seen != 0;
}

void interrupt_set(void)
{
	interrupt_seen = 1;
}

int error_interrupted(struct error *err)
{
	error_set(err, ERROR_INTERRUPTED, NULL, "interrupted");
	return error_remedy(err, "the image is as it was; run the command again");
}
