/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A new WIM with one image of a whole volume: header, contents in the order in which the
 * source reads them best, metadata, blob table, XML. The header is written at the very
 * end.
 *
 * A solid WIM is made in two steps: a quick one first, which wimlib then packs anew.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wimlib.h>

#include "base/file.h"
#include "base/progress.h"
#include "tree/wim_create.h"

#define DEFAULT_LZX_LEVEL 20
/* The first step of a solid WIM: as good as it gets in the time it takes to read. */
#define QUICK_LEVEL 1

struct create {
	struct files *files;
	const struct wim_create_options *options;
	const char *path;
	int fd, type;
	unsigned level;
	struct wim_writer *writer;
	uint32_t *blobs, *reparse; /* see wim_numbers */
	uint32_t *order;	   /* the blobs to read */
	size_t count;
	uint32_t blob; /* the one that is being read */
	uint64_t done, total;
	struct wim_header header;
};

/* ---- contents
 * --------------------------------------------------------------------------------- */

static int compare_places(const void *a, const void *b, void *arg)
{
	const struct files *files = arg;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	uint64_t m = files->blobs.items[x].place, n = files->blobs.items[y].place;

	return m != n ? (m > n) - (m < n) : (x > y) - (x < y);
}

/* The blobs that some entry needs, in the order in which they are read best. */
static void plan(struct create *c)
{
	struct files *files = c->files;
	_cleanup_free_ bool *needed = xcalloc(files->blobs.len + 1, sizeof(*needed));

	vec_foreach (inode, &files->inodes)
		for (uint32_t s = 0; inode->links && s < inode->stream_count; s++)
			if (inode->streams[s].blob != FILES_NONE)
				needed[inode->streams[s].blob] = true;
	c->blobs = xmalloc((files->blobs.len + 1) * sizeof(*c->blobs));
	c->order = xmalloc((files->blobs.len + 1) * sizeof(*c->order));
	for (uint32_t i = 0; i < files->blobs.len; i++) {
		c->blobs[i] = FILES_NONE;
		if (!needed[i] || !files->blobs.items[i].size)
			continue;
		c->order[c->count++] = i;
		c->total += files->blobs.items[i].size;
	}
	qsort_r(c->order, c->count, sizeof(*c->order), compare_places, files);
}

static int begin_blob(void *arg, uint32_t blob, struct error *err)
{
	struct create *c = arg;

	c->blob = blob;
	return wim_writer_begin(c->writer, c->files->blobs.items[blob].size, 0, err);
}

static int take_data(void *arg, struct bytes data, struct error *err)
{
	struct create *c = arg;

	if (interrupted())
		return error_interrupted(err);
	c->done += data.len;
	progress_report("writing the WIM", c->done, c->total);
	return wim_writer_data(c->writer, data, err);
}

static int end_blob(void *arg, struct error *err)
{
	struct create *c = arg;

	return wim_writer_end(c->writer, &c->blobs[c->blob], err);
}

static int write_memory(struct create *c, struct bytes data, uint8_t flags, uint32_t *ret,
			struct error *err)
{
	if (wim_writer_begin(c->writer, data.len, flags, err) < 0 ||
	    wim_writer_data(c->writer, data, err) < 0)
		return -1;
	return wim_writer_end(c->writer, ret, err);
}

static int write_reparse(struct create *c, struct error *err)
{
	struct files *files = c->files;

	c->reparse = xmalloc((files->inodes.len + 1) * sizeof(*c->reparse));
	for (size_t i = 0; i < files->inodes.len; i++) {
		const struct files_inode *inode = &files->inodes.items[i];

		c->reparse[i] = FILES_NONE;
		if (inode->links && inode->attributes & FILES_ATTR_REPARSE &&
		    inode->reparse.len &&
		    write_memory(c, inode->reparse, 0, &c->reparse[i], err) < 0)
			return -1;
	}
	return 0;
}

/* Each name of a file refers to its contents once. */
static void count_references(struct create *c)
{
	struct wim_stored_list *stored = wim_writer_stored(c->writer);

	for (size_t i = 0; i < c->files->inodes.len; i++) {
		const struct files_inode *inode = &c->files->inodes.items[i];

		if (c->reparse[i] != FILES_NONE)
			stored->items[c->reparse[i]].references += inode->links;
		for (uint32_t s = 0; s < inode->stream_count; s++) {
			uint32_t blob = inode->streams[s].blob;

			if (blob != FILES_NONE && c->blobs[blob] != FILES_NONE)
				stored->items[c->blobs[blob]].references += inode->links;
		}
	}
}

static int write_contents(struct create *c, uint64_t *end, struct error *err)
{
	const struct files_sink sink = {begin_blob, take_data, end_blob, c};
	_cleanup_buffer_ struct buffer metadata = BUFFER_INIT;
	struct wim_numbers numbers;
	uint32_t number;

	if (write_reparse(c, err) < 0 ||
	    files_read(c->files, c->order, c->count, &sink, err) < 0)
		return -1;
	count_references(c);
	numbers = (struct wim_numbers){c->blobs, c->reparse};
	wim_create_metadata(c->files, &numbers, wim_writer_stored(c->writer), &metadata);
	if (write_memory(c, buffer_view(&metadata), WIM_RESOURCE_METADATA, &number, err) <
	    0)
		return -1;
	wim_writer_stored(c->writer)->items[number].references = 1;
	return wim_writer_finish(c->writer, end, err);
}

/* ---- tables
 * ----------------------------------------------------------------------------------- */

