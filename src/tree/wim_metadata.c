/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The metadata resource of an image: the security descriptors and the tree of entries.
 * Parsed into nodes that point into the resource, so that an entry that is not edited is
 * written back byte for byte.
 */
#include "base/text.h"
#include "tree/wim.h"

/* Nodes per allocation. */
#define BLOCK 4096
/* Descriptors in one image; real images have some hundreds. */
#define MAX_SECURITY 0x100000u

static uint64_t round_up(uint64_t n)
{
	return (n + 7) & ~UINT64_C(7);
}

struct wim_node *wim_node_new(struct wim_metadata *m)
{
	if (m->blocks.len == 0 || m->block_used == BLOCK) {
		vec_push(&m->blocks, xcalloc(BLOCK, sizeof(struct wim_node)));
		m->block_used = 0;
	}
	m->nodes++;
	return &m->blocks.items[m->blocks.len - 1][m->block_used++];
}

void wim_metadata_free(struct wim_metadata *m)
{
	if (!m)
		return;
	vec_foreach (block, &m->blocks) {
		for (size_t i = 0; i < BLOCK; i++) {
			free((*block)[i].children);
			free((*block)[i].own);
		}
		free(*block);
	}
	vec_free(&m->blocks);
	vec_foreach (owned, &m->owned)
		free(*owned);
	vec_free(&m->owned);
	vec_free(&m->security);
	buffer_free(&m->raw);
	free(m);
}

/* ---- what an entry says
 * ---------------------------------------------------------------- */

static struct bytes node_name(const struct wim_node *node)
{
	return (struct bytes){node->raw + WIM_ENTRY_SIZE,
			      get_le16(node->raw + WIM_ENTRY_NAME)};
}

uint32_t wim_node_attributes(const struct wim_node *node)
{
	return get_le32(node->raw + WIM_ENTRY_ATTRIBUTES);
}

enum tree_type wim_node_type(const struct wim_node *node)
{
	uint32_t attributes = wim_node_attributes(node);

	if (attributes & TREE_ATTR_REPARSE_POINT)
		return TREE_LINK;
	return attributes & TREE_ATTR_DIRECTORY ? TREE_FOLDER : TREE_FILE;
}

bool wim_node_has_list(const struct wim_node *node)
{
	return wim_node_type(node) == TREE_FOLDER ||
	       (wim_node_attributes(node) & TREE_ATTR_DIRECTORY &&
		get_le64(node->raw + WIM_ENTRY_SUBDIR));
}

char *wim_node_name(const struct wim_node *node)
{
	struct bytes name = node_name(node);

	return utf16_to_utf8(name.data, name.len);
}

char *wim_node_path(const struct wim_node *node)
{
	char *path = xstrdup("");

	for (; node->parent; node = node->parent) {
		_cleanup_free_ char *name = wim_node_name(node);
		char *longer = path_join(name, path);

		free(path);
		path = longer;
	}
	return path;
}

bool wim_node_is_nameable(const struct wim_node *node)
{
	struct bytes name = node_name(node);

	if (name.len == 0)
		return false;
	for (size_t i = 0; i < name.len; i += 2) {
		uint16_t unit = get_le16(name.data + i);

		if (unit == 0 || unit == '/' || unit == '\\')
			return false;
	}
	return !(name.len <= 4 && get_le16(name.data) == '.' &&
		 (name.len == 2 || get_le16(name.data + 2) == '.'));
}

/*
 * The stream entry that holds the unnamed data, or NULL if the hash is in the entry
 * itself. Microsoft puts all streams into stream entries as soon as there is more than
 * one; the first unnamed one of a reparse point is the reparse data.
 */
