/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * QEMU's command line as a pure function of what is known: nothing is read, nothing is
 * started. tests/golden/vm has its result for every generation of Windows and every mode.
 *
 * Init drops its rights itself before it starts QEMU (supervise.h): -runas needs what
 * -sandbox elevateprivileges=deny forbids, QEMU 7.2 is killed by SIGSYS with both.
 */
#ifndef INIT_VM_H
#define INIT_VM_H

#include "hwprofiles/pc.h"
#include "init/options.h"
#include "init/passthrough.h"

enum vm_storage {
	VM_VIRTIO_BLK,
	VM_VIRTIO_SCSI,
	VM_AHCI,
	VM_IDE,
};
enum vm_network {
	VM_VIRTIO_NET,
	VM_E1000E,
	VM_E1000,
	VM_RTL8139,
	VM_NO_NETWORK,
};

/* The Windows in the image, and what it has drivers for. */
struct vm_image {
	unsigned major, minor, build;	/* 10, 0, 19045 */
	bool x64;
	bool uefi;			/* it starts by UEFI */
	enum vm_storage storage;
	enum vm_network network;
};
/*
 * From words: windows=10.0.19045 arch=amd64|x86 firmware=uefi|bios
 * storage=virtio-blk|virtio-scsi|ahci|ide network=virtio-net|e1000e|e1000|rtl8139|none.
 * What is not said follows from the version: in-box drivers, firmware of its time.
 */
int vm_image_parse(const struct options *options, struct vm_image *ret, struct error *err);
/* "Windows 10", for people. */
const char *vm_windows_name(const struct vm_image *image);
bool vm_needs_tpm(const struct vm_image *image);	/* Windows 11 */

/* What the guest's network card is connected to: network.h. */
enum vm_link {
	VM_LINK_USER,	/* QEMU's own address translation */
	VM_LINK_TAP,	/* the host's bridge */
	VM_LINK_NONE,
};
/* Where QEMU finds what it inherits. */
#define VM_TAP_FD 10
#define VM_VHOST_FD 11

/* What the host gives. Strings belong to the caller; NULL: there is none. */
struct vm_host {
	const char *name;	/* of one of several guests, for its process; or NULL */
	uint64_t memory;	/* bytes that the kernel has */
	uint64_t share;		/* bytes of it for this guest (vm_divide); 0: vm_memory() */
	unsigned cpus;
	bool avic;
	bool intel;		/* the CPU has VMX rather than SVM */
	const struct pc_identity *identity;
	const char *uuid, *serial;
	const char *profile;	/* its ID: the guest sees it in SMBIOS type 11 */
	const char *msdm, *slic;	/* copies that QEMU's user may read */
	const char *disk, *disk_format;	/* the file (qcow2 overlay, raw), "qcow2" or "raw" */
	const char *golden, *golden_format;	/* what lies below an overlay; or NULL */
	bool golden_device;	/* golden is a block device */
	bool direct;		/* the disk's file system knows O_DIRECT */
	const char *code, *code_secure;	/* OVMF, and its build with SMM */
	const char *vars;	/* this guest's own copy of OVMF's variables */
	const char *run;	/* QEMU's own folder: RUN/qmp, RUN/echo */
	const char *vnc;	/* socket of its screen */
	const char *tpm;	/* socket of the TPM */
	enum vm_link link;
	bool vhost;		/* the kernel moves the packets: VM_VHOST_FD */
	const char *mac;	/* "52:54:00:..." */
	bool sound;		/* the guest has a sound card */
	const char *sound_out, *sound_in;	/* ALSA's names; NULL: silent, deaf */
	bool usb;		/* devices of the PC are plugged in later, over QMP */
	const struct passthrough_sets *sets;	/* those bound to vfio-pci; or NULL */
};

/* The guest's memory in bytes: what is there less what the host needs; 0: too little. */
uint64_t vm_memory(uint64_t total, unsigned cpus, const struct vm_image *image);
/* What the Windows needs at least, in bytes. */
uint64_t vm_least_memory(const struct vm_image *image);

/* One of several guests at once, and what it gets. */
#define VM_MAX_GUESTS 8
struct vm_share {
	const char *name;
	const struct vm_image *image;
	unsigned cpus;
	uint64_t wish;		/* bytes that it asks for; 0: its part */
	uint64_t memory;	/* bytes that it gets; 0: it does not fit */
	uint64_t lack;		/* bytes that are missing then */
};
/*
 * Divides `total` bytes of memory: each guest gets what it asks for; those that ask for
 * nothing what their Windows needs at least, and of what is left then all have the same, as
 * far as a Windows can use it. Who comes first is served first; who does not fit gets nothing.
 * Returns how many fit.
 */
size_t vm_divide(uint64_t total, struct vm_share *shares, size_t count);
/*
 * How many bytes of memory each of so many overlays may have: a quarter together, less where
 * a guest would not fit then that does without, but 32 MiB each.
 */
uint64_t vm_overlay_size(uint64_t total, const struct vm_share *shares, size_t count,
			 size_t overlays);

/*
 * Fills `ret` with the arguments, program first. `options` may override (docs/hypervisor.md):
 * accel, kernel_irqchip, kvm, smm, machine, memory, cpus, nested, display, nonce, hyperv. ERROR_FAILED with a remedy where the Windows cannot run so.
 */
int vm_argv(const struct vm_image *image, const struct vm_host *host,
	    const struct options *options, struct strings *ret, struct error *err);
/* The keys above, ended by NULL: all that fw_cfg and quirks may say. */
extern const char *const vm_option_keys[];

#endif
