/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `gild inf`: what Windows would choose from INF files, and why not the rest. */
#include "base/file.h"
#include "base/progress.h"
#include "base/text.h"
#include "cli/cli.h"
#include "injector/inf.h"
#include "injector/ranking.h"
#include "injector/selection.h"
#include "injector/signing.h"
#include "media/media.h"
#include "windows/driverdb.h"

/* With --device and without --for: "the Windows of today" of each architecture. */
#define LATEST_MAJOR 10
#define LATEST_BUILD 26100

struct inf_view {
	const struct media_inf *media;
	struct buffer raw;
	struct selection *selection; /* NULL: refused, see error */
	struct driver *driver;	     /* with --for; NULL: refused, see error */
	char *not_for;		     /* with --for: why no model applies */
	struct signature signature;  /* of the INF, not of the whole package */
	struct error error;
};

struct device_view {
	struct target target;
	struct ranking ranking;
};

struct inf_command {
	struct source_media media;
	struct signing *signing;
	struct vec_of(struct inf_view) files;
	bool has_target, has_device;
	struct target target;
	struct device_ids device;
	struct vec_of(struct device_view) rankings;
};

static void command_free(struct inf_command *c)
{
	vec_foreach (f, &c->files) {
		buffer_free(&f->raw);
		selection_close(f->selection);
		driver_close(f->driver);
		free(f->not_for);
		signature_free(&f->signature);
		error_clear(&f->error);
	}
	vec_free(&c->files);
	vec_foreach (d, &c->rankings)
		ranking_free(&d->ranking);
	vec_free(&c->rankings);
	device_ids_free(&c->device);
	media_close(&c->media);
	signing_close(c->signing);
}

/* ---- reading ------------------------------------------------------------------------
 */

/* Include= is served from the files given, by name; others belong to the image. */
static int find_include(const char *name, struct buffer *ret, void *arg,
			struct error *err)
{
	struct inf_command *c = arg;

	vec_foreach (f, &c->files) {
		if (!text_equal(path_base(f->media->path), name))
			continue;
		if (f->raw.len)
			buffer_append(ret, f->raw.data, f->raw.len);
		else if (file_read(f->media->path, INF_SIZE_MAX, ret, err) < 0)
			return -1;
		return 1;
	}
	return 0;
}

/* A catalog that cannot be read leaves the signature unchecked. */
static void read_signature(struct inf_command *c, struct inf_view *f)
{
	const struct strings *catalogs = &f->selection->catalogs;
	_cleanup_error_ struct error ignored = ERROR_INIT;
	const char *name = f->driver	   ? f->driver->catalog
			   : catalogs->len ? catalogs->items[0]
					   : NULL;

	(void)signing_check_inf(c->signing, &c->media, f->media, name, &f->signature,
				&ignored);
}

static void read_file(struct inf_command *c, struct inf_view *f)
{
	const char *name = path_base(f->media->path);
	const struct target *target = c->has_target ? &c->target : NULL;

	if (file_read(f->media->path, INF_SIZE_MAX, &f->raw, &f->error) < 0)
		return;
	f->selection = selection_read(name, buffer_view(&f->raw), target, &f->error);
	if (!f->selection || !target)
		return;
	f->driver = driver_open(name, buffer_view(&f->raw), target, find_include, c,
				&f->not_for, &f->error);
	if (f->driver)
		return;
	selection_close(f->selection);
	f->selection = NULL;
}

/* -1, or the exit code of a run that cannot go on. */
static int read_all(struct inf_command *c, const struct strings *paths)
{
	_cleanup_error_ struct error first = ERROR_INIT;

	vec_foreach (path, paths) {
		_cleanup_error_ struct error err = ERROR_INIT;

		if (media_add(&c->media, *path, &err) == 0)
			continue;
		if (err.code == ERROR_INTERRUPTED)
			return cli_fail(&err);
		vec_push(&c->media.problems, error_message(&err));
		if (!first.code)
			(void)error_move(&first, &err);
	}
	if (!c->media.infs.len && first.code)
		return cli_fail(&first);
	vec_foreach (inf, &c->media.infs)
		vec_push(&c->files, (struct inf_view){.media = inf});
	for (size_t i = 0; i < c->files.len; i++) {
		progress_report("reading INF files", i, c->files.len);
		if (interrupted())
			return cli_fail(&(struct error){.code = ERROR_INTERRUPTED,
							.reason = (char *)"interrupted"});
		read_file(c, &c->files.items[i]);
		if (c->files.items[i].selection)
			read_signature(c, &c->files.items[i]);
	}
	progress_report("reading INF files", c->files.len, c->files.len);
	return -1;
}

