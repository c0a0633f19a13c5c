/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Vista and 7: the package where Plug and Play finds it, and gild's record of it. */
#include <stdio.h>

#include "base/text.h"
#include "injector/nt5.h"
#include "injector/nt6.h"

#define RUN_ONCE "Microsoft\\Windows\\CurrentVersion\\RunOnce"
#define FOLDER_STEM_MAX 32

/* The part of a folder's name that comes from the INF: nothing that DevicePath minds. */
char *nt6_folder(unsigned number, const char *inf_name)
{
	_cleanup_free_ char *stem = xstrndup(inf_name, FOLDER_STEM_MAX);
	char *dot = strrchr(stem, '.');

	if (dot)
		*dot = 0;
	for (char *c = stem; *c; c++)
		if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
		      (*c >= '0' && *c <= '9') || *c == '-'))
			*c = '_';
	return xasprintf(INJECTED_FOLDER "/oem%u_%s", number, stem);
}

/* Not oemN.cat: Windows will number the packages anew when it imports them. */
static char *catalog_path(const char *id)
{
	return xasprintf(CATALOGS "/%s.cat", id);
}

static char *run_once_name(const char *published)
{
	return xasprintf("gild %s", published);
}

bool nt6_is_signed(const struct package *package)
{
	enum signature_verdict verdict = package->signature.verdict;

	/* What Windows does not trust counts as not signed. */
	return package->catalog &&
	       (verdict == SIGNATURE_VALID || verdict == SIGNATURE_UNCHECKED);
}

static bool is_winpe(const struct store *store)
{
	const char *type = store->installation->installation_type;

	return type && text_equal(type, "WindowsPE");
}

/*
 * pnputil asks about packages that it does not trust, in an image that is to come up by
 * itself. Windows PE has nobody who logs on, and XP no pnputil.
 */
static bool runs_once(const struct store *store, const struct package *package)
{
	return nt6_is_signed(package) && !is_winpe(store) &&
	       store->installation->target.major >= 6;
}

static int add_run_once(struct store *store, const struct package *package,
			const char *folder, struct error *err)
{
	struct hive *hive = store->software;
	_cleanup_free_ char *name = run_once_name(package->published);
	_cleanup_free_ char *entry = nt5_device_path_entry(folder);
	_cleanup_free_ char *command =
		xasprintf("%%SystemRoot%%\\System32\\pnputil.exe -i -a \"%s\\%s\"", entry,
			  package->inf_name);
	hkey key;

	if (!runs_once(store, package))
		return 0;
	if (hive_create(hive, hive_root(hive), RUN_ONCE, &key, err) < 0)
		return -1;
	return hive_set_string(hive, key, name, REG_EXPAND_SZ, command, err) < 0 ? -1 : 0;
}

static int put_files(struct store *store, const struct package *package,
		     const char *folder, struct error *err)
{
	vec_foreach (file, &package->files) {
		_cleanup_free_ char *path = xasprintf("%s/%s", folder, file->path);

		if (interrupted())
			return error_interrupted(err);
		if (package_put(package, file, store->tree, path, err) < 0)
			return -1;
		/* So that what is loaded before the import counts as signed. */
		if (package->catalog && text_equal(file->path, package->catalog)) {
			_cleanup_free_ char *catalog = catalog_path(package->store);

			if (package_put(package, file, store->tree, catalog, err) < 0)
				return -1;
		}
	}
	return 0;
}

static uint32_t next_sequence(const struct injected_packages *before)
{
	uint32_t last = before->len ? before->items[before->len - 1].sequence : 0;

	return last < UINT32_MAX ? last + 1 : last;
}

static int set_optional(struct hive *hive, hkey key, const char *name, const char *text,
			struct error *err)
{
	int r = text && *text ? hive_set_string(hive, key, name, REG_SZ, text, err)
			      : hive_unset(hive, key, name, err);

	return r < 0 ? -1 : 0;
}

