/* SPDX-License-Identifier: GPL-3.0-or-later */
/* No virtual machine: what the PC does instead (session.h). */
#include <errno.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "init/screen.h"
#include "init/session.h"

#define DISK_WAIT 5000 /* ms until the last disk has shown up */
#define DISK_STEP 100
#define BUTTONS 2 /* the first of them among what is polled */

static void say_error(const struct session *s, const struct error *err)
{
	_cleanup_free_ char *text = error_message(err);

	s->say(text);
}

/* ---- is there a Windows? ---- */

int session_find_native(struct session *s, struct error *err)
{
	bool found = native_find(s->root, &s->native);

	for (unsigned waited = 0; waited < DISK_WAIT && !found; waited += DISK_STEP) {
		if (coldplug_sweep(&s->coldplug, err) < 0)
			return -1;
		(void)usleep(DISK_STEP * 1000);
		native_free(&s->native);
		found = native_find(s->root, &s->native);
	}
	s->question.native_possible = found;
	s->question.native_label = s->native.label;
	return session_judge(s, err);
}

static int arrange(const struct session *s, struct error *err)
{
	return native_next(s->root, &s->native, options_get(&s->facts, "disk"), s->say,
			   err);
}

int session_native(struct session *s, bool *restart, struct error *err)
{
	bool wanted = s->question.native_wanted || s->no_kvm == SESSION_NATIVE;

	*restart = false;
	if (s->verdict.stuck || !wanted)
		return 0;
	if (arrange(s, err) < 0)
		return -1;
	*restart = true;
	return 0;
}

/* ---- waiting ---- */

struct wait {
	struct session *s;
	struct screen screen;
	bool offered, end, restart;
};

static void start_screen(struct wait *w)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct screen_config config = {.program = SCREEN_PRESENTER,
				       .run = SESSION_RUN,
				       .native = w->offered,
				       .uid = SCREEN_ID};

	if (screen_start(&w->screen, &config, &err) < 0)
		say_error(w->s, &err);
}

static void start_native(struct wait *w)
{
	_cleanup_error_ struct error err = ERROR_INIT;

	if (!w->offered)
		return;
	w->end = w->restart = arrange(w->s, &err) == 0;
	if (!w->end)
		say_error(w->s, &err);
}

static void on_requests(struct wait *w)
{
	char requests[16];
	ssize_t n = read(w->screen.requests, requests, sizeof(requests));

	/* Nobody is there any more. */
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		screen_stop(&w->screen);
	for (ssize_t i = 0; i < n && !w->end; i++) {
		w->end = requests[i] == SCREEN_POWER;
		if (requests[i] == SCREEN_NATIVE)
			start_native(w);
	}
}

static void turn(struct wait *w, struct pollfd *fds, size_t count)
{
	struct signalfd_siginfo info;

	fds[1].fd = w->screen.requests ? w->screen.requests : -1;
	if (poll(fds, count, -1) < 0)
		return;
	if (fds[0].revents)
		w->end = read(fds[0].fd, &info, sizeof(info)) > 0;
	/* A button that was pulled out would be ready for ever. */
	for (size_t i = BUTTONS; i < count; i++) {
		if (fds[i].revents & POLLIN)
			w->end |= power_pressed(fds[i].fd);
		else if (fds[i].revents)
			fds[i].fd = -1;
	}
	if (fds[1].revents && !w->end)
		on_requests(w);
}

bool session_wait(struct session *s, const struct evdevs *buttons, int stop_fd)
{
	size_t count = BUTTONS + buttons->len;
	_cleanup_free_ struct pollfd *fds = xcalloc(count, sizeof(*fds));
	struct wait w = {.s = s,
			 .offered = s->verdict.mode == VERDICT_NATIVE &&
				    s->native.label && s->no_kvm != SESSION_STOP};

	for (size_t i = 0; i < count; i++)
		fds[i] = (struct pollfd){-1, POLLIN, 0};
	fds[0].fd = stop_fd;
	for (size_t i = 0; i < buttons->len; i++)
		fds[BUTTONS + i].fd = buttons->items[i];
	start_screen(&w);
	s->say(w.offered ? "press N on the screen to start Windows on the PC itself, or "
			   "press the power button to switch the PC off"
			 : "press the power button to switch the PC off");
	while (!w.end)
		turn(&w, fds, count);
	screen_stop(&w.screen);
	return w.restart;
}
