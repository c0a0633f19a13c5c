/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What tests/test_media.c stands on: files and archives in its scratch folder. */
#ifndef TESTS_TEST_MEDIA_H
#define TESTS_TEST_MEDIA_H

#include "scratch.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "archives.h"
#include "base/text.h"
#include "media/media.h"
#include "media/unpack.h"

static void put_bytes(const char *name, const void *data, size_t len)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", work, name);

	assert_int_equal(
		file_replace(path, (struct bytes){(const uint8_t *)data, len}, NULL), 0);
}

static void put_text(const char *name, const char *text)
{
	put_bytes(name, text, strlen(text));
}

static void put_buffer(const char *name, const struct buffer *b)
{
	put_bytes(name, b->data, b->len);
}

static char *joined(char **items, size_t len)
{
	struct buffer b = BUFFER_INIT;

	for (size_t i = 0; i < len; i++)
		buffer_printf(&b, "%s%s", i ? "|" : "", items[i]);
	return buffer_steal_string(&b);
}

/* What the paths hold: labels joined by "|". */
static void assert_infs(const struct source_media *m, const char *want)
{
	_cleanup_(strings_free) struct strings labels = VEC_INIT;
	_cleanup_free_ char *got = NULL;

	vec_foreach (inf, &m->infs)
		strings_push(&labels, inf->label);
	got = joined(labels.items, labels.len);
	assert_string_equal(got, want);
}

static void assert_problems(const struct source_media *m, const char *want)
{
	_cleanup_free_ char *got = joined(m->problems.items, m->problems.len);

	assert_string_equal(got, want);
}

static void assert_problem(const struct source_media *m, const char *part)
{
	_cleanup_free_ char *got = joined(m->problems.items, m->problems.len);

	if (!strstr(got, part))
		fail_msg("no problem \"%s\" in \"%s\"", part, got);
}

static void assert_adds(struct source_media *m, const char *path)
{
	_cleanup_error_ struct error err = ERROR_INIT;

	if (media_add(m, path, &err) < 0)
		fail_msg("%s: %s", path, err.reason);
}

static void assert_refuses(const char *path, const char *reason)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_media_ struct source_media m = {0};
	_cleanup_free_ char *text = NULL;

	assert_int_equal(media_add(&m, path, &err), -1);
	text = error_message(&err);
	if (!strstr(text, reason))
		fail_msg("\"%s\" is not in \"%s\"", reason, text);
	assert_string_equal(err.subject, path);
	assert_int_equal(m.infs.len, 0);
}

static void assert_file(const char *path, const char *want)
{
	_cleanup_buffer_ struct buffer b = BUFFER_INIT;
	_cleanup_free_ char *text = NULL;

	assert_int_equal(file_read(path, 1 << 20, &b, NULL), 0);
	text = buffer_steal_string(&b);
	assert_string_equal(text, want);
}

static void put_cab(const char *name, const struct cab *cab)
{
	_cleanup_buffer_ struct buffer b = BUFFER_INIT;

	make_cab(&b, cab);
	put_buffer(name, &b);
}

#endif
