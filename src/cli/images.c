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
		   struct json_object *plan, struct error *err)
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
	if (plan)
		plan_add_json(plan, tree, registry);
	else if (job->dry_run)
		plan_print(stdout, tree, registry);
	return job->dry_run ? 0 : registry_stage(registry, err);
}

static int run_all(struct image *image, const struct image_positions *positions,
		   struct images_job *job, struct error *err)
{
	struct image_commit_options options = {.output = job->output};
	struct json_object *object = NULL, *plan = NULL;

	if (job->dry_run && cli_json) {
		object = cli_object("gild.plan/1");
		plan = cli_add_array(object, "trees");
	}
	vec_foreach (position, positions) {
		if (run_one(image, *position, job, plan, err) < 0) {
			json_object_put(object);
			return -1;
		}
	}
	if (object)
		cli_print_json(object);
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
