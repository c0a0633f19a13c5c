/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Damaged and dirty hives: what is refused and what it says, and logs made by hand from
 * the difference of two states of a hive.
 */
#include "test.h"

#include <stdio.h>

#include "registry/hive.h"

#define BASE 4096u
#define PAGE 4096u
#define SECTOR 512u

/* ---- states of a hive ---- */

static uint32_t checksum(const uint8_t *base)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < 508; i += 4)
		sum ^= get_le32(base + i);
	return sum;
}

static struct buffer with_numbers(const struct buffer *file, uint32_t one, uint32_t two)
{
	struct buffer b = BUFFER_INIT;

	buffer_append(&b, file->data, file->len);
	put_le32(b.data + 4, one);
	put_le32(b.data + 8, two);
	put_le32(b.data + 508, checksum(b.data));
	return b;
}

/* The hive after `steps` rounds of edits; each round adds keys and a long value. */
static struct buffer state(unsigned steps)
{
	_cleanup_hive_ struct hive *hive = hive_new("ROOT", NULL);
	struct buffer b = BUFFER_INIT;

	assert_non_null(hive);
	for (unsigned s = 0; s <= steps; s++) {
		_cleanup_free_ uint8_t *data = xcalloc(9000, 1);

		for (unsigned i = 0; i < 40; i++) {
			_cleanup_free_ char *path = xasprintf("Step%u\\Key%u", s, i);
			hkey key;

			assert_int_equal(
				hive_create(hive, hive_root(hive), path, &key, NULL), 0);
			memset(data, (int)(i + s), 9000);
			assert_int_equal(hive_set(hive, key, "v", REG_BINARY,
						  (struct bytes){data, 100 + 50 * i},
						  NULL),
					 1);
		}
	}
	assert_int_equal(hive_serialize(hive, &b, NULL), 0);
	return b;
}

static unsigned steps_in(const struct hive *hive)
{
	return hive_child_count(hive, hive_root(hive));
}

/* ---- logs ---- */

static uint32_t rol(uint32_t v, int n)
{
	return v << n | v >> (32 - n);
}

/* Marvin32 as it is published, with the seed of the kernel's logs. */
static uint64_t marvin(const uint8_t *p, size_t len)
{
	uint32_t s0 = 0x7a4e55c5, s1 = 0x82ef4d88;
	_cleanup_buffer_ struct buffer b = BUFFER_INIT;

	buffer_append(&b, p, len);
	buffer_append(&b, "\x80\0\0\0", 4 - len % 4);
	buffer_append_le32(&b, 0);
	for (size_t i = 0; i < b.len; i += 4) {
		s0 += get_le32(b.data + i);
		s1 ^= s0;
		s0 = rol(s0, 20) + s1;
		s1 = rol(s1, 9) ^ s0;
		s0 = rol(s0, 27) + s1;
		s1 = rol(s1, 19);
	}
	return s0 | (uint64_t)s1 << 32;
}

static void log_begin(struct buffer *log, const struct buffer *file, uint32_t type,
		      uint32_t sequence)
{
	buffer_append(log, file->data, SECTOR);
	put_le32(log->data + 4, sequence);
	put_le32(log->data + 8, sequence);
	put_le32(log->data + 28, type);
	put_le32(log->data + 508, checksum(log->data));
}

static bool page_differs(const struct buffer *a, const struct buffer *b, size_t at,
			 size_t size)
{
	return at + size > a->len || memcmp(a->data + at, b->data + at, size) != 0;
}

