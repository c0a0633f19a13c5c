/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Names and times in the slots of a FAT folder: the 8.3 name, NT's flags for its case,
 * and the pieces of a long name before it.
 */
#include <time.h>

#include "base/clock.h"
#include "base/short_name.h"
#include "base/text.h"
#include "block/fat_private.h"

#define BASE 8
#define EXTENSION 3
#define SHORT_SIZE (BASE + EXTENSION)
#define UNITS_PER_SLOT 13
#define MAX_LONG_SLOTS 20
#define MAX_UNITS 255
/* In a piece of a long name. */
#define LONG_LAST 0x40 /* it comes first */
#define LONG_ORDER 0x1f
#define LONG_CHECKSUM 13
#define KANJI_E5 0x05 /* stands for a first character that would mean "deleted" */
#define FIRST_YEAR 1980
#define LAST_YEAR 2107
#define SECOND ((uint64_t)10000000) /* of a FILETIME */

/* ---- times ---- */

uint64_t fat_time_read(uint16_t date, uint16_t time)
{
	uint64_t day =
		filetime_from_date(FIRST_YEAR + (date >> 9), date >> 5 & 15, date & 31);
	unsigned hour = time >> 11, minute = time >> 5 & 63, second = (time & 31) * 2u;

	if (!day || hour > 23 || minute > 59 || second > 59)
		return day;
	return day + ((hour * 60 + minute) * 60 + second) * SECOND;
}

uint32_t fat_time_make(uint64_t filetime)
{
	time_t seconds = (time_t)filetime_to_unix(filetime);
	struct tm tm;
	int year = gmtime_r(&seconds, &tm) ? tm.tm_year + 1900 : 0;
	uint32_t date, time;

	if (year < FIRST_YEAR)
		return (uint32_t)(1 << 5 | 1) << 16;
	if (year > LAST_YEAR) {
		year = LAST_YEAR;
		tm = (struct tm){.tm_mon = 11,
				 .tm_mday = 31,
				 .tm_hour = 23,
				 .tm_min = 59,
				 .tm_sec = 59};
	}
	date = (uint32_t)((year - FIRST_YEAR) << 9 | (tm.tm_mon + 1) << 5 | tm.tm_mday);
	time = (uint32_t)(tm.tm_hour << 11 | tm.tm_min << 5 |
			  (tm.tm_sec < 60 ? tm.tm_sec : 59) / 2);
	return date << 16 | time;
}

/* ---- reading ---- */

/* One part of an 8.3 name, without its padding. False: no name can have that. */
static bool add_part(struct buffer *units, const uint8_t *part, size_t len, bool lower)
{
	while (len && part[len - 1] == ' ')
		len--;
	for (size_t i = 0; i < len; i++) {
		uint16_t c = cp437_unit(part[i]);

		if (c < ' ' || c == '/' || c == '\\')
			return false;
		if (lower && c >= 'A' && c <= 'Z')
			c += 'a' - 'A';
		buffer_append_le16(units, c);
	}
	return true;
}

static char *read_short(const uint8_t *slot, bool as_shown)
{
	_cleanup_buffer_ struct buffer units = BUFFER_INIT, extension = BUFFER_INIT;
	uint8_t flags = as_shown ? slot[SLOT_CASE] : 0, part[SHORT_SIZE];

	memcpy(part, slot, sizeof(part));
	if (part[0] == KANJI_E5)
		part[0] = SLOT_DELETED;
	if (!add_part(&units, part, BASE, flags & CASE_BASE) ||
	    !add_part(&extension, part + BASE, EXTENSION, flags & CASE_EXTENSION) ||
	    !units.len)
		return NULL;
	if (extension.len) {
		buffer_append_le16(&units, '.');
		buffer_append(&units, extension.data, extension.len);
	}
	return utf16_to_utf8(units.data, units.len);
}

static uint8_t checksum(const uint8_t *short_name)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < SHORT_SIZE; i++)
		sum = (uint8_t)((sum >> 1 | sum << 7) + short_name[i]);
	return sum;
}

