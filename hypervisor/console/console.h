/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The presenter as a whole: the guest's VNC server, an output, inputs, the hot key and the
 * panel with its actions. main.c is the loop around it.
 */
#ifndef CONSOLE_CONSOLE_H
#define CONSOLE_CONSOLE_H

#include "console/input.h"
#include "console/keys.h"
#include "console/presenter.h"
#include "init/screen.h"

#define CONSOLE_MAX_GUESTS 8
struct console {
	const char *run;	/* init's folder: vnc, log, verdict.json */
	int control;		/* to init, for SCREEN_*; -1: it cannot be asked */
	struct strings vnc;	/* the socket of each guest */
	struct strings names;	/* of several; none: there is one */
	size_t shown;		/* the guest that is connected to, as keys and pointers are */
	bool alive;		/* it was there since it is shown */
	struct rfb rfb;
	struct presenter presenter;
	struct keys keys;
	unsigned buttons;	/* as the guest knows them */
	int last_x, last_y;	/* of the last position, where the guest takes movements */
	bool open;		/* the panel, by the hot key */
	bool sure;		/* reset was asked for once */
	bool no_guest;		/* there is none to connect to: the panel is all */
	bool native;		/* the start on the PC itself is offered in it */
	char *headline;		/* why there is no picture; NULL: there is one */
	int64_t connect_at, refresh_at;	/* ms; refresh_at -1: no panel is shown */
	int64_t named_until;	/* the guest's name is shown, after a switch */
	bool switched;		/* since the last tick */
	unsigned backoff;
	bool leds_changed;
};
void console_init(struct console *c, const char *run, int control);
/* Sockets, and names where there are several; each list by commas. */
int console_set_guests(struct console *c, const char *sockets, const char *names,
		       struct error *err);
/* Nothing will ever be at the socket. */
void console_no_guest(struct console *c);
/* Init says SCREEN_BLANK or SCREEN_UNBLANK. */
void console_word(struct console *c, char word);
void console_free(struct console *c);
struct input_sink console_sink(struct console *c);
/* Another output, or NULL. The old one is the owner's to close. */
void console_set_output(struct console *c, struct output *output);
/* The VNC server's descriptor can be read, if it still is the same one. */
void console_read(struct console *c, int64_t now);
/* Does what is due: connects, refreshes the panel, shows what changed. */
void console_tick(struct console *c, int64_t now);
/* When the next tick is due, ms; -1: never. */
int64_t console_due(const struct console *c);

#endif
