/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Seals, the names of sealed data (layout.h), and dm-verity's superblock behind the data:
 * what `gild pack` writes and gild-init reads. image/verity.h makes and checks the tree,
 * init/dm.h has the kernel do it.
 *
 * The superblock is that of cryptsetup's veritysetup (its lib/verity/verity.c); the tree is
 * described in the kernel's Documentation/admin-guide/device-mapper/verity.rst.
 */
#ifndef HYPERVISOR_SEAL_H
#define HYPERVISOR_SEAL_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/guid.h"
#include "layout.h"

#define SEAL_DIGEST 32	/* SHA-256 */
#define SEAL_PER_BLOCK (LAYOUT_BLOCK / SEAL_DIGEST)	/* digests in a block of the tree */
#define SEAL_MAX_BLOCKS ((uint64_t)1 << 34)	/* 64 TiB of data */
#define SEAL_TEXT_SIZE 96

struct seal {
	char hash[2 * SEAL_DIGEST + 1];	/* of the tree's root, lower-case hexadecimal */
	uint64_t blocks;		/* of data, LAYOUT_BLOCK bytes each */
};
/* "HASH:BLOCKS". `source` is for the message. */
int seal_parse(const char *text, const char *source, struct seal *ret, struct error *err);
void seal_format(const struct seal *seal, char text[SEAL_TEXT_SIZE]);
/* Bytes of the data, and with its superblock and tree. */
uint64_t seal_data_size(const struct seal *seal);
uint64_t seal_whole_size(const struct seal *seal);
/* The unique GUID of the partition that holds it. */
struct guid seal_guid(const struct seal *seal);
/* "root-0123456789abcdef.img": name of a sealed root file system as a file. Caller's. */
char *seal_root_name(const struct seal *seal);

#define VERITY_SUPER_SIZE 512
#define VERITY_MAX_SALT 256
struct verity_super {
	uint8_t salt[VERITY_MAX_SALT];
	size_t salt_len;
};
/*
 * The bytes that follow the data. Refused (ERROR_STATE) unless it is what the seal says.
 * Written, its UUID follows from the seal.
 */
int verity_super_read(struct bytes bytes, const char *name, const struct seal *seal,
		      struct verity_super *ret, struct error *err);
void verity_super_write(const struct seal *seal, const struct verity_super *super,
			uint8_t block[LAYOUT_BLOCK]);

#endif
