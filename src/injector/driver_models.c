/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * [Manufacturer] and the Models sections: TargetOSVersion decorations, the choice among
 * them, and the lines of the chosen sections. The rules' sources are named in
 * selection.h.
 */
#include "base/text.h"
#include "injector/driver_private.h"

/* Build numbers in decorations: Windows 10 from this build on reads them. */
#define FIRST_BUILD_AWARE 14310u
#define CANDIDATES_MAX 10000u
#define NO_BREAK_SPACE "\xC2\xA0"

/* ---- decorations ----------------------------------------------------------------- */

/* The next dot-separated part as a number. False if it is neither empty nor a number. */
static bool next_part(const char **text, bool *given, uint32_t *value)
{
	char part[16];
	size_t n = strcspn(*text, ".");

	*given = n > 0;
	*value = 0;
	if (n >= sizeof(part))
		return false;
	memcpy(part, *text, n);
	part[n] = 0;
	*text += n;
	*text += **text == '.';
	return part[0] != '-' && part[0] != '+' && inf_parse_number(part, value);
}

bool decoration_parse(const char *text, struct decoration *ret)
{
	struct decoration d = {.arch = ARCH_UNKNOWN, .none = !*text};
	bool minor_given;
	size_t n;

	if (d.none) {
		*ret = d;
		return true;
	}
	if (!text_starts_with(text, "NT"))
		return false;
	text += 2;
	n = strcspn(text, ".");
	if (n) {
		_cleanup_free_ char *arch = xstrndup(text, n);

		d.arch = arch_parse(arch);
		/* The names of INFs only, not those that people use besides. */
		if (d.arch == ARCH_UNKNOWN || !text_equal(arch_name(d.arch), arch))
			return false;
	}
	text += n;
	text += *text == '.';
	if (!next_part(&text, &d.has_version, &d.major) ||
	    !next_part(&text, &minor_given, &d.minor) ||
	    !next_part(&text, &d.has_product, &d.product) ||
	    !next_part(&text, &d.has_suite, &d.suite) ||
	    !next_part(&text, &d.has_build, &d.build) || *text)
		return false;
	*ret = d;
	return true;
}

static int compare_version(const struct decoration *d, uint32_t major, uint32_t minor)
{
	if (d->major != major)
		return d->major < major ? -1 : 1;
	return d->minor < minor ? -1 : d->minor > minor;
}

enum decoration_verdict decoration_fit(const struct decoration *d,
				       const struct target *target)
{
	bool aware = target_compare_version(target, 10, 0, FIRST_BUILD_AWARE) >= 0;

	if (d->has_build && !aware)
		return DECORATION_NOT_UNDERSTOOD;
	if (d->arch != ARCH_UNKNOWN && d->arch != target->arch)
		return DECORATION_OTHER_ARCH;
	if (d->arch == ARCH_UNKNOWN && target->arch != ARCH_X86)
		return DECORATION_NEEDS_ARCH;
	if (d->has_version) {
		int c = compare_version(d, target->major, target->minor);

		if (c > 0 || (c == 0 && d->has_build && d->build > target->build))
			return DECORATION_LATER_VERSION;
	}
	if (d->has_product && target->product && d->product != target->product)
		return DECORATION_OTHER_PRODUCT;
	if (d->has_suite && (d->suite & target->suite) != d->suite)
		return DECORATION_OTHER_SUITE;
	return DECORATION_CHOSEN;
}

bool decoration_closer(const struct decoration *a, const struct decoration *b)
{
	int c = compare_version(a, b->major, b->minor);

	if (a->has_version != b->has_version)
		return a->has_version;
	if (c)
		return c > 0;
	if (a->build != b->build)
		return a->build > b->build;
	if ((a->arch != ARCH_UNKNOWN) != (b->arch != ARCH_UNKNOWN))
		return a->arch != ARCH_UNKNOWN;
	if (a->has_product != b->has_product)
		return a->has_product;
	if (a->has_suite != b->has_suite)
		return a->has_suite;
	if (a->suite != b->suite)
		return __builtin_popcount(a->suite) > __builtin_popcount(b->suite);
	return b->none && !a->none;
}

/* ---- candidates ------------------------------------------------------------------ */

