/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Names on an NTFS volume: the $FILE_NAME attributes of a record and the entries of
 * folders that repeat them. A name is one entry, or two where it has a short name.
 *
 * Which kind a name is follows what Windows does. Where it makes short names, a name that
 * is a valid 8.3 name itself is WIN32_AND_DOS, another one WIN32 with a DOS one beside
 * it; a further hard link is POSIX, since a file has one short name at most. Where it
 * makes none (data volumes since Windows 8), every name is POSIX.
 */
#include <errno.h>

/* libntfs-3g's other headers need it first. */
#include "tree/ntfs_commit.h"

#include <ntfs-3g/dir.h>
#include <ntfs-3g/index.h>

#include "base/short_name.h"
#include "base/text.h"

/* More names than NTFS allows for a file (1024 hard links), with their short names. */
#define MAX_NAMES 4096

/* ---- opening -------------------------------------------------------------------------
 */

/* libntfs-3g does not find the data of a file that has no name at the moment. */
static void find_sizes(ntfs_inode *inode)
{
	ntfs_attr *data;

	if (test_nino_flag(inode, KnownSize) ||
	    inode->mrec->flags & MFT_RECORD_IS_DIRECTORY)
		return;
	data = ntfs_attr_open(inode, AT_DATA, AT_UNNAMED, 0);
	if (!data)
		return;
	inode->data_size = data->data_size;
	inode->allocated_size = data->data_flags & (ATTR_IS_COMPRESSED | ATTR_IS_SPARSE)
					? data->compressed_size
					: data->allocated_size;
	if (!NAttrNonResident(data))
		inode->allocated_size = (data->data_size + 7) & ~INT64_C(7);
	set_nino_flag(inode, KnownSize);
	ntfs_attr_close(data);
}

ntfs_inode *ntfs_edit_open(struct ntfs_edit *edit, uint64_t inode, const char *path,
			   struct error *err)
{
	ntfs_inode *ret;

	ntfs_begin(edit->ntfs);
	ret = ntfs_inode_open(edit->volume, inode);
	if (ret)
		find_sizes(ret);
	else
		ntfs_failed(edit->ntfs, err, path, "cannot open");
	return ret;
}

void ntfs_edit_abandon(ntfs_inode *inode)
{
	/* libntfs-3g keeps (and leaks) an inode that it could not write. */
	for (int i = 0; i < inode->nr_extents; i++)
		NInoClearDirty(inode->extent_nis[i]);
	NInoFileNameClearDirty(inode);
	NInoAttrListClearDirty(inode);
	NInoClearDirty(inode);
	(void)ntfs_inode_close(inode);
}

/* Syncing writes the record whether it is dirty or not. */
static bool is_dirty(const ntfs_inode *inode)
{
	for (int i = 0; i < inode->nr_extents; i++)
		if (NInoDirty(inode->extent_nis[i]))
			return true;
	return NInoDirty(inode) || NInoAttrListDirty(inode);
}

int ntfs_edit_close(struct ntfs_edit *edit, ntfs_inode *inode, const char *path,
		    struct error *err)
{
	int result = 0;

	if (!inode)
		return 0;
	/* See ntfs_commit.h. */
	NInoFileNameClearDirty(inode);
	ntfs_begin(edit->ntfs);
	if (is_dirty(inode) && ntfs_inode_sync(inode) != 0)
		result = ntfs_failed(edit->ntfs, err, path, "cannot write its record");
	ntfs_edit_abandon(inode);
	return result;
}

/* ---- $FILE_NAME
 * ------------------------------------------------------------------------
 */

struct file_name {
	FILE_NAME_ATTR *value;
	size_t len;
};
DEFINE_VEC(file_names, struct file_name);

static void file_names_free(struct file_names *names)
{
	vec_foreach (name, names)
		free(name->value);
	vec_free(names);
}
#define _cleanup_names_ _cleanup_(file_names_free)

static struct bytes units_of(const FILE_NAME_ATTR *name)
{
	return (struct bytes){(const uint8_t *)name->file_name,
			      2u * name->file_name_length};
}

