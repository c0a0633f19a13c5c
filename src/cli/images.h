/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the editing commands share: choose the trees, change them, plan or commit. */
#ifndef CLI_IMAGES_H
#define CLI_IMAGES_H

#include "cli/cli.h"
#include "registry/registry.h"
#include "tree/tree.h"

struct images_job {
	/* Options, as the command's table filled them. */
	const char *index;	/* "N", "all" or NULL */
	const char *output;
	bool dry_run, accept_dirty;
	/* Stages its changes into one tree and its registry; 0 or -1. */
	int (*work)(struct tree *tree, struct registry *registry, void *arg,
		    struct error *err);
	void *arg;
	uint64_t bytes_written;	/* result */
};

/*
 * Opens the image, runs the work on each chosen tree, then prints the plan (--dry-run) or
 * commits. Prints errors itself; returns the exit code.
 */
int images_run(const char *path, struct images_job *job);
#endif
