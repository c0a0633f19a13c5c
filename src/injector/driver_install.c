/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * DDInstall sections and the sections that belong to them, with Include= and Needs=
 * followed. As with SetupAPI an included INF is appended to the one that includes it: a
 * section is looked for in all of them, the including one first.
 */
#include "base/text.h"
#include "injector/driver_private.h"

#include <stdarg.h>
#include <stdio.h>

size_t actual_section(const struct inf *inf, const char *base, enum windows_arch arch)
{
	_cleanup_free_ char *exact = xasprintf("%s.NT%s", base, arch_name(arch));
	_cleanup_free_ char *nt = xasprintf("%s.NT", base);
	size_t section = inf_find_section(inf, exact);

	if (section == INF_NONE)
		section = inf_find_section(inf, nt);
	return section == INF_NONE ? inf_find_section(inf, base) : section;
}

int reading_work(struct reading *r, const struct inf *inf, unsigned line)
{
	if (++r->work <= WORK_MAX && inf_within_limits(inf))
		return 0;
	return inf_refuse(r->inf, inf == r->inf ? line : 0, r->err,
			  "asks for more than %u entries to be read: its sections name "
			  "each other too often",
			  WORK_MAX);
}

void reading_remark(struct reading *r, struct strings *to, const struct inf *inf,
		    unsigned line, const char *fmt, ...)
{
	_cleanup_free_ char *what = NULL;
	char *text;
	va_list ap;

	/* Hostile files could make any number; nobody reads that many. */
	if (to->len >= 200)
		return;
	r->work += 20; /* for the search below */
	va_start(ap, fmt);
	if (vasprintf(&what, fmt, ap) < 0)
		what = NULL;
	va_end(ap);
	text = inf == r->inf
		       ? xasprintf("%s (line %u)", what ? what : fmt, line)
		       : xasprintf("%s (%s:%u)", what ? what : fmt, inf_name(inf), line);
	if (!strings_contain(to, text))
		vec_push(to, text);
	else
		free(text);
}

int each_line(struct reading *r, const char *section, line_fn *fn, void *arg, bool *found)
{
	if (found)
		*found = false;
	for (size_t i = 0; i < r->infs.len; i++) {
		struct inf *inf = r->infs.items[i];
		size_t at = inf_find_section(inf, section);

		if (at == INF_NONE)
			continue;
		if (found)
			*found = true;
		for (size_t j = 0; j < inf_section_lines(inf, at); j++) {
			struct inf_line line = inf_line(inf, at, j);

			if (reading_work(r, inf, line.number) < 0 ||
			    fn(r, inf, &line, arg) < 0)
				return -1;
		}
	}
	return 0;
}

/* ---- Include ----------------------------------------------------------------------- */

static bool is_loaded(const struct reading *r, const char *name)
{
	for (size_t i = 0; i < r->infs.len; i++)
		if (text_equal(inf_name(r->infs.items[i]), name))
			return true;
	return false;
}

static int load_include(struct reading *r, struct inf *inf, unsigned line,
			const char *name, struct strings *unsupported)
{
	_cleanup_buffer_ struct buffer raw = BUFFER_INIT;
	_cleanup_error_ struct error why = ERROR_INIT;
	struct inf *other;
	int found;

	if (is_loaded(r, name))
		return 0;
	if (check_path(inf, line, "Include", name, r->err) < 0)
		return -1;
	if (r->infs.len > INCLUDES_MAX)
		return inf_refuse(inf, line, r->err, "more than %u INFs are included",
				  INCLUDES_MAX);
	found = r->include && !strings_contain(&r->missing, name)
			? r->include(name, &raw, r->include_arg, r->err)
			: 0;
	if (found < 0)
		return -1;
	if (!found) {
		strings_push(&r->missing, name);
		reading_remark(r, unsupported, inf, line,
			       "Include=%s, which is not in the image", name);
		return 0;
	}
	other = inf_open(name, buffer_view(&raw), &why);
	if (!other) {
		strings_push(&r->missing, name);
		reading_remark(r, unsupported, inf, line, "Include=%s, which is damaged",
			       name);
		return 0;
	}
	inf_set_language(other, r->target->language);
	vec_push(&r->infs, other);
	return 0;
}

int load_includes(struct reading *r, struct inf *inf, const struct inf_line *line,
		  struct strings *names, struct strings *unsupported)
{
	for (size_t i = 0; i < line->fields; i++) {
		const char *name = inf_field(inf, line, i);

		if (!*name)
			continue;
		if (names && !strings_contain(names, name))
			strings_push(names, name);
		if (load_include(r, inf, line->number, name, unsupported) < 0)
			return -1;
	}
	return 0;
}

