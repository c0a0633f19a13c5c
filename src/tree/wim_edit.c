/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The staged changes of one image applied to its entries. An entry that is replaced keeps
 * all but content and write time; a new one gets the security descriptor that NT would
 * inherit from its folder. Everything else stays byte for byte.
 */
#include "base/clock.h"
#include "base/hash.h"
#include "base/text.h"
#include "tree/security.h"
#include "tree/wim.h"

/* Folders on the way to the root when a descriptor is looked for. */
#define MAX_DEPTH 16384

static size_t round_up(size_t n)
{
	return (n + 7) & ~(size_t)7;
}

/* ---- writing the resource -------------------------------------------------------------
 */

static void emit_security(const struct wim_metadata *m, struct buffer *out)
{
	size_t start = out->len;

	buffer_append_le32(out, 0);
	buffer_append_le32(out, (uint32_t)m->security.len);
	vec_foreach (sd, &m->security)
		buffer_append_le64(out, sd->len);
	vec_foreach (sd, &m->security)
		buffer_append(out, sd->data, sd->len);
	while ((out->len - start) & 7)
		buffer_append(out, "", 1);
	put_le32(out->data + start, (uint32_t)(out->len - start));
}

/* The next folder in the order of the lists: depth first, by parents. */
static struct wim_node *next_folder(struct wim_node *node)
{
	struct wim_node *folder = node;
	uint32_t from = 0;

	for (;;) {
		for (uint32_t i = from; i < folder->child_count; i++)
			if (wim_node_has_list(folder->children[i]))
				return folder->children[i];
		if (!folder->parent)
			return NULL;
		from = folder->place + 1;
		folder = folder->parent;
	}
}

/* Gives each folder the offset of its list and each node its place in the list. */
static uint64_t lay_out(struct wim_node *root, uint64_t at)
{
	for (struct wim_node *n = root; n; n = next_folder(n)) {
		n->subdir = at;
		for (uint32_t i = 0; i < n->child_count; i++) {
			n->children[i]->place = i;
			at += n->children[i]->raw_len;
		}
		at += 8;
	}
	return at;
}

static void emit_node(const struct wim_node *node, struct buffer *out)
{
	size_t at = out->len;

	buffer_append(out, node->raw, node->raw_len);
	put_le64(out->data + at + WIM_ENTRY_SUBDIR,
		 wim_node_has_list(node) ? node->subdir : 0);
}

void wim_metadata_emit(const struct wim_metadata *m, struct buffer *out)
{
	emit_security(m, out);
	buffer_reserve(out, (size_t)lay_out(m->root, out->len + m->root->raw_len + 8));
	emit_node(m->root, out);
	buffer_append_le64(out, 0);
	for (struct wim_node *n = m->root; n; n = next_folder(n)) {
		for (uint32_t i = 0; i < n->child_count; i++)
			emit_node(n->children[i], out);
		buffer_append_le64(out, 0);
	}
}

/* ---- counting
 * -------------------------------------------------------------------------- */

/* The node after `node` in depth-first order; `place` must be set. */
static struct wim_node *next_node(struct wim_node *node)
{
	if (node->child_count)
		return node->children[0];
	for (; node->parent; node = node->parent)
		if (node->place + 1 < node->parent->child_count)
			return node->parent->children[node->place + 1];
	return NULL;
}

static void set_places(struct wim_node *root)
{
	struct wim_node *node = root;

	while (node) {
		for (uint32_t i = 0; i < node->child_count; i++)
			node->children[i]->place = i;
		node = next_node(node);
	}
}

struct link {
	uint64_t group, size;
	const uint8_t *hash;
};

static int compare_links(const void *a, const void *b)
{
	const struct link *x = a, *y = b;

	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	return memcmp(x->hash, y->hash, WIM_HASH_SIZE);
}

struct tally {
	const struct wim_edit *edit;
	int64_t *references;
	uint64_t size;
};

static void tally_hash(const uint8_t *hash, void *arg)
{
	struct tally *tally = arg;
	const struct wim *wim = tally->edit->wim;
	const struct wim_blob *blob = wim_blob_find(wim, hash);

	if (blob) {
		tally->references[blob - wim->blobs.items]++;
		tally->size += wim_blob_size(blob);
		return;
	}
	vec_foreach (content, &tally->edit->contents)
		if (memcmp(content->hash, hash, WIM_HASH_SIZE) == 0)
			tally->size += content->size;
}

