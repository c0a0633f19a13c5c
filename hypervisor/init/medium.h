/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where on the PC's disks something lies: a GPT partition by type or unique GUID, a file on
 * a FAT, ISO 9660 or ext4 file system. Disks show up as time goes by, so a search goes on.
 */
#ifndef INIT_MEDIUM_H
#define INIT_MEDIUM_H

#include "base/error.h"
#include "base/guid.h"

struct medium {
	char *disk;		/* the kernel's name of the whole disk: "sda" */
	char *label;		/* for messages: "sda2 (SanDisk Ultra, 15.6 GB)" */
	char *source;		/* block device or file that has it */
	bool is_device;		/* source is that and nothing else; or a loop device over it: */
	uint64_t offset, size;	/* the part of the source; size 0: up to its end */
	unsigned number;	/* of the GPT partition; 0: it is a file */
	bool mounted;		/* its file system, on the search's target */
};
void medium_free(struct medium *medium);

#define MEDIUM_MAX_SEEN 256
#define MEDIUM_NO_SYMLINKS 256ul /* MS_NOSYMFOLLOW, which older libraries do not name */
struct medium_search {
	const char *root;	/* before /sys and /dev; "" on a real PC */
	/* Either or both of these are looked for. NULL: any. */
	const struct guid *type, *guid;
	const char *file;	/* path on a file system, or NULL */
	const char *target;	/* where that is mounted, read-only; made */
	const char *disk;	/* only this one, or NULL */
	bool ext4;		/* files also there; its journal is left alone */
	struct strings examined;	/* "sda1": looked at already */
	struct strings disks;		/* labels of all disks that were seen */
};
void medium_search_free(struct medium_search *search);
/*
 * The next place: 1; none among the disks that are there: 0. A place that turns out to be
 * wrong is given back by medium_release(); it does not come again.
 */
int medium_next(struct medium_search *search, struct medium *ret);
/* Unmounts and frees. */
void medium_release(const struct medium_search *search, struct medium *medium);
/* A device came, went or changed: it is looked at again. */
void medium_forget(struct medium_search *search, const char *name);

/*
 * A block device of exactly what was found, caller's. `*loop` is set if it is a loop device
 * that was made for it.
 */
int medium_device(const struct medium *medium, bool writable, char **ret, bool *loop,
		  struct error *err);
/* Copies the first `size` bytes to a new file. */
int medium_copy(const char *device, uint64_t size, const char *to, struct error *err);
/* True if the kernel still has the disk. */
bool medium_there(const char *root, const char *disk);

#endif
