/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reflecting: what must be in place before Plug and Play runs, so that Windows can start
 * from the device. Files at their destinations, PnpLockdownFiles, services in every
 * control set, absolute registry keys, and the record in the driver database.
 */
#include <stdio.h>

#include "base/text.h"
#include "injector/store_private.h"
#include "windows/pe.h"
#include "windows/service.h"

/* CopyFiles flags (setupapi.h). */
#define COPY_NO_VERSION_CHECK 0x4u
#define COPY_NO_OVERWRITE 0x10u
#define COPY_REPLACE_ONLY 0x400u
/* PnpLockdownFiles\...\Class. */
#define LOCKDOWN_PROTECTED 4u
#define LOCKDOWN_SHARED 5u

/* ---- PnpLockdownFiles -------------------------------------------------------------- */

/* "%SystemRoot%/System32/drivers/x.sys": one key name, with slashes. */
char *lockdown_path(const char *destination)
{
	const char *below = destination + strlen("Windows/");

	if (!text_starts_with(destination, "Windows/"))
		return xasprintf(LOCKDOWN "\\%%SystemDrive%%/%s", destination);
	return xasprintf(LOCKDOWN "\\%%SystemRoot%%/%s", below);
}

static int lock_down(struct store *store, const struct package *package,
		     const struct inf_file *file, const char *destination,
		     struct error *err)
{
	_cleanup_free_ char *path = lockdown_path(destination);
	_cleanup_free_ char *source =
		xasprintf("%%SystemRoot%%\\" REPOSITORY_NT "\\%s\\%s", package->store,
			  file->source_path);
	struct hive *hive = store->software;
	hkey key;

	if (!hive || store->legacy)
		return 0;
	for (char *c = source; *c; c++)
		if (*c == '/')
			*c = '\\';
	if (hive_create(hive, hive_root(hive), path, &key, err) < 0 ||
	    hive_set_dword(hive, key, "Class",
			   package->driver->pnp_lockdown ? LOCKDOWN_PROTECTED
							 : LOCKDOWN_SHARED,
			   err) < 0 ||
	    multi_prepend(hive, key, "Owners", package->published, err) < 0)
		return -1;
	return hive_set_string(hive, key, "Source", REG_EXPAND_SZ, source, err) < 0 ? -1
										    : 0;
}

/* ---- files ------------------------------------------------------------------------- */

static const struct package_file *by_path(const struct package *package, const char *path)
{
	vec_foreach (file, &package->files)
		if (text_equal(file->path, path))
			return file;
	return NULL;
}

/* What of a package is installed; NULL members: all of it. */
struct part {
	const struct strings *services, *files;
};

/* `done`: destinations so far; the install sections of one INF copy the same files. */
/*
 * Up to Windows 7 setup keeps the newer of two system files, and before Vista most
 * folders outside of Windows have other names: what goes there is left to Plug and Play.
 */
static int is_kept(struct store *store, const struct package *package,
		   const struct package_file *from, const struct inf_file *file,
		   const char *to, bool there, struct error *err)
{
	_cleanup_buffer_ struct buffer now = BUFFER_INIT, new = BUFFER_INIT;
	uint64_t a, b;

	if (!store->legacy)
		return 0;
	if (store->installation->target.major < 6 && !text_starts_with(to, "Windows/"))
		return 1;
	if (!there || file->flags & COPY_NO_VERSION_CHECK)
		return 0;
	if (tree_read(store->tree, to, SIZE_MAX, &now, err) < 0 ||
	    package_read(package, from, store->tree, SIZE_MAX, &new, err) < 0)
		return -1;
	return pe_file_version(buffer_view(&now), &a) &&
	       pe_file_version(buffer_view(&new), &b) && a > b;
}

static int copy_file(struct store *store, const struct package *package,
		     const struct inf_file *file, const struct part *part,
		     struct strings *done, struct error *err)
{
	_cleanup_free_ char *to =
		file_destination(file, store->installation->target.arch);
	const struct package_file *from =
		file->source_path ? by_path(package, file->source_path) : NULL;
	int there, kept;

