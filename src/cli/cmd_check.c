/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `gild check`: will this image start on those PCs, and what would make it. */
#include "base/file.h"
#include "check/check.h"
#include "cli/check_html.h"
#include "cli/images.h"
#include "hwprofiles/inventory.h"
#include "hwprofiles/profile_xml.h"
#include "windows/installation.h"

/* So many PCs are shown one by one without --verbose. */
#define SHOWN_PCS 40
#define SHOWN_REASONS 10

/* A reason for failure, and how many PCs have it. */
struct cause {
	char *reason, *remedy;
	size_t pcs;
};

struct request {
	const char *index, *html;
	struct strings profiles, inventories, repository;
	bool accept_dirty, all;
};

struct run {
	const struct request *request;
	struct check_image *image;
	struct profile_library library;
	size_t counts[4]; /* by enum check_verdict */
	size_t pcs, listed;
	struct vec_of(struct cause) causes;
	struct strings losses;
	struct vec_of(size_t) loss_counts;
	struct json_object *models;
	struct cli_table table;
	struct report report;
};

/* ---- one PC
 * -----------------------------------------------------------------------------------
 */

static void add_device(struct json_object *array, const struct check_device *d)
{
	struct json_object *o = cli_add_object(array, NULL);

	cli_add(o, "id", d->device->id);
	cli_add(o, "name", d->device->name);
	cli_add(o, "role", pc_role_name(d->device->role));
	cli_add(o, "driver", d->inf);
	cli_add(o, "service", d->service);
	cli_add(o, "matched", d->matched);
	cli_add_int(o, "rank", d->rank);
	cli_add(o, "source", check_source_name(d->source));
	cli_add(o, "verdict", check_device_verdict_name(d->verdict));
	cli_add(o, "reason", d->reason);
	cli_add(o, "remedy", d->remedy_inf);
}

static void add_model(struct run *run, const struct pc *pc,
		      const struct check_result *result)
{
	struct json_object *o = cli_add_object(run->models, NULL), *devices;

	cli_add(o, "model", pc->label);
	cli_add(o, "id", pc->id);
	cli_add(o, "verdict", check_verdict_name(result->verdict));
	cli_add(o, "reason", result->reason);
	cli_add(o, "remedy", result->remedy);
	cli_add_strings(o, "losses", &result->losses);
	devices = cli_add_array(o, "devices");
	vec_foreach (device, &result->devices)
		add_device(devices, device);
}

static char *joined(const struct strings *list)
{
	struct buffer b = BUFFER_INIT;

	vec_foreach (item, list)
		buffer_printf(&b, "%s%s", b.len ? ", " : "", *item);
	return buffer_steal_string(&b);
}

static void add_row(struct run *run, const struct pc *pc,
		    const struct check_result *result)
{
	_cleanup_free_ char *losses = joined(&result->losses);

	if (run->listed++ >= SHOWN_PCS && !cli_verbose)
		return;
	cli_table_row(&run->table, check_verdict_name(result->verdict), pc->label,
		      result->reason ? result->reason : losses,
		      result->remedy ? result->remedy : "", NULL);
}

static void add_cause(struct run *run, const struct check_result *result)
{
	vec_foreach (cause, &run->causes) {
		if (strcmp(cause->reason, result->cause) != 0)
			continue;
		cause->pcs++;
		return;
	}
	vec_push(&run->causes,
		 (struct cause){xstrdup(result->cause),
				xstrdup(result->remedy ? result->remedy : ""), 1});
}

static void add_losses(struct run *run, const struct strings *losses)
{
	vec_foreach (loss, losses) {
		size_t i = 0;

		while (i < run->losses.len && strcmp(run->losses.items[i], *loss) != 0)
			i++;
		if (i == run->losses.len) {
			strings_push(&run->losses, *loss);
			vec_push(&run->loss_counts, 0);
		}
		run->loss_counts.items[i]++;
	}
}

static int check_one(struct pc *pc, void *arg, struct error *err)
{
	struct run *run = arg;
	struct check_result result;

	/* Of thousands the devices are wanted by no one but who asks for them. */
	if (check_pc(run->image, pc,
		     run->request->html ||
			     (cli_json && (cli_verbose || run->pcs < SHOWN_PCS)),
		     &result, err) < 0)
		return -1;
	if (run->request->html)
		report_add(&run->report, pc, &result);
	run->pcs++;
	run->counts[result.verdict]++;
	if (result.verdict == CHECK_FAILS)
		add_cause(run, &result);
	add_losses(run, &result.losses);
	if (cli_json)
		add_model(run, pc, &result);
	else
		add_row(run, pc, &result);
	check_result_free(&result);
	return 0;
}

