/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * gild inspect: what Windows an image holds, as a table for people and, with --json, in
 * the shape "gild.inspect/1". Nothing is written.
 */
#include "base/progress.h"
#include "base/text.h"
#include "cli/disk_view.h"
#include "cli/images.h"
#include "windows/driverdb.h"
#include "windows/installation.h"

#define SCHEMA "gild.inspect/1"
#define IDS_SHOWN 3
#define PROBLEMS_SHOWN 3

static const char *const severity_names[] = {
	[PROBLEM_INFO] = "info",
	[PROBLEM_WARNING] = "warning",
	[PROBLEM_ERROR] = "error",
};

static bool is_folder(const struct image *image)
{
	return strcmp(image_format(image), "folder") == 0;
}

static char *version_text(const struct installation *installation)
{
	const struct target *t = &installation->target;

	return xasprintf("%u.%u.%u", t->major, t->minor, t->build);
}

/* ---- JSON -------------------------------------------------------------------------- */

static void add_image(struct json_object *object, struct image *image, size_t i)
{
	struct json_object *o = cli_add_object(object, "image");
	const struct image_info *info = image_info(image, i);

	cli_add(o, "path", image_path(image));
	cli_add(o, "format", image_format(image));
	cli_add(o, "provider", image_provider(image));
	if (is_folder(image))
		cli_add(o, "index", NULL); /* a folder has no images */
	else
		cli_add_int(o, "index", info->index);
	if (!image_is_disk(image))
		return;
	cli_add_int(o, "partition", info->partition);
	if (info->system_partition)
		cli_add_int(o, "system_partition", info->system_partition);
	else
		cli_add(o, "system_partition", NULL);
	cli_add(o, "file_system", info->file_system);
	cli_add(o, "label", info->label);
}

static void add_windows(struct json_object *object, const struct installation *in)
{
	struct json_object *o = cli_add_object(object, "windows");
	_cleanup_free_ char *version = version_text(in);

	cli_add(o, "product", in->product);
	cli_add(o, "edition", in->edition);
	cli_add(o, "version", version);
	cli_add_int(o, "build", in->target.build);
	cli_add(o, "arch", arch_name(in->target.arch));
	cli_add(o, "installation_type", in->installation_type);
	cli_add(o, "control_set", in->control_set);
	cli_add(o, "state", in->state);
	if (in->service_pack)
		cli_add_int(o, "service_pack", in->service_pack);
}

static void add_hal(struct json_object *object, const struct hal *hal)
{
	struct json_object *o = cli_add_object(object, "hal");
	char version[PACKAGE_VERSION_TEXT_SIZE];

	package_version_text(hal->kernel_version, version);
	cli_add(o, "file", hal->file);
	cli_add(o, "type", hal->kind ? hal->kind->text : NULL);
	cli_add(o, "computer_id", hal->computer_id);
	cli_add(o, "kernel", hal->kernel);
	cli_add(o, "kernel_version", hal->kernel_version ? version : NULL);
	cli_add_bool(o, "multiprocessor", hal->kernel_multiprocessor);
}

static void add_driver(struct json_object *array, const struct installed_driver *driver)
{
	struct json_object *o = cli_add_object(array, NULL);
	char date[PACKAGE_DATE_TEXT_SIZE], version[PACKAGE_VERSION_TEXT_SIZE];

	package_date_text(driver->date, date);
	package_version_text(driver->version, version);
	cli_add(o, "published", driver->published);
	cli_add(o, "original", driver->original);
	cli_add(o, "class", driver->class_name);
	cli_add(o, "provider", driver->provider);
	cli_add(o, "date", *date ? date : NULL);
	cli_add(o, "version", version);
	cli_add(o, "arch", arch_name(driver->arch));
	cli_add_bool(o, "boot_critical", driver->boot_critical);
	cli_add_strings(o, "services", &driver->services);
}

static void add_problem(struct json_object *array, const char *code, const char *severity,
			const char *message, const char *remedy)
{
	struct json_object *o = cli_add_object(array, NULL);

	cli_add(o, "code", code);
	cli_add(o, "severity", severity);
	cli_add(o, "message", message);
	cli_add(o, "remedy", remedy);
}

/* True if the volume's own problems say it already. */
static bool is_told(const struct image_problems *of_volume, const struct problem *problem)
{
	return of_volume->len && strcmp(problem->code, "hibernated") == 0;
}

