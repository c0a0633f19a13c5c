/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A new file in the making: it lies in the output's folder without a name (or in a
 * temporary folder there, where the file system has no O_TMPFILE), so that a program that
 * is killed leaves nothing, and gets its name when it is whole.
 */
#ifndef BASE_DRAFT_H
#define BASE_DRAFT_H

#include "base/error.h"

struct draft {
	const char *output;
	char *folder;	/* temporary folder, or NULL */
	char *path;	/* for opening it again */
	int fd;
};
/*
 * `named`: other programs shall open it by name, so it has one in a temporary folder.
 * `output` is kept and must outlive the draft.
 */
int draft_open(struct draft *draft, const char *output, bool named, struct error *err);
/*
 * Who knows the file by draft->path calls it so in messages: a text that begins with it
 * begins with the output's name instead. NULL stays.
 */
void draft_name(const struct draft *draft, char **text);
/* The last step: syncs the complete file and gives it its name, which must be free. */
int draft_publish(const struct draft *draft, struct error *err);
/* Drops the file, unless it was published. */
void draft_close(struct draft *draft);

#endif