static int set_record(struct store *store, const struct package *package,
		      const char *folder, hkey key, struct error *err)
{
	struct hive *hive = store->software;
	const struct driver *driver = package->driver;
	char guid[GUID_TEXT_SIZE], version[PACKAGE_VERSION_TEXT_SIZE];
	uint8_t date[8];

	guid_format(&driver->class_guid, guid);
	package_version_text(driver->version, version);
	put_le64(date, driver->date);
	if (hive_set_string(hive, key, "", REG_SZ, package->store, err) < 0 ||
	    hive_set_string(hive, key, "Folder", REG_SZ, folder, err) < 0 ||
	    hive_set_string(hive, key, "InfName", REG_SZ, package->inf_name, err) < 0 ||
	    set_optional(hive, key, "Class", driver->class_name, err) < 0 ||
	    hive_set_string(hive, key, "ClassGUID", REG_SZ, guid, err) < 0 ||
	    set_optional(hive, key, "Provider", driver->provider, err) < 0 ||
	    hive_set_string(hive, key, "Version", REG_SZ, version, err) < 0 ||
	    hive_set(hive, key, "Date", REG_BINARY, (struct bytes){date, 8}, err) < 0 ||
	    hive_set_dword(hive, key, "Architecture", store->installation->target.arch,
			   err) < 0 ||
	    hive_set_dword(hive, key, "BootCritical", package->boot_critical, err) < 0 ||
	    hive_set_dword(hive, key, "Signed", nt6_is_signed(package), err) < 0)
		return -1;
	return 0;
}

/* How it comes into use; nothing in Windows PE imports packages by itself. */
static void remark_import(const struct store *store, struct package *package,
			  const char *folder)
{
	_cleanup_free_ char *entry = nt5_device_path_entry(folder);

	if (!is_winpe(store))
		package_remark(package, "Windows imports it from %s when it starts",
			       folder);
	else if (!package->boot_critical)
		package_remark(package, "in Windows PE, load it with: drvload %s\\%s",
			       entry, package->inf_name);
}

int nt6_stage(struct store *store, struct package *package, const char *folder,
	      const struct injected_packages *before, hkey *record, struct error *err)
{
	struct hive *hive = store->software;
	_cleanup_free_ char *path = injected_record_path(package->published);
	uint32_t sequence;

	remark_import(store, package, folder);
	if (put_files(store, package, folder, err) < 0 ||
	    nt5_device_path_add(store, folder, err) < 0 ||
	    add_run_once(store, package, folder, err) < 0 ||
	    hive_create(hive, hive_root(hive), path, record, err) < 0 ||
	    set_record(store, package, folder, *record, err) < 0)
		return -1;
	if (hive_get_dword(hive, *record, "Sequence", &sequence))
		return 0;
	return hive_set_dword(hive, *record, "Sequence", next_sequence(before), err) < 0
		       ? -1
		       : 0;
}

int nt6_staged(struct store *store, const struct package *package,
	       const struct injected_package *record, struct error *err)
{
	if (!nt5_device_path_has(store, record->folder))
		return 0;
	vec_foreach (file, &package->files) {
		_cleanup_free_ char *path =
			xasprintf("%s/%s", record->folder, file->path);
		int found = tree_stat(store->tree, path, NULL, err);

		if (found <= 0)
			return found;
	}
	return 1;
}

int nt6_unstage(struct store *store, const struct injected_package *package,
		struct error *err)
{
	struct hive *hive = store->software;
	hkey key = hive_find(hive, hive_root(hive), RUN_ONCE);
	_cleanup_free_ char *name = run_once_name(package->published);
	_cleanup_free_ char *catalog = catalog_path(package->id);
	_cleanup_free_ char *before = xasprintf("%s.before", package->folder);
	_cleanup_tree_entries_ struct tree_entries left = VEC_INIT;

	if ((key && hive_unset(hive, key, name, err) < 0) ||
	    nt5_device_path_remove(store, package->folder, err) < 0 ||
	    tree_remove(store->tree, catalog, err) < 0 ||
	    tree_remove(store->tree, package->folder, err) < 0 ||
	    tree_remove(store->tree, before, err) < 0)
		return -1;
	/* The folder of all packages goes with the last one. */
	if (tree_list(store->tree, INJECTED_FOLDER, &left, err) < 0)
		return -1;
	return left.len ? 0 : tree_remove(store->tree, INJECTED_FOLDER, err);
}
