/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Registry files (.reg): what regedit exports and merges, both generations: "Windows
 * Registry Editor Version 5.00" (UTF-16LE, or UTF-8 as people save it) and "REGEDIT4"
 * (ANSI, taken as Windows-1252 unless it is UTF-8).
 */
#ifndef REGISTRY_REGFILE_H
#define REGISTRY_REGFILE_H

#include "registry/registry.h"

/*
 * Merges the text into the hives of an installation. Keys must lie below
 * HKEY_LOCAL_MACHINE (or HKLM) in SYSTEM, SOFTWARE or DRIVERS; CurrentControlSet stands for
 * every control set of the image. `name` is for messages. The whole text is checked first:
 * on an error (ERROR_USAGE, subject "NAME:LINE", what was expected) nothing is changed.
 * `changes` (may be NULL) counts the keys and values that really changed.
 */
int regfile_merge(struct registry *registry, const char *name, struct bytes text,
		  size_t *changes, struct error *err);

/*
 * Appends a key with everything below it as version 5 text in UTF-8 with CRLF line ends,
 * values and keys in stored order. `prefix` is what stands before the key's path:
 * "HKEY_LOCAL_MACHINE\\SYSTEM".
 */
int regfile_export(const struct hive *hive, hkey key, const char *prefix,
		   struct buffer *ret, struct error *err);

#endif
