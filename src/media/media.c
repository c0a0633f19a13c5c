/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Collects the INFs of files, folders and archives: see media.h for what is opened when.
 */
#include "media/media.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/progress.h"
#include "base/text.h"
#include "media/find.h"
#include "media/unpack.h"

/* Of folders; nothing that Windows itself could address is deeper. */
#define MAX_FOLDER_DEPTH 64
/* Files looked at below one path. */
#define MAX_FILES 2000000

struct walk {
	struct source_media *media;
	struct sink_limits left; /* of the outermost archive; unused outside of one */
	uint64_t files;
	struct strings other; /* files that perhaps hold drivers but cannot be opened */
};

static int collect(struct walk *w, const char *path, const char *label, unsigned depth,
		   unsigned nesting, struct error *err);

static void problem(struct walk *w, const char *label, const char *what)
{
	vec_push(&w->media->problems, xasprintf("%s: %s", label, what));
}

/* An error that concerns one file only becomes a problem; others go up. */
static int note_error(struct walk *w, struct error *from, struct error *err)
{
	if (from->code == ERROR_INTERRUPTED)
		return error_move(err, from);
	vec_push(&w->media->problems, error_message(from));
	return 0;
}

char *media_scratch_folder(struct source_media *media, struct error *err)
{
	_cleanup_free_ char *path = NULL;

	if (!media->scratch)
		media->scratch = temp_folder_make(NULL, err);
	if (!media->scratch)
		return NULL;
	path = xasprintf("%s/XXXXXX", media->scratch);
	if (mkdtemp(path))
		return steal_ptr(path);
	error_errno(err, media->scratch, "cannot make a temporary folder");
	return NULL;
}

static struct media_inf describe(const char *path, const char *original,
				 const char *label)
{
	_cleanup_free_ char *copy = xstrdup(original);

	return (struct media_inf){.path = xstrdup(path),
				  .folder = xstrdup(dirname(copy)),
				  .label = xstrdup(label)};
}

static void add_inf(struct source_media *media, const char *path, const char *original,
		    const char *label)
{
	vec_push(&media->infs, describe(path, original, label));
}

/* What text-mode setup of XP and earlier reads: only these know what to do with it. */
static bool is_textmode(const char *path)
{
	return text_equal(path_base(path), "txtsetup.oem");
}

static int add_packed_inf(struct walk *w, const char *path, const char *label,
			  struct error *err)
{
	_cleanup_error_ struct error mine = ERROR_INIT;
	const char *base = path_base(path);
	_cleanup_free_ char *name = xasprintf("%.*sf", (int)(strlen(base) - 1), base);
	_cleanup_free_ char *file = media_expand(w->media, path, name, &mine);

	if (!file)
		return note_error(w, &mine, err);
	add_inf(w->media, file, path, label);
	return 0;
}

/* What one archive given by the user may unpack to, by its size and the free space. */
static int start_budget(struct walk *w, const char *path, const char *scratch,
			struct error *err)
{
	struct statvfs fs;
	struct stat st;
	uint64_t bytes, space;

	if (stat(path, &st) < 0)
		return error_errno(err, path, "cannot stat");
	if (statvfs(scratch, &fs) < 0)
		return error_errno(err, scratch, "cannot tell the free space");
	if (mul_overflow((uint64_t)st.st_size, (uint64_t)UNPACK_MAX_RATIO, &bytes) ||
	    add_overflow(bytes, UNPACK_FREE_BYTES, &bytes) || bytes > UNPACK_MAX_BYTES)
		bytes = UNPACK_MAX_BYTES;
	if (mul_overflow((uint64_t)fs.f_bavail, (uint64_t)fs.f_frsize, &space))
		space = UINT64_MAX;
	space = space > UNPACK_DISK_RESERVE ? space - UNPACK_DISK_RESERVE : 0;
	w->left = (struct sink_limits){.bytes = bytes < space ? bytes : space,
				       .entries = UNPACK_MAX_ENTRIES,
				       .by_disk = space < bytes};
	return 0;
}

/* Unpacks the archive and collects what is in it. `selective`: see struct unpack. */
static int open_archive(struct walk *w, const char *path, const char *label,
			enum media_kind kind, bool selective, unsigned nesting,
			struct error *err)
{
	_cleanup_free_ char *folder = media_scratch_folder(w->media, err);
	_cleanup_unpack_ struct unpack u = {.path = path,
					    .label = label,
					    .dest = folder,
					    .kind = kind,
					    .selective = selective};

