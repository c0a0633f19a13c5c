/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The loop around supervise_step(): QEMU, its QMP socket, buttons and clock. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "init/qmp.h"
#include "init/screen.h"
#include "init/supervise.h"
#include "init/uevent.h"

#define CONNECT_EVERY 50 /* ms, until QEMU listens */
#define ECHO_EVERY 100	 /* ms, until the guest has answered */
#define REAP_EVERY 10000 /* ms: init is also the parent of orphans */
#define MAX_ECHO 65536
#define WATCH 4
#define NEWS 5
#define BUTTONS 6 /* the first of them among what is polled */

struct run {
	const struct supervise_config *config;
	struct supervise_result *result;
	struct supervisor s;
	struct qmp qmp;
	pid_t pid; /* 0: none */
	int pidfd;
	bool kvm, running, said;
	bool button_seen; /* stop_fd was readable */
	bool deaf;	  /* nobody makes requests any more */
	/* The guest is stopped for an error of its disk; for want of space it may go on.
	 */
	bool stopped, no_space;
	int64_t look;	  /* ms: when space is looked for again */
	int64_t up_since; /* ms; 0: the guest does not run */
	bool came_up;	  /* that was told already */
	bool lost;	  /* a disk is gone, and that was said */
};

static int64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static _printf_(2, 3) void say(const struct run *r, const char *fmt, ...)
{
	_cleanup_free_ char *line = NULL;
	va_list ap;

	va_start(ap, fmt);
	line = xvasprintf(fmt, ap);
	va_end(ap);
	if (r->config->say)
		r->config->say(r->config->say_arg, line);
}

/* ---- QEMU's process ---- */

/*
 * Rights go here and not by -runas (see vm.h). Guests with devices of the PC have all
 * their memory locked.
 */
static void drop_rights(const struct supervise_config *c)
{
	const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};

	if (!c->uid)
		return;
	(void)setrlimit(RLIMIT_MEMLOCK, &unlimited);
	/* Its VNC socket is the presenter's, too: by the folder's group. */
	(void)umask(007);
	if (setgroups(0, NULL) < 0 || setgid(c->gid) < 0 || setuid(c->uid) < 0)
		_exit(126);
}

static _Noreturn void run_child(const struct supervise_config *c)
{
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (c->in_child)
		c->in_child(c->watch_arg);
	drop_rights(c);
	execvp(c->argv[0], c->argv);
	_exit(127);
}

static int prepare_start(struct run *r)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_free_ char *text = NULL;

	if (!r->config->prepare || r->config->prepare(r->config->prepare_arg, &err) == 0)
		return 0;
	text = error_message(&err);
	say(r, "%s", text);
	return -1;
}

static void start_qemu(struct run *r)
{
	bool ready = prepare_start(r) == 0;

	(void)unlink(r->config->qmp);
	if (r->config->echo)
		(void)unlink(r->config->echo);
	r->running = r->said = r->stopped = false;
	r->up_since = 0;
	r->pid = ready ? fork() : -1;
	if (r->pid == 0)
		run_child(r->config);
	if (r->pid < 0) {
		/* As if it had ended at once: tried again later. */
		if (ready)
			say(r, "QEMU cannot be started: %s", strerror(errno));
		r->pid = 0;
		(void)supervise_step(&r->s, EVENT_EXIT, now_ms());
		return;
	}
	r->pidfd = (int)syscall(SYS_pidfd_open, r->pid, 0);
	r->result->starts++;
	say(r, "QEMU started");
}

static void say_end(const struct run *r, int status)
{
	if (WIFSIGNALED(status))
		say(r, "QEMU ended by signal %d (%s)", WTERMSIG(status),
		    strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) == 127)
		say(r, "QEMU is not there: %s", r->config->argv[0]);
	else
		say(r, "QEMU ended with status %d", WEXITSTATUS(status));
}

static void act(struct run *r, enum supervise_action action);

static bool say_lost(struct run *r)
{
	const struct supervise_disk *d = &r->config->disk;
	_cleanup_free_ char *text = NULL;

	if (r->lost || !d->is_lost || !d->is_lost(d->arg, &text))
		return r->lost;
	say(r, "%s", text);
	r->lost = true;
	return true;
}

