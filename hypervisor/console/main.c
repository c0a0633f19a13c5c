/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * gild-console: shows the guest on the PC's own screen. Started by init:
 * gild-console [KEY=VALUE]...; docs/hypervisor.md has the keys.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "console/console.h"
#include "console/sandbox.h"
#include "console/terminal.h"
#include "init/options.h"

#define FIRST_INPUT 5	 /* the first input device among what is polled */
#define OUTPUT_EVERY 250 /* ms between attempts to find a screen */

static const char *const known_keys[] = {
	"run", "output", "device", "size",   "input",	 "events",  "control", "words",
	"vnc", "guest",	 "guests", "native", "terminal", "sandbox", NULL};

struct program {
	struct options options;
	struct console console;
	struct input input;
	struct output *output;
	int signals, uevents, terminal;
	int given_terminal; /* by init, or -1 */
	int words;	    /* from init, or -1 */
	int64_t output_at;  /* when to look for a screen again; -1: not */
	bool end;
};

static int64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void say_error(const struct error *err)
{
	_cleanup_free_ char *text = error_message(err);

	fprintf(stderr, "gild-console: %s\n", text);
}

/* ---- outputs ---- */

static struct output *open_memory(const struct options *o, struct error *err)
{
	const char *size = options_get(o, "size");
	unsigned width = 1024, height = 768;

	if (size && (sscanf(size, "%5ux%5u", &width, &height) != 2 ||
		     !surface_size_good(width, height))) {
		(void)error_set(err, ERROR_USAGE, "size", "\"%s\" is no WIDTHxHEIGHT",
				size);
		return NULL;
	}
	return output_memory(width, height);
}

static struct output *open_output(const struct options *o, struct error *err)
{
	const char *kind = options_get(o, "output"), *device = options_get(o, "device");
	bool any = !kind || strcmp(kind, "auto") == 0;
	struct output *found = NULL;

	if (!any && strcmp(kind, "memory") == 0)
		return open_memory(o, err);
	if (any || strcmp(kind, "drm") == 0)
		found = output_drm(any ? NULL : device, err);
	if (!found && (any || strcmp(kind, "fbdev") == 0))
		found = output_fbdev(any ? NULL : device, err);
	return found;
}

/* A driver may come later than we do; what is wrong for good is an error. */
static int find_output(struct program *p, struct error *err)
{
	const char *kind = options_get(&p->options, "output");
	_cleanup_error_ struct error why = ERROR_INIT;

	if (kind && strcmp(kind, "auto") != 0 && strcmp(kind, "drm") != 0 &&
	    strcmp(kind, "fbdev") != 0 && strcmp(kind, "memory") != 0)
		return error_set(err, ERROR_USAGE, "output",
				 "\"%s\" is none of auto, drm, fbdev, memory", kind);
	p->output = open_output(&p->options, &why);
	if (!p->output && why.code == ERROR_USAGE)
		return error_move(err, &why);
	p->output_at = p->output ? -1 : now_ms() + OUTPUT_EVERY;
	if (!p->output)
		return 0;
	if (strcmp(p->output->name, "memory") != 0)
		p->terminal = terminal_take(p->given_terminal);
	console_set_output(&p->console, p->output);
	return 0;
}

/*
 * The kernel's messages about devices: a screen was plugged in or pulled out; the first
 * of the input devices, before which there was no folder to watch.
 */
static int open_uevents(void)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = 1};
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			NETLINK_KOBJECT_UEVENT);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		closep(&fd);
	return fd;
}

static void on_uevents(struct program *p)
{
	char text[8192];
	bool screens = false, inputs = false;
	ssize_t n;

	while ((n = recv(p->uevents, text, sizeof(text), 0)) > 0) {
		screens |= memmem(text, (size_t)n, "SUBSYSTEM=drm", 13) != NULL;
		inputs |= memmem(text, (size_t)n, "SUBSYSTEM=input", 15) != NULL;
	}
	/* More of them than there was room for: one may have been ours. */
	screens |= n < 0 && errno == ENOBUFS;
	inputs |= n < 0 && errno == ENOBUFS;
	if (inputs)
		input_refresh(&p->input);
	if (screens && p->output)
		presenter_choose(&p->console.presenter, &p->console.rfb);
	else if (screens)
		p->output_at = 0;
}

/* ---- signals ---- */

