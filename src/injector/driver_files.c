/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * CopyFiles, DelFiles, RenFiles with [DestinationDirs], and where the sources stand
 * ([SourceDisksFiles], [SourceDisksNames]). Whatever path an INF writes stays below the
 * folder it is relative to, or the INF is refused.
 */
#include "base/text.h"
#include "injector/driver_private.h"

#define DIRID_SYSTEM32 11u
#define DIRID_ABSOLUTE UINT32_MAX /* -1 */
#define DIRID_ABSOLUTE_16BIT 0xFFFFu

/* Characters that no file name of Windows has. */
static bool bad_character(const char *path)
{
	for (const char *p = path; *p; p++)
		if ((uint8_t)*p < 0x20 || strchr("<>:\"|?*", *p))
			return true;
	return false;
}

int check_path(const struct inf *inf, unsigned line, const char *what, const char *path,
	       struct error *err)
{
	const char *wrong = NULL;

	if (((path[0] | 0x20) >= 'a' && (path[0] | 0x20) <= 'z' && path[1] == ':') ||
	    (path[0] == '\\' && path[1] == '\\'))
		wrong = "is an absolute path";
	else if (bad_character(path))
		wrong = "has a character that no file name has";
	for (const char *p = path; *p && !wrong;) {
		size_t n = strcspn(p, "\\/");

		if (n == 2 && p[0] == '.' && p[1] == '.')
			wrong = "leads out of its folder";
		p += n + (p[n] != 0);
	}
	if (!wrong)
		return 0;
	inf_refuse(inf, line, err, "%s \"%s\" %s", what, path, wrong);
	return error_remedy(err, "expected a name or a path below the package or the "
				 "destination folder; do not use this package");
}

/* ---- sources ----------------------------------------------------------------------- */

/* Appends the components of a path, '/'-separated, without empty ones and ".". */
static void append_components(struct buffer *b, const char *path)
{
	while (*path) {
		size_t n = strcspn(path, "\\/");

		if (n && !(n == 1 && *path == '.')) {
			if (b->len)
				buffer_append(b, "/", 1);
			buffer_append(b, path, n);
		}
		path += n + (path[n] != 0);
	}
}

/* The entry of NAME.arch, else of NAME, and the line it stands in. */
static bool find_decorated(struct inf *inf, const char *section, enum windows_arch arch,
			   const char *key, struct inf_line *line)
{
	_cleanup_free_ char *exact = xasprintf("%s.%s", section, arch_name(arch));
	size_t at = inf_find_section(inf, exact);

	if (at != INF_NONE && inf_find_key(inf, at, key, line))
		return true;
	at = inf_find_section(inf, section);
	return at != INF_NONE && inf_find_key(inf, at, key, line);
}

/* Of one entry of SourceDisksFiles: disk's path + sub-folder + name. NULL: refused. */
static char *source_path(struct reading *r, struct inf *inf, const struct inf_line *entry,
			 const char *name)
{
	struct buffer b = BUFFER_INIT;
	_cleanup_free_ char *disk = xstrdup(inf_field(inf, entry, 0));
	const char *subdir = inf_field(inf, entry, 1);
	struct inf_line line;

	if (find_decorated(inf, "SourceDisksNames", r->target->arch, disk, &line)) {
		const char *path = inf_field(inf, &line, 3);

		if (check_path(inf, line.number, "source path", path, r->err) < 0)
			return NULL;
		append_components(&b, path);
	}
	if (check_path(inf, entry->number, "source folder", subdir, r->err) < 0 ||
	    check_path(inf, entry->number, "source file", name, r->err) < 0) {
		buffer_free(&b);
		return NULL;
	}
	append_components(&b, subdir);
	append_components(&b, name);
	return buffer_steal_string(&b);
}

/* True if what the INF does not place itself comes with Windows (layout.inf). */
static bool has_layout(struct inf *inf)
{
	size_t version = inf_find_section(inf, "Version");
	struct inf_line line;

	return version != INF_NONE && inf_find_key(inf, version, "LayoutFile", &line) &&
	       *inf_field(inf, &line, 0);
}

