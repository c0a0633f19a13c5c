/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The commit of a disk image. In place everything goes through the journal: what is
 * written to free clusters is there before it, all else after it is complete, so that a
 * stop at any moment leaves the old disk or, with the next opening, the new one. With an
 * output the source is only read: a qcow2 holds the change and names the source, any
 * other image is a copy; both get their name when they are whole.
 */
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "block/journal.h"
#include "tree/disk.h"

/* For journal, tables and rounding. */
#define SPACE_SLACK ((uint64_t)16 << 20)

static bool is_changed(const struct tree *tree)
{
	return tree && !overlay_empty(tree->overlay);
}

/* Goes through the trees of the volumes: libguestfs', or gild's own. */
static bool next_tree(const struct disk_image *disk, size_t *i, struct tree **ret)
{
	if (*i >= (disk->by_guestfs ? disk->remote_trees.len : disk->volumes.len))
		return false;
	*ret = disk->by_guestfs ? disk->remote_trees.items[*i]
				: disk->volumes.items[*i].tree;
	++*i;
	return true;
}

bool disk_changed(const struct image *image)
{
	const struct disk_image *disk = (const struct disk_image *)image;
	struct tree *tree;

	for (size_t i = 0; next_tree(disk, &i, &tree);)
		if (is_changed(tree))
			return true;
	return false;
}

static uint64_t staged_bytes(const struct disk_image *disk)
{
	struct tree *tree;
	uint64_t sum = 0;

	for (size_t i = 0; next_tree(disk, &i, &tree);)
		if (tree)
			sum += overlay_bytes(tree->overlay);
	return sum;
}

/* Where a sparse file has room for what it claims, it does not grow. */
static uint64_t allocated(const char *path, bool *whole)
{
	struct stat st;

	*whole = false;
	if (stat(path, &st) < 0)
		return 0;
	*whole = (uint64_t)st.st_blocks * 512 >= (uint64_t)st.st_size;
	return (uint64_t)st.st_blocks * 512;
}

static int check_sound(const struct disk_image *disk, struct error *err)
{
	for (size_t i = 0; i < disk->image.trees.len; i++)
		if (is_changed(disk->image.trees.items[i]) &&
		    disk_check_sound(disk, i, err) < 0)
			return -1;
	return 0;
}

/* ---- carrying the changes out on a disk
 * ------------------------------------------------------ */

static int apply_volume(struct block *target, const struct disk_volume *volume,
			struct error *err)
{
	_cleanup_block_ struct block *window = block_window_open(
		target, volume->partition.offset, volume->partition.size,
		xstrdup(volume->tree->name), err);
	struct ntfs *ntfs;
	int result;

	if (!window)
		return -1;
	if (volume->fat)
		return fat_apply(window, volume->tree, err);
	ntfs = ntfs_open(window, true, err);
	if (!ntfs)
		return -1;
	result = ntfs_check_space(ntfs, volume->tree, err);
	if (result == 0)
		result = ntfs_apply(ntfs, volume->tree, err);
	if (ntfs_close(ntfs, result < 0 ? NULL : err) < 0)
		result = -1;
	return result;
}

static int apply_all(struct disk_image *disk, struct block *target, struct error *err)
{
	if (disk->by_guestfs)
		return disk_guestfs_apply(disk, target, err);
	vec_foreach (volume, &disk->volumes)
		if (is_changed(volume->tree) && apply_volume(target, volume, err) < 0)
			return -1;
	return interrupted() ? error_interrupted(err) : 0;
}

/* ---- in place
 * -------------------------------------------------------------------------------- */

/* What of the volume is free: that is written straight through. */
static int declare_free(struct block *journal, const struct disk_volume *volume,
			struct error *err)
{
	_cleanup_buffer_ struct buffer bitmap = BUFFER_INIT;
	uint32_t cluster = ntfs_cluster_size(volume->ntfs);
	struct bytes bits;

	if (ntfs_bitmap(volume->ntfs, &bitmap, err) < 0)
		return -1;
	/* Nothing behind the volume is free because of it. */
	bits = buffer_view(&bitmap);
	if (bits.len > volume->partition.size / cluster / 8)
		bits.len = (size_t)(volume->partition.size / cluster / 8);
	return journal_free_clusters(journal, volume->partition.offset, cluster, bits,
				     err);
}

/* How the volume reads while it is neither old nor new: in $MFT or FAT, and its mirror.
 */
static int declare_marks(struct block *journal, const struct disk_volume *volume,
			 struct error *err)
{
	for (unsigned copy = 0; copy < 2; copy++) {
		_cleanup_buffer_ struct buffer mark = BUFFER_INIT;
		uint64_t offset;
		int found = volume->fat ? fat_dirty_mark(volume->fat, copy, &offset,
							 &mark, err)
					: ntfs_dirty_mark(volume->ntfs, copy, &offset,
							  &mark, err);

		if (found < 0 ||
		    (found && journal_mark(journal, volume->partition.offset + offset,
					   buffer_view(&mark), err) < 0))
			return -1;
	}
	return 0;
}

/*
 * libguestfs' edit comes from an overlay as a whole: nothing of it may be written early.
 * Of a FAT volume all goes through the journal: it is a few files.
 */
