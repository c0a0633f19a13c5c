/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Unpacks one archive (not what is nested in it) into an existing empty folder, under
 * limits. The readers run in a child process; unpack_here() is their common entry, also
 * for the fuzz target.
 */
#ifndef MEDIA_UNPACK_H
#define MEDIA_UNPACK_H

#include "base/process.h"
#include "media/sink.h"
#include "media/sniff.h"

/* Limits of one archive given by the user, what is nested in it included. */
#define UNPACK_MAX_BYTES ((uint64_t)64 << 30)
#define UNPACK_MAX_ENTRIES 200000
/* Beyond this many bytes, an archive may unpack to UNPACK_MAX_RATIO times its size. */
#define UNPACK_FREE_BYTES ((uint64_t)256 << 20)
#define UNPACK_MAX_RATIO 100
/* Stays free on the temporary folder's file system. */
#define UNPACK_DISK_RESERVE ((uint64_t)64 << 20)
/* Of the child: the largest dictionaries in use (7z, xz) are below 1.5 GiB. */
#define UNPACK_MEMORY ((uint64_t)2 << 30)
/* Processor time: this much, and a second for each UNPACK_BYTES_PER_SECOND allowed. */
#define UNPACK_CPU_SECONDS 60
#define UNPACK_BYTES_PER_SECOND ((uint64_t)16 << 20)
/* Archives in archives in archives. */
#define UNPACK_MAX_NESTING 4

struct unpack {
	const char *path;	/* of the archive on the host */
	const char *label;	/* what to call it */
	const char *dest;	/* the folder */
	enum media_kind kind;
	const char *packed_name; /* MEDIA_PACKED: what to call the only file */
	bool selective;		/* unpack only what holds an INF or an archive */
	const struct strings *only; /* cabinets: unpack the files of these names, or NULL */
	struct sink_limits limits;

	/* Results. */
	bool ignored;		/* selective, and nothing of interest is in it */
	uint64_t bytes, entries, files;
	struct strings problems;
};
void unpack_done(struct unpack *u); /* frees the results */
#define _cleanup_unpack_ _cleanup_(unpack_done)

/* -1 if the archive is damaged, encrypted, over the limits or none at all. */
int unpack_here(struct unpack *u, struct error *err);
/* The same in a child process with limits on memory, file size and processor time. */
int unpack_isolated(struct unpack *u, struct error *err);

/*
 * The readers. Each returns 1 if the file is such an archive, 0 if it is none (only asked
 * of MEDIA_EXE), -1 on error; `*ignored` as above.
 */
int archive_unpack(struct sink *sink, const struct unpack *u, bool *ignored,
		   struct error *err);
int iso_unpack(struct sink *sink, const struct unpack *u, bool *ignored,
	       struct error *err);
int cab_unpack(struct sink *sink, const struct unpack *u, bool *ignored,
	       struct error *err);
int packed_unpack(struct sink *sink, const struct unpack *u, struct error *err);

#endif
