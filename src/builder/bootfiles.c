/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What bcdboot copies, learnt from its log (BFSVC) and from system volumes that it
 * filled: Windows\Boot\EFI with all below it, or bootmgr, BOOTNXT and Windows\Boot\PCAT;
 * fonts and resources beside them; the boot manager once more under the name that
 * firmware starts without any setting. Files signed by the 2023 CA lie in EFI_EX and
 * Fonts_EX, with _EX behind their names, and take the place of those without.
 */
#include "builder/bootfiles.h"

#include "base/text.h"
#include "windows/bcd.h"
#include "windows/pe.h"

#define WINDOWS_BOOT "Windows/Boot/"
#define EFI_BOOT "EFI/Microsoft/Boot"
#define EFI_RECOVERY "EFI/Microsoft/Recovery"
#define BIOS_BOOT "Boot"
#define DEPTH_MAX 4u /* folders below one of boot files */
/* bcdboot of this build uses EFI_EX without being told to. */
#define EX_DEFAULT_BUILD 26200u

#define SYSTEM_FILE (TREE_ATTR_HIDDEN | TREE_ATTR_SYSTEM)
/* As on volumes that bcdboot filled: 0x27 and 0x26. */
#define BOOTMGR_ATTRIBUTES (SYSTEM_FILE | TREE_ATTR_READONLY | TREE_ATTR_ARCHIVE)
#define BOOTNXT_ATTRIBUTES (SYSTEM_FILE | TREE_ATTR_ARCHIVE)

struct plan {
	struct tree *tree;
	const struct boot_files_options *options;
	struct boot_files *files;
};

void boot_files_free(struct boot_files *files)
{
	vec_foreach (file, files) {
		free(file->target);
		free(file->source);
		buffer_free(&file->data);
	}
	vec_free(files);
}

uint64_t boot_files_size(const struct boot_files *files)
{
	uint64_t size = 0;

	vec_foreach (file, files)
		size += file->size;
	return size;
}

/* The list's entry for a target; what was planned for it before is given up. */
static struct boot_file *entry(struct plan *p, const char *target)
{
	vec_foreach (file, p->files)
		if (text_equal(file->target, target)) {
			free(file->source);
			file->source = NULL;
			return file;
		}
	vec_push(p->files, (struct boot_file){.target = xstrdup(target),
					      .attributes = TREE_ATTR_ARCHIVE});
	return &p->files->items[p->files->len - 1];
}

static void add_bytes(struct plan *p, const char *target, struct bytes data,
		      uint32_t attributes)
{
	struct boot_file *file = entry(p, target);

	buffer_append(&file->data, data.data, data.len);
	file->size = data.len;
	file->attributes = attributes;
}

static void add_folder(struct plan *p, const char *target, uint32_t attributes)
{
	struct boot_file *file = entry(p, target);

	file->folder = true;
	file->attributes = attributes;
}

static int missing(const struct plan *p, const char *path, struct error *err)
{
	error_set(err, ERROR_FAILED, tree_name(p->tree),
		  "the image has no %s, which a disk for %s needs to start", path,
		  p->options->uefi ? "UEFI" : "BIOS");
	return error_remedy(err,
			    "take an image that was captured with its Windows\\Boot "
			    "folder, or copy that folder into it with gild edit --copy");
}

/* One file that must be there. */
static int add_file(struct plan *p, const char *source, const char *target,
		    uint32_t attributes, struct error *err)
{
	struct tree_stat st;
	struct boot_file *file;
	int found = tree_stat(p->tree, source, &st, err);

	if (found < 0)
		return -1;
	if (found == 0 || st.type != TREE_FILE)
		return missing(p, source, err);
	file = entry(p, target);
	file->source = xstrdup(source);
	file->size = st.size;
	file->attributes = attributes;
	return 0;
}

/* ---- machine types ---- */

/* The program must be there and for the image's machine. */
static int check_machine(struct plan *p, const char *path, struct error *err)
{
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;
	enum windows_arch arch, wanted = p->options->target->arch;
	int found = tree_stat(p->tree, path, NULL, err);

	if (found <= 0)
		return found < 0 ? -1 : missing(p, path, err);
	if (tree_read(p->tree, path, BOOT_FILE_SIZE_MAX, &data, err) < 0)
		return -1;
	arch = pe_arch(buffer_view(&data));
	if (arch == wanted)
		return 0;
	if (arch == ARCH_UNKNOWN)
		error_set(err, ERROR_FAILED, path, "the file is no program for a PC");
	else
		error_set(err, ERROR_FAILED, path,
			  "the program is for %s, the Windows for %s", arch_name(arch),
			  arch_name(wanted));
	return error_remedy(err, "put the file of an image of the same build and "
				 "architecture in its place");
}

