/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Looks up files below a host folder as Windows would. */
#ifndef MEDIA_FIND_H
#define MEDIA_FIND_H

#include "media/media.h"

/*
 * The path of the regular file `name` (sub-folders with / or \ allowed) below `folder`,
 * without regard to case; NULL without an error set if there is none. No link is followed
 * and no name leads out of the folder. Of several that differ in case only, the exact one
 * wins, then the first in byte order.
 */
char *media_find_plain(const char *folder, const char *name, struct error *err);

/* One compressed file (SZDD, KWAJ, or a cabinet of one file) unpacks to at most this. */
#define MEDIA_MAX_PACKED ((uint64_t)256 << 20)
/*
 * The unpacked form of the compressed file `path`, which the media then owns; `name` is
 * what to call it. A file that is not compressed is given back as it is.
 */
char *media_expand(struct source_media *media, const char *path, const char *name,
		   struct error *err);
/* A new empty folder that lives as long as the media. */
char *media_scratch_folder(struct source_media *media, struct error *err);

#endif