static void json_installation(struct json_object *object, const struct installation *in,
			      const struct image_problems *of_volume)
{
	struct json_object *array;

	add_windows(object, in);
	if (in->hal)
		add_hal(object, in->hal);
	array = cli_add_array(object, "boot_storage");
	vec_foreach (service, &in->boot_storage) {
		struct json_object *o = cli_add_object(array, NULL);

		cli_add(o, "service", service->name);
		cli_add_int(o, "start", service->start);
		cli_add_strings(o, "ids", &service->ids);
	}
	array = cli_add_array(object, "drivers");
	vec_foreach (driver, &in->drivers)
		add_driver(array, driver);
	array = cli_add_array(object, "problems");
	vec_foreach (problem, of_volume)
		add_problem(array, problem->code, severity_names[PROBLEM_ERROR],
			    problem->message, problem->remedy);
	vec_foreach (problem, &in->problems)
		if (!is_told(of_volume, problem))
			add_problem(array, problem->code,
				    severity_names[problem->severity], problem->message,
				    problem->remedy);
}

/* One of several that cannot be inspected keeps its place in the list. */
static void json_failure(struct json_object *object, const struct error *err)
{
	struct json_object *array;
	_cleanup_free_ char *message =
		err->subject ? xasprintf("%s: %s", err->subject, err->reason)
			     : xstrdup(err->reason ? err->reason : "");

	cli_add(object, "windows", NULL);
	cli_add_array(object, "boot_storage");
	cli_add_array(object, "drivers");
	array = cli_add_array(object, "problems");
	add_problem(array, err->code == ERROR_STATE ? "refused_state" : "no_windows",
		    "error", message, err->remedy);
}

/* ---- tables ------------------------------------------------------------------------ */

/* Text from an image may hold anything; a terminal gets one clean line. */
static void print_clean(const char *text)
{
	for (; *text; text++)
		putchar((unsigned char)*text < 0x20 || *text == 0x7F ? '?' : *text);
}

static void print_field(const char *name, const char *text)
{
	printf("  %-13s ", name);
	print_clean(text);
	putchar('\n');
}

static void print_header(struct image *image, size_t i)
{
	const struct image_info *info = image_info(image, i);

	print_clean(image_path(image));
	if (!is_folder(image))
		printf(":%u", info->index);
	printf("  (%s", image_format(image));
	if (info->name && !image_is_disk(image)) {
		printf(", ");
		print_clean(info->name);
	}
	if (info->partition)
		printf(", partition %u", info->partition);
	if (info->file_system)
		printf(", %s", info->file_system);
	if (info->label) {
		printf(" \"");
		print_clean(info->label);
		putchar('"');
	}
	if (strcmp(image_provider(image), "guestfs") == 0)
		printf(", by libguestfs");
	if (info->system_partition)
		printf(", started from partition %u", info->system_partition);
	printf(")\n");
}

static void print_hal(const struct hal *hal)
{
	_cleanup_free_ char *text =
		xasprintf("%s%s%s%s, kernel %s", hal->file ? hal->file : "not known",
			  hal->kind ? " (" : "", hal->kind ? hal->kind->text : "",
			  hal->kind ? ")" : "", hal->kernel ? hal->kernel : "not known");

	print_field("HAL", text);
}

static void print_windows(const struct installation *in)
{
	_cleanup_free_ char *version = NULL, *product = NULL;
	const struct target *t = &in->target;

	product = xasprintf("%s%s%s%s", in->product ? in->product : "name not recorded",
			    in->edition ? " (" : "", in->edition ? in->edition : "",
			    in->edition ? ")" : "");
	if (in->revision)
		version = xasprintf("%u.%u.%u.%u, %s", t->major, t->minor, t->build,
				    in->revision, arch_name(t->arch));
	else
		version = xasprintf("%u.%u.%u, %s", t->major, t->minor, t->build,
				    arch_name(t->arch));
	if (in->service_pack) {
		_cleanup_free_ char *bare = version;

		version = xasprintf("%s, Service Pack %u", bare, in->service_pack);
	}
	print_field("Windows", product);
	print_field("Version", version);
	if (in->installation_type)
		print_field("Type", in->installation_type);
	print_field("Control set", in->control_set);
	print_field("State", in->state);
	if (in->hal)
		print_hal(in->hal);
}