/*
 * Where a file of a CopyFiles list is in the package: as SourceDisksFiles says, else
 * beside the INF; NULL in *ret if Windows brings it (an included INF is Windows' own).
 */
static int place_source(struct reading *r, struct inf *inf, unsigned line,
			const char *name, char **ret)
{
	struct inf_line entry;

	*ret = NULL;
	if (check_path(inf, line, "file", name, r->err) < 0)
		return -1;
	if (inf != r->inf)
		return 0;
	if (find_decorated(inf, "SourceDisksFiles", r->target->arch, name, &entry)) {
		*ret = source_path(r, inf, &entry, name);
		return *ret ? 0 : -1;
	}
	if (!has_layout(inf)) {
		struct buffer b = BUFFER_INIT;

		append_components(&b, name);
		*ret = buffer_steal_string(&b);
	}
	return 0;
}

static int add_source_files(struct reading *r, const char *section)
{
	size_t at = inf_find_section(r->inf, section);
	size_t n = at == INF_NONE ? 0 : inf_section_lines(r->inf, at);

	for (size_t i = 0; i < n; i++) {
		struct inf_line line = inf_line(r->inf, at, i), first;
		struct inf_file f = {.kind = INF_FILE_COPY, .line = line.number};

		if (reading_work(r, r->inf, &line) < 0)
			return -1;
		/* What the architecture's own section names is not taken twice. */
		if (!line.has_key || !*inf_key(r->inf, &line) ||
		    (find_decorated(r->inf, "SourceDisksFiles", r->target->arch,
				    inf_key(r->inf, &line), &first) &&
		     first.number != line.number))
			continue;
		f.source_path = source_path(r, r->inf, &line, inf_key(r->inf, &line));
		if (!f.source_path)
			return -1;
		f.name = xstrdup(inf_key(r->inf, &line));
		f.source = xstrdup(f.name);
		f.subdir = xstrdup("");
		vec_push(&r->driver->source_files, f);
	}
	return 0;
}

int read_source_files(struct reading *r)
{
	_cleanup_free_ char *exact =
		xasprintf("SourceDisksFiles.%s", arch_name(r->target->arch));

	if (add_source_files(r, exact) < 0)
		return -1;
	return add_source_files(r, "SourceDisksFiles");
}

/* ---- destinations ------------------------------------------------------------------ */

struct destination {
	uint32_t dirid;
	char *subdir; /* '\'-separated, without outer separators */
};

static int parse_destination(struct reading *r, struct inf *inf,
			     const struct inf_line *line, struct destination *ret)
{
	const char *dirid = inf_field_marked(inf, line, 0), *rest;
	const char *subdir = inf_field(inf, line, 1);
	struct buffer b = BUFFER_INIT;

	/* Written as a number; a few write %12%. */
	if (!split_dirid(dirid, &ret->dirid, &rest) &&
	    !inf_parse_number(dirid, &ret->dirid)) {
		inf_refuse(inf, line->number, r->err, "\"%s\" is no directory identifier",
			   inf_field(inf, line, 0));
		return error_remedy(r->err, "expected a number such as 12 or 13");
	}
	if (ret->dirid == DIRID_ABSOLUTE || ret->dirid == DIRID_ABSOLUTE_16BIT) {
		inf_refuse(inf, line->number, r->err,
			   "destination \"%s\" is an absolute path (dirid -1)", subdir);
		return error_remedy(r->err, "expected a dirid below the Windows folder");
	}
	if (check_path(inf, line->number, "destination", subdir, r->err) < 0)
		return -1;
	append_components(&b, subdir);
	ret->subdir = buffer_steal_string(&b);
	for (char *p = ret->subdir; (p = strchr(p, '/')); p++)
		*p = '\\';
	return 0;
}

/*
 * Of a list section (NULL: @file): its own entry, else DefaultDestDir, else System32. An
 * included INF's DefaultDestDir gives way to that of the including one.
 */
static int find_destination(struct reading *r, struct inf *inf, const char *list,
			    struct destination *ret)
{
	struct inf *const order[] = {inf, r->inf, inf};
	const char *const keys[] = {list, "DefaultDestDir", "DefaultDestDir"};

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		size_t at = inf_find_section(order[i], "DestinationDirs");
		struct inf_line line;

