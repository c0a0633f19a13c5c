/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/sysfs.h"

#include <ctype.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"

char *sysfs_text(const char *root, const char *path)
{
	_cleanup_free_ char *full = xasprintf("%s/sys/%s", root, path);
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;
	char *text;
	size_t len;

	if (file_read(full, SYSFS_MAX_FILE, &data, NULL) < 0)
		return NULL;
	text = buffer_steal_string(&data);
	len = strlen(text);
	while (len && isspace((unsigned char)text[len - 1]))
		text[--len] = 0;
	return text;
}

bool sysfs_exists(const char *root, const char *path)
{
	_cleanup_free_ char *full = xasprintf("%s/sys/%s", root, path);

	return access(full, F_OK) == 0;
}

uint32_t sysfs_number(const char *root, const char *folder, const char *name,
		      uint32_t missing)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", folder, name);
	_cleanup_free_ char *text = sysfs_text(root, path);
	char *end;
	unsigned long value = text ? strtoul(text, &end, 16) : 0;

	return text && *text && !*end && value < missing ? (uint32_t)value : missing;
}

char *sysfs_link(const char *root, const char *path)
{
	_cleanup_free_ char *full = xasprintf("%s/sys/%s", root, path);
	char target[4096], *slash;
	ssize_t len = readlink(full, target, sizeof(target) - 1);

	if (len <= 0)
		return NULL;
	target[len] = 0;
	slash = strrchr(target, '/');
	return xstrdup(slash ? slash + 1 : target);
}

void sysfs_list(const char *root, const char *path, struct strings *ret)
{
	_cleanup_free_ char *full = xasprintf("%s/sys/%s", root, path);

	(void)folder_list(full, ret);
}

int sysfs_write(const char *root, const char *path, const char *text, struct error *err)
{
	_cleanup_free_ char *full = xasprintf("%s/sys/%s", root, path);
	_cleanup_close_ int fd = open(full, O_WRONLY | O_CLOEXEC | O_TRUNC);

	if (fd < 0)
		return error_errno(err, full, "cannot open");
	/* One write is one command to the kernel: never in pieces. */
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		return error_errno(err, full, "does not take \"%s\"", text);
	return 0;
}
