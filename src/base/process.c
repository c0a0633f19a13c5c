/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"

#define MAX_MESSAGE 4096

/* Reads until the writer closes; keeps the first MAX_MESSAGE bytes. */
static void drain(int fd, struct buffer *out)
{
	uint8_t chunk[1024];

	for (;;) {
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		if (out->len + (size_t)n <= MAX_MESSAGE)
			buffer_append(out, chunk, (size_t)n);
	}
}

static int wait_child(pid_t pid, const char *subject, int *status, struct error *err)
{
	bool passed_on = false;

	while (waitpid(pid, status, 0) < 0) {
		if (errno != EINTR)
			return error_errno(err, subject, "cannot wait for its helper");
		if (interrupted() && !passed_on) {
			passed_on = true;
			(void)kill(pid, SIGTERM);
		}
	}
	return interrupted() ? error_interrupted(err) : 0;
}

static const char *death(int signal_number)
{
	switch (signal_number) {
	case SIGXCPU:
	case SIGKILL:
		return "it used more processor time or memory than is allowed";
	case SIGXFSZ:
		return "it wrote a larger file than is allowed";
	case SIGSEGV:
	case SIGBUS:
	case SIGABRT:
		return "the reader crashed on it";
	default:
		return "the reader was ended by a signal";
	}
}

int process_run(char *const argv[], struct error *err)
{
	_cleanup_buffer_ struct buffer message = BUFFER_INIT;
	int pipe_fd[2], status;
	pid_t pid;

	if (pipe2(pipe_fd, O_CLOEXEC) < 0)
		return error_errno(err, argv[0], "cannot start");
	pid = fork();
	if (pid < 0) {
		close(pipe_fd[0]);
		close(pipe_fd[1]);
		return error_errno(err, argv[0], "cannot start");
	}
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 ||
		    dup2(pipe_fd[1], 2) < 0)
			_exit(127);
		execvp(argv[0], argv);
		_exit(127);
	}
	close(pipe_fd[1]);
	drain(pipe_fd[0], &message);
	close(pipe_fd[0]);
	if (wait_child(pid, argv[0], &status, err) < 0)
		return -1;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127 && !message.len) {
		error_set(err, ERROR_FAILED, argv[0], "is not installed");
		return error_remedy(
			err, "install the package that has it (./quickstart deps)");
	}
	_cleanup_free_ char *text = buffer_steal_string(&message);

	for (char *p = text; *p; p++)
		if (*p == '\n')
			*p = p[1] ? ' ' : '\0';
	return error_set(err, ERROR_FAILED, argv[0], "failed: %s",
			 *text ? text : "it gave no reason");
}

static void limit(int resource, uint64_t value)
{
	struct rlimit r = {value, value};

	if (value)
		(void)setrlimit((__rlimit_resource_t)resource, &r);
}

/* Sends the error through the pipe as code, subject, reason, remedy. */
static _Noreturn void run_child(int (*work)(void *, struct error *), void *arg,
				const struct process_limits *limits, int fd)
{
	struct error err = ERROR_INIT;
	struct buffer out = BUFFER_INIT;
	int result;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	limit(RLIMIT_AS, limits->memory);
	limit(RLIMIT_FSIZE, limits->file_size);
	limit(RLIMIT_CPU, limits->cpu_seconds);
	limit(RLIMIT_CORE, 0);
	result = work(arg, &err);
	buffer_append_le32(&out, (uint32_t)(result < 0 ? err.code : ERROR_NONE));
	for (size_t i = 0; i < 3; i++) {
		const char *s = i == 0 ? err.subject : i == 1 ? err.reason : err.remedy;

		buffer_append(&out, s ? s : "", s ? strlen(s) + 1 : 1);
	}
	(void)file_write_all(fd, buffer_view(&out), "pipe", NULL);
	_exit(result < 0 ? 1 : 0);
}

static int error_from_child(struct buffer *message, const char *subject,
			    struct error *err)
{
	const char *part[3];
	size_t at = 4;

	for (size_t i = 0; i < 3; i++) {
		const uint8_t *end = at < message->len ? memchr(message->data + at, 0,
								message->len - at)
						       : NULL;

		if (!end)
			return error_set(err, ERROR_FAILED, subject,
					 "its reader gave no result");
		part[i] = (const char *)message->data + at;
		at = (size_t)(end - message->data) + 1;
	}
	error_set(err, (enum error_code)get_le32(message->data),
		  *part[0] ? part[0] : subject, "%s", part[1]);
	if (*part[2])
		error_remedy(err, "%s", part[2]);
	return -1;
}

int process_isolate(int (*work)(void *arg, struct error *err), void *arg,
		    const struct process_limits *limits, const char *subject,
		    struct error *err)
{
	_cleanup_buffer_ struct buffer message = BUFFER_INIT;
	int pipe_fd[2], status;
	pid_t pid;

	if (pipe2(pipe_fd, O_CLOEXEC) < 0)
		return error_errno(err, subject, "cannot start its reader");
	pid = fork();
	if (pid < 0) {
		close(pipe_fd[0]);
		close(pipe_fd[1]);
		return error_errno(err, subject, "cannot start its reader");
	}
	if (pid == 0) {
		close(pipe_fd[0]);
		run_child(work, arg, limits, pipe_fd[1]);
	}
	close(pipe_fd[1]);
	drain(pipe_fd[0], &message);
	close(pipe_fd[0]);
	if (wait_child(pid, subject, &status, err) < 0)
		return -1;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFSIGNALED(status))
		return error_set(err, ERROR_FAILED, subject, "cannot be read: %s",
				 death(WTERMSIG(status)));
	return error_from_child(&message, subject, err);
}
