/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * WIM files as images: opening one file or a split set, and the read side of the tree
 * over an image's metadata. The commit is in wim_commit.c.
 */
#include "tree/wim.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wimlib.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/progress.h"
#include "base/text.h"

/* A metadata resource of 1 GiB holds about five million files. */
#define MAX_METADATA (1024u * 1024 * 1024)
/* No real metadata is compressed by as much; a bomb is. */
#define MAX_RATIO 1000
#define MAX_PARTS 255

static struct wim *wim_of(const struct tree *tree)
{
	return (struct wim *)tree->image;
}

struct wim_metadata *wim_tree_metadata(struct wim_tree *tree, struct error *err)
{
	struct wim *wim = wim_of(&tree->tree);
	_cleanup_buffer_ struct buffer raw = BUFFER_INIT;
	const struct wim_blob *blob;

	if (tree->metadata)
		return tree->metadata;
	blob = &wim->blobs.items[wim->metadata.items[tree->tree.index]];
	if (wim_blob_size(blob) > MAX_METADATA ||
	    wim_blob_size(blob) / MAX_RATIO > blob->resource.size) {
		error_set(err, ERROR_FAILED, tree->tree.name,
			  "its metadata is too large");
		return NULL;
	}
	if (wim_blob_load(wim, blob, &raw, "the image's metadata", err) < 0 ||
	    wim_metadata_parse(&raw, tree->tree.name, &tree->metadata, err) < 0)
		return NULL;
	return tree->metadata;
}

static struct wim_metadata *metadata_of(struct tree *tree, struct error *err)
{
	return wim_tree_metadata((struct wim_tree *)tree, err);
}

static uint64_t node_size(const struct wim *wim, const struct wim_node *node)
{
	const struct wim_blob *blob = wim_blob_find(wim, wim_node_hash(node));

	return blob ? wim_blob_size(blob) : 0;
}

static void fill_stat(const struct wim *wim, const struct wim_node *node,
		      struct tree_stat *st)
{
	*st = (struct tree_stat){.type = wim_node_type(node),
				 .attributes = wim_node_attributes(node),
				 .created = get_le64(node->raw + WIM_ENTRY_CREATED),
				 .modified = get_le64(node->raw + WIM_ENTRY_WRITTEN)};
	if (st->type == TREE_FILE)
		st->size = node_size(wim, node);
}

static int wim_stat(struct tree *tree, const char *path, struct tree_stat *st,
		    char **stored, struct error *err)
{
	struct wim_metadata *m = metadata_of(tree, err);
	const struct wim_node *node;

	if (!m)
		return -1;
	node = wim_node_find(m, path);
	if (!node)
		return 0;
	fill_stat(wim_of(tree), node, st);
	if (stored)
		*stored = wim_node_path(node);
	return 1;
}

static int wim_list(struct tree *tree, const char *path, struct tree_entries *ret,
		    struct error *err)
{
	struct wim_metadata *m = metadata_of(tree, err);
	const struct wim_node *node = m ? wim_node_find(m, path) : NULL;

	if (!m)
		return -1;
	for (uint32_t i = 0; node && i < node->child_count; i++) {
		const struct wim_node *child = node->children[i];
		struct tree_entry entry;

		if (!wim_node_is_nameable(child))
			continue;
		entry.name = wim_node_name(child);
		if (ret->len && strcmp(ret->items[ret->len - 1].name, entry.name) == 0) {
			free(entry.name); /* the same name twice: the first counts */
			continue;
		}
		fill_stat(wim_of(tree), child, &entry.stat);
		vec_push(ret, entry);
	}
	return 0;
}

/* The blob of a file's content; *ret is NULL for an empty file. */
static int content(struct tree *tree, const char *path, struct wim_blob **ret,
		   struct error *err)
{
	struct wim_metadata *m = metadata_of(tree, err);
	const struct wim_node *node = m ? wim_node_find(m, path) : NULL;
	_cleanup_free_ char *where = xasprintf("%s: %s", tree->name, path);

	*ret = NULL;
	if (!m)
		return -1;
	if (!node || wim_node_type(node) != TREE_FILE)
		return error_set(err, ERROR_FAILED, where, "is no file in the image");
	if (wim_node_attributes(node) & TREE_ATTR_ENCRYPTED) {
		error_set(err, ERROR_FAILED, where, "is encrypted (EFS)");
		return error_remedy(err, "decrypt it in Windows before the capture");
	}
	if (wim_hash_is_zero(wim_node_hash(node)))
		return 0;
	*ret = wim_blob_find(wim_of(tree), wim_node_hash(node));
	if (*ret)
		return 0;
	error_set(err, ERROR_FAILED, where, "its content is missing from the WIM");
	return error_remedy(err, "a delta WIM needs the WIM it was made from: join them "
				 "with wimlib-imagex export --ref");
}