		if (keys[i] && at != INF_NONE &&
		    inf_find_key(order[i], at, keys[i], &line) && line.fields)
			return parse_destination(r, order[i], &line, ret);
	}
	*ret = (struct destination){DIRID_SYSTEM32, xstrdup("")};
	return 0;
}

/* ---- lists ------------------------------------------------------------------------- */

struct file_list {
	enum inf_file_kind kind;
	struct inf_files *to;
};

/* A name with folders in it goes below the destination's. */
static void split_name(const char *written, const struct destination *where,
		       struct inf_file *f)
{
	struct buffer b = BUFFER_INIT, subdir = BUFFER_INIT;
	_cleanup_free_ char *all = NULL;
	char *slash;

	append_components(&b, written);
	all = buffer_steal_string(&b);
	slash = strrchr(all, '/');
	f->name = xstrdup(slash ? slash + 1 : all);
	buffer_append_string(&subdir, where->subdir);
	if (slash) {
		*slash = 0;
		for (char *p = all; (p = strchr(p, '/')); p++)
			*p = '\\';
		if (subdir.len)
			buffer_append(&subdir, "\\", 1);
		buffer_append_string(&subdir, all);
	}
	f->dirid = where->dirid;
	f->subdir = buffer_steal_string(&subdir);
}

static int add_file(struct reading *r, struct inf *inf, unsigned line,
		    const struct file_list *list, const struct destination *where,
		    const char *name, const char *source, uint32_t flags)
{
	struct inf_file f = {.kind = list->kind, .flags = flags, .line = line};

	if (check_path(inf, line, "file", name, r->err) < 0 ||
	    check_path(inf, line, "file", source, r->err) < 0)
		return -1;
	if (!*name)
		return 0;
	if (!*source)
		source = name;
	if (list->kind == INF_FILE_COPY &&
	    place_source(r, inf, line, source, &f.source_path) < 0)
		return -1;
	split_name(name, where, &f);
	f.source = xstrdup(source);
	vec_push(list->to, f);
	return 0;
}

/* One list section of one INF. */
static int read_list_section(struct reading *r, struct inf *inf, size_t section,
			     const struct file_list *list)
{
	struct destination where = {0};
	int result = find_destination(r, inf, inf_section_name(inf, section), &where);

	for (size_t i = 0; i < inf_section_lines(inf, section) && result == 0; i++) {
		struct inf_line line = inf_line(inf, section, i);
		uint32_t flags = inf_number(inf, &line, 3, 0);

		result = reading_work(r, inf, &line);
		if (result == 0)
			result = add_file(r, inf, line.number, list, &where,
					  inf_field(inf, &line, 0),
					  inf_field(inf, &line, 1), flags);
	}
	free(where.subdir);
	return result;
}

static int read_single_file(struct reading *r, struct inf *inf, unsigned line,
			    const struct file_list *list, const char *name)
{
	struct destination where = {0};
	int result = reading_cost(r, inf, line, 1);

	if (result == 0)
		result = find_destination(r, inf, NULL, &where);
	if (result == 0)
		result = add_file(r, inf, line, list, &where, name, "", 0);
	free(where.subdir);
	return result;
}

int read_file_list(struct reading *r, struct inf *inf, const struct inf_line *line,
		   enum inf_file_kind kind, struct inf_files *to,
		   struct strings *unsupported)
{
	struct file_list list = {kind, to};

	for (size_t i = 0; i < line->fields; i++) {
		const char *name = inf_field(inf, line, i);
		bool found = false;

		if (!*name)
			continue;
		if (*name == '@') {
			if (read_single_file(r, inf, line->number, &list, name + 1) < 0)
				return -1;
			continue;
		}
		for (size_t j = 0; j < r->infs.len; j++) {
			size_t section = inf_find_section(r->infs.items[j], name);

			if (section == INF_NONE)
				continue;
			found = true;
			if (read_list_section(r, r->infs.items[j], section, &list) < 0)
				return -1;
		}
		if (!found)
			reading_remark(r, unsupported, inf, line->number,
				       "file list [%s], which is missing", name);
	}
	return 0;
}