static int watch_signals(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGUSR1);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void on_signals(struct program *p)
{
	struct signalfd_siginfo info;

	while (read(p->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		_cleanup_error_ struct error err = ERROR_INIT;
		_cleanup_free_ char *path = NULL;
		const struct surface *shown = &p->console.presenter.canvas;

		if (info.ssi_signo != SIGUSR1) {
			p->end = true;
			continue;
		}
		path = xasprintf("%s/screen.ppm", p->console.run);
		if (p->output && p->output->shown)
			shown = p->output->shown;
		if (shown->width && surface_write_ppm(shown, path, &err) < 0)
			say_error(&err);
	}
}

/* ---- init's words ---- */

static void on_words(struct program *p)
{
	char words[16];
	ssize_t n = read(p->words, words, sizeof(words));

	for (ssize_t i = 0; i < n; i++)
		console_word(&p->console, words[i]);
	/* Init is gone, or never was there. */
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		closep(&p->words);
}

/* ---- the loop ---- */

static int next_wake(const struct program *p)
{
	int64_t due = console_due(&p->console), left;

	if (p->output_at >= 0 && (due < 0 || p->output_at < due))
		due = p->output_at;
	if (due < 0)
		return -1;
	left = due - now_ms();
	return left > 0 ? (int)left : 0;
}

static void read_inputs(struct program *p, const struct pollfd *fds, unsigned count)
{
	struct input_sink sink = console_sink(&p->console);

	/* From the end: one that is gone is replaced by the last. */
	for (unsigned i = count; i > 0; i--)
		if (fds[i - 1].revents)
			(void)input_read(&p->input, i - 1, &sink);
}

static int turn(struct program *p, struct error *err)
{
	struct console *c = &p->console;
	unsigned devices = p->input.count;
	struct pollfd fds[FIRST_INPUT + INPUT_MAX_DEVICES] = {
		{c->rfb.fd, POLLIN, 0},	     {p->signals, POLLIN, 0},
		{p->input.watch, POLLIN, 0}, {p->uevents, POLLIN, 0},
		{p->words, POLLIN, 0},
	};

	if (c->rfb.out.len)
		fds[0].events |= POLLOUT;
	for (unsigned i = 0; i < devices; i++)
		fds[FIRST_INPUT + i] = (struct pollfd){p->input.devices[i].fd, POLLIN, 0};
	if (poll(fds, FIRST_INPUT + devices, next_wake(p)) < 0 && errno != EINTR)
		return error_errno(err, "poll", "failed");
	if (fds[1].revents)
		on_signals(p);
	read_inputs(p, fds + FIRST_INPUT, devices);
	if (fds[0].revents & ~POLLOUT)
		console_read(c, now_ms());
	if (fds[2].revents)
		input_refresh(&p->input);
	if (fds[3].revents)
		on_uevents(p);
	if (fds[4].revents)
		on_words(p);
	if (p->output_at >= 0 && now_ms() >= p->output_at && find_output(p, err) < 0)
		return -1;
	console_tick(c, now_ms());
	if (c->leds_changed)
		input_leds(&p->input, c->rfb.leds);
	c->leds_changed = false;
	return 0;
}

/* A descriptor that init has opened: -1 if it is not named. */
static int descriptor(const struct options *o, const char *key, int *ret,
		      struct error *err)
{
	uint64_t fd = UINT64_MAX;
	int result = options_number(o, key, false, 0, 1023, &fd, err);

	*ret = fd == UINT64_MAX ? -1 : (int)fd;
	return result;
}

static int open_events(struct program *p, const char *events, struct error *err)
{
	/* Both ends are ours, so that it has no end. */
	int fd = events ? open(events, O_RDWR | O_NONBLOCK | O_CLOEXEC) : -1;

	if (events && fd < 0)
		return error_errno(err, events, "cannot be opened");
	if (events)
		input_add_stream(&p->input, fd);
	return 0;
}

static int read_words(struct program *p, bool *sandbox, struct error *err)
{
	const struct options *o = &p->options;
	const char *run = options_get(o, "run"), *vnc = options_get(o, "vnc");
	int control;
	bool guest;

	if (options_check(o, known_keys, err) < 0 ||
	    descriptor(o, "control", &control, err) < 0 ||
	    descriptor(o, "words", &p->words, err) < 0 ||
	    descriptor(o, "terminal", &p->given_terminal, err) < 0)
		return -1;
	console_init(&p->console, run ? run : "/run/gild", control);
	if (vnc &&
	    console_set_guests(&p->console, vnc, options_get(o, "guests"), err) < 0)
		return -1;
	if (options_switch(o, "guest", true, &guest, err) < 0 ||
	    options_switch(o, "native", false, &p->console.native, err) < 0 ||
	    options_switch(o, "sandbox", false, sandbox, err) < 0)
		return -1;
	if (!guest)
		console_no_guest(&p->console);
	return 0;
}

static int start(struct program *p, int argc, char **argv, struct error *err)
{
	const char *folder;
	bool sandbox = false;

	for (int i = 1; i < argc; i++)
		if (options_add(&p->options, argv[i], "command line", err) < 0)
			return -1;
	if (read_words(p, &sandbox, err) < 0)
		return -1;
	folder = options_get(&p->options, "input");
	input_open(&p->input, folder ? folder : "/dev/input");
	if (open_events(p, options_get(&p->options, "events"), err) < 0)
		return -1;
	p->uevents = open_uevents();
	/* The panel says that the medium is gone: what it needs for that is not on it. */
	(void)mlockall(MCL_CURRENT);
	if (sandbox && sandbox_enter(err) < 0)
		return -1;
	return find_output(p, err);
}

int main(int argc, char **argv)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct program p = {.terminal = -1,
			    .uevents = -1,
			    .words = -1,
			    .given_terminal = -1,
			    .input.watch = -1};
	int result;

	p.signals = watch_signals();
	p.console.rfb.fd = -1;
	result = start(&p, argc, argv, &err);
	while (result == 0 && !p.end)
		result = turn(&p, &err);
	if (result < 0)
		say_error(&err);
	output_close(p.output);
	terminal_release(p.terminal);
	input_close(&p.input);
	closep(&p.words);
	closep(&p.uevents);
	closep(&p.signals);
	console_free(&p.console);
	options_free(&p.options);
	return result < 0 ? (int)err.code : 0;
}
