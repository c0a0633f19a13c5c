/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Drivers by a process of its own: coldplug.h. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/sysfs.h"
#include "init/coldplug.h"
#include "init/uevent.h"

#define SETTLE 10      /* ms in which a driver's devices show up behind it */
#define LOW 19	       /* of setpriority(2) */
#define PATIENCE 10000 /* ms after what comes first */

struct answer {
	unsigned done, devices, drivers;
};

/* ---- the process ---- */

static void answer(const struct coldplug *c, int fd, enum coldplug_done done)
{
	const struct answer a = {.done = done,
				 .devices = (unsigned)c->seen.len,
				 .drivers = (unsigned)c->loaded.len};

	if (send(fd, &a, sizeof(a), MSG_NOSIGNAL) != sizeof(a))
		_exit(1);
}

/* A device that goes to the guest, or one that hangs on it. */
static bool is_spared(const struct coldplug *c, const struct uevent *event)
{
	if (!c->spared)
		return false;
	vec_foreach (address, c->spared)
		if (strstr(event->path, *address))
			return true;
	return false;
}

/* Notes what the kernel tells of. Where news were lost, all is looked at. */
static void take_news(struct coldplug *c, int news)
{
	struct uevent event;
	int result;

	while ((result = uevent_read(news, &event)) != 0) {
		if (result < 0) {
			(void)coldplug_look(c);
			if (errno != ENOBUFS)
				break;
		} else if (strcmp(event.action, "add") == 0 && !is_spared(c, &event)) {
			(void)coldplug_note(c, event.modalias);
		}
	}
}

/* What of `seen` has been loaded: of each rank all before this. */
struct feed {
	int news;
	size_t next[COLDPLUG_RANKS];
};

/* A driver's devices come after it. */
static void settle(struct coldplug *c, const struct feed *f)
{
	struct pollfd fd = {.fd = f->news, .events = POLLIN};

	(void)poll(&fd, 1, SETTLE);
	take_news(c, f->news);
}

/* All of this rank and those before it, and what these bring. */
static int load(struct coldplug *c, struct feed *f, enum coldplug_rank rank)
{
	for (;;) {
		unsigned r = 0;
		size_t first;

		while (r <= rank && f->next[r] == c->seen.len)
			r++;
		if (r > rank)
			return 0;
		first = f->next[r];
		f->next[r] = c->seen.len;
		if (coldplug_load_some(c, first, r, NULL) < 0)
			return -1;
		settle(c, f);
	}
}

/* Who listens to the kernel learns of it: an event of the null device, as if it were new.
 */
static void announce(const struct coldplug *c)
{
	(void)sysfs_write(c->root, "class/mem/null/uevent", "add", NULL);
}

/*
 * What was there at the start and is not for the guest: by a child, since a sound card's
 * codec that shows up meanwhile has to come before QEMU is started. The guest's firmware
 * and loader have the PC for themselves.
 */
static void load_rest(struct coldplug *c, int fd)
{
	struct pollfd go = {.fd = fd, .events = POLLIN};

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)setpriority(PRIO_PROCESS, 0, LOW);
	if (coldplug_load_some(c, 0, COLDPLUG_SCREEN, NULL) < 0)
		return;
	(void)poll(&go, 1, PATIENCE);
	if (coldplug_load_some(c, 0, COLDPLUG_LATE, NULL) < 0)
		return;
	answer(c, fd, COLDPLUG_ALL);
	announce(c);
}

static void run(struct coldplug *c, const char *const *names, int news, int fd)
{
	struct feed f = {.news = news};
	size_t count = 0;

	while (names[count])
		count++;
	(void)coldplug_look(c);
	if ((count && coldplug_load(c, names, count, NULL) < 0) ||
	    load(c, &f, COLDPLUG_FIRST) < 0) {
		answer(c, fd, COLDPLUG_NO_INDEX);
		return;
	}
	answer(c, fd, COLDPLUG_URGENT);
	f.next[COLDPLUG_SCREEN] = f.next[COLDPLUG_LATE] = c->seen.len;
	(void)signal(SIGCHLD, SIG_IGN); /* takes the child when it has ended */
	if (fork() == 0) {
		load_rest(c, fd);
		_exit(0);
	}
	for (;;) {
		struct pollfd p = {.fd = news, .events = POLLIN};

		if (poll(&p, 1, -1) < 0 && errno != EINTR)
			return;
		take_news(c, news);
		if (load(c, &f, COLDPLUG_LATE) < 0)
			return;
	}
}

/* ---- who started it ---- */

int coldplug_start(struct coldplug *c, const char *const *names, struct error *err)
{
	_cleanup_close_ int news = uevent_open(err);
	int fds[2];

	if (news < 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return error_errno(err, "drivers", "cannot be loaded");
	c->process = fork();
	if (c->process == 0) {
		close(fds[0]);
		(void)prctl(PR_SET_NAME, "drivers");
		run(c, names, news, fds[1]);
		_exit(1);
	}
	close(fds[1]);
	if (c->process > 0) {
		c->answers = fds[0];
		c->done = COLDPLUG_NOTHING;
		return 0;
	}
	c->process = 0;
	close(fds[0]);
	return error_errno(err, "drivers", "cannot be loaded");
}

/* False: it has ended. */
static bool take_answer(struct coldplug *c)
{
	struct answer a;
	ssize_t n;

	do
		n = read(c->answers, &a, sizeof(a));
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(a))
		return false;
	c->done = a.done;
	c->devices = a.devices;
	c->drivers = a.drivers;
	return true;
}

int coldplug_wait(struct coldplug *c, enum coldplug_done done, struct error *err)
{
	while (c->done < done && take_answer(c))
		;
	if (c->done >= done && c->done != COLDPLUG_NO_INDEX)
		return 0;
	if (c->done == COLDPLUG_NO_INDEX) {
		error_set(err, ERROR_FAILED, c->modules ? c->modules : "/lib/modules",
			  "has no index of this kernel's modules");
		return error_remedy(err,
				    "the image was packed with another kernel's modules");
	}
	error_set(err, ERROR_FAILED, "drivers", "the process that loads them has ended");
	return error_remedy(err, "its medium may be damaged: write it anew");
}

void coldplug_go(const struct coldplug *c)
{
	if (c->process)
		(void)send(c->answers, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

enum coldplug_done coldplug_progress(struct coldplug *c)
{
	struct pollfd fd = {.fd = c->answers, .events = POLLIN};

	while (c->process && c->done < COLDPLUG_ALL && poll(&fd, 1, 0) > 0 &&
	       take_answer(c))
		;
	return c->done;
}

/* Nobody waits for it: init takes all children that end, and a driver may take a while.
 */
void coldplug_stop(struct coldplug *c)
{
	if (!c->process)
		return;
	(void)kill(c->process, SIGKILL);
	(void)waitpid(c->process, NULL, WNOHANG);
	close(c->answers);
	c->process = 0;
}
