/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "console/terminal.h"

#include <fcntl.h>
#include <linux/kd.h>
#include <sys/ioctl.h>
#include <unistd.h>

int terminal_take(int given)
{
	int fd = given >= 0 ? given : open("/dev/tty0", O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	/* Else Ctrl+Alt+Del, Alt+F2 and text would also be the kernel's. */
	(void)ioctl(fd, KDSETMODE, KD_GRAPHICS);
	(void)ioctl(fd, KDSKBMODE, K_OFF);
	return fd;
}

void terminal_release(int fd)
{
	if (fd < 0)
		return;
	(void)ioctl(fd, KDSKBMODE, K_UNICODE);
	(void)ioctl(fd, KDSETMODE, KD_TEXT);
	close(fd);
}
