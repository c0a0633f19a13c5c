/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What an MFT record says of a file: times, attributes, descriptor, object ID, reparse
 * point, and where its streams lie. Content in clusters is remembered by its runs, so
 * that reading it needs neither the record nor libntfs-3g again.
 */
#include <errno.h>

#include "tree/files_ntfs.h"

#include "base/text.h"
#include "tree/security.h"

/* Windows' limits. */
#define MAX_REPARSE (16 * 1024)
#define REPARSE_HEADER 8 /* tag, length, reserved */
#define OBJECT_ID_MIN 16
#define OBJECT_ID_MAX 64
#define MAX_DESCRIPTOR (2 * 65536 + 256)
/* A WIM counts them in 16 bits. */
#define MAX_STREAMS 60000

/* A record while it is read. */
struct record {
	struct files_ntfs *f;
	uint32_t number; /* of the inode */
	const char *path;
	ntfs_inode *ni;
	bool folder;
	bool has_reparse, has_object_id, has_security, extended, unnamed;
	uint64_t size;				  /* of all streams together */
	struct vec_of(struct files_stream) named; /* blob is not set yet */
	bool wof;
	enum wof_algorithm algorithm;
	char *refused;
	const char *remedy;
};

static struct files_inode *inode_of(const struct record *r)
{
	return &r->f->files.inodes.items[r->number];
}

static int damaged(const struct record *r, struct error *err, const char *what)
{
	error_set(err, ERROR_FAILED, r->path, "its record (%ju) is damaged: %s",
		  (uintmax_t)r->ni->mft_no, what);
	return error_remedy(err, "run chkdsk on the volume in Windows");
}

/* ---- which attributes there are
 * ---------------------------------------------------------------- */

static int note_stream(struct record *r, const ATTR_RECORD *a, struct error *err)
{
	struct bytes all = {(const uint8_t *)a, le32_to_cpu(a->length)};
	struct bytes name =
		bytes_at(all, le16_to_cpu(a->name_offset), 2 * (uint64_t)a->name_length);

	r->size += a->non_resident ? (uint64_t)sle64_to_cpu(a->data_size)
				   : le32_to_cpu(a->value_length);
	if (!a->name_length) {
		r->unnamed = true;
		return 0;
	}
	if (!name.data)
		return damaged(r, err, "a stream's name lies outside");
	if (r->named.len == MAX_STREAMS)
		return damaged(r, err, "it has too many streams");
	vec_push(&r->named,
		 (struct files_stream){utf16_to_utf8(name.data, name.len), FILES_NONE});
	return 0;
}

static int note(struct record *r, const ATTR_RECORD *a, struct error *err)
{
	/* Further pieces of an attribute that has several. */
	if (a->non_resident && a->lowest_vcn)
		return 0;
	switch (le32_to_cpu(a->type)) {
	case le32_to_cpu(AT_DATA):
		return note_stream(r, a, err);
	case le32_to_cpu(AT_REPARSE_POINT):
		r->has_reparse = true;
		break;
	case le32_to_cpu(AT_OBJECT_ID):
		r->has_object_id = true;
		break;
	case le32_to_cpu(AT_SECURITY_DESCRIPTOR):
		r->has_security = true;
		break;
	case le32_to_cpu(AT_EA):
		r->extended = true;
		break;
	default:
		break;
	}
	return 0;
}

static int note_all(struct record *r, struct error *err)
{
	ntfs_attr_search_ctx *ctx;
	int result = 0;

	ntfs_begin(r->f->ntfs);
	ctx = ntfs_attr_get_search_ctx(r->ni, NULL);
	if (!ctx)
		return ntfs_failed(r->f->ntfs, err, r->path, "cannot read its record");
	while (result == 0) {
		if (ntfs_attr_lookup(AT_UNUSED, NULL, 0, CASE_SENSITIVE, 0, NULL, 0,
				     ctx) != 0) {
			if (errno != ENOENT)
				result = ntfs_failed(r->f->ntfs, err, r->path,
						     "cannot read its record");
			break;
		}
		result = note(r, ctx->attr, err);
	}
	ntfs_attr_put_search_ctx(ctx);
	return result;
}

/* ---- small attributes
 * -------------------------------------------------------------------------- */