/* ---- the directives of one kind of section ----------------------------------------- */

struct install {
	struct inf_configuration *c;
	struct inf_regs *regs;
	line_fn *fn; /* for Needs */
	unsigned depth;
	bool own;	      /* the section itself, not one it needs */
	struct strings *seen; /* sections already read, by Needs */
};

/* Directives that SetupAPI carries out and gild does not. */
static const char *const not_carried_out[] = {
	"BitReg",      "Ini2Reg",	"UpdateInis",	"UpdateIniFields",
	"LogConfig",   "ProfileItems",	"RegisterDlls", "UnregisterDlls",
	"DelProperty", "UpdateAutoBat", "UpdateCfgSys", "UpdateConfig",
};

static int read_needs(struct reading *r, struct inf *inf, const struct inf_line *line,
		      struct install *in)
{
	struct install deeper = *in;

	deeper.depth++;
	deeper.own = false;
	for (size_t i = 0; i < line->fields; i++) {
		const char *name = inf_field(inf, line, i);
		bool found;

		if (!*name || strings_contain(in->seen, name))
			continue;
		if (deeper.depth > NEEDS_DEPTH_MAX)
			return inf_refuse(inf, line->number, r->err,
					  "Needs leads more than %u sections deep",
					  NEEDS_DEPTH_MAX);
		if (in->own)
			strings_push(&in->c->included_configs, name);
		strings_push(in->seen, name);
		if (each_line(r, name, in->fn, &deeper, &found) < 0)
			return -1;
		if (!found)
			reading_remark(r, &in->c->unsupported, inf, line->number,
				       "Needs=%s, which is in no INF at hand", name);
	}
	return 0;
}

static void push_all(struct inf *inf, const struct inf_line *line, struct strings *to)
{
	for (size_t i = 0; i < line->fields; i++) {
		const char *value = inf_field(inf, line, i);

		if (*value && !strings_contain(to, value))
			strings_push(to, value);
	}
}

static void read_feature_score(struct inf *inf, const struct inf_line *line,
			       const struct install *in)
{
	uint32_t score = inf_number(inf, line, 0, UINT32_MAX);

	/* Only the section's own first one counts. */
	if (!in->own || in->c->has_feature_score || score == UINT32_MAX)
		return;
	in->c->has_feature_score = true;
	in->c->feature_score = score;
}

/* What all kinds of install sections share. 1: done, 0: another directive. */
static int read_common(struct reading *r, struct inf *inf, const struct inf_line *line,
		       const char *key, struct install *in)
{
	struct inf_configuration *c = in->c;

	if (text_equal(key, "AddReg"))
		return read_reg_lists(r, inf, line, false, in->regs, &c->unsupported)
			       ?: 1;
	if (text_equal(key, "DelReg"))
		return read_reg_lists(r, inf, line, true, in->regs, &c->unsupported) ?: 1;
	if (text_equal(key, "Include"))
		return load_includes(r, inf, line, &c->included_infs, &c->unsupported)
			       ?: 1;
	if (text_equal(key, "Needs"))
		return read_needs(r, inf, line, in) ?: 1;
	if (text_equal(key, "CopyFiles"))
		return read_file_list(r, inf, line, INF_FILE_COPY, &c->files,
				      &c->unsupported)
			       ?: 1;
	if (text_equal(key, "DelFiles"))
		return read_file_list(r, inf, line, INF_FILE_DELETE, &c->files,
				      &c->unsupported)
			       ?: 1;
	if (text_equal(key, "RenFiles"))
		return read_file_list(r, inf, line, INF_FILE_RENAME, &c->files,
				      &c->unsupported)
			       ?: 1;
	for (size_t i = 0; i < ARRAY_SIZE(not_carried_out); i++)
		if (text_equal(key, not_carried_out[i])) {
			reading_remark(r, &c->unsupported, inf, line->number, "%s",
				       not_carried_out[i]);
			return 1;
		}
	return 0;
}

static int install_line(struct reading *r, struct inf *inf, const struct inf_line *line,
			void *arg)
{
	struct install *in = arg;
	const char *key = inf_key(inf, line);
	int done = read_common(r, inf, line, key, in);

	if (done)
		return done < 0 ? -1 : 0;
	if (text_equal(key, "AddProperty"))
		return read_property_lists(r, inf, line, &in->c->properties,
					   &in->c->unsupported);
	if (text_equal(key, "CopyINF"))
		push_all(inf, line, &in->c->copy_infs);
	else if (text_equal(key, "ExcludeID"))
		push_all(inf, line, &in->c->exclude_ids);
	else if (text_equal(key, "FeatureScore"))
		read_feature_score(inf, line, in);
	else if (text_equal(key, "Reboot") || text_equal(key, "Restart"))
		in->c->reboot = true;
	return 0;
}

