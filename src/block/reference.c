/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Names of files in untrusted headers. An image may name any file of the host, and QEMU
 * would serve its content as a disk: only regular files in the image's own folder, or in
 * one that the user allows, pass.
 */
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>

#include "base/text.h"
#include "block/container_private.h"

char *reference_folder(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return xstrdup(".");
	return xstrndup(path, slash == path ? 1 : (size_t)(slash - path));
}

static bool lies_in(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	if (strcmp(folder, "/") == 0)
		return true;
	return strncmp(path, folder, len) == 0 && path[len] == '/';
}

static bool allowed(const char *image, const char *path, const struct strings *allow)
{
	_cleanup_free_ char *own = reference_folder(image);

	if (lies_in(path, own))
		return true;
	for (size_t i = 0; allow && i < allow->len; i++) {
		_cleanup_free_ char *folder = realpath(allow->items[i], NULL);

		if (folder && lies_in(path, folder))
			return true;
	}
	return false;
}

/* QEMU takes "PROTOCOL:..." for the name of another driver: nbd:, json:, ssh:, fat:... */
static bool has_protocol(const char *name)
{
	return name[strcspn(name, ":/")] == ':';
}

char *reference_resolve(const char *image, const char *name, const char *what,
			const struct strings *allow, struct error *err)
{
	_cleanup_free_ char *folder = NULL, *joined = NULL, *path = NULL;
	struct stat st;

	if (has_protocol(name)) {
		error_set(err, ERROR_FAILED, image,
			  "its %s is \"%s\", which is no plain file", what, name);
		error_remedy(err, "only images based on files are served: rebase it with "
				  "qemu-img if you trust it");
		return NULL;
	}
	folder = reference_folder(image);
	joined = *name == '/' ? xstrdup(name) : xasprintf("%s/%s", folder, name);
	path = realpath(joined, NULL);
	if (!path || stat(path, &st) < 0) {
		error_errno(err, image, "its %s %s cannot be found", what, joined);
		error_remedy(err, "put the %s beside the image", what);
		return NULL;
	}
	if (!allowed(image, path, allow)) {
		error_set(err, ERROR_FAILED, image,
			  "its %s %s lies outside of the image's folder", what, path);
		error_remedy(err, "if you trust the image, allow the folder with "
				  "--allow-backing");
		return NULL;
	}
	if (!S_ISREG(st.st_mode)) {
		error_set(err, ERROR_FAILED, image, "its %s %s is no regular file", what,
			  path);
		error_remedy(err, "only images based on regular files are served");
		return NULL;
	}
	return steal_ptr(path);
}

/* "C:\vms\base.vhd", "..\base.vhd", "\\?\Volume{...}\base.vhd" as names of this host. */
static char *from_windows(const char *name)
{
	char *copy = xstrdup(name);

	for (char *p = copy; *p; p++)
		if (*p == '\\')
			*p = '/';
	return copy;
}

char *reference_resolve_windows(const char *image, const struct strings *names,
				const struct strings *allow, struct error *err)
{
	_cleanup_error_ struct error first = ERROR_INIT;

	for (size_t i = 0; i < names->len; i++) {
		_cleanup_free_ char *name = from_windows(names->items[i]);
		bool absolute = *name == '/' || (*name && name[1] == ':');
		char *path = NULL;

		if (*name && !absolute)
			path = reference_resolve(image, name, "parent", allow,
						 first.reason ? NULL : &first);
		/* Images get moved together: beside it, and in what is allowed. */
		if (!path && *path_base(name))
			path = reference_resolve(image, path_base(name), "parent", allow,
						 first.reason ? NULL : &first);
		for (size_t a = 0; !path && *name && allow && a < allow->len; a++) {
			_cleanup_free_ char *there =
				xasprintf("%s/%s", allow->items[a], path_base(name));
			_cleanup_free_ char *resolved = realpath(there, NULL);

			if (resolved)
				path = reference_resolve(image, resolved, "parent", allow,
							 NULL);
		}
		if (path)
			return path;
	}
	if (!first.reason) {
		error_set(&first, ERROR_FAILED, image, "does not say what its parent is");
		error_remedy(&first, "get the image again");
	}
	error_move(err, &first);
	return NULL;
}
