/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Subkey lists: a leaf (lf, lh: cell and hint; li: cell only) or an index root (ri) of
 * leaves, all in the order of upper-cased names.
 *
 * Entries are inserted in place; a full leaf cell grows by a quarter, a leaf of 1,012
 * entries is split into halves under an index root. That is what Windows does: the lists
 * of real hives have at most 967 entries in a leaf, and 506 where one was split. (The
 * leaves of 507 entries in 4 KiB that are also seen come from its compaction.)
 */
#include "registry/hive_private.h"

#define LEAF_MAX 1012u
#define FAST_MAX 507u /* entries of an lf list, see leaf_simplify() */
#define LIST_HEAD 4u  /* signature and count */

static bool is_root(struct bytes list)
{
	return list.len >= LIST_HEAD && memcmp(list.data, "ri", 2) == 0;
}

static uint32_t count_of(struct bytes list)
{
	return list.len >= LIST_HEAD ? get_le16(list.data + 2) : 0;
}

size_t leaf_entry_size(struct bytes leaf)
{
	if (leaf.len < LIST_HEAD)
		return 0;
	if (memcmp(leaf.data, "lh", 2) == 0 || memcmp(leaf.data, "lf", 2) == 0)
		return 8;
	return memcmp(leaf.data, "li", 2) == 0 ? 4 : 0;
}

static hkey leaf_key(struct bytes leaf, uint32_t i)
{
	size_t entry = leaf_entry_size(leaf);
	hkey key;

	if (!entry || i >= count_of(leaf) ||
	    !bytes_le32(leaf, LIST_HEAD + i * entry, &key))
		return 0;
	return key;
}

static uint32_t list_of(const struct hive *h, hkey parent)
{
	const uint8_t *nk = hive_nk(h, parent);

	return nk && get_le32(nk + NK_SUBKEYS) ? get_le32(nk + NK_LIST) : HIVE_NIL;
}

static uint32_t root_leaf(struct bytes root, uint32_t i)
{
	uint32_t leaf;

	if (i >= count_of(root) || !bytes_le32(root, LIST_HEAD + 4ull * i, &leaf))
		return HIVE_NIL;
	return leaf;
}

hkey list_nth(const struct hive *h, hkey parent, uint32_t i)
{
	struct bytes list = hive_cell(h, list_of(h, parent));

	if (!is_root(list))
		return leaf_key(list, i);
	for (uint32_t k = 0; k < count_of(list); k++) {
		struct bytes leaf = hive_cell(h, root_leaf(list, k));

		if (i < count_of(leaf))
			return leaf_key(leaf, i);
		i -= count_of(leaf);
	}
	return 0;
}

