/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Changes to the Windows that is built: what gild inject and its like do to an image. */
#include "builder/build_private.h"

/* Copies of one Windows share its machine SID unless it was generalized. */
static int check_state(const struct build_options *options, struct tree *tree,
		       struct registry *registry, struct build_result *ret,
		       struct error *err)
{
	_cleanup_depersonalize_state_ struct depersonalize_state state = {0};

	if (depersonalize_check(tree, registry, &state, err) < 0)
		return -1;
	if (state.verdict == DEPERSONALIZE_READY)
		return 0;
	if (state.verdict == DEPERSONALIZE_REFUSE && options->depersonalize) {
		error_set(err, ERROR_STATE, options->source, "%s", state.message);
		return error_remedy(err, "%s", state.remedy);
	}
	vec_push(&ret->warnings, xasprintf("%s; %s", state.message, state.remedy));
	return 0;
}

static int clean(const struct build_options *options, struct image *image, size_t i,
		 struct build_result *ret, struct error *err)
{
	struct tree *tree = image_tree(image, i, err);
	_cleanup_registry_ struct registry *registry = NULL;

	if (!tree)
		return -1;
	registry = registry_open(tree, options->inject.accept_dirty);
	if (check_state(options, tree, registry, ret, err) < 0)
		return -1;
	if (!options->depersonalize)
		return 0;
	/* The boot configuration of a disk is new; of other images there is none. */
	if (depersonalize(tree, registry, NULL, &ret->depersonalized, err) < 0)
		return -1;
	return registry_stage(registry, err);
}

struct stage {
	struct inject_options inject;
	struct strings drivers;	 /* those asked for, and the answer file's */
	struct inject_job *keep; /* what the commit reads from */
};

static int refuse_strictly(const struct build_options *options,
			   const struct inject_result *r, struct error *err)
{
	error_set(err, ERROR_ANSWER_NO, options->output,
		  "is not made, since a package was refused");
	if (r->problems.len)
		error_set(err, ERROR_ANSWER_NO, options->output, "is not made: %s",
			  r->problems.items[0]);
	vec_foreach (tree, &r->trees)
		vec_foreach (package, &tree->packages)
			if ((*package)->verdict == PACKAGE_REFUSED)
				error_set(err, ERROR_ANSWER_NO, options->output,
					  "is not made, since %s was refused: %s",
					  (*package)->label, (*package)->reason);
	return error_remedy(err, "leave the package out, or --strict");
}

static int inject(const struct build_options *options, const struct build_source *source,
		  struct image *image, size_t i, struct stage *stage,
		  struct build_result *ret, struct error *err)
{
	struct inject_options *o = &stage->inject;

	*o = options->inject;
	o->drivers = &stage->drivers;
	for (size_t k = 0; options->inject.drivers && k < options->inject.drivers->len;
	     k++)
		strings_push(&stage->drivers, options->inject.drivers->items[k]);
	if (source->answer)
		vec_foreach (path, answer_drivers(source->answer))
			strings_push(&stage->drivers, *path);
	if (!o->any_controller && !stage->drivers.len)
		return 0;
	if (inject_stage(o, image, i, &ret->inject, &stage->keep, err) < 0)
		return -1;
	if (!ret->inject.refused || !o->strict)
		return 0;
	return refuse_strictly(options, &ret->inject, err);
}

static int put_answer(const struct build_options *options,
		      const struct build_source *source, struct image *image, size_t i,
		      struct build_result *ret, struct error *err)
{
	struct tree *tree = image_tree(image, i, err);
	_cleanup_registry_ struct registry *registry = NULL;

	if (!tree)
		return -1;
	registry = registry_open(tree, options->inject.accept_dirty);
	if (answer_stage(source->answer, tree, registry, &source->target, &ret->answer,
			 err) < 0)
		return -1;
	return registry_stage(registry, err);
}

int build_stage(const struct build_options *options, const struct build_source *source,
		struct image *image, size_t i, const struct image_commit_options *commit,
		struct build_result *ret, struct error *err)
{
	struct stage stage = {0};
	int result = clean(options, image, i, ret, err);

	if (result == 0)
		result = inject(options, source, image, i, &stage, ret, err);
	if (result == 0 && source->answer)
		result = put_answer(options, source, image, i, ret, err);
	if (result == 0)
		result = image_commit(image, commit, NULL, err);
	inject_release(stage.keep);
	strings_free(&stage.drivers);
	return result;
}
