/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "media/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

#define COPY_CHUNK ((size_t)64 << 10)

/*
 * Everything that exists below the root, by folded name, so that "X64/a.sys" and
 * "x64/A.SYS" are the same file, as on the Windows that the archive was made for.
 */
struct sink_name {
	char *path; /* NULL: free slot */
	uint64_t hash;
	bool folder;
};

/* In Unicode (ftp.unicode.org/Public/MAPPINGS). */
static const uint16_t cp1252_c1[32] = {/* 0x80 to 0x9F; above it is Latin-1 */
				       0x20AC, 0x0081, 0x201A, 0x0192, 0x201E, 0x2026,
				       0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039,
				       0x0152, 0x008D, 0x017D, 0x008F, 0x0090, 0x2018,
				       0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
				       0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x009D,
				       0x017E, 0x0178};

char *sink_decode(const char *name, enum sink_charset charset)
{
	_cleanup_buffer_ struct buffer wide = BUFFER_INIT;

	if (utf8_valid(name, strlen(name)))
		return xstrdup(name);
	for (const uint8_t *p = (const uint8_t *)name; *p; p++) {
		uint16_t unit = *p;

		if (charset == SINK_CP437)
			unit = cp437_unit(*p);
		else if (unit >= 0x80 && unit < 0xA0)
			unit = cp1252_c1[unit - 0x80];
		buffer_append_le16(&wide, unit);
	}
	return utf16_to_utf8(wide.data, wide.len);
}

int sink_open(struct sink *sink, const char *folder, const char *label,
	      const struct sink_limits *limits, struct error *err)
{
	*sink = (struct sink){.label = label, .limits = *limits};
	sink->root = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (sink->root < 0)
		return error_errno(err, folder, "cannot open the temporary folder");
	return 0;
}

void sink_close(struct sink *sink)
{
	closep(&sink->root);
	strings_free(&sink->problems);
	for (size_t i = 0; i < sink->names_size; i++)
		free(sink->names[i].path);
	free(sink->names);
	sink->names = NULL;
	sink->names_len = sink->names_size = 0;
}

void sink_problem(struct sink *sink, const char *name, const char *fmt, ...)
{
	_cleanup_free_ char *what = NULL;
	va_list ap;

	if (sink->problems.len >= SINK_MAX_PROBLEMS) {
		sink->more_problems++;
		return;
	}
	va_start(ap, fmt);
	what = xvasprintf(fmt, ap);
	va_end(ap);
	_cleanup_free_ char *line =
		xasprintf("%s/%.*s: %s", sink->label, SINK_MAX_NAME, name, what);

	/* A name from the archive must not forge lines or drive the terminal. */
	for (char *p = line; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7F)
			*p = '?';
	strings_push(&sink->problems, line);
}

int sink_count(struct sink *sink, struct error *err)
{
	if (interrupted())
		return error_interrupted(err);
	if (sink->entries >= sink->limits.entries) {
		error_set(err, ERROR_FAILED, sink->label,
			  "holds more than the %ju entries that gild unpacks",
			  (uintmax_t)sink->limits.entries);
		return error_remedy(err,
				    "if it is sound, unpack it yourself and give the "
				    "folders of its drivers");
	}
	sink->entries++;
	return 0;
}

/* The slot that holds `path`, or the free one where it belongs. */
static struct sink_name *find_slot(struct sink *sink, const char *path, uint64_t hash)
{
	size_t i = (size_t)hash & (sink->names_size - 1);

	while (sink->names[i].path &&
	       (sink->names[i].hash != hash || !text_equal(sink->names[i].path, path)))
		i = (i + 1) & (sink->names_size - 1);
	return &sink->names[i];
}

static void grow_names(struct sink *sink)
{
	struct sink_name *old = sink->names;
	size_t old_size = sink->names_size;

	if (sink->names_len * 2 < old_size)
		return;
	sink->names_size = old_size ? old_size * 2 : 64;
	sink->names = xcalloc(sink->names_size, sizeof(*sink->names));
	for (size_t i = 0; i < old_size; i++)
		if (old[i].path)
			*find_slot(sink, old[i].path, old[i].hash) = old[i];
	free(old);
}

static struct sink_name *lookup(struct sink *sink, const char *path)
{
	uint64_t hash = text_hash(path);
	struct sink_name *slot;