/* An entry that brings the pages in which `to` differs from `from`. */
static void log_entry(struct buffer *log, const struct buffer *from,
		      const struct buffer *to, uint32_t sequence)
{
	_cleanup_buffer_ struct buffer refs = BUFFER_INIT, pages = BUFFER_INIT;
	size_t start = log->len, size;
	uint8_t *e;

	for (size_t at = BASE; at < to->len; at += PAGE) {
		if (!page_differs(from, to, at, PAGE))
			continue;
		buffer_append_le32(&refs, (uint32_t)(at - BASE));
		buffer_append_le32(&refs, PAGE);
		buffer_append(&pages, to->data + at, PAGE);
	}
	size = (40 + refs.len + pages.len + SECTOR - 1) / SECTOR * SECTOR;
	memset(buffer_reserve(log, size), 0, size);
	log->len += size;
	e = log->data + start;
	memcpy(e, "HvLE", 4);
	put_le32(e + 4, (uint32_t)size);
	put_le32(e + 12, sequence);
	put_le32(e + 16, (uint32_t)(to->len - BASE));
	put_le32(e + 20, (uint32_t)(refs.len / 8));
	memcpy(e + 40, refs.data, refs.len);
	memcpy(e + 40 + refs.len, pages.data, pages.len);
	put_le64(e + 24, marvin(e + 40, size - 40));
	put_le64(e + 32, marvin(e, 32));
}

static void log_old(struct buffer *log, const struct buffer *from,
		    const struct buffer *to)
{
	size_t bits = (to->len - BASE) / SECTOR, end;

	log_begin(log, to, 1, 9);
	buffer_append(log, "DIRT", 4);
	end = (log->len + bits / 8 + SECTOR - 1) / SECTOR * SECTOR;
	memset(buffer_reserve(log, end - log->len), 0, end - log->len);
	log->len = end;
	for (size_t i = 0; i < bits; i++) {
		if (!page_differs(from, to, BASE + i * SECTOR, SECTOR))
			continue;
		log->data[SECTOR + 4 + i / 8] |= (uint8_t)(1 << i % 8);
		buffer_append(log, to->data + BASE + i * SECTOR, SECTOR);
	}
}

/* Opens and says in what state the hive is; -1: refused. */
static int opened(const struct buffer *file, const struct hive_options *options,
		  struct error *err)
{
	_cleanup_error_ struct error mine = ERROR_INIT;
	_cleanup_hive_ struct hive *hive =
		hive_open(buffer_view(file), options, err ? err : &mine);

	if (!hive) {
		assert_int_equal((err ? err : &mine)->code, ERROR_STATE);
		return -1;
	}
	assert_true(hive_recovered(hive) || hive_was_dirty(hive) ||
		    get_le32(file->data + 4) == get_le32(file->data + 8));

	/* Written back, the hive is clean and no log is needed. */
	_cleanup_buffer_ struct buffer out = BUFFER_INIT;

	assert_int_equal(hive_create(hive, hive_root(hive), "Step0\\mark", NULL, NULL),
			 0);
	assert_int_equal(hive_serialize(hive, &out, NULL), 0);

	_cleanup_hive_ struct hive *clean = hive_open(buffer_view(&out), NULL, NULL);

	assert_non_null(clean);
	assert_false(hive_recovered(clean) || hive_was_dirty(clean));
	assert_int_equal(steps_in(clean), steps_in(hive));
	return (int)steps_in(hive) - 1;
}

struct scene {
	struct buffer s[4];  /* states 0 to 3 */
	struct buffer dirty; /* state 0 with numbers 5/4 */
	struct buffer log1, log2;
};

static void scene_make(struct scene *c)
{
	*c = (struct scene){0};
	for (unsigned i = 0; i < 4; i++)
		c->s[i] = state(i);
	c->dirty = with_numbers(&c->s[0], 5, 4);
}

static void scene_free(struct scene *c)
{
	for (unsigned i = 0; i < 4; i++)
		buffer_free(&c->s[i]);
	buffer_free(&c->dirty);
	buffer_free(&c->log1);
	buffer_free(&c->log2);
}

