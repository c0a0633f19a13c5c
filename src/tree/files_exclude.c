/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Paths of a whole volume's entries, and leaving some of them out. */
#include "tree/files.h"

#include "tree/provider.h"

char *files_path(const struct files *files, size_t entry)
{
	char *path = xstrdup("");

	while (entry) {
		const struct files_entry *e = &files->entries.items[entry];
		char *longer = *path ? path_join(e->name, path) : xstrdup(e->name);

		free(path);
		path = longer;
		entry = e->parent;
	}
	return path;
}

void files_exclude(struct files *files, bool (*drop)(void *arg, const char *path),
		   void *arg)
{
	_cleanup_free_ char *folder = NULL; /* path of `folder_of`, in its new place */
	/* Where each entry went. */
	uint32_t *moved = xcalloc(files->entries.len + 1, sizeof(*moved));
	uint32_t folder_of = FILES_NONE;
	size_t kept = 1;

	for (size_t i = 1; i < files->entries.len; i++) {
		struct files_entry entry = files->entries.items[i];
		bool out = moved[entry.parent] == FILES_NONE;

		entry.parent = moved[entry.parent];
		if (!out && entry.parent != folder_of) {
			free(folder);
			folder = files_path(files, entry.parent);
			folder_of = entry.parent;
		}
		if (!out) {
			_cleanup_free_ char *path = path_join(folder, entry.name);

			out = drop(arg, path);
		}
		moved[i] = out ? FILES_NONE : (uint32_t)kept;
		if (out) {
			files->inodes.items[entry.inode].links--;
			free(entry.name);
			free(entry.short_name);
		} else {
			files->entries.items[kept++] = entry;
		}
	}
	files->entries.len = kept;
	free(moved);
}
