/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `gild profile`: what PC models gild knows, and what it learns of new ones. */
#include <sys/stat.h>

#include "base/file.h"
#include "base/text.h"
#include "cli/cli.h"
#include "hwprofiles/inventory.h"
#include "hwprofiles/probe.h"
#include "hwprofiles/profile_table.h"
#include "hwprofiles/profile_xml.h"
#include "windows/driverdb.h"

struct request {
	const struct cli_command *command;
	struct strings operands; /* after the verb */
	const char *output, *id, *name, *source;
	bool all;
};

/* ---- JSON
 * -----------------------------------------------------------------------------------
 */

static const char *answer_text(enum pc_answer answer)
{
	return answer == PC_YES ? "yes" : answer == PC_NO ? "no" : NULL;
}

static void add_devices(struct json_object *object, const struct profile *p)
{
	struct json_object *devices = cli_add_array(object, "devices");

	vec_foreach (device, &p->devices) {
		struct json_object *o = cli_add_object(devices, NULL);

		cli_add(o, "role", pc_role_name(device->role));
		cli_add(o, "id", device->id);
		cli_add(o, "name", device->name);
		cli_add_strings(o, "hardware_ids", &device->hardware_ids);
		cli_add_strings(o, "compatible_ids", &device->compatible_ids);
	}
}

static void add_version(struct json_object *o, const char *key, uint64_t version)
{
	char text[PACKAGE_VERSION_TEXT_SIZE];

	if (!version)
		return;
	package_version_text(version, text);
	cli_add(o, key, text);
}

static void add_drivers(struct json_object *object, const struct profile *p)
{
	struct json_object *array = cli_add_array(object, "drivers");

	vec_foreach (driver, &p->drivers) {
		struct json_object *o = cli_add_object(array, NULL);

		if (driver->pack_vendor) {
			cli_add(o, "pack_vendor", driver->pack_vendor);
			cli_add(o, "pack_system", driver->pack_system);
			continue;
		}
		cli_add(o, "hardware_id", driver->hardware_id);
		cli_add(o, "inf", driver->inf);
		add_version(o, "min_version", driver->min_version);
		add_version(o, "max_version", driver->max_version);
	}
}

static void add_rules(struct json_object *object, const struct profile *p)
{
	static const char *const policies[] = {"never", "allowed", "wanted"};
	struct json_object *array = cli_add_array(object, "passthrough");

	vec_foreach (rule, &p->rules) {
		struct json_object *o = cli_add_object(array, NULL);

		cli_add(o, "role", pc_role_name(rule->role));
		cli_add(o, "policy", policies[rule->passthrough]);
		cli_add(o, "id", rule->id);
		cli_add(o, "group", rule->group);
	}
}

static void add_profile(struct json_object *o, const struct profile *p, bool whole)
{
	struct json_object *array;

	cli_add(o, "id", p->id);
	cli_add(o, "name", p->name);
	cli_add(o, "type", p->type);
	if (p->year)
		cli_add_int(o, "year", p->year);
	cli_add(o, "uefi", answer_text(p->uefi));
	cli_add(o, "bios", answer_text(p->bios));
	cli_add(o, "acpi", answer_text(p->acpi));
	cli_add(o, "secure_boot", answer_text(p->secure_boot));
	cli_add(o, "tpm", p->tpm);
	if (!whole) {
		cli_add_int(o, "devices", (int64_t)p->devices.len);
		return;
	}
	cli_add_strings(o, "includes", &p->includes);
	array = cli_add_array(o, "identity");
	vec_foreach (m, &p->matches) {
		struct json_object *match = cli_add_object(array, NULL);
		char chid[GUID_TEXT_SIZE];

		cli_add(match, "manufacturer", m->manufacturer);
		cli_add(match, "product", m->product);
		cli_add(match, "version", m->version);
		cli_add(match, "family", m->family);
		cli_add(match, "sku", m->sku);
		cli_add(match, "board_manufacturer", m->board_manufacturer);
		cli_add(match, "board_product", m->board_product);
		if (m->has_chid)
			guid_format(&m->chid, chid);
		cli_add(match, "chid", m->has_chid ? chid : NULL);
	}
	add_devices(o, p);
	add_drivers(o, p);
	add_rules(o, p);
	cli_add_strings(o, "kernel_arguments", &p->kernel_arguments);
	cli_add_strings(o, "quirks", &p->quirks);
}

