/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The kernel's news of devices, without udev. */
#ifndef INIT_UEVENT_H
#define INIT_UEVENT_H

#include <sys/types.h>

#include "base/buffer.h"
#include "base/error.h"

#define UEVENT_MAX 8192

struct uevent {
	char action[16];	/* "add", "change", "remove" */
	char subsystem[32];	/* "block"; "" if it is not said */
	char name[64];		/* "sda1": last part of its path */
	char path[512];		/* "/devices/..." */
	char modalias[1024];	/* what its driver is found by; "" if there is none */
};
/* One message. False if it is none of the kernel's. */
bool uevent_parse(struct bytes message, struct uevent *ret);

/* A socket that is readable when there is news; it does not block. -1 on error. */
int uevent_open(struct error *err);
/* The next one: 1; none is there: 0. Where some were lost (too many at once): -1. */
int uevent_read(int fd, struct uevent *ret);

#endif
