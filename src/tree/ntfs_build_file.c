/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The records of files and folders of a new volume: see tree/ntfs_build.h. */
#include "tree/ntfs_build.h"

#include "base/progress.h"
#include "base/text.h"

/* FILE_ATTRIBUTE_* that NTFS keeps: not directory, device, normal, virtual. */
#define KEPT_ATTRIBUTES 0x1effa7u
#define MICROSOFT_TAG 0x80000000u
#define GUID_BYTES 16u

void ntfs_standard_value(const struct ntfs_standard *s, uint8_t value[72])
{
	memset(value, 0, 72);
	put_le64(value, s->created);
	put_le64(value + 8, s->modified);
	put_le64(value + 16, s->changed);
	put_le64(value + 24, s->accessed);
	put_le32(value + 32, s->attributes);
	put_le32(value + 52, s->security);
}

size_t ntfs_file_name_value(const struct ntfs_file_name *n,
			    uint8_t value[NTFS_FILE_NAME_MAX])
{
	put_le64(value, ntfs_reference(n->parent));
	put_le64(value + 8, n->created);
	put_le64(value + 16, n->modified);
	put_le64(value + 24, n->changed);
	put_le64(value + 32, n->accessed);
	put_le64(value + 40, n->allocated);
	put_le64(value + 48, n->size);
	put_le32(value + 56, n->attributes);
	put_le32(value + 60, n->tag);
	value[64] = (uint8_t)(n->units.len / 2);
	value[65] = (uint8_t)n->space;
	memcpy(value + 66, n->units.data, n->units.len);
	return 66 + n->units.len;
}

/* ---- what a file is
 * ------------------------------------------------------------------- */

static uint32_t attributes_of(const struct ntfs_build *b, uint32_t number)
{
	const struct files_inode *inode = &b->files->inodes.items[number];
	uint32_t attributes = inode->attributes & KEPT_ATTRIBUTES;

	if (!(inode->attributes & FILES_ATTR_DIRECTORY))
		attributes &= ~FILES_ATTR_COMPRESSED; /* stored plain */
	if (b->inodes[number].wof)
		attributes |= FILES_ATTR_SPARSE | FILES_ATTR_REPARSE;
	return attributes;
}

static uint32_t tag_of(const struct ntfs_build *b, uint32_t number)
{
	const struct files_inode *inode = &b->files->inodes.items[number];

	if (b->inodes[number].wof)
		return NTFS_WOF_TAG;
	return inode->attributes & FILES_ATTR_REPARSE ? inode->reparse_tag : 0;
}

/* Size and space of the unnamed data, as names repeat it. */
static void data_sizes(const struct ntfs_build *b, uint32_t number,
		       struct ntfs_file_name *name)
{
	const struct files_inode *inode = &b->files->inodes.items[number];
	const struct ntfs_stream *s = &b->streams[b->inodes[number].first_stream];

	if (!inode->stream_count || inode->streams[0].name)
		return;
	name->size = s->size;
	switch (s->kind) {
	case NTFS_STREAM_RESIDENT:
		name->allocated = ntfs_align8((size_t)s->size);
		break;
	case NTFS_STREAM_PLAIN:
		name->allocated = ntfs_clusters_of(s->size) * NTFS_CLUSTER;
		break;
	case NTFS_STREAM_SPARSE:
		for (uint32_t i = 0; i < s->run_count; i++)
			if (s->runs[i].lcn != NTFS_HOLE)
				name->allocated += s->runs[i].count * NTFS_CLUSTER;
		break;
	default:
		break;
	}
}

static void fill_name(const struct ntfs_build *b, uint32_t number,
		      struct ntfs_file_name *name)
{
	const struct files_inode *inode = &b->files->inodes.items[number];

	*name = (struct ntfs_file_name){.created = inode->created,
					.modified = inode->modified,
					.changed = inode->changed,
					.accessed = inode->accessed,
					.attributes = attributes_of(b, number),
					.tag = tag_of(b, number)};
	if (inode->attributes & FILES_ATTR_DIRECTORY)
		name->attributes |= NTFS_ATTR_FOLDER;
	else
		data_sizes(b, number, name);
}

