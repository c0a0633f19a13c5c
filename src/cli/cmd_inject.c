/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `gild inject`: driver packages into an image, as DISM's /Add-Driver does. */
#include "cli/cli.h"
#include "cli/images.h"
#include "cli/inject_view.h"
#include "cli/injection.h"

static const struct injection_report report = {
	.schema = "gild.inject/1",
	.work = inject_run,
	.add = inject_view_add,
	.print = inject_view_print,
};

static int run(struct inject_options *o, const struct strings *names)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct injection_profiles profiles = {.wanted = VEC_INIT};
	int code;

	if (injection_profiles_open(&profiles, names, &err) < 0) {
		code = cli_fail(&err);
	} else {
		o->profiles = names->len ? &profiles.wanted : NULL;
		code = injection_run(o, &report);
	}
	injection_profiles_close(&profiles);
	return code;
}

int cmd_inject(const struct cli_command *command, int argc, char **argv)
{
	struct inject_options o = {0};
	struct strings operands = VEC_INIT, drivers = VEC_INIT, profiles = VEC_INIT;
	const char *unsigned_policy = NULL;
	const struct cli_option options[] = {
		{"driver", "PATH", CLI_STRINGS, &drivers,
		 "INF, folder or archive (CAB, ZIP, 7z, ISO, tar); may be repeated"},
		{"index", "N|all", CLI_STRING, &o.index, "which image or Windows"},
		{"any-controller", NULL, CLI_FLAG, &o.any_controller,
		 "make the image start on every storage controller it has a driver for"},
		{"source", "PATH", CLI_STRING, &o.source,
		 "with --any-controller, XP and 2003: i386 folder of the CD"},
		{"winre", NULL, CLI_FLAG, &o.winre, "also the recovery image inside"},
		{"output", "OUT", CLI_STRING, &o.output, "write a new image"},
		{"strict", NULL, CLI_FLAG, &o.strict,
		 "write nothing if a package is refused"},
		{"dry-run", NULL, CLI_FLAG, &o.dry_run, "print the plan, write nothing"},
		{"accept-dirty", NULL, CLI_FLAG, &o.accept_dirty,
		 "go on with a dirty hive whose logs are missing"},
		{"esd", NULL, CLI_FLAG, &o.esd, "write a solid .esd back (slow)"},
		IMAGE_EDIT_OPTIONS,
		{"profile", "ID|FILE", CLI_STRINGS, &profiles,
		 "only packages that this PC model wants; may be repeated"},
		{"unsigned", "refuse|warn|allow", CLI_STRING, &unsigned_policy,
		 "packages without a valid signature (warn)"},
		CLI_END,
	};
	int code = cli_parse(command, options, argc, argv, &operands);

	if (code < 0 && operands.len != 1)
		code = cli_usage(command, "expected one IMAGE");
	if (code < 0 && !drivers.len && !o.any_controller)
		code = cli_usage(command,
				 "nothing to do: give --driver or --any-controller");
	if (code < 0 && profiles.len && !drivers.len)
		code = cli_usage(command,
				 "--profile chooses from packages: give --driver");
	if (code < 0 && unsigned_policy &&
	    !unsigned_policy_parse(unsigned_policy, &o.unsigned_policy))
		code = cli_usage(command, "--unsigned is refuse, warn or allow, not %s",
				 unsigned_policy);
	if (code < 0) {
		o.path = operands.items[0];
		o.drivers = &drivers;
		code = run(&o, &profiles);
	}
	strings_free(&profiles);
	strings_free(&drivers);
	strings_free(&operands);
	return code;
}
