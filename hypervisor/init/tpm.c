/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "init/tpm.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"

#define END_WAIT 2000 /* ms for the old one to write its state */

/* Orphans are init's children, and stay until it has asked for them. */
static bool is_gone(pid_t pid)
{
	return waitpid(pid, NULL, WNOHANG) == pid || (kill(pid, 0) < 0 && errno == ESRCH);
}

static bool goes(pid_t pid)
{
	for (unsigned waited = 0; waited < END_WAIT && !is_gone(pid); waited += 10)
		(void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	return is_gone(pid);
}

/* Its number may be another process's by now. */
static bool is_swtpm(pid_t pid)
{
	_cleanup_free_ char *path = xasprintf("/proc/%d/comm", (int)pid);
	_cleanup_buffer_ struct buffer name = BUFFER_INIT;

	return file_read(path, 32, &name, NULL) == 0 && name.len == strlen("swtpm\n") &&
	       memcmp(name.data, "swtpm\n", name.len) == 0;
}

/* Two must not have the state at once: one that hangs is killed. */
static void end_old(const char *pid_file)
{
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;
	_cleanup_free_ char *text = NULL;
	pid_t pid;

	if (file_read(pid_file, 32, &data, NULL) < 0)
		return;
	text = buffer_steal_string(&data);
	pid = (pid_t)strtol(text, NULL, 10);
	if (pid <= 1 || !is_swtpm(pid) || kill(pid, SIGTERM) < 0 || goes(pid))
		return;
	if (kill(pid, SIGKILL) == 0)
		(void)goes(pid);
}

int tpm_start(const char *run, const char *state, uid_t uid, struct error *err)
{
	_cleanup_free_ char *folder = xasprintf("dir=%s", state);
	_cleanup_free_ char *socket =
		xasprintf("type=unixio,path=%s/tpm,uid=%u,gid=%u,mode=0600", run,
			  (unsigned)uid, (unsigned)uid);
	_cleanup_free_ char *pid_file = xasprintf("%s/tpm.pid", run);
	_cleanup_free_ char *pid_option = xasprintf("file=%s", pid_file);
	char *argv[] = {(char *)"swtpm",
			(char *)"socket",
			(char *)"--tpm2",
			(char *)"--tpmstate",
			folder,
			(char *)"--ctrl",
			socket,
			(char *)"--pid",
			pid_option,
			(char *)"--daemon",
			NULL};

	end_old(pid_file);
	if (mkdir(state, 0700) < 0 && errno != EEXIST)
		return error_errno(err, state, "cannot make the folder");
	return process_run(argv, err);
}
