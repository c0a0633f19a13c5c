/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "reader/sandbox.h"

#include <sys/socket.h>
#include <sys/syscall.h>

#include "seccomp.h"

/* libcurl, TLS and the resolver call a lot, and another lot with each version: this is a
 * list of what they never do. */
static const uint32_t deadly[] = {
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

int reader_sandbox(struct error *err)
{
	struct seccomp_filter f = VEC_INIT;
	int result;

	seccomp_begin(&f);
	seccomp_answer_each(&f, deadly, ARRAY_SIZE(deadly), SECCOMP_RET_KILL_PROCESS);
	seccomp_argument(&f, SYS_socket, SECCOMP_RET_ALLOW);
	seccomp_answer_each(&f, families, ARRAY_SIZE(families), SECCOMP_RET_ALLOW);
	seccomp_answer(&f, SECCOMP_RET_KILL_PROCESS);
	result = seccomp_enter(&f, err);
	vec_free(&f);
	return result;
}
