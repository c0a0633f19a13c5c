/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the commands that open an image share: the options of disk images, and for the
 * editing ones: choose the trees, change them, plan or commit.
 */
#ifndef CLI_IMAGES_H
#define CLI_IMAGES_H

#include "cli/cli.h"
#include "registry/registry.h"
#include "tree/tree.h"

/*
 * Entries of a command's table: the options of disk images, for one that reads and for one
 * that writes images. There is one set of values; images_options() reads it.
 */
extern const struct cli_option images_reading[], images_writing[];
#define IMAGE_OPTIONS                                                                     \
	{                                                                                 \
		"", NULL, CLI_TABLE, (void *)images_reading, NULL                         \
	}
#define IMAGE_EDIT_OPTIONS                                                                \
	{                                                                                 \
		"", NULL, CLI_TABLE, (void *)images_writing, NULL                         \
	}

/* What those options and --via say, with the keys read from their files. */
int images_options(struct image_options *ret, struct error *err);
bool images_standalone(void);

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