bool hive_is_unsorted(const struct hive *h, hkey key)
{
	size_t low = 0, high = h->unsorted.len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (h->unsorted.items[middle] < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low < h->unsorted.len && h->unsorted.items[low] == key;
}

/* First entry of the leaf that is not less than the name. */
static uint32_t leaf_lower_bound(const struct hive *h, struct bytes leaf,
				 const struct needle *n)
{
	uint32_t low = 0, high = count_of(leaf);

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (hive_key_compare(h, leaf_key(leaf, middle), n) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Without relying on order: the match, or the end of the list. */
static struct list_place find_linear(const struct hive *h, struct bytes list,
				     uint32_t cell, const struct needle *n)
{
	uint32_t leaves = is_root(list) ? count_of(list) : 1;
	struct list_place place = {HIVE_NIL, 0, 0, 0};

	for (uint32_t k = 0; k < leaves; k++) {
		place.leaf = is_root(list) ? root_leaf(list, k) : cell;
		place.in_root = k;

		struct bytes leaf = hive_cell(h, place.leaf);

		for (place.index = 0; place.index < count_of(leaf); place.index++) {
			place.key = leaf_key(leaf, place.index);
			if (hive_key_compare(h, place.key, n) == 0)
				return place;
		}
		place.key = 0;
	}
	return place;
}

struct list_place list_find(const struct hive *h, hkey parent, const struct needle *n)
{
	uint32_t cell = list_of(h, parent);
	struct list_place place = {cell, 0, 0, 0};
	struct bytes list = hive_cell(h, cell), leaf;

	if (!list.data) {
		place.leaf = HIVE_NIL;
		return place;
	}
	if (hive_is_unsorted(h, parent))
		return find_linear(h, list, cell, n);
	if (is_root(list)) {
		/* The first leaf whose last entry is not less; else the last leaf. */
		uint32_t low = 0, high = count_of(list) - 1;

		while (low < high) {
			uint32_t middle = low + (high - low) / 2;

			leaf = hive_cell(h, root_leaf(list, middle));
			if (hive_key_compare(h, leaf_key(leaf, count_of(leaf) - 1), n) <
			    0)
				low = middle + 1;
			else
				high = middle;
		}
		place.in_root = low;
		place.leaf = root_leaf(list, low);
	}
	leaf = hive_cell(h, place.leaf);
	place.index = leaf_lower_bound(h, leaf, n);
	if (hive_key_compare(h, leaf_key(leaf, place.index), n) == 0)
		place.key = leaf_key(leaf, place.index);
	return place;
}

/* ---- changing ---- */

/* What an lh entry says beside the cell: a hash of the upper-cased name. */
static uint32_t name_hash(const struct needle *n)
{
	uint32_t hash = 0;

	for (size_t i = 0; i < n->units; i++)
		hash = hash * 37 + get_le16(n->utf16.data + 2 * i);
	return hash;
}

/* What an lf entry says: the first four characters, 0 where they do not fit a byte. */
static void name_hint(const struct hive *h, hkey key, uint8_t hint[4])
{
	const uint8_t *nk = hive_nk(h, key);
	bool comp = get_le16(nk + NK_FLAGS) & NK_COMP_NAME;
	size_t units = (size_t)get_le16(nk + NK_NAME_LEN) / (comp ? 1 : 2);

	memset(hint, 0, 4);
	for (size_t i = 0; i < 4 && i < units; i++) {
		uint16_t unit = comp ? nk[NK_NAME + i] : get_le16(nk + NK_NAME + 2 * i);

		hint[i] = unit < 0x100 ? (uint8_t)unit : 0;
	}
}

/* Makes room for one more entry in a list cell; the cell (moved or not), 0 on error. */
static uint32_t make_room(struct hive *h, uint32_t cell, size_t entry, struct error *err)
{
	struct bytes list = hive_cell(h, cell);
	size_t count = count_of(list), spare = count >= 8 ? count / 4 : 1;

	if (list.len >= LIST_HEAD + (count + 1) * entry)
		return cell;
	return alloc_grow(h, cell, LIST_HEAD + (count + spare) * entry, err);
}

/* Moves the upper half of the leaf to a new leaf; its cell, 0 on error. */
static uint32_t leaf_split(struct hive *h, uint32_t cell, struct error *err)
{
	struct bytes leaf = hive_cell(h, cell);
	size_t entry = leaf_entry_size(leaf);
	uint32_t count = count_of(leaf), keep = count / 2;
	uint32_t upper = alloc_cell(h, LIST_HEAD + (count - keep) * entry, err);
	uint8_t *from, *to;

	if (!upper)
		return 0;
	from = hive_cell_data(h, cell);
	to = hive_cell_data(h, upper);
	memcpy(to, from, 2);
	put_le16(to + 2, (uint16_t)(count - keep));
	memcpy(to + LIST_HEAD, from + LIST_HEAD + keep * entry, (count - keep) * entry);
	memset(from + LIST_HEAD + keep * entry, 0, (count - keep) * entry);
	put_le16(from + 2, (uint16_t)keep);
	return upper;
}

/* Puts a leaf behind the place's leaf in the index root, which is made if need be. */
static int root_add(struct hive *h, hkey parent, const struct list_place *place,
		    uint32_t leaf, struct error *err)
{
	uint32_t root = list_of(h, parent), count;
	uint8_t *p;

	if (is_root(hive_cell(h, root))) {
		root = make_room(h, root, 4, err);
		if (!root)
			return -1;
	} else {
		root = alloc_cell(h, LIST_HEAD + 8, err);
		if (!root)
			return -1;
		p = hive_cell_data(h, root);
		memcpy(p, "ri", 2);
		put_le16(p + 2, 1);
		put_le32(p + LIST_HEAD, place->leaf);
	}
	p = hive_cell_data(h, root);
	count = get_le16(p + 2);
	memmove(p + LIST_HEAD + 4 * (place->in_root + 2),
		p + LIST_HEAD + 4 * (place->in_root + 1),
		4 * (count - place->in_root - 1));
	put_le32(p + LIST_HEAD + 4 * (place->in_root + 1), leaf);
	put_le16(p + 2, (uint16_t)(count + 1));
	put_le32(hive_cell_data(h, parent) + NK_LIST, root);
	return 0;
}

/* Notes that the place's leaf has moved to another cell. */
static void leaf_moved(struct hive *h, hkey parent, const struct list_place *place,
		       uint32_t leaf)
{
	uint32_t list = list_of(h, parent);

	if (is_root(hive_cell(h, list)))
		put_le32(hive_cell_data(h, list) + LIST_HEAD + 4 * place->in_root, leaf);
	else
		put_le32(hive_cell_data(h, parent) + NK_LIST, leaf);
}

/* The first list of a key: lh from format 1.5 on, lf before. */
static int list_begin(struct hive *h, hkey parent, struct error *err)
{
	uint32_t leaf = alloc_cell(h, LIST_HEAD + 8, err);

	if (!leaf)
		return -1;
	memcpy(hive_cell_data(h, leaf), h->minor >= 5 ? "lh" : "lf", 2);
	put_le32(hive_cell_data(h, parent) + NK_LIST, leaf);
	return 0;
}

/* Windows makes an lf list that outgrows 4 KiB an li list before it splits it. */
static void leaf_simplify(struct hive *h, uint32_t cell)
{
	uint8_t *p = hive_cell_data(h, cell);
	uint32_t count = get_le16(p + 2);

	if (memcmp(p, "lf", 2) != 0 || count < FAST_MAX)
		return;
	p[1] = 'i';
	for (uint32_t i = 1; i < count; i++)
		memmove(p + LIST_HEAD + 4 * (size_t)i, p + LIST_HEAD + 8 * (size_t)i, 4);
	memset(p + LIST_HEAD + 4 * (size_t)count, 0, 4 * (size_t)count);
}

static int list_fit(struct hive *h, hkey parent, const struct needle *n,
		    struct list_place *place, struct error *err)
{
	uint32_t leaf;

	leaf_simplify(h, place->leaf);
	if (count_of(hive_cell(h, place->leaf)) >= LEAF_MAX) {
		uint32_t upper = leaf_split(h, place->leaf, err);

		if (!upper || root_add(h, parent, place, upper, err) < 0)
			return -1;
		*place = list_find(h, parent, n);
	}
	leaf = make_room(h, place->leaf, leaf_entry_size(hive_cell(h, place->leaf)), err);
	if (!leaf)
		return -1;
	if (leaf != place->leaf)
		leaf_moved(h, parent, place, leaf);
	place->leaf = leaf;
	return 0;
}

int list_insert(struct hive *h, hkey parent, const struct needle *n, hkey key,
		struct error *err)
{
	struct list_place place = list_find(h, parent, n);
	uint32_t subkeys = hive_child_count(h, parent), count;
	size_t entry;
	uint8_t *p, *at;

	if (place.leaf == HIVE_NIL) {
		if (list_begin(h, parent, err) < 0)
			return -1;
		place.leaf = get_le32(hive_nk(h, parent) + NK_LIST);
	} else if (list_fit(h, parent, n, &place, err) < 0) {
		return -1;
	}
	p = hive_cell_data(h, place.leaf);
	entry = leaf_entry_size(hive_cell(h, place.leaf));
	count = get_le16(p + 2);
	at = p + LIST_HEAD + place.index * entry;
	memmove(at + entry, at, (count - place.index) * entry);
	put_le32(at, key);
	if (p[1] == 'h')
		put_le32(at + 4, name_hash(n));
	else if (p[1] == 'f')
		name_hint(h, key, at + 4);
	put_le16(p + 2, (uint16_t)(count + 1));
	put_le32(hive_cell_data(h, parent) + NK_SUBKEYS, subkeys + 1);
	return 0;
}

void list_free(struct hive *h, hkey parent)
{
	uint32_t cell = list_of(h, parent);
	struct bytes list = hive_cell(h, cell);

	if (is_root(list))
		for (uint32_t k = 0; k < count_of(list); k++)
			alloc_free(h, root_leaf(list, k));
	alloc_free(h, cell);
	put_le32(hive_cell_data(h, parent) + NK_LIST, HIVE_NIL);
	put_le32(hive_cell_data(h, parent) + NK_SUBKEYS, 0);
}

/* Takes an empty leaf out of the index root. */
static void root_remove(struct hive *h, uint32_t root, uint32_t index)
{
	uint8_t *p = hive_cell_data(h, root);
	uint32_t count = get_le16(p + 2);

	alloc_free(h, get_le32(p + LIST_HEAD + 4 * index));
	memmove(p + LIST_HEAD + 4 * index, p + LIST_HEAD + 4 * (index + 1),
		4 * (count - index - 1));
	put_le16(p + 2, (uint16_t)(count - 1));
}

/* The place of this very key, whatever its name. */
static bool find_key(const struct hive *h, hkey parent, hkey key,
		     struct list_place *place)
{
	struct bytes list = hive_cell(h, list_of(h, parent));
	uint32_t leaves = is_root(list) ? count_of(list) : 1;

	for (place->in_root = 0; place->in_root < leaves; place->in_root++) {
		place->leaf = is_root(list) ? root_leaf(list, place->in_root)
					    : list_of(h, parent);

		struct bytes leaf = hive_cell(h, place->leaf);

		for (place->index = 0; place->index < count_of(leaf); place->index++)
			if (leaf_key(leaf, place->index) == key)
				return true;
	}
	return false;
}

void list_remove(struct hive *h, hkey parent, hkey key)
{
	uint32_t subkeys = hive_child_count(h, parent), list = list_of(h, parent), count;
	struct list_place place;
	size_t entry;
	uint8_t *p, *at;

	if (!find_key(h, parent, key, &place))
		return;
	if (subkeys == 1) {
		list_free(h, parent);
		return;
	}
	p = hive_cell_data(h, place.leaf);
	entry = leaf_entry_size(hive_cell(h, place.leaf));
	count = get_le16(p + 2);
	at = p + LIST_HEAD + place.index * entry;
	memmove(at, at + entry, (count - place.index - 1) * entry);
	memset(p + LIST_HEAD + (count - 1) * entry, 0, entry);
	put_le16(p + 2, (uint16_t)(count - 1));
	if (count == 1 && is_root(hive_cell(h, list)))
		root_remove(h, list, place.in_root);
	put_le32(hive_cell_data(h, parent) + NK_SUBKEYS, subkeys - 1);
}