/* Copies of all names of the inode. */
static int read_names(struct ntfs_edit *edit, ntfs_inode *inode, struct file_names *ret,
		      const char *path, struct error *err)
{
	ntfs_attr_search_ctx *search;
	int result = 0;

	ntfs_begin(edit->ntfs);
	search = ntfs_attr_get_search_ctx(inode, NULL);
	if (!search)
		return ntfs_failed(edit->ntfs, err, path, "cannot read its names");
	while (result == 0 && ntfs_attr_lookup(AT_FILE_NAME, NULL, 0, CASE_SENSITIVE, 0,
					       NULL, 0, search) == 0) {
		const ATTR_RECORD *a = search->attr;
		const FILE_NAME_ATTR *name =
			(const void *)((const u8 *)a + le16_to_cpu(a->value_offset));
		size_t len = le32_to_cpu(a->value_length);

		if (ret->len == MAX_NAMES || len < sizeof(*name) ||
		    len < sizeof(*name) + 2u * name->file_name_length)
			result = error_set(err, ERROR_FAILED, path,
					   "its names are damaged");
		else
			vec_push(ret, (struct file_name){xmemdup(name, len), len});
	}
	if (result == 0 && errno != ENOENT)
		result = ntfs_failed(edit->ntfs, err, path, "cannot read its names");
	ntfs_attr_put_search_ctx(search);
	return result;
}

/* The size that an index entry shows for extended attributes; 0 if there are none. */
static le16 ea_size(ntfs_inode *inode)
{
	_cleanup_free_ EA_INFORMATION *info = NULL;
	s64 size = 0;

	info = ntfs_attr_readall(inode, AT_EA_INFORMATION, AT_UNNAMED, 0, &size);
	return info && size >= (s64)sizeof(*info) ? info->ea_length : cpu_to_le16(0);
}

/* What a name repeats of its file. */
static void fill_name(ntfs_inode *inode, FILE_NAME_ATTR *name)
{
	FILE_ATTR_FLAGS flags = inode->flags & FILE_ATTR_VALID_FLAGS;
	bool folder = inode->mrec->flags & MFT_RECORD_IS_DIRECTORY;

	name->creation_time = inode->creation_time;
	name->last_data_change_time = inode->last_data_change_time;
	name->last_mft_change_time = inode->last_mft_change_time;
	name->last_access_time = inode->last_access_time;
	name->allocated_size = cpu_to_sle64(folder ? 0 : inode->allocated_size);
	name->data_size = cpu_to_sle64(folder ? 0 : inode->data_size);
	if (folder)
		flags |= FILE_ATTR_I30_INDEX_PRESENT;
	name->file_attributes = flags;
	name->reparse_point_tag = cpu_to_le32(0);
	if (flags & FILE_ATTR_REPARSE_POINT)
		name->reparse_point_tag = cpu_to_le32(ntfs_reparse_tag(inode));
	else
		name->packed_ea_size = ea_size(inode);
}

static uint64_t reference_of(const ntfs_inode *inode)
{
	return MK_MREF(inode->mft_no, le16_to_cpu(inode->mrec->sequence_number));
}

/* A name for the inode; the caller frees. */
static FILE_NAME_ATTR *new_name(ntfs_inode *inode, ntfs_inode *folder, struct bytes units,
				FILE_NAME_TYPE_FLAGS type)
{
	FILE_NAME_ATTR *name = xcalloc(1, sizeof(*name) + units.len);

	fill_name(inode, name);
	name->parent_directory = cpu_to_le64(reference_of(folder));
	name->file_name_length = (u8)(units.len / 2);
	name->file_name_type = type;
	memcpy(name->file_name, units.data, units.len);
	return name;
}

/* ---- looking up --------------------------------------------------------------------
 */

int ntfs_edit_lookup(struct ntfs_edit *edit, uint64_t folder, const char *name,
		     uint64_t *ret, struct error *err)
{
	_cleanup_buffer_ struct buffer units = BUFFER_INIT;
	_cleanup_free_ uint8_t *storage = NULL;
	_cleanup_inode_ ntfs_inode *inode = ntfs_edit_open(edit, folder, name, err);
	struct ntfs_name entry;
	int found;

	*ret = 0;
	if (!inode)
		return -1;
	utf16_append(&units, name);
	found = ntfs_index_find(edit->ntfs, inode, buffer_view(&units), &entry, &storage,
				err);
	if (found < 0)
		return -1;
	if (found &&
	    bytes_equal((struct bytes){entry.units, entry.len}, buffer_view(&units)))
		*ret = MREF(entry.reference);
	return 0;
}