static const uint8_t *data_stream(const struct wim_node *node)
{
	unsigned count = get_le16(node->raw + WIM_ENTRY_STREAMS);
	const uint8_t *p = node->raw + node->entry_len;

	if (!wim_hash_is_zero(node->raw + WIM_ENTRY_HASH))
		return NULL;
	for (; count; count--) {
		if (get_le16(p + WIM_STREAM_NAME) == 0)
			return p;
		p += round_up(get_le64(p + WIM_STREAM_LENGTH));
	}
	return NULL;
}

size_t wim_node_hash_offset(const struct wim_node *node)
{
	const uint8_t *stream = data_stream(node);

	if (stream)
		return (size_t)(stream - node->raw) + WIM_STREAM_HASH;
	if (get_le16(node->raw + WIM_ENTRY_STREAMS) &&
	    wim_hash_is_zero(node->raw + WIM_ENTRY_HASH))
		return 0; /* named streams only */
	return WIM_ENTRY_HASH;
}

const uint8_t *wim_node_hash(const struct wim_node *node)
{
	const uint8_t *stream = data_stream(node);

	return stream ? stream + WIM_STREAM_HASH : node->raw + WIM_ENTRY_HASH;
}

void wim_node_hashes(const struct wim_node *node,
		     void (*visit)(const uint8_t *hash, void *arg), void *arg)
{
	unsigned count = get_le16(node->raw + WIM_ENTRY_STREAMS);
	const uint8_t *p = node->raw + node->entry_len;

	if (!wim_hash_is_zero(node->raw + WIM_ENTRY_HASH))
		visit(node->raw + WIM_ENTRY_HASH, arg);
	for (; count; count--) {
		if (!wim_hash_is_zero(p + WIM_STREAM_HASH))
			visit(p + WIM_STREAM_HASH, arg);
		p += round_up(get_le64(p + WIM_STREAM_LENGTH));
	}
}

/* ---- names
 * ------------------------------------------------------------------------------- */

/* Orders by upper-cased unit, then by length. */
static int compare_folded(struct bytes a, struct bytes b)
{
	size_t len = a.len < b.len ? a.len : b.len;

	for (size_t i = 0; i + 1 < len; i += 2) {
		uint16_t x = get_le16(a.data + i), y = get_le16(b.data + i);

		if (x == y)
			continue;
		x = upcase_unit(x);
		y = upcase_unit(y);
		if (x != y)
			return x < y ? -1 : 1;
	}
	return (a.len > b.len) - (a.len < b.len);
}

static int compare_nodes(const void *a, const void *b)
{
	const struct wim_node *x = *(struct wim_node *const *)a;
	const struct wim_node *y = *(struct wim_node *const *)b;
	struct bytes m = node_name(x), n = node_name(y);
	int order = compare_folded(m, n);

	if (!order) /* as stored: a total order keeps the result the same everywhere */
		order = memcmp(m.data, n.data, m.len < n.len ? m.len : n.len);
	return order ? order : (x->raw > y->raw) - (x->raw < y->raw);
}

