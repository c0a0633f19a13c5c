/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A hive from anywhere: opened with or without logs, walked, edited by what the input
 * says, written, and opened again, which must succeed with the same content.
 *
 * Input: the hive, as long as its base block says; behind it (zeros if there is nothing)
 * one byte: which log follows, whether a dirty hive is accepted, whether the checksum of
 * the base block is left as it is; 15 bytes that choose the edits; the log. The checksum
 * is made right by default, so that changed inputs get past it.
 */
#include <stdio.h>

#include "registry/hive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEAD 16u
#define STEPS_MAX 4000u

struct tally {
	unsigned keys, values;
	uint64_t bytes;
};

/* An assertion that stays in a release build. */
static void must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "does not hold: %s\n", what);
	abort();
}

static void walk(const struct hive *hive, hkey key, struct tally *t)
{
	uint32_t children = hive_child_count(hive, key),
		 values = hive_value_count(hive, key);
	_cleanup_free_ char *name = hive_key_name(hive, key);

	(void)hive_find(hive, hive_root(hive), name);
	t->keys++;
	for (uint32_t i = 0; i < values && t->values < STEPS_MAX; i++) {
		_cleanup_reg_value_ struct reg_value v = {0};
		struct strings items = VEC_INIT;

		must(hive_value_at(hive, key, i, &v, NULL) == 1,
		     "every value can be read");
		t->values++;
		t->bytes += v.len;
		free(hive_get_string(hive, key, v.name));
		(void)hive_get_strings(hive, key, v.name, &items);
		strings_free(&items);
	}
	for (uint32_t i = 0; i < children && t->keys < STEPS_MAX; i++) {
		hkey child = hive_child(hive, key, i);

		must(child != 0, "every subkey can be reached");
		walk(hive, child, t);
	}
}

/* A key that the byte chooses: some steps down from the root. */
static hkey choose(const struct hive *hive, uint8_t by)
{
	hkey key = hive_root(hive);

	for (unsigned i = 0; i < by % 5u; i++) {
		uint32_t count = hive_child_count(hive, key);

		if (!count)
			break;
		key = hive_child(hive, key, (by >> 2) % count);
	}
	return key;
}

static void set_some(struct hive *hive, hkey key, uint8_t by)
{
	static const size_t lengths[] = {0, 4, 5, 64, 4000, 16344, 16345, 50000};
	static const uint8_t zeros[50000];
	_cleanup_reg_value_ struct reg_value v = {0};
	const char *name = "added";

	if (by & 8 && hive_value_at(hive, key, 0, &v, NULL) == 1)
		name = v.name;
	(void)hive_set(hive, key, name, by, (struct bytes){zeros, lengths[by & 7]}, NULL);
}

static void edit(struct hive *hive, const uint8_t *by)
{
	for (unsigned i = 0; i + 1 < HEAD - 1; i += 2) {
		hkey key = choose(hive, by[i + 1]);
		_cleanup_reg_value_ struct reg_value v = {0};
		char name[32];

		switch (by[i] % 5) {
		case 0:
			set_some(hive, key, by[i]);
			break;
		case 1:
			for (unsigned k = 0; k < by[i]; k++) {
				(void)snprintf(name, sizeof(name), "%X\\k",
					       k * 37u % 251u);
				(void)hive_create(hive, key, name, NULL, NULL);
			}
			break;
		case 2:
			(void)hive_delete(hive, key, NULL);
			break;
		case 3:
			if (hive_value_at(hive, key, by[i], &v, NULL) == 1)
				(void)hive_unset(hive, key, v.name, NULL);
			break;
		default:
			break;
		}
	}
}

struct input {
	struct buffer file;
	uint8_t head[HEAD];
	struct bytes log;
};

static struct input split(struct bytes all)
{
	struct input in = {.file = BUFFER_INIT};
	uint32_t bins = 0, sum = 0;
	size_t len = all.len, rest;

	if (bytes_le32(all, 40, &bins) && (uint64_t)bins + 4096 < len)
		len = (size_t)bins + 4096;
	buffer_append(&in.file, all.data, len);
	rest = all.len - len;
	if (rest)
		memcpy(in.head, all.data + len, rest < HEAD ? rest : HEAD);
	if (rest > HEAD)
		in.log = (struct bytes){all.data + len + HEAD, rest - HEAD};
	if (len >= 512 && !(in.head[0] & 8)) {
		for (size_t i = 0; i < 508; i += 4)
			sum ^= get_le32(in.file.data + i);
		if (sum == 0)
			sum = 1;
		else if (sum == UINT32_MAX)
			sum--;
		put_le32(in.file.data + 508, sum);
	}
	return in;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_hive_ struct hive *hive = NULL, *same = NULL;
	_cleanup_buffer_ struct buffer out = BUFFER_INIT;
	struct hive_options o = {.name = "input"};
	struct tally before = {0}, after = {0};
	struct input in;

	if (!size)
		return 0;
	(void)setenv("SOURCE_DATE_EPOCH", "1700000000", 1);
	in = split((struct bytes){data, size});
	o.accept_dirty = !(in.head[0] & 4);
	if ((in.head[0] & 3) == 0)
		o.log = in.log;
	else if ((in.head[0] & 3) == 1)
		o.log1 = in.log;
	else
		o.log2 = in.log;
	hive = hive_open(buffer_view(&in.file), &o, &err);
	buffer_free(&in.file);
	if (!hive) {
		must(err.code == ERROR_STATE && err.reason, "a refusal says why");
		return 0;
	}
	walk(hive, hive_root(hive), &before);
	edit(hive, in.head + 1);
	(void)hive_create(hive, hive_root(hive), "written", NULL, NULL);
	before = (struct tally){0};
	walk(hive, hive_root(hive), &before);
	must(hive_serialize(hive, &out, NULL) == 0, "the hive can be written");
	o = (struct hive_options){.name = "output", .accept_dirty = true};
	same = hive_open(buffer_view(&out), &o, &err);
	if (!same)
		fprintf(stderr, "%s\n", err.reason);
	must(same != NULL, "what was written can be opened");
	walk(same, hive_root(same), &after);
	must(!memcmp(&before, &after, sizeof(before)),
	     "what was written is what was there");
	return 0;
}
