/* SPDX-License-Identifier: GPL-3.0-or-later */
/* UNIX sockets by which programs on this machine are talked to. */
#ifndef BASE_SOCKET_H
#define BASE_SOCKET_H

#include "base/error.h"

/*
 * Neither it nor the socket blocks. 1: connected; 0: nobody listens at the path yet, or
 * has no time; -1.
 */
int socket_connect(const char *path, int *ret, struct error *err);

#endif
