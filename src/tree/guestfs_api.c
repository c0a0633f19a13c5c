/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifdef HAVE_GUESTFS_H
#include <guestfs.h>
#endif
#include "tree/guestfs_api.h"

#include <dlfcn.h>

#define LIBRARY "libguestfs.so.0"
#define REMEDY                                                                           \
	"install libguestfs (Debian: apt-get install libguestfs0 supermin "              \
	"qemu-system-x86 linux-image-cloud-amd64), or give an image without encryption " \
	"and dynamic disks, with --via=native"

#ifdef HAVE_GUESTFS_H
#define COMPARE(type, name, parameters)                                         \
	_Static_assert(__builtin_types_compatible_p(__typeof__(guestfs_##name), \
						    type parameters),           \
		       "guestfs_" #name " is declared as in guestfs.h");
GUESTFS_FUNCTIONS(COMPARE)
#define SAME_FIELD(ours, field, theirs, their_field)                 \
	_Static_assert(offsetof(struct ours, field) ==               \
			       offsetof(struct theirs, their_field), \
		       #theirs);
SAME_FIELD(api_dirent, type, guestfs_dirent, ftyp)
SAME_FIELD(api_dirent, name, guestfs_dirent, name)
SAME_FIELD(api_dirents, items, guestfs_dirent_list, val)
SAME_FIELD(api_stat, mode, guestfs_statns, st_mode)
SAME_FIELD(api_stat, size, guestfs_statns, st_size)
SAME_FIELD(api_stat, mtime, guestfs_statns, st_mtime_sec)
SAME_FIELD(api_stat, spare, guestfs_statns, st_spare1)
SAME_FIELD(api_stats, items, guestfs_statns_list, val)
_Static_assert(sizeof(struct api_stat) == sizeof(struct guestfs_statns), "statns");
_Static_assert(API_EVENT_PROGRESS == GUESTFS_EVENT_PROGRESS &&
		       API_DRIVE_READONLY == GUESTFS_ADD_DRIVE_OPTS_READONLY &&
		       API_DRIVE_FORMAT == GUESTFS_ADD_DRIVE_OPTS_FORMAT &&
		       API_DRIVE_LABEL == GUESTFS_ADD_DRIVE_OPTS_LABEL &&
		       API_DRIVE_CACHEMODE == GUESTFS_ADD_DRIVE_OPTS_CACHEMODE &&
		       API_DRIVE_DISCARD == GUESTFS_ADD_DRIVE_OPTS_DISCARD &&
		       API_DRIVE_BLOCKSIZE == GUESTFS_ADD_DRIVE_OPTS_BLOCKSIZE &&
		       API_CRYPT_READONLY == GUESTFS_CRYPTSETUP_OPEN_READONLY &&
		       API_CRYPT_TYPE == GUESTFS_CRYPTSETUP_OPEN_CRYPTTYPE,
	       "the numbers of guestfs.h");
#endif

const struct guestfs_api *guestfs_api(struct error *err)
{
	static struct guestfs_api api;
	static bool loaded;
	const char *missing = NULL;
	void *library;

	if (loaded)
		return &api;
	library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!library) {
		error_set(err, ERROR_USAGE, NULL, "libguestfs is not installed (%s)",
			  dlerror());
		error_remedy(err, REMEDY);
		return NULL;
	}
#define LOAD(type, name, parameters)                            \
	*(void **)&api.name = dlsym(library, "guestfs_" #name); \
	if (!api.name)                                          \
		missing = "guestfs_" #name;
	GUESTFS_FUNCTIONS(LOAD)
	GUESTFS_STRUCT_FUNCTIONS(LOAD)
#undef LOAD
	if (missing) {
		(void)dlclose(library);
		error_set(err, ERROR_USAGE, NULL, "%s is too old: it has no function %s",
			  LIBRARY, missing);
		error_remedy(err, "install libguestfs 1.44 or later");
		return NULL;
	}
	loaded = true;
	return &api;
}
