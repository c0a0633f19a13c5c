/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Packs with a TXTSETUP.OEM into XP and Server 2003. Where the INF that it names is
 * there, that is the package, and only device IDs that it lacks are taken from the
 * text-mode file; where it is missing, an INF is made from it.
 */
#include "base/file.h"
#include "base/text.h"
#include "injector/nt5.h"
#include "injector/nt6.h"
#include "injector/textmode.h"
#include "media/find.h"
#include "windows/pe.h"

#define BINARY_LIMIT ((size_t)64 << 20)

struct pack {
	struct store *store;
	struct source_media *media;
	const struct media_inf *file; /* the TXTSETUP.OEM */
	struct textmode text;
	bool *used; /* by option */
};

/* 1: the driver of the choice is on the medium and for the image's processor. */
static int fits(struct pack *p, const struct textmode_option *o, struct error *err)
{
	_cleanup_error_ struct error mine = ERROR_INIT;
	_cleanup_free_ char *path = NULL, *host = NULL;
	_cleanup_buffer_ struct buffer data = BUFFER_INIT;
	const struct textmode_file *driver =
		o->ids.len ? textmode_driver(o, o->ids.items[0].service) : NULL;

	if (!driver)
		return 0;
	path = xasprintf("%s/%s", driver->folder, driver->name);
	host = media_find(p->media, p->file->folder, path, &mine);
	if (!host)
		return mine.code == ERROR_INTERRUPTED ? error_move(err, &mine) : 0;
	if (file_read(host, BINARY_LIMIT, &data, &mine) < 0)
		return mine.code == ERROR_INTERRUPTED ? error_move(err, &mine) : 0;
	return pe_arch(buffer_view(&data)) == p->store->installation->target.arch;
}

/* How well a choice's text suits the image: packs list one for each Windows. */
static unsigned score(const struct pack *p, const struct textmode_option *o)
{
	bool server = p->store->installation->target.minor == 2;
	_cleanup_free_ char *text =
		xasprintf("%s %s", o->name, o->description ? o->description : "");
	_cleanup_free_ char *upper = text_upper(text);
	bool xp = strstr(upper, "XP") != NULL;
	bool w2003 = strstr(upper, "2003") || strstr(upper, "WNET");

	if (server ? w2003 : xp)
		return 3;
	if (server ? xp : w2003)
		return 0;
	return o->preferred ? 2 : 1;
}

/* Two choices for one device: the one that suits better is taken. */
static bool rivals(const struct textmode_option *a, const struct textmode_option *b)
{
	vec_foreach (id, &a->ids)
		vec_foreach (other, &b->ids)
			if (text_equal(id->id, other->id))
				return true;
	return false;
}

static int choose(struct pack *p, struct error *err)
{
	size_t n = p->text.options.len;

	p->used = xcalloc(n + 1, sizeof(*p->used));
	for (size_t i = 0; i < n; i++) {
		int good = fits(p, &p->text.options.items[i], err);

		if (good < 0)
			return -1;
		p->used[i] = good;
		for (size_t j = 0; j < i && p->used[i]; j++) {
			if (!p->used[j] ||
			    !rivals(&p->text.options.items[i], &p->text.options.items[j]))
				continue;
			if (score(p, &p->text.options.items[i]) >
			    score(p, &p->text.options.items[j]))
				p->used[j] = false;
			else
				p->used[i] = false;
		}
	}
	return 0;
}

/* The package of an INF that the choice names, if it is in the image; or NULL. */
static struct package *covering(struct pack *p, const struct textmode_option *o,
				const struct packages *done)
{
	vec_foreach (file, &o->files) {
		_cleanup_free_ char *path = NULL, *host = NULL;

		if (!text_equal(file->kind, "inf"))
			continue;
		path = xasprintf("%s/%s", file->folder, file->name);
		host = media_find_plain(p->file->folder, path, NULL);
		vec_foreach (item, done) {
			struct package *package = *item;

			if (host &&
			    (package->verdict == PACKAGE_ADDED ||
			     package->verdict == PACKAGE_ALREADY) &&
			    package->files.items[0].host &&
			    strcmp(package->files.items[0].host, host) == 0)
				return package;
		}
	}
	return NULL;
}

static bool lists(const struct driver *driver, const char *id)
{
	vec_foreach (model, &driver->models)
		if (strings_contain(&model->ids, id))
			return true;
	return false;
}

static bool has_service(const struct driver *driver, const char *name)
{
	vec_foreach (c, &driver->configurations)
		vec_foreach (service, &c->services)
			if (!service->remove && text_equal(service->name, name))
				return true;
	return false;
}

