/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What --dry-run prints: every file and registry value that would be written. */
#ifndef CLI_PLAN_H
#define CLI_PLAN_H

#include "cli/cli.h"
#include "registry/registry.h"
#include "tree/tree.h"

/*
 * A plan over several trees: JSON (schema gild.plan/1, {"trees":[{"tree", "files":
 * [{"action","path","bytes"}], "registry":[{"action","hive","key","name","type","data"}]}]})
 * or text, a line per change, as --json says.
 */
struct plan_output {
	struct json_object *object, *trees;
};
void plan_begin(struct plan_output *plan);
/* Adds a tree (`plan` is a struct plan_output *). Call it before registry_stage(), which
 * would show the hives as files too. */
void plan_tree(struct tree *tree, const struct registry *registry, void *plan);
/* Prints what is not yet printed, or drops it. */
void plan_end(struct plan_output *plan);
void plan_drop(struct plan_output *plan);

#endif
