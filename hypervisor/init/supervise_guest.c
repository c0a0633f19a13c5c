/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One guest of the loop: its QEMU process, its QMP socket, its clock. */
#include <errno.h>
#include <grp.h>
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
#include "init/supervise_private.h"

#define CONNECT_EVERY 50 /* ms, until QEMU listens */
#define ECHO_EVERY 100	 /* ms, until the guest has answered */
#define MAX_ECHO 65536
#define MAX_MESSAGES 64 /* of QMP in one turn: others wait, too */

static int64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static _printf_(2, 3) void say(const struct supervised *g, const char *fmt, ...)
{
	_cleanup_free_ char *line = NULL;
	va_list ap;

	va_start(ap, fmt);
	line = xvasprintf(fmt, ap);
	va_end(ap);
	if (!g->config->say)
		return;
	if (g->guest->name) {
		_cleanup_free_ char *named = xasprintf("%s: %s", g->guest->name, line);

		g->config->say(g->config->say_arg, named);
		return;
	}
	g->config->say(g->config->say_arg, line);
}

/* ---- QEMU's process ---- */

/*
 * Rights go here and not by -runas (see vm.h). Guests with devices of the PC have all
 * their memory locked.
 */
static void drop_rights(const struct supervise_guest *c)
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

static _Noreturn void run_child(const struct supervise_guest *c)
{
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (c->in_child)
		c->in_child(c->arg);
	drop_rights(c);
	execvp(c->argv[0], c->argv);
	_exit(127);
}

static int prepare_start(struct supervised *g)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_free_ char *text = NULL;

	if (!g->guest->prepare || g->guest->prepare(g->guest->arg, &err) == 0)
		return 0;
	text = error_message(&err);
	say(g, "%s", text);
	return -1;
}

static void start_qemu(struct supervised *g)
{
	bool ready = prepare_start(g) == 0;

	(void)unlink(g->guest->qmp);
	if (g->guest->echo)
		(void)unlink(g->guest->echo);
	g->running = g->said = g->stopped = false;
	g->up_since = 0;
	g->pid = ready ? fork() : -1;
	if (g->pid == 0)
		run_child(g->guest);
	if (g->pid < 0) {
		/* As if it had ended at once: tried again later. */
		if (ready)
			say(g, "QEMU cannot be started: %s", strerror(errno));
		g->pid = 0;
		(void)supervise_step(&g->s, EVENT_EXIT, now_ms());
		return;
	}
	g->pidfd = (int)syscall(SYS_pidfd_open, g->pid, 0);
	g->result->starts++;
	say(g, "QEMU started");
}

static void say_end(const struct supervised *g, int status)
{
	if (WIFSIGNALED(status))
		say(g, "QEMU ended by signal %d (%s)", WTERMSIG(status),
		    strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) == 127)
		say(g, "QEMU is not there: %s", g->guest->argv[0]);
	else
		say(g, "QEMU ended with status %d", WEXITSTATUS(status));
}

static void act(struct supervised *g, enum supervise_action action);

static bool say_lost(struct supervised *g)
{
	const struct supervise_disk *d = &g->guest->disk;
	_cleanup_free_ char *text = NULL;

	if (g->lost || !d->is_lost || !d->is_lost(d->arg, &text))
		return g->lost;
	say(g, "%s", text);
	g->lost = true;
	return true;
}

/* QEMU cannot be had again without its disk. */
static bool end_if_lost(struct supervised *g)
{
	if (!say_lost(g))
		return false;
	g->s.state = SUPERVISE_ENDED;
	g->s.failed = true;
	return true;
}

static void send_signal(const struct supervised *g, int signal_number)
{
	if (g->pid > 0)
		(void)kill(g->pid, signal_number);
}

static void act(struct supervised *g, enum supervise_action action)
{
	switch (action) {
	case ACTION_NONE:
		break;
	case ACTION_START:
		start_qemu(g);
		break;
	case ACTION_POWERDOWN:
		say(g, "the guest is asked to shut down");
		(void)qmp_command(&g->qmp, "system_powerdown", "powerdown", NULL);
		break;
	case ACTION_QUIT:
		say(g, "the guest did not shut down in time: QEMU is asked to end");
		(void)qmp_command(&g->qmp, "quit", "quit", NULL);
		break;
	case ACTION_TERM:
		say(g, "QEMU does not answer: SIGTERM");
		send_signal(g, SIGTERM);
		break;
	case ACTION_KILL:
		say(g, "QEMU does not end: SIGKILL");
		send_signal(g, SIGKILL);
		break;
	case ACTION_END:
		if (g->s.failed)
			say(g, "QEMU crashed %u times in a row: given up",
			    SUPERVISE_MAX_CRASHES + 1);
		break;
	}
}

/* ---- QMP ---- */

