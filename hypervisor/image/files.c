/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "image/files.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/process.h"
#include "base/progress.h"
#include "base/text.h"

#define CHUNK ((size_t)1 << 20)
/* zstd: levels above these take five times as long for 5 % less. */
#define CPIO_LEVEL "10"
#define SQUASHFS_LEVEL "10"
/* 1 MiB would save 5 % more, but each module that is loaded unpacks a block. */
#define SQUASHFS_BLOCK "262144"

/* ---- the list ---- */

void image_files_free(struct image_files *files)
{
	vec_foreach (file, &files->list) {
		free(file->path);
		free(file->source);
		buffer_free(&file->bytes);
	}
	vec_free(&files->list);
	files->finished = false;
}

static struct image_file *add(struct image_files *files, const char *path,
			      enum image_file_type type, unsigned mode)
{
	struct image_file file = {.path = xstrdup(path),
				  .type = type,
				  .mode = mode,
				  .order = files->list.len};

	vec_push(&files->list, file);
	files->finished = false;
	return &files->list.items[files->list.len - 1];
}

void image_files_folder(struct image_files *files, const char *path, unsigned mode)
{
	(void)add(files, path, IMAGE_FOLDER, mode);
}

void image_files_link(struct image_files *files, const char *path, const char *target)
{
	add(files, path, IMAGE_LINK, 0777)->source = xstrdup(target);
}

void image_files_source(struct image_files *files, const char *path, const char *source,
			unsigned mode, const char *part)
{
	struct image_file *file = add(files, path, IMAGE_SOURCE, mode);
	_cleanup_free_ char *here = *source == '/' ? NULL : getcwd(NULL, 0);

	/* gensquashfs takes others to be below its list's folder. */
	file->source = here ? xasprintf("%s/%s", here, source) : xstrdup(source);
	file->part = part;
}

void image_files_bytes(struct image_files *files, const char *path, struct bytes data,
		       unsigned mode, const char *part)
{
	struct image_file *file = add(files, path, IMAGE_BYTES, mode);

	buffer_append(&file->bytes, data.data, data.len);
	file->size = data.len;
	file->part = part;
}

