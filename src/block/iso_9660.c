/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ISO 9660 (ECMA-119) with the names of Joliet (Microsoft's specification of 1995), or of
 * Rock Ridge (IEEE P1282) where there is no Joliet. Windows reads the former only; the
 * latter are what discs made on Linux without it have.
 */
#include "base/text.h"
#include "block/iso_private.h"

enum volume_type {
	VOLUME_PRIMARY = 1,
	VOLUME_SUPPLEMENTARY = 2,
	VOLUME_END = 255,
};

enum record_flags {
	RECORD_FOLDER = 2,
	RECORD_ASSOCIATED = 4, /* a resource fork: its data file has the same name */
	RECORD_CONTINUED = 128,
};

/* Offsets in a directory record: 9.1. */
enum record_field {
	RECORD_ATTRIBUTES = 1,
	RECORD_EXTENT = 2,
	RECORD_LENGTH = 10,
	RECORD_FLAGS = 25,
	RECORD_UNIT = 26,
	RECORD_GAP = 27,
	RECORD_NAME_LENGTH = 32,
	RECORD_NAME = 33,
};

/* Continuation areas of one record's Rock Ridge entries. */
#define MAX_CONTINUATIONS 16
#define MAX_ROCK_RIDGE_NAME 1024

/* ---- names -------------------------------------------------------------------------
 */

static char *joliet_name(struct bytes name)
{
	_cleanup_buffer_ struct buffer utf16 = BUFFER_INIT;

	for (size_t i = 0; i + 2 <= name.len; i += 2)
		buffer_append_le16(&utf16,
				   (uint16_t)(name.data[i] << 8 | name.data[i + 1]));
	return utf16_to_utf8(utf16.data, utf16.len);
}

/* Bytes are as they stand where they are UTF-8, Latin-1 otherwise. */
static char *byte_name(struct bytes name)
{
	_cleanup_buffer_ struct buffer utf16 = BUFFER_INIT;

	if (utf8_valid(name.data, name.len))
		return xstrndup((const char *)name.data, name.len);
	for (size_t i = 0; i < name.len; i++)
		buffer_append_le16(&utf16, name.data[i]);
	return utf16_to_utf8(utf16.data, utf16.len);
}

/* "NAME.EXT;1", "NAME.;1": 7.5.1 */
static char *without_version(char *name)
{
	char *semicolon = strrchr(name, ';');
	size_t len;

	if (semicolon && semicolon[1] &&
	    !semicolon[1 + strspn(semicolon + 1, "0123456789")])
		*semicolon = '\0';
	len = strlen(name);
	if (len > 1 && name[len - 1] == '.')
		name[len - 1] = '\0';
	return name;
}

/* Where a record's system use entries go on ("CE", SUSP 5.1). */
struct continuation {
	uint32_t block, offset, length;
};

/* What the Rock Ridge entries of a record say. */
struct rock_ridge {
	struct buffer name; /* "NM" */
	bool link;	    /* "SL" */
	bool compressed;    /* "ZF": zisofs */
	bool moved;	    /* "RE": a folder that another record stands for */
	uint32_t child;	    /* "CL": the block of the folder that it stands for, or 0 */
	struct continuation next;
};

static void take_rock_ridge(struct rock_ridge *r, const uint8_t *e)
{
	uint8_t len = e[2];

	if (memcmp(e, "NM", 2) == 0 && len > 5 && !(e[4] & 6) &&
	    r->name.len + len <= MAX_ROCK_RIDGE_NAME)
		buffer_append(&r->name, e + 5, len - 5u);
	else if (memcmp(e, "CE", 2) == 0 && len >= 28)
		r->next = (struct continuation){get_le32(e + 4), get_le32(e + 12),
						get_le32(e + 20)};
	else if (memcmp(e, "CL", 2) == 0 && len >= 12)
		r->child = get_le32(e + 4);
	r->link |= memcmp(e, "SL", 2) == 0;
	r->compressed |= memcmp(e, "ZF", 2) == 0;
	r->moved |= memcmp(e, "RE", 2) == 0;
}

static void rock_ridge_area(struct bytes area, struct rock_ridge *r)
{
	r->next.length = 0;
	for (uint64_t at = 0; bytes_has(area, at, 4);) {
		const uint8_t *e = area.data + at;

		if (e[2] < 4 || !bytes_has(area, at, e[2]) || memcmp(e, "ST", 2) == 0)
			return;
		take_rock_ridge(r, e);
		at += e[2];
	}
}

static void read_rock_ridge(struct iso *iso, struct bytes record, struct rock_ridge *r)
{
	uint8_t len = record.data[RECORD_NAME_LENGTH], block[ISO_VOLUME_SIZE];
	size_t at = RECORD_NAME + len + !(len & 1) + iso->skip;

	*r = (struct rock_ridge){0};
	if (!iso->rock_ridge || at >= record.len)
		return;
	rock_ridge_area(bytes_at(record, at, record.len - at), r);
	for (int i = 0; i < MAX_CONTINUATIONS && r->next.length; i++) {
		uint64_t from =
			(uint64_t)r->next.block * iso->block_size + r->next.offset;
		uint32_t n = r->next.length;

		if (n > sizeof(block) ||
		    block_pread(iso->block, block, n, from, NULL) < 0)
			break;
		rock_ridge_area((struct bytes){block, n}, r);
	}
}

static char *record_name(const struct iso *iso, struct bytes record,
			 const struct rock_ridge *r)
{
	uint8_t len = record.data[RECORD_NAME_LENGTH];
	struct bytes name = bytes_at(record, RECORD_NAME, len);

	/* The folder itself and its parent are called 0 and 1. */
	if (!name.data || (len == 1 && name.data[0] <= 1) || r->moved)
		return xstrdup("");
	if (iso->joliet)
		return without_version(joliet_name(name));
	return r->name.len ? byte_name(buffer_view(&r->name))
			   : without_version(byte_name(name));
}
/* ---- folders -----------------------------------------------------------------------
 */

static int push_record(struct iso *iso, const uint8_t *record, struct iso_node *node,
		       struct error *err)
{
	uint64_t block =
		(uint64_t)get_le32(record + RECORD_EXTENT) + record[RECORD_ATTRIBUTES];
	uint64_t length = get_le32(record + RECORD_LENGTH);

	if (record[RECORD_UNIT] || record[RECORD_GAP])
		return error_set(err, ERROR_FAILED, iso->block->name,
				 "it is interleaved with others");
	if (iso_extent_push(iso, &node->extents, block * iso->block_size, length, err) <
	    0)
		return -1;
	node->size += length;
	return 0;
}

/* A folder that lies too deep for ISO 9660 was moved; its own first record has its size.
 */
static int push_child(struct iso *iso, uint32_t child, struct iso_node *node,
		      struct error *err)
{
	uint8_t self[RECORD_NAME + 1];

	if (block_pread(iso->block, self, sizeof(self), (uint64_t)child * iso->block_size,
			err) < 0)
		return -1;
	if (self[RECORD_NAME_LENGTH] != 1 || self[RECORD_NAME] != 0 ||
	    !(self[RECORD_FLAGS] & RECORD_FOLDER))
		return iso_damaged(iso, err, "a folder that was moved is not there");
	node->folder = true;
	return push_record(iso, self, node, err);
}

static int fill_node(struct iso *iso, struct bytes record, const struct rock_ridge *r,
		     struct iso_node *node, struct error *err)
{
	if (r->link || r->compressed)
		return error_set(err, ERROR_FAILED, iso->block->name, "%s",
				 r->link ? "it is a symbolic link"
					 : "it is compressed (zisofs)");
	if (r->child)
		return push_child(iso, r->child, node, err);
	node->folder = record.data[RECORD_FLAGS] & RECORD_FOLDER;
	return push_record(iso, record.data, node, err);
}

struct folder_reader {
	struct iso *iso;
	const char *only;
	struct iso_entries *ret;
	bool continued; /* the record before it was a part of the same file */
	bool skipped;	/* that file is not wanted */
};

static int take_record(struct folder_reader *r, struct bytes record, struct error *err)
{
	_cleanup_error_ struct error why = ERROR_INIT;
	uint8_t flags = record.data[RECORD_FLAGS];
	struct iso_entry *entry = NULL;
	struct rock_ridge rock;
	int status = 0;

	if (flags & RECORD_ASSOCIATED)
		return 0;
	read_rock_ridge(r->iso, record, &rock);
	if (!r->continued)
		entry = iso_entry_add(r->iso, r->ret, record_name(r->iso, record, &rock),
				      r->only, &status, err);
	else if (!r->skipped)
		entry = &r->ret->items[r->ret->len - 1];
	r->continued = flags & RECORD_CONTINUED;
	r->skipped = !entry;
	if (entry && !entry->problem &&
	    fill_node(r->iso, record, &rock, &entry->node, &why) < 0)
		entry->problem = xstrdup(why.reason);
	buffer_free(&rock.name);
	return status;
}

/* Records do not cross sectors; a sector's rest is filled with zeros (6.8.1.1). */
static int list_9660(struct iso *iso, const struct iso_node *folder, const char *only,
		     struct iso_entries *ret, struct error *err)
{
	struct folder_reader r = {.iso = iso, .only = only, .ret = ret};
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;
	uint64_t at = 0;

	if (iso_folder_load(iso, folder, &data, err) < 0)
		return -1;
	while (at < data.len) {
		struct bytes record = bytes_at(buffer_view(&data), at, data.data[at]);

		if (interrupted())
			return error_interrupted(err);
		if (record.data && !record.len) {
			at = (at / ISO_VOLUME_SIZE + 1) * ISO_VOLUME_SIZE;
			continue;
		}
		if (!record.data || record.len <= RECORD_NAME)
			return iso_damaged(iso, err, "a folder is invalid at byte %ju",
					   (uintmax_t)at);
		if (take_record(&r, record, err) < 0)
			return -1;
		at += record.len;
	}
	return 0;
}

/* ---- volumes -----------------------------------------------------------------------
 */

/* Joliet's escape sequences for UCS-2 levels 1 to 3. */
static bool is_joliet(const uint8_t *volume)
{
	const uint8_t *escape = volume + 88;

	return escape[0] == '%' && escape[1] == '/' && escape[2] &&
	       strchr("@CE", escape[2]);
}

static int take_volume(struct iso *iso, const uint8_t *volume, struct error *err)
{
	const uint8_t *root = volume + 156;

	iso_node_free(&iso->root);
	iso->root = (struct iso_node){.folder = true};
	iso->block_size = get_le16(volume + 128);
	if (iso->block_size < 512 || iso->block_size > ISO_VOLUME_SIZE ||
	    iso->block_size & (iso->block_size - 1))
		return iso_damaged(iso, err, "its blocks have %u bytes", iso->block_size);
	return push_record(iso, root, &iso->root, err);
}

/* "SP" in the root's own record tells that Rock Ridge entries may follow (SUSP 5.3). */
static void find_rock_ridge(struct iso *iso)
{
	uint8_t head[256];
	const uint8_t *use = head + RECORD_NAME + 1;

	if (iso->root.size < sizeof(head) ||
	    iso_extents_read(iso, &iso->root.extents, head, sizeof(head), 0, NULL) < 0)
		return;
	if (head[0] < RECORD_NAME + 1 + 7 || memcmp(use, "SP", 2) != 0 ||
	    use[4] != 0xbe || use[5] != 0xef)
		return;
	iso->rock_ridge = true;
	iso->skip = use[6];
}

static const struct iso_ops iso9660_ops = {
	.list = list_9660,
};

int iso9660_open(struct iso *iso, struct error *err)
{
	uint8_t volume[ISO_VOLUME_SIZE];
	bool found = false;

	iso->ops = &iso9660_ops;
	for (int i = 0; i < ISO_MAX_VOLUMES && !iso->joliet; i++) {
		uint64_t at = ISO_VOLUMES_START + (uint64_t)i * ISO_VOLUME_SIZE;

		if (block_pread(iso->block, volume, sizeof(volume), at, err) < 0)
			return -1;
		if (memcmp(volume + 1, "CD001", 5) != 0 || volume[0] == VOLUME_END)
			break;
		iso->joliet = volume[0] == VOLUME_SUPPLEMENTARY && is_joliet(volume);
		if (!iso->joliet && (volume[0] != VOLUME_PRIMARY || found))
			continue;
		if (take_volume(iso, volume, err) < 0)
			return -1;
		found = true;
	}
	if (!found)
		return iso_damaged(iso, err, "it has no primary volume descriptor");
	if (!iso->joliet)
		find_rock_ridge(iso);
	iso->kind = iso->joliet ? "Joliet" : iso->rock_ridge ? "Rock Ridge" : "ISO 9660";
	return 0;
}
