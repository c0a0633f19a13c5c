/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The PC's power button: KEY_POWER of any input device (ACPI button, keyboard, remote). */
#ifndef INIT_POWER_H
#define INIT_POWER_H

#include "init/evdev.h"

/* Opens those of ROOT that have it. */
void power_open(const char *root, struct evdevs *ret);
/* Reads what came; true if the button was pressed (not released, not repeated). */
bool power_pressed(int fd);

#endif
