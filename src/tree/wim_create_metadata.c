/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The metadata resource of a new image: the security descriptors, then the entries, each
 * folder's as a list that ends in eight zero bytes. Laid out as wimlib 1.14.2 and later
 * do (src/dentry.c), whose form of streams DISM takes for folders, too.
 */
#include "base/text.h"
#include "tree/wim_create.h"

#define NO_SECURITY UINT32_MAX
/* A tagged item: u32 tag, u32 length, then in this case four GUIDs. */
#define TAG_OBJECT_ID 1
#define OBJECT_ID_SIZE 64
/* Names in reparse data are what they are on the volume. */
#define REPARSE_NOT_FIXED 1

static void append_zeros(struct buffer *out, size_t n)
{
	memset(buffer_reserve(out, n), 0, n);
	out->len += n;
}

static void align(struct buffer *out)
{
	append_zeros(out, -out->len & 7);
}

static void put_security(const struct files *files, struct buffer *out)
{
	uint64_t total = 8;

	vec_foreach (descriptor, &files->security)
		total += 8 + descriptor->len;
	buffer_append_le32(out, (uint32_t)((total + 7) & ~UINT64_C(7)));
	buffer_append_le32(out, (uint32_t)files->security.len);
	vec_foreach (descriptor, &files->security)
		buffer_append_le64(out, descriptor->len);
	vec_foreach (descriptor, &files->security)
		buffer_append(out, descriptor->data, descriptor->len);
	align(out);
}

/* ---- an entry
 * -------------------------------------------------------------------------------- */

struct emit {
	const struct files *files;
	const struct wim_numbers *numbers;
	const struct wim_stored_list *stored;
	struct buffer *out;
};

static const uint8_t *hash_of(const struct emit *e, uint32_t number)
{
	static const uint8_t zero[WIM_HASH_SIZE];

	return number == FILES_NONE ? zero : e->stored->items[number].hash;
}

static uint32_t blob_number(const struct emit *e, const struct files_stream *stream)
{
	return stream->blob == FILES_NONE ? FILES_NONE : e->numbers->blobs[stream->blob];
}

static void put_stream(const struct emit *e, const char *name, uint32_t number)
{
	size_t at = e->out->len, bytes = name ? 2 * utf16_units(name) : 0;

	append_zeros(e->out, WIM_STREAM_SIZE);
	put_le16(e->out->data + at + WIM_STREAM_NAME, (uint16_t)bytes);
	memcpy(e->out->data + at + WIM_STREAM_HASH, hash_of(e, number), WIM_HASH_SIZE);
	if (bytes)
		utf16_append_z(e->out, name);
	align(e->out);
	put_le64(e->out->data + at + WIM_STREAM_LENGTH, e->out->len - at);
}

/*
 * A content alone stands in the entry itself. As soon as there are more, all are stream
 * entries: the reparse data, the unnamed data (of files only, and even if there are
 * none), the named ones.
 */
static void put_streams(const struct emit *e, const struct files_inode *inode,
			uint32_t inode_number, size_t at)
{
	bool reparse = inode->attributes & FILES_ATTR_REPARSE;
	bool folder = inode->attributes & FILES_ATTR_DIRECTORY;
	const struct files_stream *s = inode->streams, *end = s + inode->stream_count;
	uint32_t unnamed = s < end && !s->name ? blob_number(e, s++) : FILES_NONE;
	uint32_t point = reparse ? e->numbers->reparse[inode_number] : FILES_NONE;
	size_t count = (size_t)(end - s);

	if (!count && (!reparse || folder)) {
		memcpy(e->out->data + at + WIM_ENTRY_HASH,
		       hash_of(e, reparse ? point : unnamed), WIM_HASH_SIZE);
		return;
	}
	count += (reparse ? 1 : 0) + (folder ? 0 : 1);
	put_le16(e->out->data + at + WIM_ENTRY_STREAMS, (uint16_t)count);
	if (reparse)
		put_stream(e, NULL, point);
	if (!folder)
		put_stream(e, NULL, unnamed);
	for (; s < end; s++)
		put_stream(e, s->name, blob_number(e, s));
}

