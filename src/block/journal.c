/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The block of an edit in place. Blocks of JOURNAL_BLOCK bytes that are written and not
 * free are kept: in memory up to a limit, then in the journal file, in a slot each. An
 * index by block number finds them; everything else is the disk's.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/progress.h"
#include "block/journal_private.h"

/* 12 MiB of blocks are kept in memory before they go to the file. */
#define MAX_IN_MEMORY 3072
#define NO_SLOT UINT64_MAX
#define MIN_INDEX 1024u

struct kept {
	uint64_t block;
	uint64_t slot; /* in the file, or NO_SLOT */
	uint8_t *data; /* while there is no slot */
};

/* Clusters that were free when the edit began. */
struct free_range {
	uint64_t offset, clusters;
	uint32_t cluster_size;
	uint8_t *bits;
};

struct journal {
	struct block block;
	struct block *disk;
	struct journal_log log;
	struct vec_of(struct kept) kept;
	uint32_t *index; /* positions in `kept` + 1, by hash; a power of two */
	size_t index_size;
	size_t in_memory;
	uint64_t slots;
	struct vec_of(struct free_range) free_ranges;
	bool stays; /* the file must stay until the edit is finished */
};

/* ---- the index
 * ------------------------------------------------------------------------------- */

static size_t place(const struct journal *j, uint64_t block)
{
	size_t at = (size_t)((block * 0x9e3779b97f4a7c15u) >> 20) & (j->index_size - 1);

	while (j->index[at] && j->kept.items[j->index[at] - 1].block != block)
		at = (at + 1) & (j->index_size - 1);
	return at;
}

static struct kept *find(const struct journal *j, uint64_t block)
{
	uint32_t position;

	if (!j->kept.len)
		return NULL;
	position = j->index[place(j, block)];
	return position ? &j->kept.items[position - 1] : NULL;
}

static void index_all(struct journal *j, size_t size)
{
	free(j->index);
	j->index = xcalloc(size, sizeof(*j->index));
	j->index_size = size;
	for (size_t i = 0; i < j->kept.len; i++)
		j->index[place(j, j->kept.items[i].block)] = (uint32_t)i + 1;
}

static struct kept *add(struct journal *j, uint64_t block)
{
	if (!j->index_size)
		index_all(j, MIN_INDEX);
	else if ((j->kept.len + 1) * 2 > j->index_size)
		index_all(j, j->index_size * 2);
	vec_push(&j->kept, (struct kept){block, NO_SLOT, NULL});
	j->index[place(j, block)] = (uint32_t)j->kept.len;
	return &j->kept.items[j->kept.len - 1];
}

/* ---- the file's slots
 * ------------------------------------------------------------------------ */

static uint64_t slot_at(uint64_t slot)
{
	return JOURNAL_DATA + slot * JOURNAL_BLOCK;
}

static int compare_blocks(const void *a, const void *b)
{
	const struct kept *x = *(struct kept *const *)a, *y = *(struct kept *const *)b;

	return (x->block > y->block) - (x->block < y->block);
}

/* Gives every block that is in memory a slot, in the disk's order, and writes them. */
static int spill(struct journal *j, struct error *err)
{
	_cleanup_free_ struct kept **list = xcalloc(j->in_memory + 1, sizeof(*list));
	_cleanup_free_ uint8_t *run = xmalloc(JOURNAL_REGION);
	size_t count = 0, filled = 0;
	uint64_t first = j->slots;

	vec_foreach (kept, &j->kept)
		if (kept->data)
			list[count++] = kept;
	qsort(list, count, sizeof(*list), compare_blocks);
	for (size_t i = 0; i < count; i++) {
		memcpy(run + filled, list[i]->data, JOURNAL_BLOCK);
		filled += JOURNAL_BLOCK;
		if (filled < JOURNAL_REGION && i + 1 < count)
			continue;
		if (journal_file_write(&j->log, run, filled, slot_at(first), err) < 0)
			return -1;
		first += filled / JOURNAL_BLOCK;
		filled = 0;
	}
	for (size_t i = 0; i < count; i++) {
		list[i]->slot = j->slots++;
		free(steal_ptr(list[i]->data));
	}
	j->in_memory = 0;
	return 0;
}

