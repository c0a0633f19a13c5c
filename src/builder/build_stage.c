/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Changes to the Windows that is built: what gild inject and its like do to an image. */
#include "builder/build_private.h"

static int inject(const struct build_options *options, struct image *image, size_t i,
		  struct build_stage *stage, struct build_result *ret, struct error *err)
{
	const struct inject_options *o = &options->inject;

	if (!o->any_controller && !o->drivers->len)
		return 0;
	if (inject_stage(o, image, i, &ret->inject, &stage->keep, err) < 0)
		return -1;
	if (!ret->inject.refused || !o->strict)
		return 0;
	error_set(err, ERROR_ANSWER_NO, options->output,
		  "is not made, since a package was refused");
	return error_remedy(err, "see gild inf for the reason, or leave --strict out");
}

int build_stage(const struct build_options *options, struct image *image, size_t i,
		struct build_stage *stage, struct build_result *ret, struct error *err)
{
	return inject(options, image, i, stage, ret, err);
}

void build_stage_end(struct build_stage *stage)
{
	inject_release(stage->keep);
}