static void rank_for(struct inf_command *c, const struct target *target)
{
	struct device_view view = {.target = *target, .ranking = {.device = &c->device}};

	vec_foreach (f, &c->files) {
		_cleanup_selection_ struct selection *s = NULL;
		_cleanup_driver_ struct driver *d = NULL;
		const char *name = path_base(f->media->path);

		if (!f->selection)
			continue;
		if (f->driver) {
			ranking_add(&view.ranking, f->media->label, f->driver,
				    f->selection, f->signature.verdict);
			continue;
		}
		s = selection_read(name, buffer_view(&f->raw), target, NULL);
		d = s ? driver_open(name, buffer_view(&f->raw), target, find_include, c,
				    NULL, NULL)
		      : NULL;
		if (d)
			ranking_add(&view.ranking, f->media->label, d, s,
				    f->signature.verdict);
	}
	ranking_sort(&view.ranking);
	vec_push(&c->rankings, view);
}

/* An undecorated section, and one for NT without architecture, is for x86 only. */
static enum windows_arch section_arch(const struct models_section *section)
{
	struct decoration d;

	if (!section->exists || !section->models ||
	    !decoration_parse(section->decoration, &d))
		return ARCH_UNKNOWN;
	return d.none || d.arch == ARCH_UNKNOWN ? ARCH_X86 : d.arch;
}

static const enum windows_arch all_archs[] = {ARCH_X86, ARCH_AMD64, ARCH_ARM, ARCH_ARM64,
					      ARCH_IA64};

static bool has_arch(const struct inf_view *f, enum windows_arch arch)
{
	if (!f->selection)
		return false;
	vec_foreach (section, &f->selection->sections)
		if (section_arch(section) == arch)
			return true;
	return false;
}

static void rank(struct inf_command *c)
{
	if (c->has_target) {
		rank_for(c, &c->target);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(all_archs); i++) {
		struct target target = {.arch = all_archs[i],
					.major = LATEST_MAJOR,
					.build = LATEST_BUILD,
					.product = PRODUCT_CLIENT};

		vec_foreach (f, &c->files)
			if (has_arch(f, all_archs[i])) {
				rank_for(c, &target);
				break;
			}
	}
}

/* ---- JSON ---------------------------------------------------------------------------
 */

static const char *fit_name(enum decoration_verdict verdict)
{
	static const char *const names[] = {
		[DECORATION_CHOSEN] = "chosen",
		[DECORATION_LESS_SPECIFIC] = "less_specific",
		[DECORATION_OTHER_ARCH] = "other_arch",
		[DECORATION_NEEDS_ARCH] = "needs_arch",
		[DECORATION_LATER_VERSION] = "later_version",
		[DECORATION_OTHER_PRODUCT] = "other_product",
		[DECORATION_OTHER_SUITE] = "other_suite",
		[DECORATION_NOT_UNDERSTOOD] = "not_understood",
		[DECORATION_NOT_LISTED] = "not_listed",
		[DECORATION_NO_TARGET] = NULL,
	};

	return names[verdict];
}

static void add_version(struct json_object *o, uint64_t date, uint64_t version)
{
	char date_text[PACKAGE_DATE_TEXT_SIZE] = "", text[PACKAGE_VERSION_TEXT_SIZE];

	package_version_text(version, text);
	if (date)
		package_date_text(date, date_text);
	cli_add(o, "version", text);
	cli_add(o, "date", date ? date_text : NULL);
}