static void new_logs_are_replayed(void **state _unused_)
{
	_cleanup_(scene_free) struct scene c;
	_cleanup_error_ struct error err = ERROR_INIT;
	struct hive_options o = {.name = "SYSTEM"};

	scene_make(&c);
	assert_int_equal(opened(&c.dirty, &o, &err), -1);
	assert_non_null(strstr(err.reason, "no transaction logs"));
	o.accept_dirty = true;
	assert_int_equal(opened(&c.dirty, &o, NULL), 0);
	o.accept_dirty = false;

	log_begin(&c.log1, &c.s[1], 6, 4);
	log_entry(&c.log1, &c.s[0], &c.s[1], 4);
	log_entry(&c.log1, &c.s[1], &c.s[2], 5);
	o.log1 = buffer_view(&c.log1);
	assert_int_equal(opened(&c.dirty, &o, NULL), 2);
	/* The second log goes on where the first ends, whichever is which. */
	log_begin(&c.log2, &c.s[3], 6, 6);
	log_entry(&c.log2, &c.s[2], &c.s[3], 6);
	o.log2 = buffer_view(&c.log2);
	assert_int_equal(opened(&c.dirty, &o, NULL), 3);
	o.log1 = buffer_view(&c.log2);
	o.log2 = buffer_view(&c.log1);
	assert_int_equal(opened(&c.dirty, &o, NULL), 3);
	/* A log with a later start only is not for this pair: a gap. */
	put_le32(c.log2.data + 4, 7);
	put_le32(c.log2.data + 8, 7);
	put_le32(c.log2.data + 508, checksum(c.log2.data));
	assert_int_equal(opened(&c.dirty, &o, NULL), 2);
	/* A log of before the hive's last complete write is stale. */
	_cleanup_buffer_ struct buffer later = with_numbers(&c.s[0], 8, 7);

	o.log2 = (struct bytes){NULL, 0};
	o.log1 = buffer_view(&c.log1);
	assert_int_equal(opened(&later, &o, NULL), -1);
	/* A clean hive ignores its logs. */
	assert_int_equal(opened(&c.s[0], &o, NULL), 0);
}

static void broken_entries_end_a_log(void **state _unused_)
{
	_cleanup_(scene_free) struct scene c;
	struct hive_options o = {.name = "SYSTEM"};
	size_t second;

	scene_make(&c);
	log_begin(&c.log1, &c.s[1], 6, 4);
	log_entry(&c.log1, &c.s[0], &c.s[1], 4);
	second = c.log1.len;
	log_entry(&c.log1, &c.s[1], &c.s[2], 5);
	log_entry(&c.log1, &c.s[2], &c.s[3], 6);
	o.log1 = buffer_view(&c.log1);
	assert_int_equal(opened(&c.dirty, &o, NULL), 3);
	c.log1.data[second + 40 + 100] ^= 1; /* a page */
	assert_int_equal(opened(&c.dirty, &o, NULL), 1);
	c.log1.data[second + 40 + 100] ^= 1;
	c.log1.data[second + 12] ^= 8; /* the number: wrong hash, wrong order */
	assert_int_equal(opened(&c.dirty, &o, NULL), 1);
	put_le64(c.log1.data + second + 32, marvin(c.log1.data + second, 32));
	assert_int_equal(opened(&c.dirty, &o, NULL), 1);
	/* Cut anywhere: whole entries only. */
	for (size_t cut = second; cut < second + 2000; cut += 97) {
		o.log1.len = cut;
		assert_int_equal(opened(&c.dirty, &o, NULL), 1);
	}
	for (size_t cut = 0; cut < SECTOR + 48; cut += 7) {
		o.log1.len = cut;
		assert_int_equal(opened(&c.dirty, &o, NULL), -1);
	}
}

static void a_lost_base_block_comes_from_the_later_log(void **state _unused_)
{
	_cleanup_(scene_free) struct scene c;
	_cleanup_error_ struct error err = ERROR_INIT;
	struct hive_options o = {.name = "SYSTEM", .accept_dirty = true};

	scene_make(&c);
	c.dirty.data[508] ^= 0xff;
	assert_int_equal(opened(&c.dirty, &o, &err),
			 -1); /* accept_dirty is not for this */
	assert_non_null(strstr(err.reason, "checksum"));
	log_begin(&c.log1, &c.s[1], 6, 4);
	log_entry(&c.log1, &c.s[0], &c.s[1], 4);
	log_begin(&c.log2, &c.s[2], 6, 5);
	log_entry(&c.log2, &c.s[0], &c.s[2], 5);
	o.log1 = buffer_view(&c.log1);
	o.log2 = buffer_view(&c.log2);
	assert_int_equal(opened(&c.dirty, &o, NULL), 2);
}

