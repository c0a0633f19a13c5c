/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The journal of a disk edit against a disk in memory and the journal's real file, both
 * with a cache that loses, at every step of a commit and of a recovery, any part of what
 * was not flushed: single sectors, in any order. What recovery makes of it must be the
 * old or the new disk, and never anything of a disk that is not the journal's.
 *
 * fsync() and unlink() are wrapped by the linker to know what of the file is durable.
 */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "block/journal.h"

#define SECTOR 512u
/* No multiple of the journal's block. */
#define DISK_SIZE ((size_t)1024 * 1024 + 3 * SECTOR)
#define MAX_FILE ((size_t)64 << 20)

static char *folder, *journal_path;
static uint32_t seed;

static uint32_t next_random(void)
{
	seed = seed * 1664525 + 1013904223;
	return seed >> 8;
}

/* ---- the disk, and what of it and of the file is durable -----------------------------
 */

struct disk {
	struct block block;
	uint8_t *now, *durable;
	unsigned writes;
};

static struct {
	struct disk *disk;
	unsigned step, cut_at; /* 0: never */
	bool cut;
	struct buffer file;    /* as durable */
	bool file_durable;     /* its name */
	struct buffer removed; /* content of the file that was unlinked */
	bool removal_pending;
	/* what a crash at the cut leaves */
	uint8_t *disk_left;
	struct buffer file_left;
	bool file_is_left;
} world;

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_unlink(const char *path);
int __wrap_unlink(const char *path);

/* Of each sector that differs, the old or the new one. */
static void mix(uint8_t *to, const uint8_t *other, size_t len)
{
	unsigned share = next_random() % 5; /* none, some, all */

	for (size_t i = 0; i < len; i += SECTOR) {
		size_t n = len - i < SECTOR ? len - i : SECTOR;

		if (next_random() % 4 < share)
			memcpy(to + i, other + i, n);
	}
}

static void read_journal(struct buffer *to)
{
	buffer_free(to);
	assert_int_equal(file_read(journal_path, MAX_FILE, to, NULL), 0);
}

static void crash_file(void)
{
	struct buffer now = BUFFER_INIT;
	bool there = access(journal_path, F_OK) == 0;

	buffer_free(&world.file_left);
	world.file_is_left = there;
	if (there && !world.file_durable && next_random() % 2) {
		world.file_is_left = false;
		return;
	}
	if (there)
		read_journal(&now);
	else if (world.removal_pending && next_random() % 2) {
		buffer_append(&now, world.removed.data, world.removed.len);
		world.file_is_left = true;
	}
	if (!world.file_is_left)
		return;
	if (now.len > world.file.len && next_random() % 4 == 0)
		now.len = world.file.len; /* the size is not durable either */
	buffer_append(&world.file_left, now.data, now.len);
	if (world.file_left.len) {
		size_t common = now.len < world.file.len ? now.len : world.file.len;

		if (common)
			mix(world.file_left.data, world.file.data, common);
		for (size_t i = common; i < now.len; i++)
			if (next_random() % 8 == 0 && i % SECTOR == 0)
				memset(world.file_left.data + i, 0,
				       now.len - i < SECTOR ? now.len - i : SECTOR);
	}
	buffer_free(&now);
}

/* Counts a step; true if the power goes here (or went before). */
static bool step(void)
{
	if (world.cut)
		return true;
	if (++world.step != world.cut_at)
		return false;
	world.cut = true;
	world.disk_left = xmemdup(world.disk->durable, DISK_SIZE);
	mix(world.disk_left, world.disk->now, DISK_SIZE);
	crash_file();
	return true;
}

int __wrap_fsync(int fd)
{
	struct stat st;

	if (!world.disk)
		return __real_fsync(fd);
	if (step()) {
		errno = EIO;
		return -1;
	}
	assert_int_equal(fstat(fd, &st), 0);
	if (S_ISDIR(st.st_mode)) {
		world.file_durable = access(journal_path, F_OK) == 0;
		world.removal_pending = false;
	} else {
		read_journal(&world.file);
	}
	return __real_fsync(fd);
}

int __wrap_unlink(const char *path)
{
	if (world.disk && strcmp(path, journal_path) == 0) {
		if (step()) {
			errno = EIO;
			return -1;
		}
		read_journal(&world.removed);
		world.removal_pending = true;
	}
	return __real_unlink(path);
}

