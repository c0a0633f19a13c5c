/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "seccomp.h"

#include <linux/audit.h>
#include <sys/prctl.h>

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

static void load(struct seccomp_filter *f, size_t offset)
{
	vec_push(f, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						 (uint32_t)offset));
}

/* If what was loaded compares so, `yes` instructions are left out, else `no`. */
static void jump(struct seccomp_filter *f, unsigned how, uint32_t value, uint8_t yes,
		 uint8_t no)
{
	vec_push(f, (struct sock_filter)BPF_JUMP(BPF_JMP | how | BPF_K, value, yes, no));
}

void seccomp_answer(struct seccomp_filter *f, uint32_t answer)
{
	vec_push(f, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, answer));
}

void seccomp_answer_each(struct seccomp_filter *f, const uint32_t *values, size_t count,
			 uint32_t answer)
{
	for (size_t i = 0; i < count; i++) {
		jump(f, BPF_JEQ, values[i], 0, 1);
		seccomp_answer(f, answer);
	}
}

void seccomp_begin(struct seccomp_filter *f)
{
	load(f, offsetof(struct seccomp_data, arch));
	jump(f, BPF_JEQ, ARCH, 1, 0);
	seccomp_answer(f, SECCOMP_RET_KILL_PROCESS);
	load(f, offsetof(struct seccomp_data, nr));
	jump(f, BPF_JGE, X32, 0, 1);
	seccomp_answer(f, SECCOMP_RET_KILL_PROCESS);
}

void seccomp_argument(struct seccomp_filter *f, uint32_t call, uint32_t others)
{
	jump(f, BPF_JEQ, call, 1, 0);
	seccomp_answer(f, others);
	load(f, offsetof(struct seccomp_data, args));
}

int seccomp_enter(const struct seccomp_filter *f, struct error *err)
{
	struct sock_fprog program = {.len = (unsigned short)f->len, .filter = f->items};

	if (!ARCH)
		return error_set(err, ERROR_FAILED, "seccomp",
				 "no filter is known for this processor");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		return error_errno(err, "seccomp", "the filter cannot be set");
	return 0;
}