static void old_logs_are_replayed(void **state _unused_)
{
	_cleanup_(scene_free) struct scene c;
	_cleanup_error_ struct error err = ERROR_INIT;
	struct hive_options o = {.name = "SYSTEM"};

	scene_make(&c);
	log_old(&c.log1, &c.s[0], &c.s[2]);
	o.log = buffer_view(&c.log1);
	assert_int_equal(opened(&c.dirty, &o, NULL), 2);
	o.log1 = o.log;
	o.log = (struct bytes){NULL, 0};
	assert_int_equal(opened(&c.dirty, &o, NULL), 2);
	/* Another time is another write. */
	c.log1.data[12] ^= 1;
	put_le32(c.log1.data + 508, checksum(c.log1.data));
	assert_int_equal(opened(&c.dirty, &o, &err), -1);
	assert_non_null(strstr(err.reason, "its time differs"));
	c.log1.data[12] ^= 1;
	put_le32(c.log1.data + 508, checksum(c.log1.data));
	/* All dirty pages or none. */
	o.log1.len -= 1;
	assert_int_equal(opened(&c.dirty, &o, &err), -1);
	assert_non_null(strstr(err.reason, "lacks"));
	/* A log that was still being written. */
	o.log1.len += 1;
	put_le32(c.log1.data + 8, 8);
	put_le32(c.log1.data + 508, checksum(c.log1.data));
	assert_int_equal(opened(&c.dirty, &o, &err), -1);
}

/* ---- damage ---- */

/* The payload of the n-th cell in use with that signature. */
static uint8_t *record(struct buffer *file, const char *signature, unsigned n)
{
	for (size_t at = BASE + 36; at + 4 < file->len; at += 8)
		if (!memcmp(file->data + at, signature, 2) &&
		    (int32_t)get_le32(file->data + at - 4) < 0 && !n--)
			return file->data + at;
	fail_msg("no %s record", signature);
	return NULL;
}

static struct buffer plain(void)
{
	_cleanup_hive_ struct hive *hive = hive_new("ROOT", NULL);
	static const uint8_t data[40000];
	struct buffer b = BUFFER_INIT;
	hkey key;

	assert_int_equal(hive_create(hive, hive_root(hive), "One\\Two", &key, NULL), 0);
	hive_set(hive, key, "value", REG_BINARY, (struct bytes){data, 10}, NULL);
	hive_set(hive, key, "long", REG_BINARY, (struct bytes){data, sizeof(data)}, NULL);
	hive_create(hive, hive_root(hive), "Three", &key, NULL);
	assert_int_equal(hive_serialize(hive, &b, NULL), 0);
	return b;
}

/* nk +74 and +48: a class name that does not exist; and so on. */
static const struct {
	const char *record;
	unsigned n, at, size;
	uint32_t value;
	const char *reason;
} damages[] = {
	{"nk", 1, 72, 2, 500, "key name"},
	{"nk", 1, 72, 2, 0, "key name"},
	{"nk", 1, 16, 4, 0x1000, "parent"},
	{"nk", 1, 74, 2, 8, "class name"},
	{"nk", 1, 44, 4, 0x20, "security descriptor"},
	{"nk", 0, 20, 4, 3, "subkeys"},
	{"nk", 2, 36, 4, 900, "value list"},
	{"nk", 2, 40, 4, 0x24, "value list"},
	{"nk", 2, 36, 4, 0x40000000, "values"},
	{"vk", 0, 4, 4, 500, "data cell"},
	{"vk", 0, 4, 4, 0x80000005, "in the value"},
	{"vk", 0, 8, 4, 0x7ffffff8, "value data"},
	{"vk", 0, 2, 2, 60, "value name"},
	{"vk", 0, 0, 1, 'x', "vk"},
	{"lh", 0, 0, 1, 'x', "unknown kind"},
	{"lh", 0, 2, 2, 60000, "subkey list"},
	{"lh", 0, 4, 4, 0x20, "else"},
	{"sk", 0, 16, 4, 0xffff, "security"},
	{"db", 0, 2, 2, 2, "segments"},
	{"db", 0, 4, 4, 0xfffffff8, "list of data segments"},
};

