/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What init knows of the PC that it runs on: read once, from files below a root folder,
 * and judged by verdict.h.
 */
#ifndef INIT_MACHINE_H
#define INIT_MACHINE_H

#include "base/kvm.h"
#include "hwprofiles/pc.h"
#include "init/acpi.h"

#define MACHINE_MAX_DEVICES 4096	/* PCI functions */
#define MACHINE_MAX_LOG ((size_t)16 << 20)

/* A PCI function. */
struct machine_device {
	char *address;		/* "0000:01:00.0" */
	char *id;		/* as in profiles */
	uint32_t class_code;	/* 0xCCSSPP; PC_NO_CLASS */
	enum pc_role role;
	int group;		/* IOMMU group; -1: none */
	char *driver;		/* of the kernel, bound to it; or NULL */
	char *reset_method;	/* "flr bus"; NULL: the kernel cannot reset it */
	bool boot_vga;		/* the firmware's screen is on it */
	bool bridge;
	bool reserved;		/* firmware works in its memory: see acpi.h */
};
DEFINE_VEC(machine_devices, struct machine_device);

struct machine {
	struct pc pc;
	bool vmx, svm;		/* the CPU has them */
	bool paging;		/* EPT or NPT, and the kernel uses it */
	bool avic;		/* AVIC or APICv, and the kernel uses it */
	bool disabled;		/* the kernel says that firmware has switched it off */
	enum kvm_state kvm;
	char *kvm_why;		/* or NULL */
	unsigned cpus;
	uint64_t memory;	/* bytes that the kernel has */
	struct acpi_iommu iommu;
	char *iommu_error;	/* why the firmware's table could not be read; or NULL */
	unsigned iommu_groups;
	struct machine_devices devices;
	bool i8042;
	struct strings firmware;	/* blobs that drivers asked for in vain */
	char *uuid, *serial;	/* SMBIOS type 1; or NULL */
	bool msdm, slic;	/* tables with Windows' OEM licence */
};
void machine_free(struct machine *machine);
#define _cleanup_machine_ _cleanup_(machine_free)
#define MACHINE_INIT                                                                      \
	{                                                                                 \
		.pc = PC_INIT                                                             \
	}

/* Reads all of it below `root`, the KVM probe included. What cannot be read is unknown. */
int machine_read(const char *root, struct machine *ret, struct error *err);

/*
 * After drivers were loaded: what they have changed is read again, and that is devices and
 * their drivers, blobs that were not found, what KVM's module can do. Not the KVM probe.
 */
void machine_refresh(const char *root, struct machine *machine);

/*
 * What the kernel's log (text, or records of /dev/kmsg) tells: firmware that was not found,
 * KVM that firmware has switched off.
 */
void machine_read_log(const char *log, struct machine *machine);
/* Flags of the first CPU in /proc/cpuinfo, and how many CPUs there are. */
void machine_read_cpuinfo(const char *cpuinfo, struct machine *machine);
/* Graphics: class 03. */
unsigned machine_gpus(const struct machine *machine);
/* USB 3 controllers: class 0C0330. */
unsigned machine_xhcis(const struct machine *machine);

#endif
