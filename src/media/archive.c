/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Archives through libarchive: ZIP, 7z, RAR, tar, and self-extractors of these.
 * CAB is not among them: libarchive 3.6 fails valid LZX cabinets, returns data without an
 * error for invalid ones and reads no spanned sets (see cab.c).
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/progress.h"
#include "media/unpack.h"

#define READ_BLOCK ((size_t)256 << 10)
#define RETRIES 16

/* Where a 7z archive is searched for in a program: none of its modules is larger. */
#define MAX_STUB ((size_t)16 << 20)
/* The signature and start header of a 7z archive (7zFormat.txt): 32 bytes. */
#define START_HEADER 32

struct reader {
	struct archive *a;
	bool opened; /* a format was recognised */
	struct sink *sink;
	const struct unpack *u;
	int fd;
	int64_t base;  /* where the archive starts in the file */
	int64_t total; /* bytes of the file */
	uint8_t *block;
};

static void reader_close(struct reader *r)
{
	if (r->a)
		(void)archive_read_free(r->a);
	r->a = NULL;
	r->opened = false;
}

static la_ssize_t read_block(struct archive *a, void *arg, const void **ret)
{
	struct reader *r = arg;
	ssize_t n;

	do
		n = read(r->fd, r->block, READ_BLOCK);
	while (n < 0 && errno == EINTR && !interrupted());
	if (n < 0)
		archive_set_error(a, errno, "%s", strerror(errno));
	*ret = r->block;
	return n;
}

/* Skips at most to the end; what is not skipped libarchive reads. */
static la_int64_t skip_block(struct archive *a _unused_, void *arg, la_int64_t request)
{
	struct reader *r = arg;
	off_t at = lseek(r->fd, 0, SEEK_CUR);

	if (at < 0 || request <= 0 || request > r->total - at)
		return 0;
	return lseek(r->fd, request, SEEK_CUR) < 0 ? 0 : request;
}

static la_int64_t seek_block(struct archive *a, void *arg, la_int64_t offset, int whence)
{
	struct reader *r = arg;
	off_t at;

	if (whence == SEEK_SET &&
	    (offset < 0 || add_overflow(offset, r->base, &offset))) {
		archive_set_error(a, EINVAL, "seek outside of the archive");
		return ARCHIVE_FATAL;
	}
	at = lseek(r->fd, offset, whence);
	if (at < r->base) {
		archive_set_error(a, EINVAL, "seek outside of the archive");
		return ARCHIVE_FATAL;
	}
	return at - r->base;
}

/* Only what the file claims to be: every format that is not asked is one bug less. */
static void support(struct archive *a, enum media_kind kind)
{
	if (kind == MEDIA_ZIP)
		(void)archive_read_support_format_zip(a);
	if (kind == MEDIA_EXE)
		(void)archive_read_support_format_zip_seekable(a);
	if (kind == MEDIA_7Z || kind == MEDIA_EXE)
		(void)archive_read_support_format_7zip(a);
	if (kind == MEDIA_RAR || kind == MEDIA_EXE) {
		(void)archive_read_support_format_rar(a);
		(void)archive_read_support_format_rar5(a);
	}
	if (kind == MEDIA_TAR) {
		(void)archive_read_support_format_tar(a);
		(void)archive_read_support_filter_gzip(a);
		(void)archive_read_support_filter_bzip2(a);
		(void)archive_read_support_filter_xz(a);
		(void)archive_read_support_filter_lzma(a);
		(void)archive_read_support_filter_zstd(a);
	}
}

static int fail_encrypted(const struct unpack *u, struct error *err)
{
	error_set(err, ERROR_FAILED, u->label, "is encrypted");
	return error_remedy(err, "unpack it with its password and give the folder");
}

static int fail_archive(struct reader *r, struct error *err)
{
	const char *why = archive_error_string(r->a);

	/* libarchive crashes on this question when no format was recognised. */
	if (r->opened && archive_read_has_encrypted_entries(r->a) > 0)
		return fail_encrypted(r->u, err);
	if (archive_errno(r->a) == ENOMEM) {
		error_set(err, ERROR_FAILED, r->u->label,
			  "needs more memory to unpack than the %ju MiB allowed",
			  (uintmax_t)(UNPACK_MEMORY >> 20));
		return error_remedy(err, "unpack it yourself and give the folder");
	}
	error_set(err, ERROR_FAILED, r->u->label, "is damaged: %s",
		  why ? why : "its reader gives no reason");
	return error_remedy(err, "fetch it again");
}

