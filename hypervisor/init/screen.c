/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "init/screen.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "init/screen_devices.h"
#include "init/uevent.h"

#define FIRST_PAUSE 100 /* ms; doubles */
#define LAST_PAUSE 5000
#define HEALTHY 10000 /* ms: who ran so long is started again at once */
#define MAX_WORDS 11

static int64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- the presenter's process ---- */

struct keeper {
	uid_t uid;
	char *words[MAX_WORDS]; /* the presenter's arguments, ended by NULL */
	size_t count;
	int devices; /* uevent_open(), or -1 */
};

/*
 * Only who has a terminal as its own may set its mode. Keys on it that send signals are
 * switched off: the presenter has its keys from elsewhere.
 */
static void take_terminal(struct keeper *k)
{
	int fd = open("/dev/tty0", O_RDWR | O_NOCTTY);
	struct termios modes;

	if (fd < 0)
		return;
	if (tcgetattr(fd, &modes) == 0) {
		modes.c_lflag &= ~(tcflag_t)(ISIG | ECHO);
		(void)tcsetattr(fd, TCSANOW, &modes);
	}
	(void)setsid();
	(void)ioctl(fd, TIOCSCTTY, 1);
	k->words[k->count++] = xasprintf("terminal=%d", fd);
}

static _Noreturn void run_presenter(struct keeper *k)
{
	static const struct rlimit any = {RLIM_INFINITY, RLIM_INFINITY};

	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	(void)setrlimit(RLIMIT_MEMLOCK, &any); /* it stays when its stick is pulled out */
	if (k->uid) {
		take_terminal(k);
		if (setgroups(0, NULL) < 0 || setgid((gid_t)k->uid) < 0 ||
		    setuid(k->uid) < 0)
			_exit(126);
	}
	/* Not before: with the user this is lost. */
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	execv(k->words[0], k->words);
	_exit(127);
}

/* ---- the keeper ---- */

static void on_devices(const struct keeper *k)
{
	struct uevent event;

	while (uevent_read(k->devices, &event) != 0)
		;
	(void)screen_devices_hand_over("", (gid_t)k->uid);
}

/* Until the process ends (-1: none does) or the time is over. */
static void attend(const struct keeper *k, int pidfd, int wait_ms)
{
	struct pollfd fds[] = {{pidfd, POLLIN, 0}, {k->devices, POLLIN, 0}};
	int64_t end = now_ms() + wait_ms;
	int64_t left = wait_ms;

	while (left != 0 && poll(fds, ARRAY_SIZE(fds), (int)left) != 0) {
		if (fds[0].revents)
			return;
		if (fds[1].revents)
			on_devices(k);
		if (wait_ms >= 0)
			left = end > now_ms() ? end - now_ms() : 0;
	}
}

static void run_once(struct keeper *k)
{
	_cleanup_close_ int pidfd = -1;
	pid_t pid = fork();

	if (pid == 0)
		run_presenter(k);
	if (pid < 0)
		return;
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd >= 0)
		attend(k, pidfd, -1);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static _Noreturn void keep(struct keeper *k)
{
	int pause_ms = FIRST_PAUSE;
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	/* First watched, then looked at: none is missed between. */
	k->devices = k->uid ? uevent_open(NULL) : -1;
	if (k->uid)
		(void)screen_devices_hand_over("", (gid_t)k->uid);
	for (;;) {
		int64_t began = now_ms();

		run_once(k);
		if (now_ms() - began >= HEALTHY)
			pause_ms = FIRST_PAUSE;
		attend(k, -1, pause_ms);
		pause_ms = pause_ms * 2 < LAST_PAUSE ? pause_ms * 2 : LAST_PAUSE;
	}
}

static void add_word(struct keeper *k, char *word)
{
	k->words[k->count++] = word;
}

/* In the keeper: what the presenter is told. Its ends of the pipes stay open in it. */
static _Noreturn void become_keeper(const struct screen_config *c, int control, int words)
{
	struct keeper k = {.uid = c->uid};

	(void)fcntl(control, F_SETFD, 0);
	(void)fcntl(words, F_SETFD, 0);
	add_word(&k, xstrdup(c->program));
	add_word(&k, xasprintf("run=%s", c->run));
	add_word(&k, xasprintf("control=%d", control));
	add_word(&k, xasprintf("words=%d", words));
	add_word(&k, c->vnc ? xasprintf("vnc=%s", c->vnc) : xstrdup("guest=off"));
	if (c->guests)
		add_word(&k, xasprintf("guests=%s", c->guests));
	if (c->native)
		add_word(&k, xstrdup("native=on"));
	if (c->uid)
		add_word(&k, xstrdup("sandbox=on"));
	keep(&k);
}

static void close_pipe(int fds[2])
{
	closep(&fds[0]);
	closep(&fds[1]);
}

int screen_start(struct screen *s, const struct screen_config *c, struct error *err)
{
	int requests[2] = {-1, -1}, words[2] = {-1, -1};

	*s = (struct screen){0};
	if (access(c->program, X_OK) < 0)
		return error_errno(err, c->program, "cannot be started");
	if (pipe2(requests, O_CLOEXEC | O_NONBLOCK) < 0 ||
	    pipe2(words, O_CLOEXEC | O_NONBLOCK) < 0 || (s->pid = fork()) < 0) {
		s->pid = 0;
		error_errno(err, c->program, "cannot be started");
		close_pipe(requests);
		close_pipe(words);
		return -1;
	}
	if (s->pid == 0) {
		close(requests[0]);
		close(words[1]);
		become_keeper(c, requests[1], words[0]);
	}
	close(requests[1]);
	close(words[0]);
	s->requests = requests[0];
	s->words = words[1];
	return 0;
}

void screen_blank(const struct screen *s, bool blank)
{
	char word = blank ? SCREEN_BLANK : SCREEN_UNBLANK;

	/* A pipe that is full, or has no reader, is one of a presenter that hangs. */
	if (s->words > 0)
		(void)!write(s->words, &word, 1);
}

void screen_stop(struct screen *s)
{
	if (s->pid > 0) {
		(void)kill(s->pid, SIGTERM);
		while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	if (s->requests > 0)
		close(s->requests);
	if (s->words > 0)
		close(s->words);
	*s = (struct screen){0};
}
