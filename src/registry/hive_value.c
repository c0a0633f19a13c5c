/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Values of a key: set, deleted and typed access.
 *
 * Data of up to 4 bytes lies in the value itself, of up to 16,344 in a cell of its own,
 * longer data in a `db` record of segments (from format 1.4 on).
 */
#include "registry/hive_private.h"

/* ---- storage of the data ---- */

static void segments_free(struct hive *h, uint32_t db_cell)
{
	struct bytes db = hive_record(h, db_cell, "db", 8), list;
	uint32_t segment;

	if (!db.data)
		return;
	list = hive_cell(h, get_le32(db.data + 4));
	for (uint32_t i = 0; i < get_le16(db.data + 2); i++)
		if (bytes_le32(list, 4ull * i, &segment))
			alloc_free(h, segment);
	alloc_free(h, get_le32(db.data + 4));
}

/* Frees what VK_LEN and VK_DATA of a value say. */
static void data_free(struct hive *h, uint32_t len, uint32_t cell)
{
	if (len & VK_RESIDENT || len == 0)
		return;
	if (hive_cell(h, cell).len < len)
		segments_free(h, cell);
	alloc_free(h, cell);
}

void hive_value_free(struct hive *h, uint32_t vk)
{
	const uint8_t *p = hive_record(h, vk, "vk", VK_NAME).data;

	if (!p)
		return;
	data_free(h, get_le32(p + VK_LEN), get_le32(p + VK_DATA));
	alloc_free(h, vk);
}

/* Writes long data in segments; the `db` cell, or 0 with nothing allocated. */
static uint32_t segments_make(struct hive *h, struct bytes data, struct error *err)
{
	uint32_t count = (uint32_t)((data.len + HIVE_SEGMENT - 1) / HIVE_SEGMENT);
	uint32_t db = alloc_cell(h, 8, err),
		 list = db ? alloc_cell(h, 4ull * count, err) : 0;
	uint8_t *p;

	if (!list) {
		alloc_free(h, db);
		return 0;
	}
	p = hive_cell_data(h, db);
	memcpy(p, "db", 2);
	put_le16(p + 2, (uint16_t)count);
	put_le32(p + 4, list);
	for (uint32_t i = 0; i < count; i++) {
		size_t at = (size_t)i * HIVE_SEGMENT;
		size_t part = data.len - at < HIVE_SEGMENT ? data.len - at : HIVE_SEGMENT;
		/* Windows makes the cell of the last segment as large as the others. */
		uint32_t segment = alloc_cell(h, HIVE_SEGMENT, err);

		if (!segment) {
			segments_free(h, db);
			alloc_free(h, db);
			return 0;
		}
		memcpy(hive_cell_data(h, segment), data.data + at, part);
		put_le32(hive_cell_data(h, list) + 4 * (size_t)i, segment);
	}
	return db;
}

/* Stores data anew; sets what goes in VK_LEN and VK_DATA. */
static int data_make(struct hive *h, struct bytes data, uint32_t *len, uint32_t *cell,
		     struct error *err)
{
	uint8_t raw[4] = {0};

	*len = (uint32_t)data.len;
	if (data.len <= 4) {
		if (data.len)
			memcpy(raw, data.data, data.len);
		*len |= VK_RESIDENT;
		*cell = get_le32(raw);
		return 0;
	}
	if (data.len > HIVE_SEGMENT && h->minor >= 4) {
		*cell = segments_make(h, data, err);
		return *cell ? 0 : -1;
	}
	*cell = alloc_cell(h, data.len, err);
	if (!*cell)
		return -1;
	memcpy(hive_cell_data(h, *cell), data.data, data.len);
	return 0;
}

/* ---- setting ---- */

/* Overwrites the data where it lies if its cell fits well. */
static bool data_replace(struct hive *h, uint32_t vk, struct bytes data)
{
	const uint8_t *p = hive_cell(h, vk).data;
	uint32_t len = get_le32(p + VK_LEN), cell = get_le32(p + VK_DATA);
	size_t room = hive_cell(h, cell).len;
	uint8_t *to;

	if (len & VK_RESIDENT || len == 0 || room < len || data.len <= 4 ||
	    data.len > HIVE_SEGMENT || data.len > room || room > 2 * data.len + 16)
		return false;
	to = hive_cell_data(h, cell);
	memcpy(to, data.data, data.len);
	memset(to + data.len, 0, room - data.len);
	put_le32(hive_cell_data(h, vk) + VK_LEN, (uint32_t)data.len);
	return true;
}

static int value_change(struct hive *h, uint32_t vk, uint32_t type, struct bytes data,
			struct error *err)
{
	uint32_t len, cell, old_len, old_cell;
	uint8_t *p;

