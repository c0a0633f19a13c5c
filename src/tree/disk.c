/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Disk images: every NTFS volume of the disk is mounted for reading, and each that holds
 * a Windows is a tree. What gild does not open itself is left to libguestfs
 * (disk_guestfs.c), where that was asked for or is needed.
 */
#include "tree/disk.h"

#include "base/file.h"

#define SYSTEM_HIVE "Windows/System32/config/SYSTEM"
/* A smaller FAT volume is no home of a Windows: a boot, recovery or data partition. */
#define MIN_FAT_WINDOWS ((uint64_t)512 << 20)

char *disk_partition_name(unsigned number)
{
	return number ? xasprintf("partition %u", number) : xstrdup("the volume");
}

char *disk_volume_name(const struct disk_image *disk, unsigned number)
{
	return number ? xasprintf("%s, partition %u", disk->image.path, number)
		      : xstrdup(disk->image.path);
}

/* ---- what is on the disk
 * ---------------------------------------------------------------------- */

static int has_file(struct tree *tree, const char *path, bool *ret, struct error *err)
{
	struct tree_stat st;
	int found = tree_stat(tree, path, &st, err);

	*ret = found > 0 && st.type == TREE_FILE;
	return found < 0 ? -1 : 0;
}

static void mount(struct disk_image *disk, struct disk_volume *volume)
{
	_cleanup_error_ struct error err = ERROR_INIT;

	volume->ntfs = ntfs_open(volume->window, false, &err);
	if (volume->ntfs)
		volume->tree = ntfs_tree(&disk->image, 0,
					 disk_volume_name(disk, volume->partition.number),
					 volume->ntfs);
	else
		volume->failure = error_message(&err);
}

/* Recognises what a partition holds. Only an error of the disk itself is one. */
static int look_at(struct disk_image *disk, const struct partition *partition,
		   struct error *err)
{
	struct disk_volume volume = {.partition = *partition};
	struct block *window =
		block_window_open(disk->block, partition->offset, partition->size,
				  disk_volume_name(disk, partition->number), err);

	if (!window)
		return -1;
	if (volume_recognise(window, partition, &volume.info, err) < 0) {
		block_close(window);
		return -1;
	}
	if (volume.info.kind == VOLUME_NTFS) {
		volume.window = window;
		mount(disk, &volume);
	} else {
		block_close(window);
	}
	vec_push(&disk->volumes, volume);
	return interrupted() ? error_interrupted(err) : 0;
}

static int find_windows(struct disk_image *disk, struct error *err)
{
	for (size_t i = 0; i < disk->volumes.len; i++) {
		struct disk_volume *volume = &disk->volumes.items[i];
		_cleanup_error_ struct error failure = ERROR_INIT;
		bool windows;

		if (!volume->tree)
			continue;
		if (has_file(volume->tree, SYSTEM_HIVE, &windows, &failure) < 0) {
			if (failure.code == ERROR_INTERRUPTED)
				return error_move(err, &failure);
			volume->failure = error_message(&failure);
		} else if (windows) {
			volume->tree->index = disk->windows.len;
			vec_push(&disk->windows, i);
		}
	}
	return 0;
}

/* The boot manager of Windows Vista and later, or NT's loader. */
static bool has_boot_manager(const struct disk_volume *volume)
{
	bool found = false;

	if (volume->tree)
		(void)has_file(volume->tree, "bootmgr", &found, NULL);
	if (volume->tree && !found)
		(void)has_file(volume->tree, "NTLDR", &found, NULL);
	return found;
}

/*
 * GPT: the EFI system partition. MBR: the active partition, where firmware looks, if it
 * can hold a boot manager; else a volume that has one. Without a table: the volume
 * itself.
 */
static void find_system(struct disk_image *disk)
{
	enum partition_scheme scheme = disk->table.scheme;

	disk->system = SIZE_MAX;
	for (unsigned pass = 0; pass < 2 && disk->system == SIZE_MAX; pass++) {
		for (size_t i = 0; i < disk->volumes.len; i++) {
			struct disk_volume *v = &disk->volumes.items[i];
			bool here;

			if (scheme == PARTITION_GPT)
				here = partition_is_esp(&v->partition);
			else if (pass == 0 && scheme == PARTITION_MBR)
				here = v->partition.active &&
				       (v->info.kind == VOLUME_FAT ||
					has_boot_manager(v));
			else
				here = has_boot_manager(v);
			if (!here)
				continue;
			v->system = true;
			if (disk->system == SIZE_MAX)
				disk->system = i;
		}
	}
}

