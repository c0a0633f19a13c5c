/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading the descriptions: variables, conditions, words, numbers. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/file.h"
#include "samples/sample.h"

void die(const char *fmt, ...)
{
	va_list ap;

	fputs("mksample: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

void die_on(const struct error *err)
{
	if (err->code)
		die("%s", error_message(err));
}

void variable_set(struct variables *vars, const char *name, const char *value)
{
	vec_foreach (v, vars)
		if (strcmp(v->name, name) == 0) {
			free(v->value);
			v->value = xstrdup(value);
			return;
		}
	vec_push(vars, (struct variable){name, xstrdup(value)});
}

const char *variable_get(const struct variables *vars, const char *name)
{
	vec_foreach (v, vars)
		if (strcmp(v->name, name) == 0)
			return v->value;
	return NULL;
}

static char *substitute(const char *line, const struct variables *vars, const char *where)
{
	struct buffer out = BUFFER_INIT;
	const char *p;

	while ((p = strstr(line, "${"))) {
		const char *end = strchr(p, '}');
		_cleanup_free_ char *name =
			end ? xstrndup(p + 2, (size_t)(end - p - 2)) : NULL;
		const char *value = name ? variable_get(vars, name) : NULL;

		if (!value)
			die("%s: no such variable: %s", where, p);
		buffer_append(&out, line, (size_t)(p - line));
		buffer_append_string(&out, value);
		line = end + 1;
	}
	buffer_append_string(&out, line);
	return buffer_steal_string(&out);
}

static bool condition(char *text, const struct variables *vars, const char *where)
{
	char *words[32];
	size_t count = split_words(text, words, ARRAY_SIZE(words), where), i = 1;
	bool wanted = true;
	const char *value;

	if (count > 1 && strcmp(words[1], "not") == 0) {
		wanted = false;
		i++;
	}
	value = i < count ? variable_get(vars, words[i]) : NULL;
	if (!value)
		die("%s: @if needs a variable and its values", where);
	while (++i < count)
		if (strcmp(words[i], value) == 0)
			return wanted;
	return !wanted;
}

const char *samples_folder(void)
{
	const char *folder = getenv("GILD_SAMPLES");

	return folder ? folder : SAMPLES_FOLDER;
}

void description_read(const char *file, const struct variables *vars,
		      void (*line)(void *arg, char *line, const char *where), void *arg)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", samples_folder(), file);
	_cleanup_buffer_ struct buffer text = BUFFER_INIT;
	struct error err = ERROR_INIT;
	bool taken[8] = {true};
	size_t depth = 0, number = 0;
	char *p, *end;

	(void)file_read(path, 16 << 20, &text, &err);
	die_on(&err);
	buffer_append(&text, "\n", 2);
	for (p = (char *)text.data; (end = strchr(p, '\n')); p = end + 1) {
		_cleanup_free_ char *where = xasprintf("%s:%zu", file, ++number);
		char *s = p + strspn(p, " \t");

		*end = 0;
		if (strncmp(s, "@if ", 4) == 0) {
			if (++depth == ARRAY_SIZE(taken))
				die("%s: @if is nested too deeply", where);
			taken[depth] = condition(s, vars, where) && taken[depth - 1];
		} else if (strcmp(s, "@else") == 0 && depth > 0) {
			taken[depth] = !taken[depth] && taken[depth - 1];
		} else if (strcmp(s, "@end") == 0 && depth > 0) {
			depth--;
		} else if (*s == '@') {
			die("%s: %s is out of place", where, s);
		} else if (taken[depth] && *s && *s != ';') {
			_cleanup_free_ char *copy = substitute(s, vars, where);

			line(arg, copy, where);
		}
	}
	if (depth > 0)
		die("%s: @end is missing", file);
}

size_t split_words(char *line, char **words, size_t max, const char *where)
{
	size_t count = 0;
	char *in = line, *out;

	for (;;) {
		in += strspn(in, " \t\r");
		if (!*in)
			return count;
		if (count == max)
			die("%s: more than %zu words", where, max);
		words[count++] = out = in;
		while (*in && *in != ' ' && *in != '\t' && *in != '\r') {
			if (*in != '"') {
				*out++ = *in++;
				continue;
			}
			for (in++; *in && *in != '"'; in++)
				*out++ = *in;
			if (!*in++)
				die("%s: \" is missing", where);
		}
		if (*in)
			in++;
		*out = 0;
	}
}

const char *word_option(char *const *words, size_t count, const char *key)
{
	size_t len = strlen(key);

	for (size_t i = 0; i < count; i++)
		if (strncmp(words[i], key, len) == 0 && words[i][len] == '=')
			return words[i] + len + 1;
	return NULL;
}

uint64_t parse_number(const char *text, const char *where)
{
	char *end;
	uint64_t v;

	errno = 0;
	v = strtoull(text, &end, 0);
	if (errno || end == text || *end)
		die("%s: %s is no number", where, text);
	return v;
}
