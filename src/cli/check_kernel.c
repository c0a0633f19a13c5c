/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/check_kernel.h"

#include "base/text.h"
#include "check/kernel.h"

#define VERDICTS 4
#define SHOWN_PCS 40
#define SHOWN_GAPS 10

/* A device without a driver, or a module without its firmware, and how many PCs have it.
 */
struct gap {
	char *what, *name;
	enum pc_role role;
	size_t pcs;
	const void *last; /* the PC that was counted last */
	const struct strings *missing;
};
struct gaps {
	struct vec_of(struct gap) list;
};

struct run {
	struct kernel *kernel;
	struct population population;
	size_t counts[VERDICTS];
	struct gaps undriven, firmware;
	struct json_object *models;
	struct cli_table table;
};

static void count_gap(struct gaps *gaps, const char *what, const struct kernel_device *d,
		      const void *pc)
{
	struct gap gap = {.role = d->device->role, .pcs = 1, .last = pc};

	vec_foreach (known, &gaps->list) {
		if (strcmp(known->what, what) != 0)
			continue;
		known->pcs += known->last != pc;
		known->last = pc;
		return;
	}
	gap.what = xstrdup(what);
	gap.name = d->device->name ? xstrdup(d->device->name) : NULL;
	gap.missing = d->missing;
	vec_push(&gaps->list, gap);
}

static int by_pcs(const void *a, const void *b)
{
	const struct gap *x = a, *y = b;

	if (x->pcs != y->pcs)
		return x->pcs > y->pcs ? -1 : 1;
	return strcmp(x->what, y->what);
}

static void gaps_free(struct gaps *gaps)
{
	vec_foreach (gap, &gaps->list) {
		free(gap->what);
		free(gap->name);
	}
	vec_free(&gaps->list);
}

/* "8086:9A0B" of a PCI ID, "USB\VID_046D&PID_C31C", else the ID. */
static char *device_text(const char *id)
{
	const char *vendor = strstr(id, "VEN_"), *device = strstr(id, "DEV_");

	if (!text_starts_with(id, "PCI\\") || !vendor || !device || strlen(device) < 8)
		return xstrdup(id);
	return xasprintf("%.4s:%.4s", vendor + 4, device + 4);
}

static void add_model(struct run *run, const struct pc *pc,
		      const struct kernel_result *result)
{
	struct json_object *o = cli_add_object(run->models, NULL), *devices;
	static const struct strings none = VEC_INIT;

	cli_add(o, "model", pc->label);
	cli_add(o, "id", pc->id);
	cli_add(o, "verdict", kernel_verdict_name(result->verdict));
	cli_add_strings(o, "unknown", &result->unknown);
	devices = cli_add_array(o, "devices");
	if (run->population.pcs > SHOWN_PCS && !cli_verbose)
		return;
	vec_foreach (d, &result->devices) {
		struct json_object *device = cli_add_object(devices, NULL);

		cli_add(device, "id", d->device->id);
		cli_add(device, "name", d->device->name);
		cli_add(device, "role", pc_role_name(d->device->role));
		cli_add(device, "verdict", kernel_verdict_name(d->verdict));
		cli_add_strings(device, "modules", d->modules);
		cli_add_bool(device, "builtin", d->builtin);
		cli_add_strings(device, "firmware_missing",
				d->missing ? d->missing : &none);
	}
}

/* "wireless 14E4:43B1; display 1002:73BF (amdgpu)" */
static char *because(const struct kernel_result *result)
{
	struct buffer b = BUFFER_INIT;

	vec_foreach (d, &result->devices) {
		_cleanup_free_ char *id = device_text(d->device->id);

		if (d->verdict != KERNEL_UNDRIVEN && d->verdict != KERNEL_FIRMWARE)
			continue;
		buffer_printf(&b, "%s%s %s", b.len ? "; " : "",
			      pc_role_name(d->device->role), id);
		if (d->verdict == KERNEL_FIRMWARE)
			buffer_printf(&b, " (firmware of %s)", d->modules->items[0]);
	}
	vec_foreach (role, &result->unknown)
		buffer_printf(&b, "%s%s not listed", b.len ? "; " : "", *role);
	return buffer_steal_string(&b);
}

static int check_one(struct pc *pc, void *arg, struct error *err _unused_)
{
	struct run *run = arg;
	struct kernel_result result;

	kernel_check_pc(run->kernel, pc, &result);
	population_add(&run->population, pc);
	run->counts[result.verdict]++;
	vec_foreach (d, &result.devices) {
		_cleanup_free_ char *id = device_text(d->device->id);

		/* The number of PCs so far tells this one from the last. */
		if (d->verdict == KERNEL_UNDRIVEN)
			count_gap(&run->undriven, id, d,
				  (const void *)(uintptr_t)run->population.pcs);
		else if (d->verdict == KERNEL_FIRMWARE)
			count_gap(&run->firmware, d->modules->items[0], d,
				  (const void *)(uintptr_t)run->population.pcs);
	}
	if (cli_json) {
		add_model(run, pc, &result);
	} else if (run->population.pcs <= SHOWN_PCS || cli_verbose) {
		_cleanup_free_ char *why = because(&result);

		cli_table_row(&run->table, kernel_verdict_name(result.verdict), pc->label,
			      why, NULL);
	}
	kernel_result_free(&result);
	return 0;
}

