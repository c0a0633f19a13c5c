/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/images.h"

#include <errno.h>

#include "cli/plan.h"

/* "1 (Windows 10 Pro), 2 (Windows 10 Home)" */
static char *list_images(const struct image *image)
{
	struct buffer out = BUFFER_INIT;

	for (size_t i = 0; i < image_count(image); i++) {
		const struct image_info *info = image_info(image, i);

		buffer_printf(&out, "%s%u", i ? ", " : "", info->index);
		if (info->name && *info->name)
			buffer_printf(&out, " (%s)", info->name);
	}
	return buffer_steal_string(&out);
}

int images_select(const struct cli_command *command, const struct image *image,
		  const char *index, struct image_positions *ret)
{
	size_t count = image_count(image);
	_cleanup_free_ char *list = list_images(image);
	unsigned long n;
	char *end;

	if ((!index && count == 1) || (index && strcmp(index, "all") == 0)) {
		for (size_t i = 0; i < count; i++)
			vec_push(ret, i);
		return -1;
	}
	if (!index)
		return cli_usage(command,
				 "%s holds %zu images: give --index=N or --index=all: %s",
				 image_path(image), count, list);
	errno = 0;
	n = strtoul(index, &end, 10);
	if (errno || *end || *index < '0' || *index > '9')
		return cli_usage(command, "--index=%s: expected a number or all", index);
	for (size_t i = 0; i < count; i++) {
		if (image_info(image, i)->index == n) {
			vec_push(ret, i);
			return -1;
		}
	}
	return cli_usage(command, "--index=%s: %s holds %s", index, image_path(image),
			 list);
}

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

int images_run(const struct cli_command *command, const char *path,
	       struct images_job *job)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct image_options options = {.write = !job->dry_run && !job->output};
	_cleanup_image_ struct image *image = image_open(path, &options, &err);
	struct image_positions positions = VEC_INIT;
	int code;

	if (!image)
		return cli_fail(&err);
	code = images_select(command, image, job->index, &positions);
	if (code < 0)
		code = run_all(image, &positions, job, &err) < 0 ? cli_fail(&err) : 0;
	vec_free(&positions);
	return code;
}
