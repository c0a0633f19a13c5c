/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The second half of the check at open: every key, list, value and security cell that can
 * be reached from the root.
 *
 * No cell may belong to two owners (security cells excepted): an edit that frees one
 * would otherwise destroy the other. The walk visits each cell once, so that it ends
 * whatever the hive says. What Windows itself tolerates or heals without loss is
 * accepted: lists that are out of order (noted, they are searched from end to end), wrong
 * name hashes and wrong reference counts (counted anew here).
 */
#include "registry/hive_private.h"

struct pending {
	hkey key, parent;
	unsigned depth;
};

struct walk {
	struct hive *h;
	uint8_t *used;			/* a bit per possible cell: it has an owner */
	uint8_t *security;		/* a bit per possible cell: it is a checked sk */
	struct cell_offsets references; /* of all keys to their sk, for counting */
	struct vec_of(struct pending) stack;
	unsigned depth;
	struct error *err;
};

/* Takes the cell for its one owner; empty (and the error set) if it cannot be had. */
static struct bytes take(struct walk *w, uint32_t cell, uint32_t owner, size_t min_len,
			 const char *what)
{
	struct bytes b = hive_cell(w->h, cell);

	if (!b.data) {
		hive_damaged(w->h, owner, w->err,
			     "%s points to 0x%x, which is no cell in use", what, cell);
		return b;
	}
	if (b.len < min_len) {
		hive_damaged(w->h, cell, w->err, "%s of %zu bytes is too short", what,
			     b.len);
		return (struct bytes){NULL, 0};
	}
	if (bit_get(w->used, cell / 8)) {
		hive_damaged(w->h, cell, w->err, "%s belongs to something else too",
			     what);
		return (struct bytes){NULL, 0};
	}
	bit_set(w->used, cell / 8);
	return b;
}

static int check_segments(struct walk *w, uint32_t cell, struct bytes db, uint32_t len)
{
	uint32_t count = get_le16(db.data + 2), list_cell = get_le32(db.data + 4);
	struct bytes list;

	if (count != (len + HIVE_SEGMENT - 1) / HIVE_SEGMENT)
		return hive_damaged(w->h, cell, w->err,
				    "big data of %u bytes in %u segments", len, count);
	list = take(w, list_cell, cell, 4 * (size_t)count, "list of data segments");
	if (!list.data)
		return -1;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t part = len < HIVE_SEGMENT ? len : HIVE_SEGMENT;

		if (!take(w, get_le32(list.data + 4 * (size_t)i), list_cell, part,
			  "data segment")
			     .data)
			return -1;
		len -= part;
	}
	return 0;
}

static int check_value(struct walk *w, uint32_t vk, uint32_t list)
{
	struct bytes p = take(w, vk, list, VK_NAME, "value"), data;
	uint32_t len, name;

	if (!p.data)
		return -1;
	name = get_le16(p.data + VK_NAME_LEN);
	if (memcmp(p.data, "vk", 2) != 0)
		return hive_damaged(w->h, vk, w->err, "value without vk signature");
	if (name > p.len - VK_NAME ||
	    (!(get_le16(p.data + VK_FLAGS) & VK_COMP_NAME) && name % 2))
		return hive_damaged(w->h, vk, w->err, "value name of %u bytes", name);
	len = get_le32(p.data + VK_LEN);
	if (len & VK_RESIDENT) {
		if ((len & ~VK_RESIDENT) > 4)
			return hive_damaged(w->h, vk, w->err,
					    "%u bytes of data in the value",
					    len & ~VK_RESIDENT);
		return 0;
	}
	if (len == 0)
		return 0;
	data = take(w, get_le32(p.data + VK_DATA), vk, 4, "value data");
	if (!data.data)
		return -1;
	if (data.len >= len)
		return 0;
	if (len > HIVE_SEGMENT && data.len >= 8 && memcmp(data.data, "db", 2) == 0)
		return check_segments(w, get_le32(p.data + VK_DATA), data, len);
	return hive_damaged(w->h, vk, w->err, "value of %u bytes with a data cell of %zu",
			    len, data.len);
}

static int check_values(struct walk *w, hkey key, const uint8_t *nk)
{
	uint32_t count = hive_value_count(w->h, key), cell = get_le32(nk + NK_VALUE_LIST);
	struct bytes list;

	if (!count)
		return 0;
	if (count > w->h->size / 8)
		return hive_damaged(w->h, key, w->err, "key with %u values", count);
	list = take(w, cell, key, 4 * (size_t)count, "value list");
	if (!list.data)
		return -1;
	for (uint32_t i = 0; i < count; i++)
		if (check_value(w, get_le32(list.data + 4 * (size_t)i), cell) < 0)
			return -1;
	return 0;
}

/* Checks a leaf and puts its keys on the stack; how many they are, or -1. */
static int64_t check_leaf(struct walk *w, uint32_t cell, uint32_t owner, hkey parent)
{
	struct bytes leaf = take(w, cell, owner, 4, "subkey list");
	size_t entry = leaf_entry_size(leaf);
	uint32_t count;

	if (!leaf.data)
		return -1;
	if (!entry)
		return hive_damaged(w->h, cell, w->err, "subkey list of unknown kind");
	count = get_le16(leaf.data + 2);
	if (leaf.len < 4 + count * entry)
		return hive_damaged(w->h, cell, w->err,
				    "subkey list of %u entries in %zu bytes", count,
				    leaf.len);
	for (uint32_t i = 0; i < count; i++)
		vec_push(&w->stack, (struct pending){get_le32(leaf.data + 4 + i * entry),
						     parent, w->depth + 1});
	return count;
}