static int read_kept(const struct journal *j, const struct kept *kept, size_t in,
		     void *buf, size_t len, struct error *err)
{
	if (kept->slot != NO_SLOT)
		return journal_file_read(&j->log, buf, len, slot_at(kept->slot) + in,
					 err);
	memcpy(buf, kept->data + in, len);
	return 0;
}

/* Bytes of the disk in the block: fewer in the last one. */
static size_t block_len(const struct journal *j, uint64_t block)
{
	uint64_t left = j->disk->size - block * JOURNAL_BLOCK;

	return left < JOURNAL_BLOCK ? (size_t)left : JOURNAL_BLOCK;
}

/* Keeps bytes of one block. */
static int keep(struct journal *j, uint64_t block, size_t in, const uint8_t *data,
		size_t len, struct error *err)
{
	struct kept *kept = find(j, block);
	_cleanup_free_ uint8_t *whole = NULL;

	if (kept && kept->slot != NO_SLOT)
		return journal_file_write(&j->log, data, len, slot_at(kept->slot) + in,
					  err);
	if (!kept) {
		if (j->in_memory == MAX_IN_MEMORY && spill(j, err) < 0)
			return -1;
		whole = xcalloc(1, JOURNAL_BLOCK);
		if (len < block_len(j, block) &&
		    block_pread(j->disk, whole, block_len(j, block),
				block * JOURNAL_BLOCK, err) < 0)
			return -1;
		kept = add(j, block);
		kept->data = steal_ptr(whole);
		j->in_memory++;
	}
	memcpy(kept->data + in, data, len);
	return 0;
}

/* ---- free clusters
 * --------------------------------------------------------------------------- */

/* 1: all of [start, end) is free in this range; 0: some of it is not; -1: elsewhere. */
static int free_in_range(const struct free_range *range, uint64_t start, uint64_t end)
{
	uint64_t size = range->clusters * range->cluster_size;

	if (end <= range->offset || start >= range->offset + size)
		return -1;
	if (start < range->offset || end > range->offset + size)
		return 0;
	for (uint64_t c = (start - range->offset) / range->cluster_size;
	     c <= (end - 1 - range->offset) / range->cluster_size; c++)
		if (range->bits[c / 8] >> c % 8 & 1)
			return 0;
	return 1;
}

/*
 * Only whole blocks go straight through: what shares a block with clusters in use (a
 * volume that does not begin at a multiple of the block) is kept with them.
 */
static bool is_free(const struct journal *j, uint64_t block)
{
	uint64_t start = block * JOURNAL_BLOCK, end = start + block_len(j, block);
	bool found = false;

	vec_foreach (range, &j->free_ranges) {
		int free_here = free_in_range(range, start, end);

		if (free_here == 0)
			return false;
		found |= free_here > 0;
	}
	return found;
}

int journal_free_clusters(struct block *journal, uint64_t offset, uint32_t cluster_size,
			  struct bytes bitmap, struct error *err)
{
	struct journal *j = (struct journal *)journal;
	struct free_range range = {.offset = offset, .cluster_size = cluster_size};

	if (!cluster_size || offset > journal->size)
		return error_set(err, ERROR_FAILED, journal->name,
				 "a volume on it has impossible clusters");
	range.clusters = (journal->size - offset) / cluster_size;
	if (range.clusters > (uint64_t)bitmap.len * 8)
		range.clusters = (uint64_t)bitmap.len * 8;
	if (!range.clusters)
		return 0;
	range.bits = xmemdup(bitmap.data, bitmap.len);
	vec_push(&j->free_ranges, range);
	return 0;
}

/* ---- the block
 * ------------------------------------------------------------------------------- */

static int journal_pread(struct block *block, void *buf, size_t len, uint64_t offset,
			 struct error *err)
{
	struct journal *j = (struct journal *)block;
	uint8_t *to = buf;

	while (len) {
		const struct kept *kept = find(j, offset / JOURNAL_BLOCK);
		size_t in = (size_t)(offset % JOURNAL_BLOCK), n = JOURNAL_BLOCK - in;
		int result;

		while (!kept && n < len && !find(j, (offset + n) / JOURNAL_BLOCK))
			n += JOURNAL_BLOCK;
		if (n > len)
			n = len;
		result = kept ? read_kept(j, kept, in, to, n, err)
			      : block_pread(j->disk, to, n, offset, err);
		if (result < 0)
			return -1;
		to += n;
		offset += n;
		len -= n;
	}
	return 0;
}

