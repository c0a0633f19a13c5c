/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "init/evdev.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/file.h"

static bool has(int fd, const struct evdev_code *code)
{
	uint8_t bits[KEY_MAX / 8 + 1] = {0}; /* there are more keys than of any other */

	return ioctl(fd, EVIOCGBIT(code->type, sizeof(bits)), bits) >= 0 &&
	       (bits[code->code / 8] >> (code->code % 8) & 1);
}

static bool has_any(int fd, const struct evdev_code *codes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (has(fd, &codes[i]))
			return true;
	return false;
}

void evdev_open(const char *root, const struct evdev_code *codes, size_t count,
		struct evdevs *ret)
{
	_cleanup_free_ char *folder = xasprintf("%s/dev/input", root);
	_cleanup_(strings_free) struct strings names = VEC_INIT;

	(void)folder_list(folder, &names);
	vec_foreach (name, &names) {
		_cleanup_free_ char *path = xasprintf("%s/%s", folder, *name);
		int fd;

		if (strncmp(*name, "event", 5) != 0 || ret->len == EVDEV_MAX)
			continue;
		fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (fd >= 0 && has_any(fd, codes, count))
			vec_push(ret, fd);
		else
			closep(&fd);
	}
}

void evdev_close(struct evdevs *devices)
{
	vec_foreach (fd, devices)
		close(*fd);
	vec_free(devices);
}