static int check_profile(struct run *run, const char *name, struct error *err)
{
	const struct profile *profile = profile_find(&run->library, name, err);
	_cleanup_pc_ struct pc pc = PC_INIT;

	if (!profile)
		return -1;
	profile_to_pc(profile, &pc);
	return check_one(&pc, run, err);
}

/* ---- the answer
 * -----------------------------------------------------------------------------------
 */

static int by_pcs(const void *a, const void *b)
{
	const struct cause *x = a, *y = b;

	if (x->pcs != y->pcs)
		return x->pcs > y->pcs ? -1 : 1;
	return strcmp(x->reason, y->reason);
}

static void print_json(struct run *run, struct json_object *object)
{
	struct json_object *summary = cli_add_object(object, "summary"), *array;

	for (unsigned v = 0; v < ARRAY_SIZE(run->counts); v++)
		cli_add_int(summary, check_verdict_name((enum check_verdict)v),
			    (int64_t)run->counts[v]);
	array = cli_add_array(summary, "causes");
	vec_foreach (cause, &run->causes) {
		struct json_object *o = cli_add_object(array, NULL);

		cli_add(o, "reason", cause->reason);
		cli_add(o, "remedy", cause->remedy);
		cli_add_int(o, "pcs", (int64_t)cause->pcs);
	}
	array = cli_add_array(summary, "losses");
	for (size_t i = 0; i < run->losses.len; i++) {
		struct json_object *o = cli_add_object(array, NULL);

		cli_add(o, "loss", run->losses.items[i]);
		cli_add_int(o, "pcs", (int64_t)run->loss_counts.items[i]);
	}
	cli_print_json(object);
}

static void print_causes(const struct run *run)
{
	size_t shown = run->causes.len;
	struct cli_table table = {.columns = 3};

	if (!shown)
		return;
	if (shown > SHOWN_REASONS && !cli_verbose)
		shown = SHOWN_REASONS;
	printf("\nWhat would help most:\n");
	cli_table_row(&table, "PCS", "FAILS BECAUSE", "REMEDY", NULL);
	for (size_t i = 0; i < shown; i++) {
		char pcs[24];

		(void)snprintf(pcs, sizeof(pcs), "%zu", run->causes.items[i].pcs);
		cli_table_row(&table, pcs, run->causes.items[i].reason,
			      run->causes.items[i].remedy, NULL);
	}
	cli_table_print(&table, stdout);
	if (shown < run->causes.len)
		printf("and %zu reasons more (--verbose)\n", run->causes.len - shown);
}

static void print_text(struct run *run)
{
	cli_table_print(&run->table, stdout);
	if (run->listed > SHOWN_PCS && !cli_verbose)
		printf("and %zu PCs more (--verbose)\n", run->listed - SHOWN_PCS);
	print_causes(run);
	if (run->losses.len)
		printf("\nLost, on so many PCs:");
	for (size_t i = 0; i < run->losses.len; i++)
		printf("%s %s %zu", i ? "," : "", run->losses.items[i],
		       run->loss_counts.items[i]);
	printf("%s\n%zu PCs:", run->losses.len ? "\n" : "", run->pcs);
	for (unsigned v = 0; v < ARRAY_SIZE(run->counts); v++)
		printf("%s %s %zu (%.1f %%)", v ? "," : "",
		       check_verdict_name((enum check_verdict)v), run->counts[v],
		       run->pcs ? 100.0 * (double)run->counts[v] / (double)run->pcs
				: 0.0);
	printf("\n");
}

/* Windows 10 Pro 10.0.19045, amd64 */
static char *windows_text(const struct installation *installation)
{
	_cleanup_free_ char *target = target_format(&installation->target);

	return xasprintf("%s, %s",
			 installation->product ? installation->product : "Windows",
			 target);
}

static int write_html(struct run *run, const struct tree *tree,
		      const struct installation *installation, struct error *err)
{
	_cleanup_buffer_ struct buffer page = BUFFER_INIT;
	struct report *report = &run->report;

	report->image = xstrdup(tree_name(tree));
	report->windows = windows_text(installation);
	vec_foreach (cause, &run->causes)
		vec_push(&report->causes,
			 (struct report_count){xstrdup(cause->reason),
					       xstrdup(cause->remedy), cause->pcs});
	for (size_t i = 0; i < run->losses.len; i++)
		vec_push(&report->losses,
			 (struct report_count){xstrdup(run->losses.items[i]), NULL,
					       run->loss_counts.items[i]});
	report_write(report, &page);
	return file_replace(run->request->html, buffer_view(&page), err);
}

static void run_free(struct run *run)
{
	report_free(&run->report);
	vec_foreach (cause, &run->causes) {
		free(cause->reason);
		free(cause->remedy);
	}
	vec_free(&run->causes);
	strings_free(&run->losses);
	vec_free(&run->loss_counts);
	strings_free(&run->table.cells);
	profile_library_free(&run->library);
	check_image_close(run->image);
}

