/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Patterns of files that a capture leaves out, as in the [ExclusionList] of DISM's and
 * wimlib's configuration files: "*" and "?" stand for what a name may have, "/" or "\" in
 * front ties the pattern to the root, one without any matches names in all folders; the
 * case does not count. What is left out takes along all below it.
 */
#ifndef BUILDER_EXCLUSION_H
#define BUILDER_EXCLUSION_H

#include "tree/files.h"

/* A pattern in the form that exclusion_matches() takes: lower case, "/". The caller's. */
char *exclusion_parse(const char *text);
/* `path` as in tree/files.h, in lower case. */
bool exclusion_matches(const char *pattern, const char *path);
/* What must not travel to another PC: paging and hibernation files, restore points... */
extern const char *const exclusion_defaults[];	/* ends in NULL */

/*
 * Takes out of the files what the defaults (if asked for) and the patterns (may be NULL)
 * match; the paths are added to `excluded` (may be NULL), without what lies below them.
 */
void exclusion_apply(struct files *files, bool defaults, const struct strings *patterns,
		     struct strings *excluded);

#endif
