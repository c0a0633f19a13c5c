/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "init/power.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/input.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define MAX_BUTTONS 64

static bool has_power_key(int fd)
{
	uint8_t keys[KEY_MAX / 8 + 1] = {0};

	return ioctl(fd, EVIOCGBIT(EV_KEY, sizeof(keys)), keys) >= 0 &&
	       (keys[KEY_POWER / 8] >> (KEY_POWER % 8) & 1);
}

void power_open(const char *root, struct power_buttons *ret)
{
	_cleanup_free_ char *folder = xasprintf("%s/dev/input", root);
	DIR *dir = opendir(folder);
	const struct dirent *entry;

	while (dir && ret->len < MAX_BUTTONS && (entry = readdir(dir))) {
		_cleanup_free_ char *path = xasprintf("%s/%s", folder, entry->d_name);
		int fd;

		if (strncmp(entry->d_name, "event", 5) != 0)
			continue;
		fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (has_power_key(fd))
			vec_push(ret, fd);
		else
			close(fd);
	}
	if (dir)
		closedir(dir);
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

void power_close(struct power_buttons *buttons)
{
	vec_foreach (fd, buttons)
		close(*fd);
	vec_free(buttons);
}
