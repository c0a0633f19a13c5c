/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * INF text to sections, entries and fields, in one pass and in place: a token never grows
 * by being read (quotes and continuations only shrink it), so that it is written over its
 * own source and ended by a NUL where its separator stood.
 */
#include "injector/inf_private.h"

#include "base/text.h"

enum class {
	C_ORDINARY,
	C_BLANK,
	C_END, /* line feed */
	C_COMMA,
	C_EQUAL,
	C_QUOTE,
	C_BACKSLASH,
	C_COMMENT,
};

static const uint8_t classes[256] = {
	[' '] = C_BLANK,  ['\t'] = C_BLANK,  ['\r'] = C_BLANK,	   ['\v'] = C_BLANK,
	['\f'] = C_BLANK, ['\n'] = C_END,    [','] = C_COMMA,	   ['='] = C_EQUAL,
	['"'] = C_QUOTE,  [';'] = C_COMMENT, ['\\'] = C_BACKSLASH,
};

struct parser {
	struct inf *inf;
	char *s;
	size_t r, end;	    /* what is read next */
	size_t w;	    /* where the token goes on */
	size_t start, keep; /* the token; below keep nothing is trimmed (it was quoted) */
	unsigned line;
	uint32_t section;
	bool in_section;
	unsigned stray; /* line of the first entry before any section */
	struct error *err;
};

static enum class class_at(const struct parser *p, size_t i) {
	return i < p->end ? (enum class)classes[(uint8_t)p->s[i]] : C_END;
}

static size_t line_end(const struct parser *p, size_t from)
{
	const char *nl = from < p->end ? memchr(p->s + from, '\n', p->end - from) : NULL;

	return nl ? (size_t)(nl - p->s) : p->end;
}

static void grow_section_table(struct inf *inf)
{
	size_t size = inf->mask ? (inf->mask + 1) * 2 : 256;

	free(inf->slots);
	inf->slots = xcalloc(size, sizeof(*inf->slots));
	inf->mask = size - 1;
	for (size_t i = 0; i < inf->sections.len; i++) {
		size_t slot = inf->sections.items[i].hash & inf->mask;

		while (inf->slots[slot])
			slot = (slot + 1) & inf->mask;
		inf->slots[slot] = (uint32_t)i + 1;
	}
}

/* The section of this name, made if there is none. */
static uint32_t enter_section(struct inf *inf, uint32_t name, unsigned line)
{
	uint64_t hash = text_hash(inf->text + name);
	size_t slot;

	if (!inf->mask || inf->sections.len * 2 > inf->mask)
		grow_section_table(inf);
	for (slot = hash & inf->mask; inf->slots[slot]; slot = (slot + 1) & inf->mask) {
		struct inf_section *s = &inf->sections.items[inf->slots[slot] - 1];

		if (s->hash == hash && text_equal(inf->text + s->name, inf->text + name))
			return inf->slots[slot] - 1;
	}
	vec_push(&inf->sections, (struct inf_section){name, line, 0, 0, hash});
	inf->slots[slot] = (uint32_t)inf->sections.len;
	return inf->slots[slot] - 1;
}

static int read_header(struct parser *p)
{
	size_t stop = line_end(p, p->r), name = p->r + 1;
	char *close = memchr(p->s + name, ']', stop - name);

	if (!close) {
		inf_refuse(p->inf, p->line, p->err, "the section name has no closing ]");
		return error_remedy(p->err, "expected [Name] on one line");
	}
	*close = 0;
	if ((size_t)(close - (p->s + name)) > INF_SECTION_NAME_MAX &&
	    utf16_units(p->s + name) > INF_SECTION_NAME_MAX)
		return inf_refuse(p->inf, p->line, p->err,
				  "the section name is longer than %u characters",
				  INF_SECTION_NAME_MAX);
	if (p->inf->sections.len >= INF_SECTIONS_MAX)
		return inf_refuse(p->inf, p->line, p->err, "more than %u sections",
				  INF_SECTIONS_MAX);
	p->section = enter_section(p->inf, (uint32_t)name, p->line);
	p->in_section = true;
	p->r = stop; /* Windows ignores what follows the ] */
	return 0;
}

/* Ends the token: trims, terminates and returns its offset. */
static int end_token(struct parser *p, uint32_t *ret)
{
	size_t w = p->w;

	while (w > p->start && w > p->keep && classes[(uint8_t)p->s[w - 1]] == C_BLANK)
		w--;
	p->s[w] = 0;
	*ret = (uint32_t)p->start;
	if (w - p->start > INF_FIELD_MAX && utf16_units(p->s + p->start) > INF_FIELD_MAX)
		return inf_refuse(p->inf, p->line, p->err,
				  "a field is longer than %u characters", INF_FIELD_MAX);
	return 0;
}

static int end_field(struct parser *p)
{
	uint32_t at;

	if (end_token(p, &at) < 0)
		return -1;
	if (p->inf->fields.len >= INF_FIELDS_MAX)
		return inf_refuse(p->inf, p->line, p->err, "more than %u fields",
				  INF_FIELDS_MAX);
	vec_push(&p->inf->fields, at);
	return 0;
}

