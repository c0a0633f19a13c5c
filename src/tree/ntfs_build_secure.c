/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * $Secure: every descriptor once, in $SDS, found by number ($SII) and by hash ($SDH).
 * $SDS is written in blocks of 256 KiB, each followed by a copy of itself.
 */
#include "tree/ntfs_build.h"
#include "tree/security.h"

#define FIRST_NUMBER 0x100u
#define SDS_BLOCK (256u * 1024)
#define SDS_HEADER 20u
#define SDH_TAIL 0x00490049u /* "II" */

/* What NT gives a file in a folder with descriptor `parent`. */
struct inherited {
	uint32_t parent, number;
	bool folder;
};

static uint32_t add_descriptor(struct ntfs_build *b, struct bytes descriptor)
{
	vec_push(&b->descriptors, descriptor);
	return FIRST_NUMBER + (uint32_t)b->descriptors.len - 1;
}

static uint32_t add_own(struct ntfs_build *b, struct buffer *descriptor)
{
	vec_push(&b->own_descriptors, descriptor);
	return add_descriptor(b, buffer_view(descriptor));
}

/* The descriptors of Windows' own files on NTFS: access for SYSTEM and Administrators. */
static void add_system(struct ntfs_build *b, uint32_t access)
{
	static const uint8_t sids[] = {1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0, /* SYSTEM */
				       1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 32, 2, 0, 0};
	struct buffer *d = xcalloc(1, sizeof(*d));

	buffer_append(d, "\1\0\4\x80", 4); /* self-relative, with a DACL */
	buffer_append_le32(d, 72);
	buffer_append_le32(d, 84);
	buffer_append_le32(d, 0);
	buffer_append_le32(d, 20);
	buffer_append_le32(d, 2 | 52 << 16); /* the ACL: revision, size, entries */
	buffer_append_le32(d, 2);
	buffer_append_le32(d, 20 << 16);
	buffer_append_le32(d, access);
	buffer_append(d, sids, 12);
	buffer_append_le32(d, 24 << 16);
	buffer_append_le32(d, access);
	buffer_append(d, sids + 12, 16);
	buffer_append(d, sids, sizeof(sids));
	add_own(b, d);
}

static uint32_t inherit(struct ntfs_build *b, uint32_t parent, bool folder)
{
	struct buffer *d = xcalloc(1, sizeof(*d));
	struct bytes from = {0};

	if (parent)
		from = b->descriptors.items[parent - FIRST_NUMBER];
	security_inherit(from, folder, d);
	return add_own(b, d);
}

void ntfs_plan_security(struct ntfs_build *b)
{
	const struct files *files = b->files;
	_cleanup_free_ uint32_t *numbers =
		xcalloc(files->security.len + 1, sizeof(*numbers));
	struct vec_of(struct inherited) known = VEC_INIT;

	add_system(b, 0x120089);
	add_system(b, 0x12019f);
	for (uint32_t i = 0; i < files->entries.len; i++) {
		const struct files_entry *entry = &files->entries.items[i];
		struct ntfs_inode *inode = &b->inodes[entry->inode];
		const struct files_inode *from = &files->inodes.items[entry->inode];
		bool folder = from->attributes & FILES_ATTR_DIRECTORY;
		uint32_t id = from->security, parent;

		if (inode->security)
			continue;
		if (id < files->security.len && numbers[id] != UINT32_MAX) {
			struct bytes d = files->security.items[id];

			if (!numbers[id])
				numbers[id] = security_valid(d) && d.len < SDS_BLOCK / 2
						      ? add_descriptor(b, d)
						      : UINT32_MAX;
			inode->security = numbers[id];
			if (inode->security != UINT32_MAX)
				continue;
		}
		b->bad_descriptors += id != FILES_NONE;
		parent = i ? b->inodes[files->entries.items[entry->parent].inode].security
			   : 0;
		inode->security = 0;
		vec_foreach (k, &known)
			if (k->parent == parent && k->folder == folder)
				inode->security = k->number;
		if (inode->security)
			continue;
		inode->security = inherit(b, parent, folder);
		vec_push(&known, (struct inherited){parent, inode->security, folder});
	}
	vec_free(&known);
}

/* ---- writing
 * ---------------------------------------------------------------------------- */

static uint32_t hash_of(struct bytes d)
{
	uint32_t hash = 0;

	for (size_t i = 0; i + 4 <= d.len; i += 4)
		hash = get_le32(d.data + i) + (hash << 3 | hash >> 29);
	return hash;
}

struct keyed {
	uint32_t hash, number;
	uint8_t header[SDS_HEADER];
};

static int compare_keyed(const void *a, const void *b)
{
	const struct keyed *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return (x->number > y->number) - (x->number < y->number);
}

/* Places the descriptors; the copies follow from the places. */
static uint64_t place_descriptors(struct ntfs_build *b, struct keyed *keys)
{
	uint64_t at = 0, end = 0;

	for (size_t i = 0; i < b->descriptors.len; i++) {
		struct bytes d = b->descriptors.items[i];
		size_t len = SDS_HEADER + d.len;

		at = (at + 15) & ~UINT64_C(15);
		if (at % SDS_BLOCK + len > SDS_BLOCK || at / SDS_BLOCK % 2)
			at = (at / SDS_BLOCK / 2 * 2 + 2) * SDS_BLOCK;
		keys[i].hash = hash_of(d);
		keys[i].number = FIRST_NUMBER + (uint32_t)i;
		put_le32(keys[i].header, keys[i].hash);
		put_le32(keys[i].header + 4, keys[i].number);
		put_le64(keys[i].header + 8, at);
		put_le32(keys[i].header + 16, (uint32_t)len);
		end = at + len;
		at = end;
	}
	return end + SDS_BLOCK;
}

int ntfs_write_descriptors(struct ntfs_build *b, struct ntfs_run *sds, uint64_t *size,
			   struct ntfs_index *by_hash, struct ntfs_index *by_number,
			   struct error *err)
{
	size_t count = b->descriptors.len;
	_cleanup_free_ struct keyed *keys = xcalloc(count, sizeof(*keys));
	uint8_t key[8];

	*size = place_descriptors(b, keys);
	sds->count = ntfs_clusters_of(*size);
	if (ntfs_allocate(b, sds->count, &sds->lcn, err) < 0)
		return -1;
	for (int copy = 0; copy < 2; copy++)
		for (size_t i = 0; i < count; i++) {
			uint64_t at =
				sds->lcn * NTFS_CLUSTER + get_le64(keys[i].header + 8);

			at += copy ? SDS_BLOCK : 0;
			if (ntfs_output_write(&b->out, at,
					      (struct bytes){keys[i].header, SDS_HEADER},
					      err) < 0 ||
			    ntfs_output_write(&b->out, at + SDS_HEADER,
					      b->descriptors.items[i], err) < 0)
				return -1;
		}
	for (size_t i = 0; i < count; i++) {
		put_le32(key, keys[i].number);
		ntfs_index_add_view(by_number, (struct bytes){key, 4},
				    (struct bytes){keys[i].header, SDS_HEADER}, 0);
	}
	qsort(keys, count, sizeof(*keys), compare_keyed);
	for (size_t i = 0; i < count; i++) {
		put_le32(key, keys[i].hash);
		put_le32(key + 4, keys[i].number);
		ntfs_index_add_view(by_hash, (struct bytes){key, 8},
				    (struct bytes){keys[i].header, SDS_HEADER}, SDH_TAIL);
	}
	return 0;
}
