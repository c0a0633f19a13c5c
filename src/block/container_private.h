/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the readers of container headers tell container.c. Each reader gets the file as a
 * block, so that a fuzzer can give it bytes; it opens nothing and judges no reference.
 */
#ifndef BLOCK_CONTAINER_PRIVATE_H
#define BLOCK_CONTAINER_PRIVATE_H

#include "base/guid.h"
#include "block/container.h"

/* How many images one may be based on another. */
#define CONTAINER_MAX_DEPTH 32
/* QEMU's limit of a file name in a header, and ours of a VMDK's extents. */
#define CONTAINER_MAX_NAME 1023
#define CONTAINER_MAX_EXTENTS 256

/* What one file says of itself. */
struct container_header {
	enum container_format format;
	char *subtype;
	uint64_t virtual_size;
	uint64_t qemu_size;	/* what QEMU takes for it if it is not told */
	uint32_t sector_size;
	bool by_geometry;	/* VHD: that is its cylinders, heads and sectors */
	bool fixed;		/* VHD whose content lies in the file as it is */
	bool log_pending;
	const char *why_not;	/* not editable in place: why; or NULL */
	/* References, as they are written in the file. */
	char *backing;		/* or NULL */
	char *backing_format;	/* qcow2, if recorded: QEMU's name of the format */
	char *data_file;	/* or NULL */
	struct strings extents;	/* VMDK */
	/* Differencing VHD and VHDX: names to look for in order, and who it must be. */
	bool differencing;
	struct strings parents;
	struct guid parent_id;	/* VHD: the parent's UUID; VHDX: its DataWriteGuid */
	struct guid id;		/* what a child's parent_id is compared with */
};
void container_header_free(struct container_header *header);
#define _cleanup_container_header_ _cleanup_(container_header_free)

/*
 * The format of a file by its first and last bytes, RAW if it is none of the others. The
 * names of formats that gild knows and cannot serve are errors.
 */
int container_sniff(struct block *file, enum container_format *ret, struct error *err);
/* Reads the header of that format; RAW: what partition tables tell. */
int container_header_read(struct block *file, enum container_format format,
			  struct container_header *ret, struct error *err);

int vhd_header_read(struct block *file, struct container_header *ret, struct error *err);
int vhdx_header_read(struct block *file, struct container_header *ret, struct error *err);
int qcow2_header_read(struct block *file, struct container_header *ret, struct error *err);
int vmdk_header_read(struct block *file, struct container_header *ret, struct error *err);

/*
 * With SOURCE_DATE_EPOCH: gives a new file identifiers that follow from its content.
 * (identify.c)
 */
int container_identify(const char *path, enum container_format format, struct error *err);

/* ---- reference.c ---- */

/*
 * Judges a name that a file refers to: it must be a plain path of a regular file, which
 * lies in the folder of `image` (absolute, resolved), or in one of `allow`. Gives the
 * resolved path, the caller's; `what` is "backing file", "extent", ... for messages.
 */
char *reference_resolve(const char *image, const char *name, const char *what,
			const struct strings *allow, struct error *err);
/*
 * The same for the parent of a differencing disk, by the names that Windows wrote; the file
 * is also looked for by its name alone beside the image and in `allow`.
 */
char *reference_resolve_windows(const char *image, const struct strings *names,
				const struct strings *allow, struct error *err);
/* A file's folder as path, the caller's. */
char *reference_folder(const char *path);

/* ---- lock.c: QEMU's image locks ---- */

/* Holds them on the descriptor, or gives ERROR_STATE. Does nothing on block devices. */
int image_lock(int fd, const char *path, bool write, struct error *err);

/* "json:{...}" that makes QEMU open the container; NULL with the error if it cannot. */
char *container_nodes(const struct container *container, struct error *err);

#endif