static int check_all(struct run *run, struct error *err)
{
	const struct request *r = run->request;

	if (r->repository.len &&
	    check_image_add_repository(run->image, &r->repository, err) < 0)
		return -1;
	vec_foreach (name, &r->profiles)
		if (check_profile(run, *name, err) < 0)
			return -1;
	if (r->all && profile_read_all(&run->library, err) < 0)
		return -1;
	for (size_t i = 0; r->all && i < run->library.profiles.len; i++) {
		_cleanup_pc_ struct pc pc = PC_INIT;

		/* What others are built upon is no PC. */
		if (!run->library.profiles.items[i]->devices.len)
			continue;
		profile_to_pc(run->library.profiles.items[i], &pc);
		if (check_one(&pc, run, err) < 0)
			return -1;
	}
	vec_foreach (path, &r->inventories)
		if (inventory_read(*path, check_one, run, err) < 0)
			return -1;
	if (run->causes.len)
		qsort(run->causes.items, run->causes.len, sizeof(*run->causes.items),
		      by_pcs);
	return 0;
}

/* 0 if no PC fails, 3 if one does, -1. */
static int check_tree(const struct request *r, struct tree *tree, struct error *err)
{
	_cleanup_registry_ struct registry *registry =
		registry_open(tree, r->accept_dirty);
	_cleanup_installation_ struct installation *installation =
		installation_identify(tree, registry, err);
	struct run run = {.request = r, .table = {.columns = 4}};
	struct json_object *object = NULL;
	int result = -1;

	if (!installation)
		return -1;
	profile_library_init(&run.library);
	run.image = check_image_open(tree, registry, installation, err);
	if (cli_json) {
		object = cli_object("gild.check/1");
		run.models = cli_add_array(object, "models");
	} else {
		cli_table_row(&run.table, "VERDICT", "PC", "BECAUSE", "REMEDY", NULL);
	}
	if (run.image)
		result = check_all(&run, err);
	if (result == 0 && r->html)
		result = write_html(&run, tree, installation, err);
	if (result == 0 && cli_json) {
		print_json(&run, object);
	} else {
		json_object_put(object);
		if (result == 0 && !cli_quiet)
			print_text(&run);
	}
	if (result == 0 && (run.counts[CHECK_FAILS] || run.counts[CHECK_UNDECIDED]))
		result = ERROR_ANSWER_NO;
	run_free(&run);
	return result;
}

static int check_image_file(const struct request *r, const char *path)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_image_ struct image *image = NULL;
	struct image_options image_options = {0};
	struct image_positions positions = VEC_INIT;
	struct tree *tree;
	int result = -1;

	if (images_options(&image_options, &err) == 0)
		image = image_open(path, &image_options, &err);
	if (image && image_select(image, r->index, &positions, &err) == 0) {
		if (positions.len != 1)
			error_set(&err, ERROR_USAGE, path,
				  "--index=all: one installation is checked at a time");
		tree = positions.len == 1 ? image_tree(image, positions.items[0], &err)
					  : NULL;
		if (tree)
			result = check_tree(r, tree, &err);
	}
	vec_free(&positions);
	return result < 0 ? cli_fail(&err) : result;
}

int cmd_check(const struct cli_command *command, int argc, char **argv)
{
	struct request r = {0};
	struct strings operands = VEC_INIT;
	const struct cli_option options[] = {
		{"profile", "ID|FILE", CLI_STRINGS, &r.profiles,
		 "a PC model; may be repeated"},
		{"inventory", "FILE", CLI_STRINGS, &r.inventories,
		 "a PC, or many: as gild profile import reads it"},
		{"all-profiles", NULL, CLI_FLAG, &r.all, "every profile that is found"},
		{"driver-repo", "PATH", CLI_STRINGS, &r.repository,
		 "packages that could help, named as remedies"},
		{"index", "N", CLI_STRING, &r.index, "which image or installation"},
		{"accept-dirty", NULL, CLI_FLAG, &r.accept_dirty,
		 "go on with a dirty hive whose logs are missing"},
		{"html", "FILE", CLI_STRING, &r.html, "also a report as one page"},
		IMAGE_OPTIONS,
		CLI_END,
	};
	int code = cli_parse(command, options, argc, argv, &operands);

	if (code < 0 && operands.len != 1)
		code = cli_usage(command, "expected one IMAGE");
	if (code < 0 && !r.profiles.len && !r.inventories.len && !r.all)
		code = cli_usage(command, "no PC: give --profile, --inventory or "
					  "--all-profiles");
	if (code < 0)
		code = check_image_file(&r, operands.items[0]);
	strings_free(&r.profiles);
	strings_free(&r.inventories);
	strings_free(&r.repository);
	strings_free(&operands);
	return code;
}
