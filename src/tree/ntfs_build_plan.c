/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is known of a new volume before any content is read: whether the files can be on
 * NTFS at all, their record numbers, which names get which namespace, which streams stay
 * in their record, how much space all of it takes at most.
 */
#include "tree/ntfs_build.h"

#include "base/text.h"

#define MAX_NAME 255u
#define MAX_SHORT_NAME 12u
#define MAX_LINKS 1024u /* as Windows */
#define MAX_STREAM_SIZE (UINT64_C(1) << 44)
#define MAX_STREAMS 8192u

char *ntfs_build_path(const struct ntfs_build *b, uint32_t entry)
{
	const struct files_entry *entries = b->files->entries.items;
	char *path = xstrdup("");

	for (; entry; entry = entries[entry].parent) {
		char *longer =
			xasprintf("%s%s%s", entries[entry].name, *path ? "/" : "", path);

		free(path);
		path = longer;
	}
	return path;
}

static int refused(const struct ntfs_build *b, uint32_t entry, const char *why,
		   struct error *err)
{
	_cleanup_free_ char *path = ntfs_build_path(b, entry);
	_cleanup_free_ char *subject = xasprintf("%s: %s", b->files->name, path);

	error_set(err, ERROR_FAILED, subject, "%s", why);
	return error_remedy(err, "rename it or take it out of the source");
}

/* ---- validity
 * ------------------------------------------------------------------------ */

static int check_name(const struct ntfs_build *b, uint32_t i, struct error *err)
{
	const struct files_entry *entry = &b->files->entries.items[i];
	static const char *const system[] = {
		"$AttrDef", "$BadClus", "$Bitmap", "$Boot",   "$Extend", "$LogFile",
		"$MFT",	    "$MFTMirr", "$Secure", "$UpCase", "$Volume"};
	size_t units;

	if (entry->parent >= i ||
	    !(b->files->inodes.items[b->files->entries.items[entry->parent].inode]
		      .attributes &
	      FILES_ATTR_DIRECTORY))
		return refused(b, i, "is in no folder", err);
	units = utf16_units(entry->name);
	if (!units || units > MAX_NAME)
		return refused(b, i, "its name is not of 1 to 255 characters", err);
	if (strpbrk(entry->name, "/\\") || strcmp(entry->name, ".") == 0 ||
	    strcmp(entry->name, "..") == 0)
		return refused(b, i, "its name is none on Windows", err);
	for (size_t k = 0; !entry->parent && k < ARRAY_SIZE(system); k++)
		if (text_equal(entry->name, system[k]))
			return refused(b, i, "has the name of a file of NTFS itself",
				       err);
	return 0;
}

static int compare_stream_names(const void *a, const void *b)
{
	const struct files_stream *x = *(const struct files_stream *const *)a;
	const struct files_stream *y = *(const struct files_stream *const *)b;

	return text_compare(x->name ? x->name : "", y->name ? y->name : "");
}

static int check_streams(const struct ntfs_build *b, uint32_t entry,
			 const struct files_inode *inode, struct error *err)
{
	_cleanup_free_ const struct files_stream **list = NULL;

	if (inode->stream_count > MAX_STREAMS)
		return refused(b, entry, "has too many streams", err);
	list = xcalloc(inode->stream_count + 1, sizeof(*list));
	for (uint32_t i = 0; i < inode->stream_count; i++) {
		const struct files_stream *s = &inode->streams[i];

		list[i] = s;
		if (s->name && (!*s->name || utf16_units(s->name) > MAX_NAME ||
				strpbrk(s->name, "/\\:")))
			return refused(b, entry, "has a stream with an invalid name",
				       err);
		if (!s->name && (i || inode->attributes & FILES_ATTR_DIRECTORY))
			return refused(b, entry, "has data where none can be", err);
		if (s->blob == FILES_NONE)
			continue;
		if (s->blob >= b->files->blobs.len ||
		    b->files->blobs.items[s->blob].size > MAX_STREAM_SIZE)
			return refused(b, entry, "is larger than NTFS allows", err);
	}
	qsort(list, inode->stream_count, sizeof(*list), compare_stream_names);
	for (uint32_t i = 1; i < inode->stream_count; i++)
		if (compare_stream_names(&list[i - 1], &list[i]) == 0)
			return refused(b, entry, "has two streams of one name", err);
	return 0;
}

