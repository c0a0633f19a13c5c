/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Folders of an NTFS volume: the B-tree of names that $INDEX_ROOT and $INDEX_ALLOCATION
 * (both named $I30) hold. Every offset in it is the volume's word and is checked; a tree
 * that is too deep or comes back to a block it has passed is refused.
 */
#include <errno.h>

/* libntfs-3g's other headers need it first. */
#include "tree/ntfs_private.h"

#include <ntfs-3g/dir.h>

#include "base/text.h"

/* $INDEX_ROOT: the collation rule, the size of blocks, then a node. */
#define ROOT_COLLATION 0x04
#define ROOT_BLOCK_SIZE 0x08
#define ROOT_NODE 0x10
/* A block of $INDEX_ALLOCATION. */
#define BLOCK_MAGIC "INDX"
#define BLOCK_VCN 0x10
#define BLOCK_NODE 0x18
/* The head of a node; its offsets count from there. */
#define NODE_ENTRIES 0x00
#define NODE_USED 0x04
#define NODE_SIZE 0x10
/* An entry: what it leads to, its length, the name as a $FILE_NAME. */
#define ENTRY_REFERENCE 0x00
#define ENTRY_LENGTH 0x08
#define ENTRY_KEY_LENGTH 0x0a
#define ENTRY_FLAGS 0x0c
#define ENTRY_KEY 0x10
#define ENTRY_HAS_CHILD 1
#define ENTRY_LAST 2
#define NAME_CREATED 0x08
#define NAME_MODIFIED 0x10
#define NAME_DATA_SIZE 0x30
#define NAME_ATTRIBUTES 0x38
#define NAME_LENGTH 0x40
#define NAME_NAMESPACE 0x41
#define NAME_UNITS 0x42

#define MIN_BLOCK 512
#define MAX_BLOCK (64 * 1024)
/* More index blocks than any volume has files to fill them with. */
#define MAX_BLOCKS (1u << 24)
/* Attributes of the index alone: "is a folder", "has a view index". */
#define INDEX_FOLDER 0x10000000u
#define INDEX_VIEW 0x20000000u

struct folder {
	struct ntfs *ntfs;
	ntfs_inode *inode;
	char *subject;	   /* for messages */
	ntfs_attr *blocks; /* $INDEX_ALLOCATION; NULL: it has none */
	uint32_t block_size;
	uint64_t block_count;
	unsigned vcn_shift; /* a child's number is counted in units of so many bits */
	uint8_t *visited;   /* a bit for each block */
};

struct entry {
	struct ntfs_name name;
	bool last, has_child;
	uint64_t child;
};

static int damaged(const struct folder *f, struct error *err, const char *what)
{
	error_set(err, ERROR_FAILED, f->subject, "its index is damaged: %s", what);
	return error_remedy(err, "run chkdsk on the volume in Windows");
}

static void close_folder(struct folder *f)
{
	if (f->blocks)
		ntfs_attr_close(f->blocks);
	free(f->visited);
	free(f->subject);
}
#define _cleanup_folder_ _cleanup_(close_folder)

static int open_blocks(struct folder *f, struct error *err)
{
	struct ntfs *ntfs = f->ntfs;

	f->blocks = ntfs_attr_open(f->inode, AT_INDEX_ALLOCATION, NTFS_INDEX_I30, 4);
	if (!f->blocks) {
		if (errno == ENOENT)
			return 0;
		return ntfs_failed(ntfs, err, f->subject, "cannot open its index");
	}
	f->block_count = (uint64_t)f->blocks->data_size / f->block_size;
	if (f->block_count > MAX_BLOCKS)
		return damaged(f, err, "it is too large");
	f->visited = xcalloc(f->block_count / 8 + 1, 1);
	return 0;
}

/* The root's node goes to *root, which the caller frees. */
static int open_folder(struct folder *f, struct ntfs *ntfs, ntfs_inode *inode,
		       struct buffer *root, struct error *err)
{
	_cleanup_attribute_ ntfs_attr *attribute = NULL;
	size_t len;

