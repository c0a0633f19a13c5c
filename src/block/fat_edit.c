/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Changes of a FAT volume. Content and folders are written at once, the tables by
 * fat_flush(); new content is allocated before the old is freed. What is below makes it
 * atomic: a journal, or a new file.
 */
#include "base/clock.h"
#include "base/text.h"
#include "block/fat_private.h"

#define PIECE ((size_t)1 << 20)
#define SETTABLE \
	(FAT_ATTR_READONLY | FAT_ATTR_HIDDEN | FAT_ATTR_SYSTEM | FAT_ATTR_ARCHIVE)

/* ---- a path, opened for changes ---- */

/* The folder that a path lies in, its entries, and the one of that name, if any. */
struct place {
	struct fat_folder folder;
	struct fat_entries entries;
	const struct fat_entry *found;
	const char *name; /* the last component */
};

static void place_free(struct place *place)
{
	fat_folder_free(&place->folder);
	fat_entries_free(&place->entries);
}
#define _cleanup_place_ _cleanup_(place_free)

static int place_open(struct fat *fat, const char *path, struct place *ret,
		      struct error *err)
{
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *parent = xstrndup(path, slash ? (size_t)(slash - path) : 0);
	_cleanup_fat_entry_ struct fat_entry folder = {0};
	int found = fat_find(fat, parent, &folder, NULL, err);

	if (!fat->writing)
		return error_set(err, ERROR_FAILED, fat->volume->name,
				 "was not opened for changes");
	if (found < 0)
		return -1;
	if (!found || !(folder.attributes & FAT_ATTR_DIRECTORY))
		return error_set(err, ERROR_FAILED, fat->volume->name,
				 "has no folder \"%s\"", parent);
	ret->name = slash ? slash + 1 : path;
	if (fat_folder_load(fat, folder.cluster, &ret->folder, err) < 0)
		return -1;
	fat_parse_folder(buffer_view(&ret->folder.raw), &ret->entries);
	ret->found = fat_entries_find(&ret->entries, ret->name);
	return 0;
}

/* The slot of an entry that has its cluster, size and attributes. */
static uint8_t *slot_of(struct place *place)
{
	return place->folder.raw.data +
	       ((size_t)place->found->slot + place->found->slots - 1) * FAT_SLOT;
}

static int store_slot(struct fat *fat, struct place *place, struct error *err)
{
	size_t at = (size_t)(slot_of(place) - place->folder.raw.data);

	return fat_folder_store(fat, &place->folder, at, at + FAT_SLOT, err);
}

static int not_there(const struct fat *fat, const char *path, struct error *err)
{
	return error_set(err, ERROR_FAILED, fat->volume->name, "has no \"%s\"", path);
}

static void put_cluster(uint8_t *slot, uint32_t cluster)
{
	put_le16(slot + SLOT_CLUSTER_HIGH, (uint16_t)(cluster >> 16));
	put_le16(slot + SLOT_CLUSTER_LOW, (uint16_t)cluster);
}

static void put_modified(uint8_t *slot, uint64_t filetime)
{
	uint32_t at = fat_time_make(filetime);

	put_le16(slot + SLOT_MODIFIED, (uint16_t)at);
	put_le16(slot + SLOT_MODIFIED + 2, (uint16_t)(at >> 16));
	put_le16(slot + SLOT_CREATED + 5, (uint16_t)(at >> 16)); /* last access */
}

static void new_slot(uint8_t slot[FAT_SLOT], uint8_t attributes, uint32_t cluster,
		     uint64_t modified)
{
	uint32_t at = fat_time_make(clock_filetime());

	memset(slot, 0, FAT_SLOT);
	slot[SLOT_ATTRIBUTES] = attributes;
	put_le16(slot + SLOT_CREATED + 1, (uint16_t)at);
	put_le16(slot + SLOT_CREATED + 3, (uint16_t)(at >> 16));
	put_modified(slot, modified ? modified : clock_filetime());
	put_cluster(slot, cluster);
}

