/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Access to an INF's text: sections and keys by name, fields with strings substituted. */
#include "injector/inf.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"
#include "injector/inf_private.h"

/* Substituted text of one file; the largest real ones need two megabytes. */
#define ARENA_MAX (32u << 20)

static const char *const signatures[] = {"$Windows NT$", "$Chicago$", "$Windows 95$"};

int inf_refuse(const struct inf *inf, unsigned line, struct error *err, const char *fmt,
	       ...)
{
	_cleanup_free_ char *subject =
		line ? xasprintf("%s:%u", inf->name, line) : xstrdup(inf->name);
	_cleanup_free_ char *reason = NULL;
	va_list ap;

	va_start(ap, fmt);
	reason = xvasprintf(fmt, ap);
	va_end(ap);
	return error_set(err, ERROR_ANSWER_NO, subject, "%s", reason);
}

/* What SetupOpenInfFile() asks of a file: [Version] with a known Signature. */
static int check_signature(struct inf *inf, struct error *err)
{
	size_t version = inf_find_section(inf, "Version");
	struct inf_line line;
	const char *signature;

	if (version == INF_NONE) {
		inf_refuse(inf, 0, err, "is no Windows INF: it has no [Version] section");
		return error_remedy(err,
				    "expected [Version] with Signature=\"$WINDOWS NT$\"");
	}
	if (!inf_find_key(inf, version, "Signature", &line)) {
		inf_refuse(inf, inf_section_line(inf, version), err,
			   "is no Windows INF: [Version] has no Signature");
		return error_remedy(err, "expected Signature=\"$WINDOWS NT$\"");
	}
	signature = inf_field(inf, &line, 0);
	for (size_t i = 0; i < ARRAY_SIZE(signatures); i++)
		if (text_equal(signature, signatures[i]))
			return 0;
	inf_refuse(inf, line.number, err, "is no Windows INF: Signature is \"%s\"",
		   signature);
	return error_remedy(err, "expected \"$WINDOWS NT$\" or \"$CHICAGO$\"");
}

/* SetupAPI's quirk: in a file with [Strings] text before the first section is ignored. */
static int check_start(struct inf *inf, struct error *err)
{
	if (!inf->stray || inf_find_section(inf, "Strings") != INF_NONE)
		return 0;
	inf_refuse(inf, inf->stray, err, "text before the first section");
	return error_remedy(err, "expected [Version] or another section name");
}

struct inf *inf_open(const char *name, struct bytes raw, struct error *err)
{
	_cleanup_inf_ struct inf *inf = xcalloc(1, sizeof(*inf));

	inf->name = xstrdup(path_base(name));
	if (raw.len > INF_SIZE_MAX) {
		inf_refuse(inf, 0, err, "is larger than %u MiB", INF_SIZE_MAX >> 20);
		return NULL;
	}
	inf->text = inf_decode(raw, &inf->encoding, &inf->text_len);
	if (inf_parse(inf, err) < 0)
		return NULL;
	inf_set_language(inf, 0);
	if (check_signature(inf, err) < 0 || check_start(inf, err) < 0)
		return NULL;
	return steal_ptr(inf);
}

static void drop_indexes(struct inf *inf)
{
	vec_foreach (k, &inf->indexes) {
		free(k->slots);
		free(k->hashes);
	}
	vec_free(&inf->indexes);
}

void inf_close(struct inf *inf)
{
	if (!inf)
		return;
	drop_indexes(inf);
	strings_free(&inf->arena);
	vec_free(&inf->sections);
	vec_free(&inf->entries);
	vec_free(&inf->fields);
	free(inf->order);
	free(inf->slots);
	free(inf->text);
	free(inf->name);
	free(inf);
}

void inf_closep(struct inf **inf)
{
	inf_close(*inf);
	*inf = NULL;
}

const char *inf_name(const struct inf *inf)
{
	return inf->name;
}

enum inf_encoding inf_encoding(const struct inf *inf)
{
	return inf->encoding;
}

bool inf_within_limits(const struct inf *inf)
{
	return inf->arena_bytes < ARENA_MAX;
}

/* ---- sections and lines ---------------------------------------------------------- */

size_t inf_sections(const struct inf *inf)
{
	return inf->sections.len;
}

size_t inf_find_section(const struct inf *inf, const char *name)
{
	uint64_t hash = text_hash(name);

	if (!inf->mask)
		return INF_NONE;
	for (size_t slot = hash & inf->mask; inf->slots[slot];
	     slot = (slot + 1) & inf->mask) {
		const struct inf_section *s = &inf->sections.items[inf->slots[slot] - 1];

		if (s->hash == hash && text_equal(inf->text + s->name, name))
			return inf->slots[slot] - 1;
	}
	return INF_NONE;
}

