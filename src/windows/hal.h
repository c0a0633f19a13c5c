/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which HAL and kernel an image of Windows NT 5 (or x86 6.0, 6.1) was installed with.
 * System32 always calls them hal.dll, ntoskrnl.exe and ntkrnlpa.exe: what they are is told
 * by OriginalFilename in their version resources, and by the hardware ID of the device
 * "Computer" (Enum\Root\ACPI_HAL\0000, or PCI_HAL).
 */
#ifndef WINDOWS_HAL_H
#define WINDOWS_HAL_H

#include "registry/registry.h"

struct hal_kind {
	const char *id;		/* "acpiapic_mp": hardware ID of the Computer device */
	const char *file;	/* "halmacpi.dll": its name on the medium */
	const char *text;	/* "ACPI multiprocessor" */
	bool acpi, multiprocessor;
};
/* The kinds for x86, the best for today's PCs first; *n is their number. */
const struct hal_kind *hal_kinds(size_t *n);
const struct hal_kind *hal_kind_by_file(const char *file);	/* or NULL */
const struct hal_kind *hal_kind_by_id(const char *hardware_id);	/* or NULL */

struct hal {
	const struct hal_kind *kind;	/* by the file; NULL: another or not known */
	const struct hal_kind *registered;	/* by the registry; NULL: not recorded */
	char *computer_id;	/* the hardware ID as recorded, or NULL */
	char *file, *kernel, *pae_kernel;	/* OriginalFilename, or NULL */
	uint64_t file_version, kernel_version;	/* 0: not known */
	bool kernel_multiprocessor;	/* by its OriginalFilename */
};
void hal_free(struct hal *hal);
#define _cleanup_hal_ _cleanup_(hal_free)

/* What is not there or not readable as a PE stays NULL or 0. */
int hal_read(struct tree *tree, struct hive *system, const char *control_set,
	     struct hal *ret, struct error *err);

/*
 * The service pack that a system file of this version belongs to (5.1.2600: XP,
 * 5.2.3790: Server 2003 and XP x64): updates raise the revision within the pack's range.
 * False for other versions.
 */
bool hal_service_pack(uint64_t version, unsigned *ret);

#endif
