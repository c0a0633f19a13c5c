/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "console/scale.h"

/* Positions between two pixels, in 256ths. */
#define FRACTION_BITS 8
#define ONE (1 << FRACTION_BITS)
/* clang does by itself what GCC 12 does from -O3 on. */
#ifdef __clang__
#define VECTORISED
#else
#define VECTORISED __attribute__((optimize("O3")))
#endif

struct fit fit_find(unsigned width, unsigned height, unsigned screen_width,
		    unsigned screen_height)
{
	struct fit f = {.width = width, .height = height};
	uint64_t wide = (uint64_t)screen_width * height;
	uint64_t high = (uint64_t)screen_height * width;

	if (wide <= high) {
		f.to.w = (int)screen_width;
		f.to.h = (int)((wide + width / 2) / width);
	} else {
		f.to.h = (int)screen_height;
		f.to.w = (int)((high + height / 2) / height);
	}
	if (f.to.w < 1)
		f.to.w = 1;
	if (f.to.h < 1)
		f.to.h = 1;
	if ((unsigned)f.to.w % width == 0 && (unsigned)f.to.h % height == 0 &&
	    (unsigned)f.to.w / width == (unsigned)f.to.h / height)
		f.factor = (unsigned)f.to.w / width;
	f.to.x = ((int)screen_width - f.to.w) / 2;
	f.to.y = ((int)screen_height - f.to.h) / 2;
	return f;
}

static int scaled(int value, int from, int to)
{
	return (int)((int64_t)value * to / from);
}

struct rect fit_to_screen(const struct fit *f, struct rect part)
{
	int w = (int)f->width, h = (int)f->height;
	/* A smooth pixel shows something of its neighbours. */
	int margin = f->factor ? 0 : 1;
	struct rect r = {.x = scaled(part.x - margin, w, f->to.w) - margin,
			 .y = scaled(part.y - margin, h, f->to.h) - margin};

	r.w = scaled(part.x + part.w + margin, w, f->to.w) + margin - r.x;
	r.h = scaled(part.y + part.h + margin, h, f->to.h) + margin - r.y;
	r.x += f->to.x;
	r.y += f->to.y;
	return rect_intersect(r, f->to);
}

static int clamped(int value, int end)
{
	if (value < 0)
		return 0;
	return value < end ? value : end - 1;
}

void fit_to_picture(const struct fit *f, int *x, int *y)
{
	*x = clamped(scaled(*x - f->to.x, f->to.w, (int)f->width), (int)f->width);
	*y = clamped(scaled(*y - f->to.y, f->to.h, (int)f->height), (int)f->height);
}

/* ---- whole factors ---- */

static void draw_whole(const struct fit *f, const struct surface *picture,
		       struct surface *screen, struct rect r)
{
	int factor = (int)f->factor, x0 = r.x - f->to.x, y0 = r.y - f->to.y;

	for (int y = 0; y < r.h; y++) {
		const uint32_t *from = surface_at(picture, 0, (y0 + y) / factor);
		uint32_t *to = surface_at(screen, r.x, r.y + y);

		if (y > 0 && (y0 + y) % factor) {
			memcpy(to, to - screen->width, (size_t)r.w * sizeof(*to));
			continue;
		}
		if (factor == 1) {
			memcpy(to, from + x0, (size_t)r.w * sizeof(*to));
			continue;
		}
		for (int x = 0; x < r.w; x++)
			to[x] = from[(x0 + x) / factor];
	}
}

/* ---- smooth ---- */

/* Two colours mixed, `weight` 256ths of b. Red and blue, and green, side by side. */
static inline uint32_t mix(uint32_t a, uint32_t b, uint32_t weight)
{
	uint32_t rb = (a & 0xff00ff) * (ONE - weight) + (b & 0xff00ff) * weight;
	uint32_t g = (a & 0x00ff00) * (ONE - weight) + (b & 0x00ff00) * weight;

	return (rb >> FRACTION_BITS & 0xff00ff) | (g >> FRACTION_BITS & 0x00ff00);
}

/* Between which pixels the middle of pixel `at` lies, where `from` become `to`. */
static void locate(int at, int from, int to, int *first, uint32_t *weight)
{
	int64_t position = ((2 * (int64_t)at + 1) * from * ONE / to - ONE) / 2;

	if (position < 0)
		position = 0;
	*first = (int)(position >> FRACTION_BITS);
	*weight = (uint32_t)(position & (ONE - 1));
	if (*first >= from - 1) {
		*first = from - 1;
		*weight = 0;
	}
}

struct column {
	int first;	 /* counted from the leftmost that is needed */
	uint32_t weight; /* of the one after it */
};

VECTORISED static void mix_rows(const uint32_t *a, const uint32_t *b, uint32_t weight,
				int count, uint32_t *to)
{
	for (int x = 0; x < count; x++)
		to[x] = mix(a[x], b[x], weight);
}

static void draw_smooth(const struct fit *f, const struct surface *picture,
			struct surface *screen, struct rect r)
{
	int width = (int)f->width, height = (int)f->height, left, needed;
	_cleanup_free_ struct column *columns = xcalloc((size_t)r.w, sizeof(*columns));
	_cleanup_free_ uint32_t *mixed = NULL;
	uint32_t weight;

	locate(r.x - f->to.x, width, f->to.w, &left, &weight);
	for (int x = 0; x < r.w; x++) {
		locate(r.x - f->to.x + x, width, f->to.w, &columns[x].first,
		       &columns[x].weight);
		columns[x].first -= left;
	}
	needed = columns[r.w - 1].first + 1;
	/* The last one has a neighbour, if only itself. */
	mixed = xcalloc((size_t)needed + 1, sizeof(*mixed));
	for (int y = 0; y < r.h; y++) {
		uint32_t *to = surface_at(screen, r.x, r.y + y);
		const uint32_t *upper;
		int row, count = left + needed < width ? needed + 1 : needed;

		locate(r.y - f->to.y + y, height, f->to.h, &row, &weight);
		upper = surface_at(picture, left, row);
		mix_rows(upper, weight ? upper + picture->width : upper, weight, count,
			 mixed);
		for (int x = 0; x < r.w; x++) {
			const uint32_t *at = mixed + columns[x].first;

			to[x] = mix(at[0], at[1], columns[x].weight);
		}
	}
}

/* ---- both ---- */

static void draw_border(const struct fit *f, struct surface *screen, struct rect r)
{
	int right = f->to.x + f->to.w, bottom = f->to.y + f->to.h;
	const struct rect borders[] = {
		{0, 0, (int)screen->width, f->to.y},
		{0, bottom, (int)screen->width, (int)screen->height - bottom},
		{0, f->to.y, f->to.x, f->to.h},
		{right, f->to.y, (int)screen->width - right, f->to.h},
	};

	for (size_t i = 0; i < ARRAY_SIZE(borders); i++)
		surface_fill(screen, rect_intersect(borders[i], r), 0);
}

void fit_draw(const struct fit *f, const struct surface *picture, struct surface *screen,
	      struct rect part)
{
	struct rect r = rect_intersect(part, surface_rect(screen));

	draw_border(f, screen, r);
	r = rect_intersect(r, f->to);
	if (rect_empty(r))
		return;
	if (f->factor)
		draw_whole(f, picture, screen, r);
	else
		draw_smooth(f, picture, screen, r);
}
