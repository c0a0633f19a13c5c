/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which Windows: architecture and version as INF decorations and the registry name them. */
#ifndef WINDOWS_TARGET_H
#define WINDOWS_TARGET_H

#include "base/error.h"

/* PROCESSOR_ARCHITECTURE_*, as in the driver database's Version values. */
enum windows_arch {
	ARCH_X86 = 0,
	ARCH_ARM = 5,
	ARCH_IA64 = 6,
	ARCH_AMD64 = 9,
	ARCH_ARM64 = 12,
	ARCH_UNKNOWN = 0xFFFF,
};

/* VER_NT_*: the ProductType of TargetOSVersion. */
enum product_type {
	PRODUCT_ANY = 0,
	PRODUCT_CLIENT = 1,
	PRODUCT_DC = 2,
	PRODUCT_SERVER = 3,
};

struct target {
	enum windows_arch arch;
	uint32_t major, minor, build;
	enum product_type product;
	uint32_t suite;		/* VER_SUITE_* mask; 0: not known */
	uint16_t language;	/* LCID for [Strings.xxxx]; 0: none */
};

const char *arch_name(enum windows_arch arch);	/* "amd64": in folder names and INFs */
enum windows_arch arch_parse(const char *name);	/* also "x64", "x86_64", "i386", "aarch64" */
/* -1, 0, 1: orders major.minor.build. */
int target_compare_version(const struct target *target, uint32_t major, uint32_t minor,
			   uint32_t build);
/*
 * "10.0.19041/amd64[/client|server|dc][/SUITE]" (SUITE decimal or 0x...). Build may be
 * left out. ERROR_USAGE with what was expected.
 */
int target_parse(const char *text, struct target *ret, struct error *err);
char *target_format(const struct target *target); /* "10.0.19041/amd64/client" */

#endif
