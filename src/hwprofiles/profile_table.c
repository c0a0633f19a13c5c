/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hwprofiles/profile_table.h"

#include "base/hash.h"

/* docs/profile-table.md has the layout. */
static const uint8_t magic[8] = {'g', 'i', 'l', 'd', 'p', 'r', 'o', 'f'};
#define HEADER 64
#define AT_VERSION 8
#define AT_COUNT 12
#define AT_RECORDS 16 /* size */
#define AT_STRINGS 20 /* size */
#define AT_DIGEST 24
#define DIGEST_SIZE 32

/* ---- writing */

struct string_slot {
	const char *text;
	uint32_t reference;
};
struct writer {
	struct buffer records, strings;
	/* Open addressing over exact bytes: IDs differ in case only by accident. */
	struct string_slot *slots;
	size_t size, used;
};

static uint64_t exact_hash(const char *text)
{
	uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */

	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * 0x100000001b3u;
	return h;
}

static struct string_slot *find_slot(struct writer *w, const char *text)
{
	size_t at = (size_t)exact_hash(text) & (w->size - 1);

	while (w->slots[at].text && strcmp(w->slots[at].text, text) != 0)
		at = (at + 1) & (w->size - 1);
	return &w->slots[at];
}

static void grow(struct writer *w)
{
	struct writer bigger = {.size = w->size ? w->size * 2 : 1024};

	bigger.slots = xcalloc(bigger.size, sizeof(*bigger.slots));
	for (size_t i = 0; i < w->size; i++)
		if (w->slots[i].text)
			*find_slot(&bigger, w->slots[i].text) = w->slots[i];
	free(w->slots);
	w->slots = bigger.slots;
	w->size = bigger.size;
}

/* 0 for NULL, else where the string starts in the strings, plus one. */
static void put_string(struct writer *w, const char *text)
{
	struct string_slot *slot;

	if (!text) {
		buffer_append_le32(&w->records, 0);
		return;
	}
	if (w->used * 2 >= w->size)
		grow(w);
	slot = find_slot(w, text);
	if (!slot->text) {
		*slot = (struct string_slot){text, (uint32_t)w->strings.len + 1};
		w->used++;
		buffer_append(&w->strings, text, strlen(text) + 1);
	}
	buffer_append_le32(&w->records, slot->reference);
}

static void put_strings(struct writer *w, const struct strings *strings)
{
	buffer_append_le32(&w->records, (uint32_t)strings->len);
	vec_foreach (s, strings)
		put_string(w, *s);
}

static void put_matches(struct writer *w, const struct profile *p)
{
	buffer_append_le32(&w->records, (uint32_t)p->matches.len);
	vec_foreach (m, &p->matches) {
		put_string(w, m->manufacturer);
		put_string(w, m->product);
		put_string(w, m->version);
		put_string(w, m->family);
		put_string(w, m->sku);
		put_string(w, m->board_manufacturer);
		put_string(w, m->board_product);
		buffer_append_le32(&w->records, m->has_chid);
		buffer_append(&w->records, m->chid.bytes, sizeof(m->chid.bytes));
	}
}

static uint32_t listed_bits(const struct profile *p)
{
	uint32_t bits = 0;

	for (unsigned bus = 0; bus < PC_BUSES; bus++)
		bits |= (uint32_t)p->listed[bus] << bus;
	return bits;
}

static void put_profile(struct writer *w, const struct profile *p)
{
	put_string(w, p->id);
	put_string(w, p->name);
	put_string(w, p->type);
	put_string(w, p->tpm);
	buffer_append_le32(&w->records, p->year);
	buffer_append_le32(&w->records, p->uefi);
	buffer_append_le32(&w->records, p->secure_boot);
	buffer_append_le32(&w->records, listed_bits(p));
	put_matches(w, p);
	buffer_append_le32(&w->records, (uint32_t)p->devices.len);
	vec_foreach (d, &p->devices) {
		buffer_append_le32(&w->records, d->bus | (uint32_t)d->role << 8);
		put_string(w, d->id);
		put_string(w, d->name);
	}
	buffer_append_le32(&w->records, (uint32_t)p->rules.len);
	vec_foreach (r, &p->rules) {
		buffer_append_le32(&w->records, r->role | (uint32_t)r->passthrough << 8);
		put_string(w, r->id);
		put_string(w, r->group);
	}
	put_strings(w, &p->kernel_arguments);
	put_strings(w, &p->quirks);
}

