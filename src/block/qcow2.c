/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The header of qcow2 (QEMU, docs/interop/qcow2.txt), versions 2 and 3. Big-endian. */
#include "block/qcow2.h"

#include "block/container_private.h"

#define HEADER_V2 72
#define INCOMPATIBLE_CORRUPT ((uint64_t)1 << 1)
#define INCOMPATIBLE_DATA_FILE ((uint64_t)1 << 2)
/* dirty, corrupt, data file, compression type, extended L2 entries */
#define INCOMPATIBLE_EXTENDED_L2 ((uint64_t)1 << 4)
#define INCOMPATIBLE_KNOWN ((uint64_t)0x1f)
#define OFFSET_MASK ((uint64_t)0x00fffffffffffe00)
#define L2_COMPRESSED ((uint64_t)1 << 62)
#define L2_ZERO ((uint64_t)1)
#define MAX_CHECKED 256 /* tables of 64 KiB: 128 GiB of disk */
#define EXTENSION_BACKING_FORMAT 0xe2792aca
#define EXTENSION_DATA_FILE 0x44415441
#define MAX_SIZE ((uint64_t)1 << 60)

static int damaged(const struct block *file, struct error *err, const char *what)
{
	error_set(err, ERROR_FAILED, file->name, "is a damaged qcow2: %s", what);
	return error_remedy(err, "try qemu-img check -r all on a copy of it");
}

/* A name as the header has it; a zero inside would hide what follows from us or QEMU. */
static char *take_name(struct bytes name)
{
	if (!name.len || name.len > CONTAINER_MAX_NAME || memchr(name.data, 0, name.len))
		return NULL;
	return xstrndup((const char *)name.data, name.len);
}

/* Extensions lie between the header and the end of the first cluster or the name. */
static int read_extensions(struct block *file, struct bytes cluster, size_t at,
			   uint64_t end, struct container_header *ret, struct error *err)
{
	struct bytes e;

	while ((e = bytes_at(cluster, at, 8)).data && at + 8 <= end) {
		uint32_t type = get_be32(e.data), len = get_be32(e.data + 4);
		struct bytes content = bytes_at(cluster, at + 8, len);

		if (!type)
			return 0;
		if (!content.data || at + 8 + len > end)
			return damaged(file, err, "a header extension is too long");
		if (type == EXTENSION_BACKING_FORMAT && !ret->backing_format)
			ret->backing_format = take_name(content);
		else if (type == EXTENSION_DATA_FILE && !ret->data_file)
			ret->data_file = take_name(content);
		at += 8 + (((size_t)len + 7) & ~(size_t)7);
	}
	return 0;
}

static int read_backing(struct block *file, struct bytes cluster, uint64_t *end,
			struct container_header *ret, struct error *err)
{
	uint64_t at = get_be64(cluster.data + 8);
	uint32_t len = get_be32(cluster.data + 16);
	struct bytes name = bytes_at(cluster, at, len);

	if (!at)
		return 0;
	if (!name.data || at < HEADER_V2 || !(ret->backing = take_name(name)))
		return damaged(file, err, "the name of its backing file is impossible");
	*end = at;
	return 0;
}

static int read_v3(struct block *file, struct bytes cluster, size_t *header_len,
		   bool *data_file, struct error *err)
{
	uint64_t incompatible;

	if (cluster.len < QCOW2_HEADER_V3)
		return damaged(file, err, "its header is cut short");
	incompatible = get_be64(cluster.data + 72);
	*header_len = get_be32(cluster.data + 100);
	*data_file = incompatible & INCOMPATIBLE_DATA_FILE;
	if (incompatible & INCOMPATIBLE_CORRUPT)
		return damaged(file, err, "QEMU found it corrupt and marked it so");
	if (incompatible & ~INCOMPATIBLE_KNOWN) {
		error_set(err, ERROR_FAILED, file->name,
			  "is a qcow2 with features that this gild does not know (%#jx)",
			  (uintmax_t)(incompatible & ~INCOMPATIBLE_KNOWN));
		return error_remedy(err, "convert it: qemu-img convert -O qcow2");
	}
	if (*header_len < QCOW2_HEADER_V3 || *header_len > cluster.len)
		return damaged(file, err, "the length of its header is impossible");
	return 0;
}

static int cut_short(const struct block *file, struct error *err)
{
	error_set(err, ERROR_FAILED, file->name,
		  "is cut short: parts of it would lie behind its end");
	return error_remedy(err, "get the image again");
}

