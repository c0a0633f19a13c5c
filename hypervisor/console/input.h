/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Keyboards, mice, touchpads and touch screens by the kernel's evdev, as they come and go.
 * Nothing is grabbed: init reads the power button of the same devices, and the kernel's own
 * terminal is kept from keys by terminal.h.
 */
#ifndef CONSOLE_INPUT_H
#define CONSOLE_INPUT_H

#include <linux/input.h>

#include "base/error.h"

#define INPUT_MAX_DEVICES 32

enum input_kind {
	INPUT_PLAIN,	/* keys, and movements if it has them */
	INPUT_SCREEN,	/* positions: touch screen, tablet */
	INPUT_PAD,	/* touchpad: positions that mean movements */
};
struct input_axis {
	int least, most, value, last;
	int rest;	/* of a movement, in parts of a pixel */
};
struct input_device {
	int fd;
	char name[32];	/* in its folder: "event3" */
	enum input_kind kind;
	struct input_axis x, y;
	int dx, dy, wheel, side_wheel;	/* since the last report */
	unsigned buttons;	/* as RFB counts them */
	bool placed;
	bool touching, touched;	/* is the last position one of this touch? */
	bool two_fingers;
	int travelled;		/* by the touch, in 1024ths of the pad */
	int64_t touch_began;	/* ms */
};

/* What the owner is told. Any may be called several times for one event. */
struct input_sink {
	void *arg;
	void (*key)(void *arg, unsigned code, int value);
	/* Movement in pixels, buttons as they are after it. */
	void (*move)(void *arg, int dx, int dy, unsigned buttons);
	/* Position on the screen, each from 0 to 65535. */
	void (*place)(void *arg, unsigned x, unsigned y, unsigned buttons);
	/* One notch: 8 up, 16 down, 32 left, 64 right. */
	void (*wheel)(void *arg, unsigned button);
};
/* One event of the device, from the kernel or for tests. */
void input_event(struct input_device *device, const struct input_event *event,
		 const struct input_sink *sink);

struct input {
	char *folder;
	int watch;	/* inotify: readable when something appeared; or -1 */
	struct input_device devices[INPUT_MAX_DEVICES];
	unsigned count;
};
/* Opens what is in the folder ("/dev/input"), which may also come later. */
void input_open(struct input *input, const char *folder);
/*
 * One more that is a stream of events from a pipe, without properties: for tests, which
 * have no devices of their own. Closed with the others.
 */
void input_add_stream(struct input *input, int fd);
/* After `watch` was readable: opens what is new. */
void input_refresh(struct input *input);
/* Reads all that the device has. False: it is gone, and was taken out of the list. */
bool input_read(struct input *input, unsigned index, const struct input_sink *sink);
/* Lights of keyboards: 1 scroll, 2 num, 4 caps. */
void input_leds(const struct input *input, unsigned leds);
void input_close(struct input *input);

#endif