/* A folder comes right before what is in it; equal paths in their order. */
static int by_path(const void *a, const void *b)
{
	const struct image_file *x = a, *y = b;
	const char *p = x->path, *q = y->path;
	unsigned c, d;

	while (*p && *p == *q) {
		p++;
		q++;
	}
	c = *p == '/' ? 1 : (unsigned char)*p;
	d = *q == '/' ? 1 : (unsigned char)*q;
	if (c != d)
		return c < d ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static void add_parents(struct image_files *files)
{
	size_t count = files->list.len;

	for (size_t i = 0; i < count; i++) {
		_cleanup_free_ char *path = xstrdup(files->list.items[i].path);
		char *slash;

		/* Those of a neighbour are there already, mostly. */
		while ((slash = strrchr(path, '/')) && slash > path) {
			*slash = 0;
			if (i &&
			    strncmp(files->list.items[i - 1].path, path, strlen(path)) ==
				    0 &&
			    files->list.items[i - 1].path[strlen(path)] == '/')
				break;
			image_files_folder(files, path, 0755);
		}
	}
}

static void sort(struct image_files *files)
{
	size_t kept = 0;

	if (files->list.len)
		qsort(files->list.items, files->list.len, sizeof(*files->list.items),
		      by_path);
	for (size_t i = 0; i < files->list.len; i++) {
		struct image_file *file = &files->list.items[i];

		if (kept && strcmp(files->list.items[kept - 1].path, file->path) == 0) {
			free(file->path);
			free(file->source);
			buffer_free(&file->bytes);
			continue;
		}
		files->list.items[kept++] = *file;
	}
	files->list.len = kept;
}

int image_files_finish(struct image_files *files, struct error *err)
{
	struct stat st;

	if (files->finished)
		return 0;
	add_parents(files);
	sort(files);
	vec_foreach (file, &files->list) {
		if (file->type != IMAGE_SOURCE)
			continue;
		if (stat(file->source, &st) < 0)
			return error_errno(err, file->source, "cannot read");
		if (!S_ISREG(st.st_mode))
			return error_set(err, ERROR_FAILED, file->source,
					 "is no regular file");
		file->size = (uint64_t)st.st_size;
	}
	files->finished = true;
	return 0;
}

/* ---- cpio ---- */

struct cpio {
	struct archive *archive;
	struct archive_entry *entry;
	const char *path;
	uint8_t *chunk;
	int64_t number; /* of the inode */
};

static int archive_failed(const struct cpio *c, struct error *err)
{
	int number = archive_errno(c->archive);

	if (number <= 0)
		return error_set(err, ERROR_FAILED, c->path, "cannot write: %s",
				 archive_error_string(c->archive));
	errno = number;
	return error_errno(err, c->path, "cannot write");
}

/* As many bytes as the header says: a file that grows or shrinks meanwhile is an error.
 */
static int copy_source(struct cpio *c, const struct image_file *file, struct error *err)
{
	_cleanup_close_ int fd = open(file->source, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return error_errno(err, file->source, "cannot open");
	for (uint64_t at = 0; at < file->size;) {
		size_t len = file->size - at < CHUNK ? (size_t)(file->size - at) : CHUNK;

		if (interrupted())
			return error_interrupted(err);
		if (file_read_at(fd, c->chunk, len, at, file->source, err) < 0)
			return -1;
		if (archive_write_data(c->archive, c->chunk, len) != (ssize_t)len)
			return archive_failed(c, err);
		at += len;
	}
	return 0;
}

static int add_entry(struct cpio *c, const struct image_file *file, struct error *err)
{
	static const mode_t types[] = {[IMAGE_FOLDER] = AE_IFDIR,
				       [IMAGE_LINK] = AE_IFLNK,
				       [IMAGE_SOURCE] = AE_IFREG,
				       [IMAGE_BYTES] = AE_IFREG};
	struct archive_entry *e = archive_entry_clear(c->entry);

	archive_entry_set_pathname(e, file->path + (*file->path == '/'));
	archive_entry_set_filetype(e, types[file->type]);
	archive_entry_set_perm(e, (mode_t)file->mode);
	archive_entry_set_nlink(e, file->type == IMAGE_FOLDER ? 2 : 1);
	archive_entry_set_ino64(e, ++c->number);
	archive_entry_set_mtime(e, clock_now(), 0);
	archive_entry_set_size(e, 0);
	if (file->type == IMAGE_LINK)
		archive_entry_set_symlink(e, file->source);
	else if (file->type != IMAGE_FOLDER)
		archive_entry_set_size(e, (int64_t)file->size);
	if (archive_write_header(c->archive, e) != ARCHIVE_OK)
		return archive_failed(c, err);
	if (file->type == IMAGE_SOURCE)
		return copy_source(c, file, err);
	if (file->type == IMAGE_BYTES && file->bytes.len &&
	    archive_write_data(c->archive, file->bytes.data, file->bytes.len) !=
		    (ssize_t)file->bytes.len)
		return archive_failed(c, err);
	return 0;
}

static la_ssize_t write_buffer(struct archive *archive _unused_, void *buffer,
			       const void *data, size_t len)
{
	buffer_append(buffer, data, len);
	return (la_ssize_t)len;
}

/* Into the descriptor, compressed, or if there is none into the buffer, plain. */
static int open_archive(struct cpio *c, int fd, struct buffer *buffer, struct error *err)
{
	bool good = archive_write_set_format_cpio_newc(c->archive) == ARCHIVE_OK;

	/* One thread: more of them change the bytes. */
	if (good && !buffer)
		good = archive_write_add_filter_zstd(c->archive) == ARCHIVE_OK &&
		       archive_write_set_filter_option(c->archive, "zstd",
						       "compression-level",
						       CPIO_LEVEL) == ARCHIVE_OK;
	/* Zeros behind it, so that another archive can follow: the kernel wants that one
	 * at a multiple of 4. */
	(void)archive_write_set_bytes_in_last_block(c->archive, 512);
	if (good)
		good = (buffer ? archive_write_open(c->archive, buffer, NULL,
						    write_buffer, NULL)
			       : archive_write_open_fd(c->archive, fd)) == ARCHIVE_OK;
	return good ? 0 : archive_failed(c, err);
}

static int write_cpio(struct image_files *files, int fd, struct buffer *buffer,
		      const char *path, struct error *err)
{
	struct cpio c = {.path = path};
	int result;

	if (image_files_finish(files, err) < 0)
		return -1;
	c.archive = archive_write_new();
	c.entry = archive_entry_new();
	c.chunk = xmalloc(CHUNK);
	result = open_archive(&c, fd, buffer, err);
	for (size_t i = 0; result == 0 && i < files->list.len; i++) {
		progress_report("initramfs", i, files->list.len);
		result = add_entry(&c, &files->list.items[i], err);
	}
	if (result == 0 && archive_write_close(c.archive) != ARCHIVE_OK)
		result = archive_failed(&c, err);
	archive_write_free(c.archive);
	archive_entry_free(c.entry);
	free(c.chunk);
	return result;
}

int image_files_cpio(struct image_files *files, int fd, const char *path,
		     struct error *err)
{
	return write_cpio(files, fd, NULL, path, err);
}

int image_files_cpio_buffer(struct image_files *files, struct buffer *ret,
			    struct error *err)
{
	return write_cpio(files, -1, ret, "archive", err);
}

/* ---- squashfs ---- */

/* In quotes, as gensquashfs reads its list. */
static void append_quoted(struct buffer *b, const char *text)
{
	buffer_append_string(b, "\"");
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			buffer_append_string(b, "\\");
		buffer_append(b, text, 1);
	}
	buffer_append_string(b, "\"");
}

/* Bytes become a file of the temporary folder, named by their number. */
static int append_line(struct buffer *b, const struct image_file *file, size_t number,
		       const char *folder, struct error *err)
{
	static const char *const words[] = {[IMAGE_FOLDER] = "dir",
					    [IMAGE_LINK] = "slink",
					    [IMAGE_SOURCE] = "file",
					    [IMAGE_BYTES] = "file"};
	_cleanup_free_ char *kept = xasprintf("%s/%zu", folder, number);
	const char *source = file->source;

	if (strpbrk(file->path, "\n\r") || (source && strpbrk(source, "\n\r")))
		return error_set(err, ERROR_FAILED, file->path,
				 "has a line break in its name");
	if (file->type == IMAGE_BYTES) {
		source = kept;
		if (file_replace(kept, buffer_view(&file->bytes), err) < 0)
			return -1;
	}
	buffer_printf(b, "%s ", words[file->type]);
	append_quoted(b, file->path);
	buffer_printf(b, " 0%o 0 0", file->mode);
	if (file->type != IMAGE_FOLDER) {
		/* The rest of the line, as it is. */
		buffer_append_string(b, " ");
		buffer_append_string(b, source);
	}
	buffer_append_string(b, "\n");
	return 0;
}

static int run_gensquashfs(const char *list, const char *output, struct error *err)
{
	_cleanup_free_ char *defaults =
		xasprintf("uid=0,gid=0,mode=0755,mtime=%" PRId64, clock_now());
	char *argv[] = {(char *)"gensquashfs",	(char *)"--quiet",
			(char *)"--pack-file",	(char *)list,
			(char *)"--compressor", (char *)"zstd",
			(char *)"--comp-extra", (char *)"level=" SQUASHFS_LEVEL,
			(char *)"--block-size", (char *)SQUASHFS_BLOCK,
			(char *)"--defaults",	defaults,
			(char *)output,		NULL};

	progress_report("root file system", 0, 0);
	if (process_run(argv, err) == 0)
		return 0;
	if (err && err->reason && strcmp(err->reason, "is not installed") == 0)
		(void)error_remedy(err, "apt-get install squashfs-tools-ng");
	return -1;
}

int image_files_squashfs(struct image_files *files, const char *output, struct error *err)
{
	_cleanup_buffer_ struct buffer lines = BUFFER_INIT;
	_cleanup_free_ char *list = NULL;
	_cleanup_(temp_folder_removep) char *folder = NULL;

	if (image_files_finish(files, err) < 0)
		return -1;
	folder = temp_folder_make(output, err);
	if (!folder)
		return -1;
	for (size_t i = 0; i < files->list.len; i++)
		if (append_line(&lines, &files->list.items[i], i, folder, err) < 0)
			return -1;
	list = xasprintf("%s/list", folder);
	if (file_replace(list, buffer_view(&lines), err) < 0)
		return -1;
	return run_gensquashfs(list, output, err);
}
