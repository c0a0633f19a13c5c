/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "console/rfb.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/socket.h"

/* RFC 6143, section 7.7 and the registry of rfbproto.rst. */
#define ENCODING_RAW 0
#define ENCODING_DESKTOP_SIZE (-223)
#define ENCODING_CURSOR (-239)
#define ENCODING_POINTER_TYPE (-257)
#define ENCODING_EXTENDED_KEY (-258)
#define ENCODING_LED_STATE (-261)

enum {
	TO_SERVER_PIXEL_FORMAT = 0,
	TO_SERVER_ENCODINGS = 2,
	TO_SERVER_UPDATE_REQUEST = 3,
	TO_SERVER_POINTER = 5,
	TO_SERVER_QEMU = 255,
	FROM_SERVER_UPDATE = 0,
	FROM_SERVER_COLOURS = 1,
	FROM_SERVER_BELL = 2,
	FROM_SERVER_TEXT = 3,
};
#define QEMU_MIDDLE 0x7fff /* "not moved", where the pointer is relative */

static unsigned be16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)be16(p) << 16 | be16(p + 2);
}

static void put_be16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put_be32(uint8_t *p, uint32_t v)
{
	put_be16(p, v >> 16);
	put_be16(p + 2, v & 0xffff);
}

static int bad(struct error *err, const char *what)
{
	return error_set(err, ERROR_FAILED, "VNC", "%s", what);
}

/* ---- to the server ---- */

static void request_update(struct rfb *r, bool incremental)
{
	uint8_t m[10] = {TO_SERVER_UPDATE_REQUEST, incremental};

	put_be16(m + 6, r->screen.width);
	put_be16(m + 8, r->screen.height);
	buffer_append(&r->out, m, sizeof(m));
}

/* Pixels as a surface has them: little-endian words, red at bit 16, blue at 0. */
static void send_preferences(struct rfb *r)
{
	static const int32_t encodings[] = {ENCODING_RAW,	   ENCODING_DESKTOP_SIZE,
					    ENCODING_CURSOR,	   ENCODING_POINTER_TYPE,
					    ENCODING_EXTENDED_KEY, ENCODING_LED_STATE};
	static const uint8_t format[20] = {TO_SERVER_PIXEL_FORMAT,
					   0,
					   0,
					   0,
					   32,
					   24,
					   __BYTE_ORDER__ != 1234,
					   1,
					   0,
					   255,
					   0,
					   255,
					   0,
					   255,
					   16,
					   8,
					   0};
	uint8_t m[4 + 4 * ARRAY_SIZE(encodings)] = {TO_SERVER_ENCODINGS};

	put_be16(m + 2, ARRAY_SIZE(encodings));
	for (size_t i = 0; i < ARRAY_SIZE(encodings); i++)
		put_be32(m + 4 + 4 * i, (uint32_t)encodings[i]);
	buffer_append(&r->out, format, sizeof(format));
	buffer_append(&r->out, m, sizeof(m));
	request_update(r, false);
}

void rfb_key(struct rfb *r, unsigned scan_code, bool down)
{
	uint8_t m[12] = {TO_SERVER_QEMU, 0, 0, down};

	/* Without a key symbol QEMU does not guess at the state of the locks. */
	put_be32(m + 8, scan_code);
	if (r->ready && r->scan_codes && r->out.len < RFB_MAX_OUT)
		buffer_append(&r->out, m, sizeof(m));
}

void rfb_pointer(struct rfb *r, unsigned buttons, unsigned x, unsigned y)
{
	uint8_t m[6] = {TO_SERVER_POINTER, (uint8_t)buttons};

	put_be16(m + 2, x);
	put_be16(m + 4, y);
	if (r->ready && r->out.len < RFB_MAX_OUT)
		buffer_append(&r->out, m, sizeof(m));
}

static unsigned moved(int by)
{
	if (by < -QEMU_MIDDLE)
		by = -QEMU_MIDDLE;
	if (by > QEMU_MIDDLE)
		by = QEMU_MIDDLE;
	return (unsigned)(QEMU_MIDDLE + by);
}

void rfb_move(struct rfb *r, unsigned buttons, int dx, int dy)
{
	rfb_pointer(r, buttons, moved(dx), moved(dy));
}