	if (!data_replace(h, vk, data)) {
		if (data_make(h, data, &len, &cell, err) < 0)
			return -1;
		p = hive_cell_data(h, vk);
		old_len = get_le32(p + VK_LEN);
		old_cell = get_le32(p + VK_DATA);
		put_le32(p + VK_LEN, len);
		put_le32(p + VK_DATA, cell);
		data_free(h, old_len, old_cell);
	}
	put_le32(hive_cell_data(h, vk) + VK_TYPE, type);
	return 0;
}

/* Puts a value cell at the end of the key's list, as Windows does. */
static int value_list_append(struct hive *h, hkey key, uint32_t vk, struct error *err)
{
	uint32_t count = hive_value_count(h, key), list;
	size_t spare = count >= 16 ? count / 4 : 1;
	uint8_t *nk;

	list = get_le32(hive_nk(h, key) + NK_VALUE_LIST);
	if (!count)
		list = alloc_cell(h, 4, err);
	else if (hive_cell(h, list).len < 4 * ((size_t)count + 1))
		list = alloc_grow(h, list, 4 * (count + spare), err);
	if (!list)
		return -1;
	put_le32(hive_cell_data(h, list) + 4 * (size_t)count, vk);
	nk = hive_cell_data(h, key);
	put_le32(nk + NK_VALUE_LIST, list);
	put_le32(nk + NK_VALUES, count + 1);
	return 0;
}

static int value_make(struct hive *h, hkey key, const char *name, uint32_t type,
		      struct bytes data, struct error *err)
{
	_cleanup_buffer_ struct buffer stored = BUFFER_INIT;
	uint32_t vk, len, cell;
	size_t units;
	bool comp = hive_name_store(name, &stored, &units);
	uint8_t *p;

	vk = alloc_cell(h, VK_NAME + stored.len, err);
	if (!vk)
		return -1;
	if (data_make(h, data, &len, &cell, err) < 0) {
		alloc_free(h, vk);
		return -1;
	}
	p = hive_cell_data(h, vk);
	memcpy(p, "vk", 2);
	put_le16(p + VK_NAME_LEN, (uint16_t)stored.len);
	put_le32(p + VK_LEN, len);
	put_le32(p + VK_DATA, cell);
	put_le32(p + VK_TYPE, type);
	/* The default value has no name and, in every real hive, no flag. */
	put_le16(p + VK_FLAGS, comp && stored.len ? VK_COMP_NAME : 0);
	if (stored.len)
		memcpy(p + VK_NAME, stored.data, stored.len);
	if (value_list_append(h, key, vk, err) < 0) {
		hive_value_free(h, vk);
		return -1;
	}
	return 0;
}

static void key_note_value(struct hive *h, hkey key, size_t name_bytes, size_t data_bytes)
{
	uint8_t *nk = hive_cell_data(h, key);

	if (name_bytes > get_le32(nk + NK_MAX_VALUE_NAME))
		put_le32(nk + NK_MAX_VALUE_NAME, (uint32_t)name_bytes);
	if (data_bytes > get_le32(nk + NK_MAX_VALUE_DATA))
		put_le32(nk + NK_MAX_VALUE_DATA, (uint32_t)data_bytes);
	hive_touch(h, key);
}

static int set_check(const struct hive *h, hkey key, const char *name, struct bytes data,
		     struct error *err)
{
	size_t limit = h->minor >= 4 ? HIVE_VALUE_MAX : HIVE_CELL_DATA_MAX;
	const uint8_t *nk = hive_nk(h, key);

	if (!nk)
		return error_set(err, ERROR_FAILED, h->name,
				 "no such key to set \"%s\" in", name);
	if (get_le16(nk + NK_FLAGS) & NK_PREDEFINED)
		return error_set(
			err, ERROR_FAILED, h->name,
			"a key that stands for a predefined handle has no values");
	if (utf16_units(name) > HIVE_VALUE_NAME_MAX)
		return error_set(err, ERROR_FAILED, h->name,
				 "a value name of over %u characters",
				 HIVE_VALUE_NAME_MAX);
	if (data.len > limit)
		return error_set(err, ERROR_FAILED, h->name,
				 "value \"%s\" of %zu bytes; this hive holds at most %zu",
				 name, data.len, limit);
	return 0;
}

int hive_set(struct hive *hive, hkey key, const char *name, uint32_t type,
	     struct bytes data, struct error *err)
{
	uint32_t vk;

