/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The .reg format as regedit writes and reads it: Microsoft's "How to add, modify, or
 * delete registry subkeys and values by using a .reg file", and exports of Windows XP
 * to 10.
 */
#include "registry/regfile.h"

#include "base/text.h"

#define MAX_LINE ((size_t)64 << 20)
#define MAX_DEPTH 512 /* Windows' own limit of nested keys */

/* What one line of the file asks for. */
struct reg_edit {
	enum {
		EDIT_KEY,
		EDIT_DELETE_KEY,
		EDIT_VALUE,
		EDIT_DELETE_VALUE,
	} kind;
	unsigned line;
	char *key; /* below HKEY_LOCAL_MACHINE, hive name first */
	char *name;
	uint32_t type;
	struct buffer data;
};

struct parser {
	const char *file;
	const char *at;	      /* UTF-8, NUL-terminated */
	unsigned line, start; /* current line, first line of the logical line */
	bool ansi;	      /* REGEDIT4: hex(1), hex(2), hex(7) hold ANSI bytes */
	char *key;	      /* current key or NULL */
	struct vec_of(struct reg_edit) edits;
	struct error *err;
};

static int expected(struct parser *p, unsigned line, const char *what)
{
	_cleanup_free_ char *subject = xasprintf("%s:%u", p->file, line);

	error_set(p->err, ERROR_USAGE, subject, "expected %s", what);
	return error_remedy(p->err, "correct the .reg file; nothing was changed");
}

/* Windows-1252's upper half where it differs from Latin-1; 0 is undefined. */
static const uint16_t cp1252[32] = {
	0x20AC, 0x81,	0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
	0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x8D,	0x017D, 0x8F,
	0x90,	0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
	0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D,	0x017E, 0x0178,
};

static char *ansi_to_utf8(struct bytes text)
{
	_cleanup_buffer_ struct buffer wide = BUFFER_INIT;

	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];

		buffer_append_le16(&wide, c >= 0x80 && c < 0xA0 ? cp1252[c - 0x80] : c);
	}
	return utf16_to_utf8(wide.data, wide.len);
}

