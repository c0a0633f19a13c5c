/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `gild check`: will this image start on those PCs, and what would make it. */
#include "base/file.h"
#include "check/check.h"
#include "check/cover.h"
#include "cli/check_html.h"
#include "cli/check_kernel.h"
#include "cli/check_pcs.h"
#include "cli/images.h"
#include "windows/driverdb.h"
#include "windows/installation.h"

/* So many PCs are shown one by one without --verbose. */
#define SHOWN_PCS 40
#define SHOWN_REASONS 10

struct request {
	const char *index, *html, *kernel;
	struct check_pcs pcs;
	struct strings repository, firmware;
	bool accept_dirty;
};

struct run {
	const struct request *request;
	struct check_image *image;
	struct population population;
	size_t counts[4]; /* by enum check_verdict */
	size_t listed;
	struct check_causes causes;
	struct check_steps steps;
	struct strings losses;
	struct vec_of(size_t) loss_counts;
	struct json_object *models;
	struct cli_table table;
	struct report report;
};

/* ---- one PC
 * -----------------------------------------------------------------------------------
 */

/* 0xSSGGTHHH taken apart, as setupapi's log prints it. */
static void add_candidate(struct json_object *array, const struct check_candidate *c)
{
	struct json_object *o = cli_add_object(array, NULL);
	char rank[16], date[PACKAGE_DATE_TEXT_SIZE], version[PACKAGE_VERSION_TEXT_SIZE];

	(void)snprintf(rank, sizeof(rank), "%08X", c->rank);
	package_date_text(c->date, date);
	package_version_text(c->version, version);
	cli_add(o, "driver", c->inf);
	cli_add(o, "source", check_source_name(c->source));
	cli_add(o, "matched", c->matched);
	cli_add(o, "rank", rank);
	cli_add_int(o, "signature_score", c->rank >> 24);
	cli_add_int(o, "feature_score", c->rank >> 16 & 0xFF);
	cli_add_int(o, "match_type", c->rank >> 12 & 0xF);
	cli_add_int(o, "match_index", c->rank & 0xFFF);
	cli_add(o, "date", date);
	cli_add(o, "version", version);
}

static void add_boot_path(struct json_object *o, const struct check_device *d)
{
	struct json_object *boot;

	if (!d->record)
		return;
	boot = cli_add_object(o, "boot");
	cli_add_int(boot, "start", (int32_t)d->record->start);
	cli_add_bool(boot, "start_override", d->record->overridden);
	cli_add(boot, "group", d->record->group);
	cli_add_int(boot, "group_order", d->group_order);
	cli_add(boot, "file", d->record->file);
	cli_add_bool(boot, "unsigned", d->is_unsigned);
}

static void add_device(struct json_object *array, const struct check_device *d)
{
	struct json_object *o = cli_add_object(array, NULL), *candidates;

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
	add_boot_path(o, d);
	candidates = cli_add_array(o, "candidates");
	for (size_t i = 0; d->candidates && i < d->candidates->len; i++)
		add_candidate(candidates, &d->candidates->items[i]);
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
	cli_add_strings(o, "unknown", &result->unknown);
	cli_add_strings(o, "remarks", &result->remarks);
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
	vec_foreach (remark, &result->remarks)
		cli_table_row(&run->table, "", "", *remark, "", NULL);
}

/* Who wins each device, and by which rank. */
static void add_winners(struct run *run, const struct check_result *result)
{
	vec_foreach (d, &result->devices) {
		_cleanup_free_ char *what = xasprintf(
			"  %s %s", pc_role_name(d->device->role), d->device->id);
		_cleanup_free_ char *why =
			!d->inf ? xstrdup(d->reason    ? d->reason
					  : d->service ? d->service
						       : "no driver needed")
				: xasprintf("%s, rank %08X by %s, %zu candidates", d->inf,
					    d->rank, d->matched,
					    d->candidates ? d->candidates->len : 1);

		cli_table_row(&run->table, "", what, why,
			      d->inf && d->reason ? d->reason : "", NULL);
	}
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
		     run->request->html || cli_verbose ||
			     (cli_json && run->population.pcs < SHOWN_PCS),
		     &result, err) < 0)
		return -1;
	if (run->request->html)
		report_add(&run->report, pc, &result);
	population_add(&run->population, pc);
	run->counts[result.verdict]++;
	if (result.verdict == CHECK_FAILS)
		check_causes_add(&run->causes, &result);
	add_losses(run, &result.losses);
	if (cli_json) {
		add_model(run, pc, &result);
	} else {
		add_row(run, pc, &result);
		if (cli_verbose)
			add_winners(run, &result);
	}
	check_result_free(&result);
	return 0;
}

