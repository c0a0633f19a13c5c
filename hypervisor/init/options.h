/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What init is told: words KEY=VALUE from its file, the kernel's command line (as
 * gild.KEY=VALUE), the profile's quirks and QEMU's fw_cfg. A later word wins.
 */
#ifndef INIT_OPTIONS_H
#define INIT_OPTIONS_H

#include "base/error.h"

#define OPTIONS_MAX_TEXT ((size_t)64 << 10)
#define OPTIONS_MAX_WORDS 1024

struct options {
	struct strings words;	/* "KEY=VALUE", in the order in which they came */
};
#define OPTIONS_INIT                                                                      \
	{                                                                                 \
		VEC_INIT                                                                  \
	}
void options_free(struct options *options);
#define _cleanup_options_ _cleanup_(options_free)

/* Words between white space; what follows '#' up to the line's end is a remark. */
int options_add(struct options *options, const char *text, const char *source,
		struct error *err);
/* The words of a kernel command line that start with "gild."; others are the kernel's. */
int options_add_cmdline(struct options *options, const char *cmdline, struct error *err);
/* The last value of the key, or NULL. Belongs to the options. */
const char *options_get(const struct options *options, const char *key);
/* "on" or "off"; anything else is an error that names the key. */
int options_switch(const struct options *options, const char *key, bool otherwise, bool *ret,
		   struct error *err);
/* A decimal number from `least` to `most`, with M or G behind it (binary) if `sizes`. */
int options_number(const struct options *options, const char *key, bool sizes,
		   uint64_t least, uint64_t most, uint64_t *ret, struct error *err);
/* True if the comma-separated value of the key has the item. */
bool options_has(const struct options *options, const char *key, const char *item);
/* A key that nobody knows ends what came with it: `known` ends with NULL. */
int options_check(const struct options *options, const char *const known[],
		  struct error *err);

#endif
