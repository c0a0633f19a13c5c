/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A tiny reader of registry hives and of the BCD store in one (format: msuhanov/regf,
 * "Windows registry file format specification"). Everything is looked up by name from the
 * root; whatever does not lie inside the file is taken as missing.
 */
#include "store.h"

#define BINS 4096u
#define LISTS_MAX 4u /* an index root of index roots ... */
#define BOOT_MANAGER "{9dea862c-5cdd-4e70-acc1-f32b344d4795}"

uint16_t le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

uint32_t le32(const uint8_t *p)
{
	return le16(p) | (uint32_t)le16(p + 2) << 16;
}

uint64_t le64(const uint8_t *p)
{
	return le32(p) | (uint64_t)le32(p + 4) << 32;
}

int same_bytes(const void *a, const void *b, size_t len)
{
	const uint8_t *x = a, *y = b;

	while (len && *x == *y)
		x++, y++, len--;
	return len == 0;
}

void text_add(char *text, size_t size, const char *more)
{
	size_t at = 0;

	while (at < size && text[at])
		at++;
	while (at + 1 < size && *more)
		text[at++] = *more++;
	if (at < size)
		text[at] = 0;
}

void text_add_number(char *text, size_t size, uint32_t v)
{
	char digits[11];
	size_t at = sizeof(digits) - 1;

	digits[at] = 0;
	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v && at);
	text_add(text, size, digits + at);
}

void guid_text(const uint8_t *guid, char *text)
{
	static const uint8_t order[] = {3, 2, 1,  0,  5,  4,  7,  6,
					8, 9, 10, 11, 12, 13, 14, 15};
	static const char digits[] = "0123456789abcdef";

	*text++ = '{';
	for (size_t i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*text++ = '-';
		*text++ = digits[guid[order[i]] >> 4];
		*text++ = digits[guid[order[i]] & 15];
	}
	*text++ = '}';
	*text = 0;
}

/* ---- cells, keys, values ---- */

static const uint8_t *cell(const struct store *s, uint32_t offset, uint32_t *len)
{
	uint64_t at = (uint64_t)BINS + offset;
	uint32_t size;

	if (at + 4 > s->size)
		return NULL;
	size = (uint32_t) - (int32_t)le32(s->data + at);
	if (size < 8 || size > s->size - at)
		return NULL;
	*len = size - 4;
	return s->data + at + 4;
}

