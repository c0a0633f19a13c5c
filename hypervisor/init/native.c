/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "init/native.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/sysfs.h"
#include "init/dm.h"
#include "init/gpt.h"
#include "init/grubenv.h"
#include "init/medium.h"
#include "init/native_efi.h"
#include "layout.h"

#define TARGET "/run/gild/native" /* where file systems are looked at */
#define EFIVARS "/sys/firmware/efi/efivars"
#define SECTOR 512
#define BOOT_FOLDER "EFI/Microsoft/Boot/"
#define ESP_TYPE "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
#define NTFS_TYPE 0x07

void native_free(struct native *n)
{
	free(n->label);
	free(n->file);
	*n = (struct native){0};
}

/* On its USB, and not in it. */
static bool is_outside(const char *root, const char *disk)
{
	_cleanup_free_ char *path = xasprintf("%s/sys/class/block/%s", root, disk);
	_cleanup_free_ char *real = realpath(path, NULL);

	return real && strstr(real, "/usb") != NULL;
}

/* ---- UEFI ---- */

/* The kernel's number of a partition; 0: it is none. */
static unsigned partition_number(const char *root, const char *name)
{
	_cleanup_free_ char *path = xasprintf("class/block/%s/partition", name);
	_cleanup_free_ char *text = sysfs_text(root, path);

	return text ? (unsigned)strtoul(text, NULL, 10) : 0;
}

/* The partition that is mounted: its device is the one that files on it lie on. */
static unsigned number_of(const char *root, const struct medium *m)
{
	_cleanup_free_ char *folder = xasprintf("class/block/%s", m->disk);
	_cleanup_(strings_free) struct strings names = VEC_INIT;
	struct stat file, node;

	if (stat(m->source, &file) < 0)
		return 0;
	sysfs_list(root, folder, &names);
	vec_foreach (name, &names) {
		_cleanup_free_ char *path = xasprintf("%s/dev/%s", root, *name);

		if (stat(path, &node) == 0 && node.st_rdev == file.st_dev)
			return partition_number(root, *name);
	}
	return 0;
}

static bool read_partition(const char *root, const struct medium *m,
			   struct load_option_partition *ret)
{
	_cleanup_free_ char *path = xasprintf("%s/dev/%s", root, m->disk);
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_gpt_ struct gpt gpt = GPT_INIT;
	unsigned number = number_of(root, m);
	struct guid esp;
	uint64_t size;

	if (!number || fd < 0 || device_size(fd, path, &size, NULL) < 0 ||
	    !gpt_load(fd, size, &gpt) || !guid_parse(ESP_TYPE, &esp))
		return false;
	vec_foreach (p, &gpt.partitions) {
		if (p->number != number || !guid_equal(&p->type, &esp))
			continue;
		*ret = (struct load_option_partition){.number = number,
						      .start = p->offset / gpt.sector,
						      .size = p->size / gpt.sector,
						      .guid = p->guid};
		return true;
	}
	return false;
}

static bool on_medium(const char *path)
{
	_cleanup_free_ char *full = xasprintf(TARGET "/%s", path);

	return access(full, F_OK) == 0;
}

/* The removable path is also where our own loader lies. */
static const char *find_loader(const char *root)
{
	_cleanup_free_ char *bits = sysfs_text(root, "firmware/efi/fw_platform_size");
	bool small = bits && strcmp(bits, "32") == 0;

	if (on_medium(BOOT_FOLDER "bootmgfw.efi"))
		return "\\EFI\\Microsoft\\Boot\\bootmgfw.efi";
	if (on_medium(LAYOUT_FOLDER))
		return NULL;
	if (on_medium(small ? "EFI/BOOT/BOOTIA32.EFI" : "EFI/BOOT/BOOTX64.EFI"))
		return small ? "\\EFI\\BOOT\\BOOTIA32.EFI" : "\\EFI\\BOOT\\BOOTX64.EFI";
	return NULL;
}

static void find_uefi(const char *root, struct native *ret)
{
	struct medium_search search = {
		.root = root, .file = BOOT_FOLDER "BCD", .target = TARGET};
	struct medium m;
	bool outside = false;

	while (medium_next(&search, &m) == 1) {
		struct load_option_partition partition;
		const char *file = find_loader(root);
		bool here = !is_outside(root, m.disk);

		if (file && (!ret->label || (outside && here)) &&
		    read_partition(root, &m, &partition)) {
			native_free(ret);
			*ret = (struct native){.uefi = true,
					       .label = xstrdup(m.label),
					       .partition = partition,
					       .file = xstrdup(file)};
			outside = !here;
		}
		medium_release(&search, &m);
	}
	medium_search_free(&search);
}

