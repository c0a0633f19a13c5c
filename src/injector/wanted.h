/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which packages of a driver repository hardware profiles want: those that their <drivers>
 * name, by hardware ID or INF and version, and those that are for one of their devices.
 */
#ifndef INJECTOR_WANTED_H
#define INJECTOR_WANTED_H

#include "hwprofiles/profile.h"
#include "windows/target.h"

/* Profiles with all that they include; they must outlive what is made of them. */
DEFINE_VEC(wanted_profiles, const struct profile *);

struct wanted;
struct wanted *wanted_open(const struct wanted_profiles *profiles);
void wanted_close(struct wanted *wanted);
void wanted_closep(struct wanted **wanted);
#define _cleanup_wanted_ _cleanup_(wanted_closep)

/* Forgets what was found so far: the next Windows is asked about. */
void wanted_begin(struct wanted *wanted);
/*
 * True if a profile wants the package for this Windows. A version outside of the range that
 * <drivers> gives for it rules it out, whatever the devices say.
 */
bool wanted_inf(struct wanted *wanted, const char *inf_name, struct bytes raw,
		const struct target *target);
/*
 * What no package was found for: "ID: boot-storage PCI\VEN_8086&DEV_9A0B", "ID: iaStorVD.inf
 * from 19.0.0.0". Windows may have a driver for such a device itself.
 */
void wanted_missing(const struct wanted *wanted, struct strings *ret);

#endif
