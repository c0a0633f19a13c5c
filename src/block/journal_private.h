/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the parts of the journal share: the file's format (journal_format.c), the block
 * over the disk (journal.c), and carrying out what the file says (journal_apply.c).
 * The format itself is described in docs/hacking.md. Private to src/block.
 */
#ifndef BLOCK_JOURNAL_PRIVATE_H
#define BLOCK_JOURNAL_PRIVATE_H

#include "base/hash.h"
#include "block/journal.h"

/* What is kept together, on the disk and in the file. */
#define JOURNAL_BLOCK 4096u
/* What a disk writes whole or not at all. */
#define JOURNAL_SECTOR 512u
/* Data begins here; before it header (sector 0) and completion record (sector 1). */
#define JOURNAL_DATA JOURNAL_BLOCK
#define JOURNAL_RECORD JOURNAL_SECTOR
/* A region's most bytes. */
#define JOURNAL_REGION (256 * JOURNAL_BLOCK)
/* The disk's first bytes belong to its identity: partition table, or boot sector. */
#define JOURNAL_HEAD 8192u
/* 16 GiB of changes have a table of this size; more is no edit of a Windows. */
#define JOURNAL_MAX_TABLE (384u * 1024 * 1024)
#define JOURNAL_MAX_MARKS 64
#define JOURNAL_MAX_MARK 8192u

/* Bytes of the disk that change together. */
struct journal_region {
	uint64_t offset;	/* on the disk, a multiple of JOURNAL_BLOCK */
	uint64_t at;		/* of the new content in the file */
	uint32_t len;
	const uint8_t *digest;	/* SHA-256 of the new content; only of a file read back */
	const uint8_t *old;	/* a hash for each sector before; likewise */
};
DEFINE_VEC(journal_regions, struct journal_region);

/* Sectors that read otherwise while the journal is applied. */
struct journal_sectors {
	uint64_t offset;
	uint32_t len;
	uint8_t *old, *marked, *final;
};
DEFINE_VEC(journal_marks, struct journal_sectors);

/* A journal file. */
struct journal_log {
	int fd;
	char *path;
	uint64_t end;		/* of the data */
	struct journal_regions regions;
	struct journal_marks marks;
	struct buffer table;	/* as read back */
	uint64_t written;	/* bytes, to file and disk */
};
void journal_log_free(struct journal_log *log);
#define _cleanup_journal_log_ _cleanup_(journal_log_free)

int journal_file_read(const struct journal_log *log, void *buf, size_t len, uint64_t at,
		      struct error *err);
int journal_file_write(struct journal_log *log, const void *buf, size_t len, uint64_t at,
		       struct error *err);
int journal_file_sync(const struct journal_log *log, struct error *err);
/* Another process that works with the file is ERROR_STATE. */
int journal_file_lock(const struct journal_log *log, struct error *err);
/* Removes the file, durably. */
int journal_file_remove(const struct journal_log *log, struct error *err);

int journal_head_hash(struct block *disk, uint8_t digest[32], struct error *err);
int journal_header_write(struct journal_log *log, struct block *disk,
			 const struct journal_identity *identity, struct error *err);
/*
 * Reads the header and the completion record. JOURNAL_INCOMPLETE with an empty `header`
 * if not even the header was written. A damaged completion record is ERROR_STATE.
 */
int journal_header_read(const struct journal_log *log, struct buffer *header,
			enum journal_state *ret, struct error *err);
/* Is it this image's? `moved` gets whether the disk's first bytes differ. */
int journal_header_check(const struct journal_log *log, const struct buffer *header,
			 struct block *disk, const struct journal_identity *identity,
			 bool *moved, struct error *err);

/* Hashes of a region's sectors, JOURNAL_HASH bytes each. */
#define JOURNAL_HASH 8u
uint32_t journal_sectors(uint32_t len);
uint64_t journal_sector_hash(const uint8_t *sector, size_t len);

/* The table, written piece by piece behind the data. */
struct journal_table {
	struct journal_log *log;
	struct buffer pending;
	struct hash_stream *hash;
	uint64_t at, size;
};
int journal_table_begin(struct journal_table *table, struct journal_log *log,
			struct error *err);
/* Adds a region, also to the log. `old` and `now` are its content before and after. */
int journal_table_add(struct journal_table *table, uint64_t offset, uint64_t at,
		      const uint8_t *old, const uint8_t *now, uint32_t len,
		      struct error *err);
/*
 * Adds the log's marks, syncs, and writes the completion record: from here on the edit
 * is to be finished. Releases the table in any case; a table not ended is dropped by
 * journal_table_drop().
 */
int journal_table_end(struct journal_table *table, struct error *err);
void journal_table_drop(struct journal_table *table);
/* Reads a complete journal back and checks all of it that needs no disk. */
int journal_table_read(struct journal_log *log, const struct buffer *header,
		       uint64_t disk_size, struct error *err);

/*
 * Carries the log out: marks, regions, final content, with a flush after each. May be
 * repeated.
 */
int journal_apply(struct journal_log *log, struct block *disk, struct error *err);

#endif
