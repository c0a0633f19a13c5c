/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Starts the presenter as init does, and prints what it asks for, a letter and a new line
 * each: screentool PROGRAM RUN. On SIGUSR1 the screen goes dark, on SIGUSR2 it is shown
 * again; on SIGTERM the presenter is ended. For tests/e2e/console-drm.sh, as root.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "init/screen.h"

static int watch_signals(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGUSR1);
	(void)sigaddset(&set, SIGUSR2);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

/* False: it is to end. */
static bool turn(const struct screen *screen, int signals)
{
	struct pollfd fds[] = {{screen->requests, POLLIN, 0}, {signals, POLLIN, 0}};
	struct signalfd_siginfo info;
	char letter;

	if (poll(fds, ARRAY_SIZE(fds), -1) < 0)
		return errno == EINTR;
	if (fds[0].revents && read(screen->requests, &letter, 1) == 1) {
		printf("%c\n", letter);
		(void)fflush(stdout);
	}
	if (!fds[1].revents || read(signals, &info, sizeof(info)) != sizeof(info))
		return true;
	if (info.ssi_signo != SIGTERM)
		screen_blank(screen, info.ssi_signo == SIGUSR1);
	return info.ssi_signo != SIGTERM;
}

int main(int argc, char **argv)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct screen_config config = {.uid = SCREEN_ID, .native = true};
	struct screen screen;
	int signals = watch_signals();

	if (argc != 3)
		return 2;
	config.program = argv[1];
	config.run = argv[2];
	if (screen_start(&screen, &config, &err) < 0) {
		_cleanup_free_ char *text = error_message(&err);

		fprintf(stderr, "%s\n", text);
		return 1;
	}
	while (turn(&screen, signals))
		;
	screen_stop(&screen);
	return 0;
}
