/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is started in turn: the firmware's fallback file or the boot manager, the boot
 * configuration (verify_bcd.c), loader and kernel. Each file must be there and be for the
 * machine that it is started on; Secure Boot also wants the boot manager's signature.
 */
#include "base/text.h"
#include "builder/verify_private.h"
#include "sign/signature.h"
#include "windows/bcd.h"
#include "windows/pe.h"

#define MAX_PROGRAM ((size_t)64 << 20)
#define BOOT_MANAGER_EFI "EFI/Microsoft/Boot/bootmgfw.efi"

/* 1: a file, in *ret; 0: there is none (a finding); -1. Damage is a finding as well. */
static int read_program(struct verify *v, struct tree *tree, const char *path,
			const char *code, const char *remedy, const char *why,
			struct buffer *ret, struct error *err)
{
	_cleanup_error_ struct error failure = ERROR_INIT;
	struct tree_stat st;
	int found = tree_stat(tree, path, &st, &failure);

	if (found > 0 && st.type == TREE_FILE &&
	    tree_read(tree, path, MAX_PROGRAM, ret, &failure) == 0)
		return 1;
	if (failure.code == ERROR_INTERRUPTED)
		return error_move(err, &failure);
	if (failure.code)
		verify_add_error(v, "file_damaged", VERIFY_ERROR, path, VERIFY_COPY_AGAIN,
				 &failure);
	else
		verify_add(v, code, VERIFY_ERROR, path, remedy, "is missing: %s", why);
	return 0;
}

static bool check_arch(struct verify *v, const char *path, struct bytes file,
		       const char *code, enum windows_arch want)
{
	enum windows_arch arch = pe_arch(file);

	if (want == ARCH_UNKNOWN || arch == want)
		return true;
	verify_add(v, code, VERIFY_ERROR, path,
		   "put the file of this Windows' own release there",
		   "is %s%s, and this Windows is for %s",
		   arch == ARCH_UNKNOWN ? "no executable" : "for ",
		   arch == ARCH_UNKNOWN ? "" : arch_name(arch), arch_name(want));
	return false;
}

int verify_program(struct verify *v, struct tree *tree, const char *path,
		   enum windows_arch arch, const char *why, struct error *err)
{
	_cleanup_buffer_ struct buffer file = BUFFER_INIT;
	int found = read_program(v, tree, path, "boot_file_missing",
				 "put it back from the same release of Windows", why,
				 &file, err);

	if (found > 0)
		check_arch(v, path, buffer_view(&file), "boot_file_arch", arch);
	return found < 0 ? -1 : 0;
}

/* ---- what every Windows needs, wherever its boot manager is ---------------------------
 */

/* Without these, what is installed by bcdboot or gild build is not complete. */
static int check_sources(struct verify *v, struct tree *tree, struct error *err)
{
	static const char *const files[] = {"Windows/Boot/EFI/bootmgfw.efi",
					    BCD_TEMPLATE};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		int found = tree_stat(tree, files[i], NULL, err);

		if (found < 0)
			return -1;
		if (!found)
			verify_add(v, "boot_source_missing", VERIFY_WARNING, files[i],
				   "put it back from the same release of Windows",
				   "is missing: bcdboot cannot make a disk of this "
				   "Windows bootable");
	}
	return 0;
}

int verify_system_files(struct verify *v, struct tree *tree,
			const struct installation *installation, struct error *err)
{
	static const char *const files[] = {
		"Windows/System32/ntoskrnl.exe",
		"Windows/System32/hal.dll",
		"Windows/System32/ntdll.dll",
		"Windows/System32/smss.exe",
	};
	const struct target *t = &installation->target;
	_cleanup_(strings_free) struct strings paths = VEC_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		strings_push(&paths, files[i]);
	if (tree_prefetch(tree, &paths, err) < 0)
		return -1;
	vec_foreach (path, &paths)
		if (verify_program(v, tree, *path, t->arch,
				   "Windows does not start without it", err) < 0)
			return -1;
	verify_checked(v, "kernel and HAL");
	/* Windows before 8 came without UEFI files in its 32-bit editions. */
	if (target_compare_version(t, 6, 2, 0) < 0)
		return 0;
	return check_sources(v, tree, err);
}

/* ---- UEFI -----------------------------------------------------------------------------
 */

