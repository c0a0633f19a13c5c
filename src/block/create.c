/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "block/create.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "block/create_private.h"

#define MIB ((uint64_t)1 << 20)
#define MAX_SIZE ((uint64_t)64 << 40) /* what the largest format can hold */
#define RAW_GRAIN ((uint32_t)64 << 10)

static bool is_zeros(const uint8_t *data, size_t len)
{
	return !data[0] && memcmp(data, data + 1, len - 1) == 0;
}

/* ---- the file ---- */

int creation_write(struct creation *c, const void *data, size_t len, uint64_t at,
		   struct error *err)
{
	if (file_write_at(c->fd, data, len, c->offset + at, c->block.name, NULL) < 0)
		return error_errno(err, c->block.name, "cannot write at %ju",
				   (uintmax_t)at);
	return 0;
}

/* What lies behind the end was not written yet. */
static int read_file(struct creation *c, uint8_t *to, size_t len, uint64_t at,
		     struct error *err)
{
	while (len) {
		ssize_t n = pread(c->fd, to, len, (off_t)(c->offset + at));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, c->block.name, "cannot read at %ju",
					   (uintmax_t)at);
		if (n == 0) {
			memset(to, 0, len);
			return 0;
		}
		to += n;
		len -= (size_t)n;
		at += (uint64_t)n;
	}
	return 0;
}

/* ---- places ---- */

static uint64_t place_of(const struct creation *c, uint64_t grain, uint32_t number)
{
	return c->packed ? c->first + (uint64_t)(number - 1) * c->grain
			 : grain * c->grain;
}

bool creation_place(const struct creation *c, uint64_t grain, uint64_t *place)
{
	const uint32_t *table = c->tables[grain / CREATION_TABLE];
	uint32_t number = table ? table[grain % CREATION_TABLE] : 0;

	if (number)
		*place = place_of(c, grain, number);
	return number != 0;
}

/* MAX_SIZE keeps the number within its bits. */
static uint64_t new_place(struct creation *c, uint64_t grain)
{
	uint32_t **table = &c->tables[grain / CREATION_TABLE];

	if (!*table)
		*table = xcalloc(CREATION_TABLE, sizeof(**table));
	(*table)[grain % CREATION_TABLE] = ++c->placed;
	return place_of(c, grain, c->placed);
}

struct guid creation_id(const struct creation *c, const char *what)
{
	_cleanup_buffer_ struct buffer seed = BUFFER_INIT;

	buffer_append_string(&seed, what);
	buffer_append(&seed, c->seed.data, c->seed.len);
	return guid_from(buffer_view(&seed));
}

/* ---- the virtual disk ---- */

static int creation_pread(struct block *block, void *buf, size_t len, uint64_t offset,
			  struct error *err)
{
	struct creation *c = (struct creation *)block;
	uint8_t *to = buf;

	while (len) {
		size_t in = (size_t)(offset % c->grain);
		size_t n = c->grain - in < len ? c->grain - in : len;
		uint64_t place;

		if (!creation_place(c, offset / c->grain, &place))
			memset(to, 0, n);
		else if (read_file(c, to, n, place + in, err) < 0)
			return -1;
		to += n;
		len -= n;
		offset += n;
	}
	return 0;
}

/* Pieces that follow each other in the file go in one write. */
static int creation_pwrite(struct block *block, const void *buf, size_t len,
			   uint64_t offset, struct error *err)
{
	struct creation *c = (struct creation *)block;
	const uint8_t *from = buf, *run = NULL;
	uint64_t run_at = 0, place;
	size_t run_len = 0;

	while (len) {
		size_t in = (size_t)(offset % c->grain);
		size_t n = c->grain - in < len ? c->grain - in : len;
		uint64_t grain = offset / c->grain;
		bool placed = creation_place(c, grain, &place);

		if (placed || !is_zeros(from, n)) {
			if (!placed)
				place = new_place(c, grain);
			if (run_len &&
			    (run_at + run_len != place + in || run + run_len != from)) {
				if (creation_write(c, run, run_len, run_at, err) < 0)
					return -1;
				run_len = 0;
			}
			if (!run_len) {
				run = from;
				run_at = place + in;
			}
			run_len += n;
		}
		from += n;
		len -= n;
		offset += n;
	}
	return creation_write(c, run, run_len, run_at, err);
}

/* Before container_finish() there is nothing that could be whole on the medium. */
static int creation_flush(struct block *block _unused_, struct error *err _unused_)
{
	return 0;
}

static void creation_close(struct block *block)
{
	struct creation *c = (struct creation *)block;

	closep(&c->fd);
	buffer_free(&c->seed);
	for (size_t i = 0; i < c->table_count; i++)
		free(c->tables[i]);
	free(c->tables);
}