/* A whole attribute without name of `min` to `max` bytes. */
static int read_whole(const struct record *r, ATTR_TYPES type, size_t min, size_t max,
		      struct buffer *ret, struct error *err)
{
	_cleanup_attribute_ ntfs_attr *a = NULL;
	size_t len;

	ntfs_begin(r->f->ntfs);
	a = ntfs_attr_open(r->ni, type, AT_UNNAMED, 0);
	if (!a)
		return ntfs_failed(r->f->ntfs, err, r->path,
				   "cannot open its attribute 0x%x",
				   (unsigned)le32_to_cpu(type));
	if (a->data_size < (s64)min || a->data_size > (s64)max)
		return damaged(r, err, "an attribute has a wrong size");
	len = (size_t)a->data_size;
	if (ntfs_read_attribute(r->f->ntfs, a, buffer_reserve(ret, len), len, 0, r->path,
				err) < 0)
		return -1;
	ret->len += len;
	return 0;
}

static void refuse(struct record *r, const char *why, const char *remedy)
{
	if (!r->refused)
		r->refused = xstrdup(why);
	r->remedy = remedy;
}

/* Files of Compact OS are what they were before; the others keep their reparse point. */
static int read_reparse(struct record *r, struct error *err)
{
	_cleanup_buffer_ struct buffer raw = BUFFER_INIT;
	_cleanup_error_ struct error why = ERROR_INIT;
	struct files_inode *inode = inode_of(r);
	struct bytes data;

	if (read_whole(r, AT_REPARSE_POINT, REPARSE_HEADER, MAX_REPARSE, &raw, err) < 0)
		return -1;
	data = (struct bytes){raw.data + REPARSE_HEADER, raw.len - REPARSE_HEADER};
	inode->reparse_tag = get_le32(raw.data);
	if (inode->reparse_tag == NTFS_TAG_WOF && !r->folder) {
		r->wof = true;
		if (wof_parse(data, &r->algorithm, r->path, &why) < 0) {
			refuse(r, why.reason,
			       "run in Windows, on the file's folder: compact /u /s "
			       "/exe");
			return 0;
		}
		inode->attributes &= ~(FILES_ATTR_REPARSE | FILES_ATTR_SPARSE);
		inode->reparse_tag = 0;
		return 0;
	}
	if (inode->reparse_tag == NTFS_TAG_DEDUP && !r->folder)
		refuse(r,
		       "its content lies in the volume's chunk store (Data "
		       "Deduplication)",
		       "run in Windows: Expand-DedupFile");
	inode->attributes |= FILES_ATTR_REPARSE;
	inode->reparse = (struct bytes){xmemdup(data.data, data.len), data.len};
	return 0;
}

static int read_object_id(struct record *r, struct error *err)
{
	_cleanup_buffer_ struct buffer raw = BUFFER_INIT;
	struct files_object_id *id;

	if (read_whole(r, AT_OBJECT_ID, OBJECT_ID_MIN, OBJECT_ID_MAX, &raw, err) < 0)
		return -1;
	id = xcalloc(1, sizeof(*id));
	memcpy(id, raw.data, raw.len);
	inode_of(r)->object_id = id;
	return 0;
}

/* By its number in $Secure, or in the record (NTFS 1.2, and what chkdsk left). */
static int read_security(struct record *r, struct error *err)
{
	_cleanup_buffer_ struct buffer raw = BUFFER_INIT;
	struct files_inode *inode = inode_of(r);
	uint32_t *known = NULL;

	inode->security = FILES_NONE;
	if (test_nino_flag(r->ni, v3_Extensions) && r->ni->security_id)
		known = number_map_find(&r->f->security_ids,
					le32_to_cpu(r->ni->security_id));
	if (known) {
		inode->security = *known;
		return 0;
	}
	if (!r->has_security)
		return 0;
	if (read_whole(r, AT_SECURITY_DESCRIPTOR, 20, MAX_DESCRIPTOR, &raw, err) < 0)
		return -1;
	if (security_valid(buffer_view(&raw)))
		inode->security = files_security(&r->f->files, &r->f->securities,
						 buffer_view(&raw));
	return 0;
}