/* Are the keys that lie on the stack from `first` on in the order of their names? */
static bool in_order(const struct walk *w, size_t first)
{
	for (size_t i = first + 1; i < w->stack.len; i++)
		if (hive_keys_compare(w->h, w->stack.items[i - 1].key,
				      w->stack.items[i].key) >= 0)
			return false;
	return true;
}

static int check_subkeys(struct walk *w, hkey key, const uint8_t *nk)
{
	uint32_t count = get_le32(nk + NK_SUBKEYS), cell = get_le32(nk + NK_LIST);
	struct bytes list = hive_cell(w->h, cell);
	size_t first = w->stack.len;
	int64_t found = 0;

	if (!count)
		return 0;
	if (list.len >= 4 && memcmp(list.data, "ri", 2) == 0) {
		uint32_t leaves = get_le16(list.data + 2);

		list = take(w, cell, key, 4 + 4 * (size_t)leaves, "index root");
		if (!list.data)
			return -1;
		for (uint32_t i = 0; i < leaves; i++) {
			int64_t n = check_leaf(w, get_le32(list.data + 4 + 4 * (size_t)i),
					       cell, key);

			if (n < 0)
				return -1;
			found += n;
		}
	} else {
		found = check_leaf(w, cell, key, key);
		if (found < 0)
			return -1;
	}
	if (found != count)
		return hive_damaged(w->h, key, w->err,
				    "key with %u subkeys, its list has %u", count,
				    (unsigned)found);
	for (size_t i = first; i < w->stack.len; i++)
		if (!hive_nk(w->h, w->stack.items[i].key))
			return hive_damaged(w->h, cell, w->err,
					    "subkey list points to 0x%x, which is no key",
					    w->stack.items[i].key);
	if (!in_order(w, first))
		vec_push(&w->h->unsorted, key);
	return 0;
}

static int check_security(struct walk *w, hkey key, uint32_t cell)
{
	struct bytes sk;

	if (!hive_cell(w->h, cell).data || !bit_get(w->security, cell / 8)) {
		sk = take(w, cell, key, SK_DATA, "security descriptor");
		if (!sk.data)
			return -1;
		if (memcmp(sk.data, "sk", 2) != 0 ||
		    get_le32(sk.data + SK_LEN) > sk.len - SK_DATA)
			return hive_damaged(w->h, cell, w->err, "security descriptor");
		bit_set(w->security, cell / 8);
	}
	vec_push(&w->references, cell);
	return 0;
}

static int check_key(struct walk *w, const struct pending *p)
{
	struct bytes cell = take(w, p->key, p->parent, NK_NAME, "key");
	const uint8_t *nk = cell.data;
	uint32_t name, class;

	if (!nk)
		return -1;
	if (memcmp(nk, "nk", 2) != 0)
		return hive_damaged(w->h, p->key, w->err, "key without nk signature");
	if (p->depth > HIVE_DEPTH_MAX)
		return hive_damaged(w->h, p->key, w->err, "keys nested over %u levels",
				    HIVE_DEPTH_MAX);
	name = get_le16(nk + NK_NAME_LEN);
	if (name == 0 || name > cell.len - NK_NAME ||
	    (!(get_le16(nk + NK_FLAGS) & NK_COMP_NAME) && name % 2))
		return hive_damaged(w->h, p->key, w->err, "key name of %u bytes", name);
	if (p->parent && get_le32(nk + NK_PARENT) != p->parent)
		return hive_damaged(w->h, p->key, w->err,
				    "key names 0x%x as its parent, it is 0x%x",
				    get_le32(nk + NK_PARENT), p->parent);
	class = get_le16(nk + NK_CLASS_LEN);
	if (class && !take(w, get_le32(nk + NK_CLASS), p->key, class, "class name").data)
		return -1;
	w->depth = p->depth;
	if (check_security(w, p->key, get_le32(nk + NK_SECURITY)) < 0 ||
	    check_values(w, p->key, nk) < 0)
		return -1;
	return check_subkeys(w, p->key, nk);
}

static int compare_offsets(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void count_security(struct walk *w)
{
	struct hive *h = w->h;

	if (w->references.len)
		qsort(w->references.items, w->references.len, sizeof(uint32_t),
		      compare_offsets);
	vec_foreach (cell, &w->references) {
		size_t n = h->security.len;

		if (n && h->security.items[n - 1].cell == *cell)
			h->security.items[n - 1].refs++;
		else
			vec_push(&h->security, (struct hive_security){*cell, 1});
	}
}

int hive_check_tree(struct hive *h, struct error *err)
{
	struct walk w = {.h = h, .err = err};
	int r = 0;

	if (!hive_nk(h, h->root))
		return hive_damaged(h, h->root, err, "no root key");
	w.used = xcalloc(h->size / 64 + 1, 1);
	w.security = xcalloc(h->size / 64 + 1, 1);
	vec_push(&w.stack, (struct pending){h->root, 0, 0});
	while (r == 0 && w.stack.len) {
		struct pending p = w.stack.items[--w.stack.len];

		r = check_key(&w, &p);
	}
	if (r == 0)
		count_security(&w);
	vec_free(&w.stack);
	vec_free(&w.references);
	free(w.security);
	free(w.used);
	if (h->unsorted.len)
		qsort(h->unsorted.items, h->unsorted.len, sizeof(uint32_t),
		      compare_offsets);
	return r;
}