static int look(struct disk_image *disk, struct error *err)
{
	disk->block = container_open(&disk->container, false, err);
	if (!disk->block || partition_table_read(disk->block, &disk->table, err) < 0)
		return -1;
	vec_foreach (partition, &disk->table.partitions)
		if (look_at(disk, partition, err) < 0)
			return -1;
	if (find_windows(disk, err) < 0)
		return -1;
	find_system(disk);
	return 0;
}

/* ---- the state of a volume
 * -------------------------------------------------------------------- */

static const struct {
	const char *code, *what, *remedy;
} conditions[] = {
	[NTFS_HIBERNATED] = {"hibernated", "is hibernated",
			     "shut Windows down fully: shutdown /s /f /t 0"},
	[NTFS_FAST_STARTED] = {"fast_startup", "was shut down with fast startup",
			       "shut Windows down fully (shutdown /s /f /t 0, or Shift "
			       "while choosing Shut down), or switch fast startup off: "
			       "powercfg /h off"},
	[NTFS_LOG_UNCLEAN] = {"log_unclean", "was not unmounted",
			      "start Windows and shut it down fully (shutdown /s /f /t "
			      "0), or run chkdsk /f on the volume"},
	[NTFS_DIRTY] = {"dirty", "is to be checked",
			"run chkdsk /f on the volume, or start Windows, which does; if "
			"an edit with --journal=FILE was interrupted, give that FILE "
			"again"},
};

void disk_add_problem(struct disk_image *disk, unsigned partition,
		      enum ntfs_condition condition, const char *detail)
{
	struct image_problems problems = VEC_INIT;
	_cleanup_free_ char *name = disk_partition_name(partition);

	if (condition != NTFS_SOUND)
		vec_push(&problems,
			 (struct image_problem){
				 conditions[condition].code,
				 xasprintf("the volume (%s) %s%s%s",
					   partition ? name : "the whole disk",
					   conditions[condition].what, detail ? ": " : "",
					   detail ? detail : ""),
				 xstrdup(conditions[condition].remedy)});
	vec_push(&disk->image.problems, problems);
}

int disk_check_sound(const struct disk_image *disk, size_t i, struct error *err)
{
	const struct image_problems *problems = image_problems(&disk->image, i);

	if (!problems->len)
		return 0;
	error_set(err, ERROR_STATE, disk->image.path, "%s", problems->items[0].message);
	return error_remedy(err, "%s", problems->items[0].remedy);
}

/* ---- the image
 * ------------------------------------------------------------------------------- */

static int add_info(struct disk_image *disk, const struct disk_volume *volume,
		    struct error *err)
{
	struct image_info info = {.index = (unsigned)disk->image.infos.len + 1,
				  .partition = volume->partition.number,
				  .file_system = xstrdup(volume->info.name)};
	_cleanup_free_ char *detail = NULL;
	enum ntfs_condition condition;

	if (*ntfs_label(volume->ntfs))
		info.label = xstrdup(ntfs_label(volume->ntfs));
	info.name = info.label ? xstrdup(info.label)
			       : disk_partition_name(volume->partition.number);
	if (disk->system != SIZE_MAX)
		info.system_partition =
			disk->volumes.items[disk->system].partition.number;
	vec_push(&disk->image.infos, info);
	if (ntfs_examine(volume->ntfs, &condition, &detail, err) < 0)
		return -1;
	disk_add_problem(disk, volume->partition.number, condition, detail);
	return 0;
}

static bool holds(const struct disk_image *disk, enum volume_kind kind)
{
	vec_foreach (volume, &disk->volumes)
		if (volume->info.kind == kind)
			return true;
	return false;
}

/* A FAT volume that could have a Windows (XP) on it. */
static bool holds_large_fat(const struct disk_image *disk)
{
	vec_foreach (volume, &disk->volumes)
		if (volume->info.kind == VOLUME_FAT && !volume->system &&
		    volume->partition.size >= MIN_FAT_WINDOWS)
			return true;
	return false;
}