/* ---- short names ---------------------------------------------------------------------
 */

struct habit {
	bool has_short, lacks_short;
};

static int see_habit(void *arg, const struct ntfs_name *name, struct error *err _unused_)
{
	struct habit *habit = arg;

	if (MREF(name->reference) < NTFS_FIRST_USER)
		return 0;
	if (name->namespace == FILE_NAME_DOS ||
	    name->namespace == FILE_NAME_WIN32_AND_DOS)
		habit->has_short = true;
	else if (name->namespace == FILE_NAME_POSIX &&
		 !short_name_valid((struct bytes){name->units, name->len}))
		habit->lacks_short = true;
	return 0;
}

/* Whether Windows makes short names on the volume, by its root; there is "Program Files".
 */
static int volume_habit(struct ntfs_edit *edit, struct error *err)
{
	struct habit habit = {0};
	ntfs_inode *root;

	if (edit->short_names >= 0)
		return edit->short_names;
	root = ntfs_edit_open(edit, FILE_root, "/", err);
	if (!root)
		return -1;
	if (ntfs_index_each(edit->ntfs, root, see_habit, &habit, err) < 0) {
		ntfs_edit_abandon(root);
		return -1;
	}
	edit->short_names = habit.has_short;
	return ntfs_edit_close(edit, root, "/", err) < 0 ? -1 : edit->short_names;
}

/*
 * Whether new names in the folder get short ones: as its others do, and where these tell
 * nothing, as the volume's root does. 1, 0, -1.
 */
static int wants_short(struct ntfs_edit *edit, uint64_t folder, const char *path,
		       struct error *err)
{
	struct habit habit = {0};
	ntfs_inode *inode;

	vec_foreach (known, &edit->habits)
		if (known->folder == folder)
			return known->wanted;
	inode = ntfs_edit_open(edit, folder, path, err);
	if (!inode)
		return -1;
	if (ntfs_index_each(edit->ntfs, inode, see_habit, &habit, err) < 0) {
		ntfs_edit_abandon(inode);
		return -1;
	}
	if (ntfs_edit_close(edit, inode, path, err) < 0)
		return -1;
	if (!habit.has_short && !habit.lacks_short) {
		int wanted = volume_habit(edit, err);

		if (wanted < 0)
			return -1;
		habit.has_short = wanted;
	}
	vec_push(&edit->habits, (struct ntfs_habit){folder, habit.has_short});
	return habit.has_short;
}

/* True if the name is an entry of the folder or will be one. */
static int is_taken(struct ntfs_edit *edit, ntfs_inode *folder,
		    const struct overlay *node, struct bytes units, struct error *err)
{
	_cleanup_free_ char *text = utf16_to_utf8(units.data, units.len);
	_cleanup_free_ uint8_t *storage = NULL;
	const struct overlay *other = overlay_child(node->parent, text, strlen(text));
	struct ntfs_name entry;

	if (other && other->kind != OVERLAY_REMOVED)
		return 1;
	return ntfs_index_find(edit->ntfs, folder, units, &entry, &storage, err);
}

static int make_short(struct ntfs_edit *edit, ntfs_inode *folder,
		      const struct overlay *node, struct bytes name, struct buffer *ret,
		      const char *path, struct error *err)
{
	for (unsigned n = 0; short_name_candidate(name, n, ret); n++) {
		int taken = is_taken(edit, folder, node, buffer_view(ret), err);

		if (taken <= 0)
			return taken;
		ret->len = 0;
	}
	return error_set(err, ERROR_FAILED, path, "no short name is left for it");
}

/* ---- giving names
 * ----------------------------------------------------------------------
 */

/* What a name becomes: one entry, or with a short name beside it. */
struct naming {
	FILE_NAME_TYPE_FLAGS type;
	struct buffer short_name;
};

