/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "console/console.h"

#include <stdio.h>
#include <unistd.h>

#include "console/status.h"

#define FIRST_BACKOFF 50 /* ms between attempts to connect; doubles */
#define LAST_BACKOFF 1000
#define REFRESH 1000 /* ms after which the panel is read anew */
#define LOG_LINES 8
#define NAMED 1500 /* ms: a guest's name after a switch */
#define GRACE 500  /* ms after which a guest that shows nothing is spoken of */

void console_init(struct console *c, const char *run, int control)
{
	*c = (struct console){.run = run, .control = control, .rfb = RFB_INIT};
	vec_push(&c->vnc, xasprintf("%s/vnc", run));
	c->headline = xstrdup("The guest has not been started yet.");
	c->backoff = FIRST_BACKOFF;
}

static void split(const char *list, struct strings *ret)
{
	for (size_t len; *list; list += len + (list[len] != 0)) {
		len = strcspn(list, ",");
		if (len)
			vec_push(ret, xstrndup(list, len));
	}
}

int console_set_guests(struct console *c, const char *sockets, const char *names,
		       struct error *err)
{
	strings_free(&c->vnc);
	split(sockets, &c->vnc);
	if (names)
		split(names, &c->names);
	c->keys.several = c->names.len > 1;
	if (c->vnc.len && c->vnc.len <= CONSOLE_MAX_GUESTS &&
	    c->vnc.len == (c->names.len ? c->names.len : 1))
		return 0;
	return error_set(err, ERROR_USAGE, "vnc",
			 "\"%s\" is not one socket for each guest, 8 at most", sockets);
}

static bool has_several(const struct console *c)
{
	return c->names.len > 1;
}

void console_no_guest(struct console *c)
{
	c->no_guest = true;
	free(c->headline);
	c->headline = xstrdup("No virtual machine runs on this PC.");
}

void console_word(struct console *c, char word)
{
	if (word == SCREEN_BLANK || word == SCREEN_UNBLANK)
		presenter_blank(&c->presenter, &c->rfb, word == SCREEN_BLANK);
}

void console_free(struct console *c)
{
	rfb_free(&c->rfb);
	presenter_free(&c->presenter);
	strings_free(&c->vnc);
	strings_free(&c->names);
	free(c->headline);
}

/* ---- the panel ---- */

static const char *keys_text(const struct console *c)
{
	if (c->no_guest)
		return c->native ? "N: start Windows on the PC itself   P: switch off"
				 : "P: switch off";
	if (!c->open)
		return NULL;
	if (c->sure)
		return "R again: reset the guest, what it has not saved is lost   Esc: "
		       "back";
	if (has_several(c))
		return c->control < 0 ? "Esc: back   1, 2...: that guest   D: "
					"Ctrl+Alt+Del"
				      : "Esc: back   1, 2...: that guest   D: "
					"Ctrl+Alt+Del   P: shut this guest down   R: "
					"reset   A: shut all down and switch off";
	return c->control < 0 ? "Esc: back   D: Ctrl+Alt+Del"
			      : "Esc: back   D: Ctrl+Alt+Del   P: shut down and switch "
				"off   R: reset";
}

static void read_panel(struct console *c)
{
	const struct presenter *p = &c->presenter;
	char screen[80] = "none";
	struct status_question q = {.root = "",
				    .run = c->run,
				    .headline = c->headline,
				    .keys = keys_text(c),
				    .screen = screen,
				    .log_lines = LOG_LINES,
				    .shown = has_several(c) ? (int)c->shown : -1};

	if (p->output && c->rfb.screen.width)
		(void)snprintf(screen, sizeof(screen), "guest %ux%u on %ux%u (%s)",
			       c->rfb.screen.width, c->rfb.screen.height,
			       p->output->width, p->output->height, p->output->name);
	else if (p->output)
		(void)snprintf(screen, sizeof(screen), "%ux%u (%s)", p->output->width,
			       p->output->height, p->output->name);
	status_read(&q, &c->presenter.panel);
}