/* ---- attributes
 * ---------------------------------------------------------------------- */

/* What a record's attributes point to, until it is written. */
struct file_record {
	struct ntfs_record record;
	uint8_t standard[72];
	struct buffer names; /* values of $FILE_NAME, one behind the other */
	struct buffer reparse;
	struct ntfs_index index;
	struct ntfs_children children;
	struct ntfs_run *runs; /* one for each stream and each other attribute */
	size_t run_count;
};

static struct ntfs_attr *add(struct file_record *f, uint32_t type, struct bytes value)
{
	vec_push(&f->record.attrs, (struct ntfs_attr){.type = type, .value = value});
	return &f->record.attrs.items[f->record.attrs.len - 1];
}

static void make_non_resident(struct ntfs_attr *a, const struct ntfs_run *runs,
			      size_t count, uint64_t size)
{
	a->non_resident = true;
	a->runs = runs;
	a->run_count = count;
	a->size = a->initialized = size;
}

/* Puts a value into clusters of its own. */
static int move_out(struct ntfs_build *b, struct file_record *f, struct ntfs_attr *a,
		    struct error *err)
{
	struct ntfs_run *run = &f->runs[f->run_count++];

	run->count = ntfs_clusters_of(a->value.len);
	if (ntfs_allocate(b, run->count, &run->lcn, err) < 0 ||
	    ntfs_output_write(&b->out, run->lcn * NTFS_CLUSTER, a->value, err) < 0)
		return -1;
	make_non_resident(a, run, 1, a->value.len);
	return 0;
}

static void add_names(const struct ntfs_build *b, struct file_record *f, uint32_t number)
{
	const struct files_inode *inode = &b->files->inodes.items[number];
	_cleanup_buffer_ struct buffer units = BUFFER_INIT;
	struct vec_of(size_t) ends = VEC_INIT;
	struct ntfs_file_name name;
	size_t at = 0;

	fill_name(b, number, &name);
	for (uint32_t i = 0; i < inode->links; i++) {
		uint32_t entry = b->names[b->inodes[number].first_name + i];
		const struct files_entry *e = &b->files->entries.items[entry];
		enum ntfs_namespace space = (enum ntfs_namespace)b->namespaces[entry];

		for (int k = 0; k < (space == NTFS_WIN32 ? 2 : 1); k++) {
			uint8_t *p = buffer_reserve(&f->names, NTFS_FILE_NAME_MAX);

			units.len = 0;
			utf16_append(&units, k ? e->short_name : entry ? e->name : ".");
			name.units = buffer_view(&units);
			name.space = k ? NTFS_DOS : entry ? space : NTFS_WIN32_DOS;
			name.parent = b->inodes[b->files->entries.items[e->parent].inode]
					      .record;
			f->names.len += ntfs_file_name_value(&name, p);
			vec_push(&ends, f->names.len);
		}
	}
	vec_foreach (end, &ends) {
		add(f, NTFS_AT_FILE_NAME, (struct bytes){f->names.data + at, *end - at})
			->indexed = true;
		at = *end;
	}
	f->record.links = (uint16_t)ends.len;
	vec_free(&ends);
}

