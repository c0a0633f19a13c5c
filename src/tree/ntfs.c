/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* libntfs-3g's other headers need it first. */
#include "tree/ntfs_private.h"

#include <ntfs-3g/dir.h>

#include "base/file.h"
#include "base/text.h"
#include "tree/ntfs_wof.h"

#define BOOT_SECTOR 512
#define BOOT_NAME 0x03
#define BOOT_SECTOR_SIZE 0x0b
#define BOOT_SECTORS 0x28
#define BOOT_SERIAL 0x48
/* How much of a file is in memory at a time when it goes to a host file. */
#define PIECE (1024u * 1024)
/* Windows' limit for reparse data. */
#define MAX_REPARSE (16 * 1024)
#define REPARSE_HEADER 8 /* tag, length, reserved */
#define FILE_NAME_PARENT 0
#define MAX_ATTRIBUTE_DEFINITIONS 0xffffff /* libntfs-3g's */
#define RECORD_NUMBER(reference) ((reference)&0x0000ffffffffffffULL)

void ntfs_close_inode(ntfs_inode **inode)
{
	if (*inode)
		(void)ntfs_inode_close(*inode);
	*inode = NULL;
}

void ntfs_close_attribute(ntfs_attr **attribute)
{
	if (*attribute)
		ntfs_attr_close(*attribute);
	*attribute = NULL;
}

ntfs_inode *ntfs_open_inode(struct ntfs *ntfs, uint64_t reference, const char *path,
			    struct error *err)
{
	ntfs_inode *inode;

	if (!ntfs->volume) { /* a failed ntfs_remount() */
		error_set(err, ERROR_FAILED, path, "the volume is not mounted");
		return NULL;
	}
	ntfs_begin(ntfs);
	inode = ntfs_inode_open(ntfs->volume, reference);
	if (!inode)
		ntfs_failed(ntfs, err, path, "cannot read its record (%ju)",
			    (uintmax_t)RECORD_NUMBER(reference));
	return inode;
}

int ntfs_read_attribute(struct ntfs *ntfs, ntfs_attr *attribute, void *buf, size_t len,
			uint64_t offset, const char *path, struct error *err)
{
	s64 n;

	ntfs_begin(ntfs);
	n = ntfs_attr_pread(attribute, (s64)offset, (s64)len, buf);
	if (n >= 0 && (size_t)n == len)
		return 0;
	return ntfs_failed(ntfs, err, path, "cannot read %zu bytes at %ju", len,
			   (uintmax_t)offset);
}

/* ---- mounting -----------------------------------------------------------------------
 */

/* The first resident attribute of a type without name: a view into the inode's record. */
static struct bytes resident_value(ntfs_attr_search_ctx *ctx, ATTR_TYPES type)
{
	const ATTR_RECORD *a;
	uint32_t len;

	if (ntfs_attr_lookup(type, AT_UNNAMED, 0, CASE_SENSITIVE, 0, NULL, 0, ctx) != 0)
		return (struct bytes){0};
	a = ctx->attr;
	len = le32_to_cpu(a->length);
	if (a->non_resident)
		return (struct bytes){0};
	return bytes_at((struct bytes){(const uint8_t *)a, len},
			le16_to_cpu(a->value_offset), le32_to_cpu(a->value_length));
}

static char *read_label(const struct ntfs *ntfs)
{
	ntfs_attr_search_ctx *ctx = ntfs_attr_get_search_ctx(ntfs->volume->vol_ni, NULL);
	struct bytes name = {0};
	char *label;

	if (ctx)
		name = resident_value(ctx, AT_VOLUME_NAME);
	label = name.data ? utf16_to_utf8(name.data, name.len) : xstrdup("");
	if (ctx)
		ntfs_attr_put_search_ctx(ctx);
	return label;
}

