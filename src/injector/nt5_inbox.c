/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Windows' own files that are not installed: in the driver cache of the image, where NT 5
 * keeps driver.cab, a cabinet of each service pack, and system files that updates
 * replaced; or on its CD.
 */
#include "base/file.h"
#include "base/text.h"
#include "injector/nt5.h"
#include "media/find.h"
#include "windows/pe.h"

#define BINARY_LIMIT ((size_t)64 << 20)

struct search {
	struct tree *tree;
	struct source_media *media;
	const struct strings *names;
	struct inbox_files *out;
	struct strings *problems;
};

void inbox_files_free(struct inbox_files *files)
{
	vec_foreach (file, files) {
		free(file->name);
		free(file->where);
		free(file->host);
		free(file->stored);
		free(file->original);
	}
	vec_free(files);
}

/* A file that cannot be read is a line in the report; only what ends the run goes up. */
static int note(struct search *s, struct error *from, struct error *err)
{
	char *text;

	if (from->code == ERROR_INTERRUPTED)
		return error_move(err, from);
	text = error_message(from);
	strings_push(s->problems, text);
	free(text);
	return 0;
}

/* Reads what the file is; takes `host` and `stored`. */
static int add(struct search *s, const char *name, const char *where, char *host,
	       char *stored, struct error *err)
{
	_cleanup_error_ struct error mine = ERROR_INIT;
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;
	struct inbox_file file = {.name = xstrdup(name),
				  .where = xstrdup(where),
				  .host = host,
				  .stored = stored};
	int r = host ? file_read(host, BINARY_LIMIT, &data, &mine)
		     : tree_read(s->tree, stored, BINARY_LIMIT, &data, &mine);

	if (r == 0) {
		if (!pe_file_version(buffer_view(&data), &file.version))
			file.version = 0;
		file.original = pe_version_string(buffer_view(&data), "OriginalFilename");
	}
	vec_push(s->out, file);
	if (r == 0)
		return 0;
	s->out->len--;
	free(file.name);
	free(file.where);
	free(file.host);
	free(file.stored);
	return note(s, &mine, err);
}

static int search_folder(struct search *s, const char *folder, struct error *err)
{
	vec_foreach (name, s->names) {
		char *path = xasprintf("%s/%s", folder, *name);
		struct tree_stat st;
		int found = tree_stat(s->tree, path, &st, err);

		if (found < 0 || !found || st.type != TREE_FILE) {
			free(path);
			if (found < 0)
				return -1;
			continue;
		}
		if (add(s, *name, path, NULL, path, err) < 0)
			return -1;
	}
	return 0;
}

/* The files out of a cabinet on the host. */
static int search_cabinet(struct search *s, const char *host, const char *label,
			  const struct strings *names, struct error *err)
{
	_cleanup_error_ struct error mine = ERROR_INIT;
	_cleanup_free_ char *folder =
		media_cab_files(s->media, host, label, names, &mine);

	if (!folder)
		return note(s, &mine, err);
	vec_foreach (name, names) {
		char *path = media_find_plain(folder, *name, NULL);

		if (path && add(s, *name, label, path, NULL, err) < 0)
			return -1;
	}
	return 0;
}

/* "sp3.cab" before "sp2.cab" before "driver.cab"; 0: not one of them. */
static unsigned cabinet_rank(const char *name)
{
	if (text_equal(name, "driver.cab"))
		return 1;
	if (text_starts_with(name, "sp") && name[2] >= '1' && name[2] <= '9' &&
	    text_equal(name + 3, ".cab"))
		return 2 + (unsigned)(name[2] - '0');
	return 0;
}

/*
 * What no place before had. The first release's cabinet is the largest by far, and of
 * what a service pack brought anew nobody wants the old one.
 */
static void not_found(const struct search *s, struct strings *ret)
{
	vec_foreach (name, s->names) {
		bool found = false;

		vec_foreach (file, s->out)
			found |= text_equal(file->name, *name);
		if (!found)
			strings_push(ret, *name);
	}
}