void profile_table_write(const struct profiles *profiles, struct buffer *ret)
{
	struct writer w = {0};
	size_t start = ret->len;
	uint8_t *header;

	vec_foreach (p, profiles)
		put_profile(&w, *p);
	buffer_reserve(ret, HEADER + w.records.len + w.strings.len);
	header = ret->data + start;
	memset(header, 0, HEADER);
	memcpy(header, magic, sizeof(magic));
	put_le32(header + AT_VERSION, PROFILE_TABLE_VERSION);
	put_le32(header + AT_COUNT, (uint32_t)profiles->len);
	put_le32(header + AT_RECORDS, (uint32_t)w.records.len);
	put_le32(header + AT_STRINGS, (uint32_t)w.strings.len);
	ret->len += HEADER;
	buffer_append(ret, w.records.data, w.records.len);
	buffer_append(ret, w.strings.data, w.strings.len);
	/* Of the whole table, with zeros in its own place. */
	hash_sha256((struct bytes){ret->data + start, ret->len - start},
		    ret->data + start + AT_DIGEST);
	buffer_free(&w.records);
	buffer_free(&w.strings);
	free(w.slots);
}

/* ---- reading */

struct reader {
	struct bytes records, strings;
	uint64_t at;
	bool bad; /* something did not fit; all that follows is 0 */
};

static uint32_t get_u32(struct reader *r)
{
	uint32_t v = 0;

	if (r->bad || !bytes_le32(r->records, r->at, &v)) {
		r->bad = true;
		return 0;
	}
	r->at += 4;
	return v;
}

/* A value below `limit`. */
static unsigned get_enum(struct reader *r, uint32_t v, unsigned limit)
{
	r->bad |= v >= limit;
	return v < limit ? v : 0;
}

static size_t get_count(struct reader *r)
{
	return get_enum(r, get_u32(r), PROFILE_TABLE_MAX_ITEMS + 1);
}

/* A copy. Strings end within their area: its last byte is 0. */
static char *get_string(struct reader *r)
{
	uint32_t reference = get_u32(r);

	if (!reference || r->bad)
		return NULL;
	if (reference > r->strings.len) {
		r->bad = true;
		return NULL;
	}
	return xstrdup((const char *)r->strings.data + reference - 1);
}

/* One that must be there; never NULL. */
static char *get_needed(struct reader *r)
{
	char *s = get_string(r);

	r->bad |= s == NULL;
	return s ? s : xstrdup("");
}

static void get_strings(struct reader *r, struct strings *ret)
{
	size_t count = get_count(r);

	for (size_t i = 0; i < count && !r->bad; i++)
		vec_push(ret, get_needed(r));
}

static void get_matches(struct reader *r, struct profile *p)
{
	size_t count = get_count(r);

	for (size_t i = 0; i < count && !r->bad; i++) {
		struct profile_match m = {
			.manufacturer = get_string(r),
			.product = get_string(r),
			.version = get_string(r),
			.family = get_string(r),
			.sku = get_string(r),
			.board_manufacturer = get_string(r),
			.board_product = get_string(r),
		};
		struct bytes chid;

		m.has_chid = get_enum(r, get_u32(r), 2);
		chid = bytes_at(r->records, r->at, sizeof(m.chid.bytes));
		if (chid.data && !r->bad)
			memcpy(m.chid.bytes, chid.data, chid.len);
		else
			r->bad = true;
		r->at += sizeof(m.chid.bytes);
		vec_push(&p->matches, m);
	}
}

static void get_devices(struct reader *r, struct profile *p)
{
	size_t count = get_count(r);

	for (size_t i = 0; i < count && !r->bad; i++) {
		uint32_t kind = get_u32(r);
		struct pc_device d = {
			.bus = (enum pc_bus)get_enum(r, kind & 0xFF, PC_BUSES),
			.role = (enum pc_role)get_enum(r, kind >> 8, PC_ROLES),
		};

		d.id = get_needed(r);
		d.name = get_string(r);
		vec_push(&p->devices, d);
	}
}

