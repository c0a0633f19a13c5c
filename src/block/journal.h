/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Atomic edits of a disk in place. Reads and writes go through the journal's block; what
 * it was given is on the disk, all of it or nothing, after journal_commit().
 *
 * Writes to clusters that were free when the edit began go straight through: no one reads
 * them until the metadata that names them is there. Everything else is kept, in memory at
 * first and then in the journal file, which gets the image's identity and a hash of each
 * region's state before and after. Commit: data synced, journal completed and synced,
 * regions applied between setting and clearing the volumes' dirty flags, synced, journal
 * removed. The format is described in docs/hacking.md.
 */
#ifndef BLOCK_JOURNAL_H
#define BLOCK_JOURNAL_H

#include "block/block.h"

/* What an image is recognised by when its journal is found again. */
struct journal_identity {
	uint64_t size;		/* of the virtual disk */
	const char *format;	/* container_format_name() */
};

/*
 * Makes the journal file `path`, which must not exist (it marks the edit from before the
 * first write to `disk` until after the last), and the block over `disk` (not owned; must
 * outlive it). block_close() without journal_commit() drops the edit and the file.
 */
struct block *journal_begin(struct block *disk, const char *path,
			    const struct journal_identity *identity, struct error *err);
/*
 * Clusters of [offset, ...) whose bit in `bitmap` is 0 (LSB first, as in NTFS' $Bitmap)
 * are free: writes there go straight through. The bitmap is copied. Only before the first
 * write to that range.
 */
int journal_free_clusters(struct block *journal, uint64_t offset, uint32_t cluster_size,
			  struct bytes bitmap, struct error *err);
/*
 * While the journal is applied, and only then, the sector(s) at `offset` read `marked`
 * instead of what they will in the end: an NTFS volume's dirty flag. At most one for each
 * volume; given before journal_commit().
 */
int journal_mark(struct block *journal, uint64_t offset, struct bytes marked,
		 struct error *err);
/* `written` (may be NULL) gets the bytes written to disk and journal file together. */
int journal_commit(struct block *journal, uint64_t *written, struct error *err);
/*
 * The file stays when the edit is dropped: a mark for whoever opens the image next, where
 * the disk's state after a failure is not known.
 */
void journal_keep(struct block *journal);

enum journal_state {
	JOURNAL_NONE,		/* no such file */
	JOURNAL_INCOMPLETE,	/* the edit never began to be applied: to be dropped */
	JOURNAL_COMPLETE,	/* to be finished */
};
/* What lies at `path`. A file that is no journal is an error that says so. */
int journal_look(const char *path, enum journal_state *ret, struct error *err);
/*
 * Finishes a complete journal, or drops an incomplete one, and removes the file. A journal
 * of another image, or one where a region has neither its old nor its new content, is
 * ERROR_STATE: nothing is written, the remedy says what to do. `finished` gets whether the
 * edit is now in the image.
 */
int journal_recover(struct block *disk, const char *path,
		    const struct journal_identity *identity, bool *finished,
		    struct error *err);

#endif
