/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * MFT records of an NTFS volume come and go: new files and folders with what NT gives
 * them, removed ones with all that they hold.
 */
#include <errno.h>

/* libntfs-3g's other headers need it first. */
#include "tree/ntfs_commit.h"

#include <ntfs-3g/dir.h>
#include <ntfs-3g/index.h>
#include <ntfs-3g/lcnalloc.h>
#include <ntfs-3g/mft.h>
#include <ntfs-3g/object_id.h>
#include <ntfs-3g/reparse.h>
#include <ntfs-3g/security.h>

#include "tree/security.h"

/* A descriptor's size fits into 16 bits for each of its two ACLs, and two SIDs. */
#define MAX_DESCRIPTOR (2 * 65536 + 256)
#define SETTABLE \
	(FILE_ATTR_READONLY | FILE_ATTR_HIDDEN | FILE_ATTR_SYSTEM | FILE_ATTR_ARCHIVE)
/* What says how content is stored: not a copy's. */
#define STORAGE_FLAGS                                                             \
	(FILE_ATTR_COMPRESSED | FILE_ATTR_SPARSE_FILE | FILE_ATTR_REPARSE_POINT | \
	 FILE_ATTR_ENCRYPTED)

/* ---- security descriptors
 * --------------------------------------------------------------
 */

static int read_descriptor(struct ntfs_edit *edit, ntfs_inode *inode, struct buffer *ret,
			   const char *path, struct error *err)
{
	struct SECURITY_CONTEXT context = {.vol = edit->volume};
	int size;

	ntfs_begin(edit->ntfs);
	size = ntfs_get_ntfs_acl(&context, inode, NULL, 0);
	if (size <= 0 || size > MAX_DESCRIPTOR ||
	    ntfs_get_ntfs_acl(&context, inode, (char *)buffer_reserve(ret, (size_t)size),
			      (size_t)size) != size)
		return ntfs_failed(edit->ntfs, err, path,
				   "cannot read its security descriptor");
	ret->len += (size_t)size;
	return 0;
}

static int write_descriptor(struct ntfs_edit *edit, ntfs_inode *inode,
			    const struct buffer *descriptor, const char *path,
			    struct error *err)
{
	struct SECURITY_CONTEXT context = {.vol = edit->volume};

	ntfs_begin(edit->ntfs);
	if (ntfs_set_ntfs_acl(&context, inode, (const char *)descriptor->data,
			      descriptor->len, 0) != 0)
		return ntfs_failed(edit->ntfs, err, path,
				   "cannot write its security descriptor");
	return 0;
}

/* The same descriptor by its number in $Secure, where the volume has that (NTFS 3). */
static bool share_descriptor(ntfs_inode *inode, const ntfs_inode *model)
{
	if (!test_nino_flag(model, v3_Extensions) || !model->security_id)
		return false;
	inode->security_id = model->security_id;
	ntfs_inode_mark_dirty(inode);
	return true;
}

static int copy_descriptor(struct ntfs_edit *edit, ntfs_inode *inode, ntfs_inode *model,
			   const char *path, struct error *err)
{
	_cleanup_buffer_ struct buffer descriptor = BUFFER_INIT;

	if (share_descriptor(inode, model))
		return 0;
	if (read_descriptor(edit, model, &descriptor, path, err) < 0)
		return -1;
	return write_descriptor(edit, inode, &descriptor, path, err);
}

static int inherit_descriptor(struct ntfs_edit *edit, ntfs_inode *inode, uint64_t folder,
			      bool is_folder, const char *path, struct error *err)
{
	_cleanup_buffer_ struct buffer parent = BUFFER_INIT, own = BUFFER_INIT;
	_cleanup_inode_ ntfs_inode *from = ntfs_edit_open(edit, folder, path, err);
	uint32_t id;

	if (!from)
		return -1;
	id = test_nino_flag(from, v3_Extensions) ? le32_to_cpu(from->security_id) : 0;
	vec_foreach (known, &edit->inherited) {
		if (!id || known->parent != id || known->folder != is_folder)
			continue;
		inode->security_id = cpu_to_le32(known->id);
		ntfs_inode_mark_dirty(inode);
		return 0;
	}
	if (read_descriptor(edit, from, &parent, path, err) < 0)
		return -1;
	security_inherit(buffer_view(&parent), is_folder, &own);
	if (write_descriptor(edit, inode, &own, path, err) < 0)
		return -1;
	if (id && inode->security_id)
		vec_push(&edit->inherited,
			 (struct ntfs_inherited){id, is_folder,
						 le32_to_cpu(inode->security_id)});
	return 0;
}

/* ---- new records
 * -----------------------------------------------------------------------
 */

