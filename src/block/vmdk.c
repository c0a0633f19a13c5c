/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * VMDK (VMware, Virtual Disk Format 5.0): a text descriptor, in a file of its own or
 * inside of a sparse extent, that lists the extents and the parent.
 */
#include <stdio.h>

#include "base/text.h"
#include "block/container_private.h"

#define SECTOR 512
#define MAX_DESCRIPTOR ((size_t)64 << 10)
#define MAX_GRAIN ((uint64_t)1 << 20) /* sectors */
#define MAX_TABLE 512		      /* entries */
#define MAX_CHECKED 8192	      /* tables: 256 GiB of disk */
#define NO_PARENT "ffffffff"

static int damaged(const struct block *file, struct error *err, const char *what)
{
	error_set(err, ERROR_FAILED, file->name, "is a damaged VMDK: %s", what);
	return error_remedy(err, "get the image again");
}

/* The value of `KEY="value"` or `KEY=value`; NULL if there is none. */
static char *value_of(const char *text, const char *key)
{
	size_t len = strlen(key);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		const char *p, *end;

		line += strspn(line, " \t\r\n");
		if (!text_equal_n(line, key, len))
			continue;
		p = line + len + strspn(line + len, " \t");
		if (*p++ != '=')
			continue;
		p += strspn(p, " \t");
		if (*p == '"' && (end = strpbrk(++p, "\"\n")))
			return xstrndup(p, (size_t)(end - p));
		return xstrndup(p, strcspn(p, " \t\r\n"));
	}
	return NULL;
}

static const char *next_line(const char *line)
{
	const char *end = strchr(line, '\n');

	return end ? end + 1 : NULL;
}

/* `RW 8192 SPARSE "disk-s001.vmdk"`, `RW 8192 FLAT "disk-flat.vmdk" 0`, `RW 63 ZERO`. */
static int take_extent(struct block *file, const char *line, bool embedded,
		       struct container_header *ret, struct error *err)
{
	static const char *const kinds[] = {"SPARSE", "FLAT", "VMFS", "VMFSSPARSE",
					    "SESPARSE"};
	unsigned long long sectors;
	char access[9], kind[17];
	const char *name, *end;
	int used = 0;
	bool known = false;

	if (sscanf(line, "%8s %llu %16s %n", access, &sectors, kind, &used) != 3 ||
	    (strcmp(access, "RW") != 0 && strcmp(access, "RDONLY") != 0 &&
	     strcmp(access, "NOACCESS") != 0))
		return 0;
	if (sectors > UINT64_MAX / SECTOR - ret->virtual_size / SECTOR - 1)
		return damaged(file, err, "its size is impossible");
	ret->virtual_size += (uint64_t)sectors * SECTOR;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		known |= strcmp(kind, kinds[i]) == 0;
	if (!known || strcmp(access, "RW") != 0) {
		error_set(
			err, ERROR_FAILED, file->name,
			"is a VMDK with an extent of type %s %s, which QEMU cannot serve",
			access, kind);
		return error_remedy(err, "convert it with VMware's vmware-vdiskmanager");
	}
	if (ret->extents.len >= CONTAINER_MAX_EXTENTS)
		return damaged(file, err, "it has too many extents");
	name = line + used;
	end = *name == '"' ? strpbrk(name + 1, "\"\n") : NULL;
	if (!end || *end != '"' || end - name - 1 > CONTAINER_MAX_NAME)
		return damaged(file, err, "an extent has no name");
	/* The name inside of a sparse extent is that of the file when it was made. */
	if (!embedded)
		vec_push(&ret->extents, xstrndup(name + 1, (size_t)(end - name - 1)));
	return 0;
}

static int check_type(struct block *file, const char *type, bool embedded,
		      struct error *err)
{
	static const char *const whole[] = {"monolithicSparse", "streamOptimized"};
	static const char *const split[] = {"monolithicFlat",	  "twoGbMaxExtentSparse",
					    "twoGbMaxExtentFlat", "vmfs",
					    "vmfsSparse",	  "seSparse"};

	for (size_t i = 0; embedded && i < ARRAY_SIZE(whole); i++)
		if (text_equal(type, whole[i]))
			return 0;
	for (size_t i = 0; !embedded && i < ARRAY_SIZE(split); i++)
		if (text_equal(type, split[i]))
			return 0;
	error_set(err, ERROR_FAILED, file->name,
		  "is a VMDK of the type %s, which cannot be served here", type);
	return error_remedy(err,
			    embedded ? "give the descriptor, not one of the extents"
				     : "convert it with VMware's vmware-vdiskmanager");
}

static int parse_descriptor(struct block *file, const char *text, bool embedded,
			    struct container_header *ret, struct error *err)
{
	_cleanup_free_ char *type = value_of(text, "createType");
	_cleanup_free_ char *parent = value_of(text, "parentCID");

	if (!type)
		return damaged(file, err, "its descriptor has no type");
	if (check_type(file, type, embedded, err) < 0)
		return -1;
	for (const char *line = text; line; line = next_line(line))
		if (take_extent(file, line, embedded, ret, err) < 0)
			return -1;
	if (!ret->virtual_size)
		return damaged(file, err, "its descriptor has no extent");
	if (parent && !text_equal(parent, NO_PARENT)) {
		ret->backing = value_of(text, "parentFileNameHint");
		if (!ret->backing || strlen(ret->backing) > CONTAINER_MAX_NAME)
			return damaged(file, err, "it does not say what its parent is");
	}
	ret->subtype = steal_ptr(type);
	return 0;
}

