/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "builder/build.h"

#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "builder/build_private.h"

static const char *const format_names[] = {
	[BUILD_WIM] = "wim",   [BUILD_RAW] = "raw",	[BUILD_VHD] = "vhd",
	[BUILD_VHDX] = "vhdx", [BUILD_QCOW2] = "qcow2",
};

bool build_format_parse(const char *name, enum build_format *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(format_names); i++) {
		if (strcmp(name, format_names[i]) != 0)
			continue;
		*ret = (enum build_format)i;
		return true;
	}
	return false;
}

bool build_format_of_name(const char *path, enum build_format *ret)
{
	if (text_ends_with(path, ".wim") || text_ends_with(path, ".esd")) {
		*ret = BUILD_WIM;
		return true;
	}
	switch (container_format_of_name(path)) {
	case CONTAINER_RAW:
		*ret = BUILD_RAW;
		return true;
	case CONTAINER_VHD:
		*ret = BUILD_VHD;
		return true;
	case CONTAINER_VHDX:
		*ret = BUILD_VHDX;
		return true;
	case CONTAINER_QCOW2:
		*ret = BUILD_QCOW2;
		return true;
	default:
		return false;
	}
}

const char *build_format_name(enum build_format format)
{
	return format_names[format];
}

void build_result_free(struct build_result *result)
{
	inject_result_free(&result->inject);
	verify_report_free(&result->verified);
	answer_report_free(&result->answer);
	depersonalize_result_free(&result->depersonalized);
	strings_free(&result->warnings);
	strings_free(&result->boot_files);
	free(result->source_format);
	free(result->product);
	free(result->version);
}

static int check_output(const char *output, struct error *err)
{
	if (access(output, F_OK) < 0)
		return 0;
	error_set(err, ERROR_FAILED, output, "exists already");
	return error_remedy(err, "remove it or give another name");
}

/* There was no image before that could be as it was. */
static int not_made(const char *output, struct error *err)
{
	if (!err || err->code != ERROR_INTERRUPTED)
		return -1;
	error_set(err, ERROR_INTERRUPTED, output, "is not made: interrupted");
	return error_remedy(err, "run the command again");
}

int build_run(const struct build_options *options, struct build_result *ret,
	      struct error *err)
{
	struct build_source source = {0};
	int result = check_output(options->output, err);

	if (result == 0)
		result = build_source_open(options, &source, ret, err);
	if (result == 0)
		result = options->format == BUILD_WIM
				 ? build_wim(options, &source, ret, err)
				 : build_disk(options, &source, ret, err);
	build_source_close(&source);
	if (result < 0)
		return not_made(options->output, err);
	if (options->format == BUILD_WIM)
		return 0;
	result = verify_image(options->output, &(struct image_options){0},
			      &(struct verify_options){0}, &ret->verified, err);
	if (result == 0)
		return 0;
	/* Whoever is told that it failed finds nothing. */
	(void)unlink(options->output);
	return not_made(options->output, err);
}