static char *some_ids(const struct strings *ids)
{
	struct buffer text = BUFFER_INIT;
	size_t shown = cli_verbose ? ids->len : IDS_SHOWN;

	for (size_t i = 0; i < ids->len && i < shown; i++)
		buffer_printf(&text, "%s%s", i ? ", " : "", ids->items[i]);
	if (ids->len > shown)
		buffer_printf(&text, ", +%zu", ids->len - shown);
	return buffer_steal_string(&text);
}

static void print_boot_storage(const struct installation *in)
{
	struct cli_table table = {.columns = 3};

	printf("\nBoot storage: %zu services start at boot\n", in->boot_storage.len);
	if (!in->boot_storage.len)
		return;
	cli_table_row(&table, "  SERVICE", "STATE", "DEVICE IDS", NULL);
	vec_foreach (service, &in->boot_storage) {
		_cleanup_free_ char *ids = some_ids(&service->ids);
		_cleanup_free_ char *name = xasprintf("  %s", service->name);

		cli_table_row(&table, name,
			      !service->file_present ? "no file"
			      : service->overridden  ? "masked"
						     : "starts",
			      ids, NULL);
	}
	cli_table_print(&table, stdout);
}

static void print_drivers(const struct installation *in)
{
	struct cli_table table = {.columns = 7};

	printf("\nThird-party drivers: %zu\n", in->drivers.len);
	if (!in->drivers.len)
		return;
	cli_table_row(&table, "  PUBLISHED", "ORIGINAL", "CLASS", "PROVIDER", "DATE",
		      "VERSION", "BOOT", NULL);
	vec_foreach (driver, &in->drivers) {
		char date[PACKAGE_DATE_TEXT_SIZE], version[PACKAGE_VERSION_TEXT_SIZE];
		_cleanup_free_ char *published =
			xasprintf("  %s", driver->published ? driver->published : "-");

		package_date_text(driver->date, date);
		package_version_text(driver->version, version);
		cli_table_row(&table, published,
			      driver->original ? driver->original : "-",
			      driver->class_name ? driver->class_name : "-",
			      driver->provider ? driver->provider : "-", date, version,
			      !driver->boot_critical ? "-"
			      : driver->reflected    ? "critical"
						     : "staged only",
			      NULL);
	}
	cli_table_print(&table, stdout);
}

static bool same_kind(const struct problem *a, const struct problem *b)
{
	return strcmp(a->code, b->code) == 0 && a->severity == b->severity &&
	       (a->remedy ? b->remedy && strcmp(a->remedy, b->remedy) == 0 : !b->remedy);
}

static void print_problem(enum problem_severity severity, const char *code,
			  const char *message)
{
	printf("  %s: %s: ", severity_names[severity], code);
	print_clean(message);
	putchar('\n');
}

static void print_remedy(const char *remedy)
{
	if (!remedy)
		return;
	printf("      -> ");
	print_clean(remedy);
	putchar('\n');
}

/* Of a kind that comes up often, the first few stand for all unless --verbose is given.
 */
static void print_problems(const struct installation *in,
			   const struct image_problems *of_volume)
{
	size_t run = 0, total = of_volume->len;

	vec_foreach (problem, &in->problems)
		total += !is_told(of_volume, problem);
	printf("\nProblems: %zu\n", total);
	vec_foreach (problem, of_volume) {
		print_problem(PROBLEM_ERROR, problem->code, problem->message);
		print_remedy(problem->remedy);
	}
	vec_foreach (problem, &in->problems) {
		if (is_told(of_volume, problem))
			continue;
		if (cli_verbose || ++run <= PROBLEMS_SHOWN)
			print_problem(problem->severity, problem->code, problem->message);
		if (problem + 1 < in->problems.items + in->problems.len &&
		    same_kind(problem, problem + 1))
			continue;
		if (run > PROBLEMS_SHOWN)
			printf("      and %zu more of these (--verbose shows all)\n",
			       run - PROBLEMS_SHOWN);
		print_remedy(problem->remedy);
		run = 0;
	}
}

static void print_installation(const struct installation *in,
			       const struct image_problems *of_volume)
{
	print_windows(in);
	print_boot_storage(in);
	print_drivers(in);
	print_problems(in, of_volume);
}

/* ---- command ----------------------------------------------------------------------- */

static struct installation *inspect_tree(struct image *image, size_t i, bool accept_dirty,
					 struct error *err)
{
	_cleanup_registry_ struct registry *registry = NULL;
	struct tree *tree = image_tree(image, i, err);