/* ---- files ---- */

/* The last cluster is filled up with zeros. */
static int write_content(struct fat *fat, const struct fat_clusters *clusters,
			 const struct fat_source *source, struct error *err)
{
	_cleanup_free_ uint8_t *piece = xmalloc(PIECE);
	uint64_t left = source->size;

	for (size_t i = 0; i < clusters->len;) {
		size_t count = 1, len, n;

		while (count < PIECE / fat->cluster && i + count < clusters->len &&
		       clusters->items[i + count] == clusters->items[i] + count)
			count++;
		len = count * fat->cluster;
		n = left < len ? (size_t)left : len;
		if (interrupted())
			return error_interrupted(err);
		if (source->read(source->arg, piece, n, err) < 0)
			return -1;
		memset(piece + n, 0, len - n);
		if (block_pwrite(fat->volume, piece, len,
				 fat_cluster_at(fat, clusters->items[i]), err) < 0)
			return -1;
		left -= n;
		i += count;
	}
	return 0;
}

static int store_content(struct fat *fat, const struct fat_source *source,
			 uint32_t *first, struct error *err)
{
	struct fat_clusters clusters = VEC_INIT;
	uint64_t count = (source->size + fat->cluster - 1) / fat->cluster;
	int result = fat_allocate(fat, (uint32_t)count, 0, &clusters, err);

	if (result == 0)
		result = write_content(fat, &clusters, source, err);
	*first = clusters.len ? clusters.items[0] : 0;
	vec_free(&clusters);
	return result;
}

int fat_put(struct fat *fat, const char *path, const struct fat_source *source,
	    uint64_t modified, struct error *err)
{
	_cleanup_place_ struct place place = {0};
	uint8_t slot[FAT_SLOT], *there;
	uint32_t cluster, old;

	if (place_open(fat, path, &place, err) < 0)
		return -1;
	if (place.found && (place.found->attributes & FAT_ATTR_DIRECTORY))
		return error_set(err, ERROR_FAILED, fat->volume->name,
				 "has a folder \"%s\" where a file is to be", path);
	if (source->size > FAT_MAX_FILE) {
		error_set(err, ERROR_FAILED, fat->volume->name,
			  "cannot hold \"%s\": files of 4 GiB and more do not go on FAT",
			  path);
		return error_remedy(err, "put it on an NTFS volume");
	}
	if (store_content(fat, source, &cluster, err) < 0)
		return -1;
	if (!place.found) {
		new_slot(slot, FAT_ATTR_ARCHIVE, cluster, modified);
		put_le32(slot + SLOT_SIZE, (uint32_t)source->size);
		return fat_folder_add(fat, &place.folder, place.name, slot, err);
	}
	old = place.found->cluster;
	there = slot_of(&place);
	there[SLOT_ATTRIBUTES] |= FAT_ATTR_ARCHIVE;
	put_modified(there, modified ? modified : clock_filetime());
	put_cluster(there, cluster);
	put_le32(there + SLOT_SIZE, (uint32_t)source->size);
	return store_slot(fat, &place, err) < 0 ? -1 : fat_free_chain(fat, old, err);
}

static int read_bytes(void *arg, void *to, size_t len, struct error *err _unused_)
{
	struct bytes *from = arg;

	memcpy(to, from->data, len);
	*from = bytes_at(*from, len, from->len - len);
	return 0;
}

static int write_through(struct fat *fat, struct error *err)
{
	return fat_write_table(fat, err) < 0 ? -1 : block_flush(fat->volume, err);
}

/* The entry leads to the new content; the old one is free once that is on the disk. */
static int switch_content(struct fat *fat, struct place *place, uint32_t cluster,
			  uint32_t size, struct error *err)
{
	uint32_t old = place->found->cluster;
	uint8_t *slot = slot_of(place);

	slot[SLOT_ATTRIBUTES] |= FAT_ATTR_ARCHIVE;
	put_modified(slot, clock_filetime());
	put_cluster(slot, cluster);
	put_le32(slot + SLOT_SIZE, size);
	if (store_slot(fat, place, err) < 0 || block_flush(fat->volume, err) < 0 ||
	    fat_free_chain(fat, old, err) < 0)
		return -1;
	return write_through(fat, err);
}