/* ---- BIOS ---- */

bool native_mbr_active(const uint8_t mbr[512], uint32_t *first_sector)
{
	if (!mbr[0] || get_le16(mbr + 510) != 0xAA55)
		return false;
	for (size_t at = 446; at < 510; at += 16) {
		if (mbr[at] != 0x80 || mbr[at + 4] != NTFS_TYPE)
			continue;
		*first_sector = get_le32(mbr + at + 8);
		return *first_sector > 0;
	}
	return false;
}

bool native_mbr_starts(const uint8_t mbr[512], const uint8_t partition[512])
{
	uint32_t first;

	return native_mbr_active(mbr, &first) && get_le16(partition + 510) == 0xAA55 &&
	       memcmp(partition + 3, "NTFS    ", 8) == 0;
}

static bool starts_by_bios(const char *root, const char *disk)
{
	_cleanup_free_ char *path = xasprintf("%s/dev/%s", root, disk);
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t mbr[SECTOR], partition[SECTOR];
	uint32_t first;

	return fd >= 0 && pread(fd, mbr, SECTOR, 0) == SECTOR &&
	       native_mbr_active(mbr, &first) &&
	       pread(fd, partition, SECTOR, (off_t)first * SECTOR) == SECTOR &&
	       native_mbr_starts(mbr, partition);
}

/* Disks have hardware below them; partitions, loops and the like do not. */
static bool is_disk(const char *root, const char *name)
{
	_cleanup_free_ char *path = xasprintf("class/block/%s/device", name);

	return sysfs_exists(root, path) && !partition_number(root, name);
}

static void find_bios(const char *root, struct native *ret)
{
	_cleanup_(strings_free) struct strings names = VEC_INIT;

	sysfs_list(root, "class/block", &names);
	for (int outside = 0; outside < 2; outside++)
		vec_foreach (name, &names)
			if (!ret->label && is_disk(root, *name) &&
			    is_outside(root, *name) == outside &&
			    starts_by_bios(root, *name))
				ret->label = xstrdup(*name);
}

bool native_find(const char *root, struct native *ret)
{
	*ret = (struct native){.uefi = sysfs_exists(root, "firmware/efi")};
	if (ret->uefi)
		find_uefi(root, ret);
	else
		find_bios(root, ret);
	return ret->label != NULL;
}

/* ---- the next start ---- */

static int next_by_uefi(const char *root, const struct native *n,
			void (*say)(const char *), struct error *err)
{
	_cleanup_free_ char *folder = xasprintf("%s" EFIVARS, root);
	struct native_efi_choice choice;
	char line[64];

	if (native_efi_next(folder, &n->partition, n->file, &choice, err) < 0)
		return -1;
	(void)snprintf(line, sizeof(line), "the next start is Boot%04X%s", choice.number,
		       choice.made ? ", a new one" : "");
	say(line);
	return 0;
}

static int write_grubenv(const char *path, struct error *err)
{
	if (mount(NULL, TARGET, NULL, MS_REMOUNT | MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  NULL) < 0)
		return error_errno(err, path, "cannot be written");
	return grubenv_file_set(path, "next", "native", err);
}

static int next_by_grub(const char *root, void (*say)(const char *), struct error *err)
{
	struct medium_search search = {
		.root = root, .file = LAYOUT_GRUBENV, .target = TARGET};
	struct medium m;
	int result = -1;

	if (medium_next(&search, &m) == 1) {
		result = write_grubenv(m.source, err);
		if (result == 0)
			say("GRUB starts it next");
		medium_release(&search, &m);
	} else {
		error_set(err, ERROR_FAILED, LAYOUT_GRUBENV,
			  "the boot medium cannot be told to start Windows");
		error_remedy(err, "take the medium out, or choose the disk in the "
				  "firmware's boot menu");
	}
	medium_search_free(&search);
	return result;
}

int native_next(const char *root, const struct native *n, void (*say)(const char *),
		struct error *err)
{
	return n->uefi ? next_by_uefi(root, n, say, err) : next_by_grub(root, say, err);
}