	if (!to || !from || strings_contain(done, to) ||
	    (part->files && !strings_contain(part->files, to)))
		return 0;
	strings_push(done, to);
	there = tree_stat(store->tree, to, NULL, err);
	if (there < 0)
		return -1;
	if ((there && file->flags & COPY_NO_OVERWRITE) ||
	    (!there && file->flags & COPY_REPLACE_ONLY))
		return 0;
	kept = is_kept(store, package, from, file, to, there, err);
	if (kept != 0)
		return kept < 0 ? -1 : 0;
	if (package_put(package, from, store->tree, to, err) < 0)
		return -1;
	return lock_down(store, package, file, to, err);
}

/* True if another package has the file in PnpLockdownFiles. */
static bool others_own(struct store *store, const char *destination,
		       const char *published)
{
	_cleanup_free_ char *path = lockdown_path(destination);
	struct strings owners = VEC_INIT;
	hkey key = store->software
			   ? hive_find(store->software, hive_root(store->software), path)
			   : 0;
	bool other = false;

	if (key)
		hive_get_strings(store->software, key, "Owners", &owners);
	vec_foreach (owner, &owners)
		other |= !text_equal(*owner, published);
	strings_free(&owners);
	return other;
}

static int delete_or_rename(struct store *store, const struct package *package,
			    const struct inf_file *file, struct error *err)
{
	enum windows_arch arch = store->installation->target.arch;
	_cleanup_free_ char *to = file_destination(file, arch);
	struct inf_file old = *file;
	_cleanup_free_ char *from = NULL;
	int there;

	if (!to || others_own(store, to, package->published))
		return 0;
	if (file->kind == INF_FILE_DELETE)
		return tree_remove(store->tree, to, err);
	old.name = file->source;
	from = file_destination(&old, arch);
	there = from ? tree_stat(store->tree, from, NULL, err) : 0;
	if (there <= 0)
		return there;
	return tree_rename(store->tree, from, to, err);
}

static int install_files(struct store *store, const struct package *package,
			 const struct part *part, struct error *err)
{
	struct strings done = VEC_INIT;
	int result = 0;

	vec_foreach (c, &package->driver->configurations) {
		vec_foreach (file, &c->files) {
			if (result == 0 && file->kind == INF_FILE_COPY)
				result =
					copy_file(store, package, file, part, &done, err);
			else if (result == 0 && !part->files)
				result = delete_or_rename(store, package, file, err);
			if (result == 0 && interrupted())
				result = error_interrupted(err);
		}
	}
	strings_free(&done);
	return result;
}

/* ---- rank -------------------------------------------------------------------------- */

/* As the kernel orders packages for one match: signer, then date, then version. */
static bool ranks_better(const struct db_package *a, const struct package *b)
{
	uint32_t signer_a = a->signer_score & 0xFF000000u;
	uint32_t signer_b = b->signer_score & 0xFF000000u;

	if (signer_a != signer_b)
		return signer_a < signer_b;
	if (a->version.date != b->driver->date)
		return a->version.date > b->driver->date;
	return a->version.version > b->driver->version;
}

/* True if the other package serves every hardware ID of this one. */
static bool serves_all(struct store *store, const struct package *package,
		       const char *published)
{
	vec_foreach (id, &package->hardware_ids) {
		_cleanup_free_ char *path = device_id_path(*id);
		bool served = false;

		for (size_t i = 0; i < ARRAY_SIZE(store->nodes); i++) {
			struct reg_value value = {0};
			hkey key = node_find(&store->nodes[i], path);

			if (key && hive_value(store->nodes[i].hive, key, published,
					      &value, NULL) > 0)
				served = true;
			reg_value_free(&value);
		}
		if (!served)
			return false;
	}
	return true;
}

