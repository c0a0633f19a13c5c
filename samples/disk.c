/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A raw disk with a Windows on it, put together by programs that know nothing of gild:
 * libfdisk for the table, mkfs.fat and mtools for the ESP, volume.c for NTFS.
 */
#include <errno.h>
#include <fcntl.h>
#include <libfdisk.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "samples/sample.h"

#define MIB ((uint64_t)1 << 20)
/* FAT32 with small clusters begins a little above 32 MiB; with 4 KiB sectors at 256. */
#define ESP_SIZE(sector) ((sector) == 512 ? 36 * MIB : 260 * MIB)
#define SYSTEM_SIZE (16 * MIB)

/* Runs a program; its output goes nowhere. */
static void run(char *const argv[])
{
	_cleanup_free_ char *path =
		xasprintf("%s:/usr/sbin:/sbin", getenv("PATH") ?: "/usr/bin");
	int status;
	pid_t pid = fork();

	if (pid < 0)
		die("fork: %s", strerror(errno));
	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		setenv("PATH", path, 1);
		setenv("MTOOLS_SKIP_CHECK", "1", 1);
		(void)dup2(null, STDOUT_FILENO);
		(void)dup2(null, STDERR_FILENO);
		execvp(argv[0], argv);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) < 0 || !WIFEXITED(status) ||
	    WEXITSTATUS(status) != 0)
		die("%s failed (Debian: apt-get install dosfstools mtools)", argv[0]);
}

/* Copies what is not a hole to `offset` of the disk, and removes the source. */
static void put_volume(const char *volume, const char *disk, uint64_t offset)
{
	_cleanup_close_ int from = open(volume, O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int to = open(disk, O_WRONLY | O_CLOEXEC);
	_cleanup_free_ uint8_t *data = xcalloc(1, MIB);
	off_t at = 0;

	if (from < 0 || to < 0)
		die("%s: %s", volume, strerror(errno));
	while ((at = lseek(from, at, SEEK_DATA)) >= 0) {
		off_t end = lseek(from, at, SEEK_HOLE);

		while (at < end) {
			size_t len =
				(uint64_t)(end - at) < MIB ? (size_t)(end - at) : MIB;
			ssize_t n = pread(from, data, len, at);

			if (n <= 0 ||
			    pwrite(to, data, (size_t)n, at + (off_t)offset) != n)
				die("%s: %s", disk, strerror(errno));
			at += n;
		}
	}
	(void)unlink(volume);
}

/* The files of a boot manager as bcdboot lays them out. */
static void boot_files(const char *dir, const char *windows, bool uefi)
{
	_cleanup_free_ char *template =
		xasprintf("%s/Windows/System32/config/BCD-Template", windows);
	_cleanup_free_ char *ntldr = xasprintf("%s/ntldr", dir);
	_cleanup_buffer_ struct buffer store = BUFFER_INIT, program = BUFFER_INIT;
	struct pe pe = {.machine = MACHINE_AMD64,
			.kind = uefi ? PE_EFI : PE_BOOT,
			.name = uefi ? "bootmgfw.efi" : "bootmgr",
			.description = "Boot Manager",
			.company = "gild sample",
			.size = 20000};
	struct error err = ERROR_INIT;

	pe_build(&pe, &program);
	if (uefi) {
		file_put(dir, "EFI/Microsoft/Boot/bootmgfw.efi", buffer_view(&program));
		file_put(dir, "EFI/Boot/bootx64.efi", buffer_view(&program));
	} else if (access(ntldr, F_OK) < 0) {
		file_put(dir, "bootmgr", buffer_view(&program));
	}
	if (access(template, F_OK) < 0)
		return;
	(void)file_read(template, 1 << 24, &store, &err);
	die_on(&err);
	file_put(dir, uefi ? "EFI/Microsoft/Boot/BCD" : "Boot/BCD", buffer_view(&store));
}

static void make_esp(const char *path, const struct disk *disk, const char *scratch)
{
	_cleanup_free_ char *dir = xasprintf("%s/esp", scratch);
	_cleanup_free_ char *folder = xasprintf("%s/EFI", dir);
	_cleanup_free_ char *sector = xasprintf("%u", disk->sector_size);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, (off_t)ESP_SIZE(disk->sector_size)) < 0 ||
	    close(fd) < 0 || mkdir(dir, 0700) < 0)
		die("%s: %s", path, strerror(errno));
	boot_files(dir, disk->dirs[0], true);
	folder_times(dir);
	run((char *[]){"mkfs.fat", "-F", "32", "-S", sector, "-i", "67696c64",
		       "--invariant", "-n", "SYSTEM", (char *)path, NULL});
	run((char *[]){"mcopy", "-s", "-m", "-i", (char *)path, folder, "::/", NULL});
}

