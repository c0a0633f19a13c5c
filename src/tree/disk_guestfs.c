/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A disk whose volumes libguestfs opens. The appliance works on an overlay of the image,
 * never on the image: what it changed is taken from there and committed like any other
 * edit, in place through the journal or as a new image.
 */
#include "base/file.h"
#include "base/progress.h"
#include "base/text.h"
#include "tree/disk.h"

#define COPY_SIZE ((size_t)1 << 20)

/* ---- opening
 * --------------------------------------------------------------------------------- */

/* The appliance's names of file systems, and those that people know. */
static const char *file_system_name(const struct guestfs_volume *volume)
{
	static const struct {
		const char *type, *name;
	} names[] = {{"ntfs", "NTFS"}, {"vfat", "FAT"}, {"btrfs", "btrfs"}};

	if (volume->encrypted)
		return "BitLocker";
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(volume->type, names[i].type) == 0)
			return names[i].name;
	return volume->type;
}

static int add_info(struct disk_image *disk, const struct guestfs_volume *volume,
		    struct error *err)
{
	struct image_info info = {.index = (unsigned)disk->image.infos.len + 1,
				  .partition = volume->partition,
				  .file_system = xstrdup(file_system_name(volume))};
	_cleanup_free_ char *detail = NULL;
	enum ntfs_condition condition;

	if (volume->label && *volume->label)
		info.label = xstrdup(volume->label);
	info.name =
		info.label ? xstrdup(info.label) : disk_partition_name(volume->partition);
	if (disk->system != SIZE_MAX)
		info.system_partition = disk->remote.items[disk->system].partition;
	vec_push(&disk->image.infos, info);
	if (guestfs_examine(disk->guestfs, volume->device, &condition, &detail, err) < 0)
		return -1;
	disk_add_problem(disk, volume->partition, condition, detail);
	return 0;
}

/* QEMU bases no overlay on a device: that is opened as it is, and only read. */
static int begin_device(struct disk_image *disk, uint32_t sector_size, struct error *err)
{
	if (disk->image.options.write) {
		error_set(err, ERROR_USAGE, disk->image.path,
			  "is a block device, on which gild edits only volumes that it "
			  "opens without libguestfs");
		return error_remedy(err, "copy it to an image, edit that, and copy it "
					 "back");
	}
	disk->guestfs = guestfs_begin(disk->image.path, disk->container.path, "raw",
				      sector_size, false, disk->image.options.keys, err);
	return disk->guestfs ? 0 : -1;
}

static int begin_overlay(struct disk_image *disk, uint32_t sector_size, struct error *err)
{
	disk->folder = temp_folder_make(NULL, err);
	if (!disk->folder)
		return -1;
	disk->overlay = xasprintf("%s/overlay.qcow2", disk->folder);
	if (container_make_overlay(&disk->container, disk->overlay, false, err) < 0)
		return -1;
	disk->guestfs = guestfs_begin(disk->image.path, disk->overlay, "qcow2",
				      sector_size, true, disk->image.options.keys, err);
	return disk->guestfs ? 0 : -1;
}

static int start(struct disk_image *disk, struct error *err)
{
	uint32_t sector_size = disk->table.sector_size ? disk->table.sector_size
						       : disk->container.sector_size;
	int result = disk->container.format == CONTAINER_DEVICE
			     ? begin_device(disk, sector_size, err)
			     : begin_overlay(disk, sector_size, err);

	return result < 0 ? -1 : guestfs_list(disk->guestfs, &disk->remote, err);
}

int disk_guestfs_open(struct disk_image *disk, const char *why, struct error *err)
{
	if (why)
		notice("%s: %s: libguestfs opens it", disk->image.path, why);
	disk->image.provider = "guestfs";
	disk->by_guestfs = true;
	disk->windows.len = 0;
	disk->system = SIZE_MAX;
	if (start(disk, err) < 0)
		return -1;
	for (size_t i = 0; i < disk->remote.len; i++) {
		vec_push(&disk->remote_trees, NULL);
		if (disk->remote.items[i].windows)
			vec_push(&disk->windows, i);
		if (disk->remote.items[i].system && disk->system == SIZE_MAX)
			disk->system = i;
	}
	vec_foreach (i, &disk->windows)
		if (add_info(disk, &disk->remote.items[*i], err) < 0)
			return -1;
	return 0;
}

