/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/injection.h"

#include "cli/images.h"
#include "cli/plan.h"

static void report_result(const struct injection_report *report,
			  const struct inject_result *result)
{
	struct json_object *object;

	if (!cli_json) {
		if (cli_quiet)
			return;
		report->print(result);
		if (result->written)
			printf("%ju bytes written\n", (uintmax_t)result->bytes_written);
		else
			printf("nothing written\n");
		return;
	}
	object = cli_object(report->schema);
	report->add(object, result);
	cli_add_bool(object, "written", result->written);
	cli_add_int(object, "bytes_written", (int64_t)result->bytes_written);
	cli_print_json(object);
}

int injection_profiles_open(struct injection_profiles *profiles,
			    const struct strings *names, struct error *err)
{
	profile_library_init(&profiles->library);
	vec_foreach (name, names) {
		const struct profile *profile =
			profile_find(&profiles->library, *name, err);

		if (!profile)
			return -1;
		vec_push(&profiles->wanted, profile);
	}
	return 0;
}

void injection_profiles_close(struct injection_profiles *profiles)
{
	vec_free(&profiles->wanted);
	profile_library_free(&profiles->library);
}

int injection_run(const struct inject_options *o, const struct injection_report *report)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_inject_result_ struct inject_result result = {0};
	struct plan_output plan = {0};
	struct inject_options options = *o;

	if (images_options(&options.image, &err) < 0)
		return cli_fail(&err);
	options.standalone = images_standalone();
	if (o->dry_run) {
		plan_begin(&plan);
		options.plan = plan_tree;
		options.plan_arg = &plan;
	}
	if (report->work(&options, &result, &err) < 0) {
		plan_drop(&plan);
		return cli_fail(&err);
	}
	if (plan.object) {
		report->add(plan.object, &result);
		plan_end(&plan);
	} else {
		report_result(report, &result);
	}
	return result.refused ? ERROR_ANSWER_NO : 0;
}
