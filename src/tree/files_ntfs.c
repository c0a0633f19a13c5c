/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * All of an NTFS volume: the folders are walked level by level, then the records are read
 * in the order in which they lie in the MFT.
 *
 * Left out: the file system's own records (below 24, and what lies in $Extend), extended
 * attributes and logged streams ($EA, $TXF_DATA), names that no path can say, and how
 * content is stored: clusters, compression by Compact OS. What is encrypted or
 * deduplicated is in the list, and cannot be read.
 */
#include "tree/files_ntfs.h"

#include "base/progress.h"
#include "base/text.h"
#include "tree/disk.h"

#define RECORD_NUMBER(reference) ((reference)&0x0000ffffffffffffULL)
/* A name in a record takes that many bytes at least; a run in a list two. */
#define MIN_NAME 64
#define MIN_RUN 2
#define REPORT_EVERY 1024

/* A name that was found in a folder. */
struct found {
	char *name, *short_name;
	uint64_t reference;
	unsigned namespace;
	bool folder;
};

struct walk {
	struct files_ntfs *f;
	struct number_map inodes;	   /* by record number */
	struct vec_of(struct found) names; /* of the folder that is being read */
	struct vec_of(struct found) dos;   /* short names of these */
	struct vec_of(bool) folders;	   /* of each inode: the index says so */
	size_t most_entries, hidden;
};

/* Of each inode the first entry that leads to it; made anew when the entries changed. */
static void find_entries(struct files_ntfs *f)
{
	if (f->mapped == f->files.entries.len)
		return;
	f->mapped = f->files.entries.len;
	f->entry_of =
		xreallocarray(f->entry_of, f->files.inodes.len, sizeof(*f->entry_of));
	for (size_t i = 0; i < f->files.inodes.len; i++)
		f->entry_of[i] = FILES_NONE;
	for (size_t i = f->mapped; i--;)
		f->entry_of[f->files.entries.items[i].inode] = (uint32_t)i;
}

char *files_ntfs_path(struct files_ntfs *f, uint32_t inode)
{
	_cleanup_free_ char *path = NULL;

	find_entries(f);
	if (f->entry_of[inode] == FILES_NONE)
		return xstrdup(f->files.name);
	path = files_path(&f->files, f->entry_of[inode]);
	return xasprintf("%s: %s", f->files.name, *path ? path : "the root folder");
}

static int damaged(const struct walk *w, size_t entry, struct error *err,
		   const char *what)
{
	_cleanup_free_ char *path = files_path(&w->f->files, entry);
	_cleanup_free_ char *subject = xasprintf("%s: %s", w->f->files.name, path);

	error_set(err, ERROR_FAILED, subject, "%s", what);
	return error_remedy(err, "run chkdsk on the volume in Windows");
}

/* ---- the folders
 * ------------------------------------------------------------------------------- */

static int note_name(void *arg, const struct ntfs_name *name, struct error *err _unused_)
{
	struct walk *w = arg;
	struct found found = {.reference = name->reference,
			      .namespace = name->namespace,
			      .folder = name->stat.attributes & FILES_ATTR_DIRECTORY};

	if (RECORD_NUMBER(name->reference) < NTFS_FIRST_USER)
		return 0;
	if (!ntfs_name_is_nameable(name)) {
		w->hidden++;
		return 0;
	}
	found.name = utf16_to_utf8(name->units, name->len);
	if (name->namespace == FILE_NAME_DOS)
		vec_push(&w->dos, found);
	else
		vec_push(&w->names, found);
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	const struct found *x = a, *y = b;
	int order = text_compare(x->name, y->name);

	if (!order)
		order = strcmp(x->name, y->name);
	return order ? order
		     : (x->reference > y->reference) - (x->reference < y->reference);
}

/* Each DOS name belongs to the WIN32 name of the same record. */
static void match_short_names(struct walk *w)
{
	_cleanup_number_map_ struct number_map long_names = {0};

	if (!w->dos.len)
		return;
	for (size_t i = 0; i < w->names.len; i++)
		if (w->names.items[i].namespace == FILE_NAME_WIN32 &&
		    !number_map_find(&long_names, w->names.items[i].reference))
			number_map_add(&long_names, w->names.items[i].reference,
				       (uint32_t)i);
	vec_foreach (dos, &w->dos) {
		uint32_t *i = number_map_find(&long_names, dos->reference);

		if (i && !w->names.items[*i].short_name)
			w->names.items[*i].short_name = steal_ptr(dos->name);
	}
}

