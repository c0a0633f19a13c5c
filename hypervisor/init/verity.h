/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Sealed data (layout.h): the seal that names it, dm-verity's superblock behind it, and the
 * kernel's table for it. Nothing here asks the kernel for anything; dm.h does.
 *
 * The superblock is that of cryptsetup's veritysetup (its lib/verity/verity.c); the tree is
 * described in the kernel's Documentation/admin-guide/device-mapper/verity.rst.
 */
#ifndef INIT_VERITY_H
#define INIT_VERITY_H

#include "base/error.h"
#include "base/buffer.h"
#include "base/guid.h"

#define VERITY_SUPER_SIZE 512
#define VERITY_MAX_SALT 256
#define SEAL_MAX_BLOCKS ((uint64_t)1 << 34)	/* 64 TiB of data */

struct seal {
	char hash[65];		/* of the tree's root, lower-case hexadecimal */
	uint64_t blocks;	/* of data, LAYOUT_BLOCK bytes each */
};
/* "HASH:BLOCKS". `source` is for the message. */
int seal_parse(const char *text, const char *source, struct seal *ret, struct error *err);
/* Bytes of the data, and with its superblock and tree. */
uint64_t seal_data_size(const struct seal *seal);
uint64_t seal_whole_size(const struct seal *seal);
/* The unique GUID of the partition that holds it. */
struct guid seal_guid(const struct seal *seal);

struct verity_super {
	uint8_t salt[VERITY_MAX_SALT];
	size_t salt_len;
};
/* The bytes that follow the data. Refused (ERROR_STATE) unless it is what the
 * seal says. */
int verity_super_read(struct bytes bytes, const char *name, const struct seal *seal,
		      struct verity_super *ret, struct error *err);
/* Arguments of the kernel's target for a device that holds all. Caller's. */
char *verity_table(const char *device, const struct seal *seal,
		   const struct verity_super *super);

#endif
