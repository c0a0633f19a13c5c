/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "driver_text.h"

#include "base/text.h"

/* arg: an array of struct library, ended by a NULL name. */
static int find_include(const char *name, struct buffer *ret, void *arg,
			struct error *err _unused_)
{
	for (const struct library *l = arg; l->name; l++)
		if (text_equal(l->name, name)) {
			buffer_append_string(ret, l->text);
			return 1;
		}
	return 0;
}

struct driver *open_with(const char *text, const char *target_text,
			 const struct library *library, char **reason, struct error *err)
{
	struct target target;

	assert_int_equal(target_parse(target_text, &target, NULL), 0);
	return driver_open("t.inf", (struct bytes){(const uint8_t *)text, strlen(text)},
			   &target, library ? find_include : NULL, (void *)library,
			   reason, err);
}

struct driver *open_for(const char *text, const char *target_text)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct driver *d = open_with(text, target_text, NULL, NULL, &err);

	if (!d)
		print_message("%s: %s\n", err.subject, err.reason);
	assert_non_null(d);
	return d;
}

struct driver *open_body(const char *body)
{
	_cleanup_free_ char *text = xasprintf("%s%s", HEADER MODELS, body);

	return open_for(text, "10.0.19041/amd64");
}

void assert_utf16(const struct buffer *data, const char *text)
{
	_cleanup_buffer_ struct buffer want = BUFFER_INIT;

	utf16_append_z(&want, text);
	assert_int_equal(data->len, want.len);
	assert_memory_equal(data->data, want.data, want.len);
}

bool has_remark(const struct strings *s, const char *part)
{
	vec_foreach (item, s)
		if (strstr(*item, part))
			return true;
	return false;
}
