/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A boot medium or a golden image in QEMU on this machine, for a look. */
#ifndef IMAGE_RUN_H
#define IMAGE_RUN_H

#include "base/kvm.h"
#include "tree/tree.h"

enum run_firmware {
	RUN_CHOSEN,	/* UEFI, or what a golden image starts by */
	RUN_UEFI,
	RUN_UEFI_SECURE,	/* Secure Boot with Microsoft's keys */
	RUN_BIOS,
};
enum run_what {
	RUN_STICK,	/* a disk that gild pack made: on USB */
	RUN_ISO,	/* in a CD drive */
	RUN_FOLDER,	/* for network boot: is served by TFTP */
	RUN_GOLDEN,	/* a golden image by itself */
};

struct run_options {
	const char *path;
	const struct image_options *image;
	enum run_firmware firmware;
	uint64_t memory;	/* bytes; 0: 2 GiB, 4 GiB for Windows 11 */
	const char *display;	/* QEMU's -display; NULL: its own choice */
	const char *serial;	/* QEMU's -serial; NULL: a window of QEMU's */
	bool write;		/* what is written stays */
};
struct run_plan {
	enum run_what what;
	enum kvm_state kvm;
	char *why;		/* not KVM; or NULL */
	struct strings argv;	/* of QEMU */
};
const char *run_what_name(enum run_what what);	/* "stick", "iso", ... */
void run_plan_free(struct run_plan *plan);
/* Recognises what the path is; finds out whether KVM runs. Starts nothing. */
int run_plan_make(const struct run_options *options, struct run_plan *ret,
		  struct error *err);

#endif