/* A table of clusters: of those that have a place of their own, each begins in the file.
 */
static int check_l2(struct block *file, uint64_t at, size_t cluster, size_t entry_size,
		    struct error *err)
{
	_cleanup_free_ uint8_t *table = xmalloc(cluster);

	if (at > file->size || cluster > file->size - at)
		return cut_short(file, err);
	if (block_pread(file, table, cluster, at, err) < 0)
		return -1;
	for (size_t i = 0; i < cluster; i += entry_size) {
		uint64_t entry = get_be64(table + i);

		/* Compressed ones have another shape, zeros need no place. */
		if ((entry & L2_COMPRESSED) || (entry & L2_ZERO) ||
		    !(entry & OFFSET_MASK))
			continue;
		if ((entry & OFFSET_MASK) >= file->size)
			return cut_short(file, err);
	}
	return 0;
}

/*
 * What lies behind the end of the file QEMU reads as zeros, without a word: the tables
 * tell whether something should be there.
 */
static int check_tables(struct block *file, struct bytes cluster, bool external,
			struct error *err)
{
	uint32_t count = get_be32(cluster.data + 36), bits = get_be32(cluster.data + 20);
	uint64_t at = get_be64(cluster.data + 40);
	size_t entry_size = 8;

	if (get_be32(cluster.data + 4) == 3 &&
	    (get_be64(cluster.data + 72) & INCOMPATIBLE_EXTENDED_L2))
		entry_size = 16;
	if (at > file->size || (uint64_t)count * 8 > file->size - at)
		return cut_short(file, err);
	for (uint32_t i = 0; i < count && i < MAX_CHECKED && !external; i++) {
		uint8_t raw[8];

		if (block_pread(file, raw, 8, at + (uint64_t)i * 8, err) < 0)
			return -1;
		if ((get_be64(raw) & OFFSET_MASK) &&
		    check_l2(file, get_be64(raw) & OFFSET_MASK, (size_t)1 << bits,
			     entry_size, err) < 0)
			return -1;
	}
	return 0;
}

/* `cluster` is the first one, or as much as there is of it. */
static int parse(struct block *file, struct bytes cluster, struct container_header *ret,
		 struct error *err)
{
	uint32_t version = get_be32(cluster.data + 4);
	size_t header_len = HEADER_V2;
	uint64_t end = cluster.len;
	bool data_file = false;

	if (version != 2 && version != 3) {
		error_set(err, ERROR_FAILED, file->name, "is a qcow of version %u",
			  version);
		return error_remedy(err, "convert it: qemu-img convert -O qcow2");
	}
	if (get_be32(cluster.data + 32)) {
		error_set(err, ERROR_FAILED, file->name, "is an encrypted qcow2");
		return error_remedy(err, "convert it with qemu-img and its key");
	}
	if ((version == 3 && read_v3(file, cluster, &header_len, &data_file, err) < 0) ||
	    read_backing(file, cluster, &end, ret, err) < 0 ||
	    read_extensions(file, cluster, header_len, end, ret, err) < 0)
		return -1;
	if (data_file && !ret->data_file)
		return damaged(file, err, "it does not say which file has its data");
	if (data_file)
		ret->why_not = "its data lies in another file than its tables";
	if (!data_file) {
		free(ret->data_file);
		ret->data_file = NULL;
	}
	ret->virtual_size = ret->qemu_size = get_be64(cluster.data + 24);
	if (!ret->virtual_size || ret->virtual_size > MAX_SIZE)
		return damaged(file, err, "its size is impossible");
	return check_tables(file, cluster, data_file, err);
}

int qcow2_header_read(struct block *file, struct container_header *ret, struct error *err)
{
	_cleanup_free_ uint8_t *cluster = NULL;
	uint8_t start[HEADER_V2];
	uint32_t bits;
	size_t len;

	if (file->size < sizeof(start))
		return damaged(file, err, "its header is cut short");
	if (block_pread(file, start, sizeof(start), 0, err) < 0)
		return -1;
	bits = get_be32(start + 20);
	if (bits < 9 || bits > 21)
		return damaged(file, err, "its cluster size is impossible");
	len = (size_t)1 << bits;
	if (len > file->size)
		len = (size_t)file->size;
	cluster = xmalloc(len);
	ret->sector_size = 512;
	if (block_pread(file, cluster, len, 0, err) < 0)
		return -1;
	return parse(file, (struct bytes){cluster, len}, ret, err);
}