/* Enters the ID, and in the package's record what was there. 1: it was not so before. */
static int map_id(struct pack *p, const struct textmode_id *id,
		  const struct package *package, hkey record, struct error *err)
{
	struct critical_device device = {.id = id->id,
					 .service = id->service,
					 .class_guid = package->driver->class_guid,
					 .has_class = true};
	int changed = 0;

	vec_foreach (set, &p->store->control_sets) {
		_cleanup_free_ char *path = critical_device_path(*set, id->id);
		_cleanup_critical_device_ struct critical_device now = {0};
		int r = critical_device_read(p->store->system, *set, id->id, &now, err);

		if (r > 0 && now.service && text_equal(now.service, id->service))
			continue;
		if (r < 0 || nt6_keep_key(p->store, record, *set, "Devices", id->id, path,
					  err) < 0)
			return -1;
		r = critical_device_write(p->store->system, *set, &device, err);
		if (r < 0)
			return -1;
		changed |= r;
	}
	if (!changed)
		return 0;
	return multi_append(p->store->software, record, "DeviceIds", id->id, err) < 0 ? -1
										      : 1;
}

/* IDs that the INF lacks lead to its service as well. */
static int map_ids(struct pack *p, const struct textmode_option *o,
		   struct package *package, struct error *err)
{
	_cleanup_injected_packages_ struct injected_packages records = VEC_INIT;
	const struct injected_package *record;
	size_t added = 0;

	if (injected_packages_read(p->store->software, &records, err) < 0)
		return -1;
	record = injected_find(&records, package->store);
	vec_foreach (id, &o->ids) {
		int r;

		if (!record || lists(package->driver, id->id) ||
		    !device_id_valid(id->id) ||
		    !has_service(package->driver, id->service))
			continue;
		r = map_id(p, id, package, record->key, err);
		if (r < 0)
			return -1;
		added += r > 0;
	}
	if (!added)
		return 0;
	if (package->verdict == PACKAGE_ALREADY)
		package_decide(package, PACKAGE_ADDED, "more device IDs lead to it now");
	package_remark(package, "%zu device IDs come from %s: the INF does not list them",
		       added, p->file->label);
	return 0;
}

/* The INF made of what is left, as a package. */
static int make_package(struct pack *p, struct packages *ret, struct error *err)
{
	_cleanup_free_ char *text = textmode_inf(&p->text, p->used);
	_cleanup_free_ char *folder = NULL, *path = NULL;
	const char *service = NULL;
	struct media_inf inf = {.folder = p->file->folder, .label = p->file->label};
	struct package *package;

	if (!text)
		return 0;
	for (size_t i = 0; i < p->text.options.len && !service; i++)
		if (p->used[i])
			service = p->text.options.items[i].ids.items[0].service;
	folder = media_scratch_folder(p->media, err);
	if (!folder)
		return -1;
	path = xasprintf("%s/%s.inf", folder, service);
	if (strpbrk(service, "/\\") ||
	    file_replace(path, (struct bytes){(const uint8_t *)text, strlen(text)}, err) <
		    0)
		return -1;
	inf.path = path;
	package = package_open(p->media, &inf, p->store->tree,
			       &p->store->installation->target, err);
	if (!package)
		return -1;
	vec_push(ret, package);
	package_remark(package, "made from %s: the INF that it names is not there",
		       p->file->label);
	return store_add(p->store, package, false, err);
}

static int add_pack(struct pack *p, struct packages *packages, struct strings *problems,
		    struct error *err)
{
	_cleanup_error_ struct error mine = ERROR_INIT;
	_cleanup_buffer_ struct buffer raw = BUFFER_INIT;
	bool any = false;

	if (file_read(p->file->path, TEXTMODE_SIZE_MAX, &raw, &mine) < 0 ||
	    textmode_parse(p->file->label, buffer_view(&raw), &p->text, &mine) < 0) {
		_cleanup_free_ char *text = error_message(&mine);

		if (mine.code == ERROR_INTERRUPTED)
			return error_move(err, &mine);
		strings_push(problems, text);
		return 0;
	}
	if (choose(p, err) < 0)
		return -1;
	for (size_t i = 0; i < p->text.options.len; i++) {
		const struct textmode_option *o = &p->text.options.items[i];
		struct package *package = p->used[i] ? covering(p, o, packages) : NULL;

		any |= p->used[i];
		if (!package)
			continue;
		p->used[i] = false;
		if (map_ids(p, o, package, err) < 0)
			return -1;
	}
	if (!any && !packages->len) {
		vec_push(problems,
			 xasprintf("%s: none of its choices has a driver for %s on the "
				   "medium",
				   p->file->label,
				   arch_name(p->store->installation->target.arch)));
		return 0;
	}
	return make_package(p, packages, err);
}

int nt5_add_textmode(struct store *store, struct source_media *media,
		     struct packages *packages, struct strings *problems,
		     struct error *err)
{
	vec_foreach (file, &media->textmode) {
		struct pack p = {.store = store, .media = media, .file = file};
		int r = add_pack(&p, packages, problems, err);

		textmode_free(&p.text);
		free(p.used);
		if (r < 0)
			return -1;
	}
	return 0;
}
