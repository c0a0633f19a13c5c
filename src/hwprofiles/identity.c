/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hwprofiles/identity.h"

#include "base/hash.h"
#include "base/text.h"

/* ---- SMBIOS
 * -----------------------------------------------------------------------------
 */

/* Structure types that matter here (DSP0134, 7.1 to 7.4). */
#define SMBIOS_BIOS 0
#define SMBIOS_SYSTEM 1
#define SMBIOS_BOARD 2
#define SMBIOS_ENCLOSURE 3
#define SMBIOS_END 127

/* No table of a PC comes near; a hostile file shall not take long. */
#define SMBIOS_MAX_STRUCTURES 4096
#define ENCLOSURE_LOCK 0x80u

struct structure {
	uint8_t type;
	struct bytes formatted;
	struct bytes strings; /* the unformed section, without its end */
};

static char *trimmed(const uint8_t *text, size_t len)
{
	while (len && (text[len - 1] == ' ' || text[len - 1] == '\t'))
		len--;
	while (len && *text == ' ') {
		text++;
		len--;
	}
	if (utf8_valid(text, len))
		return xstrndup((const char *)text, len);
	/* Firmware of some makers has Latin-1 in it. */
	struct buffer b = BUFFER_INIT;

	for (size_t i = 0; i < len; i++) {
		if (text[i] < 0x80)
			buffer_append(&b, &text[i], 1);
		else
			buffer_append(&b,
				      (uint8_t[]){(uint8_t)(0xC0 | text[i] >> 6),
						  (uint8_t)(0x80 | (text[i] & 0x3F))},
				      2);
	}
	return buffer_steal_string(&b);
}

/*
 * The string whose number is at `offset` of the formatted area: "" where it is 0 or names
 * none, NULL where the structure is too old to have the field.
 */
static char *string_at(const struct structure *s, size_t offset)
{
	const uint8_t *at = s->strings.data, *end = at + s->strings.len;
	uint8_t number;

	if (!bytes_has(s->formatted, offset, 1))
		return NULL;
	number = s->formatted.data[offset];
	while (number && at < end) {
		const uint8_t *stop = memchr(at, 0, (size_t)(end - at));
		size_t len = stop ? (size_t)(stop - at) : (size_t)(end - at);

		if (--number == 0)
			return trimmed(at, len);
		at += len + 1;
	}
	return xstrdup("");
}

static int byte_at(const struct structure *s, size_t offset)
{
	return bytes_has(s->formatted, offset, 1) ? s->formatted.data[offset] : -1;
}

/* 0xFF stands for "not supported" (DSP0134, 7.1). */
static int release_at(const struct structure *s, size_t offset)
{
	int value = byte_at(s, offset);

	return value == 0xFF ? -1 : value;
}

/* The next structure at *at; false at the end of the table or of what makes sense. */
static bool next_structure(struct bytes table, size_t *at, struct structure *ret)
{
	size_t start = *at, end;
	uint8_t len;

	if (!bytes_has(table, start, 4))
		return false;
	len = table.data[start + 1];
	if (len < 4 || !bytes_has(table, start, len))
		return false;
	end = start + len;
	while (end + 1 < table.len && (table.data[end] || table.data[end + 1]))
		end++;
	if (end + 1 >= table.len)
		return false;
	ret->type = table.data[start];
	ret->formatted = bytes_at(table, start, len);
	ret->strings = bytes_at(table, start + len, end - start - len);
	*at = end + 2;
	return true;
}

static void take_bios(const struct structure *s, struct pc_identity *i)
{
	i->bios_vendor = string_at(s, 4);
	i->bios_version = string_at(s, 5);
	i->bios_date = string_at(s, 8);
	i->bios_major = release_at(s, 0x14);
	i->bios_minor = release_at(s, 0x15);
}

static void take_system(const struct structure *s, struct pc_identity *i)
{
	i->manufacturer = string_at(s, 4);
	i->product = string_at(s, 5);
	i->version = string_at(s, 6);
	i->sku = string_at(s, 0x19);
	i->family = string_at(s, 0x1A);
}

/* The first structure of each type counts, as for Windows. */
static void take_structure(const struct structure *s, bool seen[4], struct pc_identity *i)
{
	if (s->type > SMBIOS_ENCLOSURE || seen[s->type])
		return;
	seen[s->type] = true;
	if (s->type == SMBIOS_BIOS)
		take_bios(s, i);
	else if (s->type == SMBIOS_SYSTEM)
		take_system(s, i);
	else if (s->type == SMBIOS_ENCLOSURE)
		i->enclosure =
			byte_at(s, 5) < 0 ? -1 : byte_at(s, 5) & (int)~ENCLOSURE_LOCK;
	else {
		i->board_manufacturer = string_at(s, 4);
		i->board_product = string_at(s, 5);
		i->board_version = string_at(s, 6);
	}
}

