/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "init/screen_devices.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

static const struct {
	const char *folder, *prefix;
} kinds[] = {{"dev/dri", "card"}, {"dev", "fb"}, {"dev/input", "event"}};

/* Nothing but a device is given away, whatever else lies there. */
static bool give(int folder, const char *name, gid_t gid)
{
	_cleanup_close_ int fd = openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_gid == gid)
		return false;
	/* The mode first: who watches for a change sees the last one. */
	return fchmodat(folder, name, 0660, 0) == 0 &&
	       fchownat(fd, "", (uid_t)-1, gid, AT_EMPTY_PATH) == 0;
}

unsigned screen_devices_hand_over(const char *root, gid_t gid)
{
	unsigned given = 0;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		_cleanup_free_ char *path = xasprintf("%s/%s", root, kinds[i].folder);
		DIR *dir = opendir(path);
		const struct dirent *entry;

		while (dir && (entry = readdir(dir)))
			if (strncmp(entry->d_name, kinds[i].prefix,
				    strlen(kinds[i].prefix)) == 0)
				given += give(dirfd(dir), entry->d_name, gid);
		if (dir)
			closedir(dir);
	}
	return given;
}
