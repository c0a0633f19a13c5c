/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A new file that gets its name only when it is complete: a run that fails, is interrupted
 * or killed leaves nothing under that name.
 */
#ifndef BASE_DRAFT_H
#define BASE_DRAFT_H

#include "base/error.h"

/* A file in the output's folder that has no name yet, or a temporary one. */
struct draft {
	const char *output;	/* the name that it shall get; the caller's */
	char *folder;	/* temporary folder, where the file system has no O_TMPFILE */
	char *path;	/* for opening it again */
	int fd;
};

/* `named`: others shall open it by name. Without O_TMPFILE it gets a name anyway. */
int draft_open(struct draft *draft, const char *output, bool named, struct error *err);
/* The last step: the complete file is synced and gets its name, which must be free. */
int draft_publish(const struct draft *draft, struct error *err);
/* Drops the file unless it was published. */
void draft_close(struct draft *draft);

#endif
