/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Carrying a complete journal out, at once or by whoever finds it later. Before a found
 * journal is carried out every sector that it would change must be in the state before or
 * in the state after: a disk that was restored or used since is not touched.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/progress.h"
#include "block/journal_private.h"

static const char step[] = "finishing the edit";

/* ---- carrying out
 * ---------------------------------------------------------------------------- */

/* Marked sectors that lie in the region stay marked. */
static void keep_marks(const struct journal_log *log, const struct journal_region *r,
		       uint8_t *data)
{
	vec_foreach (mark, &log->marks) {
		uint64_t from = mark->offset > r->offset ? mark->offset : r->offset;
		uint64_t mark_end = mark->offset + mark->len, end = r->offset + r->len;
		uint64_t to = mark_end < end ? mark_end : end;

		if (from < to)
			memcpy(data + (from - r->offset),
			       mark->marked + (from - mark->offset), to - from);
	}
}

static int write_marks(struct journal_log *log, struct block *disk, bool final,
		       struct error *err)
{
	if (!log->marks.len)
		return 0;
	vec_foreach (mark, &log->marks) {
		log->written += mark->len;
		if (block_pwrite(disk, final ? mark->final : mark->marked, mark->len,
				 mark->offset, err) < 0)
			return -1;
	}
	return block_flush(disk, err);
}

int journal_apply(struct journal_log *log, struct block *disk, struct error *err)
{
	_cleanup_free_ uint8_t *data = xmalloc(JOURNAL_REGION);
	uint64_t done = 0;

	if (write_marks(log, disk, false, err) < 0)
		return -1;
	vec_foreach (r, &log->regions) {
		if (journal_file_read(log, data, r->len, r->at, err) < 0)
			return -1;
		keep_marks(log, r, data);
		log->written += r->len;
		if (block_pwrite(disk, data, r->len, r->offset, err) < 0)
			return -1;
		progress_report(step, ++done, log->regions.len);
	}
	if (log->regions.len && block_flush(disk, err) < 0)
		return -1;
	return write_marks(log, disk, true, err);
}

/* ---- an earlier run's journal
 * ----------------------------------------------------------------- */

static int neither(const struct journal_log *log, const struct block *disk, uint64_t at,
		   struct error *err)
{
	error_set(err, ERROR_STATE, disk->name,
		  "an edit of it was interrupted, and its content at byte %ju is neither "
		  "that before nor that after the edit: the image was restored or used "
		  "since",
		  (uintmax_t)at);
	return error_remedy(err,
			    "remove %s to keep the image as it is, and check it with "
			    "chkdsk unless it was restored from a copy",
			    log->path);
}

/* Is the sector at `at` one that a mark accounts for? */
static bool is_marked(const struct journal_log *log, uint64_t at, const uint8_t *sector,
		      size_t len)
{
	vec_foreach (mark, &log->marks) {
		uint64_t in = at - mark->offset;

		if (at < mark->offset || in >= mark->len || len > mark->len - in)
			continue;
		if (memcmp(sector, mark->old + in, len) == 0 ||
		    memcmp(sector, mark->marked + in, len) == 0 ||
		    memcmp(sector, mark->final + in, len) == 0)
			return true;
	}
	return false;
}

static int check_region(const struct journal_log *log, struct block *disk,
			const struct journal_region *r, uint8_t *now, uint8_t *next,
			struct error *err)
{
	uint8_t digest[32];

	if (journal_file_read(log, next, r->len, r->at, err) < 0)
		return -1;
	hash_sha256((struct bytes){next, r->len}, digest);
	if (memcmp(digest, r->digest, sizeof(digest)) != 0)
		return error_set(
			err, ERROR_STATE, log->path,
			"is damaged: a region's content has not the hash it had");
	if (block_pread(disk, now, r->len, r->offset, err) < 0)
		return -1;
	for (uint32_t i = 0; i < r->len; i += JOURNAL_SECTOR) {
		size_t len = r->len - i < JOURNAL_SECTOR ? r->len - i : JOURNAL_SECTOR;
		const uint8_t *old = r->old + i / JOURNAL_SECTOR * JOURNAL_HASH;

		if (memcmp(now + i, next + i, len) != 0 &&
		    journal_sector_hash(now + i, len) != get_le64(old) &&
		    !is_marked(log, r->offset + i, now + i, len))
			return neither(log, disk, r->offset + i, err);
	}
	return 0;
}

