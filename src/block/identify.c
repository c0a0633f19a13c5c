/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * QEMU takes identifiers of new VHD, VHDX and VMDK files by chance. Where
 * SOURCE_DATE_EPOCH asks for the same bytes every time they follow from the content
 * instead.
 */
#include "base/clock.h"
#include "base/hash.h"
#include "block/big_endian.h"
#include "block/container_private.h"
#include "block/vhd.h"
#include "block/vhdx.h"

#define CHUNK ((size_t)1 << 20)
#define PIECE ((size_t)4 << 10)
#define KIB ((uint64_t)1 << 10)
#define DESCRIPTOR ((size_t)64 << 10)

/* A footer, or its copy at the start: time (24), checksum (64), identifier (68). */
static int set_vhd_footer(struct block *file, uint64_t at, const uint8_t id[16],
			  struct error *err)
{
	uint8_t footer[VHD_FOOTER_SIZE];

	if (block_pread(file, footer, sizeof(footer), at, err) < 0)
		return -1;
	if (memcmp(footer, "conectix", 8) != 0)
		return 0;
	put_be32(footer + 24, (uint32_t)(clock_now() - VHD_EPOCH));
	memcpy(footer + 68, id, 16);
	put_be32(footer + VHD_CHECKSUM,
		 vhd_checksum(footer, sizeof(footer), VHD_CHECKSUM));
	return block_pwrite(file, footer, sizeof(footer), at, err);
}

static int set_vhd(struct block *file, const uint8_t id[16], struct error *err)
{
	if (set_vhd_footer(file, file->size - VHD_FOOTER_SIZE, id, err) < 0)
		return -1;
	return set_vhd_footer(file, 0, id, err);
}

/* Where the entry of a region or metadata table that has this GUID begins; 0: nowhere. */
static size_t find_entry(const uint8_t *table, size_t len, size_t first, const char *text)
{
	struct guid wanted;

	if (!guid_parse(text, &wanted))
		return 0;
	for (size_t at = first; at + 32 <= len; at += 32)
		if (memcmp(table + at, wanted.bytes, 16) == 0)
			return at;
	return 0;
}

/* The identifier of the virtual disk, an item of the metadata. */
static int set_vhdx_disk(struct block *file, const uint8_t id[16], struct error *err)
{
	_cleanup_free_ uint8_t *table = xmalloc(64 * KIB);
	uint64_t metadata;
	size_t entry;

	if (block_pread(file, table, 64 * KIB, VHDX_REGIONS_1, err) < 0)
		return -1;
	entry = find_entry(table, 64 * KIB, 16, VHDX_METADATA);
	metadata = entry ? get_le64(table + entry + 16) : 0;
	if (!metadata || block_pread(file, table, 64 * KIB, metadata, err) < 0)
		return metadata ? -1 : 0;
	entry = find_entry(table, 64 * KIB, 32, VHDX_DISK_ID);
	if (!entry)
		return 0;
	return block_pwrite(file, id, 16, metadata + get_le32(table + entry + 16), err);
}

/* What is left of a log that is done with; its length is that of QEMU, 1 MiB. */
static int clear_log(struct block *file, const uint8_t *header, struct error *err)
{
	uint64_t at = get_le64(header + 72), len = get_le32(header + 68);
	_cleanup_free_ uint8_t *zeros = NULL;

	if (len > CHUNK || !at)
		return 0;
	zeros = xcalloc(1, len);
	return block_pwrite(file, zeros, len, at, err);
}

/*
 * Both headers: sequence (8, QEMU begins anywhere), FileWriteGuid (16), DataWriteGuid
 * (32), the log's (48). The older one may still name the log that the newer says is done
 * with.
 */
