/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `gild export`: third-party packages out of an image. */
#include "cli/images.h"
#include "injector/export.h"
#include "windows/driverdb.h"

struct options {
	const char *index, *output;
	struct strings drivers;
	bool accept_dirty;
};

static void print_json(const struct export_list *list, const char *output)
{
	struct json_object *object = cli_object("gild.export/1");
	struct json_object *array;

	cli_add(object, "output", output);
	array = cli_add_array(object, "packages");
	vec_foreach (item, list) {
		struct json_object *p = cli_add_object(array, NULL);
		const struct installed_driver *d = item->driver;
		char version[PACKAGE_VERSION_TEXT_SIZE] = "";

		if (d)
			package_version_text(d->version, version);
		cli_add(p, "published", d ? d->published : NULL);
		cli_add(p, "inf", d ? d->original : NULL);
		cli_add(p, "store", d ? d->store : NULL);
		cli_add(p, "class", d ? d->class_name : NULL);
		cli_add(p, "version", d ? version : NULL);
		cli_add(p, "arch", d ? arch_name(d->arch) : NULL);
		cli_add_int(p, "files", (int64_t)item->files);
		cli_add_int(p, "bytes", (int64_t)item->bytes);
		cli_add(p, "verdict", item->reason ? "refused" : "exported");
		cli_add(p, "reason", item->reason);
	}
	cli_print_json(object);
}

static void print_table(const struct export_list *list, const char *output)
{
	struct cli_table table = {.columns = 5};

	if (!list->len) {
		printf("no third-party packages; %s is empty\n", output);
		return;
	}
	cli_table_row(&table, "PUBLISHED", "INF", "VERSION", "FILES", "FOLDER", NULL);
	vec_foreach (item, list) {
		const struct installed_driver *d = item->driver;
		char version[PACKAGE_VERSION_TEXT_SIZE] = "";
		_cleanup_free_ char *files = xasprintf("%zu", item->files);

		if (d)
			package_version_text(d->version, version);
		cli_table_row(&table, d ? d->published : "-",
			      d && d->original ? d->original : "-", version, files,
			      item->reason ? item->reason : d->store, NULL);
	}
	cli_table_print(&table, stdout);
}

static int run(const struct cli_command *command, const char *path,
	       struct options *options)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_image_ struct image *image = NULL;
	_cleanup_registry_ struct registry *registry = NULL;
	_cleanup_installation_ struct installation *installation = NULL;
	struct image_positions positions = VEC_INIT;
	struct export_list list = VEC_INIT;
	struct image_options image_options = {.write = false};
	struct tree *tree;
	int code;

	if (images_options(&image_options, &err) == 0)
		image = image_open(path, &image_options, &err);
	if (!image)
		return cli_fail(&err);
	if (image_select(image, options->index, &positions, &err) < 0)
		return cli_fail(&err);
	if (positions.len != 1) {
		vec_free(&positions);
		return cli_usage(command, "one image at a time: give --index=N");
	}
	tree = image_tree(image, positions.items[0], &err);
	vec_free(&positions);
	if (tree) {
		registry = registry_open(tree, options->accept_dirty);
		installation = installation_open(tree, registry, &err);
	}
	if (!installation || export_drivers(tree, installation, &options->drivers,
					    options->output, &list, &err) < 0) {
		code = cli_fail(&err);
	} else {
		code = 0;
		vec_foreach (item, &list)
			if (item->reason)
				code = ERROR_ANSWER_NO;
		if (cli_json)
			print_json(&list, options->output);
		else if (!cli_quiet)
			print_table(&list, options->output);
	}
	export_list_free(&list);
	return code;
}

int cmd_export(const struct cli_command *command, int argc, char **argv)
{
	struct options o = {0};
	struct strings operands = VEC_INIT;
	const struct cli_option options[] = {
		{"output", "DIR", CLI_STRING, &o.output, "a new or empty folder"},
		{"driver", "oemN.inf", CLI_STRINGS, &o.drivers, "only this package"},
		{"index", "N", CLI_STRING, &o.index, "which image or Windows"},
		{"accept-dirty", NULL, CLI_FLAG, &o.accept_dirty,
		 "go on with a dirty hive whose logs are missing"},
		IMAGE_OPTIONS,
		CLI_END,
	};
	int code = cli_parse(command, options, argc, argv, &operands);

	if (code < 0 && operands.len != 1)
		code = cli_usage(command, "expected one IMAGE");
	if (code < 0 && !o.output)
		code = cli_usage(command, "--output=DIR is missing");
	if (code < 0)
		code = run(command, operands.items[0], &o);
	strings_free(&o.drivers);
	strings_free(&operands);
	return code;
}
