/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "init/acpi.h"

#define ACPI_HEADER 36
#define BODY 48		    /* both tables have 12 bytes of their own after the header */
#define MAX_STRUCTURES 1024 /* remapping structures of one table */
#define MAX_SCOPES 1024	    /* device scopes or entries of one structure */

#define DMAR_INTR_REMAP 0x01u
enum dmar_type {
	DMAR_DRHD = 0,
	DMAR_RMRR = 1,
};
#define RMRR_SCOPES 24
#define SCOPE_ENDPOINT 1u

enum ivrs_type {
	IVRS_IVHD_10 = 0x10,
	IVRS_IVHD_11 = 0x11,
	IVRS_IVHD_40 = 0x40,
};
#define IVHD_SPECIAL 0x48u /* device entry: an I/O APIC or HPET */
#define IVHD_ACPI 0xF0u	   /* device entry of variable length */
#define SPECIAL_IOAPIC 1u

const char *acpi_iommu_name(enum acpi_iommu_kind kind)
{
	static const char *const names[] = {"none", "vt-d", "amd-vi"};

	return names[kind];
}

/* ---- DMAR */

/* Endpoints right on the scope's bus; what lies behind bridges is not followed. */
static void take_scopes(struct bytes rmrr, struct acpi_iommu *ret)
{
	uint16_t segment = 0;
	uint64_t at = RMRR_SCOPES;

	if (!bytes_le16(rmrr, 6, &segment))
		return;
	for (unsigned n = 0; n < MAX_SCOPES && bytes_has(rmrr, at, 6); n++) {
		const uint8_t *s = rmrr.data + at;

		if (s[1] < 6 || !bytes_has(rmrr, at, s[1]))
			return;
		if (s[0] == SCOPE_ENDPOINT && s[1] == 8 &&
		    ret->reserved_count < ACPI_MAX_RESERVED)
			ret->reserved[ret->reserved_count++] =
				(uint32_t)segment << 16 | (uint32_t)s[5] << 8 |
				(uint32_t)(s[6] & 0x1F) << 3 | (s[7] & 7u);
		at += s[1];
	}
}

static void take_dmar(uint16_t type, struct bytes structure, struct acpi_iommu *ret)
{
	if (type == DMAR_DRHD)
		ret->units++;
	else if (type == DMAR_RMRR)
		take_scopes(structure, ret);
}

/* ---- IVRS */

/* Length of a device entry by its type (section 5.2.2.1); 0: what follows is unknown. */
static size_t entry_length(struct bytes ivhd, uint64_t at)
{
	uint8_t type = ivhd.data[at];

	if (type < 0x40)
		return 4;
	if (type < 0x80)
		return 8;
	if (type == IVHD_ACPI && bytes_has(ivhd, at, 22))
		return 22 + (size_t)ivhd.data[at + 21];
	return 0;
}

/* The kernel remaps interrupts only where the table tells which unit has the I/O APIC. */
static void take_ivhd(uint16_t type, struct bytes ivhd, struct acpi_iommu *ret)
{
	uint64_t at = type == IVRS_IVHD_10 ? 24 : 40;

	/* Newer kinds describe the same unit again: each unit has one of kind 0x10. */
	if (type == IVRS_IVHD_10 || !ret->units)
		ret->units++;
	for (unsigned n = 0; n < MAX_SCOPES && bytes_has(ivhd, at, 4); n++) {
		size_t len = entry_length(ivhd, at);

		if (!len || !bytes_has(ivhd, at, len))
			return;
		if (ivhd.data[at] == IVHD_SPECIAL && ivhd.data[at + 7] == SPECIAL_IOAPIC)
			ret->interrupt_remapping = true;
		at += len;
	}
}

static void take_ivrs(uint16_t type, struct bytes structure, struct acpi_iommu *ret)
{
	if (type == IVRS_IVHD_10 || type == IVRS_IVHD_11 || type == IVRS_IVHD_40)
		take_ivhd(type, structure, ret);
}

/* ---- both */

/* In IVRS the type is one byte, followed by flags. */
static int each_structure(struct bytes table, const char *name, struct acpi_iommu *ret,
			  struct error *err)
{
	uint64_t at = BODY;

	for (unsigned n = 0; bytes_has(table, at, 1); n++) {
		uint16_t type, len;

		if (n == MAX_STRUCTURES)
			return error_set(err, ERROR_FAILED, name,
					 "has more than %u structures", MAX_STRUCTURES);
		if (!bytes_le16(table, at, &type) || !bytes_le16(table, at + 2, &len) ||
		    len < 4 || !bytes_has(table, at, len))
			return error_set(err, ERROR_FAILED, name,
					 "the structure at byte %llu does not fit",
					 (unsigned long long)at);
		if (ret->kind == ACPI_IOMMU_DMAR)
			take_dmar(type, bytes_at(table, at, len), ret);
		else
			take_ivrs(type & 0xFF, bytes_at(table, at, len), ret);
		at += len;
	}
	return 0;
}

int acpi_iommu_read(struct bytes file, const char *name, struct acpi_iommu *ret,
		    struct error *err)
{
	struct acpi_iommu found = {0};
	struct bytes table;
	uint32_t len;

	*ret = found;
	if (!bytes_le32(file, 4, &len) || len < BODY || !bytes_has(file, 0, len) ||
	    len > ACPI_MAX_TABLE)
		return error_set(err, ERROR_FAILED, name,
				 "is too short for an ACPI table of IOMMUs, or cut off");
	table = bytes_at(file, 0, len);
	if (memcmp(table.data, "DMAR", 4) == 0) {
		found.kind = ACPI_IOMMU_DMAR;
		found.interrupt_remapping = table.data[ACPI_HEADER + 1] & DMAR_INTR_REMAP;
	} else if (memcmp(table.data, "IVRS", 4) == 0) {
		found.kind = ACPI_IOMMU_IVRS;
	} else {
		return error_set(err, ERROR_FAILED, name, "is neither DMAR nor IVRS");
	}
	if (each_structure(table, name, &found, err) < 0)
		return -1;
	*ret = found;
	return 0;
}
