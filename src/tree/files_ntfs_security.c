/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Security descriptors of an NTFS volume: the stream $SDS of $Secure, which files refer
 * to by number. It is a sequence of blocks of 256 KiB, each followed by a copy of itself;
 * in a block, entries aligned to 16 bytes: u32 hash, u32 number, u64 where it lies in the
 * stream, u32 length with these 20 bytes, the descriptor (ntfs-3g's layout.h).
 */
#include <errno.h>

#include "tree/files_ntfs.h"

#include "tree/security.h"

#define SDS_BLOCK (256u * 1024)
#define SDS_HEADER 20
#define SDS_NUMBER 4
#define SDS_OFFSET 8
#define SDS_LENGTH 16
/* Real ones have some megabytes at most. */
#define SDS_MAX_SIZE ((uint64_t)1 << 30)

/* The entries of one block, which lies at `at` of the stream. */
static void parse_block(struct files_ntfs *f, struct bytes block, uint64_t at)
{
	size_t i = 0;

	while (bytes_has(block, i, SDS_HEADER)) {
		const uint8_t *entry = block.data + i;
		uint32_t number = get_le32(entry + SDS_NUMBER);
		uint32_t len = get_le32(entry + SDS_LENGTH);
		struct bytes descriptor;

		descriptor = len > SDS_HEADER
				     ? bytes_at(block, i + SDS_HEADER, len - SDS_HEADER)
				     : (struct bytes){0};
		/* Zeros at the end, and where chkdsk removed some. */
		if (!descriptor.data || get_le64(entry + SDS_OFFSET) != at + i) {
			i += 16;
			continue;
		}
		if (number && security_valid(descriptor) &&
		    !number_map_find(&f->security_ids, number))
			number_map_add(
				&f->security_ids, number,
				files_security(&f->files, &f->securities, descriptor));
		i += ((size_t)len + 15) & ~(size_t)15;
	}
}

int files_ntfs_security_read(struct files_ntfs *f, struct error *err)
{
	static ntfschar name[] = {const_cpu_to_le16('$'), const_cpu_to_le16('S'),
				  const_cpu_to_le16('D'), const_cpu_to_le16('S')};
	_cleanup_inode_ ntfs_inode *secure = NULL;
	_cleanup_attribute_ ntfs_attr *sds = NULL;
	_cleanup_free_ uint8_t *block = NULL;
	uint64_t size;

	if (f->ntfs->volume->major_ver < 3)
		return 0;
	secure = ntfs_open_inode(f->ntfs, FILE_Secure, "$Secure", err);
	if (!secure)
		return -1;
	ntfs_begin(f->ntfs);
	sds = ntfs_attr_open(secure, AT_DATA, name, ARRAY_SIZE(name));
	if (!sds)
		return ntfs_failed(f->ntfs, err, f->files.name,
				   "cannot open its security descriptors ($Secure)");
	size = (uint64_t)sds->data_size;
	if (size > SDS_MAX_SIZE)
		return error_set(err, ERROR_FAILED, f->files.name,
				 "says that it has %ju bytes of security descriptors",
				 (uintmax_t)size);
	block = xmalloc(SDS_BLOCK);
	for (uint64_t at = 0; at < size; at += 2 * SDS_BLOCK) {
		size_t n = size - at < SDS_BLOCK ? (size_t)(size - at) : SDS_BLOCK;

		if (interrupted())
			return error_interrupted(err);
		if (ntfs_read_attribute(f->ntfs, sds, block, n, at,
					"$Secure (security descriptors)", err) < 0)
			return -1;
		parse_block(f, (struct bytes){block, n}, at);
	}
	return 0;
}