static int hardware_line(struct reading *r, struct inf *inf, const struct inf_line *line,
			 void *arg)
{
	return read_common(r, inf, line, inf_key(inf, line), arg) < 0 ? -1 : 0;
}

static int services_line(struct reading *r, struct inf *inf, const struct inf_line *line,
			 void *arg)
{
	struct install *in = arg;
	const char *key = inf_key(inf, line);

	if (text_equal(key, "AddService"))
		return read_add_service(r, inf, line, in->c);
	if (text_equal(key, "DelService"))
		return read_del_service(r, inf, line, in->c);
	return read_common(r, inf, line, key, in) < 0 ? -1 : 0;
}

/* ---- .Filters ---------------------------------------------------------------------- */

static int filter_line(struct reading *r _unused_, struct inf *inf,
		       const struct inf_line *line, void *arg)
{
	struct inf_filter *f = arg;
	const char *key = inf_key(inf, line), *value = inf_field(inf, line, 0);

	if (text_equal(key, "FilterPosition")) {
		f->upper = text_equal(value, "Upper");
		f->position = f->upper ? 1 : 2;
	} else if (text_equal(key, "FilterLevel") && *value && !f->level) {
		f->level = xstrdup(value);
	}
	return 0;
}

static int filters_line(struct reading *r, struct inf *inf, const struct inf_line *line,
			void *arg)
{
	struct install *in = arg;
	const char *key = inf_key(inf, line);
	struct inf_filter f = {.line = line->number};
	int result;

	if (!text_equal(key, "AddFilter"))
		return read_common(r, inf, line, key, in) < 0 ? -1 : 0;
	f.name = xstrdup(inf_field(inf, line, 0));
	result = each_line(r, inf_field(inf, line, 2), filter_line, &f, NULL);
	if (!f.position && !f.level)
		reading_remark(r, &in->c->unsupported, inf, line->number,
			       "AddFilter=%s without FilterPosition or FilterLevel",
			       f.name);
	vec_push(&in->c->filters, f);
	return result;
}

/* ---- .Interfaces ------------------------------------------------------------------- */

struct interface_arg {
	struct install in;
	struct inf_interface *interface;
};

static int interface_line(struct reading *r, struct inf *inf, const struct inf_line *line,
			  void *arg)
{
	struct interface_arg *a = arg;
	const char *key = inf_key(inf, line);

	if (text_equal(key, "AddProperty"))
		reading_remark(r, &a->in.c->unsupported, inf, line->number,
			       "AddProperty of a device interface");
	return read_common(r, inf, line, key, &a->in) < 0 ? -1 : 0;
}

static int interfaces_line(struct reading *r, struct inf *inf,
			   const struct inf_line *line, void *arg)
{
	struct install *in = arg;
	const char *key = inf_key(inf, line), *class = inf_field(inf, line, 0);
	struct inf_interface f = {0};
	struct interface_arg a = {.in = *in, .interface = &f};
	int result = 0;

	if (!text_equal(key, "AddInterface"))
		return read_common(r, inf, line, key, in) < 0 ? -1 : 0;
	if (!guid_parse(class, &f.class_guid)) {
		reading_remark(r, &in->c->unsupported, inf, line->number,
			       "AddInterface of \"%s\", which is no GUID", class);
		return 0;
	}
	if (*inf_field(inf, line, 1))
		f.reference = xstrdup(inf_field(inf, line, 1));
	f.flags = inf_number(inf, line, 3, 0);
	a.in.regs = &f.regs;
	a.in.fn = interface_line;
	if (*inf_field(inf, line, 2))
		result = each_line(r, inf_field(inf, line, 2), interface_line, &a, NULL);
	vec_push(&in->c->interfaces, f);
	return result;
}

/* ---- the sections that are only reported ------------------------------------------- */

static int co_installers_line(struct reading *r, struct inf *inf,
			      const struct inf_line *line, void *arg)
{
	struct install *in = arg;
	struct inf_regs ignored =
		VEC_INIT; /* names the co-installers: never run offline */
	const char *key = inf_key(inf, line);
	struct install quiet = *in;
	int result;

	quiet.regs = &ignored;
	if (text_equal(key, "AddReg")) {
		in->c->co_installers = true;
		reading_remark(r, &in->c->unsupported, inf, line->number, "co-installer");
	}
	result = read_common(r, inf, line, key, &quiet);
	regs_free(&ignored);
	return result < 0 ? -1 : 0;
}