	grow_names(sink);
	slot = find_slot(sink, path, hash);
	slot->hash = hash;
	return slot;
}

static void remember(struct sink *sink, struct sink_name *slot, const char *path,
		     bool folder)
{
	slot->path = xstrdup(path);
	slot->folder = folder;
	sink->names_len++;
}

/* Why the component must not be used; NULL if it may. */
static const char *refuse_component(const char *c, size_t len)
{
	if (len == 2 && c[0] == '.' && c[1] == '.')
		return "its name leads out of the archive";
	if (len > 255)
		return "its name is too long";
	for (size_t i = 0; i < len; i++) {
		if (c[i] == ':')
			return "its name has a drive letter or a stream";
		if ((unsigned char)c[i] < ' ' || c[i] == 0x7F)
			return "its name has control characters";
	}
	return NULL;
}

/*
 * Splits the name into components. Returns why it is refused, or NULL and the components:
 * "." is left out, a name without any is the root itself.
 */
static const char *split_name(const char *name, struct strings *ret)
{
	const char *why;

	if (*name == '/' || *name == '\\')
		return "its name is absolute";
	if (strlen(name) > SINK_MAX_NAME)
		return "its name is too long";
	while (*name) {
		size_t len = strcspn(name, "/\\");
		_cleanup_free_ char *component = xstrndup(name, len);

		why = refuse_component(component, len);
		if (why)
			return why;
		if (ret->len >= SINK_MAX_DEPTH)
			return "its folders are nested too deep";
		if (len && strcmp(component, ".") != 0)
			strings_push(ret, component);
		name += len + (name[len] != '\0');
	}
	return NULL;
}

static const char *make_folder(struct sink *sink, const char *path)
{
	if (mkdirat(sink->root, path, 0700) == 0)
		return NULL;
	return strerror(errno);
}

/*
 * The path of the last of `count` components, its folders made and spelled as they were
 * first seen. NULL and `why` if that is not possible.
 */
static char *place(struct sink *sink, const struct strings *parts, size_t count,
		   const char **why)
{
	_cleanup_free_ char *path = xstrdup("");

	for (size_t i = 0; i < count; i++) {
		_cleanup_free_ char *next =
			xasprintf("%s%s%s", path, *path ? "/" : "", parts->items[i]);
		struct sink_name *slot = lookup(sink, next);

		if (slot->path && !slot->folder) {
			*why = "a file of the archive has the name of its folder";
			return NULL;
		}
		if (!slot->path) {
			*why = make_folder(sink, next);
			if (*why)
				return NULL;
			remember(sink, slot, next, true);
		}
		free(path);
		path = xstrdup(slot->path);
	}
	return steal_ptr(path);
}

int sink_add_folder(struct sink *sink, const char *name, struct error *err)
{
	_cleanup_(strings_free) struct strings parts = VEC_INIT;
	const char *why = split_name(name, &parts);
	_cleanup_free_ char *path = NULL;

	if (interrupted())
		return error_interrupted(err);
	if (!why)
		path = place(sink, &parts, parts.len, &why);
	if (why)
		sink_problem(sink, name, "not unpacked: %s", why);
	return path != NULL;
}

/* The name's place in the table and the path to make; NULL and why if it is refused. */
static struct sink_name *reserve_file(struct sink *sink, const char *name,
				      char **ret_path, const char **why)
{
	_cleanup_(strings_free) struct strings parts = VEC_INIT;
	_cleanup_free_ char *folder = NULL;
	struct sink_name *slot;

	*why = split_name(name, &parts);
	if (!*why && parts.len == 0)
		*why = "it has no name";
	if (*why)
		return NULL;
	folder = place(sink, &parts, parts.len - 1, why);
	if (!folder)
		return NULL;
	*ret_path = xasprintf("%s%s%s", folder, *folder ? "/" : "",
			      parts.items[parts.len - 1]);
	slot = lookup(sink, *ret_path);
	if (!slot->path)
		return slot;
	*why = "the archive has another entry of that name, which is kept";
	return NULL;
}

int sink_add_file(struct sink *sink, const char *name, struct sink_file *ret,
		  struct error *err)
{
	_cleanup_free_ char *path = NULL;
	const char *why = NULL;
	struct sink_name *slot = reserve_file(sink, name, &path, &why);
	int fd;

