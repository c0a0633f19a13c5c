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

int reading_cost(struct reading *r, const struct inf *inf, unsigned line, size_t cost)
{
	size_t left = WORK_MAX - r->work;

	if (cost <= left && inf_within_limits(inf)) {
		r->work += (uint32_t)cost;
		return 0;
	}
	return inf_refuse(r->inf, inf == r->inf ? line : 0, r->err,
			  "asks for far more than any real INF does (over %u entries)",
			  WORK_MAX);
}

int reading_work(struct reading *r, const struct inf *inf, const struct inf_line *line)
{
	return reading_cost(r, inf, line->number, 1 + line->fields / 16);
}

int push_unique(struct reading *r, const struct inf *inf, const struct inf_line *line,
		struct strings *to, const char *value)
{
	if (reading_cost(r, inf, line->number, 1 + to->len / 16) < 0)
		return -1;
	if (!strings_contain(to, value))
		strings_push(to, value);
	return 0;
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
	r->work += WORK_MAX - r->work < 20 ? 0 : 20; /* for the search below */
	va_start(ap, fmt);
	what = xvasprintf(fmt, ap);
	va_end(ap);
	text = inf == r->inf ? xasprintf("%s (line %u)", what, line)
			     : xasprintf("%s (%s:%u)", what, inf_name(inf), line);
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

			if (reading_work(r, inf, &line) < 0 || fn(r, inf, &line, arg) < 0)
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
		if (names && push_unique(r, inf, line, names, name) < 0)
			return -1;
		if (load_include(r, inf, line->number, name, unsupported) < 0)
			return -1;
	}
	return 0;
}

/* ---- the directives of one kind of section ----------------------------------------- */

/* A Needs line, put off until the other directives of its section are read. */
struct need {
	struct inf *inf;
	struct inf_line line;
};

struct install {
	struct inf_configuration *c;
	struct inf_regs *regs;
	line_fn *fn; /* for Needs */
	unsigned depth;
	bool own;	      /* the section itself, not one it needs */
	struct strings *seen; /* sections already read, by Needs */
	struct vec_of(struct need) needs;
};

/* Directives that SetupAPI carries out and gild does not. */
static const char *const not_carried_out[] = {
	"BitReg",      "Ini2Reg",	"UpdateInis",	"UpdateIniFields",
	"LogConfig",   "ProfileItems",	"RegisterDlls", "UnregisterDlls",
	"DelProperty", "UpdateAutoBat", "UpdateCfgSys", "UpdateConfig",
};

static int read_section(struct reading *r, const char *name, struct install *in,
			bool *found);

static int read_need(struct reading *r, const struct need *need, const struct install *in)
{
	const struct inf_line *line = &need->line;

	for (size_t i = 0; i < line->fields; i++) {
		struct install deeper = {in->c, in->regs, in->fn,  in->depth + 1,
					 false, in->seen, VEC_INIT};
		const char *name = inf_field(need->inf, line, i);
		bool found;

		if (reading_cost(r, need->inf, line->number, 1 + in->seen->len / 16) < 0)
			return -1;
		if (!*name || strings_contain(in->seen, name))
			continue;
		if (deeper.depth > NEEDS_DEPTH_MAX)
			return inf_refuse(need->inf, line->number, r->err,
					  "Needs leads more than %u sections deep",
					  NEEDS_DEPTH_MAX);
		if (in->own)
			strings_push(&in->c->included_configs, name);
		strings_push(in->seen, name);
		if (read_section(r, name, &deeper, &found) < 0)
			return -1;
		/* When an INF is not there, that was said where it is included. */
		if (!found && !r->missing.len)
			reading_remark(r, &in->c->unsupported, need->inf, line->number,
				       "Needs=%s, which is in no INF at hand", name);
	}
	return 0;
}

/*
 * A section and what it needs, in Windows' order: all its own directives first, so that
 * what they set is there when a needed section asks not to overwrite it.
 */
static int read_section(struct reading *r, const char *name, struct install *in,
			bool *found)
{
	int result = each_line(r, name, in->fn, in, found);

	for (size_t i = 0; i < in->needs.len && result == 0; i++)
		result = read_need(r, &in->needs.items[i], in);
	vec_free(&in->needs);
	return result;
}

