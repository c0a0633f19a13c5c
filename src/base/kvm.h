/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Does KVM run guests here? /dev/kvm may open and answer, and guests hang or die all the
 * same (nested virtualisation, broken firmware): so a guest of a few bytes is run.
 */
#ifndef BASE_KVM_H
#define BASE_KVM_H

#include "base/memory.h"

enum kvm_state {
	KVM_RUNS,
	KVM_MISSING,	/* no /dev/kvm: no module, or virtualisation is off */
	KVM_DENIED,	/* it cannot be opened */
	KVM_BROKEN,	/* it does not do what it should */
	KVM_SLOW,	/* every instruction is emulated: no guest would start */
	KVM_HANGS,	/* the guest did not end in time */
};
const char *kvm_state_name(enum kvm_state state);	/* "runs", "missing", ... */

#define KVM_PROBE_MS 5000
/*
 * Runs the guest in a child that is killed after `ms` milliseconds. `root` is put before
 * /dev/kvm. *why (caller's) says what went wrong; NULL where it runs.
 */
enum kvm_state kvm_probe(const char *root, unsigned ms, char **why);

#endif