/* ---- from the server ---- */

/*
 * Each takes bytes of which there are at least as many as state_needs() says, and returns
 * how many it took, or -1.
 */
static ssize_t on_version(struct rfb *r, const uint8_t *p, struct error *err)
{
	unsigned major, minor;
	char text[13] = {0};

	memcpy(text, p, 12);
	if (sscanf(text, "RFB %3u.%3u", &major, &minor) != 2 || text[11] != '\n')
		return bad(err, "this is no VNC server");
	if (major != 3 || minor < 8)
		return bad(err, "the server's protocol is older than 3.8");
	buffer_append(&r->out, "RFB 003.008\n", 12);
	r->state = RFB_SECURITY;
	return 12;
}

static ssize_t on_security(struct rfb *r, const uint8_t *p, struct error *err)
{
	if (!p[0])
		return bad(err, "the server refuses");
	r->types = p[0];
	r->state = RFB_SECURITY_TYPES;
	return 1;
}

static ssize_t on_types(struct rfb *r, const uint8_t *p, struct error *err)
{
	static const uint8_t none = 1;

	if (!memchr(p, none, r->types))
		return bad(err, "the server wants a password");
	buffer_append(&r->out, &none, 1);
	r->state = RFB_SECURITY_RESULT;
	return r->types;
}

static ssize_t on_security_result(struct rfb *r, const uint8_t *p, struct error *err)
{
	static const uint8_t shared = 1;

	if (be32(p) != 0)
		return bad(err, "the server refuses");
	buffer_append(&r->out, &shared, 1);
	r->state = RFB_SERVER_INIT;
	return 4;
}

static int set_size(struct rfb *r, unsigned width, unsigned height, struct error *err)
{
	if (!surface_size_good(width, height))
		return error_set(err, ERROR_FAILED, "VNC",
				 "the guest's screen has %ux%u pixels", width, height);
	surface_resize(&r->screen, width, height);
	r->damage.count = 0;
	damage_add(&r->damage, surface_rect(&r->screen));
	r->resized = true;
	return 0;
}

static ssize_t on_server_init(struct rfb *r, const uint8_t *p, struct error *err)
{
	if (be32(p + 20) > RFB_MAX_TEXT)
		return bad(err, "the desktop's name is too long");
	if (set_size(r, be16(p), be16(p + 2), err) < 0)
		return -1;
	r->skip = be32(p + 20);
	r->state = RFB_SKIP;
	r->ready = true;
	send_preferences(r);
	return 24;
}

static ssize_t on_message(struct rfb *r, const uint8_t *p, struct error *err)
{
	switch (p[0]) {
	case FROM_SERVER_UPDATE:
		r->rectangles = be16(p + 2);
		r->state = RFB_RECTANGLE;
		if (!r->rectangles) {
			request_update(r, true);
			r->state = RFB_MESSAGE;
		}
		return 4;
	case FROM_SERVER_COLOURS:
		r->skip = (uint64_t)be16(p + 4) * 6;
		r->state = RFB_SKIP;
		return 6;
	case FROM_SERVER_BELL:
		return 1;
	case FROM_SERVER_TEXT:
		if (be32(p + 4) > RFB_MAX_TEXT)
			return bad(err, "the clipboard is too long");
		r->skip = be32(p + 4);
		r->state = RFB_SKIP;
		return 8;
	}
	return bad(err, "a message of no known kind");
}

static void end_rectangle(struct rfb *r)
{
	r->state = --r->rectangles ? RFB_RECTANGLE : RFB_MESSAGE;
	if (r->rectangles)
		return;
	r->pictures = true;
	request_update(r, true);
}

static int begin_raw(struct rfb *r, struct error *err)
{
	if (r->x + r->w > r->screen.width || r->y + r->h > r->screen.height)
		return bad(err, "a rectangle lies outside of the screen");
	r->state = RFB_RAW;
	if (!r->w || !r->h)
		end_rectangle(r);
	return 0;
}

static int begin_cursor(struct rfb *r, struct error *err)
{
	if (r->w > RFB_MAX_CURSOR || r->h > RFB_MAX_CURSOR)
		return bad(err, "the pointer's shape is too large");
	surface_free(&r->cursor);
	r->cursor_changed = true;
	r->state = RFB_CURSOR;
	if (!r->w || !r->h)
		end_rectangle(r);
	return 0;
}