static char *decode(struct bytes text)
{
	if (text.len >= 2 && text.data[0] == 0xFF && text.data[1] == 0xFE)
		return utf16_to_utf8(text.data + 2, text.len - 2);
	if (text.len >= 4 && text.data[1] == 0 && text.data[3] == 0)
		return utf16_to_utf8(text.data, text.len);
	if (text.len >= 3 && memcmp(text.data, "\xEF\xBB\xBF", 3) == 0)
		text = (struct bytes){text.data + 3, text.len - 3};
	if (utf8_valid(text.data, text.len))
		return xstrndup((const char *)text.data, text.len);
	return ansi_to_utf8(text);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void skip_blanks(struct parser *p)
{
	while (is_blank(*p->at))
		p->at++;
}

static bool at_line_end(const struct parser *p)
{
	return !*p->at || *p->at == '\r' || *p->at == '\n';
}

static void next_line(struct parser *p)
{
	while (*p->at && *p->at != '\n')
		p->at++;
	if (*p->at)
		p->at++;
	p->line++;
}

/* Only blanks and a comment may follow. */
static int finish_line(struct parser *p)
{
	skip_blanks(p);
	if (!at_line_end(p) && *p->at != ';')
		return expected(p, p->start, "the end of the line");
	next_line(p);
	return 0;
}

/* A quoted string with \\ and \" escapes; it may run over lines, as regedit writes it. */
static int quoted(struct parser *p, struct buffer *ret)
{
	for (p->at++; *p->at != '"'; p->at++) {
		if (!*p->at)
			return expected(p, p->start, "a closing \"");
		if (*p->at == '\n')
			p->line++;
		if (*p->at == '\\' && (p->at[1] == '\\' || p->at[1] == '"'))
			p->at++;
		buffer_append(ret, p->at, 1);
	}
	p->at++;
	buffer_append(ret, "", 1);
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 32);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 1 to 8 hex digits. */
static bool hex_number(struct parser *p, uint32_t *ret)
{
	uint32_t v = 0;
	int n = 0, d;

	for (; (d = hex_digit(*p->at)) >= 0 && n < 8; n++, p->at++)
		v = v << 4 | (uint32_t)d;
	*ret = v;
	return n > 0;
}

/* "12,ab,\<newline>  cd": bytes in hex, `\` before the line end goes on. */
static int hex_bytes(struct parser *p, struct buffer *ret)
{
	for (;;) {
		uint32_t v;

		skip_blanks(p);
		if (*p->at == '\\') {
			p->at++;
			skip_blanks(p);
			if (!at_line_end(p))
				return expected(p, p->line,
						"the end of the line after \\");
			next_line(p);
			continue;
		}
		if (at_line_end(p) || *p->at == ';')
			return 0;
		if (!hex_number(p, &v) || v > 0xFF)
			return expected(p, p->line, "bytes as two hex digits");
		buffer_append(ret, &(uint8_t){(uint8_t)v}, 1);
		skip_blanks(p);
		if (*p->at == ',')
			p->at++;
		else if (!at_line_end(p) && *p->at != ';' && *p->at != '\\')
			return expected(p, p->line, "a comma between bytes");
	}
}

/* REGEDIT4 wrote the bytes of string types in the ANSI code page. */
static void widen(struct buffer *data)
{
	_cleanup_free_ char *text = NULL;
	struct buffer wide = BUFFER_INIT;
	struct buffer copy = BUFFER_INIT;

	for (size_t i = 0; i < data->len; i++) {
		if (data->data[i]) {
			buffer_append(&copy, data->data + i, 1);
			continue;
		}
		text = ansi_to_utf8(buffer_view(&copy));
		utf16_append_z(&wide, text);
		free(steal_ptr(text));
		copy.len = 0;
	}
	if (copy.len) {
		text = ansi_to_utf8(buffer_view(&copy));
		utf16_append(&wide, text);
	}
	buffer_free(&copy);
	buffer_free(data);
	*data = wide;
}

static int value_hex(struct parser *p, struct reg_edit *edit)
{
	edit->type = REG_BINARY;
	if (*p->at == '(') {
		p->at++;
		if (!hex_number(p, &edit->type) || *p->at != ')')
			return expected(p, p->start, "hex(TYPE): with the type in hex");
		p->at++;
	}
	if (*p->at != ':')
		return expected(p, p->start, "a colon after hex");
	p->at++;
	if (hex_bytes(p, &edit->data) < 0)
		return -1;
	if (p->ansi && (edit->type == REG_SZ || edit->type == REG_EXPAND_SZ ||
			edit->type == REG_MULTI_SZ))
		widen(&edit->data);
	return 0;
}

static int value_data(struct parser *p, struct reg_edit *edit)
{
	if (*p->at == '-') {
		p->at++;
		edit->kind = EDIT_DELETE_VALUE;
		return 0;
	}
	if (*p->at == '"') {
		_cleanup_buffer_ struct buffer text = BUFFER_INIT;

		edit->type = REG_SZ;
		if (quoted(p, &text) < 0)
			return -1;
		utf16_append_z(&edit->data, (const char *)text.data);
		return 0;
	}
	if (text_starts_with(p->at, "dword:")) {
		uint32_t v;

		p->at += strlen("dword:");
		skip_blanks(p);
		if (!hex_number(p, &v))
			return expected(p, p->start, "1 to 8 hex digits after dword:");
		edit->type = REG_DWORD;
		buffer_append_le32(&edit->data, v);
		return 0;
	}
	if (text_starts_with(p->at, "hex")) {
		p->at += strlen("hex");
		return value_hex(p, edit);
	}
	return expected(p, p->start, "\"text\", dword:, hex:, hex(TYPE): or - after =");
}

static int parse_value(struct parser *p)
{
	struct reg_edit edit = {.kind = EDIT_VALUE, .line = p->start};
	_cleanup_buffer_ struct buffer name = BUFFER_INIT;
	int result = -1;

	if (!p->key)
		return expected(p, p->start, "a [key] before the first value");
	if (*p->at == '@') {
		p->at++;
		buffer_append(&name, "", 1);
	} else if (quoted(p, &name) < 0) {
		return -1;
	}
	skip_blanks(p);
	if (*p->at != '=')
		return expected(p, p->start, "= after the value's name");
	p->at++;
	skip_blanks(p);
	if (value_data(p, &edit) == 0)
		result = finish_line(p);
	if (result < 0) {
		buffer_free(&edit.data);
		return -1;
	}
	edit.key = xstrdup(p->key);
	edit.name = xstrdup((const char *)name.data);
	vec_push(&p->edits, edit);
	return 0;
}

/* The path below HKEY_LOCAL_MACHINE; NULL if it lies elsewhere. */
static const char *below_machine(const char *path)
{
	static const char *const roots[] = {"HKEY_LOCAL_MACHINE\\", "HKLM\\"};

	for (size_t i = 0; i < ARRAY_SIZE(roots); i++)
		if (text_starts_with(path, roots[i]))
			return path + strlen(roots[i]);
	return NULL;
}

static bool path_is_sound(const char *path)
{
	size_t depth = 0, part = 0;

	for (;; path++) {
		if (*path && *path != '\\') {
			part++;
			continue;
		}
		if (part == 0 || part > 255 * 3 || ++depth > MAX_DEPTH)
			return false;
		if (!*path)
			return true;
		part = 0;
	}
}

static int parse_key(struct parser *p)
{
	const char *begin = p->at + 1, *close = NULL, *below;
	bool remove = *begin == '-';
	_cleanup_free_ char *path = NULL;
	size_t len;

	begin += remove;
	/* A key's name may hold ']': the last one of the line ends it. */
	for (const char *c = begin; *c && *c != '\r' && *c != '\n'; c++)
		if (*c == ']')
			close = c;
	if (!close)
		return expected(p, p->start, "] at the end of the key");
	path = xstrndup(begin, (size_t)(close - begin));
	len = strlen(path);
	if (len && path[len - 1] == '\\')
		path[len - 1] = '\0';
	below = below_machine(path);
	if (!below || !path_is_sound(below))
		return expected(
			p, p->start,
			"a key below HKEY_LOCAL_MACHINE\\SYSTEM, SOFTWARE or DRIVERS");
	p->at = close + 1;
	if (finish_line(p) < 0)
		return -1;
	free(p->key);
	p->key = remove ? NULL : xstrdup(below);
	vec_push(&p->edits, (struct reg_edit){.kind = remove ? EDIT_DELETE_KEY : EDIT_KEY,
					      .line = p->start,
					      .key = xstrdup(below)});
	return 0;
}

static int parse(struct parser *p)
{
	skip_blanks(p);
	if (text_starts_with(p->at, "REGEDIT4"))
		p->ansi = true;
	else if (!text_starts_with(p->at, "Windows Registry Editor Version 5.00"))
		return expected(
			p, 1, "\"Windows Registry Editor Version 5.00\" or \"REGEDIT4\"");
	next_line(p);
	while (*p->at) {
		skip_blanks(p);
		p->start = p->line;
		if (at_line_end(p) || *p->at == ';') {
			next_line(p);
			continue;
		}
		if (*p->at == '[') {
			if (parse_key(p) < 0)
				return -1;
		} else if (*p->at == '"' || *p->at == '@') {
			if (parse_value(p) < 0)
				return -1;
		} else {
			return expected(p, p->start, "[key], \"name\"=, @= or a comment");
		}
	}
	return 0;
}

/* ---- merging ------------------------------------------------------------------------
 */

static int set_in(struct hive *hive, const struct reg_edit *edit, const char *path,
		  size_t *changes, struct error *err)
{
	hkey root = hive_root(hive), key = hive_find(hive, root, path);
	int changed = 0;

	switch (edit->kind) {
	case EDIT_DELETE_KEY:
		if (!key)
			return 0;
		(*changes)++;
		return hive_delete(hive, key, err);
	case EDIT_DELETE_VALUE:
		changed = key ? hive_unset(hive, key, edit->name, err) : 0;
		break;
	case EDIT_KEY:
		*changes += !key;
		return key ? 0 : hive_create(hive, root, path, &key, err);
	case EDIT_VALUE:
		if (!key && hive_create(hive, root, path, &key, err) < 0)
			return -1;
		changed = hive_set(hive, key, edit->name, edit->type,
				   buffer_view(&edit->data), err);
		break;
	}
	if (changed > 0)
		(*changes)++;
	return changed < 0 ? -1 : 0;
}

/* Splits "SYSTEM\..." into the hive and the rest; the rest is "" for the root. */
static int find_hive(const char *key, enum registry_hive *which, const char **rest)
{
	for (size_t i = 0; i < REGISTRY_HIVES; i++) {
		const char *name = registry_hive_name((enum registry_hive)i);
		size_t n = strlen(name);

		if (text_starts_with(key, name) && (!key[n] || key[n] == '\\')) {
			*which = (enum registry_hive)i;
			*rest = key[n] ? key + n + 1 : key + n;
			return 0;
		}
	}
	return -1;
}

static int merge_edit(struct registry *registry, const struct reg_edit *edit,
		      size_t *changes, struct error *err)
{
	static const char current[] = "CurrentControlSet";
	enum registry_hive which;
	const char *rest, *tail;
	struct hive *hive;
	struct strings sets = VEC_INIT;
	int result = 0;

	if (find_hive(edit->key, &which, &rest) < 0) {
		error_set(err, ERROR_USAGE, edit->key, "is in no hive that gild edits");
		return error_remedy(err,
				    "use keys in HKEY_LOCAL_MACHINE\\SYSTEM, SOFTWARE or "
				    "DRIVERS");
	}
	hive = registry_hive(registry, which, err);
	if (!hive)
		return -1;
	tail = rest + strlen(current);
	if (which != REGISTRY_SYSTEM || !text_starts_with(rest, current) ||
	    (*tail && *tail != '\\'))
		return set_in(hive, edit, rest, changes, err);
	if (registry_control_sets(registry, &sets, err) < 0)
		return -1;
	vec_foreach (set, &sets) {
		_cleanup_free_ char *path = xasprintf("%s%s", *set, tail);

		result = set_in(hive, edit, path, changes, err);
		if (result < 0)
			break;
	}
	strings_free(&sets);
	return result;
}

/* What can be refused is refused before the first change. */
static int check_edits(struct parser *p, struct registry *registry)
{
	vec_foreach (edit, &p->edits) {
		enum registry_hive which;
		const char *rest;

		if (find_hive(edit->key, &which, &rest) < 0)
			return expected(
				p, edit->line,
				"a key below HKEY_LOCAL_MACHINE\\SYSTEM, SOFTWARE or "
				"DRIVERS");
		if (edit->kind == EDIT_DELETE_KEY && !*rest)
			return expected(p, edit->line,
					"a key below the root of the hive");
		if (!registry_hive(registry, which, p->err))
			return -1;
	}
	return 0;
}

int regfile_merge(struct registry *registry, const char *name, struct bytes text,
		  size_t *changes, struct error *err)
{
	_cleanup_error_ struct error own = ERROR_INIT;
	_cleanup_free_ char *decoded = NULL;
	struct parser p = {.file = name, .line = 1, .start = 1, .err = err ? err : &own};
	size_t count = 0;
	int result;

	if (text.len > MAX_LINE)
		return expected(&p, 1, "a file of at most 64 MiB");
	decoded = decode(text);
	p.at = decoded;
	result = parse(&p);
	if (result == 0)
		result = check_edits(&p, registry);
	for (size_t i = 0; result == 0 && i < p.edits.len; i++)
		result = merge_edit(registry, &p.edits.items[i], &count, err);
	vec_foreach (edit, &p.edits) {
		free(edit->key);
		free(edit->name);
		buffer_free(&edit->data);
	}
	vec_free(&p.edits);
	free(p.key);
	if (changes)
		*changes = count;
	return result;
}

/* ---- export -------------------------------------------------------------------------
 */

static void append_quoted(struct buffer *out, const char *text)
{
	buffer_append(out, "\"", 1);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			buffer_append(out, "\\", 1);
		buffer_append(out, text, 1);
	}
	buffer_append(out, "\"", 1);
}

