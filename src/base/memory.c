/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/text.h"

static void *checked(void *p)
{
	static const char message[] = "gild: out of memory; nothing more was written; "
				      "use a machine with more memory or fewer packages "
				      "at once\n";

	if (p)
		return p;
	(void)!write(STDERR_FILENO, message, sizeof(message) - 1);
	_exit(1);
}

void *xmalloc(size_t size)
{
	return checked(malloc(size ? size : 1));
}

void *xcalloc(size_t count, size_t size)
{
	return checked(calloc(count ? count : 1, size ? size : 1));
}

void *xreallocarray(void *p, size_t count, size_t size)
{
	return checked(reallocarray(p, count ? count : 1, size ? size : 1));
}

void *xmemdup(const void *p, size_t size)
{
	void *copy = xmalloc(size);

	if (size)
		memcpy(copy, p, size);
	return copy;
}

char *xstrdup(const char *s)
{
	return checked(strdup(s));
}

char *xstrndup(const char *s, size_t n)
{
	return checked(strndup(s, n));
}

char *xvasprintf(const char *fmt, va_list ap)
{
	char *s = NULL;
	int n = vasprintf(&s, fmt, ap);

	return checked(n < 0 ? NULL : s);
}

char *xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	s = xvasprintf(fmt, ap);
	va_end(ap);
	return s;
}

void freep(void *pointer_to_pointer)
{
	void **p = pointer_to_pointer;

	free(*p);
	*p = NULL;
}

void vec_grow(void **items, size_t *allocated, size_t len, size_t item_size)
{
	size_t n = *allocated ? *allocated : 8;

	if (len <= *allocated)
		return;
	while (n < len)
		n += n / 2;
	*items = xreallocarray(*items, n, item_size);
	*allocated = n;
}

void strings_free(struct strings *s)
{
	vec_foreach (item, s)
		free(*item);
	vec_free(s);
}

void strings_push(struct strings *s, const char *item)
{
	vec_push(s, xstrdup(item));
}

bool strings_contain(const struct strings *s, const char *item)
{
	vec_foreach (have, s)
		if (text_equal(*have, item))
			return true;
	return false;
}
