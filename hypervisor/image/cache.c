/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "image/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/draft.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/progress.h"
#include "base/text.h"
#include "image/elf.h"

#define FORMAT "gild image cache 2" /* changes with what files.c writes */
#define CHUNK ((size_t)1 << 20)
#define DIGEST 32
#define SIDECAR ".note"

/* ---- keys ---- */

static int add_contents(struct hash_stream *hash, const struct image_file *file,
			struct error *err)
{
	_cleanup_close_ int fd = open(file->source, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ uint8_t *chunk = xmalloc(CHUNK);

	if (fd < 0)
		return error_errno(err, file->source, "cannot open");
	for (uint64_t at = 0; at < file->size;) {
		size_t len = file->size - at < CHUNK ? (size_t)(file->size - at) : CHUNK;

		if (interrupted())
			return error_interrupted(err);
		if (file_read_at(fd, chunk, len, at, file->source, err) < 0)
			return -1;
		hash_stream_add(hash, chunk, len);
		at += len;
	}
	return 0;
}

static void add_tool(struct hash_stream *hash, const char *path)
{
	_cleanup_free_ char *text = NULL;
	struct stat st;

	if (stat(path, &st) < 0)
		return;
	text = xasprintf("%s %" PRId64 " %" PRId64 "\n", path, (int64_t)st.st_size,
			 (int64_t)st.st_mtime);
	hash_stream_add(hash, text, strlen(text));
}

/*
 * Another version of a compressor may write other bytes: it and all libraries, also this
 * program's, by size and time.
 */
static void add_tools(struct hash_stream *hash)
{
	static const char tool[] = "/usr/bin/gensquashfs";
	struct elf_closure closure;

	elf_closure_init(&closure, "/");
	(void)elf_closure_add(&closure, tool, tool, NULL);
	(void)elf_closure_add(&closure, "/proc/self/exe", "/proc/self/exe", NULL);
	add_tool(hash, tool);
	vec_foreach (file, &closure.files)
		add_tool(hash, file->source);
	elf_closure_free(&closure);
}

int cache_key(struct image_files *files, const char *kind, char key[CACHE_KEY],
	      struct error *err)
{
	_cleanup_free_ char *head =
		xasprintf(FORMAT " %s %" PRId64 "\n", kind, clock_now());
	struct hash_stream *hash;
	uint8_t digest[DIGEST];
	int result = 0;