static void add_candidate(struct inf *inf, const struct inf_line *line, const char *base,
			  const char *text, size_t group, struct models_candidates *to)
{
	struct models_candidate c = {
		.manufacturer = xstrdup(inf_key(inf, line)),
		.token = defined_token(inf, inf_key_raw(inf, line)),
		.name = *text ? xasprintf("%s.%s", base, text) : xstrdup(base),
		.text = xstrdup(text),
		.group = group,
		.verdict = DECORATION_NO_TARGET,
	};

	c.understood = decoration_parse(text, &c.decoration);
	c.section = inf_find_section(inf, c.name);
	c.line = c.section == INF_NONE ? line->number : inf_section_line(inf, c.section);
	vec_push(to, c);
}

/* Sections [base.NT...] that [Manufacturer] does not list: Windows does not see them. */
static void add_unlisted(struct inf *inf, const struct inf_line *line, const char *base,
			 size_t group, size_t first, struct models_candidates *to)
{
	_cleanup_free_ char *prefix = xasprintf("%s.NT", base);
	size_t listed = to->len;

	for (size_t i = 0; i < inf_sections(inf); i++) {
		const char *name = inf_section_name(inf, i);
		struct decoration d;
		bool known = false;

		if (!text_starts_with(name, prefix) ||
		    !decoration_parse(name + strlen(base) + 1, &d))
			continue;
		for (size_t j = first; j < listed && !known; j++)
			known = to->items[j].section == i;
		if (known)
			continue;
		add_candidate(inf, line, base, name + strlen(base) + 1, group, to);
		to->items[to->len - 1].verdict = DECORATION_NOT_LISTED;
	}
}

static void choose(struct models_candidates *all, size_t first,
		   const struct target *target)
{
	struct models_candidate *best = NULL;

	for (size_t i = first; i < all->len; i++) {
		struct models_candidate *c = &all->items[i];

		if (c->verdict == DECORATION_NOT_LISTED)
			continue;
		c->verdict = c->understood ? decoration_fit(&c->decoration, target)
					   : DECORATION_NOT_UNDERSTOOD;
		if (c->verdict != DECORATION_CHOSEN)
			continue;
		if (best && !decoration_closer(&c->decoration, &best->decoration)) {
			c->verdict = DECORATION_LESS_SPECIFIC;
			continue;
		}
		if (best)
			best->verdict = DECORATION_LESS_SPECIFIC;
		best = c;
	}
}

/*
 * One manufacturer. The undecorated section is always a candidate: Windows falls back to
 * it when no decoration fits.
 */
static int add_manufacturer(struct inf *inf, const struct inf_line *line, size_t group,
			    const struct target *target, struct models_candidates *all,
			    struct error *err)
{
	size_t first = all->len;
	_cleanup_free_ char *base = xstrdup(inf_field(inf, line, 0));

	for (size_t i = 1; i < line->fields; i++) {
		const char *text = inf_field(inf, line, i);

		if (*text)
			add_candidate(inf, line, base, text, group, all);
		if (all->len > CANDIDATES_MAX)
			break;
	}
	if (line->fields < 2 || inf_find_section(inf, base) != INF_NONE)
		add_candidate(inf, line, base, "", group, all);
	/* What is not listed is looked for where that is cheap: it only explains. */
	if (group < 64 && all->len - first < 64)
		add_unlisted(inf, line, base, group, first, all);
	if (all->len > CANDIDATES_MAX || !inf_within_limits(inf))
		return inf_refuse(inf, line->number, err,
				  "more than %u Models sections are named",
				  CANDIDATES_MAX);
	if (target)
		choose(all, first, target);
	return 0;
}

int models_candidates_read(struct inf *inf, const struct target *target,
			   struct models_candidates *ret, struct error *err)
{
	size_t section = inf_find_section(inf, "Manufacturer");

	if (section == INF_NONE)
		return 0;
	for (size_t i = 0; i < inf_section_lines(inf, section); i++) {
		struct inf_line line = inf_line(inf, section, i);

		if (line.has_key && add_manufacturer(inf, &line, i, target, ret, err) < 0)
			return -1;
	}
	return 0;
}

