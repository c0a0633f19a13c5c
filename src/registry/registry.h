/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The hives of one tree: opened lazily, edited in memory, staged into the tree once. */
#ifndef REGISTRY_REGISTRY_H
#define REGISTRY_REGISTRY_H

#include "registry/hive.h"
#include "tree/tree.h"

enum registry_hive {
	REGISTRY_SYSTEM,
	REGISTRY_SOFTWARE,
	REGISTRY_DRIVERS,
	REGISTRY_HIVES,	/* their number */
};

struct registry;

/*
 * Does not read anything yet. Hives lie in Windows/System32/config. The tree must
 * outlive the registry.
 */
struct registry *registry_open(struct tree *tree, bool accept_dirty);
void registry_close(struct registry *registry);
void registry_closep(struct registry **registry);
#define _cleanup_registry_ _cleanup_(registry_closep)
const char *registry_hive_name(enum registry_hive which);	/* "SYSTEM" */
/* 1: the image has the hive file, 0: not, -1: error. */
int registry_has(struct registry *registry, enum registry_hive which, struct error *err);
/* Opens the hive with its logs at the first call; belongs to the registry. */
struct hive *registry_hive(struct registry *registry, enum registry_hive which,
			   struct error *err);

/* The hive if it has been opened already, else NULL: for reports of what changed. */
const struct hive *registry_opened(const struct registry *registry,
				   enum registry_hive which);

/* "ControlSet001", ... in number order: every one that the SYSTEM hive has. */
int registry_control_sets(struct registry *registry, struct strings *ret,
			  struct error *err);
/* The name of the set that Select\Current (or else Default) names. Caller's. */
char *registry_current_control_set(struct registry *registry, struct error *err);

/*
 * Stages every changed hive (recovered from its logs or not) into the tree and empties its logs, so that
 * they cannot be replayed over the change. image_commit() then makes it durable.
 */
int registry_stage(struct registry *registry, struct error *err);

#endif
