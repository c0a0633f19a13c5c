/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A client of QEMU's VNC server: RFB 3.8 (RFC 6143) over a UNIX socket, and of the
 * registered extensions QEMU's keys by scan code, kind of pointer and keyboard lights.
 *
 * Pixels come raw: on a socket of the same machine that is one copy, while every
 * compression costs both sides more. Nothing here blocks, and nothing that the server
 * says is believed: it runs what the guest does.
 */
#ifndef CONSOLE_RFB_H
#define CONSOLE_RFB_H

#include "base/buffer.h"
#include "console/surface.h"

#define RFB_MAX_CURSOR 256		/* pixels of a side */
#define RFB_MAX_TEXT ((uint32_t)1 << 20)	/* clipboard, desktop's name: passed over */
#define RFB_MAX_OUT ((size_t)64 << 10)	/* not yet taken by the server */
#define RFB_INPUT ((size_t)272 << 10)	/* the largest cursor fits */

enum rfb_state {
	RFB_VERSION,
	RFB_SECURITY,
	RFB_SECURITY_TYPES,
	RFB_SECURITY_RESULT,
	RFB_SERVER_INIT,
	RFB_SKIP,	/* bytes that nobody needs, then messages */
	RFB_MESSAGE,
	RFB_RECTANGLE,
	RFB_RAW,
	RFB_CURSOR,
	RFB_LEDS,
};

struct rfb {
	int fd;			/* -1: not connected */
	enum rfb_state state;
	uint8_t *in;		/* RFB_INPUT bytes; `len` from `start` on are not used yet */
	size_t start, len;
	struct buffer out;
	uint64_t skip;
	unsigned types;		/* security types that the server names */
	unsigned rectangles;	/* of the update, still to come */
	unsigned x, y, w, h;	/* of the rectangle */
	size_t pixel;		/* the next one in it */

	/* The guest's screen; a good size once `ready`. */
	struct surface screen;
	bool ready;
	bool pictures;		/* at least one update came whole */
	/* For the owner to take and clear: */
	struct damage damage;
	bool resized, cursor_changed, leds_changed;

	struct surface cursor;	/* 0xff000000 is set in pixels that show; empty: none */
	int hot_x, hot_y;
	bool relative;		/* the guest takes movements, no positions */
	bool scan_codes;	/* the server takes keys by scan code */
	uint8_t leds;		/* 1 scroll, 2 num, 4 caps */
};
#define RFB_INIT                                                                          \
	{                                                                                 \
		.fd = -1                                                                  \
	}
void rfb_free(struct rfb *r);
/* 1: connected, the greeting is to come; 0: nobody listens yet; -1. */
int rfb_connect(struct rfb *r, const char *path, struct error *err);
/* A connection that is there already, or none (-1) for tests. Forgets what was. */
void rfb_begin(struct rfb *r, int fd);
/*
 * Reads once, as much as there is room for, and makes of it what it is. -1: closed, or no
 * RFB; then the last picture stays, until rfb_begin().
 */
int rfb_read(struct rfb *r, struct error *err);
/* The same for bytes that came otherwise; all are taken. */
int rfb_feed(struct rfb *r, struct bytes bytes, struct error *err);
/* Sends what is waiting. True if some of it still is. -1 never: rfb_read() sees the end. */
bool rfb_flush(struct rfb *r);

/* Scan code as in "QEMU Extended Key Event": set 1, 0x80 added for those after 0xe0. */
void rfb_key(struct rfb *r, unsigned scan_code, bool down);
/* Buttons as RFB counts: 1 left, 2 middle, 4 right, 8 and 16 wheel up and down. */
void rfb_pointer(struct rfb *r, unsigned buttons, unsigned x, unsigned y);
/* By how much, where the guest takes movements. */
void rfb_move(struct rfb *r, unsigned buttons, int dx, int dy);

#endif