static int check_inode(const struct ntfs_build *b, uint32_t entry, struct error *err)
{
	uint32_t number = b->files->entries.items[entry].inode;
	const struct files_inode *inode = &b->files->inodes.items[number];

	if (inode->links > 1 && inode->attributes & FILES_ATTR_DIRECTORY)
		return refused(b, entry, "is a folder with several names", err);
	if (inode->links > MAX_LINKS)
		return refused(b, entry, "has more than 1024 names", err);
	if (inode->attributes & FILES_ATTR_ENCRYPTED)
		return refused(b, entry, "is encrypted", err);
	return check_streams(b, entry, inode, err);
}

/* ---- numbers
 * -------------------------------------------------------------------------- */

static bool is_folder(const struct ntfs_build *b, uint32_t inode)
{
	return b->files->inodes.items[inode].attributes & FILES_ATTR_DIRECTORY;
}

/* Record numbers in the order of the entries, and the lists by inode and by folder. */
static int number_files(struct ntfs_build *b, struct error *err)
{
	const struct files *files = b->files;
	uint32_t record = NTFS_FIRST_FILE, names = 0, children = 0;
	_cleanup_free_ uint32_t *seen = xcalloc(files->inodes.len + 1, sizeof(*seen));

	if (!files->entries.len || files->entries.items[0].inode >= files->inodes.len ||
	    !is_folder(b, files->entries.items[0].inode))
		return error_set(err, ERROR_FAILED, files->name, "has no root folder");
	for (uint32_t i = 0; i < files->entries.len; i++) {
		const struct files_entry *entry = &files->entries.items[i];
		struct ntfs_inode *inode;

		if (entry->inode >= files->inodes.len)
			return error_set(err, ERROR_FAILED, files->name,
					 "has an entry without a file");
		if (i && check_name(b, i, err) < 0)
			return -1;
		inode = &b->inodes[entry->inode];
		if (!seen[entry->inode]++) {
			inode->record = i ? record++ : NTFS_ROOT;
			if (check_inode(b, i, err) < 0)
				return -1;
		}
		if (i)
			b->inodes[files->entries.items[entry->parent].inode]
				.child_count++;
	}
	for (uint32_t i = 0; i < files->inodes.len; i++) {
		struct ntfs_inode *inode = &b->inodes[i];

		if (!seen[i] || seen[i] != files->inodes.items[i].links)
			return error_set(err, ERROR_FAILED, files->name,
					 "has a file with a wrong number of names");
		inode->first_name = names;
		names += seen[i];
		inode->first_child = children;
		children += inode->child_count;
		inode->child_count = seen[i] = 0;
	}
	for (uint32_t i = 0; i < files->entries.len; i++) {
		const struct files_entry *entry = &files->entries.items[i];
		struct ntfs_inode *folder;

		b->names[b->inodes[entry->inode].first_name + seen[entry->inode]++] = i;
		if (!i)
			continue;
		folder = &b->inodes[files->entries.items[entry->parent].inode];
		b->children[folder->first_child + folder->child_count++] = i;
	}
	b->base_records = record;
	return 0;
}

/* ---- names
 * ---------------------------------------------------------------------------- */

int ntfs_order_names(struct bytes a, struct bytes b, bool exact)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int raw = 0;

	for (size_t i = 0; i < len; i += 2) {
		uint16_t x = get_le16(a.data + i), y = get_le16(b.data + i);

		if (x == y)
			continue;
		if (!raw)
			raw = x < y ? -1 : 1;
		x = upcase_unit(x);
		y = upcase_unit(y);
		if (x != y)
			return x < y ? -1 : 1;
	}
	if (a.len != b.len)
		return a.len < b.len ? -1 : 1;
	return exact ? raw : 0;
}

static int compare_children(const void *a, const void *b)
{
	const struct ntfs_child *x = a, *y = b;
	int order = ntfs_order_names(x->units, y->units, true);

	if (order)
		return order;
	/* Long names first, else as listed. */
	if ((x->space == NTFS_DOS) != (y->space == NTFS_DOS))
		return x->space == NTFS_DOS ? 1 : -1;
	return (x->entry > y->entry) - (x->entry < y->entry);
}

void ntfs_children_of(const struct ntfs_build *b, uint32_t inode,
		      struct ntfs_children *ret)
{
	const struct ntfs_inode *folder = &b->inodes[inode];
	size_t at = 0;