static int declare_volume(const struct disk_image *disk, struct block *journal,
			  const struct disk_volume *volume, struct error *err)
{
	if (!volume->fat && !disk->by_guestfs && declare_free(journal, volume, err) < 0)
		return -1;
	return declare_marks(journal, volume, err);
}

static int check_space(const struct disk_image *disk, struct error *err)
{
	const char *path = disk->container.layers.items[0].path;
	uint64_t need = SPACE_SLACK;
	bool whole;

	(void)allocated(path, &whole);
	if (!whole && disk->container.format != CONTAINER_DEVICE)
		need += staged_bytes(disk);
	if (disk->container.format != CONTAINER_DEVICE &&
	    file_check_space(path, need, err) < 0)
		return -1;
	return file_check_space(disk->journal, SPACE_SLACK, err);
}

/* libguestfs' volumes that are NTFS in a partition are known natively, too. */
static bool volume_changes(const struct disk_image *disk,
			   const struct disk_volume *volume)
{
	if (!disk->by_guestfs || !volume->ntfs)
		return is_changed(volume->tree);
	for (size_t i = 0; i < disk->remote.len; i++)
		if (disk->remote.items[i].partition == volume->partition.number &&
		    is_changed(disk->remote_trees.items[i]))
			return true;
	return false;
}

static int edit(struct disk_image *disk, struct block *journal, uint64_t *written,
		struct error *err)
{
	vec_foreach (volume, &disk->volumes)
		if (volume_changes(disk, volume) &&
		    declare_volume(disk, journal, volume, err) < 0)
			return -1;
	/* A writer of the image and a reader of the overlay over it exclude each other.
	 */
	if (!disk->by_guestfs && container_reopen(disk->block, true, err) < 0)
		return -1;
	if (apply_all(disk, journal, err) < 0)
		return -1;
	if (disk->by_guestfs && container_reopen(disk->block, true, err) < 0)
		return -1;
	return journal_commit(journal, written, err);
}

/* What was read of the changed volumes is old now; what is staged is in them. */
static void settle(struct disk_image *disk)
{
	struct tree *tree;

	vec_foreach (volume, &disk->volumes)
		if (volume->fat)
			fat_forget(volume->fat);
		else if (volume_changes(disk, volume))
			(void)ntfs_remount(volume->ntfs, NULL);
	for (size_t i = 0; next_tree(disk, &i, &tree);) {
		if (!is_changed(tree))
			continue;
		overlay_free(tree->overlay);
		tree->overlay = overlay_new("");
	}
}

/*
 * After a failure. Where what a dead writer left in the container cannot be mended now,
 * the journal stays, and the next opening does it.
 */
static void calm(struct disk_image *disk, struct block *journal)
{
	if (container_reopen(disk->block, false, NULL) < 0 && !disk->container.direct)
		journal_keep(journal);
}

static int commit_in_place(struct disk_image *disk, uint64_t *written, struct error *err)
{
	struct journal_identity identity = {
		.size = disk->block->size,
		.format = container_format_name(disk->container.format)};
	struct block *journal;
	int result;

	if (disk_check_in_place(disk, err) < 0 || check_space(disk, err) < 0)
		return -1;
	journal = journal_begin(disk->block, disk->journal, &identity, err);
	if (!journal)
		return -1;
	result = edit(disk, journal, written, err);
	if (result < 0)
		calm(disk, journal);
	block_close(journal);
	if (result < 0)
		return -1;
	/* Reading goes on if it can; the edit is done. */
	(void)container_reopen(disk->block, false, NULL);
	settle(disk);
	return 0;
}

/* ---- as a new image
 * -------------------------------------------------------------------------- */

static char *folder_of(const char *path)
{
	_cleanup_free_ char *copy = xstrdup(path);

	return xstrdup(dirname(copy));
}

int disk_probe_new(const struct disk_image *disk, const char *path, struct container *ret,
		   struct error *err)
{
	const struct strings *given = disk->image.options.allow_backing;
	struct strings allow = VEC_INIT;
	int result;

	for (size_t i = 0; given && i < given->len; i++)
		strings_push(&allow, given->items[i]);
	vec_foreach (file, &disk->container.files)
		vec_push(&allow, folder_of(*file));
	result = container_probe(path, &allow, ret, err);
	strings_free(&allow);
	return result;
}

static int edit_container(struct disk_image *disk, const char *path, struct error *err)
{
	_cleanup_container_ struct container container = {0};
	_cleanup_block_ struct block *block = NULL;

	if (disk_probe_new(disk, path, &container, err) < 0)
		return -1;
	block = container_open(&container, true, err);
	return !block || apply_all(disk, block, err) < 0 ? -1 : block_flush(block, err);
}

static int put_in_place(const char *path, const char *output, uint64_t *written,
			struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool whole;

	if (interrupted())
		return error_interrupted(err);
	if (fd < 0 || fsync(fd) < 0)
		return error_errno(err, output, "cannot sync");
	if (rename(path, output) < 0)
		return error_errno(err, output, "cannot rename the new image into place");
	*written = allocated(output, &whole);
	return file_sync_folder(output, err);
}