static ssize_t on_rectangle(struct rfb *r, const uint8_t *p, struct error *err)
{
	r->x = be16(p);
	r->y = be16(p + 2);
	r->w = be16(p + 4);
	r->h = be16(p + 6);
	r->pixel = 0;
	switch ((int32_t)be32(p + 8)) {
	case ENCODING_RAW:
		return begin_raw(r, err) < 0 ? -1 : 12;
	case ENCODING_CURSOR:
		return begin_cursor(r, err) < 0 ? -1 : 12;
	case ENCODING_DESKTOP_SIZE:
		if (set_size(r, r->w, r->h, err) < 0)
			return -1;
		request_update(r, false);
		end_rectangle(r);
		return 12;
	case ENCODING_POINTER_TYPE:
		r->relative = r->x == 0;
		end_rectangle(r);
		return 12;
	case ENCODING_EXTENDED_KEY:
		r->scan_codes = true;
		end_rectangle(r);
		return 12;
	case ENCODING_LED_STATE:
		r->state = RFB_LEDS;
		return 12;
	}
	return bad(err, "a rectangle of no known encoding");
}

/* As many pixels as there are, row by row. */
static ssize_t on_raw(struct rfb *r, const uint8_t *p, size_t len)
{
	size_t all = (size_t)r->w * r->h, count = len / 4;
	const uint8_t *at = p;

	if (count > all - r->pixel)
		count = all - r->pixel;
	while (count) {
		size_t column = r->pixel % r->w, row = r->pixel / r->w;
		size_t n = r->w - column < count ? r->w - column : count;

		memcpy(surface_at(&r->screen, (int)(r->x + column), (int)(r->y + row)),
		       at, n * 4);
		at += n * 4;
		r->pixel += n;
		count -= n;
	}
	if (r->pixel == all) {
		damage_add(&r->damage,
			   (struct rect){(int)r->x, (int)r->y, (int)r->w, (int)r->h});
		end_rectangle(r);
	}
	return at - p;
}

/* Pixels, then a bit for each, rows padded to bytes. The position is the hot spot. */
static ssize_t on_cursor(struct rfb *r, const uint8_t *p)
{
	size_t stride = (r->w + 7) / 8, pixels = (size_t)r->w * r->h;
	const uint8_t *mask = p + 4 * pixels;

	surface_resize(&r->cursor, r->w, r->h);
	r->hot_x = (int)r->x;
	r->hot_y = (int)r->y;
	for (size_t i = 0; i < pixels; i++) {
		size_t x = i % r->w, y = i / r->w;
		uint32_t pixel;

		memcpy(&pixel, p + 4 * i, 4);
		if (mask[y * stride + x / 8] >> (7 - x % 8) & 1)
			r->cursor.pixels[i] = pixel | 0xff000000;
	}
	end_rectangle(r);
	return (ssize_t)(4 * pixels + stride * r->h);
}

static ssize_t on_leds(struct rfb *r, const uint8_t *p)
{
	r->leds = p[0];
	r->leds_changed = true;
	end_rectangle(r);
	return 1;
}

static ssize_t on_skip(struct rfb *r, size_t len)
{
	size_t n = r->skip < len ? (size_t)r->skip : len;

	r->skip -= n;
	if (!r->skip)
		r->state = RFB_MESSAGE;
	return (ssize_t)n;
}

/* Messages differ in length; the first byte tells. */
static size_t message_needs(const struct rfb *r)
{
	if (!r->len)
		return 1;
	switch (r->in[r->start]) {
	case FROM_SERVER_UPDATE:
		return 4;
	case FROM_SERVER_COLOURS:
		return 6;
	case FROM_SERVER_TEXT:
		return 8;
	}
	return 1;
}

