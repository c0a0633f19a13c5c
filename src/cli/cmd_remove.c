/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `gild remove`: third-party packages out of an image, with all their traces. */
#include "base/text.h"
#include "cli/cli.h"
#include "cli/images.h"
#include "cli/injection.h"
#include "injector/store.h"

static void add_result(struct json_object *object, const struct inject_result *result)
{
	struct json_object *array = cli_add_array(object, "packages");

	vec_foreach (tree, &result->trees) {
		if (!tree->removals)
			continue;
		vec_foreach (r, tree->removals) {
			struct json_object *o = cli_add_object(array, NULL);

			cli_add(o, "published", r->published);
			cli_add(o, "inf", r->original);
			cli_add(o, "store", r->store);
			cli_add_bool(o, "boot_critical", r->boot_critical);
			cli_add_strings(o, "services", &r->services);
			cli_add(o, "verdict",
				r->verdict == PACKAGE_REFUSED ? "refused" : "removed");
			cli_add(o, "reason", r->reason);
			cli_add_strings(o, "remarks", &r->remarks);
			cli_add(o, "image", tree->path);
			if (tree->index)
				cli_add_int(o, "index", tree->index);
		}
	}
}

static void print_text(const struct inject_result *result)
{
	vec_foreach (tree, &result->trees) {
		if (!tree->removals)
			continue;
		if (result->trees.len > 1)
			printf("%s\n", tree->path);
		vec_foreach (r, tree->removals) {
			printf("%s (%s): %s%s%s\n", r->published,
			       r->original ? r->original : "-",
			       r->verdict == PACKAGE_REFUSED ? "refused" : "removed",
			       r->reason ? ": " : "", r->reason ? r->reason : "");
			vec_foreach (remark, &r->remarks)
				printf("  %s\n", *remark);
		}
	}
}

static const struct injection_report report = {
	.schema = "gild.remove/1",
	.work = inject_remove,
	.add = add_result,
	.print = print_text,
};

int cmd_remove(const struct cli_command *command, int argc, char **argv)
{
	struct inject_options o = {0};
	struct strings operands = VEC_INIT, drivers = VEC_INIT;
	const struct cli_option options[] = {
		{"driver", "oemN.inf", CLI_STRINGS, &drivers,
		 "published name of the package; may be repeated"},
		{"index", "N|all", CLI_STRING, &o.index, "which image or Windows"},
		{"output", "OUT", CLI_STRING, &o.output, "write a new image"},
		{"strict", NULL, CLI_FLAG, &o.strict, "write nothing if one is refused"},
		{"dry-run", NULL, CLI_FLAG, &o.dry_run, "print the plan, write nothing"},
		{"accept-dirty", NULL, CLI_FLAG, &o.accept_dirty,
		 "go on with a dirty hive whose logs are missing"},
		{"esd", NULL, CLI_FLAG, &o.esd, "write a solid .esd back (slow)"},
		IMAGE_EDIT_OPTIONS,
		CLI_END,
	};
	int code = cli_parse(command, options, argc, argv, &operands);

	if (code < 0 && operands.len != 1)
		code = cli_usage(command, "expected one IMAGE");
	if (code < 0 && !drivers.len)
		code = cli_usage(command, "--driver=oemN.inf is missing");
	if (code < 0) {
		o.path = operands.items[0];
		o.published = &drivers;
		code = injection_run(&o, &report);
	}
	strings_free(&drivers);
	strings_free(&operands);
	return code;
}