static int push_all(struct reading *r, struct inf *inf, const struct inf_line *line,
		    struct strings *to)
{
	for (size_t i = 0; i < line->fields; i++) {
		const char *value = inf_field(inf, line, i);

		if (*value && push_unique(r, inf, line, to, value) < 0)
			return -1;
	}
	return 0;
}

/* "FC", "0x80": one byte, always hexadecimal. Only the section's own first one counts. */
static void read_feature_score(struct inf *inf, const struct inf_line *line,
			       const struct install *in)
{
	const char *text = inf_field(inf, line, 0);
	unsigned long score;
	char *end;

	if (!in->own || in->c->has_feature_score || !*text || *text == '-')
		return;
	score = strtoul(text, &end, 16);
	if (*end || score > 0xFF)
		return;
	in->c->has_feature_score = true;
	in->c->feature_score = (uint32_t)score;
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
	if (text_equal(key, "Needs")) {
		vec_push(&in->needs, (struct need){inf, *line});
		return 1;
	}
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
			c->log_config |= text_equal(key, "LogConfig");
			c->register_dlls |= text_equal(key, "RegisterDlls");
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
		return push_all(r, inf, line, &in->c->copy_infs);
	if (text_equal(key, "ExcludeID"))
		return push_all(r, inf, line, &in->c->exclude_ids);
	if (text_equal(key, "FeatureScore"))
		read_feature_score(inf, line, in);
	else if (text_equal(key, "Reboot") || text_equal(key, "Restart"))
		in->c->reboot |= in->own; /* a needed section's does not count */
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

static int interface_line(struct reading *r, struct inf *inf, const struct inf_line *line,
			  void *arg)
{
	struct install *in = arg;
	const char *key = inf_key(inf, line);

	if (text_equal(key, "AddProperty"))
		reading_remark(r, &in->c->unsupported, inf, line->number,
			       "AddProperty of a device interface");
	return read_common(r, inf, line, key, in) < 0 ? -1 : 0;
}

static int interfaces_line(struct reading *r, struct inf *inf,
			   const struct inf_line *line, void *arg)
{
	struct install *in = arg;
	const char *key = inf_key(inf, line), *class = inf_field(inf, line, 0);
	struct inf_interface f = {0};
	struct install inner = {in->c,	 &f.regs,  interface_line, in->depth,
				in->own, in->seen, VEC_INIT};
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
	if (*inf_field(inf, line, 2))
		result = read_section(r, inf_field(inf, line, 2), &inner, NULL);
	vec_push(&in->c->interfaces, f);
	return result;
}

/* ---- the sections that are only reported ------------------------------------------- */

/*
 * True if CoInstallers32 names the co-installers of the driver frameworks only
 * ("WdfCoInstaller01011.dll,WdfCoInstaller", "WUDFUpdate_01009.dll"): Windows 8 and later
 * have the frameworks and do without them.
 */
static bool framework_co_installers(const struct inf_reg *reg)
{
	const uint8_t *data = reg->data.data;
	size_t start = 0;

	for (size_t at = 0; at + 2 <= reg->data.len; at += 2) {
		_cleanup_free_ char *name = NULL;

		if (get_le16(data + at) != 0)
			continue;
		name = utf16_to_utf8(data + start, at - start);
		start = at + 2;
		if (*name && !text_starts_with(name, "WdfCoInstaller") &&
		    !text_starts_with(name, "WUDFCoInstaller") &&
		    !text_starts_with(name, "WUDFUpdate") &&
		    !text_starts_with(name, "WinUsbCoInstaller"))
			return false;
	}
	return true;
}

static int co_installers_line(struct reading *r, struct inf *inf,
			      const struct inf_line *line, void *arg)
{
	struct install *in = arg;
	struct inf_regs ignored = VEC_INIT; /* they name code, which never runs offline */
	const char *key = inf_key(inf, line);
	struct inf_regs *regs = in->regs;
	int result;

	if (text_equal(key, "AddReg")) {
		in->c->co_installers = true;
		reading_remark(r, &in->c->unsupported, inf, line->number, "co-installer");
	}
	in->regs = &ignored;
	result = read_common(r, inf, line, key, in);
	in->regs = regs;
	vec_foreach (reg, &ignored)
		if (reg->kind == INF_REG_SET || reg->kind == INF_REG_APPEND)
			in->c->own_co_installers |= !framework_co_installers(reg);
	regs_free(&ignored);
	return result < 0 ? -1 : 0;
}

/* "HKR,,CoInstallers32" of DDInstall itself: Windows counts it, and does not record it.
 */
static void take_co_installers(struct inf_configuration *c)
{
	size_t kept = 0;

	vec_foreach (reg, &c->regs) {
		struct inf_reg line = *reg;

		if (line.root != INF_HKR || *line.key ||
		    !text_equal(line.name, "CoInstallers32") ||
		    (line.kind != INF_REG_SET && line.kind != INF_REG_APPEND)) {
			c->regs.items[kept++] = line;
			continue;
		}
		c->co_installers = true;
		c->own_co_installers |= !framework_co_installers(&line);
		reg_free(&line);
	}
	c->regs.len = kept;
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

static int framework_line(struct reading *r, struct inf *inf, const struct inf_line *line,
			  void *arg)
{
	struct install *in = arg;

	read_framework(inf, line, in->c);
	return read_common(r, inf, line, inf_key(inf, line), in) < 0 ? -1 : 0;
}

/* ---- a whole configuration --------------------------------------------------------- */

static const struct {
	const char *suffix;
	line_fn *fn;
	uint32_t scope;
} sub_sections[] = {
	{"HW", hardware_line, CONFIG_SCOPE_HW},
	{"Services", services_line, CONFIG_SCOPE_SERVICES},
	{"Filters", filters_line, 0},
	{"Interfaces", interfaces_line, CONFIG_SCOPE_INTERFACES},
	{"CoInstallers", co_installers_line, CONFIG_SCOPE_CO_INSTALLERS},
	{"Wdf", framework_line, 0},
	{"Components", components_line, 0},
	{"Software", software_line, 0},
	{"Events", reported_line, 0},
	{"LogConfigOverride", reported_line, 0},
	{"FactDef", reported_line, 0},
	{"WMI", reported_line, 0},
	{"COM", reported_line, 0},
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
	bool found;
	int result;

	strings_push(&seen, name);
	result = read_section(r, name, &in, &found);
	strings_free(&seen);
	if (found)
		c->scope |= sub_sections[i].scope;
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
	c->scope = CONFIG_SCOPE_INSTALL;
	strings_push(&seen, c->name);
	result = read_section(r, c->name, &in, NULL);
	strings_free(&seen);
	take_co_installers(c);
	for (size_t i = 0; i < ARRAY_SIZE(sub_sections) && result == 0; i++)
		result = read_sub_section(r, c, i);
	return result;
}

/* ---- ClassInstall32 ---------------------------------------------------------------- */

/* Sections that Windows carries out when a device is installed, and gild does not. */
static void remark_section(struct reading *r, const char *base, const char *suffix)
{
	size_t section = actual_section(r->inf, base, r->target->arch);
	_cleanup_free_ char *name = NULL;

	if (section == INF_NONE)
		return;
	name = xasprintf("%s%s", inf_section_name(r->inf, section), suffix);
	section = inf_find_section(r->inf, name);
	if (section != INF_NONE && inf_section_lines(r->inf, section))
		reading_remark(r, &r->driver->unsupported, r->inf,
			       inf_section_line(r->inf, section), "[%s]", name);
}

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

	remark_section(r, "InterfaceInstall32", "");
	if (section == INF_NONE)
		return 0;
	remark_section(r, "ClassInstall32", ".Services");
	r->driver->class_install = true;
	result = read_section(r, inf_section_name(r->inf, section), &in, NULL);
	vec_foreach (s, &c.unsupported)
		strings_push(&r->driver->unsupported, *s);
	strings_free(&seen);
	configuration_free(&c);
	return result;
}
