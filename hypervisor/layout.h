/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where things lie in the bootable image: what `gild pack` writes and gild-init looks for.
 * docs/hypervisor.md has the whole picture.
 */
#ifndef HYPERVISOR_LAYOUT_H
#define HYPERVISOR_LAYOUT_H

/*
 * GPT partition types of our own. A root partition's unique GUID is the first 16 bytes of
 * its root hash, in the order in which its text has them.
 */
#define LAYOUT_TYPE_ROOT "4038b2bd-ef50-4c09-a2df-082587a312bb"
#define LAYOUT_TYPE_IMAGE "e605fc08-d29d-46ee-90c1-b43dd03ef665"
#define LAYOUT_TYPE_STATE "f521279a-189d-496f-9e41-2d9175c8c763"

/*
 * Sealed data: the data, zeros to the next LAYOUT_BLOCK, then dm-verity's superblock and
 * hash tree (version 1, SHA-256, blocks of LAYOUT_BLOCK). It is named by its root hash and
 * the number of its data blocks: SEAL = 64 hex digits, ':', decimal.
 */
#define LAYOUT_BLOCK 4096

/* On the kernel's command line: the seal of the root file system. */
#define LAYOUT_ROOT_OPTION "gild.root"

/* Folder of the boot medium (ESP, ISO); a slot of disk installs has one of its own. */
#define LAYOUT_FOLDER "gild"
/* A sealed root file system as a file: "root-" and the first 16 digits of its hash. */
#define LAYOUT_ROOT_PREFIX "root-"
/* The same in an initramfs, for network boot. */
#define LAYOUT_ROOT_INITRAMFS "/root.img"

/* The settings, in an initramfs of their own: small, and the rest need not know them. */
#define LAYOUT_CONFIG "/etc/gild"
#define LAYOUT_CONFIG_FILE LAYOUT_CONFIG "/init.conf"
#define LAYOUT_PROFILES LAYOUT_CONFIG "/profiles"
#define LAYOUT_IMAGES LAYOUT_CONFIG "/images"

/* GRUB's environment block on the ESP; init says in it that a slot came up. */
#define LAYOUT_GRUBENV "gild/grubenv"

#endif