/*
 * wimlib before 1.14.2 gave folders with named streams, and junctions, an unnamed stream
 * entry too many, which Windows 8's setup and recent DISM reject.
 */
static bool is_rejected(const struct wim_node *node)
{
	unsigned count = get_le16(node->raw + WIM_ENTRY_STREAMS), unnamed = 0;
	const uint8_t *p = node->raw + node->entry_len;

	if (!(wim_node_attributes(node) & TREE_ATTR_DIRECTORY))
		return false;
	for (; count; count--) {
		unnamed += get_le16(p + WIM_STREAM_NAME) == 0;
		p += round_up((size_t)get_le64(p + WIM_STREAM_LENGTH));
	}
	return unnamed > (wim_node_type(node) == TREE_LINK ? 1 : 0);
}

/* References per blob and what the XML counts, of the whole image. */
static void count_all(const struct wim_edit *edit, struct wim_metadata *m,
		      int64_t *references, struct wim_counts *counts)
{
	DEFINE_VEC(links, struct link);
	struct links links = VEC_INIT;

	set_places(m->root);
	*counts = (struct wim_counts){0};
	for (struct wim_node *n = m->root; n; n = next_node(n)) {
		struct tally tally = {edit, references, 0};
		uint64_t group = get_le64(n->raw + WIM_ENTRY_LINK_GROUP);

		wim_node_hashes(n, tally_hash, &tally);
		counts->bytes += (int64_t)tally.size;
		if (wim_node_type(n) == TREE_FOLDER)
			counts->folders++;
		else
			counts->files++;
		if (group && tally.size && wim_node_type(n) == TREE_FILE)
			vec_push(&links,
				 (struct link){group, tally.size, wim_node_hash(n)});
	}
	if (links.len)
		qsort(links.items, links.len, sizeof(*links.items), compare_links);
	for (size_t i = 1; i < links.len; i++)
		if (compare_links(&links.items[i - 1], &links.items[i]) == 0)
			counts->link_bytes += (int64_t)links.items[i].size;
	vec_free(&links);
}

/* ---- security
 * --------------------------------------------------------------------------- */

static struct bytes descriptor_of(const struct wim_metadata *m,
				  const struct wim_node *node)
{
	uint32_t id = get_le32(node->raw + WIM_ENTRY_SECURITY);

	return id < m->security.len ? m->security.items[id] : (struct bytes){NULL, 0};
}

/*
 * What the folder passes on: its own descriptor, or where the image stores none, what it
 * would inherit itself when the image is applied.
 */
static void effective_descriptor(const struct wim_metadata *m,
				 const struct wim_node *folder, struct buffer *ret)
{
	const struct wim_node *from = folder;
	unsigned levels = 0;
	struct bytes own;

	while (!(own = descriptor_of(m, from)).len && from->parent &&
	       levels < MAX_DEPTH) {
		from = from->parent;
		levels++;
	}
	buffer_append(ret, own.data, own.len);
	/* Inheritance settles after two levels; each costs a copy. */
	for (; own.len && levels > 0; levels--) {
		_cleanup_buffer_ struct buffer parent = *ret;

		*ret = (struct buffer)BUFFER_INIT;
		security_inherit(buffer_view(&parent), true, ret);
		if (levels > 3)
			levels = 3;
	}
}

/* The number of a descriptor in the image's table, added if it is new. */
static uint32_t security_id(struct wim_metadata *m, const struct buffer *sd)
{
	struct bytes wanted = buffer_view(sd), copy;

	for (size_t i = 0; i < m->security.len; i++)
		if (bytes_equal(m->security.items[i], wanted))
			return (uint32_t)i;
	copy = (struct bytes){xmemdup(sd->data, sd->len), sd->len};
	vec_push(&m->owned, (uint8_t *)copy.data);
	vec_push(&m->security, copy);
	return (uint32_t)(m->security.len - 1);
}

