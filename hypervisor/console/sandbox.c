/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "console/sandbox.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "seccomp.h"

/* What the presenter and its libraries call once they run, by this or another libc. */
static const uint32_t allowed[] = {
#ifdef SYS_open
	SYS_open,
	SYS_access,
	SYS_stat,
	SYS_lstat,
	SYS_poll,
	SYS_readlink,
	SYS_unlink,
	SYS_rename,
	SYS_getdents,
	SYS_inotify_init,
#endif
	SYS_openat,
	SYS_faccessat,
	SYS_newfstatat,
	SYS_ppoll,
	SYS_readlinkat,
	SYS_unlinkat,
	SYS_renameat,
	SYS_getdents64,
	SYS_inotify_init1,
#ifdef SYS_faccessat2
	SYS_faccessat2,
#endif
#ifdef SYS_statx
	SYS_statx,
#endif
	SYS_inotify_add_watch,
	SYS_close,
	SYS_read,
	SYS_write,
	SYS_readv,
	SYS_writev,
	SYS_pread64,
	SYS_lseek,
	SYS_fstat,
	SYS_statfs,
	SYS_fstatfs,
	SYS_fcntl,
	SYS_ioctl,
	SYS_fsync,
	SYS_fdatasync,
	SYS_ftruncate,
	SYS_fchmod,
	SYS_mmap,
	SYS_munmap,
	SYS_mprotect,
	SYS_mremap,
	SYS_madvise,
	SYS_brk,
	SYS_connect,
	SYS_bind,
	SYS_getsockname,
	SYS_getsockopt,
	SYS_setsockopt,
	SYS_recvfrom,
	SYS_recvmsg,
	SYS_sendto,
	SYS_sendmsg,
	SYS_shutdown,
	SYS_clock_gettime,
	SYS_clock_nanosleep,
	SYS_nanosleep,
	SYS_gettimeofday,
	SYS_getpid,
	SYS_gettid,
	SYS_getuid,
	SYS_geteuid,
	SYS_getgid,
	SYS_getegid,
	SYS_umask,
	SYS_uname,
	SYS_sysinfo,
	SYS_getrandom,
	SYS_rt_sigaction,
	SYS_rt_sigprocmask,
	SYS_rt_sigreturn,
	SYS_sigaltstack,
	SYS_restart_syscall,
	SYS_futex,
	SYS_exit,
	SYS_exit_group,
	SYS_tgkill,
};
/* Nothing but an attack calls these. */
static const uint32_t deadly[] = {
	SYS_execve, SYS_execveat, SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev,
};
/* QEMU's socket, and the addresses of network cards for the panel. */
static const uint32_t families[] = {AF_UNIX, AF_NETLINK};

int sandbox_enter(struct error *err)
{
	struct seccomp_filter f = VEC_INIT;
	int result;

	seccomp_begin(&f);
	seccomp_answer_each(&f, allowed, ARRAY_SIZE(allowed), SECCOMP_RET_ALLOW);
	seccomp_answer_each(&f, deadly, ARRAY_SIZE(deadly), SECCOMP_RET_KILL_PROCESS);
	seccomp_argument(&f, SYS_socket, SECCOMP_RET_ERRNO | ENOSYS);
	seccomp_answer_each(&f, families, ARRAY_SIZE(families), SECCOMP_RET_ALLOW);
	seccomp_answer(&f, SECCOMP_RET_ERRNO | EACCES);
	result = seccomp_enter(&f, err);
	vec_free(&f);
	return result;
}
