/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "init/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FIRST_PAUSE 1 /* s; doubles */
#define LAST_PAUSE 60
#define HEALTHY 60 /* s: who ran so long is started again at once */

static time_t seconds(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

/* What another user keeps has to be permitted, inherited and ambient: capabilities(7). */
static bool keep_network(void)
{
	static const unsigned kept[] = {CAP_NET_ADMIN, CAP_NET_RAW};
	const uint32_t mask = 1U << CAP_NET_ADMIN | 1U << CAP_NET_RAW;
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {
		{.effective = mask, .permitted = mask, .inheritable = mask}};

	if (syscall(SYS_capset, &header, data) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, kept[i], 0, 0) < 0)
			return false;
	return true;
}

static bool drop_rights(const struct helper_rights *r)
{
	if (!r->uid)
		return true;
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (r->network && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return false;
	if (setgroups(0, NULL) < 0 || setgid(r->uid) < 0 || setuid(r->uid) < 0)
		return false;
	return !r->network || keep_network();
}

static _Noreturn void run_program(char *const argv[], const struct helper_rights *rights)
{
	const struct rlimit limit = {HELPER_MAX_LOG, HELPER_MAX_LOG};

	/* A log that is full fails to be written; it does not end the program. */
	(void)signal(SIGXFSZ, SIG_IGN);
	(void)setrlimit(RLIMIT_FSIZE, &limit);
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (!drop_rights(rights))
		_exit(126);
	/* The parent's death signal goes with a change of the user. */
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	execv(argv[0], argv);
	_exit(127);
}

static _Noreturn void keep(char *const argv[], const struct helper_rights *rights)
{
	unsigned pause_s = FIRST_PAUSE;
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	for (;;) {
		time_t began = seconds();
		pid_t pid = fork();

		if (pid == 0)
			run_program(argv, rights);
		while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		if (seconds() - began >= HEALTHY)
			pause_s = FIRST_PAUSE;
		(void)nanosleep(&(struct timespec){.tv_sec = pause_s}, NULL);
		pause_s = pause_s * 2 < LAST_PAUSE ? pause_s * 2 : LAST_PAUSE;
	}
}

static void take_log(const char *log)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int fd = open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);

	if (null >= 0)
		(void)dup2(null, 0);
	if (fd < 0)
		return;
	(void)dup2(fd, 1);
	(void)dup2(fd, 2);
}

int helper_start(struct helper *h, char *const argv[], const struct helper_rights *rights,
		 const char *log, struct error *err)
{
	*h = (struct helper){0};
	if (access(argv[0], X_OK) < 0)
		return error_errno(err, argv[0], "cannot be started");
	h->pid = fork();
	if (h->pid == 0) {
		take_log(log);
		keep(argv, rights);
	}
	if (h->pid > 0)
		return 0;
	h->pid = 0;
	return error_errno(err, argv[0], "cannot be started");
}

void helper_stop(struct helper *h)
{
	if (h->pid > 0) {
		(void)kill(h->pid, SIGTERM);
		while (waitpid(h->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	*h = (struct helper){0};
}

/* The root file system has it in the same place. */
char *helper_self(void)
{
	static const char gone[] = " (deleted)"; /* proc(5) */
	char self[256];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	size_t tail = strlen(gone);

	if (len <= 0)
		return NULL;
	self[len] = 0;
	if ((size_t)len > tail && strcmp(self + len - tail, gone) == 0)
		self[(size_t)len - tail] = 0;
	return xstrdup(self);
}