/* What libntfs-3g would say less clearly. */
static int check_boot_sector(struct ntfs *ntfs, struct error *err)
{
	uint8_t boot[BOOT_SECTOR];
	uint64_t sectors, size;

	if (block_pread(ntfs->block, boot, sizeof(boot), 0, err) < 0)
		return -1;
	if (memcmp(boot + BOOT_NAME, "NTFS    ", 8) != 0)
		return error_set(err, ERROR_FAILED, ntfs->block->name,
				 "is no NTFS volume");
	sectors = get_le64(boot + BOOT_SECTORS);
	if (mul_overflow(sectors, (uint64_t)get_le16(boot + BOOT_SECTOR_SIZE), &size) ||
	    size > ntfs->block->size) {
		error_set(
			err, ERROR_FAILED, ntfs->block->name,
			"is cut short: it has %ju bytes of an NTFS volume of %ju sectors",
			(uintmax_t)ntfs->block->size, (uintmax_t)sectors);
		return error_remedy(err, "get the image again");
	}
	ntfs->serial = get_le64(boot + BOOT_SERIAL);
	return 0;
}

/* Reads $AttrDef, which the library bounds to 24 bits, as mounting does. */
static bool has_attribute_definitions(ntfs_volume *volume)
{
	_cleanup_(ntfs_close_inode) ntfs_inode *inode =
		ntfs_inode_open(volume, FILE_AttrDef);
	_cleanup_(ntfs_close_attribute) ntfs_attr *data = NULL;
	_cleanup_free_ void *buf = NULL;

	if (inode)
		data = ntfs_attr_open(inode, AT_DATA, AT_UNNAMED, 0);
	if (!data || data->data_size < 0 || data->data_size > MAX_ATTRIBUTE_DEFINITIONS)
		return false;
	buf = xmalloc((size_t)data->data_size + 1);
	return ntfs_attr_pread(data, 0, data->data_size, buf) == data->data_size;
}

/*
 * A damaged $AttrDef makes ntfs_device_mount() fail without releasing it (libntfs-3g's
 * volume.c, up to 2022.10.3 at least). So it is looked at before. What else is wrong with
 * the volume is left for mounting to say.
 */
static int check_attribute_definitions(struct ntfs *ntfs, struct error *err)
{
	struct ntfs_device *device;
	ntfs_volume *volume;
	bool sound;

	ntfs_begin(ntfs);
	device = ntfs_device_new(ntfs);
	if (!device)
		return 0;
	volume = ntfs_volume_startup(device, NTFS_MNT_RDONLY);
	if (!volume) {
		(void)ntfs_device_free(device);
		return 0;
	}
	sound = has_attribute_definitions(volume);
	if (!sound)
		ntfs_failed(ntfs, err, ntfs->block->name,
			    "is an NTFS volume whose $AttrDef cannot be read");
	(void)ntfs_umount(volume, FALSE);
	return sound ? 0 : -1;
}

static int mount(struct ntfs *ntfs, struct error *err)
{
	struct ntfs_device *device;

	if (check_boot_sector(ntfs, err) < 0 ||
	    check_attribute_definitions(ntfs, err) < 0)
		return -1;
	ntfs_begin(ntfs);
	device = ntfs_device_new(ntfs);
	if (!device)
		return ntfs_failed(ntfs, err, ntfs->block->name, "cannot be mounted");
	ntfs->volume = ntfs_device_mount(device, ntfs->write ? NTFS_MNT_NONE
							     : NTFS_MNT_RDONLY |
								       NTFS_MNT_FORENSIC);
	if (ntfs->volume) {
		free(ntfs->label);
		ntfs->label = read_label(ntfs);
		return 0;
	}
	ntfs_failed(ntfs, err, ntfs->block->name,
		    "is an NTFS volume that cannot be mounted");
	(void)ntfs_device_free(device);
	return -1;
}

struct ntfs *ntfs_open(struct block *block, bool write, struct error *err)
{
	struct ntfs *ntfs = xcalloc(1, sizeof(*ntfs));

	ntfs->block = block;
	ntfs->write = write;
	if (mount(ntfs, err) == 0)
		return ntfs;
	(void)ntfs_close(ntfs, NULL);
	return NULL;
}

int ntfs_close(struct ntfs *ntfs, struct error *err)
{
	int result = 0;

	if (!ntfs)
		return 0;
	if (ntfs->volume) {
		ntfs_begin(ntfs);
		if (ntfs_umount(ntfs->volume, FALSE) != 0 && ntfs->write)
			result = ntfs_failed(ntfs, err, ntfs->block->name,
					     "cannot be unmounted");
	}
	if (result == 0 && ntfs->write)
		result = block_flush(ntfs->block, err);
	ntfs_cache_free(ntfs);
	error_clear(&ntfs->failure);
	free(ntfs->label);
	free(ntfs);
	return result;
}

