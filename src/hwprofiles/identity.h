/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a PC calls itself: the SMBIOS tables, and the Computer Hardware IDs that Windows and
 * fwupd make of them.
 */
#ifndef HWPROFILES_IDENTITY_H
#define HWPROFILES_IDENTITY_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/guid.h"
#include "hwprofiles/pc.h"

/*
 * Reads the structure table: /sys/firmware/dmi/tables/DMI, or a `dmidecode --dump-bin`
 * file, whose entry point says where the table is. `name` is for messages. Sources: DMTF
 * DSP0134; dmidecode(8) for the dump's layout.
 */
int smbios_read(struct bytes table, const char *name, struct pc_identity *ret,
		struct error *err);

/* HardwareID-0 (all fields) to HardwareID-14 (manufacturer alone). */
#define CHID_COUNT 15
struct chids {
	bool present[CHID_COUNT];	/* false: a field that it needs is not known */
	struct guid ids[CHID_COUNT];
};
/*
 * UUID version 5 of the fields, joined by "&", in UTF-16LE. Source: Microsoft,
 * "Specifying hardware IDs for a computer"; checked against the ComputerIds of real
 * SYSTEM hives and against fwupdtool.
 */
void chids_of(const struct pc_identity *identity, struct chids *ret);
/* The text that ID number `n` is the hash of; NULL if a field is not known. Caller's. */
char *chid_text(const struct pc_identity *identity, unsigned n);
/* "Manufacturer + Family + ProductName": for people. */
const char *chid_fields(unsigned n);

#endif
