/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Cabinets (MS-CAB) through libmspack: spanned sets, MSZIP, LZX, Quantum, cabinets inside
 * programs; and the one-file formats of old media (SZDD, KWAJ).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <mspack.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/progress.h"
#include "base/text.h"
#include "media/find.h"
#include "media/unpack.h"

/* Parts of a spanned set; distribution sets of the floppy age had some 30. */
#define MAX_PARTS 256
/* Cabinets found in one program. */
#define MAX_EMBEDDED 64

/* libmspack's input and output, as it wants them: its system, and its open files. */
struct io {
	struct mspack_system sys;
	struct sink *sink;
	struct sink_file *out; /* what the next write goes to */
	uint64_t total;	       /* bytes of the archive, for the progress */
	struct error *err;
	bool failed; /* err is set: not the input's fault */
};
struct io_file {
	int fd; /* of the input; -1: the output */
	struct io *io;
	uint64_t at;
};

static struct mspack_file *io_open(struct mspack_system *self, const char *name, int mode)
{
	struct io *io = (struct io *)self;
	struct io_file *f = xcalloc(1, sizeof(*f));

	f->io = io;
	f->fd = -1;
	if (mode == MSPACK_SYS_OPEN_READ)
		f->fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if ((mode == MSPACK_SYS_OPEN_READ) == (f->fd >= 0) &&
	    (mode == MSPACK_SYS_OPEN_READ || mode == MSPACK_SYS_OPEN_WRITE))
		return (struct mspack_file *)f;
	free(f);
	return NULL;
}

static void io_close(struct mspack_file *file)
{
	struct io_file *f = (struct io_file *)file;

	if (f)
		closep(&f->fd);
	free(f);
}

