/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A WIM cut into the parts of a split set (.swm), by wimlib. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wimlib.h>

#include "base/file.h"
#include "base/hash.h"
#include "tree/wim.h"

#define GUID_OFFSET 24 /* in the header: the same in every part of a set */

char *image_part_path(const char *first, unsigned part)
{
	size_t stem = strlen(first);

	if (part == 1)
		return xstrdup(first);
	for (size_t i = stem; i-- > 0 && first[i] != '/';)
		if (first[i] == '.') {
			stem = i;
			break;
		}
	return xasprintf("%.*s%u%s", (int)stem, first, part, first + stem);
}

/* wimlib draws the set's GUID by chance; it follows from the source's instead. */
static int set_guid(const char *path, const struct guid *guid, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || pwrite(fd, guid->bytes, sizeof(guid->bytes), GUID_OFFSET) !=
			      (ssize_t)sizeof(guid->bytes))
		return error_errno(err, path, "cannot write its header");
	return fsync(fd) < 0 ? error_errno(err, path, "cannot sync") : 0;
}

int image_split(const char *wim, const char *first, uint64_t part_size, unsigned *parts,
		struct error *err)
{
	struct wimlib_wim_info info;
	WIMStruct *w = NULL;
	struct guid guid;
	int code = wimlib_open_wim(wim, 0, &w);

	if (!code)
		code = wimlib_get_wim_info(w, &info);
	if (!code)
		code = wimlib_split(w, first, part_size, 0);
	wimlib_free(w);
	if (code)
		return wimlib_failed(wim, code, err);
	guid = guid_from((struct bytes){info.guid, sizeof(info.guid)});
	for (*parts = 0;; (*parts)++) {
		_cleanup_free_ char *path = image_part_path(first, *parts + 1);

		if (access(path, F_OK) < 0)
			return *parts ? 0 : error_errno(err, path, "was not written");
		if (set_guid(path, &guid, err) < 0)
			return -1;
	}
}