static const uint8_t *record(const struct store *s, uint32_t offset, const char *mark,
			     uint32_t min)
{
	uint32_t len;
	const uint8_t *p = cell(s, offset, &len);

	return p && len >= min && same_bytes(p, mark, 2) ? p : NULL;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static int key_is(const struct store *s, uint32_t key, const char *name)
{
	const uint8_t *nk = record(s, key, "nk", 76);
	uint32_t len, name_len;

	if (!nk || !cell(s, key, &len))
		return 0;
	name_len = le16(nk + 72);
	if (76 + name_len > len)
		return 0;
	for (uint32_t i = 0; i < name_len; i++)
		if (!name[i] || lower((char)nk[76 + i]) != lower(name[i]))
			return 0;
	return name[name_len] == 0;
}

static uint32_t in_list(const struct store *s, uint32_t list, const char *name,
			unsigned depth)
{
	uint32_t len, step, found;
	const uint8_t *p = cell(s, list, &len);

	if (!p || len < 4 || depth > LISTS_MAX)
		return 0;
	step = p[0] == 'l' && p[1] != 'i' ? 8 : 4;
	for (uint32_t i = 0; i < le16(p + 2) && 4 + (i + 1) * step <= len; i++) {
		uint32_t at = le32(p + 4 + i * step);

		if (p[0] == 'r')
			found = in_list(s, at, name, depth + 1);
		else
			found = key_is(s, at, name) ? at : 0;
		if (found)
			return found;
	}
	return 0;
}

static uint32_t child(const struct store *s, uint32_t key, const char *name)
{
	const uint8_t *nk = key ? record(s, key, "nk", 76) : NULL;

	return nk && le32(nk + 20) ? in_list(s, le32(nk + 28), name, 0) : 0;
}

/* The only value of the key that elements have. */
static const uint8_t *value(const struct store *s, uint32_t key, uint32_t *ret_len)
{
	const uint8_t *nk = key ? record(s, key, "nk", 76) : NULL, *list, *vk, *data;
	uint32_t len, list_len;

	if (!nk || le32(nk + 36) == 0)
		return NULL;
	list = cell(s, le32(nk + 40), &list_len);
	vk = list && list_len >= 4 ? record(s, le32(list), "vk", 20) : NULL;
	if (!vk)
		return NULL;
	*ret_len = le32(vk + 4);
	if (*ret_len & 0x80000000u) {
		*ret_len &= 0x7fffffffu;
		return *ret_len <= 4 ? vk + 8 : NULL;
	}
	data = cell(s, le32(vk + 8), &len);
	return data && *ret_len <= len ? data : NULL;
}

/* ---- the store ---- */

static const uint8_t *element(const struct store *s, const char *object, const char *type,
			      uint32_t *len)
{
	uint32_t key = le32(s->data + 36);

	key = child(s, key, "Objects");
	key = child(s, key, object);
	key = child(s, key, "Elements");
	return value(s, child(s, key, type), len);
}

static int text(const uint8_t *data, uint32_t len, char *ret, size_t size)
{
	size_t n = 0;

	for (uint32_t i = 0; i + 1 < len && le16(data + i); i += 2) {
		if (n + 1 >= size)
			return 0;
		ret[n++] = le16(data + i) < 0x80 ? (char)data[i] : '?';
	}
	ret[n] = 0;
	return n > 0;
}

static int element_text(const struct store *s, const char *object, const char *type,
			char *ret, size_t size)
{
	uint32_t len;
	const uint8_t *data = element(s, object, type, &len);

	return data && text(data, len, ret, size);
}

const char *store_default(const struct store *s, struct boot_entry *ret)
{
	char guid[40], found[40];
	uint32_t len, sum = 0;

	if (s->size < BINS || !same_bytes(s->data, "regf", 4))
		return "the BCD store is no hive";
	for (uint32_t i = 0; i < 508; i += 4)
		sum ^= le32(s->data + i);
	if (sum != le32(s->data + 508) || le32(s->data + 4) != le32(s->data + 8))
		return "the BCD store is damaged or dirty";
	if (!element(s, BOOT_MANAGER, "11000001", &len))
		return "the boot manager has no device";
	if (!element_text(s, BOOT_MANAGER, "23000003", guid, sizeof(guid)))
		return "the boot manager has no default entry";
	if (!element_text(s, BOOT_MANAGER, "24000001", found, sizeof(found)) ||
	    !same_bytes(guid, found, 38))
		return "the default entry does not stand first in the list";
	ret->device = element(s, guid, "11000001", &ret->device_len);
	if (!ret->device)
		return "the default entry has no device";
	if (!element(s, guid, "21000001", &len))
		return "the default entry has no osdevice";
	if (!element_text(s, guid, "12000002", ret->path, sizeof(ret->path)))
		return "the default entry has no path";
	if (!element_text(s, guid, "22000002", found, sizeof(found)))
		return "the default entry has no systemroot";
	return NULL;
}

int store_partition(const struct boot_entry *entry, struct boot_partition *ret)
{
	const uint8_t *p = entry->device;

	if (entry->device_len != 88 || le32(p + 16) != 6 || le32(p + 24) != 72 ||
	    le32(p + 48) != 0 || le32(p + 52) > 1)
		return 0;
	ret->gpt = le32(p + 52) == 0;
	ret->partition = p + 32;
	ret->disk = p + 56;
	ret->offset = le64(p + 32);
	ret->signature = le32(p + 56);
	return 1;
}

int store_is_boot(const struct boot_entry *entry)
{
	return entry->device_len == 88 && le32(entry->device + 16) == 5;
}

int store_locate(const struct boot_entry *entry, char *path, size_t size)
{
	const uint8_t *p = entry->device;

	return entry->device_len > 46 && le32(p + 16) == 8 && le32(p + 32) == 1 &&
	       le32(p + 24) == entry->device_len - 16 &&
	       text(p + 44, entry->device_len - 44, path, size);
}