	if (image_files_finish(files, err) < 0)
		return -1;
	progress_report("reading what changed", 0, 0);
	hash = hash_sha256_begin();
	hash_stream_add(hash, head, strlen(head));
	add_tools(hash);
	for (size_t i = 0; result == 0 && i < files->list.len; i++) {
		const struct image_file *file = &files->list.items[i];
		_cleanup_free_ char *line =
			xasprintf("%d %o %" PRIu64 " %s %s\n", (int)file->type,
				  file->mode, file->size, file->path,
				  file->type == IMAGE_LINK ? file->source : "");

		hash_stream_add(hash, line, strlen(line));
		hash_stream_add(hash, file->bytes.data, file->bytes.len);
		if (file->type == IMAGE_SOURCE)
			result = add_contents(hash, file, err);
	}
	hash_sha256_end(hash, digest);
	hash_hex(digest, DIGEST, key);
	return result;
}

/* ---- the folder ---- */

static char *cache_folder(void)
{
	const char *given = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

	if (given && *given == '/')
		return xasprintf("%s/gild", given);
	return home && *home == '/' ? xasprintf("%s/.cache/gild", home) : NULL;
}

static bool make_folder(const char *folder)
{
	_cleanup_free_ char *above = xstrdup(folder);

	*strrchr(above, '/') = 0;
	(void)mkdir(above, 0700);
	return mkdir(folder, 0700) == 0 || errno == EEXIST;
}

static int hash_file(int fd, uint64_t size, char text[CACHE_KEY])
{
	_cleanup_free_ uint8_t *chunk = xmalloc(CHUNK);
	struct hash_stream *hash = hash_sha256_begin();
	uint8_t digest[DIGEST];
	int result = 0;

	for (uint64_t at = 0; result == 0 && at < size; at += CHUNK) {
		size_t len = size - at < CHUNK ? (size_t)(size - at) : CHUNK;

		result = file_read_at(fd, chunk, len, at, "cache", NULL);
		if (result == 0)
			hash_stream_add(hash, chunk, len);
	}
	hash_sha256_end(hash, digest);
	hash_hex(digest, DIGEST, text);
	return result;
}

/* The note: "HASH TEXT\n". */
static bool read_note(const char *path, char hash[CACHE_KEY], char note[CACHE_NOTE])
{
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;
	size_t len;

	if (file_read(path, CACHE_KEY + CACHE_NOTE, &data, NULL) < 0 ||
	    data.len <= CACHE_KEY || data.data[CACHE_KEY - 1] != ' ' ||
	    data.data[data.len - 1] != '\n')
		return false;
	len = data.len - CACHE_KEY - 1;
	if (len >= CACHE_NOTE)
		return false;
	memcpy(hash, data.data, CACHE_KEY - 1);
	hash[CACHE_KEY - 1] = 0;
	memcpy(note, data.data + CACHE_KEY, len);
	note[len] = 0;
	return true;
}

int cache_get(const char *key, uint64_t *size, char note[CACHE_NOTE])
{
	_cleanup_free_ char *folder = cache_folder(), *path = NULL, *sidecar = NULL;
	_cleanup_close_ int fd = -1;
	char wanted[CACHE_KEY], found[CACHE_KEY];
	struct stat st;
	int result;

	if (!folder)
		return -1;
	path = xasprintf("%s/%s", folder, key);
	sidecar = xasprintf("%s" SIDECAR, path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    !read_note(sidecar, wanted, note) ||
	    hash_file(fd, (uint64_t)st.st_size, found) < 0 || strcmp(wanted, found) != 0)
		return -1;
	(void)utimensat(AT_FDCWD, path, NULL, 0); /* used now */
	*size = (uint64_t)st.st_size;
	result = fd;
	fd = -1;
	return result;
}

struct kept {
	char *path;
	struct timespec used;
};

static int by_use(const void *a, const void *b)
{
	const struct kept *x = a, *y = b;

	if (x->used.tv_sec != y->used.tv_sec)
		return x->used.tv_sec > y->used.tv_sec ? -1 : 1;
	return x->used.tv_nsec > y->used.tv_nsec ? -1 : x->used.tv_nsec < y->used.tv_nsec;
}

static void forget_oldest(const char *folder)
{
	struct vec_of(struct kept) list = VEC_INIT;
	_cleanup_(strings_free) struct strings names = VEC_INIT;

	(void)folder_list(folder, &names);
	vec_foreach (name, &names) {
		char *path = xasprintf("%s/%s", folder, *name);
		struct stat st;

		if (strspn(*name, "0123456789abcdef") == CACHE_KEY - 1 &&
		    !(*name)[CACHE_KEY - 1] && lstat(path, &st) == 0)
			vec_push(&list, (struct kept){path, st.st_mtim});
		else
			free(path);
	}
	if (list.len)
		qsort(list.items, list.len, sizeof(*list.items), by_use);
	for (size_t i = 0; i < list.len; i++) {
		_cleanup_free_ char *sidecar =
			xasprintf("%s" SIDECAR, list.items[i].path);

		if (i >= CACHE_KEPT) {
			(void)unlink(list.items[i].path);
			(void)unlink(sidecar);
		}
		free(list.items[i].path);
	}
	vec_free(&list);
}

static int copy(int from, uint64_t size, int to)
{
	_cleanup_free_ uint8_t *chunk = xmalloc(CHUNK);

	for (uint64_t at = 0; at < size; at += CHUNK) {
		size_t len = size - at < CHUNK ? (size_t)(size - at) : CHUNK;

		if (file_read_at(from, chunk, len, at, "cache", NULL) < 0 ||
		    file_write_at(to, chunk, len, at, "cache", NULL) < 0)
			return -1;
	}
	return 0;
}

void cache_put(const char *key, int fd, uint64_t size, const char *note)
{
	_cleanup_free_ char *folder = cache_folder(), *path = NULL, *sidecar = NULL;
	_cleanup_free_ char *line = NULL;
	char hash[CACHE_KEY];
	struct draft draft;

	if (!folder || !make_folder(folder) || hash_file(fd, size, hash) < 0)
		return;
	path = xasprintf("%s/%s", folder, key);
	sidecar = xasprintf("%s" SIDECAR, path);
	line = xasprintf("%s %s\n", hash, note);
	if (draft_open(&draft, path, false, NULL) == 0 && copy(fd, size, draft.fd) == 0) {
		(void)unlink(path); /* one that was damaged */
		if (draft_publish(&draft, NULL) == 0)
			(void)file_replace(sidecar,
					   (struct bytes){(uint8_t *)line, strlen(line)},
					   NULL);
	}
	draft_close(&draft);
	forget_oldest(folder);
}