/* A long name while its pieces come, the last one first. */
struct long_name {
	uint8_t units[MAX_LONG_SLOTS * UNITS_PER_SLOT * 2];
	unsigned slots, left; /* how many it has; how many are still to come */
	uint8_t checksum;
};

static unsigned place_in_slot(unsigned unit)
{
	return unit < 5	   ? 1 + unit * 2
	       : unit < 11 ? 14 + (unit - 5) * 2
			   : 28 + (unit - 11) * 2;
}

static void take_piece(struct long_name *name, const uint8_t *slot)
{
	unsigned order = slot[0] & LONG_ORDER;

	if (slot[0] & LONG_LAST) {
		name->slots = name->left = order <= MAX_LONG_SLOTS ? order : 0;
		name->checksum = slot[LONG_CHECKSUM];
	} else if (order + 1 != name->left || slot[LONG_CHECKSUM] != name->checksum) {
		name->slots = 0;
	} else {
		name->left = order;
	}
	if (!name->slots || !order) {
		name->slots = name->left = 0;
		return;
	}
	for (unsigned i = 0; i < UNITS_PER_SLOT; i++)
		memcpy(name->units + ((order - 1) * UNITS_PER_SLOT + i) * 2,
		       slot + place_in_slot(i), 2);
}

/* The long name that belongs to the slot, if all of it came and it can be one; or NULL.
 */
static char *finish_long(const struct long_name *name, const uint8_t *slot)
{
	size_t len = 0;

	if (!name->slots || name->left != 1 || name->checksum != checksum(slot))
		return NULL;
	for (; len < name->slots * UNITS_PER_SLOT; len++) {
		uint16_t c = get_le16(name->units + len * 2);

		if (!c)
			break;
		if (c < ' ' || c == '/' || c == '\\')
			return NULL;
	}
	if (!len || len > MAX_UNITS ||
	    (get_le16(name->units) == '.' &&
	     (len == 1 || (len == 2 && get_le16(name->units + 2) == '.'))))
		return NULL;
	return utf16_to_utf8(name->units, len * 2);
}

static void take_entry(const uint8_t *slot, uint32_t number, const struct long_name *name,
		       struct fat_entries *ret)
{
	_cleanup_free_ char *short_name = read_short(slot, false);
	char *long_name = finish_long(name, slot);
	struct fat_entry entry = {
		.attributes = slot[SLOT_ATTRIBUTES] & 0x3f,
		.size = get_le32(slot + SLOT_SIZE),
		.created = fat_time_read(get_le16(slot + SLOT_CREATED + 3),
					 get_le16(slot + SLOT_CREATED + 1)),
		.modified = fat_time_read(get_le16(slot + SLOT_MODIFIED + 2),
					  get_le16(slot + SLOT_MODIFIED)),
		.cluster = (uint32_t)get_le16(slot + SLOT_CLUSTER_HIGH) << 16 |
			   get_le16(slot + SLOT_CLUSTER_LOW),
		.slot = number,
		.slots = 1,
	};

	if (!short_name) {
		free(long_name);
		return;
	}
	if (entry.created && slot[SLOT_CREATED] < 200)
		entry.created += slot[SLOT_CREATED] * (SECOND / 100);
	if (entry.attributes & FAT_ATTR_DIRECTORY)
		entry.size = 0;
	if (long_name) {
		entry.slot -= name->slots;
		entry.slots += name->slots;
	}
	entry.name = long_name ? long_name : read_short(slot, true);
	entry.short_name = steal_ptr(short_name);
	vec_push(ret, entry);
}

void fat_parse_folder(struct bytes raw, struct fat_entries *ret)
{
	struct long_name name = {.slots = 0};

	for (uint32_t i = 0; i < raw.len / FAT_SLOT; i++) {
		const uint8_t *slot = raw.data + (size_t)i * FAT_SLOT;

		if (!slot[0])
			break;
		if (slot[0] != SLOT_DELETED &&
		    (slot[SLOT_ATTRIBUTES] & 0x3f) == SLOT_LONG) {
			take_piece(&name, slot);
			continue;
		}
		/* "." and "..", and the volume's label */
		if (slot[0] != SLOT_DELETED && slot[0] != '.' &&
		    !(slot[SLOT_ATTRIBUTES] & SLOT_LABEL))
			take_entry(slot, i, &name, ret);
		name.slots = 0;
	}
}