static uint32_t inherited_id(struct wim_metadata *m, const struct wim_node *folder,
			     bool is_folder)
{
	_cleanup_buffer_ struct buffer parent = BUFFER_INIT, sd = BUFFER_INIT;

	effective_descriptor(m, folder, &parent);
	security_inherit(buffer_view(&parent), is_folder, &sd);
	return security_id(m, &sd);
}

/* ---- entries
 * ---------------------------------------------------------------------------- */

/* Makes the node's bytes its own, so that they may be changed. */
static uint8_t *own(struct wim_node *node)
{
	if (!node->own) {
		node->own = xmemdup(node->raw, node->raw_len);
		node->raw = node->own;
	}
	return node->own;
}

static void take_bytes(struct wim_node *node, struct buffer *bytes, size_t entry_len)
{
	free(node->own);
	node->raw = node->own = bytes->data;
	node->raw_len = (uint32_t)bytes->len;
	node->entry_len = (uint32_t)entry_len;
	*bytes = (struct buffer)BUFFER_INIT;
}

static void pad(struct buffer *b)
{
	static const uint8_t zeros[8];

	buffer_append(b, zeros, round_up(b->len) - b->len);
}

/* A fresh entry: the fields that are not set here are zero, as Windows leaves them. */
static struct wim_node *new_node(struct wim_metadata *m, const struct overlay *o,
				 uint32_t attributes)
{
	struct wim_node *node = wim_node_new(m);
	struct buffer b = BUFFER_INIT;
	uint64_t now = clock_filetime();

	buffer_reserve(&b, WIM_ENTRY_SIZE);
	memset(b.data, 0, WIM_ENTRY_SIZE);
	b.len = WIM_ENTRY_SIZE;
	utf16_append_z(&b, o->name);
	put_le16(b.data + WIM_ENTRY_NAME, (uint16_t)(b.len - WIM_ENTRY_SIZE - 2));
	pad(&b);
	put_le64(b.data + WIM_ENTRY_LENGTH, b.len);
	put_le32(b.data + WIM_ENTRY_ATTRIBUTES, attributes);
	put_le32(b.data + WIM_ENTRY_SECURITY, UINT32_MAX); /* none yet; 0 is the root's */
	put_le64(b.data + WIM_ENTRY_CREATED, now);
	put_le64(b.data + WIM_ENTRY_ACCESSED, now);
	put_le64(b.data + WIM_ENTRY_WRITTEN, now);
	take_bytes(node, &b, b.len);
	node->entry_len = node->raw_len;
	return node;
}

/* A new long name; the short name belonged to the old one and goes. */
static void rename_node(struct wim_node *node, const char *name)
{
	struct buffer b = BUFFER_INIT;
	size_t names = WIM_ENTRY_SIZE, len;

	for (unsigned field = WIM_ENTRY_SHORT_NAME; field <= WIM_ENTRY_NAME; field += 2)
		if (get_le16(node->raw + field))
			names += get_le16(node->raw + field) + 2u;
	names = round_up(names);
	buffer_append(&b, node->raw, WIM_ENTRY_SIZE);
	utf16_append_z(&b, name);
	put_le16(b.data + WIM_ENTRY_NAME, (uint16_t)(b.len - WIM_ENTRY_SIZE - 2));
	put_le16(b.data + WIM_ENTRY_SHORT_NAME, 0);
	pad(&b);
	/* Tagged items (object IDs, extended attributes) follow the names. */
	if (names < node->entry_len)
		buffer_append(&b, node->raw + names, node->entry_len - names);
	pad(&b);
	len = b.len;
	put_le64(b.data + WIM_ENTRY_LENGTH, len);
	buffer_append(&b, node->raw + node->entry_len, node->raw_len - node->entry_len);
	take_bytes(node, &b, len);
}

/* A file with named streams only gets a place for the unnamed one. */
static void add_data_stream(struct wim_node *node)
{
	uint8_t stream[(WIM_STREAM_SIZE + 7) & ~7] = {0};
	struct buffer b = BUFFER_INIT;
	size_t len = node->entry_len;

	put_le64(stream + WIM_STREAM_LENGTH, sizeof(stream));
	buffer_append(&b, node->raw, len);
	put_le16(b.data + WIM_ENTRY_STREAMS,
		 (uint16_t)(get_le16(b.data + WIM_ENTRY_STREAMS) + 1));
	buffer_append(&b, stream, sizeof(stream));
	buffer_append(&b, node->raw + len, node->raw_len - len);
	take_bytes(node, &b, len);
}

