/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The PC's power button: KEY_POWER of any input device (ACPI button, keyboard, remote). */
#ifndef INIT_POWER_H
#define INIT_POWER_H

#include "base/memory.h"

DEFINE_VEC(power_buttons, int);

/* Opens ROOT/dev/input/event* that have the key, not blocking. */
void power_open(const char *root, struct power_buttons *ret);
/* Reads what came; true if the button was pressed (not released, not repeated). */
bool power_pressed(int fd);
void power_close(struct power_buttons *buttons);

#endif
