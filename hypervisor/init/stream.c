/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "init/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "init/nbd.h"
#include "init/say.h"

#define RESTART 1 /* s, before the reader is started again */
#define MAX_LINE 1024

/* Written by the keeper, read by init. */
struct stream_shared {
	atomic_int index; /* of /dev/nbdN; -1: none yet */
	atomic_bool up, wrong;
};

enum stream_news stream_read(const char *line, const char **text)
{
	static const struct {
		const char *word;
		enum stream_news news;
	} words[] = {{"ready", STREAM_READY},
		     {"away ", STREAM_AWAY},
		     {"back", STREAM_BACK},
		     {"wrong ", STREAM_WRONG}};

	*text = line;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		size_t len = strlen(words[i].word);
		bool whole = words[i].word[len - 1] != ' ';

		if (strncmp(line, words[i].word, len) != 0 || (whole && line[len]))
			continue;
		*text = line + len;
		return words[i].news;
	}
	return STREAM_OTHER;
}

/* ---- the reader's process ---- */

static void keep_open(int fd)
{
	(void)fcntl(fd, F_SETFD, 0);
}

static _Noreturn void run_reader(const struct stream_config *c, int nbd, int out)
{
	const struct rlimit none = {0, 0};
	_cleanup_free_ char *url = xasprintf("url=%s", c->url);
	_cleanup_free_ char *seal = xasprintf("seal=%s", c->seal);
	_cleanup_free_ char *socket = xasprintf("nbd=%d", nbd);
	_cleanup_free_ char *cache = xasprintf("cache=%d", c->cache);
	_cleanup_free_ char *reserve =
		xasprintf("reserve=%llu", (unsigned long long)c->reserve);
	_cleanup_free_ char *ca = c->ca ? xasprintf("ca=%s", c->ca) : NULL;
	char *argv[8] = {(char *)c->program, url, seal, socket, reserve};
	size_t n = 5;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (c->cache >= 0) {
		argv[n++] = cache;
		keep_open(c->cache);
	}
	if (ca)
		argv[n++] = ca;
	keep_open(nbd);
	(void)dup2(null, 0);
	(void)dup2(out, 1);
	(void)dup2(out, 2);
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (c->uid &&
	    (setgroups(0, NULL) < 0 || setgid(c->uid) < 0 || setuid(c->uid) < 0))
		_exit(126);
	/* It goes with a change of the user. */
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	execv(argv[0], argv);
	_exit(127);
}

/* ---- the keeper ---- */

struct keeper {
	const struct stream_config *config;
	struct stream_shared *shared;
	int socket; /* the kernel's end */
};

/* Once a device, then always the same one. */
static void on_ready(const struct keeper *k)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_free_ char *text = NULL;
	int index = atomic_load(&k->shared->index);
	unsigned made = 0;
	int result;

	if (index >= 0)
		result = nbd_reconnect((unsigned)index, k->socket, &err);
	else
		result = nbd_connect(k->socket, k->config->size, &made, &err);
	if (result == 0) {
		atomic_store(&k->shared->up, true);
		if (index < 0)
			atomic_store(&k->shared->index, (int)made);
		return;
	}
	text = error_message(&err);
	k->config->say(text);
}

static void on_line(const struct keeper *k, const char *line)
{
	const struct stream_config *c = k->config;
	const char *text;

	switch (stream_read(line, &text)) {
	case STREAM_READY:
		on_ready(k);
		break;
	case STREAM_AWAY:
		atomic_store(&k->shared->up, false);
		say_to(c->say, "%s is waited for: %s", c->label, text);
		break;
	case STREAM_BACK:
		atomic_store(&k->shared->up, true);
		say_to(c->say, "%s: the server answers again", c->label);
		break;
	case STREAM_WRONG:
		atomic_store(&k->shared->wrong, true);
		say_to(c->say, "%s: %s", c->label, text);
		break;
	case STREAM_OTHER:
		say_to(c->say, "%s: %s", c->label, text);
		break;
	}
}

/* Lines, until the reader has ended; what is longer is cut. */
static void listen_to(const struct keeper *k, int fd)
{
	char line[MAX_LINE];
	size_t len = 0;
	char c;

	for (;;) {
		ssize_t n = read(fd, &c, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		if (c != '\n') {
			if (len + 1 < sizeof(line))
				line[len++] = c;
			continue;
		}
		line[len] = '\0';
		len = 0;
		on_line(k, line);
	}
}

static void run_once(struct keeper *k)
{
	int pair[2], out[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return;
	if (pipe2(out, O_CLOEXEC) < 0) {
		closep(&pair[0]);
		closep(&pair[1]);
		return;
	}
	pid = fork();
	if (pid == 0)
		run_reader(k->config, pair[1], out[1]);
	closep(&pair[1]);
	closep(&out[1]);
	k->socket = pair[0];
	if (pid > 0)
		listen_to(k, out[0]);
	closep(&out[0]);
	closep(&pair[0]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static _Noreturn void keep(struct keeper *k)
{
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	for (;;) {
		run_once(k);
		atomic_store(&k->shared->up, false);
		(void)nanosleep(&(struct timespec){.tv_sec = RESTART}, NULL);
	}
}

/* ---- init's side ---- */

int stream_start(struct stream *s, const struct stream_config *c, struct error *err)
{
	struct keeper k = {.config = c, .socket = -1};

	*s = (struct stream){0};
	if (access(c->program, X_OK) < 0) {
		error_errno(err, c->program, "cannot be started");
		return error_remedy(err, "pack the medium anew");
	}
	s->shared = mmap(NULL, sizeof(*s->shared), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s->shared == MAP_FAILED) {
		s->shared = NULL;
		return error_errno(err, c->label, "no memory for its keeper");
	}
	atomic_init(&s->shared->index, -1);
	k.shared = s->shared;
	s->keeper = fork();
	if (s->keeper == 0)
		keep(&k);
	if (s->keeper > 0)
		return 0;
	s->keeper = 0;
	stream_stop(s);
	return error_errno(err, c->label, "its keeper cannot be started");
}

char *stream_device(const struct stream *s)
{
	int index = s->shared ? atomic_load(&s->shared->index) : -1;

	return index < 0 ? NULL : xasprintf("/dev/nbd%d", index);
}

bool stream_is_up(const struct stream *s)
{
	return s->shared && atomic_load(&s->shared->up);
}

bool stream_is_wrong(const struct stream *s)
{
	return s->shared && atomic_load(&s->shared->wrong);
}

void stream_stop(struct stream *s)
{
	if (s->keeper > 0) {
		(void)kill(s->keeper, SIGTERM);
		while (waitpid(s->keeper, NULL, 0) < 0 && errno == EINTR)
			;
	}
	if (s->shared)
		(void)munmap(s->shared, sizeof(*s->shared));
	*s = (struct stream){0};
}