/* True if REG_SZ data is one terminated string that the quoted form can carry. */
static bool is_plain_string(const struct reg_value *v)
{
	if (v->type != REG_SZ || v->len < 2 || v->len % 2 ||
	    get_le16(v->data + v->len - 2) != 0)
		return false;
	for (uint32_t i = 0; i + 2 < v->len; i += 2)
		if (get_le16(v->data + i) < 0x20)
			return false;
	return true;
}

static void append_value(struct buffer *out, const struct reg_value *v)
{
	if (*v->name)
		append_quoted(out, v->name);
	else
		buffer_append(out, "@", 1);
	buffer_append(out, "=", 1);
	if (is_plain_string(v)) {
		_cleanup_free_ char *text = utf16_to_utf8(v->data, v->len - 2);

		append_quoted(out, text);
	} else if (v->type == REG_DWORD && v->len == 4) {
		buffer_printf(out, "dword:%08x", get_le32(v->data));
	} else {
		if (v->type == REG_BINARY)
			buffer_append_string(out, "hex:");
		else
			buffer_printf(out, "hex(%x):", v->type);
		for (uint32_t i = 0; i < v->len; i++)
			buffer_printf(out, "%s%02x", i ? "," : "", v->data[i]);
	}
	buffer_append_string(out, "\r\n");
}

