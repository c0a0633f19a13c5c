/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The firmware's boot options by the kernel's efivarfs: one file for each variable, four
 * bytes of attributes and the value, written by one write(). UEFI specification 2.10,
 * section 3.3: Boot####, BootOrder, BootNext.
 */
#ifndef INIT_NATIVE_EFI_H
#define INIT_NATIVE_EFI_H

#include "init/native_option.h"

#define NATIVE_EFI_MAX_OPTIONS 512	/* Boot#### that are looked at */

struct native_efi_choice {
	uint16_t number;	/* of Boot#### */
	bool made;		/* it was not there before */
};
/*
 * The firmware starts this file once, at its next start: by the option that does so, or by
 * a new one, which is put into no order. folder: where efivarfs is mounted.
 */
int native_efi_next(const char *folder, const struct load_option_partition *partition,
		    const char *file, struct native_efi_choice *ret, struct error *err);

#endif