int ntfs_remount(struct ntfs *ntfs, struct error *err)
{
	if (ntfs->volume)
		(void)ntfs_umount(ntfs->volume, FALSE);
	ntfs->volume = NULL;
	ntfs_cache_free(ntfs);
	free(ntfs->label);
	ntfs->label = xstrdup("");
	return mount(ntfs, err);
}

const char *ntfs_label(const struct ntfs *ntfs)
{
	return ntfs->label;
}

uint64_t ntfs_serial(const struct ntfs *ntfs)
{
	return ntfs->serial;
}

uint32_t ntfs_cluster_size(const struct ntfs *ntfs)
{
	return ntfs->volume->cluster_size;
}

/* ---- what a record says -------------------------------------------------------------
 */

uint32_t ntfs_reparse_tag(ntfs_inode *inode)
{
	_cleanup_attribute_ ntfs_attr *attribute = NULL;
	uint8_t tag[4];

	if (!(inode->flags & FILE_ATTR_REPARSE_POINT))
		return 0;
	attribute = ntfs_attr_open(inode, AT_REPARSE_POINT, AT_UNNAMED, 0);
	if (!attribute || ntfs_attr_pread(attribute, 0, sizeof(tag), tag) != sizeof(tag))
		return 0;
	return get_le32(tag);
}

static bool is_folder(const ntfs_inode *inode)
{
	return inode->mrec->flags & MFT_RECORD_IS_DIRECTORY;
}

void ntfs_fill_stat(ntfs_inode *inode, struct tree_stat *st)
{
	uint32_t tag = ntfs_reparse_tag(inode);

	*st = (struct tree_stat){
		.type = is_folder(inode) ? TREE_FOLDER : TREE_FILE,
		/* Flags of the index alone are not for others. */
		.attributes = le32_to_cpu(inode->flags) & 0x0fffffffu,
		.created = (uint64_t)sle64_to_cpu(inode->creation_time),
		.modified = (uint64_t)sle64_to_cpu(inode->last_data_change_time),
	};
	if (is_folder(inode))
		st->attributes |= TREE_ATTR_DIRECTORY;
	else
		st->size = (uint64_t)inode->data_size;
	if (!is_folder(inode) && (tag == NTFS_TAG_WOF || tag == NTFS_TAG_DEDUP)) {
		/* Windows shows neither that they are reparse points nor sparse. */
		st->attributes &=
			~(TREE_ATTR_REPARSE_POINT | le32_to_cpu(FILE_ATTR_SPARSE_FILE));
	} else if (inode->flags & FILE_ATTR_REPARSE_POINT) {
		st->type = TREE_LINK;
		st->size = 0;
	}
	if (!st->attributes)
		st->attributes = TREE_ATTR_NORMAL;
}

/*
 * A folder has one parent. Where its record names another one than it was found in, the
 * volume is damaged, and following it could go round for ever.
 */
static int check_parent(struct ntfs *ntfs, ntfs_inode *inode, uint64_t parent,
			const char *path, struct error *err)
{
	ntfs_attr_search_ctx *ctx = ntfs_attr_get_search_ctx(inode, NULL);
	struct bytes name = {0};
	uint64_t reference = UINT64_MAX;
	bool known;

	ntfs_begin(ntfs);
	if (ctx)
		name = resident_value(ctx, AT_FILE_NAME);
	known = bytes_le64(name, FILE_NAME_PARENT, &reference);
	if (ctx)
		ntfs_attr_put_search_ctx(ctx);
	if (known && RECORD_NUMBER(reference) == parent)
		return 0;
	error_set(err, ERROR_FAILED, path,
		  "its record does not name the folder that it was found in");
	return error_remedy(err, "run chkdsk on the volume in Windows");
}