static int export_key(const struct hive *hive, hkey key, const char *path, unsigned depth,
		      struct buffer *ret, struct error *err)
{
	if (depth > MAX_DEPTH)
		return error_set(err, ERROR_STATE, path, "keys are nested too deeply");
	buffer_printf(ret, "\r\n[%s]\r\n", path);
	for (uint32_t i = 0; i < hive_value_count(hive, key); i++) {
		_cleanup_reg_value_ struct reg_value v = {0};

		if (hive_value_at(hive, key, i, &v, err) <= 0)
			return -1;
		append_value(ret, &v);
	}
	for (uint32_t i = 0; i < hive_child_count(hive, key); i++) {
		hkey child = hive_child(hive, key, i);
		_cleanup_free_ char *name = child ? hive_key_name(hive, child) : NULL;
		_cleanup_free_ char *below =
			name ? xasprintf("%s\\%s", path, name) : NULL;

		if (!below)
			return error_set(err, ERROR_STATE, path,
					 "its subkey list is damaged");
		if (export_key(hive, child, below, depth + 1, ret, err) < 0)
			return -1;
	}
	return 0;
}

int regfile_export(const struct hive *hive, hkey key, const char *prefix,
		   struct buffer *ret, struct error *err)
{
	buffer_append_string(ret, "Windows Registry Editor Version 5.00\r\n");
	return export_key(hive, key, prefix, 0, ret, err);
}
