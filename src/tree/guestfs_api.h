/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The part of libguestfs that gild uses, loaded when it is first needed: gild starts and
 * works without it. Prototypes are those of guestfs(3), which are stable; where its header
 * is installed, the build compares them. Private to src/tree/guestfs*.c.
 */
#ifndef TREE_GUESTFS_API_H
#define TREE_GUESTFS_API_H

#include "base/error.h"

typedef struct guestfs_h guestfs_h;

struct api_dirent {
	int64_t ino;
	char type;	/* 'r' file, 'd' folder, 'l' link, ... */
	char *name;
};
struct api_dirents {
	uint32_t len;
	struct api_dirent *items;
};
struct api_stat {
	int64_t dev, ino, mode, nlink, uid, gid, rdev, size, blksize, blocks;
	int64_t atime, atime_ns, mtime, mtime_ns, ctime, ctime_ns;
	int64_t spare[6];
};
struct api_stats {
	uint32_t len;
	struct api_stat *items;
};

typedef void api_error_fn(guestfs_h *g, void *arg, const char *message);
typedef void api_event_fn(guestfs_h *g, void *arg, uint64_t event, int handle, int flags,
			  const char *text, size_t text_len, const uint64_t *values,
			  size_t value_count);
#define API_EVENT_PROGRESS 0x0008

/* Optional arguments: pairs of one of these and a value, ended by API_END. */
#define API_END (-1)
#define API_DRIVE_READONLY 0
#define API_DRIVE_FORMAT 1
#define API_DRIVE_LABEL 4
#define API_DRIVE_CACHEMODE 9
#define API_DRIVE_DISCARD 10
#define API_DRIVE_BLOCKSIZE 12
#define API_CRYPT_READONLY 0
#define API_CRYPT_TYPE 1

/* F(result, name without "guestfs_", (parameters)) */
#define GUESTFS_FUNCTIONS(F)                                                              \
	F(guestfs_h *, create, (void))                                                    \
	F(void, close, (guestfs_h *))                                                     \
	F(const char *, last_error, (guestfs_h *))                                        \
	F(void, set_error_handler, (guestfs_h *, api_error_fn *, void *))                 \
	F(int, set_event_callback,                                                        \
	  (guestfs_h *, api_event_fn *, uint64_t, int, void *))                           \
	F(int, set_backend, (guestfs_h *, const char *))                                  \
	F(int, set_backend_setting, (guestfs_h *, const char *, const char *))            \
	F(int, set_memsize, (guestfs_h *, int))                                           \
	F(int, add_drive_opts, (guestfs_h *, const char *, ...))                          \
	F(int, launch, (guestfs_h *))                                                     \
	F(int, shutdown, (guestfs_h *))                                                   \
	F(int, sync, (guestfs_h *))                                                       \
	F(int, feature_available, (guestfs_h *, char *const *))                           \
	F(char **, list_devices, (guestfs_h *))                                           \
	F(char **, list_partitions, (guestfs_h *))                                        \
	F(int, part_to_partnum, (guestfs_h *, const char *))                              \
	F(int64_t, blockdev_getsize64, (guestfs_h *, const char *))                       \
	F(int, cryptsetup_open,                                                           \
	  (guestfs_h *, const char *, const char *, const char *, ...))                   \
	F(int, ldmtool_create_all, (guestfs_h *))                                         \
	F(char **, list_ldm_volumes, (guestfs_h *))                                       \
	F(char **, list_ldm_partitions, (guestfs_h *))                                    \
	F(int, mkmountpoint, (guestfs_h *, const char *))                                 \
	F(int, mount_options, (guestfs_h *, const char *, const char *, const char *))    \
	F(int, mount_vfs,                                                                 \
	  (guestfs_h *, const char *, const char *, const char *, const char *))          \
	F(int, umount_all, (guestfs_h *))                                                 \
	F(char *, vfs_label, (guestfs_h *, const char *))                                 \
	F(char *, pread, (guestfs_h *, const char *, int, int64_t, size_t *))             \
	F(int, pwrite, (guestfs_h *, const char *, const char *, size_t, int64_t))        \
	F(int, download, (guestfs_h *, const char *, const char *))                       \
	F(int, upload, (guestfs_h *, const char *, const char *))                         \
	F(int, write, (guestfs_h *, const char *, const char *, size_t))                  \
	F(char *, lgetxattr, (guestfs_h *, const char *, const char *, size_t *))         \
	F(int, lsetxattr, (guestfs_h *, const char *, const char *, int, const char *))   \
	F(int, utimens, (guestfs_h *, const char *, int64_t, int64_t, int64_t, int64_t))  \
	F(int, chmod, (guestfs_h *, int, const char *))                                   \
	F(int, mkdir, (guestfs_h *, const char *))                                        \
	F(int, mv, (guestfs_h *, const char *, const char *))                             \
	F(int, rm_rf, (guestfs_h *, const char *))
/* Those whose results are structures of the library. */
#define GUESTFS_STRUCT_FUNCTIONS(F)                                                       \
	F(struct api_dirents *, readdir, (guestfs_h *, const char *))                     \
	F(void, free_dirent_list, (struct api_dirents *))                                 \
	F(struct api_stats *, lstatnslist, (guestfs_h *, const char *, char *const *))    \
	F(void, free_statns_list, (struct api_stats *))

#define GUESTFS_MEMBER(type, name, parameters) type(*name) parameters;
struct guestfs_api {
	GUESTFS_FUNCTIONS(GUESTFS_MEMBER)
	GUESTFS_STRUCT_FUNCTIONS(GUESTFS_MEMBER)
};
#undef GUESTFS_MEMBER

/*
 * Loads the library once. ERROR_USAGE with what to install if it is not there or lacks a
 * function.
 */
const struct guestfs_api *guestfs_api(struct error *err);

#endif