/* QEMU cannot be had again without its disk. */
static bool end_if_lost(struct run *r)
{
	if (!say_lost(r))
		return false;
	r->s.state = SUPERVISE_ENDED;
	r->s.failed = true;
	return true;
}

/* All children that ended: orphans are init's too. */
static void reap(struct run *r)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != r->pid)
			continue;
		r->pid = 0;
		closep(&r->pidfd);
		qmp_close(&r->qmp);
		say_end(r, status);
		act(r, supervise_step(&r->s, EVENT_EXIT, now_ms()));
		if (r->s.state == SUPERVISE_WAITING && !end_if_lost(r))
			say(r, "QEMU is started again in %lld ms (%u of %u)",
			    (long long)(r->s.deadline - now_ms()), r->s.crashes,
			    SUPERVISE_MAX_CRASHES);
	}
}

static void send_signal(const struct run *r, int signal_number)
{
	if (r->pid > 0)
		(void)kill(r->pid, signal_number);
}

static void act(struct run *r, enum supervise_action action)
{
	switch (action) {
	case ACTION_NONE:
		break;
	case ACTION_START:
		start_qemu(r);
		break;
	case ACTION_POWERDOWN:
		say(r, "the guest is asked to shut down");
		(void)qmp_command(&r->qmp, "system_powerdown", "powerdown", NULL);
		break;
	case ACTION_QUIT:
		say(r, "the guest did not shut down in time: QEMU is asked to end");
		(void)qmp_command(&r->qmp, "quit", "quit", NULL);
		break;
	case ACTION_TERM:
		say(r, "QEMU does not answer: SIGTERM");
		send_signal(r, SIGTERM);
		break;
	case ACTION_KILL:
		say(r, "QEMU does not end: SIGKILL");
		send_signal(r, SIGKILL);
		break;
	case ACTION_END:
		if (r->s.failed)
			say(r, "QEMU crashed %u times in a row: given up",
			    SUPERVISE_MAX_CRASHES + 1);
		break;
	}
}

/* ---- QMP ---- */

/* Who is stopped for good does not shut down either: QEMU is asked at once. */
static void hurry(struct run *r)
{
	if (r->stopped && !r->no_space && r->s.state == SUPERVISE_ASKED)
		r->s.deadline = now_ms();
}

/* Said once for each stop: every request that was under way has an event of its own. */
static void on_disk_error(struct run *r, const struct qmp_message *m)
{
	const struct supervise_disk *d = &r->config->disk;
	_cleanup_free_ char *text = NULL;

	if (r->stopped || !m->stopped)
		return;
	r->stopped = true;
	r->no_space = m->no_space;
	r->look = now_ms() + r->config->times->space;
	text = d->explain ? d->explain(d->arg, m->no_space, m->reason) : NULL;
	say(r, "%s", text ? text : m->reason);
	hurry(r);
}

/* The request that failed is tried again; if it fails again, the guest stops again. */
static void go_on(struct run *r, const char *why)
{
	if (!r->stopped || r->qmp.fd < 0)
		return;
	say(r, "the guest goes on%s", why);
	(void)qmp_command(&r->qmp, "cont", "cont", NULL);
}

static void look_again(struct run *r)
{
	const struct supervise_disk *d = &r->config->disk;
	bool (*better)(void *arg) = r->no_space ? d->has_space : d->is_back;

	if (!r->stopped || !better || now_ms() < r->look)
		return;
	r->look = now_ms() + r->config->times->space;
	if (better(d->arg))
		go_on(r, r->no_space ? ": there is room again"
				     : ": its disk is there again");
}

static void on_event(struct run *r, const struct qmp_message *m)
{
	if (strcmp(m->name, "BLOCK_IO_ERROR") == 0) {
		on_disk_error(r, m);
	} else if (strcmp(m->name, "RESET") == 0) {
		r->result->resets++;
		say(r, "the guest restarts");
	} else if (strcmp(m->name, "RESUME") == 0) {
		r->running = true;
		r->stopped = false;
	} else if (strcmp(m->name, "SHUTDOWN") == 0) {
		say(r, "the guest is off (%s)", *m->reason ? m->reason : "no reason");
		if (strcmp(m->reason, "guest-shutdown") == 0)
			act(r, supervise_step(&r->s, EVENT_SHUTDOWN, now_ms()));
	} else if (strcmp(m->name, "GUEST_PANICKED") == 0) {
		say(r, "the guest says that it crashed");
	}
}

