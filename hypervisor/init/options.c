/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "init/options.h"

#include "base/buffer.h"

#define BLANKS " \t\r\n"

void options_free(struct options *options)
{
	strings_free(&options->words);
}

static int add_word(struct options *o, const char *word, size_t len, const char *source,
		    struct error *err)
{
	const char *equals = memchr(word, '=', len);

	if (!equals || equals == word) {
		error_set(err, ERROR_FAILED, source, "\"%.*s\" is not KEY=VALUE",
			  (int)len, word);
		return error_remedy(err, "docs/hypervisor.md has the keys");
	}
	if (o->words.len >= OPTIONS_MAX_WORDS)
		return error_set(err, ERROR_FAILED, source, "has more than %u words",
				 OPTIONS_MAX_WORDS);
	vec_push(&o->words, xstrndup(word, len));
	return 0;
}

int options_add(struct options *o, const char *text, const char *source,
		struct error *err)
{
	while (*text) {
		size_t len;

		text += strspn(text, BLANKS);
		if (*text == '#') {
			text += strcspn(text, "\n");
			continue;
		}
		len = strcspn(text, BLANKS);
		if (len && add_word(o, text, len, source, err) < 0)
			return -1;
		text += len;
	}
	return 0;
}

int options_add_cmdline(struct options *o, const char *cmdline, struct error *err)
{
	static const char prefix[] = "gild.";

	while (*cmdline) {
		size_t len;

		cmdline += strspn(cmdline, BLANKS);
		len = strcspn(cmdline, BLANKS);
		if (len > strlen(prefix) &&
		    strncmp(cmdline, prefix, strlen(prefix)) == 0 &&
		    add_word(o, cmdline + strlen(prefix), len - strlen(prefix),
			     "kernel command line", err) < 0)
			return -1;
		cmdline += len;
	}
	return 0;
}

/* The value if the word has this key. */
static const char *value_of(const char *word, const char *key)
{
	size_t len = strlen(key);

	return strncmp(word, key, len) == 0 && word[len] == '=' ? word + len + 1 : NULL;
}

const char *options_get(const struct options *o, const char *key)
{
	for (size_t i = o->words.len; i > 0; i--) {
		const char *value = value_of(o->words.items[i - 1], key);

		if (value)
			return value;
	}
	return NULL;
}

static int bad_value(const char *key, const char *value, const char *expected,
		     struct error *err)
{
	error_set(err, ERROR_FAILED, key, "\"%s\" is not %s", value, expected);
	return error_remedy(err, "docs/hypervisor.md has the keys");
}

int options_switch(const struct options *o, const char *key, bool otherwise, bool *ret,
		   struct error *err)
{
	const char *value = options_get(o, key);

	*ret = otherwise;
	if (!value)
		return 0;
	*ret = strcmp(value, "on") == 0;
	return *ret || strcmp(value, "off") == 0
		       ? 0
		       : bad_value(key, value, "on or off", err);
}

int options_number(const struct options *o, const char *key, bool sizes, uint64_t least,
		   uint64_t most, uint64_t *ret, struct error *err)
{
	const char *value = options_get(o, key);
	uint64_t number = 0;
	const char *at;
	bool bad = false;

	if (!value)
		return 0;
	for (at = value; *at >= '0' && *at <= '9'; at++)
		bad |= mul_overflow(number, 10, &number) ||
		       add_overflow(number, (uint64_t)(*at - '0'), &number);
	bad |= at == value;
	if (sizes && (*at == 'M' || *at == 'G'))
		bad |= mul_overflow(number, (uint64_t)1 << (*at++ == 'M' ? 20 : 30),
				    &number);
	if (bad || *at || number < least || number > most)
		return bad_value(key, value,
				 sizes ? "a size in its range" : "a number in its range",
				 err);
	*ret = number;
	return 0;
}

bool options_has(const struct options *o, const char *key, const char *item)
{
	const char *value = options_get(o, key);
	size_t len = strlen(item);

	while (value && *value) {
		size_t n = strcspn(value, ",");

		if (n == len && strncmp(value, item, n) == 0)
			return true;
		value += n + (value[n] == ',');
	}
	return false;
}

int options_check(const struct options *o, const char *const known[], struct error *err)
{
	vec_foreach (word, &o->words) {
		bool found = false;

		for (size_t i = 0; known[i]; i++)
			found |= value_of(*word, known[i]) != NULL;
		if (!found) {
			error_set(err, ERROR_FAILED, *word, "nobody knows this key");
			return error_remedy(err, "docs/hypervisor.md has the keys");
		}
	}
	return 0;
}
