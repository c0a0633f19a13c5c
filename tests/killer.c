/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Fault injection: kills a program with SIGKILL right before its N-th change to a file
 * system. Build: tests/killer.so. Use, for any program that links libc dynamically:
 *
 *   KILL_AT=N [KILL_TORN=1] LD_PRELOAD=tests/killer.so program...
 *
 * Counted are writes to files (not to descriptors 0 to 2), truncation, allocation, syncs,
 * creation, renames, links, removal, and changes of mode, owner, times and extended
 * attributes. Loop from N = 1 until the program is no longer killed: then every step has
 * been tried. With KILL_TORN half of the N-th write is done first, if it is larger than a
 * sector (smaller ones happen or do not: no kernel and no disk does half of one).
 * KILL_AT=0 never kills. KILL_LOG=FILE gets one line per step (NAME DESCRIPTOR OFFSET
 * LENGTH), for tests of the order of syncs; with KILL_LOG_EACH each process has a file of
 * its own, FILE.PID, since each counts for itself. KILL_ERROR=ENOSPC (EIO, EOPNOTSUPP)
 * lets the step fail with that error instead of killing. KILL_PARENT kills the parent
 * process first: a helper program then goes down together with the one that it works for,
 * as when the power goes.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define SECTOR 512

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long count;

/* The libc function behind the one that is replaced here. */
#define REAL(name) ((__typeof__(&name))real(#name))

static void *real(const char *name)
{
	void *f = dlsym(RTLD_NEXT, name);

	if (!f)
		abort();
	return f;
}

static long number(const char *name)
{
	const char *value = getenv(name);

	return value ? strtol(value, NULL, 10) : 0;
}

static void write_log(const char *what, int fd, intmax_t at, size_t len)
{
	const char *path = getenv("KILL_LOG");
	char line[128], own[4096];
	int n, log;

	if (!path)
		return;
	if (getenv("KILL_LOG_EACH")) {
		(void)snprintf(own, sizeof(own), "%s.%d", path, (int)getpid());
		path = own;
	}
	log = REAL(open)(path, O_WRONLY | O_APPEND | O_CREAT, 0644);
	n = snprintf(line, sizeof(line), "%s %d %jd %zu\n", what, fd, at, len);
	if (log >= 0 && n > 0)
		(void)!REAL(write)(log, line, (size_t)n);
	close(log);
}

/* Counts a step. True if it is the one at which to stop. */
static bool reached(const char *what, int fd, intmax_t at, size_t len)
{
	bool stop;

	pthread_mutex_lock(&lock);
	stop = ++count == number("KILL_AT");
	write_log(what, fd, at, len);
	pthread_mutex_unlock(&lock);
	return stop;
}

static int stop_here(void)
{
	const char *error = getenv("KILL_ERROR");

	if (!error) {
		if (number("KILL_PARENT"))
			kill(getppid(), SIGKILL);
		kill(getpid(), SIGKILL);
		pause();
	}
	errno = ENOSPC;
	if (strcmp(error, "EIO") == 0)
		errno = EIO;
	else if (strcmp(error, "EOPNOTSUPP") == 0)
		errno = EOPNOTSUPP;
	return -1;
}

#define STEP(what, fd, at, len)                 \
	do {                                    \
		if (reached(what, fd, at, len)) \
			return stop_here();     \
	} while (0)

/* What goes to a pipe or a socket changes no file system. */
static bool is_file(int fd)
{
	struct stat st;

	return fd > 2 && fstat(fd, &st) == 0 &&
	       (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode));
}

ssize_t write(int fd, const void *data, size_t len)
{
	if (is_file(fd) && reached("write", fd, -1, len)) {
		if (number("KILL_TORN") && len > SECTOR)
			(void)!REAL(write)(fd, data, len / 2);
		return stop_here();
	}
	return REAL(write)(fd, data, len);
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t at)
{
	if (reached("pwrite", fd, at, len)) {
		if (number("KILL_TORN") && len > SECTOR)
			(void)!REAL(pwrite)(fd, data, len / 2, at);
		return stop_here();
	}
	return REAL(pwrite)(fd, data, len, at);
}

ssize_t pwrite64(int fd, const void *data, size_t len, off64_t at)
{
	if (reached("pwrite", fd, at, len)) {
		if (number("KILL_TORN") && len > SECTOR)
			(void)!REAL(pwrite64)(fd, data, len / 2, at);
		return stop_here();
	}
	return REAL(pwrite64)(fd, data, len, at);
}

static size_t vector_len(const struct iovec *vector, int pieces)
{
	size_t len = 0;

	for (int i = 0; i < pieces; i++)
		len += vector[i].iov_len;
	return len;
}

ssize_t writev(int fd, const struct iovec *vector, int pieces)
{
	if (is_file(fd))
		STEP("write", fd, -1, vector_len(vector, pieces));
	return REAL(writev)(fd, vector, pieces);
}

/* With KILL_TORN the first piece is written: vectors of one are halved. */
static ssize_t pwritev_torn(int fd, const struct iovec *vector, off_t at)
{
	size_t len = vector->iov_len > SECTOR ? vector->iov_len / 2 : 0;

	if (number("KILL_TORN") && len)
		(void)!REAL(pwrite)(fd, vector->iov_base, len, at);
	return stop_here();
}