	ret->items.len = ret->units.len = 0;
	for (uint32_t i = 0; i < folder->child_count; i++) {
		uint32_t entry = b->children[folder->first_child + i];
		enum ntfs_namespace space = (enum ntfs_namespace)b->namespaces[entry];

		for (int k = 0; k < (space == NTFS_WIN32 ? 2 : 1); k++) {
			const struct files_entry *e = &b->files->entries.items[entry];
			size_t from = ret->units.len;

			utf16_append(&ret->units, k ? e->short_name : e->name);
			vec_push(&ret->items,
				 (struct ntfs_child){entry,
						     k ? NTFS_DOS : space,
						     {NULL, ret->units.len - from}});
		}
	}
	vec_foreach (child, &ret->items) {
		child->units.data = ret->units.data + at;
		at += child->units.len;
	}
	if (ret->items.len)
		qsort(ret->items.items, ret->items.len, sizeof(*ret->items.items),
		      compare_children);
}

void ntfs_children_free(struct ntfs_children *children)
{
	vec_free(&children->items);
	buffer_free(&children->units);
}

/* Names that differ in case at most: all are POSIX, and short ones are dropped. */
static int settle_clash(struct ntfs_build *b, const struct ntfs_child *items, size_t n,
			struct error *err)
{
	size_t longs = 0;

	for (size_t i = 0; i < n; i++)
		longs += items[i].space != NTFS_DOS;
	for (size_t i = 0; i < n; i++) {
		if (items[i].space == NTFS_DOS || longs > 1)
			b->namespaces[items[i].entry] = NTFS_POSIX;
		if (i && items[i].space != NTFS_DOS && items[i - 1].space != NTFS_DOS &&
		    bytes_equal(items[i].units, items[i - 1].units))
			return refused(b, items[i].entry, "is there twice", err);
	}
	return 0;
}

static int settle_folder(struct ntfs_build *b, uint32_t inode,
			 struct ntfs_children *children, struct error *err)
{
	const struct ntfs_child *items;
	size_t n = 1;

	ntfs_children_of(b, inode, children);
	items = children->items.items;
	for (size_t i = 0; i < children->items.len; i += n) {
		for (n = 1; i + n < children->items.len; n++)
			if (ntfs_order_names(items[i].units, items[i + n].units, false) !=
			    0)
				break;
		if (n > 1 && settle_clash(b, items + i, n, err) < 0)
			return -1;
	}
	return 0;
}

/* True if the name is one that DOS takes. */
static bool is_short(const char *name)
{
	static const char illegal[] = "\"*+,/:;<=>?[\\]|";
	const char *dot = strchr(name, '.');
	size_t len = strlen(name), stem = dot ? (size_t)(dot - name) : len;

	if (!stem || stem > 8 ||
	    (dot && (strchr(dot + 1, '.') || !dot[1] || len - stem > 4)))
		return false;
	for (; *name; name++)
		if (*name <= ' ' || *name >= 0x7f || strchr(illegal, *name))
			return false;
	return true;
}

/* A file has one short name: that of the source, or its only name, if it is short itself.
 */
static void choose_namespace(struct ntfs_build *b, uint32_t i, bool from_source)
{
	const struct files_entry *entry = &b->files->entries.items[i];
	struct ntfs_inode *inode = &b->inodes[entry->inode];
	const char *name = entry->short_name;

	if (inode->has_short || (name != NULL) != from_source)
		return;
	if (name && (!*name || utf16_units(name) > MAX_SHORT_NAME))
		return;
	if (name ? text_equal(name, entry->name) : is_short(entry->name))
		b->namespaces[i] = NTFS_WIN32_DOS;
	else if (name)
		b->namespaces[i] = NTFS_WIN32;
	else
		return;
	inode->has_short = true;
}

static int choose_names(struct ntfs_build *b, struct error *err)
{
	struct ntfs_children children = {0};
	const struct files *files = b->files;
	int result = 0;

	for (uint32_t i = 1; i < files->entries.len; i++)
		b->short_names |= files->entries.items[i].short_name != NULL;
	for (int pass = 0; b->short_names && pass < 2; pass++)
		for (uint32_t i = 1; i < files->entries.len; i++)
			choose_namespace(b, i, pass == 0);
	for (uint32_t i = 0; i < files->inodes.len && result == 0; i++)
		if (b->inodes[i].child_count)
			result = settle_folder(b, i, &children, err);
	ntfs_children_free(&children);
	return result;
}

/* ---- streams
 * --------------------------------------------------------------------------- */