/* A file has one short name: further names are POSIX. */
static bool has_short_name(const struct file_names *names)
{
	vec_foreach (name, names)
		if (name->value->file_name_type & FILE_NAME_DOS)
			return true;
	return false;
}

static int choose(struct ntfs_edit *edit, ntfs_inode *folder, const struct overlay *node,
		  struct bytes units, struct bytes short_name, bool wanted,
		  struct naming *ret, const char *path, struct error *err)
{
	*ret = (struct naming){.type = FILE_NAME_POSIX};
	if (!wanted && !short_name.len)
		return 0;
	if (short_name_valid(units)) {
		ret->type = FILE_NAME_WIN32_AND_DOS;
		return 0;
	}
	ret->type = FILE_NAME_WIN32;
	if (!short_name.len)
		return make_short(edit, folder, node, units, &ret->short_name, path, err);
	buffer_append(&ret->short_name, short_name.data, short_name.len);
	return 0;
}

static int add_name(struct ntfs_edit *edit, ntfs_inode *inode, ntfs_inode *folder,
		    struct bytes units, FILE_NAME_TYPE_FLAGS type, const char *path,
		    struct error *err)
{
	_cleanup_free_ FILE_NAME_ATTR *name = new_name(inode, folder, units, type);

	ntfs_begin(edit->ntfs);
	if (ntfs_attr_add(inode, AT_FILE_NAME, AT_UNNAMED, 0, (u8 *)name,
			  (s64)(sizeof(*name) + units.len)) != 0)
		return ntfs_failed(edit->ntfs, err, path, "cannot give it its name");
	if (ntfs_index_add_filename(folder, name, reference_of(inode)) != 0)
		return ntfs_failed(edit->ntfs, err, path,
				   "cannot put it into its folder");
	inode->mrec->link_count =
		cpu_to_le16((u16)(le16_to_cpu(inode->mrec->link_count) + 1));
	ntfs_inode_mark_dirty(inode);
	return 0;
}

/* Removes the attribute that is exactly this name. */
static int remove_name(struct ntfs_edit *edit, ntfs_inode *inode,
		       const struct file_name *name, const char *path, struct error *err)
{
	ntfs_attr_search_ctx *search;
	int result = -1;

	ntfs_begin(edit->ntfs);
	search = ntfs_attr_get_search_ctx(inode, NULL);
	while (search && result < 0 &&
	       ntfs_attr_lookup(AT_FILE_NAME, NULL, 0, CASE_SENSITIVE, 0, NULL, 0,
				search) == 0) {
		const ATTR_RECORD *a = search->attr;

		if (le32_to_cpu(a->value_length) != name->len ||
		    memcmp((const u8 *)a + le16_to_cpu(a->value_offset), name->value,
			   name->len) != 0)
			continue;
		result = ntfs_attr_record_rm(search);
		if (result < 0)
			break;
	}
	if (search)
		ntfs_attr_put_search_ctx(search);
	if (result < 0)
		return ntfs_failed(edit->ntfs, err, path, "cannot take its name away");
	inode->mrec->link_count =
		cpu_to_le16((u16)(le16_to_cpu(inode->mrec->link_count) - 1));
	ntfs_inode_mark_dirty(inode);
	return 0;
}

/*
 * A new short name for the file that has `taken` as its own, which is to be the long name
 * of another: as Windows would give it, had the other been there first.
 */
static int yield_short(struct ntfs_edit *edit, ntfs_inode *owner, ntfs_inode *folder,
		       const struct overlay *node, struct bytes taken, const char *path,
		       struct error *err)
{
	_cleanup_names_ struct file_names names = VEC_INIT;
	_cleanup_buffer_ struct buffer other = BUFFER_INIT;
	const struct file_name *long_name = NULL, *short_name = NULL;

