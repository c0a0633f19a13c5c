/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Pictures in memory: pixels of 32 bits, 0x00RRGGBB (DRM's XRGB8888, which is also what
 * QEMU has), rectangles and the list of those that have changed.
 */
#ifndef CONSOLE_SURFACE_H
#define CONSOLE_SURFACE_H

#include "base/error.h"

struct rect {
	int x, y, w, h;		/* w, h <= 0: empty */
};
struct rect rect_intersect(struct rect a, struct rect b);
struct rect rect_union(struct rect a, struct rect b);	/* what encloses both */
static inline bool rect_empty(struct rect r)
{
	return r.w <= 0 || r.h <= 0;
}

struct surface {
	uint32_t *pixels;	/* without gaps between the rows */
	unsigned width, height;
};
#define SURFACE_INIT                                                                      \
	{                                                                                 \
		0                                                                         \
	}
#define SURFACE_MAX_SIDE 8192
#define SURFACE_MAX_PIXELS (4096u * 4096)
/* True if a surface may be that large, and is not empty. */
bool surface_size_good(unsigned width, unsigned height);
/* Black, of a size that is good. What was there is freed. */
void surface_resize(struct surface *s, unsigned width, unsigned height);
void surface_free(struct surface *s);
static inline struct rect surface_rect(const struct surface *s)
{
	return (struct rect){0, 0, (int)s->width, (int)s->height};
}
static inline uint32_t *surface_at(const struct surface *s, int x, int y)
{
	return s->pixels + (size_t)y * s->width + (size_t)x;
}
/* What lies outside of the surface is left out. */
void surface_fill(struct surface *s, struct rect r, uint32_t colour);
/* The file of PPM's binary form (P6), replaced as a whole. */
int surface_write_ppm(const struct surface *s, const char *path, struct error *err);

#define DAMAGE_MAX 32
struct damage {
	struct rect rects[DAMAGE_MAX];
	unsigned count;
};
/* Beyond DAMAGE_MAX rectangles become the one that encloses them. Empty ones are none. */
void damage_add(struct damage *d, struct rect r);

#endif
