/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * PCI devices for the guest: which of them may go together (the plan), and handing them
 * to vfio-pci and back (the deed). The plan only reads what machine.h knows; the deed only
 * writes to sysfs.
 */
#ifndef INIT_PASSTHROUGH_H
#define INIT_PASSTHROUGH_H

#include "hwprofiles/profile.h"
#include "init/machine.h"

/* Devices that go to the guest together or not at all. */
struct passthrough_set {
	char *name;		/* the profile's group, or the first device's address */
	struct strings addresses;	/* in their order on the bus */
	bool display;
	char *refused;		/* why they stay; NULL: they go */
	struct strings warnings;	/* what may go wrong */
};
DEFINE_VEC(passthrough_sets, struct passthrough_set);
void passthrough_sets_free(struct passthrough_sets *sets);

struct passthrough_wish {
	bool off;			/* nothing goes */
	/* Also what the profile merely allows; storage and USB controllers only so. */
	bool roles[PC_ROLES];
	const struct strings *kept;	/* addresses that stay with the host; or NULL */
};
/*
 * Every set that the profile wants, or allows and the wish asks for. A set takes in what
 * shares an IOMMU group with it if the profile lets that go; else it is refused.
 */
void passthrough_plan(const struct machine *machine, const struct profile *profile,
		      const struct passthrough_wish *wish, struct passthrough_sets *ret);

/* How sysfs is written: sysfs_write(), or a test's. */
typedef int passthrough_write_fn(const char *root, const char *path, const char *text,
				 struct error *err);
/*
 * Binds all devices of the set to vfio-pci: override, unbind, probe; then looks that it
 * is so. If one fails, all that were changed are given back to the host's drivers.
 */
int passthrough_bind(const char *root, const struct passthrough_set *set,
		     passthrough_write_fn *write, struct error *err);
/* Gives the set back; goes on past errors and returns the first. */
int passthrough_release(const char *root, const struct passthrough_set *set,
			passthrough_write_fn *write, struct error *err);
/*
 * True if every function of the group, bridges apart, is bound to vfio-pci or to nothing:
 * the kernel's condition for handing out /dev/vfio/GROUP.
 */
bool passthrough_viable(const char *root, int group);

#endif
