/* SPDX-License-Identifier: GPL-3.0-or-later */
/* qcow2 is described in QEMU's docs/interop/qcow2.txt; its integers are big-endian. */
#include "init/overlay.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"

#define CLUSTER_BITS 16
#define CLUSTER ((uint64_t)1 << CLUSTER_BITS)
#define HEADER_SIZE 104 /* version 3 without optional fields after it */
#define HEADER_LEAST 72 /* version 2 */
#define L2_ENTRIES (CLUSTER / 8)
#define REFCOUNT_ORDER 4	/* 16 bits */
#define REFCOUNTS (CLUSTER / 2) /* of one block */

/* Fields (byte offsets) of the header. */
enum {
	H_VERSION = 4,
	H_BACKING = 8,
	H_CLUSTER_BITS = 20,
	H_SIZE = 24,
	H_CRYPT = 32,
	H_L1_SIZE = 36,
	H_L1_AT = 40,
	H_REFCOUNT_AT = 48,
	H_REFCOUNT_CLUSTERS = 56,
	H_INCOMPATIBLE = 72,
	H_REFCOUNT_ORDER = 96,
	H_LENGTH = 100,
};
#define INCOMPATIBLE_CORRUPT 2u	  /* only to be read, for rescue */
#define INCOMPATIBLE_DATA_FILE 4u /* the data lies in another file */
/* Ours: the golden image's identity, 64 hexadecimal digits. */
#define EXTENSION_IDENTITY 0x67696C64u
#define IDENTITY_SIZE 64
#define MAX_EXTENSIONS 64

#define LOOKED_AT ((size_t)1 << 20)

static void put_be32(uint8_t *at, uint32_t v)
{
	v = htobe32(v);
	memcpy(at, &v, sizeof(v));
}

static void put_be64(uint8_t *at, uint64_t v)
{
	v = htobe64(v);
	memcpy(at, &v, sizeof(v));
}

static bool be32(struct bytes b, uint64_t at, uint32_t *ret)
{
	bool there = bytes_le32(b, at, ret);

	*ret = there ? be32toh(htole32(*ret)) : 0;
	return there;
}

static uint64_t be64(struct bytes b, uint64_t at)
{
	uint64_t v = 0;

	return bytes_le64(b, at, &v) ? be64toh(htole64(v)) : 0;
}

/* ---- reading ---- */

static void read_identity(struct bytes start, struct qcow2_header *ret)
{
	uint32_t at = 0, kind, len;

	if (!be32(start, H_LENGTH, &at))
		return;
	for (unsigned n = 0; n < MAX_EXTENSIONS; n++) {
		if (!be32(start, at, &kind) || !be32(start, (uint64_t)at + 4, &len) ||
		    !kind || !bytes_has(start, (uint64_t)at + 8, len))
			return;
		if (kind == EXTENSION_IDENTITY && len == IDENTITY_SIZE) {
			memcpy(ret->identity, start.data + at + 8, IDENTITY_SIZE);
			ret->identity[IDENTITY_SIZE] = 0;
			return;
		}
		at += 8 + (len + 7) / 8 * 8;
	}
}

int qcow2_read(struct bytes start, const char *name, struct qcow2_header *ret,
	       struct error *err)
{
	uint32_t version, l1_entries = 0;
	uint64_t incompatible;

	*ret = (struct qcow2_header){0};
	if (!bytes_has(start, 0, HEADER_LEAST) || memcmp(start.data, "QFI\xFB", 4) != 0)
		return error_set(err, ERROR_FAILED, name, "is no qcow2 image");
	(void)be32(start, H_VERSION, &version);
	ret->size = be64(start, H_SIZE);
	ret->backing = be64(start, H_BACKING) != 0;
	(void)be32(start, H_L1_SIZE, &l1_entries);
	ret->l1_at = be64(start, H_L1_AT);
	ret->l1_size = (uint64_t)l1_entries * 8;
	incompatible = version >= 3 ? be64(start, H_INCOMPATIBLE) : 0;
	if (version < 2 || version > 3 || !ret->size || ret->size > QCOW2_MAX_DISK)
		return error_set(err, ERROR_FAILED, name,
				 "is a qcow2 image of version %u for %llu bytes", version,
				 (unsigned long long)ret->size);
	ret->corrupt = incompatible & INCOMPATIBLE_CORRUPT;
	if (ret->l1_size > QCOW2_MAX_L1)
		return error_set(err, ERROR_FAILED, name,
				 "has a first table of %llu bytes",
				 (unsigned long long)ret->l1_size);
	if (incompatible & INCOMPATIBLE_DATA_FILE)
		return error_set(err, ERROR_FAILED, name, "has its data in another file");
	if (version == 3)
		read_identity(start, ret);
	return 0;
}

/* ---- writing ---- */

static uint64_t clusters(uint64_t bytes)
{
	return (bytes + CLUSTER - 1) / CLUSTER;
}

/*
 * Header, refcount table and one refcount block in a cluster each, then the L1 table: 2
 * TiB for each of its clusters, far below what one refcount block counts.
 */