/*
 * dmidecode --dump-bin: an entry point at 0 ("_SM_", "_SM3_" or "_DMI_"), whose table
 * address was made the offset in the file.
 */
static struct bytes find_table(struct bytes file)
{
	uint64_t offset = 0;
	uint32_t offset32;
	struct bytes table;

	if (bytes_has(file, 0, 24) && memcmp(file.data, "_SM3_", 5) == 0) {
		if (!bytes_le64(file, 0x10, &offset))
			return file;
	} else if (bytes_has(file, 0, 31) && memcmp(file.data, "_SM_", 4) == 0) {
		if (!bytes_le32(file, 0x18, &offset32))
			return file;
		offset = offset32;
	} else if (bytes_has(file, 0, 15) && memcmp(file.data, "_DMI_", 5) == 0) {
		if (!bytes_le32(file, 0x08, &offset32))
			return file;
		offset = offset32;
	} else {
		return file;
	}
	table = offset < file.len ? bytes_at(file, offset, file.len - offset)
				  : (struct bytes){0};
	return table;
}

int smbios_read(struct bytes file, const char *name, struct pc_identity *ret,
		struct error *err)
{
	struct bytes table = find_table(file);
	struct structure s;
	bool seen[4] = {false};
	size_t at = 0;

	*ret = (struct pc_identity)PC_IDENTITY_INIT;
	for (unsigned n = 0; n < SMBIOS_MAX_STRUCTURES; n++) {
		if (!next_structure(table, &at, &s) || s.type == SMBIOS_END)
			break;
		take_structure(&s, seen, ret);
	}
	if (seen[SMBIOS_SYSTEM])
		return 0;
	pc_identity_free(ret);
	error_set(err, ERROR_FAILED, name,
		  "has no SMBIOS structure of type 1 (system information)");
	return error_remedy(err, "give /sys/firmware/dmi/tables/DMI of the PC, or what "
				 "dmidecode --dump-bin wrote");
}

/* ---- Computer Hardware IDs
 * ----------------------------------------------------------------
 */

enum chid_field {
	MANUFACTURER,
	FAMILY,
	PRODUCT,
	SKU,
	BIOS_VENDOR,
	BIOS_VERSION,
	BIOS_MAJOR,
	BIOS_MINOR,
	ENCLOSURE,
	BOARD_MANUFACTURER,
	BOARD_PRODUCT,
	FIELDS
};
#define BIT(field) (1u << (field))
#define BIOS_BITS \
	(BIT(BIOS_VENDOR) | BIT(BIOS_VERSION) | BIT(BIOS_MAJOR) | BIT(BIOS_MINOR))
#define BOARD_BITS (BIT(BOARD_MANUFACTURER) | BIT(BOARD_PRODUCT))

/* The fields are joined in the order of the enumeration. */
static const struct {
	unsigned fields;
	const char *text;
} chid_table[CHID_COUNT] = {
	{BIT(MANUFACTURER) | BIT(FAMILY) | BIT(PRODUCT) | BIT(SKU) | BIOS_BITS,
	 "Manufacturer + Family + ProductName + SKU + BIOS"},
	{BIT(MANUFACTURER) | BIT(FAMILY) | BIT(PRODUCT) | BIOS_BITS,
	 "Manufacturer + Family + ProductName + BIOS"},
	{BIT(MANUFACTURER) | BIT(PRODUCT) | BIOS_BITS,
	 "Manufacturer + ProductName + BIOS"},
	{BIT(MANUFACTURER) | BIT(FAMILY) | BIT(PRODUCT) | BIT(SKU) | BOARD_BITS,
	 "Manufacturer + Family + ProductName + SKU + Baseboard"},
	{BIT(MANUFACTURER) | BIT(FAMILY) | BIT(PRODUCT) | BIT(SKU),
	 "Manufacturer + Family + ProductName + SKU"},
	{BIT(MANUFACTURER) | BIT(FAMILY) | BIT(PRODUCT),
	 "Manufacturer + Family + ProductName"},
	{BIT(MANUFACTURER) | BIT(SKU) | BOARD_BITS, "Manufacturer + SKU + Baseboard"},
	{BIT(MANUFACTURER) | BIT(SKU), "Manufacturer + SKU"},
	{BIT(MANUFACTURER) | BIT(PRODUCT) | BOARD_BITS,
	 "Manufacturer + ProductName + Baseboard"},
	{BIT(MANUFACTURER) | BIT(PRODUCT), "Manufacturer + ProductName"},
	{BIT(MANUFACTURER) | BIT(FAMILY) | BOARD_BITS,
	 "Manufacturer + Family + Baseboard"},
	{BIT(MANUFACTURER) | BIT(FAMILY), "Manufacturer + Family"},
	{BIT(MANUFACTURER) | BIT(ENCLOSURE), "Manufacturer + EnclosureKind"},
	{BIT(MANUFACTURER) | BOARD_BITS, "Manufacturer + Baseboard"},
	{BIT(MANUFACTURER), "Manufacturer"},
};