int fat_replace(struct fat *fat, const char *path, struct bytes data, struct error *err)
{
	_cleanup_place_ struct place place = {0};
	struct bytes rest = data;
	struct fat_source source = {data.len, read_bytes, &rest};
	uint8_t slot[FAT_SLOT];
	uint32_t cluster;

	if (data.len > FAT_MAX_FILE)
		return error_set(err, ERROR_FAILED, path, "is too large for FAT");
	if (place_open(fat, path, &place, err) < 0)
		return -1;
	if (place.found && (place.found->attributes & FAT_ATTR_DIRECTORY))
		return error_set(err, ERROR_FAILED, fat->volume->name,
				 "has a folder \"%s\" where a file is to be", path);
	if (store_content(fat, &source, &cluster, err) < 0 || write_through(fat, err) < 0)
		return -1;
	if (place.found)
		return switch_content(fat, &place, cluster, (uint32_t)data.len, err);
	new_slot(slot, FAT_ATTR_ARCHIVE, cluster, 0);
	put_le32(slot + SLOT_SIZE, (uint32_t)data.len);
	if (fat_folder_add(fat, &place.folder, place.name, slot, err) < 0)
		return -1;
	return write_through(fat, err);
}

/* ---- folders ---- */

/* How a folder names itself and its parent; the root is 0. */
static void put_dots(struct fat *fat, uint8_t *raw, uint32_t self, uint32_t parent,
		     const uint8_t slot[FAT_SLOT])
{
	for (size_t i = 0; i < 2; i++) {
		memcpy(raw + i * FAT_SLOT, slot, FAT_SLOT);
		memset(raw + i * FAT_SLOT, ' ', SLOT_ATTRIBUTES);
		memset(raw + i * FAT_SLOT, '.', i + 1);
	}
	put_cluster(raw, self);
	put_cluster(raw + FAT_SLOT, parent == fat_root(fat) ? 0 : parent);
}

int fat_mkdir(struct fat *fat, const char *path, uint32_t slots, uint64_t modified,
	      struct error *err)
{
	_cleanup_place_ struct place place = {0};
	_cleanup_fat_folder_ struct fat_folder folder = {0};
	uint64_t size = ((uint64_t)slots + 2) * FAT_SLOT;
	uint8_t slot[FAT_SLOT];
	size_t len;

	if (place_open(fat, path, &place, err) < 0)
		return -1;
	if (place.found && (place.found->attributes & FAT_ATTR_DIRECTORY))
		return 0;
	if (place.found)
		return error_set(err, ERROR_FAILED, fat->volume->name,
				 "has a file \"%s\" where a folder is to be", path);
	if (size > FAT_MAX_FOLDER)
		size = FAT_MAX_FOLDER;
	if (fat_allocate(fat, (uint32_t)((size + fat->cluster - 1) / fat->cluster), 0,
			 &folder.chain, err) < 0)
		return -1;
	folder.cluster = folder.chain.items[0];
	len = folder.chain.len * fat->cluster;
	memset(buffer_reserve(&folder.raw, len), 0, len);
	folder.raw.len = len;
	new_slot(slot, FAT_ATTR_DIRECTORY, folder.cluster, modified);
	put_dots(fat, folder.raw.data, folder.cluster, place.folder.cluster, slot);
	if (fat_folder_store(fat, &folder, 0, len, err) < 0)
		return -1;
	return fat_folder_add(fat, &place.folder, place.name, slot, err);
}

/* Frees all that lies in a folder. A cluster that was freed before ends it. */
static int free_folder(struct fat *fat, uint32_t cluster, unsigned depth,
		       struct error *err)
{
	_cleanup_fat_folder_ struct fat_folder folder = {0};
	_cleanup_fat_entries_ struct fat_entries entries = VEC_INIT;