/* The other owner of a service that ranks better. 1, 0, -1. */
static int better_owner(struct store *store, const struct package *package,
			const char *service, struct db_package *ret, struct error *err)
{
	_cleanup_service_ struct service now = {0};
	int found = service_read(store->system, store->installation->control_set, service,
				 &now, err);

	if (found <= 0)
		return found;
	vec_foreach (owner, &now.owners) {
		struct db_package other = {0};
		struct driverdb *node;

		found = store_find_published(store, *owner, &other, &node, err);
		if (found < 0)
			return -1;
		if (!found)
			continue;
		if (!text_equal(other.store, package->store) && other.reflected &&
		    ranks_better(&other, package) && serves_all(store, package, *owner)) {
			*ret = other;
			return 1;
		}
		db_package_free(&other);
	}
	return 0;
}

int outranked(struct store *store, const struct package *package, struct db_package *by,
	      struct error *err)
{
	vec_foreach (c, &package->driver->configurations) {
		vec_foreach (service, &c->services) {
			int found;

			/* Only services whose binary the package brings. */
			if (service->remove || !service->binary ||
			    !package_file(package, path_base(service->binary)))
				continue;
			found = better_owner(store, package, service->name, by, err);
			if (found != 0)
				return found;
		}
	}
	return 0;
}

/* ---- all of it --------------------------------------------------------------------- */

/*
 * Sections share services: the first that adds one installs it, as in real hives. What
 * the others set is recorded, and done when the kernel configures a device from them.
 */
static bool installed_before(const struct package *package,
			     const struct inf_configuration *c,
			     const struct inf_service *service)
{
	vec_foreach (before, &package->driver->configurations) {
		if (before >= c)
			break;
		vec_foreach (s, &before->services)
			if (!s->remove && text_equal(s->name, service->name))
				return true;
	}
	return false;
}

static int install_configuration(struct store *store, struct package *package,
				 const struct inf_configuration *c,
				 const struct part *part, struct error *err)
{
	/* HKR lines are for devices: recorded, not carried out. */
	struct reg_target target = {
		.store = store, .published = package->published, .package = package};

	vec_foreach (service, &c->services) {
		if ((part->services && !strings_contain(part->services, service->name)) ||
		    installed_before(package, c, service))
			continue;
		if (service_install(store, package, service, err) < 0)
			return -1;
	}
	if (part->services)
		return 0;
	if (registry_apply(&target, &c->regs, err) < 0)
		return -1;
	return registry_apply(&target, &c->hw_regs, err);
}

static int install_part(struct store *store, struct package *package,
			const struct part *part, struct error *err)
{
	if (install_files(store, package, part, err) < 0)
		return -1;
	vec_foreach (c, &package->driver->configurations)
		if (!c->missing &&
		    install_configuration(store, package, c, part, err) < 0)
			return -1;
	return 0;
}

int reflect_shared(struct store *store, struct package *package,
		   const struct strings *services, const struct strings *files,
		   struct error *err)
{
	struct part part = {services, files};

	return install_part(store, package, &part, err);
}

int install_package(struct store *store, struct package *package, struct error *err)
{
	struct part all = {0};

	return install_part(store, package, &all, err);
}

int reflect(struct store *store, struct driverdb *db, struct package *package,
	    struct error *err)
{
	if (install_package(store, package, err) < 0)
		return -1;
	return record_configurations(store, db, package, err);
}

int reflection_intact(struct store *store, const struct package *package,
		      struct error *err)
{
	vec_foreach (c, &package->driver->configurations) {
		vec_foreach (file, &c->files) {
			_cleanup_free_ char *to = NULL;
			int there;

			if (file->kind != INF_FILE_COPY || !file->source_path ||
			    file->flags & COPY_REPLACE_ONLY)
				continue;
			to = file_destination(file, store->installation->target.arch);
			if (!to)
				continue;
			there = tree_stat(store->tree, to, NULL, err);
			if (there <= 0)
				return there;
		}
		vec_foreach (service, &c->services)
			if (!service_intact(store, package, service))
				return 0;
	}
	return 1;
}
