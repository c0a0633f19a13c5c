/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One image for every HAL. NTLDR loads System32\hal.dll and ntoskrnl.exe, unless an entry
 * of boot.ini names others with /hal= and /kernel=, by names of eight and three
 * characters. So the pairs that the image was not installed with are put beside the
 * installed one, and boot.ini gets an entry for each. The installed pair, which updates
 * patch, and the default entry stay.
 */
#include "base/text.h"
#include "injector/nt5.h"
#include "windows/boot_ini.h"
#include "windows/hal.h"
#include "windows/pe.h"

#define SYSTEM32 "Windows/System32/"
#define BINARY_LIMIT ((size_t)64 << 20)
#define MENU_SECONDS 10

struct kernel {
	const char *medium;    /* name on the medium, and OriginalFilename */
	const char *copy;      /* what the copy is called */
	const char *installed; /* what it is called where it is installed */
	bool multiprocessor, pae;
};
static const struct kernel kernels[] = {
	{"ntoskrnl.exe", "ntkrnlup.exe", "ntoskrnl.exe", false, false},
	{"ntkrnlpa.exe", "ntkrpaup.exe", "ntkrnlpa.exe", false, true},
	{"ntkrnlmp.exe", "ntkrnlmp.exe", "ntoskrnl.exe", true, false},
	{"ntkrpamp.exe", "ntkrpamp.exe", "ntkrnlpa.exe", true, true},
};

struct pair {
	const struct hal_kind *kind;
	const struct kernel *kernel;
	const char *kernel_name; /* in System32 */
	bool ready;
};

struct neutral {
	struct nt5_any *any;
	struct hal hal;
	unsigned service_pack;
	bool pae;
	struct pair pairs[3];
	size_t count;
	struct strings wanted;
	struct inbox_files found;
	struct boot_ini ini;
	bool has_ini;
};

static void neutral_free(struct neutral *n)
{
	hal_free(&n->hal);
	strings_free(&n->wanted);
	inbox_files_free(&n->found);
	boot_ini_free(&n->ini);
}

static void version_text(uint64_t version, char text[PACKAGE_VERSION_TEXT_SIZE])
{
	package_version_text(version, text);
}

/* ---- which pairs ------------------------------------------------------------------- */

static const struct kernel *choose_kernel(bool multiprocessor, bool pae)
{
	for (size_t i = 0; i < ARRAY_SIZE(kernels); i++)
		if (kernels[i].multiprocessor == multiprocessor && kernels[i].pae == pae)
			return &kernels[i];
	return NULL;
}

/* ACPI HALs other than the installed one. */
static void choose_pairs(struct neutral *n)
{
	size_t count;
	const struct hal_kind *kinds = hal_kinds(&count);

	for (size_t i = 0; i < count && n->count < ARRAY_SIZE(n->pairs); i++) {
		struct pair pair = {.kind = &kinds[i]};

		if (!kinds[i].acpi || &kinds[i] == n->hal.kind)
			continue;
		pair.kernel = choose_kernel(kinds[i].multiprocessor, n->pae);
		pair.kernel_name =
			pair.kernel->multiprocessor == n->hal.kernel_multiprocessor
				? pair.kernel->installed
				: pair.kernel->copy;
		n->pairs[n->count++] = pair;
	}
}

/* True if the file is the one wanted and belongs to the installed service pack. */
static bool fits(const struct neutral *n, uint64_t version, const char *original,
		 const char *medium)
{
	unsigned sp;

	return original && text_equal(original, medium) &&
	       hal_service_pack(version, &sp) && sp == n->service_pack &&
	       version >> 16 == n->hal.kernel_version >> 16;
}

/* 1: System32 has it already, as it should be. */
static int in_place(struct neutral *n, const char *medium, const char *name,
		    struct error *err)
{
	_cleanup_free_ char *path = xasprintf(SYSTEM32 "%s", name), *original = NULL;
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;
	struct tree *tree = n->any->store->tree;
	struct tree_stat st;
	uint64_t version = 0;
	int found = tree_stat(tree, path, &st, err);

	if (found <= 0 || st.type != TREE_FILE || st.size > BINARY_LIMIT)
		return found < 0 ? -1 : 0;
	if (tree_read(tree, path, BINARY_LIMIT, &data, err) < 0)
		return -1;
	original = pe_version_string(buffer_view(&data), "OriginalFilename");
	return pe_file_version(buffer_view(&data), &version) &&
	       fits(n, version, original, medium);
}