/* Bytes without which the state has nothing to do. All fit into the buffer. */
static size_t state_needs(const struct rfb *r)
{
	switch (r->state) {
	case RFB_VERSION:
	case RFB_RECTANGLE:
		return 12;
	case RFB_SECURITY:
	case RFB_LEDS:
		return 1;
	case RFB_SECURITY_TYPES:
		return r->types;
	case RFB_SECURITY_RESULT:
	case RFB_RAW:
		return 4;
	case RFB_SERVER_INIT:
		return 24;
	case RFB_SKIP:
		return r->skip ? 1 : 0;
	case RFB_MESSAGE:
		return message_needs(r);
	case RFB_CURSOR:
		return (size_t)r->w * r->h * 4 + (size_t)((r->w + 7) / 8) * r->h;
	}
	return 1;
}

static ssize_t step(struct rfb *r, const uint8_t *p, struct error *err)
{
	switch (r->state) {
	case RFB_VERSION:
		return on_version(r, p, err);
	case RFB_SECURITY:
		return on_security(r, p, err);
	case RFB_SECURITY_TYPES:
		return on_types(r, p, err);
	case RFB_SECURITY_RESULT:
		return on_security_result(r, p, err);
	case RFB_SERVER_INIT:
		return on_server_init(r, p, err);
	case RFB_SKIP:
		return on_skip(r, r->len);
	case RFB_MESSAGE:
		return on_message(r, p, err);
	case RFB_RECTANGLE:
		return on_rectangle(r, p, err);
	case RFB_RAW:
		return on_raw(r, p, r->len);
	case RFB_CURSOR:
		return on_cursor(r, p);
	case RFB_LEDS:
		return on_leds(r, p);
	}
	return bad(err, "no such state");
}

static int work(struct rfb *r, struct error *err)
{
	while (r->len >= state_needs(r)) {
		ssize_t n = step(r, r->in + r->start, err);

		if (n < 0)
			return -1;
		/* A server that asks for answers and reads none. */
		if (r->out.len > 2 * RFB_MAX_OUT)
			return bad(err, "the server does not read");
		r->start += (size_t)n;
		r->len -= (size_t)n;
	}
	if (r->start) {
		memmove(r->in, r->in + r->start, r->len);
		r->start = 0;
	}
	return 0;
}

/* ---- the connection ---- */

void rfb_begin(struct rfb *r, int fd)
{
	struct surface screen = r->screen;
	uint8_t *in = r->in ? r->in : xmalloc(RFB_INPUT);

	_Static_assert(RFB_MAX_CURSOR * RFB_MAX_CURSOR * 4 +
				       RFB_MAX_CURSOR / 8 * RFB_MAX_CURSOR <=
			       RFB_INPUT,
		       "the largest cursor fits");
	closep(&r->fd);
	buffer_free(&r->out);
	surface_free(&r->cursor);
	*r = (struct rfb){.fd = fd, .in = in, .screen = screen, .cursor_changed = true};
}

int rfb_connect(struct rfb *r, const char *path, struct error *err)
{
	int fd, result = socket_connect(path, &fd, err);

	if (result > 0)
		rfb_begin(r, fd);
	return result;
}

int rfb_read(struct rfb *r, struct error *err)
{
	ssize_t n = read(r->fd, r->in + r->len, RFB_INPUT - r->len);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0 && errno != ECONNRESET)
		return error_errno(err, "VNC", "cannot be read");
	if (n <= 0)
		return bad(err, "QEMU closed the connection");
	r->len += (size_t)n;
	return work(r, err);
}

int rfb_feed(struct rfb *r, struct bytes bytes, struct error *err)
{
	while (bytes.len) {
		size_t n =
			RFB_INPUT - r->len < bytes.len ? RFB_INPUT - r->len : bytes.len;

		memcpy(r->in + r->len, bytes.data, n);
		r->len += n;
		bytes.data += n;
		bytes.len -= n;
		if (work(r, err) < 0)
			return -1;
	}
	return 0;
}

bool rfb_flush(struct rfb *r)
{
	while (r->fd >= 0 && r->out.len) {
		ssize_t n = send(r->fd, r->out.data, r->out.len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 && errno == EAGAIN;
		memmove(r->out.data, r->out.data + n, r->out.len - (size_t)n);
		r->out.len -= (size_t)n;
	}
	return false;
}

void rfb_free(struct rfb *r)
{
	closep(&r->fd);
	free(r->in);
	buffer_free(&r->out);
	surface_free(&r->screen);
	surface_free(&r->cursor);
	*r = (struct rfb)RFB_INIT;
}
