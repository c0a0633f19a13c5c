/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Host files: whole-file reads with a limit, atomic replacement, temporary files and
 * folders that vanish with the process, locks, free space.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/buffer.h"
#include "base/error.h"

void closep(int *fd);
#define _cleanup_close_ _cleanup_(closep)

/* Reads a regular file of at most `limit` bytes. */
int file_read(const char *path, size_t limit, struct buffer *out, struct error *err);
/* Appends what is left to read of the descriptor, at most `limit` bytes. */
int file_read_all(int fd, const char *path, size_t limit, struct buffer *out,
		  struct error *err);
/* Writes all bytes to the descriptor, retrying short writes. `path` is for messages. */
int file_write_all(int fd, struct bytes data, const char *path, struct error *err);
/* All bytes from or to a position of the descriptor; a file that ends before is an error. */
int file_read_at(int fd, void *data, size_t len, uint64_t offset, const char *path,
		 struct error *err);
int file_write_at(int fd, const void *data, size_t len, uint64_t offset, const char *path,
		  struct error *err);
/* The same for a place that reads as zeros: whole blocks of 4096 that are zeros stay holes. */
int file_write_sparse(int fd, const void *data, size_t len, uint64_t offset,
		      const char *path, struct error *err);
/*
 * Replaces (or makes) `path` atomically: a temporary file in the same folder, fsync,
 * rename, fsync of the folder. Nothing is left behind on failure.
 */
int file_replace(const char *path, struct bytes data, struct error *err);
/* fsync() of the folder that holds `path`. */
int file_sync_folder(const char *path, struct error *err);
/*
 * A new file for `size` bytes (0: not known), where there is space for them: its
 * descriptor, or -1. file_close_new() closes it, and removes it if `result` says that
 * filling it failed, or if closing does. Returns 0 or -1.
 */
int file_open_new(const char *path, uint64_t size, struct error *err);
int file_close_new(int fd, const char *path, int result, struct error *err);
/* What is left to read of `in`; names are for messages. Reflink where it can be. */
int file_copy_bytes(int in, int out, const char *src, const char *dst, struct error *err);
/* Copies src to the new file dst (reflink where the file system can), synced. */
int file_copy(const char *src, const char *dst, struct error *err);

/*
 * A private temporary folder below $TMPDIR (or beside `near`, if not NULL). Registered
 * for removal at exit and on SIGINT; temp_folder_remove() does it earlier.
 */
char *temp_folder_make(const char *near, struct error *err);
void temp_folder_remove(char *path); /* removes the tree and frees the path; NULL is fine */
/* For _cleanup_(temp_folder_removep). */
void temp_folder_removep(char **path);
int remove_tree(const char *path, struct error *err);

/* Adds the names in a folder, sorted, without "." and "..". -1 with errno: not to be read. */
int folder_list(const char *folder, struct strings *ret);

/*
 * Exclusive (or shared) open-file-description lock on the file itself, not blocking.
 * Another holder gives ERROR_STATE with its remedy. The lock goes with the descriptor.
 */
int file_lock(int fd, const char *path, bool exclusive, struct error *err);

/* Refuses (ERROR_FAILED, remedy) when the file system of `path` has fewer free bytes. */
int file_check_space(const char *path, uint64_t need, struct error *err);

#endif
