/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The PC that gild runs on, read from sysfs. Root is not needed: what only root may read
 * (the SMBIOS table itself) is taken from the files that all may read, or stays unknown.
 */
#ifndef HWPROFILES_PROBE_H
#define HWPROFILES_PROBE_H

#include "base/error.h"
#include "hwprofiles/pc.h"

/* `root` is put before /sys: "" for this machine. */
int probe_pc(const char *root, struct pc *ret, struct error *err);
/* What sysfs has of a PCI function; `folder` as in base/sysfs.h. */
struct pci_function probe_pci_function(const char *root, const char *folder);

#endif
