/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "console/sandbox.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#elif defined(__i386__)
#define ARCH AUDIT_ARCH_I386
#else
#define ARCH 0 /* not known: no filter can be written */
#endif

/* What the presenter and its libraries call once they run, by this or another libc. */
static const int allowed[] = {
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
static const int deadly[] = {
	SYS_execve, SYS_execveat, SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev,
};

#define CALLS (ARRAY_SIZE(allowed) + ARRAY_SIZE(deadly))
/* Two instructions for each call; before them the checks of processor and socket. */
#define MAX_FILTER (2 * CALLS + 16)

struct filter {
	struct sock_filter code[MAX_FILTER];
	unsigned short len;
};

static void add(struct filter *f, struct sock_filter instruction)
{
	f->code[f->len++] = instruction;
}

static void load(struct filter *f, size_t offset)
{
	add(f, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

static void answer(struct filter *f, uint32_t what)
{
	add(f, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, what));
}

/* If what was loaded is the value, that is the answer. */
static void answer_if(struct filter *f, uint32_t value, uint32_t what)
{
	add(f, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1));
	answer(f, what);
}

static void write_filter(struct filter *f)
{
	load(f, offsetof(struct seccomp_data, arch));
	add(f, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0));
	answer(f, SECCOMP_RET_KILL_PROCESS);
	load(f, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++)
		answer_if(f, (uint32_t)allowed[i], SECCOMP_RET_ALLOW);
	for (size_t i = 0; i < ARRAY_SIZE(deadly); i++)
		answer_if(f, (uint32_t)deadly[i], SECCOMP_RET_KILL_PROCESS);
	/* QEMU's socket, and the addresses of network cards for the panel. */
	add(f, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 1, 0));
	answer(f, SECCOMP_RET_ERRNO | ENOSYS);
	load(f, offsetof(struct seccomp_data, args));
	answer_if(f, AF_UNIX, SECCOMP_RET_ALLOW);
	answer_if(f, AF_NETLINK, SECCOMP_RET_ALLOW);
	answer(f, SECCOMP_RET_ERRNO | EACCES);
}

int sandbox_enter(struct error *err)
{
	struct filter f = {.len = 0};
	struct sock_fprog program = {.filter = f.code};

	if (!ARCH)
		return error_set(err, ERROR_FAILED, "seccomp",
				 "no filter is known for this processor");
	write_filter(&f);
	program.len = f.len;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		return error_errno(err, "seccomp", "the filter cannot be set");
	return 0;
}