/* Shown while there is no picture, too. */
static void refresh_panel(struct console *c, int64_t now)
{
	if (c->open || c->headline) {
		read_panel(c);
		c->refresh_at = now + REFRESH;
	} else if (now < c->named_until) {
		panel_free(&c->presenter.panel);
		panel_add(&c->presenter.panel, PANEL_TITLE, c->names.items[c->shown]);
		c->refresh_at = c->named_until;
	} else {
		panel_free(&c->presenter.panel);
		c->refresh_at = -1;
	}
	presenter_panel_changed(&c->presenter);
}

/* ---- keys ---- */

static void send_key(struct console *c, unsigned code, bool down)
{
	rfb_key(&c->rfb, keys_scan_code(code), down);
}

/* What is down will come up while the guest does not listen. */
static void open_panel(struct console *c)
{
	for (int code; (code = keys_release(&c->keys)) >= 0;)
		send_key(c, (unsigned)code, false);
	c->open = true;
	c->sure = false;
	c->refresh_at = 0;
}

static void close_panel(struct console *c)
{
	/* Held keys are not the guest's. */
	while (keys_release(&c->keys) >= 0)
		;
	c->open = false;
	c->refresh_at = 0;
}

static void ask_init(struct console *c, char what)
{
	char request[2] = {(char)('0' + c->shown), what};
	/* Of several it is the one that is shown; in one write, so that it stays so. */
	size_t skip = has_several(c) && what != SCREEN_POWER ? 0 : 1;
	ssize_t len = (ssize_t)(sizeof(request) - skip);

	if (c->control >= 0 && write(c->control, request + skip, (size_t)len) != len) {
		/* Init is gone: there is nobody to ask any more. */
		c->control = -1;
	}
	close_panel(c);
}

static void send_buttons(struct console *c, unsigned buttons)
{
	if (c->rfb.relative)
		rfb_move(&c->rfb, buttons, 0, 0);
	else
		rfb_pointer(&c->rfb, buttons, (unsigned)c->presenter.x,
			    (unsigned)c->presenter.y);
}

/* Another guest: what is down comes up in the old one first. */
static void show_guest(struct console *c, size_t guest)
{
	for (int code; (code = keys_release(&c->keys)) >= 0;)
		send_key(c, (unsigned)code, false);
	if (c->buttons)
		send_buttons(c, 0);
	c->buttons = 0;
	(void)rfb_flush(&c->rfb);
	c->shown = guest;
	c->alive = false;
	rfb_begin(&c->rfb, -1);
	/* The old one's picture is not the new one's. */
	surface_fill(&c->rfb.screen, surface_rect(&c->rfb.screen), 0);
	damage_add(&c->rfb.damage, surface_rect(&c->rfb.screen));
	free(c->headline);
	c->headline = xasprintf("%s has shown nothing yet.", c->names.items[guest]);
	c->backoff = FIRST_BACKOFF;
	c->connect_at = 0;
	c->switched = true;
	c->open = false;
	panel_free(&c->presenter.panel);
	presenter_panel_changed(&c->presenter);
}

static bool is_over(const struct strings *states, size_t guest)
{
	return guest < states->len && status_guest_is_over(states->items[guest]);
}

/* By an arrow the next one that is not off; by a digit that one, which is started if it
 * is. */
static void switch_guest(struct console *c, unsigned code)
{
	_cleanup_(strings_free) struct strings states = VEC_INIT;
	size_t count = c->names.len, guest = c->shown;
	char start[2] = {0, SCREEN_START};

	status_guests(c->run, &states);
	if (code == KEY_RIGHT || code == KEY_LEFT)
		do
			guest = (guest + (code == KEY_RIGHT ? 1 : count - 1)) % count;
		while (guest != c->shown && is_over(&states, guest));
	else
		guest = code - KEY_1;
	if (guest >= count)
		return;
	start[0] = (char)('0' + guest);
	if (is_over(&states, guest) && c->control >= 0)
		(void)!write(c->control, start, sizeof(start));
	if (guest != c->shown)
		show_guest(c, guest);
	else if (c->open)
		close_panel(c);
}

