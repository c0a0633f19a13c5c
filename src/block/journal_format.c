/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The journal file: header, completion record, table of regions and marks. All of it is
 * checked before anything follows from it; the file may be cut, damaged or hostile.
 *
 *   0     header: magic, version, the image's size, format, hash of its head, its name
 *   512   completion record; zeros until the edit is to be finished
 *   4096  the regions' new content
 *   ...   table: regions, then marks
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "block/journal_private.h"

#define FORMAT_VERSION 1
#define FORMAT_SIZE 16
#define NAME_SIZE 384
#define DIGEST 32

/* Both records fill a sector and end with the SHA-256 of what comes before. */
#define RECORD_DIGEST (JOURNAL_SECTOR - DIGEST)
static const char header_magic[16] = "gild journal\r\n\x1a";
static const char complete_magic[16] = "gild complete\r\n";
enum header_field {
	HEADER_VERSION = 16,
	HEADER_BLOCK = 20,
	HEADER_SIZE = 24,
	HEADER_FORMAT = 32,
	HEADER_HEAD = 48,
	HEADER_NAME = 80,
};
enum complete_field {
	COMPLETE_TABLE = 16,
	COMPLETE_TABLE_SIZE = 24,
	COMPLETE_REGIONS = 32,
	COMPLETE_MARKS = 36,
	COMPLETE_DIGEST = 40, /* of header and table */
};
/* A region in the table; the hashes of its sectors follow. */
enum region_field {
	REGION_OFFSET = 0,
	REGION_AT = 8,
	REGION_LEN = 16,
	REGION_DIGEST = 24,
	REGION_HASHES = 56,
};
/* A mark; old, marked and final content follow. */
enum mark_field {
	MARK_OFFSET = 0,
	MARK_LEN = 8,
	MARK_CONTENT = 16,
};
#define TABLE_CHUNK ((size_t)1024 * 1024)

void journal_log_free(struct journal_log *log)
{
	closep(&log->fd);
	vec_foreach (mark, &log->marks) {
		free(mark->old);
		free(mark->marked);
		free(mark->final);
	}
	vec_free(&log->marks);
	vec_free(&log->regions);
	buffer_free(&log->table);
	free(log->path);
	log->path = NULL;
}

/* ---- the file ------------------------------------------------------------------------
 */

int journal_file_read(const struct journal_log *log, void *buf, size_t len, uint64_t at,
		      struct error *err)
{
	uint8_t *to = buf;

