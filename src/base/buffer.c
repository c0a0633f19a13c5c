/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>

void buffer_free(struct buffer *b)
{
	free(b->data);
	*b = (struct buffer)BUFFER_INIT;
}

uint8_t *buffer_reserve(struct buffer *b, size_t more)
{
	size_t need;

	if (add_overflow(b->len, more, &need))
		need = SIZE_MAX; /* xreallocarray refuses it */
	vec_grow((void **)&b->data, &b->allocated, need, 1);
	/* Nothing was asked for and nothing is there: data may still be NULL. */
	return b->len ? b->data + b->len : b->data;
}

void buffer_append(struct buffer *b, const void *data, size_t len)
{
	uint8_t *to = buffer_reserve(b, len);

	if (len)
		memcpy(to, data, len);
	b->len += len;
}

void buffer_append_string(struct buffer *b, const char *s)
{
	buffer_append(b, s, strlen(s));
}

void buffer_append_markup(struct buffer *b, const char *s)
{
	for (; *s; s++) {
		switch (*s) {
		case '&':
			buffer_append_string(b, "&amp;");
			break;
		case '<':
			buffer_append_string(b, "&lt;");
			break;
		case '>':
			buffer_append_string(b, "&gt;");
			break;
		case '"':
			buffer_append_string(b, "&quot;");
			break;
		default:
			buffer_append(b, (unsigned char)*s < 0x20 ? "?" : s, 1);
		}
	}
}

void buffer_printf(struct buffer *b, const char *fmt, ...)
{
	_cleanup_free_ char *s = NULL;
	va_list ap;

	va_start(ap, fmt);
	s = xvasprintf(fmt, ap);
	va_end(ap);
	buffer_append_string(b, s);
}

void buffer_append_le16(struct buffer *b, uint16_t v)
{
	put_le16(buffer_reserve(b, 2), v);
	b->len += 2;
}

void buffer_append_le32(struct buffer *b, uint32_t v)
{
	put_le32(buffer_reserve(b, 4), v);
	b->len += 4;
}

void buffer_append_le64(struct buffer *b, uint64_t v)
{
	put_le64(buffer_reserve(b, 8), v);
	b->len += 8;
}

char *buffer_steal_string(struct buffer *b)
{
	char *s;

	buffer_append(b, "", 1);
	s = (char *)b->data;
	*b = (struct buffer)BUFFER_INIT;
	return s;
}

bool bytes_has(struct bytes b, uint64_t offset, uint64_t len)
{
	return offset <= b.len && len <= b.len - offset;
}

struct bytes bytes_at(struct bytes b, uint64_t offset, uint64_t len)
{
	/* Nothing may be at no address at all, to which nothing can be added. */
	if (!b.data || !bytes_has(b, offset, len))
		return (struct bytes){NULL, 0};
	return (struct bytes){b.data + offset, (size_t)len};
}

bool bytes_le16(struct bytes b, uint64_t offset, uint16_t *v)
{
	if (!bytes_has(b, offset, 2))
		return false;
	*v = get_le16(b.data + offset);
	return true;
}

bool bytes_le32(struct bytes b, uint64_t offset, uint32_t *v)
{
	if (!bytes_has(b, offset, 4))
		return false;
	*v = get_le32(b.data + offset);
	return true;
}

bool bytes_le64(struct bytes b, uint64_t offset, uint64_t *v)
{
	if (!bytes_has(b, offset, 8))
		return false;
	*v = get_le64(b.data + offset);
	return true;
}

bool bytes_equal(struct bytes a, struct bytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}
