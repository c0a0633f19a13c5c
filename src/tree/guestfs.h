/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the files of the libguestfs provider share. The appliance gives the bytes of a
 * volume that the native path has no access to (guestfs_block.c); NTFS on them is read and
 * edited by ntfs*.c, as anywhere else. FAT and Btrfs, which gild does not know, are mounted
 * in the appliance and used file by file (guestfs_files.c, guestfs_commit.c). Private to
 * src/tree/guestfs*.c.
 */
#ifndef TREE_GUESTFS_H
#define TREE_GUESTFS_H

#include "tree/disk.h"
#include "tree/guestfs_api.h"

/* Bytes of one request to the appliance; its protocol carries less than 4 MiB. */
#define GUESTFS_REQUEST ((size_t)1 << 20)
/* By which the disk is known in the appliance, whatever name the kernel gave it. */
#define GUESTFS_LABEL "gild"

/* A folder as it was listed; entries in the appliance's spelling. */
struct guestfs_folder {
	char *path;
	struct tree_entries entries;
};

/* A volume that was looked at. */
struct guestfs_open {
	char *device;
	enum volume_kind kind;	/* NTFS, FAT or BTRFS */
	unsigned partition;
	bool encrypted;
	struct block *block;	/* NTFS */
	struct ntfs *ntfs;	/* NTFS, mounted for reading */
	char *mountpoint;	/* others: "/v1"; NULL until it is mounted */
	struct vec_of(struct guestfs_folder) folders; /* others: those listed */
};

struct guestfs {
	const struct guestfs_api *api;
	guestfs_h *handle;
	char *name;		/* the image, for messages */
	bool write;
	uint32_t sector_size;
	struct strings keys;
	struct vec_of(struct guestfs_open *) volumes;
	bool listed;
	struct strings locked;	/* BitLocker devices that no key opens */
	struct strings failures;	/* what could not be opened, and why */
};

/* An error with libguestfs' own message as the reason: "fmt: why". Always -1. */
int guestfs_failed(struct guestfs *guestfs, struct error *err, const char *fmt, ...)
	_printf_(3, 4);

/* The device as a block; the appliance must outlive it. Writes are kept until a flush. */
struct block *guestfs_block_open(struct guestfs *guestfs, const char *device, bool write,
				 struct error *err);

/* ---- guestfs_files.c ---- */

int guestfs_mount(struct guestfs *guestfs, struct guestfs_open *volume,
		  struct error *err);
struct tree *guestfs_files_tree(struct image *image, size_t index, char *name,
				struct guestfs *guestfs, struct guestfs_open *volume);
/* The path in the appliance of a path in the volume, in stored spelling. */
char *guestfs_path(const struct guestfs_open *volume, const char *path);
void guestfs_forget_folders(struct guestfs_open *volume);

/* ---- guestfs_commit.c ---- */

int guestfs_files_apply(struct guestfs *guestfs, struct guestfs_open *volume,
			const struct tree *tree, struct error *err);

#endif
