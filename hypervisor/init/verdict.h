/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The verdict: how the image starts on this PC, and every reason for it. A pure function
 * of what machine.h knows.
 */
#ifndef INIT_VERDICT_H
#define INIT_VERDICT_H

#include "base/buffer.h"
#include "hwprofiles/profile.h"
#include "init/machine.h"
#include "init/passthrough.h"
#include "init/vm.h"

enum verdict_mode {
	VERDICT_PARAVIRTUAL,	/* a virtual machine that is the same on every PC */
	VERDICT_HYBRID,		/* the same, and devices of the PC handed on */
	VERDICT_NATIVE,		/* no virtual machine: the image on the metal */
};
const char *verdict_mode_name(enum verdict_mode mode);

enum verdict_severity {
	VERDICT_NOTE,
	VERDICT_WARNING,
	VERDICT_OBSTACLE,	/* it decided against a virtual machine */
};
struct verdict_reason {
	enum verdict_severity severity;
	const char *code;	/* "no-kvm": for programs; frozen in docs/hypervisor.md */
	char *message, *remedy;	/* remedy: NULL where there is none */
};
DEFINE_VEC(verdict_reasons, struct verdict_reason);

struct verdict {
	enum verdict_mode mode;
	/* Native, and the image does not lie on a disk of the PC: nothing can be started. */
	bool stuck;
	uint64_t guest_memory;	/* bytes; 0: no virtual machine */
	struct passthrough_sets sets;	/* also those that were refused */
	struct verdict_reasons reasons;
};
void verdict_free(struct verdict *verdict);

struct verdict_question {
	const struct machine *machine;
	const struct profile *profile;	/* NULL: none fits */
	const char *profile_reason;	/* by what it was found; or NULL */
	const struct vm_image *image;
	const struct strings *kernel_arguments;	/* words of the command line; or NULL */
	struct passthrough_wish wish;
	bool native_possible;	/* a disk of the PC holds a Windows that firmware starts */
	const char *native_label;	/* where: "sda1 (Samsung, 512.1 GB)"; or NULL */
	bool native_wanted;	/* the user chose it */
	uint64_t memory;	/* bytes that the guest shall have; 0: what is there */
	/* Where several shall run at once: all of them, divided already; `image` is the first. */
	const struct vm_share *shares;
	size_t share_count;
	bool without_kvm;	/* emulation will do (accel=tcg) */
};
void verdict_reach(const struct verdict_question *question, struct verdict *ret);
/*
 * So many bytes of the PC's memory are taken for what guests write, as is known when their
 * disks are open: the guest gets less, unless it was said what it gets.
 */
void verdict_reserve(struct verdict *verdict, const struct verdict_question *question,
		     uint64_t reserved);
/* After a set could not be bound: refused for that reason, the mode follows. */
void verdict_refuse(struct verdict *verdict, struct passthrough_set *set,
		    const struct error *err);

/*
 * Drivers that were loaded later found no firmware: a reason for each blob that has none yet.
 * The index of the first that is new; all that follow it are.
 */
size_t verdict_more_firmware(struct verdict *verdict,
			     const struct verdict_question *question);

/* The image cannot be trusted: nothing is started. */
void verdict_image_damaged(struct verdict *verdict, const struct error *err);
/* One of several guests cannot be started; the others are. */
void verdict_guest_failed(struct verdict *verdict, const char *name,
			  const struct error *err);

/* gild.verdict/1, one line. Caller's. */
char *verdict_json(const struct verdict *verdict, const struct verdict_question *question);
/* For the screen: the mode, then each warning and obstacle on a line of its own. Caller's. */
char *verdict_text(const struct verdict *verdict, const struct verdict_question *question);

#endif
