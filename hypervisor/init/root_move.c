/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "init/root_move.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "init/root.h"
#include "layout.h"

/* ---- the settings ---- */

/* Some of it is secret: it stays what only root can read. */
static int copy_file(const char *from, const char *to, mode_t mode, struct error *err)
{
	if (file_copy(from, to, err) < 0)
		return -1;
	return chmod(to, mode) < 0 ? error_errno(err, to, "cannot keep its mode") : 0;
}

static int copy_entry(const char *from, const char *to, unsigned depth, struct error *err)
{
	struct stat st;

	if (lstat(from, &st) < 0)
		return error_errno(err, from, "cannot be looked at");
	if (S_ISREG(st.st_mode))
		return copy_file(from, to, st.st_mode & 0777, err);
	if (!S_ISDIR(st.st_mode))
		return 0;
	if (depth == ROOT_MOVE_MAX_DEPTH)
		return error_set(err, ERROR_FAILED, from, "has too many folders");
	if (mkdir(to, 0755) < 0 && errno != EEXIST)
		return error_errno(err, to, "cannot make the folder");
	return root_copy_tree(from, to, depth + 1, err);
}

int root_copy_tree(const char *from, const char *to, unsigned depth, struct error *err)
{
	_cleanup_(strings_free) struct strings names = VEC_INIT;

	if (folder_list(from, &names) < 0)
		return error_errno(err, from, "cannot be listed");
	vec_foreach (name, &names) {
		_cleanup_free_ char *source = xasprintf("%s/%s", from, *name);
		_cleanup_free_ char *target = xasprintf("%s/%s", to, *name);

		if (copy_entry(source, target, depth, err) < 0)
			return -1;
	}
	return 0;
}

static int copy_settings(const char *new_root, struct error *err)
{
	_cleanup_free_ char *target = xasprintf("%s" LAYOUT_CONFIG, new_root);

	if (access(LAYOUT_CONFIG, F_OK) < 0)
		return 0;
	if (mount("tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  "mode=0755") < 0)
		return error_errno(err, target, "cannot mount tmpfs");
	return root_copy_tree(LAYOUT_CONFIG, target, 0, err);
}

/* ---- the initramfs ---- */

static void remove_entry(int fd, const char *name, dev_t device, unsigned depth)
{
	struct stat st;
	int child;

	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_dev != device)
		return;
	if (!S_ISDIR(st.st_mode)) {
		(void)unlinkat(fd, name, 0);
		return;
	}
	child = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (child >= 0 && depth < ROOT_MOVE_MAX_DEPTH)
		root_empty_folder(child, depth + 1);
	else if (child >= 0)
		close(child);
	(void)unlinkat(fd, name, AT_REMOVEDIR);
}

/* Closes the descriptor. */
void root_empty_folder(int fd, unsigned depth)
{
	DIR *dir = fdopendir(fd);
	const struct dirent *entry;
	struct stat st;

	if (!dir) {
		close(fd);
		return;
	}
	while (fstat(fd, &st) == 0 && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			remove_entry(fd, entry->d_name, st.st_dev, depth);
	closedir(dir);
}

/* ---- the move ---- */

static int move_mounts(const char *new_root, struct error *err)
{
	static const char *const moved[] = {"/dev", "/proc", "/sys", "/run"};

	for (size_t i = 0; i < ARRAY_SIZE(moved); i++) {
		_cleanup_free_ char *target = xasprintf("%s%s", new_root, moved[i]);

		if (mount(moved[i], target, NULL, MS_MOVE, NULL) < 0)
			return error_errno(err, target, "cannot move the file system");
	}
	return 0;
}

int root_move(const char *new_root, struct error *err)
{
	int old = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (copy_settings(new_root, err) < 0 || move_mounts(new_root, err) < 0 ||
	    chdir(new_root) < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 ||
	    chroot(".") < 0 || chdir("/") < 0) {
		if (!err || !err->reason)
			error_errno(err, new_root, "cannot become the root");
		closep(&old);
		return -1;
	}
	if (old >= 0)
		root_empty_folder(old, 0);
	return 0;
}
