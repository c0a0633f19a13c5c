/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The sample's registry: keys in memory, filled from descriptions, written through hivex.
 *
 * hivex cannot make a hive out of nothing, so an empty one is laid out here: base block,
 * one bin with the root key and its security cell (format: msuhanov/regf, "Windows
 * registry file format specification"). All else is hivex' work.
 */
#include <errno.h>
#include <hivex.h>
#include <stdio.h>

#include "base/file.h"
#include "samples/sample.h"

struct key *key_new(const char *name)
{
	struct key *k = xcalloc(1, sizeof(*k));

	k->name = xstrdup(name);
	return k;
}

void key_free(struct key *k)
{
	if (!k)
		return;
	vec_foreach (child, &k->children)
		key_free(*child);
	vec_foreach (v, &k->values) {
		free(v->name);
		buffer_free(&v->data);
	}
	vec_free(&k->children);
	vec_free(&k->values);
	free(k->name);
	free(k);
}

static struct key *child_open(struct key *k, const char *name)
{
	struct key *child;

	vec_foreach (c, &k->children)
		if (text_equal((*c)->name, name))
			return *c;
	child = key_new(name);
	vec_push(&k->children, child);
	return child;
}

struct key *key_open(struct key *k, const char *path)
{
	_cleanup_free_ char *copy = xstrdup(path);
	char *rest = copy, *name;

	while ((name = strsep(&rest, "\\")))
		if (*name)
			k = child_open(k, name);
	return k;
}

static struct value *value_open(struct key *k, const char *name)
{
	vec_foreach (v, &k->values)
		if (text_equal(v->name, name))
			return v;
	vec_push(&k->values, (struct value){.name = xstrdup(name)});
	return &k->values.items[k->values.len - 1];
}

void key_set(struct key *k, const char *name, uint32_t type, struct bytes data)
{
	struct value *v = value_open(k, name);

	v->type = type;
	v->data.len = 0;
	buffer_append(&v->data, data.data, data.len);
}

void key_set_string(struct key *k, const char *name, uint32_t type, const char *text)
{
	_cleanup_buffer_ struct buffer b = BUFFER_INIT;

	utf16_append_z(&b, text);
	key_set(k, name, type, buffer_view(&b));
}

void key_set_dword(struct key *k, const char *name, uint32_t v)
{
	uint8_t le[4];

	put_le32(le, v);
	key_set(k, name, TYPE_DWORD, (struct bytes){le, sizeof(le)});
}

void key_set_qword(struct key *k, const char *name, uint64_t v)
{
	uint8_t le[8];

	put_le64(le, v);
	key_set(k, name, TYPE_QWORD, (struct bytes){le, sizeof(le)});
}

void key_append_multi(struct key *k, const char *name, const char *item)
{
	struct value *v = value_open(k, name);
	size_t at = 0;

	v->type = TYPE_MULTI;
	while (at + 2 < v->data.len) {
		_cleanup_free_ char *have =
			utf16_to_utf8(v->data.data + at, v->data.len - at);
		char *end = strchr(have, 0);

		if (text_equal(have, item))
			return;
		at += 2 * (utf16_units(have) + (end ? 1 : 0));
	}
	if (v->data.len >= 2)
		v->data.len -= 2;
	utf16_append_z(&v->data, item);
	buffer_append(&v->data, "\0", 2);
}

static void set_hex(struct key *k, const char *name, uint32_t type, const char *text,
		    const char *where)
{
	_cleanup_buffer_ struct buffer b = BUFFER_INIT;

	while (*text) {
		char digits[3] = {text[0], text[0] ? text[1] : 0, 0}, *end;
		uint8_t byte = (uint8_t)strtoul(digits, &end, 16);

		if (end != digits + 2)
			die("%s: pairs of hexadecimal digits expected: %s", where, text);
		buffer_append(&b, &byte, 1);
		text += 2;
		if (*text == ',')
			text++;
	}
	key_set(k, name, type, buffer_view(&b));
}

void key_set_words(struct key *k, const char *name, char *const *words, size_t count,
		   const char *where)
{
	const char *type = count > 0 ? words[0] : "";
	const char *first = count > 1 ? words[1] : "";

	if (strcmp(type, "multi") == 0) {
		key_set(k, name, TYPE_MULTI, (struct bytes){(const uint8_t *)"\0", 2});
		for (size_t i = 1; i < count; i++)
			key_append_multi(k, name, words[i]);
	} else if (count > 2) {
		die("%s: more than one datum", where);
	} else if (strcmp(type, "sz") == 0) {
		key_set_string(k, name, TYPE_SZ, first);
	} else if (strcmp(type, "expand") == 0) {
		key_set_string(k, name, TYPE_EXPAND, first);
	} else if (strcmp(type, "dword") == 0) {
		key_set_dword(k, name, (uint32_t)parse_number(first, where));
	} else if (strcmp(type, "qword") == 0) {
		key_set_qword(k, name, parse_number(first, where));
	} else if (strcmp(type, "hex") == 0) {
		set_hex(k, name, TYPE_BINARY, first, where);
	} else if (strcmp(type, "boolean-property") == 0) {
		set_hex(k, name, TYPE_PROPERTY_BOOLEAN, first, where);
	} else if (strcmp(type, "none") == 0) {
		key_set(k, name, TYPE_NONE, (struct bytes){0});
	} else {
		die("%s: unknown type \"%s\"", where, type);
	}
}

struct load {
	struct key *root, *key;
};

/* "[path]" opens a key, "name type data..." sets a value; @ is the default value. */
static void load_line(void *arg, char *line, const char *where)
{
	struct load *load = arg;
	char *words[80], *close;
	size_t count;

	if (*line == '[') {
		close = strrchr(line, ']');
		if (!close)
			die("%s: ] is missing", where);
		*close = 0;
		load->key = key_open(load->root, line + 1);
		return;
	}
	count = split_words(line, words, ARRAY_SIZE(words), where);
	if (!load->key || count < 2)
		die("%s: a value needs a key before it and a type behind it", where);
	key_set_words(load->key, strcmp(words[0], "(default)") == 0 ? "" : words[0],
		      words + 1, count - 1, where);
}

void key_load(struct key *root, const char *file, const struct variables *vars)
{
	struct load load = {.root = root};

	description_read(file, vars, load_line, &load);
}

/* ---- the empty hive ------------------------------------------------------------------
 */

#define BIN_SIZE 4096
#define CELL_ROOT 0x20
#define CELL_SECURITY 0x80

static void base_block(uint8_t *p, const char *inner_name, uint64_t filetime)
{
	_cleanup_buffer_ struct buffer name = BUFFER_INIT;
	size_t len;
	uint32_t sum = 0;

	memcpy(p, "regf", 4);
	put_le32(p + 0x04, 1); /* both sequence numbers: clean */
	put_le32(p + 0x08, 1);
	put_le64(p + 0x0c, filetime);
	put_le32(p + 0x14, 1); /* version 1.5 */
	put_le32(p + 0x18, 5);
	put_le32(p + 0x20, 1); /* memory image */
	put_le32(p + 0x24, CELL_ROOT);
	put_le32(p + 0x28, BIN_SIZE);
	put_le32(p + 0x2c, 1);
	/* Windows keeps the last 32 units of the path. */
	utf16_append(&name, inner_name);
	len = name.len > 62 ? 62 : name.len;
	memcpy(p + 0x30, name.data + name.len - len, len);
	for (size_t i = 0; i < 0x1fc; i += 4)
		sum ^= get_le32(p + i);
	put_le32(p + 0x1fc, sum);
}

static void empty_hive(uint8_t image[2 * BIN_SIZE], const char *root_name,
		       const char *inner_name, const char *sddl, uint64_t filetime)
{
	_cleanup_buffer_ struct buffer sd = BUFFER_INIT;
	uint8_t *bin = image + BIN_SIZE, *nk = bin + CELL_ROOT, *sk = bin + CELL_SECURITY;
	size_t sk_size, name_len = strlen(root_name);

	base_block(image, inner_name, filetime);
	memcpy(bin, "hbin", 4);
	put_le32(bin + 0x08, BIN_SIZE);
	put_le64(bin + 0x14, filetime);

	put_le32(nk, (uint32_t) - (CELL_SECURITY - CELL_ROOT));
	memcpy(nk + 4, "nk", 2);
	put_le16(nk + 6, 0x2c); /* hive entry, no delete, 8-bit name */
	put_le64(nk + 8, filetime);
	put_le32(nk + 0x14, 0xffffffff); /* parent; lists: none */
	put_le32(nk + 0x20, 0xffffffff);
	put_le32(nk + 0x24, 0xffffffff);
	put_le32(nk + 0x2c, 0xffffffff);
	put_le32(nk + 0x30, CELL_SECURITY);
	put_le32(nk + 0x34, 0xffffffff);
	put_le16(nk + 0x4c, (uint16_t)name_len);
	memcpy(nk + 0x50, root_name, name_len);

	sddl_compile(sddl, &sd);
	sk_size = (4 + 0x14 + sd.len + 7) & ~(size_t)7;
	put_le32(sk, (uint32_t) - (int32_t)sk_size);
	memcpy(sk + 4, "sk", 2);
	put_le32(sk + 8, CELL_SECURITY); /* a ring of one */
	put_le32(sk + 0x0c, CELL_SECURITY);
	put_le32(sk + 0x10, 1); /* users: the root */
	put_le32(sk + 0x14, (uint32_t)sd.len);
	memcpy(sk + 0x18, sd.data, sd.len);
	/* The rest of the bin is one free cell. */
	put_le32(sk + sk_size, (uint32_t)(BIN_SIZE - CELL_SECURITY - sk_size));
}

static void write_key(hive_h *h, hive_node_h node, const struct key *k)
{
	_cleanup_free_ hive_set_value *values =
		xcalloc(k->values.len + 1, sizeof(*values));
	size_t n = 0;

	vec_foreach (v, &k->values)
		values[n++] = (hive_set_value){.key = v->name,
					       .t = (hive_type)v->type,
					       .len = v->data.len,
					       .value = (char *)v->data.data};
	if (n > 0 && hivex_node_set_values(h, node, n, values, 0) < 0)
		die("hivex: values of %s: %s", k->name, strerror(errno));
	vec_foreach (child, &k->children) {
		hive_node_h sub = hivex_node_add_child(h, node, (*child)->name);

		if (!sub)
			die("hivex: key %s: %s", (*child)->name, strerror(errno));
		write_key(h, sub, *child);
	}
}

void hive_write(const struct key *root, const char *path, const char *inner_name,
		const char *sddl, uint64_t filetime)
{
	_cleanup_free_ uint8_t *image = xcalloc(2, BIN_SIZE);
	struct error err = ERROR_INIT;
	hive_h *h;

	empty_hive(image, root->name, inner_name, sddl, filetime);
	(void)file_replace(path, (struct bytes){image, 2 * BIN_SIZE}, &err);
	die_on(&err);
	h = hivex_open(path, HIVEX_OPEN_WRITE);
	if (!h)
		die("hivex cannot open %s: %s", path, strerror(errno));
	write_key(h, hivex_root(h), root);
	if (hivex_commit(h, NULL, 0) < 0)
		die("hivex cannot write %s: %s", path, strerror(errno));
	hivex_close(h);
}