static void add_ids(struct json_object *o, const struct strings *ids)
{
	struct strings hardware = {.items = ids->items, .len = ids->len ? 1 : 0};
	struct strings compatible = {.items = ids->len ? ids->items + 1 : NULL,
				     .len = ids->len ? ids->len - 1 : 0};

	if (hardware.len && !*hardware.items[0])
		hardware.len = 0;
	cli_add_strings(o, "hardware_ids", &hardware);
	cli_add_strings(o, "compatible_ids", &compatible);
}

static void add_models(struct json_object *o, const struct inf_command *c,
		       const struct selection *s)
{
	struct json_object *models = cli_add_array(o, "models");

	vec_foreach (line, &s->models) {
		const struct models_section *section = &s->sections.items[line->section];
		struct json_object *m;

		if (c->has_target && section->verdict != DECORATION_CHOSEN)
			continue;
		m = cli_add_object(models, NULL);
		cli_add(m, "section", section->name);
		cli_add(m, "description", line->description);
		cli_add(m, "install", line->install);
		add_ids(m, &line->ids);
		cli_add_int(m, "line", line->line);
	}
}

static void add_sections(struct json_object *o, const struct selection *s)
{
	struct json_object *sections = cli_add_array(o, "sections");

	vec_foreach (section, &s->sections) {
		struct json_object *m = cli_add_object(sections, NULL);
		enum windows_arch arch = section_arch(section);

		cli_add(m, "section", section->name);
		cli_add(m, "manufacturer", section->manufacturer);
		cli_add(m, "decoration", section->decoration);
		cli_add(m, "arch", arch == ARCH_UNKNOWN ? NULL : arch_name(arch));
		cli_add_bool(m, "exists", section->exists);
		cli_add_int(m, "models", (int64_t)section->models);
		cli_add(m, "verdict", fit_name(section->verdict));
		cli_add(m, "reason", section->reason);
		cli_add_int(m, "line", section->line);
	}
}

static void add_installs(struct json_object *o, const struct driver *d)
{
	struct json_object *list = cli_add_array(o, "installs");

	vec_foreach (config, &d->configurations) {
		struct json_object *m = cli_add_object(list, NULL);
		_cleanup_(strings_free) struct strings services = VEC_INIT;

		vec_foreach (service, &config->services)
			if (!service->remove)
				strings_push(&services, service->name);
		cli_add(m, "section", config->missing ? config->base : config->name);
		cli_add_bool(m, "exists", !config->missing);
		cli_add_strings(m, "services", &services);
		cli_add_int(m, "files", (int64_t)config->files.len);
		cli_add_int(m, "feature_score",
			    config->has_feature_score ? config->feature_score & 0xFF
						      : 0xFF);
		cli_add_strings(m, "unsupported", &config->unsupported);
		cli_add_int(m, "line", config->line);
	}
	cli_add_strings(o, "unsupported", &d->unsupported);
}

static void add_facts(struct json_object *o, const struct inf_command *c,
		      const struct inf_view *f)
{
	const struct selection *s = f->selection;
	static const struct guid no_class;
	struct strings archs = VEC_INIT;
	char guid[GUID_TEXT_SIZE];
	const char *catalog = s->catalogs.len ? s->catalogs.items[0] : NULL;

	for (size_t i = 0; i < ARRAY_SIZE(all_archs); i++)
		if (has_arch(f, all_archs[i]))
			strings_push(&archs, arch_name(all_archs[i]));
	guid_format(&s->class_guid, guid);
	cli_add(o, "class", s->class_name);
	cli_add(o, "class_guid", guid_equal(&s->class_guid, &no_class) ? NULL : guid);
	cli_add(o, "provider", s->provider);
	add_version(o, s->date, s->version);
	cli_add(o, "catalog", f->driver ? f->driver->catalog : catalog);
	cli_add_strings(o, "catalogs", &s->catalogs);
	cli_add(o, "signature", signature_verdict_name(f->signature.verdict));
	cli_add(o, "signature_reason", f->signature.reason);
	cli_add(o, "signer", f->signature.signer);
	cli_add(o, "signer_kind", signer_kind_name(f->signature.kind));
	cli_add_strings(o, "arch", &archs);
	strings_free(&archs);
	if (f->driver)
		cli_add_bool(o, "applies", f->driver->models.len > 0);
	add_sections(o, s);
	add_models(o, c, s);
	if (f->driver)
		add_installs(o, f->driver);
}