	if (read_names(edit, owner, &names, path, err) < 0)
		return -1;
	vec_foreach (name, &names) {
		if (MREF_LE(name->value->parent_directory) != folder->mft_no)
			continue;
		if (name->value->file_name_type == FILE_NAME_WIN32)
			long_name = name;
		if (name->value->file_name_type == FILE_NAME_DOS)
			short_name = name;
	}
	if (!long_name || !short_name ||
	    ntfs_compare_names(edit->volume, units_of(short_name->value), taken) != 0)
		return error_set(err, ERROR_FAILED, path,
				 "its name is another file's short name");
	if (make_short(edit, folder, node, units_of(long_name->value), &other, path,
		       err) < 0)
		return -1;
	ntfs_begin(edit->ntfs);
	if (ntfs_index_remove(folder, owner, short_name->value, (int)short_name->len) !=
	    0)
		return ntfs_failed(edit->ntfs, err, path,
				   "cannot take a short name out of its folder");
	if (remove_name(edit, owner, short_name, path, err) < 0)
		return -1;
	return add_name(edit, owner, folder, buffer_view(&other), FILE_NAME_DOS, path,
			err);
}

/* Sees to it that no short name in the folder is the new name. */
static int free_name(struct ntfs_edit *edit, ntfs_inode *folder,
		     const struct overlay *node, struct bytes units, const char *path,
		     struct error *err)
{
	_cleanup_free_ uint8_t *storage = NULL;
	struct ntfs_name entry;
	ntfs_inode *owner;
	int found = ntfs_index_find(edit->ntfs, folder, units, &entry, &storage, err);

	if (found <= 0 || entry.namespace != FILE_NAME_DOS)
		return found < 0 ? -1 : 0;
	owner = ntfs_edit_open(edit, MREF(entry.reference), path, err);
	if (!owner)
		return -1;
	found = yield_short(edit, owner, folder, node, units, path, err);
	if (ntfs_edit_close(edit, owner, path, found < 0 ? NULL : err) < 0)
		return -1;
	return found;
}

static int link_open(struct ntfs_edit *edit, ntfs_inode *inode, ntfs_inode *folder,
		     const struct overlay *node, struct bytes short_name, bool wanted,
		     const char *path, struct error *err)
{
	_cleanup_names_ struct file_names names = VEC_INIT;
	_cleanup_buffer_ struct buffer units = BUFFER_INIT;
	struct naming naming;
	int result;

	if (read_names(edit, inode, &names, path, err) < 0)
		return -1;
	utf16_append(&units, node->name);
	if (has_short_name(&names)) {
		wanted = false;
		short_name.len = 0;
	}
	if (choose(edit, folder, node, buffer_view(&units), short_name, wanted, &naming,
		   path, err) < 0)
		return -1;
	result = add_name(edit, inode, folder, buffer_view(&units), naming.type, path,
			  err);
	if (result == 0 && naming.short_name.len)
		result = add_name(edit, inode, folder, buffer_view(&naming.short_name),
				  FILE_NAME_DOS, path, err);
	buffer_free(&naming.short_name);
	return result;
}

int ntfs_edit_link(struct ntfs_edit *edit, uint64_t inode, const struct overlay *node,
		   uint64_t folder, struct bytes short_name, const char *path,
		   struct error *err)
{
	int wanted = wants_short(edit, folder, path, err), result = -1;
	_cleanup_buffer_ struct buffer units = BUFFER_INIT;
	ntfs_inode *parent, *child = NULL;

	if (wanted < 0)
		return -1;
	parent = ntfs_edit_open(edit, folder, path, err);
	if (!parent)
		return -1;
	utf16_append(&units, node->name);
	if (free_name(edit, parent, node, buffer_view(&units), path, err) == 0)
		child = ntfs_edit_open(edit, inode, path, err);
	if (child) {
		result = link_open(edit, child, parent, node, short_name, wanted, path,
				   err);
		if (ntfs_edit_close(edit, child, path, result < 0 ? NULL : err) < 0)
			result = -1;
	}
	if (ntfs_edit_close(edit, parent, path, result < 0 ? NULL : err) < 0)
		result = -1;
	ntfs_edit_touch(edit, folder);
	return result;
}

/* ---- taking names
 * ----------------------------------------------------------------------
 */

static bool is_name(const FILE_NAME_ATTR *name, uint64_t folder, struct bytes units)
{
	return MREF_LE(name->parent_directory) == folder &&
	       bytes_equal(units_of(name), units);
}