/* Images that lie together refer to each other by name, and can be moved together. */
static bool same_folder(const struct disk_image *disk, const char *output)
{
	_cleanup_free_ char *base = folder_of(disk->container.layers.items[0].path);
	_cleanup_free_ char *folder = folder_of(output);
	struct stat a, b;

	return stat(base, &a) == 0 && stat(folder, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

/* A qcow2 with the change only. It is made beside its place: its reference is relative.
 */
static int output_change(struct disk_image *disk, const char *output, uint64_t *written,
			 struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s.gild-XXXXXX", output);
	int fd, result;

	if (file_check_space(output, SPACE_SLACK + staged_bytes(disk), err) < 0)
		return -1;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, output, "cannot make it");
	(void)fchmod(fd, 0644);
	close(fd);
	result = container_make_overlay(&disk->container, path, same_folder(disk, output),
					err);
	if (result == 0)
		result = edit_container(disk, path, err);
	if (result == 0)
		result = put_in_place(path, output, written, err);
	if (result < 0)
		(void)unlink(path);
	return result;
}

/* QEMU makes overlays of files of its own formats only. */
static bool can_have_overlay(const struct container *c)
{
	const struct container_layer *top = &c->layers.items[0];

	return !c->own_reader && c->format != CONTAINER_DEVICE &&
	       (top->fixed || top->qemu_size == top->virtual_size);
}

/* The copy in `folder`: of an edited overlay, so that nothing is written twice. */
static int make_copy(struct disk_image *disk, const char *folder,
		     const struct container_output *output, char **path,
		     struct error *err)
{
	_cleanup_free_ char *overlay = xasprintf("%s/overlay.qcow2", folder);
	_cleanup_container_ struct container container = {0};

	*path = xasprintf("%s/disk", folder);
	if (!can_have_overlay(&disk->container))
		return container_convert(&disk->container, *path, output, err) < 0
			       ? -1
			       : edit_container(disk, *path, err);
	if (container_make_overlay(&disk->container, overlay, false, err) < 0 ||
	    edit_container(disk, overlay, err) < 0 ||
	    disk_probe_new(disk, overlay, &container, err) < 0)
		return -1;
	return container_convert(&container, *path, output, err);
}

static int output_copy(struct disk_image *disk, const char *output,
		       enum container_format format, uint64_t *written, struct error *err)
{
	_cleanup_(temp_folder_removep) char *folder = NULL;
	_cleanup_free_ char *path = NULL;
	struct container_output wanted = {.format = format};
	uint64_t need = SPACE_SLACK + 2 * staged_bytes(disk);
	bool whole;

	/* The same format keeps its kind: dynamic, streamOptimized. */
	if (format == disk->container.format && !disk->container.differencing)
		wanted.subtype = disk->container.subtype;
	vec_foreach (file, &disk->container.files)
		need += allocated(*file, &whole);
	if (file_check_space(output, need, err) < 0)
		return -1;
	folder = temp_folder_make(output, err);
	if (!folder || make_copy(disk, folder, &wanted, &path, err) < 0)
		return -1;
	return put_in_place(path, output, written, err);
}

static int commit_output(struct disk_image *disk,
			 const struct image_commit_options *options, uint64_t *written,
			 struct error *err)
{
	enum container_format format = container_format_of_name(options->output);
	int result;

	if (format == CONTAINER_NONE) {
		error_set(err, ERROR_USAGE, options->output,
			  "does not tell a format by its ending");
		return error_remedy(
			err, "let it end with .qcow2, .vhdx, .vhd, .vmdk, .raw or .img");
	}
	if (format == CONTAINER_QCOW2 && !options->standalone)
		result = output_change(disk, options->output, written, err);
	else
		result = output_copy(disk, options->output, format, written, err);
	if (result < 0 && err && err->code != ERROR_INTERRUPTED)
		error_wrap(err, options->output, "cannot be made");
	return result;
}

/* ---- on a disk that is being made
 * ------------------------------------------------------------ */

/* Nobody has such a disk yet: no journal, and whoever makes it drops it on failure. */
static int commit_directly(struct disk_image *disk,
			   const struct image_commit_options *options, uint64_t *written,
			   struct error *err)
{
	if (options->output)
		return error_set(err, ERROR_FAILED, disk->image.path,
				 "is being made and cannot be copied yet");
	*written = staged_bytes(disk);
	if (apply_all(disk, disk->block, err) < 0)
		return -1;
	settle(disk);
	return 0;
}

int disk_commit(struct image *image, const struct image_commit_options *options,
		uint64_t *bytes_written, struct error *err)
{
	struct disk_image *disk = (struct disk_image *)image;

	if (options->esd) {
		error_set(err, ERROR_USAGE, image->path, "is a disk, and no ESD");
		return error_remedy(err, "give --output a disk image's name");
	}
	if (check_sound(disk, err) < 0)
		return -1;
	if (disk->borrowed)
		return commit_directly(disk, options, bytes_written, err);
	return options->output ? commit_output(disk, options, bytes_written, err)
			       : commit_in_place(disk, bytes_written, err);
}
