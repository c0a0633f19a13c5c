/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Disk images as images of trees: one tree for each Windows that a disk holds (disk.c),
 * made durable in place through a journal or as a new file (disk_commit.c); volumes that
 * only libguestfs opens (guestfs.c). Private to src/tree.
 */
#ifndef TREE_DISK_H
#define TREE_DISK_H

#include "block/container.h"
#include "block/partition.h"
#include "tree/fat.h"
#include "tree/ntfs.h"

/* A volume of the disk that was looked at. */
struct disk_volume {
	struct partition partition;	/* .name belongs to the table */
	struct volume_info info;
	struct block *window;		/* NTFS, and FAT once its tree is asked for */
	struct ntfs *ntfs;		/* mounted for reading, if NTFS that mounts */
	struct fat *fat;		/* the same for FAT */
	struct tree *tree;		/* over it; image.trees may have it as well */
	char *failure;			/* why it could not be mounted; or NULL */
	bool system;			/* holds a boot manager: ESP, active partition */
};
DEFINE_VEC(disk_volumes, struct disk_volume);

struct guestfs;
/* A file system in the appliance that a tree can be made of. */
struct guestfs_volume {
	char *device;		/* "/dev/sda2", "/dev/mapper/..." */
	char *type;		/* "ntfs", "vfat", "btrfs" */
	char *label;		/* may be NULL */
	unsigned partition;	/* its number; 0: of no single partition (LDM) */
	bool encrypted;		/* opened with a BitLocker key */
	bool windows, system;	/* holds a Windows; holds a boot manager */
};
DEFINE_VEC(guestfs_volumes, struct guestfs_volume);

struct disk_image {
	struct image image;
	struct container container;
	struct block *block;		/* the virtual disk, for reading */
	struct partition_table table;
	struct disk_volumes volumes;
	/* Volumes with a Windows, in image order: of `volumes`, or of `remote`. */
	struct vec_of(size_t) windows;
	size_t system;			/* the volume with the boot manager, or SIZE_MAX */
	char *journal;			/* path of the journal file, whether it exists or not */
	int lock;			/* descriptor that holds gild's lock, or -1 */
	bool by_guestfs;		/* volumes are libguestfs', not gild's own: */
	struct guestfs *guestfs;	/* the appliance; NULL when it has ended */
	struct guestfs_volumes remote;	/* what it opens */
	struct vec_of(struct tree *) remote_trees; /* one for each, NULL until opened */
	char *overlay;			/* the qcow2 over the image that it works on, or NULL */
	char *folder;			/* the temporary folder of the overlay */
};

/* ---- disk_layout.c ---- */

/*
 * Describes the disk in image.disk, once its volumes and image.infos are known. What
 * cannot be read of a volume (a label) is left out. image_close() releases it.
 */
void disk_layout(struct disk_image *disk);

/* ---- disk.c ---- */

/* "partition 2", or "the volume" (of no single partition). Owned by the caller. */
char *disk_partition_name(unsigned number);
/* The same behind the disk's name: of windows and trees. */
char *disk_volume_name(const struct disk_image *disk, unsigned number);
/* Of the next Windows' volume, also if it is sound. */
void disk_add_problem(struct disk_image *disk, unsigned partition,
		      enum ntfs_condition condition, const char *detail);
/* ERROR_STATE with the remedy if the i-th Windows' volume must not be edited. */
int disk_check_sound(const struct disk_image *disk, size_t i, struct error *err);

/* ---- disk_recover.c ---- */

/* Takes gild's lock on the image: exclusive if it was opened for writing. */
int disk_lock(struct disk_image *disk, struct error *err);
/* Finishes or drops what an interrupted edit left, with a notice(). Before the block is
 * opened; may probe the container anew. */
int disk_recover(struct disk_image *disk, struct error *err);
/* Refuses what cannot be edited in place: the container, the place of the journal. */
int disk_check_in_place(const struct disk_image *disk, struct error *err);

/* ---- disk_guestfs.c: a disk whose volumes libguestfs opens ---- */

/* Starts the appliance on an overlay; `why` it is needed, or NULL if it was asked for. */
int disk_guestfs_open(struct disk_image *disk, const char *why, struct error *err);
struct tree *disk_guestfs_tree(struct disk_image *disk, size_t volume, struct error *err);
/* Lets the appliance make the staged changes, ends it, and copies what changed. */
int disk_guestfs_apply(struct disk_image *disk, struct block *target, struct error *err);
void disk_guestfs_close(struct disk_image *disk);

/* ---- disk_commit.c ---- */

/* Probes an overlay or copy of the disk: it may refer to what the disk is made of. */
int disk_probe_new(const struct disk_image *disk, const char *path,
		   struct container *ret, struct error *err);

int disk_commit(struct image *image, const struct image_commit_options *options,
		uint64_t *bytes_written, struct error *err);
/* True if anything is staged, on system volumes as well. */
bool disk_changed(const struct image *image);

/* ---- guestfs.c: the appliance, loaded when first needed ---- */

void guestfs_volumes_free(struct guestfs_volumes *volumes);
/*
 * Starts the appliance on the image (format as probed, sector size of the disk), which
 * takes seconds, or up to a minute without KVM. Any of `keys` (BitLocker passphrases or
 * recovery passwords; may be NULL) may be of any volume. With `write` the file is written
 * to: give an overlay. Messages call it `name`. ERROR_USAGE if libguestfs is not installed, with the remedy.
 */
struct guestfs *guestfs_begin(const char *name, const char *path, const char *format,
			      uint32_t sector_size, bool write,
			      const struct strings *keys, struct error *err);
/*
 * The volumes, in the disk's order. ERROR_STATE if none holds a Windows and one is locked
 * by BitLocker.
 */
int guestfs_list(struct guestfs *guestfs, struct guestfs_volumes *ret, struct error *err);
/* `name` is taken. The appliance must outlive the tree. */
struct tree *guestfs_tree(struct image *image, size_t index, char *name,
			  struct guestfs *guestfs, const char *device, struct error *err);
/* As ntfs_examine(); sound if it is no NTFS. */
int guestfs_examine(struct guestfs *guestfs, const char *device,
		    enum ntfs_condition *ret, char **detail, struct error *err);
/*
 * As ntfs_apply() (space is checked first), in an appliance that was begun for writing:
 * the one that the tree reads from, or another one on the same disk.
 */
int guestfs_apply(struct guestfs *guestfs, const char *device, const struct tree *tree,
		  struct error *err);
/* Unmounts, syncs and ends the appliance; NULL is fine. */
int guestfs_end(struct guestfs *guestfs, struct error *err);

#endif