void ntfs_edit_set_attributes(struct ntfs_edit *edit, ntfs_inode *inode,
			      uint32_t attributes)
{
	/* NORMAL stands for none of the others, which NTFS stores as 0. */
	inode->flags = (inode->flags & ~(SETTABLE | FILE_ATTR_NORMAL)) |
		       (cpu_to_le32(attributes) & SETTABLE);
	inode->last_mft_change_time = cpu_to_sle64((s64)edit->now);
	ntfs_inode_mark_dirty(inode);
}

static void fill_times(struct ntfs_edit *edit, ntfs_inode *inode,
		       const struct overlay *node, const ntfs_inode *model)
{
	sle64 now = cpu_to_sle64((s64)edit->now);

	inode->creation_time = model ? model->creation_time : now;
	inode->last_access_time = model ? model->last_access_time : now;
	inode->last_mft_change_time = now;
	inode->last_data_change_time =
		node->kind == OVERLAY_FILE ? cpu_to_sle64((s64)node->modified) : now;
}

static int add_standard_information(struct ntfs_edit *edit, ntfs_inode *inode,
				    const ntfs_inode *model, const char *path,
				    struct error *err)
{
	bool v3 = edit->volume->major_ver >= 3;
	STANDARD_INFORMATION info = {
		.creation_time = inode->creation_time,
		.last_data_change_time = inode->last_data_change_time,
		.last_mft_change_time = inode->last_mft_change_time,
		.last_access_time = inode->last_access_time,
		.file_attributes = inode->flags,
	};

	if (v3)
		set_nino_flag(inode, v3_Extensions);
	else
		clear_nino_flag(inode, v3_Extensions);
	inode->owner_id = inode->security_id = cpu_to_le32(0);
	inode->quota_charged = inode->usn = cpu_to_le64(0);
	if (model && test_nino_flag(model, v3_Extensions))
		inode->owner_id = model->owner_id;
	info.owner_id = inode->owner_id;
	ntfs_begin(edit->ntfs);
	if (ntfs_attr_add(inode, AT_STANDARD_INFORMATION, AT_UNNAMED, 0, (u8 *)&info,
			  v3 ? sizeof(info) : offsetof(STANDARD_INFORMATION, v1_end)) !=
	    0)
		return ntfs_failed(edit->ntfs, err, path, "cannot fill its record");
	return 0;
}

/* The index of a folder without entries. */
static int add_index(struct ntfs_edit *edit, ntfs_inode *inode, const char *path,
		     struct error *err)
{
	const ntfs_volume *volume = edit->volume;
	struct {
		INDEX_ROOT root;
		INDEX_ENTRY_HEADER end;
	} __attribute__((packed)) value = {0};
	u32 len = sizeof(INDEX_HEADER) + sizeof(INDEX_ENTRY_HEADER);

	value.root.type = AT_FILE_NAME;
	value.root.collation_rule = COLLATION_FILE_NAME;
	value.root.index_block_size = cpu_to_le32(volume->indx_record_size);
	value.root.clusters_per_index_block =
		(s8)(volume->indx_record_size >>
		     (volume->cluster_size <= volume->indx_record_size
			      ? volume->cluster_size_bits
			      : NTFS_BLOCK_SIZE_BITS));
	value.root.index.entries_offset = cpu_to_le32(sizeof(INDEX_HEADER));
	value.root.index.index_length = cpu_to_le32(len);
	value.root.index.allocated_size = cpu_to_le32(len);
	value.end.length = cpu_to_le16(sizeof(INDEX_ENTRY_HEADER));
	value.end.flags = INDEX_ENTRY_END;
	inode->mrec->flags |= MFT_RECORD_IS_DIRECTORY;
	ntfs_begin(edit->ntfs);
	if (ntfs_attr_add(inode, AT_INDEX_ROOT, NTFS_INDEX_I30, 4, (u8 *)&value,
			  sizeof(value)) != 0)
		return ntfs_failed(edit->ntfs, err, path, "cannot make its index");
	return 0;
}

static int fill_record(struct ntfs_edit *edit, ntfs_inode *inode,
		       const struct overlay *node, uint64_t folder, ntfs_inode *model,
		       const char *path, struct error *err)
{
	bool is_folder = node->kind == OVERLAY_FOLDER;

	inode->flags = is_folder ? cpu_to_le32(0) : FILE_ATTR_ARCHIVE;
	if (model)
		inode->flags = model->flags & ~STORAGE_FLAGS;
	fill_times(edit, inode, node, model);
	if (node->attributes_set)
		ntfs_edit_set_attributes(edit, inode, node->attributes);
	if (add_standard_information(edit, inode, model, path, err) < 0)
		return -1;
	if (model ? copy_descriptor(edit, inode, model, path, err) < 0
		  : inherit_descriptor(edit, inode, folder, is_folder, path, err) < 0)
		return -1;
	if (model && ntfs_edit_copy_streams(edit, model, inode, path, err) < 0)
		return -1;
	return is_folder ? add_index(edit, inode, path, err) : 0;
}

