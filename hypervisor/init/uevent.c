/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "init/uevent.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define KERNEL_GROUP 1
#define RECEIVE (1 << 20) /* bytes in the socket: a hub full of disks at once */

static void take_field(const char *text, const char *key, char *ret, size_t size)
{
	size_t len = strlen(key);

	if (strncmp(text, key, len) == 0)
		(void)snprintf(ret, size, "%s", text + len);
}

/* "add@/devices/...\0ACTION=add\0DEVPATH=/devices/...\0SUBSYSTEM=block\0...". */
bool uevent_parse(struct bytes m, struct uevent *ret)
{
	const char *at = (const char *)m.data, *end = at + m.len, *last;

	*ret = (struct uevent){0};
	if (!m.len || end[-1] != 0 || !memchr(at, '@', strlen(at)))
		return false;
	for (; at < end; at += strlen(at) + 1) {
		take_field(at, "ACTION=", ret->action, sizeof(ret->action));
		take_field(at, "SUBSYSTEM=", ret->subsystem, sizeof(ret->subsystem));
		take_field(at, "MODALIAS=", ret->modalias, sizeof(ret->modalias));
		take_field(at, "DEVPATH=", ret->path, sizeof(ret->path));
	}
	last = strrchr(ret->path, '/');
	(void)snprintf(ret->name, sizeof(ret->name), "%s", last ? last + 1 : "");
	return *ret->action && last;
}

int uevent_open(struct error *err)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = KERNEL_GROUP};
	int size = RECEIVE;
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			NETLINK_KOBJECT_UEVENT);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		error_errno(err, "uevents", "cannot be listened to");
		if (fd >= 0)
			close(fd);
		return -1;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	return fd;
}

int uevent_read(int fd, struct uevent *ret)
{
	uint8_t message[UEVENT_MAX];

	for (;;) {
		struct sockaddr_nl from;
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(fd, message, sizeof(message), 0,
				     (struct sockaddr *)&from, &len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -1;
		/* Others may write to the group, too. */
		if (from.nl_pid == 0 &&
		    uevent_parse((struct bytes){message, (size_t)n}, ret))
			return 1;
	}
}
