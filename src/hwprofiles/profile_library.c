/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Folders of profiles: which file an ID is, and what includes make of it. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "hwprofiles/profile_xml.h"

#define INCLUDE_MAX_DEPTH 16
#define LIBRARY_MAX_PROFILES 100000

/*
 * Beside the program: BIN/../share/gild/profiles where it is installed, BIN/../profiles
 * where it was built.
 */
static void add_own_folder(struct strings *folders)
{
	static const char *const places[] = {"../share/gild/profiles", "../profiles"};
	char program[4096];
	ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);
	char *slash;

	if (len <= 0)
		return;
	program[len] = 0;
	slash = strrchr(program, '/');
	if (!slash)
		return;
	*slash = 0;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		_cleanup_free_ char *folder = xasprintf("%s/%s", program, places[i]);
		char *real = realpath(folder, NULL);

		if (real)
			vec_push(folders, real);
	}
}

void profile_library_init(struct profile_library *library)
{
	const char *paths = getenv("GILD_PROFILES");
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	*library = (struct profile_library){0};
	while (paths && *paths) {
		size_t len = strcspn(paths, ":");

		if (len)
			vec_push(&library->folders, xstrndup(paths, len));
		paths += len + (paths[len] != 0);
	}
	if (config && *config)
		vec_push(&library->folders, xasprintf("%s/gild/profiles", config));
	else if (home && *home)
		vec_push(&library->folders, xasprintf("%s/.config/gild/profiles", home));
	add_own_folder(&library->folders);
}

void profile_library_free(struct profile_library *library)
{
	strings_free(&library->folders);
	profiles_free(&library->profiles);
}

/* ---- includes
 * -----------------------------------------------------------------------------
 */

#define JOIN(to, from)                       \
	do {                                 \
		vec_foreach (item, from)     \
			vec_push(to, *item); \
		(from)->len = 0;             \
	} while (0)

static bool has_device(const struct profile *p, const char *id)
{
	vec_foreach (device, &p->devices)
		if (text_equal(device->id, id))
			return true;
	return false;
}

/*
 * Puts what `base` says below what `p` says. How to recognise the base is not how to
 * recognise the model, unless the model has no way of its own.
 */
static void inherit(struct profile *p, struct profile *base)
{
	if (p->uefi == PC_UNKNOWN)
		p->uefi = base->uefi;
	if (p->bios == PC_UNKNOWN)
		p->bios = base->bios;
	if (p->acpi == PC_UNKNOWN)
		p->acpi = base->acpi;
	if (p->secure_boot == PC_UNKNOWN)
		p->secure_boot = base->secure_boot;
	if (!p->tpm)
		p->tpm = steal_ptr(base->tpm);
	if (!p->type)
		p->type = steal_ptr(base->type);
	if (!p->year)
		p->year = base->year;
	if (!p->matches.len)
		JOIN(&p->matches, &base->matches);
	for (unsigned bus = 0; bus < PC_BUSES; bus++)
		p->listed[bus] |= base->listed[bus];
	vec_foreach (device, &base->devices) {
		if (has_device(p, device->id))
			pc_device_free(device);
		else
			vec_push(&p->devices, *device);
	}
	base->devices.len = 0;
	JOIN(&p->drivers, &base->drivers);
	/* The first rule that fits counts: the model's own stand before these. */
	JOIN(&p->rules, &base->rules);
	JOIN(&p->kernel_arguments, &base->kernel_arguments);
	JOIN(&p->quirks, &base->quirks);
}

static char *find_file(const struct profile_library *library, const char *id)
{
	vec_foreach (folder, &library->folders) {
		_cleanup_free_ char *path = xasprintf("%s/%s.xml", *folder, id);
		struct stat st;

		if (stat(path, &st) == 0)
			return steal_ptr(path);
	}
	return NULL;
}

static int not_found(const struct profile_library *library, const char *id,
		     struct error *err)
{
	_cleanup_buffer_ struct buffer folders = BUFFER_INIT;
	_cleanup_free_ char *text = NULL;

	vec_foreach (folder, &library->folders)
		buffer_printf(&folders, "%s%s", folders.len ? ", " : "", *folder);
	text = buffer_steal_string(&folders);
	error_set(err, ERROR_FAILED, id, "is no profile in %s", text);
	return error_remedy(err,
			    "see gild profile list, or give a file's name with a '/'");
}

/* A file with all that it includes; `depth` bounds circles. */
static struct profile *read_whole(const struct profile_library *library, const char *path,
				  unsigned depth, struct error *err)
{
	struct profile *p = profile_read(path, err);

	if (!p)
		return NULL;
	if (depth == INCLUDE_MAX_DEPTH && p->includes.len) {
		error_set(err, ERROR_FAILED, path,
			  "includes others more than %u deep: is there a circle?",
			  INCLUDE_MAX_DEPTH);
		error_remedy(err, "take one <include> of the circle out");
		profile_free(p);
		return NULL;
	}
	vec_foreach (include, &p->includes) {
		_cleanup_free_ char *file = find_file(library, *include);
		struct profile *base =
			file ? read_whole(library, file, depth + 1, err) : NULL;

		if (!file)
			(void)not_found(library, *include, err);
		if (!base) {
			error_wrap(err, path, "<include profile=\"%s\"/>", *include);
			profile_free(p);
			return NULL;
		}
		inherit(p, base);
		profile_free(base);
	}
	return p;
}

const struct profile *profile_find(struct profile_library *library, const char *name,
				   struct error *err)
{
	bool is_path = strchr(name, '/') || text_ends_with(name, ".xml");
	_cleanup_free_ char *path = NULL;
	struct profile *p;

	vec_foreach (known, &library->profiles)
		if (!is_path && strcmp((*known)->id, name) == 0)
			return *known;
	path = is_path			? xstrdup(name)
	       : profile_id_valid(name) ? find_file(library, name)
					: NULL;
	if (!path) {
		(void)not_found(library, name, err);
		return NULL;
	}
	p = read_whole(library, path, 0, err);
	if (p)
		vec_push(&library->profiles, p);
	return p;
}

static int add_folder(struct profile_library *library, const char *folder,
		      struct error *err)
{
	_cleanup_(strings_free) struct strings names = VEC_INIT;

	if (folder_list(folder, &names) < 0)
		return errno == ENOENT || errno == ENOTDIR
			       ? 0
			       : error_errno(err, folder, "cannot list");
	vec_foreach (name, &names) {
		size_t len = strlen(*name);

		if (len <= 4 || strcmp(*name + len - 4, ".xml") != 0)
			continue;
		(*name)[len - 4] = 0;
		/* An earlier folder's profile of that ID hides this one. */
		if (profile_id_valid(*name) &&
		    library->profiles.len < LIBRARY_MAX_PROFILES &&
		    !profile_find(library, *name, err))
			return -1;
	}
	return 0;
}

int profile_read_all(struct profile_library *library, struct error *err)
{
	vec_foreach (folder, &library->folders)
		if (add_folder(library, *folder, err) < 0)
			return -1;
	return 0;
}
