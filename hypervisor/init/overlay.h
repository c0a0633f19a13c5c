/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The guest's disk: a golden image that nobody writes to, and a qcow2 file over it that takes
 * all writes. The overlay is kept from start to start (persist=on) or made anew each time.
 *
 * An overlay is right over its own golden image only: over any other it would be garbage. So
 * it carries the golden image's identity, and is refused over another one.
 */
#ifndef INIT_OVERLAY_H
#define INIT_OVERLAY_H

#include "base/buffer.h"
#include "base/error.h"

enum overlay_format {
	OVERLAY_RAW,
	OVERLAY_QCOW2,
};
struct overlay_golden {
	char *path;
	enum overlay_format format;
	uint64_t size;		/* of the disk that the guest sees, in bytes */
	char identity[65];	/* SHA-256 of what is looked at, in hex */
};
void overlay_golden_free(struct overlay_golden *golden);
/*
 * Recognises a raw disk or a qcow2 image without backing file. The identity follows from
 * size, format, first and last MiB and the time of the last change: an image that was built
 * anew differs in one of these.
 */
int overlay_open_golden(const char *path, struct overlay_golden *ret, struct error *err);
/* The same where more is known of it; each may be NULL. */
struct overlay_hints {
	const char *format;	/* "raw" or "qcow2": what it must be */
	const char *seal;	/* its identity follows from this and not from the time */
	const char *label;	/* for messages, instead of the path */
};
/*
 * Also reads a qcow2 image's first table. ERROR_STATE: bytes that must be there cannot be
 * read, or are no such image.
 */
int overlay_open_golden_as(const char *path, const struct overlay_hints *hints,
			   struct overlay_golden *ret, struct error *err);

/*
 * Makes sure that `path` is an overlay for the golden image: one that is there is kept if
 * `persist` and made anew if not; one for another golden image is refused (ERROR_STATE).
 * A write that is cut off leaves the old overlay or none.
 */
int overlay_prepare(const char *path, const struct overlay_golden *golden, bool persist,
		    struct error *err);

/* ---- for tests and the two above ---- */

#define QCOW2_MAX_DISK ((uint64_t)64 << 40)
#define QCOW2_MAX_L1 ((uint64_t)32 << 20) /* QEMU's own limit */
struct qcow2_header {
	uint64_t size;		/* of the disk */
	bool backing;		/* it names a file below it */
	bool corrupt;		/* QEMU found it damaged, and said so in it */
	uint64_t l1_at, l1_size;	/* its first table: bytes */
	char identity[65];	/* of gild's extension; "" if it has none */
};
/* The first bytes of a file. */
int qcow2_read(struct bytes start, const char *name, struct qcow2_header *ret,
	       struct error *err);
/* An empty qcow2 (version 3, clusters of 64 KiB) for a disk of the size. */
void qcow2_write(uint64_t size, const char *identity, struct buffer *ret);

#endif