static int want(struct neutral *n, const char *medium, const char *name,
		struct error *err)
{
	int there = in_place(n, medium, name, err);

	if (there == 0 && !strings_contain(&n->wanted, medium))
		strings_push(&n->wanted, medium);
	return there < 0 ? -1 : 0;
}

/* ---- the files --------------------------------------------------------------------- */

/* The installed revision if it is there, else the newest of the service pack. */
static const struct inbox_file *best(const struct neutral *n, const char *medium)
{
	const struct inbox_file *found = NULL;

	vec_foreach (file, &n->found) {
		if (!text_equal(file->name, medium) ||
		    !fits(n, file->version, file->original, medium))
			continue;
		if (file->version == n->hal.kernel_version)
			return file;
		if (!found || file->version > found->version)
			found = file;
	}
	return found;
}

/* Why there is no `medium` to take: what was found instead, or nothing. */
static char *why_not(const struct neutral *n, const char *medium)
{
	char want_text[PACKAGE_VERSION_TEXT_SIZE], text[PACKAGE_VERSION_TEXT_SIZE];

	version_text(n->hal.kernel_version, want_text);
	vec_foreach (file, &n->found) {
		if (!text_equal(file->name, medium))
			continue;
		version_text(file->version, text);
		return xasprintf(
			"%s in %s is %s, version %s: the image has service pack %u "
			"(%s)",
			medium, file->where,
			file->original ? file->original : "no system file", text,
			n->service_pack, want_text);
	}
	return xasprintf("%s is not in the driver cache of the image", medium);
}

/* 1: in place now, 0: not to be had (an error says why), -1. */
static int put(struct neutral *n, const char *medium, const char *name, struct error *err)
{
	_cleanup_free_ char *path = xasprintf(SYSTEM32 "%s", name);
	const struct inbox_file *file;
	int there = in_place(n, medium, name, err);

	if (there != 0)
		return there;
	file = best(n, medium);
	if (!file) {
		nt5_any_error(n->any, path, why_not(n, medium),
			      "give the i386 folder of a CD with the same service pack "
			      "with --source");
		return 0;
	}
	if (inbox_put(file, n->any->store->tree, path, err) < 0)
		return -1;
	strings_push(&n->any->out->files, path);
	return 1;
}

static int put_pair(struct neutral *n, struct pair *pair, struct error *err)
{
	int hal = put(n, pair->kind->file, pair->kind->file, err);
	int kernel = hal < 0 ? -1 : put(n, pair->kernel->medium, pair->kernel_name, err);

	pair->ready = hal > 0 && kernel > 0;
	return kernel < 0 ? -1 : 0;
}

/* ---- boot.ini ---------------------------------------------------------------------- */

static int read_menu(struct neutral *n, struct error *err)
{
	_cleanup_error_ struct error mine = ERROR_INIT;
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;
	struct tree *boot = n->any->options->boot;
	int found = boot ? tree_stat(boot, "boot.ini", NULL, err) : 0;
	const struct boot_entry *entry;

	if (found < 0)
		return -1;
	if (!found)
		return 0;
	if (tree_read(boot, "boot.ini", BOOT_INI_LIMIT, &data, &mine) < 0 ||
	    boot_ini_parse(buffer_view(&data), &n->ini, &mine) < 0) {
		if (mine.code == ERROR_INTERRUPTED)
			return error_move(err, &mine);
		nt5_any_error(n->any, "boot.ini", error_message(&mine),
			      "put a boot.ini onto the system volume and run this again");
		return 0;
	}
	entry = boot_ini_windows(&n->ini, "Windows", n->any->options->partition);
	if (entry) {
		_cleanup_free_ char *pae = boot_entry_option(entry, "pae");

		n->pae = pae != NULL;
	}
	n->has_ini = true;
	return 0;
}

static void no_menu(struct neutral *n)
{
	const char *why = n->any->options->no_boot;

	nt5_any_error(
		n->any, "boot.ini",
		why ? xasprintf("the volume that it is on cannot be opened: %s", why)
		    : xstrdup("the image has none: NTLDR cannot be told which HAL "
			      "to load"),
		"add entries with /kernel= and /hal= to the boot.ini that starts "
		"this Windows");
}

