/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Carries an overlay out on an NTFS volume that is mounted for writing: content first,
 * then what moves is taken out of its folder, then each node in path order.
 *
 * The content of a file that has further names (hard links, as most of System32 and
 * WinSxS have) is not replaced for these: the name leads to a copy of the file from then
 * on, as when DISM puts a new file in its place.
 */
#include <errno.h>

/* libntfs-3g's other headers need it first. */
#include "tree/ntfs_commit.h"

#include <ntfs-3g/cache.h>

#include "base/clock.h"
#include "base/text.h"

/* What an index entry takes besides the name, which is there twice where it is long. */
#define ENTRY_SIZE 192
/* Index blocks may be half empty. */
#define INDEX_WASTE 2
/* The MFT, its bitmap and $Secure grow in steps; fragments need records. */
#define SPACE_SLACK (1024 * 1024)
#define SPACE_SLACK_SHARE 256
#define BITMAP_CHUNK (64u * 1024)

/* ---- binding -------------------------------------------------------------------------
 */

static void edit_free(struct ntfs_edit *edit)
{
	struct overlay *top = edit->tree->overlay;

	for (const struct overlay *n = top; n; n = overlay_next(n, top))
		((struct overlay *)n)->bound = NULL;
	vec_foreach (place, &edit->places) {
		free((*place)->runs);
		free(*place);
	}
	vec_free(&edit->places);
	vec_free(&edit->folders);
	vec_free(&edit->habits);
	vec_free(&edit->inherited);
	vec_free(&edit->held);
	free(edit->chunk);
	free(edit->there);
}

static void edit_begin(struct ntfs_edit *edit, struct ntfs *ntfs, const struct tree *tree)
{
	struct overlay *top = tree->overlay;

	*edit = (struct ntfs_edit){
		.ntfs = ntfs,
		.volume = ntfs->volume,
		.tree = tree,
		.now = clock_filetime(),
		.short_names = -1,
	};
	for (const struct overlay *n = top; n; n = overlay_next(n, top)) {
		struct ntfs_place *place = xcalloc(1, sizeof(*place));

		vec_push(&edit->places, place);
		((struct overlay *)n)->bound = place;
	}
	((struct ntfs_place *)top->bound)->inode = FILE_root;
}

static int lost(const char *path, struct error *err)
{
	return error_set(err, ERROR_FAILED, path, "cannot be found any more");
}

/* The folder and the inode of a base path, as stored. */
static int resolve(struct ntfs_edit *edit, const char *path, uint64_t *folder,
		   uint64_t *inode, struct error *err)
{
	*inode = FILE_root;
	for (const char *rest = path; *rest;) {
		size_t len = path_component(rest);
		_cleanup_free_ char *name = xstrndup(rest, len);

		*folder = *inode;
		if (ntfs_edit_lookup(edit, *folder, name, inode, err) < 0)
			return -1;
		if (!*inode)
			return lost(path, err);
		rest += len + (rest[len] == '/');
	}
	return 0;
}

/* True if what the node shows lies under another name in the base. */
static bool comes_from_elsewhere(const struct overlay *node)
{
	return node->kind == OVERLAY_MOVED ||
	       (node->origin && (!node->base || strcmp(node->origin, node->base) != 0));
}

/*
 * Takes what moves out of its folder. All is found before the first of it goes: an origin
 * may lie below another.
 */
static int detach_moved(struct ntfs_edit *edit, struct error *err)
{
	const struct overlay *top = edit->tree->overlay;
	_cleanup_free_ uint64_t *folders =
		xreallocarray(NULL, edit->places.len, sizeof(*folders));
	size_t i = 0;

	for (const struct overlay *n = top; n; n = overlay_next(n, top), i++) {
		struct ntfs_place *place = n->bound;

		if (comes_from_elsewhere(n) &&
		    resolve(edit, n->origin, &folders[i], &place->inode, err) < 0)
			return -1;
	}
	i = 0;
	for (const struct overlay *n = top; n; n = overlay_next(n, top), i++) {
		struct ntfs_place *place = n->bound;

		if (!comes_from_elsewhere(n))
			continue;
		if (ntfs_edit_unlink(edit, place->inode, folders[i], path_base(n->origin),
				     n->origin, &place->links, NULL, err) < 0)
			return -1;
		place->detached = true;
		vec_push(&edit->held, place->inode);
	}
	return 0;
}

/* ---- carrying out
 * ----------------------------------------------------------------------
 */

/* The record gets the node's content in place of its own. */
static int replace_content(struct ntfs_edit *edit, uint64_t number,
			   const struct overlay *node, const char *path,
			   struct error *err)
{
	ntfs_inode *inode = ntfs_edit_open(edit, number, path, err);
	int result;