void qcow2_write(uint64_t size, const char *identity, struct buffer *ret)
{
	uint64_t l2_covers = L2_ENTRIES * CLUSTER;
	uint64_t l1_entries = (size + l2_covers - 1) / l2_covers;
	uint64_t used = 3 + clusters(l1_entries * 8), len = used * CLUSTER;
	uint8_t *p = buffer_reserve(ret, (size_t)len);

	memset(p, 0, (size_t)len);
	ret->len += (size_t)len;
	memcpy(p, "QFI\xFB", 4);
	put_be32(p + H_VERSION, 3);
	put_be32(p + H_CLUSTER_BITS, CLUSTER_BITS);
	put_be64(p + H_SIZE, size);
	put_be32(p + H_L1_SIZE, (uint32_t)l1_entries);
	put_be64(p + H_L1_AT, 3 * CLUSTER);
	put_be64(p + H_REFCOUNT_AT, CLUSTER);
	put_be32(p + H_REFCOUNT_CLUSTERS, 1);
	put_be32(p + H_REFCOUNT_ORDER, REFCOUNT_ORDER);
	put_be32(p + H_LENGTH, HEADER_SIZE);
	put_be32(p + HEADER_SIZE, EXTENSION_IDENTITY);
	put_be32(p + HEADER_SIZE + 4, IDENTITY_SIZE);
	memcpy(p + HEADER_SIZE + 8, identity, IDENTITY_SIZE);
	put_be64(p + CLUSTER, 2 * CLUSTER);
	for (uint64_t i = 0; i < used && i < REFCOUNTS; i++)
		p[2 * CLUSTER + 2 * i + 1] = 1;
}

/* ---- the golden image ---- */

void overlay_golden_free(struct overlay_golden *golden)
{
	free(golden->path);
	*golden = (struct overlay_golden){0};
}

/* A file's or block device's size. */
static int size_of(int fd, const char *path, struct stat *st, uint64_t *ret,
		   struct error *err)
{
	if (fstat(fd, st) < 0)
		return error_errno(err, path, "cannot stat");
	*ret = (uint64_t)st->st_size;
	if (S_ISBLK(st->st_mode) && ioctl(fd, BLKGETSIZE64, ret) < 0)
		return error_errno(err, path, "cannot ask its size");
	if (!S_ISREG(st->st_mode) && !S_ISBLK(st->st_mode))
		return error_set(err, ERROR_FAILED, path, "is neither a file nor a disk");
	return 0;
}

/* Up to a MiB at the offset. */
static int read_part(int fd, const char *path, uint64_t at, struct buffer *ret,
		     struct error *err)
{
	size_t got = 0;

	(void)buffer_reserve(ret, LOOKED_AT);
	while (got < LOOKED_AT) {
		ssize_t n =
			pread(fd, ret->data + got, LOOKED_AT - got, (off_t)(at + got));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, path, "cannot read");
		if (n == 0)
			break;
		got += (size_t)n;
	}
	ret->len = got;
	return 0;
}

/*
 * A seal stands for every byte. Without one, size, ends and time have to do; a device
 * node's time is that of the PC's start.
 */
static void identify(const struct buffer *first, const struct buffer *last,
		     const struct stat *st, uint64_t file_size, const char *seal,
		     struct overlay_golden *g)
{
	struct hash_stream *stream = hash_sha256_begin();
	uint64_t changed =
		S_ISREG(st->st_mode) && !seal ? (uint64_t)st->st_mtim.tv_sec : 0;
	uint8_t digest[32], numbers[32];

	put_le64(numbers, file_size);
	put_le64(numbers + 8, g->size);
	put_le64(numbers + 16, changed);
	put_le64(numbers + 24, (uint64_t)g->format);
	hash_stream_add(stream, numbers, sizeof(numbers));
	hash_stream_add(stream, first->data, first->len);
	hash_stream_add(stream, last->data, last->len);
	if (seal)
		hash_stream_add(stream, seal, strlen(seal));
	hash_sha256_end(stream, digest);
	hash_hex(digest, sizeof(digest), g->identity);
}

static int refuse_backing(const char *path, struct error *err)
{
	error_set(err, ERROR_FAILED, path,
		  "is an overlay itself: it needs a file below it");
	return error_remedy(err, "make it whole with qemu-img convert");
}

static int damaged(const char *name, const char *what, struct error *err)
{
	error_errno(err, name, "is damaged: %s cannot be read", what);
	if (err)
		err->code = ERROR_STATE;
	return error_remedy(err, "write the medium anew, and replace it if that does not "
				 "last");
}

/* The first table, of which all others hang. */
static int read_table(int fd, const struct qcow2_header *h, uint64_t file_size,
		      const char *name, struct error *err)
{
	_cleanup_free_ uint8_t *table = NULL;
	uint64_t end;

	if (add_overflow(h->l1_at, h->l1_size, &end) || end > file_size) {
		error_set(err, ERROR_STATE, name,
			  "is damaged: its first table lies beyond its end");
		return error_remedy(err, "write the medium anew");
	}
	table = xmalloc(h->l1_size + 1);
	errno = EIO;
	return pread(fd, table, h->l1_size, (off_t)h->l1_at) == (ssize_t)h->l1_size
		       ? 0
		       : damaged(name, "its first table", err);
}

