/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An INF from its bytes to a `struct driver`, and its end. */
#include "base/text.h"
#include "injector/driver_private.h"
#include "windows/driverdb.h"

char *driver_store_name(const char *inf_name, struct bytes raw, enum windows_arch arch)
{
	_cleanup_free_ char *lower = text_lower(path_base(inf_name));
	char hash[STORE_HASH_TEXT_SIZE];

	store_hash(raw, hash);
	return xasprintf("%s_%s_%s", lower, arch_name(arch), hash);
}

/* The tokens of the target's language before those of [Strings]. */
static void add_strings(struct reading *r, const char *section)
{
	size_t at = inf_find_section(r->inf, section);
	size_t n = at == INF_NONE ? 0 : inf_section_lines(r->inf, at);

	for (size_t i = 0; i < n; i++) {
		struct inf_line line = inf_line(r->inf, at, i);
		const char *token = inf_key_raw(r->inf, &line), *text;

		text = line.has_key ? inf_string(r->inf, token) : NULL;
		/* A token given twice counts once: the one that substitution takes. */
		if (!text || text != inf_field_raw(r->inf, &line, 0))
			continue;
		vec_push(&r->driver->strings,
			 (struct inf_string){text_lower(token), xstrdup(text)});
	}
}

static void read_strings(struct reading *r)
{
	for (size_t i = 0; i < inf_sections(r->inf); i++)
		if (text_equal(inf_section_name(r->inf, i), "Strings") ||
		    text_starts_with(inf_section_name(r->inf, i), "Strings."))
			add_strings(r, inf_section_name(r->inf, i));
}

static void read_control_flags(struct reading *r)
{
	size_t at = inf_find_section(r->inf, "ControlFlags");
	struct inf_line line;

	if (at == INF_NONE || !inf_find_key(r->inf, at, "ExcludeID", &line))
		return;
	for (size_t i = 0; i < line.fields; i++)
		if (*inf_field(r->inf, &line, i))
			strings_push(&r->driver->exclude_ids,
				     inf_field(r->inf, &line, i));
}

static int read_all(struct reading *r)
{
	struct driver *d = r->driver;

	read_version(r);
	read_strings(r);
	read_control_flags(r);
	d->default_install =
		actual_section(r->inf, "DefaultInstall", r->target->arch) != INF_NONE;
	if (read_models(r) < 0)
		return -1;
	vec_foreach (c, &d->configurations)
		if (read_configuration(r, c) < 0)
			return -1;
	if (read_class_install(r) < 0)
		return -1;
	/* Where nothing applies, nothing is taken from the package. */
	if (d->models.len && read_source_files(r) < 0)
		return -1;
	if (!inf_within_limits(r->inf))
		return inf_refuse(r->inf, 0, r->err,
				  "its strings multiply beyond bounds");
	return 0;
}

struct driver *driver_open(const char *inf_name, struct bytes raw,
			   const struct target *target, driver_include_fn *include,
			   void *include_arg, char **reason, struct error *err)
{
	_cleanup_driver_ struct driver *d = xcalloc(1, sizeof(*d));
	struct reading r = {.driver = d,
			    .target = target,
			    .include = include,
			    .include_arg = include_arg,
			    .err = err};
	int result;

	if (reason)
		*reason = NULL;
	r.inf = inf_open(inf_name, raw, err);
	if (!r.inf)
		return NULL;
	inf_set_language(r.inf, target->language);
	vec_push(&r.infs, r.inf);
	d->inf_name = xstrdup(path_base(inf_name));
	buffer_append(&d->raw, raw.data, raw.len);
	result = read_all(&r);
	if (result == 0 && !d->models.len && reason)
		*reason = models_reason(r.inf, target);
	for (size_t i = 0; i < r.infs.len; i++)
		inf_close(r.infs.items[i]);
	vec_free(&r.infs);
	strings_free(&r.missing);
	free(r.store_path);
	return result < 0 ? NULL : steal_ptr(d);
}

static void files_free(struct inf_files *files)
{
	vec_foreach (f, files) {
		free(f->name);
		free(f->source);
		free(f->source_path);
		free(f->subdir);
	}
	vec_free(files);
}

static void service_free(struct inf_service *s)
{
	free(s->name);
	free(s->display_name);
	free(s->display_token);
	free(s->text_inf);
	free(s->description);
	free(s->description_token);
	free(s->group);
	free(s->binary);
	strings_free(&s->dependencies);
	free(s->security);
	free(s->start_name);
	regs_free(&s->regs);
	free(s->eventlog_type);
	free(s->eventlog_name);
	regs_free(&s->eventlog);
}

void configuration_free(struct inf_configuration *c)
{
	free(c->name);
	free(c->base);
	files_free(&c->files);
	regs_free(&c->regs);
	regs_free(&c->hw_regs);
	vec_foreach (s, &c->services)
		service_free(s);
	vec_free(&c->services);
	vec_foreach (f, &c->filters) {
		free(f->name);
		free(f->level);
	}
	vec_free(&c->filters);
	vec_foreach (i, &c->interfaces) {
		free(i->reference);
		regs_free(&i->regs);
	}
	vec_free(&c->interfaces);
	vec_foreach (p, &c->properties)
		buffer_free(&p->data);
	vec_free(&c->properties);
	strings_free(&c->included_infs);
	strings_free(&c->included_configs);
	strings_free(&c->components);
	strings_free(&c->software);
	strings_free(&c->copy_infs);
	strings_free(&c->exclude_ids);
	strings_free(&c->unsupported);
}

static void models_free(struct inf_models *models)
{
	vec_foreach (m, models) {
		free(m->manufacturer);
		free(m->manufacturer_token);
		free(m->description);
		free(m->description_token);
		strings_free(&m->ids);
		free(m->section);
	}
	vec_free(models);
}

void driver_close(struct driver *d)
{
	if (!d)
		return;
	free(d->inf_name);
	buffer_free(&d->raw);
	free(d->class_name);
	free(d->provider);
	free(d->provider_token);
	free(d->catalog);
	models_free(&d->models);
	vec_foreach (c, &d->configurations)
		configuration_free(c);
	vec_free(&d->configurations);
	strings_free(&d->exclude_ids);
	vec_foreach (s, &d->strings) {
		free(s->token);
		free(s->text);
	}
	vec_free(&d->strings);
	files_free(&d->source_files);
	regs_free(&d->class_regs);
	strings_free(&d->unsupported);
	free(d);
}

void driver_closep(struct driver **driver)
{
	driver_close(*driver);
	*driver = NULL;
}
