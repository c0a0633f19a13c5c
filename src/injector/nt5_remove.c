/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Windows XP and Server 2003: an injected package out of the image again. */
#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"
#include "injector/nt5.h"
#include "windows/service.h"

struct removing {
	struct store *store;
	struct removal *report;
	const struct nt5_package *place;
	struct package *package; /* NULL if its INF cannot be read */
	struct strings services; /* in force because of this package */
	struct error *err;
};

static void remark(struct removing *r, const char *fmt, ...) _printf_(2, 3);
static void remark(struct removing *r, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	if (text)
		strings_push(&r->report->remarks, text);
	free(text);
}

static int refuse(struct removal *ret, const char *reason)
{
	ret->verdict = PACKAGE_REFUSED;
	ret->reason = xstrdup(reason);
	return 0;
}

/* ---- services ---------------------------------------------------------------------- */

/* True if the service starts a file that the package brought. */
static bool own_service(struct removing *r, const struct service *service,
			const struct inf_service *line)
{
	const struct package_file *file =
		line->binary ? package_file(r->package, path_base(line->binary)) : NULL;

	return file && service->file &&
	       text_equal(path_base(service->file), path_base(line->binary));
}

static int remove_service(struct removing *r, const char *set,
			  const struct inf_service *line)
{
	_cleanup_service_ struct service service = {0};
	struct hive *hive = r->store->system;
	_cleanup_free_ char *log = NULL;
	int found = service_read(hive, set, line->name, &service, r->err);
	hkey key;

	if (found <= 0)
		return found;
	if (!own_service(r, &service, line))
		return 0;
	if (!strings_contain(&r->services, line->name))
		strings_push(&r->services, line->name);
	if (hive_delete(hive, service.key, r->err) < 0)
		return -1;
	log = xasprintf("%s\\Services\\EventLog\\%s\\%s", set,
			line->eventlog_type ? line->eventlog_type : "System",
			line->eventlog_name ? line->eventlog_name : line->name);
	key = line->eventlog.len ? hive_find(hive, hive_root(hive), log) : 0;
	return key ? hive_delete(hive, key, r->err) : 0;
}

static int remove_services(struct removing *r)
{
	vec_foreach (c, &r->package->driver->configurations)
		vec_foreach (line, &c->services)
			vec_foreach (set, &r->store->control_sets)
				if (!line->remove && *line->name &&
				    !strpbrk(line->name, "\\/") &&
				    remove_service(r, *set, line) < 0)
					return -1;
	vec_foreach (name, &r->services)
		strings_push(&r->report->services, *name);
	return nt5_devices_remove(r->store, r->package->driver, &r->services, r->err);
}

/* ---- files ------------------------------------------------------------------------- */

/* 1: the file at `path` has the very bytes of the package's. */
static int same_content(struct removing *r, const char *path, const char *stored)
{
	_cleanup_buffer_ struct buffer a = BUFFER_INIT, b = BUFFER_INIT;
	struct tree_stat st, own;
	int there = tree_stat(r->store->tree, path, &st, r->err);

	if (there > 0)
		there = tree_stat(r->store->tree, stored, &own, r->err);
	if (there <= 0)
		return there;
	if (st.type != TREE_FILE || own.type != TREE_FILE || st.size != own.size)
		return 0;
	if (tree_read(r->store->tree, path, SIZE_MAX, &a, r->err) < 0 ||
	    tree_read(r->store->tree, stored, SIZE_MAX, &b, r->err) < 0)
		return -1;
	return bytes_equal(buffer_view(&a), buffer_view(&b));
}

/* 1: a service that stays starts the file. */
static int in_use(struct removing *r, const char *path)
{
	vec_foreach (set, &r->store->control_sets) {
		_cleanup_services_ struct services services = VEC_INIT;

		if (services_read(r->store->system, *set, &services, r->err) < 0)
			return -1;
		vec_foreach (service, &services)
			if (service->file && text_equal(service->file, path))
				return 1;
	}
	return 0;
}

static int remove_files(struct removing *r)
{
	enum windows_arch arch = r->store->installation->target.arch;

	vec_foreach (c, &r->package->driver->configurations) {
		vec_foreach (file, &c->files) {
			_cleanup_free_ char *path = NULL, *stored = NULL;
			int answer;

			if (file->kind != INF_FILE_COPY || !file->source_path)
				continue;
			path = file_destination(file, arch);
			if (!path)
				continue;
			stored = xasprintf("%s/%s", r->place->folder, file->source_path);
			answer = same_content(r, path, stored);
			if (answer > 0) {
				answer = in_use(r, path);
				if (answer == 0 &&
				    tree_remove(r->store->tree, path, r->err) < 0)
					return -1;
			}
			if (answer < 0)
				return -1;
		}
	}
	return 0;
}

/* ---- others ------------------------------------------------------------------------ */

