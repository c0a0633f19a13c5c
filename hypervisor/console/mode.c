/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "console/mode.h"

#include "console/surface.h"

#define LEAST_REFRESH 50 /* slower ones flicker, or are for films */

void connectors_free(struct connectors *c)
{
	vec_foreach (connector, c)
		vec_free(&connector->modes);
	vec_free(c);
}

static bool usable(const struct mode *m)
{
	return !m->interlaced && surface_size_good(m->width, m->height);
}

/* Larger is better; 0: not to be used. */
static uint64_t worth(const struct mode *m, unsigned width, unsigned height)
{
	uint64_t area = (uint64_t)m->width * m->height;
	bool fits =
		m->width == width && m->height == height && m->refresh >= LEAST_REFRESH;
	/* Faster than 60 Hz shows nothing more of a guest. */
	unsigned refresh = m->refresh > 61 ? 60 : m->refresh;

	if (!usable(m))
		return 0;
	return (uint64_t)fits << 60 | (uint64_t)m->preferred << 59 | area << 8 | refresh;
}

static bool best_mode(const struct connector *c, unsigned width, unsigned height,
		      size_t *ret)
{
	uint64_t best = 0;

	for (size_t i = 0; i < c->modes.len; i++) {
		uint64_t w = worth(&c->modes.items[i], width, height);

		if (w > best) {
			best = w;
			*ret = i;
		}
	}
	return best > 0;
}

bool mode_choose(const struct connectors *connectors, uint32_t current, unsigned width,
		 unsigned height, struct mode_choice *ret)
{
	unsigned best = 0;

	for (size_t i = 0; i < connectors->len; i++) {
		const struct connector *c = &connectors->items[i];
		unsigned rank = current && c->id == current ? 3 : c->internal ? 2 : 1;
		size_t mode;

		if (!c->connected || rank <= best || !best_mode(c, width, height, &mode))
			continue;
		best = rank;
		*ret = (struct mode_choice){i, mode};
	}
	return best > 0;
}