struct tree *disk_guestfs_tree(struct disk_image *disk, size_t volume, struct error *err)
{
	const struct guestfs_volume *v = &disk->remote.items[volume];
	struct tree **tree = &disk->remote_trees.items[volume];
	size_t index = 0;

	for (size_t i = 0; i < disk->windows.len; i++)
		if (disk->windows.items[i] == volume)
			index = i;
	if (!disk->guestfs)
		error_set(err, ERROR_FAILED, disk->image.path,
			  "was committed: its volumes are closed");
	else if (!*tree)
		*tree = guestfs_tree(&disk->image, index,
				     disk_volume_name(disk, v->partition), disk->guestfs,
				     v->device, err);
	return *tree;
}

/* ---- after the appliance
 * ---------------------------------------------------------------------- */

static int ended(const struct tree *tree, struct error *err)
{
	return error_set(err, ERROR_FAILED, tree->name,
			 "was committed and is closed: open the image again");
}

static int ended_stat(struct tree *tree, const char *path _unused_,
		      struct tree_stat *st _unused_, char **stored _unused_,
		      struct error *err)
{
	return ended(tree, err);
}

static int ended_list(struct tree *tree, const char *path _unused_,
		      struct tree_entries *ret _unused_, struct error *err)
{
	return ended(tree, err);
}

static int ended_read(struct tree *tree, const char *path _unused_, size_t limit _unused_,
		      struct buffer *ret _unused_, struct error *err)
{
	return ended(tree, err);
}

static int ended_extract(struct tree *tree, const char *path _unused_,
			 const char *host_path _unused_, struct error *err)
{
	return ended(tree, err);
}

static const struct tree_ops ended_ops = {
	.stat = ended_stat,
	.list = ended_list,
	.read = ended_read,
	.extract = ended_extract,
};

static int end_appliance(struct disk_image *disk, struct error *err)
{
	int result = 0;

	for (size_t i = 0; i < disk->remote.len && result == 0; i++) {
		const struct tree *tree = disk->remote_trees.items[i];

		if (tree && !overlay_empty(tree->overlay))
			result = guestfs_apply(disk->guestfs,
					       disk->remote.items[i].device, tree, err);
	}
	if (guestfs_end(steal_ptr(disk->guestfs), result < 0 ? NULL : err) < 0)
		result = -1;
	vec_foreach (tree, &disk->remote_trees)
		if (*tree)
			(*tree)->ops = &ended_ops;
	return result;
}

static int copy_range(struct block *from, struct block *to,
		      const struct block_extent *extent, uint8_t *piece,
		      struct error *err)
{
	uint64_t end = extent->offset + extent->size;

	for (uint64_t at = extent->offset; at < end;) {
		size_t n = end - at < COPY_SIZE ? (size_t)(end - at) : COPY_SIZE;

		if (interrupted())
			return error_interrupted(err);
		if (block_pread(from, piece, n, at, err) < 0 ||
		    block_pwrite(to, piece, n, at, err) < 0)
			return -1;
		at += n;
	}
	return 0;
}

int disk_guestfs_apply(struct disk_image *disk, struct block *target, struct error *err)
{
	_cleanup_free_ uint8_t *piece = xmalloc(COPY_SIZE);
	_cleanup_container_ struct container overlay = {0};
	struct block_extents extents = VEC_INIT;
	struct block *from = NULL;
	int result;

	if (!disk->guestfs || !disk->overlay)
		return error_set(err, ERROR_FAILED, disk->image.path,
				 disk->guestfs ? "was opened for reading only"
					       : "was committed already");
	result = end_appliance(disk, err);
	if (result == 0)
		result = disk_probe_new(disk, disk->overlay, &overlay, err);
	if (result == 0)
		result = container_overlay_extents(&overlay, &extents, err);
	if (result == 0) {
		from = container_open(&overlay, false, err);
		result = from ? 0 : -1;
	}
	for (size_t i = 0; i < extents.len && result == 0; i++)
		result = copy_range(from, target, &extents.items[i], piece, err);
	block_close(from);
	vec_free(&extents);
	return result;
}

void disk_guestfs_close(struct disk_image *disk)
{
	(void)guestfs_end(steal_ptr(disk->guestfs), NULL);
	guestfs_volumes_free(&disk->remote);
	vec_free(&disk->remote_trees);
	free(disk->overlay);
	temp_folder_remove(disk->folder);
}