static int disk_pread(struct block *block, void *buf, size_t len, uint64_t offset,
		      struct error *err _unused_)
{
	memcpy(buf, ((struct disk *)block)->now + offset, len);
	return 0;
}

static int disk_pwrite(struct block *block, const void *buf, size_t len, uint64_t offset,
		       struct error *err)
{
	struct disk *disk = (struct disk *)block;

	/* A cut during the write: some of its sectors may be on the medium. */
	if (!world.cut) {
		memcpy(disk->now + offset, buf, len);
		disk->writes++;
	}
	return step() ? error_set(err, ERROR_FAILED, "disk", "the power went") : 0;
}

static int disk_flush(struct block *block, struct error *err)
{
	struct disk *disk = (struct disk *)block;

	if (step())
		return error_set(err, ERROR_FAILED, "disk", "the power went");
	memcpy(disk->durable, disk->now, DISK_SIZE);
	return 0;
}

static void disk_close(struct block *block)
{
	free(((struct disk *)block)->now);
	free(((struct disk *)block)->durable);
}

static const struct block_ops disk_ops = {
	.pread = disk_pread,
	.pwrite = disk_pwrite,
	.flush = disk_flush,
	.close = disk_close,
};

static struct disk *disk_new(const uint8_t *content)
{
	struct disk *disk = xcalloc(1, sizeof(*disk));

	disk->block =
		(struct block){&disk_ops, xstrdup("disk.img"), DISK_SIZE, SECTOR, true};
	disk->now = xmemdup(content, DISK_SIZE);
	disk->durable = xmemdup(content, DISK_SIZE);
	return disk;
}

/* ---- an edit of two volumes ----------------------------------------------------------
 */

static const struct journal_identity identity = {DISK_SIZE, "raw"};

static const struct volume {
	uint64_t offset, size;
	uint32_t cluster_size;
	uint64_t mark; /* where its dirty flag is, in two sectors */
} volumes[] = {
	{63 * SECTOR, 500 * 1024, 4096, 63 * SECTOR + 20 * 1024 + SECTOR},
	{600 * 1024, DISK_SIZE - 600 * 1024, 512, 700 * 1024},
};

struct edit {
	uint8_t *old, *expected;
	uint8_t *used; /* for each byte of the disk: not free when the edit began */
	uint8_t marked[ARRAY_SIZE(volumes)][2 * SECTOR];
};

static void fill(uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)next_random();
}

static void edit_init(struct edit *e)
{
	e->old = xmalloc(DISK_SIZE);
	fill(e->old, DISK_SIZE);
	memset(e->old + 300 * 1024, 0, 64 * 1024);
	e->expected = xmemdup(e->old, DISK_SIZE);
	e->used = xmalloc(DISK_SIZE);
	memset(e->used, 1, DISK_SIZE);
}

static void edit_free(struct edit *e)
{
	free(e->old);
	free(e->expected);
	free(e->used);
}

static void check_reads(struct block *journal, const struct edit *e)
{
	_cleanup_free_ uint8_t *back = xmalloc(DISK_SIZE);
	size_t at = next_random() % DISK_SIZE, len = next_random() % (DISK_SIZE - at) + 1;

	assert_int_equal(block_pread(journal, back, len, at, NULL), 0);
	assert_memory_equal(back, e->expected + at, len);
}

/* Free clusters come in runs, as in a volume. The mark's are in use. */
static void declare_volume(struct block *journal, struct edit *e, size_t i)
{
	const struct volume *v = &volumes[i];
	uint64_t clusters = v->size / v->cluster_size;
	_cleanup_free_ uint8_t *bits = xcalloc(1, clusters / 8 + 1);
	struct bytes mark = {e->marked[i], sizeof(e->marked[i])};
	bool used = true;

	for (uint64_t c = 0; c < clusters; c++) {
		uint64_t at = v->offset + c * v->cluster_size;

		if (next_random() % 9 == 0)
			used = !used;
		if (used || (at < v->mark + 2 * SECTOR && v->mark < at + v->cluster_size))
			bits[c / 8] |= (uint8_t)(1 << c % 8);
		else
			memset(e->used + at, 0, v->cluster_size);
	}
	/* What no bit speaks of is in use. */
	assert_int_equal(journal_free_clusters(journal, v->offset, v->cluster_size,
					       (struct bytes){bits, clusters / 8}, NULL),
			 0);
	memset(e->used + v->offset + clusters / 8 * 8 * v->cluster_size, 1,
	       v->size - clusters / 8 * 8 * v->cluster_size);
	memcpy(e->marked[i], e->old + v->mark, mark.len);
	e->marked[i][100] ^= 1;
	assert_int_equal(journal_mark(journal, v->mark, mark, NULL), 0);
}