void models_candidates_free(struct models_candidates *candidates)
{
	vec_foreach (c, candidates) {
		free(c->manufacturer);
		free(c->token);
		free(c->name);
		free(c->text);
	}
	vec_free(candidates);
}

/* ---- models ---------------------------------------------------------------------- */

char *device_id_field(struct inf *inf, const struct inf_line *line, size_t index)
{
	const char *id = inf_field(inf, line, index);
	size_t n;

	while (strncmp(id, NO_BREAK_SPACE, 2) == 0)
		id += 2;
	n = strlen(id);
	while (n >= 2 && strncmp(id + n - 2, NO_BREAK_SPACE, 2) == 0)
		n -= 2;
	return xstrndup(id, n);
}

/* Where the configuration of each install section is: hash table over their names. */
struct index {
	size_t *slots; /* configuration + 1 */
	size_t mask;
};

static void index_grow(struct index *x, const struct inf_configurations *all)
{
	size_t size = x->mask ? (x->mask + 1) * 2 : 64;

	free(x->slots);
	x->slots = xcalloc(size, sizeof(*x->slots));
	x->mask = size - 1;
	for (size_t i = 0; i < all->len; i++) {
		size_t slot = text_hash(all->items[i].base) & x->mask;

		while (x->slots[slot])
			slot = (slot + 1) & x->mask;
		x->slots[slot] = i + 1;
	}
}

static size_t configuration_of(struct reading *r, struct index *x, const char *base,
			       unsigned line)
{
	struct inf_configurations *all = &r->driver->configurations;
	struct inf_configuration c = {0};
	size_t slot, section;

	if (!x->mask || all->len * 2 > x->mask)
		index_grow(x, all);
	for (slot = text_hash(base) & x->mask; x->slots[slot];
	     slot = (slot + 1) & x->mask)
		if (text_equal(all->items[x->slots[slot] - 1].base, base))
			return x->slots[slot] - 1;
	section = actual_section(r->inf, base, r->target->arch);
	c.base = xstrdup(base);
	c.missing = section == INF_NONE;
	c.name = xstrdup(c.missing ? base : inf_section_name(r->inf, section));
	c.line = c.missing ? line : inf_section_line(r->inf, section);
	vec_push(all, c);
	x->slots[slot] = all->len;
	return all->len - 1;
}

static void add_model(struct reading *r, const struct models_candidate *from,
		      struct index *x, const struct inf_line *line)
{
	const char *install = inf_field(r->inf, line, 0);
	struct inf_model m = {0};
	bool any = false;

	for (size_t i = 1; i < line->fields; i++) {
		_cleanup_free_ char *id = device_id_field(r->inf, line, i);

		any |= *id != 0;
		if (i == 1 || *id)
			vec_push(&m.ids, steal_ptr(id));
	}
	if (!*install || !any) { /* can only be picked by hand */
		strings_free(&m.ids);
		return;
	}
	m.manufacturer = xstrdup(from->manufacturer);
	m.manufacturer_token = from->token ? xstrdup(from->token) : NULL;
	m.description = xstrdup(inf_key(r->inf, line));
	m.description_token = defined_token(r->inf, inf_key_raw(r->inf, line));
	m.section = xstrdup(inf_section_name(r->inf, from->section));
	m.line = line->number;
	m.configuration = configuration_of(r, x, install, line->number);
	vec_push(&r->driver->models, m);
}

int read_models(struct reading *r)
{
	struct models_candidates all = VEC_INIT;
	struct index x = {0};
	int result = models_candidates_read(r->inf, r->target, &all, r->err);

	for (size_t i = 0; i < all.len && result == 0; i++) {
		const struct models_candidate *c = &all.items[i];

		if (c->verdict != DECORATION_CHOSEN || c->section == INF_NONE)
			continue;
		for (size_t j = 0; j < inf_section_lines(r->inf, c->section); j++) {
			struct inf_line line = inf_line(r->inf, c->section, j);

			result = reading_work(r, r->inf, &line);
			if (result < 0)
				break;
			if (line.has_key && line.fields > 1)
				add_model(r, c, &x, &line);
		}
	}
	models_candidates_free(&all);
	free(x.slots);
	return result;
}