/* ---- writing ---- */

/* Lower or upper case throughout: NT has a flag for it. False: mixed, or not ASCII. */
static bool case_of(struct bytes part, uint8_t flag, uint8_t *flags)
{
	bool lower = false, upper = false;

	for (size_t i = 0; i < part.len; i += 2) {
		uint16_t c = get_le16(part.data + i);

		lower |= c >= 'a' && c <= 'z';
		upper |= c >= 'A' && c <= 'Z';
	}
	if (lower && !upper)
		*flags |= flag;
	return !(lower && upper);
}

/* The 11 bytes of a name that is known to be valid, in upper case. */
static void put_short(struct bytes name, uint8_t *to)
{
	size_t at = 0;

	memset(to, ' ', SHORT_SIZE);
	for (size_t i = 0; i < name.len; i += 2) {
		uint16_t c = get_le16(name.data + i);

		if (c == '.')
			at = BASE;
		else
			to[at++] = (uint8_t)(c >= 'a' && c <= 'z' ? c - ('a' - 'A') : c);
	}
}

static bool is_taken(struct bytes name, const struct fat_entries *others)
{
	_cleanup_free_ char *text = utf16_to_utf8(name.data, name.len);

	return fat_entries_find(others, text) != NULL;
}

/* True if the name needs no long one. */
static bool fits_short(struct bytes name, uint8_t *flags)
{
	size_t dot = 0;

	*flags = 0;
	while (dot < name.len && get_le16(name.data + dot) != '.')
		dot += 2;
	return case_of((struct bytes){name.data, dot}, CASE_BASE, flags) &&
	       case_of((struct bytes){name.data + dot, name.len - dot}, CASE_EXTENSION,
		       flags);
}

static void add_long(struct bytes name, uint8_t sum, struct buffer *ret)
{
	size_t units = name.len / 2,
	       count = (units + UNITS_PER_SLOT - 1) / UNITS_PER_SLOT;

	for (size_t order = count; order; order--) {
		uint8_t slot[FAT_SLOT] = {0};

		slot[0] = (uint8_t)(order | (order == count ? LONG_LAST : 0));
		slot[SLOT_ATTRIBUTES] = SLOT_LONG;
		slot[LONG_CHECKSUM] = sum;
		for (unsigned i = 0; i < UNITS_PER_SLOT; i++) {
			size_t at = (order - 1) * UNITS_PER_SLOT + i;

			put_le16(slot + place_in_slot(i),
				 at < units    ? get_le16(name.data + at * 2)
				 : at == units ? 0
					       : 0xffff);
		}
		buffer_append(ret, slot, sizeof(slot));
	}
}

bool fat_name_slots(const char *name, const struct fat_entries *others,
		    const uint8_t raw[FAT_SLOT], struct buffer *ret)
{
	_cleanup_buffer_ struct buffer units = BUFFER_INIT, short_name = BUFFER_INIT;
	uint8_t slot[FAT_SLOT];
	bool is_short;

	utf16_append(&units, name);
	if (!units.len || units.len > MAX_UNITS * 2)
		return false;
	memcpy(slot, raw, sizeof(slot));
	slot[SLOT_CASE] = 0;
	is_short = short_name_valid(buffer_view(&units)) &&
		   !is_taken(buffer_view(&units), others);
	if (is_short) {
		put_short(buffer_view(&units), slot);
		if (!fits_short(buffer_view(&units), &slot[SLOT_CASE])) {
			slot[SLOT_CASE] = 0;
			add_long(buffer_view(&units), checksum(slot), ret);
		}
	} else {
		for (unsigned n = 0;; n++) {
			short_name.len = 0;
			if (!short_name_candidate(buffer_view(&units), n, &short_name))
				return false;
			if (!is_taken(buffer_view(&short_name), others))
				break;
		}
		put_short(buffer_view(&short_name), slot);
		add_long(buffer_view(&units), checksum(slot), ret);
	}
	buffer_append(ret, slot, sizeof(slot));
	return true;
}
