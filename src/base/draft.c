/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/draft.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

int draft_open(struct draft *draft, const char *output, bool named, struct error *err)
{
	_cleanup_free_ char *copy = xstrdup(output);
	const char *folder = dirname(copy);

	*draft = (struct draft){.output = output, .fd = -1};
	if (!named)
		draft->fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0644);
	if (draft->fd >= 0) {
		draft->path = xasprintf("/proc/self/fd/%d", draft->fd);
		return 0;
	}
	if (!named && errno == ENOENT) {
		error_errno(err, output, "cannot create");
		return error_remedy(err, "make its folder first");
	}
	if (!named && errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
		return error_errno(err, output, "cannot create");
	draft->folder = temp_folder_make(output, err);
	if (!draft->folder)
		return -1;
	draft->path = xasprintf("%s/new", draft->folder);
	draft->fd = open(draft->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	return draft->fd < 0 ? error_errno(err, output, "cannot create") : 0;
}

void draft_close(struct draft *draft)
{
	closep(&draft->fd);
	free(draft->path);
	temp_folder_remove(draft->folder);
	*draft = (struct draft){.fd = -1};
}

/* Never over another file. File systems without O_TMPFILE may have no links either (FAT).
 */
static int give_name(const struct draft *draft)
{
	if (!draft->folder)
		return linkat(AT_FDCWD, draft->path, AT_FDCWD, draft->output,
			      AT_SYMLINK_FOLLOW);
	if (linkat(AT_FDCWD, draft->path, AT_FDCWD, draft->output, 0) == 0)
		return 0;
	if (errno != EPERM && errno != EOPNOTSUPP)
		return -1;
	if (access(draft->output, F_OK) == 0) {
		errno = EEXIST;
		return -1;
	}
	return rename(draft->path, draft->output);
}

void draft_name(const struct draft *draft, char **text)
{
	size_t len = draft->path ? strlen(draft->path) : 0;
	char *named;

	if (!len || !*text || strncmp(*text, draft->path, len) != 0)
		return;
	named = xasprintf("%s%s", draft->output, *text + len);
	free(*text);
	*text = named;
}

int draft_publish(const struct draft *draft, struct error *err)
{
	if (fsync(draft->fd) < 0)
		return error_errno(err, draft->output, "cannot sync");
	if (give_name(draft) < 0)
		return error_errno(err, draft->output, "cannot name the new file");
	if (file_sync_folder(draft->output, err) == 0)
		return 0;
	(void)unlink(draft->output);
	return -1;
}