static void read_information(const struct record *r)
{
	struct files_inode *inode = inode_of(r);
	const ntfs_inode *ni = r->ni;

	/*
	 * Flags of the index alone are not for others. Encrypted content is refused; a
	 * folder's flag says what new files shall be, an empty file has nothing to hide.
	 */
	inode->attributes = le32_to_cpu(ni->flags) & 0x0fffffffu &
			    ~(FILES_ATTR_REPARSE | FILES_ATTR_ENCRYPTED);
	if (r->folder)
		inode->attributes |= FILES_ATTR_DIRECTORY;
	else
		inode->attributes &= ~FILES_ATTR_DIRECTORY;
	inode->created = (uint64_t)sle64_to_cpu(ni->creation_time);
	inode->modified = (uint64_t)sle64_to_cpu(ni->last_data_change_time);
	inode->accessed = (uint64_t)sle64_to_cpu(ni->last_access_time);
	inode->changed = (uint64_t)sle64_to_cpu(ni->last_mft_change_time);
}

/* ---- streams
 * ----------------------------------------------------------------------------------- */

/* Takes over the clusters of an attribute. */
static int keep_runs(struct record *r, ntfs_attr *a, struct files_ntfs_content *content,
		     struct error *err)
{
	struct files_ntfs *f = r->f;
	const uint64_t clusters = (uint64_t)f->ntfs->volume->nr_clusters;

	ntfs_begin(f->ntfs);
	if (ntfs_attr_map_whole_runlist(a) != 0)
		return ntfs_failed(f->ntfs, err, r->path,
				   "cannot read where its content lies");
	content->storage = FILES_NTFS_RUNS;
	content->first_run = f->runs.len;
	for (const runlist_element *rl = a->rl; rl && rl->length > 0; rl++) {
		struct files_ntfs_run run = {(uint64_t)rl->lcn, (uint64_t)rl->length};

		if (rl->lcn == LCN_HOLE)
			run.lcn = FILES_NTFS_HOLE;
		else if (rl->lcn < 0 || run.lcn >= clusters ||
			 run.clusters > clusters - run.lcn)
			return damaged(r, err, "its content lies outside of the volume");
		if (f->runs.len >= f->most_runs)
			return damaged(r, err,
				       "the volume has more pieces of files than "
				       "records for them");
		vec_push(&f->runs, run);
	}
	content->runs = f->runs.len - content->first_run;
	return 0;
}

/* Where the first byte lies, for the order of reading. */
static uint64_t place_of(const struct files_ntfs *f,
			 const struct files_ntfs_content *content)
{
	for (size_t i = 0; i < content->runs; i++) {
		const struct files_ntfs_run *run = &f->runs.items[content->first_run + i];

		if (run->lcn != FILES_NTFS_HOLE)
			return run->lcn * f->ntfs->volume->cluster_size;
	}
	return 0;
}

/* One stream: `name` as stored, `len` units. Its blob goes to *blob. */
static int keep_stream(struct record *r, ntfschar *name, uint32_t len, uint32_t stream,
		       uint32_t *blob, struct error *err)
{
	struct files_ntfs *f = r->f;
	struct files_ntfs_content content = {
		.storage = FILES_NTFS_LIBRARY, .inode = r->number, .stream = stream};
	_cleanup_attribute_ ntfs_attr *a = NULL, *packed = NULL;
	struct files_blob out = {.private = (uint32_t)f->contents.len};
	ntfs_attr *from;

	ntfs_begin(f->ntfs);
	a = ntfs_attr_open(r->ni, AT_DATA, name, len);
	if (!a)
		return ntfs_failed(f->ntfs, err, r->path, "cannot open a stream");
	if (a->data_size < 0)
		return damaged(r, err, "a stream has a negative size");
	out.size = (uint64_t)a->data_size;
	*blob = FILES_NONE;
	if (!out.size)
		return 0;
	from = a;
	if (!len && r->wof && !r->refused) {
		packed = ntfs_open_wof(r->ni);
		if (!packed || packed->data_size < 0)
			return ntfs_failed(
				f->ntfs, err, r->path,
				"cannot open its compressed content (Compact OS)");
		from = packed;
		content.wof = true;
		content.algorithm = r->algorithm;
	}
	content.stored = (uint64_t)from->data_size;
	content.initialized = (uint64_t)from->initialized_size;
	if (!len && r->refused) {
		content.refused = xstrdup(r->refused);
		content.remedy = r->remedy;
	} else if (NAttrNonResident(from) &&
		   !(from->data_flags & ATTR_COMPRESSION_MASK)) {
		if (keep_runs(r, from, &content, err) < 0)
			return -1;
	}
	out.place = place_of(f, &content);
	*blob = (uint32_t)f->files.blobs.len;
	vec_push(&f->files.blobs, out);
	vec_push(&f->contents, content);
	return 0;
}