/* The names that go together: the one that is meant and its short name. */
static bool belongs(const FILE_NAME_ATTR *name, uint64_t folder, struct bytes units,
		    bool paired)
{
	if (is_name(name, folder, units))
		return true;
	return paired && name->file_name_type == FILE_NAME_DOS &&
	       MREF_LE(name->parent_directory) == folder;
}

/* True if the name has a short one beside it. */
static bool is_paired(const struct file_names *names, uint64_t folder, struct bytes units)
{
	vec_foreach (name, names)
		if (is_name(name->value, folder, units))
			return name->value->file_name_type == FILE_NAME_WIN32;
	return false;
}

static int unlink_open(struct ntfs_edit *edit, ntfs_inode *inode, ntfs_inode *folder,
		       struct bytes units, const char *path, unsigned *links,
		       struct buffer *short_name, struct error *err)
{
	_cleanup_names_ struct file_names names = VEC_INIT;
	unsigned found = 0;
	bool paired;

	if (read_names(edit, inode, &names, path, err) < 0)
		return -1;
	paired = is_paired(&names, folder->mft_no, units);
	vec_foreach (name, &names) {
		struct bytes its = units_of(name->value);

		if (!belongs(name->value, folder->mft_no, units, paired))
			continue;
		if (short_name && name->value->file_name_type == FILE_NAME_DOS)
			buffer_append(short_name, its.data, its.len);
		ntfs_begin(edit->ntfs);
		if (ntfs_index_remove(folder, inode, name->value, (int)name->len) != 0)
			return ntfs_failed(edit->ntfs, err, path,
					   "cannot take it out of its folder");
		if (remove_name(edit, inode, name, path, err) < 0)
			return -1;
		found++;
	}
	*links = (unsigned)names.len - found;
	if (!found)
		return error_set(err, ERROR_FAILED, path,
				 "its record does not have the name that its folder has");
	return 0;
}

int ntfs_edit_unlink(struct ntfs_edit *edit, uint64_t inode, uint64_t folder,
		     const char *name, const char *path, unsigned *links,
		     struct buffer *short_name, struct error *err)
{
	_cleanup_buffer_ struct buffer units = BUFFER_INIT;
	ntfs_inode *parent = ntfs_edit_open(edit, folder, path, err), *child;
	int result = -1;

	if (!parent)
		return -1;
	utf16_append(&units, name);
	child = ntfs_edit_open(edit, inode, path, err);
	if (child) {
		result = unlink_open(edit, child, parent, buffer_view(&units), path,
				     links, short_name, err);
		child->last_mft_change_time = cpu_to_sle64((s64)edit->now);
		if (ntfs_edit_close(edit, child, path, result < 0 ? NULL : err) < 0)
			result = -1;
	}
	if (ntfs_edit_close(edit, parent, path, result < 0 ? NULL : err) < 0)
		result = -1;
	ntfs_edit_touch(edit, folder);
	return result;
}

int ntfs_edit_unlink_all(struct ntfs_edit *edit, ntfs_inode *inode, uint64_t folder,
			 const char *path, unsigned *links, struct error *err)
{
	_cleanup_names_ struct file_names names = VEC_INIT;

	if (read_names(edit, inode, &names, path, err) < 0)
		return -1;
	*links = (unsigned)names.len;
	vec_foreach (name, &names)
		*links -= MREF_LE(name->value->parent_directory) == folder;
	if (!*links)
		return 0; /* the record goes as a whole */
	vec_foreach (name, &names)
		if (MREF_LE(name->value->parent_directory) == folder &&
		    remove_name(edit, inode, name, path, err) < 0)
			return -1;
	inode->last_mft_change_time = cpu_to_sle64((s64)edit->now);
	return 0;
}

int ntfs_edit_other_links(struct ntfs_edit *edit, uint64_t inode, uint64_t folder,
			  const char *name, const char *path, unsigned *ret,
			  struct error *err)
{
	_cleanup_buffer_ struct buffer units = BUFFER_INIT;
	_cleanup_names_ struct file_names names = VEC_INIT;
	_cleanup_inode_ ntfs_inode *open = ntfs_edit_open(edit, inode, path, err);
	bool paired;

