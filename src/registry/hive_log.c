/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Transaction logs: what Windows had written to the log but not yet to the hive.
 *
 * The old format (up to Windows 8) has one bitmap of dirty 512-byte pages and the pages;
 * it applies if its time is the hive's. The new format (8.1 on) is a chain of entries
 * with consecutive sequence numbers and Marvin32 checksums; .LOG1 and .LOG2 take turns,
 * and the one with the lower number comes first. Layout, order and rules: the public regf
 * specification and recovery code of msuhanov (regf, yarp), checked with a real pair of
 * logs and with hives that Windows itself had recovered.
 */
#include "registry/hive_private.h"

#define SECTOR 512u
#define ENTRY_HEAD 40u

enum log_kind { LOG_OLD, LOG_NEW };

struct log {
	struct bytes data;
	const char *name;
	enum log_kind kind;
	uint32_t sequence;
};

/* One entry of a new-format log. */
struct entry {
	struct bytes data; /* whole entry */
	uint32_t sequence, bins, flags, pages;
};

/* ---- Marvin32 ---- */

struct marvin {
	uint32_t low, high;
};

static uint32_t rotate(uint32_t v, unsigned n)
{
	return v << n | v >> (32 - n);
}

static void marvin_mix(struct marvin *m, uint32_t v)
{
	m->low += v;
	m->high ^= m->low;
	m->low = rotate(m->low, 20) + m->high;
	m->high = rotate(m->high, 9) ^ m->low;
	m->low = rotate(m->low, 27) + m->high;
	m->high = rotate(m->high, 19);
}

/* The seed is the one that the kernel uses for its logs. */
static uint64_t marvin32(struct bytes b)
{
	struct marvin m = {0x7a4e55c5, 0x82ef4d88};
	uint32_t last = 0x80;
	size_t i = 0;

	for (; b.len - i >= 4; i += 4)
		marvin_mix(&m, get_le32(b.data + i));
	for (size_t k = b.len; k > i; k--)
		last = last << 8 | b.data[k - 1];
	marvin_mix(&m, last);
	marvin_mix(&m, 0);
	return (uint64_t)m.high << 32 | m.low;
}

/* ---- recognising logs ---- */

/* NULL if the log can be used, else why not. */
static const char *log_read(struct bytes data, const char *name, struct log *ret)
{
	uint32_t type;

	*ret = (struct log){.data = data, .name = name};
	if (data.len <= SECTOR)
		return "is too short";
	if (memcmp(data.data, "regf", 4) != 0)
		return "has no base block";
	if (hive_checksum(data.data) != get_le32(data.data + BASE_CHECKSUM))
		return "has a base block with a wrong checksum";
	ret->sequence = get_le32(data.data + BASE_SEQUENCE1);
	if (ret->sequence != get_le32(data.data + BASE_SEQUENCE2))
		return "was not written to its end";
	type = get_le32(data.data + BASE_TYPE);
	if (bytes_has(data, SECTOR, 4) && memcmp(data.data + SECTOR, "DIRT", 4) == 0 &&
	    (type == 1 || type == 2)) {
		ret->kind = LOG_OLD;
		return NULL;
	}
	if (type != 6)
		return "has no dirty pages (no DIRT vector)";
	ret->kind = LOG_NEW;
	return NULL;
}

/* a < b, as numbers that wrap around. */
static bool sequence_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

/* ---- the hive's file ---- */

static bool base_valid(const struct buffer *file)
{
	return file->len >= HIVE_BASE_SIZE && memcmp(file->data, "regf", 4) == 0 &&
	       hive_checksum(file->data) == get_le32(file->data + BASE_CHECKSUM);
}

static void file_grow(struct buffer *file, uint32_t bins)
{
	size_t want = HIVE_BASE_SIZE + (size_t)bins;

	if (file->len >= want)
		return;
	memset(buffer_reserve(file, want - file->len), 0, want - file->len);
	file->len = want;
}

static bool bins_size_ok(uint32_t bins)
{
	return bins && bins % HIVE_PAGE == 0 && bins <= HIVE_SIZE_MAX;
}

/* Takes over the log's copy of the base block, which is only its first sector. */
static void base_from_log(struct buffer *file, const struct log *log)
{
	file_grow(file, HIVE_PAGE);
	memcpy(file->data, log->data.data, SECTOR);
	put_le32(file->data + BASE_TYPE, 0);
}

/* ---- old format ---- */

static const char *old_apply(struct buffer *file, const struct log *log)
{
	uint32_t bins = get_le32(log->data.data + BASE_BINS);
	size_t bits = bins / SECTOR, bitmap_end = SECTOR + 4 + (bits + 7) / 8, at;
	uint64_t primary_time;
	const uint8_t *bitmap;

	if (!bins_size_ok(bins) || !bytes_has(log->data, 0, bitmap_end))
		return "has a wrong size";
	if (base_valid(file))
		primary_time = get_le64(file->data + BASE_TIME);
	else if (file->len >= HIVE_BASE_SIZE + HIVE_BIN_HEADER)
		primary_time = get_le64(file->data + HIVE_BASE_SIZE + BIN_TIME);
	else
		return "cannot be compared with the hive";
	if (get_le64(log->data.data + BASE_TIME) != primary_time)
		return "was written for another state of the hive (its time differs)";
	bitmap = log->data.data + SECTOR + 4;
	at = (bitmap_end + SECTOR - 1) / SECTOR * SECTOR;
	for (size_t i = 0; i < bits; i++)
		if (bit_get(bitmap, i))
			at += SECTOR;
	if (at > log->data.len)
		return "lacks some of its dirty pages";
	/* Nothing is written before it is known that all of it can be. */
	file_grow(file, bins);
	at = (bitmap_end + SECTOR - 1) / SECTOR * SECTOR;
	for (size_t i = 0; i < bits; i++) {
		if (!bit_get(bitmap, i))
			continue;
		memcpy(file->data + HIVE_BASE_SIZE + i * SECTOR, log->data.data + at,
		       SECTOR);
		at += SECTOR;
	}
	base_from_log(file, log);
	return NULL;
}

