/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * All files of an image in a WIM. What the entries of the metadata mean beyond the white
 * paper (which stream of a reparse point is which, object IDs as tagged items behind the
 * names) follows the documentation in wimlib's sources.
 *
 * Left out: extended attributes, which wimlib keeps in a tagged item of its own.
 * Encrypted files are refused, since their content is a backup stream that only Windows
 * restores.
 */
#include "tree/files_wim.h"

#include "base/progress.h"
#include "base/text.h"

#define MAX_REPARSE 16376u /* 16 KiB with its header */
#define MAX_STREAMS 4096u
#define TAG_OBJECT_ID 1u

/* What a group of hard links became. */
struct group {
	uint64_t id;
	uint32_t inode; /* plus 1 */
};

/* An inode whose reparse data is to be read. */
struct reparse {
	uint32_t inode, blob;
};

struct filling {
	struct files_wim *source;
	struct files *files;
	struct wim *wim;
	struct wim_metadata *metadata;
	struct vec_of(const struct wim_node *) nodes; /* of the entries */
	uint32_t *blobs;    /* of the WIM's blobs: index in files->blobs, plus 1 */
	uint32_t *security; /* of the image's descriptors: index in files->security */
	struct group *groups;
	size_t group_room, group_count;
	struct vec_of(struct reparse) reparse;
	size_t reparse_done;
};

static int refused(const struct filling *f, const struct wim_node *node, const char *why,
		   const char *remedy, struct error *err)
{
	_cleanup_free_ char *path = wim_node_path(node);
	_cleanup_free_ char *subject = xasprintf("%s: %s", f->files->name, path);

	error_set(err, ERROR_FAILED, subject, "%s", why);
	return error_remedy(err, "%s", remedy);
}

/* ---- streams
 * ------------------------------------------------------------------------ */

static int blob_of(struct filling *f, const struct wim_node *node, const uint8_t *hash,
		   uint32_t *ret, struct error *err)
{
	const struct wim_blob *found;
	uint32_t *slot;

	*ret = FILES_NONE;
	if (wim_hash_is_zero(hash))
		return 0;
	found = wim_blob_find(f->wim, hash);
	if (!found)
		return refused(f, node, "its content is not in the WIM",
			       "copy the WIM again, with all parts of a split one", err);
	slot = &f->blobs[found - f->wim->blobs.items];
	if (!*slot) {
		struct files_blob blob = {
			.size = wim_blob_size(found),
			.hashed = true,
			.private = (uint32_t)(found - f->wim->blobs.items)};

		memcpy(blob.sha1, hash, sizeof(blob.sha1));
		vec_push(&f->files->blobs, blob);
		*slot = (uint32_t)f->files->blobs.len;
	}
	*ret = *slot - 1;
	return 0;
}

struct streams {
	const uint8_t *unnamed, *reparse; /* hashes, NULL: not there */
	unsigned named;
};

/* Which stream is which: the entry's own hash counts first, if it is not zero. */
static void sort_streams(const struct wim_node *node, struct streams *s)
{
	unsigned count = get_le16(node->raw + WIM_ENTRY_STREAMS);
	const uint8_t *p = node->raw + node->entry_len, *own = node->raw + WIM_ENTRY_HASH;
	bool link = wim_node_attributes(node) & FILES_ATTR_REPARSE;

	*s = (struct streams){0};
	if (!wim_hash_is_zero(own))
		*(link ? &s->reparse : &s->unnamed) = own;
	for (; count; count--) {
		if (get_le16(p + WIM_STREAM_NAME))
			s->named++;
		else if (link && !s->reparse)
			s->reparse = p + WIM_STREAM_HASH;
		else if (!s->unnamed)
			s->unnamed = p + WIM_STREAM_HASH;
		p += (get_le64(p + WIM_STREAM_LENGTH) + 7) & ~UINT64_C(7);
	}
	if (wim_hash_is_zero(own) && link && !s->reparse)
		s->reparse = own;
	else if (wim_hash_is_zero(own) && !s->unnamed)
		s->unnamed = own;
}

