/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Disk image files: what format a file has by its content, what other files it refers to,
 * and the block that its virtual disk is. Nothing of a file is handed to QEMU before its
 * header and its references have been judged here.
 */
#ifndef BLOCK_CONTAINER_H
#define BLOCK_CONTAINER_H

#include "block/block.h"

enum container_format {
	CONTAINER_NONE,		/* no disk image: no container header, no volume, no table */
	CONTAINER_RAW,		/* partition table or bare volume */
	CONTAINER_DEVICE,	/* a block device */
	CONTAINER_VHD,
	CONTAINER_VHDX,
	CONTAINER_QCOW2,
	CONTAINER_VMDK,
};
const char *container_format_name(enum container_format format); /* "raw", "device", "vhd" */
/* The format that a file name's ending asks for (.raw .img .vhd .vhdx .qcow2 .vmdk), or NONE. */
enum container_format container_format_of_name(const char *path);

/* An image of a chain, as its own header has it. */
struct container_layer {
	char *path;	/* absolute, without symbolic links */
	enum container_format format;
	char *data_file;	/* qcow2: its external data file, as path; or NULL */
	uint64_t virtual_size;
	uint64_t qemu_size;	/* what QEMU takes for it if it is not told */
	bool by_geometry;	/* VHD: virtual_size is that of its geometry */
	bool fixed;		/* VHD whose content lies in the file as it is */
};
DEFINE_VEC(container_layers, struct container_layer);

struct container {
	char *path;
	enum container_format format;
	/* "fixed", "dynamic", "differencing", "monolithicSparse", "streamOptimized"...; or NULL */
	char *subtype;
	uint64_t virtual_size;
	uint32_t sector_size;
	bool direct;		/* read and written without QEMU: raw, device, fixed VHD */
	bool differencing;	/* VHD or VHDX with a parent */
	bool own_reader;	/* QEMU cannot read it, block/differencing.h can */
	bool log_pending;	/* a VHDX with a log: see container_replay() */
	/*
	 * True if a writer of it that is killed at any point leaves a container that opens
	 * and holds either the old or the new content of every block. Others are edited
	 * through --output only; `why_not` says it.
	 */
	bool editable;
	const char *why_not;
	struct strings files;	/* every file it is made of and refers to, itself first */
	struct container_layers layers;	/* itself, then what it is based on */
};
void container_free(struct container *container);
#define _cleanup_container_ _cleanup_(container_free)

/*
 * Recognises a file or block device. 0 also for CONTAINER_NONE. Refused with the reason:
 * damaged headers, formats and variants that cannot be served (by name), references
 * (backing, data file, extents, parents) to anything but regular files in the image's own
 * folder or in one of `allow` (which may be NULL), and chains deeper than a limit.
 */
int container_probe(const char *path, const struct strings *allow, struct container *ret,
		    struct error *err);
/*
 * The virtual disk; the container must outlive it. Reading asks QEMU's locks, so that an image that a running machine
 * writes to is ERROR_STATE; writing takes them as well, and opens a block device
 * exclusively. What qemu-nbd says on failure becomes the reason.
 */
struct block *container_open(const struct container *container, bool write,
			     struct error *err);
/*
 * Exchanges what is below a block that container_open() gave: closes it and opens the
 * container again for reading or writing. The block and the windows on it stay valid. A
 * reader and a writer of one container cannot be open at once, so this is how an edit
 * begins; ERROR_STATE if the file was changed since container_open(). After a failure
 * reading works if the container still opens for it.
 */
int container_reopen(struct block *block, bool write, struct error *err);
/*
 * Makes whole again what a writer left that was stopped: replays the log of a VHDX, frees
 * what is lost in a qcow2; does nothing for others. Nobody may have it open.
 * container_reopen() does so by itself if the writer that it closes had died.
 */
int container_replay(const struct container *container, struct error *err);

/* A new qcow2 (absolute backing path if `relative` is false) whose content is `base`. */
int container_make_overlay(const struct container *base, const char *overlay,
			   bool relative, struct error *err);
struct container_output {
	enum container_format format;
	const char *subtype;	/* NULL: the format's usual one (VHD: fixed; VHDX, VMDK: dynamic) */
};
/*
 * Writes the content of `source` to the new file `path` with qemu-img, with progress;
 * synced. The virtual size is kept to the byte. The caller removes it on failure.
 */
int container_convert(const struct container *source, const char *path,
		      const struct container_output *output, struct error *err);

/*
 * A range that an overlay holds itself, be it data or recorded zeros: what differs from the
 * image below lies in such ranges only.
 */
struct block_extent {
	uint64_t offset, size;
};
DEFINE_VEC(block_extents, struct block_extent);
/*
 * The ranges of an overlay made by container_make_overlay() that it holds itself, in
 * order.
 */
int container_overlay_extents(const struct container *overlay, struct block_extents *ret,
			      struct error *err);

#endif