static void put_names(const struct emit *e, const struct files_entry *entry, size_t at)
{
	size_t name = 2 * utf16_units(entry->name);
	size_t short_name = entry->short_name ? 2 * utf16_units(entry->short_name) : 0;

	put_le16(e->out->data + at + WIM_ENTRY_NAME, (uint16_t)name);
	put_le16(e->out->data + at + WIM_ENTRY_SHORT_NAME, (uint16_t)short_name);
	if (name)
		utf16_append_z(e->out, entry->name);
	if (short_name)
		utf16_append_z(e->out, entry->short_name);
	align(e->out);
}

static void put_entry(const struct emit *e, size_t i)
{
	const struct files_entry *entry = &e->files->entries.items[i];
	const struct files_inode *inode = &e->files->inodes.items[entry->inode];
	size_t at = e->out->len;
	uint8_t *p;

	append_zeros(e->out, WIM_ENTRY_SIZE);
	p = e->out->data + at;
	put_le32(p + WIM_ENTRY_ATTRIBUTES, inode->attributes);
	put_le32(p + WIM_ENTRY_SECURITY,
		 inode->security == FILES_NONE ? NO_SECURITY : inode->security);
	put_le64(p + WIM_ENTRY_CREATED, inode->created);
	put_le64(p + WIM_ENTRY_ACCESSED, inode->accessed);
	put_le64(p + WIM_ENTRY_WRITTEN, inode->modified);
	if (inode->attributes & FILES_ATTR_REPARSE) {
		put_le32(p + WIM_ENTRY_LINK_GROUP, inode->reparse_tag);
		put_le16(p + WIM_ENTRY_LINK_GROUP + 6, REPARSE_NOT_FIXED);
	} else if (inode->links > 1) {
		put_le64(p + WIM_ENTRY_LINK_GROUP, (uint64_t)entry->inode + 1);
	}
	put_names(e, entry, at);
	if (inode->object_id) {
		buffer_append_le32(e->out, TAG_OBJECT_ID);
		buffer_append_le32(e->out, OBJECT_ID_SIZE);
		buffer_append(e->out, inode->object_id->id, 16);
		buffer_append(e->out, inode->object_id->birth_volume, 16);
		buffer_append(e->out, inode->object_id->birth_object, 16);
		buffer_append(e->out, inode->object_id->domain, 16);
	}
	put_le64(e->out->data + at + WIM_ENTRY_LENGTH, e->out->len - at);
	put_streams(e, inode, entry->inode, at);
}

/* ---- all of them
 * ----------------------------------------------------------------------------- */

void wim_create_metadata(const struct files *files, const struct wim_numbers *numbers,
			 const struct wim_stored_list *stored, struct buffer *out)
{
	const struct emit e = {files, numbers, stored, out};
	size_t count = files->entries.len;
	_cleanup_free_ uint64_t *places = xcalloc(count + 1, sizeof(*places));
	uint32_t parent = FILES_NONE;

	put_security(files, out);
	places[0] = out->len;
	put_entry(&e, 0);
	append_zeros(out, 8);
	for (size_t i = 1; i < count; i++) {
		const struct files_entry *entry = &files->entries.items[i];

		if (entry->parent != parent) {
			if (parent != FILES_NONE)
				append_zeros(out, 8);
			parent = entry->parent;
			put_le64(out->data + places[parent] + WIM_ENTRY_SUBDIR, out->len);
		}
		places[i] = out->len;
		put_entry(&e, i);
	}
	if (parent != FILES_NONE)
		append_zeros(out, 8);
	/* Empty folders have an empty list; a reparse point has none. */
	for (size_t i = 0; i < count; i++) {
		uint32_t attributes =
			files->inodes.items[files->entries.items[i].inode].attributes;
		uint8_t *subdir = out->data + places[i] + WIM_ENTRY_SUBDIR;

		if (!(attributes & FILES_ATTR_DIRECTORY) ||
		    attributes & FILES_ATTR_REPARSE || get_le64(subdir))
			continue;
		put_le64(subdir, out->len);
		append_zeros(out, 8);
	}
}