static int fill_streams(struct filling *f, const struct wim_node *node,
			const struct streams *s, struct files_inode *inode,
			struct error *err)
{
	unsigned count = get_le16(node->raw + WIM_ENTRY_STREAMS);
	bool folder = wim_node_attributes(node) & FILES_ATTR_DIRECTORY;
	const uint8_t *p = node->raw + node->entry_len;

	if (s->named > MAX_STREAMS)
		return refused(f, node, "has too many streams", "remove some", err);
	inode->streams = xcalloc(s->named + 1, sizeof(*inode->streams));
	if (s->unnamed && !(folder && wim_hash_is_zero(s->unnamed))) {
		if (folder)
			return refused(f, node, "is a folder with data in it",
				       "capture the image again", err);
		if (blob_of(f, node, s->unnamed, &inode->streams[0].blob, err) < 0)
			return -1;
		inode->stream_count = 1;
	}
	for (; count; count--) {
		unsigned len = get_le16(p + WIM_STREAM_NAME);
		struct files_stream *stream = &inode->streams[inode->stream_count];

		if (len) {
			if (blob_of(f, node, p + WIM_STREAM_HASH, &stream->blob, err) < 0)
				return -1;
			stream->name = utf16_to_utf8(p + WIM_STREAM_SIZE, len);
			inode->stream_count++;
		}
		p += (get_le64(p + WIM_STREAM_LENGTH) + 7) & ~UINT64_C(7);
	}
	return 0;
}

/* ---- inodes
 * ------------------------------------------------------------------------- */

/* Tagged items lie behind the names: u32 tag, u32 length, data, each aligned to 8. */
static struct files_object_id *object_id_of(const struct wim_node *node)
{
	struct bytes entry = {node->raw, node->entry_len}, data;
	unsigned short_len = get_le16(node->raw + WIM_ENTRY_SHORT_NAME);
	unsigned len = get_le16(node->raw + WIM_ENTRY_NAME);
	uint64_t at = WIM_ENTRY_SIZE;
	struct files_object_id *ret;
	uint32_t tag, size;

	at += len ? len + 2u : 0;
	at += short_len ? short_len + 2u : 0;
	at = (at + 7) & ~UINT64_C(7);
	while (bytes_le32(entry, at, &tag) && bytes_le32(entry, at + 4, &size)) {
		data = bytes_at(entry, at + 8, size);
		if (!data.data)
			break;
		if (tag == TAG_OBJECT_ID && size >= sizeof(ret->id)) {
			ret = xcalloc(1, sizeof(*ret));
			memcpy(ret, data.data, size < sizeof(*ret) ? size : sizeof(*ret));
			return ret;
		}
		at += 8 + (((uint64_t)size + 7) & ~UINT64_C(7));
	}
	return NULL;
}

static uint32_t security_of(const struct filling *f, const struct wim_node *node)
{
	uint32_t id = get_le32(node->raw + WIM_ENTRY_SECURITY);

	return id < f->metadata->security.len ? f->security[id] : FILES_NONE;
}

