/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A session's golden image that comes from a server: image=url:ADDRESS. */
#ifndef INIT_SESSION_STREAM_H
#define INIT_SESSION_STREAM_H

#include "init/session_disk.h"

#define SESSION_CACHE "cache"	/* folder of the state: what was fetched, by seal */

/* The host needs its own network before the image. */
bool session_is_streamed(const struct guest *guest);
/*
 * Waits until it can be read, which the screen tells, and gives the device. ERROR_INTERRUPTED:
 * the PC is to be switched off instead.
 */
int session_stream_open(struct session *session, struct session_disk *disk, const char *url,
			char **device, struct error *err);
/*
 * The image could not be opened: true if it is worth another try, which it is as long as
 * only its server was away.
 */
bool session_stream_again(struct session *session, const struct session_disk *disk,
			  struct error *err);

#endif
