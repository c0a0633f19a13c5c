/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "block/qemu.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/progress.h"

#define MAX_MESSAGE 4096
#define FIRST_LISTENER 3 /* systemd's SD_LISTEN_FDS_START */
#define NOT_FOUND 127

extern char **environ;

/*
 * The environment of a socket-activated service. LISTEN_PID is only known after fork(),
 * where memory may not be allocated: `pid` gets room for it.
 */
static char **activation_environment(char pid[static 32], char *fds)
{
	size_t n = 0, kept = 0;
	char **env;

	while (environ[n])
		n++;
	env = xcalloc(n + 3, sizeof(*env));
	for (size_t i = 0; i < n; i++)
		if (strncmp(environ[i], "LISTEN_", 7) != 0)
			env[kept++] = environ[i];
	env[kept++] = pid;
	env[kept] = fds;
	return env;
}

/* In the child: only what is safe between fork() and exec(). */
static _Noreturn void run(const struct qemu_process *process, char *const argv[],
			  char **env, char *pid_text, pid_t parent, int listener,
			  int output)
{
	static const int reset[] = {SIGINT, SIGTERM, SIGPIPE, SIGHUP, SIGCHLD};
	int null = open("/dev/null", O_RDWR);
	sigset_t none;

	(void)setpgid(0, 0);
	/* It ends cleanly on SIGTERM; and when its only client's connection ends. */
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(1);
	for (size_t i = 0; i < ARRAY_SIZE(reset); i++)
		(void)signal(reset[i], SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (null < 0 || dup2(null, 0) < 0 || dup2(output >= 0 ? output : null, 1) < 0 ||
	    dup2(process->messages, 2) < 0)
		_exit(1);
	/* dup2() onto itself would keep O_CLOEXEC. */
	if (listener == FIRST_LISTENER)
		(void)fcntl(listener, F_SETFD, 0);
	else if (listener >= 0 && dup2(listener, FIRST_LISTENER) < 0)
		_exit(1);
	(void)snprintf(pid_text, 32, "LISTEN_PID=%d", (int)getpid());
	execvpe(argv[0], argv, env);
	_exit(NOT_FOUND);
}

int qemu_start(struct qemu_process *process, char *const argv[], int listener, int output,
	       struct error *err)
{
	char pid_text[32] = "LISTEN_PID=", fds[] = "LISTEN_FDS=1";
	_cleanup_free_ char **env = NULL;
	pid_t parent = getpid();

	*process = (struct qemu_process){.program = argv[0]};
	process->messages = memfd_create("messages", MFD_CLOEXEC);
	if (process->messages < 0)
		return error_errno(err, argv[0], "cannot start");
	env = listener >= 0 ? activation_environment(pid_text, fds) : NULL;
	process->pid = fork();
	if (process->pid == 0)
		run(process, argv, env ? env : environ, pid_text, parent, listener,
		    output);
	if (process->pid > 0)
		return 0;
	process->pid = 0;
	closep(&process->messages);
	return error_errno(err, argv[0], "cannot start");
}

static int64_t now_milliseconds(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void qemu_wait(struct qemu_process *process, int milliseconds)
{
	const struct timespec nap = {0, 2000000};
	int64_t deadline = now_milliseconds() + milliseconds;

	if (process->pid <= 0)
		return;
	while (waitpid(process->pid, &process->status, milliseconds < 0 ? 0 : WNOHANG) !=
	       process->pid) {
		if (milliseconds < 0 && errno == EINTR)
			continue;
		if (milliseconds < 0)
			break;
		if (now_milliseconds() >= deadline) {
			(void)kill(process->pid, SIGKILL);
			milliseconds = -1;
		} else {
			(void)nanosleep(&nap, NULL);
		}
	}
	process->pid = 0;
}

/* What it said, on one line, without what only its developers need. */
static char *messages(const struct qemu_process *process)
{
	_cleanup_buffer_ struct buffer b = BUFFER_INIT;
	const char *start, *opened;
	char *text;
	ssize_t n;

	buffer_reserve(&b, MAX_MESSAGE);
	n = pread(process->messages, b.data, MAX_MESSAGE, 0);
	b.len = n > 0 ? (size_t)n : 0;
	while (b.len && b.data[b.len - 1] == '\n')
		b.len--;
	text = buffer_steal_string(&b);
	for (char *p = text; *p; p++)
		if (*p == '\n')
			*p = ' ';
	start = text;
	if (strncmp(start, process->program, strlen(process->program)) == 0 &&
	    start[strlen(process->program)] == ':')
		start += strlen(process->program) + 2;
	/* The long description of the nodes that gild made. */
	opened = strstr(start, "}': ");
	if (opened && strstr(start, "'json:{"))
		start = opened + 4;
	memmove(text, start, strlen(start) + 1);
	return text;
}

int qemu_result(const struct qemu_process *process, const char *subject,
		struct error *err)
{
	_cleanup_free_ char *text = NULL;
	int status = process->status;

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	text = messages(process);
	if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_FOUND && !*text) {
		error_set(err, ERROR_FAILED, subject, "needs %s, which is not installed",
			  process->program);
		return error_remedy(err,
				    "install it (Debian: qemu-utils; ./quickstart deps)");
	}
	if (strstr(text, "Failed to get ") && strstr(text, "lock")) {
		error_set(err, ERROR_STATE, subject, "is in use by another program: %s",
			  text);
		return error_remedy(err, "shut the virtual machine down, or wait for the "
					 "other program to end");
	}
	if (strstr(text, "contains a log that needs to be replayed")) {
		error_set(err, ERROR_STATE, subject,
			  "is a VHDX whose log was not replayed: what wrote to it last "
			  "was interrupted");
		return error_remedy(err,
				    "attach it once in Hyper-V, or run qemu-img check "
				    "-r all on it");
	}
	if (WIFSIGNALED(status))
		error_set(err, ERROR_FAILED, subject, "%s was ended by signal %d%s%s",
			  process->program, WTERMSIG(status), *text ? ": " : "", text);
	else
		error_set(err, ERROR_FAILED, subject, "%s: %s", process->program,
			  *text ? text : "failed and gave no reason");
	return error_remedy(err,
			    "look at the image with qemu-img check; if it is damaged, "
			    "get it again");
}

void qemu_end(struct qemu_process *process)
{
	if (process->pid > 0)
		(void)kill(process->pid, SIGTERM);
	qemu_wait(process, 10000);
	closep(&process->messages);
}

/* ---- running qemu-img ---- */

/* Its progress is "    (12.34/100%)\r"; the last whole figure of a piece counts. */
static void take_progress(const char *step, char *text)
{
	char *end = strstr(text, "/100%");

	for (char *next = end; next; next = strstr(end + 1, "/100%"))
		end = next;
	if (!end)
		return;
	while (end > text && end[-1] != '(')
		end--;
	progress_report(step, (uint64_t)(strtod(end, NULL) * 100), 10000);
}

/* Reads what it prints until it ends; a signal to gild ends it. */
static int follow(struct qemu_process *process, int fd, const char *step,
		  struct error *err)
{
	char text[256];

	for (;;) {
		struct pollfd p = {fd, POLLIN, 0};
		ssize_t n;

		if (interrupted())
			return error_interrupted(err);
		if (poll(&p, 1, 1000) < 0 && errno != EINTR)
			return error_errno(err, process->program, "cannot follow it");
		if (!(p.revents & (POLLIN | POLLHUP)))
			continue;
		n = read(fd, text, sizeof(text) - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return 0;
		text[n] = '\0';
		if (step)
			take_progress(step, text);
	}
}

int qemu_img_run(char *const argv[], const char *subject, const char *step,
		 struct error *err)
{
	struct qemu_process process;
	int output[2], result;

	if (pipe2(output, O_CLOEXEC) < 0)
		return error_errno(err, subject, "cannot start qemu-img");
	result = qemu_start(&process, argv, -1, output[1], err);
	close(output[1]);
	if (result == 0) {
		result = follow(&process, output[0], step, err);
		if (result == 0) {
			qemu_wait(&process, -1);
			result = qemu_result(&process, subject, err);
		}
		qemu_end(&process);
	}
	close(output[0]);
	return result;
}