static int put(struct create *c, uint64_t *at, struct bytes data,
	       struct wim_resource *resource, struct error *err)
{
	*resource = (struct wim_resource){*at, data.len, data.len, WIM_RESOURCE_METADATA};
	if (file_write_at(c->fd, data.data, data.len, *at, c->path, err) < 0)
		return -1;
	*at += data.len;
	return 0;
}

static uint32_t header_flags(int type)
{
	switch (type) {
	case WIMLIB_COMPRESSION_TYPE_XPRESS:
		return WIM_COMPRESSED | WIM_XPRESS;
	case WIMLIB_COMPRESSION_TYPE_LZX:
		return WIM_COMPRESSED | WIM_LZX;
	default:
		return 0;
	}
}

/* Blob table, XML, and the header that says where they are. */
static int write_tables(struct create *c, uint64_t *at, struct error *err)
{
	_cleanup_buffer_ struct buffer table = BUFFER_INIT, xml = BUFFER_INIT;
	struct wim_header *h = &c->header;
	uint8_t raw[WIM_HEADER_SIZE];

	vec_foreach (stored, wim_writer_stored(c->writer)) {
		struct wim_blob blob = {.resource = stored->resource,
					.part = 1,
					.references = stored->references};
		uint8_t entry[WIM_BLOB_SIZE];

		memcpy(blob.hash, stored->hash, WIM_HASH_SIZE);
		wim_blob_write(&blob, entry);
		buffer_append(&table, entry, sizeof(entry));
	}
	*h = (struct wim_header){.version = WIM_VERSION_DEFAULT,
				 .flags = header_flags(c->type),
				 .chunk_size = wim_writer_chunk_size(c->writer),
				 .part = 1,
				 .parts = 1,
				 .image_count = 1};
	if (put(c, at, buffer_view(&table), &h->blobs, err) < 0)
		return -1;
	wim_create_xml(c->files, c->options, *at, &xml);
	if (put(c, at, buffer_view(&xml), &h->xml, err) < 0)
		return -1;
	buffer_append(&table, xml.data, xml.len);
	h->guid = guid_from(buffer_view(&table));
	wim_header_write(h, raw);
	return file_write_at(c->fd, raw, sizeof(raw), 0, c->path, err);
}

static int create(struct create *c, uint64_t *end, struct error *err)
{
	int result;

	plan(c);
	c->writer =
		wim_writer_new(c->fd, c->path, WIM_HEADER_SIZE, c->type, c->level, err);
	result = c->writer ? write_contents(c, end, err) : -1;
	if (result == 0)
		result = write_tables(c, end, err);
	/* A copy of a large content at the very end was written behind the tables. */
	if (result == 0 && ftruncate(c->fd, (off_t)*end) < 0)
		result = error_errno(err, c->path, "cannot set its size");
	wim_writer_free(c->writer);
	free(c->blobs);
	free(c->reparse);
	free(c->order);
	return result;
}

/* ---- the whole
 * -------------------------------------------------------------------------------- */

static int create_solid(struct create *c, uint64_t *end, struct error *err)
{
	_cleanup_(temp_folder_removep) char *folder = NULL;
	_cleanup_free_ char *quick = NULL;
	struct create first = *c;
	struct stat st;
	int result;

	folder = temp_folder_make(c->options->near ? c->options->near : c->path, err);
	if (!folder)
		return -1;
	quick = xasprintf("%s/quick.wim", folder);
	first.path = quick;
	first.type = WIMLIB_COMPRESSION_TYPE_XPRESS;
	first.level = QUICK_LEVEL;
	first.fd = open(quick, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (first.fd < 0)
		return error_errno(err, quick, "cannot create");
	result = create(&first, end, err);
	closep(&first.fd);
	if (result == 0)
		result = wim_write_solid(quick, c->options->level, c->fd, err);
	if (result == 0 && fstat(c->fd, &st) < 0)
		result = error_errno(err, c->path, "cannot tell its size");
	if (result == 0)
		*end = (uint64_t)st.st_size;
	return result;
}

static int choose(struct create *c, bool *solid, struct error *err)
{
	static const struct {
		const char *name;
		int type;
		unsigned level;
	} all[] = {
		{"lzx", WIMLIB_COMPRESSION_TYPE_LZX, DEFAULT_LZX_LEVEL},
		{"xpress", WIMLIB_COMPRESSION_TYPE_XPRESS, 0},
		{"none", WIMLIB_COMPRESSION_TYPE_NONE, 0},
		{"solid", WIMLIB_COMPRESSION_TYPE_LZMS, 0},
	};
	const char *name = c->options->compression ? c->options->compression : "lzx";

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		if (strcmp(all[i].name, name) != 0)
			continue;
		c->type = all[i].type;
		c->level = c->options->level ? c->options->level : all[i].level;
		*solid = c->type == WIMLIB_COMPRESSION_TYPE_LZMS;
		return 0;
	}
	error_set(err, ERROR_USAGE, name, "is no compression of WIMs");
	return error_remedy(err, "choose none, xpress, lzx or solid");
}

int wim_create(const char *path, struct files *files,
	       const struct wim_create_options *options, uint64_t *bytes_written,
	       struct error *err)
{
	struct create c = {.files = files, .options = options, .path = path};
	uint64_t end = 0;
	bool solid = false;
	int result;

	if (choose(&c, &solid, err) < 0 || files_check(files, err) < 0)
		return -1;
	c.fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (c.fd < 0)
		return error_errno(err, path, "cannot create");
	result = solid ? create_solid(&c, &end, err) : create(&c, &end, err);
	closep(&c.fd);
	if (result == 0 && bytes_written)
		*bytes_written = end;
	return result;
}