static int write_menu(struct neutral *n, struct error *err)
{
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;
	struct any_controller_result *out = n->any->out;

	for (size_t i = 0; i < n->count; i++) {
		const struct pair *p = &n->pairs[i];
		const struct boot_entry *entry =
			boot_ini_windows(&n->ini, "Windows", n->any->options->partition);
		_cleanup_free_ char *line = NULL;

		if (!p->ready)
			continue;
		if (!entry) {
			nt5_any_error(n->any, "boot.ini",
				      xstrdup("no entry starts the folder \\WINDOWS"),
				      "add one and run this again");
			return 0;
		}
		if (boot_ini_find_pair(&n->ini, entry->path, p->kernel_name,
				       p->kind->file))
			continue;
		if (!boot_ini_add_pair(&n->ini, entry, p->kind->text, p->kernel_name,
				       p->kind->file)) {
			nt5_any_error(n->any, "boot.ini",
				      xasprintf("the menu has %u entries, more are not "
						"shown: none for %s",
						BOOT_INI_ENTRIES, p->kind->text),
				      "take entries out of boot.ini");
			continue;
		}
		line = xasprintf("boot.ini: /kernel=%s /hal=%s", p->kernel_name,
				 p->kind->file);
		strings_push(&out->boot_settings, line);
	}
	if (!n->ini.modified)
		return 0;
	if (boot_ini_raise_timeout(&n->ini, MENU_SECONDS))
		strings_push(&out->boot_settings,
			     "boot.ini: timeout, which was 0: the menu was not shown");
	boot_ini_write(&n->ini, &data);
	/* An existing file keeps its attributes: hidden, system, read-only. */
	return tree_write(n->any->options->boot, "boot.ini", buffer_view(&data), 0, err);
}

/* ---- all of it --------------------------------------------------------------------- */

/* False with the reason reported where the image cannot be made neutral. */
static bool can_be_neutral(struct neutral *n)
{
	struct any_controller_result *out = n->any->out;
	_cleanup_free_ char *text = NULL;

	if (n->any->store->installation->target.arch != ARCH_X86) {
		strings_push(&out->remarks,
			     "64-bit Windows has one HAL: nothing to do for it");
		return false;
	}
	if (!n->hal.kernel_version ||
	    !hal_service_pack(n->hal.kernel_version, &n->service_pack)) {
		nt5_any_error(
			n->any, SYSTEM32 "ntoskrnl.exe",
			xstrdup("its version cannot be told: which HALs and kernels "
				"fit is not known"),
			"put the kernel of this Windows back");
		return false;
	}
	if (!n->hal.kind) {
		nt5_any_error(
			n->any, SYSTEM32 "hal.dll",
			xasprintf("%s is not one of Windows' own HALs",
				  n->hal.file ? n->hal.file : "a file without a name"),
			"such an image starts on its own make of PC only: install "
			"it with a HAL of the CD");
		return false;
	}
	if (!n->hal.kind->acpi) {
		nt5_any_error(n->any, SYSTEM32 "hal.dll",
			      xasprintf("the image was installed for a PC without ACPI "
					"(%s, %s): ACPI HALs do not start it",
					n->hal.kind->text, n->hal.kind->file),
			      "install it on a PC with ACPI");
		return false;
	}
	if (n->hal.kind->multiprocessor != n->hal.kernel_multiprocessor) {
		text = xasprintf("hal.dll is %s, but the kernel is %s", n->hal.kind->file,
				 n->hal.kernel ? n->hal.kernel : "not known");
		strings_push(&out->remarks, text);
	}
	return true;
}

static int make_neutral(struct neutral *n, struct error *err)
{
	struct nt5_any *any = n->any;

	if (hal_read(any->store->tree, any->store->system,
		     any->store->installation->control_set, &n->hal, err) < 0)
		return -1;
	if (!can_be_neutral(n))
		return 0;
	if (read_menu(n, err) < 0)
		return -1;
	choose_pairs(n);
	for (size_t i = 0; i < n->count; i++)
		if (want(n, n->pairs[i].kind->file, n->pairs[i].kind->file, err) < 0 ||
		    want(n, n->pairs[i].kernel->medium, n->pairs[i].kernel_name, err) < 0)
			return -1;
	if (inbox_find(any->store->tree, any->options->media, any->options->source,
		       &n->wanted, &n->found, &any->out->remarks, err) < 0)
		return -1;
	for (size_t i = 0; i < n->count; i++)
		if (put_pair(n, &n->pairs[i], err) < 0)
			return -1;
	if (n->has_ini)
		return write_menu(n, err);
	no_menu(n);
	return 0;
}

int nt5_any_hal(struct nt5_any *any, struct error *err)
{
	struct neutral n = {.any = any};
	int r = make_neutral(&n, err);

	neutral_free(&n);
	return r;
}
