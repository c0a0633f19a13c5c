/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What drivers and sources come in: an INF, a folder, or an archive (CAB through
 * libmspack, ZIP, 7z, tar and self-extractors through libarchive, discs of UDF or ISO 9660
 * through block/iso), archives in archives included. Archives are unpacked by a child
 * process under resource limits into a private temporary folder; no entry leaves it, no
 * size in an archive is believed.
 */
#ifndef MEDIA_MEDIA_H
#define MEDIA_MEDIA_H

#include "base/buffer.h"
#include "base/error.h"

struct media_inf {
	char *path;	/* on the host, readable until media_close() */
	char *folder;	/* its folder on the host: the package's source root */
	char *label;	/* what to call it in messages: "pack.zip/x64/vioscsi.inf" */
};
DEFINE_VEC(media_infs, struct media_inf);

struct source_media {
	struct media_infs infs;	/* ordered by label */
	struct media_infs textmode;	/* TXTSETUP.OEM files, in the same way */
	struct strings problems; /* "pack.zip/broken.cab: ...": what could not be read */
	char *scratch;		/* the temporary folder or NULL */
	struct strings expanded; /* pairs: a compressed file and its unpacked form */
};

/*
 * Adds what `path` holds. A path that cannot be read at all is an error; a damaged
 * archive inside a folder or archive becomes an entry of `problems`, and so does a path
 * without any INF.
 *
 * In a folder and in an archive, archives are opened that hold an INF or an archive, four
 * levels deep; programs (.exe) only where no INF lies in their folder or below, so that a
 * vendor's Setup.exe beside its driver is left alone. Links are not followed. Entries of
 * archives that are absolute, lead outside, are links or devices are not unpacked. The
 * limits stand in media/unpack.h.
 */
int media_add(struct source_media *media, const char *path, struct error *err);
void media_close(struct source_media *media);
#define _cleanup_media_ _cleanup_(media_close)

/*
 * Unpacks the files of these names (without folders, in any case) out of the cabinet into
 * a folder that lives as long as the media, and gives that; media_find() finds in it what
 * was there. `label` is what to call the cabinet. NULL if it cannot be read.
 */
char *media_cab_files(struct source_media *media, const char *path, const char *label,
		      const struct strings *names, struct error *err);

/*
 * The host path of file `name` (sub-folders with / or \ allowed) below `folder`, matched
 * without regard to case, links not followed, nothing outside `folder`. Tries NAME, then
 * the compressed form of old media (NAM_ expanded by libmspack into a temporary file that
 * lives as long as the media). NULL without an error set if there is none.
 */
char *media_find(struct source_media *media, const char *folder, const char *name,
		 struct error *err);

#endif