/* The first child whose folded name is not less than `name`. */
static uint32_t lower_bound(const struct wim_node *folder, struct bytes name)
{
	uint32_t low = 0, high = folder->child_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (compare_folded(node_name(folder->children[middle]), name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct wim_node *wim_node_child(const struct wim_node *folder, const char *name,
				size_t len)
{
	_cleanup_buffer_ struct buffer units = BUFFER_INIT;
	_cleanup_free_ char *copy = xstrndup(name, len);
	struct wim_node *found = NULL;
	struct bytes wanted;

	utf16_append(&units, copy);
	wanted = buffer_view(&units);
	for (uint32_t i = lower_bound(folder, wanted); i < folder->child_count; i++) {
		struct wim_node *child = folder->children[i];

		if (compare_folded(node_name(child), wanted) != 0)
			break;
		if (!wim_node_is_nameable(child))
			continue;
		if (bytes_equal(node_name(child), wanted))
			return child;
		if (!found)
			found = child;
	}
	return found;
}

struct wim_node *wim_node_find(const struct wim_metadata *m, const char *path)
{
	struct wim_node *node = m->root;

	while (*path) {
		size_t len = path_component(path);

		if (wim_node_type(node) != TREE_FOLDER)
			return NULL;
		node = wim_node_child(node, path, len);
		if (!node)
			return NULL;
		path += len + (path[len] == '/');
	}
	return node;
}

void wim_node_attach(struct wim_node *folder, struct wim_node *child)
{
	uint32_t at = lower_bound(folder, node_name(child));

	if (folder->child_count == folder->child_room) {
		folder->child_room = folder->child_room ? folder->child_room * 2 : 4;
		folder->children = xreallocarray(folder->children, folder->child_room,
						 sizeof(struct wim_node *));
	}
	memmove(folder->children + at + 1, folder->children + at,
		(folder->child_count - at) * sizeof(struct wim_node *));
	folder->children[at] = child;
	folder->child_count++;
	child->parent = folder;
}

void wim_node_detach(struct wim_node *child)
{
	struct wim_node *folder = child->parent;
	uint32_t i = 0;

	while (folder->children[i] != child)
		i++;
	memmove(folder->children + i, folder->children + i + 1,
		(folder->child_count - i - 1) * sizeof(struct wim_node *));
	folder->child_count--;
	child->parent = NULL;
}

/* ---- parsing
 * ------------------------------------------------------------------------------ */

static int damaged(const char *what, uint64_t offset, const char *why, struct error *err)
{
	error_set(err, ERROR_FAILED, what, "the image's metadata is damaged at 0x%jx: %s",
		  (uintmax_t)offset, why);
	return error_remedy(err, "copy the WIM again from where it came from");
}

/* +0: total length, +4: count, +8: count sizes of 8 bytes, then the descriptors. */
static int parse_security(struct wim_metadata *m, const char *what, uint64_t *end,
			  struct error *err)
{
	struct bytes all = buffer_view(&m->raw), table;
	uint32_t total, count;
	uint64_t at;

	if (!bytes_le32(all, 0, &total) || !bytes_le32(all, 4, &count))
		return damaged(what, 0, "it is cut off", err);
	*end = total ? round_up(total) : 8;
	table = bytes_at(all, 0, *end);
	if (!table.data || count > MAX_SECURITY ||
	    !bytes_has(table, 8, (uint64_t)count * 8))
		return damaged(what, 0, "its security table is too long", err);
	at = 8 + (uint64_t)count * 8;
	for (uint32_t i = 0; i < count; i++) {
		uint64_t size = get_le64(table.data + 8 + (uint64_t)i * 8);

		if (!bytes_has(table, at, size))
			return damaged(what, 8 + (uint64_t)i * 8,
				       "a security descriptor is too long", err);
		vec_push(&m->security, (struct bytes){table.data + at, (size_t)size});
		at += size;
	}
	return 0;
}

/* Sets up the node from the entry at `at`; *end is behind its streams. 0: end of list. */
static int parse_entry(const struct wim_metadata *m, const char *what, uint64_t at,
		       struct wim_node *node, uint64_t *end, struct error *err)
{
	struct bytes all = buffer_view(&m->raw), entry = {0};
	uint64_t length, need;
	unsigned streams;

	if (!bytes_le64(all, at, &length))
		return damaged(what, at, "a folder's list has no end", err);
	if (length <= 8)
		return 0;
	if (length <= UINT32_MAX)
		entry = bytes_at(all, at, round_up(length));
	if (!entry.data || entry.len < WIM_ENTRY_SIZE)
		return damaged(what, at, "an entry has an invalid length", err);
	if ((get_le16(entry.data + WIM_ENTRY_NAME) |
	     get_le16(entry.data + WIM_ENTRY_SHORT_NAME)) &
	    1)
		return damaged(what, at, "a name has an odd length", err);
	need = WIM_ENTRY_SIZE;
	for (unsigned field = WIM_ENTRY_SHORT_NAME; field <= WIM_ENTRY_NAME; field += 2)
		if (get_le16(entry.data + field))
			need += get_le16(entry.data + field) + 2u;
	if (need > entry.len)
		return damaged(what, at, "a name is longer than its entry", err);
	node->raw = entry.data;
	node->entry_len = (uint32_t)entry.len;
	at += entry.len;
	streams = get_le16(entry.data + WIM_ENTRY_STREAMS);
	for (; streams; streams--) {
		struct bytes stream;

		if (!bytes_le64(all, at, &length) || length > UINT32_MAX ||
		    length < WIM_STREAM_SIZE ||
		    !(stream = bytes_at(all, at, round_up(length))).data ||
		    WIM_STREAM_SIZE + (uint64_t)get_le16(stream.data + WIM_STREAM_NAME) >
			    stream.len)
			return damaged(what, at, "a stream entry has an invalid length",
				       err);
		at += stream.len;
	}
	node->raw_len = (uint32_t)(all.data + at - entry.data);
	*end = at;
	return 1;
}

DEFINE_VEC(node_list, struct wim_node *);

/* Reads one folder's list into its children; those with children go on the list. */
static int parse_folder(struct wim_metadata *m, const char *what, struct wim_node *folder,
			struct node_list *found, struct node_list *todo,
			struct error *err)
{
	uint64_t at = get_le64(folder->raw + WIM_ENTRY_SUBDIR);
	/* Entries do not overlap in a sound image, so this many is a loop. */
	size_t most = m->raw.len / WIM_ENTRY_SIZE;

	found->len = 0;
	for (;;) {
		struct wim_node parsed = {0};
		int more = parse_entry(m, what, at, &parsed, &at, err);
		struct wim_node *node;

		if (more < 0)
			return -1;
		if (!more)
			break;
		if (m->nodes > most)
			return damaged(what, at, "its folders form a loop", err);
		node = wim_node_new(m);
		*node = parsed;
		node->parent = folder;
		vec_push(found, node);
		if (wim_node_has_list(node) && get_le64(node->raw + WIM_ENTRY_SUBDIR))
			vec_push(todo, node);
	}
	if (!found->len)
		return 0;
	folder->children = xmemdup(found->items, found->len * sizeof(*found->items));
	folder->child_count = folder->child_room = (uint32_t)found->len;
	for (uint32_t i = 1; i < folder->child_count; i++) {
		if (compare_nodes(&folder->children[i - 1], &folder->children[i]) <= 0)
			continue;
		qsort(folder->children, folder->child_count, sizeof(*folder->children),
		      compare_nodes);
		break;
	}
	return 0;
}

static int parse(struct wim_metadata *m, const char *what, struct error *err)
{
	struct node_list found = VEC_INIT, todo = VEC_INIT;
	uint64_t at;
	int result = -1;

	if (parse_security(m, what, &at, err) < 0)
		return -1;
	m->root = wim_node_new(m);
	result = parse_entry(m, what, at, m->root, &at, err);
	if (result < 0)
		return -1;
	if (result == 0 || wim_node_type(m->root) != TREE_FOLDER)
		return damaged(what, at, "it has no root folder", err);
	if (get_le64(m->root->raw + WIM_ENTRY_SUBDIR))
		vec_push(&todo, m->root);
	result = 0;
	while (todo.len && result == 0) {
		struct wim_node *folder = todo.items[--todo.len];

		result = parse_folder(m, what, folder, &found, &todo, err);
	}
	vec_free(&found);
	vec_free(&todo);
	return result;
}

int wim_metadata_parse(struct buffer *raw, const char *what, struct wim_metadata **ret,
		       struct error *err)
{
	struct wim_metadata *m = xcalloc(1, sizeof(*m));

	m->raw = *raw;
	*raw = (struct buffer)BUFFER_INIT;
	if (parse(m, what, err) < 0) {
		wim_metadata_free(m);
		return -1;
	}
	*ret = m;
	return 0;
}