static int io_read(struct mspack_file *file, void *buffer, int bytes)
{
	struct io_file *f = (struct io_file *)file;
	size_t done = 0;

	/* After a failed seek libmspack 0.11 goes on with no file at all. */
	if (!f || bytes < 0 || f->fd < 0 || interrupted())
		return -1;
	while (done < (size_t)bytes) { /* libmspack takes a short read for the end */
		ssize_t n = read(f->fd, (uint8_t *)buffer + done, (size_t)bytes - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (int)done;
}

static int io_write(struct mspack_file *file, void *buffer, int bytes)
{
	struct io_file *f = (struct io_file *)file;
	struct io *io = f ? f->io : NULL;

	if (!f || bytes < 0 || f->fd >= 0 || !io->out)
		return -1;
	if (sink_write(io->sink, io->out, buffer, (size_t)bytes, f->at, io->err) < 0) {
		io->failed = true;
		return -1;
	}
	f->at += (uint64_t)bytes;
	return bytes;
}

static int io_seek(struct mspack_file *file, off_t offset, int mode)
{
	struct io_file *f = (struct io_file *)file;
	static const int whence[] = {[MSPACK_SYS_SEEK_START] = SEEK_SET,
				     [MSPACK_SYS_SEEK_CUR] = SEEK_CUR,
				     [MSPACK_SYS_SEEK_END] = SEEK_END};

	if (!f || f->fd < 0 || mode < 0 || (size_t)mode >= ARRAY_SIZE(whence))
		return -1;
	return lseek(f->fd, offset, whence[mode]) < 0 ? -1 : 0;
}

static off_t io_tell(struct mspack_file *file)
{
	struct io_file *f = (struct io_file *)file;

	if (!f)
		return -1;
	return f->fd < 0 ? (off_t)f->at : lseek(f->fd, 0, SEEK_CUR);
}

static void io_message(struct mspack_file *file _unused_, const char *fmt _unused_, ...)
{
}

/* Zeroed: libmspack 0.11 frees an unset name of a KWAJ header that is cut off. */
static void *io_alloc(struct mspack_system *self _unused_, size_t bytes)
{
	return calloc(1, bytes);
}

static void io_copy(void *src, void *dest, size_t bytes)
{
	memcpy(dest, src, bytes);
}

static void io_init(struct io *io, struct sink *sink, struct error *err)
{
	*io = (struct io){
		.sys = {.open = io_open,
			.close = io_close,
			.read = io_read,
			.write = io_write,
			.seek = io_seek,
			.tell = io_tell,
			.message = io_message,
			.alloc = io_alloc,
			.free = free,
			.copy = io_copy},
		.sink = sink,
		.err = err,
	};
}

static const char *reason(int code)
{
	switch (code) {
	case MSPACK_ERR_OPEN:
		return "a part of it cannot be opened";
	case MSPACK_ERR_READ:
		return "it is cut off";
	case MSPACK_ERR_NOMEMORY:
		return "it needs more memory than is allowed";
	case MSPACK_ERR_SIGNATURE:
		return "it lacks its signature";
	case MSPACK_ERR_CHECKSUM:
		return "a checksum is wrong";
	case MSPACK_ERR_DATAFORMAT:
		return "its structure is invalid";
	case MSPACK_ERR_DECRUNCH:
		return "its compressed data are invalid, or in a part that is missing";
	default:
		return "it cannot be read";
	}
}

static int fail_cab(const char *label, int code, struct error *err)
{
	error_set(err, ERROR_FAILED, label, "is damaged: %s", reason(code));
	return error_remedy(err, "fetch it again");
}

struct set {
	struct io io;
	struct mscab_decompressor *d;
	struct mscabd_cabinet *cabs[MAX_PARTS]; /* opened on their own, joined later */
	char *paths[MAX_PARTS];			/* libmspack keeps the pointers */
	size_t len;
	struct mscabd_cabinet *found; /* list of cabinets found in a program */
	const struct strings *only;   /* names of the files that are wanted; NULL: all */
};

static void set_close(struct set *s)
{
	/* Closing one cabinet of a joined set closes them all. */
	if (s->found)
		s->d->close(s->d, s->found);
	else if (s->len)
		s->d->close(s->d, s->cabs[0]);
	if (s->d)
		mspack_destroy_cab_decompressor(s->d);
	for (size_t i = 0; i < s->len; i++)
		free(s->paths[i]);
}

/* Joins the part `name` to the set (`joint` is append or prepend). 0: not possible. */
static int join_part(struct set *s, struct mscabd_cabinet *to, const char *name,
		     const struct unpack *u, bool after, struct mscabd_cabinet **ret)
{
	_cleanup_free_ char *copy = xstrdup(u->path);
	_cleanup_free_ char *path =
		media_find_plain(dirname(copy), path_base(name), NULL);
	struct mscabd_cabinet *cab;
	int code;

	if (!path) {
		sink_problem(s->io.sink, name,
			     "this part of the cabinet set is not in its folder");
		return 0;
	}
	for (size_t i = 0; i < s->len; i++)
		if (strcmp(s->paths[i], path) == 0)
			return 0; /* a ring */
	if (s->len >= MAX_PARTS)
		return 0;
	s->paths[s->len] = steal_ptr(path);
	cab = s->d->open(s->d, s->paths[s->len]);
	code = cab ? MSPACK_ERR_OK : s->d->last_error(s->d);
	if (cab) {
		code = after ? s->d->append(s->d, to, cab) : s->d->prepend(s->d, to, cab);
		if (code != MSPACK_ERR_OK)
			s->d->close(s->d, cab);
	}
	if (code != MSPACK_ERR_OK) {
		sink_problem(s->io.sink, name, "this part of the cabinet set: %s",
			     reason(code));
		free(s->paths[s->len]);
		return 0;
	}
	*ret = s->cabs[s->len++] = cab;
	return 1;
}

static bool has_previous(const struct mscabd_cabinet *cab)
{
	return (cab->flags & MSCAB_HDR_PREVCAB) && cab->prevname;
}

/* Finds the other parts of a spanned set in the cabinet's folder. */
static void join_set(struct set *s, const struct unpack *u)
{
	struct mscabd_cabinet *first = s->cabs[0], *last = s->cabs[0];

	while (has_previous(first) &&
	       join_part(s, first, first->prevname, u, false, &first))
		;
	while ((last->flags & MSCAB_HDR_NEXTCAB) && last->nextname &&
	       join_part(s, last, last->nextname, u, true, &last))
		;
}

static char *cab_name(const struct mscabd_file *f)
{
	return sink_decode(f->filename, SINK_CP1252);
}

static bool cab_is_interesting(const struct mscabd_cabinet *cab)
{
	for (const struct mscabd_file *f = cab->files; f; f = f->next)
		if (media_is_interesting(f->filename))
			return true;
	return false;
}

static int unpack_file(struct set *s, struct mscabd_file *f, const char *folder,
		       struct error *err)
{
	_cleanup_free_ char *name = cab_name(f);
	_cleanup_free_ char *full = xasprintf("%s%s", folder, name);
	struct sink_file out;
	int status, code;

	if (sink_count(s->io.sink, err) < 0)
		return -1;
	/* A leading separator would vanish behind the prefix: judge the name alone. */
	status = sink_add_file(s->io.sink, *name == '\\' || *name == '/' ? name : full,
			       &out, err);
	if (status <= 0)
		return status;
	s->io.out = &out;
	code = s->d->extract(s->d, f, name);
	s->io.out = NULL;
	if (code == MSPACK_ERR_OK && out.end != f->length)
		code = MSPACK_ERR_READ;
	if (interrupted() && !s->io.failed) {
		s->io.failed = true;
		error_interrupted(err);
	}
	sink_end_file(s->io.sink, &out, code == MSPACK_ERR_OK ? NULL : reason(code));
	return s->io.failed ? -1 : 0;
}

/* Setup's cabinets hold thousands of files, of which one or two are wanted. */
static bool wanted(const struct set *s, const struct mscabd_file *f)
{
	_cleanup_free_ char *name = s->only ? cab_name(f) : NULL;

	return !name || strings_contain(s->only, path_base(name));
}

static int unpack_files(struct set *s, const struct mscabd_cabinet *cab,
			const char *folder, struct error *err)
{
	uint64_t total = 0, done = 0;

	for (struct mscabd_file *f = cab->files; f; f = f->next)
		total++;
	for (struct mscabd_file *f = cab->files; f; f = f->next) {
		progress_report("unpacking", done++, total);
		if (wanted(s, f) && unpack_file(s, f, folder, err) < 0)
			return -1;
	}
	return 0;
}

static int unpack_embedded(struct set *s, const struct unpack *u, bool *ignored,
			   struct error *err)
{
	size_t n = 0;

	s->found = s->d->search(s->d, u->path);
	if (!s->found)
		return interrupted() ? error_interrupted(err) : 0;
	for (struct mscabd_cabinet *cab = s->found; cab && n < MAX_EMBEDDED;
	     cab = cab->next) {
		char folder[24] = "";

		if (u->selective && !cab_is_interesting(cab))
			continue;
		if (n++)
			snprintf(folder, sizeof(folder), "%zu/", n);
		if (unpack_files(s, cab, folder, err) < 0)
			return -1;
	}
	*ignored = n == 0;
	return 1;
}

static int unpack_set(struct set *s, const struct unpack *u, bool *ignored,
		      struct error *err)
{
	struct mscabd_cabinet *cab;

	s->paths[0] = xstrdup(u->path);
	cab = s->d->open(s->d, s->paths[0]);
	if (!cab) {
		free(s->paths[0]);
		return fail_cab(u->label, s->d->last_error(s->d), err);
	}
	s->cabs[s->len++] = cab;
	if (u->selective && has_previous(cab)) {
		_cleanup_free_ char *copy = xstrdup(u->path);
		_cleanup_free_ char *previous =
			media_find_plain(dirname(copy), path_base(cab->prevname), NULL);

		*ignored = previous != NULL; /* read with the set's first part */
		if (*ignored)
			return 1;
	}
	join_set(s, u);
	if (u->selective && !cab_is_interesting(s->cabs[0])) {
		*ignored = true;
		return 1;
	}
	if (unpack_files(s, s->cabs[0], "", err) < 0)
		return -1;
	return 1;
}

int cab_unpack(struct sink *sink, const struct unpack *u, bool *ignored,
	       struct error *err)
{
	_cleanup_error_ struct error mine = ERROR_INIT;
	struct set s = {.only = u->only};
	int status;

	*ignored = false;
	io_init(&s.io, sink, &mine);
	s.d = mspack_create_cab_decompressor(&s.io.sys);
	if (!s.d)
		return error_set(err, ERROR_FAILED, u->label, "no memory to read it");
	status = u->kind == MEDIA_EXE ? unpack_embedded(&s, u, ignored, &mine)
				      : unpack_set(&s, u, ignored, &mine);
	set_close(&s);
	return status < 0 ? error_move(err, &mine) : status;
}

static int expand_szdd(struct io *io, const char *path)
{
	struct msszdd_decompressor *d = mspack_create_szdd_decompressor(&io->sys);
	int code;

	if (!d)
		return MSPACK_ERR_NOMEMORY;
	code = d->decompress(d, path, "out");
	mspack_destroy_szdd_decompressor(d);
	return code;
}

static int expand_kwaj(struct io *io, const char *path)
{
	struct mskwaj_decompressor *d = mspack_create_kwaj_decompressor(&io->sys);
	int code;

	if (!d)
		return MSPACK_ERR_NOMEMORY;
	code = d->decompress(d, path, "out");
	mspack_destroy_kwaj_decompressor(d);
	return code;
}

int packed_unpack(struct sink *sink, const struct unpack *u, struct error *err)
{
	_cleanup_error_ struct error mine = ERROR_INIT;
	struct sink_file out;
	struct io io;
	int status, code;

	if (sink_count(sink, err) < 0)
		return -1;
	status = sink_add_file(sink, u->packed_name, &out, err);
	if (status < 0)
		return -1;
	if (status == 0)
		return error_set(err, ERROR_FAILED, u->label, "%s",
				 sink->problems.items[0]);
	io_init(&io, sink, &mine);
	io.out = &out;
	code = expand_szdd(&io, u->path);
	if (code == MSPACK_ERR_SIGNATURE)
		code = expand_kwaj(&io, u->path);
	sink_end_file(sink, &out, code == MSPACK_ERR_OK ? NULL : reason(code));
	if (io.failed)
		return error_move(err, &mine);
	return code == MSPACK_ERR_OK ? 1 : fail_cab(u->label, code, err);
}