/* The line that a refusal names at the end of its subject ("x.inf:12"), or 0. */
static unsigned refused_line(const struct error *err)
{
	const char *colon = err->subject ? strrchr(err->subject, ':') : NULL;

	return colon ? (unsigned)strtoul(colon + 1, NULL, 10) : 0;
}

static void add_file(struct json_object *array, const struct inf_command *c,
		     const struct inf_view *f)
{
	struct json_object *o = cli_add_object(array, NULL);
	unsigned line = refused_line(&f->error);

	cli_add(o, "inf", path_base(f->media->path));
	cli_add(o, "path", f->media->label);
	if (f->selection) {
		add_facts(o, c, f);
		cli_add(o, "verdict", "ok");
		cli_add(o, "reason", f->not_for);
		cli_add(o, "remedy", NULL);
	} else {
		cli_add(o, "verdict", "refused");
		cli_add(o, "reason", f->error.reason);
		cli_add(o, "remedy", f->error.remedy);
	}
	if (!f->selection && line)
		cli_add_int(o, "line", line);
	else
		cli_add(o, "line", NULL);
}

/* False if the catalog of one of them was not there to look at. */
static bool all_checked(const struct device_view *view)
{
	vec_foreach (r, &view->ranking.list)
		if (r->signature == SIGNATURE_UNCHECKED)
			return false;
	return true;
}

static void add_ranking(struct json_object *array, const struct device_view *view)
{
	struct json_object *o = cli_add_object(array, NULL), *list;
	_cleanup_free_ char *target = target_format(&view->target);

	cli_add(o, "target", target);
	cli_add(o, "signature", all_checked(view) ? "checked" : "unchecked");
	list = cli_add_array(o, "candidates");
	vec_foreach (r, &view->ranking.list) {
		struct json_object *m = cli_add_object(list, NULL);
		char number[16];

		(void)snprintf(number, sizeof(number), "0x%08x", r->rank);
		cli_add(m, "path", r->inf);
		cli_add(m, "section", r->section);
		cli_add(m, "description", r->description);
		cli_add(m, "install", r->install);
		cli_add(m, "id", r->id);
		cli_add(m, "match", id_match_name(r->match));
		cli_add(m, "rank", number);
		cli_add_int(m, "feature_score", r->feature_score);
		cli_add(m, "signature", signature_verdict_name(r->signature));
		add_version(m, r->date, r->version);
		cli_add(m, "verdict", ranked_verdict_name(r->verdict));
		cli_add(m, "reason", r->reason);
		cli_add_int(m, "line", r->line);
	}
}

static void print_json(const struct inf_command *c)
{
	struct json_object *object = cli_object("gild.inf/1"), *array;
	_cleanup_free_ char *target = c->has_target ? target_format(&c->target) : NULL;
	struct strings problems = {.items = c->media.problems.items,
				   .len = c->media.problems.len};

	cli_add(object, "target", target);
	array = cli_add_array(object, "files");
	vec_foreach (f, &c->files)
		add_file(array, c, f);
	if (c->has_device) {
		struct json_object *device = cli_add_object(object, "device");

		cli_add_strings(device, "hardware_ids", &c->device.hardware);
		cli_add_strings(device, "compatible_ids", &c->device.compatible);
		array = cli_add_array(object, "rankings");
		vec_foreach (view, &c->rankings)
			add_ranking(array, view);
	}
	cli_add_strings(object, "problems", &problems);
	cli_print_json(object);
}

/* ---- text ---------------------------------------------------------------------------
 */

/* One line: text from an INF must not drive the terminal. */
static void print_line(const char *text)
{
	for (; *text; text++)
		putchar((unsigned char)*text < ' ' || *text == 0x7F ? '?' : *text);
	putchar('\n');
}