	if (depth > FAT_MAX_DEPTH || !fat_is_cluster(fat, cluster))
		return fat_damaged(fat, err, "a folder lies nowhere or in itself");
	if (fat_folder_load(fat, cluster, &folder, err) < 0 ||
	    fat_free_chain(fat, cluster, err) < 0)
		return -1;
	fat_parse_folder(buffer_view(&folder.raw), &entries);
	vec_foreach (entry, &entries)
		if ((entry->attributes & FAT_ATTR_DIRECTORY
			     ? free_folder(fat, entry->cluster, depth + 1, err)
			     : fat_free_chain(fat, entry->cluster, err)) < 0)
			return -1;
	return 0;
}

int fat_remove(struct fat *fat, const char *path, struct error *err)
{
	_cleanup_place_ struct place place = {0};

	if (place_open(fat, path, &place, err) < 0)
		return -1;
	if (!place.found)
		return 0;
	if ((place.found->attributes & FAT_ATTR_DIRECTORY
		     ? free_folder(fat, place.found->cluster, 0, err)
		     : fat_free_chain(fat, place.found->cluster, err)) < 0)
		return -1;
	return fat_folder_drop(fat, &place.folder, place.found, err);
}

/* ---- attributes and places ---- */

int fat_set_attributes(struct fat *fat, const char *path, uint8_t attributes,
		       struct error *err)
{
	_cleanup_place_ struct place place = {0};
	uint8_t *slot;

	if (place_open(fat, path, &place, err) < 0)
		return -1;
	if (!place.found)
		return not_there(fat, path, err);
	slot = slot_of(&place);
	slot[SLOT_ATTRIBUTES] =
		(uint8_t)((slot[SLOT_ATTRIBUTES] & ~SETTABLE) | (attributes & SETTABLE));
	return store_slot(fat, &place, err);
}

int fat_detach(struct fat *fat, const char *path, struct fat_detached *ret,
	       struct error *err)
{
	_cleanup_place_ struct place place = {0};

	if (place_open(fat, path, &place, err) < 0)
		return -1;
	if (!place.found)
		return not_there(fat, path, err);
	memcpy(ret->raw, slot_of(&place), sizeof(ret->raw));
	return fat_folder_drop(fat, &place.folder, place.found, err);
}

int fat_attach(struct fat *fat, const char *path, const struct fat_detached *detached,
	       struct error *err)
{
	_cleanup_place_ struct place place = {0};
	_cleanup_fat_folder_ struct fat_folder folder = {0};
	uint32_t cluster = (uint32_t)get_le16(detached->raw + SLOT_CLUSTER_HIGH) << 16 |
			   get_le16(detached->raw + SLOT_CLUSTER_LOW);

	if (place_open(fat, path, &place, err) < 0)
		return -1;
	if (place.found)
		return error_set(err, ERROR_FAILED, fat->volume->name,
				 "has a \"%s\" already", path);
	if (detached->raw[SLOT_ATTRIBUTES] & FAT_ATTR_DIRECTORY) {
		if (!fat_is_cluster(fat, cluster))
			return fat_damaged(fat, err, "a folder lies nowhere");
		if (fat_folder_load(fat, cluster, &folder, err) < 0)
			return -1;
		if (memcmp(folder.raw.data + FAT_SLOT, "..         ", SLOT_ATTRIBUTES) !=
		    0)
			return fat_damaged(fat, err, "a folder does not name its parent");
		put_cluster(folder.raw.data + FAT_SLOT,
			    place.folder.cluster == fat_root(fat) ? 0
								  : place.folder.cluster);
		if (fat_folder_store(fat, &folder, FAT_SLOT, (size_t)2 * FAT_SLOT, err) <
		    0)
			return -1;
	}
	return fat_folder_add(fat, &place.folder, place.name, detached->raw, err);
}