/* ---- the answer
 * -----------------------------------------------------------------------------------
 */

static void print_json(struct run *run, struct json_object *object)
{
	struct json_object *summary = cli_add_object(object, "summary"), *array;

	for (unsigned v = 0; v < ARRAY_SIZE(run->counts); v++)
		cli_add_int(summary, check_verdict_name((enum check_verdict)v),
			    (int64_t)run->counts[v]);
	array = cli_add_array(summary, "causes");
	vec_foreach (cause, &run->causes.list) {
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
	array = cli_add_array(summary, "cover");
	vec_foreach (step, &run->steps) {
		struct json_object *o = cli_add_object(array, NULL);

		cli_add(o, step->package ? "inject" : "remedy", step->remedy);
		cli_add(o, "reason", step->reason);
		cli_add_int(o, "pcs", (int64_t)step->pcs);
		cli_add_int(o, "total", (int64_t)step->total);
	}
	check_pcs_describe(object, &run->population);
	cli_print_json(object);
}

static double share(size_t part, size_t of)
{
	return of ? 100.0 * (double)part / (double)of : 0.0;
}

/* The greedy cover: each line counts what those above it leave. */
static void print_cover(const struct run *run)
{
	size_t shown = run->steps.len, pcs = run->population.pcs;
	size_t start = run->counts[CHECK_BOOTS] + run->counts[CHECK_DEGRADED];
	struct cli_table table = {.columns = 3};

	if (!shown)
		return;
	if (shown > SHOWN_REASONS && !cli_verbose)
		shown = SHOWN_REASONS;
	printf("\nWhat would help most:\n");
	cli_table_row(&table, "PCS", "START THEN", "REMEDY", NULL);
	for (size_t i = 0; i < shown; i++) {
		const struct check_step *step = &run->steps.items[i];
		_cleanup_free_ char *count = xasprintf("+%zu", step->pcs);
		_cleanup_free_ char *then =
			xasprintf("%.1f %%", share(start + step->total, pcs));
		_cleanup_free_ char *text =
			xasprintf("%s%s", step->package ? "inject " : "", step->remedy);

		cli_table_row(&table, count, then, text, NULL);
	}
	cli_table_print(&table, stdout);
	if (shown < run->steps.len)
		printf("and %zu more (--verbose)\n", run->steps.len - shown);
}

static void print_causes(const struct run *run)
{
	size_t shown = run->causes.list.len;
	struct cli_table table = {.columns = 3};

	if (!shown)
		return;
	if (shown > SHOWN_REASONS && !cli_verbose)
		shown = SHOWN_REASONS;
	printf("\nWhy they fail:\n");
	cli_table_row(&table, "PCS", "FAILS BECAUSE", "REMEDY", NULL);
	for (size_t i = 0; i < shown; i++) {
		const struct check_cause *cause = &run->causes.list.items[i];
		char pcs[24];

		(void)snprintf(pcs, sizeof(pcs), "%zu", cause->pcs);
		cli_table_row(&table, pcs, cause->reason, cause->remedy, NULL);
	}
	cli_table_print(&table, stdout);
	if (shown < run->causes.list.len)
		printf("and %zu reasons more (--verbose)\n",
		       run->causes.list.len - shown);
}

static void print_text(struct run *run)
{
	_cleanup_free_ char *text = population_text(&run->population);
	size_t pcs = run->population.pcs;

	cli_table_print(&run->table, stdout);
	if (run->listed > SHOWN_PCS && !cli_verbose)
		printf("and %zu PCs more (--verbose)\n", run->listed - SHOWN_PCS);
	print_causes(run);
	print_cover(run);
	if (run->losses.len)
		printf("\nLost, on so many PCs:");
	for (size_t i = 0; i < run->losses.len; i++)
		printf("%s %s %zu", i ? "," : "", run->losses.items[i],
		       run->loss_counts.items[i]);
	printf("%s\n%zu PCs:", run->losses.len ? "\n" : "", pcs);
	for (unsigned v = 0; v < ARRAY_SIZE(run->counts); v++)
		printf("%s %s %zu (%.1f %%)", v ? "," : "",
		       check_verdict_name((enum check_verdict)v), run->counts[v],
		       share(run->counts[v], pcs));
	printf("\n%s\n", text);
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
	report->population = population_text(&run->population);
	vec_foreach (cause, &run->causes.list)
		vec_push(&report->causes,
			 (struct report_count){xstrdup(cause->reason),
					       xstrdup(cause->remedy), cause->pcs});
	vec_foreach (step, &run->steps)
		vec_push(&report->steps,
			 (struct report_count){
				 xasprintf("%s%s", step->package ? "inject " : "",
					   step->remedy),
				 step->reason ? xstrdup(step->reason) : NULL, step->pcs});
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
	check_causes_free(&run->causes);
	vec_free(&run->steps);
	strings_free(&run->losses);
	vec_free(&run->loss_counts);
	strings_free(&run->table.cells);
	check_image_close(run->image);
}

static int check_all(struct run *run, struct error *err)
{
	const struct request *r = run->request;

	if (r->repository.len &&
	    check_image_add_repository(run->image, &r->repository, err) < 0)
		return -1;
	if (check_pcs_each(&r->pcs, check_one, run, err) < 0)
		return -1;
	check_causes_sort(&run->causes);
	check_cover(&run->causes, &run->steps);
	return 0;
}

/* 0 if no PC fails, 3 if one does, -1. */
static int check_tree(const struct request *r, struct image *image_file, size_t position,
		      struct tree *tree, struct error *err)
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
	run.image = check_image_open(tree, registry, installation, err);
	if (run.image)
		check_image_set_disk(run.image, image_disk(image_file),
				     image_info(image_file, position)->system_partition);
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
			result = check_tree(r, image, positions.items[0], tree, &err);
	}
	vec_free(&positions);
	return result < 0 ? cli_fail(&err) : result;
}