/* The lid, or nothing that ends anything. */
static void on_watch(struct run *r, bool connected)
{
	struct qmp none = QMP_INIT;

	/* It takes no command before it has been greeted. */
	if (r->config->on_watch &&
	    r->config->on_watch(r->config->watch_arg, r->s.connected ? &r->qmp : &none,
				connected) &&
	    r->s.state != SUPERVISE_ENDED)
		act(r, supervise_step(&r->s, EVENT_BUTTON, now_ms()));
}

static void on_message(struct run *r, const struct qmp_message *m)
{
	switch (m->kind) {
	case QMP_GREETING:
		(void)qmp_command(&r->qmp, "qmp_capabilities", "hello", NULL);
		(void)qmp_command(&r->qmp, "query-kvm", "kvm", NULL);
		(void)qmp_command(&r->qmp, "query-status", "status", NULL);
		break;
	case QMP_RETURN:
		if (strcmp(m->id, "kvm") == 0)
			r->kvm = m->enabled;
		if (strcmp(m->id, "status") != 0)
			break;
		r->running |= strcmp(m->name, "running") == 0;
		act(r, supervise_step(&r->s, EVENT_CONNECTED, now_ms()));
		on_watch(r, true);
		break;
	case QMP_ERROR:
		say(r, "QEMU refuses %s: %s", m->id, m->reason);
		break;
	case QMP_EVENT:
		on_event(r, m);
		break;
	}
}

static void read_qmp(struct run *r)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct qmp_message message;
	int n;

	while ((n = qmp_read(&r->qmp, &message, &err)) > 0)
		on_message(r, &message);
	/* QEMU closes it when it ends; if not, it counts as one that does not answer. */
	if (n < 0)
		qmp_close(&r->qmp);
}

/* ---- the guest is there ---- */

static bool guest_answered(const struct run *r)
{
	_cleanup_buffer_ struct buffer echo = BUFFER_INIT;
	size_t len = r->config->nonce ? strlen(r->config->nonce) : 0;

	if (!len)
		return true;
	return r->config->echo &&
	       file_read(r->config->echo, MAX_ECHO, &echo, NULL) == 0 &&
	       memmem(echo.data, echo.len, r->config->nonce, len) != NULL;
}

/* A nonce is the guest's own word; without one a minute has to do. */
static void tell_came_up(struct run *r)
{
	const struct supervise_disk *d = &r->config->disk;
	int64_t now = now_ms();

	if (!r->running || r->stopped || r->came_up)
		return;
	if (!r->up_since)
		r->up_since = now;
	if (!(r->config->nonce && r->said) && now - r->up_since < r->config->times->up)
		return;
	r->came_up = true;
	if (d->came_up)
		d->came_up(d->arg);
}

static void say_running(struct run *r)
{
	if (!r->running || r->said || !guest_answered(r))
		return;
	r->said = true;
	say(r, "guest running (%s)%s%s", r->kvm ? "kvm" : "tcg",
	    r->config->nonce ? " " : "", r->config->nonce ? r->config->nonce : "");
}

/* ---- the loop ---- */

/* Milliseconds until something is due. */
static int next_wake(const struct run *r)
{
	int64_t wait = REAP_EVERY, left = r->s.deadline - now_ms();

	if (r->s.deadline >= 0 && left < wait)
		wait = left > 0 ? left : 0;
	if (r->pid && r->qmp.fd < 0 && wait > CONNECT_EVERY)
		wait = CONNECT_EVERY;
	if (r->running && !r->said && wait > ECHO_EVERY)
		wait = ECHO_EVERY;
	if (r->running && !r->came_up && wait > r->config->times->up)
		wait = r->config->times->up;
	if (r->stopped && wait > r->config->times->space)
		wait = r->config->times->space;
	return (int)wait;
}

