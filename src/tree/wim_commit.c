/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The commit of a WIM. */
#include "tree/wim.h"

int wim_commit(struct image *image, const struct image_commit_options *options _unused_,
	       uint64_t *bytes_written _unused_, struct error *err)
{
	return error_set(err, ERROR_USAGE, image->path,
			 "writing a WIM is not in this build");
}