	*f = (struct folder){.ntfs = ntfs, .inode = inode};
	f->subject = xasprintf("%s: folder of record %ju", ntfs->block->name,
			       (uintmax_t)inode->mft_no);
	ntfs_begin(ntfs);
	attribute = ntfs_attr_open(inode, AT_INDEX_ROOT, NTFS_INDEX_I30, 4);
	if (!attribute)
		return ntfs_failed(ntfs, err, f->subject, "cannot open its index");
	if (attribute->data_size < ROOT_NODE + NODE_SIZE ||
	    attribute->data_size > ntfs->volume->mft_record_size)
		return damaged(f, err, "its root has a wrong size");
	len = (size_t)attribute->data_size;
	if (ntfs_read_attribute(ntfs, attribute, buffer_reserve(root, len), len, 0,
				f->subject, err) < 0)
		return -1;
	root->len = len;
	if (get_le32(root->data + ROOT_COLLATION) != le32_to_cpu(COLLATION_FILE_NAME))
		return damaged(f, err, "it is not ordered by names");
	f->block_size = get_le32(root->data + ROOT_BLOCK_SIZE);
	if (f->block_size < MIN_BLOCK || f->block_size > MAX_BLOCK ||
	    f->block_size & (f->block_size - 1))
		return damaged(f, err, "the size of its blocks is wrong");
	/* Blocks smaller than a cluster are counted in sectors of 512 bytes. */
	f->vcn_shift = ntfs->volume->cluster_size <= f->block_size
			       ? ntfs->volume->cluster_size_bits
			       : 9;
	return open_blocks(f, err);
}

/* The entries of a node: `raw` begins with its head. */
static int node_entries(const struct folder *f, struct bytes raw, struct bytes *ret,
			struct error *err)
{
	uint32_t begin, used;

	if (!bytes_le32(raw, NODE_ENTRIES, &begin) ||
	    !bytes_le32(raw, NODE_USED, &used) || used > raw.len || begin < NODE_SIZE ||
	    begin > used)
		return damaged(f, err, "a node has wrong offsets");
	*ret = bytes_at(raw, begin, used - begin);
	return 0;
}

/* Reads block `child` of the tree: its node's entries lie in `block` of block_size bytes.
 */
static int read_block(struct folder *f, uint64_t child, uint8_t *block, struct bytes *ret,
		      struct error *err)
{
	uint64_t offset, number;

	if (!f->blocks || child > UINT64_MAX >> (f->vcn_shift + 1))
		return damaged(f, err, "a node refers to no block");
	offset = child << f->vcn_shift;
	number = offset / f->block_size;
	if (offset % f->block_size || number >= f->block_count)
		return damaged(f, err, "a node refers to no block");
	if (f->visited[number / 8] & 1 << number % 8)
		return damaged(f, err, "it leads back to itself");
	f->visited[number / 8] |= (uint8_t)(1 << number % 8);
	if (ntfs_attr_mst_pread(f->blocks, (s64)offset, 1, f->block_size, block) != 1)
		return ntfs_failed(f->ntfs, err, f->subject, "cannot read its index");
	if (memcmp(block, BLOCK_MAGIC, 4) != 0 || get_le64(block + BLOCK_VCN) != child)
		return damaged(f, err, "a block is none of an index");
	return node_entries(
		f, (struct bytes){block + BLOCK_NODE, f->block_size - BLOCK_NODE}, ret,
		err);
}