/* Content of solid resources that tree_prefetch() has put aside. */
static char *cached_path(const struct wim *wim, const struct wim_blob *blob)
{
	char hex[2 * WIM_HASH_SIZE + 1];

	if (!wim->cache || blob->run == UINT32_MAX)
		return NULL;
	hash_hex(blob->hash, WIM_HASH_SIZE, hex);
	return xasprintf("%s/%s", wim->cache, hex);
}

static int wim_read(struct tree *tree, const char *path, size_t limit, struct buffer *ret,
		    struct error *err)
{
	_cleanup_free_ char *cached = NULL;
	struct wim_blob *blob;

	if (content(tree, path, &blob, err) < 0)
		return -1;
	if (!blob)
		return 0;
	if (wim_blob_size(blob) > limit)
		return error_set(err, ERROR_FAILED, path, "is larger than %zu bytes",
				 limit);
	cached = cached_path(wim_of(tree), blob);
	if (cached && access(cached, R_OK) == 0)
		return file_read(cached, limit, ret, err);
	return wim_blob_load(wim_of(tree), blob, ret, path, err);
}

static int to_file(struct bytes data, void *arg, struct error *err)
{
	return file_write_all(*(int *)arg, data, "the extracted file", err);
}

static int extract_blob(struct wim *wim, const struct wim_blob *blob, const char *what,
			const char *host_path, struct error *err)
{
	int fd = file_open_new(host_path, blob ? wim_blob_size(blob) : 0, err), result;

	if (fd < 0)
		return -1;
	result = blob ? wim_blob_stream(wim, blob, to_file, &fd, what, err) : 0;
	return file_close_new(fd, host_path, result, err);
}

static int wim_extract(struct tree *tree, const char *path, const char *host_path,
		       struct error *err)
{
	_cleanup_free_ char *cached = NULL;
	struct wim_blob *blob;

	if (content(tree, path, &blob, err) < 0)
		return -1;
	cached = blob ? cached_path(wim_of(tree), blob) : NULL;
	if (cached && access(cached, R_OK) == 0)
		return file_copy(cached, host_path, err);
	return extract_blob(wim_of(tree), blob, path, host_path, err);
}

struct wanted {
	struct wim_blob *blob;
	const char *path; /* of a file that has it */
};

static int compare_place(const void *a, const void *b)
{
	const struct wim_blob *x = ((const struct wanted *)a)->blob;
	const struct wim_blob *y = ((const struct wanted *)b)->blob;

	if (x->run != y->run)
		return x->run < y->run ? -1 : 1;
	return (x->resource.offset > y->resource.offset) -
	       (x->resource.offset < y->resource.offset);
}

/*
 * Only solid resources are dear to read one by one: every read may decompress a chunk of
 * some 64 MiB. Their files are written to a temporary folder in the order of the data.
 */
static int wim_prefetch(struct tree *tree, const struct strings *paths, struct error *err)
{
	struct vec_of(struct wanted) wanted = VEC_INIT;
	struct wim *wim = wim_of(tree);
	int result = 0;

	vec_foreach (path, paths) {
		struct wim_blob *blob;

		if (content(tree, *path, &blob, NULL) == 0 && blob &&
		    blob->run != UINT32_MAX)
			vec_push(&wanted, ((struct wanted){blob, *path}));
	}
	if (wanted.len) {
		qsort(wanted.items, wanted.len, sizeof(*wanted.items), compare_place);
		if (!wim->cache)
			wim->cache = temp_folder_make(NULL, err);
		result = wim->cache ? 0 : -1;
	}
	for (size_t i = 0; i < wanted.len && result == 0; i++) {
		_cleanup_free_ char *to = cached_path(wim, wanted.items[i].blob);

		progress_report("reading files", i, wanted.len);
		if (access(to, F_OK) < 0)
			result = extract_blob(wim, wanted.items[i].blob,
					      wanted.items[i].path, to, err);
	}
	vec_free(&wanted);
	return result;
}

static const struct tree_ops wim_tree_ops = {
	.stat = wim_stat,
	.list = wim_list,
	.read = wim_read,
	.extract = wim_extract,
	.prefetch = wim_prefetch,
};

