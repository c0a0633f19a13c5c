/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The boot loader of a stick that is there, where this machine has another one. What is
 * the same is not written. In this order, so that at each point the stick starts:
 *
 * 1. GRUB's BIOS image: the new one goes into the half of its partition that is not in
 *    use, and one sector, the MBR, then leads to it
 * 2. GRUB for UEFI, whose settings, MokManager, and last shim: an old shim starts a new
 *    GRUB, but a new one may know that an old GRUB must not be started any more. Each
 * file is switched by its entry in the folder, one sector (fat_replace())
 */
#include "block/fat.h"
#include "image/grub.h"
#include "image/pack_private.h"
#include "image/sbat.h"

#define SECTOR 512
#define SHIM_FILE "EFI/BOOT/BOOTX64.EFI"
#define GRUB_FILE "EFI/BOOT/grubx64.efi"
#define MOK_FILE "EFI/BOOT/mmx64.efi"

static int append(void *arg, struct bytes data, struct error *err _unused_)
{
	buffer_append(arg, data.data, data.len);
	return 0;
}

/* 1: read, 0: there is none. */
static int read_file(struct fat *fat, const char *path, struct buffer *ret,
		     struct error *err)
{
	_cleanup_fat_entry_ struct fat_entry entry = {0};
	int found = fat_find(fat, path, &entry, NULL, err);

	if (found <= 0)
		return found;
	if (entry.size > MEDIA_MAX_FILE)
		return error_set(err, ERROR_FAILED, path, "is too large");
	return fat_read(fat, &entry, append, ret, err) < 0 ? -1 : 1;
}

/*
 * This machine has no boot loader to renew one with: no reason not to update the rest. 1,
 * or -1 if it was interrupted.
 */
static int leave(const char *what, struct error *why, struct pack_result *ret,
		 struct error *err)
{
	if (interrupted())
		return error_move(err, why);
	vec_push(&ret->warnings,
		 xasprintf("%s is left as it is: %s: %s", what,
			   why->subject ? why->subject : "here", why->reason));
	return 1;
}

/* ---- BIOS ---- */

/* Where the boot code finds its image: 0 if that is neither half of its partition. */
static uint64_t core_place(const uint8_t mbr[SECTOR], const struct partition *bios)
{
	uint64_t sector = grub_boot_sector(mbr);

	for (uint64_t half = 0; half < 2; half++)
		if (sector == (bios->offset + half * (bios->size / 2)) / SECTOR)
			return sector * SECTOR;
	return 0;
}

/* True if image and boot code are there already, at that place. */
static int is_installed(struct block *disk, const struct buffer *core, uint64_t place,
			const uint8_t mbr[SECTOR], bool *ret, struct error *err)
{
	_cleanup_buffer_ struct buffer now = BUFFER_INIT, code = BUFFER_INIT,
				       there = BUFFER_INIT;

	buffer_append(&now, core->data, core->len);
	if (grub_install(&now, place, &code, err) < 0 ||
	    block_pread(disk, buffer_reserve(&there, now.len), now.len, place, err) < 0)
		return -1;
	there.len = now.len;
	*ret = bytes_equal(buffer_view(&now), buffer_view(&there)) &&
	       memcmp(mbr, code.data, code.len) == 0;
	return 0;
}

/* 1: it is left as it is. */
static int renew_bios(struct block *disk, const struct partition *bios, const char *work,
		      struct pack_result *ret, struct error *err)
{
	_cleanup_buffer_ struct buffer core = BUFFER_INIT, code = BUFFER_INIT;
	_cleanup_error_ struct error why = ERROR_INIT;
	uint64_t half = bios->size / 2, place;
	uint8_t mbr[SECTOR];
	bool same;

	if (grub_core(false, GRUB_STICK_PREFIX, work, &core, &why) < 0)
		return leave("GRUB for BIOS", &why, ret, err);
	if (block_pread(disk, mbr, SECTOR, 0, err) < 0)
		return -1;
	place = core_place(mbr, bios);
	if (!place || core.len > half) {
		vec_push(&ret->warnings,
			 xasprintf("GRUB for BIOS is left as it is: %s",
				   place ? "there is no room for a second one"
					 : "the boot code leads elsewhere"));
		return 1;
	}
	if (is_installed(disk, &core, place, mbr, &same, err) < 0)
		return -1;
	if (same)
		return 0;
	place = place == bios->offset ? bios->offset + half : bios->offset;
	if (grub_install(&core, place, &code, err) < 0 ||
	    block_pwrite(disk, core.data, core.len, place, err) < 0 ||
	    block_flush(disk, err) < 0)
		return -1;
	memcpy(mbr, code.data, code.len);
	if (block_pwrite(disk, mbr, SECTOR, 0, err) < 0 || block_flush(disk, err) < 0)
		return -1;
	strings_push(&ret->renewed, "GRUB for BIOS");
	return 0;
}