static void add_stream(const struct ntfs_build *b, struct file_record *f,
		       const char *name, const struct ntfs_stream *s)
{
	struct ntfs_attr *a = add(f, NTFS_AT_DATA, (struct bytes){0});
	struct ntfs_run *run = &f->runs[f->run_count];

	a->name = name;
	switch (s->kind) {
	case NTFS_STREAM_RESIDENT:
		a->value = (struct bytes){s->value, (size_t)s->size};
		break;
	case NTFS_STREAM_PLAIN:
		*run = (struct ntfs_run){s->lcn, ntfs_clusters_of(s->size)};
		make_non_resident(a, run, 1, s->size);
		f->run_count++;
		break;
	case NTFS_STREAM_SPARSE:
		make_non_resident(a, s->runs, s->run_count, s->size);
		a->flags = NTFS_AF_SPARSE;
		break;
	case NTFS_STREAM_WOF:
		run[0] = (struct ntfs_run){NTFS_HOLE, ntfs_clusters_of(s->size)};
		run[1] = (struct ntfs_run){s->lcn, ntfs_clusters_of(s->packed)};
		make_non_resident(a, run, 1, s->size);
		a->flags = NTFS_AF_SPARSE;
		a = add(f, NTFS_AT_DATA, (struct bytes){0});
		a->name = "WofCompressedData";
		make_non_resident(a, run + 1, 1, s->packed);
		f->run_count += 2;
		break;
	default:
		break;
	}
	(void)b;
}

static void add_streams(const struct ntfs_build *b, struct file_record *f,
			uint32_t number)
{
	const struct files_inode *inode = &b->files->inodes.items[number];
	const struct ntfs_stream *streams = &b->streams[b->inodes[number].first_stream];

	if (!(inode->attributes & FILES_ATTR_DIRECTORY) &&
	    (!inode->stream_count || inode->streams[0].name))
		add(f, NTFS_AT_DATA, (struct bytes){0}); /* every file has it */
	for (uint32_t i = 0; i < inode->stream_count; i++)
		add_stream(b, f, inode->streams[i].name, &streams[i]);
}

static void fill_reparse(const struct ntfs_build *b, uint32_t number, struct buffer *to)
{
	const struct files_inode *inode = &b->files->inodes.items[number];
	struct bytes data = inode->reparse;
	uint32_t tag = tag_of(b, number);
	size_t len;

	if (b->inodes[number].wof)
		data = ntfs_wof_reparse();
	len = data.len;
	/* The GUID of other vendors' tags does not count. */
	if (!(tag & MICROSOFT_TAG) && len >= GUID_BYTES)
		len -= GUID_BYTES;
	buffer_append_le32(to, tag);
	buffer_append_le16(to, (uint16_t)len);
	buffer_append_le16(to, 0);
	buffer_append(to, data.data, data.len);
}

static int add_reparse(struct ntfs_build *b, struct file_record *f, uint32_t number,
		       struct error *err)
{
	struct ntfs_attr *a;

	if (!(attributes_of(b, number) & FILES_ATTR_REPARSE))
		return 0;
	fill_reparse(b, number, &f->reparse);
	a = add(f, NTFS_AT_REPARSE, buffer_view(&f->reparse));
	return f->reparse.len <= 520 ? 0 : move_out(b, f, a, err);
}

/* ---- folders
 * -------------------------------------------------------------------------- */

static void fill_index(struct ntfs_build *b, struct file_record *f, uint32_t number)
{
	f->index.name = "$I30";
	f->index.type = NTFS_AT_FILE_NAME;
	f->index.collation = NTFS_COLLATION_FILE_NAME;
	ntfs_children_of(b, number, &f->children);
	vec_foreach (child, &f->children.items) {
		uint32_t inode = b->files->entries.items[child->entry].inode;
		uint8_t value[NTFS_FILE_NAME_MAX];
		struct ntfs_file_name name;
		size_t len;

		fill_name(b, inode, &name);
		name.parent = b->inodes[number].record;
		name.space = child->space;
		name.units = child->units;
		len = ntfs_file_name_value(&name, value);
		ntfs_index_add_file(&f->index, ntfs_reference(b->inodes[inode].record),
				    (struct bytes){value, len});
	}
}

static int add_index(struct ntfs_build *b, struct file_record *f, bool compressed,
		     struct error *err)
{
	enum { MIN_ROOT = 88, TREE_ATTRS = 32 + 88 + 40 };
	size_t used = 0, room = ntfs_record_room(b);
	struct ntfs_attr *a;