/* UEFI specification, 3.5.1.1: what removable media are started by. */
static const char *fallback_name(enum windows_arch arch)
{
	return arch == ARCH_X86	    ? "EFI/Boot/bootia32.efi"
	       : arch == ARCH_ARM64 ? "EFI/Boot/bootaa64.efi"
	       : arch == ARCH_ARM   ? "EFI/Boot/bootarm.efi"
				    : "EFI/Boot/bootx64.efi";
}

static void check_secure_boot(struct verify *v, const char *path, struct bytes file)
{
	struct signature signature = {0};

	signature_of_pe(file, path, &signature);
	if (signature.verdict != SIGNATURE_VALID)
		verify_add(v, "boot_manager_unsigned", VERIFY_WARNING, path,
			   "take the boot manager of Windows itself, or switch Secure "
			   "Boot off",
			   "its signature is %s: firmware with Secure Boot does not "
			   "start it",
			   signature_verdict_name(signature.verdict));
	signature_free(&signature);
}

static int check_uefi(struct verify *v, struct tree *system, enum windows_arch arch,
		      struct error *err)
{
	_cleanup_buffer_ struct buffer manager = BUFFER_INIT, fallback = BUFFER_INIT;
	const char *name = fallback_name(arch);
	int found = read_program(v, system, BOOT_MANAGER_EFI, "boot_manager_missing",
				 VERIFY_BUILD_AGAIN, "there is no boot manager to start",
				 &manager, err);

	if (found < 0)
		return -1;
	if (found && check_arch(v, BOOT_MANAGER_EFI, buffer_view(&manager),
				"boot_file_arch", arch))
		check_secure_boot(v, BOOT_MANAGER_EFI, buffer_view(&manager));
	found = read_program(v, system, name, "fallback_missing",
			     "copy \\EFI\\Microsoft\\Boot\\bootmgfw.efi to it",
			     "firmware without a boot entry for this disk, which is all "
			     "but one PC's, does not start it",
			     &fallback, err);
	if (found > 0)
		check_arch(v, name, buffer_view(&fallback), "boot_file_arch", arch);
	return found < 0 ? -1 : 0;
}

/* ---- BIOS -----------------------------------------------------------------------------
 */

static int check_present(struct verify *v, struct tree *system, const char *path,
			 struct error *err)
{
	struct tree_stat st;
	int found = tree_stat(system, path, &st, err);

	if (found == 0 || (found > 0 && st.type == TREE_FILE && !st.size))
		verify_add(v, "boot_manager_missing", VERIFY_ERROR, path,
			   VERIFY_BUILD_AGAIN, "%s: the boot code finds nothing to start",
			   found ? "is empty" : "is missing");
	return found < 0 ? -1 : 0;
}

static int check_bios(struct verify *v, struct tree *system, bool nt5, struct error *err)
{
	static const char *const old[] = {"NTLDR", "NTDETECT.COM", "boot.ini"};

	if (!nt5)
		return check_present(v, system, "bootmgr", err);
	for (size_t i = 0; i < ARRAY_SIZE(old); i++)
		if (check_present(v, system, old[i], err) < 0)
			return -1;
	return 0;
}

/* ---- all ------------------------------------------------------------------------------
 */

static bool on_esp(const struct verify *v, const struct image_info *info)
{
	vec_foreach (partition, &v->table.partitions)
		if (partition->number == info->system_partition &&
		    partition_is_esp(partition))
			return true;
	return false;
}

int verify_boot(struct verify *v, struct image *image, size_t i, struct tree *tree,
		const struct installation *installation, struct error *err)
{
	const struct target *target = &installation->target;
	bool uefi = on_esp(v, image_info(image, i)), nt5 = target->major == 5;
	_cleanup_free_ char *why = NULL;
	struct tree *system;
	int found = image_system_tree(image, i, &system, &why, err);

	if (found < 0)
		return -1;
	if (!found) {
		verify_add(v, "system_volume_unread", VERIFY_WARNING, v->path,
			   "see that the disk has a boot manager's volume that can be "
			   "read, or give --via=guestfs",
			   "boot manager and boot configuration could not be looked at: "
			   "%s",
			   why);
		return 0;
	}
	if ((uefi ? check_uefi(v, system, target->arch, err)
		  : check_bios(v, system, nt5, err)) < 0)
		return -1;
	verify_checked(v, "boot manager");
	return nt5 ? 0
		   : verify_bcd(v, system, tree, image_info(image, i), uefi, installation,
				err);
}
