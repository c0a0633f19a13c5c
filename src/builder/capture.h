/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The volume of a Windows on a disk becomes an image in a new WIM. */
#ifndef BUILDER_CAPTURE_H
#define BUILDER_CAPTURE_H

#include "tree/files.h"

struct capture_options {
	const char *output;	/* must not exist */
	const char *compression, *name;	/* see struct wim_create_options */
	unsigned level;
	const struct strings *exclude;	/* patterns, see builder/exclusion.h */
	bool no_default_exclusions;
	/* Go on with a volume that is hibernated or was not unmounted, with a warning. */
	bool accept_dirty;
};

/* What the WIM holds, but should perhaps not. */
struct capture_warning {
	const char *code;	/* stable: "not_generalized", "no_windows", "dirty", ... */
	char *message, *remedy;
};

struct capture_result {
	char *name;		/* of the image */
	char *state;		/* setup state of the Windows; NULL: not known */
	size_t folders, files;	/* names, without the root */
	uint64_t bytes;		/* of all contents, each file once */
	uint64_t bytes_written;
	struct strings excluded;	/* paths that were left out by a pattern */
	struct vec_of(struct capture_warning) warnings;
};
void capture_result_free(struct capture_result *result);

/*
 * Captures the volume of the i-th Windows of a disk image. The output gets its name when it
 * is complete. ERROR_STATE for a volume whose state forbids it, ERROR_FAILED with the
 * file's name and the remedy for content that cannot be read (encrypted, deduplicated).
 */
int capture(struct image *image, size_t i, const struct capture_options *options,
	    struct capture_result *ret, struct error *err);

#endif
