/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "init/screen.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FIRST_PAUSE 100 /* ms; doubles */
#define LAST_PAUSE 5000
#define HEALTHY 10 /* s: who ran so long is started again at once */

static void sleep_ms(unsigned ms)
{
	(void)nanosleep(&(struct timespec){.tv_sec = ms / 1000,
					   .tv_nsec = (long)(ms % 1000) * 1000000},
			NULL);
}

static time_t seconds(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

static _Noreturn void run_presenter(char *const argv[])
{
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	execv(argv[0], argv);
	_exit(127);
}

static _Noreturn void keep(char *const argv[])
{
	unsigned pause_ms = FIRST_PAUSE;
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	for (;;) {
		time_t began = seconds();
		pid_t pid = fork();

		if (pid == 0)
			run_presenter(argv);
		while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		if (seconds() - began >= HEALTHY)
			pause_ms = FIRST_PAUSE;
		sleep_ms(pause_ms);
		pause_ms = pause_ms * 2 < LAST_PAUSE ? pause_ms * 2 : LAST_PAUSE;
	}
}

int screen_start(struct screen *s, const char *program, const char *run,
		 struct error *err)
{
	int fds[2];

	*s = (struct screen){0};
	if (access(program, X_OK) < 0)
		return error_errno(err, program, "cannot be started");
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return error_errno(err, program, "cannot have a pipe");
	s->pid = fork();
	if (s->pid == 0) {
		_cleanup_free_ char *where = xasprintf("run=%s", run);
		_cleanup_free_ char *control = xasprintf("control=%d", fds[1]);
		char *argv[] = {(char *)program, where, control, NULL};

		close(fds[0]);
		(void)fcntl(fds[1], F_SETFD, 0);
		keep(argv);
	}
	close(fds[1]);
	if (s->pid < 0) {
		s->pid = 0;
		close(fds[0]);
		return error_errno(err, program, "cannot be started");
	}
	s->requests = fds[0];
	return 0;
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
	*s = (struct screen){0};
}
