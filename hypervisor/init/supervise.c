/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "init/supervise.h"

/* Windows needs its time to shut down; updates may take all of it. */
const struct supervise_times supervise_default_times = {
	.start = 60000,
	.shutdown = 120000,
	.quit = 30000,
	.term = 30000,
	.backoff = 1000,
	.backoff_most = 60000,
	.healthy = 600000,
	.up = 60000,
	.space = 5000,
};

static enum supervise_action enter(struct supervisor *s, enum supervise_state state,
				   int64_t deadline, enum supervise_action action)
{
	s->state = state;
	s->deadline = deadline;
	return action;
}

static enum supervise_action start(struct supervisor *s, int64_t now)
{
	s->started = now;
	s->connected = s->guest_shutdown = false;
	return enter(s, SUPERVISE_STARTING, now + s->times->start, ACTION_START);
}

enum supervise_action supervise_begin(struct supervisor *s,
				      const struct supervise_times *times, int64_t now)
{
	*s = (struct supervisor){.times = times};
	return start(s, now);
}

/* 1, 2, 4, ... times the first pause. */
static int64_t pause_after(const struct supervisor *s)
{
	uint64_t pause = (uint64_t)s->times->backoff << (s->crashes - 1);

	return (int64_t)(pause < s->times->backoff_most ? pause : s->times->backoff_most);
}

static enum supervise_action on_exit_of_qemu(struct supervisor *s, int64_t now)
{
	s->connected = false;
	if (s->ending || s->guest_shutdown)
		return enter(s, SUPERVISE_ENDED, -1, ACTION_END);
	if (now - s->started >= s->times->healthy)
		s->crashes = 0;
	if (++s->crashes > SUPERVISE_MAX_CRASHES) {
		s->failed = true;
		return enter(s, SUPERVISE_ENDED, -1, ACTION_END);
	}
	return enter(s, SUPERVISE_WAITING, now + pause_after(s), ACTION_NONE);
}

/* Pressed again, the guest is asked again: it may not have listened the first time. */
static enum supervise_action on_button(struct supervisor *s, int64_t now)
{
	bool first = !s->ending;

	s->ending = true;
	switch (s->state) {
	case SUPERVISE_WAITING:
		return enter(s, SUPERVISE_ENDED, -1, ACTION_END);
	case SUPERVISE_STARTING:
	case SUPERVISE_RUNNING:
	case SUPERVISE_ASKED:
		return enter(s, SUPERVISE_ASKED,
			     first ? now + s->times->shutdown : s->deadline,
			     s->connected ? ACTION_POWERDOWN : ACTION_NONE);
	default:
		return ACTION_NONE;
	}
}

/* Each step is harsher; SIGKILL comes when QEMU answers to nothing. */
static enum supervise_action on_timer(struct supervisor *s, int64_t now)
{
	switch (s->state) {
	case SUPERVISE_ASKED:
		if (s->connected)
			return enter(s, SUPERVISE_QUITTING, now + s->times->quit,
				     ACTION_QUIT);
		return enter(s, SUPERVISE_TERMINATING, now + s->times->term, ACTION_TERM);
	case SUPERVISE_STARTING: /* it does not answer: a crash */
	case SUPERVISE_QUITTING:
		return enter(s, SUPERVISE_TERMINATING, now + s->times->term, ACTION_TERM);
	case SUPERVISE_TERMINATING:
		return enter(s, SUPERVISE_KILLING, -1, ACTION_KILL);
	case SUPERVISE_WAITING:
		return start(s, now);
	default:
		s->deadline = -1;
		return ACTION_NONE;
	}
}

enum supervise_action supervise_step(struct supervisor *s, enum supervise_event event,
				     int64_t now)
{
	switch (event) {
	case EVENT_CONNECTED:
		s->connected = true;
		if (s->state == SUPERVISE_STARTING)
			return enter(s, SUPERVISE_RUNNING, -1, ACTION_NONE);
		/* The button was pressed before QEMU could hear of it. */
		return s->state == SUPERVISE_ASKED ? ACTION_POWERDOWN : ACTION_NONE;
	case EVENT_SHUTDOWN:
		s->guest_shutdown = true;
		return ACTION_NONE;
	case EVENT_BUTTON:
		return on_button(s, now);
	case EVENT_EXIT:
		return on_exit_of_qemu(s, now);
	case EVENT_TIMER:
		return on_timer(s, now);
	}
	return ACTION_NONE;
}
