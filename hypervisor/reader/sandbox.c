/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "reader/sandbox.h"

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
#define X32 0x40000000 /* the other numbers of x86-64 */

/* libcurl, TLS and the resolver call a lot, and another lot with each version: this is a
 * list of what they never do. */
static const int deadly[] = {
	SYS_execve,
	SYS_execveat,
	SYS_ptrace,
	SYS_listen,
	SYS_accept,
	SYS_accept4,
	SYS_mount,
	SYS_umount2,
	SYS_pivot_root,
	SYS_chroot,
	SYS_setns,
	SYS_unshare,
	SYS_bpf,
	SYS_perf_event_open,
	SYS_init_module,
	SYS_finit_module,
	SYS_delete_module,
	SYS_kexec_load,
	SYS_keyctl,
	SYS_add_key,
	SYS_request_key,
	SYS_userfaultfd,
	SYS_io_uring_setup,
	SYS_open_by_handle_at,
	SYS_process_vm_readv,
	SYS_process_vm_writev,
	SYS_pidfd_getfd,
	SYS_reboot,
	SYS_swapon,
	SYS_settimeofday,
};
static const uint32_t families[] = {AF_INET, AF_INET6, AF_UNIX, AF_NETLINK};

struct filter {
	struct sock_filter code[2 * ARRAY_SIZE(deadly) + 2 * ARRAY_SIZE(families) + 16];
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
	add(f, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32, 0, 1));
	answer(f, SECCOMP_RET_KILL_PROCESS);
	for (size_t i = 0; i < ARRAY_SIZE(deadly); i++)
		answer_if(f, (uint32_t)deadly[i], SECCOMP_RET_KILL_PROCESS);
	add(f, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 1, 0));
	answer(f, SECCOMP_RET_ALLOW);
	load(f, offsetof(struct seccomp_data, args));
	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		answer_if(f, families[i], SECCOMP_RET_ALLOW);
	answer(f, SECCOMP_RET_KILL_PROCESS);
}

int reader_sandbox(struct error *err)
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