static void press(struct console *c, const unsigned *codes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		send_key(c, codes[i], true);
	for (size_t i = count; i > 0; i--)
		send_key(c, codes[i - 1], false);
}

static void panel_key(struct console *c, unsigned code)
{
	static const unsigned attention[] = {KEY_LEFTCTRL, KEY_LEFTALT, KEY_DELETE};
	bool sure = c->sure;

	c->sure = false;
	c->refresh_at = 0;
	if (c->no_guest) {
		if (code == KEY_P || (code == KEY_N && c->native))
			ask_init(c, code == KEY_P ? SCREEN_POWER : SCREEN_NATIVE);
		return;
	}
	switch (code) {
	case KEY_ESC:
		close_panel(c);
		break;
	case KEY_D:
		close_panel(c);
		press(c, attention, ARRAY_SIZE(attention));
		break;
	case KEY_P:
		ask_init(c, has_several(c) ? SCREEN_GUEST_POWER : SCREEN_POWER);
		break;
	case KEY_A:
		if (has_several(c))
			ask_init(c, SCREEN_POWER);
		break;
	case KEY_R:
		if (sure)
			ask_init(c, SCREEN_RESET);
		else
			c->sure = c->control >= 0;
		break;
	default:
		if (has_several(c) && code >= KEY_1 && code <= KEY_8)
			switch_guest(c, code);
	}
}

/* Whoever touches a key or a pointer wants to see something. */
static void wake(struct console *c)
{
	presenter_blank(&c->presenter, &c->rfb, false);
}

static void on_key(void *arg, unsigned code, int value)
{
	struct console *c = arg;
	enum keys_action action = keys_event(&c->keys, code, value);
	bool hot = action == KEYS_HOT || action == KEYS_PASS_HOT;

	wake(c);
	if (action == KEYS_SWITCH) {
		switch_guest(c, code);
		return;
	}
	if (c->open || c->no_guest) {
		if (hot)
			close_panel(c);
		else if (action == KEYS_PASS && value == 1)
			panel_key(c, code);
		return;
	}
	if (action == KEYS_PASS || action == KEYS_PASS_HOT)
		send_key(c, code, value != 0);
	if (hot)
		open_panel(c);
}

/* ---- pointers ---- */

static int within(int value, unsigned end)
{
	if (value < 0 || !end)
		return 0;
	return value < (int)end ? value : (int)end - 1;
}

static void go_to(struct console *c, int x, int y, unsigned buttons)
{
	struct presenter *p = &c->presenter;

	x = within(x, c->rfb.screen.width);
	y = within(y, c->rfb.screen.height);
	if (x == p->x && y == p->y && buttons == c->buttons)
		return;
	p->x = x;
	p->y = y;
	c->buttons = buttons;
	rfb_pointer(&c->rfb, buttons, (unsigned)x, (unsigned)y);
}

static void on_move(void *arg, int dx, int dy, unsigned buttons)
{
	struct console *c = arg;

	if (!dx && !dy && buttons == c->buttons)
		return;
	wake(c);
	if (c->open)
		return;
	if (!c->rfb.relative) {
		go_to(c, c->presenter.x + dx, c->presenter.y + dy, buttons);
		return;
	}
	c->buttons = buttons;
	rfb_move(&c->rfb, buttons, dx, dy);
}

/* A guest that takes movements gets the way from the last position. */
static void on_place(void *arg, unsigned x, unsigned y, unsigned buttons)
{
	struct console *c = arg;
	const struct surface *canvas = &c->presenter.canvas;
	int px = (int)((uint64_t)x * canvas->width / 65536);
	int py = (int)((uint64_t)y * canvas->height / 65536);

	wake(c);
	if (c->open || !canvas->width || !c->rfb.screen.width)
		return;
	fit_to_picture(&c->presenter.fit, &px, &py);
	if (c->rfb.relative)
		on_move(c, px - c->last_x, py - c->last_y, buttons);
	else
		go_to(c, px, py, buttons);
	c->last_x = px;
	c->last_y = py;
}

