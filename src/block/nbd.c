/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "block/nbd.h"

#include <errno.h>
#include <fcntl.h>
#include <libnbd.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"
#include "block/container.h"
#include "block/qemu.h"

#define MAX_REQUEST ((uint64_t)32 << 20) /* what every server must accept */
#define MAX_ALIGN 4096
#define MAX_TRIM ((uint64_t)1 << 30)
#define DEPTH_CONTEXT "qemu:allocation-depth"
/* How long a server that lost its client may take to write back what it holds. */
#define END_MILLISECONDS 60000

struct block_nbd {
	struct block block;
	struct nbd_handle *nbd;
	struct qemu_process server;
	uint32_t align; /* what the server reads and writes at least, at once */
	bool broken;	/* the connection is lost */
};

/*
 * The reason of a failed request: what the server says if it ended, else libnbd's. A
 * server that ended by itself does so within moments of closing the connection.
 */
static int failed(struct block_nbd *n, struct error *err, const char *what,
		  uint64_t offset)
{
	_cleanup_error_ struct error cause = ERROR_INIT;
	_cleanup_free_ char *reason = xstrdup(nbd_get_error() ? nbd_get_error() : "");
	int saved = nbd_get_errno();

	if (nbd_aio_is_dead(n->nbd) || nbd_aio_is_closed(n->nbd))
		n->broken = true;
	if (n->broken) {
		qemu_wait(&n->server, 2000);
		if (qemu_result(&n->server, n->block.name, &cause) < 0)
			return error_move(err, &cause);
		return error_set(err, ERROR_FAILED, n->block.name,
				 "qemu-nbd ended while it was in use");
	}
	errno = saved;
	if (saved)
		return error_errno(err, n->block.name, "cannot %s at %ju", what,
				   (uintmax_t)offset);
	return error_set(err, ERROR_FAILED, n->block.name, "cannot %s at %ju: %s", what,
			 (uintmax_t)offset, reason);
}

/* Whole blocks of the server, in requests that it must accept. */
static int read_blocks(struct block_nbd *n, uint8_t *to, uint64_t len, uint64_t offset,
		       struct error *err)
{
	while (len) {
		size_t part = len < MAX_REQUEST ? len : MAX_REQUEST;

		if (nbd_pread(n->nbd, to, part, offset, 0) < 0)
			return failed(n, err, "read", offset);
		to += part;
		len -= part;
		offset += part;
	}
	return 0;
}

static int write_blocks(struct block_nbd *n, const uint8_t *from, uint64_t len,
			uint64_t offset, struct error *err)
{
	while (len) {
		size_t part = len < MAX_REQUEST ? len : MAX_REQUEST;

		if (nbd_pwrite(n->nbd, from, part, offset, 0) < 0)
			return failed(n, err, "write", offset);
		from += part;
		len -= part;
		offset += part;
	}
	return 0;
}

/*
 * The part of a request up to the next whole block, or all that is whole, or the rest.
 * True if it is no whole block: `at` is then where the one begins that it lies in.
 */
static bool next_part(const struct block_nbd *n, uint64_t offset, uint64_t len,
		      uint64_t *at, uint64_t *part)
{
	uint64_t inside = offset % n->align;

	*at = offset - inside;
	*part = len - len % n->align;
	if (!inside && *part)
		return false;
	*part = n->align - inside < len ? n->align - inside : len;
	return true;
}

static int nbd_block_pread(struct block *block, void *buf, size_t len, uint64_t offset,
			   struct error *err)
{
	struct block_nbd *n = (struct block_nbd *)block;
	uint8_t *to = buf, one[MAX_ALIGN];
	uint64_t at, part;

	for (uint64_t left = len; left; left -= part) {
		if (!next_part(n, offset, left, &at, &part)) {
			if (read_blocks(n, to, part, offset, err) < 0)
				return -1;
		} else {
			if (read_blocks(n, one, n->align, at, err) < 0)
				return -1;
			memcpy(to, one + (offset - at), part);
		}
		to += part;
		offset += part;
	}
	return 0;
}

static int nbd_block_pwrite(struct block *block, const void *buf, size_t len,
			    uint64_t offset, struct error *err)
{
	struct block_nbd *n = (struct block_nbd *)block;
	const uint8_t *from = buf;
	uint8_t one[MAX_ALIGN];
	uint64_t at, part;

	for (uint64_t left = len; left; left -= part) {
		if (!next_part(n, offset, left, &at, &part)) {
			if (write_blocks(n, from, part, offset, err) < 0)
				return -1;
		} else {
			if (read_blocks(n, one, n->align, at, err) < 0)
				return -1;
			memcpy(one + (offset - at), from, part);
			if (write_blocks(n, one, n->align, at, err) < 0)
				return -1;
		}
		from += part;
		offset += part;
	}
	return 0;
}

