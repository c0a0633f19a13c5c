/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The firmware's tables of IOMMUs: DMAR (Intel, "Virtualization Technology for Directed
 * I/O", chapter 8) and IVRS (AMD, "I/O Virtualization Technology", chapter 5). Bytes of a
 * table are the firmware's and are not trusted.
 */
#ifndef INIT_ACPI_H
#define INIT_ACPI_H

#include "base/buffer.h"
#include "base/error.h"

#define ACPI_MAX_TABLE ((size_t)1 << 20)
#define ACPI_MAX_RESERVED 64	/* devices with reserved memory that are kept */

enum acpi_iommu_kind {
	ACPI_IOMMU_NONE,
	ACPI_IOMMU_DMAR,
	ACPI_IOMMU_IVRS,
};
struct acpi_iommu {
	enum acpi_iommu_kind kind;
	unsigned units;			/* remapping hardware units */
	bool interrupt_remapping;	/* the table has all that the kernel needs for it */
	/*
	 * Devices on which firmware keeps working in memory of its own (RMRR): the kernel
	 * gives none of them away, but graphics and USB. segment << 16 | bus << 8 |
	 * device << 3 | function.
	 */
	uint32_t reserved[ACPI_MAX_RESERVED];
	unsigned reserved_count;
};
const char *acpi_iommu_name(enum acpi_iommu_kind kind);	/* "none", "vt-d", "amd-vi" */

/* Reads a table of either kind, by its signature. `name` is for messages. */
int acpi_iommu_read(struct bytes table, const char *name, struct acpi_iommu *ret,
		    struct error *err);

#endif