/* ---- writing profiles
 * -------------------------------------------------------------------------
 */

static int refuse_existing(const char *path, struct error *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return 0;
	error_set(err, ERROR_FAILED, path, "exists already");
	return error_remedy(err, "remove it or give another name");
}

/* To --output (a file that must not exist), or to standard output. */
static int put_profile(const struct request *r, const struct profile *p, const char *path,
		       struct error *err)
{
	_cleanup_buffer_ struct buffer xml = BUFFER_INIT;

	profile_write(p, &xml);
	if (!path && cli_json) {
		struct json_object *object = cli_object("gild.profile/1");

		add_profile(object, p, true);
		cli_print_json(object);
		return 0;
	}
	if (!path) {
		(void)fwrite(xml.data, 1, xml.len, stdout);
		return 0;
	}
	if (refuse_existing(path, err) < 0 ||
	    file_replace(path, buffer_view(&xml), err) < 0)
		return -1;
	if (!cli_quiet && !cli_json && (!r->all || cli_verbose))
		printf("%s: %s, %zu devices\n", path, p->name, p->devices.len);
	return 0;
}

static int put_pc(const struct request *r, const struct pc *pc, const char *path,
		  struct error *err)
{
	struct profile *p = profile_of_pc(pc);
	int result;

	if (r->name) {
		free(p->name);
		p->name = xstrdup(r->name);
		free(p->id);
		p->id = profile_id_of(r->name);
	}
	if (r->id) {
		free(p->id);
		p->id = xstrdup(r->id);
	}
	if (r->source)
		p->source = xstrdup(r->source);
	result = put_profile(r, p, path, err);
	profile_free(p);
	return result;
}

/* ---- import
 * -------------------------------------------------------------------------------------
 */

struct population {
	const struct request *request;
	struct strings written;
	size_t pcs;
};

/* One file for each model: the PC with most devices would be best, the first one is
 * taken. */
static int import_pc(struct pc *pc, void *arg, struct error *err)
{
	struct population *population = arg;
	_cleanup_free_ char *id = NULL, *path = NULL;
	struct request one = *population->request;

	population->pcs++;
	pc_name(pc);
	id = profile_id_of(pc->label);
	if (strings_contain(&population->written, id))
		return 0;
	strings_push(&population->written, id);
	path = xasprintf("%s/%s.xml", one.output, id);
	one.id = one.name = NULL;
	return put_pc(&one, pc, path, err);
}

static int import_population(const struct request *r, struct error *err)
{
	struct population population = {.request = r};
	int result = 0;

	if (mkdir(r->output, 0777) < 0)
		return error_errno(err, r->output, "cannot make the folder");
	vec_foreach (path, &r->operands)
		if (result == 0)
			result = inventory_read(*path, import_pc, &population, err);
	if (result == 0 && cli_json) {
		struct json_object *object = cli_object("gild.profile-import/1");

		cli_add_int(object, "pcs", (int64_t)population.pcs);
		cli_add_strings(object, "profiles", &population.written);
		cli_print_json(object);
	} else if (result == 0 && !cli_quiet) {
		printf("%zu PCs, %zu models\n", population.pcs, population.written.len);
	}
	strings_free(&population.written);
	if (result < 0)
		(void)remove_tree(r->output, NULL);
	return result;
}

static int do_import(const struct request *r, struct error *err)
{
	_cleanup_pc_ struct pc pc = PC_INIT;

	if (r->all)
		return import_population(r, err);
	if (inventory_read_one(&r->operands, &pc, err) < 0)
		return -1;
	return put_pc(r, &pc, r->output, err);
}

static int do_probe(const struct request *r, struct error *err)
{
	_cleanup_pc_ struct pc pc = PC_INIT;

	if (probe_pc("", &pc, err) < 0)
		return -1;
	return put_pc(r, &pc, r->output, err);
}

/* ---- what is known
 * --------------------------------------------------------------------------------
 */