static int write_some(struct block *journal, struct edit *e, struct error *err)
{
	for (unsigned i = 0; i < 40; i++) {
		const struct volume *v = &volumes[next_random() % ARRAY_SIZE(volumes)];
		size_t at = next_random() % v->size;
		size_t len = next_random() % (i % 8 ? 6000 : 40000) + 1;

		if (len > v->size - at)
			len = v->size - at;
		if (i == 3) /* what a mark stands for changes as well */
			at = v->mark + 300 - v->offset, len = 20;
		if (i != 5) /* and once the same is written again */
			fill(e->expected + v->offset + at, len);
		if (block_pwrite(journal, e->expected + v->offset + at, len,
				 v->offset + at, err) < 0)
			return -1;
		check_reads(journal, e);
	}
	return 0;
}

static int run_edit(struct disk *disk, struct edit *e, struct error *err)
{
	struct block *journal = journal_begin(&disk->block, journal_path, &identity, err);
	uint64_t written = 0;
	int result;

	if (!journal)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(volumes); i++)
		declare_volume(journal, e, i);
	result = write_some(journal, e, err);
	if (result == 0)
		result = journal_commit(journal, &written, err);
	assert_true(result < 0 || written > 0);
	block_close(journal);
	return result;
}

static void world_begin(struct disk *disk, unsigned cut_at)
{
	world.disk = disk;
	world.step = 0;
	world.cut_at = cut_at;
	world.cut = false;
	buffer_free(&world.file);
	if (access(journal_path, F_OK) == 0) {
		read_journal(&world.file);
		world.file_durable = true;
	} else {
		world.file_durable = false;
	}
	world.removal_pending = false;
}

static void put_file(const uint8_t *data, size_t len)
{
	int fd = open(journal_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, (struct bytes){data, len}, "f", NULL), 0);
	close(fd);
}

/* Takes disk and file to what the crash left. */
static void world_crash(struct disk *disk)
{
	world.disk = NULL;
	memcpy(disk->now, world.disk_left, DISK_SIZE);
	memcpy(disk->durable, world.disk_left, DISK_SIZE);
	free(steal_ptr(world.disk_left));
	(void)unlink(journal_path);
	if (world.file_is_left)
		put_file(world.file_left.data, world.file_left.len);
}

static void world_end(void)
{
	world.disk = NULL;
	world.cut = false;
	world.cut_at = 0;
	buffer_free(&world.file);
	buffer_free(&world.removed);
	buffer_free(&world.file_left);
}

enum outcome { OLD, NEW, BETWEEN };

static enum outcome judge(const struct edit *e, const uint8_t *disk)
{
	bool old = true;

	if (memcmp(disk, e->expected, DISK_SIZE) == 0)
		return NEW;
	for (size_t i = 0; i < DISK_SIZE && old; i++)
		old = !e->used[i] || disk[i] == e->old[i];
	return old ? OLD : BETWEEN;
}

/* One that is neither old nor new shows it by a dirty flag, on one volume at least. */
static void check_flagged(const struct edit *e, const uint8_t *disk)
{
	for (size_t i = 0; i < ARRAY_SIZE(volumes); i++)
		if (disk[volumes[i].mark + 100] == e->marked[i][100])
			return;
	fail_msg("half of an edit without a dirty flag");
}

static void test_cut_everywhere(void **state _unused_)
{
	unsigned counts[2] = {0}, between = 0, recoveries = 0, steps = 0;

	for (unsigned round = 0; round < 4; round++) {
		for (unsigned cut = 1;; cut++) {
			struct edit e;
			struct disk *disk;
			bool finished, more;
			int result;

			seed = round * 7919 + 1;
			edit_init(&e);
			disk = disk_new(e.old);
			world_begin(disk, cut);
			result = run_edit(disk, &e, NULL);
			more = world.cut;
			assert_true(more || result == 0);
			if (more) {
				seed += cut;
				world_crash(disk);
				assert_true(result < 0 || judge(&e, disk->now) == NEW);
				if (judge(&e, disk->now) == BETWEEN) {
					between++;
					check_flagged(&e, disk->now);
				}
			}
			/* Recovery is cut at every step as well, in every other round. */
			for (unsigned again = 1; more; again++) {
				world_begin(disk, round % 2 ? 0 : again);
				result = journal_recover(&disk->block, journal_path,
							 &identity, &finished, NULL);
				recoveries++;
				if (!world.cut) {
					assert_int_equal(result, 0);
					break;
				}
				world_crash(disk);
			}
			world_end();
			assert_int_equal(access(journal_path, F_OK), -1);
			assert_int_not_equal(judge(&e, disk->now), BETWEEN);
			counts[judge(&e, disk->now)]++;
			block_close(&disk->block);
			edit_free(&e);
			if (!more)
				break;
			steps++;
		}
	}
	print_message("# cut at %u steps: %u old, %u new (%u lay between before the "
		      "recovery), %u recoveries\n",
		      steps, counts[OLD], counts[NEW], between, recoveries);
	assert_true(counts[OLD] > 20 && counts[NEW] > 20 && between > 20);
}