static int add_inode(struct filling *f, const struct wim_node *node,
		     const struct streams *s, struct error *err)
{
	uint32_t attributes = wim_node_attributes(node), blob, index;
	struct files_inode *inode;

	if (attributes & FILES_ATTR_ENCRYPTED) {
		if (!(attributes & FILES_ATTR_DIRECTORY))
			return refused(f, node,
				       "is encrypted (EFS), which only Windows applies",
				       "decrypt it before the capture", err);
		attributes &= ~FILES_ATTR_ENCRYPTED;
	}
	index = (uint32_t)f->files->inodes.len;
	vec_push(
		&f->files->inodes,
		(struct files_inode){.attributes = attributes,
				     .created = get_le64(node->raw + WIM_ENTRY_CREATED),
				     .accessed = get_le64(node->raw + WIM_ENTRY_ACCESSED),
				     .modified = get_le64(node->raw + WIM_ENTRY_WRITTEN),
				     .changed = get_le64(node->raw + WIM_ENTRY_WRITTEN),
				     .security = security_of(f, node),
				     .object_id = object_id_of(node)});
	inode = &f->files->inodes.items[index];
	if (fill_streams(f, node, s, inode, err) < 0)
		return -1;
	if (!(attributes & FILES_ATTR_REPARSE))
		return 0;
	inode->reparse_tag = get_le32(node->raw + WIM_ENTRY_LINK_GROUP);
	if (blob_of(f, node, s->reparse, &blob, err) < 0)
		return -1;
	if (blob == FILES_NONE)
		return 0;
	if (f->files->blobs.items[blob].size > MAX_REPARSE)
		return refused(f, node, "its reparse data is too long",
			       "copy the WIM again from where it came from", err);
	vec_push(&f->reparse, (struct reparse){index, blob});
	return 0;
}

static struct group *group_slot(const struct filling *f, uint64_t id)
{
	size_t i = (size_t)((id * UINT64_C(0x9e3779b97f4a7c15)) >> 32);

	for (i &= f->group_room - 1; f->groups[i].inode;
	     i = (i + 1) & (f->group_room - 1))
		if (f->groups[i].id == id)
			break;
	return &f->groups[i];
}

static void groups_grow(struct filling *f)
{
	struct group *old = f->groups;
	size_t room = f->group_room;

	f->group_room = room ? room * 2 : 1024;
	f->groups = xcalloc(f->group_room, sizeof(*f->groups));
	for (size_t i = 0; i < room; i++)
		if (old[i].inode)
			*group_slot(f, old[i].id) = old[i];
	free(old);
}

/* True if two entries of one group can be the same file. */
static bool same_file(const struct filling *f, uint32_t inode, const struct streams *s)
{
	const struct files_inode *i = &f->files->inodes.items[inode];
	uint32_t blob = i->stream_count ? i->streams[0].blob : FILES_NONE;

	if (i->attributes & (FILES_ATTR_DIRECTORY | FILES_ATTR_REPARSE) ||
	    i->stream_count != s->named + 1)
		return false;
	if (blob == FILES_NONE)
		return wim_hash_is_zero(s->unnamed);
	return memcmp(f->files->blobs.items[blob].sha1, s->unnamed, WIM_HASH_SIZE) == 0;
}

/* The inode of an entry: that of its link group, or a new one. */
static int inode_of(struct filling *f, const struct wim_node *node, uint32_t *ret,
		    struct error *err)
{
	uint32_t attributes = wim_node_attributes(node);
	uint64_t id = get_le64(node->raw + WIM_ENTRY_LINK_GROUP);
	struct group *group = NULL;
	struct streams s;

	sort_streams(node, &s);
	if (id && !(attributes & (FILES_ATTR_DIRECTORY | FILES_ATTR_REPARSE))) {
		if (f->group_count * 2 >= f->group_room)
			groups_grow(f);
		group = group_slot(f, id);
		if (group->inode && same_file(f, group->inode - 1, &s)) {
			*ret = group->inode - 1;
			f->files->inodes.items[*ret].links++;
			return 0;
		}
	}
	*ret = (uint32_t)f->files->inodes.len;
	if (add_inode(f, node, &s, err) < 0)
		return -1;
	f->files->inodes.items[*ret].links = 1;
	if (group) {
		f->group_count += !group->inode;
		*group = (struct group){id, *ret + 1};
	}
	return 0;
}

/* ---- the tree
 * ------------------------------------------------------------------------ */

