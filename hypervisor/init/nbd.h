/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Network block devices by the kernel's netlink interface (linux/nbd-netlink.h). Whoever
 * serves one has the other end of a pair of sockets; when that ends, reads wait until
 * another one has taken its place.
 */
#ifndef INIT_NBD_H
#define INIT_NBD_H

#include "base/error.h"

#define NBD_PATIENCE (24 * 3600)	/* seconds for that */

/*
 * Makes a read-only device of the size on the socket; `*index`: N of /dev/nbdN. The kernel
 * keeps the socket.
 */
int nbd_connect(int socket, uint64_t size, unsigned *index, struct error *err);
/* Another socket in the place of one that has ended. */
int nbd_reconnect(unsigned index, int socket, struct error *err);

#endif