static int journal_pwrite(struct block *block, const void *buf, size_t len,
			  uint64_t offset, struct error *err)
{
	struct journal *j = (struct journal *)block;
	const uint8_t *from = buf;

	if (j->stays)
		return error_set(err, ERROR_FAILED, block->name,
				 "its edit is closed already");
	while (len) {
		uint64_t first = offset / JOURNAL_BLOCK;
		size_t in = (size_t)(offset % JOURNAL_BLOCK), n = JOURNAL_BLOCK - in;
		bool straight = is_free(j, first);
		int result;

		while (straight && n < len && is_free(j, (offset + n) / JOURNAL_BLOCK))
			n += JOURNAL_BLOCK;
		if (n > len)
			n = len;
		if (straight)
			j->log.written += n;
		result = straight ? block_pwrite(j->disk, from, n, offset, err)
				  : keep(j, first, in, from, n, err);
		if (result < 0)
			return -1;
		from += n;
		offset += n;
		len -= n;
	}
	return 0;
}

/* Nothing is durable before the commit, and nothing needs to be. */
static int journal_flush(struct block *block _unused_, struct error *err _unused_)
{
	return 0;
}

static void journal_close(struct block *block)
{
	struct journal *j = (struct journal *)block;

	if (j->log.fd >= 0 && !j->stays)
		(void)journal_file_remove(&j->log, NULL);
	journal_log_free(&j->log);
	vec_foreach (kept, &j->kept)
		free(kept->data);
	vec_free(&j->kept);
	free(j->index);
	vec_foreach (range, &j->free_ranges)
		free(range->bits);
	vec_free(&j->free_ranges);
}

static const struct block_ops journal_ops = {
	.pread = journal_pread,
	.pwrite = journal_pwrite,
	.flush = journal_flush,
	.close = journal_close,
};

struct block *journal_begin(struct block *disk, const char *path,
			    const struct journal_identity *identity, struct error *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct journal *j;

	if (fd < 0 && errno == EEXIST) {
		error_set(err, ERROR_STATE, path, "exists already");
		error_remedy(err, "move it away, or give another --journal=FILE");
		return NULL;
	}
	if (fd < 0) {
		error_errno(err, path, "cannot make the journal of the edit");
		error_remedy(err, "give a place that can be written with --journal=FILE, "
				  "or write a new image with --output");
		return NULL;
	}
	j = xcalloc(1, sizeof(*j));
	j->block = (struct block){&journal_ops, xstrdup(disk->name), disk->size,
				  disk->sector_size, true};
	j->disk = disk;
	j->log.fd = fd;
	j->log.path = xstrdup(path);
	if (journal_file_lock(&j->log, err) < 0 ||
	    journal_header_write(&j->log, disk, identity, err) < 0 ||
	    journal_file_sync(&j->log, err) < 0 || file_sync_folder(path, err) < 0) {
		block_close(&j->block);
		return NULL;
	}
	return &j->block;
}

void journal_keep(struct block *journal)
{
	((struct journal *)journal)->stays = true;
}

int journal_mark(struct block *journal, uint64_t offset, struct bytes marked,
		 struct error *err)
{
	struct journal *j = (struct journal *)journal;
	struct journal_sectors mark = {.offset = offset, .len = (uint32_t)marked.len};

	if (!marked.len || marked.len > JOURNAL_MAX_MARK || marked.len % JOURNAL_SECTOR ||
	    offset % JOURNAL_SECTOR || j->log.marks.len == JOURNAL_MAX_MARKS)
		return error_set(err, ERROR_FAILED, journal->name,
				 "a volume on it has its state at an impossible place");
	mark.old = xmalloc(marked.len);
	mark.final = xmalloc(marked.len);
	mark.marked = xmemdup(marked.data, marked.len);
	vec_push(&j->log.marks, mark);
	return block_pread(j->disk, mark.old, marked.len, offset, err);
}

/* ---- the commit
 * ------------------------------------------------------------------------------ */

static int compare_kept(const void *a, const void *b)
{
	const struct kept *x = a, *y = b;

	return (x->block > y->block) - (x->block < y->block);
}

