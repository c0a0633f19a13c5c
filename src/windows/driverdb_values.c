/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The binary values of the driver database, to and from their meaning. The layouts were
 * measured in the hives of real Windows 8.1 and 10 installations.
 */
#include "windows/driverdb.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/text.h"

/* Windows' MAX_DEVICE_ID_LEN counts the terminator. */
#define DEVICE_ID_UNITS 199

void device_match_format(const struct device_match *match,
			 uint8_t data[DEVICE_MATCH_SIZE])
{
	data[0] = match->type;
	data[1] = match->score;
	put_le16(data + 2, match->index);
}

bool device_match_parse(struct bytes data, struct device_match *ret)
{
	if (data.len != DEVICE_MATCH_SIZE)
		return false;
	*ret = (struct device_match){
		.type = data.data[0],
		.score = data.data[1],
		.index = get_le16(data.data + 2),
	};
	return true;
}

/*
 * 0 origin, 1 always FF, 2 architecture, 4 locale (0), 8 class GUID, 24 date, 32 version,
 * 40 reasons against configuration, 44 always 0.
 */
void package_version_format(const struct package_version *version,
			    uint8_t data[PACKAGE_VERSION_SIZE])
{
	memset(data, 0, PACKAGE_VERSION_SIZE);
	data[0] = version->inbox ? 0xFF : 0x00;
	data[1] = 0xFF;
	put_le16(data + 2, (uint16_t)version->arch);
	memcpy(data + 8, version->class_guid.bytes, sizeof(version->class_guid.bytes));
	put_le64(data + 24, version->date);
	put_le64(data + 32, version->version);
	put_le32(data + 40, version->reasons);
}

bool package_version_parse(struct bytes data, struct package_version *ret)
{
	if (data.len != PACKAGE_VERSION_SIZE)
		return false;
	*ret = (struct package_version){
		.inbox = data.data[0] == 0xFF,
		.arch = (enum windows_arch)get_le16(data.data + 2),
		.date = get_le64(data.data + 24),
		.version = get_le64(data.data + 32),
		.reasons = get_le32(data.data + 40),
	};
	memcpy(ret->class_guid.bytes, data.data + 8, sizeof(ret->class_guid.bytes));
	return true;
}

void package_version_text(uint64_t version, char text[PACKAGE_VERSION_TEXT_SIZE])
{
	snprintf(text, PACKAGE_VERSION_TEXT_SIZE, "%u.%u.%u.%u",
		 (unsigned)(version >> 48) & 0xFFFF, (unsigned)(version >> 32) & 0xFFFF,
		 (unsigned)(version >> 16) & 0xFFFF, (unsigned)version & 0xFFFF);
}

void package_date_text(uint64_t filetime, char text[PACKAGE_DATE_TEXT_SIZE])
{
	char full[CLOCK_TEXT_SIZE];

	text[0] = '\0';
	/* Beyond the year 9999 it is no date but damage. */
	if (!filetime || filetime > filetime_from_date(9999, 12, 31))
		return;
	clock_format(filetime_to_unix(filetime), full);
	full[10] = '\0'; /* "2019-07-11T..." */
	snprintf(text, PACKAGE_DATE_TEXT_SIZE, "%.10s", full);
}

bool oem_inf_number(const char *published, unsigned *ret)
{
	unsigned number = 0;
	const char *p = published;

	if (!text_starts_with(published, "oem"))
		return false;
	p += 3;
	if (p[0] == '0' && p[1] >= '0' && p[1] <= '9')
		return false;
	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++) {
		number = number * 10 + (unsigned)(*p - '0');
		if (number >= OEM_INF_LIMIT)
			return false;
	}
	if (!text_equal(p, ".inf"))
		return false;
	*ret = number;
	return true;
}

bool oem_map_get(struct bytes map, unsigned number)
{
	return number / 8 < map.len && (map.data[number / 8] & (0x80u >> number % 8));
}

void oem_map_set(struct buffer *map, unsigned number, bool used)
{
	static const uint8_t zero;

	while (used && map->len <= number / 8)
		buffer_append(map, &zero, 1);
	if (number / 8 >= map->len)
		return;
	if (used)
		map->data[number / 8] |= (uint8_t)(0x80u >> number % 8);
	else
		map->data[number / 8] &= (uint8_t) ~(0x80u >> number % 8);
}

void store_hash(struct bytes raw, char text[STORE_HASH_TEXT_SIZE])
{
	uint64_t hash = 0;

	for (size_t i = 0; i < raw.len; i++)
		hash = hash * 39 + raw.data[i];
	/* Printed as its bytes lie in memory: lowest first. */
	for (size_t i = 0; i < 8; i++)
		snprintf(text + 2 * i, STORE_HASH_TEXT_SIZE - 2 * i, "%02x",
			 (unsigned)(hash >> 8 * i) & 0xFF);
}

char *device_id_path(const char *id)
{
	return xasprintf("DeviceIds\\%s", id);
}

bool device_id_valid(const char *id)
{
	bool component = false;

	if (utf16_units(id) > DEVICE_ID_UNITS)
		return false;
	for (const char *p = id; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7F)
			return false;
		if (*p == '\\' && !component)
			return false;
		component = *p != '\\';
	}
	return component;
}
