/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "console/surface.h"

#include "base/file.h"

static int least(int a, int b)
{
	return a < b ? a : b;
}

static int most(int a, int b)
{
	return a > b ? a : b;
}

struct rect rect_intersect(struct rect a, struct rect b)
{
	struct rect r = {.x = most(a.x, b.x), .y = most(a.y, b.y)};

	r.w = least(a.x + a.w, b.x + b.w) - r.x;
	r.h = least(a.y + a.h, b.y + b.h) - r.y;
	return r;
}

struct rect rect_union(struct rect a, struct rect b)
{
	struct rect r = {.x = least(a.x, b.x), .y = least(a.y, b.y)};

	if (rect_empty(a))
		return b;
	if (rect_empty(b))
		return a;
	r.w = most(a.x + a.w, b.x + b.w) - r.x;
	r.h = most(a.y + a.h, b.y + b.h) - r.y;
	return r;
}

bool surface_size_good(unsigned width, unsigned height)
{
	return width > 0 && height > 0 && width <= SURFACE_MAX_SIDE &&
	       height <= SURFACE_MAX_SIDE && width * height <= SURFACE_MAX_PIXELS;
}

void surface_resize(struct surface *s, unsigned width, unsigned height)
{
	free(s->pixels);
	s->pixels = xcalloc((size_t)width * height, sizeof(*s->pixels));
	s->width = width;
	s->height = height;
}

void surface_free(struct surface *s)
{
	free(s->pixels);
	*s = (struct surface)SURFACE_INIT;
}

void surface_fill(struct surface *s, struct rect r, uint32_t colour)
{
	r = rect_intersect(r, surface_rect(s));
	for (int y = r.y; y < r.y + r.h; y++) {
		uint32_t *row = surface_at(s, r.x, y);

		for (int x = 0; x < r.w; x++)
			row[x] = colour;
	}
}

int surface_write_ppm(const struct surface *s, const char *path, struct error *err)
{
	_cleanup_buffer_ struct buffer b = BUFFER_INIT;
	size_t count = (size_t)s->width * s->height;
	uint8_t *to;

	buffer_printf(&b, "P6\n%u %u\n255\n", s->width, s->height);
	to = buffer_reserve(&b, count * 3);
	for (size_t i = 0; i < count; i++) {
		*to++ = (uint8_t)(s->pixels[i] >> 16);
		*to++ = (uint8_t)(s->pixels[i] >> 8);
		*to++ = (uint8_t)s->pixels[i];
	}
	b.len += count * 3;
	return file_replace(path, buffer_view(&b), err);
}

static bool contains(struct rect outer, struct rect inner)
{
	return inner.x >= outer.x && inner.y >= outer.y &&
	       inner.x + inner.w <= outer.x + outer.w &&
	       inner.y + inner.h <= outer.y + outer.h;
}

void damage_add(struct damage *d, struct rect r)
{
	if (rect_empty(r))
		return;
	for (unsigned i = 0; i < d->count; i++)
		if (contains(d->rects[i], r))
			return;
	if (d->count == DAMAGE_MAX) {
		for (unsigned i = 0; i < d->count; i++)
			r = rect_union(r, d->rects[i]);
		d->count = 0;
	}
	d->rects[d->count++] = r;
}