/* Nothing of an encrypted file is read: its streams are one that cannot be. */
static void keep_encrypted(struct record *r)
{
	struct files_ntfs *f = r->f;
	struct files_inode *inode = inode_of(r);

	if (!r->size)
		return;
	inode->streams = xcalloc(1, sizeof(*inode->streams));
	inode->stream_count = 1;
	inode->streams[0].blob = (uint32_t)f->files.blobs.len;
	vec_push(&f->files.blobs,
		 (struct files_blob){.size = r->size,
				     .private = (uint32_t)f->contents.len});
	vec_push(&f->contents,
		 (struct files_ntfs_content){.inode = r->number,
					     .refused = xstrdup("is encrypted (EFS)"),
					     .remedy = "decrypt it in Windows first"});
}

static bool is_wof_stream(const struct record *r, const char *name)
{
	return r->wof && !r->refused && strcmp(name, "WofCompressedData") == 0;
}

static int keep_streams(struct record *r, struct error *err)
{
	struct files_inode *inode = inode_of(r);
	struct vec_of(struct files_stream) streams = VEC_INIT;
	int result = 0;

	if (r->unnamed && !r->folder) {
		vec_push(&streams, (struct files_stream){NULL, FILES_NONE});
		result = keep_stream(r, AT_UNNAMED, 0, 0, &streams.items[0].blob, err);
	}
	vec_foreach (named, &r->named) {
		_cleanup_buffer_ struct buffer units = BUFFER_INIT;
		struct files_stream stream = {.blob = FILES_NONE};

		if (result < 0 || is_wof_stream(r, named->name))
			continue;
		utf16_append(&units, named->name);
		result = keep_stream(r, (ntfschar *)units.data, (uint32_t)units.len / 2,
				     (uint32_t)streams.len, &stream.blob, err);
		stream.name = steal_ptr(named->name);
		vec_push(&streams, stream);
	}
	inode->streams = streams.items;
	inode->stream_count = (uint32_t)streams.len;
	return result;
}

/* ---- the record
 * -------------------------------------------------------------------------------- */

static int fill(struct record *r, bool folder, struct error *err)
{
	r->folder = r->ni->mrec->flags & MFT_RECORD_IS_DIRECTORY;
	if (r->folder != folder)
		return damaged(r, err, "its name says otherwise whether it is a folder");
	read_information(r);
	if (note_all(r, err) < 0)
		return -1;
	if (r->has_reparse && r->ni->flags & FILE_ATTR_REPARSE_POINT &&
	    read_reparse(r, err) < 0)
		return -1;
	if ((r->has_object_id && read_object_id(r, err) < 0) || read_security(r, err) < 0)
		return -1;
	if (!r->folder && r->ni->flags & FILE_ATTR_ENCRYPTED)
		keep_encrypted(r);
	else if (keep_streams(r, err) < 0)
		return -1;
	if (!inode_of(r)->attributes)
		inode_of(r)->attributes = TREE_ATTR_NORMAL;
	r->f->extended += r->extended;
	return 0;
}

int files_ntfs_record(struct files_ntfs *f, uint32_t inode, bool folder,
		      struct error *err)
{
	_cleanup_free_ char *path = files_ntfs_path(f, inode);
	_cleanup_inode_ ntfs_inode *ni =
		ntfs_open_inode(f->ntfs, f->references.items[inode], path, err);
	struct record r = {.f = f, .number = inode, .path = path, .ni = ni};
	int result;

	if (!ni)
		return -1;
	result = fill(&r, folder, err);
	vec_foreach (named, &r.named)
		free(named->name);
	vec_free(&r.named);
	free(r.refused);
	return result;
}