static void parse_name(const uint8_t *key, struct ntfs_name *name)
{
	uint32_t attributes = get_le32(key + NAME_ATTRIBUTES);

	name->units = key + NAME_UNITS;
	name->len = 2 * (size_t)key[NAME_LENGTH];
	name->namespace = key[NAME_NAMESPACE];
	name->stat = (struct tree_stat){.created = get_le64(key + NAME_CREATED),
					.modified = get_le64(key + NAME_MODIFIED)};
	if (attributes & INDEX_FOLDER) {
		name->stat.type = TREE_FOLDER;
		attributes |= TREE_ATTR_DIRECTORY;
	} else {
		name->stat.size = get_le64(key + NAME_DATA_SIZE);
	}
	if (attributes & TREE_ATTR_REPARSE_POINT)
		name->stat.type = TREE_LINK;
	name->stat.attributes = attributes & ~(INDEX_FOLDER | INDEX_VIEW);
}

/* Takes the first entry off `rest`. */
static int next_entry(const struct folder *f, struct bytes *rest, struct entry *ret,
		      struct error *err)
{
	struct bytes raw;
	size_t len, key_len, room;

	if (rest->len < ENTRY_KEY)
		return damaged(f, err, "a node ends without its last entry");
	len = get_le16(rest->data + ENTRY_LENGTH);
	raw = bytes_at(*rest, 0, len);
	if (len < ENTRY_KEY || !raw.data)
		return damaged(f, err, "an entry has a wrong length");
	*rest = bytes_at(*rest, len, rest->len - len);
	key_len = get_le16(raw.data + ENTRY_KEY_LENGTH);
	*ret = (struct entry){0};
	ret->last = get_le16(raw.data + ENTRY_FLAGS) & ENTRY_LAST;
	ret->has_child = get_le16(raw.data + ENTRY_FLAGS) & ENTRY_HAS_CHILD;
	room = len - ENTRY_KEY;
	if (ret->has_child) {
		if (room < 8)
			return damaged(f, err, "an entry has no room for its child");
		room -= 8;
		ret->child = get_le64(raw.data + len - 8);
	}
	if (ret->last)
		return 0;
	if (key_len < NAME_UNITS || key_len > room ||
	    NAME_UNITS + 2 * (size_t)raw.data[ENTRY_KEY + NAME_LENGTH] > key_len)
		return damaged(f, err, "a name does not fit into its entry");
	ret->name.reference = get_le64(raw.data + ENTRY_REFERENCE);
	parse_name(raw.data + ENTRY_KEY, &ret->name);
	return 0;
}

/* ---- order --------------------------------------------------------------------------
 */

static unsigned upcased(const ntfs_volume *volume, unsigned unit)
{
	return unit < volume->upcase_len ? le16_to_cpu(volume->upcase[unit]) : unit;
}

int ntfs_compare_names(const ntfs_volume *volume, struct bytes a, struct bytes b)
{
	for (size_t i = 0; i + 2 <= a.len && i + 2 <= b.len; i += 2) {
		unsigned x = upcased(volume, get_le16(a.data + i));
		unsigned y = upcased(volume, get_le16(b.data + i));

		if (x != y)
			return x < y ? -1 : 1;
	}
	return (a.len > b.len) - (a.len < b.len);
}

/* Names that differ in case only are ordered by their units. */
static int compare_exact(struct bytes a, struct bytes b)
{
	for (size_t i = 0; i + 2 <= a.len; i += 2) {
		unsigned x = get_le16(a.data + i), y = get_le16(b.data + i);

		if (x != y)
			return x < y ? -1 : 1;
	}
	return 0;
}

/* ---- finding a name -----------------------------------------------------------------
 */

/* The best match so far: the exact one ends the search. */
struct match {
	struct bytes wanted;
	struct ntfs_name best;
	uint8_t *storage;
	bool found;
};

static void keep_match(struct match *match, const struct ntfs_name *name)
{
	free(match->storage);
	match->storage = xmemdup(name->units, name->len);
	match->best = *name;
	match->best.units = match->storage;
	match->found = true;
}

/*
 * Searches one node. 1: the exact name is there; 0: it is not, and if *child is set, it
 * may be below. All names that are equal but for case lie on the way of the search or
 * after those that do.
 */