/* ---- new format ---- */

/* The entry at `offset` if it is whole and its checksums hold. */
static bool entry_read(struct bytes log, size_t offset, struct entry *ret)
{
	struct bytes head = bytes_at(log, offset, ENTRY_HEAD);
	uint64_t refs;
	uint32_t size;

	if (!head.data || memcmp(head.data, "HvLE", 4) != 0)
		return false;
	size = get_le32(head.data + 4);
	ret->flags = get_le32(head.data + 8);
	ret->sequence = get_le32(head.data + 12);
	ret->bins = get_le32(head.data + 16);
	ret->pages = get_le32(head.data + 20);
	ret->data = bytes_at(log, offset, size);
	refs = ENTRY_HEAD + 8ull * ret->pages;
	if (!ret->data.data || size % SECTOR || size < refs || !bins_size_ok(ret->bins))
		return false;
	if (marvin32(bytes_at(ret->data, ENTRY_HEAD, size - ENTRY_HEAD)) !=
		    get_le64(head.data + 24) ||
	    marvin32(bytes_at(ret->data, 0, 32)) != get_le64(head.data + 32))
		return false;
	for (uint32_t i = 0; i < ret->pages; i++) {
		uint64_t page = get_le32(ret->data.data + ENTRY_HEAD + 8ull * i);
		uint64_t len = get_le32(ret->data.data + ENTRY_HEAD + 8ull * i + 4);

		refs += len;
		if (refs > size || page + len > ret->bins)
			return false;
	}
	return true;
}

static void entry_apply(struct buffer *file, const struct entry *e)
{
	size_t at = ENTRY_HEAD + 8 * (size_t)e->pages;

	file_grow(file, e->bins);
	for (uint32_t i = 0; i < e->pages; i++) {
		uint32_t page = get_le32(e->data.data + ENTRY_HEAD + 8 * (size_t)i);
		uint32_t len = get_le32(e->data.data + ENTRY_HEAD + 8 * (size_t)i + 4);

		memcpy(file->data + HIVE_BASE_SIZE + page, e->data.data + at, len);
		at += len;
	}
	put_le32(file->data + BASE_FLAGS, e->flags);
	put_le32(file->data + BASE_BINS, e->bins);
	put_le32(file->data + BASE_SEQUENCE1, e->sequence);
	put_le32(file->data + BASE_SEQUENCE2, e->sequence);
}

/*
 * Applies the entries, whose numbers must follow each other from the log's own number on;
 * the first wrong one ends the log. How many were applied; *last is the last number.
 */
static size_t new_apply(struct buffer *file, const struct log *log, uint32_t *last)
{
	uint32_t expected = log->sequence;
	size_t offset = SECTOR, count = 0;
	struct entry e;

	while (entry_read(log->data, offset, &e) && e.sequence == expected) {
		if (count == 0)
			base_from_log(file, log);
		entry_apply(file, &e);
		*last = e.sequence;
		offset += e.data.len;
		expected++;
		count++;
	}
	return count;
}

static const char *new_apply_pair(struct buffer *file, struct log *logs, size_t count)
{
	bool valid = base_valid(file);
	uint32_t secondary = valid ? get_le32(file->data + BASE_SEQUENCE2) : 0, last = 0;
	size_t applied = 0, n;

	if (count == 2 && sequence_before(logs[1].sequence, logs[0].sequence)) {
		struct log swap = logs[0];

		logs[0] = logs[1];
		logs[1] = swap;
	}
	/* With the base block lost, Windows takes the later log alone. */
	for (size_t i = valid ? 0 : count - 1; i < count; i++) {
		if (valid && sequence_before(logs[i].sequence, secondary))
			continue;
		if (applied && logs[i].sequence != last + 1)
			break;
		n = new_apply(file, &logs[i], &last);
		applied += n;
		/* What follows a log that cannot be read would leave a gap. */
		if (!n)
			break;
	}
	return applied ? NULL : "has no entries that follow the state of the hive";
}

int hive_log_replay(struct hive *h, const struct hive_options *options, char **why)
{
	const struct bytes given[] = {options->log1, options->log2, options->log};
	static const char *const names[] = {".LOG1", ".LOG2", ".LOG"};
	_cleanup_buffer_ struct buffer reasons = BUFFER_INIT;
	struct log found, fresh[2];
	size_t fresh_count = 0;
	const char *reason;

	*why = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(given); i++) {
		if (!given[i].len)
			continue;
		reason = log_read(given[i], names[i], &found);
		if (!reason && found.kind == LOG_NEW) {
			/* .LOG is only used where the pair is not. */
			if (fresh_count < 2)
				fresh[fresh_count++] = found;
			continue;
		}
		if (!reason)
			reason = old_apply(&h->file, &found);
		if (!reason)
			return 1;
		buffer_printf(&reasons, "%s%s %s", reasons.len ? "; " : "", names[i],
			      reason);
	}
	if (fresh_count) {
		reason = new_apply_pair(&h->file, fresh, fresh_count);
		if (!reason)
			return 1;
		buffer_printf(&reasons, "%s%s %s", reasons.len ? "; " : "", fresh[0].name,
			      reason);
	}
	*why = reasons.len ? buffer_steal_string(&reasons)
			   : xstrdup("it has no transaction logs (.LOG1, .LOG2)");
	return 0;
}