/* ---- journals that must not be carried out -------------------------------------------
 */

/* An edit that stops while it is applied: the disk is between, the journal complete. */
static struct disk *half_done(struct edit *e)
{
	enum outcome found;
	struct disk *disk;

	for (unsigned cut = 30;; cut++) {
		seed = 4711;
		edit_init(e);
		disk = disk_new(e->old);
		world_begin(disk, cut);
		(void)run_edit(disk, e, NULL);
		assert_true(world.cut);
		world_crash(disk);
		world_end();
		found = judge(e, disk->now);
		if (found == BETWEEN)
			return disk;
		block_close(&disk->block);
		edit_free(e);
		(void)unlink(journal_path);
	}
}

static void refused(struct disk *disk, const struct journal_identity *id,
		    const char *reason)
{
	_cleanup_free_ uint8_t *before = xmemdup(disk->now, DISK_SIZE);
	_cleanup_error_ struct error err = ERROR_INIT;
	unsigned writes = disk->writes;
	bool f;

	assert_int_equal(journal_recover(&disk->block, journal_path, id, &f, &err), -1);
	assert_int_equal(err.code, ERROR_STATE);
	if (reason)
		assert_non_null(strstr(err.reason, reason));
	assert_int_equal(disk->writes, writes);
	assert_memory_equal(disk->now, before, DISK_SIZE);
	assert_int_equal(access(journal_path, F_OK), 0);
}

static void test_other_images(void **state _unused_)
{
	struct journal_identity larger = {DISK_SIZE + SECTOR, "raw"};
	struct journal_identity format = {DISK_SIZE, "vhdx"};
	_cleanup_error_ struct error err = ERROR_INIT;
	enum journal_state look;
	struct edit e;
	struct disk *disk = half_done(&e);
	size_t at = 0;
	uint8_t saved;
	bool finished;

	assert_int_equal(journal_look(journal_path, &look, NULL), 0);
	assert_int_equal(look, JOURNAL_COMPLETE);
	refused(disk, &larger, "another image");
	refused(disk, &format, "another image");
	/* The partition table is another one. */
	disk->now[446] ^= 1;
	refused(disk, &identity, "restored or used");
	disk->now[446] ^= 1;
	/* One byte, where the edit changes something, is neither. */
	while (!e.used[at] || e.old[at] == e.expected[at])
		at++;
	saved = disk->now[at];
	disk->now[at] = (uint8_t)(e.old[at] ^ e.expected[at] ^ 0x5a);
	refused(disk, &identity, "restored or used");
	disk->now[at] = saved;
	/* A flag that is something else. */
	disk->now[volumes[0].mark + 100] ^= 0x80;
	refused(disk, &identity, "restored or used");
	disk->now[volumes[0].mark + 100] ^= 0x80;
	(void)journal_recover(&disk->block, journal_path, &identity, &finished, &err);
	assert_string_equal(err.reason ? err.reason : "", "");
	assert_true(finished);
	assert_int_equal(judge(&e, disk->now), NEW);
	block_close(&disk->block);
	edit_free(&e);
}

