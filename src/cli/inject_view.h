/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How injected packages are shown: by `gild inject`, its plan, and `gild build`. */
#ifndef CLI_INJECT_VIEW_H
#define CLI_INJECT_VIEW_H

#include "cli/cli.h"
#include "injector/inject.h"

/* Adds "packages", "any_controller" (if it was asked for) and "problems". */
void inject_view_add(struct json_object *object, const struct inject_result *result);
void inject_view_print(const struct inject_result *result);

#endif