/* Why libguestfs is needed, for people; NULL if it is not, or asked for anyway. */
static const char *why_guestfs(const struct disk_image *disk)
{
	const struct image_options *o = &disk->image.options;

	if (o->via == IMAGE_VIA_GUESTFS)
		return NULL;
	if (holds(disk, VOLUME_BITLOCKER) && o->keys && o->keys->len)
		return "a volume is encrypted with BitLocker";
	if (disk->windows.len)
		return NULL;
	if (holds(disk, VOLUME_LDM))
		return "it is a dynamic disk (LDM)";
	if (holds(disk, VOLUME_BTRFS))
		return "a volume is btrfs";
	return holds_large_fat(disk) ? "a volume is FAT" : NULL;
}

/* No Windows: an image without any, unless it is known why none is seen. */
static int explain_none(const struct disk_image *disk, struct error *err)
{
	vec_foreach (volume, &disk->volumes) {
		_cleanup_free_ char *name = disk_partition_name(volume->partition.number);

		if (volume->info.kind == VOLUME_BITLOCKER) {
			error_set(err, ERROR_STATE, disk->image.path,
				  "%s is encrypted with BitLocker", name);
			return error_remedy(err,
					    "give its passphrase or recovery password "
					    "with --key=KEY or --key=@FILE");
		}
		/* It ends in what to do. */
		if (volume->failure)
			return error_set(err, ERROR_FAILED, disk->image.path,
					 "holds no Windows that can be read: %s",
					 volume->failure);
	}
	return 0;
}

static int begin(struct disk_image *disk, struct error *err)
{
	const struct image_options *options = &disk->image.options;

	if (container_probe(disk->image.path, options->allow_backing, &disk->container,
			    err) < 0)
		return -1;
	if (disk->container.format == CONTAINER_NONE) {
		error_set(err, ERROR_USAGE, disk->image.path,
			  "is no image that gild knows");
		return error_remedy(err, "give a WIM, a disk image, or the folder that "
					 "holds a Windows file system");
	}
	disk->image.format = container_format_name(disk->container.format);
	if (options->write && disk_check_in_place(disk, err) < 0)
		return -1;
	return disk_lock(disk, err) < 0 || disk_recover(disk, err) < 0 ? -1 : 0;
}

static int refuse_native(const struct disk_image *disk, const char *why,
			 struct error *err)
{
	error_set(err, ERROR_USAGE, disk->image.path,
		  "%s, which gild does not open by itself", why);
	return error_remedy(err, "leave --via=native out, so that libguestfs opens it");
}

static int open_native(struct disk_image *disk, struct error *err)
{
	disk->image.provider = "ntfs";
	vec_foreach (i, &disk->windows)
		if (add_info(disk, &disk->volumes.items[*i], err) < 0)
			return -1;
	return disk->windows.len ? 0 : explain_none(disk, err);
}

/* ---- what the image does
 * ---------------------------------------------------------------------- */

static struct tree *disk_tree(struct image *image, size_t i, struct error *err)
{
	struct disk_image *disk = (struct disk_image *)image;

	if (image->options.write && disk_check_sound(disk, i, err) < 0)
		return NULL;
	if (disk->by_guestfs)
		return disk_guestfs_tree(disk, disk->windows.items[i], err);
	return disk->volumes.items[disk->windows.items[i]].tree;
}

/* Opens a FAT volume, which is done for the system volume only, when it is asked for. */
static int mount_fat(struct disk_image *disk, struct disk_volume *volume,
		     struct error *err)
{
	volume->window = block_window_open(
		disk->block, volume->partition.offset, volume->partition.size,
		disk_volume_name(disk, volume->partition.number), err);
	if (!volume->window)
		return -1;
	volume->fat = fat_open(volume->window, err);
	if (!volume->fat) {
		block_closep(&volume->window);
		return -1;
	}
	volume->tree =
		fat_tree(&disk->image, 0, xstrdup(volume->window->name), volume->fat);
	return 0;
}

/* The tree of a FAT volume; NULL with a sentence. */
static struct tree *fat_system_tree(struct disk_image *disk, struct disk_volume *volume,
				    const char *name, char **why)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_free_ char *message = NULL;
	bool dirty = false;

	if ((volume->tree || mount_fat(disk, volume, &err) == 0) &&
	    (!disk->image.options.write ||
	     fat_is_dirty(volume->fat, &dirty, &err) == 0) &&
	    !dirty)
		return volume->tree;
	message = dirty ? xstrdup("it was not unmounted; run chkdsk /f or fsck.fat on it")
			: error_message(&err);
	*why = xasprintf("the boot manager is on %s (%s), which cannot be %s now: %s",
			 name, volume->info.name, dirty ? "edited" : "read", message);
	return NULL;
}