/* As text, which ends at the first zero. */
static char *read_text(struct block *file, uint64_t offset, uint64_t len,
		       struct error *err)
{
	_cleanup_buffer_ struct buffer b = BUFFER_INIT;

	if (len > MAX_DESCRIPTOR)
		len = MAX_DESCRIPTOR;
	buffer_reserve(&b, len);
	if (block_pread(file, b.data, len, offset, err) < 0)
		return NULL;
	b.len = strnlen((const char *)b.data, len);
	return buffer_steal_string(&b);
}

/*
 * What lies behind the end of the file QEMU reads as zeros, without a word: each grain of
 * data that the tables name has to begin in the file.
 */
static int check_grains(struct block *file, const uint8_t *header, struct error *err)
{
	uint64_t grain = get_le64(header + 20), capacity = get_le64(header + 12);
	uint32_t per_table = get_le32(header + 44);
	uint64_t directory = get_le64(header + 56), tables;

	/* At the end of a streamOptimized one, where QEMU misses it if it is not there.
	 */
	if (directory == UINT64_MAX)
		return 0;
	if (!grain || grain > MAX_GRAIN || !per_table || per_table > MAX_TABLE ||
	    directory > file->size / SECTOR)
		return damaged(file, err, "its header is impossible");
	tables = (capacity + grain * per_table - 1) / (grain * per_table);
	for (uint64_t i = 0; i < tables && i < MAX_CHECKED; i++) {
		uint8_t table[MAX_TABLE * 4];
		uint64_t at = directory * SECTOR + i * 4;

		if (at + 4 > file->size || block_pread(file, table, 4, at, NULL) < 0)
			return damaged(file, err, "it is cut short");
		at = (uint64_t)get_le32(table) * SECTOR;
		if (!at)
			continue;
		if (at > file->size || per_table * 4 > file->size - at ||
		    block_pread(file, table, per_table * 4, at, NULL) < 0)
			return damaged(file, err, "it is cut short");
		for (uint32_t k = 0; k < per_table; k++)
			if ((uint64_t)get_le32(table + k * 4) * SECTOR >= file->size)
				return damaged(file, err, "it is cut short");
	}
	return 0;
}

/*
 * The header of a sparse extent. What follows the descriptor's numbers are tables that
 * QEMU checks; here counts where the descriptor is.
 */
static int read_sparse(struct block *file, struct container_header *ret,
		       struct error *err)
{
	_cleanup_free_ char *text = NULL;
	uint64_t offset, len, capacity, bytes;
	uint8_t header[SECTOR];

	if (file->size < sizeof(header))
		return damaged(file, err, "it is cut short");
	if (block_pread(file, header, sizeof(header), 0, err) < 0)
		return -1;
	if (get_le32(header + 4) < 1 || get_le32(header + 4) > 3)
		return damaged(file, err, "its version is unknown");
	if (mul_overflow(get_le64(header + 12), (uint64_t)SECTOR, &capacity) || !capacity)
		return damaged(file, err, "its size is impossible");
	if (mul_overflow(get_le64(header + 28), (uint64_t)SECTOR, &offset) ||
	    mul_overflow(get_le64(header + 36), (uint64_t)SECTOR, &len) || !len ||
	    offset > file->size || len > file->size - offset) {
		error_set(err, ERROR_FAILED, file->name,
			  "is an extent of a VMDK, without the disk's descriptor");
		return error_remedy(err, "give the descriptor, the .vmdk that names this "
					 "file");
	}
	text = read_text(file, offset, len, err);
	if (!text || parse_descriptor(file, text, true, ret, err) < 0)
		return -1;
	if (check_grains(file, header, err) < 0)
		return -1;
	bytes = ret->virtual_size;
	ret->virtual_size = capacity;
	return bytes == capacity ? 0
				 : damaged(file, err,
					   "header and descriptor contradict "
					   "each other");
}

/* What tests/e2e/containers-kill.sh tries survives a writer that is killed. */
static const char *why_not(const struct container_header *h)
{
	static const char *const tried[] = {"monolithicSparse", "monolithicFlat",
					    "twoGbMaxExtentSparse"};

	if (h->backing)
		return "it is a snapshot of another VMDK";
	for (size_t i = 0; i < ARRAY_SIZE(tried); i++)
		if (text_equal(h->subtype, tried[i]))
			return NULL;
	return text_equal(h->subtype, "streamOptimized")
		       ? "a streamOptimized VMDK is compressed and cannot be written to"
		       : "QEMU does not write this type of VMDK so that it survives "
			 "being "
			 "stopped";
}

int vmdk_header_read(struct block *file, struct container_header *ret, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	uint8_t magic[4] = {0};

	ret->sector_size = 512;
	if (file->size >= sizeof(magic) &&
	    block_pread(file, magic, sizeof(magic), 0, err) < 0)
		return -1;
	if (memcmp(magic, "KDMV", 4) == 0) {
		if (read_sparse(file, ret, err) < 0)
			return -1;
	} else {
		/* QEMU would read on, where no one looked. */
		if (file->size > MAX_DESCRIPTOR)
			return damaged(file, err, "its descriptor is too long");
		text = read_text(file, 0, file->size, err);
		if (!text || parse_descriptor(file, text, false, ret, err) < 0)
			return -1;
	}
	ret->qemu_size = ret->virtual_size;
	ret->why_not = why_not(ret);
	return 0;
}
