/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "init/native_option.h"

#include "base/text.h"

#define ACTIVE 1
#define NODE_HEADER 4
#define MEDIA 4
#define MEDIA_HARD_DRIVE 1
#define MEDIA_FILE 4
#define END 0x7F
#define END_ENTIRE 0xFF
#define HARD_DRIVE_SIZE 42
#define FORMAT_GPT 2 /* of the partition table */
#define SIGNATURE_GUID 2

void load_option_free(struct load_option *o)
{
	free(o->description);
	free(o->file);
	*o = (struct load_option){0};
}

static int bad(const char *name, const char *why, struct error *err)
{
	error_set(err, ERROR_FAILED, name, "is no boot option: %s", why);
	return error_remedy(err, "remove it in the firmware's boot menu");
}

/* ---- reading ---- */

static void read_hard_drive(struct bytes node, struct load_option *o)
{
	struct bytes guid = bytes_at(node, 24, sizeof(o->guid.bytes));
	struct bytes kinds = bytes_at(node, 40, 2);

	o->gpt = guid.data && kinds.data && kinds.data[0] == FORMAT_GPT &&
		 kinds.data[1] == SIGNATURE_GUID;
	if (o->gpt)
		memcpy(o->guid.bytes, guid.data, sizeof(o->guid.bytes));
}

/* One file may be split into several nodes: folder, name. */
static void read_file(struct bytes node, struct load_option *o)
{
	struct bytes text = bytes_at(node, NODE_HEADER, node.len - NODE_HEADER);
	_cleanup_free_ char *part =
		text.data ? utf16_to_utf8(text.data, text.len) : xstrdup("");
	_cleanup_free_ char *before = o->file;
	bool slash =
		before && *before && *part != '\\' && before[strlen(before) - 1] != '\\';

	o->file = xasprintf("%s%s%s", before ? before : "", slash ? "\\" : "", part);
}

/* The first path of the list is what is started; others are the loader's own. */
static int read_path(struct bytes path, const char *name, struct load_option *o,
		     struct error *err)
{
	size_t at = 0;

	for (unsigned i = 0; i < LOAD_OPTION_MAX_NODES; i++) {
		struct bytes head = bytes_at(path, at, NODE_HEADER), node;

		if (!head.data)
			return bad(name, "its path has no end", err);
		node = bytes_at(path, at, get_le16(head.data + 2));
		if (node.len < NODE_HEADER)
			return bad(name, "a part of its path does not fit", err);
		if (head.data[0] == END)
			return 0;
		if (head.data[0] == MEDIA && head.data[1] == MEDIA_HARD_DRIVE)
			read_hard_drive(node, o);
		else if (head.data[0] == MEDIA && head.data[1] == MEDIA_FILE)
			read_file(node, o);
		at += node.len;
	}
	return bad(name, "its path has too many parts", err);
}

int load_option_read(struct bytes data, const char *name, struct load_option *ret,
		     struct error *err)
{
	uint16_t path_len, unit = 1;
	size_t at = 6;
	struct bytes path;

	*ret = (struct load_option){0};
	if (data.len > LOAD_OPTION_MAX)
		return bad(name, "it is too long", err);
	if (!bytes_le32(data, 0, &ret->attributes) || !bytes_le16(data, 4, &path_len))
		return bad(name, "it is cut off", err);
	while (unit) {
		if (!bytes_le16(data, at, &unit))
			return bad(name, "its name has no end", err);
		at += 2;
	}
	path = bytes_at(data, at, path_len);
	if (!path_len || !path.data)
		return bad(name, "its path does not fit", err);
	ret->description = utf16_to_utf8(data.data + 6, at - 8);
	if (read_path(path, name, ret, err) == 0)
		return 0;
	load_option_free(ret);
	return -1;
}

bool load_option_starts(const struct load_option *o, const struct guid *partition,
			const char *file)
{
	return o->gpt && o->file && guid_equal(&o->guid, partition) &&
	       text_equal(o->file, file);
}

/* ---- writing ---- */

static void add_node(struct buffer *b, uint8_t type, uint8_t subtype, size_t len)
{
	uint8_t head[2] = {type, subtype};

	buffer_append(b, head, sizeof(head));
	buffer_append_le16(b, (uint16_t)len);
}

void load_option_write(const char *description, const struct load_option_partition *p,
		       const char *file, struct buffer *ret)
{
	static const uint8_t kinds[] = {FORMAT_GPT, SIGNATURE_GUID};
	size_t file_size = NODE_HEADER + (utf16_units(file) + 1) * 2;

	buffer_append_le32(ret, ACTIVE);
	buffer_append_le16(ret, (uint16_t)(HARD_DRIVE_SIZE + file_size + NODE_HEADER));
	utf16_append_z(ret, description);
	add_node(ret, MEDIA, MEDIA_HARD_DRIVE, HARD_DRIVE_SIZE);
	buffer_append_le32(ret, p->number);
	buffer_append_le64(ret, p->start);
	buffer_append_le64(ret, p->size);
	buffer_append(ret, p->guid.bytes, sizeof(p->guid.bytes));
	buffer_append(ret, kinds, sizeof(kinds));
	add_node(ret, MEDIA, MEDIA_FILE, file_size);
	utf16_append_z(ret, file);
	add_node(ret, END, END_ENTIRE, NODE_HEADER);
}