	if (!open || read_names(edit, open, &names, path, err) < 0)
		return -1;
	utf16_append(&units, name);
	paired = is_paired(&names, folder, buffer_view(&units));
	*ret = 0;
	vec_foreach (n, &names)
		*ret += !belongs(n->value, folder, buffer_view(&units), paired);
	return 0;
}

/* ---- keeping folders up to date -----------------------------------------------------
 */

static int refresh_entry(struct ntfs_edit *edit, ntfs_inode *folder,
			 const struct file_name *name, const FILE_NAME_ATTR *now,
			 const char *path, struct error *err)
{
	ntfs_index_context *index;
	FILE_NAME_ATTR *entry;
	int result = -1;

	ntfs_begin(edit->ntfs);
	index = ntfs_index_ctx_get(folder, NTFS_INDEX_I30, 4);
	if (index && ntfs_index_lookup(name->value, (int)name->len, index) == 0) {
		entry = index->data;
		entry->creation_time = now->creation_time;
		entry->last_data_change_time = now->last_data_change_time;
		entry->last_mft_change_time = now->last_mft_change_time;
		entry->last_access_time = now->last_access_time;
		entry->allocated_size = now->allocated_size;
		entry->data_size = now->data_size;
		entry->file_attributes =
			(entry->file_attributes & ~FILE_ATTR_VALID_FLAGS) |
			(now->file_attributes & FILE_ATTR_VALID_FLAGS);
		entry->reparse_point_tag = now->reparse_point_tag;
		ntfs_index_entry_mark_dirty(index);
		result = 0;
	}
	if (result < 0)
		ntfs_failed(edit->ntfs, err, path, "its folder does not have its name");
	if (index)
		ntfs_index_ctx_put(index);
	return result;
}

int ntfs_edit_refresh(struct ntfs_edit *edit, uint64_t inode, const char *path,
		      struct error *err)
{
	_cleanup_names_ struct file_names names = VEC_INIT;
	ntfs_inode *child = ntfs_edit_open(edit, inode, path, err);
	FILE_NAME_ATTR now;
	int result;

	if (!child)
		return -1;
	fill_name(child, &now);
	result = read_names(edit, child, &names, path, err);
	if (ntfs_edit_close(edit, child, path, result < 0 ? NULL : err) < 0)
		return -1;
	for (size_t i = 0; i < names.len && result == 0; i++) {
		uint64_t parent = MREF_LE(names.items[i].value->parent_directory);
		ntfs_inode *folder = ntfs_edit_open(edit, parent, path, err);

		if (!folder)
			return -1;
		result = refresh_entry(edit, folder, &names.items[i], &now, path, err);
		if (ntfs_edit_close(edit, folder, path, result < 0 ? NULL : err) < 0)
			result = -1;
	}
	return result;
}

void ntfs_edit_touch(struct ntfs_edit *edit, uint64_t folder)
{
	vec_foreach (known, &edit->folders)
		if (*known == folder)
			return;
	vec_push(&edit->folders, folder);
}

void ntfs_edit_forget(struct ntfs_edit *edit, uint64_t inode)
{
	size_t kept = 0;

	vec_foreach (folder, &edit->folders)
		if (*folder != inode)
			edit->folders.items[kept++] = *folder;
	edit->folders.len = kept;
	kept = 0;
	vec_foreach (habit, &edit->habits)
		if (habit->folder != inode)
			edit->habits.items[kept++] = *habit;
	edit->habits.len = kept;
}

int ntfs_edit_touched(struct ntfs_edit *edit, struct error *err)
{
	vec_foreach (number, &edit->folders) {
		ntfs_inode *folder = ntfs_edit_open(edit, *number, "folder", err);

		if (!folder)
			return -1;
		folder->last_data_change_time = folder->last_mft_change_time =
			folder->last_access_time = cpu_to_sle64((s64)edit->now);
		ntfs_inode_mark_dirty(folder);
		if (ntfs_edit_close(edit, folder, "folder", err) < 0 ||
		    ntfs_edit_refresh(edit, *number, "folder", err) < 0)
			return -1;
	}
	return 0;
}