	if (!folder || (nesting == 0 && start_budget(w, path, folder, err) < 0))
		return -1;
	u.limits = w->left;
	progress_report(label, 0, 0);
	if (unpack_isolated(&u, err) < 0) {
		(void)remove_tree(folder, NULL);
		return -1;
	}
	w->left.bytes -= u.bytes < w->left.bytes ? u.bytes : w->left.bytes;
	w->left.entries -= u.entries < w->left.entries ? u.entries : w->left.entries;
	vec_foreach (line, &u.problems)
		vec_push(&w->media->problems, xstrdup(*line));
	if (u.ignored)
		return remove_tree(folder, err);
	return collect(w, folder, label, 0, nesting + 1, err);
}

static int open_nested(struct walk *w, const char *path, const char *label,
		       enum media_kind kind, unsigned nesting, struct error *err)
{
	_cleanup_error_ struct error mine = ERROR_INIT;

	if (nesting >= UNPACK_MAX_NESTING) {
		problem(w, label, "not unpacked: archives are nested too deep");
		return 0;
	}
	if (open_archive(w, path, label, kind, true, nesting, &mine) == 0)
		return 0;
	/* A program without an archive is what most programs are. */
	if (kind == MEDIA_EXE && mine.code != ERROR_INTERRUPTED) {
		_cleanup_free_ char *text = error_message(&mine);

		strings_push(&w->other, text);
		return 0;
	}
	return note_error(w, &mine, err);
}

struct entry {
	char *name;
	struct stat st;
};
DEFINE_VEC(entries, struct entry);

static void entries_free(struct entries *e)
{
	vec_foreach (item, e)
		free(item->name);
	vec_free(e);
}

static int compare_names(const char *a, const char *b)
{
	int order = text_compare(a, b);

	return order ? order : strcmp(a, b);
}

static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return compare_names(x->name, y->name);
}

static int list_folder(struct walk *w, const char *path, const char *label,
		       struct entries *ret, struct error *err)
{
	DIR *dir = opendir(path);
	struct dirent *d;

