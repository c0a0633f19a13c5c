/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "init/grubenv.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"

static const char signature[] = "# GRUB Environment Block\n";
#define HEAD (sizeof(signature) - 1)

static bool is_block(const char block[GRUBENV_SIZE])
{
	return memcmp(block, signature, HEAD) == 0;
}

/* Where the line NAME=... begins, and its length with its end; NULL: there is none. */
static const char *find_line(const char block[GRUBENV_SIZE], const char *name,
			     size_t *len)
{
	const char *end = block + GRUBENV_SIZE, *at = block + HEAD;
	size_t name_len = strlen(name);

	while (at < end) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));

		if (!stop)
			return NULL;
		*len = (size_t)(stop - at) + 1;
		if (*len > name_len + 1 && memcmp(at, name, name_len) == 0 &&
		    at[name_len] == '=')
			return at;
		at += *len;
	}
	return NULL;
}

char *grubenv_get(const char block[GRUBENV_SIZE], const char *name)
{
	size_t len, skip = strlen(name) + 1;
	const char *line = is_block(block) ? find_line(block, name, &len) : NULL;

	return line ? xstrndup(line + skip, len - skip - 1) : NULL;
}

/* Behind the last line: where '#' begins. */
static size_t used(const char block[GRUBENV_SIZE])
{
	size_t at = GRUBENV_SIZE;

	while (at > HEAD && block[at - 1] == '#')
		at--;
	return at;
}

int grubenv_set(char block[GRUBENV_SIZE], const char *name, const char *value,
		const char *file, struct error *err)
{
	_cleanup_free_ char *line = xasprintf("%s=%s\n", name, value ? value : "");
	size_t len, end, need = value ? strlen(line) : 0;
	char copy[GRUBENV_SIZE];
	const char *old;

	if (!is_block(block)) {
		error_set(err, ERROR_FAILED, file, "is no environment block of GRUB's");
		return error_remedy(err, "make the boot medium anew");
	}
	memcpy(copy, block, sizeof(copy));
	while ((old = find_line(copy, name, &len))) {
		size_t at = (size_t)(old - copy);

		memmove(copy + at, copy + at + len, sizeof(copy) - at - len);
		memset(copy + sizeof(copy) - len, '#', len);
	}
	end = used(copy);
	if (end + need > sizeof(copy))
		return error_set(err, ERROR_FAILED, file, "has no room for %s", name);
	memcpy(copy + end, line, need);
	memcpy(block, copy, sizeof(copy));
	return 0;
}

int grubenv_file_set(const char *path, const char *name, const char *value,
		     struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC);
	char block[GRUBENV_SIZE];
	ssize_t n;

	if (fd < 0)
		return error_errno(err, path, "cannot be opened");
	n = pread(fd, block, sizeof(block), 0);
	if (n < 0)
		return error_errno(err, path, "cannot be read");
	memset(block + n, 0, sizeof(block) - (size_t)n);
	if (grubenv_set(block, name, value, path, err) < 0)
		return -1;
	if (pwrite(fd, block, sizeof(block), 0) != sizeof(block) || fsync(fd) < 0)
		return error_errno(err, path, "cannot be written");
	return 0;
}