/* Who is stopped for good does not shut down either: QEMU is asked at once. */
static void hurry(struct supervised *g)
{
	if (g->stopped && !g->no_space && g->s.state == SUPERVISE_ASKED)
		g->s.deadline = now_ms();
}

/* Said once for each stop: every request that was under way has an event of its own. */
static void on_disk_error(struct supervised *g, const struct qmp_message *m)
{
	const struct supervise_disk *d = &g->guest->disk;
	_cleanup_free_ char *text = NULL;

	if (g->stopped || !m->stopped)
		return;
	g->stopped = true;
	g->no_space = m->no_space;
	g->look = now_ms() + g->guest->times->space;
	text = d->explain ? d->explain(d->arg, m->no_space, m->reason) : NULL;
	say(g, "%s", text ? text : m->reason);
	hurry(g);
}

/* The request that failed is tried again; if it fails again, the guest stops again. */
static void go_on(struct supervised *g, const char *why)
{
	if (!g->stopped || !g->no_space || g->qmp.fd < 0)
		return;
	say(g, "the guest goes on%s", why);
	(void)qmp_command(&g->qmp, "cont", "cont", NULL);
}

static void look_for_space(struct supervised *g)
{
	const struct supervise_disk *d = &g->guest->disk;

	if (!g->stopped || !g->no_space || now_ms() < g->look)
		return;
	g->look = now_ms() + g->guest->times->space;
	if (d->has_space && d->has_space(d->arg))
		go_on(g, ": there is room again");
}

static void on_event(struct supervised *g, const struct qmp_message *m)
{
	if (strcmp(m->name, "BLOCK_IO_ERROR") == 0) {
		on_disk_error(g, m);
	} else if (strcmp(m->name, "RESET") == 0) {
		g->result->resets++;
		say(g, "the guest restarts");
	} else if (strcmp(m->name, "RESUME") == 0) {
		g->running = true;
		g->stopped = false;
	} else if (strcmp(m->name, "SHUTDOWN") == 0) {
		say(g, "the guest is off (%s)", *m->reason ? m->reason : "no reason");
		if (strcmp(m->reason, "guest-shutdown") == 0)
			act(g, supervise_step(&g->s, EVENT_SHUTDOWN, now_ms()));
	} else if (strcmp(m->name, "GUEST_PANICKED") == 0) {
		say(g, "the guest says that it crashed");
	}
}

static void on_message(struct supervised *g, const struct qmp_message *m)
{
	switch (m->kind) {
	case QMP_GREETING:
		(void)qmp_command(&g->qmp, "qmp_capabilities", "hello", NULL);
		(void)qmp_command(&g->qmp, "query-kvm", "kvm", NULL);
		(void)qmp_command(&g->qmp, "query-status", "status", NULL);
		break;
	case QMP_RETURN:
		if (strcmp(m->id, "kvm") == 0)
			g->kvm = m->enabled;
		if (strcmp(m->id, "status") != 0)
			break;
		g->running |= strcmp(m->name, "running") == 0;
		act(g, supervise_step(&g->s, EVENT_CONNECTED, now_ms()));
		supervised_tell(g, true);
		break;
	case QMP_ERROR:
		say(g, "QEMU refuses %s: %s", m->id, m->reason);
		break;
	case QMP_EVENT:
		on_event(g, m);
		break;
	}
}

static void read_qmp(struct supervised *g)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct qmp_message message;
	int n = 0;

	for (unsigned i = 0; i < MAX_MESSAGES; i++) {
		n = qmp_read(&g->qmp, &message, &err);
		if (n <= 0)
			break;
		on_message(g, &message);
	}
	g->more = n > 0;
	/* QEMU closes it when it ends; if not, it counts as one that does not answer. */
	if (n < 0)
		qmp_close(&g->qmp);
}

/* ---- the guest is there ---- */

static bool guest_answered(const struct supervised *g)
{
	_cleanup_buffer_ struct buffer echo = BUFFER_INIT;
	size_t len = g->guest->nonce ? strlen(g->guest->nonce) : 0;

	if (!len)
		return true;
	return g->guest->echo && file_read(g->guest->echo, MAX_ECHO, &echo, NULL) == 0 &&
	       memmem(echo.data, echo.len, g->guest->nonce, len) != NULL;
}

/* A nonce is the guest's own word; without one a minute has to do. */
static void tell_came_up(struct supervised *g)
{
	const struct supervise_disk *d = &g->guest->disk;
	int64_t now = now_ms();

	if (!g->running || g->stopped || g->came_up)
		return;
	if (!g->up_since)
		g->up_since = now;
	if (!(g->guest->nonce && g->said) && now - g->up_since < g->guest->times->up)
		return;
	g->came_up = true;
	if (d->came_up)
		d->came_up(d->arg);
}