static int do_list(const struct request *r _unused_, struct error *err)
{
	struct profile_library library;
	struct cli_table table = {.columns = 5};
	struct json_object *object = NULL, *array = NULL;
	int result;

	profile_library_init(&library);
	result = profile_read_all(&library, err);
	if (cli_json) {
		object = cli_object("gild.profile-list/1");
		array = cli_add_array(object, "profiles");
	} else {
		cli_table_row(&table, "ID", "YEAR", "TYPE", "DEVICES", "NAME", NULL);
	}
	vec_foreach (item, &library.profiles) {
		const struct profile *p = *item;
		char year[16] = "", devices[24];

		if (cli_json) {
			add_profile(cli_add_object(array, NULL), p, false);
			continue;
		}
		if (p->year)
			(void)snprintf(year, sizeof(year), "%u", p->year);
		(void)snprintf(devices, sizeof(devices), "%zu", p->devices.len);
		cli_table_row(&table, p->id, year, p->type ? p->type : "", devices,
			      p->name, NULL);
	}
	profile_library_free(&library);
	if (result == 0 && cli_json) {
		cli_print_json(object);
	} else {
		json_object_put(object);
		if (result == 0)
			cli_table_print(&table, stdout);
	}
	strings_free(&table.cells);
	return result;
}

/* With all that the profile includes. */
static int do_show(const struct request *r, struct error *err)
{
	struct profile_library library;
	int result = 0;

	profile_library_init(&library);
	vec_foreach (name, &r->operands) {
		const struct profile *p = profile_find(&library, *name, err);

		result = p ? put_profile(r, p, NULL, err) : -1;
		if (result < 0)
			break;
	}
	profile_library_free(&library);
	return result;
}

static int do_validate(const struct request *r, struct error *err)
{
	vec_foreach (path, &r->operands) {
		struct profile *p = profile_read(*path, err);

		if (!p)
			return -1;
		if (!cli_quiet && !cli_json)
			printf("%s: valid\n", *path);
		profile_free(p);
	}
	if (cli_json) {
		struct json_object *object = cli_object("gild.profile-validate/1");

		cli_add_strings(object, "valid", &r->operands);
		cli_print_json(object);
	}
	return 0;
}

/* ---- compile: what the hypervisor's init reads
 * -------------------------------------------
 */

static int compile(const struct request *r, const struct profiles *profiles,
		   struct error *err)
{
	_cleanup_buffer_ struct buffer table = BUFFER_INIT;

	profile_table_write(profiles, &table);
	if (refuse_existing(r->output, err) < 0 ||
	    file_replace(r->output, buffer_view(&table), err) < 0)
		return -1;
	if (cli_json) {
		struct json_object *object = cli_object("gild.profile-compile/1");

		cli_add_int(object, "profiles", (int64_t)profiles->len);
		cli_add_int(object, "bytes", (int64_t)table.len);
		cli_print_json(object);
	} else if (!cli_quiet) {
		printf("%s: %zu profiles, %zu bytes\n", r->output, profiles->len,
		       table.len);
	}
	return 0;
}

/* Those that are named, else all. */
static int do_compile(const struct request *r, struct error *err)
{
	struct profile_library library;
	int result = 0;

	profile_library_init(&library);
	vec_foreach (name, &r->operands)
		if (result == 0 && !profile_find(&library, *name, err))
			result = -1;
	if (!r->operands.len)
		result = profile_read_all(&library, err);
	if (result == 0)
		result = compile(r, &library.profiles, err);
	profile_library_free(&library);
	return result;
}

/* ---- match
 * ------------------------------------------------------------------------------------------
 */

#define SHOWN_MATCHES 10

static void print_scores(const struct pc *pc, const struct profile_scores *scores)
{
	struct cli_table table = {.columns = 4};
	size_t shown =
		cli_verbose || scores->len < SHOWN_MATCHES ? scores->len : SHOWN_MATCHES;

	if (cli_json) {
		struct json_object *object = cli_object("gild.profile-match/1"), *array;

		cli_add(object, "pc", pc->label);
		array = cli_add_array(object, "matches");
		vec_foreach (score, scores) {
			struct json_object *o = cli_add_object(array, NULL);

			cli_add(o, "id", score->profile->id);
			cli_add(o, "name", score->profile->name);
			cli_add_int(o, "score", score->score);
			cli_add(o, "reason", score->reason);
		}
		cli_print_json(object);
		return;
	}
	printf("%s\n", pc->label);
	if (!scores->len) {
		printf("no profile fits; gild profile import makes one\n");
		return;
	}
	cli_table_row(&table, "SCORE", "PROFILE", "NAME", "BY", NULL);
	for (size_t i = 0; i < shown; i++) {
		const struct profile_score *s = &scores->items[i];
		char score[16];

		(void)snprintf(score, sizeof(score), "%u", s->score);
		cli_table_row(&table, score, s->profile->id, s->profile->name, s->reason,
			      NULL);
	}
	cli_table_print(&table, stdout);
}

