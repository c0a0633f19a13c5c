/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Boot configuration data: the registry hive from which the boot manager of Vista and
 * later takes what it starts. Objects\{guid}\Description\Type says what an object is,
 * Objects\{guid}\Elements\TTTTTTTT\Element holds one setting.
 */
#ifndef WINDOWS_BCD_H
#define WINDOWS_BCD_H

#include "registry/hive.h"
#include "tree/tree.h"

/* Settings of an OS loader that choose the HAL and the kernel. */
#define BCD_DETECT_HAL 0x26000010u	/* boolean: winload picks them by the machine */
#define BCD_KERNEL 0x22000011u		/* string: file in System32 */
#define BCD_HAL 0x22000012u

/* Where stores lie: on the system volume, and the template that new ones are made from. */
#define BCD_BIOS "Boot/BCD"
#define BCD_EFI "EFI/Microsoft/Boot/BCD"
#define BCD_TEMPLATE "Windows/System32/config/BCD-Template"

/* Opens the store with its logs. 1: *ret is the caller's, 0: there is no such file, -1. */
int bcd_hive_open(struct tree *tree, const char *path, bool accept_dirty,
		  struct hive **ret, struct error *err);
/* Stages the changed store and empties its logs, which must not be replayed over it. */
int bcd_hive_stage(struct tree *tree, const char *path, struct hive *hive,
		   struct error *err);

/*
 * Switches detecthal on in every loader of the store that starts a Windows (not Windows
 * PE or a recovery environment), unless the loader names a kernel or HAL of its own, and
 * stages the store, emptying its logs. The loaders that were changed are added to `ret` as
 * "PATH {guid}: detecthal". 1: changed, 0: no such store or nothing to do, -1: error.
 */
int bcd_detect_hal(struct tree *tree, const char *path, bool accept_dirty,
		   struct strings *ret, struct error *err);

#endif