static void say_running(struct supervised *g)
{
	if (!g->running || g->said || !guest_answered(g))
		return;
	g->said = true;
	say(g, "guest running (%s)%s%s", g->kvm ? "kvm" : "tcg",
	    g->guest->nonce ? " " : "", g->guest->nonce ? g->guest->nonce : "");
}

/* ---- for the loop ---- */

static const char *state_of(const struct supervised *g)
{
	switch (g->s.state) {
	case SUPERVISE_STARTING:
	case SUPERVISE_RUNNING:
		return g->stopped ? "stopped" : g->running ? "running" : "starting";
	case SUPERVISE_ASKED:
		return g->stopped ? "stopped" : "shutting down";
	case SUPERVISE_WAITING:
		return "crashed";
	case SUPERVISE_ENDED:
		return g->s.failed ? "failed" : "off";
	default:
		return "ending";
	}
}

static void tell_state(struct supervised *g)
{
	const char *state = state_of(g);

	if (!g->config->on_state || (g->state && strcmp(g->state, state) == 0))
		return;
	g->state = state;
	g->config->on_state(g->config->say_arg, (size_t)(g->guest - g->config->guests),
			    state);
}

void supervised_begin(struct supervised *g, const struct supervise_config *config,
		      size_t index, struct supervise_result *result)
{
	const struct supervise_guest *guest = &config->guests[index];

	*g = (struct supervised){.config = config,
				 .guest = guest,
				 .result = result,
				 .qmp = QMP_INIT,
				 .pidfd = -1};
	act(g, supervise_begin(&g->s, guest->times, now_ms()));
	tell_state(g);
}

void supervised_turn(struct supervised *g)
{
	if (g->pid && g->qmp.fd < 0)
		(void)qmp_connect(&g->qmp, g->guest->qmp, NULL);
	g->more = false;
	if (g->qmp.fd >= 0)
		read_qmp(g);
	say_running(g);
	tell_came_up(g);
	look_for_space(g);
	if (g->s.deadline >= 0 && now_ms() >= g->s.deadline)
		act(g, supervise_step(&g->s, EVENT_TIMER, now_ms()));
	tell_state(g);
}

void supervised_exited(struct supervised *g, int status)
{
	/* Its last words: why it ended. */
	for (g->more = g->qmp.fd >= 0; g->more;)
		read_qmp(g);
	g->pid = 0;
	closep(&g->pidfd);
	qmp_close(&g->qmp);
	g->running = g->stopped = false;
	say_end(g, status);
	act(g, supervise_step(&g->s, EVENT_EXIT, now_ms()));
	if (g->s.state == SUPERVISE_WAITING && !end_if_lost(g))
		say(g, "QEMU is started again in %lld ms (%u of %u)",
		    (long long)(g->s.deadline - now_ms()), g->s.crashes,
		    SUPERVISE_MAX_CRASHES);
	tell_state(g);
}

/* A guest that is stopped hears no button. */
void supervised_press(struct supervised *g)
{
	if (supervised_ended(g))
		return;
	go_on(g, " to shut down");
	act(g, supervise_step(&g->s, EVENT_BUTTON, now_ms()));
	hurry(g);
	tell_state(g);
}

void supervised_reset(struct supervised *g)
{
	if (g->qmp.fd < 0)
		return;
	say(g, "the guest is reset, as was chosen on the screen");
	(void)qmp_command(&g->qmp, "system_reset", "reset", NULL);
}

void supervised_continue(struct supervised *g)
{
	go_on(g, "");
}

void supervised_look(struct supervised *g)
{
	if (!supervised_ended(g))
		(void)say_lost(g);
}

/* QEMU takes no command before it has been greeted. */
void supervised_tell(struct supervised *g, bool anew)
{
	if (g->config->tell && g->s.connected && g->qmp.fd >= 0)
		g->config->tell(g->config->watch_arg,
				(size_t)(g->guest - g->config->guests), &g->qmp, anew);
}

int64_t supervised_wait(const struct supervised *g, int64_t most)
{
	int64_t wait = most, left = g->s.deadline - now_ms();

	if (g->more)
		return 0;
	if (g->s.deadline >= 0 && left < wait)
		wait = left > 0 ? left : 0;
	if (g->pid && g->qmp.fd < 0 && wait > CONNECT_EVERY)
		wait = CONNECT_EVERY;
	if (g->running && !g->said && wait > ECHO_EVERY)
		wait = ECHO_EVERY;
	if (g->running && !g->came_up && wait > g->guest->times->up)
		wait = g->guest->times->up;
	if (g->stopped && g->no_space && wait > g->guest->times->space)
		wait = g->guest->times->space;
	return wait;
}

void supervised_end(struct supervised *g)
{
	qmp_close(&g->qmp);
	closep(&g->pidfd);
}