/* ---- folders ---- */

static int add_tree(struct plan *p, const char *source, const char *target,
		    unsigned depth, struct error *err);

/* "bootmgfw_EX.efi" is "bootmgfw.efi"; NULL if it has no _EX. */
static char *without_ex(const char *name)
{
	static const char mark[] = "_EX";
	const char *dot = strrchr(name, '.');
	size_t base = dot ? (size_t)(dot - name) : strlen(name), len = strlen(mark);

	if (base <= len || !text_equal_n(name + base - len, mark, len))
		return NULL;
	return xasprintf("%.*s%s", (int)(base - len), name, name + base);
}

static int add_entry(struct plan *p, const struct tree_entry *found, const char *source,
		     const char *target, unsigned depth, struct error *err)
{
	_cleanup_free_ char *from = xasprintf("%s/%s", source, found->name);
	_cleanup_free_ char *plain = without_ex(found->name);
	_cleanup_free_ char *to = xasprintf("%s/%s", target, plain ? plain : found->name);

	if (found->stat.type == TREE_FOLDER)
		return add_tree(p, from, to, depth + 1, err);
	if (found->stat.type != TREE_FILE)
		return 0; /* a link leads to what is not copied */
	return add_file(p, from, to, TREE_ATTR_ARCHIVE, err);
}

static int add_tree(struct plan *p, const char *source, const char *target,
		    unsigned depth, struct error *err)
{
	_cleanup_tree_entries_ struct tree_entries entries = VEC_INIT;
	int found = tree_list(p->tree, source, &entries, err);

	if (found <= 0)
		return found;
	if (entries.len > BOOT_FILES_MAX || depth > DEPTH_MAX)
		return error_set(err, ERROR_FAILED, source,
				 "the folder of boot files has more than %u files or is "
				 "nested more than %u deep",
				 BOOT_FILES_MAX, DEPTH_MAX);
	vec_foreach (found_entry, &entries)
		if (add_entry(p, found_entry, source, target, depth, err) < 0)
			return -1;
	return 0;
}

/* Reads all programs in one pass, which in a WIM may cost as much as reading one. */
static int check_programs(struct plan *p, const char *loader, struct error *err)
{
	struct strings paths = VEC_INIT;
	int ret;

	strings_push(&paths, loader);
	vec_foreach (file, p->files)
		if (file->source && text_ends_with(file->source, ".efi"))
			strings_push(&paths, file->source);
	ret = tree_prefetch(p->tree, &paths, err);
	vec_foreach (path, &paths)
		if (ret == 0)
			ret = check_machine(p, *path, err);
	strings_free(&paths);
	return ret;
}

/* ---- UEFI ---- */

static const char *fallback_name(enum windows_arch arch)
{
	switch (arch) {
	case ARCH_AMD64:
		return "EFI/Boot/bootx64.efi";
	case ARCH_ARM64:
		return "EFI/Boot/bootaa64.efi";
	case ARCH_X86:
		return "EFI/Boot/bootia32.efi";
	case ARCH_ARM:
		return "EFI/Boot/bootarm.efi";
	default:
		return NULL;
	}
}

/* 1: the files of the 2023 CA are to be taken, 0: not, -1. */
static int choose_ca(struct plan *p, struct error *err)
{
	static const char manager[] = WINDOWS_BOOT "EFI_EX/bootmgfw_EX.efi";
	int found;

	if (p->options->ca == BOOT_CA_2011)
		return 0;
	found = tree_stat(p->tree, manager, NULL, err);
	if (found < 0)
		return -1;
	if (p->options->ca == BOOT_CA_AUTO)
		return found && p->options->target->build >= EX_DEFAULT_BUILD;
	if (found)
		return 1;
	error_set(err, ERROR_FAILED, tree_name(p->tree),
		  "the image has no boot manager signed by the 2023 CA (%s)", manager);
	return error_remedy(err, "use --boot-ca=2011, or an image with the updates of "
				 "April 2024 or later");
}

