/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Interrupted edits of a WIM.
 *
 * gild appends behind the old end and changes nothing before the new header is written
 * last, so an interrupted edit leaves the old WIM with bytes behind its end. The first of
 * these bytes are a mark that follows from the old header, so they are known as gild's
 * own and cut off. The mark of WIM_WRITE_IN_PROGRESS is not used: every other tool can
 * open the WIM at any moment.
 *
 * wimlib and Windows do set WIM_WRITE_IN_PROGRESS while they append. Such a WIM is taken
 * back to its old end too, once its old tables are proven to be whole.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/progress.h"
#include "tree/wim.h"

#define FLAGS_OFFSET 16

int wim_lock_others_out(int fd, const char *path, struct error *err)
{
	if (flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
		return 0;
	error_set(err, ERROR_STATE, path, "is in use by another program");
	return error_remedy(err, "wait for it to end and try again");
}

uint64_t wim_end(const struct wim *wim)
{
	uint64_t end = wim_header_end(&wim->parts.items[0].header);

	vec_foreach (blob, &wim->blobs) {
		const struct wim_resource *r = &blob->resource;

		if (blob->file == 0 &&
		    (blob->run == UINT32_MAX || wim_blob_is_run_resource(blob)) &&
		    r->offset + r->size > end)
			end = r->offset + r->size;
	}
	return end;
}

void wim_append_mark(const struct wim_header *header, uint64_t end,
		     uint8_t mark[WIM_MARK_SIZE])
{
	uint8_t raw[WIM_HEADER_SIZE];

	wim_header_write(header, raw);
	memset(mark, 0, WIM_MARK_SIZE);
	memcpy(mark, "gild append\r\n\x1a\n", 15);
	put_le64(mark + 16, end);
	hash_sha1((struct bytes){raw, sizeof(raw)}, mark + 24);
}

enum tail { TAIL_NONE, TAIL_OURS, TAIL_SMALL, TAIL_LARGE };

static int classify_tail(const struct wim_part *part, uint64_t end, enum tail *ret,
			 struct error *err)
{
	uint8_t mark[WIM_MARK_SIZE], found[WIM_MARK_SIZE];
	uint64_t len = part->size - end;
	size_t n = len < WIM_MARK_SIZE ? (size_t)len : WIM_MARK_SIZE;

	*ret = TAIL_NONE;
	if (part->size <= end)
		return 0;
	wim_append_mark(&part->header, end, mark);
	if (wim_pread(part, end, found, n, err) < 0)
		return -1;
	if (memcmp(found, mark, n) == 0)
		*ret = TAIL_OURS;
	else
		*ret = len > WIM_MAX_TAIL ? TAIL_LARGE : TAIL_SMALL;
	return 0;
}

int wim_check_complete(const struct wim *wim, struct error *err)
{
	const struct wim_header *h = &wim->parts.items[0].header;

	if (!(h->flags & WIM_WRITE_IN_PROGRESS) || (h->blobs.size && h->xml.size))
		return 0;
	if (wim_lock_others_out(wim->parts.items[0].fd, wim->image.path, err) < 0)
		return -1;
	error_set(err, ERROR_STATE, wim->image.path,
		  "was being written when its writer was stopped, and holds no complete "
		  "image");
	return error_remedy(err, "make it again from its source");
}

/*
 * A descriptor to write with, exclusively locked, in place of the one for reading. *can
 * is false where the file cannot be written or another reader holds it: then the old
 * state is read as it is.
 */
static int make_writable(struct wim *wim, bool *can, struct error *err)
{
	struct wim_part *part = &wim->parts.items[0];
	int fd;

	*can = !part->window;
	if (wim->image.options.write || part->window)
		return 0;
	fd = open(part->path, O_RDWR | O_CLOEXEC);
	/* Our own lock for reading would be in the way; a writer cannot come between. */
	if (fd >= 0) {
		struct flock none = {.l_type = F_UNLCK, .l_whence = SEEK_SET};

		(void)fcntl(part->fd, F_OFD_SETLK, &none);
		if (file_lock(fd, part->path, true, NULL) == 0 &&
		    wim_lock_others_out(fd, part->path, NULL) == 0) {
			close(part->fd);
			part->fd = fd;
			return 0;
		}
		close(fd);
	}
	*can = false;
	return file_lock(part->fd, part->path, false, err);
}

static int cut_back(struct wim *wim, uint64_t end, struct error *err)
{
	struct wim_part *part = &wim->parts.items[0];
	uint8_t flags[4];

	if (ftruncate(part->fd, (off_t)end) < 0 || fsync(part->fd) < 0)
		return error_errno(err, part->path, "cannot undo an interrupted edit");
	part->size = end;
	if (part->header.flags & WIM_WRITE_IN_PROGRESS) {
		part->header.flags &= ~(uint32_t)WIM_WRITE_IN_PROGRESS;
		put_le32(flags, part->header.flags);
		if (pwrite(part->fd, flags, sizeof(flags), FLAGS_OFFSET) !=
			    sizeof(flags) ||
		    fsync(part->fd) < 0)
			return error_errno(err, part->path,
					   "cannot undo an interrupted edit");
	}
	if (wim->image.options.write)
		return 0;
	(void)flock(part->fd, LOCK_UN);
	return file_lock(part->fd, part->path, false, err);
}

/* All that the old header points to must be there, or nothing may be cut off. */
static int prove_old_state(struct wim *wim, struct error *err)
{
	for (size_t i = 0; i < wim->metadata.len; i++)
		if (!image_tree(&wim->image, i, err))
			return -1;
	return wim_xml_is_sound(wim, err);
}

static int settle_foreign(struct wim *wim, uint64_t end, struct error *err)
{
	const char *path = wim->image.path;
	bool can;

	if (prove_old_state(wim, err) < 0) {
		error_wrap(err, path,
			   "was being written by another program when that was stopped, "
			   "and its old state is not whole");
		if (err)
			err->code = ERROR_STATE;
		return error_remedy(err, "restore it from a copy");
	}
	if (make_writable(wim, &can, err) < 0)
		return -1;
	if (!can) {
		notice("%s: another program was stopped while it wrote to it; the state "
		       "before that is read",
		       path);
		return 0;
	}
	if (cut_back(wim, end, err) < 0)
		return -1;
	notice("%s: another program was stopped while it wrote to it; the state before "
	       "that is restored",
	       path);
	return 0;
}

int wim_settle(struct wim *wim, struct error *err)
{
	const struct wim_part *part = &wim->parts.items[0];
	const char *path = wim->image.path;
	uint64_t end = wim_end(wim);
	enum tail tail;
	bool can;

	if (part->header.flags & WIM_WRITE_IN_PROGRESS)
		return settle_foreign(wim, end, err);
	if (wim->parts.len > 1 || classify_tail(part, end, &tail, err) < 0)
		return wim->parts.len > 1 ? 0 : -1;
	if (tail == TAIL_LARGE && wim->image.options.write) {
		error_set(err, ERROR_STATE, path,
			  "has %ju unknown bytes behind its end, which an edit would "
			  "overwrite",
			  (uintmax_t)(part->size - end));
		return error_remedy(err, "write a new WIM with --output=FILE.wim");
	}
	if (tail != TAIL_OURS)
		return 0;
	if (make_writable(wim, &can, err) < 0)
		return -1;
	if (!can) {
		notice("%s: an interrupted edit left unused bytes at its end; the state "
		       "before it is read",
		       path);
		return 0;
	}
	if (cut_back(wim, end, err) < 0)
		return -1;
	notice("%s: an interrupted edit was undone; the image is as it was before it",
	       path);
	return 0;
}
