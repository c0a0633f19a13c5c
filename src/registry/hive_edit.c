/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Changing a hive: keys and security cells. Values are in hive_value.c.
 *
 * What Windows keeps beside the data is kept too: the longest name of a key's subkeys,
 * the time of the last write, reference counts of security cells. A new key shares its
 * parent's security cell.
 */
#include "base/clock.h"
#include "registry/hive_private.h"

struct hive_security *hive_security_find(const struct hive *h, uint32_t cell)
{
	size_t low = 0, high = h->security.len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (h->security.items[middle].cell < cell)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < h->security.len && h->security.items[low].cell == cell)
		return &h->security.items[low];
	return NULL;
}

/* ---- the record of changes ---- */

const struct hive_changes *hive_changes(const struct hive *hive)
{
	return &hive->changes;
}

void hive_changes_free(struct hive_changes *changes)
{
	vec_foreach (change, changes) {
		free(change->path);
		reg_value_free(&change->value);
	}
	vec_free(changes);
}

void hive_record_change(struct hive *h, enum hive_change_kind kind, hkey key,
			const char *value, uint32_t type, struct bytes data)
{
	struct hive_change change = {.kind = kind, .path = hive_path(h, key)};

	if (value) {
		change.value.name = xstrdup(value);
		change.value.type = type;
		change.value.len = (uint32_t)data.len;
		change.value.data = data.len ? xmemdup(data.data, data.len) : xmalloc(1);
	}
	vec_push(&h->changes, change);
	h->modified = true;
}

void hive_touch(struct hive *h, hkey key)
{
	put_le64(hive_cell_data(h, key) + NK_TIME, clock_filetime());
}

/* ---- security cells ---- */

static void security_add(struct hive *h, uint32_t cell)
{
	struct hive_security *s = hive_security_find(h, cell);

	if (s)
		put_le32(hive_cell_data(h, cell) + SK_REFS, ++s->refs);
}

/* Takes an unused cell out of the ring; left alone if the ring is not what it should be.
 */
static void security_unlink(struct hive *h, struct hive_security *s)
{
	struct bytes sk = hive_record(h, s->cell, "sk", SK_DATA), next, previous;
	uint32_t next_cell, previous_cell;

	if (!sk.data)
		return;
	next_cell = get_le32(sk.data + SK_NEXT);
	previous_cell = get_le32(sk.data + SK_PREVIOUS);
	next = hive_record(h, next_cell, "sk", SK_DATA);
	previous = hive_record(h, previous_cell, "sk", SK_DATA);
	if (!next.data || !previous.data || next_cell == s->cell ||
	    get_le32(next.data + SK_PREVIOUS) != s->cell ||
	    get_le32(previous.data + SK_NEXT) != s->cell)
		return;
	put_le32(hive_cell_data(h, next_cell) + SK_PREVIOUS, previous_cell);
	put_le32(hive_cell_data(h, previous_cell) + SK_NEXT, next_cell);
	alloc_free(h, s->cell);
	memmove(s, s + 1,
		(size_t)(h->security.items + h->security.len - (s + 1)) * sizeof(*s));
	h->security.len--;
}

static void security_drop(struct hive *h, uint32_t cell)
{
	struct hive_security *s = hive_security_find(h, cell);

	if (!s || !s->refs)
		return;
	put_le32(hive_cell_data(h, cell) + SK_REFS, --s->refs);
	if (!s->refs)
		security_unlink(h, s);
}

/* ---- keys ---- */

static unsigned key_depth(const struct hive *h, hkey key)
{
	unsigned depth = 0;

	while (key != h->root && depth <= HIVE_DEPTH_MAX) {
		const uint8_t *nk = hive_nk(h, key);

		if (!nk)
			break;
		key = get_le32(nk + NK_PARENT);
		depth++;
	}
	return depth;
}

static int key_refuse(struct hive *h, hkey parent, const char *name, struct error *err,
		      const char *why)
{
	_cleanup_free_ char *path = hive_path(h, parent);
	_cleanup_free_ char *subject = xasprintf("%s\\%s\\%s", h->name, path, name);

	return error_set(err, ERROR_FAILED, subject, "the key cannot be made: %s", why);
}

/* What a key keeps of its longest subkey name, and the flags that new subkeys inherit. */
static void parent_note_name(struct hive *h, hkey parent, hkey key, size_t units)
{
	uint8_t *nk = hive_cell_data(h, parent), *child = hive_cell_data(h, key);
	uint8_t virtualization = nk[NK_MAX_NAME + 2] & 0xf0;

	if (units * 2 > get_le16(nk + NK_MAX_NAME))
		put_le16(nk + NK_MAX_NAME, (uint16_t)(units * 2));
	/* REG_KEY_RECURSE_FLAG: subkeys get their parent's virtualization flags. */
	if (virtualization & 0x80)
		child[NK_MAX_NAME + 2] = virtualization;
}