static char *short_name_of(const struct wim_node *node)
{
	unsigned short_len = get_le16(node->raw + WIM_ENTRY_SHORT_NAME);
	unsigned len = get_le16(node->raw + WIM_ENTRY_NAME);

	if (!short_len)
		return NULL;
	return utf16_to_utf8(node->raw + WIM_ENTRY_SIZE + (len ? len + 2 : 0), short_len);
}

static int add_entry(struct filling *f, const struct wim_node *node, uint32_t parent,
		     struct error *err)
{
	struct files_entry entry = {.parent = parent};

	if (node->parent && !wim_node_is_nameable(node))
		return refused(f, node->parent,
			       "holds a file whose name is none on Windows",
			       "take it out of the image with wimlib-imagex update", err);
	if (inode_of(f, node, &entry.inode, err) < 0)
		return -1;
	entry.name = node->parent ? wim_node_name(node) : xstrdup("");
	if (node->parent)
		entry.short_name = short_name_of(node);
	vec_push(&f->files->entries, entry);
	vec_push(&f->nodes, node);
	return 0;
}

/* Level by level: the list of entries is its own queue. */
static int add_entries(struct filling *f, struct error *err)
{
	if (add_entry(f, f->metadata->root, 0, err) < 0)
		return -1;
	for (size_t i = 0; i < f->nodes.len; i++) {
		const struct wim_node *folder = f->nodes.items[i];

		if (interrupted())
			return error_interrupted(err);
		for (uint32_t k = 0; k < folder->child_count; k++) {
			if (f->files->entries.len >= FILES_NONE - 1)
				return refused(f, folder, "has too many files", "", err);
			if (add_entry(f, folder->children[k], (uint32_t)i, err) < 0)
				return -1;
		}
	}
	return 0;
}

/* ---- places
 * ------------------------------------------------------------------------- */

struct placed {
	uint64_t at, offset;
	uint32_t blob;
	uint8_t file;
};

static int compare_places(const void *a, const void *b)
{
	const struct placed *x = a, *y = b;

	if (x->file != y->file)
		return x->file < y->file ? -1 : 1;
	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	return (x->blob > y->blob) - (x->blob < y->blob);
}

/* Ranks in the order of the file, the blobs of a solid resource in theirs. */
static void place_blobs(struct filling *f)
{
	size_t count = f->files->blobs.len;
	struct placed *list = xcalloc(count + 1, sizeof(*list));

	for (size_t i = 0; i < count; i++) {
		const struct wim_blob *blobs = f->wim->blobs.items;
		const struct wim_blob *blob = &blobs[f->files->blobs.items[i].private];
		uint32_t run = blob->run;

		list[i].blob = (uint32_t)i;
		list[i].file = blob->file;
		list[i].at = blob->resource.offset;
		if (run == UINT32_MAX)
			continue;
		list[i].offset = blob->resource.offset;
		list[i].at = run;
		for (; run < f->wim->blobs.len && blobs[run].run == blob->run; run++) {
			if (!wim_blob_is_run_resource(&blobs[run]))
				continue;
			list[i].at = blobs[run].resource.offset;
			break;
		}
	}
	qsort(list, count, sizeof(*list), compare_places);
	for (size_t i = 0; i < count; i++)
		f->files->blobs.items[list[i].blob].place = i;
	free(list);
}

/* ---- reparse data
 * ------------------------------------------------------------------ */

struct reparse_reading {
	struct filling *f;
	struct buffer data;
};

static int reparse_begin(void *arg, uint32_t blob _unused_, struct error *err _unused_)
{
	struct reparse_reading *r = arg;

	r->data.len = 0;
	return 0;
}

static int reparse_data(void *arg, struct bytes data, struct error *err _unused_)
{
	struct reparse_reading *r = arg;

	buffer_append(&r->data, data.data, data.len);
	return 0;
}

