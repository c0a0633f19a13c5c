/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is on a bootable medium besides boot loader, settings and golden image: kernel,
 * initramfs and root file system, made of what is installed on this machine (or below
 * another root folder). docs/hypervisor.md says what is where.
 *
 * The same files and SOURCE_DATE_EPOCH give the same bytes.
 */
#ifndef IMAGE_ROOTFS_H
#define IMAGE_ROOTFS_H

#include "base/buffer.h"
#include "base/error.h"
#include "image/verity.h"

struct boot_options {
	const char *kernel;	/* version; NULL: the newest that has vmlinuz and modules */
	const char *sysroot;	/* kernel, modules and programs are taken from; NULL: "/" */
	const char *firmware_dir; /* blobs for the modules, like /lib/firmware; NULL: none */
	/* The programs; NULL: those of this gild. */
	const char *init, *console, *reader;
	struct strings modules;	/* more of them, by name, whatever the rules say */
	bool no_cache;		/* make the root file system anew */
};

/* A row of the account: what the image is made of. */
struct boot_part {
	char *name;		/* "modules: storage", "QEMU", "firmware of the guest", ... */
	uint64_t files, bytes;	/* before compression */
};
DEFINE_VEC(boot_parts, struct boot_part);

struct boot_class {
	char *name;		/* "storage", "net", "display", ... */
	struct strings modules;	/* names with '_', sorted */
	uint64_t bytes;		/* of their files */
};
DEFINE_VEC(boot_classes, struct boot_class);

struct boot_set {
	char *kernel_path;	/* of vmlinuz */
	char *kernel_version;
	int initrd;		/* descriptor of a file without a name; read with pread() */
	uint64_t initrd_size;
	int root;		/* the same: sealed */
	uint64_t root_size;	/* with its hash tree */
	struct seal seal;	/* of the root: gild.root=HASH:BLOCKS */
	struct boot_parts parts;
	struct boot_classes classes; /* a module is in one */
	struct strings early;	/* modules of the initramfs */
	struct strings missing_firmware; /* "MODULE: FILE" */
	struct strings left_out; /* optional programs that are not installed: "NAME: PACKAGE" */
	bool cached;		/* the root file system was there already */
};

/*
 * Makes all of it; takes some ten seconds. Reports progress. What is missing on this machine
 * is an error that names its Debian package.
 */
int boot_set_make(const struct boot_options *options, struct boot_set *ret,
		  struct error *err);
void boot_set_free(struct boot_set *set);

/* ---- small archives: concatenated to the initrd by boot loaders ---- */

struct config_file {
	const char *path;	/* "etc/gild/init.conf"; its folders come by themselves */
	struct bytes data;
	bool secret;		/* mode 600 instead of 644: the Wi-Fi key */
};
/*
 * A cpio archive (newc, not compressed, padded to 512 bytes) of the settings, in the order
 * of their paths.
 */
int config_archive(const struct config_file files[], size_t count, struct buffer *ret,
		   struct error *err);
/*
 * For network boot: a cpio archive that holds the set's root file system as
 * LAYOUT_ROOT_INITRAMFS, added to `ret`.
 */
int root_archive(const struct boot_set *set, struct buffer *ret, struct error *err);

#endif
