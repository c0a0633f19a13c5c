/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * EFI_LOAD_OPTION, the content of Boot####: UEFI specification 2.10, sections 3.1.3 (the
 * option), 10.3.1 (device path nodes), 10.3.5.1 (hard drive) and 10.3.5.4 (file).
 */
#ifndef INIT_NATIVE_OPTION_H
#define INIT_NATIVE_OPTION_H

#include "base/error.h"
#include "base/guid.h"

#define LOAD_OPTION_MAX ((size_t)64 << 10)	/* bytes; FilePathListLength has 16 bits */
#define LOAD_OPTION_MAX_NODES 64

/* A partition of a GPT disk. */
struct load_option_partition {
	uint32_t number;	/* from 1 */
	uint64_t start, size;	/* in blocks of the disk */
	struct guid guid;	/* its own, not its type's */
};
struct load_option {
	uint32_t attributes;	/* bit 0: active */
	char *description;
	bool gpt;		/* its path names a partition by GUID: this one */
	struct guid guid;
	char *file;		/* "\EFI\BOOT\BOOTX64.EFI"; NULL: the path ends before */
};
void load_option_free(struct load_option *option);
#define _cleanup_load_option_ _cleanup_(load_option_free)

/* name: for messages. Options that start something else than a file are good ones, too. */
int load_option_read(struct bytes data, const char *name, struct load_option *ret,
		     struct error *err);
/* True if it starts this file of this partition: names have no case. */
bool load_option_starts(const struct load_option *option, const struct guid *partition,
			const char *file);
/* Appends an active option. */
void load_option_write(const char *description, const struct load_option_partition *p,
		       const char *file, struct buffer *ret);

#endif