/* ---- why ------------------------------------------------------------------------- */

static const char *product_text(uint32_t product)
{
	static const char *const names[] = {"any product type", "clients only",
					    "domain controllers only", "servers only"};

	return product < ARRAY_SIZE(names) ? names[product]
					   : "an unknown product type only";
}

/* "Windows 10.0.22000 or later on arm64": what the decoration asks for. */
static char *decoration_wants(const struct decoration *d)
{
	struct buffer b = BUFFER_INIT;

	if (d->has_version) {
		buffer_printf(&b, "Windows %u.%u", d->major, d->minor);
		if (d->has_build)
			buffer_printf(&b, ".%u", d->build);
		buffer_append_string(&b, " or later");
	} else {
		buffer_append_string(&b, "every Windows");
	}
	buffer_printf(&b, " on %s", d->arch == ARCH_UNKNOWN ? "x86" : arch_name(d->arch));
	if (d->has_product)
		buffer_printf(&b, ", %s", product_text(d->product));
	if (d->has_suite)
		buffer_printf(&b, ", product suite 0x%x", d->suite);
	return buffer_steal_string(&b);
}

static char *not_understood(const struct models_candidate *c)
{
	if (strstr(c->text, "$ARCH$"))
		return xstrdup("$ARCH$ is filled in when the driver is built: this is "
			       "a build source");
	return xasprintf("\"%s\" is no TargetOSVersion", c->text);
}

char *decoration_text(const struct models_candidate *c, const struct target *target)
{
	const struct decoration *d = &c->decoration;
	_cleanup_free_ char *wants = NULL;

	switch (c->verdict) {
	case DECORATION_CHOSEN:
		return xstrdup("chosen");
	case DECORATION_OTHER_ARCH:
		return xasprintf("for %s only", arch_name(d->arch));
	case DECORATION_NEEDS_ARCH:
		return xasprintf(
			"for x86 only: without %s in its name it does not count there",
			arch_name(target->arch));
	case DECORATION_LATER_VERSION:
		if (d->has_build)
			return xasprintf("for Windows %u.%u.%u or later", d->major,
					 d->minor, d->build);
		return xasprintf("for Windows %u.%u or later", d->major, d->minor);
	case DECORATION_OTHER_PRODUCT:
		return xasprintf("for %s", product_text(d->product));
	case DECORATION_OTHER_SUITE:
		return xasprintf("for product suite 0x%x only", d->suite);
	case DECORATION_NOT_UNDERSTOOD:
		if (c->understood)
			return xstrdup("names a build, which Windows before 10.0.14310 "
				       "does not understand");
		return not_understood(c);
	case DECORATION_NOT_LISTED:
		return xstrdup("not listed in [Manufacturer]: Windows does not see it");
	case DECORATION_LESS_SPECIFIC:
		return xstrdup("another section is closer");
	case DECORATION_NO_TARGET:
		break;
	}
	if (!c->understood)
		return not_understood(c);
	wants = decoration_wants(d);
	return xasprintf("for %s", wants);
}

char *models_reason(struct inf *inf, const struct target *target)
{
	_cleanup_free_ char *for_target = target_format(target);
	struct models_candidates all = VEC_INIT;
	struct buffer b = BUFFER_INIT;

	if (models_candidates_read(inf, target, &all, NULL) < 0 || !all.len) {
		models_candidates_free(&all);
		return xstrdup("it has no [Manufacturer] section with models");
	}
	buffer_printf(&b, "it has no model for %s:", for_target);
	for (size_t i = 0; i < all.len && i < 12; i++) {
		const struct models_candidate *c = &all.items[i];
		_cleanup_free_ char *why = decoration_text(c, target);

		buffer_printf(&b, "%s [%s] ", i ? "," : "", c->name);
		if (c->verdict == DECORATION_CHOSEN)
			buffer_append_string(&b, c->section == INF_NONE
							 ? "is chosen but missing"
							 : "is chosen and has none");
		else
			buffer_append_string(&b, why);
	}
	if (all.len > 12)
		buffer_printf(&b, " and %zu more", all.len - 12);
	models_candidates_free(&all);
	return buffer_steal_string(&b);
}