bool ntfs_name_is_nameable(const struct ntfs_name *name)
{
	for (size_t i = 0; i + 2 <= name->len; i += 2) {
		uint16_t unit = get_le16(name->units + i);

		if (unit == 0 || unit == '/' || unit == '\\')
			return false;
	}
	return name->len && !(name->len <= 4 && get_le16(name->units) == '.' &&
			      (name->len == 2 || get_le16(name->units + 2) == '.'));
}

static bool is_shown(const struct ntfs_name *name)
{
	return name->namespace != FILE_NAME_DOS &&
	       RECORD_NUMBER(name->reference) >= NTFS_FIRST_USER &&
	       ntfs_name_is_nameable(name);
}

/* ---- paths --------------------------------------------------------------------------
 */

/*
 * One step from `folder`: 1 and *next, 0 if there is no such name. `stored` grows by the
 * name.
 */
static int step(struct ntfs *ntfs, ntfs_inode *folder, const char *component,
		char **stored, ntfs_inode **next, struct error *err)
{
	_cleanup_buffer_ struct buffer wanted = BUFFER_INIT;
	_cleanup_free_ uint8_t *storage = NULL;
	_cleanup_free_ char *name = NULL;
	struct ntfs_name found;
	char *longer;
	int result;

	utf16_append(&wanted, component);
	result = ntfs_index_find(ntfs, folder, buffer_view(&wanted), &found, &storage,
				 err);
	if (result <= 0 || !is_shown(&found))
		return result < 0 ? -1 : 0;
	name = utf16_to_utf8(found.units, found.len);
	longer = path_join(*stored, name);
	free(*stored);
	*stored = longer;
	*next = ntfs_open_inode(ntfs, found.reference, *stored, err);
	if (!*next)
		return -1;
	if (is_folder(*next) &&
	    check_parent(ntfs, *next, folder->mft_no, *stored, err) < 0) {
		ntfs_close_inode(next);
		return -1;
	}
	return 1;
}

int ntfs_find(struct ntfs *ntfs, const char *path, ntfs_inode **ret, char **stored,
	      struct error *err)
{
	_cleanup_free_ char *so_far = xstrdup("");
	_cleanup_inode_ ntfs_inode *at =
		ntfs_open_inode(ntfs, FILE_root, *path ? path : "the root folder", err);

	if (!at)
		return -1;
	while (*path) {
		size_t len = path_component(path);
		_cleanup_free_ char *component = xstrndup(path, len);
		ntfs_inode *next;
		int found;

		if (!is_folder(at) || at->flags & FILE_ATTR_REPARSE_POINT)
			return 0;
		found = step(ntfs, at, component, &so_far, &next, err);
		if (found <= 0)
			return found;
		ntfs_close_inode(&at);
		at = next;
		path += len + (path[len] == '/');
	}
	*ret = steal_ptr(at);
	if (stored)
		*stored = steal_ptr(so_far);
	return 1;
}

/* ---- the tree -----------------------------------------------------------------------
 */

struct ntfs_tree {
	struct tree tree;
	struct ntfs *ntfs;
};

static struct ntfs *volume_of(const struct tree *tree)
{
	return ((const struct ntfs_tree *)tree)->ntfs;
}

static int tree_stat_op(struct tree *tree, const char *path, struct tree_stat *st,
			char **stored, struct error *err)
{
	_cleanup_inode_ ntfs_inode *inode = NULL;
	int found = ntfs_find(volume_of(tree), path, &inode, stored, err);

	if (found == 1)
		ntfs_fill_stat(inode, st);
	return found;
}

struct listing {
	struct ntfs *ntfs;
	struct tree_entries *entries;
	const char *path;
};

static int list_name(void *arg, const struct ntfs_name *name, struct error *err _unused_)
{
	struct listing *listing = arg;
	struct tree_entries *entries = listing->entries;
	struct tree_entry entry = {.stat = name->stat};
	ntfs_inode *inode;

	if (!is_shown(name))
		return 0;
	entry.name = utf16_to_utf8(name->units, name->len);
	if (entries->len &&
	    strcmp(entries->items[entries->len - 1].name, entry.name) == 0) {
		free(entry.name); /* the same name twice: the first counts */
		return 0;
	}
	/*
	 * The index's copy of sizes and times is only brought up to date for the name by
	 * which a file was written. What cannot be read is still listed.
	 */
	ntfs_begin(listing->ntfs);
	inode = ntfs_inode_open(listing->ntfs->volume, name->reference);
	if (inode) {
		ntfs_fill_stat(inode, &entry.stat);
		ntfs_close_inode(&inode);
	}
	vec_push(entries, entry);
	return 0;
}