static int components_line(struct reading *r, struct inf *inf,
			   const struct inf_line *line, void *arg)
{
	struct install *in = arg;
	const char *key = inf_key(inf, line), *name = inf_field(inf, line, 0);

	if (text_equal(key, "AddComponent") && *name)
		strings_push(&in->c->components, name);
	else
		return read_common(r, inf, line, key, in) < 0 ? -1 : 0;
	return 0;
}

static int software_line(struct reading *r, struct inf *inf, const struct inf_line *line,
			 void *arg)
{
	struct install *in = arg;
	const char *key = inf_key(inf, line), *name = inf_field(inf, line, 0);

	if (!text_equal(key, "AddSoftware") || !*name)
		return read_common(r, inf, line, key, in) < 0 ? -1 : 0;
	strings_push(&in->c->software, name);
	reading_remark(r, &in->c->unsupported, inf, line->number,
		       "AddSoftware=%s, which a running Windows installs", name);
	return 0;
}

/* Names each directive: nothing of these sections is carried out offline. */
static int reported_line(struct reading *r, struct inf *inf, const struct inf_line *line,
			 void *arg)
{
	struct install *in = arg;
	const char *key = inf_key(inf, line), *name = inf_field(inf, line, 0);

	if (text_equal(key, "Include") || text_equal(key, "Needs"))
		return read_common(r, inf, line, key, in) < 0 ? -1 : 0;
	reading_remark(r, &in->c->unsupported, inf, line->number, "%s%s%s", key,
		       *name ? "=" : "", name);
	return 0;
}

/* The framework's own settings: read by its co-installer or by Windows, not by setup. */
static int framework_line(struct reading *r, struct inf *inf, const struct inf_line *line,
			  void *arg)
{
	return read_common(r, inf, line, inf_key(inf, line), arg) < 0 ? -1 : 0;
}

/* ---- a whole configuration --------------------------------------------------------- */

static const struct {
	const char *suffix;
	line_fn *fn;
} sub_sections[] = {
	{"HW", hardware_line},
	{"Services", services_line},
	{"Filters", filters_line},
	{"Interfaces", interfaces_line},
	{"CoInstallers", co_installers_line},
	{"Wdf", framework_line},
	{"Components", components_line},
	{"Software", software_line},
	{"Events", reported_line},
	{"LogConfigOverride", reported_line},
	{"FactDef", reported_line},
	{"WMI", reported_line},
	{"COM", reported_line},
};

static int read_sub_section(struct reading *r, struct inf_configuration *c, size_t i)
{
	_cleanup_free_ char *name = xasprintf("%s.%s", c->name, sub_sections[i].suffix);
	struct strings seen = VEC_INIT;
	struct install in = {
		.c = c,
		.regs = sub_sections[i].fn == hardware_line ? &c->hw_regs : &c->regs,
		.fn = sub_sections[i].fn,
		.own = true,
		.seen = &seen,
	};
	int result;

	strings_push(&seen, name);
	result = each_line(r, name, in.fn, &in, NULL);
	strings_free(&seen);
	return result;
}

int read_configuration(struct reading *r, struct inf_configuration *c)
{
	struct strings seen = VEC_INIT;
	struct install in = {
		.c = c, .regs = &c->regs, .fn = install_line, .own = true, .seen = &seen};
	int result;

	if (c->missing)
		return 0;
	strings_push(&seen, c->name);
	result = each_line(r, c->name, install_line, &in, NULL);
	strings_free(&seen);
	for (size_t i = 0; i < ARRAY_SIZE(sub_sections) && result == 0; i++)
		result = read_sub_section(r, c, i);
	return result;
}

/* ---- ClassInstall32 ---------------------------------------------------------------- */

int read_class_install(struct reading *r)
{
	size_t section = actual_section(r->inf, "ClassInstall32", r->target->arch);
	struct inf_configuration c = {0};
	struct strings seen = VEC_INIT;
	struct install in = {.c = &c,
			     .regs = &r->driver->class_regs,
			     .fn = hardware_line,
			     .own = true,
			     .seen = &seen};
	int result;

	if (section == INF_NONE)
		return 0;
	r->driver->class_install = true;
	result = each_line(r, inf_section_name(r->inf, section), in.fn, &in, NULL);
	vec_foreach (s, &c.unsupported)
		strings_push(&r->driver->unsupported, *s);
	strings_free(&seen);
	configuration_free(&c);
	return result;
}