static int do_match(const struct request *r, struct error *err)
{
	_cleanup_pc_ struct pc pc = PC_INIT;
	struct profile_scores scores = VEC_INIT;
	struct profile_library library;
	int result;

	result = r->operands.len ? inventory_read_one(&r->operands, &pc, err)
				 : probe_pc("", &pc, err);
	if (result < 0)
		return -1;
	profile_library_init(&library);
	result = profile_read_all(&library, err);
	if (result == 0) {
		profile_match_all(&library.profiles, &pc, &scores);
		print_scores(&pc, &scores);
	}
	/* The answer is no. */
	if (result == 0 && !scores.len)
		result = ERROR_ANSWER_NO;
	profile_scores_free(&scores);
	profile_library_free(&library);
	return result;
}

/* ---- the command
 * ------------------------------------------------------------------------------------
 */

static const struct verb {
	const char *name;
	size_t least, most; /* operands */
	int (*run)(const struct request *request,
		   struct error *err); /* 0, -1 or a code */
} verbs[] = {
	{"probe", 0, 0, do_probe},
	{"import", 1, SIZE_MAX, do_import},
	{"list", 0, 0, do_list},
	{"show", 1, SIZE_MAX, do_show},
	{"match", 0, SIZE_MAX, do_match},
	{"validate", 1, SIZE_MAX, do_validate},
	{"compile", 0, SIZE_MAX, do_compile},
};

static int run_verb(struct request *r, const char *name)
{
	_cleanup_error_ struct error err = ERROR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		const struct verb *v = &verbs[i];
		int result;

		if (strcmp(v->name, name) != 0)
			continue;
		if (r->operands.len < v->least || r->operands.len > v->most)
			return cli_usage(r->command,
					 v->least ? "%s needs a FILE or ID"
						  : "%s takes no FILE",
					 name);
		if (r->all && !r->output)
			return cli_usage(r->command, "--all needs --output=DIR");
		if (v->run == do_compile && !r->output)
			return cli_usage(r->command, "compile needs --output=FILE");
		if (r->id && !profile_id_valid(r->id))
			return cli_usage(r->command,
					 "--id: lower-case letters, digits, '-', '.'");
		result = v->run(r, &err);
		return result < 0 ? cli_fail(&err) : result;
	}
	return cli_usage(r->command,
			 "%s: expected probe, import, list, show, match, validate "
			 "or compile",
			 name);
}

int cmd_profile(const struct cli_command *command, int argc, char **argv)
{
	struct request r = {.command = command};
	struct strings operands = VEC_INIT;
	const struct cli_option options[] = {
		{"output", "FILE|DIR", CLI_STRING, &r.output,
		 "probe, import, compile: write the profile there"},
		{"id", "ID", CLI_STRING, &r.id, "probe, import: the profile's ID"},
		{"name", "TEXT", CLI_STRING, &r.name, "probe, import: the model's name"},
		{"source", "TEXT", CLI_STRING, &r.source,
		 "probe, import: where the facts come from"},
		{"all", NULL, CLI_FLAG, &r.all,
		 "import: a profile for each model of the inventories"},
		CLI_END,
	};
	int code = cli_parse(command, options, argc, argv, &operands);

	if (code < 0 && !operands.len)
		code = cli_usage(command, "expected a VERB: probe, import, list, show, "
					  "match, validate or compile");
	if (code < 0) {
		for (size_t i = 1; i < operands.len; i++)
			strings_push(&r.operands, operands.items[i]);
		code = run_verb(&r, operands.items[0]);
	}
	strings_free(&r.operands);
	strings_free(&operands);
	return code;
}