/* A device that was pulled out is polled no more: it would be ready for ever. */
static bool button_pressed(struct run *r, struct pollfd *fds, size_t count)
{
	bool pressed = false;

	if (fds[2].revents && !r->button_seen)
		pressed = r->button_seen = true;
	for (size_t i = BUTTONS; i < count; i++) {
		if (fds[i].revents & POLLIN)
			pressed |= power_pressed(fds[i].fd);
		else if (fds[i].revents)
			fds[i].fd = -1;
	}
	return pressed;
}

/* A guest that is stopped hears no button. */
static void press(struct run *r)
{
	if (r->no_space)
		go_on(r, " to shut down");
	act(r, supervise_step(&r->s, EVENT_BUTTON, now_ms()));
	hurry(r);
}

static void on_news(struct run *r, short events)
{
	struct uevent event;
	bool removed = false;

	if (!events)
		return;
	while (uevent_read(r->config->disk.news, &event) > 0)
		removed |= strcmp(event.action, "remove") == 0 &&
			   strcmp(event.subsystem, "block") == 0;
	if (removed)
		say_lost(r);
}

/* What somebody chose in the presenter's panel. */
static void on_requests(struct run *r, short events)
{
	char requests[16];
	ssize_t n;

	if (!events)
		return;
	n = read(r->config->requests, requests, sizeof(requests));
	r->deaf = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
	for (ssize_t i = 0; i < n && r->s.state != SUPERVISE_ENDED; i++) {
		if (requests[i] == SCREEN_POWER)
			press(r);
		if (requests[i] == SUPERVISE_CONTINUE && r->no_space)
			go_on(r, "");
		if (requests[i] != SCREEN_RESET || r->qmp.fd < 0)
			continue;
		say(r, "the guest is reset, as was chosen on the screen");
		(void)qmp_command(&r->qmp, "system_reset", "reset", NULL);
	}
}

static void turn(struct run *r, struct pollfd *fds, size_t count)
{
	fds[0].fd = r->qmp.fd;
	fds[1].fd = r->pidfd;
	fds[2].fd = r->button_seen ? -1 : r->config->stop_fd;
	fds[3].fd = r->config->requests && !r->deaf ? r->config->requests : -1;
	fds[WATCH].fd = r->config->watch ? r->config->watch : -1;
	fds[NEWS].fd = r->config->disk.news > 0 ? r->config->disk.news : -1;
	if (poll(fds, count, next_wake(r)) < 0) {
		/* revents are not set: what is due by the clock still is. */
		for (size_t i = 0; i < count; i++)
			fds[i].revents = 0;
	}
	if (r->pid && r->qmp.fd < 0)
		(void)qmp_connect(&r->qmp, r->config->qmp, NULL);
	if (r->qmp.fd >= 0)
		read_qmp(r);
	reap(r);
	say_running(r);
	tell_came_up(r);
	look_again(r);
	if (r->s.state != SUPERVISE_ENDED && button_pressed(r, fds, count))
		press(r);
	on_requests(r, fds[3].revents);
	if (fds[WATCH].revents)
		on_watch(r, false);
	on_news(r, fds[NEWS].revents);
	if (r->s.deadline >= 0 && now_ms() >= r->s.deadline)
		act(r, supervise_step(&r->s, EVENT_TIMER, now_ms()));
}

int supervise_run(const struct supervise_config *config, struct supervise_result *ret,
		  struct error *err)
{
	size_t buttons = config->buttons ? config->buttons->len : 0;
	size_t count = BUTTONS + buttons;
	struct run r = {.config = config, .result = ret, .qmp = QMP_INIT, .pidfd = -1};
	_cleanup_free_ struct pollfd *fds = NULL;

	*ret = (struct supervise_result){0};
	if (!config->argv[0])
		return error_set(err, ERROR_FAILED, "QEMU", "has no command line");
	fds = xcalloc(count, sizeof(*fds));
	for (size_t i = 0; i < count; i++)
		fds[i].events = POLLIN;
	for (size_t i = 0; i < buttons; i++)
		fds[BUTTONS + i].fd = config->buttons->items[i];
	act(&r, supervise_begin(&r.s, config->times, now_ms()));
	while (r.s.state != SUPERVISE_ENDED)
		turn(&r, fds, count);
	ret->failed = r.s.failed;
	qmp_close(&r.qmp);
	closep(&r.pidfd);
	return 0;
}