int fat_flush(struct fat *fat, struct error *err)
{
	return fat_write_table(fat, err);
}

/* ---- in place ---- */

int fat_rewrite(struct fat *fat, const char *path, struct bytes data, struct error *err)
{
	_cleanup_fat_entry_ struct fat_entry entry = {0};
	_cleanup_free_ uint8_t *old = xmalloc(fat->cluster);
	int found = fat_find(fat, path, &entry, NULL, err);
	uint64_t at;

	if (found < 0)
		return -1;
	if (!found || entry.attributes & FAT_ATTR_DIRECTORY)
		return not_there(fat, path, err);
	if (entry.size != data.len || !data.len || data.len > fat->cluster ||
	    !fat_is_cluster(fat, entry.cluster))
		return error_set(err, ERROR_FAILED, fat->volume->name,
				 "cannot change \"%s\" in place: it has %u bytes", path,
				 entry.size);
	at = fat_cluster_at(fat, entry.cluster);
	if (block_pread(fat->volume, old, fat->cluster, at, err) < 0)
		return -1;
	for (size_t i = 0; i < data.len; i += fat->sector) {
		size_t n = data.len - i < fat->sector ? data.len - i : fat->sector;

		if (memcmp(old + i, data.data + i, n) == 0)
			continue;
		memcpy(old + i, data.data + i, n);
		if (block_pwrite(fat->volume, old + i, fat->sector, at + i, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- many at once ---- */

/* A folder that fat_fill() makes, and the slots that it will need. */
struct planned {
	char *path;
	uint32_t slots;
};
DEFINE_VEC(planned_folders, struct planned);

static void planned_free(struct planned_folders *folders)
{
	vec_foreach (folder, folders)
		free(folder->path);
	vec_free(folders);
}

/* One slot, and those of a long name of that length, whether it will have one or not. */
static uint32_t slots_of(const char *name)
{
	return 1 + (uint32_t)(utf16_units(name) + 12) / 13;
}

static void plan(struct planned_folders *folders, const char *path, bool folder)
{
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *parent = NULL;

	vec_foreach (known, folders)
		if (folder && text_equal(known->path, path))
			return;
	if (slash) {
		parent = xstrndup(path, (size_t)(slash - path));
		plan(folders, parent, true);
		vec_foreach (known, folders)
			if (text_equal(known->path, parent))
				known->slots += slots_of(slash + 1);
	}
	if (folder)
		vec_push(folders, (struct planned){xstrdup(path), 0});
}

static int put_item(struct fat *fat, const struct fat_item *item, struct error *err)
{
	struct bytes data = item->data;
	struct fat_source source = {data.len, read_bytes, &data};

	if (!(item->attributes & FAT_ATTR_DIRECTORY) &&
	    fat_put(fat, item->path, &source, item->modified, err) < 0)
		return -1;
	return fat_set_attributes(fat, item->path, item->attributes, err);
}

static uint64_t modified_of(const struct fat_item *items, size_t count, const char *path)
{
	for (size_t i = 0; i < count; i++)
		if ((items[i].attributes & FAT_ATTR_DIRECTORY) &&
		    text_equal(items[i].path, path))
			return items[i].modified;
	return 0;
}

int fat_fill(struct block *volume, const struct fat_item *items, size_t count,
	     struct error *err)
{
	_cleanup_fat_ struct fat *fat = fat_open(volume, err);
	_cleanup_(planned_free) struct planned_folders folders = VEC_INIT;

	if (!fat || fat_begin(fat, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		plan(&folders, items[i].path, items[i].attributes & FAT_ATTR_DIRECTORY);
	/* First all folders, so that they are in one piece. */
	vec_foreach (folder, &folders)
		if (fat_mkdir(fat, folder->path, folder->slots,
			      modified_of(items, count, folder->path), err) < 0)
			return -1;
	for (size_t i = 0; i < count; i++)
		if (put_item(fat, &items[i], err) < 0)
			return -1;
	return fat_flush(fat, err);
}