/* ---- the answer -----------------------------------------------------------------------
 */

static void add_gaps(struct json_object *summary, const char *key, const char *what,
		     const struct gaps *gaps, bool firmware)
{
	struct json_object *array = cli_add_array(summary, key);

	vec_foreach (gap, &gaps->list) {
		struct json_object *o = cli_add_object(array, NULL);

		cli_add(o, what, gap->what);
		if (firmware)
			cli_add_strings(o, "files", gap->missing);
		else
			cli_add(o, "name", gap->name);
		cli_add(o, "role", pc_role_name(gap->role));
		cli_add_int(o, "pcs", (int64_t)gap->pcs);
	}
}

static void print_json(struct run *run, struct json_object *object)
{
	struct json_object *o = cli_add_object(object, "kernel"), *summary;

	cli_add(o, "release", kernel_release(run->kernel));
	cli_add_int(o, "modules", (int64_t)kernel_modules(run->kernel));
	cli_add_strings(o, "firmware", kernel_firmware_folders(run->kernel));
	summary = cli_add_object(object, "summary");
	for (unsigned v = 0; v < VERDICTS; v++)
		cli_add_int(summary, kernel_verdict_name((enum kernel_verdict)v),
			    (int64_t)run->counts[v]);
	add_gaps(summary, "undriven_devices", "device", &run->undriven, false);
	add_gaps(summary, "firmware_needed", "module", &run->firmware, true);
	check_pcs_describe(object, &run->population);
	cli_print_json(object);
}

static void print_gaps(const struct gaps *gaps, const char *title, const char *column)
{
	struct cli_table table = {.columns = 4};
	size_t shown = gaps->list.len;

	if (!shown)
		return;
	if (shown > SHOWN_GAPS && !cli_verbose)
		shown = SHOWN_GAPS;
	printf("\n%s:\n", title);
	cli_table_row(&table, "PCS", column, "ROLE", "", NULL);
	for (size_t i = 0; i < shown; i++) {
		const struct gap *gap = &gaps->list.items[i];
		char pcs[24];

		(void)snprintf(pcs, sizeof(pcs), "%zu", gap->pcs);
		cli_table_row(&table, pcs, gap->what, pc_role_name(gap->role),
			      gap->name ? gap->name : "", NULL);
	}
	cli_table_print(&table, stdout);
	if (shown < gaps->list.len)
		printf("and %zu more (--verbose)\n", gaps->list.len - shown);
}

static void print_text(struct run *run)
{
	_cleanup_free_ char *text = population_text(&run->population);
	size_t shown = cli_verbose ? run->population.pcs : SHOWN_PCS;

	cli_table_print(&run->table, stdout);
	if (run->population.pcs > shown)
		printf("and %zu PCs more (--verbose)\n", run->population.pcs - shown);
	print_gaps(&run->undriven, "Devices that no module drives", "DEVICE");
	print_gaps(&run->firmware, "Modules whose firmware is not there", "MODULE");
	printf("\nLinux %s, %zu modules:", kernel_release(run->kernel),
	       kernel_modules(run->kernel));
	for (unsigned v = 0; v < VERDICTS; v++)
		printf("%s %s %zu", v ? "," : "",
		       kernel_verdict_name((enum kernel_verdict)v), run->counts[v]);
	printf("\n%s\n", text);
}

static void run_free(struct run *run)
{
	gaps_free(&run->undriven);
	gaps_free(&run->firmware);
	strings_free(&run->table.cells);
	kernel_close(run->kernel);
}

int check_kernel_run(const struct check_pcs *pcs, const char *where,
		     const struct strings *firmware)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct run run = {.table = {.columns = 3}};
	struct json_object *object = cli_json ? cli_object("gild.check-kernel/1") : NULL;
	int result = -1;

	if (object)
		run.models = cli_add_array(object, "models");
	else
		cli_table_row(&run.table, "VERDICT", "PC", "BECAUSE", NULL);
	run.kernel = kernel_open(where, firmware, &err);
	if (run.kernel)
		result = check_pcs_each(pcs, check_one, &run, &err);
	if (result == 0) {
		if (run.undriven.list.len)
			qsort(run.undriven.list.items, run.undriven.list.len,
			      sizeof(struct gap), by_pcs);
		if (run.firmware.list.len)
			qsort(run.firmware.list.items, run.firmware.list.len,
			      sizeof(struct gap), by_pcs);
	}
	if (result == 0 && object) {
		print_json(&run, object);
	} else {
		json_object_put(object);
		if (result == 0 && !cli_quiet)
			print_text(&run);
	}
	if (result == 0 && run.counts[KERNEL_DRIVEN] < run.population.pcs)
		result = ERROR_ANSWER_NO;
	run_free(&run);
	return result < 0 ? cli_fail(&err) : result;
}
