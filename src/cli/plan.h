/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What --dry-run prints: every file and registry value that would be written. */
#ifndef CLI_PLAN_H
#define CLI_PLAN_H

#include "cli/cli.h"
#include "registry/registry.h"
#include "tree/tree.h"

/*
 * Adds {"tree", "files":[{"action","path","bytes"}], "registry":[{"action","hive","key",
 * "name","type","data"}]} to the array (schema gild.plan/1). Call it before
 * registry_stage(), which would show the hives as files too.
 */
void plan_add_json(struct json_object *array, struct tree *tree,
		   const struct registry *registry);
/* The same as text, a line per change. */
void plan_print(FILE *out, struct tree *tree, const struct registry *registry);

#endif
