/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Bytes: `struct buffer` owns and grows, `struct bytes` is a view with bounds. Untrusted
 * bytes are read through the bytes_* functions only; they never read past the end.
 */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include "base/memory.h"

struct bytes {
	const uint8_t *data;
	size_t len;
};

struct buffer {
	uint8_t *data;
	size_t len, allocated;
};
#define BUFFER_INIT                                                                       \
	{                                                                                 \
		0                                                                         \
	}

void buffer_free(struct buffer *b);
#define _cleanup_buffer_ _cleanup_(buffer_free)
/* Makes room for `more` bytes after len without changing len; returns data + len. */
uint8_t *buffer_reserve(struct buffer *b, size_t more);
void buffer_append(struct buffer *b, const void *data, size_t len);
void buffer_append_string(struct buffer *b, const char *s);
/* As text or attribute of XML and HTML; control characters, which XML has not, become '?'. */
void buffer_append_markup(struct buffer *b, const char *s);
void buffer_printf(struct buffer *b, const char *fmt, ...) _printf_(2, 3);
void buffer_append_le16(struct buffer *b, uint16_t v);
void buffer_append_le32(struct buffer *b, uint32_t v);
void buffer_append_le64(struct buffer *b, uint64_t v);
static inline struct bytes buffer_view(const struct buffer *b)
{
	return (struct bytes){b->data, b->len};
}
/* The buffer as a NUL-terminated string, taken out of it; never NULL. */
char *buffer_steal_string(struct buffer *b);

/* True if [offset, offset + len) lies inside. */
bool bytes_has(struct bytes b, uint64_t offset, uint64_t len);
/* A sub-view; empty (data NULL) if it does not lie inside. */
struct bytes bytes_at(struct bytes b, uint64_t offset, uint64_t len);
/* Each returns false and leaves *v alone if the field does not lie inside. */
_must_check_ bool bytes_le16(struct bytes b, uint64_t offset, uint16_t *v);
_must_check_ bool bytes_le32(struct bytes b, uint64_t offset, uint32_t *v);
_must_check_ bool bytes_le64(struct bytes b, uint64_t offset, uint64_t *v);
bool bytes_equal(struct bytes a, struct bytes b);

/* Unchecked little-endian access to memory that is known to be there. */
static inline uint16_t get_le16(const void *p)
{
	const uint8_t *b = p;

	return (uint16_t)(b[0] | b[1] << 8);
}
static inline uint32_t get_le32(const void *p)
{
	const uint8_t *b = p;

	return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 |
	       (uint32_t)b[3] << 24;
}
static inline uint64_t get_le64(const void *p)
{
	return get_le32(p) | (uint64_t)get_le32((const uint8_t *)p + 4) << 32;
}
static inline void put_le16(void *p, uint16_t v)
{
	uint8_t *b = p;

	b[0] = (uint8_t)v;
	b[1] = (uint8_t)(v >> 8);
}
static inline void put_le32(void *p, uint32_t v)
{
	put_le16(p, (uint16_t)v);
	put_le16((uint8_t *)p + 2, (uint16_t)(v >> 16));
}
static inline void put_le64(void *p, uint64_t v)
{
	put_le32(p, (uint32_t)v);
	put_le32((uint8_t *)p + 4, (uint32_t)(v >> 32));
}

#endif
