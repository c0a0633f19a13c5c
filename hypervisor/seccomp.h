/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Filters of system calls (the kernel's Documentation/userspace-api/seccomp_filter.rst):
 * the programs in the image write their own lists, and here become what the kernel runs.
 */
#ifndef HYPERVISOR_SECCOMP_H
#define HYPERVISOR_SECCOMP_H

#include <linux/filter.h>
#include <linux/seccomp.h>

#include "base/error.h"

/* Answers are SECCOMP_RET_*; the first that is given holds. */
DEFINE_VEC(seccomp_filter, struct sock_filter);

/* First: what is not called as on this processor (x32 on x86-64) ends the process. */
void seccomp_begin(struct seccomp_filter *filter);
/* Each of the calls, or of the argument's values, is answered so. */
void seccomp_answer_each(struct seccomp_filter *filter, const uint32_t *values,
			 size_t count, uint32_t answer);
/* All other calls are answered so; from here on it is about this one's first argument. */
void seccomp_argument(struct seccomp_filter *filter, uint32_t call, uint32_t others);
/* Last: whatever is left. */
void seccomp_answer(struct seccomp_filter *filter, uint32_t answer);
/* For the calling thread and those it makes, for good. The filter stays the caller's. */
int seccomp_enter(const struct seccomp_filter *filter, struct error *err);

#endif