	vec_foreach (attr, &f->record.attrs)
		used += ntfs_build_attr_size(attr);
	/* If it does not fit with them, most of the others will leave. */
	room = used + TREE_ATTRS + MIN_ROOT < room ? room - used - TREE_ATTRS : MIN_ROOT;
	if (ntfs_index_build(b, &f->index, room, err) < 0)
		return -1;
	a = add(f, NTFS_AT_INDEX_ROOT, buffer_view(&f->index.root));
	a->name = f->index.name;
	a->flags = compressed ? NTFS_AF_COMPRESSED : 0;
	if (!f->index.run.count)
		return 0;
	a = add(f, NTFS_AT_INDEX_ALLOCATION, (struct bytes){0});
	a->name = f->index.name;
	make_non_resident(a, &f->index.run, 1, f->index.run.count * NTFS_CLUSTER);
	a = add(f, NTFS_AT_BITMAP, buffer_view(&f->index.bitmap));
	a->name = f->index.name;
	return f->index.bitmap.len <= 64 ? 0 : move_out(b, f, a, err);
}

/* ---- records
 * --------------------------------------------------------------------------- */

static int fill_record(struct ntfs_build *b, struct file_record *f, uint32_t number,
		       struct error *err)
{
	const struct files_inode *inode = &b->files->inodes.items[number];
	struct ntfs_standard standard = {.attributes = attributes_of(b, number),
					 .security = b->inodes[number].security,
					 .created = inode->created,
					 .modified = inode->modified,
					 .changed = inode->changed,
					 .accessed = inode->accessed};
	bool folder = inode->attributes & FILES_ATTR_DIRECTORY;

	f->record.number = b->inodes[number].record;
	f->record.sequence = (uint16_t)(ntfs_reference(f->record.number) >> 48);
	f->record.flags = NTFS_RECORD_IN_USE | (folder ? NTFS_RECORD_FOLDER : 0);
	f->runs = xcalloc(inode->stream_count * (size_t)2 + 4, sizeof(*f->runs));
	ntfs_standard_value(&standard, f->standard);
	add(f, NTFS_AT_STANDARD, (struct bytes){f->standard, sizeof(f->standard)});
	add_names(b, f, number);
	if (b->inodes[number].object_id)
		add(f, NTFS_AT_OBJECT_ID, (struct bytes){inode->object_id->id, 16});
	add_streams(b, f, number);
	if (add_reparse(b, f, number, err) < 0)
		return -1;
	if (!folder)
		return 0;
	fill_index(b, f, number);
	if (f->record.number == NTFS_ROOT)
		ntfs_system_names(b, &f->index);
	return add_index(b, f, attributes_of(b, number) & FILES_ATTR_COMPRESSED, err);
}

static int write_file(struct ntfs_build *b, uint32_t number, struct error *err)
{
	struct file_record f = {0};
	int result = fill_record(b, &f, number, err);

	if (result == 0)
		result = ntfs_record_write(b, &f.record, err);
	vec_free(&f.record.attrs);
	buffer_free(&f.names);
	buffer_free(&f.reparse);
	ntfs_index_free(&f.index);
	ntfs_children_free(&f.children);
	free(f.runs);
	return result;
}

int ntfs_write_root(struct ntfs_build *b, struct error *err)
{
	return write_file(b, b->files->entries.items[0].inode, err);
}

int ntfs_write_files(struct ntfs_build *b, struct error *err)
{
	const struct files *files = b->files;
	uint32_t next = NTFS_FIRST_FILE;

	for (uint32_t i = 1; i < files->entries.len; i++) {
		uint32_t inode = files->entries.items[i].inode;

		/* Records ascend with the first names of the files. */
		if (b->inodes[inode].record != next)
			continue;
		if (interrupted())
			return error_interrupted(err);
		if (next % 4096 == 0)
			progress_report("writing file records", next, b->base_records);
		if (write_file(b, inode, err) < 0)
			return -1;
		next++;
	}
	return 0;
}