static void on_wheel(void *arg, unsigned button)
{
	struct console *c = arg;

	wake(c);
	if (c->open)
		return;
	send_buttons(c, c->buttons | button);
	send_buttons(c, c->buttons);
}

struct input_sink console_sink(struct console *c)
{
	return (struct input_sink){c, on_key, on_move, on_place, on_wheel};
}

/* ---- the picture ---- */

void console_set_output(struct console *c, struct output *output)
{
	c->presenter.output = output;
	presenter_choose(&c->presenter, &c->rfb);
	c->refresh_at = 0;
}

static void lose(struct console *c, const struct error *err, int64_t now)
{
	_cleanup_free_ char *reason = error_message(err);

	free(c->headline);
	c->headline = xasprintf("The screen of %s is lost: %s. Trying again.",
				has_several(c) ? c->names.items[c->shown] : "the guest",
				reason);
	rfb_begin(&c->rfb, -1);
	/* Nothing is down in a guest that starts anew. */
	while (keys_release(&c->keys) >= 0)
		;
	c->buttons = 0;
	c->connect_at = now + c->backoff;
	c->refresh_at = 0;
}

/* Who shuts down is left for one who has not. */
static void leave_guest(struct console *c)
{
	_cleanup_(strings_free) struct strings states = VEC_INIT;

	status_guests(c->run, &states);
	if (!is_over(&states, c->shown))
		c->alive = true;
	else if (c->alive)
		switch_guest(c, KEY_RIGHT);
}

static void connect_again(struct console *c, int64_t now)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	int result = rfb_connect(&c->rfb, c->vnc.items[c->shown], &err);

	c->connect_at = now + c->backoff;
	c->backoff = c->backoff * 2 < LAST_BACKOFF ? c->backoff * 2 : LAST_BACKOFF;
	if (result < 0)
		lose(c, &err, now);
	if (result == 0 && has_several(c))
		leave_guest(c);
}

void console_read(struct console *c, int64_t now)
{
	_cleanup_error_ struct error err = ERROR_INIT;

	/* Left for another guest since it became readable. */
	if (c->rfb.fd < 0)
		return;
	if (rfb_read(&c->rfb, &err) < 0) {
		lose(c, &err, now);
		return;
	}
	/* The backoff is for those who send no picture, too. */
	if (c->headline && c->rfb.ready && c->rfb.state >= RFB_MESSAGE &&
	    c->rfb.pictures) {
		free(steal_ptr(c->headline));
		c->backoff = FIRST_BACKOFF;
		c->refresh_at = 0;
		c->alive = true;
	}
	if (c->rfb.resized) {
		c->last_x = c->last_y = 0;
		c->refresh_at = c->open ? 0 : c->refresh_at;
	}
	c->leds_changed |= c->rfb.leds_changed;
	c->rfb.leds_changed = false;
}

void console_tick(struct console *c, int64_t now)
{
	if (c->rfb.fd < 0 && !c->no_guest && now >= c->connect_at)
		connect_again(c, now);
	if (c->switched) {
		c->switched = false;
		c->named_until = now + NAMED;
		c->refresh_at = now + GRACE;
	}
	if (c->refresh_at >= 0 && now >= c->refresh_at)
		refresh_panel(c, now);
	presenter_show(&c->presenter, &c->rfb);
	(void)rfb_flush(&c->rfb);
}

int64_t console_due(const struct console *c)
{
	int64_t due = c->refresh_at;

	if (c->rfb.fd < 0 && !c->no_guest && (due < 0 || c->connect_at < due))
		due = c->connect_at;
	return due;
}
