/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "init/power.h"

#include <unistd.h>

void power_open(const char *root, struct evdevs *ret)
{
	static const struct evdev_code key = {EV_KEY, KEY_POWER};

	evdev_open(root, &key, 1, ret);
}

bool power_pressed(int fd)
{
	struct input_event event;
	bool pressed = false;

	/* The kernel gives whole events only. */
	while (read(fd, &event, sizeof(event)) == (ssize_t)sizeof(event))
		pressed |= event.type == EV_KEY && event.code == KEY_POWER &&
			   event.value == 1;
	return pressed;
}