static bool shares(const struct driver *a, const struct driver *b)
{
	vec_foreach (m, &a->models)
		vec_foreach (id, &m->ids)
			vec_foreach (n, &b->models)
				if (**id && strings_contain(&n->ids, *id))
					return true;
	vec_foreach (c, &a->configurations)
		vec_foreach (s, &c->services)
			vec_foreach (d, &b->configurations)
				vec_foreach (t, &d->services)
					if (!s->remove && !t->remove &&
					    text_equal(s->name, t->name))
						return true;
	return false;
}

/* Injected packages that stand beside it for a service or a device take its place. */
static int reinstall_heirs(struct removing *r, const struct nt5_packages *all)
{
	bool critical;

	vec_foreach (other, all) {
		_cleanup_package_ struct package *package = NULL;

		if (other->number == r->place->number || !other->inf_name)
			continue;
		package = package_open_stored(r->store->tree, other->folder,
					      other->inf_name,
					      &r->store->installation->target, r->err);
		if (!package)
			return -1;
		if (package->verdict != PACKAGE_ADDED ||
		    !shares(package->driver, r->package->driver))
			continue;
		if (nt5_boot_critical(r->store, package->driver, &critical, r->err) < 0)
			return -1;
		if (!critical)
			continue;
		if (nt5_make_bootable(r->store, package, r->err) < 0)
			return -1;
		remark(r, "oem%u.inf (%s) takes over what both had", other->number,
		       other->inf_name);
	}
	return 0;
}

/* ---- all of it --------------------------------------------------------------------- */

static int remove_place(struct removing *r)
{
	struct tree *tree = r->store->tree;
	_cleanup_free_ char *catalog = xasprintf(CATALOGS "/oem%u.cat", r->place->number);
	_cleanup_tree_entries_ struct tree_entries left = VEC_INIT;

	if (nt5_device_path_remove(r->store, r->place->folder, r->err) < 0 ||
	    tree_remove(tree, catalog, r->err) < 0 ||
	    tree_remove(tree, r->place->folder, r->err) < 0 ||
	    tree_list(tree, NT5_FOLDER, &left, r->err) < 0)
		return -1;
	return left.len ? 0 : tree_remove(tree, NT5_FOLDER, r->err);
}

static int read_package(struct removing *r)
{
	_cleanup_error_ struct error why = ERROR_INIT;

	if (r->place->inf_name)
		r->package = package_open_stored(r->store->tree, r->place->folder,
						 r->place->inf_name,
						 &r->store->installation->target, &why);
	if (!r->package && why.code == ERROR_INTERRUPTED)
		return error_move(r->err, &why);
	if (r->package && r->package->driver)
		return 0;
	remark(r, "its INF cannot be read: services and files outside its folder stay");
	return 0;
}

static int take_out(struct removing *r, const struct nt5_packages *all)
{
	struct removal *ret = r->report;

	ret->verdict = PACKAGE_ADDED; /* which stands for removed */
	ret->store = xstrdup(path_base(r->place->folder));
	ret->original = r->place->inf_name ? xstrdup(r->place->inf_name) : NULL;
	if (read_package(r) < 0)
		return -1;
	if (!r->package || !r->package->driver)
		return remove_place(r);
	if (nt5_boot_critical(r->store, r->package->driver, &ret->boot_critical, r->err) <
	    0)
		return -1;
	if (ret->boot_critical)
		remark(r, "the package is boot-critical: a machine that starts from its "
			  "device no longer will");
	if (ret->boot_critical && (remove_services(r) < 0 || remove_files(r) < 0))
		return -1;
	if (remove_place(r) < 0)
		return -1;
	return ret->boot_critical ? reinstall_heirs(r, all) : 0;
}

static int refuse_unknown(struct store *store, const char *published, struct removal *ret,
			  struct error *err)
{
	_cleanup_free_ char *path = NULL;
	unsigned number;
	int there;

	if (!oem_inf_number(published, &number))
		return refuse(ret, "only third-party packages, oemN.inf, can be removed; "
				   "gild inspect lists them");
	path = xasprintf(INF_FOLDER "/%s", published);
	there = tree_stat(store->tree, path, NULL, err);
	if (there < 0)
		return -1;
	return refuse(ret,
		      there ? "Windows itself installed it, and only Windows knows "
			      "for which devices: remove it in Device Manager"
			    : "the image has no such package; gild inspect lists them");
}

int nt5_remove(struct store *store, const char *published, struct removal *ret,
	       struct error *err)
{
	_cleanup_nt5_packages_ struct nt5_packages all = VEC_INIT;
	struct removing r = {.store = store, .report = ret, .err = err};
	unsigned number = 0;
	int result;

	if (nt5_packages_read(store->tree, &all, err) < 0)
		return -1;
	if (oem_inf_number(published, &number))
		vec_foreach (package, &all)
			if (package->number == number)
				r.place = package;
	if (!r.place)
		return refuse_unknown(store, published, ret, err);
	result = take_out(&r, &all);
	package_close(r.package);
	strings_free(&r.services);
	return result;
}