static void set_content(struct wim_node *node, const uint8_t *hash, uint64_t modified)
{
	if (!wim_node_hash_offset(node))
		add_data_stream(node);
	own(node);
	memcpy(node->own + wim_node_hash_offset(node), hash, WIM_HASH_SIZE);
	put_le64(node->own + WIM_ENTRY_WRITTEN, modified);
	/* The other names of a hard link keep the old content. */
	put_le64(node->own + WIM_ENTRY_LINK_GROUP, 0);
}

/* Attributes belong to the file: all names of a hard link get them. */
static void set_attributes(struct wim_metadata *m, struct wim_node *node,
			   uint32_t attributes)
{
	uint64_t group = get_le64(node->raw + WIM_ENTRY_LINK_GROUP);
	_cleanup_free_ uint8_t *hash = xmemdup(wim_node_hash(node), WIM_HASH_SIZE);

	attributes |= wim_node_attributes(node) &
		      ~(uint32_t)(TREE_ATTR_SETTABLE | TREE_ATTR_NORMAL);
	if (!attributes)
		attributes = TREE_ATTR_NORMAL;
	if (wim_node_type(node) != TREE_FILE || !group) {
		put_le32(own(node) + WIM_ENTRY_ATTRIBUTES, attributes);
		return;
	}
	set_places(m->root);
	for (struct wim_node *n = m->root; n; n = next_node(n))
		if (wim_node_type(n) == TREE_FILE &&
		    get_le64(n->raw + WIM_ENTRY_LINK_GROUP) == group &&
		    memcmp(wim_node_hash(n), hash, WIM_HASH_SIZE) == 0)
			put_le32(own(n) + WIM_ENTRY_ATTRIBUTES, attributes);
}

/* ---- applying the overlay
 * ------------------------------------------------------------------ */

static int nowhere(struct bytes data, void *arg, struct error *err)
{
	(void)data;
	(void)arg;
	(void)err;
	return 0;
}

/*
 * What the WIM has already is not stored again, so it must be what its table says: a
 * driver would else share the damage of a file that nobody has looked at.
 */
static int check_shared(struct wim *wim, const struct wim_blob *blob, const char *name,
			struct error *err)
{
	_cleanup_error_ struct error why = ERROR_INIT;

	if (wim_blob_stream(wim, blob, nowhere, NULL, name, &why) == 0)
		return 0;
	error_set(err, ERROR_FAILED, wim->image.path,
		  "has the content of %s already, and damaged: %s", name, why.reason);
	return error_remedy(err, "copy the WIM again from where it came from");
}

/* The hash of staged content; remembered if the WIM does not have it yet. */
static int stage_content(struct wim_edit *edit, const struct overlay *o,
			 uint8_t hash[WIM_HASH_SIZE], struct error *err)
{
	struct wim_source source = {.node = o, .size = o->size};
	struct wim_content content = {.node = o, .size = o->size};
	const struct wim_blob *shared;

	memset(hash, 0, WIM_HASH_SIZE);
	if (!o->size)
		return 0;
	if (wim_source_hash(&source, hash, err) < 0)
		return -1;
	shared = wim_blob_find(edit->wim, hash);
	if (shared)
		return check_shared(edit->wim, shared, o->name, err);
	vec_foreach (known, &edit->contents) {
		if (memcmp(known->hash, hash, WIM_HASH_SIZE) != 0)
			continue;
		known->references++;
		return 0;
	}
	memcpy(content.hash, hash, WIM_HASH_SIZE);
	content.references = 1;
	vec_push(&edit->contents, content);
	return 0;
}

/* The base's child of exactly this stored name. */
static struct wim_node *exact_child(const struct wim_node *folder, const char *name)
{
	struct wim_node *child = wim_node_child(folder, name, strlen(name));
	_cleanup_free_ char *stored = child ? wim_node_name(child) : NULL;

	return stored && strcmp(stored, name) == 0 ? child : NULL;
}

static int lost(const struct wim_tree *tree, const char *path, struct error *err)
{
	_cleanup_free_ char *where = xasprintf("%s: %s", tree->tree.name, path);

	return error_set(err, ERROR_FAILED, where, "cannot be found any more");
}

