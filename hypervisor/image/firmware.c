/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "image/firmware.h"

#include <archive.h>
#include <archive_entry.h>
#include <fnmatch.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/text.h"

#define PART "firmware of devices"

static bool is_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* A name leads nowhere but below the folder. */
static bool is_inside(const char *name)
{
	const char *at = name;

	if (!*name || *name == '/')
		return false;
	for (; at; at = strchr(at, '/')) {
		at += *at == '/';
		if (strncmp(at, "..", 2) == 0 && (at[2] == '/' || !at[2]))
			return false;
	}
	return true;
}

static int unpack(const char *path, size_t limit, struct buffer *ret, struct error *err)
{
	struct archive *a = archive_read_new();
	struct archive_entry *entry;
	int result = 0;

	(void)archive_read_support_filter_xz(a);
	(void)archive_read_support_filter_zstd(a);
	(void)archive_read_support_format_raw(a);
	if (archive_read_open_filename(a, path, 65536) != ARCHIVE_OK ||
	    archive_read_next_header(a, &entry) != ARCHIVE_OK)
		result = error_set(err, ERROR_FAILED, path, "cannot be unpacked: %s",
				   archive_error_string(a));
	while (result == 0) {
		ssize_t n = archive_read_data(a, buffer_reserve(ret, 65536), 65536);

		if (n == 0)
			break;
		if (n < 0)
			result = error_set(err, ERROR_FAILED, path,
					   "cannot be unpacked: %s",
					   archive_error_string(a));
		else if ((ret->len += (size_t)n) > limit)
			result = error_set(err, ERROR_FAILED, path,
					   "is larger than firmware can be");
	}
	archive_read_free(a);
	return result;
}

static const char *const suffixes[] = {".xz", ".zst"};

int firmware_read(const char *folder, const char *name, size_t limit, struct buffer *ret,
		  struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", folder, name);

	if (is_file(path))
		return file_read(path, limit, ret, err) < 0 ? -1 : 1;
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		_cleanup_free_ char *packed = xasprintf("%s%s", path, suffixes[i]);

		if (is_file(packed))
			return unpack(packed, limit, ret, err) < 0 ? -1 : 1;
	}
	return 0;
}

/* 1: added, 0: not there. */
static int add_one(struct image_files *files, const char *folder, const char *name,
		   struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", folder, name);
	_cleanup_free_ char *target = xasprintf(FIRMWARE_FOLDER "/%s", name);
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;
	int found;

	if (is_file(path)) {
		image_files_source(files, target, path, 0644, PART);
		return 1;
	}
	found = firmware_read(folder, name, FIRMWARE_MAX_SIZE, &data, err);
	if (found > 0)
		image_files_bytes(files, target, buffer_view(&data), 0644, PART);
	return found;
}

/* "brcm/brcmfmac*.txt": the last part may be a pattern. */
static int add_pattern(struct image_files *files, const char *folder, const char *name,
		       struct error *err)
{
	const char *base = path_base(name);
	_cleanup_free_ char *inside = xstrndup(name, (size_t)(base - name));
	_cleanup_free_ char *path = xasprintf("%s/%s", folder, inside);
	_cleanup_(strings_free) struct strings names = VEC_INIT;
	int result = 0;

	(void)folder_list(path, &names);
	vec_foreach (file, &names) {
		_cleanup_free_ char *whole = NULL;
		char *one = *file;
		int added;

		if (text_ends_with(one, ".zst"))
			one[strlen(one) - 4] = 0;
		else if (text_ends_with(one, ".xz"))
			one[strlen(one) - 3] = 0;
		if (fnmatch(base, one, FNM_PERIOD) != 0)
			continue;
		whole = xasprintf("%s%s", inside, one);
		added = add_one(files, folder, whole, err);
		if (added < 0)
			return -1;
		result |= added;
	}
	return result;
}

int firmware_add(struct image_files *files, const struct modules *modules,
		 const char *folder, struct strings *missing, struct error *err)
{
	vec_foreach (module, &modules->list) {
		vec_foreach (name, module->firmware) {
			int added = 0;

			if (interrupted())
				return error_interrupted(err);
			if (folder && is_inside(*name))
				added = strpbrk(*name, "*?[")
						? add_pattern(files, folder, *name, err)
						: add_one(files, folder, *name, err);
			if (added < 0)
				return -1;
			if (!added)
				vec_push(missing,
					 xasprintf("%s: %s", module->name, *name));
		}
	}
	return 0;
}
