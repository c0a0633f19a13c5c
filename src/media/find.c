/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "media/find.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "media/media.h"
#include "media/unpack.h"

#define MAX_COMPONENTS 32

/* What cannot be read is not the same as what is not there. */
static int cannot_read(const char *name, struct error *err)
{
	if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)
		return 0;
	return error_errno(err, name, "cannot be read");
}

/* Names in the folder that equal `name` but for their case, the exact one first. */
static int matches(int folder, const char *name, struct strings *ret, struct error *err)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	size_t from;

	if (!dir) {
		int result = cannot_read(name, err);

		closep(&fd);
		return result;
	}
	if (faccessat(folder, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		strings_push(ret, name);
	from = ret->len;
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, name) != 0 && text_equal(entry->d_name, name))
			strings_push(ret, entry->d_name);
	closedir(dir);
	for (size_t i = from; i < ret->len; i++) /* a few at most: insertion sort */
		for (size_t k = i; k > from; k--) {
			char **a = &ret->items[k - 1], **b = &ret->items[k];
			char *swap = *a;

			if (strcmp(*a, *b) <= 0)
				break;
			*a = *b;
			*b = swap;
		}
	return 0;
}

static char *find_below(int folder, const struct strings *parts, size_t at,
			struct error *err)
{
	_cleanup_(strings_free) struct strings names = VEC_INIT;
	bool last = at + 1 == parts->len;
	struct stat st;

	/* Where the case is right, no folder needs to be read. */
	if (last && fstatat(folder, parts->items[at], &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(st.st_mode))
		return xstrdup(parts->items[at]);
	if (matches(folder, parts->items[at], &names, err) < 0)
		return NULL;
	vec_foreach (name, &names) {
		_cleanup_close_ int fd = -1;
		_cleanup_free_ char *rest = NULL;

		if (last) {
			if (fstatat(folder, *name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			    S_ISREG(st.st_mode))
				return xstrdup(*name);
			continue;
		}
		fd = openat(folder, *name,
			    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 && cannot_read(*name, err) < 0)
			return NULL;
		rest = fd < 0 ? NULL : find_below(fd, parts, at + 1, err);
		if (rest)
			return xasprintf("%s/%s", *name, rest);
	}
	return NULL;
}

/* False if the name is empty, too deep, or leads out of the folder. */
static bool split(const char *name, struct strings *ret)
{
	while (*name) {
		size_t len = strcspn(name, "/\\");
		_cleanup_free_ char *part = xstrndup(name, len);

		if (strcmp(part, "..") == 0) {
			if (ret->len == 0)
				return false;
			free(ret->items[--ret->len]);
		} else if (len && strcmp(part, ".") != 0) {
			if (ret->len >= MAX_COMPONENTS)
				return false;
			strings_push(ret, part);
		}
		name += len + (name[len] != '\0');
	}
	return ret->len > 0;
}

char *media_find_plain(const char *folder, const char *name, struct error *err)
{
	_cleanup_(strings_free) struct strings parts = VEC_INIT;
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *rest = NULL;

	if (!split(name, &parts))
		return NULL;
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		(void)cannot_read(folder, err);
		return NULL;
	}
	rest = find_below(fd, &parts, 0, err);
	if (!rest && err && err->code)
		error_wrap(err, folder, "cannot look for %s", name);
	if (!rest)
		return NULL;
	return xasprintf("%s%s%s", folder, text_ends_with(folder, "/") ? "" : "/", rest);
}

/*
 * "x.sys" -> "x.sy_", "x.c" -> "x.c_", "x" -> "x._": how makecab and compress.exe name
 * what they pack, and where SetupAPI looks for it.
 */
static char *compressed_name(const char *name)
{
	const char *base = path_base(name);
	const char *dot = strrchr(base, '.');
	size_t len = strlen(name);

	if (!dot)
		return xasprintf("%s._", name);
	if (strlen(dot) < 4)
		return xasprintf("%s_", name);
	return xasprintf("%.*s_", (int)(len - 1), name);
}

static char *only_file(const char *folder)
{
	_cleanup_(strings_free) struct strings names = VEC_INIT;

	(void)folder_list(folder, &names);
	return names.len == 1 ? xasprintf("%s/%s", folder, names.items[0]) : NULL;
}

char *media_expand(struct source_media *media, const char *path, const char *name,
		   struct error *err)
{
	enum media_kind kind;
	_cleanup_free_ char *folder = NULL, *file = NULL;
	_cleanup_unpack_ struct unpack u = {.path = path, .label = path};
	struct stat st;

	for (size_t i = 0; i + 1 < media->expanded.len; i += 2)
		if (strcmp(media->expanded.items[i], path) == 0)
			return xstrdup(media->expanded.items[i + 1]);
	if (media_sniff(path, &kind, err) < 0)
		return NULL;
	if (kind != MEDIA_PACKED && kind != MEDIA_CAB)
		return xstrdup(path); /* only named so: setup takes it as it is */
	folder = media_scratch_folder(media, err);
	if (!folder)
		return NULL;
	u.dest = folder;
	u.kind = kind;
	u.packed_name = name;
	u.limits = (struct sink_limits){.bytes = MEDIA_MAX_PACKED, .entries = 1};
	if (unpack_isolated(&u, err) < 0)
		return NULL;
	file = only_file(folder);
	if (!file || lstat(file, &st) < 0 || !S_ISREG(st.st_mode)) {
		error_set(err, ERROR_FAILED, path, "does not hold the one file %s", name);
		return NULL;
	}
	strings_push(&media->expanded, path);
	strings_push(&media->expanded, file);
	return steal_ptr(file);
}

char *media_cab_files(struct source_media *media, const char *path, const char *label,
		      const struct strings *names, struct error *err)
{
	_cleanup_free_ char *folder = media_scratch_folder(media, err);
	_cleanup_unpack_ struct unpack u = {.path = path,
					    .label = label,
					    .dest = folder,
					    .kind = MEDIA_CAB,
					    .only = names};

	if (!folder)
		return NULL;
	u.limits = (struct sink_limits){.bytes = MEDIA_MAX_PACKED,
					.entries = UNPACK_MAX_ENTRIES};
	return unpack_isolated(&u, err) < 0 ? NULL : steal_ptr(folder);
}

char *media_find(struct source_media *media, const char *folder, const char *name,
		 struct error *err)
{
	_cleanup_error_ struct error why = ERROR_INIT;
	char *plain = media_find_plain(folder, name, &why);
	_cleanup_free_ char *packed = NULL, *path = NULL;

	if (plain || (!why.code && !*path_base(name)))
		return plain;
	packed = compressed_name(name);
	if (!why.code)
		path = media_find_plain(folder, packed, &why);
	if (why.code) {
		(void)error_move(err, &why);
		return NULL;
	}
	return path ? media_expand(media, path, path_base(name), err) : NULL;
}