	if (!dir)
		return error_errno(err, label, "cannot open the folder");
	while ((d = readdir(dir))) {
		struct entry e;

		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		if (w->files++ >= MAX_FILES) {
			closedir(dir);
			return error_set(err, ERROR_FAILED, label,
					 "more than %d files lie below it", MAX_FILES);
		}
		if (fstatat(dirfd(dir), d->d_name, &e.st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		e.name = xstrdup(d->d_name);
		vec_push(ret, e);
	}
	closedir(dir);
	if (ret->len)
		qsort(ret->items, ret->len, sizeof(*ret->items), compare_entries);
	return 0;
}

static void note_link(struct walk *w, const char *path, const char *label)
{
	struct stat st;

	if (media_is_interesting(path) || (stat(path, &st) == 0 && S_ISDIR(st.st_mode)))
		problem(w, label,
			"is a link, which gild does not follow; give its target");
}

static int collect_file(struct walk *w, const char *path, const char *label,
			unsigned nesting, struct strings *programs, struct error *err)
{
	_cleanup_error_ struct error mine = ERROR_INIT;
	enum media_kind kind;

	if (interrupted())
		return error_interrupted(err);
	if (is_textmode(path)) {
		vec_push(&w->media->textmode, describe(path, path, label));
		return 0;
	}
	if (media_sniff(path, &kind, &mine) < 0)
		return media_is_interesting(path) ? note_error(w, &mine, err) : 0;
	if (kind == MEDIA_INF) {
		add_inf(w->media, path, path, label);
		return 0;
	}
	if (media_is_packed_inf_name(path))
		return add_packed_inf(w, path, label, err);
	if (kind == MEDIA_EXE && text_ends_with(path, ".exe")) {
		strings_push(programs, path);
		strings_push(programs, label);
		return 0;
	}
	/* x.sy_ of old media is a cabinet of one file: media_find() expands it. */
	if (kind == MEDIA_CAB && text_ends_with(path, "_"))
		return 0;
	if (media_is_archive(kind))
		return open_nested(w, path, label, kind, nesting, err);
	if (kind == MEDIA_EMPTY ? media_is_interesting(path) : kind >= MEDIA_MSI) {
		(void)media_refuse(path, label, kind, &mine);
		_cleanup_free_ char *text = error_message(&mine);

		strings_push(&w->other, text);
	}
	return 0;
}

static int collect_entry(struct walk *w, const struct entry *e, const char *folder,
			 const char *folder_label, unsigned depth, unsigned nesting,
			 struct strings *programs, struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", folder, e->name);
	_cleanup_free_ char *label =
		xasprintf("%s%s%s", folder_label,
			  text_ends_with(folder_label, "/") ? "" : "/", e->name);
	_cleanup_error_ struct error mine = ERROR_INIT;

	if (S_ISLNK(e->st.st_mode)) {
		note_link(w, path, label);
		return 0;
	}
	if (S_ISREG(e->st.st_mode))
		return collect_file(w, path, label, nesting, programs, err);
	if (!S_ISDIR(e->st.st_mode))
		return 0;
	if (depth >= MAX_FOLDER_DEPTH) {
		problem(w, label, "its folders are nested too deep");
		return 0;
	}
	if (collect(w, path, label, depth + 1, nesting, &mine) < 0)
		return note_error(w, &mine, err);
	return 0;
}

static int collect(struct walk *w, const char *path, const char *label, unsigned depth,
		   unsigned nesting, struct error *err)
{
	_cleanup_(entries_free) struct entries entries = VEC_INIT;
	_cleanup_(strings_free) struct strings programs = VEC_INIT;
	size_t before = w->media->infs.len;

	if (list_folder(w, path, label, &entries, err) < 0)
		return -1;
	vec_foreach (e, &entries)
		if (collect_entry(w, e, path, label, depth, nesting, &programs, err) < 0)
			return -1;
	if (w->media->infs.len > before)
		return 0;
	for (size_t i = 0; i + 1 < programs.len; i += 2)
		if (open_nested(w, programs.items[i], programs.items[i + 1], MEDIA_EXE,
				nesting, err) < 0)
			return -1;
	return 0;
}

static int add_file(struct walk *w, const char *path, const char *label,
		    struct error *err)
{
	enum media_kind kind;

	if (is_textmode(path)) {
		vec_push(&w->media->textmode, describe(path, path, label));
		return 0;
	}
	if (media_sniff(path, &kind, err) < 0)
		return -1;
	if (kind == MEDIA_INF) {
		add_inf(w->media, path, path, label);
		return 0;
	}
	if (media_is_packed_inf_name(path))
		return add_packed_inf(w, path, label, err);
	if (media_is_archive(kind) || kind == MEDIA_EXE)
		return open_archive(w, path, label, kind, false, 0, err);
	return media_refuse(path, label, kind, err);
}

static int compare_infs(const void *a, const void *b)
{
	const struct media_inf *x = a, *y = b;
	int order = compare_names(x->label, y->label);

	return order ? order : strcmp(x->path, y->path);
}

static void free_inf(struct media_inf *inf)
{
	free(inf->path);
	free(inf->folder);
	free(inf->label);
}

/* The same file given twice counts once. */
static void sort_infs(struct media_infs *infs)
{
	size_t kept = 0;

	if (infs->len)
		qsort(infs->items, infs->len, sizeof(*infs->items), compare_infs);
	for (size_t i = 0; i < infs->len; i++) {
		if (kept && compare_infs(&infs->items[kept - 1], &infs->items[i]) == 0)
			free_inf(&infs->items[i]);
		else
			infs->items[kept++] = infs->items[i];
	}
	infs->len = kept;
}

int media_add(struct source_media *media, const char *path, struct error *err)
{
	struct walk w = {.media = media};
	_cleanup_free_ char *real = realpath(path, NULL);
	_cleanup_free_ char *label = xstrdup(path);
	size_t infs = media->infs.len + media->textmode.len;
	size_t problems = media->problems.len;
	struct stat st;
	int status;

	if (!real || stat(real, &st) < 0)
		return error_errno(err, path, "cannot open");
	for (size_t n = strlen(label); n > 1 && label[n - 1] == '/'; n--)
		label[n - 1] = '\0';
	if (S_ISDIR(st.st_mode)) {
		status = collect(&w, real, label, 0, 0, err);
	} else if (S_ISREG(st.st_mode)) {
		status = add_file(&w, real, label, err);
	} else {
		status = error_set(err, ERROR_FAILED, path,
				   "is neither a file nor a folder");
	}
	if (status == 0 && media->infs.len + media->textmode.len == infs) {
		vec_foreach (line, &w.other)
			vec_push(&media->problems, xstrdup(*line));
		if (media->problems.len == problems)
			problem(&w, label, "holds no INF");
	}
	strings_free(&w.other);
	sort_infs(&media->infs);
	sort_infs(&media->textmode);
	return status;
}

void media_close(struct source_media *media)
{
	vec_foreach (inf, &media->infs)
		free_inf(inf);
	vec_free(&media->infs);
	vec_foreach (file, &media->textmode)
		free_inf(file);
	vec_free(&media->textmode);
	for (size_t i = 0; i < media->problems.len; i++)
		free(media->problems.items[i]);
	vec_free(&media->problems);
	strings_free(&media->expanded);
	temp_folder_remove(media->scratch);
	media->scratch = NULL;
}