static void damaged_hives_are_refused(void **state _unused_)
{
	for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
		_cleanup_buffer_ struct buffer file = plain();
		_cleanup_error_ struct error err = ERROR_INIT;
		uint8_t *p = record(&file, damages[i].record, damages[i].n);
		struct hive_options o = {.name = "SOFTWARE"};

		for (unsigned b = 0; b < damages[i].size; b++)
			p[damages[i].at + b] = (uint8_t)(damages[i].value >> 8 * b);
		if (hive_open(buffer_view(&file), &o, &err))
			fail_msg("damage %zu was accepted", i);
		assert_int_equal(err.code, ERROR_STATE);
		assert_string_equal(err.subject, "SOFTWARE");
		if (!strstr(err.reason, damages[i].reason) ||
		    !strstr(err.reason, "offset 0x"))
			fail_msg("damage %zu: %s", i, err.reason);
	}
}

static void damaged_bins_are_refused(void **state _unused_)
{
	static const struct {
		unsigned at;
		uint32_t value;
	} fields[] = {{BASE, 0},	  {BASE + 4, 8},	{BASE + 8, 0},
		      {BASE + 8, 0x1001}, {BASE + 8, 1u << 30}, {BASE + 32, 0},
		      {BASE + 32, 12},	  {BASE + 32, 4},	{BASE + 32, 0x80000000}};

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		_cleanup_buffer_ struct buffer file = plain();

		put_le32(file.data + fields[i].at, fields[i].value);
		assert_int_equal(opened(&file, NULL, NULL), -1);
	}
	for (size_t len = 0; len < 12288; len += 511) {
		_cleanup_buffer_ struct buffer file = plain();

		file.len = len;
		if (!hive_open(buffer_view(&file), NULL, NULL))
			continue;
		fail_msg("a hive of %zu bytes was accepted", len);
	}
}

/* Whatever a bit more or less does: refused, or walked and edited without harm. */
static void walk(struct hive *hive, hkey key, unsigned depth)
{
	for (uint32_t i = 0; i < hive_value_count(hive, key); i++) {
		_cleanup_reg_value_ struct reg_value v = {0};

		(void)hive_value_at(hive, key, i, &v, NULL);
	}
	for (uint32_t i = 0; depth < 20 && i < hive_child_count(hive, key); i++)
		walk(hive, hive_child(hive, key, i), depth + 1);
}

static void flipped_bits_do_no_harm(void **state _unused_)
{
	_cleanup_buffer_ struct buffer file = plain();
	unsigned accepted = 0, refused = 0;
	uint32_t random = 12345;

	for (unsigned i = 0; i < 3000; i++) {
		struct hive *hive;
		size_t at;
		uint8_t bit;

		random = random * 1664525 + 1013904223;
		at = BASE + (random >> 8) % 1024;
		bit = (uint8_t)(1 << (random & 7));
		file.data[at] ^= bit;
		hive = hive_open(buffer_view(&file), NULL, NULL);
		file.data[at] ^= bit;
		if (!hive) {
			refused++;
			continue;
		}
		accepted++;
		walk(hive, hive_root(hive), 0);
		assert_int_equal(
			hive_create(hive, hive_root(hive), "New\\Key", NULL, NULL), 0);
		while (hive_child_count(hive, hive_root(hive)))
			assert_int_equal(hive_delete(hive,
						     hive_child(hive, hive_root(hive), 0),
						     NULL),
					 0);

		_cleanup_buffer_ struct buffer out = BUFFER_INIT;

		assert_int_equal(hive_serialize(hive, &out, NULL), 0);
		hive_close(hive);
		hive = hive_open(buffer_view(&out), NULL, NULL);
		assert_non_null(hive);
		hive_close(hive);
	}
	assert_true(accepted > 100 && refused > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_logs_are_replayed),
		cmocka_unit_test(broken_entries_end_a_log),
		cmocka_unit_test(a_lost_base_block_comes_from_the_later_log),
		cmocka_unit_test(old_logs_are_replayed),
		cmocka_unit_test(damaged_hives_are_refused),
		cmocka_unit_test(damaged_bins_are_refused),
		cmocka_unit_test(flipped_bits_do_no_harm),
	};

	setenv("SOURCE_DATE_EPOCH", "1700000000", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