static struct tree *wim_tree(struct image *image, size_t i, struct error *err)
{
	struct wim_tree *wt = xcalloc(1, sizeof(*wt));

	tree_init(&wt->tree, &wim_tree_ops, image, i,
		  xasprintf("%s:%zu", image->path, i + 1));
	if (!metadata_of(&wt->tree, err)) {
		overlay_free(wt->tree.overlay);
		free(wt->tree.name);
		free(wt);
		return NULL;
	}
	return &wt->tree;
}

static void wim_close(struct image *image)
{
	struct wim *wim = (struct wim *)image;

	vec_foreach (tree, &image->trees)
		if (*tree)
			wim_metadata_free(((struct wim_tree *)*tree)->metadata);
	wim_resource_close(wim);
	vec_foreach (part, &wim->parts) {
		block_close(part->window);
		closep(&part->fd);
		free(part->path);
	}
	vec_free(&wim->parts);
	iso_close(wim->iso);
	vec_free(&wim->blobs);
	vec_free(&wim->metadata);
	free(wim->by_hash);
	buffer_free(&wim->xml);
	temp_folder_remove(wim->cache);
}

static const struct image_ops wim_image_ops = {
	.tree = wim_tree,
	.commit = wim_commit,
	.close = wim_close,
};

/* ---- opening ------------------------------------------------------------------------
 */

/* Opens and locks the host file `path`, and looks up the part's file if that is an ISO.
 */
static int open_part_file(struct wim *wim, const char *path, bool write,
			  struct wim_part *part, struct error *err)
{
	const char *host = wim->iso ? wim->image.path : path;
	struct stat st;