void nk_fill(uint8_t *nk, bool comp, hkey parent, uint32_t security, struct bytes name)
{
	memcpy(nk, "nk", 2);
	put_le16(nk + NK_FLAGS, comp ? NK_COMP_NAME : 0);
	put_le64(nk + NK_TIME, clock_filetime());
	put_le32(nk + NK_PARENT, parent);
	put_le32(nk + NK_LIST, HIVE_NIL);
	put_le32(nk + NK_LIST_VOLATILE, HIVE_NIL);
	put_le32(nk + NK_VALUE_LIST, HIVE_NIL);
	put_le32(nk + NK_SECURITY, security);
	put_le32(nk + NK_CLASS, HIVE_NIL);
	put_le16(nk + NK_NAME_LEN, (uint16_t)name.len);
	memcpy(nk + NK_NAME, name.data, name.len);
}

static int key_make(struct hive *h, hkey parent, const struct needle *n, const char *name,
		    hkey *ret, struct error *err)
{
	_cleanup_buffer_ struct buffer stored = BUFFER_INIT;
	uint32_t security = get_le32(hive_nk(h, parent) + NK_SECURITY);
	size_t units;
	bool comp = hive_name_store(name, &stored, &units);
	hkey key;

	if (units > HIVE_KEY_NAME_MAX)
		return key_refuse(h, parent, name, err,
				  "its name is over 255 characters");
	if (key_depth(h, parent) >= HIVE_DEPTH_MAX)
		return key_refuse(h, parent, name, err, "keys nest at most 512 levels");
	key = alloc_cell(h, NK_NAME + stored.len, err);
	if (!key)
		return -1;
	nk_fill(hive_cell_data(h, key), comp, parent, security, buffer_view(&stored));
	if (list_insert(h, parent, n, key, err) < 0) {
		alloc_free(h, key);
		return -1;
	}
	security_add(h, security);
	parent_note_name(h, parent, key, units);
	hive_touch(h, parent);
	hive_record_change(h, HIVE_KEY_CREATED, key, NULL, 0, (struct bytes){NULL, 0});
	*ret = key;
	return 0;
}

int hive_create(struct hive *hive, hkey key, const char *path, hkey *ret,
		struct error *err)
{
	_cleanup_needle_ struct needle n = {0};

	if (!hive_nk(hive, key))
		return error_set(err, ERROR_FAILED, hive->name,
				 "no such key to make \"%s\" in", path);
	while (*path) {
		size_t len = strcspn(path, "\\");

		if (len) {
			_cleanup_free_ char *name = xstrndup(path, len);
			hkey child;

			needle_set(&n, path, len);
			child = list_find(hive, key, &n).key;
			if (!child && key_make(hive, key, &n, name, &child, err) < 0)
				return -1;
			key = child;
		}
		path += len;
		path += *path == '\\';
	}
	if (ret)
		*ret = key;
	return 0;
}

/* Frees one key whose subkeys are gone or about to go, without looking at its parent. */
static void key_free(struct hive *h, hkey key)
{
	const uint8_t *nk = hive_nk(h, key);
	uint32_t security = get_le32(nk + NK_SECURITY);

	for (uint32_t i = 0; i < hive_value_count(h, key); i++)
		hive_value_free(h, hive_value_cell(h, key, i));
	if (hive_value_count(h, key))
		alloc_free(h, get_le32(nk + NK_VALUE_LIST));
	if (get_le16(nk + NK_CLASS_LEN))
		alloc_free(h, get_le32(nk + NK_CLASS));
	list_free(h, key);
	alloc_free(h, key);
	security_drop(h, security);
}

int hive_delete(struct hive *hive, hkey key, struct error *err)
{
	const uint8_t *nk = hive_nk(hive, key);
	struct cell_offsets doomed = VEC_INIT;
	hkey parent;
	uint8_t *p;

	if (!nk || key == hive->root)
		return error_set(err, ERROR_FAILED, hive->name,
				 nk ? "the root key cannot be deleted"
				    : "no such key to delete");
	hive_record_change(hive, HIVE_KEY_DELETED, key, NULL, 0, (struct bytes){NULL, 0});
	parent = get_le32(nk + NK_PARENT);
	list_remove(hive, parent, key);
	vec_push(&doomed, key);
	for (size_t i = 0; i < doomed.len; i++) {
		uint32_t count = hive_child_count(hive, doomed.items[i]);

		for (uint32_t k = 0; k < count; k++)
			vec_push(&doomed, hive_child(hive, doomed.items[i], k));
	}
	vec_foreach (each, &doomed)
		key_free(hive, *each);
	vec_free(&doomed);
	p = hive_cell_data(hive, parent);
	if (get_le32(p + NK_SUBKEYS) == 0) {
		put_le16(p + NK_MAX_NAME, 0);
		put_le32(p + NK_MAX_CLASS, 0);
	}
	hive_touch(hive, parent);
	return 0;
}