/* Bytes of an attribute with a name: resident, or with one run at most. */
static size_t attr_bytes(const char *name, uint64_t value, bool resident)
{
	size_t units = name ? utf16_units(name) : 0;

	if (resident)
		return ntfs_align8(24 + 2 * units) + ntfs_align8((size_t)value);
	return ntfs_align8(72 + 2 * units) + 24;
}

/* Record bytes of all but the streams' content. */
static size_t fixed_bytes(const struct ntfs_build *b, uint32_t number)
{
	const struct files_inode *inode = &b->files->inodes.items[number];
	const struct ntfs_inode *planned = &b->inodes[number];
	size_t bytes = 96;

	for (uint32_t i = 0; i < inode->links; i++) {
		uint32_t entry = b->names[planned->first_name + i];
		const struct files_entry *e = &b->files->entries.items[entry];

		bytes += ntfs_align8(24 + 66 + 2 * utf16_units(e->name));
		if (b->namespaces[entry] == NTFS_WIN32)
			bytes += ntfs_align8(24 + 66 + 2 * utf16_units(e->short_name));
	}
	if (inode->object_id)
		bytes += 40;
	if (inode->attributes & FILES_ATTR_REPARSE)
		bytes += attr_bytes(NULL, inode->reparse.len + 8,
				    inode->reparse.len <= 512);
	if (inode->attributes & FILES_ATTR_DIRECTORY)
		bytes += 24 + 8 + 56 + 88 + 40;
	return bytes;
}

static bool may_be_compact(const struct ntfs_build *b, uint32_t number)
{
	const struct files_inode *inode = &b->files->inodes.items[number];
	bool allowed = true;

	if (!b->options->compact ||
	    inode->attributes &
		    (FILES_ATTR_DIRECTORY | FILES_ATTR_REPARSE | FILES_ATTR_SPARSE))
		return false;
	for (uint32_t i = 0; i < inode->links && allowed; i++) {
		uint32_t entry = b->names[b->inodes[number].first_name + i];
		_cleanup_free_ char *path = ntfs_build_path(b, entry);

		allowed = ntfs_wof_allowed(path);
	}
	for (uint32_t i = 0; i < inode->stream_count && allowed; i++)
		if (inode->streams[i].name)
			allowed =
				!text_equal(inode->streams[i].name, "WofCompressedData");
	return allowed;
}

static void plan_streams(struct ntfs_build *b, uint32_t number)
{
	const struct files_inode *inode = &b->files->inodes.items[number];
	size_t room = ntfs_record_room(b), used = fixed_bytes(b, number);
	struct ntfs_stream *streams = &b->streams[b->inodes[number].first_stream];

	for (uint32_t i = 0; i < inode->stream_count; i++) {
		uint32_t blob = inode->streams[i].blob;

		streams[i].inode = number;
		if (blob != FILES_NONE)
			streams[i].size = b->files->blobs.items[blob].size;
		used += attr_bytes(inode->streams[i].name, 0, !streams[i].size);
	}
	for (uint32_t i = 0; i < inode->stream_count; i++) {
		const char *name = inode->streams[i].name;
		uint64_t size = streams[i].size;

		if (!size)
			continue;
		streams[i].kind = NTFS_STREAM_PLAIN;
		if (inode->attributes & FILES_ATTR_SPARSE && !name) {
			streams[i].kind = NTFS_STREAM_SPARSE;
		} else if (size < b->record_size &&
			   used + attr_bytes(name, size, true) <=
				   room + attr_bytes(name, 0, false)) {
			streams[i].kind = NTFS_STREAM_RESIDENT;
			used += attr_bytes(name, size, true) - attr_bytes(name, 0, false);
		}
		streams[i].compact = !name && size > NTFS_CLUSTER &&
				     size <= NTFS_WOF_MAX && may_be_compact(b, number);
	}
}

/* ---- the whole
 * --------------------------------------------------------------------------- */

static uint64_t index_clusters(const struct ntfs_build *b, uint32_t number)
{
	const struct ntfs_inode *folder = &b->inodes[number];
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < folder->child_count; i++) {
		uint32_t entry = b->children[folder->first_child + i];
		const char *name = b->files->entries.items[entry].name;

		bytes += 16 + 66 + 2 * utf16_units(name) + 16;
		bytes += b->namespaces[entry] == NTFS_WIN32 ? 16 + 66 + 24 + 16 : 0;
	}
	/* A block may stay empty by one entry, which has at most 600 bytes. */
	return bytes < 64 ? 0
			  : bytes / (NTFS_INDEX_BLOCK - 64 - 600) + 2 + bytes / 2000000;
}