/* Blobs come in the order of the list: it goes to all inodes that have this one. */
static int reparse_end(void *arg, struct error *err _unused_)
{
	struct reparse_reading *r = arg;
	struct filling *f = r->f;
	uint32_t blob = f->reparse.items[f->reparse_done].blob;

	for (; f->reparse_done < f->reparse.len; f->reparse_done++) {
		const struct reparse *item = &f->reparse.items[f->reparse_done];

		if (item->blob != blob)
			break;
		f->files->inodes.items[item->inode].reparse =
			(struct bytes){xmemdup(r->data.data, r->data.len), r->data.len};
	}
	return 0;
}

static int compare_reparse(const void *a, const void *b, void *arg)
{
	const struct reparse *p = a, *q = b;
	const struct files *files = arg;
	uint64_t x = files->blobs.items[p->blob].place;
	uint64_t y = files->blobs.items[q->blob].place;

	if (x != y)
		return x < y ? -1 : 1;
	return (p->inode > q->inode) - (p->inode < q->inode);
}

static int read_reparse(struct filling *f, struct error *err)
{
	struct reparse_reading r = {.f = f};
	struct files_sink sink = {reparse_begin, reparse_data, reparse_end, &r};
	_cleanup_free_ uint32_t *list = NULL;
	size_t n = 0;
	int result;

	if (!f->reparse.len)
		return 0;
	qsort_r(f->reparse.items, f->reparse.len, sizeof(struct reparse), compare_reparse,
		f->files);
	list = xcalloc(f->reparse.len, sizeof(*list));
	vec_foreach (item, &f->reparse)
		if (!n || list[n - 1] != item->blob)
			list[n++] = item->blob;
	result = files_wim_read(f->files, list, n, &sink, err);
	buffer_free(&r.data);
	return result;
}

/* ---- opening
 * ------------------------------------------------------------------------ */

static void fill_security(struct filling *f)
{
	struct files_securities known = {0};

	f->security = xcalloc(f->metadata->security.len + 1, sizeof(*f->security));
	for (size_t i = 0; i < f->metadata->security.len; i++) {
		struct bytes descriptor = f->metadata->security.items[i];

		f->security[i] = FILES_NONE;
		if (descriptor.len)
			f->security[i] = files_security(f->files, &known, descriptor);
	}
	files_securities_free(&known);
}

static int fill(struct filling *f, struct error *err)
{
	f->blobs = xcalloc(f->wim->blobs.len + 1, sizeof(*f->blobs));
	fill_security(f);
	if (add_entries(f, err) < 0)
		return -1;
	place_blobs(f);
	return read_reparse(f, err);
}

static void files_wim_close(struct files *files)
{
	files_free_model(files);
}

struct files *files_of_wim(struct image *image, size_t i, struct error *err)
{
	static const struct files_ops ops = {
		.read = files_wim_read, .raw = files_wim_raw, .close = files_wim_close};
	struct files_wim *source;
	struct filling f = {0};
	struct wim_tree *tree;
	bool loaded;
	int result;

	if (strcmp(image_provider(image), "wim") != 0) {
		error_set(err, ERROR_USAGE, image->path, "is no WIM");
		return NULL;
	}
	tree = (struct wim_tree *)image_tree(image, i, err);
	if (!tree)
		return NULL;
	loaded = tree->metadata != NULL;
	if (!wim_tree_metadata(tree, err))
		return NULL;
	source = xcalloc(1, sizeof(*source));
	source->files.ops = &ops;
	source->files.name = xasprintf("%s:%zu", image->path, i + 1);
	source->wim = (struct wim *)image;
	f = (struct filling){.source = source,
			     .files = &source->files,
			     .wim = source->wim,
			     .metadata = tree->metadata};
	result = fill(&f, err);
	vec_free(&f.nodes);
	vec_free(&f.reparse);
	free(f.blobs);
	free(f.security);
	free(f.groups);
	if (!loaded) { /* it takes as much memory again as the model */
		wim_metadata_free(tree->metadata);
		tree->metadata = NULL;
	}
	if (result == 0)
		return &source->files;
	files_close(&source->files);
	return NULL;
}
