/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What an archive or a file system image shall hold, as a list: it is written without a
 * staging folder and without root. All belongs to user and group 0 and is of the time that
 * base/clock.h says.
 */
#ifndef IMAGE_FILES_H
#define IMAGE_FILES_H

#include "base/buffer.h"
#include "base/error.h"

enum image_file_type {
	IMAGE_FOLDER,
	IMAGE_LINK,
	IMAGE_SOURCE,	/* a file of this machine */
	IMAGE_BYTES,
};
struct image_file {
	char *path;	/* "/usr/bin/swtpm" */
	enum image_file_type type;
	unsigned mode;	/* 0644 */
	char *source;	/* path of the file; what the link leads to */
	struct buffer bytes;
	uint64_t size;	/* of a source, once the list is finished */
	const char *part; /* row of the account; must outlive the list; or NULL */
	size_t order;	/* of its addition */
};
struct image_files {
	struct vec_of(struct image_file) list;
	bool finished;
};

void image_files_free(struct image_files *files);
/* Parts of paths must not be "." or ".."; folders above come by themselves, mode 755. */
void image_files_folder(struct image_files *files, const char *path, unsigned mode);
void image_files_link(struct image_files *files, const char *path, const char *target);
void image_files_source(struct image_files *files, const char *path, const char *source,
			unsigned mode, const char *part);
void image_files_bytes(struct image_files *files, const char *path, struct bytes data,
		       unsigned mode, const char *part);
/*
 * Sorts by path, adds folders, finds sizes. Of entries with the same path the first stays.
 * A source that cannot be read is an error.
 */
int image_files_finish(struct image_files *files, struct error *err);

/*
 * The list as cpio (newc), compressed by zstd, at the descriptor's position; `path` is for
 * messages. Padded with zeros to 512 bytes, so that the kernel reads another one that follows.
 */
int image_files_cpio(struct image_files *files, int fd, const char *path,
		     struct error *err);
/* The same in memory, not compressed. */
int image_files_cpio_buffer(struct image_files *files, struct buffer *ret,
			    struct error *err);
/*
 * The list as squashfs, by gensquashfs: a new file `output`. Any number of CPUs gives the
 * same bytes.
 */
int image_files_squashfs(struct image_files *files, const char *output, struct error *err);

#endif