uint64_t ntfs_plan_clusters(const struct ntfs_build *b)
{
	uint64_t clusters = 0, bytes = 0;
	size_t room = ntfs_record_room(b);

	for (size_t i = 0; i < b->stream_count; i++)
		if (b->streams[i].kind != NTFS_STREAM_RESIDENT)
			clusters += ntfs_clusters_of(b->streams[i].size);
	for (uint32_t i = 0; i < b->files->inodes.len; i++) {
		const struct files_inode *inode = &b->files->inodes.items[i];
		size_t fixed = fixed_bytes(b, i);

		clusters += inode->attributes & FILES_ATTR_DIRECTORY
				    ? index_clusters(b, i)
				    : 0;
		clusters += inode->reparse.len > 512 ? 5 : 0;
		fixed += inode->stream_count * (size_t)600;
		if (fixed > room) /* extension records and their list */
			clusters += fixed / 2000 + 2;
		/* In $Reparse and $ObjId. */
		bytes += inode->attributes & FILES_ATTR_REPARSE ? 48 : 0;
		bytes += b->options->compact ? 48 : 0;
		bytes += inode->object_id ? 128 : 0;
	}
	vec_foreach (descriptor, &b->descriptors) {
		bytes += 2 * (descriptor->len + 36) + 120;
	}
	clusters += 2 * ntfs_clusters_of(bytes) + 2 * 64 + 16;
	clusters += b->mft_clusters;
	clusters += b->mft_clusters / 8192 + 16;
	return clusters;
}

uint8_t *ntfs_keep(struct ntfs_build *b, struct bytes value)
{
	enum { BLOCK = 1024 * 1024 };
	size_t len = ntfs_align8(value.len);
	uint8_t *to;

	if (!b->arena || len > BLOCK - b->arena_used) {
		uint8_t *block = xmalloc(BLOCK);

		memcpy(block, &b->arena, sizeof(b->arena));
		b->arena = block;
		b->arena_used = sizeof(b->arena);
	}
	to = b->arena + b->arena_used;
	b->arena_used += len;
	memcpy(to, value.data, value.len);
	return to;
}

int ntfs_plan(struct ntfs_build *b, struct error *err)
{
	const struct files *files = b->files;
	uint64_t streams = 0, records;

	b->inodes = xcalloc(files->inodes.len + 1, sizeof(*b->inodes));
	b->names = xcalloc(files->entries.len + 1, sizeof(*b->names));
	b->children = xcalloc(files->entries.len + 1, sizeof(*b->children));
	b->namespaces = xcalloc(files->entries.len + 1, 1);
	if (number_files(b, err) < 0 || choose_names(b, err) < 0)
		return -1;
	for (uint32_t i = 0; i < files->inodes.len; i++) {
		b->inodes[i].first_stream = (uint32_t)streams;
		streams += files->inodes.items[i].stream_count;
	}
	if (streams > UINT32_MAX)
		return error_set(err, ERROR_FAILED, files->name, "has too many streams");
	b->stream_count = (size_t)streams;
	b->streams = xcalloc(b->stream_count + 1, sizeof(*b->streams));
	for (uint32_t i = 0; i < files->inodes.len; i++)
		plan_streams(b, i);
	ntfs_plan_security(b);
	/* Room to grow, as in the zone that Windows keeps free behind the MFT. */
	records = b->base_records + 256 + b->base_records / 8;
	b->mft_clusters = ntfs_clusters_of(records * b->record_size);
	return 0;
}

void ntfs_plan_free(struct ntfs_build *b)
{
	for (size_t i = 0; b->streams && i < b->stream_count; i++)
		if (b->streams[i].kind == NTFS_STREAM_SPARSE)
			free(b->streams[i].runs);
	while (b->arena) {
		uint8_t *next;

		memcpy(&next, b->arena, sizeof(next));
		free(b->arena);
		b->arena = next;
	}
	vec_foreach (own, &b->own_descriptors) {
		buffer_free(*own);
		free(*own);
	}
	vec_free(&b->own_descriptors);
	vec_free(&b->descriptors);
	free(b->inodes);
	free(b->names);
	free(b->children);
	free(b->namespaces);
	free(b->streams);
}