const char *inf_section_name(const struct inf *inf, size_t section)
{
	return inf->text + inf->sections.items[section].name;
}

unsigned inf_section_line(const struct inf *inf, size_t section)
{
	return inf->sections.items[section].line;
}

size_t inf_section_lines(const struct inf *inf, size_t section)
{
	return inf->sections.items[section].lines;
}

struct inf_line inf_line(const struct inf *inf, size_t section, size_t index)
{
	const struct inf_section *s = &inf->sections.items[section];
	const struct inf_entry *e = &inf->entries.items[inf->order[s->first + index]];

	return (struct inf_line){e->key, e->first, e->fields, e->number,
				 e->key != INF_NO_KEY};
}

/*
 * The slot of a key in an index: where it stands, or the free one where it belongs. A
 * key that is a %token% is compared by what it stands for, but for those of [Strings].
 */
static size_t find_slot(struct inf *inf, const struct inf_keys *k, uint64_t hash,
			const char *key)
{
	size_t slot = hash & k->mask;

	for (; k->slots[slot]; slot = (slot + 1) & k->mask) {
		struct inf_line line;

		if (k->hashes[slot] != hash)
			continue;
		line = inf_line(inf, k->section, k->slots[slot] - 1);
		if (text_equal(k->raw ? inf_key_raw(inf, &line) : inf_key(inf, &line),
			       key))
			break;
	}
	return slot;
}

static struct inf_keys index_section(struct inf *inf, size_t section)
{
	size_t n = inf_section_lines(inf, section), size = 16;
	struct inf_keys k = {.section = section};

	vec_foreach (have, &inf->indexes)
		if (have->section == section)
			return *have;
	while (size < n * 2)
		size *= 2;
	k.mask = size - 1;
	k.slots = xcalloc(size, sizeof(*k.slots));
	k.hashes = xcalloc(size, sizeof(*k.hashes));
	for (size_t i = 0; i < inf->strings_len; i++)
		k.raw |= inf->strings[i] == section;
	for (size_t i = 0; i < n; i++) {
		struct inf_line line = inf_line(inf, section, i);
		const char *key;
		uint64_t hash;
		size_t slot;

		if (!line.has_key)
			continue;
		key = k.raw ? inf_key_raw(inf, &line) : inf_key(inf, &line);
		hash = text_hash(key);
		slot = find_slot(inf, &k, hash, key);
		if (k.slots[slot])
			continue; /* the first one counts */
		k.slots[slot] = (uint32_t)i + 1;
		k.hashes[slot] = hash;
	}
	vec_push(&inf->indexes, k);
	return k;
}

bool inf_find_key(struct inf *inf, size_t section, const char *key, struct inf_line *ret)
{
	struct inf_keys k = index_section(inf, section);
	size_t slot = find_slot(inf, &k, text_hash(key), key);

	if (!k.slots[slot])
		return false;
	*ret = inf_line(inf, section, k.slots[slot] - 1);
	return true;
}

/* ---- strings --------------------------------------------------------------------- */

static size_t language_section(const struct inf *inf, uint32_t language)
{
	_cleanup_free_ char *name = xasprintf("Strings.%04x", language);

	return inf_find_section(inf, name);
}

/*
 * Windows' order: the full identifier, the primary language with SUBLANG_NEUTRAL, any
 * other of the same primary language (its default one first); what that section lacks is
 * in the undecorated one.
 */
void inf_set_language(struct inf *inf, uint16_t language)
{
	uint32_t primary = language & 0x3FF;
	const uint32_t asked[] = {language, primary, primary | 0x400};
	size_t section = INF_NONE;

	drop_indexes(inf);
	inf->strings_len = 0;
	for (size_t i = 0; language && i < ARRAY_SIZE(asked) && section == INF_NONE; i++)
		section = language_section(inf, asked[i]);
	for (size_t i = 0; language && i < inf->sections.len && section == INF_NONE;
	     i++) {
		const char *name = inf_section_name(inf, i);
		char *end;

		if (text_starts_with(name, "Strings.") &&
		    (strtoul(name + 8, &end, 16) & 0x3FF) == primary && !*end)
			section = i;
	}
	if (section != INF_NONE)
		inf->strings[inf->strings_len++] = section;
	section = inf_find_section(inf, "Strings");
	if (section != INF_NONE)
		inf->strings[inf->strings_len++] = section;
}