static void clear_names(struct walk *w)
{
	vec_foreach (found, &w->names) {
		free(found->name);
		free(found->short_name);
	}
	vec_foreach (found, &w->dos)
		free(found->name);
	w->names.len = w->dos.len = 0;
}

/* The inode of a reference, a new one at need. */
static uint32_t get_inode(struct walk *w, uint64_t reference, bool folder)
{
	struct files_ntfs *f = w->f;
	uint32_t *known = number_map_find(&w->inodes, RECORD_NUMBER(reference));
	uint32_t number = (uint32_t)f->files.inodes.len;

	if (known)
		return *known;
	number_map_add(&w->inodes, RECORD_NUMBER(reference), number);
	vec_push(&f->files.inodes, (struct files_inode){.security = FILES_NONE});
	vec_push(&f->references, reference);
	vec_push(&w->folders, folder);
	return number;
}

static int add_entry(struct walk *w, uint32_t parent, struct found *found,
		     struct error *err)
{
	struct files_ntfs *f = w->f;
	uint32_t inode = get_inode(w, found->reference, found->folder);
	struct files_entry entry = {.inode = inode, .parent = parent};

	if (f->files.entries.len >= w->most_entries)
		return damaged(w, parent, err,
			       "the volume has more names than records for them");
	if (f->references.items[inode] != found->reference ||
	    w->folders.items[inode] != found->folder)
		return damaged(w, parent, err,
			       "its index disagrees with another about a file");
	/* A folder has one name. Following another could go round for ever. */
	if (found->folder && f->files.inodes.items[inode].links)
		return damaged(w, parent, err,
			       "it holds a folder that lies elsewhere, too");
	f->files.inodes.items[inode].links++;
	entry.name = steal_ptr(found->name);
	entry.short_name = steal_ptr(found->short_name);
	vec_push(&f->files.entries, entry);
	return 0;
}

static int read_folder(struct walk *w, uint32_t entry, struct error *err)
{
	struct files_ntfs *f = w->f;
	uint32_t inode = f->files.entries.items[entry].inode;
	_cleanup_free_ char *path = files_path(&f->files, entry);
	_cleanup_inode_ ntfs_inode *folder = ntfs_open_inode(
		f->ntfs, f->references.items[inode], *path ? path : f->files.name, err);
	const struct found *before = NULL;
	int result = 0;

	if (!folder)
		return -1;
	if (!(folder->mrec->flags & MFT_RECORD_IS_DIRECTORY))
		return damaged(w, entry, err, "its record is no folder's");
	if (ntfs_index_each(f->ntfs, folder, note_name, w, err) < 0)
		return -1;
	match_short_names(w);
	if (w->names.len)
		qsort(w->names.items, w->names.len, sizeof(struct found), compare_names);
	vec_foreach (found, &w->names) {
		/* The same twice: the first counts. */
		if (before && before->reference == found->reference && found->name &&
		    strcmp(f->files.entries.items[f->files.entries.len - 1].name,
			   found->name) == 0)
			continue;
		before = found;
		result = add_entry(w, entry, found, err);
		if (result < 0)
			break;
	}
	clear_names(w);
	return result;
}

