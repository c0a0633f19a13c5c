/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "init/slot.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/file.h"
#include "init/grubenv.h"
#include "init/medium.h"
#include "layout.h"

static bool says(const char block[GRUBENV_SIZE], const char *name, const char *value)
{
	_cleanup_free_ char *found = grubenv_get(block, name);

	return found && strcmp(found, value) == 0;
}

int slot_mark_good(const char *path, const char *slot, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	_cleanup_free_ char *tries = xasprintf("%d", SLOT_TRIES);
	char block[GRUBENV_SIZE] = "";

	if (fd < 0)
		return error_errno(err, path, "cannot be opened");
	if (pread(fd, block, sizeof(block), 0) != (ssize_t)sizeof(block))
		memset(block, 0, sizeof(block));
	if (says(block, "tries", tries) && says(block, "good", slot))
		return 0;
	if (grubenv_set(block, "tries", tries, path, err) < 0 ||
	    grubenv_set(block, "good", slot, path, err) < 0)
		return -1;
	if (pwrite(fd, block, sizeof(block), 0) != (ssize_t)sizeof(block) ||
	    fsync(fd) < 0)
		return error_errno(err, path, "cannot be written");
	return 1;
}

int slot_came_up(const char *disk, const char *slot, const char *target,
		 struct error *err)
{
	struct medium_search search = {
		.root = "", .target = target, .file = LAYOUT_GRUBENV, .disk = disk};
	struct medium m = {0};
	int result = 0;

	if (medium_next(&search, &m) == 1) {
		if (mount(NULL, target, NULL,
			  MS_REMOUNT | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
			result = error_errno(err, m.label, "cannot be written");
		else
			result = slot_mark_good(m.source, slot, err);
		medium_release(&search, &m);
	}
	medium_search_free(&search);
	return result;
}