/* The table as sfdisk takes it; GUIDs are plain constants. */
static char *table_script(const struct disk *disk, uint64_t system, bool gpt)
{
	_cleanup_buffer_ struct buffer b = BUFFER_INIT;
	uint64_t at = MIB / disk->sector_size;

	if (gpt)
		buffer_append_string(&b, "label: gpt\nlabel-id: "
					 "67696C64-0000-4000-8000-000000000000\n");
	else
		buffer_append_string(&b, "label: dos\nlabel-id: 0x67696c64\n");
	if (system) {
		buffer_printf(&b, "start=%ju, size=%ju, type=%s%s\n", (uintmax_t)at,
			      (uintmax_t)(system / disk->sector_size),
			      gpt ? "C12A7328-F81F-11D2-BA4B-00A0C93EC93B" : "7",
			      gpt ? ", uuid=67696C64-0000-4000-8000-000000000001, "
				    "name=\"EFI system partition\""
				  : ", bootable");
		at += system / disk->sector_size;
	}
	for (unsigned i = 0; i < disk->count; i++) {
		buffer_printf(&b, "start=%ju, size=%ju, type=%s", (uintmax_t)at,
			      (uintmax_t)(disk->volume_size / disk->sector_size),
			      gpt ? "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7" : "7");
		if (gpt)
			buffer_printf(&b,
				      ", uuid=67696C64-0000-4000-8000-0000000001%02u, "
				      "name=\"Basic data partition\"",
				      i);
		buffer_printf(&b, "%s\n", !gpt && !system && i == 0 ? ", bootable" : "");
		at += disk->volume_size / disk->sector_size;
	}
	return buffer_steal_string(&b);
}

static void make_table(const char *path, const struct disk *disk, uint64_t system,
		       bool gpt, const char *scratch)
{
	_cleanup_free_ char *text = table_script(disk, system, gpt);
	_cleanup_free_ char *file = xasprintf("%s/table", scratch);
	struct fdisk_context *context = fdisk_new_context();
	struct fdisk_script *script;

	file_put(scratch, "table", (struct bytes){(const uint8_t *)text, strlen(text)});
	if (fdisk_save_user_sector_size(context, disk->sector_size, disk->sector_size) ||
	    fdisk_assign_device(context, path, 0))
		die("%s: libfdisk cannot open it", path);
	script = fdisk_new_script_from_file(context, file);
	if (!script || fdisk_apply_script(context, script) ||
	    fdisk_write_disklabel(context) || fdisk_deassign_device(context, 0))
		die("%s: libfdisk cannot write the table", path);
	fdisk_unref_script(script);
	fdisk_unref_context(context);
}

static void make_volume(const char *path, const char *dir, const struct disk *disk,
			uint64_t start, uint64_t size, const char *label)
{
	struct geometry geometry = {start, size, disk->sector_size, label};

	volume_make(path, dir, &geometry);
}

void disk_make(const char *path, const struct disk *disk)
{
	struct error err = ERROR_INIT;
	_cleanup_(temp_folder_removep) char *scratch = temp_folder_make(path, &err);
	_cleanup_free_ char *volume = NULL, *dir = NULL;
	bool gpt = strcmp(disk->table, "gpt") == 0;
	bool bare = strcmp(disk->table, "none") == 0;
	uint64_t system = gpt				 ? ESP_SIZE(disk->sector_size)
			  : disk->system_volume && !bare ? SYSTEM_SIZE
							 : 0;
	uint64_t at = bare ? 0 : MIB;
	uint64_t size = at + system + disk->count * disk->volume_size + (bare ? 0 : MIB);
	int fd;

	die_on(&err);
	if (!gpt && !bare && strcmp(disk->table, "mbr") != 0)
		die("--table is gpt, mbr or none");
	if (disk->volume_size % MIB || (bare && disk->count > 1) ||
	    (disk->sector_size != 512 && disk->sector_size != 4096))
		die("--volume-size is whole MiB, --sector-size 512 or 4096");
	volume = xasprintf("%s/volume", scratch);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0 || ftruncate(fd, (off_t)size) < 0 || close(fd) < 0)
		die("%s: %s", path, strerror(errno));
	if (!bare)
		make_table(path, disk, system, gpt, scratch);
	if (gpt) {
		make_esp(volume, disk, scratch);
		put_volume(volume, path, at);
	} else {
		dir = system ? xasprintf("%s/system", scratch) : xstrdup(disk->dirs[0]);
		if (system && mkdir(dir, 0700) < 0)
			die("%s: %s", dir, strerror(errno));
		boot_files(dir, disk->dirs[0], false);
		folder_times(dir);
	}
	if (system && !gpt) {
		make_volume(volume, dir, disk, at, system, "System Reserved");
		put_volume(volume, path, at);
	}
	at += system;
	for (unsigned i = 0; i < disk->count; i++, at += disk->volume_size) {
		make_volume(volume, disk->dirs[i], disk, at, disk->volume_size,
			    "Windows");
		put_volume(volume, path, at);
	}
}