/* Blocks from `i` on that follow each other on the disk and in the file. */
static size_t run_len(const struct journal *j, size_t i)
{
	const struct kept *kept = &j->kept.items[i];
	size_t n = 1;

	while (i + n < j->kept.len && n < JOURNAL_REGION / JOURNAL_BLOCK &&
	       kept[n].block == kept->block + n && kept[n].slot == kept->slot + n)
		n++;
	return n;
}

/* Adds the parts of a run that differ from what is on the disk. */
static int add_run(struct journal *j, struct journal_table *table,
		   const struct kept *kept, size_t blocks, uint8_t *old, uint8_t *now,
		   struct error *err)
{
	uint64_t offset = kept->block * JOURNAL_BLOCK, at = slot_at(kept->slot);
	size_t len =
		(blocks - 1) * JOURNAL_BLOCK + block_len(j, kept->block + blocks - 1);
	size_t start = 0;

	if (journal_file_read(&j->log, now, len, at, err) < 0 ||
	    block_pread(j->disk, old, len, offset, err) < 0)
		return -1;
	for (size_t i = 0; i < len; i += JOURNAL_BLOCK) {
		size_t n = len - i < JOURNAL_BLOCK ? len - i : JOURNAL_BLOCK;
		bool same = memcmp(old + i, now + i, n) == 0, last = i + n == len;
		size_t end = same ? i : i + n;

		if ((same || last) && end > start &&
		    journal_table_add(table, offset + start, at + start, old + start,
				      now + start, (uint32_t)(end - start), err) < 0)
			return -1;
		if (same)
			start = i + n;
	}
	return 0;
}

static int add_regions(struct journal *j, struct journal_table *table, struct error *err)
{
	_cleanup_free_ uint8_t *old = xmalloc(JOURNAL_REGION);
	_cleanup_free_ uint8_t *now = xmalloc(JOURNAL_REGION);

	for (size_t i = 0; i < j->kept.len;) {
		size_t n = run_len(j, i);

		if (interrupted())
			return error_interrupted(err);
		if (add_run(j, table, &j->kept.items[i], n, old, now, err) < 0)
			return -1;
		i += n;
	}
	return 0;
}

/* 1: the file is complete; 0: the edit changes nothing that is in use. */
static int complete(struct journal *j, struct error *err)
{
	struct journal_table table;
	int result;

	vec_foreach (mark, &j->log.marks)
		if (journal_pread(&j->block, mark->final, mark->len, mark->offset, err) <
		    0)
			return -1;
	if (spill(j, err) < 0)
		return -1;
	if (j->kept.len)
		qsort(j->kept.items, j->kept.len, sizeof(*j->kept.items), compare_kept);
	index_all(j, j->index_size ? j->index_size : MIN_INDEX);
	j->log.end = slot_at(j->slots);
	if (journal_table_begin(&table, &j->log, err) < 0)
		return -1;
	if (add_regions(j, &table, err) < 0) {
		journal_table_drop(&table);
		return -1;
	}
	/* Written through: on the disk before anything can name it. */
	result = block_flush(j->disk, err);
	if (result < 0 || !j->log.regions.len) {
		journal_table_drop(&table);
		return result;
	}
	/* From here on a failure may have left a complete journal. */
	j->stays = true;
	return journal_table_end(&table, err) < 0 ? -1 : 1;
}

int journal_commit(struct block *journal, uint64_t *written, struct error *err)
{
	struct journal *j = (struct journal *)journal;

	int result = complete(j, err);

	if (result < 0 && j->stays) /* not applied: without the file, the old state */
		j->stays = journal_file_remove(&j->log, NULL) < 0;
	if (result < 0)
		return -1;
	if (result && journal_apply(&j->log, j->disk, err) < 0) {
		error_wrap(err, j->block.name, "the edit could not be finished");
		if (err)
			err->code = ERROR_STATE;
		return error_remedy(err,
				    "%s holds all of it: remove the cause and run gild "
				    "inspect on the image, which finishes the edit",
				    j->log.path);
	}
	if (written)
		*written = j->log.written;
	/* The edit is in the image; finishing it once more would change nothing. */
	if (journal_file_remove(&j->log, NULL) < 0)
		notice("%s: could not be removed; the edit of %s is complete",
		       j->log.path, j->block.name);
	return 0;
}