const char *inf_string(struct inf *inf, const char *token)
{
	for (size_t i = 0; i < inf->strings_len; i++) {
		struct inf_line line;

		if (inf_find_key(inf, inf->strings[i], token, &line))
			return line.fields ? inf_field_raw(inf, &line, 0) : "";
	}
	return NULL;
}

/* True if the token between two '%' is a directory identifier. */
static bool is_dirid(const char *token)
{
	size_t n;

	token += *token == '-';
	n = strspn(token, "0123456789");
	return n && n <= 10 && !token[n];
}

/* Cuts to SetupAPI's limit of characters. */
static void cut(struct buffer *b)
{
	size_t units = 0, i = 0;

	if (b->len <= INF_FIELD_MAX)
		return;
	for (; i < b->len; i++) {
		uint8_t c = b->data[i];

		if ((c & 0xC0) == 0x80)
			continue;
		units += c >= 0xF0 ? 2 : 1;
		if (units > INF_FIELD_MAX)
			break;
	}
	b->len = i;
}

static void append_token(struct inf *inf, struct buffer *out, const char *from, size_t n,
			 bool mark)
{
	_cleanup_free_ char *token = xstrndup(from, n);
	const char *value = inf_string(inf, token);

	if (value)
		buffer_append_string(out, value);
	else if (mark && is_dirid(token))
		buffer_printf(out, "%c%s%c", INF_DIRID_MARK, token, INF_DIRID_MARK);
	else
		buffer_printf(out, "%%%s%%", token);
}

static const char *substitute(struct inf *inf, const char *raw, bool mark)
{
	_cleanup_buffer_ struct buffer out = BUFFER_INIT;
	const char *percent = strchr(raw, '%');
	char *text;

	if (!percent)
		return raw;
	if (!inf_within_limits(inf))
		return "";
	for (; percent; percent = strchr(raw, '%')) {
		const char *close = strchr(percent + 1, '%');

		if (!close || out.len > 4 * INF_FIELD_MAX)
			break;
		buffer_append(&out, raw, (size_t)(percent - raw));
		if (close == percent + 1)
			buffer_append(&out, "%", 1);
		else
			append_token(inf, &out, percent + 1,
				     (size_t)(close - percent) - 1, mark);
		raw = close + 1;
	}
	buffer_append_string(&out, raw);
	cut(&out);
	inf->arena_bytes += out.len + 64; /* with what its allocation costs */
	text = buffer_steal_string(&out);
	vec_push(&inf->arena, text);
	return text;
}

const char *inf_key_raw(const struct inf *inf, const struct inf_line *line)
{
	return line->has_key ? inf->text + line->key : "";
}

const char *inf_field_raw(const struct inf *inf, const struct inf_line *line,
			  size_t index)
{
	return index < line->fields ? inf->text + inf->fields.items[line->first + index]
				    : "";
}

const char *inf_key(struct inf *inf, const struct inf_line *line)
{
	return substitute(inf, inf_key_raw(inf, line), false);
}

const char *inf_field(struct inf *inf, const struct inf_line *line, size_t index)
{
	return substitute(inf, inf_field_raw(inf, line, index), false);
}

const char *inf_field_marked(struct inf *inf, const struct inf_line *line, size_t index)
{
	return substitute(inf, inf_field_raw(inf, line, index), true);
}

char *inf_token(const char *raw)
{
	size_t n = strlen(raw);
	_cleanup_free_ char *token = NULL;

	if (n < 3 || raw[0] != '%' || strchr(raw + 1, '%') != raw + n - 1)
		return NULL;
	token = xstrndup(raw + 1, n - 2);
	return text_lower(token);
}

/* ---- numbers --------------------------------------------------------------------- */

bool inf_parse_number(const char *text, uint32_t *ret)
{
	bool negative = *text == '-';
	unsigned base = 10;
	uint64_t v = 0;

	text += negative || *text == '+';
	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		base = 16;
		text += 2;
	}
	for (; *text; text++) {
		unsigned c = (uint8_t)*text | 0x20u, digit;

		if (c >= '0' && c <= '9' && *text < ':')
			digit = c - '0';
		else if (base == 16 && c >= 'a' && c <= 'f')
			digit = c - 'a' + 10;
		else
			return false;
		v = v * base + digit;
		if (v > UINT32_MAX)
			return false;
	}
	*ret = negative ? 0u - (uint32_t)v : (uint32_t)v;
	return true;
}

uint32_t inf_number(struct inf *inf, const struct inf_line *line, size_t index,
		    uint32_t otherwise)
{
	const char *text = inf_field(inf, line, index);
	uint32_t v;

	return *text && inf_parse_number(text, &v) ? v : otherwise;
}