static int read_qcow2(int fd, const struct buffer *first, uint64_t file_size,
		      const char *name, struct overlay_golden *g, struct error *err)
{
	struct qcow2_header header;

	if (qcow2_read(buffer_view(first), name, &header, err) < 0)
		return -1;
	if (header.backing)
		return refuse_backing(name, err);
	g->format = OVERLAY_QCOW2;
	g->size = header.size;
	return read_table(fd, &header, file_size, name, err);
}

/* What the image is by its first bytes, unless somebody says what it must be. */
static int recognise(const struct buffer *first, const char *format, const char *name,
		     bool *qcow2, struct error *err)
{
	bool magic = first->len >= 4 && memcmp(first->data, "QFI\xFB", 4) == 0;

	*qcow2 = format ? strcmp(format, "qcow2") == 0 : magic;
	if (format && !*qcow2 && strcmp(format, "raw") != 0) {
		error_set(err, ERROR_FAILED, "format", "\"%s\" is neither raw nor qcow2",
			  format);
		return error_remedy(err, "docs/hypervisor.md has the keys");
	}
	if (!*qcow2 || magic)
		return 0;
	error_set(err, ERROR_STATE, name, "is no qcow2 image");
	return error_remedy(err, "write the medium anew, or give format=raw");
}

int overlay_open_golden_as(const char *path, const struct overlay_hints *hints,
			   struct overlay_golden *ret, struct error *err)
{
	const char *name = hints->label ? hints->label : path;
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_buffer_ struct buffer first = BUFFER_INIT, last = BUFFER_INIT;
	struct overlay_golden g = {0};
	uint64_t file_size;
	struct stat st;
	bool qcow2;

	if (fd < 0)
		return error_errno(err, name, "cannot open");
	if (size_of(fd, name, &st, &file_size, err) < 0)
		return -1;
	if (read_part(fd, name, 0, &first, NULL) < 0)
		return damaged(name, "its start", err);
	if (read_part(fd, name, file_size > LOOKED_AT ? file_size - LOOKED_AT : 0, &last,
		      NULL) < 0)
		return damaged(name, "its end", err);
	if (recognise(&first, hints->format, name, &qcow2, err) < 0)
		return -1;
	/* QEMU rounds a file that ends within a sector up. */
	g.size = (file_size + 511) / 512 * 512;
	if (qcow2 && read_qcow2(fd, &first, file_size, name, &g, err) < 0)
		return -1;
	if (!g.size)
		return error_set(err, ERROR_FAILED, name, "is empty");
	identify(&first, &last, &st, file_size, hints->seal, &g);
	g.path = xstrdup(path);
	*ret = g;
	return 0;
}

int overlay_open_golden(const char *path, struct overlay_golden *ret, struct error *err)
{
	static const struct overlay_hints nothing;

	return overlay_open_golden_as(path, &nothing, ret, err);
}

/* ---- the overlay ---- */

static int other_golden(const char *path, const struct overlay_golden *golden,
			struct error *err)
{
	error_set(err, ERROR_STATE, path, "belongs to another golden image than %s",
		  golden->path);
	return error_remedy(err, "start with persist=off to leave it alone, or with "
				 "persist=reset to begin anew: it is kept aside then");
}

static int bad_overlay(const char *path, struct error *err)
{
	error_set(err, ERROR_STATE, path,
		  "is damaged: what the guest wrote cannot be "
		  "trusted");
	return error_remedy(err, "start with persist=reset to begin anew: it is kept "
				 "aside, for qemu-img check -r on another PC");
}

/* 1: it is there and fits; 0: it is not there. */
static int check_overlay(const char *path, const struct overlay_golden *golden,
			 struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	_cleanup_buffer_ struct buffer start = BUFFER_INIT;
	struct qcow2_header header;
	uint64_t size, end;
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? 0 : error_errno(err, path, "cannot open");
	if (size_of(fd, path, &st, &size, err) < 0 ||
	    read_part(fd, path, 0, &start, err) < 0)
		return -1;
	if (qcow2_read(buffer_view(&start), path, &header, NULL) < 0 || header.corrupt ||
	    add_overflow(header.l1_at, header.l1_size, &end) || end > size)
		return bad_overlay(path, err);
	if (header.backing || header.size != golden->size ||
	    strcmp(header.identity, golden->identity) != 0)
		return other_golden(path, golden, err);
	return 1;
}

int overlay_prepare(const char *path, const struct overlay_golden *golden, bool persist,
		    struct error *err)
{
	_cleanup_buffer_ struct buffer empty = BUFFER_INIT;

	if (golden->size > QCOW2_MAX_DISK)
		return error_set(err, ERROR_FAILED, golden->path,
				 "is too large for a disk");
	if (persist) {
		int there = check_overlay(path, golden, err);

		if (there != 0)
			return there < 0 ? -1 : 0;
	}
	qcow2_write(golden->size, golden->identity, &empty);
	return file_replace(path, buffer_view(&empty), err);
}