static void begin_token(struct parser *p)
{
	p->w = p->start = p->keep = p->r;
}

/* From behind the opening quote to behind the closing one, or to the end of the line. */
static void read_quoted(struct parser *p)
{
	for (; p->r < p->end && p->s[p->r] != '\n'; p->r++) {
		if (p->s[p->r] == '"') {
			if (p->r + 1 >= p->end || p->s[p->r + 1] != '"') {
				p->r++;
				break;
			}
			p->r++;
		}
		p->s[p->w++] = p->s[p->r];
	}
	/* The carriage return of an open quote's line end is no part of it. */
	if (class_at(p, p->r) == C_END && p->w > p->start && p->s[p->w - 1] == '\r')
		p->w--;
	p->keep = p->w;
}

/*
 * At a backslash: with nothing but blanks, more backslashes or a comment behind it, it
 * continues the line. Else it is text, and so is all that was looked at.
 */
static void read_backslash(struct parser *p)
{
	size_t q = p->r;

	while (class_at(p, q) == C_BACKSLASH || class_at(p, q) == C_BLANK)
		q++;
	if (class_at(p, q) == C_COMMENT)
		q = line_end(p, q);
	if (class_at(p, q) != C_END) {
		while (p->r < q)
			p->s[p->w++] = p->s[p->r++];
		return;
	}
	while (p->w > p->keep && p->w > p->start &&
	       classes[(uint8_t)p->s[p->w - 1]] == C_BLANK)
		p->w--;
	p->r = q;
	if (p->r >= p->end)
		return;
	p->r++;
	p->line++;
	while (class_at(p, p->r) == C_BLANK)
		p->r++;
}

/* One token up to its separator (left unread); true if the separator is a comma or '='.
 */
static enum class read_token(struct parser *p, bool key_possible) {
	for (;;){enum class c = class_at(p, p->r);

		 switch (c){case C_BLANK : if (p->w == p->start &&
					       p->keep == p->start){p->r++; continue;}
break;
case C_QUOTE:
p->r++;
read_quoted(p);
continue;
case C_BACKSLASH:
read_backslash(p);
continue;
case C_COMMENT:
p->r = line_end(p, p->r);
return C_END;
case C_EQUAL:
if (key_possible)
	return c;
break;
case C_COMMA:
case C_END:
return c;
default:
break;
}
do {
	p->s[p->w++] = p->s[p->r++];
} while (class_at(p, p->r) == C_ORDINARY);
}
}

static int read_entry(struct parser *p)
{
	struct inf *inf = p->inf;
	struct inf_entry e = {.section = p->section,
			      .key = INF_NO_KEY,
			      .first = (uint32_t)inf->fields.len,
			      .number = p->line};
	bool key_possible = true;
	enum class c;

	do {
		begin_token(p);
		c = read_token(p, key_possible);
		p->r += c != C_END;
		if (c == C_EQUAL) {
			if (end_token(p, &e.key) < 0)
				return -1;
		} else if (end_field(p) < 0) {
			return -1;
		}
		key_possible = false;
	} while (c != C_END);
	e.fields = (uint32_t)inf->fields.len - e.first;
	if (e.key == INF_NO_KEY && e.fields == 1) {
		e.key = inf->fields.items[e.first];
		if (!p->s[e.key]) { /* nothing but a continuation */
			inf->fields.len = e.first;
			return 0;
		}
	}
	if (inf->entries.len >= INF_LINES_MAX)
		return inf_refuse(inf, p->line, p->err, "more than %u entries",
				  INF_LINES_MAX);
	vec_push(&inf->entries, e);
	return 0;
}

/* Groups the entries by section, keeping their order (sections of one name merge). */
static void order_entries(struct inf *inf)
{
	uint32_t at = 0;

	vec_foreach (e, &inf->entries)
		inf->sections.items[e->section].lines++;
	vec_foreach (s, &inf->sections) {
		s->first = at;
		at += s->lines;
		s->lines = 0;
	}
	inf->order = xcalloc(inf->entries.len, sizeof(*inf->order));
	for (size_t i = 0; i < inf->entries.len; i++) {
		struct inf_section *s =
			&inf->sections.items[inf->entries.items[i].section];

		inf->order[s->first + s->lines++] = (uint32_t)i;
	}
}

int inf_parse(struct inf *inf, struct error *err)
{
	struct parser p = {
		.inf = inf, .s = inf->text, .end = inf->text_len, .line = 1, .err = err};

	for (; p.r < p.end; p.r++) {
		enum class c;

		while (class_at(&p, p.r) == C_BLANK)
			p.r++;
		c = class_at(&p, p.r);
		if (p.r < p.end && p.s[p.r] == '[') {
			if (read_header(&p) < 0)
				return -1;
		} else if (c == C_COMMENT) {
			p.r = line_end(&p, p.r);
		} else if (c != C_END && !p.in_section) {
			if (!p.stray)
				p.stray = p.line;
			p.r = line_end(&p, p.r);
		} else if (c != C_END && read_entry(&p) < 0) {
			return -1;
		}
		p.line++;
	}
	order_entries(inf);
	inf->stray = p.stray;
	return 0;
}
