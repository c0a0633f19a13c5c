/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reading a hive: cells, names, paths and raw values.
 *
 * Names are stored as one byte per unit (Latin-1) where all units fit, else as UTF-16LE;
 * both are compared unit by unit in upper case, which is the order Windows keeps subkey
 * lists in.
 */
#include "registry/hive_private.h"

struct bytes hive_cell(const struct hive *h, uint32_t cell)
{
	int32_t size;

	if (cell >= h->size || cell % 8 || !bit_get(h->starts, cell / 8))
		return (struct bytes){NULL, 0};
	size = (int32_t)get_le32(hive_bins(h) + cell);
	if (size >= 0)
		return (struct bytes){NULL, 0};
	return (struct bytes){hive_bins(h) + cell + 4, (size_t)-size - 4};
}

struct bytes hive_record(const struct hive *h, uint32_t cell, const char *signature,
			 size_t min_len)
{
	struct bytes b = hive_cell(h, cell);

	if (b.len < min_len || memcmp(b.data, signature, 2) != 0)
		return (struct bytes){NULL, 0};
	return b;
}

uint8_t *hive_cell_data(struct hive *h, uint32_t cell)
{
	return hive_cell(h, cell).data ? hive_bins(h) + cell + 4 : NULL;
}

const uint8_t *hive_nk(const struct hive *h, hkey key)
{
	return hive_record(h, key, "nk", NK_NAME).data;
}

/* ---- names ---- */

/*
 * A name may hold zero units (the native API allows it, to hide keys). They are shown as
 * U+2400, so that such a name is neither cut nor taken for a shorter one; no lookup by
 * name finds it.
 */
char *hive_name_text(const uint8_t *name, size_t len, bool comp)
{
	_cleanup_buffer_ struct buffer wide = BUFFER_INIT;
	size_t units = comp ? len : len / 2;

	(void)buffer_reserve(&wide, 2 * units);
	for (size_t i = 0; i < units; i++) {
		uint16_t unit = comp ? name[i] : get_le16(name + 2 * i);

		buffer_append_le16(&wide, unit ? unit : 0x2400);
	}
	return utf16_to_utf8(wide.data, wide.len);
}

void needle_set(struct needle *n, const char *text, size_t len)
{
	_cleanup_free_ char *copy = xstrndup(text, len);

	n->utf16.len = 0;
	utf16_append(&n->utf16, copy);
	n->units = n->utf16.len / 2;
	for (size_t i = 0; i < n->units; i++) {
		uint8_t *p = n->utf16.data + 2 * i;

		put_le16(p, upcase_unit(get_le16(p)));
	}
}

void needle_free(struct needle *n)
{
	buffer_free(&n->utf16);
}

static uint16_t unit_at(const uint8_t *name, bool comp, size_t i)
{
	return upcase_unit(comp ? name[i] : get_le16(name + 2 * i));
}

int hive_name_compare(const uint8_t *name, size_t len, bool comp, const struct needle *n)
{
	size_t units = comp ? len : len / 2;

	for (size_t i = 0; i < units && i < n->units; i++) {
		int d = unit_at(name, comp, i) - get_le16(n->utf16.data + 2 * i);

		if (d)
			return d;
	}
	return units < n->units ? -1 : units > n->units;
}

int hive_key_compare(const struct hive *h, hkey key, const struct needle *n)
{
	const uint8_t *nk = hive_nk(h, key);

	if (!nk)
		return -1;
	return hive_name_compare(nk + NK_NAME, get_le16(nk + NK_NAME_LEN),
				 get_le16(nk + NK_FLAGS) & NK_COMP_NAME, n);
}