static int search_stored_cabinet(struct search *s, const char *path, bool first_release,
				 struct error *err)
{
	_cleanup_(strings_free) struct strings left = VEC_INIT;
	_cleanup_error_ struct error mine = ERROR_INIT;
	_cleanup_free_ char *scratch = NULL, *host = NULL;

	if (first_release)
		not_found(s, &left);
	if (first_release && !left.len)
		return 0;
	scratch = media_scratch_folder(s->media, err);
	if (!scratch)
		return -1;
	host = xasprintf("%s/%s", scratch, path_base(path));
	if (tree_extract(s->tree, path, host, &mine) < 0)
		return note(s, &mine, err);
	if (search_cabinet(s, host, path, first_release ? &left : s->names, err) < 0)
		return -1;
	/* Some are a hundred MB: they do not have to wait for the end. */
	return remove_tree(scratch, err);
}

static int search_stored_cabinets(struct search *s, const char *folder, struct error *err)
{
	_cleanup_tree_entries_ struct tree_entries entries = VEC_INIT;

	if (tree_list(s->tree, folder, &entries, err) < 0)
		return -1;
	for (unsigned rank = 11; rank > 0; rank--)
		vec_foreach (entry, &entries) {
			_cleanup_free_ char *path =
				xasprintf("%s/%s", folder, entry->name);

			if (cabinet_rank(entry->name) == rank &&
			    search_stored_cabinet(s, path, rank == 1, err) < 0)
				return -1;
		}
	return 0;
}

static int search_source(struct search *s, const char *folder, struct error *err)
{
	static const char *const cabinets[] = {"sp4.cab", "sp3.cab", "sp2.cab", "sp1.cab",
					       "driver.cab"};

	vec_foreach (name, s->names) {
		_cleanup_error_ struct error mine = ERROR_INIT;
		char *host = media_find(s->media, folder, *name, &mine);
		_cleanup_free_ char *label = xasprintf("%s/%s", folder, *name);

		if (!host && mine.code && note(s, &mine, err) < 0)
			return -1;
		if (host && add(s, *name, label, host, NULL, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < ARRAY_SIZE(cabinets); i++) {
		_cleanup_error_ struct error mine = ERROR_INIT;
		_cleanup_free_ char *host = media_find_plain(folder, cabinets[i], &mine);

		if (mine.code && note(s, &mine, err) < 0)
			return -1;
		if (host && search_cabinet(s, host, host, s->names, err) < 0)
			return -1;
	}
	return 0;
}

int inbox_find(struct tree *tree, struct source_media *media, const char *source,
	       const struct strings *names, struct inbox_files *ret,
	       struct strings *problems, struct error *err)
{
	static const char *const folders[] = {
		"Windows/Driver Cache/i386", "Windows/ServicePackFiles/i386",
		"Windows/Driver Cache/amd64", "Windows/ServicePackFiles/amd64"};
	static const char *const below[] = {"", "/i386", "/I386", "/amd64", "/AMD64"};
	struct search s = {tree, media, names, ret, problems};

	if (!names->len)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		if (search_folder(&s, folders[i], err) < 0)
			return -1;
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		if (search_stored_cabinets(&s, folders[i], err) < 0)
			return -1;
	for (size_t i = 0; source && i < ARRAY_SIZE(below); i++) {
		_cleanup_free_ char *folder = xasprintf("%s%s", source, below[i]);

		if (search_source(&s, folder, err) < 0)
			return -1;
	}
	return 0;
}

int inbox_put(const struct inbox_file *file, struct tree *tree, const char *path,
	      struct error *err)
{
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;

	if (file->host)
		return tree_write_host(tree, path, file->host, 0, err);
	if (tree_read(tree, file->stored, BINARY_LIMIT, &data, err) < 0)
		return -1;
	return tree_write(tree, path, buffer_view(&data), 0, err);
}
