/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `gild capture`: a volume to a WIM. */
#include "block/container.h"
#include "builder/capture.h"
#include "cli/images.h"

#define MAX_LEVEL 1000

struct options {
	struct capture_options capture;
	const char *index, *level;
	struct strings exclude;
};

static void print_json(struct image *image, size_t i, const struct options *o,
		       const struct capture_result *result)
{
	const struct image_info *info = image_info(image, i);
	struct json_object *object = cli_object("gild.capture/1"), *source, *array;

	source = cli_add_object(object, "image");
	cli_add(source, "path", image_path(image));
	cli_add(source, "format", image_format(image));
	cli_add(source, "provider", image_provider(image));
	cli_add_int(source, "index", info->index);
	cli_add_int(source, "partition", info->partition);
	cli_add(object, "output", o->capture.output);
	cli_add(object, "name", result->name);
	cli_add(object, "state", result->state);
	cli_add_int(object, "folders", (int64_t)result->folders);
	cli_add_int(object, "files", (int64_t)result->files);
	cli_add_int(object, "bytes", (int64_t)result->bytes);
	cli_add_int(object, "bytes_written", (int64_t)result->bytes_written);
	cli_add_strings(object, "excluded", &result->excluded);
	array = cli_add_array(object, "warnings");
	vec_foreach (warning, &result->warnings) {
		struct json_object *w = cli_add_object(array, NULL);

		cli_add(w, "code", warning->code);
		cli_add(w, "message", warning->message);
		cli_add(w, "remedy", warning->remedy);
	}
	cli_print_json(object);
}

static void print_text(const struct options *o, const struct capture_result *result)
{
	printf("%s: %s\n", o->capture.output, result->name);
	printf("  %zu folders, %zu files, %ju bytes; %ju bytes written\n",
	       result->folders, result->files, (uintmax_t)result->bytes,
	       (uintmax_t)result->bytes_written);
	if (result->excluded.len && !cli_verbose)
		printf("  %zu left out by their names (--verbose lists them)\n",
		       result->excluded.len);
	if (cli_verbose)
		vec_foreach (path, &result->excluded)
			printf("  left out: %s\n", *path);
	vec_foreach (warning, &result->warnings)
		printf("  warning: %s; %s\n", warning->message, warning->remedy);
}

static int run(const struct cli_command *command, const char *path, struct options *o)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_image_ struct image *image = NULL;
	struct image_positions positions = VEC_INIT;
	struct image_options image_options = {.write = false};
	struct capture_result result = {0};
	size_t position = 0, chosen;
	int code;

	if (images_options(&image_options, &err) == 0)
		image = image_open(path, &image_options, &err);
	if (!image || image_select(image, o->index, &positions, &err) < 0)
		return cli_fail(&err);
	chosen = positions.len;
	if (chosen)
		position = positions.items[0];
	vec_free(&positions);
	if (chosen != 1)
		return cli_usage(command, "one Windows at a time: give --index=N");
	if (capture(image, position, &o->capture, &result, &err) < 0) {
		code = cli_fail(&err);
	} else {
		code = 0;
		if (cli_json)
			print_json(image, position, o, &result);
		else if (!cli_quiet)
			print_text(o, &result);
	}
	capture_result_free(&result);
	return code;
}

static int check(const struct cli_command *command, const struct strings *operands,
		 struct options *o)
{
	if (operands->len != 1)
		return cli_usage(command, "expected one DISK");
	if (!o->capture.output)
		return cli_usage(command, "--output=OUT.wim is missing");
	if (container_format_of_name(o->capture.output) != CONTAINER_NONE)
		return cli_usage(
			command,
			"a WIM is written, and %s is named as a disk: gild build "
			"makes disks",
			o->capture.output);
	if (o->level) {
		char *end;
		unsigned long level = strtoul(o->level, &end, 10);

		if (*end || end == o->level || !level || level > MAX_LEVEL)
			return cli_usage(command, "--level is 1 to %u, not %s", MAX_LEVEL,
					 o->level);
		o->capture.level = (unsigned)level;
	}
	return -1;
}

int cmd_capture(const struct cli_command *command, int argc, char **argv)
{
	struct options o = {0};
	struct strings operands = VEC_INIT;
	const struct cli_option options[] = {
		{"output", "OUT.wim", CLI_STRING, &o.capture.output, "the new WIM"},
		{"index", "N", CLI_STRING, &o.index, "which Windows"},
		{"compression", "lzx|xpress|none|solid", CLI_STRING,
		 &o.capture.compression, "lzx, or for .esd solid: small and slow"},
		{"level", "N", CLI_STRING, &o.level,
		 "how hard to compress; 20 for lzx, 50 is slower and smaller"},
		{"name", "NAME", CLI_STRING, &o.capture.name, "of the image"},
		{"exclude", "PATTERN", CLI_STRINGS, &o.exclude,
		 "leave out files by name; may be repeated"},
		{"no-default-exclusions", NULL, CLI_FLAG,
		 &o.capture.no_default_exclusions,
		 "keep paging and hibernation files and the like"},
		{"accept-dirty", NULL, CLI_FLAG, &o.capture.accept_dirty,
		 "capture a hibernated or unclean volume as it is"},
		IMAGE_OPTIONS,
		CLI_END,
	};
	int code = cli_parse(command, options, argc, argv, &operands);

	o.capture.exclude = &o.exclude;
	if (code < 0)
		code = check(command, &operands, &o);
	if (code < 0)
		code = run(command, operands.items[0], &o);
	strings_free(&o.exclude);
	strings_free(&operands);
	return code;
}
