/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a qemu-nbd that was stopped while it wrote leaves of a container, and how it
 * becomes whole again: the log of a VHDX, and clusters of a qcow2 that belong to nothing.
 */
#include "block/container_private.h"
#include "block/crc.h"
#include "block/nbd.h"
#include "block/qemu.h"

#define HEADER_SIZE 4096
#define HEADER_1 ((uint64_t)64 << 10)
#define HEADER_2 ((uint64_t)128 << 10)
#define LOG_ID_OFFSET 48

/* True if it is whole; `sequence` tells which of the two is the newer. */
static bool read_header(struct block *file, uint64_t at, uint8_t header[HEADER_SIZE],
			uint64_t *sequence)
{
	uint32_t found;

	if (block_pread(file, header, HEADER_SIZE, at, NULL) < 0 ||
	    memcmp(header, "head", 4) != 0)
		return false;
	found = get_le32(header + 4);
	put_le32(header + 4, 0);
	*sequence = get_le64(header + 8);
	return crc32_of(CRC32_VHDX, (struct bytes){header, HEADER_SIZE}) == found;
}

/*
 * QEMU names the log in the header before it writes the first entry. If it is stopped
 * between the two there is a log without entries, which QEMU ignores and Windows takes
 * for damage ([MS-VHDX] 2.3.3). A new header, over the older one, that names none heals
 * it.
 */
static int forget_empty_log(const char *path, struct error *err)
{
	_cleanup_block_ struct block *file = block_file_open(path, true, 0, err);
	uint8_t first[HEADER_SIZE], second[HEADER_SIZE], *newest;
	uint64_t one = 0, two = 0, to;
	bool has_one, has_two;

	if (!file || block_file_lock(file, err) < 0)
		return -1;
	has_one = read_header(file, HEADER_1, first, &one);
	has_two = read_header(file, HEADER_2, second, &two);
	if (!has_one && !has_two)
		return error_set(err, ERROR_FAILED, path, "both headers are broken");
	newest = has_one && (!has_two || one > two) ? first : second;
	to = newest == first ? HEADER_2 : HEADER_1;
	put_le64(newest + 8, get_le64(newest + 8) + 1);
	memset(newest + LOG_ID_OFFSET, 0, 16);
	put_le32(newest + 4, crc32_of(CRC32_VHDX, (struct bytes){newest, HEADER_SIZE}));
	if (block_pwrite(file, newest, HEADER_SIZE, to, err) < 0)
		return -1;
	return block_flush(file, err);
}

static int log_named(const char *path, bool *ret, struct error *err)
{
	_cleanup_container_header_ struct container_header h = {0};
	_cleanup_block_ struct block *file = block_file_open(path, false, 0, err);

	if (!file || vhdx_header_read(file, &h, err) < 0)
		return -1;
	*ret = h.log_pending;
	return 0;
}

static int mend_vhdx(const struct container *container, struct error *err)
{
	_cleanup_free_ char *nodes = NULL;
	struct block *block;
	bool named;

	if (log_named(container->path, &named, err) < 0)
		return -1;
	if (!named)
		return 0;
	nodes = container_nodes(container, err);
	if (!nodes)
		return -1;
	/* Opening it for writing replays the log; closing it syncs. */
	block = nbd_open(nodes, container->path, container->sector_size, true, false,
			 err);
	if (!block)
		return -1;
	block_close(block);
	if (log_named(container->path, &named, err) < 0)
		return -1;
	return named ? forget_empty_log(container->path, err) : 0;
}

/* Counted before they are used: that way round nothing but space is lost. */
static int mend_qcow2(const struct container *container, struct error *err)
{
	_cleanup_free_ char *nodes = container_nodes(container, err);

	if (!nodes)
		return -1;

	char *argv[] = {(char *)"qemu-img", (char *)"check", (char *)"-q", (char *)"-r",
			(char *)"leaks",    (char *)"--",    nodes,	   NULL};

	return qemu_img_run(argv, container->path, NULL, err);
}

int container_replay(const struct container *container, struct error *err)
{
	if (container->own_reader)
		return error_set(err, ERROR_FAILED, container->path,
				 "cannot be mended: %s", container->why_not);
	switch (container->format) {
	case CONTAINER_VHDX:
		return mend_vhdx(container, err);
	case CONTAINER_QCOW2:
		return mend_qcow2(container, err);
	default:
		return 0;
	}
}