/* 1: opened, 0: no such archive, -1: error. */
static int open_reader(struct reader *r, struct error *err)
{
	reader_close(r);
	if (lseek(r->fd, r->base, SEEK_SET) < 0)
		return error_errno(err, r->u->label, "cannot read");
	r->a = archive_read_new();
	if (!r->a)
		return error_set(err, ERROR_FAILED, r->u->label, "no memory to read it");
	support(r->a, r->u->kind);
	(void)archive_read_set_read_callback(r->a, read_block);
	(void)archive_read_set_skip_callback(r->a, skip_block);
	(void)archive_read_set_seek_callback(r->a, seek_block);
	(void)archive_read_set_callback_data(r->a, r);
	r->opened = archive_read_open1(r->a) == ARCHIVE_OK;
	if (r->opened)
		return 1;
	/* EILSEQ: "unrecognized archive format" (libarchive's private errno for it). */
	if (r->u->kind == MEDIA_EXE && archive_errno(r->a) == EILSEQ)
		return 0;
	return fail_archive(r, err);
}

static uint32_t crc32_of(const uint8_t *p, size_t len)
{
	uint32_t crc = ~0u;

	while (len--) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
	}
	return ~crc;
}

/*
 * libarchive looks for 7z behind a stub only where the usual modules end (0x27000 to
 * 0x60000); vendors use others. The start header's checksum tells the archive from the
 * signature inside the module's code.
 */
static bool find_7z(struct reader *r)
{
	static const uint8_t signature[] = {'7', 'z', 0xBC, 0xAF, 0x27, 0x1C, 0};
	_cleanup_free_ uint8_t *data = xmalloc(MAX_STUB);
	ssize_t n = pread(r->fd, data, MAX_STUB, 0);
	const uint8_t *at = data, *end = n > 0 ? data + n : data;

	while (at && end - at >= START_HEADER) {
		at = memmem(at, (size_t)(end - at), signature, sizeof(signature));
		if (!at || end - at < START_HEADER)
			return false;
		if (crc32_of(at + 12, 20) == get_le32(at + 8)) {
			r->base = at - data;
			return true;
		}
		at++;
	}
	return false;
}

/* 1: an entry, 0: the end, -1: error. */
static int next_entry(struct reader *r, struct archive_entry **entry, struct error *err)
{
	for (int i = 0; i < RETRIES; i++) {
		int status = archive_read_next_header(r->a, entry);

		if (status == ARCHIVE_EOF)
			return 0;
		if (status == ARCHIVE_OK || status == ARCHIVE_WARN)
			return 1;
		if (status == ARCHIVE_RETRY)
			continue;
		if (status != ARCHIVE_FAILED)
			return fail_archive(r, err);
		sink_problem(r->sink, "?", "not unpacked: %s",
			     archive_error_string(r->a));
	}
	return fail_archive(r, err);
}

static char *entry_name(struct archive_entry *entry)
{
	const char *name = archive_entry_pathname(entry);

	if (!name)
		name = archive_entry_pathname_utf8(entry);
	return name ? sink_decode(name, SINK_CP437) : NULL;
}

/* 1 if an entry is worth unpacking the archive for. */
static int is_interesting(struct reader *r, struct error *err)
{
	struct archive_entry *entry;
	uint64_t count = 0;
	int status;

	while ((status = next_entry(r, &entry, err)) > 0) {
		_cleanup_free_ char *name = entry_name(entry);

		if (name && media_is_interesting(name))
			return 1;
		if (interrupted())
			return error_interrupted(err);
		/* What the sink would refuse need not be read to its end here. */
		if (++count > r->sink->limits.entries)
			return 1;
	}
	return status;
}