static int read_folders(struct walk *w, struct error *err)
{
	struct files_ntfs *f = w->f;
	uint64_t root;
	_cleanup_inode_ ntfs_inode *ni =
		ntfs_open_inode(f->ntfs, FILE_root, f->files.name, err);

	if (!ni)
		return -1;
	root = MK_MREF(FILE_root, le16_to_cpu(ni->mrec->sequence_number));
	ntfs_close_inode(&ni);
	(void)get_inode(w, root, true);
	f->files.inodes.items[0].links = 1;
	vec_push(&f->files.entries, (struct files_entry){.name = xstrdup("")});
	/* The list is its own queue. */
	for (uint32_t i = 0; i < f->files.entries.len; i++) {
		if (interrupted())
			return error_interrupted(err);
		if (w->folders.items[f->files.entries.items[i].inode] &&
		    read_folder(w, i, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- the records
 * ------------------------------------------------------------------------------- */

static int compare_references(const void *a, const void *b, void *arg)
{
	const struct files_ntfs *f = arg;
	uint64_t x = RECORD_NUMBER(f->references.items[*(const uint32_t *)a]);
	uint64_t y = RECORD_NUMBER(f->references.items[*(const uint32_t *)b]);

	return (x > y) - (x < y);
}

static int read_records(struct walk *w, struct error *err)
{
	struct files_ntfs *f = w->f;
	size_t count = f->references.len;
	_cleanup_free_ uint32_t *order = xmalloc(count * sizeof(*order));

	for (uint32_t i = 0; i < count; i++)
		order[i] = i;
	qsort_r(order, count, sizeof(*order), compare_references, f);
	for (size_t i = 0; i < count; i++) {
		if (interrupted())
			return error_interrupted(err);
		if (i % REPORT_EVERY == 0)
			progress_report("reading the volume's files", i, count);
		if (files_ntfs_record(f, order[i], w->folders.items[order[i]], err) < 0)
			return -1;
	}
	return 0;
}

/* ---- the source
 * -------------------------------------------------------------------------------- */

static int check_op(struct files *files, struct error *err)
{
	struct files_ntfs *f = (struct files_ntfs *)files;
	const struct files_ntfs_content *first = NULL;
	_cleanup_free_ char *path = NULL;
	size_t count = 0;

	vec_foreach (content, &f->contents) {
		if (!content->refused || !files->inodes.items[content->inode].links)
			continue;
		if (!first)
			first = content;
		count++;
	}
	if (!first)
		return 0;
	path = files_ntfs_path(f, first->inode);
	if (count > 1)
		error_set(err, ERROR_FAILED, path,
			  "%s, and so are %zu more streams that "
			  "cannot be read",
			  first->refused, count - 1);
	else
		error_set(err, ERROR_FAILED, path, "%s", first->refused);
	return error_remedy(err, "%s, or leave it out", first->remedy);
}

static void close_op(struct files *files)
{
	struct files_ntfs *f = (struct files_ntfs *)files;

	vec_foreach (content, &f->contents)
		free(content->refused);
	vec_free(&f->contents);
	vec_free(&f->references);
	vec_free(&f->runs);
	free(f->entry_of);
	number_map_free(&f->security_ids);
	files_securities_free(&f->securities);
	files_free_model(files);
}

static const struct files_ops ntfs_ops = {
	.read = files_ntfs_read,
	.check = check_op,
	.close = close_op,
};

/* Bytes of the MFT, never more than the volume's. */
static uint64_t mft_size(const struct ntfs *ntfs)
{
	uint64_t size = (uint64_t)ntfs->volume->mft_na->data_size;

	return size < ntfs->block->size ? size : ntfs->block->size;
}

struct files *files_of_ntfs(struct ntfs *ntfs, struct error *err)
{
	struct files_ntfs *f = xcalloc(1, sizeof(*f));
	struct walk w = {.f = f};
	int result;

	f->files.ops = &ntfs_ops;
	f->files.name = xstrdup(ntfs->block->name);
	f->files.label = *ntfs_label(ntfs) ? xstrdup(ntfs_label(ntfs)) : NULL;
	f->ntfs = ntfs;
	f->most_runs = mft_size(ntfs) / MIN_RUN;
	w.most_entries = mft_size(ntfs) / MIN_NAME;
	result = files_ntfs_security_read(f, err);
	if (result == 0)
		result = read_folders(&w, err);
	if (result == 0)
		result = read_records(&w, err);
	if (result == 0)
		result = files_ntfs_object_ids(f, err);
	clear_names(&w);
	vec_free(&w.names);
	vec_free(&w.dos);
	vec_free(&w.folders);
	number_map_free(&w.inodes);
	if (result < 0) {
		files_close(&f->files);
		return NULL;
	}
	if (w.hidden)
		notice("%s: %zu names that Windows could not open are left out",
		       f->files.name, w.hidden);
	if (f->extended)
		notice("%s: the extended attributes of %zu files are left out",
		       f->files.name, f->extended);
	return &f->files;
}

struct files *files_of_disk(struct image *image, size_t i, struct error *err)
{
	struct ntfs *ntfs;

	if (!image_is_disk(image)) {
		error_set(err, ERROR_USAGE, image->path, "is no disk image");
		error_remedy(err, "give the disk (raw, VHD, VHDX, qcow2, VMDK, a block "
				  "device) that holds the Windows");
		return NULL;
	}
	ntfs = disk_ntfs(image, i, err);
	return ntfs ? files_of_ntfs(ntfs, err) : NULL;
}