	if (!slot) {
		sink_problem(sink, name, "not unpacked: %s", why);
		return 0;
	}
	fd = openat(sink->root, path,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 && (errno == ENOSPC || errno == EMFILE || errno == EDQUOT))
		return error_errno(err, sink->label, "cannot unpack %s", name);
	if (fd < 0) {
		sink_problem(sink, name, "not unpacked: %s", strerror(errno));
		return 0;
	}
	remember(sink, slot, path, false);
	*ret = (struct sink_file){.fd = fd, .path = steal_ptr(path)};
	return 1;
}

static int refuse_size(struct sink *sink, struct error *err)
{
	if (sink->limits.by_disk) {
		error_set(err, ERROR_FAILED, sink->label,
			  "unpacks to more than the %ju bytes that are free in the "
			  "temporary folder",
			  (uintmax_t)sink->limits.bytes);
		return error_remedy(err, "set TMPDIR to a folder with more room");
	}
	error_set(err, ERROR_FAILED, sink->label,
		  "unpacks to more than %ju bytes, far more than its size allows for: it "
		  "may be made to fill the disk",
		  (uintmax_t)sink->limits.bytes);
	return error_remedy(err,
			    "if it is sound, unpack it yourself and give the folder");
}

int sink_write(struct sink *sink, struct sink_file *file, const void *data, size_t len,
	       uint64_t offset, struct error *err)
{
	uint64_t end;

	if (interrupted())
		return error_interrupted(err);
	if (add_overflow(offset, (uint64_t)len, &end))
		return refuse_size(sink, err);
	if (end > file->end) { /* holes count: they become bytes in the image */
		uint64_t more = end - file->end;

		if (more > sink->limits.bytes - sink->bytes)
			return refuse_size(sink, err);
		sink->bytes += more;
		file->end = end;
	}
	if (file_write_at(file->fd, data, len, offset, file->path, NULL) < 0)
		return error_errno(err, sink->label, "cannot unpack %s", file->path);
	return 0;
}

/* Opens an entry that was unpacked before; -1 if there is no such file. */
static int open_unpacked(struct sink *sink, const char *name)
{
	_cleanup_(strings_free) struct strings parts = VEC_INIT;
	_cleanup_buffer_ struct buffer path = BUFFER_INIT;
	struct sink_name *slot;

	if (split_name(name, &parts) || parts.len == 0)
		return -1;
	for (size_t i = 0; i < parts.len; i++)
		buffer_printf(&path, "%s%s", i ? "/" : "", parts.items[i]);
	_cleanup_free_ char *text = buffer_steal_string(&path);

	slot = lookup(sink, text);
	if (!slot->path || slot->folder)
		return -1;
	return openat(sink->root, slot->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
}

int sink_copy_file(struct sink *sink, const char *from, const char *name,
		   struct error *err)
{
	_cleanup_close_ int in = open_unpacked(sink, from);
	_cleanup_free_ uint8_t *chunk = NULL;
	struct sink_file out;
	uint64_t at = 0;
	int status;

	if (in < 0) {
		sink_problem(sink, name,
			     "not unpacked: it is a link to %s, which the archive "
			     "does not hold before it",
			     from);
		return 0;
	}
	status = sink_add_file(sink, name, &out, err);
	if (status <= 0)
		return status;
	chunk = xmalloc(COPY_CHUNK);
	for (;;) {
		ssize_t n = read(in, chunk, COPY_CHUNK);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			status = error_errno(err, sink->label, "cannot copy %s", from);
		else if (n > 0)
			status = sink_write(sink, &out, chunk, (size_t)n, at, err);
		if (n <= 0 || status < 0)
			break;
		at += (uint64_t)n;
	}
	sink_end_file(sink, &out, status < 0 ? "it could not be copied" : NULL);
	return status < 0 ? -1 : 1;
}

void sink_end_file(struct sink *sink, struct sink_file *file, const char *why)
{
	closep(&file->fd);
	if (why) {
		(void)unlinkat(sink->root, file->path, 0);
		sink->damaged++;
		sink_problem(sink, file->path, "not unpacked: %s", why);
	} else {
		sink->written++;
	}
	free(file->path);
	file->path = NULL;
}
