/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which screen of a PC shows the guest, and in which mode. The screen stays the one it was
 * while it is connected; else a notebook's own comes first. The mode is the guest's own size
 * where the screen has it (pixel for pixel, and the graphics card scales), else the one that
 * the screen prefers.
 */
#ifndef CONSOLE_MODE_H
#define CONSOLE_MODE_H

#include "base/memory.h"

struct mode {
	unsigned width, height, refresh;	/* refresh: Hz */
	bool preferred, interlaced;
};
DEFINE_VEC(modes, struct mode);
struct connector {
	uint32_t id;
	bool connected, internal;	/* internal: LVDS, eDP, DSI */
	struct modes modes;
};
DEFINE_VEC(connectors, struct connector);
void connectors_free(struct connectors *c);

struct mode_choice {
	size_t connector, mode;
};
/*
 * `current` is the connector shown now, or 0; width 0: there is no guest yet. False if no
 * connected screen has a mode.
 */
bool mode_choose(const struct connectors *connectors, uint32_t current, unsigned width,
		 unsigned height, struct mode_choice *ret);

#endif