/* Whatever becomes of the file: nothing is written, or the new state is there. */
static void test_damaged(void **state _unused_)
{
	_cleanup_buffer_ struct buffer good = BUFFER_INIT;
	_cleanup_free_ uint8_t *between = NULL;
	unsigned harmless = 0, told = 0;
	struct edit e;
	struct disk *disk = half_done(&e);

	read_journal(&good);
	between = xmemdup(disk->now, DISK_SIZE);
	for (unsigned i = 0; i < 700; i++) {
		size_t at = i < 450 ? i * 2 : next_random() % good.len;
		size_t len = good.len;
		bool finished;

		memcpy(disk->now, between, DISK_SIZE);
		if (i % 7 == 6) { /* cut, but not down to nothing */
			len = at + 1;
			put_file(good.data, len);
		} else {
			good.data[at] ^= 0x10;
			put_file(good.data, len);
			good.data[at] ^= 0x10;
		}
		if (journal_recover(&disk->block, journal_path, &identity, &finished,
				    NULL) == 0) {
			assert_int_equal(judge(&e, disk->now), NEW);
			harmless++;
		} else {
			assert_memory_equal(disk->now, between, DISK_SIZE);
			told++;
		}
	}
	print_message("# %u damaged journals told, %u harmless\n", told, harmless);
	assert_true(told > 500 && harmless < 100);
	(void)unlink(journal_path);
	block_close(&disk->block);
	edit_free(&e);
}

static void test_no_journal(void **state _unused_)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	enum journal_state look = JOURNAL_COMPLETE;
	uint8_t zeros[8192] = {0};
	struct edit e;
	struct disk *disk;
	bool finished = true;

	edit_init(&e);
	disk = disk_new(e.old);
	assert_int_equal(journal_look(journal_path, &look, NULL), 0);
	assert_int_equal(look, JOURNAL_NONE);
	assert_int_equal(
		journal_recover(&disk->block, journal_path, &identity, &finished, NULL),
		0);
	assert_false(finished);
	put_file((const uint8_t *)"my precious notes\n", 18);
	assert_int_equal(journal_look(journal_path, &look, &err), -1);
	assert_non_null(strstr(err.reason, "no journal of gild"));
	refused(disk, &identity, "no journal of gild");
	assert_null(journal_begin(&disk->block, journal_path, &identity, &err));
	assert_int_equal(err.code, ERROR_STATE);
	/* Zeros, or nothing: made, and the power went. */
	put_file(zeros, sizeof(zeros));
	assert_int_equal(journal_look(journal_path, &look, NULL), 0);
	assert_int_equal(look, JOURNAL_INCOMPLETE);
	assert_int_equal(
		journal_recover(&disk->block, journal_path, &identity, &finished, NULL),
		0);
	assert_int_equal(access(journal_path, F_OK), -1);
	assert_int_equal(symlink("/etc/passwd", journal_path), 0);
	assert_int_equal(journal_look(journal_path, &look, &err), -1);
	assert_int_equal(unlink(journal_path), 0);
	assert_int_equal(mkdir(journal_path, 0700), 0);
	assert_int_equal(journal_look(journal_path, &look, &err), -1);
	assert_int_equal(rmdir(journal_path), 0);
	block_close(&disk->block);
	edit_free(&e);
}

/* ---- the block -----------------------------------------------------------------------
 */

static void test_dropped(void **state _unused_)
{
	struct block *journal;
	struct edit e;
	struct disk *disk;

	seed = 5;
	edit_init(&e);
	disk = disk_new(e.old);
	journal = journal_begin(&disk->block, journal_path, &identity, NULL);
	assert_non_null(journal);
	assert_null(journal_begin(&disk->block, journal_path, &identity, NULL));
	for (size_t i = 0; i < ARRAY_SIZE(volumes); i++)
		declare_volume(journal, &e, i);
	assert_int_equal(write_some(journal, &e, NULL), 0);
	assert_int_equal(block_pwrite(journal, "", 1, DISK_SIZE, NULL), -1);
	block_close(journal);
	assert_int_equal(access(journal_path, F_OK), -1);
	assert_int_equal(judge(&e, disk->now), OLD);
	assert_memory_not_equal(disk->now, e.old, DISK_SIZE); /* free clusters */
	block_close(&disk->block);
	edit_free(&e);
}

/* An edit that changes nothing in use touches no flag. */
static void test_nothing(void **state _unused_)
{
	struct block *journal;
	struct edit e;
	struct disk *disk;

	edit_init(&e);
	disk = disk_new(e.old);
	journal = journal_begin(&disk->block, journal_path, &identity, NULL);
	assert_non_null(journal);
	declare_volume(journal, &e, 0);
	assert_int_equal(
		block_pwrite(journal, e.old + 100 * 1024, 8192, 100 * 1024, NULL), 0);
	disk->writes = 0;
	assert_int_equal(journal_commit(journal, NULL, NULL), 0);
	block_close(journal);
	assert_int_equal(disk->writes, 0);
	assert_memory_equal(disk->now, e.old, DISK_SIZE);
	assert_int_equal(access(journal_path, F_OK), -1);
	block_close(&disk->block);
	edit_free(&e);
}

