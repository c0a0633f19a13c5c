/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Paths inside a tree: what Windows would accept, and nothing that leaves the volume. */
#include "base/text.h"
#include "tree/provider.h"

size_t path_component(const char *path)
{
	return strcspn(path, "/");
}

char *path_join(const char *a, const char *b)
{
	return xasprintf("%s%s%s", a, *a && *b ? "/" : "", b);
}

bool path_is_below(const char *path, const char *folder)
{
	for (;;) {
		size_t a = path_component(path), b = path_component(folder);
		_cleanup_free_ char *x = xstrndup(path, a);
		_cleanup_free_ char *y = xstrndup(folder, b);

		if (b == 0)
			return true;
		if (!text_equal(x, y))
			return false;
		path += a + (path[a] == '/');
		folder += b + (folder[b] == '/');
	}
}

/* CON, NUL.txt, COM1...: Win32 opens the device, whatever the folder and extension. */
static bool is_device_name(const char *name)
{
	static const char *const devices[] = {"CON", "PRN", "AUX", "NUL"};
	size_t len = strcspn(name, ".");

	while (len && name[len - 1] == ' ')
		len--;
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
		if (len == 3 && text_equal_n(name, devices[i], 3))
			return true;
	return len == 4 &&
	       (text_equal_n(name, "COM", 3) || text_equal_n(name, "LPT", 3)) &&
	       name[3] >= '1' && name[3] <= '9';
}

static const char *bad_name(const char *name, bool for_write)
{
	size_t len = strlen(name);

	if (len == 0)
		return "has an empty component";
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return "has a \".\" or \"..\" component";
	if (utf16_units(name) > TREE_MAX_NAME)
		return "has a name of more than 255 characters";
	for (const char *p = name; *p; p++)
		if ((unsigned char)*p < 0x20 || strchr("<>:\"|?*\\", *p))
			return "has a character that Windows forbids in names";
	if (for_write && (name[len - 1] == '.' || name[len - 1] == ' '))
		return "has a name that ends in a dot or a space";
	if (for_write && is_device_name(name))
		return "names a device (as CON, NUL or COM1)";
	return NULL;
}

int path_check(const char *path, bool for_write, struct error *err)
{
	const char *rest = path;

	if (!*path)
		return 0;
	if (utf16_units(path) > TREE_MAX_PATH) {
		_cleanup_free_ char *start = xstrndup(path, 60);

		return error_set(err, ERROR_FAILED, start,
				 "is a path of more than %d characters", TREE_MAX_PATH);
	}
	if (for_write && text_starts_with(path, ".gild-"))
		return error_set(err, ERROR_FAILED, path, "is reserved for gild itself");
	for (;;) {
		size_t len = path_component(rest);
		_cleanup_free_ char *name = xstrndup(rest, len);
		const char *why = bad_name(name, for_write);

		if (why) {
			error_set(err, ERROR_FAILED, path,
				  "is no path in an image: it %s", why);
			return error_remedy(err, "give the path from the volume's root, "
						 "as Windows/INF/x.inf");
		}
		rest += len;
		if (!*rest)
			return 0;
		rest++;
	}
}

int tree_path_check(const char *path, struct error *err)
{
	return path_check(path, true, err);
}