static int tree_list_op(struct tree *tree, const char *path, struct tree_entries *ret,
			struct error *err)
{
	struct listing listing = {volume_of(tree), ret, path};
	_cleanup_inode_ ntfs_inode *folder = NULL;
	int found = ntfs_find(listing.ntfs, path, &folder, NULL, err);

	if (found <= 0 || !is_folder(folder) || folder->flags & FILE_ATTR_REPARSE_POINT)
		return found < 0 ? -1 : 0;
	return ntfs_index_each(listing.ntfs, folder, list_name, &listing, err);
}

/* ---- content ------------------------------------------------------------------------
 */

/* A file open for reading. */
struct content {
	struct ntfs *ntfs;
	const char *path;
	ntfs_inode *inode;
	ntfs_attr *data; /* the stream that is read; NULL: the file is empty */
	uint64_t size;
	bool wof;
	enum wof_algorithm algorithm;
};

static void content_close(struct content *c)
{
	ntfs_close_attribute(&c->data);
	ntfs_close_inode(&c->inode);
}
#define _cleanup_content_ _cleanup_(content_close)

ntfs_attr *ntfs_open_wof(ntfs_inode *inode)
{
	static ntfschar name[] = {
		const_cpu_to_le16('W'), const_cpu_to_le16('o'), const_cpu_to_le16('f'),
		const_cpu_to_le16('C'), const_cpu_to_le16('o'), const_cpu_to_le16('m'),
		const_cpu_to_le16('p'), const_cpu_to_le16('r'), const_cpu_to_le16('e'),
		const_cpu_to_le16('s'), const_cpu_to_le16('s'), const_cpu_to_le16('e'),
		const_cpu_to_le16('d'), const_cpu_to_le16('D'), const_cpu_to_le16('a'),
		const_cpu_to_le16('t'), const_cpu_to_le16('a'),
	};

	return ntfs_attr_open(inode, AT_DATA, name, ARRAY_SIZE(name));
}

/* The compressed stream takes the place of the unnamed one, which only has the size. */
static int open_wof(struct content *c, struct error *err)
{
	_cleanup_attribute_ ntfs_attr *reparse =
		ntfs_attr_open(c->inode, AT_REPARSE_POINT, AT_UNNAMED, 0);
	uint8_t raw[MAX_REPARSE];
	size_t len;

	if (!reparse || reparse->data_size < REPARSE_HEADER ||
	    reparse->data_size > MAX_REPARSE)
		return error_set(err, ERROR_FAILED, c->path,
				 "its reparse point is damaged");
	len = (size_t)reparse->data_size;
	if (ntfs_read_attribute(c->ntfs, reparse, raw, len, 0, c->path, err) < 0 ||
	    wof_parse((struct bytes){raw + REPARSE_HEADER, len - REPARSE_HEADER},
		      &c->algorithm, c->path, err) < 0)
		return -1;
	ntfs_close_attribute(&c->data);
	ntfs_begin(c->ntfs);
	c->data = ntfs_open_wof(c->inode);
	if (!c->data)
		return ntfs_failed(c->ntfs, err, c->path,
				   "cannot open its compressed content (Compact OS)");
	c->wof = true;
	return 0;
}

static int open_stream(struct content *c, struct error *err)
{
	uint32_t tag = ntfs_reparse_tag(c->inode);

	if (c->inode->flags & FILE_ATTR_ENCRYPTED) {
		error_set(err, ERROR_FAILED, c->path, "is encrypted (EFS)");
		return error_remedy(err, "decrypt it in Windows first");
	}
	if (tag == NTFS_TAG_DEDUP) {
		error_set(err, ERROR_FAILED, c->path,
			  "its content lies in the volume's chunk store (Data "
			  "Deduplication)");
		return error_remedy(err, "run in Windows: Expand-DedupFile");
	}
	ntfs_begin(c->ntfs);
	c->data = ntfs_attr_open(c->inode, AT_DATA, AT_UNNAMED, 0);
	if (!c->data) {
		if (errno == ENOENT)
			return 0;
		return ntfs_failed(c->ntfs, err, c->path, "cannot open its content");
	}
	c->size = (uint64_t)c->data->data_size;
	return tag == NTFS_TAG_WOF ? open_wof(c, err) : 0;
}