static int nbd_block_flush(struct block *block, struct error *err)
{
	struct block_nbd *n = (struct block_nbd *)block;

	return nbd_flush(n->nbd, 0) < 0 ? failed(n, err, "sync", 0) : 0;
}

/* Only a hint: a server that cannot do it is as good as one that did. */
static int nbd_block_trim(struct block *block, uint64_t offset, uint64_t len,
			  struct error *err)
{
	struct block_nbd *n = (struct block_nbd *)block;

	if (offset % n->align || len % n->align)
		return 0;
	while (len && nbd_can_trim(n->nbd) > 0) {
		uint64_t part = len < MAX_TRIM ? len : MAX_TRIM;

		if (nbd_trim(n->nbd, part, offset, 0) < 0) {
			if (nbd_get_errno() == ENOTSUP || nbd_get_errno() == EINVAL)
				return 0;
			return failed(n, err, "discard", offset);
		}
		len -= part;
		offset += part;
	}
	return 0;
}

static void nbd_block_close(struct block *block)
{
	struct block_nbd *n = (struct block_nbd *)block;

	if (n->nbd && !n->broken && nbd_aio_is_ready(n->nbd))
		(void)nbd_shutdown(n->nbd, 0);
	nbd_close(n->nbd);
	/* It wrote back and released its locks when it is gone. */
	if (n->server.program) {
		qemu_wait(&n->server, END_MILLISECONDS);
		qemu_end(&n->server);
	}
}

/* The first entries of what was asked: data may follow holes, then it is known enough. */
struct data_search {
	uint64_t at, start, end; /* what is known ends at `at` */
	bool found, ended;
};

static int find_data(void *arg, const char *context, uint64_t offset, uint32_t *entries,
		     size_t count, int *error _unused_)
{
	struct data_search *s = arg;

	if (strcmp(context, LIBNBD_CONTEXT_BASE_ALLOCATION) != 0)
		return 0;
	for (size_t i = 0; i + 1 < count; i += 2) {
		bool zero = entries[i + 1] & LIBNBD_STATE_ZERO;

		if (!zero && !s->found)
			s->start = offset;
		s->found |= !zero;
		s->ended |= zero && s->found;
		offset += entries[i];
		if (!s->ended)
			s->end = offset;
	}
	s->at = offset;
	return 0;
}

static int nbd_block_data(struct block *block, uint64_t offset, uint64_t *start,
			  uint64_t *end, struct error *err)
{
	struct block_nbd *n = (struct block_nbd *)block;
	struct data_search s = {.at = offset - offset % n->align};
	nbd_extent_callback take = {.callback = find_data, .user_data = &s};

	if (nbd_can_meta_context(n->nbd, LIBNBD_CONTEXT_BASE_ALLOCATION) <= 0)
		return 0;
	while (!s.found && s.at < block->size) {
		uint64_t at = s.at, len = block->size - at;

		if (nbd_block_status(n->nbd, len < MAX_TRIM ? len : MAX_TRIM, at, take,
				     0) < 0)
			return failed(n, err, "learn what is allocated", at);
		if (s.at <= at) /* it does not say: all that follows may be data */
			return 0;
	}
	if (!s.found)
		s.start = s.end = block->size;
	if (s.start > offset)
		*start = s.start;
	if (s.end < block->size)
		*end = s.end;
	return 0;
}

static const struct block_ops nbd_ops = {
	.pread = nbd_block_pread,
	.pwrite = nbd_block_pwrite,
	.flush = nbd_block_flush,
	.trim = nbd_block_trim,
	.data = nbd_block_data,
	.close = nbd_block_close,
};

/*
 * A listening socket with one client waiting at it, which no other user can reach: bound
 * in a private folder and removed before anything serves it. The folder is named by its
 * descriptor because a socket's address has little room.
 */
static int socket_pair(int *listener, int *client, struct error *err)
{
	_cleanup_(temp_folder_removep) char *folder = temp_folder_make(NULL, err);
	_cleanup_close_ int at = -1;
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (!folder)
		return -1;
	at = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (at < 0)
		return error_errno(err, folder, "cannot open");
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/nbd",
		       at);
	*listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	*client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*listener < 0 || *client < 0 ||
	    bind(*listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(*listener, 1) < 0 ||
	    connect(*client, (struct sockaddr *)&address, sizeof(address)) < 0)
		return error_errno(err, "qemu-nbd", "cannot make its socket");
	return 0;
}

static int start_server(struct block_nbd *n, const char *nodes, bool depth, int *client,
			struct error *err)
{
	_cleanup_close_ int listener = -1;
	char *argv[12];
	size_t argc = 0;