static int search_node(const struct folder *f, struct bytes entries, struct match *match,
		       struct entry *at, struct error *err)
{
	for (;;) {
		struct bytes name;
		int order;

		if (next_entry(f, &entries, at, err) < 0)
			return -1;
		if (at->last)
			return 0;
		name = (struct bytes){at->name.units, at->name.len};
		order = ntfs_compare_names(f->ntfs->volume, match->wanted, name);
		if (order == 0) {
			order = compare_exact(match->wanted, name);
			if (order == 0 || !match->found)
				keep_match(match, &at->name);
			if (order == 0)
				return 1;
		}
		if (order < 0)
			return 0;
	}
}

static int find(struct folder *f, struct bytes root, struct match *match,
		struct error *err)
{
	_cleanup_free_ uint8_t *block = NULL;
	struct bytes entries;
	struct entry at;

	if (node_entries(f, bytes_at(root, ROOT_NODE, root.len - ROOT_NODE), &entries,
			 err) < 0)
		return -1;
	for (unsigned depth = 0; depth < NTFS_MAX_INDEX_DEPTH; depth++) {
		int result = search_node(f, entries, match, &at, err);

		if (result < 0)
			return -1;
		if (result || !at.has_child)
			return match->found;
		if (!block)
			block = xmalloc(f->block_size);
		if (read_block(f, at.child, block, &entries, err) < 0)
			return -1;
	}
	return damaged(f, err, "it is too deep");
}

int ntfs_index_find(struct ntfs *ntfs, ntfs_inode *folder, struct bytes name,
		    struct ntfs_name *ret, uint8_t **storage, struct error *err)
{
	_cleanup_buffer_ struct buffer root = BUFFER_INIT;
	_cleanup_folder_ struct folder f;
	struct match match = {.wanted = name};
	int found = open_folder(&f, ntfs, folder, &root, err);

	if (found == 0)
		found = find(&f, buffer_view(&root), &match, err);
	if (found == 1) {
		*ret = match.best;
		*storage = match.storage;
	} else {
		free(match.storage);
	}
	return found;
}

/* ---- all names ----------------------------------------------------------------------
 */

struct walk {
	struct folder *folder;
	int (*each)(void *arg, const struct ntfs_name *name, struct error *err);
	void *arg;
};

static int walk_node(struct walk *walk, struct bytes entries, unsigned depth,
		     struct error *err);

static int walk_child(struct walk *walk, uint64_t child, unsigned depth,
		      struct error *err)
{
	_cleanup_free_ uint8_t *block = NULL;
	struct bytes entries;

	if (depth > NTFS_MAX_INDEX_DEPTH)
		return damaged(walk->folder, err, "it is too deep");
	if (interrupted())
		return error_interrupted(err);
	block = xmalloc(walk->folder->block_size);
	if (read_block(walk->folder, child, block, &entries, err) < 0)
		return -1;
	return walk_node(walk, entries, depth, err);
}

static int walk_node(struct walk *walk, struct bytes entries, unsigned depth,
		     struct error *err)
{
	for (;;) {
		struct entry at;

		if (next_entry(walk->folder, &entries, &at, err) < 0)
			return -1;
		if (at.has_child && walk_child(walk, at.child, depth + 1, err) < 0)
			return -1;
		if (at.last)
			return 0;
		if (walk->each(walk->arg, &at.name, err) < 0)
			return -1;
	}
}

int ntfs_index_each(struct ntfs *ntfs, ntfs_inode *folder,
		    int (*each)(void *arg, const struct ntfs_name *name,
				struct error *err),
		    void *arg, struct error *err)
{
	_cleanup_buffer_ struct buffer root = BUFFER_INIT;
	_cleanup_folder_ struct folder f;
	struct walk walk = {&f, each, arg};
	struct bytes entries;

	if (open_folder(&f, ntfs, folder, &root, err) < 0)
		return -1;
	if (node_entries(&f,
			 bytes_at(buffer_view(&root), ROOT_NODE, root.len - ROOT_NODE),
			 &entries, err) < 0)
		return -1;
	return walk_node(&walk, entries, 0, err);
}
