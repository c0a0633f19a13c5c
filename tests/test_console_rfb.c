/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The presenter against a VNC server of the test's own, at the other end of a socket:
 * what is said to it byte by byte, pictures, pointers, a server that lies, one that
 * vanishes.
 */
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"
#include "console/console.h"

struct server {
	char *run;
	int listener, fd;
	struct console console;
	struct output *output;
	int control[2];
	int64_t now;
};

static void say(struct server *s, const void *data, size_t len)
{
	assert_int_equal(send(s->fd, data, len, MSG_NOSIGNAL), len);
}

#define SAY(s, ...) \
	say(s, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* All that the client has sent since the last time. */
static size_t heard(struct server *s, uint8_t *data, size_t size)
{
	ssize_t n = recv(s->fd, data, size, MSG_DONTWAIT);

	return n < 0 ? 0 : (size_t)n;
}

static void expect(struct server *s, const void *data, size_t len)
{
	uint8_t got[4096];

	assert_int_equal(heard(s, got, sizeof(got)), len);
	assert_memory_equal(got, data, len);
}
#define EXPECT(s, ...) \
	expect(s, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* As the program's loop does. */
static void turn(struct server *s)
{
	s->now += 2000;
	for (int i = 0; i < 100 && s->console.rfb.fd >= 0; i++)
		console_read(&s->console, s->now);
	console_tick(&s->console, s->now);
}

static void accept_client(struct server *s)
{
	closep(&s->fd);
	s->now += 2000;
	console_tick(&s->console, s->now);
	s->fd = accept(s->listener, NULL, NULL);
	assert_true(s->fd >= 0);
}

/* As QEMU does it, with a screen of 4x3. */
static void greet(struct server *s)
{
	uint8_t sent[4096];

	accept_client(s);
	say(s, "RFB 003.008\n", 12);
	turn(s);
	expect(s, "RFB 003.008\n", 12);
	SAY(s, 2, 16, 1);
	turn(s);
	EXPECT(s, 1);
	SAY(s, 0, 0, 0, 0);
	turn(s);
	EXPECT(s, 1);
	SAY(s, 0, 4, 0, 3, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0, 0, 0,
	    0, 4);
	say(s, "QEMU", 4);
	turn(s);
	assert_int_equal(heard(s, sent, sizeof(sent)), 20 + 4 + 4 * 6 + 10);
	assert_memory_equal(sent, "\0\0\0\0\x20\x18\0\1\0\xff\0\xff\0\xff\x10\x08\0", 17);
	assert_memory_equal(sent + 48, "\3\0\0\0\0\0\0\4\0\3", 10);
	/* It takes keys by scan code, and positions. */
	SAY(s, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xfe, 0xfe, 0, 1, 0, 0, 0,
	    4, 0, 3, 0xff, 0xff, 0xfe, 0xff);
	turn(s);
	EXPECT(s, 3, 1, 0, 0, 0, 0, 0, 4, 0, 3);
}

static int set_up(void **state)
{
	struct server *s = xcalloc(1, sizeof(*s));
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	s->run = temp_folder_make(NULL, NULL);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/vnc", s->run);
	s->fd = -1;
	s->listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(pipe(s->control), 0);
	console_init(&s->console, s->run, s->control[1]);
	s->output = output_memory(1024, 768);
	console_set_output(&s->console, s->output);
	s->now = 1000;
	console_tick(&s->console, s->now);
	assert_int_equal(s->console.rfb.fd, -1);
	assert_int_equal(bind(s->listener, (struct sockaddr *)&address, sizeof(address)),
			 0);
	assert_int_equal(listen(s->listener, 4), 0);
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct server *s = *state;

	console_free(&s->console);
	output_close(s->output);
	closep(&s->fd);
	closep(&s->listener);
	closep(&s->control[0]);
	closep(&s->control[1]);
	temp_folder_remove(s->run);
	free(s);
	return 0;
}

static uint32_t shown(const struct server *s, int x, int y)
{
	return *surface_at(s->output->shown, x, y);
}

/* 4x3 on 1024x768 is 256 times as large. */
static uint32_t guest_pixel(const struct server *s, int x, int y)
{
	return shown(s, x * 256 + 128, y * 256 + 128);
}

static bool panel_shown(const struct server *s)
{
	return s->console.presenter.panel.len > 0;
}

static void test_picture(void **state)
{
	struct server *s = *state;

	assert_true(panel_shown(s));
	greet(s);
	assert_false(panel_shown(s));
	/* Two rectangles, the second with its pixels in two pieces. */
	SAY(s, 0, 0, 0, 2, 0, 1, 0, 2, 0, 2, 0, 1, 0, 0, 0, 0, 1, 2, 3, 0, 4, 5, 6, 0, 0,
	    3, 0, 0, 0, 1, 0, 2, 0, 0, 0, 0, 7, 8);
	turn(s);
	assert_int_equal(guest_pixel(s, 1, 2), 0x030201);
	assert_int_equal(guest_pixel(s, 2, 2), 0x060504);
	assert_int_equal(guest_pixel(s, 3, 0), 0);
	EXPECT(s);
	SAY(s, 9, 0, 10, 11, 12, 0);
	turn(s);
	assert_int_equal(guest_pixel(s, 3, 0), 0x090807);
	assert_int_equal(guest_pixel(s, 3, 1), 0x0c0b0a);
	EXPECT(s, 3, 1, 0, 0, 0, 0, 0, 4, 0, 3);
	/* Colours, bell, clipboard and an empty update say nothing. */
	SAY(s, 1, 0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 2, 3, 0, 0, 0, 0, 0, 0, 2, 'a', 'b', 0,
	    0, 0, 0);
	turn(s);
	EXPECT(s, 3, 1, 0, 0, 0, 0, 0, 4, 0, 3);
	/* Another size: black, and asked for as a whole. */
	SAY(s, 0, 0, 0, 1, 0, 0, 0, 0, 0, 8, 0, 6, 0xff, 0xff, 0xff, 0x21);
	turn(s);
	EXPECT(s, 3, 0, 0, 0, 0, 0, 0, 8, 0, 6, 3, 1, 0, 0, 0, 0, 0, 8, 0, 6);
	assert_int_equal(s->console.presenter.fit.factor, 128);
	assert_int_equal(guest_pixel(s, 1, 2), 0);
	/* Lights. */
	SAY(s, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 1, 0xff, 0xff, 0xfe, 0xfb, 5);
	turn(s);
	assert_true(s->console.leds_changed && s->console.rfb.leds == 5);
}

static void test_cursor(void **state)
{
	struct server *s = *state;
	struct input_sink sink = console_sink(&s->console);

	greet(s);
	/* Two pixels of which the right one shows, hot spot there. */
	SAY(s, 0, 0, 0, 1, 0, 1, 0, 0, 0, 2, 0, 1, 0xff, 0xff, 0xff, 0x11, 1, 1, 1, 0, 2,
	    2, 2, 0, 0x40);
	turn(s);
	sink.place(sink.arg, 32768, 32768, 0);
	turn(s);
	assert_int_equal(shown(s, 512, 256), 0x020202);
	assert_int_equal(shown(s, 511, 256), 0);
	sink.move(sink.arg, 1, 1, 0);
	turn(s);
	assert_int_equal(shown(s, 512, 256), 0);
	assert_int_equal(shown(s, 768, 512), 0x020202);
	/* None any more. */
	SAY(s, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0x11);
	turn(s);
	assert_int_equal(shown(s, 768, 512), 0);
}

static void test_pointer(void **state)
{
	struct server *s = *state;
	struct input_sink sink = console_sink(&s->console);

	greet(s);
	sink.place(sink.arg, 65535, 65535, 1);
	turn(s);
	EXPECT(s, 5, 1, 0, 3, 0, 2);
	sink.move(sink.arg, -1, 0, 1);
	sink.move(sink.arg, 0, 0, 1); /* nothing new */
	sink.move(sink.arg, -100, 0, 0);
	sink.wheel(sink.arg, 8);
	turn(s);
	EXPECT(s, 5, 1, 0, 2, 0, 2, 5, 0, 0, 0, 0, 2, 5, 8, 0, 0, 0, 2, 5, 0, 0, 0, 0, 2);
	/* A guest with a mouse: ways, around 0x7fff. */
	SAY(s, 0, 0, 0, 1, 0, 0, 0, 0, 0, 4, 0, 3, 0xff, 0xff, 0xfe, 0xff);
	turn(s);
	EXPECT(s, 3, 1, 0, 0, 0, 0, 0, 4, 0, 3);
	sink.move(sink.arg, 3, -2, 2);
	sink.move(sink.arg, -100000, 100000, 0);
	turn(s);
	EXPECT(s, 5, 2, 0x80, 2, 0x7f, 0xfd, 5, 0, 0, 0, 0xff, 0xfe);
}

static void tap(struct input_sink *sink, unsigned code)
{
	sink->key(sink->arg, code, 1);
	sink->key(sink->arg, code, 0);
}

static void hot_key(struct input_sink *sink)
{
	sink->key(sink->arg, KEY_LEFTCTRL, 1);
	sink->key(sink->arg, KEY_LEFTALT, 1);
	tap(sink, KEY_ESC);
	sink->key(sink->arg, KEY_LEFTALT, 0);
	sink->key(sink->arg, KEY_LEFTCTRL, 0);
}

#define KEY(down, code) 255, 0, 0, down, 0, 0, 0, 0, 0, 0, 0, code

static void test_keys(void **state)
{
	struct server *s = *state;
	struct input_sink sink = console_sink(&s->console);
	uint8_t asked[4];

	greet(s);
	tap(&sink, KEY_A);
	tap(&sink, KEY_RIGHT);
	tap(&sink, KEY_POWER);
	turn(s);
	EXPECT(s, KEY(1, 0x1e), KEY(0, 0x1e), KEY(1, 0xcd), KEY(0, 0xcd));
	/* What is down is let go before the panel opens; nothing is passed on then. */
	hot_key(&sink);
	turn(s);
	EXPECT(s, KEY(1, 0x1d), KEY(1, 0x38), KEY(0, 0x1d), KEY(0, 0x38));
	assert_true(panel_shown(s));
	tap(&sink, KEY_A);
	sink.move(sink.arg, 1, 1, 1);
	turn(s);
	EXPECT(s);
	/* Reset wants two strokes in a row. */
	tap(&sink, KEY_R);
	tap(&sink, KEY_A);
	tap(&sink, KEY_R);
	turn(s);
	assert_true(panel_shown(s) && s->console.sure);
	tap(&sink, KEY_R);
	turn(s);
	assert_false(panel_shown(s));
	hot_key(&sink);
	tap(&sink, KEY_P);
	turn(s);
	assert_false(panel_shown(s));
	assert_int_equal(read(s->control[0], asked, sizeof(asked)), 2);
	assert_memory_equal(asked, "rp", 2);
	assert_true(heard(s, (uint8_t[4096]){0}, 4096) > 0);
	/* Ctrl+Alt+Del, Esc. */
	hot_key(&sink);
	tap(&sink, KEY_ESC);
	assert_false(s->console.open);
	hot_key(&sink);
	turn(s);
	(void)heard(s, (uint8_t[4096]){0}, 4096);
	tap(&sink, KEY_D);
	turn(s);
	EXPECT(s, KEY(1, 0x1d), KEY(1, 0x38), KEY(1, 0xd3), KEY(0, 0xd3), KEY(0, 0x38),
	       KEY(0, 0x1d));
	assert_false(panel_shown(s));
}

static void test_vanishing(void **state)
{
	struct server *s = *state;
	struct input_sink sink = console_sink(&s->console);

	greet(s);
	SAY(s, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 1, 2, 3, 0);
	turn(s);
	sink.key(sink.arg, KEY_A, 1);
	closep(&s->fd);
	turn(s);
	/* The last picture stays, and why it is the last is written over it. */
	assert_true(panel_shown(s));
	assert_int_equal(shown(s, 1, 1), 0x030201);
	assert_non_null(strstr(s->console.headline, "closed the connection"));
	sink.key(sink.arg, KEY_A, 0);
	greet(s);
	assert_false(panel_shown(s));
	assert_null(s->console.headline);
}

/* What the server says after it was asked for its screen, or before. */
static void refuse(struct server *s, bool greeted, const void *data, size_t len,
		   const char *why)
{
	if (greeted)
		greet(s);
	else
		accept_client(s);
	(void)send(s->fd, data, len, MSG_NOSIGNAL);
	turn(s);
	if (!s->console.headline || !strstr(s->console.headline, why))
		fail_msg("not \"%s\" but \"%s\"", why,
			 s->console.headline ? s->console.headline : "taken");
	assert_true(panel_shown(s));
}
#define REFUSE(s, greeted, why, ...)                       \
	refuse(s, greeted, (const uint8_t[]){__VA_ARGS__}, \
	       sizeof((const uint8_t[]){__VA_ARGS__}), why)

static void test_lies(void **state)
{
	struct server *s = *state;

	refuse(s, false, "SSH-2.0-OpenSSH\n", 16, "no VNC server");
	refuse(s, false, "RFB 003.003\n", 12, "older than 3.8");
	refuse(s, false, "RFB 003.008\n\0", 13, "refuses");
	refuse(s, false, "RFB 003.008\n\1\2", 14, "password");
	refuse(s, false, "RFB 003.008\n\1\1\0\0\0\1", 18, "refuses");
	REFUSE(s, true, "no known kind", 77);
	REFUSE(s, true, "no known encoding", 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0,
	       1);
	REFUSE(s, true, "outside", 0, 0, 0, 1, 0, 4, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0);
	REFUSE(s, true, "outside", 0, 0, 0, 1, 0, 0, 0xff, 0xff, 0, 1, 0xff, 0xff, 0, 0,
	       0, 0);
	REFUSE(s, true, "has 0x5 pixels", 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 5, 0xff, 0xff,
	       0xff, 0x21);
	REFUSE(s, true, "has 8193x1 pixels", 0, 0, 0, 1, 0, 0, 0, 0, 0x20, 1, 0, 1, 0xff,
	       0xff, 0xff, 0x21);
	REFUSE(s, true, "has 8192x8192 pixels", 0, 0, 0, 1, 0, 0, 0, 0, 0x20, 0, 0x20, 0,
	       0xff, 0xff, 0xff, 0x21);
	REFUSE(s, true, "shape is too large", 0, 0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 1, 0xff,
	       0xff, 0xff, 0x11);
	REFUSE(s, true, "clipboard", 3, 0, 0, 0, 0xff, 0xff, 0xff, 0xff);
}

/* The largest pointer fills the buffer but for its mask. */
static void test_largest_cursor(void **state)
{
	struct server *s = *state;
	size_t len = 16 + RFB_MAX_CURSOR * RFB_MAX_CURSOR * 4 +
		     RFB_MAX_CURSOR / 8 * RFB_MAX_CURSOR;
	_cleanup_free_ uint8_t *m = xmalloc(len);

	greet(s);
	memset(m, 0xff, len);
	memcpy(m, "\0\0\0\1\0\0\0\0\1\0\1\0\xff\xff\xff\x11", 16);
	for (size_t at = 0; at < len; at += 4096) {
		say(s, m + at, len - at < 4096 ? len - at : 4096);
		turn(s);
	}
	assert_int_equal(s->console.rfb.cursor.width, 256);
	assert_int_equal(s->console.rfb.cursor.pixels[65535], 0xffffffff);
	EXPECT(s, 3, 1, 0, 0, 0, 0, 0, 4, 0, 3);
}

/* One who wants to be asked for ever, and reads nothing. */
static void test_deaf(void **state)
{
	struct server *s = *state;
	uint8_t updates[4096] = {0};

	greet(s);
	for (int i = 0; i < 400 && !s->console.headline; i++) {
		(void)send(s->fd, updates, sizeof(updates), MSG_NOSIGNAL | MSG_DONTWAIT);
		turn(s);
	}
	assert_non_null(s->console.headline);
	assert_non_null(strstr(s->console.headline, "does not read"));
}

static bool all_dark(const struct server *s)
{
	const struct surface *screen = s->output->shown;

	for (size_t i = 0; i < (size_t)screen->width * screen->height; i++)
		if (screen->pixels[i])
			return false;
	return true;
}

/* Init's words, and each of what wakes the screen. */
static void test_blank(void **state)
{
	struct server *s = *state;
	struct input_sink sink = console_sink(&s->console);

	greet(s);
	SAY(s, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 1, 2, 3, 0);
	turn(s);
	for (unsigned how = 0; how < 5; how++) {
		assert_int_equal(guest_pixel(s, 0, 0), 0x030201);
		console_word(&s->console, '?');
		assert_false(all_dark(s));
		console_word(&s->console, SCREEN_BLANK);
		assert_true(all_dark(s));
		/* The guest goes on drawing, and nobody sees it. */
		SAY(s, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 4, 5, 6, 0);
		turn(s);
		assert_true(all_dark(s));
		sink.move(&s->console, 0, 0, 0); /* says nothing */
		assert_true(all_dark(s));
		if (how == 0)
			console_word(&s->console, SCREEN_UNBLANK);
		else if (how == 1)
			sink.key(&s->console, KEY_A, 1);
		else if (how == 2)
			sink.move(&s->console, 1, 0, 0);
		else if (how == 3)
			sink.place(&s->console, 100, 100, 0);
		else
			sink.wheel(&s->console, 8);
		turn(s);
		assert_int_equal(guest_pixel(s, 0, 0), 0x030201);
		assert_int_equal(guest_pixel(s, 1, 0), 0x060504);
	}
}

/* No guest: the panel says so all the time, and its keys are the only ones. */
static void test_no_guest(void **state)
{
	struct server *s = *state;
	struct input_sink sink = console_sink(&s->console);
	char asked[4];

	console_no_guest(&s->console);
	turn(s);
	assert_true(panel_shown(s));
	assert_int_equal(s->console.rfb.fd, -1);
	sink.key(&s->console, KEY_N, 1); /* not offered */
	sink.key(&s->console, KEY_R, 1);
	sink.key(&s->console, KEY_R, 1);
	sink.key(&s->console, KEY_ESC, 1);
	s->console.native = true;
	sink.key(&s->console, KEY_N, 2);
	sink.key(&s->console, KEY_N, 1);
	sink.key(&s->console, KEY_P, 1);
	assert_int_equal(read(s->control[0], asked, sizeof(asked)), 2);
	assert_memory_equal(asked, "np", 2);
	turn(s);
	assert_true(panel_shown(s));
}

/* Two VNC servers, of which the screen shows one at a time. */
static int listen_too(const struct server *s)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/two", s->run);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

static void name_two(struct server *s)
{
	_cleanup_free_ char *sockets = xasprintf("%s/vnc,%s/two", s->run, s->run);
	_cleanup_error_ struct error err = ERROR_INIT;

	assert_int_equal(console_set_guests(&s->console, sockets, NULL, &err), -1);
	assert_int_equal(console_set_guests(&s->console, sockets, "a,b", NULL), 0);
}

static void put_states(const struct server *s, const char *text)
{
	_cleanup_free_ char *path = xasprintf("%s/states", s->run);

	assert_int_equal(file_replace(path,
				      (struct bytes){(const uint8_t *)text, strlen(text)},
				      NULL),
			 0);
}

static bool panel_says(const struct server *s, const char *text)
{
	vec_foreach (line, &s->console.presenter.panel)
		if (strstr(line->text, text))
			return true;
	return false;
}

static void test_switch(void **state)
{
	struct server *s = *state;
	struct input_sink sink = console_sink(&s->console);
	int one = s->listener, two = listen_too(s);
	char asked[8];

	name_two(s);
	put_states(s, "a running\nb starting\nc not started\n");
	greet(s);
	SAY(s, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 1, 2, 3, 0);
	turn(s);
	assert_int_equal(guest_pixel(s, 0, 0), 0x030201);
	EXPECT(s, 3, 1, 0, 0, 0, 0, 0, 4, 0, 3);
	/* What is down comes up in the first; the arrow is nobody's. */
	sink.key(sink.arg, KEY_A, 1);
	sink.move(sink.arg, 1, 0, 1);
	sink.key(sink.arg, KEY_LEFTCTRL, 1);
	sink.key(sink.arg, KEY_RIGHTCTRL, 1);
	sink.key(sink.arg, KEY_RIGHT, 1);
	EXPECT(s, KEY(1, 0x1e), 5, 1, 0, 1, 0, 0, KEY(1, 0x1d), KEY(1, 0x9d),
	       KEY(0, 0x1d), KEY(0, 0x1e), KEY(0, 0x9d), 5, 0, 0, 1, 0, 0);
	assert_int_equal(s->console.shown, 1);
	sink.key(sink.arg, KEY_RIGHT, 0);
	sink.key(sink.arg, KEY_RIGHTCTRL, 0);
	sink.key(sink.arg, KEY_LEFTCTRL, 0);
	assert_false(s->console.open);
	s->listener = two;
	greet(s);
	/* Nothing of the first one's is left, nor is the first one told anything. */
	assert_int_equal(guest_pixel(s, 0, 0), 0);
	tap(&sink, KEY_B);
	turn(s);
	EXPECT(s, KEY(1, 0x30), KEY(0, 0x30));
	/* The panel has a list, and its words are for the one that is shown. */
	hot_key(&sink);
	turn(s);
	assert_true(panel_says(s, "Guest 1   a: running") &&
		    panel_says(s, "Guest 2   b: starting, shown") &&
		    panel_says(s, "Guest 3   c: not started"));
	tap(&sink, KEY_R);
	tap(&sink, KEY_R);
	hot_key(&sink);
	tap(&sink, KEY_P);
	hot_key(&sink);
	tap(&sink, KEY_A);
	assert_int_equal(read(s->control[0], asked, sizeof(asked)), 5);
	assert_memory_equal(asked, "1r1gp", 5);
	/* A digit in it, that of the one shown too; one that nobody has. */
	hot_key(&sink);
	tap(&sink, KEY_3);
	assert_true(s->console.open && s->console.shown == 1);
	tap(&sink, KEY_2);
	assert_true(!s->console.open && s->console.shown == 1);
	hot_key(&sink);
	tap(&sink, KEY_1);
	assert_true(!s->console.open && s->console.shown == 0);
	s->listener = one;
	greet(s);
	/* Its name for a moment. */
	assert_false(panel_shown(s));
	/* Who is off is left for who is not. */
	put_states(s, "a off\nb running\n");
	close(s->listener);
	s->listener = two;
	closep(&s->fd);
	turn(s);
	turn(s);
	assert_int_equal(s->console.shown, 1);
	greet(s);
	assert_false(panel_shown(s));
	/* Arrows pass it by, its digit starts it. */
	sink.key(sink.arg, KEY_LEFTCTRL, 1);
	sink.key(sink.arg, KEY_RIGHTCTRL, 1);
	tap(&sink, KEY_LEFT);
	assert_int_equal(s->console.shown, 1);
	tap(&sink, KEY_1);
	assert_int_equal(s->console.shown, 0);
	assert_int_equal(read(s->control[0], asked, sizeof(asked)), 2);
	assert_memory_equal(asked, "0s", 2);
	turn(s);
	turn(s);
	assert_int_equal(s->console.shown, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_picture),  TEST(test_cursor),		TEST(test_pointer),
		TEST(test_keys),     TEST(test_vanishing),	TEST(test_lies),
		TEST(test_deaf),     TEST(test_largest_cursor), TEST(test_blank),
		TEST(test_no_guest), TEST(test_switch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
