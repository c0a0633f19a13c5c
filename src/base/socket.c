/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/socket.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int socket_connect(const char *path, int *ret, struct error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, reason;

	if (strlen(path) >= sizeof(address.sun_path))
		return error_set(err, ERROR_FAILED, path, "is too long for a socket");
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_errno(err, path, "cannot make a socket");
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0) {
		*ret = fd;
		return 1;
	}
	reason = errno;
	close(fd);
	if (reason == ENOENT || reason == ECONNREFUSED || reason == EAGAIN)
		return 0;
	errno = reason;
	return error_errno(err, path, "cannot connect");
}
