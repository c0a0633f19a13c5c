/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What `gild inject` and `gild remove` share: run, plan or report, exit code. */
#ifndef CLI_INJECTION_H
#define CLI_INJECTION_H

#include "cli/cli.h"
#include "hwprofiles/profile_xml.h"
#include "injector/inject.h"

struct injection_report {
	const char *schema;
	int (*work)(const struct inject_options *options, struct inject_result *ret,
		    struct error *err);
	/* Adds the verdicts: to the report's object, or to the plan of --dry-run. */
	void (*add)(struct json_object *object, const struct inject_result *result);
	void (*print)(const struct inject_result *result);
};

/* Prints the result or the error; returns the exit code. */
int injection_run(const struct inject_options *options,
		  const struct injection_report *report);

/* The profiles that --profile names. */
struct injection_profiles {
	struct profile_library library;
	struct wanted_profiles wanted;
};
int injection_profiles_open(struct injection_profiles *profiles,
			    const struct strings *names, struct error *err);
void injection_profiles_close(struct injection_profiles *profiles);

#endif