/* -1 to go on. */
static int check_usage(const struct cli_command *command, const struct request *r,
		       size_t operands)
{
	if (r->kernel && (operands || r->html || r->repository.len || r->index))
		return cli_usage(command,
				 "--kernel asks about a kernel: no IMAGE, --index, "
				 "--html or --driver-repo beside it");
	if (!r->kernel && operands != 1)
		return cli_usage(command, "expected one IMAGE, or --kernel");
	if (!r->kernel && r->firmware.len)
		return cli_usage(command, "--firmware-dir goes with --kernel");
	if (!r->pcs.profiles.len && !r->pcs.inventories.len && !r->pcs.all)
		return cli_usage(command, "no PC: give --profile, --inventory or "
					  "--all-profiles");
	return -1;
}

int cmd_check(const struct cli_command *command, int argc, char **argv)
{
	struct request r = {0};
	struct strings operands = VEC_INIT;
	const struct cli_option options[] = {
		{"profile", "ID|FILE", CLI_STRINGS, &r.pcs.profiles,
		 "a PC model; may be repeated"},
		{"inventory", "FILE", CLI_STRINGS, &r.pcs.inventories,
		 "a PC, or many: as gild profile import reads it"},
		{"all-profiles", NULL, CLI_FLAG, &r.pcs.all,
		 "every profile that is found"},
		{"driver-repo", "PATH", CLI_STRINGS, &r.repository,
		 "packages that could help, named as remedies"},
		{"kernel", "VERSION|DIR", CLI_STRING, &r.kernel,
		 "instead of an IMAGE: which PCs a Linux kernel drives"},
		{"firmware-dir", "DIR", CLI_STRINGS, &r.firmware,
		 "with --kernel: where firmware lies"},
		{"index", "N", CLI_STRING, &r.index, "which image or installation"},
		{"accept-dirty", NULL, CLI_FLAG, &r.accept_dirty,
		 "go on with a dirty hive whose logs are missing"},
		{"html", "FILE", CLI_STRING, &r.html, "also a report as one page"},
		IMAGE_OPTIONS,
		CLI_END,
	};
	int code = cli_parse(command, options, argc, argv, &operands);

	if (code < 0)
		code = check_usage(command, &r, operands.len);
	if (code < 0 && r.kernel)
		code = check_kernel_run(&r.pcs, r.kernel, &r.firmware);
	else if (code < 0)
		code = check_image_file(&r, operands.items[0]);
	strings_free(&r.pcs.profiles);
	strings_free(&r.pcs.inventories);
	strings_free(&r.repository);
	strings_free(&r.firmware);
	strings_free(&operands);
	return code;
}