static void print_sections(const struct selection *s, bool has_target)
{
	struct cli_table table = {.columns = 3};

	if (!s->sections.len)
		return;
	cli_table_row(&table, "  MODELS SECTION", "MODELS",
		      has_target ? "FOR THIS WINDOWS" : "FOR", NULL);
	vec_foreach (section, &s->sections) {
		_cleanup_free_ char *name = xasprintf("  %s", section->name);
		_cleanup_free_ char *count = section->exists
						     ? xasprintf("%zu", section->models)
						     : xstrdup("-");

		cli_table_row(&table, name, count, section->reason ? section->reason : "",
			      NULL);
	}
	cli_table_print(&table, stdout);
}

static void print_models(const struct selection *s, bool all)
{
	struct cli_table table = {.columns = 3};

	cli_table_row(&table, "  HARDWARE ID", "INSTALLS", "MODEL", NULL);
	vec_foreach (line, &s->models) {
		const struct models_section *section = &s->sections.items[line->section];
		const char *id = line->ids.len ? line->ids.items[0] : "";
		_cleanup_free_ char *more = line->ids.len > 1
						    ? xasprintf("  %s (+%zu compatible)",
								id, line->ids.len - 1)
						    : xasprintf("  %s", id);

		if (all || section->verdict == DECORATION_CHOSEN)
			cli_table_row(&table, more, line->install ? line->install : "",
				      line->description ? line->description : "", NULL);
	}
	if (table.cells.len > table.columns)
		cli_table_print(&table, stdout);
	strings_free(&table.cells);
}

static void print_file(const struct inf_command *c, const struct inf_view *f)
{
	const struct selection *s = f->selection;
	_cleanup_buffer_ struct buffer text = BUFFER_INIT;
	char date[PACKAGE_DATE_TEXT_SIZE] = "no date", version[PACKAGE_VERSION_TEXT_SIZE];
	char guid[GUID_TEXT_SIZE];
	const char *catalog;

	if (!s) {
		unsigned line = refused_line(&f->error);

		buffer_printf(&text, "%s: refused: ", f->media->label);
		if (line)
			buffer_printf(&text, "line %u: ", line);
		buffer_printf(&text, "%s%s%s", f->error.reason,
			      f->error.remedy ? "; " : "",
			      f->error.remedy ? f->error.remedy : "");
	} else {
		catalog = f->driver	    ? f->driver->catalog
			  : s->catalogs.len ? s->catalogs.items[0]
					    : NULL;
		if (s->date)
			package_date_text(s->date, date);
		package_version_text(s->version, version);
		guid_format(&s->class_guid, guid);
		buffer_printf(&text, "%s: class %s, %s, %s, version %s, %s%s",
			      f->media->label, s->class_name ? s->class_name : guid,
			      s->provider ? s->provider : "no provider", date, version,
			      catalog ? "catalog " : "no catalog",
			      catalog ? catalog : "");
		if (f->signature.signer)
			buffer_printf(&text, ", signed by %s", f->signature.signer);
		if (f->signature.reason && catalog)
			buffer_printf(&text, ", signature %s: %s",
				      signature_verdict_name(f->signature.verdict),
				      f->signature.reason);
	}
	_cleanup_free_ char *line_text = buffer_steal_string(&text);

	print_line(line_text);
	if (!s)
		return;
	print_sections(s, c->has_target);
	if (f->not_for) {
		_cleanup_free_ char *why =
			xasprintf("  nothing for this Windows: %s", f->not_for);

		print_line(why);
	}
	if (c->has_target || cli_verbose)
		print_models(s, cli_verbose);
}