int hive_keys_compare(const struct hive *h, hkey a, hkey b)
{
	const uint8_t *na = hive_nk(h, a), *nb = hive_nk(h, b);
	bool comp_a, comp_b;
	size_t units_a, units_b;

	if (!na || !nb)
		return 0;
	comp_a = get_le16(na + NK_FLAGS) & NK_COMP_NAME;
	comp_b = get_le16(nb + NK_FLAGS) & NK_COMP_NAME;
	units_a = (size_t)get_le16(na + NK_NAME_LEN) / (comp_a ? 1 : 2);
	units_b = (size_t)get_le16(nb + NK_NAME_LEN) / (comp_b ? 1 : 2);
	for (size_t i = 0; i < units_a && i < units_b; i++) {
		int d = unit_at(na + NK_NAME, comp_a, i) -
			unit_at(nb + NK_NAME, comp_b, i);

		if (d)
			return d;
	}
	return units_a < units_b ? -1 : units_a > units_b;
}

bool hive_name_store(const char *text, struct buffer *ret, size_t *units)
{
	_cleanup_buffer_ struct buffer wide = BUFFER_INIT;
	bool comp = true;

	utf16_append(&wide, text);
	*units = wide.len / 2;
	for (size_t i = 1; i < wide.len; i += 2)
		comp = comp && wide.data[i] == 0;
	ret->len = 0;
	if (!comp) {
		buffer_append(ret, wide.data, wide.len);
		return false;
	}
	for (size_t i = 0; i < wide.len; i += 2)
		buffer_append(ret, wide.data + i, 1);
	return true;
}

/* ---- keys ---- */

hkey hive_root(const struct hive *hive)
{
	return hive->root;
}

hkey hive_find(const struct hive *hive, hkey key, const char *path)
{
	_cleanup_needle_ struct needle n = {0};

	if (!hive_nk(hive, key))
		return 0;
	while (key && *path) {
		size_t len = strcspn(path, "\\");

		if (len) {
			needle_set(&n, path, len);
			key = list_find(hive, key, &n).key;
		}
		path += len;
		path += *path == '\\';
	}
	return key;
}

uint32_t hive_child_count(const struct hive *hive, hkey key)
{
	const uint8_t *nk = hive_nk(hive, key);

	return nk ? get_le32(nk + NK_SUBKEYS) : 0;
}

hkey hive_child(const struct hive *hive, hkey key, uint32_t i)
{
	return list_nth(hive, key, i);
}

char *hive_key_name(const struct hive *hive, hkey key)
{
	const uint8_t *nk = hive_nk(hive, key);

	if (!nk)
		return xstrdup("");
	return hive_name_text(nk + NK_NAME, get_le16(nk + NK_NAME_LEN),
			      get_le16(nk + NK_FLAGS) & NK_COMP_NAME);
}

uint64_t hive_key_time(const struct hive *hive, hkey key)
{
	const uint8_t *nk = hive_nk(hive, key);

	return nk ? get_le64(nk + NK_TIME) : 0;
}

char *hive_path(const struct hive *h, hkey key)
{
	char *path = xstrdup("");

	for (unsigned depth = 0; key && key != h->root && depth <= HIVE_DEPTH_MAX;
	     depth++) {
		_cleanup_free_ char *name = hive_key_name(h, key);
		const uint8_t *nk = hive_nk(h, key);
		char *longer = *path ? xasprintf("%s\\%s", name, path) : xstrdup(name);

		free(path);
		path = longer;
		key = nk ? get_le32(nk + NK_PARENT) : 0;
	}
	return path;
}

/* ---- values ---- */

void reg_value_free(struct reg_value *value)
{
	free(value->name);
	free(value->data);
	*value = (struct reg_value){0};
}

uint32_t hive_value_count(const struct hive *hive, hkey key)
{
	const uint8_t *nk = hive_nk(hive, key);

	if (!nk || get_le16(nk + NK_FLAGS) & NK_PREDEFINED)
		return 0;
	return get_le32(nk + NK_VALUES);
}

uint32_t hive_value_cell(const struct hive *h, hkey key, uint32_t i)
{
	const uint8_t *nk = hive_nk(h, key);
	struct bytes list;
	uint32_t vk;

	if (i >= hive_value_count(h, key))
		return 0;
	list = hive_cell(h, get_le32(nk + NK_VALUE_LIST));
	if (!bytes_le32(list, 4ull * i, &vk) || !hive_record(h, vk, "vk", VK_NAME).data)
		return 0;
	return vk;
}

