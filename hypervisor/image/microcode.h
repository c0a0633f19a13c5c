/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Microcode for processors, for the kernel to load before all else: a small archive, not
 * compressed, in front of the initramfs (Linux, Documentation/x86/microcode.rst). The
 * files are those of the Debian packages intel-microcode and amd64-microcode, or of
 * linux-firmware: intel-ucode/FF-MM-SS and amd-ucode/microcode_amd*.bin.
 */
#ifndef IMAGE_MICROCODE_H
#define IMAGE_MICROCODE_H

#include "base/buffer.h"
#include "base/error.h"

enum microcode_vendor {
	MICROCODE_INTEL,
	MICROCODE_AMD,
	MICROCODE_VENDORS,
};
const char *microcode_vendor_name(enum microcode_vendor vendor); /* "Intel", "AMD" */
const char *microcode_package(enum microcode_vendor vendor);	 /* Debian's */

/* Of one vendor; no updates: none was found. */
struct microcode {
	size_t updates;
	uint64_t bytes;
};

/*
 * Checks a file's containers from one end to the other: each update's header, sizes and
 * (Intel) checksums, and counts the updates. NULL if it is sound, else what is wrong.
 */
const char *microcode_check(enum microcode_vendor vendor, struct bytes file,
			    size_t *updates);

/*
 * Appends an archive of what the first of the folders (laid out as /lib/firmware; NULLs
 * are passed over) that has files of a vendor has of it, for each vendor; nothing if there
 * is none. Its length is a multiple of 4096. Files may be compressed (.xz, .zst). One that
 * is damaged is an error.
 */
int microcode_archive(const char *const folders[], size_t count, struct buffer *ret,
		      struct microcode found[MICROCODE_VENDORS], struct error *err);

#endif
