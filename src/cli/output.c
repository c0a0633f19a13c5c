/* SPDX-License-Identifier: GPL-3.0-or-later */
/* JSON objects and tables on stdout. */
#include "cli/cli.h"

#include <stdarg.h>
#include <unistd.h>
#include <wchar.h>

#include "base/text.h"

void cli_print_json(struct json_object *object)
{
	puts(json_object_to_json_string_ext(
		object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}

/* Names kept as WTF-8 hold surrogates, which JSON in UTF-8 must not: U+FFFD instead. */
static struct json_object *json_text(const char *value)
{
	_cleanup_free_ char *clean = NULL;

	if (!value)
		return NULL;
	if (!utf8_valid(value, strlen(value))) {
		struct buffer out = BUFFER_INIT;

		for (const char *p = value; *p;) {
			size_t n = 1;

			while (n < 4 && ((unsigned char)p[n] & 0xC0) == 0x80)
				n++;
			if (utf8_valid(p, n))
				buffer_append(&out, p, n);
			else
				buffer_append_string(&out, "\xEF\xBF\xBD");
			p += n;
		}
		clean = buffer_steal_string(&out);
	}
	return json_object_new_string(clean ? clean : value);
}

struct json_object *cli_object(const char *schema)
{
	struct json_object *object = json_object_new_object();

	if (schema)
		cli_add(object, "schema", schema);
	return object;
}

void cli_add(struct json_object *object, const char *key, const char *value)
{
	(void)json_object_object_add(object, key, json_text(value));
}

void cli_add_int(struct json_object *object, const char *key, int64_t value)
{
	(void)json_object_object_add(object, key, json_object_new_int64(value));
}

void cli_add_bool(struct json_object *object, const char *key, bool value)
{
	(void)json_object_object_add(object, key, json_object_new_boolean(value));
}

void cli_add_strings(struct json_object *object, const char *key,
		     const struct strings *items)
{
	struct json_object *array = cli_add_array(object, key);

	vec_foreach (item, items)
		(void)json_object_array_add(array, json_text(*item));
}

static struct json_object *attach(struct json_object *to, const char *key,
				  struct json_object *value)
{
	if (json_object_is_type(to, json_type_array))
		(void)json_object_array_add(to, value);
	else
		(void)json_object_object_add(to, key, value);
	return value;
}

struct json_object *cli_add_array(struct json_object *object, const char *key)
{
	return attach(object, key, json_object_new_array());
}

struct json_object *cli_add_object(struct json_object *array_or_object, const char *key)
{
	return attach(array_or_object, key, json_object_new_object());
}

void cli_add_partition(struct json_object *array, const char *role, unsigned number,
		       uint64_t offset, uint64_t size, const struct guid *guid)
{
	struct json_object *o = cli_add_object(array, NULL);
	char text[GUID_TEXT_SIZE];

	guid_format(guid, text);
	cli_add(o, "role", role);
	cli_add_int(o, "number", number);
	cli_add_int(o, "offset", (int64_t)offset);
	cli_add_int(o, "size", (int64_t)size);
	cli_add(o, "guid", text);
}

void cli_table_row(struct cli_table *table, ...)
{
	va_list ap;
	const char *cell;

	va_start(ap, table);
	while ((cell = va_arg(ap, const char *)))
		strings_push(&table->cells, cell);
	va_end(ap);
	while (table->columns && table->cells.len % table->columns)
		strings_push(&table->cells, "");
}

/* Columns on a terminal: code points (tables hold names and versions, no wide scripts).
 */
static size_t text_width(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xC0) != 0x80;
	return n;
}

static void print_cell(FILE *out, const char *cell, size_t width)
{
	size_t have = text_width(cell);

	for (const char *p = cell; *p;
	     p++) /* no control sequence from an image gets out */
		fputc((unsigned char)*p < 0x20 || *p == 0x7f ? '?' : *p, out);
	for (; have < width; have++)
		fputc(' ', out);
}

void cli_table_print(struct cli_table *table, FILE *out)
{
	_cleanup_free_ size_t *width = xcalloc(table->columns, sizeof(*width));
	bool bold = !table->plain && isatty(fileno(out)) == 1;

	for (size_t i = 0; i < table->cells.len; i++) {
		size_t w = text_width(table->cells.items[i]);

		if (w > width[i % table->columns])
			width[i % table->columns] = w;
	}
	for (size_t i = 0; i < table->cells.len; i++) {
		size_t column = i % table->columns;
		bool last = column + 1 == table->columns;

		if (bold && i == 0)
			fputs("\033[1m", out);
		print_cell(out, table->cells.items[i], last ? 0 : width[column] + 2);
		if (last)
			fputs(bold && i + 1 == table->columns ? "\033[0m\n" : "\n", out);
	}
	strings_free(&table->cells);
}