	if (!inode)
		return -1;
	result = ntfs_edit_drop_content(edit, inode, path, err);
	if (result == 0)
		result = ntfs_edit_set_content(edit, inode, node, err);
	inode->last_data_change_time = cpu_to_sle64((s64)node->modified);
	inode->last_mft_change_time = cpu_to_sle64((s64)edit->now);
	if (node->attributes_set)
		ntfs_edit_set_attributes(edit, inode, node->attributes);
	ntfs_inode_mark_dirty(inode);
	if (ntfs_edit_close(edit, inode, path, result < 0 ? NULL : err) < 0)
		result = -1;
	return result;
}

/* A copy of the file with the node's content; other names keep the file itself. */
static int break_link(struct ntfs_edit *edit, struct overlay *node, uint64_t folder,
		      const char *path, struct error *err)
{
	struct ntfs_place *place = node->bound;
	_cleanup_buffer_ struct buffer short_name = BUFFER_INIT;
	uint64_t old = place->inode;
	ntfs_inode *model = ntfs_edit_open(edit, old, path, err);
	int result;

	if (!model)
		return -1;
	result = ntfs_edit_create(edit, node, folder, model, path, &place->inode, err);
	if (ntfs_edit_close(edit, model, path, result < 0 ? NULL : err) < 0 || result < 0)
		return -1;
	if (!place->detached && (ntfs_edit_unlink(edit, old, folder, node->name, path,
						  &place->links, &short_name, err) < 0 ||
				 ntfs_edit_refresh(edit, old, path, err) < 0))
		return -1;
	return ntfs_edit_link(edit, place->inode, node, folder, buffer_view(&short_name),
			      path, err);
}

/* How many other names the node's file has by now. */
static int count_others(struct ntfs_edit *edit, const struct overlay *node,
			uint64_t folder, const char *path, unsigned *ret,
			struct error *err)
{
	const struct ntfs_place *place = node->bound;

	return ntfs_edit_other_links(edit, place->inode, place->detached ? 0 : folder,
				     node->name, path, ret, err);
}

static int apply_file(struct ntfs_edit *edit, struct overlay *node, uint64_t folder,
		      const char *path, struct error *err)
{
	struct ntfs_place *place = node->bound;
	unsigned others;

	if (node->origin && !place->detached &&
	    ntfs_edit_lookup(edit, folder, path_base(node->base), &place->inode, err) < 0)
		return -1;
	if (node->origin && !place->inode)
		return lost(path, err);
	if (!place->inode)
		return ntfs_edit_create(edit, node, folder, NULL, path, &place->inode,
					err) < 0
			       ? -1
			       : ntfs_edit_link(edit, place->inode, node, folder,
						(struct bytes){NULL, 0}, path, err);
	if (count_others(edit, node, folder, path, &others, err) < 0)
		return -1;
	if (others)
		return break_link(edit, node, folder, path, err);
	if (replace_content(edit, place->inode, node, path, err) < 0)
		return -1;
	if (place->detached)
		return ntfs_edit_link(edit, place->inode, node, folder,
				      (struct bytes){NULL, 0}, path, err);
	return ntfs_edit_refresh(edit, place->inode, path, err);
}

static int set_attributes(struct ntfs_edit *edit, const struct overlay *node,
			  const char *path, struct error *err)
{
	const struct ntfs_place *place = node->bound;
	ntfs_inode *inode = ntfs_edit_open(edit, place->inode, path, err);

	if (!inode)
		return -1;
	ntfs_edit_set_attributes(edit, inode, node->attributes);
	if (ntfs_edit_close(edit, inode, path, err) < 0)
		return -1;
	return ntfs_edit_refresh(edit, place->inode, path, err);
}

/* What the base has at the node's place goes, unless it stays or was taken out already.
 */
static int clear_place(struct ntfs_edit *edit, const struct overlay *node,
		       uint64_t folder, const char *path, struct error *err)
{
	const struct ntfs_place *place = node->bound;

	if (node->kind == OVERLAY_PASS || !node->base ||
	    (node->kind == OVERLAY_FILE && node->origin && !place->detached))
		return 0;
	return ntfs_edit_remove(edit, folder, path_base(node->base), path, err);
}

static int apply_node(struct ntfs_edit *edit, struct overlay *node, struct error *err)
{
	struct ntfs_place *place = node->bound;
	uint64_t folder = ((struct ntfs_place *)node->parent->bound)->inode;
	_cleanup_free_ char *path = overlay_path(node);
	const struct bytes none = {NULL, 0};

	if (clear_place(edit, node, folder, path, err) < 0)
		return -1;
	switch (node->kind) {
	case OVERLAY_PASS:
		if (ntfs_edit_lookup(edit, folder, node->name, &place->inode, err) < 0)
			return -1;
		if (!place->inode)
			return lost(path, err);
		break;
	case OVERLAY_FILE:
		return apply_file(edit, node, folder, path, err);
	case OVERLAY_FOLDER:
		if (ntfs_edit_create(edit, node, folder, NULL, path, &place->inode, err) <
		    0)
			return -1;
		return ntfs_edit_link(edit, place->inode, node, folder, none, path, err);
	case OVERLAY_MOVED:
		if (ntfs_edit_link(edit, place->inode, node, folder, none, path, err) <
			    0 ||
		    (place->links &&
		     ntfs_edit_refresh(edit, place->inode, path, err) < 0))
			return -1;
		break;
	case OVERLAY_REMOVED:
		return 0;
	}
	return node->attributes_set ? set_attributes(edit, node, path, err) : 0;
}