/* The namespace of Computer Hardware IDs, in the byte order of RFC 4122. */
static const uint8_t chid_namespace[16] = {0x70, 0xff, 0xd8, 0x12, 0x4c, 0x7f,
					   0x4c, 0x7d, 0x00, 0x00, 0x00, 0x00,
					   0x00, 0x00, 0x00, 0x00};

/*
 * NULL: not known, or empty where it must not be. Numbers are hexadecimal: two digits,
 * the enclosure's as it is. Windows hashes "Dell Inc.&&Latitude E6430" for a PC without
 * family, but makes no ID of manufacturer and empty family (ComputerIds of a real
 * Latitude's hive).
 */
static char *field_text(const struct pc_identity *i, enum chid_field field,
			bool may_be_empty)
{
	const char *const texts[FIELDS] = {
		[MANUFACTURER] = i->manufacturer,
		[FAMILY] = i->family,
		[PRODUCT] = i->product,
		[SKU] = i->sku,
		[BIOS_VENDOR] = i->bios_vendor,
		[BIOS_VERSION] = i->bios_version,
		[BOARD_MANUFACTURER] = i->board_manufacturer,
		[BOARD_PRODUCT] = i->board_product,
	};

	switch (field) {
	case BIOS_MAJOR:
		return i->bios_major < 0 ? NULL : xasprintf("%02x", i->bios_major);
	case BIOS_MINOR:
		return i->bios_minor < 0 ? NULL : xasprintf("%02x", i->bios_minor);
	case ENCLOSURE:
		return i->enclosure < 0 ? NULL : xasprintf("%x", i->enclosure);
	default:
		if (!texts[field] || (!*texts[field] && !may_be_empty))
			return NULL;
		return xstrdup(texts[field]);
	}
}

char *chid_text(const struct pc_identity *identity, unsigned n)
{
	struct buffer b = BUFFER_INIT;

	for (unsigned field = 0; field < FIELDS; field++) {
		_cleanup_free_ char *text = NULL;

		if (!(chid_table[n].fields & BIT(field)))
			continue;
		text = field_text(identity, field,
				  field == FAMILY && chid_table[n].fields & BIT(PRODUCT));
		if (!text) {
			buffer_free(&b);
			return NULL;
		}
		if (field != MANUFACTURER)
			buffer_append_string(&b, "&");
		buffer_append_string(&b, text);
	}
	return buffer_steal_string(&b);
}

const char *chid_fields(unsigned n)
{
	return chid_table[n].text;
}

/* RFC 4122, 4.3, with SHA-1; a struct guid has the first three fields little-endian. */
static struct guid uuid5(const char *text)
{
	_cleanup_buffer_ struct buffer b = BUFFER_INIT;
	struct guid guid;
	uint8_t d[20];

	buffer_append(&b, chid_namespace, sizeof(chid_namespace));
	utf16_append(&b, text);
	hash_sha1(buffer_view(&b), d);
	d[6] = (uint8_t)((d[6] & 0x0F) | 0x50);
	d[8] = (uint8_t)((d[8] & 0x3F) | 0x80);
	for (unsigned i = 0; i < 4; i++)
		guid.bytes[i] = d[3 - i];
	guid.bytes[4] = d[5];
	guid.bytes[5] = d[4];
	guid.bytes[6] = d[7];
	guid.bytes[7] = d[6];
	memcpy(guid.bytes + 8, d + 8, 8);
	return guid;
}

void chids_of(const struct pc_identity *identity, struct chids *ret)
{
	for (unsigned n = 0; n < CHID_COUNT; n++) {
		_cleanup_free_ char *text = chid_text(identity, n);

		ret->present[n] = text != NULL;
		if (text)
			ret->ids[n] = uuid5(text);
	}
}