ssize_t pwritev(int fd, const struct iovec *vector, int pieces, off_t at)
{
	if (pieces > 0 && reached("pwrite", fd, at, vector_len(vector, pieces)))
		return pwritev_torn(fd, vector, at);
	return REAL(pwritev)(fd, vector, pieces, at);
}

ssize_t pwritev64(int fd, const struct iovec *vector, int pieces, off64_t at)
{
	if (pieces > 0 && reached("pwrite", fd, at, vector_len(vector, pieces)))
		return pwritev_torn(fd, vector, at);
	return REAL(pwritev64)(fd, vector, pieces, at);
}

int fallocate(int fd, int mode, off_t at, off_t len)
{
	STEP("allocate", fd, at, (size_t)len);
	return REAL(fallocate)(fd, mode, at, len);
}

int fallocate64(int fd, int mode, off64_t at, off64_t len)
{
	STEP("allocate", fd, at, (size_t)len);
	return REAL(fallocate64)(fd, mode, at, len);
}

ssize_t copy_file_range(int in, off64_t *in_at, int out, off64_t *out_at, size_t len,
			unsigned flags)
{
	STEP("copy", out, -1, len);
	return REAL(copy_file_range)(in, in_at, out, out_at, len, flags);
}

int ftruncate(int fd, off_t len)
{
	STEP("truncate", fd, len, 0);
	return REAL(ftruncate)(fd, len);
}

int ftruncate64(int fd, off64_t len)
{
	STEP("truncate", fd, len, 0);
	return REAL(ftruncate64)(fd, len);
}

int fsync(int fd)
{
	STEP("sync", fd, 0, 0);
	return REAL(fsync)(fd);
}

int fdatasync(int fd)
{
	STEP("sync", fd, 0, 0);
	return REAL(fdatasync)(fd);
}

/* The mode of open() and openat(), where there is one. */
#define MODE(flags, mode)                                                      \
	do {                                                                   \
		if ((flags)&O_CREAT || ((flags)&__O_TMPFILE) == __O_TMPFILE) { \
			va_list arguments;                                     \
			va_start(arguments, flags);                            \
			(mode) = va_arg(arguments, mode_t);                    \
			va_end(arguments);                                     \
			STEP("create", -1, 0, 0);                              \
		}                                                              \
	} while (0)

int open(const char *path, int flags, ...)
{
	mode_t mode = 0;

	MODE(flags, mode);
	return REAL(open)(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
	mode_t mode = 0;

	MODE(flags, mode);
	return REAL(open64)(path, flags, mode);
}

int openat(int at, const char *path, int flags, ...)
{
	mode_t mode = 0;

	MODE(flags, mode);
	return REAL(openat)(at, path, flags, mode);
}

int openat64(int at, const char *path, int flags, ...)
{
	mode_t mode = 0;

	MODE(flags, mode);
	return REAL(openat64)(at, path, flags, mode);
}

int rename(const char *from, const char *to)
{
	STEP("rename", -1, 0, 0);
	return REAL(rename)(from, to);
}

int renameat(int from_at, const char *from, int to_at, const char *to)
{
	STEP("rename", to_at, 0, 0);
	return REAL(renameat)(from_at, from, to_at, to);
}

int link(const char *from, const char *to)
{
	STEP("link", -1, 0, 0);
	return REAL(link)(from, to);
}

int linkat(int from_at, const char *from, int to_at, const char *to, int flags)
{
	STEP("link", to_at, 0, 0);
	return REAL(linkat)(from_at, from, to_at, to, flags);
}

int symlinkat(const char *target, int at, const char *path)
{
	STEP("link", at, 0, 0);
	return REAL(symlinkat)(target, at, path);
}

int unlink(const char *path)
{
	STEP("unlink", -1, 0, 0);
	return REAL(unlink)(path);
}

int unlinkat(int at, const char *path, int flags)
{
	STEP("unlink", at, 0, 0);
	return REAL(unlinkat)(at, path, flags);
}

int mkdir(const char *path, mode_t mode)
{
	STEP("mkdir", -1, 0, 0);
	return REAL(mkdir)(path, mode);
}

int mkdirat(int at, const char *path, mode_t mode)
{
	STEP("mkdir", at, 0, 0);
	return REAL(mkdirat)(at, path, mode);
}

int fchmod(int fd, mode_t mode)
{
	STEP("chmod", fd, 0, 0);
	return REAL(fchmod)(fd, mode);
}

int fchmodat(int at, const char *path, mode_t mode, int flags)
{
	STEP("chmod", at, 0, 0);
	return REAL(fchmodat)(at, path, mode, flags);
}

int fchown(int fd, uid_t user, gid_t group)
{
	STEP("chown", fd, 0, 0);
	return REAL(fchown)(fd, user, group);
}

int futimens(int fd, const struct timespec times[2])
{
	STEP("times", fd, 0, 0);
	return REAL(futimens)(fd, times);
}
