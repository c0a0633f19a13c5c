/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `gild verify`: is this image whole, and would it start? */
#include "builder/verify.h"
#include "cli/disk_view.h"
#include "cli/images.h"
#include "cli/verify_view.h"
#include "hwprofiles/profile_xml.h"

#define SCHEMA "gild.verify/1"

static void print_json(const char *path, const struct verify_report *report, bool deep)
{
	struct json_object *object = cli_object(SCHEMA), *counts;

	cli_add(object, "image", path);
	cli_add(object, "format", report->format);
	cli_add_bool(object, "deep", deep);
	cli_add(object, "verdict", report->errors ? "fails" : "starts");
	cli_add_strings(object, "checked", &report->checked);
	cli_add_int(object, "bytes_read", (int64_t)report->deep_bytes);
	counts = cli_add_object(object, "summary");
	cli_add_int(counts, "errors", (int64_t)report->errors);
	cli_add_int(counts, "warnings", (int64_t)report->warnings);
	cli_add_int(counts, "notes", (int64_t)report->notes);
	verify_view_add(object, report);
	cli_print_json(object);
}

static void print_verdict(const char *path, const struct verify_report *report)
{
	char size[SIZE_TEXT_SIZE];

	if (cli_verbose) {
		printf("Looked at: ");
		vec_foreach (what, &report->checked)
			printf("%s%s", what == report->checked.items ? "" : ", ", *what);
		putchar('\n');
	}
	if (report->deep_bytes) {
		size_text(report->deep_bytes, size);
		printf("%s of content read\n", size);
	}
	printf("%s: %s (%zu error%s, %zu warning%s, %zu note%s)\n", path,
	       report->errors	  ? "would not start, or content is lost"
	       : report->warnings ? "starts, with warnings"
				  : "starts",
	       report->errors, report->errors == 1 ? "" : "s", report->warnings,
	       report->warnings == 1 ? "" : "s", report->notes,
	       report->notes == 1 ? "" : "s");
}

/* The PC of --for: a profile's. `library` keeps it. */
static int find_target(const char *name, struct profile_library *library, struct pc *pc,
		       struct error *err)
{
	const struct profile *profile = profile_find(library, name, err);

	if (!profile)
		return -1;
	profile_to_pc(profile, pc);
	return 0;
}

static int verify(const char *path, const char *target, struct verify_options *options,
		  struct verify_report *report, struct error *err)
{
	struct profile_library library = {0};
	struct image_options image = {0};
	_cleanup_pc_ struct pc pc = PC_INIT;
	int result = images_options(&image, err);

	profile_library_init(&library);
	if (result == 0 && target)
		result = find_target(target, &library, &pc, err);
	options->target = target ? &pc : NULL;
	if (result == 0)
		result = verify_image(path, &image, options, report, err);
	profile_library_free(&library);
	return result;
}

int cmd_verify(const struct cli_command *command, int argc, char **argv)
{
	struct verify_options options = {0};
	const char *target = NULL;
	const struct cli_option table[] = {
		{"index", "N|all", CLI_STRING, &options.index,
		 "only this image or Windows (all)"},
		{"deep", NULL, CLI_FLAG, &options.deep,
		 "read all content: hashes of a WIM, every file of a disk"},
		{"for", "PROFILE|ID", CLI_STRING, &target,
		 "would it start on this PC, not on the usual controllers"},
		IMAGE_OPTIONS,
		CLI_END,
	};
	_cleanup_(strings_free) struct strings operands = VEC_INIT;
	_cleanup_verify_report_ struct verify_report report = {0};
	_cleanup_error_ struct error err = ERROR_INIT;
	int code = cli_parse(command, table, argc, argv, &operands);

	if (code >= 0)
		return code;
	if (operands.len != 1)
		return cli_usage(command, "expected one IMAGE");
	if (verify(operands.items[0], target, &options, &report, &err) < 0)
		return cli_fail(&err);
	if (cli_json) {
		print_json(operands.items[0], &report, options.deep);
	} else {
		verify_view_print(&report);
		print_verdict(operands.items[0], &report);
	}
	return report.errors ? ERROR_ANSWER_NO : 0;
}
