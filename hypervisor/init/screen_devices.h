/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the presenter may open: devices that are handed to its group as they show up. */
#ifndef INIT_SCREEN_DEVICES_H
#define INIT_SCREEN_DEVICES_H

#include <sys/types.h>

#include "base/memory.h"

/*
 * ROOT/dev/dri/card*, /dev/fb*, /dev/input/event*: each that is not the group's yet is made
 * so, readable and writable. The number of devices that were.
 */
unsigned screen_devices_hand_over(const char *root, gid_t gid);

#endif