int64_t hive_value_index(const struct hive *h, hkey key, const char *name, uint32_t *vk)
{
	_cleanup_needle_ struct needle n = {0};
	uint32_t count = hive_value_count(h, key);

	needle_set(&n, name, strlen(name));
	for (uint32_t i = 0; i < count; i++) {
		const uint8_t *p;

		*vk = hive_value_cell(h, key, i);
		p = hive_cell(h, *vk).data;
		if (p &&
		    hive_name_compare(p + VK_NAME, get_le16(p + VK_NAME_LEN),
				      get_le16(p + VK_FLAGS) & VK_COMP_NAME, &n) == 0)
			return i;
	}
	*vk = 0;
	return -1;
}

/* Collects the segments of a `db` record. */
static bool segments_read(const struct hive *h, struct bytes db, uint32_t len,
			  struct buffer *ret)
{
	uint32_t count = get_le16(db.data + 2);
	struct bytes list = hive_cell(h, get_le32(db.data + 4));

	for (uint32_t i = 0; i < count && len; i++) {
		uint32_t cell, part = len < HIVE_SEGMENT ? len : HIVE_SEGMENT;
		struct bytes segment;

		if (!bytes_le32(list, 4ull * i, &cell))
			return false;
		segment = hive_cell(h, cell);
		if (segment.len < part)
			return false;
		buffer_append(ret, segment.data, part);
		len -= part;
	}
	return len == 0;
}

bool hive_value_data(const struct hive *h, uint32_t vk, struct buffer *ret)
{
	struct bytes p = hive_record(h, vk, "vk", VK_NAME), cell, db;
	uint32_t len, data;

	if (!p.data)
		return false;
	len = get_le32(p.data + VK_LEN);
	if (len & VK_RESIDENT) {
		len &= ~VK_RESIDENT;
		if (len > 4)
			return false;
		buffer_append(ret, p.data + VK_DATA, len);
		return true;
	}
	if (len == 0)
		return true;
	data = get_le32(p.data + VK_DATA);
	cell = hive_cell(h, data);
	/*
	 * Other tools write long data in one cell where Windows has a `db` record; the
	 * record's own cell is always far too short to be mistaken for that.
	 */
	if (cell.len >= len) {
		buffer_append(ret, cell.data, len);
		return true;
	}
	db = hive_record(h, data, "db", 8);
	return db.data && len > HIVE_SEGMENT && segments_read(h, db, len, ret);
}

int hive_value_at(const struct hive *hive, hkey key, uint32_t i, struct reg_value *ret,
		  struct error *err)
{
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;
	const uint8_t *p;
	uint32_t vk;

	*ret = (struct reg_value){0};
	if (i >= hive_value_count(hive, key))
		return 0;
	vk = hive_value_cell(hive, key, i);
	if (!vk || !hive_value_data(hive, vk, &data))
		return hive_damaged(hive, vk ? vk : key, err, "value %u of a key", i);
	p = hive_cell(hive, vk).data;
	ret->name = hive_name_text(p + VK_NAME, get_le16(p + VK_NAME_LEN),
				   get_le16(p + VK_FLAGS) & VK_COMP_NAME);
	ret->type = get_le32(p + VK_TYPE);
	ret->len = (uint32_t)data.len;
	ret->data = data.len ? data.data : xmalloc(1);
	if (data.len)
		data = (struct buffer)BUFFER_INIT;
	return 1;
}

int hive_value(const struct hive *hive, hkey key, const char *name, struct reg_value *ret,
	       struct error *err)
{
	uint32_t vk;
	int64_t i = hive_value_index(hive, key, name, &vk);

	*ret = (struct reg_value){0};
	return i < 0 ? 0 : hive_value_at(hive, key, (uint32_t)i, ret, err);
}