	while (len) {
		ssize_t n = pread(log->fd, to, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, log->path, "cannot read");
		if (n == 0)
			return error_set(err, ERROR_STATE, log->path, "is cut short");
		to += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int journal_file_write(struct journal_log *log, const void *buf, size_t len, uint64_t at,
		       struct error *err)
{
	log->written += len;
	return file_write_at(log->fd, buf, len, at, log->path, err);
}

int journal_file_sync(const struct journal_log *log, struct error *err)
{
	if (fsync(log->fd) < 0)
		return error_errno(err, log->path, "cannot sync");
	return 0;
}

int journal_file_lock(const struct journal_log *log, struct error *err)
{
	if (flock(log->fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return error_errno(err, log->path, "cannot lock");
	error_set(err, ERROR_STATE, log->path, "is in use by another run of gild");
	return error_remedy(err, "wait for that run to end and try again");
}

int journal_file_remove(const struct journal_log *log, struct error *err)
{
	if (unlink(log->path) < 0 && errno != ENOENT)
		return error_errno(err, log->path, "cannot remove");
	return file_sync_folder(log->path, err);
}

/* ---- header and completion record
 * ------------------------------------------------------------- */

static void seal(uint8_t record[JOURNAL_SECTOR])
{
	hash_sha256((struct bytes){record, RECORD_DIGEST}, record + RECORD_DIGEST);
}

static bool is_sealed(const uint8_t record[JOURNAL_SECTOR], const char magic[16])
{
	uint8_t digest[DIGEST];

	hash_sha256((struct bytes){record, RECORD_DIGEST}, digest);
	return memcmp(record, magic, 16) == 0 &&
	       memcmp(record + RECORD_DIGEST, digest, DIGEST) == 0;
}

static bool is_zero(const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (data[i])
			return false;
	return true;
}

int journal_head_hash(struct block *disk, uint8_t digest[32], struct error *err)
{
	uint8_t head[JOURNAL_HEAD];
	size_t len = disk->size < JOURNAL_HEAD ? (size_t)disk->size : JOURNAL_HEAD;

	if (block_pread(disk, head, len, 0, err) < 0)
		return -1;
	hash_sha256((struct bytes){head, len}, digest);
	return 0;
}

int journal_header_write(struct journal_log *log, struct block *disk,
			 const struct journal_identity *identity, struct error *err)
{
	uint8_t raw[JOURNAL_DATA] = {0};
	size_t name = disk->name ? strlen(disk->name) : 0;

	memcpy(raw, header_magic, sizeof(header_magic));
	put_le32(raw + HEADER_VERSION, FORMAT_VERSION);
	put_le32(raw + HEADER_BLOCK, JOURNAL_BLOCK);
	put_le64(raw + HEADER_SIZE, identity->size);
	memcpy(raw + HEADER_FORMAT, identity->format,
	       strnlen(identity->format, FORMAT_SIZE - 1));
	if (journal_head_hash(disk, raw + HEADER_HEAD, err) < 0)
		return -1;
	if (name)
		memcpy(raw + HEADER_NAME, disk->name,
		       name < NAME_SIZE ? name : NAME_SIZE - 1);
	seal(raw);
	return journal_file_write(log, raw, sizeof(raw), 0, err);
}

int journal_header_read(const struct journal_log *log, struct buffer *header,
			enum journal_state *ret, struct error *err)
{
	uint8_t raw[2 * JOURNAL_SECTOR] = {0};
	struct stat st;
	size_t len;

	if (fstat(log->fd, &st) < 0)
		return error_errno(err, log->path, "cannot stat");
	len = (uint64_t)st.st_size < sizeof(raw) ? (size_t)st.st_size : sizeof(raw);
	if (journal_file_read(log, raw, len, 0, err) < 0)
		return -1;
	*ret = JOURNAL_INCOMPLETE;
	if (is_zero(raw, sizeof(raw))) /* the size came to the disk, the header did not */
		return 0;
	if (memcmp(raw, header_magic, sizeof(header_magic)) != 0) {
		error_set(err, ERROR_STATE, log->path, "is no journal of gild");
		return error_remedy(err, "move it away, or give another --journal=FILE");
	}
	if (st.st_size < JOURNAL_DATA)
		return error_set(err, ERROR_STATE, log->path, "is cut short");
	if (!is_sealed(raw, header_magic))
		return error_set(err, ERROR_STATE, log->path, "its header is damaged");
	if (get_le32(raw + HEADER_VERSION) != FORMAT_VERSION ||
	    get_le32(raw + HEADER_BLOCK) != JOURNAL_BLOCK) {
		error_set(err, ERROR_STATE, log->path,
			  "is a journal of version %u, which this gild does not know",
			  get_le32(raw + HEADER_VERSION));
		return error_remedy(err, "run the gild that wrote it");
	}
	buffer_append(header, raw, sizeof(raw));
	if (is_zero(raw + JOURNAL_RECORD, JOURNAL_SECTOR))
		return 0;
	*ret = JOURNAL_COMPLETE;
	return is_sealed(raw + JOURNAL_RECORD, complete_magic)
		       ? 0
		       : error_set(err, ERROR_STATE, log->path,
				   "its completion record is damaged");
}

int journal_header_check(const struct journal_log *log, const struct buffer *header,
			 struct block *disk, const struct journal_identity *identity,
			 bool *moved, struct error *err)
{
	char format[FORMAT_SIZE] = "", name[NAME_SIZE] = "";
	uint8_t head[DIGEST];

	*moved = false;
	if (!header->len)
		return 0;
	memcpy(format, header->data + HEADER_FORMAT, FORMAT_SIZE - 1);
	memcpy(name, header->data + HEADER_NAME, NAME_SIZE - 1);
	if (get_le64(header->data + HEADER_SIZE) != identity->size ||
	    strncmp(format, identity->format, FORMAT_SIZE - 1) != 0) {
		error_set(err, ERROR_STATE, log->path,
			  "is the journal of another image (%s, a %s disk of %ju bytes)",
			  name, format, (uintmax_t)get_le64(header->data + HEADER_SIZE));
		return error_remedy(err, "move it away if the image was replaced; "
					 "otherwise give the right --journal=FILE");
	}
	if (journal_head_hash(disk, head, err) < 0)
		return -1;
	*moved = memcmp(head, header->data + HEADER_HEAD, DIGEST) != 0;
	return 0;
}

/* ---- writing the table
 * -------------------------------------------------------------------- */

uint32_t journal_sectors(uint32_t len)
{
	return (len + JOURNAL_SECTOR - 1) / JOURNAL_SECTOR;
}

/* Tells a sector from another one; not made against those who choose both. */
uint64_t journal_sector_hash(const uint8_t *sector, size_t len)
{
	uint64_t h = 0x9e3779b97f4a7c15u ^ len;

	for (size_t i = 0; i < len; i += 8) {
		uint8_t last[8] = {0};
		const uint8_t *p = sector + i;

		if (len - i < 8) {
			memcpy(last, p, len - i);
			p = last;
		}
		h = (h ^ get_le64(p)) * 0xff51afd7ed558ccdu;
		h = (h ^ h >> 32) * 0xc4ceb9fe1a85ec53u;
		h ^= h >> 29;
	}
	return h;
}

static int put(struct journal_table *table, bool all, struct error *err)
{
	struct buffer *b = &table->pending;

	if (!b->len || (!all && b->len < TABLE_CHUNK))
		return 0;
	if (journal_file_write(table->log, b->data, b->len, table->at + table->size,
			       err) < 0)
		return -1;
	hash_stream_add(table->hash, b->data, b->len);
	table->size += b->len;
	b->len = 0;
	return 0;
}

int journal_table_begin(struct journal_table *table, struct journal_log *log,
			struct error *err)
{
	uint8_t header[JOURNAL_SECTOR];

	*table = (struct journal_table){.log = log, .at = log->end};
	if (journal_file_read(log, header, sizeof(header), 0, err) < 0)
		return -1;
	table->hash = hash_sha256_begin();
	hash_stream_add(table->hash, header, sizeof(header));
	return 0;
}

int journal_table_add(struct journal_table *table, uint64_t offset, uint64_t at,
		      const uint8_t *old, const uint8_t *now, uint32_t len,
		      struct error *err)
{
	struct buffer *b = &table->pending;
	uint8_t digest[DIGEST];

	hash_sha256((struct bytes){now, len}, digest);
	buffer_append_le64(b, offset);
	buffer_append_le64(b, at);
	buffer_append_le32(b, len);
	buffer_append_le32(b, 0);
	buffer_append(b, digest, sizeof(digest));
	for (uint32_t i = 0; i < len; i += JOURNAL_SECTOR)
		buffer_append_le64(
			b, journal_sector_hash(old + i, len - i < JOURNAL_SECTOR
								? len - i
								: JOURNAL_SECTOR));
	vec_push(&table->log->regions,
		 (struct journal_region){.offset = offset, .at = at, .len = len});
	return put(table, false, err);
}

void journal_table_drop(struct journal_table *table)
{
	uint8_t digest[DIGEST];

	if (table->hash)
		hash_sha256_end(table->hash, digest);
	table->hash = NULL;
	buffer_free(&table->pending);
}

static int end_table(struct journal_table *table, uint8_t digest[DIGEST],
		     struct error *err)
{
	vec_foreach (mark, &table->log->marks) {
		buffer_append_le64(&table->pending, mark->offset);
		buffer_append_le32(&table->pending, mark->len);
		buffer_append_le32(&table->pending, 0);
		buffer_append(&table->pending, mark->old, mark->len);
		buffer_append(&table->pending, mark->marked, mark->len);
		buffer_append(&table->pending, mark->final, mark->len);
	}
	if (put(table, true, err) < 0)
		return -1;
	hash_sha256_end(steal_ptr(table->hash), digest);
	if (table->size <= JOURNAL_MAX_TABLE)
		return journal_file_sync(table->log, err);
	return error_set(err, ERROR_FAILED, table->log->path,
			 "the edit changes more than a journal can hold");
}

int journal_table_end(struct journal_table *table, struct error *err)
{
	struct journal_log *log = table->log;
	uint8_t record[JOURNAL_SECTOR] = {0};
	int result = end_table(table, record + COMPLETE_DIGEST, err);

	journal_table_drop(table);
	if (result < 0)
		return -1;
	memcpy(record, complete_magic, sizeof(complete_magic));
	put_le64(record + COMPLETE_TABLE, table->at);
	put_le64(record + COMPLETE_TABLE_SIZE, table->size);
	put_le32(record + COMPLETE_REGIONS, (uint32_t)log->regions.len);
	put_le32(record + COMPLETE_MARKS, (uint32_t)log->marks.len);
	seal(record);
	/* One sector, and behind the sync: all of the rest is there when it is. */
	if (journal_file_write(log, record, sizeof(record), JOURNAL_RECORD, err) < 0 ||
	    journal_file_sync(log, err) < 0)
		return -1;
	return file_sync_folder(log->path, err);
}

/* ---- reading the table back
 * ------------------------------------------------------------------- */

static int damaged(const struct journal_log *log, const char *what, struct error *err)
{
	return error_set(err, ERROR_STATE, log->path, "is damaged: %s", what);
}

/* Takes one region from the table; `last_end` is where the one before it ends. */
static int read_region(struct journal_log *log, uint64_t *pos, uint64_t data_end,
		       uint64_t disk_size, uint64_t *last_end, struct error *err)
{
	struct bytes table = buffer_view(&log->table);
	struct bytes raw = bytes_at(table, *pos, REGION_HASHES);
	struct journal_region r;
	uint64_t hashes;

	if (!raw.data)
		return damaged(log, "its table is cut short", err);
	r = (struct journal_region){.offset = get_le64(raw.data + REGION_OFFSET),
				    .at = get_le64(raw.data + REGION_AT),
				    .len = get_le32(raw.data + REGION_LEN),
				    .digest = raw.data + REGION_DIGEST,
				    .old = raw.data + REGION_HASHES};
	if (!r.len || r.len > JOURNAL_REGION || r.offset % JOURNAL_BLOCK ||
	    r.offset < *last_end || r.offset > disk_size || r.len > disk_size - r.offset)
		return damaged(log, "a region does not lie inside the disk", err);
	if (r.at < JOURNAL_DATA || r.at > data_end || r.len > data_end - r.at)
		return damaged(log, "a region's content does not lie inside it", err);
	hashes = (uint64_t)journal_sectors(r.len) * JOURNAL_HASH;
	if (!bytes_has(table, *pos + REGION_HASHES, hashes))
		return damaged(log, "its table is cut short", err);
	*pos += REGION_HASHES + hashes;
	*last_end = r.offset + r.len;
	vec_push(&log->regions, r);
	return 0;
}

static int read_mark(struct journal_log *log, uint64_t *pos, uint64_t disk_size,
		     struct error *err)
{
	struct bytes table = buffer_view(&log->table);
	struct bytes raw = bytes_at(table, *pos, MARK_CONTENT), content;
	struct journal_sectors mark;

	if (!raw.data)
		return damaged(log, "its table is cut short", err);
	mark.offset = get_le64(raw.data + MARK_OFFSET);
	mark.len = get_le32(raw.data + MARK_LEN);
	if (!mark.len || mark.len > JOURNAL_MAX_MARK || mark.len % JOURNAL_SECTOR ||
	    mark.offset % JOURNAL_SECTOR || mark.offset > disk_size ||
	    mark.len > disk_size - mark.offset)
		return damaged(log, "a mark does not lie inside the disk", err);
	content = bytes_at(table, *pos + MARK_CONTENT, 3 * (uint64_t)mark.len);
	if (!content.data)
		return damaged(log, "its table is cut short", err);
	mark.old = xmemdup(content.data, mark.len);
	mark.marked = xmemdup(content.data + mark.len, mark.len);
	mark.final = xmemdup(content.data + 2 * (size_t)mark.len, mark.len);
	*pos += MARK_CONTENT + content.len;
	vec_push(&log->marks, mark);
	return 0;
}

static int load_table(struct journal_log *log, const struct buffer *header,
		      struct error *err)
{
	const uint8_t *record = header->data + JOURNAL_RECORD;
	uint64_t at = get_le64(record + COMPLETE_TABLE);
	uint64_t size = get_le64(record + COMPLETE_TABLE_SIZE);
	uint8_t digest[DIGEST];
	struct hash_stream *hash;
	struct stat st;

	if (fstat(log->fd, &st) < 0)
		return error_errno(err, log->path, "cannot stat");
	if (at < JOURNAL_DATA || at > (uint64_t)st.st_size ||
	    size > (uint64_t)st.st_size - at || size > JOURNAL_MAX_TABLE)
		return damaged(log, "it is cut short", err);
	if (journal_file_read(log, buffer_reserve(&log->table, (size_t)size),
			      (size_t)size, at, err) < 0)
		return -1;
	log->table.len = (size_t)size;
	log->end = at;
	hash = hash_sha256_begin();
	hash_stream_add(hash, header->data, JOURNAL_SECTOR);
	hash_stream_add(hash, log->table.data, log->table.len);
	hash_sha256_end(hash, digest);
	if (memcmp(digest, record + COMPLETE_DIGEST, DIGEST) != 0)
		return damaged(log, "its table has not the hash it had", err);
	return 0;
}

int journal_table_read(struct journal_log *log, const struct buffer *header,
		       uint64_t disk_size, struct error *err)
{
	const uint8_t *record = header->data + JOURNAL_RECORD;
	uint32_t regions = get_le32(record + COMPLETE_REGIONS);
	uint32_t marks = get_le32(record + COMPLETE_MARKS);
	uint64_t pos = 0, last_end = 0;

	if (load_table(log, header, err) < 0)
		return -1;
	if (marks > JOURNAL_MAX_MARKS)
		return damaged(log, "it has too many marks", err);
	for (uint32_t i = 0; i < regions; i++)
		if (read_region(log, &pos, log->end, disk_size, &last_end, err) < 0)
			return -1;
	for (uint32_t i = 0; i < marks; i++)
		if (read_mark(log, &pos, disk_size, err) < 0)
			return -1;
	if (pos != log->table.len)
		return damaged(log, "its table is longer than what it lists", err);
	return 0;
}
