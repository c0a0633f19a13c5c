/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every Models section and model of an INF, with the verdict for a target. */
#include "injector/selection.h"

#include "base/text.h"
#include "injector/driver_private.h"

static void read_facts(struct inf *inf, struct selection *s)
{
	size_t version = inf_find_section(inf, "Version");
	struct version_facts f;

	version_facts_read(inf, &f);
	s->class_name = steal_ptr(f.class_name);
	s->class_guid = f.class_guid;
	s->provider = steal_ptr(f.provider);
	s->date = f.date;
	s->version = f.version;
	version_facts_free(&f);
	for (size_t i = 0; i < inf_section_lines(inf, version); i++) {
		struct inf_line line = inf_line(inf, version, i);
		const char *key = inf_key(inf, &line), *value = inf_field(inf, &line, 0);

		if ((text_equal(key, "CatalogFile") ||
		     text_starts_with(key, "CatalogFile.")) &&
		    *value && !strings_contain(&s->catalogs, value))
			strings_push(&s->catalogs, value);
	}
}

/* "less specific than [X]" needs the section that won. */
static char *reason_of(const struct models_candidates *all,
		       const struct models_candidate *c, const struct target *target)
{
	if (c->verdict == DECORATION_LESS_SPECIFIC) {
		vec_foreach (o, all)
			if (o->group == c->group && o->verdict == DECORATION_CHOSEN)
				return xasprintf("less specific than [%s]", o->name);
	}
	if (c->verdict == DECORATION_CHOSEN && c->section == INF_NONE)
		return xstrdup("chosen, but the file has no such section");
	return decoration_text(c, target);
}

static int read_lines(struct inf *inf, const struct models_candidate *c, size_t index,
		      struct selection *s, struct error *err)
{
	size_t n = inf_section_lines(inf, c->section);

	for (size_t i = 0; i < n; i++) {
		struct inf_line line = inf_line(inf, c->section, i);
		struct model_line m = {.section = index, .line = line.number};

		if (!line.has_key || !line.fields)
			continue;
		if (s->models.len >= WORK_MAX || !inf_within_limits(inf))
			return inf_refuse(inf, line.number, err,
					  "names more models than can be read");
		m.description = xstrdup(inf_key(inf, &line));
		m.install = xstrdup(inf_field(inf, &line, 0));
		for (size_t j = 1; j < line.fields; j++) {
			_cleanup_free_ char *id = device_id_field(inf, &line, j);

			if (*id || j == 1)
				vec_push(&m.ids, steal_ptr(id));
		}
		vec_push(&s->models, m);
		s->sections.items[index].models++;
	}
	return 0;
}

static int read_sections(struct inf *inf, const struct target *target,
			 struct selection *s, struct error *err)
{
	struct models_candidates all = VEC_INIT;
	int result = models_candidates_read(inf, target, &all, err);

	for (size_t i = 0; i < all.len && result == 0; i++) {
		struct models_candidate *c = &all.items[i];
		struct models_section m = {
			.manufacturer = xstrdup(c->manufacturer),
			.name = xstrdup(c->name),
			.decoration = xstrdup(c->text),
			.exists = c->section != INF_NONE,
			.verdict = c->verdict,
			.reason = reason_of(&all, c, target),
			.line = c->line,
		};

		vec_push(&s->sections, m);
		if (m.exists)
			result = read_lines(inf, c, i, s, err);
	}
	models_candidates_free(&all);
	return result;
}

struct selection *selection_read(const char *inf_name, struct bytes raw,
				 const struct target *target, struct error *err)
{
	_cleanup_selection_ struct selection *s = xcalloc(1, sizeof(*s));
	_cleanup_inf_ struct inf *inf = inf_open(inf_name, raw, err);

	if (!inf)
		return NULL;
	if (target)
		inf_set_language(inf, target->language);
	s->inf_name = xstrdup(path_base(inf_name));
	read_facts(inf, s);
	if (read_sections(inf, target, s, err) < 0)
		return NULL;
	return steal_ptr(s);
}

void selection_close(struct selection *s)
{
	if (!s)
		return;
	vec_foreach (m, &s->sections) {
		free(m->manufacturer);
		free(m->name);
		free(m->decoration);
		free(m->reason);
	}
	vec_free(&s->sections);
	vec_foreach (l, &s->models) {
		free(l->description);
		free(l->install);
		strings_free(&l->ids);
	}
	vec_free(&s->models);
	strings_free(&s->catalogs);
	free(s->inf_name);
	free(s->class_name);
	free(s->provider);
	free(s);
}

void selection_closep(struct selection **selection)
{
	selection_close(*selection);
	*selection = NULL;
}