/* The system volume's tree natively; NULL with a sentence. */
static struct tree *native_system_tree(struct disk_image *disk, char **why,
				       struct error *err)
{
	struct disk_volume *volume = &disk->volumes.items[disk->system];
	_cleanup_free_ char *name = disk_partition_name(volume->partition.number);
	_cleanup_free_ char *detail = NULL;
	enum ntfs_condition condition;

	if (volume->info.kind == VOLUME_FAT)
		return fat_system_tree(disk, volume, name, why);
	if (!volume->tree) {
		*why = xasprintf("the boot manager is on %s (%s), which gild opens with "
				 "--via=guestfs only",
				 name, volume->info.name);
		return NULL;
	}
	if (disk->image.options.write &&
	    ntfs_examine(volume->ntfs, &condition, &detail, err) < 0)
		return NULL;
	if (!detail)
		return volume->tree;
	*why = xasprintf("the boot manager is on %s, which cannot be edited now: %s",
			 name, detail);
	return NULL;
}

static int disk_system_tree(struct image *image, size_t i _unused_, struct tree **ret,
			    char **why, struct error *err)
{
	struct disk_image *disk = (struct disk_image *)image;
	_cleanup_free_ char *reason = NULL;

	if (disk->system == SIZE_MAX)
		reason = xstrdup("no volume with a boot manager was found");
	for (size_t k = 0; k < disk->windows.len && !reason; k++) {
		if (disk->windows.items[k] != disk->system)
			continue;
		*ret = image_tree(image, k, err);
		return *ret ? 1 : -1;
	}
	if (!reason) {
		*ret = disk->by_guestfs ? disk_guestfs_tree(disk, disk->system, err)
					: native_system_tree(disk, &reason, err);
		if (!reason)
			return *ret ? 1 : -1;
	}
	if (why)
		*why = steal_ptr(reason);
	return 0;
}

static bool is_handed_out(const struct image *image, const struct tree *tree)
{
	vec_foreach (other, &image->trees)
		if (*other == tree)
			return true;
	return false;
}

static void disk_close(struct image *image)
{
	struct disk_image *disk = (struct disk_image *)image;

	vec_foreach (tree, &disk->remote_trees)
		if (*tree && !is_handed_out(image, *tree))
			tree_free(*tree);
	disk_guestfs_close(disk);
	vec_foreach (volume, &disk->volumes) {
		if (volume->tree && !is_handed_out(image, volume->tree))
			tree_free(volume->tree);
		(void)ntfs_close(volume->ntfs, NULL);
		fat_close(volume->fat);
		block_close(volume->window);
		free(volume->failure);
	}
	vec_free(&disk->volumes);
	vec_free(&disk->windows);
	partition_table_free(&disk->table);
	block_close(disk->block);
	container_free(&disk->container);
	free(disk->journal);
	closep(&disk->lock);
}

static const struct image_ops disk_ops = {
	.tree = disk_tree,
	.commit = disk_commit,
	.changed = disk_changed,
	.system_tree = disk_system_tree,
	.close = disk_close,
};

struct image *disk_open(const char *path, const struct image_options *options,
			struct error *err)
{
	struct disk_image *disk = xcalloc(1, sizeof(*disk));
	const char *why;
	int result;

	disk->image.ops = &disk_ops;
	disk->image.path = xstrdup(path);
	disk->image.options = *options;
	disk->lock = -1;
	disk->system = SIZE_MAX;
	result = begin(disk, err);
	if (result == 0)
		result = look(disk, err);
	if (result == 0) {
		why = why_guestfs(disk);
		if (why && options->via == IMAGE_VIA_NATIVE)
			result = refuse_native(disk, why, err);
		else if (why || options->via == IMAGE_VIA_GUESTFS)
			result = disk_guestfs_open(disk, why, err);
		else
			result = open_native(disk, err);
	}
	if (result < 0) {
		image_close(&disk->image);
		return NULL;
	}
	disk_layout(disk);
	return &disk->image;
}