static int open_content(struct tree *tree, const char *path, struct content *c,
			struct error *err)
{
	_cleanup_free_ char *where = xasprintf("%s: %s", tree->name, path);
	struct tree_stat st;
	int found;

	*c = (struct content){.ntfs = volume_of(tree), .path = path};
	found = ntfs_find(c->ntfs, path, &c->inode, NULL, err);
	if (found < 0)
		return -1;
	if (found)
		ntfs_fill_stat(c->inode, &st);
	if (!found || st.type != TREE_FILE)
		return error_set(err, ERROR_FAILED, where, "is no file in the image");
	if (open_stream(c, err) == 0)
		return 0;
	return -1;
}

static int read_packed(void *arg, void *buf, size_t len, uint64_t offset,
		       struct error *err)
{
	struct content *c = arg;

	return ntfs_read_attribute(c->ntfs, c->data, buf, len, offset, c->path, err);
}

/* Hands the whole content to `sink` in pieces. */
static int stream_content(struct content *c,
			  int (*sink)(struct bytes data, void *arg, struct error *err),
			  void *arg, struct error *err)
{
	_cleanup_free_ uint8_t *piece = NULL;

	if (!c->data)
		return 0;
	if (c->wof) {
		const struct wof_source source = {
			.read = read_packed,
			.arg = c,
			.packed = (uint64_t)c->data->data_size,
			.size = c->size,
			.algorithm = c->algorithm,
			.path = c->path,
		};

		return wof_decompress(&source, sink, arg, err);
	}
	piece = xmalloc(c->size < PIECE ? (size_t)c->size : PIECE);
	for (uint64_t at = 0; at < c->size;) {
		uint64_t left = c->size - at;
		size_t n = left < PIECE ? (size_t)left : PIECE;

		if (interrupted())
			return error_interrupted(err);
		if (ntfs_read_attribute(c->ntfs, c->data, piece, n, at, c->path, err) <
			    0 ||
		    sink((struct bytes){piece, n}, arg, err) < 0)
			return -1;
		at += n;
	}
	return 0;
}

static int to_buffer(struct bytes data, void *arg, struct error *err _unused_)
{
	buffer_append(arg, data.data, data.len);
	return 0;
}

static int tree_read_op(struct tree *tree, const char *path, size_t limit,
			struct buffer *ret, struct error *err)
{
	_cleanup_content_ struct content c = {0};

	if (open_content(tree, path, &c, err) < 0)
		return -1;
	if (c.size > limit)
		return error_set(err, ERROR_FAILED, path,
				 "is larger than the %zu bytes allowed", limit);
	return stream_content(&c, to_buffer, ret, err);
}

static int to_file(struct bytes data, void *arg, struct error *err)
{
	return file_write_all(*(int *)arg, data, "the extracted file", err);
}

static int tree_extract_op(struct tree *tree, const char *path, const char *host_path,
			   struct error *err)
{
	_cleanup_content_ struct content c = {0};
	int fd, result;

	if (open_content(tree, path, &c, err) < 0)
		return -1;
	fd = file_open_new(host_path, c.size, err);
	if (fd < 0)
		return -1;
	result = stream_content(&c, to_file, &fd, err);
	return file_close_new(fd, host_path, result, err);
}

static const struct tree_ops ntfs_tree_ops = {
	.stat = tree_stat_op,
	.list = tree_list_op,
	.read = tree_read_op,
	.extract = tree_extract_op,
};

struct tree *ntfs_tree(struct image *image, size_t index, char *name, struct ntfs *ntfs)
{
	struct ntfs_tree *tree = xcalloc(1, sizeof(*tree));

	tree->ntfs = ntfs;
	tree_init(&tree->tree, &ntfs_tree_ops, image, index, name);
	return &tree->tree;
}