	if (!tree)
		return NULL;
	registry = registry_open(tree, accept_dirty);
	return installation_open(tree, registry, err);
}

static int inspect_one(struct image *image, size_t i, bool accept_dirty)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_installation_ struct installation *in =
		inspect_tree(image, i, accept_dirty, &err);
	struct json_object *object;

	if (!in)
		return cli_fail(&err);
	if (!cli_json) {
		print_header(image, i);
		print_installation(in, image_problems(image, i));
		return 0;
	}
	object = cli_object(SCHEMA);
	add_image(object, image, i);
	json_installation(object, in, image_problems(image, i));
	if (image_is_disk(image))
		disk_view_json(object, image);
	cli_print_json(object);
	return 0;
}

/* One image into the list; its exit code, had it been alone. */
static int inspect_listed(struct image *image, size_t i, bool accept_dirty,
			  struct json_object *images, struct error *first)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_installation_ struct installation *in =
		inspect_tree(image, i, accept_dirty, &err);
	int code = in ? 0 : err.code ? (int)err.code : ERROR_FAILED;

	if (images) {
		struct json_object *object = cli_add_object(images, NULL);

		add_image(object, image, i);
		if (in)
			json_installation(object, in, image_problems(image, i));
		else
			json_failure(object, &err);
	} else {
		if (i || image_is_disk(image))
			putchar('\n');
		print_header(image, i);
		if (in) {
			print_installation(in, image_problems(image, i));
		} else {
			_cleanup_free_ char *message = error_message(&err);

			printf("  not inspected: ");
			print_clean(message);
			putchar('\n');
		}
	}
	if (code && !first->code)
		error_move(first, &err);
	return code;
}

/*
 * An image without Windows (setup media hold some) is no failure as long as another one
 * has it; one that gild refuses to read is always told by the exit code.
 */
static int inspect_all(struct image *image, bool accept_dirty)
{
	_cleanup_error_ struct error first = ERROR_INIT;
	struct json_object *object = cli_json ? cli_object(SCHEMA) : NULL;
	struct json_object *images = NULL;
	size_t count = image_count(image), good = 0;
	bool disk = image_is_disk(image);
	int refused = 0;

	if (disk && object)
		disk_view_json(object, image);
	else if (disk)
		disk_view_print(image);
	if (object)
		images = cli_add_array(object, disk ? "installations" : "images");
	for (size_t i = 0; i < count; i++) {
		int code;

		progress_report("inspecting", i, count);
		if (interrupted())
			break;
		code = inspect_listed(image, i, accept_dirty, images, &first);
		good += code == 0;
		if (code == ERROR_STATE)
			refused = code;
	}
	progress_report("inspecting", count, count);
	if (interrupted()) {
		json_object_put(object);
		error_interrupted(&first);
		return cli_fail(&first);
	}
	if (object)
		cli_print_json(object);
	if (!count) /* says what there is instead */
		(void)image_select(image, NULL, &(struct image_positions)VEC_INIT,
				   &first);
	if (!good)
		return cli_fail(&first);
	return refused;
}

int cmd_inspect(const struct cli_command *command, int argc, char **argv)
{
	const char *index = NULL;
	bool accept_dirty = false;
	const struct cli_option options[] = {
		{"index", "N", CLI_STRING, &index, "only this image or Windows"},
		{"accept-dirty", NULL, CLI_FLAG, &accept_dirty,
		 "go on with a hive that was not closed and has no logs"},
		IMAGE_OPTIONS,
		CLI_END,
	};
	_cleanup_(strings_free) struct strings operands = VEC_INIT;
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_image_ struct image *image = NULL;
	struct image_options image_options = {0};
	struct image_positions positions = VEC_INIT;
	int code = cli_parse(command, options, argc, argv, &operands);

	if (code >= 0)
		return code;
	if (operands.len != 1)
		return cli_usage(command, "expected one IMAGE");
	if (images_options(&image_options, &err) == 0)
		image = image_open(operands.items[0], &image_options, &err);
	if (!image)
		return cli_fail(&err);
	if (!is_folder(image) && (!index || strcmp(index, "all") == 0))
		return inspect_all(image, accept_dirty);
	if (image_select(image, index, &positions, &err) < 0)
		return cli_fail(&err);
	code = inspect_one(image, positions.items[0], accept_dirty);
	vec_free(&positions);
	return code;
}
