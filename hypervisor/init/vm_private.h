/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the parts of vm*.c share. */
#ifndef INIT_VM_PRIVATE_H
#define INIT_VM_PRIVATE_H

#include "base/buffer.h"
#include "init/vm.h"

struct vm {
	const struct vm_image *image;
	const struct vm_host *host;
	struct strings *argv;
	/* Overrides, and what follows from them. */
	bool kvm_accel;		/* accel=kvm; else TCG, for tests */
	bool irqchip;		/* the local APIC is in the kernel */
	bool hide_kvm;		/* kvm=off: no KVM leaves for the guest */
	bool smm, secure;	/* secure: OVMF's variables are guarded by SMM */
	bool q35, nested, hyperv;
	unsigned cpus;
	uint64_t memory;
	const char *machine, *display, *nonce;
};

/* True from this Windows version on. */
static inline bool vm_from(const struct vm_image *i, unsigned major, unsigned minor)
{
	return i->major > major || (i->major == major && i->minor >= minor);
}
void vm_add(struct vm *vm, const char *option, const char *fmt, ...) _printf_(3, 4);
/* The value with commas doubled, as QEMU wants it. Caller's. */
char *vm_escape(const char *value);

/* In the order of the command line. */
void vm_add_cpu(struct vm *vm);
void vm_add_identity(struct vm *vm);
void vm_add_disk(struct vm *vm);
void vm_add_network(struct vm *vm);
void vm_add_display(struct vm *vm);
void vm_add_sound(struct vm *vm);
void vm_add_tpm(struct vm *vm);
void vm_add_passthrough(struct vm *vm);

#endif
