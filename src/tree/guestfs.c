/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * libguestfs' appliance on a disk image: started, its volumes found (BitLocker opened,
 * dynamic disks put together), read as trees, edited, ended.
 */
#include "tree/guestfs.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/kvm.h"
#include "base/progress.h"
#include "base/text.h"

/* MiB: enough for Btrfs and cryptsetup, little where several run. */
#define APPLIANCE_MEMORY 768
#define MAPPER "/dev/mapper/"

#define _cleanup_list_ _cleanup_(list_freep)
static void list_freep(char ***list)
{
	for (char **item = *list; item && *item; item++)
		free(*item);
	free(*list);
}

int guestfs_failed(struct guestfs *guestfs, struct error *err, const char *fmt, ...)
{
	const char *why = guestfs->api->last_error(guestfs->handle);
	struct buffer text = BUFFER_INIT;
	_cleanup_free_ char *reason = NULL;
	char what[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	/* A signal ends the appliance first. */
	if (interrupted())
		return error_interrupted(err);
	buffer_printf(&text, "%s: libguestfs: %s", what,
		      why ? why : "no reason is given");
	reason = buffer_steal_string(&text);
	return error_set(err, ERROR_FAILED, guestfs->name, "%s", reason);
}

/* ---- starting and ending --------------------------------------------------------------
 */

static void on_event(guestfs_h *g _unused_, void *arg _unused_, uint64_t event _unused_,
		     int handle _unused_, int flags _unused_, const char *text _unused_,
		     size_t text_len _unused_, const uint64_t *values, size_t value_count)
{
	/* procedure, serial number, position, total */
	if (value_count >= 4)
		progress_report("starting libguestfs", values[2], values[3]);
}

/* There are hosts on which /dev/kvm opens and an appliance would never come up. */
static bool has_kvm(void)
{
	_cleanup_free_ char *why = NULL;

	return kvm_probe("", KVM_PROBE_MS, &why) == KVM_RUNS;
}

static int add_drive(struct guestfs *guestfs, const char *path, const char *format,
		     uint32_t sector_size)
{
	const struct guestfs_api *api = guestfs->api;

	/*
	 * What is written to is a file that is thrown away on failure: "unsafe" leaves
	 * out the syncs in between.
	 */
	if (guestfs->write)
		return api->add_drive_opts(
			guestfs->handle, path, API_DRIVE_FORMAT, format, API_DRIVE_LABEL,
			GUESTFS_LABEL, API_DRIVE_CACHEMODE, "unsafe", API_DRIVE_BLOCKSIZE,
			(int)sector_size, API_END);
	return api->add_drive_opts(guestfs->handle, path, API_DRIVE_FORMAT, format,
				   API_DRIVE_LABEL, GUESTFS_LABEL, API_DRIVE_READONLY, 1,
				   API_DRIVE_BLOCKSIZE, (int)sector_size, API_END);
}

static int launch(struct guestfs *guestfs, const char *path, const char *format,
		  uint32_t sector_size, bool tcg, struct error *err)
{
	const struct guestfs_api *api = guestfs->api;

	guestfs->handle = api->create();
	if (!guestfs->handle)
		return error_set(err, ERROR_FAILED, guestfs->name,
				 "cannot start libguestfs");
	api->set_error_handler(guestfs->handle, NULL, NULL);
	(void)api->set_event_callback(guestfs->handle, on_event, API_EVENT_PROGRESS, 0,
				      NULL);
	if ((!getenv("LIBGUESTFS_BACKEND") &&
	     api->set_backend(guestfs->handle, "direct") < 0) ||
	    (tcg && api->set_backend_setting(guestfs->handle, "force_tcg", "1") < 0) ||
	    (!getenv("LIBGUESTFS_MEMSIZE") &&
	     api->set_memsize(guestfs->handle, APPLIANCE_MEMORY) < 0) ||
	    add_drive(guestfs, path, format, sector_size) < 0 ||
	    api->launch(guestfs->handle) < 0 ||
	    api->mkmountpoint(guestfs->handle, "/dev") < 0 ||
	    api->mount_vfs(guestfs->handle, "", "devtmpfs", "/dev/sda", "/dev") < 0) {
		guestfs_failed(guestfs, err, "cannot start the appliance");
		api->close(guestfs->handle);
		guestfs->handle = NULL;
		return -1;
	}
	return 0;
}

static int start(struct guestfs *guestfs, const char *path, const char *format,
		 uint32_t sector_size, struct error *err)
{
	_cleanup_error_ struct error first = ERROR_INIT;
	bool choose = !getenv("LIBGUESTFS_BACKEND_SETTINGS");
	bool tcg = choose && !has_kvm();

	notice("%s: starting libguestfs%s", guestfs->name,
	       tcg ? " without KVM, which takes up to a minute" : "");
	progress_report("starting libguestfs", 0, 0);
	if (launch(guestfs, path, format, sector_size, tcg, &first) == 0)
		return 0;
	if (choose && !tcg && !interrupted()) {
		notice("KVM does not work here: starting libguestfs without it, which "
		       "takes up to a minute");
		error_clear(&first);
		if (launch(guestfs, path, format, sector_size, true, &first) == 0)
			return 0;
	}
	if (interrupted())
		return error_interrupted(err);
	(void)error_move(err, &first);
	return error_remedy(err,
			    "see what libguestfs-test-tool says (a kernel that this "
			    "user can read in /boot is needed, and qemu-system-x86)");
}

struct guestfs *guestfs_begin(const char *name, const char *path, const char *format,
			      uint32_t sector_size, bool write,
			      const struct strings *keys, struct error *err)
{
	const struct guestfs_api *api = guestfs_api(err);
	struct guestfs *guestfs;

	if (!api) {
		if (err)
			err->subject = err->subject ? err->subject : xstrdup(name);
		return NULL;
	}
	guestfs = xcalloc(1, sizeof(*guestfs));
	guestfs->api = api;
	guestfs->write = write;
	guestfs->sector_size = sector_size;
	guestfs->name = xstrdup(name);
	if (keys)
		vec_foreach (key, keys)
			strings_push(&guestfs->keys, *key);
	if (start(guestfs, path, format, sector_size, err) == 0)
		return guestfs;
	(void)guestfs_end(guestfs, NULL);
	return NULL;
}

static void volume_free(struct guestfs_open *volume)
{
	(void)ntfs_close(volume->ntfs, NULL);
	block_close(volume->block);
	guestfs_forget_folders(volume);
	free(volume->mountpoint);
	free(volume->device);
	free(volume);
}

int guestfs_end(struct guestfs *guestfs, struct error *err)
{
	int result = 0;

	if (!guestfs)
		return 0;
	vec_foreach (volume, &guestfs->volumes)
		volume_free(*volume);
	vec_free(&guestfs->volumes);
	if (guestfs->handle) {
		const struct guestfs_api *api = guestfs->api;

		if (guestfs->write && (api->umount_all(guestfs->handle) < 0 ||
				       api->sync(guestfs->handle) < 0 ||
				       api->shutdown(guestfs->handle) < 0))
			result = guestfs_failed(guestfs, err, "cannot end the appliance");
		api->close(guestfs->handle);
	}
	strings_free(&guestfs->keys);
	strings_free(&guestfs->locked);
	strings_free(&guestfs->failures);
	free(guestfs->name);
	free(guestfs);
	return result;
}

/* ---- finding volumes ------------------------------------------------------------------
 */

static bool has_feature(struct guestfs *guestfs, const char *feature)
{
	char *group[] = {(char *)feature, NULL};

	return guestfs->api->feature_available(guestfs->handle, group) == 1;
}

static int look_at(struct guestfs *guestfs, const char *device, unsigned partition,
		   bool encrypted, struct error *err);

/* Any key may be of any volume: all are tried. The mapped device is looked at instead. */
static int unlock(struct guestfs *guestfs, const char *device, unsigned partition,
		  struct error *err)
{
	_cleanup_free_ char *name = xasprintf("gild_%s", path_base(device));
	_cleanup_free_ char *mapped = xasprintf(MAPPER "%s", name);

	progress_report("opening BitLocker", 0, 0);
	vec_foreach (key, &guestfs->keys) {
		if (interrupted())
			return error_interrupted(err);
		if (guestfs->api->cryptsetup_open(
			    guestfs->handle, device, *key, name, API_CRYPT_TYPE, "bitlk",
			    API_CRYPT_READONLY, guestfs->write ? 0 : 1, API_END) == 0)
			return look_at(guestfs, mapped, partition, true, err);
	}
	strings_push(&guestfs->locked, device);
	return 0;
}

/* One that cannot be opened is passed over; why is told if no Windows is found. */
static void pass_over(struct guestfs *guestfs, const char *device,
		      const struct error *why)
{
	_cleanup_free_ char *text = xasprintf(
		"%s: %s", device, why->reason ? why->reason : "cannot be opened");

	strings_push(&guestfs->failures, text);
}

static int look_at(struct guestfs *guestfs, const char *device, unsigned partition,
		   bool encrypted, struct error *err)
{
	_cleanup_error_ struct error why = ERROR_INIT;
	_cleanup_block_ struct block *block =
		guestfs_block_open(guestfs, device, false, &why);
	struct guestfs_open *volume;
	struct volume_info info = {.kind = VOLUME_UNKNOWN};

	if (!block || volume_recognise(block, NULL, &info, &why) < 0) {
		pass_over(guestfs, device, &why);
		return interrupted() ? error_interrupted(err) : 0;
	}
	if (info.kind == VOLUME_BITLOCKER && !encrypted)
		return unlock(guestfs, device, partition, err);
	if (info.kind != VOLUME_NTFS && info.kind != VOLUME_FAT &&
	    info.kind != VOLUME_BTRFS)
		return 0;
	volume = xcalloc(1, sizeof(*volume));
	volume->device = xstrdup(device);
	volume->kind = info.kind;
	volume->partition = partition;
	volume->encrypted = encrypted;
	if (info.kind == VOLUME_NTFS) {
		volume->block = steal_ptr(block);
		volume->ntfs = ntfs_open(volume->block, false, &why);
	}
	if (info.kind == VOLUME_NTFS ? volume->ntfs != NULL
				     : guestfs_mount(guestfs, volume, &why) == 0) {
		vec_push(&guestfs->volumes, volume);
		return 0;
	}
	pass_over(guestfs, device, &why);
	volume_free(volume);
	return interrupted() ? error_interrupted(err) : 0;
}

static int look_at_all(struct guestfs *guestfs, char **devices, bool partitions,
		       struct error *err)
{
	if (!devices)
		return guestfs_failed(guestfs, err, "cannot list what the disk holds");
	for (char **device = devices; *device; device++) {
		int number = partitions ? guestfs->api->part_to_partnum(guestfs->handle,
									*device)
					: 0;

		if (look_at(guestfs, *device, number > 0 ? (unsigned)number : 0, false,
			    err) < 0)
			return -1;
	}
	return 0;
}

static int look_at_partitions(struct guestfs *guestfs, struct error *err)
{
	const struct guestfs_api *api = guestfs->api;
	_cleanup_list_ char **partitions = api->list_partitions(guestfs->handle);
	_cleanup_list_ char **devices = NULL;

	if (partitions && *partitions)
		return look_at_all(guestfs, partitions, true, err);
	devices = api->list_devices(guestfs->handle);
	return look_at_all(guestfs, devices, false, err);
}

static int look_at_dynamic(struct guestfs *guestfs, struct error *err)
{
	const struct guestfs_api *api = guestfs->api;
	_cleanup_list_ char **volumes = NULL, **partitions = NULL;

	if (!has_feature(guestfs, "ldm")) {
		strings_push(&guestfs->failures,
			     "dynamic disks: libguestfs has no ldmtool here (Debian: "
			     "apt-get install ldmtool)");
		return 0;
	}
	if (api->ldmtool_create_all(guestfs->handle) < 0)
		return 0; /* it is none */
	volumes = api->list_ldm_volumes(guestfs->handle);
	partitions = api->list_ldm_partitions(guestfs->handle);
	if (look_at_all(guestfs, volumes, false, err) < 0)
		return -1;
	return look_at_all(guestfs, partitions, false, err);
}

/* ---- what a volume is for -------------------------------------------------------------
 */

static struct guestfs_open *find_volume(struct guestfs *guestfs, const char *device,
					struct error *err)
{
	vec_foreach (volume, &guestfs->volumes)
		if (strcmp((*volume)->device, device) == 0)
			return *volume;
	error_set(err, ERROR_FAILED, guestfs->name, "has no volume %s any more", device);
	return NULL;
}

static struct tree *make_tree(struct image *image, size_t index, char *name,
			      struct guestfs *guestfs, struct guestfs_open *volume)
{
	if (volume->ntfs)
		return ntfs_tree(image, index, name, volume->ntfs);
	return guestfs_files_tree(image, index, name, guestfs, volume);
}

static int has_one_of(struct tree *tree, const char *const *paths, size_t count,
		      bool *ret, struct error *err)
{
	*ret = false;
	for (size_t i = 0; i < count && !*ret; i++) {
		struct tree_stat st;
		int found = tree_stat(tree, paths[i], &st, err);

		if (found < 0)
			return -1;
		*ret = found && st.type == TREE_FILE;
	}
	return 0;
}

static int what_for(struct guestfs *guestfs, struct guestfs_open *volume,
		    struct guestfs_volume *ret, struct error *err)
{
	static const char *const windows[] = {"Windows/System32/config/SYSTEM"};
	static const char *const managers[] = {"EFI/Microsoft/Boot/bootmgfw.efi",
					       "bootmgr", "ntldr"};
	struct tree *tree = make_tree(NULL, 0, xstrdup(volume->device), guestfs, volume);
	int result = has_one_of(tree, windows, ARRAY_SIZE(windows), &ret->windows, err);

	if (result == 0)
		result = has_one_of(tree, managers, ARRAY_SIZE(managers), &ret->system,
				    err);
	tree_free(tree);
	return result;
}

static char *label_of(struct guestfs *guestfs, const struct guestfs_open *volume)
{
	char *label;

	if (volume->ntfs)
		return *ntfs_label(volume->ntfs) ? xstrdup(ntfs_label(volume->ntfs))
						 : NULL;
	label = guestfs->api->vfs_label(guestfs->handle, volume->device);
	if (label && *label)
		return label;
	free(label);
	return NULL;
}

static int describe(struct guestfs *guestfs, struct guestfs_volumes *ret, size_t from,
		    bool *windows, struct error *err)
{
	static const char *const types[] = {
		[VOLUME_NTFS] = "ntfs", [VOLUME_FAT] = "vfat", [VOLUME_BTRFS] = "btrfs"};

	for (size_t i = from; i < guestfs->volumes.len; i++) {
		struct guestfs_open *volume = guestfs->volumes.items[i];
		_cleanup_error_ struct error why = ERROR_INIT;
		struct guestfs_volume item = {0};

		if (what_for(guestfs, volume, &item, &why) < 0) {
			if (interrupted())
				return error_interrupted(err);
			pass_over(guestfs, volume->device, &why);
		}
		item.device = xstrdup(volume->device);
		item.type = xstrdup(types[volume->kind]);
		item.label = label_of(guestfs, volume);
		item.partition = volume->partition;
		item.encrypted = volume->encrypted;
		*windows |= item.windows;
		vec_push(ret, item);
	}
	return 0;
}

static int fail_locked(struct guestfs *guestfs, struct error *err)
{
	if (!guestfs->keys.len)
		error_set(err, ERROR_STATE, guestfs->name,
			  "is encrypted with BitLocker (%s)", guestfs->locked.items[0]);
	else
		error_set(err, ERROR_STATE, guestfs->name,
			  "is encrypted with BitLocker (%s), and %s",
			  guestfs->locked.items[0],
			  guestfs->keys.len == 1 ? "the key does not open it"
						 : "none of the keys opens it");
	return error_remedy(err,
			    "give its passphrase or recovery password with --key=KEY "
			    "or --key=@FILE");
}

int guestfs_list(struct guestfs *guestfs, struct guestfs_volumes *ret, struct error *err)
{
	bool windows = false;

	if (!guestfs->listed && look_at_partitions(guestfs, err) < 0)
		return -1;
	if (describe(guestfs, ret, 0, &windows, err) < 0)
		return -1;
	if (!windows && !guestfs->listed) {
		size_t before = guestfs->volumes.len;

		if (look_at_dynamic(guestfs, err) < 0 ||
		    describe(guestfs, ret, before, &windows, err) < 0)
			return -1;
	}
	guestfs->listed = true;
	if (!windows && guestfs->locked.len)
		return fail_locked(guestfs, err);
	if (!windows)
		vec_foreach (failure, &guestfs->failures)
			notice("%s: %s", guestfs->name, *failure);
	return 0;
}

void guestfs_volumes_free(struct guestfs_volumes *volumes)
{
	vec_foreach (volume, volumes) {
		free(volume->device);
		free(volume->type);
		free(volume->label);
	}
	vec_free(volumes);
}

/* ---- trees ----------------------------------------------------------------------------
 */

/* An appliance that is begun for editing only has its volumes to find. */
static struct guestfs_open *need_volume(struct guestfs *guestfs, const char *device,
					struct error *err)
{
	struct guestfs_volumes volumes = VEC_INIT;
	int result = guestfs->listed ? 0 : guestfs_list(guestfs, &volumes, err);

	guestfs_volumes_free(&volumes);
	return result < 0 ? NULL : find_volume(guestfs, device, err);
}

struct tree *guestfs_tree(struct image *image, size_t index, char *name,
			  struct guestfs *guestfs, const char *device, struct error *err)
{
	struct guestfs_open *volume = need_volume(guestfs, device, err);

	if (volume)
		return make_tree(image, index, name, guestfs, volume);
	free(name);
	return NULL;
}

struct ntfs *guestfs_ntfs(struct guestfs *guestfs, const char *device, struct error *err)
{
	struct guestfs_open *volume = need_volume(guestfs, device, err);

	if (volume && !volume->ntfs)
		error_set(err, ERROR_FAILED, guestfs->name, "%s is no NTFS volume",
			  device);
	return volume ? volume->ntfs : NULL;
}

int guestfs_examine(struct guestfs *guestfs, const char *device, enum ntfs_condition *ret,
		    char **detail, struct error *err)
{
	struct guestfs_open *volume = need_volume(guestfs, device, err);

	*ret = NTFS_SOUND;
	if (detail)
		*detail = NULL;
	if (!volume)
		return -1;
	return volume->ntfs ? ntfs_examine(volume->ntfs, ret, detail, err) : 0;
}

static int apply_to_ntfs(struct guestfs *guestfs, const char *device,
			 const struct tree *tree, struct error *err)
{
	_cleanup_block_ struct block *block =
		guestfs_block_open(guestfs, device, true, err);
	struct ntfs *ntfs = block ? ntfs_open(block, true, err) : NULL;

	if (!ntfs)
		return -1;
	if (ntfs_check_space(ntfs, tree, err) < 0 || ntfs_apply(ntfs, tree, err) < 0) {
		(void)ntfs_close(ntfs, NULL);
		return -1;
	}
	if (ntfs_close(ntfs, err) < 0)
		return -1;
	return block_flush(block, err);
}

int guestfs_apply(struct guestfs *guestfs, const char *device, const struct tree *tree,
		  struct error *err)
{
	struct guestfs_open *volume = need_volume(guestfs, device, err);

	if (!volume)
		return -1;
	progress_report("writing through libguestfs", 0, 0);
	if (volume->kind == VOLUME_NTFS)
		return apply_to_ntfs(guestfs, device, tree, err);
	return guestfs_files_apply(guestfs, volume, tree, err);
}
