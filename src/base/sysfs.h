/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * sysfs below a root folder ("" for this machine's own): small text files, numbers, links.
 * `path` is relative to ROOT/sys. Every reader of hardware goes through it, so that tests
 * give it a recorded or made-up folder.
 */
#ifndef BASE_SYSFS_H
#define BASE_SYSFS_H

#include "base/error.h"

#define SYSFS_MAX_FILE ((size_t)64 << 10)

/* The file's text without blanks at its end; NULL if it cannot be read. Caller's. */
char *sysfs_text(const char *root, const char *path);
bool sysfs_exists(const char *root, const char *path);
/* The hexadecimal number ("0x8086") in FOLDER/NAME; `missing` if it is none or not below it. */
uint32_t sysfs_number(const char *root, const char *folder, const char *name,
		      uint32_t missing);
/* The last part of what a link leads to ("../../bus/pci/drivers/e1000e": "e1000e"). Caller's. */
char *sysfs_link(const char *root, const char *path);
/* Names in a folder, sorted, without "." and ".."; none if it is not there. */
void sysfs_list(const char *root, const char *path, struct strings *ret);
/* Writes to an attribute that is there. */
int sysfs_write(const char *root, const char *path, const char *text, struct error *err);

#endif