static void print_ranking(const struct inf_command *c, const struct device_view *view)
{
	struct cli_table table = {.columns = 7};
	_cleanup_free_ char *target = target_format(&view->target);
	_cleanup_free_ char *title =
		xasprintf("%s on Windows %s%s%s", c->device.hardware.items[0], target,
			  c->has_target ? "" : " (taken because --for is not given)",
			  all_checked(view) ? "" : " (signatures not checked)");

	print_line(title);
	if (!view->ranking.list.len) {
		puts("  no INF has a model for this device");
		return;
	}
	cli_table_row(&table, "  VERDICT", "INF", "RANK", "DATE", "VERSION", "MATCHED ID",
		      "WHY", NULL);
	vec_foreach (r, &view->ranking.list) {
		_cleanup_free_ char *verdict =
			xasprintf("  %s", r->verdict == RANKED_NOT_FOR_TARGET
						  ? "not for it"
						  : ranked_verdict_name(r->verdict));
		char number[16], date[PACKAGE_DATE_TEXT_SIZE] = "",
				 version[PACKAGE_VERSION_TEXT_SIZE];

		(void)snprintf(number, sizeof(number), "0x%08x", r->rank);
		if (r->date)
			package_date_text(r->date, date);
		package_version_text(r->version, version);
		cli_table_row(&table, verdict, r->inf, number, date, version, r->id,
			      r->reason ? r->reason : id_match_name(r->match), NULL);
	}
	cli_table_print(&table, stdout);
}

static void print_text(const struct inf_command *c)
{
	bool first = true;

	vec_foreach (view, &c->rankings) {
		if (!first)
			putchar('\n');
		first = false;
		print_ranking(c, view);
	}
	vec_foreach (f, &c->files) {
		/* With a device the ranking is the answer; the files are detail. */
		if (c->has_device && f->selection && !cli_verbose)
			continue;
		if (!first)
			putchar('\n');
		first = false;
		print_file(c, f);
	}
	for (size_t i = 0; i < c->media.problems.len; i++) {
		_cleanup_free_ char *text =
			xasprintf("problem: %s", c->media.problems.items[i]);

		print_line(text);
	}
}

/* ---- the command --------------------------------------------------------------------
 */

/* One ID gives the lists that its bus reports; several are the list, as they stand. */
static void read_device(struct inf_command *c, const struct strings *ids)
{
	c->has_device = ids->len > 0;
	if (ids->len == 1)
		device_ids_of(ids->items[0], &c->device);
	else
		vec_foreach (id, ids)
			strings_push(&c->device.hardware, *id);
}

static int exit_code(const struct inf_command *c)
{
	bool matched = !c->has_device;

	if (c->media.problems.len)
		return ERROR_ANSWER_NO;
	vec_foreach (f, &c->files)
		if (!f->selection)
			return ERROR_ANSWER_NO;
	vec_foreach (view, &c->rankings)
		vec_foreach (r, &view->ranking.list)
			matched = matched || r->verdict == RANKED_CHOSEN;
	return matched ? 0 : ERROR_ANSWER_NO;
}

int cmd_inf(const struct cli_command *command, int argc, char **argv)
{
	_cleanup_(command_free) struct inf_command c = {
		.signing = signing_open(UNSIGNED_ALLOW)};
	_cleanup_(strings_free) struct strings paths = VEC_INIT, ids = VEC_INIT;
	_cleanup_error_ struct error err = ERROR_INIT;
	const char *target = NULL;
	const struct cli_option options[] = {
		{"for", "VERSION/ARCH[/client|server|dc][/SUITE]", CLI_STRING, &target,
		 "the Windows to choose for, as 10.0.19041/amd64"},
		{"device", "ID", CLI_STRINGS, &ids,
		 "rank the drivers for the device with this hardware ID"},
		CLI_END,
	};
	int code = cli_parse(command, options, argc, argv, &paths);

	if (code >= 0)
		return code;
	if (!paths.len)
		return cli_usage(command, "give an INF, a folder or an archive");
	if (target && target_parse(target, &c.target, &err) < 0)
		return cli_fail(&err);
	c.has_target = target != NULL;
	read_device(&c, &ids);
	code = read_all(&c, &paths);
	if (code >= 0)
		return code;
	if (c.has_device)
		rank(&c);
	if (cli_json)
		print_json(&c);
	else
		print_text(&c);
	return exit_code(&c);
}
