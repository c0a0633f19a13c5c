/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Object IDs of an NTFS volume. A file's attribute has the ID alone; where the file was
 * born stands in the index $O of $Extend\$ObjId, by the ID: the file's reference, then
 * the birth volume, birth object and domain (ntfs-3g's layout.h, OBJ_ID_INDEX_DATA).
 */
#include <errno.h>

#include "tree/files_ntfs.h"

#include <ntfs-3g/index.h>

#include "base/text.h"

#define ID_SIZE 16
/* An entry of an index. */
#define ENTRY_DATA_OFFSET 0x00
#define ENTRY_LENGTH 0x08
#define DATA_REFERENCE 0
#define DATA_BIRTH_VOLUME 8
#define DATA_BIRTH_OBJECT 24
#define DATA_DOMAIN 40
#define DATA_SIZE 56

static ntfschar index_name[] = {const_cpu_to_le16('$'), const_cpu_to_le16('O')};

/* 1: *ret is the index' inode, 0: the volume has none, -1. */
static int find_index(struct files_ntfs *f, ntfs_inode **ret, struct error *err)
{
	_cleanup_buffer_ struct buffer name = BUFFER_INIT;
	_cleanup_free_ uint8_t *storage = NULL;
	_cleanup_inode_ ntfs_inode *extend = NULL;
	struct ntfs_name found;
	int result;

	if (f->ntfs->volume->major_ver < 3)
		return 0;
	extend = ntfs_open_inode(f->ntfs, FILE_Extend, "$Extend", err);
	if (!extend)
		return -1;
	utf16_append(&name, "$ObjId");
	result = ntfs_index_find(f->ntfs, extend, buffer_view(&name), &found, &storage,
				 err);
	if (result <= 0)
		return result;
	*ret = ntfs_open_inode(f->ntfs, found.reference, "$Extend/$ObjId", err);
	return *ret ? 1 : -1;
}

/* Fills what the index says of an ID; nothing if it says nothing of this file. */
static int look_up(struct files_ntfs *f, ntfs_inode *index, uint32_t inode,
		   struct error *err)
{
	struct files_object_id *id = f->files.inodes.items[inode].object_id;
	ntfs_index_context *ctx;
	int result = 0;

	ntfs_begin(f->ntfs);
	ctx = ntfs_index_ctx_get(index, index_name, ARRAY_SIZE(index_name));
	if (!ctx)
		return ntfs_failed(f->ntfs, err, f->files.name,
				   "cannot read its object IDs ($ObjId)");
	if (ntfs_index_lookup(id->id, ID_SIZE, ctx) == 0) {
		/* Its length was checked by libntfs-3g, the place of the data not. */
		const uint8_t *raw = (const uint8_t *)ctx->entry;
		struct bytes data =
			bytes_at((struct bytes){raw, get_le16(raw + ENTRY_LENGTH)},
				 get_le16(raw + ENTRY_DATA_OFFSET), DATA_SIZE);

		if (data.data &&
		    get_le64(data.data + DATA_REFERENCE) == f->references.items[inode]) {
			memcpy(id->birth_volume, data.data + DATA_BIRTH_VOLUME, ID_SIZE);
			memcpy(id->birth_object, data.data + DATA_BIRTH_OBJECT, ID_SIZE);
			memcpy(id->domain, data.data + DATA_DOMAIN, ID_SIZE);
		}
	} else if (errno != ENOENT) {
		result = ntfs_failed(f->ntfs, err, f->files.name,
				     "cannot read its object IDs ($ObjId)");
	}
	ntfs_index_ctx_put(ctx);
	return result;
}

int files_ntfs_object_ids(struct files_ntfs *f, struct error *err)
{
	_cleanup_inode_ ntfs_inode *index = NULL;
	int found = find_index(f, &index, err);

	if (found <= 0)
		return found;
	for (uint32_t i = 0; i < f->files.inodes.len; i++)
		if (f->files.inodes.items[i].object_id && look_up(f, index, i, err) < 0)
			return -1;
	return 0;
}
