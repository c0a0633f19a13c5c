/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From golden images and what is installed on this machine to a boot medium. */
#ifndef IMAGE_PACK_H
#define IMAGE_PACK_H

#include "image/media.h"
#include "image/microcode.h"
#include "image/modules.h"
#include "tree/tree.h"

enum pack_kind {
	PACK_DISK,	/* stick or disk: GPT, two slots */
	PACK_ISO,
	PACK_FOLDER,	/* network boot */
};
/* By the output's ending: .img .raw, .iso, '/'. False: by none. */
bool pack_kind_of_name(const char *output, enum pack_kind *ret);

#define PACK_DEFAULT_SLOT (2 * MEDIA_GIB)
#define PACK_DEFAULT_STATE (1 * MEDIA_GIB)

struct pack_options {
	const struct strings *images;
	const char *output;
	enum pack_kind kind;
	const char *url;		/* of a folder: where its contents will be; or NULL */
	const char *update;		/* a disk whose other slot is written instead */
	struct golden_options golden;
	struct boot_options boot;
	const struct strings *profiles;	/* IDs or files; none: all that are known */
	const char *wifi;		/* wpa_supplicant.conf, or NULL */
	const char *append;		/* to the kernel's command line, or NULL */
	const struct strings *init;	/* KEY=VALUE for init.conf */
	const char *start;		/* names of images by commas, or NULL: the first */
	const char *persist;		/* "on", "off"; NULL: on where there is a state */
	uint64_t slot_size, state_size;	/* bytes of a disk's partitions */
	const char *sign_key, *sign_cert; /* PEM; both or none */
	const struct strings *inventories; /* of PCs: what the choice of modules costs them */
};

struct pack_part {
	const char *role;	/* "bios", "esp", "root-a", "root-b", "image", "state" */
	unsigned number;
	uint64_t offset, size;
	struct guid guid;
};
DEFINE_VEC(pack_parts, struct pack_part);

struct pack_result {
	struct boot_set set;
	struct goldens images;
	char *cmdline;
	uint64_t kernel_size, config_size;
	uint64_t initrd_size;		/* with microcode in front */
	struct microcode microcode[MICROCODE_VENDORS];
	size_t profiles;		/* how many are in it */
	struct pack_parts partitions;	/* of a disk */
	char slot;			/* of a disk: written and started next */
	uint64_t size, allocated;	/* of the output */
	bool uki;
	struct strings renewed;		/* by an update: "shim", "GRUB for BIOS", ... */
	struct module_losses losses;	/* by the inventories, most PCs first */
	struct strings warnings;
};
void pack_result_free(struct pack_result *result);
#define _cleanup_pack_result_ _cleanup_(pack_result_free)

/* `ret` is filled as far as the work came, also on failure; free it in any case. */
int pack_run(const struct pack_options *options, struct pack_result *ret,
	     struct error *err);

#endif