static void get_rules(struct reader *r, struct profile *p)
{
	size_t count = get_count(r);

	for (size_t i = 0; i < count && !r->bad; i++) {
		uint32_t kind = get_u32(r);
		struct profile_rule rule = {
			.role = (enum pc_role)get_enum(r, kind & 0xFF, PC_ROLES),
			.passthrough = (enum profile_passthrough)get_enum(
				r, kind >> 8, PASSTHROUGH_WANTED + 1),
		};

		rule.id = get_string(r);
		rule.group = get_string(r);
		vec_push(&p->rules, rule);
	}
}

static struct profile *get_profile(struct reader *r)
{
	struct profile *p = xcalloc(1, sizeof(*p));
	uint32_t listed;

	p->id = get_needed(r);
	p->name = get_needed(r);
	p->type = get_string(r);
	p->tpm = get_string(r);
	p->year = get_u32(r);
	p->uefi = (enum pc_answer)get_enum(r, get_u32(r), PC_YES + 1);
	p->secure_boot = (enum pc_answer)get_enum(r, get_u32(r), PC_YES + 1);
	listed = get_enum(r, get_u32(r), 1u << PC_BUSES);
	for (unsigned bus = 0; bus < PC_BUSES; bus++)
		p->listed[bus] = listed >> bus & 1;
	get_matches(r, p);
	get_devices(r, p);
	get_rules(r, p);
	get_strings(r, &p->kernel_arguments);
	get_strings(r, &p->quirks);
	return p;
}

static int bad_table(const char *name, const char *why, struct error *err)
{
	error_set(err, ERROR_FAILED, name, "%s", why);
	return error_remedy(err, "make it again with gild profile compile");
}

static bool digest_fits(struct bytes table)
{
	static const uint8_t zeros[DIGEST_SIZE];
	struct hash_stream *stream = hash_sha256_begin();
	uint8_t digest[DIGEST_SIZE];

	hash_stream_add(stream, table.data, AT_DIGEST);
	hash_stream_add(stream, zeros, sizeof(zeros));
	hash_stream_add(stream, table.data + AT_DIGEST + DIGEST_SIZE,
			table.len - AT_DIGEST - DIGEST_SIZE);
	hash_sha256_end(stream, digest);
	return memcmp(digest, table.data + AT_DIGEST, DIGEST_SIZE) == 0;
}

/* Header and areas; false: no table of ours, or cut off. */
static bool find_areas(struct bytes table, struct reader *r)
{
	uint64_t records, strings;

	if (!bytes_has(table, 0, HEADER))
		return false;
	records = get_le32(table.data + AT_RECORDS);
	strings = get_le32(table.data + AT_STRINGS);
	r->records = bytes_at(table, HEADER, records);
	r->strings = bytes_at(table, HEADER + records, strings);
	return HEADER + records + strings == table.len &&
	       (!strings || r->strings.data[strings - 1] == 0);
}

int profile_table_read(struct bytes table, const char *name, struct profiles *ret,
		       struct error *err)
{
	struct profiles found = VEC_INIT;
	struct reader r = {0};
	uint32_t count;

	if (!bytes_has(table, 0, HEADER) || memcmp(table.data, magic, sizeof(magic)) != 0)
		return bad_table(name, "is no table of profiles", err);
	if (get_le32(table.data + AT_VERSION) != PROFILE_TABLE_VERSION)
		return bad_table(name, "is a table of profiles of another version", err);
	if (table.len > PROFILE_TABLE_MAX_SIZE || !find_areas(table, &r))
		return bad_table(name, "is cut off, or larger than it says", err);
	if (!digest_fits(table))
		return bad_table(name, "is damaged: its digest does not fit", err);
	count = get_le32(table.data + AT_COUNT);
	r.bad = count > PROFILE_TABLE_MAX_PROFILES;
	for (uint32_t i = 0; i < count && !r.bad; i++)
		vec_push(&found, get_profile(&r));
	if (r.bad || r.at != r.records.len) {
		profiles_free(&found);
		return bad_table(name, "is damaged: a record does not fit", err);
	}
	*ret = found;
	return 0;
}
