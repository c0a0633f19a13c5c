/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The PC's input devices, by what they can report (linux/input.h). */
#ifndef INIT_EVDEV_H
#define INIT_EVDEV_H

#include <linux/input.h>

#include "base/memory.h"

#define EVDEV_MAX 64

struct evdev_code {
	unsigned type, code;	/* EV_KEY and a key, EV_SW and a switch */
};
DEFINE_VEC(evdevs, int);	/* descriptors, not blocking */

/* Opens those of ROOT/dev/input/event* that have one of the codes, EVDEV_MAX at most. */
void evdev_open(const char *root, const struct evdev_code *codes, size_t count,
		struct evdevs *ret);
void evdev_close(struct evdevs *devices);

#endif