/* Binds the nodes whose entries come from elsewhere, then takes these out. */
static int bind_origins(struct wim_tree *tree, struct error *err)
{
	struct overlay *top = tree->tree.overlay;

	for (const struct overlay *n = top; n; n = overlay_next(n, top)) {
		struct overlay *o = (struct overlay *)n;

		o->bound = o->origin ? wim_node_find(tree->metadata, o->origin) : NULL;
		if (o->origin && !o->bound)
			return lost(tree, o->origin, err);
	}
	for (const struct overlay *n = top; n; n = overlay_next(n, top))
		if (n->kind == OVERLAY_MOVED ||
		    (n->origin && (!n->base || strcmp(n->origin, n->base) != 0)))
			wim_node_detach(n->bound);
	return 0;
}

static void place_node(struct wim_node *folder, struct wim_node *node, const char *name)
{
	_cleanup_free_ char *stored = wim_node_name(node);

	if (strcmp(stored, name) != 0)
		rename_node(node, name);
	wim_node_attach(folder, node);
}

static int apply_file(struct wim_edit *edit, struct wim_metadata *m, struct overlay *o,
		      struct wim_node *folder, struct error *err)
{
	struct wim_node *node = o->bound;
	uint8_t hash[WIM_HASH_SIZE];
	bool fresh = !node;

	if (stage_content(edit, o, hash, err) < 0)
		return -1;
	if (fresh)
		node = o->bound = new_node(m, o, TREE_ATTR_ARCHIVE);
	if (fresh || !node->parent)
		place_node(folder, node, o->name);
	set_content(node, hash, o->modified);
	if (!descriptor_of(m, node).len)
		put_le32(node->own + WIM_ENTRY_SECURITY, inherited_id(m, folder, false));
	return 0;
}

static int apply_node(struct wim_edit *edit, struct wim_tree *tree, struct overlay *o,
		      struct error *err)
{
	struct wim_metadata *m = tree->metadata;
	struct wim_node *folder = o->parent->bound, *old;

	/* What the base has here goes, unless it stays or was taken out already. */
	old = o->base && o->kind != OVERLAY_PASS ? exact_child(folder, path_base(o->base))
						 : NULL;
	if (old && old != o->bound)
		wim_node_detach(old);
	switch (o->kind) {
	case OVERLAY_PASS:
		o->bound = exact_child(folder, o->name);
		if (!o->bound)
			return lost(tree, o->name, err);
		break;
	case OVERLAY_FILE:
		if (apply_file(edit, m, o, folder, err) < 0)
			return -1;
		break;
	case OVERLAY_FOLDER:
		o->bound = new_node(m, o, TREE_ATTR_DIRECTORY);
		place_node(folder, o->bound, o->name);
		put_le32(own(o->bound) + WIM_ENTRY_SECURITY,
			 inherited_id(m, folder, true));
		break;
	case OVERLAY_MOVED:
		place_node(folder, o->bound, o->name);
		break;
	case OVERLAY_REMOVED:
		return 0;
	}
	if (o->attributes_set)
		set_attributes(m, o->bound, o->attributes);
	return 0;
}

int wim_edit_tree(struct wim_edit *edit, struct wim_tree *tree, struct wim_counts *change,
		  struct error *err)
{
	struct overlay *top = tree->tree.overlay;
	struct wim_counts old;

	count_all(edit, tree->metadata, edit->before, &old);
	if (bind_origins(tree, err) < 0)
		return -1;
	top->bound = tree->metadata->root;
	if (top->attributes_set)
		set_attributes(tree->metadata, top->bound, top->attributes);
	for (const struct overlay *n = overlay_next(top, top); n;
	     n = overlay_next(n, top))
		if (apply_node(edit, tree, (struct overlay *)n, err) < 0)
			return -1;
	count_all(edit, tree->metadata, edit->after, change);
	for (struct wim_node *n = tree->metadata->root; n; n = next_node(n))
		edit->rejected += is_rejected(n);
	change->folders -= old.folders;
	change->files -= old.files;
	change->bytes -= old.bytes;
	change->link_bytes -= old.link_bytes;
	return 0;
}