	part->fd = open(host, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	if (part->fd < 0) {
		error_errno(err, host, "cannot open");
		if (errno == ENOENT)
			error_remedy(err, "put all parts of the split WIM in one folder");
		return -1;
	}
	if (file_lock(part->fd, host, write, err) < 0)
		return -1;
	if (write && wim_lock_others_out(part->fd, host, err) < 0)
		return -1;
	if (wim->iso) {
		part->path = xasprintf("%s/%s", host, path);
		return wim_iso_part(wim, path, part, err);
	}
	part->path = xstrdup(path);
	if (fstat(part->fd, &st) < 0)
		return error_errno(err, path, "cannot stat");
	part->size = (uint64_t)st.st_size;
	return 0;
}

/* Opens a part and reads its header. `path` is on the host, or inside of the ISO. */
static int open_part(struct wim *wim, const char *path, bool write, struct error *err)
{
	struct wim_part *part;
	uint8_t raw[WIM_HEADER_SIZE];
	int status;

	vec_push(&wim->parts, (struct wim_part){.fd = -1});
	part = &wim->parts.items[wim->parts.len - 1];
	status = open_part_file(wim, path, write, part, err);
	if (status < 0)
		return -1;
	path = part->path;
	if (part->size < WIM_HEADER_SIZE)
		return error_set(err, ERROR_FAILED, path, "is too short for a WIM");
	if (wim_pread(part, 0, raw, sizeof(raw), err) < 0)
		return -1;
	if (wim_header_read((struct bytes){raw, sizeof(raw)}, part->size, &part->header,
			    err) == 0)
		return 0;
	free(err ? err->subject : NULL);
	if (err)
		err->subject = xstrdup(path);
	return -1;
}

/* "x.swm" has its further parts in x2.swm, x3.swm... */
static int open_further_parts(struct wim *wim, const char *path, struct error *err)
{
	const struct wim_header first = wim->parts.items[0].header;
	const char *base = path_base(path);
	const char *dot = strrchr(base, '.');
	int stem = dot ? (int)(dot - path) : (int)strlen(path);

	if (first.part != 1) {
		error_set(err, ERROR_USAGE, path, "is part %u of a split WIM",
			  first.part);
		return error_remedy(err, "give its first part");
	}
	if (first.parts > MAX_PARTS)
		return error_set(err, ERROR_FAILED, path, "says it has %u parts",
				 first.parts);
	for (unsigned i = 2; i <= first.parts; i++) {
		_cleanup_free_ char *next =
			xasprintf("%.*s%u%s", stem, path, i, dot ? dot : "");
		const struct wim_header *h;

		if (open_part(wim, next, false, err) < 0)
			return -1;
		h = &wim->parts.items[i - 1].header;
		if (h->part == i && h->parts == first.parts &&
		    guid_equal(&h->guid, &first.guid))
			continue;
		error_set(err, ERROR_FAILED, next, "is not part %u of %s", i, path);
		return error_remedy(err, "put the parts of one split WIM together");
	}
	return 0;
}

int wim_load(struct wim *wim, struct error *err)
{
	wim->blobs.len = 0;
	for (size_t i = 0; i < wim->parts.len; i++)
		if (wim_blobs_read(wim, i, err) < 0)
			return -1;
	return wim_blobs_index(wim, err);
}

bool wim_is_solid(const struct wim *wim)
{
	vec_foreach (blob, &wim->blobs)
		if (blob->run != UINT32_MAX)
			return true;
	return false;
}

/* What must not be edited in place, and what to do instead. */
static int check_writable(const struct wim *wim, struct error *err)
{
	const struct wim_header *h = &wim->parts.items[0].header;
	const char *path = wim->image.path;

	if (h->parts > 1) {
		error_set(err, ERROR_STATE, path,
			  "is split into %u files, which cannot be edited in place",
			  h->parts);
		return error_remedy(err, "write one WIM with --output=FILE.wim");
	}
	if (h->flags & WIM_READ_ONLY && !wim->fresh_copy) {
		error_set(err, ERROR_STATE, path, "is marked as read-only in its header");
		return error_remedy(err,
				    "write a new WIM with --output=FILE.wim, or lift "
				    "the mark: wimlib-imagex optimize");
	}
	if (h->flags & (WIM_RESOURCE_ONLY | WIM_METADATA_ONLY)) {
		error_set(err, ERROR_STATE, path, "is only a part of a WIM");
		return error_remedy(err, "give the complete WIM");
	}
	if (wim_is_solid(wim) && !wim->image.options.allow_esd) {
		error_set(err, ERROR_STATE, path,
			  "has solid resources (an ESD), which are written only when "
			  "asked");
		return error_remedy(err, "write a WIM with --output=FILE.wim");
	}
	return 0;
}

static int check_mode(const char *path, struct error *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return error_errno(err, path, "cannot stat");
	if (st.st_mode & 0222)
		return 0;
	error_set(err, ERROR_STATE, path, "is a read-only file");
	return error_remedy(err, "chmod u+w it, or write a new WIM with --output");
}

static int open_all(struct wim *wim, bool in_iso, struct error *err)
{
	const struct image_options *options = &wim->image.options;
	_cleanup_free_ char *path = NULL;

	if (!in_iso)
		path = xstrdup(wim->image.path);
	else if (wim_iso_open(wim, &path, err) < 0)
		return -1;
	if (options->write && check_mode(wim->image.path, err) < 0)
		return -1;
	if (open_part(wim, path, options->write, err) < 0)
		return -1;
	if (wim->parts.items[0].header.parts > 1 &&
	    open_further_parts(wim, path, err) < 0)
		return -1;
	if (wim_check_complete(wim, err) < 0 || wim_load(wim, err) < 0 ||
	    wim_xml_infos(wim, err) < 0 || wim_settle(wim, err) < 0)
		return -1;
	wim->image.format = in_iso		 ? "iso"
			    : wim->parts.len > 1 ? "swm"
			    : wim_is_solid(wim)	 ? "esd"
						 : "wim";
	return options->write ? check_writable(wim, err) : 0;
}

static struct wim *open_wim(const char *path, const struct image_options *options,
			    bool fresh_copy, bool in_iso, struct error *err)
{
	struct wim *wim = xcalloc(1, sizeof(*wim));

	/* Once per process; later calls do nothing. */
	(void)wimlib_global_init(WIMLIB_INIT_FLAG_ASSUME_UTF8 |
				 WIMLIB_INIT_FLAG_DEFAULT_CASE_INSENSITIVE);
	wim->fresh_copy = fresh_copy;
	wim->image.ops = &wim_image_ops;
	wim->image.path = xstrdup(path);
	wim->image.provider = "wim";
	wim->image.options = *options;
	if (open_all(wim, in_iso, err) == 0)
		return wim;
	image_close(&wim->image);
	return NULL;
}

struct image *wim_open(const char *path, const struct image_options *options,
		       struct error *err)
{
	struct wim *wim = open_wim(path, options, false, false, err);

	return wim ? &wim->image : NULL;
}

struct image *wim_open_in_iso(const char *path, const struct image_options *options,
			      struct error *err)
{
	struct wim *wim = open_wim(path, options, false, true, err);

	return wim ? &wim->image : NULL;
}

struct wim *wim_open_copy(const char *path, const struct image_options *options,
			  struct error *err)
{
	return open_wim(path, options, true, false, err);
}