/* A large disk that follows from its offsets: nothing of it is kept. */
#define CHUNK 65536u
#define CHUNKS 4096u
/* A changed chunk's sectors from the fifth to the eighth from its end read inverted. */
#define EDGE (5 * SECTOR)
#define CHANGED (CHUNK - 8 * SECTOR)

struct pattern {
	struct block block;
	uint64_t bytes;
	bool changed[CHUNKS];
};

static uint8_t pattern_at(const struct pattern *p, uint64_t at, bool after)
{
	uint64_t in = at % CHUNK;
	uint8_t old = (uint8_t)(at >> 9);

	return after && p->changed[at / CHUNK] && in >= EDGE && in < EDGE + CHANGED
		       ? (uint8_t)~old
		       : old;
}

static int pattern_pread(struct block *block, void *buf, size_t len, uint64_t offset,
			 struct error *err _unused_)
{
	for (size_t i = 0; i < len; i++)
		((uint8_t *)buf)[i] =
			pattern_at((struct pattern *)block, offset + i, false);
	return 0;
}

static int pattern_pwrite(struct block *block, const void *buf, size_t len,
			  uint64_t offset, struct error *err _unused_)
{
	struct pattern *p = (struct pattern *)block;

	p->bytes += len;
	for (size_t i = 0; i < len; i++)
		if (((const uint8_t *)buf)[i] != pattern_at(p, offset + i, true))
			fail_msg("wrong content at %ju", (uintmax_t)(offset + i));
	return 0;
}

static int pattern_flush(struct block *block _unused_, struct error *err _unused_)
{
	return 0;
}

static const struct block_ops pattern_ops = {
	.pread = pattern_pread,
	.pwrite = pattern_pwrite,
	.flush = pattern_flush,
};

/* More than is kept in memory goes to the file, long before the commit. */
static void test_spill(void **state _unused_)
{
	const uint64_t size = (uint64_t)CHUNK * CHUNKS;
	struct journal_identity id = {size, "raw"};
	struct pattern *disk = xcalloc(1, sizeof(*disk));
	_cleanup_free_ uint8_t *chunk = xmalloc(CHANGED), *back = xmalloc(CHANGED);
	uint64_t written = 0, changed = 0;
	struct block *journal;
	struct stat st;

	disk->block = (struct block){&pattern_ops, xstrdup("disk"), size, SECTOR, true};
	journal = journal_begin(&disk->block, journal_path, &id, NULL);
	assert_non_null(journal);
	for (unsigned i = 0; i < 1000; i++) { /* some twice: a slot is written again */
		size_t n = i * 2654435761u / 7 % 700 * 5;
		uint64_t at = (uint64_t)n * CHUNK + EDGE;

		disk->changed[n] = true;
		for (size_t k = 0; k < CHANGED; k++)
			chunk[k] = pattern_at(disk, at + k, true);
		assert_int_equal(block_pwrite(journal, chunk, CHANGED, at, NULL), 0);
		assert_int_equal(block_pread(journal, back, CHANGED, at, NULL), 0);
		assert_memory_equal(back, chunk, CHANGED);
	}
	assert_int_equal(stat(journal_path, &st), 0);
	assert_true(st.st_size > (20 << 20));
	assert_int_equal(disk->bytes, 0);
	assert_int_equal(journal_commit(journal, &written, NULL), 0);
	for (size_t i = 0; i < CHUNKS; i++)
		changed += disk->changed[i] ? CHANGED : 0;
	assert_true(disk->bytes >= changed && disk->bytes < changed * 9 / 8);
	assert_true(written > 2 * changed && written < 4 * changed);
	block_close(journal);
	assert_int_equal(access(journal_path, F_OK), -1);
	block_close(&disk->block);
}

static int setup(void **state _unused_)
{
	folder = temp_folder_make(NULL, NULL);
	journal_path = xasprintf("%s/disk.img.gild-journal", folder);
	return folder ? 0 : -1;
}

static int teardown(void **state _unused_)
{
	free(journal_path);
	temp_folder_remove(folder);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut_everywhere),
		cmocka_unit_test(test_other_images),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_no_journal),
		cmocka_unit_test(test_dropped),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_spill),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