static int check_mark(const struct journal_log *log, struct block *disk,
		      const struct journal_sectors *mark, uint8_t *now, struct error *err)
{
	if (block_pread(disk, now, mark->len, mark->offset, err) < 0)
		return -1;
	for (uint32_t i = 0; i < mark->len; i += JOURNAL_SECTOR)
		if (!is_marked(log, mark->offset + i, now + i, JOURNAL_SECTOR))
			return neither(log, disk, mark->offset + i, err);
	return 0;
}

static int check_disk(const struct journal_log *log, struct block *disk, bool moved,
		      struct error *err)
{
	_cleanup_free_ uint8_t *now = xmalloc(JOURNAL_REGION);
	_cleanup_free_ uint8_t *next = xmalloc(JOURNAL_REGION);

	/* Its own change of the head, half done, is judged like any other. */
	if (moved && (!log->regions.len || log->regions.items[0].offset >= JOURNAL_HEAD))
		return neither(log, disk, 0, err);
	vec_foreach (r, &log->regions)
		if (check_region(log, disk, r, now, next, err) < 0)
			return -1;
	vec_foreach (mark, &log->marks)
		if (check_mark(log, disk, mark, now, err) < 0)
			return -1;
	return 0;
}

/* 1 opened, 0 no such file. */
static int open_log(struct journal_log *log, const char *path, bool write,
		    struct error *err)
{
	struct stat st;

	*log = (struct journal_log){.fd = open(path, (write ? O_RDWR : O_RDONLY) |
							     O_CLOEXEC | O_NOFOLLOW |
							     O_NONBLOCK | O_NOCTTY),
				    .path = xstrdup(path)};
	if (log->fd < 0 && errno == ENOENT)
		return 0;
	if (log->fd < 0 && errno == ELOOP)
		return error_set(err, ERROR_STATE, path, "is a link, and no journal");
	if (log->fd < 0 && (errno == EACCES || errno == EPERM || errno == EROFS)) {
		error_errno(err, path,
			    "an edit was interrupted and left this journal, "
			    "which cannot be opened");
		if (err)
			err->code = ERROR_STATE;
		return error_remedy(err, "run gild inspect once as the user who ran that "
					 "edit, with the right to write to the image");
	}
	if (log->fd < 0 || fstat(log->fd, &st) < 0)
		return error_errno(err, path, "cannot open");
	if (!S_ISREG(st.st_mode))
		return error_set(err, ERROR_STATE, path,
				 "is no regular file, and no journal");
	return 1;
}

int journal_look(const char *path, enum journal_state *ret, struct error *err)
{
	_cleanup_journal_log_ struct journal_log log = {.fd = -1};
	_cleanup_buffer_ struct buffer header = BUFFER_INIT;
	int found = open_log(&log, path, false, err);

	*ret = JOURNAL_NONE;
	return found > 0 ? journal_header_read(&log, &header, ret, err) : found;
}

int journal_recover(struct block *disk, const char *path,
		    const struct journal_identity *identity, bool *finished,
		    struct error *err)
{
	_cleanup_journal_log_ struct journal_log log = {.fd = -1};
	_cleanup_buffer_ struct buffer header = BUFFER_INIT;
	enum journal_state state;
	int found = open_log(&log, path, true, err);
	bool moved;

	*finished = false;
	if (found <= 0)
		return found;
	if (journal_file_lock(&log, err) < 0 ||
	    journal_header_read(&log, &header, &state, err) < 0 ||
	    journal_header_check(&log, &header, disk, identity, &moved, err) < 0)
		return -1;
	if (state == JOURNAL_INCOMPLETE)
		return journal_file_remove(&log, err);
	if (journal_table_read(&log, &header, disk->size, err) < 0 ||
	    check_disk(&log, disk, moved, err) < 0 || journal_apply(&log, disk, err) < 0)
		return -1;
	*finished = true;
	return journal_file_remove(&log, err);
}