int ntfs_edit_create(struct ntfs_edit *edit, const struct overlay *node, uint64_t folder,
		     ntfs_inode *model, const char *path, uint64_t *ret,
		     struct error *err)
{
	ntfs_inode *inode;
	int result;

	ntfs_begin(edit->ntfs);
	inode = ntfs_mft_record_alloc(edit->volume, NULL);
	if (!inode)
		return ntfs_failed(edit->ntfs, err, path, "cannot make a record for it");
	ntfs_inode_invalidate(edit->volume, inode->mft_no);
	result = fill_record(edit, inode, node, folder, model, path, err);
	if (result == 0 && node->kind == OVERLAY_FILE)
		result = ntfs_edit_set_content(edit, inode, node, err);
	*ret = inode->mft_no;
	if (ntfs_edit_close(edit, inode, path, result < 0 ? NULL : err) < 0)
		result = -1;
	return result;
}

/* ---- removing -------------------------------------------------------------------------
 */

/* Gives the clusters of all attributes back. */
static int free_clusters(struct ntfs_edit *edit, ntfs_inode *inode, const char *path,
			 struct error *err)
{
	ntfs_attr_search_ctx *search;
	int result = 0;

	ntfs_begin(edit->ntfs);
	search = ntfs_attr_get_search_ctx(inode, NULL);
	if (!search)
		return ntfs_failed(edit->ntfs, err, path, "cannot read its attributes");
	while (result == 0 && ntfs_attrs_walk(search) == 0) {
		runlist_element *runs;

		if (!search->attr->non_resident)
			continue;
		runs = ntfs_mapping_pairs_decompress(edit->volume, search->attr, NULL);
		if (!runs || ntfs_cluster_free_from_rl(edit->volume, runs) != 0)
			result = -1;
		free(runs);
	}
	if (result == 0 && errno != ENOENT)
		result = -1;
	ntfs_attr_put_search_ctx(search);
	return result < 0 ? ntfs_failed(edit->ntfs, err, path, "cannot free its clusters")
			  : 0;
}

/* The records that hold what did not fit into the first. */
static int free_extents(struct ntfs_edit *edit, ntfs_inode *inode)
{
	for (int i = inode->nr_extents; i-- > 0;) {
		ntfs_inode *extent = inode->extent_nis[i];

		/* Else its closing would look for it in the base's list. */
		extent->base_ni = NULL;
		extent->nr_extents = 0;
		inode->nr_extents = i;
		if (ntfs_mft_record_free(edit->volume, extent) != 0) {
			NInoClearDirty(extent);
			(void)ntfs_inode_real_close(extent);
			return -1;
		}
	}
	if (inode->nr_extents == 0) {
		free(inode->extent_nis);
		inode->extent_nis = NULL;
	}
	return 0;
}

/* Frees an open inode that no name leads to any more; it is closed. */
static int free_inode(struct ntfs_edit *edit, ntfs_inode *inode, const char *path,
		      struct error *err)
{
	ntfs_edit_forget(edit, inode->mft_no);
	ntfs_begin(edit->ntfs);
	if (ntfs_inode_attach_all_extents(inode) != 0 ||
	    ntfs_delete_reparse_index(inode) != 0 ||
	    ntfs_delete_object_id_index(inode) != 0) {
		ntfs_failed(edit->ntfs, err, path, "cannot remove");
		ntfs_edit_abandon(inode);
		return -1;
	}
	if (free_clusters(edit, inode, path, err) < 0) {
		ntfs_edit_abandon(inode);
		return -1;
	}
	inode->mrec->link_count = cpu_to_le16(0);
	NInoFileNameClearDirty(inode);
	ntfs_begin(edit->ntfs);
	if (free_extents(edit, inode) != 0 ||
	    ntfs_mft_record_free(edit->volume, inode) != 0) {
		ntfs_failed(edit->ntfs, err, path, "cannot free its record");
		ntfs_edit_abandon(inode);
		return -1;
	}
	return 0;
}

static bool is_held(const struct ntfs_edit *edit, uint64_t inode)
{
	vec_foreach (held, &edit->held)
		if (*held == inode)
			return true;
	return false;
}

static bool is_plain_folder(const ntfs_inode *inode)
{
	return inode->mrec->flags & MFT_RECORD_IS_DIRECTORY &&
	       !(inode->flags & FILE_ATTR_REPARSE_POINT);
}

