/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Memory: allocation that cannot fail, scope cleanup, growable vectors and
 * overflow-checked sizes.
 *
 * gild is a command that opens, plans, changes in memory and commits once. Running
 * out of memory therefore ends the program with one line on stderr: nothing has
 * been written by then, or the commit's own recovery applies. Sizes that come from
 * untrusted input must be bounded by their reader before they arrive here.
 */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define _must_check_ __attribute__((warn_unused_result))
#define _printf_(a, b) __attribute__((format(printf, a, b)))
#define _cleanup_(f) __attribute__((cleanup(f)))
#define _unused_ __attribute__((unused))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
/* Resizes to count * size bytes; the product is checked for overflow. */
void *xreallocarray(void *p, size_t count, size_t size) __attribute__((returns_nonnull));
void *xmemdup(const void *p, size_t size) __attribute__((malloc));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull));
char *xstrndup(const char *s, size_t n) __attribute__((malloc, returns_nonnull));
char *xasprintf(const char *fmt, ...) _printf_(1, 2) __attribute__((returns_nonnull));
char *xvasprintf(const char *fmt, va_list ap) _printf_(1, 0)
	__attribute__((returns_nonnull));

/* For `_cleanup_(freep) char *s = NULL;`. */
void freep(void *pointer_to_pointer);
#define _cleanup_free_ _cleanup_(freep)

/* Takes the pointer out of a variable that cleans up after itself. */
#define steal_ptr(p)                                                                      \
	({                                                                                \
		__typeof__(p) stolen_ = (p);                                              \
		(p) = NULL;                                                               \
		stolen_;                                                                  \
	})

#define add_overflow(a, b, result) __builtin_add_overflow(a, b, result)
#define mul_overflow(a, b, result) __builtin_mul_overflow(a, b, result)

/*
 * A growable array: `struct vec_of(char *) names = VEC_INIT;` or
 * `DEFINE_VEC(names, char *);` for a named type. Members are public: .items, .len.
 */
#define vec_of(type)                                                                      \
	{                                                                                 \
		type *items;                                                              \
		size_t len, allocated;                                                    \
	}
#define DEFINE_VEC(name, type) struct name vec_of(type)
#define VEC_INIT                                                                          \
	{                                                                                 \
		0                                                                         \
	}
void vec_grow(void **items, size_t *allocated, size_t len, size_t item_size);
#define vec_push(v, ...)                                                                  \
	do {                                                                              \
		vec_grow((void **)&(v)->items, &(v)->allocated, (v)->len + 1,             \
			 sizeof(*(v)->items));                                            \
		(v)->items[(v)->len++] = (__VA_ARGS__);                                   \
	} while (0)
#define vec_foreach(item, v)                                                              \
	for (__typeof__((v)->items + 0) item = (v)->items;                                  \
	     item && item < (v)->items + (v)->len; item++)
#define vec_free(v)                                                                       \
	do {                                                                              \
		free((v)->items);                                                         \
		(v)->items = NULL;                                                        \
		(v)->len = (v)->allocated = 0;                                            \
	} while (0)

/* A vector of owned strings. */
DEFINE_VEC(strings, char *);
void strings_free(struct strings *s);
void strings_push(struct strings *s, const char *item);
/* True if one item equals `item` under Windows' case rules (see base/text.h). */
bool strings_contain(const struct strings *s, const char *item);

#endif