static int plan_uefi(struct plan *p, bool ex, struct error *err)
{
	const char *fallback = fallback_name(p->options->target->arch);
	const char *manager = ex ? WINDOWS_BOOT "EFI_EX/bootmgfw_EX.efi"
				 : WINDOWS_BOOT "EFI/bootmgfw.efi";

	if (!fallback)
		return error_set(err, ERROR_FAILED, tree_name(p->tree),
				 "the architecture of the Windows is not known");
	if (add_file(p, manager, fallback, TREE_ATTR_ARCHIVE, err) < 0 ||
	    add_tree(p, WINDOWS_BOOT "EFI", EFI_BOOT, 0, err) < 0 ||
	    add_tree(p, WINDOWS_BOOT "Fonts", EFI_BOOT "/Fonts", 0, err) < 0 ||
	    add_tree(p, WINDOWS_BOOT "Resources", EFI_BOOT "/Resources", 0, err) < 0)
		return -1;
	if (ex && (add_tree(p, WINDOWS_BOOT "EFI_EX", EFI_BOOT, 0, err) < 0 ||
		   add_tree(p, WINDOWS_BOOT "Fonts_EX", EFI_BOOT "/Fonts", 0, err) < 0))
		return -1;
	add_bytes(p, BCD_EFI, p->options->store, TREE_ATTR_ARCHIVE);
	if (p->options->recovery_store.len)
		add_bytes(p, EFI_RECOVERY "/BCD", p->options->recovery_store,
			  TREE_ATTR_ARCHIVE);
	return check_programs(p, "Windows/System32/winload.efi", err);
}

/* ---- BIOS ---- */

static int plan_bios(struct plan *p, struct error *err)
{
	static const char bootnxt[] = WINDOWS_BOOT "PCAT/bootnxt";
	int found;

	if (add_file(p, WINDOWS_BOOT "PCAT/bootmgr", "bootmgr", BOOTMGR_ATTRIBUTES, err) <
	    0)
		return -1;
	/* Only Windows 8 and later have it. */
	found = tree_stat(p->tree, bootnxt, NULL, err);
	if (found < 0 ||
	    (found && add_file(p, bootnxt, "BOOTNXT", BOOTNXT_ATTRIBUTES, err) < 0))
		return -1;
	add_folder(p, BIOS_BOOT, SYSTEM_FILE);
	if (add_tree(p, WINDOWS_BOOT "PCAT", BIOS_BOOT, 0, err) < 0 ||
	    add_tree(p, WINDOWS_BOOT "Fonts", BIOS_BOOT "/Fonts", 0, err) < 0 ||
	    add_tree(p, WINDOWS_BOOT "Resources", BIOS_BOOT "/Resources", 0, err) < 0)
		return -1;
	add_bytes(p, BCD_BIOS, p->options->store, TREE_ATTR_ARCHIVE);
	return check_programs(p, "Windows/System32/winload.exe", err);
}

/* Of PCAT, these two go to the root alone. */
static void drop_root_files(struct plan *p)
{
	size_t kept = 0;

	vec_foreach (file, p->files) {
		if (text_equal(file->target, BIOS_BOOT "/bootmgr") ||
		    text_equal(file->target, BIOS_BOOT "/bootnxt")) {
			free(file->target);
			free(file->source);
			continue;
		}
		p->files->items[kept++] = *file;
	}
	p->files->len = kept;
}

int boot_files_plan(struct tree *windows, const struct boot_files_options *options,
		    struct boot_files *ret, enum boot_ca *ca, struct error *err)
{
	struct plan p = {.tree = windows, .options = options, .files = ret};
	int ex = 0;

	if (options->uefi) {
		ex = choose_ca(&p, err);
		if (ex < 0 || plan_uefi(&p, ex, err) < 0)
			return -1;
	} else {
		if (options->ca == BOOT_CA_2023) {
			error_set(err, ERROR_USAGE, NULL,
				  "a boot manager for BIOS is not signed by a CA");
			return error_remedy(err, "leave --boot-ca out");
		}
		if (plan_bios(&p, err) < 0)
			return -1;
		drop_root_files(&p);
	}
	if (ca)
		*ca = ex ? BOOT_CA_2023 : BOOT_CA_2011;
	return 0;
}