/* Copies the entry's data. A fault of this entry alone is its problem, not an error. */
static int unpack_data(struct reader *r, struct archive_entry *entry,
		       struct sink_file *file, struct error *err)
{
	for (;;) {
		const void *data;
		size_t len;
		la_int64_t offset;
		int status = archive_read_data_block(r->a, &data, &len, &offset);

		if (status == ARCHIVE_RETRY)
			continue;
		if (status == ARCHIVE_FATAL)
			return fail_archive(r, err);
		if (status == ARCHIVE_EOF)
			break;
		if (status != ARCHIVE_OK) { /* a wrong checksum is a warning only */
			const char *why = archive_error_string(r->a);

			sink_end_file(r->sink, file, why ? why : "its data are damaged");
			return 0;
		}
		if (offset < 0 ||
		    sink_write(r->sink, file, data, len, (uint64_t)offset, err) < 0)
			return err && err->code ? -1 : fail_archive(r, err);
		progress_report("unpacking", (uint64_t)archive_filter_bytes(r->a, -1),
				(uint64_t)r->total);
	}
	/* A sparse file may end in a hole. */
	if (archive_entry_size_is_set(entry) &&
	    (uint64_t)archive_entry_size(entry) > file->end) {
		if (r->u->kind != MEDIA_TAR) {
			sink_end_file(r->sink, file,
				      "it is shorter than the archive says");
			return 0;
		}
		if (sink_write(r->sink, file, "", 1,
			       (uint64_t)archive_entry_size(entry) - 1, err) < 0)
			return -1;
	}
	sink_end_file(r->sink, file, NULL);
	return 0;
}

static int unpack_file(struct reader *r, struct archive_entry *entry, const char *name,
		       struct error *err)
{
	struct sink_file file;
	int status = sink_add_file(r->sink, name, &file, err);

	if (status <= 0)
		return status;
	if (unpack_data(r, entry, &file, err) < 0) {
		if (file.path)
			sink_end_file(r->sink, &file, "the archive ends here");
		return -1;
	}
	return 0;
}

static int unpack_entry(struct reader *r, struct archive_entry *entry, struct error *err)
{
	_cleanup_free_ char *name = entry_name(entry);
	const char *target = archive_entry_hardlink(entry);
	unsigned type = archive_entry_filetype(entry);

	if (sink_count(r->sink, err) < 0)
		return -1;
	if (!name) {
		sink_problem(r->sink, "?", "not unpacked: its name cannot be read");
		return 0;
	}
	if (archive_entry_is_data_encrypted(entry))
		return fail_encrypted(r->u, err);
	/* A hard link of tar. */
	if (target) {
		_cleanup_free_ char *from = sink_decode(target, SINK_CP437);

		return sink_copy_file(r->sink, from, name, err) < 0 ? -1 : 0;
	}
	if (type == AE_IFDIR)
		return sink_add_folder(r->sink, name, err) < 0 ? -1 : 0;
	if (type != AE_IFREG) {
		sink_problem(r->sink, name, "not unpacked: it is a %s",
			     type == AE_IFLNK ? "symbolic link" : "device or pipe");
		return 0;
	}
	return unpack_file(r, entry, name, err);
}

static int unpack_entries(struct reader *r, struct error *err)
{
	struct archive_entry *entry;
	int status;

	while ((status = next_entry(r, &entry, err)) > 0)
		if (unpack_entry(r, entry, err) < 0)
			return -1;
	return status;
}

static int unpack_with(struct reader *r, bool *ignored, struct error *err)
{
	int status = open_reader(r, err);

	if (status == 0 && find_7z(r))
		status = open_reader(r, err);
	if (status <= 0)
		return status;
	if (r->u->selective) {
		status = is_interesting(r, err);
		if (status < 0)
			return -1;
		*ignored = status == 0;
		if (*ignored)
			return 1;
		if (open_reader(r, err) < 0)
			return -1;
	}
	return unpack_entries(r, err) < 0 ? -1 : 1;
}

static int unpack_file_at(struct reader *r, bool *ignored, struct error *err)
{
	_cleanup_close_ int fd = open(r->u->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	_cleanup_free_ uint8_t *block = xmalloc(READ_BLOCK);
	struct stat st;
	int status;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, r->u->label, "cannot open");
	r->fd = fd;
	r->total = st.st_size;
	r->block = block;
	status = unpack_with(r, ignored, err);
	reader_close(r);
	return status;
}

int archive_unpack(struct sink *sink, const struct unpack *u, bool *ignored,
		   struct error *err)
{
	struct reader r = {.sink = sink, .u = u};
	_cleanup_error_ struct error mine = ERROR_INIT;
	/* libarchive converts names to the locale's charset; gild's is always UTF-8. */
	locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	locale_t old = utf8 ? uselocale(utf8) : (locale_t)0;
	int status;

	*ignored = false;
	status = unpack_file_at(&r, ignored, &mine);
	if (utf8) {
		(void)uselocale(old);
		freelocale(utf8);
	}
	return status < 0 ? error_move(err, &mine) : status;
}