static const struct block_ops creation_ops = {
	.pread = creation_pread,
	.pwrite = creation_pwrite,
	.flush = creation_flush,
	.close = creation_close,
};

/* ---- raw ---- */

static void raw_begin(struct creation *c)
{
	c->grain = RAW_GRAIN;
}

static int raw_finish(struct creation *c, uint64_t *end, struct error *err _unused_)
{
	*end = c->block.size;
	return 0;
}

static const struct creation_format creation_raw = {NULL, raw_begin, raw_finish};

/* ---- all ---- */

static const struct creation_format *find_format(enum container_format format)
{
	switch (format) {
	case CONTAINER_RAW:
		return &creation_raw;
	case CONTAINER_VHD:
		return &creation_vhd;
	case CONTAINER_VHDX:
		return &creation_vhdx;
	case CONTAINER_QCOW2:
		return &creation_qcow2;
	default:
		return NULL;
	}
}

static int check(const char *path, const struct container_create *options,
		 const struct creation_format *format, struct error *err)
{
	if (!format) {
		error_set(err, ERROR_USAGE, path, "cannot be made as %s",
			  container_format_name(options->format));
		return error_remedy(err, "use raw, vhd, vhdx or qcow2");
	}
	if (!options->virtual_size || options->virtual_size % MIB ||
	    options->virtual_size > MAX_SIZE) {
		error_set(err, ERROR_USAGE, path, "cannot be a disk of %ju bytes",
			  (uintmax_t)options->virtual_size);
		return error_remedy(err, "give a size in whole MiB, at most 64 TiB");
	}
	if ((options->sector_size == 4096 && options->format != CONTAINER_RAW &&
	     options->format != CONTAINER_VHDX) ||
	    (options->sector_size != 4096 && options->sector_size != 512)) {
		error_set(err, ERROR_USAGE, path, "cannot have sectors of %u bytes as %s",
			  options->sector_size, container_format_name(options->format));
		return error_remedy(err, "write raw or vhdx, or use sectors of 512 "
					 "bytes");
	}
	return format->check ? format->check(path, options, err) : 0;
}

/* Takes the descriptor over, also on failure. */
static struct block *begin(int fd, uint64_t offset, const char *name, bool part,
			   const struct container_create *options, struct error *err)
{
	struct creation *c = xcalloc(1, sizeof(*c));

	c->block = (struct block){&creation_ops, xstrdup(name), options->virtual_size,
				  options->sector_size, true};
	c->format = find_format(options->format);
	c->fd = fd;
	c->offset = offset;
	c->part = part;
	buffer_append(&c->seed, options->seed.data, options->seed.len);
	c->format->begin(c);
	c->table_count =
		(size_t)((c->block.size / c->grain + CREATION_TABLE) / CREATION_TABLE);
	c->tables = xcalloc(c->table_count, sizeof(*c->tables));
	/* Says at once if the file system takes no file of this size. */
	if (!c->packed && ftruncate(fd, (off_t)(offset + c->block.size)) < 0) {
		error_errno(err, name, "cannot be made %ju bytes long",
			    (uintmax_t)c->block.size);
		block_close(&c->block);
		return NULL;
	}
	return &c->block;
}

struct block *container_create(const char *path, const struct container_create *options,
			       struct error *err)
{
	int fd;

	if (check(path, options, find_format(options->format), err) < 0)
		return NULL;
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0) {
		error_errno(err, path, "cannot be made");
		return NULL;
	}
	return begin(fd, 0, path, false, options, err);
}

struct block *container_create_at(int fd, uint64_t offset, const char *name,
				  const struct container_create *options,
				  struct error *err)
{
	if (check(name, options, find_format(options->format), err) < 0)
		return NULL;
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0) {
		error_errno(err, name, "cannot be made");
		return NULL;
	}
	return begin(fd, offset, name, true, options, err);
}

struct block *container_create_draft(const struct draft *draft,
				     const struct container_create *options,
				     struct error *err)
{
	return container_create_at(draft->fd, 0, draft->output, options, err);
}

int container_finish(struct block *block, struct error *err)
{
	struct creation *c = (struct creation *)block;
	uint64_t end;

	if (c->format->finish(c, &end, err) < 0)
		return -1;
	if (ftruncate(c->fd, (off_t)(c->offset + end)) < 0 || fsync(c->fd) < 0)
		return error_errno(err, block->name, "cannot be completed");
	block->writable = false;
	return c->part ? 0 : file_sync_folder(block->name, err);
}