static int set_vhdx(struct block *file, const uint8_t id[16], struct error *err)
{
	static const uint8_t no_log[16];
	uint8_t headers[2][4096], *newer;

	for (int i = 0; i < 2; i++)
		if (block_pread(file, headers[i], sizeof(headers[i]), (i + 1) * 64 * KIB,
				err) < 0)
			return -1;
	newer = headers[get_le64(headers[1] + 8) > get_le64(headers[0] + 8)];
	if (memcmp(newer + 48, no_log, 16) != 0)
		return 0;
	if (clear_log(file, newer, err) < 0)
		return -1;
	for (int i = 0; i < 2; i++) {
		uint8_t *h = headers[i];

		memcpy(h + 16, id, 16);
		memcpy(h + 32, id, 16);
		memset(h + 48, 0, 16);
		put_le64(h + 8, h == newer ? 2 : 1);
		vhdx_seal(h, sizeof(headers[i]));
		if (block_pwrite(file, h, sizeof(headers[i]), (i + 1) * 64 * KIB, err) <
		    0)
			return -1;
	}
	return set_vhdx_disk(file, id, err);
}

/*
 * "CID=" and up to eight digits, in the descriptor: QEMU leaves leading zeros out, so
 * what follows may have to make room. Behind the text are zeros.
 */
static int set_vmdk(struct block *file, const uint8_t id[16], struct error *err)
{
	size_t len = file->size < DESCRIPTOR ? (size_t)file->size : DESCRIPTOR, old, rest;
	_cleanup_free_ char *text = xcalloc(1, len + 9);
	char digits[9], *found;

	if (block_pread(file, text, len, 0, err) < 0)
		return -1;
	found = memmem(text, len, "\nCID=", 5);
	if (!found)
		return 0;
	found += 5;
	old = strspn(found, "0123456789abcdef");
	rest = strlen(found + old);
	if (old > 8 || (size_t)(found - text) + 8 + rest >= len)
		return 0;
	for (size_t i = old; i < 8; i++)
		if (found[rest + i + 1])
			return 0;
	memmove(found + 8, found + old, rest);
	hash_hex(id, 4, digits);
	memcpy(found, digits, 8);
	return block_pwrite(file, text, len, 0, err);
}

/* All of the file that is not zeros, with where it is. */
static int hash_file(struct block *file, uint8_t digest[20], struct error *err)
{
	static const uint8_t zeros[PIECE];
	_cleanup_free_ uint8_t *chunk = xmalloc(CHUNK);
	struct hash_stream *stream = hash_sha1_begin();
	int result = 0;

	for (uint64_t at = 0; at < file->size && result == 0; at += CHUNK) {
		size_t len = file->size - at < CHUNK ? (size_t)(file->size - at) : CHUNK;

		result = block_pread(file, chunk, len, at, err);
		for (size_t i = 0; i < len && result == 0; i += PIECE) {
			size_t n = len - i < PIECE ? len - i : PIECE;
			uint8_t where[8];

			if (memcmp(chunk + i, zeros, n) == 0)
				continue;
			put_le64(where, at + i);
			hash_stream_add(stream, where, sizeof(where));
			hash_stream_add(stream, chunk + i, n);
		}
	}
	hash_sha1_end(stream, digest);
	return result;
}

int container_identify(const char *path, enum container_format format, struct error *err)
{
	static int (*const set[])(struct block *, const uint8_t[16], struct error *) = {
		[CONTAINER_VHD] = set_vhd,
		[CONTAINER_VHDX] = set_vhdx,
		[CONTAINER_VMDK] = set_vmdk,
	};
	_cleanup_block_ struct block *file = NULL;
	uint8_t digest[20] = {0};
	struct guid id;

	if (!clock_is_fixed() || format >= ARRAY_SIZE(set) || !set[format])
		return 0;
	file = block_file_open(path, true, 0, err);
	if (!file)
		return -1;
	/* First none, so that the hash is of what does not depend on chance. */
	if (set[format](file, digest, err) < 0 || hash_file(file, digest, err) < 0)
		return -1;
	id = guid_from((struct bytes){digest, sizeof(digest)});
	return set[format](file, id.bytes, err);
}
