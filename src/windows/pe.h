/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What gild reads of executables (PE): the machine and the version resource. */
#ifndef WINDOWS_PE_H
#define WINDOWS_PE_H

#include "base/buffer.h"
#include "windows/target.h"

/* ARCH_UNKNOWN if it is no PE file or another machine. */
enum windows_arch pe_arch(struct bytes file);
/*
 * The bytes of the first section of that name (at most 8 characters), as far as they are
 * both in the file and in memory; empty if there is none.
 */
struct bytes pe_section(struct bytes file, const char *name);
/*
 * The product's file version (VS_FIXEDFILEINFO), major<<48 | minor<<32 | build<<16 |
 * revision. False if there is none.
 */
bool pe_file_version(struct bytes file, uint64_t *ret);
/*
 * A text of the version resource, "OriginalFilename" or "ProductVersion", of its first
 * language. NULL if there is none; the caller's.
 */
char *pe_version_string(struct bytes file, const char *name);

#endif