/* What libntfs-3g would write when unmounting only, where an error is hard to tell. */
static int sync_system(struct ntfs_edit *edit, struct error *err)
{
	ntfs_volume *volume = edit->volume;
	ntfs_inode *const inodes[] = {volume->secure_ni, volume->lcnbmp_ni,
				      volume->mftmirr_ni, volume->mft_ni};

	for (size_t i = 0; i < ARRAY_SIZE(inodes); i++) {
		ntfs_begin(edit->ntfs);
		if (inodes[i] && NInoDirty(inodes[i]) && ntfs_inode_sync(inodes[i]) != 0)
			return ntfs_failed(edit->ntfs, err, tree_name(edit->tree),
					   "cannot write the volume's own records");
	}
	return 0;
}

static int apply(struct ntfs_edit *edit, struct error *err)
{
	struct overlay *top = edit->tree->overlay;

	if (ntfs_edit_write_contents(edit, err) < 0 || detach_moved(edit, err) < 0)
		return -1;
	if (top->attributes_set && set_attributes(edit, top, "/", err) < 0)
		return -1;
	for (const struct overlay *n = overlay_next(top, top); n;
	     n = overlay_next(n, top)) {
		if (interrupted())
			return error_interrupted(err);
		if (apply_node(edit, (struct overlay *)n, err) < 0)
			return -1;
	}
	if (ntfs_edit_touched(edit, err) < 0)
		return -1;
	return sync_system(edit, err);
}

int ntfs_apply(struct ntfs *ntfs, const struct tree *tree, struct error *err)
{
	struct ntfs_edit edit;
	int result;

	if (overlay_empty(tree->overlay))
		return 0;
	/* Without these it does not find $Reparse and $ObjId, which list some files. */
	if (!ntfs->volume->lookup_cache)
		ntfs_create_lru_caches(ntfs->volume);
	edit_begin(&edit, ntfs, tree);
	result = apply(&edit, err);
	edit_free(&edit);
	return result;
}

/* ---- space ----------------------------------------------------------------------------
 */

static uint64_t round_up(uint64_t bytes, uint64_t unit)
{
	return (bytes + unit - 1) / unit * unit;
}

static uint64_t space_needed(const ntfs_volume *volume, const struct tree *tree)
{
	uint64_t limit = ntfs_edit_resident_limit(volume), content = 0, rest = 0;

	for (const struct overlay *n = tree->overlay; n;
	     n = overlay_next(n, tree->overlay)) {
		if (!overlay_changes(n) || n->kind == OVERLAY_REMOVED)
			continue;
		if (n->kind == OVERLAY_FILE && n->size > limit / 2)
			content += round_up(n->size, volume->cluster_size);
		if (n->kind == OVERLAY_FOLDER)
			rest += round_up(volume->indx_record_size, volume->cluster_size);
		rest += volume->mft_record_size +
			INDEX_WASTE * (ENTRY_SIZE + 2 * utf16_units(n->name));
	}
	if (!content && !rest)
		return 0;
	return round_up(content + rest + content / SPACE_SLACK_SHARE + SPACE_SLACK,
			volume->cluster_size);
}

/* Counts the bytes of free clusters up to a limit; $Bitmap may be long. */
static int free_space(struct ntfs *ntfs, uint64_t limit, uint64_t *ret, struct error *err)
{
	_cleanup_free_ uint8_t *bits = xmalloc(BITMAP_CHUNK);
	uint64_t cluster_size = ntfs->volume->cluster_size;
	uint64_t clusters = (uint64_t)ntfs->volume->nr_clusters;

	*ret = 0;
	for (uint64_t at = 0; at < clusters && *ret < limit;) {
		s64 n;

		ntfs_begin(ntfs);
		n = ntfs_attr_pread(ntfs->volume->lcnbmp_na, (s64)(at / 8), BITMAP_CHUNK,
				    bits);
		if (n <= 0)
			return ntfs_failed(ntfs, err, "$Bitmap", "cannot read");
		for (uint64_t i = 0; i < (uint64_t)n * 8 && at < clusters; i++, at++)
			*ret += bits[i / 8] >> (i & 7) & 1 ? 0 : cluster_size;
	}
	return 0;
}

int ntfs_check_space(struct ntfs *ntfs, const struct tree *tree, struct error *err)
{
	uint64_t needed = space_needed(ntfs->volume, tree), available;

	if (!needed)
		return 0;
	if (free_space(ntfs, needed, &available, err) < 0)
		return -1;
	if (available >= needed)
		return 0;
	error_set(err, ERROR_FAILED, tree_name(tree),
		  "the volume has %ju bytes free and up to %ju are needed",
		  (uintmax_t)available, (uintmax_t)needed);
	return error_remedy(err, TREE_FULL_REMEDY ", or give less to it");
}
