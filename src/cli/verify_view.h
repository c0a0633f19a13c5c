/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How findings are shown: by `gild verify`, and of what `gild build` made. */
#ifndef CLI_VERIFY_VIEW_H
#define CLI_VERIFY_VIEW_H

#include "builder/verify.h"
#include "cli/cli.h"

/* Adds the array "findings". */
void verify_view_add(struct json_object *object, const struct verify_report *report);
/* A line each; notes only with --verbose. */
void verify_view_print(const struct verify_report *report);

#endif
