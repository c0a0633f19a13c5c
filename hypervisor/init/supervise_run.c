/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The loop around all guests: QEMUs, buttons, the presenter, devices of the PC. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "init/screen.h"
#include "init/supervise_private.h"

#define REAP_EVERY 10000 /* ms: init is also the parent of orphans */

/* What is polled: these, two of each guest, buttons. */
enum {
	STOP,
	REQUESTS,
	WATCH,
	FIRST_GUEST,
};

struct run {
	const struct supervise_config *config;
	struct supervised guests[SUPERVISE_MAX_GUESTS];
	size_t count;
	size_t addressed; /* by the presenter */
	bool button_seen; /* stop_fd was readable */
	bool deaf;	  /* nobody makes requests any more */
	bool ending;	  /* all were asked to shut down */
	struct pollfd *fds;
	size_t buttons, fd_count; /* the first button, how many are polled */
};

static bool all_ended(const struct run *r)
{
	for (size_t i = 0; i < r->count; i++)
		if (!supervised_ended(&r->guests[i]))
			return false;
	return true;
}

/* All children that ended: orphans are init's too. */
static void reap(struct run *r)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < r->count; i++)
			if (r->guests[i].pid == pid)
				supervised_exited(&r->guests[i], status);
}

static void press_all(struct run *r)
{
	r->ending = true;
	for (size_t i = 0; i < r->count; i++)
		supervised_press(&r->guests[i]);
}

/* A device that was pulled out is polled no more: it would be ready for ever. */
static bool button_pressed(struct run *r)
{
	struct pollfd *fds = r->fds;
	bool pressed = false;

	if (fds[STOP].revents && !r->button_seen)
		pressed = r->button_seen = true;
	for (size_t i = r->buttons; i < r->fd_count; i++) {
		if (fds[i].revents & POLLIN)
			pressed |= power_pressed(fds[i].fd);
		else if (fds[i].revents)
			fds[i].fd = -1;
	}
	return pressed;
}

static void on_watch(struct run *r)
{
	unsigned news =
		r->config->on_watch ? r->config->on_watch(r->config->watch_arg) : 0;

	for (size_t i = 0; i < r->count; i++) {
		if (news & NEWS_DISKS)
			supervised_look(&r->guests[i]);
		if (news & NEWS_GUESTS)
			supervised_tell(&r->guests[i], false);
	}
	if (news & NEWS_BUTTON)
		press_all(r);
}

static void on_request(struct run *r, char request)
{
	struct supervised *g = &r->guests[r->addressed];

	if (request >= '0' && request < '0' + (int)r->count)
		r->addressed = (size_t)(request - '0');
	else if (request == SCREEN_POWER)
		press_all(r);
	else if (request == SCREEN_GUEST_POWER)
		supervised_press(g);
	else if (request == SCREEN_RESET)
		supervised_reset(g);
	else if (request == SCREEN_START && supervised_ended(g) && !r->ending)
		supervised_begin(g, r->config, r->addressed, g->result);
	else if (request == SUPERVISE_CONTINUE)
		supervised_continue(g);
}

/* What somebody chose in the presenter's panel. */
static void on_requests(struct run *r)
{
	char requests[16];
	ssize_t n = read(r->config->requests, requests, sizeof(requests));

	r->deaf = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
	for (ssize_t i = 0; i < n && !all_ended(r); i++)
		on_request(r, requests[i]);
}

static int next_wake(const struct run *r)
{
	int64_t wait = REAP_EVERY;

	for (size_t i = 0; i < r->count; i++)
		wait = supervised_wait(&r->guests[i], wait);
	return (int)wait;
}

static void wait_for_news(struct run *r)
{
	const struct supervise_config *c = r->config;
	struct pollfd *fds = r->fds;

	fds[STOP].fd = r->button_seen ? -1 : c->stop_fd;
	fds[REQUESTS].fd = c->requests && !r->deaf ? c->requests : -1;
	fds[WATCH].fd = c->watch ? c->watch : -1;
	for (size_t i = 0; i < r->count; i++) {
		fds[FIRST_GUEST + 2 * i].fd = r->guests[i].qmp.fd;
		fds[FIRST_GUEST + 2 * i + 1].fd = r->guests[i].pidfd;
	}
	if (poll(fds, r->fd_count, next_wake(r)) >= 0)
		return;
	/* revents are not set: what is due by the clock still is. */
	for (size_t i = 0; i < r->fd_count; i++)
		fds[i].revents = 0;
}

static void turn(struct run *r)
{
	wait_for_news(r);
	for (size_t i = 0; i < r->count; i++)
		supervised_turn(&r->guests[i]);
	reap(r);
	if (button_pressed(r))
		press_all(r);
	if (r->fds[REQUESTS].revents)
		on_requests(r);
	if (r->fds[WATCH].revents)
		on_watch(r);
}

static void begin(struct run *r, struct supervise_result *ret)
{
	const struct evdevs *buttons = r->config->buttons;
	size_t count = buttons ? buttons->len : 0;

	r->count = r->config->count;
	r->buttons = FIRST_GUEST + 2 * r->count;
	r->fd_count = r->buttons + count;
	r->fds = xcalloc(r->fd_count, sizeof(*r->fds));
	for (size_t i = 0; i < r->fd_count; i++)
		r->fds[i].events = POLLIN;
	for (size_t i = 0; i < count; i++)
		r->fds[r->buttons + i].fd = buttons->items[i];
	for (size_t i = 0; i < r->count; i++)
		supervised_begin(&r->guests[i], r->config, i, ret);
}

int supervise_run(const struct supervise_config *config, struct supervise_result *ret,
		  struct error *err)
{
	struct run r = {.config = config};

	*ret = (struct supervise_result){0};
	if (!config->count || config->count > SUPERVISE_MAX_GUESTS)
		return error_set(err, ERROR_FAILED, "guests", "are from 1 to %u",
				 SUPERVISE_MAX_GUESTS);
	for (size_t i = 0; i < config->count; i++)
		if (!config->guests[i].argv[0])
			return error_set(err, ERROR_FAILED, "QEMU",
					 "has no command line");
	begin(&r, ret);
	while (!all_ended(&r))
		turn(&r);
	ret->failed = true;
	for (size_t i = 0; i < r.count; i++) {
		ret->failed &= r.guests[i].s.failed;
		supervised_end(&r.guests[i]);
	}
	free(r.fds);
	return 0;
}