	if (socket_pair(&listener, client, err) < 0)
		return -1;
	argv[argc++] = (char *)"qemu-nbd";
	/* With a flush as fdatasync() and no other sync: order is the journal's matter.
	 */
	argv[argc++] = (char *)"--cache=writeback";
	argv[argc++] = (char *)"--aio=threads";
	argv[argc++] = (char *)"--discard=unmap";
	if (!n->block.writable)
		argv[argc++] = (char *)"--read-only";
	if (depth)
		argv[argc++] = (char *)"--allocation-depth";
	argv[argc++] = (char *)"--";
	argv[argc++] = (char *)nodes;
	argv[argc] = NULL;
	return qemu_start(&n->server, argv, listener, -1, err);
}

static int connect_server(struct block_nbd *n, bool depth, int client, struct error *err)
{
	int64_t size, align;
	int fd = dup(client); /* libnbd owns what it gets */

	n->nbd = nbd_create();
	if (fd < 0 || !n->nbd) {
		closep(&fd);
		return error_set(err, ERROR_FAILED, n->block.name,
				 "cannot connect to qemu-nbd");
	}
	if (nbd_add_meta_context(n->nbd, LIBNBD_CONTEXT_BASE_ALLOCATION) < 0 ||
	    (depth && nbd_add_meta_context(n->nbd, DEPTH_CONTEXT) < 0))
		return failed(n, err, "connect", 0);
	if (nbd_connect_socket(n->nbd, fd) < 0) {
		/* It may be that it never came so far as to listen. */
		n->broken = true;
		return failed(n, err, "connect", 0);
	}
	size = nbd_get_size(n->nbd);
	align = nbd_get_block_size(n->nbd, LIBNBD_SIZE_MINIMUM);
	if (size < 0)
		return failed(n, err, "learn the size", 0);
	n->block.size = (uint64_t)size;
	n->align = align > 1 ? (uint32_t)align : 1;
	if (n->align > MAX_ALIGN || n->block.size % n->align)
		return error_set(err, ERROR_FAILED, n->block.name,
				 "qemu-nbd serves it in blocks of %u bytes, which do not "
				 "divide it",
				 n->align);
	if (n->block.writable && nbd_can_flush(n->nbd) <= 0)
		return error_set(err, ERROR_FAILED, n->block.name,
				 "this qemu-nbd cannot sync what is written");
	return 0;
}

struct block *nbd_open(const char *nodes, const char *name, uint32_t sector_size,
		       bool write, bool depth, struct error *err)
{
	_cleanup_close_ int client = -1;
	struct block_nbd *n = xcalloc(1, sizeof(*n));

	n->block = (struct block){&nbd_ops, xstrdup(name), 0, sector_size, write};
	if (start_server(n, nodes, depth, &client, err) == 0 &&
	    connect_server(n, depth, client, err) == 0)
		return &n->block;
	closep(&client);
	block_close(&n->block);
	return NULL;
}

bool nbd_died(const struct block *block)
{
	return ((const struct block_nbd *)block)->broken;
}

/* ---- what the top image holds itself -------------------------------------------------
 */

struct extent_walk {
	struct block_extents *extents;
	uint64_t at; /* the end of what is known */
};

/* Depth 1 is the top image, 2 the next below; 0 is found in none. */
static int take_extents(void *arg, const char *context, uint64_t offset,
			uint32_t *entries, size_t count, int *error _unused_)
{
	struct extent_walk *walk = arg;
	struct block_extents *extents = walk->extents;

	if (strcmp(context, DEPTH_CONTEXT) != 0)
		return 0;
	for (size_t i = 0; i + 1 < count; i += 2) {
		struct block_extent *last =
			extents->len ? &extents->items[extents->len - 1] : NULL;
		uint64_t len = entries[i];

		if (entries[i + 1] == 1 && last && last->offset + last->size == offset)
			last->size += len;
		else if (entries[i + 1] == 1)
			vec_push(extents, (struct block_extent){offset, len});
		offset += len;
	}
	walk->at = offset;
	return 0;
}

int nbd_own_extents(struct block *block, struct block_extents *ret, struct error *err)
{
	struct block_nbd *n = (struct block_nbd *)block;
	struct extent_walk walk = {ret, 0};
	nbd_extent_callback take = {.callback = take_extents, .user_data = &walk};

	if (nbd_can_meta_context(n->nbd, DEPTH_CONTEXT) <= 0)
		return error_set(err, ERROR_FAILED, block->name,
				 "this qemu-nbd does not tell which image holds what");
	while (walk.at < block->size) {
		uint64_t at = walk.at, len = block->size - at;

		if (len > MAX_TRIM)
			len = MAX_TRIM;
		if (nbd_block_status(n->nbd, len, at, take, 0) < 0)
			return failed(n, err, "learn what is allocated", at);
		if (walk.at <= at)
			return error_set(
				err, ERROR_FAILED, block->name,
				"qemu-nbd does not tell what is allocated at %ju",
				(uintmax_t)at);
	}
	/* The last entry may reach beyond what was asked, up to the end of a cluster. */
	vec_foreach (extent, ret)
		if (extent->size > block->size - extent->offset)
			extent->size = block->size - extent->offset;
	return 0;
}