/* A folder that is being emptied, and what is left in it. */
struct level {
	uint64_t folder;
	struct vec_of(uint64_t) entries;
};
DEFINE_VEC(levels, struct level);

static void levels_free(struct levels *levels)
{
	vec_foreach (level, levels)
		vec_free(&level->entries);
	vec_free(levels);
}

static int add_entry(void *arg, const struct ntfs_name *name, struct error *err _unused_)
{
	struct level *level = arg;

	if (MREF(name->reference) >= NTFS_FIRST_USER)
		vec_push(&level->entries, MREF(name->reference));
	return 0;
}

static int compare_numbers(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Lists the folder, each inode once though it may have several names there. */
static int push_level(struct ntfs_edit *edit, struct levels *levels, ntfs_inode *folder,
		      const char *path, struct error *err)
{
	struct level level = {.folder = folder->mft_no};
	size_t kept = 0;

	vec_foreach (above, levels)
		if (above->folder == level.folder)
			return error_set(err, ERROR_FAILED, path,
					 "a folder in it contains itself");
	vec_push(levels, level);
	if (ntfs_index_each(edit->ntfs, folder, add_entry,
			    &levels->items[levels->len - 1], err) < 0)
		return -1;
	level = levels->items[levels->len - 1];
	if (level.entries.len)
		qsort(level.entries.items, level.entries.len, sizeof(uint64_t),
		      compare_numbers);
	for (size_t i = 0; i < level.entries.len; i++)
		if (!i || level.entries.items[i] != level.entries.items[i - 1])
			level.entries.items[kept++] = level.entries.items[i];
	levels->items[levels->len - 1].entries.len = kept;
	return 0;
}

/* Removes a file, or a reparse point, of a folder that goes. */
static int drop_file(struct ntfs_edit *edit, ntfs_inode *inode, uint64_t folder,
		     const char *path, struct error *err)
{
	uint64_t number = inode->mft_no;
	unsigned links;

	if (ntfs_edit_unlink_all(edit, inode, folder, path, &links, err) < 0) {
		ntfs_edit_abandon(inode);
		return -1;
	}
	if (!links && !is_held(edit, inode->mft_no))
		return free_inode(edit, inode, path, err);
	if (ntfs_edit_close(edit, inode, path, err) < 0)
		return -1;
	return links ? ntfs_edit_refresh(edit, number, path, err) : 0;
}

/* Frees all that is in the folder, and the folders below, but not the folder itself. */
static int empty_folder(struct ntfs_edit *edit, ntfs_inode *top, const char *path,
			struct error *err)
{
	_cleanup_(levels_free) struct levels levels = VEC_INIT;

	if (push_level(edit, &levels, top, path, err) < 0)
		return -1;
	for (;;) {
		struct level *level = &levels.items[levels.len - 1];
		ntfs_inode *inode;
		bool is_folder;

		if (interrupted())
			return error_interrupted(err);
		if (!level->entries.len) {
			uint64_t done = level->folder;

			vec_free(&level->entries);
			if (--levels.len == 0)
				return 0;
			inode = ntfs_edit_open(edit, done, path, err);
			if (!inode || free_inode(edit, inode, path, err) < 0)
				return -1;
			continue;
		}
		inode = ntfs_edit_open(edit, level->entries.items[--level->entries.len],
				       path, err);
		if (!inode)
			return -1;
		is_folder = is_plain_folder(inode);
		if (!is_folder) {
			if (drop_file(edit, inode, level->folder, path, err) < 0)
				return -1;
			continue;
		}
		if (push_level(edit, &levels, inode, path, err) < 0) {
			ntfs_edit_abandon(inode);
			return -1;
		}
		if (ntfs_edit_close(edit, inode, path, err) < 0)
			return -1;
	}
}

int ntfs_edit_remove(struct ntfs_edit *edit, uint64_t folder, const char *name,
		     const char *path, struct error *err)
{
	ntfs_inode *inode;
	uint64_t number;
	unsigned links;
	int result = 0;

	if (ntfs_edit_lookup(edit, folder, name, &number, err) < 0)
		return -1;
	if (!number)
		return 0;
	inode = ntfs_edit_open(edit, number, path, err);
	if (!inode)
		return -1;
	if (is_plain_folder(inode))
		result = empty_folder(edit, inode, path, err);
	if (ntfs_edit_close(edit, inode, path, result < 0 ? NULL : err) < 0 || result < 0)
		return -1;
	if (ntfs_edit_unlink(edit, number, folder, name, path, &links, NULL, err) < 0)
		return -1;
	if (links)
		return ntfs_edit_refresh(edit, number, path, err);
	if (is_held(edit, number))
		return 0;
	inode = ntfs_edit_open(edit, number, path, err);
	return inode ? free_inode(edit, inode, path, err) : -1;
}
