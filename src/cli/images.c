/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/images.h"

#include "cli/plan.h"

static int run_one(struct image *image, size_t position, struct images_job *job,
		   struct plan_output *plan, struct error *err)
{
	struct tree *tree = image_tree(image, position, err);
	_cleanup_registry_ struct registry *registry = NULL;

	if (!tree)
		return -1;
	registry = registry_open(tree, job->accept_dirty);
	if (interrupted())
		return error_interrupted(err);
	if (job->work(tree, registry, job->arg, err) < 0)
		return -1;
	if (!job->dry_run)
		return registry_stage(registry, err);
	plan_tree(tree, registry, plan);
	return 0;
}

static int run_all(struct image *image, const struct image_positions *positions,
		   struct images_job *job, struct error *err)
{
	struct image_commit_options options = {.output = job->output};
	struct plan_output plan = {0};

	if (job->dry_run)
		plan_begin(&plan);
	vec_foreach (position, positions) {
		if (run_one(image, *position, job, &plan, err) < 0) {
			plan_drop(&plan);
			return -1;
		}
	}
	plan_end(&plan);
	if (job->dry_run)
		return 0;
	return image_commit(image, &options, &job->bytes_written, err);
}

int images_run(const char *path, struct images_job *job)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct image_options options = {.write = !job->dry_run && !job->output};
	_cleanup_image_ struct image *image = image_open(path, &options, &err);
	struct image_positions positions = VEC_INIT;
	int result = -1;

	if (image && image_select(image, job->index, &positions, &err) == 0)
		result = run_all(image, &positions, job, &err);
	vec_free(&positions);
	return result < 0 ? cli_fail(&err) : 0;
}