	if (set_check(hive, key, name, data, err) < 0)
		return -1;
	if (hive_value_index(hive, key, name, &vk) >= 0) {
		_cleanup_buffer_ struct buffer old = BUFFER_INIT;
		bool readable = hive_value_data(hive, vk, &old);

		if (readable && get_le32(hive_cell(hive, vk).data + VK_TYPE) == type &&
		    old.len == data.len &&
		    (!data.len || !memcmp(old.data, data.data, data.len)))
			return 0;
		if (value_change(hive, vk, type, data, err) < 0)
			return -1;
	} else if (value_make(hive, key, name, type, data, err) < 0) {
		return -1;
	}
	key_note_value(hive, key, utf16_units(name) * 2, data.len);
	hive_record_change(hive, HIVE_VALUE_SET, key, name, type, data);
	return 1;
}

int hive_unset(struct hive *hive, hkey key, const char *name, struct error *err)
{
	uint32_t vk, count = hive_value_count(hive, key), list;
	int64_t index = hive_value_index(hive, key, name, &vk);
	uint8_t *p, *nk;

	if (!hive_nk(hive, key))
		return error_set(err, ERROR_FAILED, hive->name,
				 "no such key to delete \"%s\" from", name);
	if (index < 0)
		return 0;
	hive_record_change(hive, HIVE_VALUE_DELETED, key, name, 0,
			   (struct bytes){NULL, 0});
	hive_value_free(hive, vk);
	nk = hive_cell_data(hive, key);
	list = get_le32(nk + NK_VALUE_LIST);
	put_le32(nk + NK_VALUES, count - 1);
	if (count == 1) {
		alloc_free(hive, list);
		put_le32(nk + NK_VALUE_LIST, HIVE_NIL);
		put_le32(nk + NK_MAX_VALUE_NAME, 0);
		put_le32(nk + NK_MAX_VALUE_DATA, 0);
	} else {
		p = hive_cell_data(hive, list) + 4 * (size_t)index;
		memmove(p, p + 4, 4 * (size_t)(count - 1 - index));
		put_le32(hive_cell_data(hive, list) + 4 * (size_t)(count - 1), 0);
	}
	hive_touch(hive, key);
	return 1;
}

/* ---- typed access ---- */

char *hive_get_string(const struct hive *hive, hkey key, const char *name)
{
	_cleanup_reg_value_ struct reg_value v = {0};

	if (hive_value(hive, key, name, &v, NULL) != 1 ||
	    (v.type != REG_SZ && v.type != REG_EXPAND_SZ))
		return NULL;
	for (uint32_t i = 0; i + 1 < v.len; i += 2)
		if (get_le16(v.data + i) == 0)
			v.len = i;
	return utf16_to_utf8(v.data, v.len);
}

bool hive_get_dword(const struct hive *hive, hkey key, const char *name, uint32_t *ret)
{
	_cleanup_reg_value_ struct reg_value v = {0};

	if (hive_value(hive, key, name, &v, NULL) != 1 || v.type != REG_DWORD ||
	    v.len != 4)
		return false;
	*ret = get_le32(v.data);
	return true;
}

bool hive_get_strings(const struct hive *hive, hkey key, const char *name,
		      struct strings *ret)
{
	_cleanup_reg_value_ struct reg_value v = {0};
	uint32_t begin = 0;

	if (hive_value(hive, key, name, &v, NULL) != 1 ||
	    (v.type != REG_MULTI_SZ && v.type != REG_SZ))
		return false;
	for (uint32_t i = 0; i + 1 < v.len + 2; i += 2) {
		if (i + 1 < v.len && get_le16(v.data + i) != 0)
			continue;
		/* An empty item ends the list. */
		if (i <= begin)
			break;
		vec_push(ret, utf16_to_utf8(v.data + begin, i - begin));
		begin = i + 2;
		if (v.type == REG_SZ)
			break;
	}
	return true;
}

int hive_set_string(struct hive *hive, hkey key, const char *name, uint32_t type,
		    const char *text, struct error *err)
{
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;

	utf16_append_z(&data, text);
	return hive_set(hive, key, name, type, buffer_view(&data), err);
}

int hive_set_dword(struct hive *hive, hkey key, const char *name, uint32_t v,
		   struct error *err)
{
	uint8_t raw[4];

	put_le32(raw, v);
	return hive_set(hive, key, name, REG_DWORD, (struct bytes){raw, sizeof(raw)},
			err);
}

int hive_set_qword(struct hive *hive, hkey key, const char *name, uint64_t v,
		   struct error *err)
{
	uint8_t raw[8];

	put_le64(raw, v);
	return hive_set(hive, key, name, REG_QWORD, (struct bytes){raw, sizeof(raw)},
			err);
}

int hive_set_strings(struct hive *hive, hkey key, const char *name,
		     const struct strings *items, struct error *err)
{
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;

	vec_foreach (item, items)
		utf16_append_z(&data, *item);
	buffer_append_le16(&data, 0);
	return hive_set(hive, key, name, REG_MULTI_SZ, buffer_view(&data), err);
}