/* ---- UEFI ---- */

static int renew_file(struct fat *fat, const char *path, struct bytes data,
		      const char *name, struct pack_result *ret, struct error *err)
{
	_cleanup_buffer_ struct buffer there = BUFFER_INIT;
	int found = read_file(fat, path, &there, err);

	if (found < 0)
		return -1;
	if (found && bytes_equal(buffer_view(&there), data))
		return 0;
	if (fat_replace(fat, path, data, err) < 0)
		return -1;
	strings_push(&ret->renewed, name);
	return 0;
}

static struct bytes file_of(const struct media_files *files, const char *path)
{
	vec_foreach (file, files)
		if (strcmp(file->path, path) == 0)
			return buffer_view(&file->data);
	return (struct bytes){0};
}

/*
 * A boot loader that firmware may have been told not to start any more does not take the
 * place of one that it does start. 1: this machine's is older, which is a warning.
 */
static int is_older(struct fat *fat, const struct media_files *files,
		    struct pack_result *ret, struct error *err)
{
	static const char *const paths[] = {SHIM_FILE, GRUB_FILE, MOK_FILE};

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		_cleanup_buffer_ struct buffer there = BUFFER_INIT;
		char component[SBAT_NAME_SIZE];

		if (read_file(fat, paths[i], &there, err) < 0)
			return -1;
		if (!sbat_is_older(file_of(files, paths[i]), buffer_view(&there),
				   component))
			continue;
		vec_push(&ret->warnings,
			 xasprintf("the boot loader is left as it is: this machine's %s "
				   "is of an older generation (SBAT: %s)",
				   paths[i], component));
		return 1;
	}
	return 0;
}

/* Settings that a GRUB which was left does not know are not for it: then they are NULL.
 */
static int renew_uefi(struct fat *fat, const struct media_files *files,
		      const char *settings, struct pack_result *ret, struct error *err)
{
	struct bytes text = {(const uint8_t *)settings, settings ? strlen(settings) : 0};
	struct bytes grub = file_of(files, GRUB_FILE);

	if (grub.len && renew_file(fat, GRUB_FILE, grub, "GRUB for UEFI", ret, err) < 0)
		return -1;
	if (settings &&
	    renew_file(fat, GRUB_SETTINGS, text, "GRUB's settings", ret, err) < 0)
		return -1;
	if (!grub.len)
		return 0;
	return renew_file(fat, MOK_FILE, file_of(files, MOK_FILE), "MokManager", ret,
			  err) < 0
		       ? -1
		       : renew_file(fat, SHIM_FILE, file_of(files, SHIM_FILE), "shim",
				    ret, err);
}

int renew_loader(struct block *disk, struct block *esp, const struct partition *bios,
		 const struct media *media, struct pack_result *ret, struct error *err)
{
	_cleanup_(media_files_free) struct media_files files = VEC_INIT;
	_cleanup_free_ char *settings = grub_settings_slots(media->goldens->len);
	_cleanup_fat_ struct fat *fat = fat_open(esp, err);
	_cleanup_error_ struct error why = ERROR_INIT;
	int older, left;

	if (!fat)
		return -1;
	/* A signed kernel is written by who writes the slot. */
	if (!media->uki.len && media_loader(media, GRUB_STICK_FILE, &files, &why) < 0)
		return leave("the boot loader", &why, ret, err) < 0 ? -1 : 0;
	older = is_older(fat, &files, ret, err);
	if (older)
		return older < 0 ? -1 : 0;
	left = bios ? renew_bios(disk, bios, media->work, ret, err) : 0;
	if (left < 0 || fat_begin(fat, err) < 0)
		return -1;
	return renew_uefi(fat, &files, left ? NULL : settings, ret, err);
}
