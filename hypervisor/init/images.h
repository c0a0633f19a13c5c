/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Golden images by name: FOLDER/NAME.conf has the words of each, of which one (or several)
 * are chosen by image=NAME[,NAME].
 */
#ifndef INIT_IMAGES_H
#define INIT_IMAGES_H

#include "base/guid.h"
#include "init/options.h"

#define IMAGES_MAX 64
#define IMAGES_MAX_NAME 64

/* The names of all, sorted. A folder that is not there has none. */
void images_list(const char *folder, struct strings *ret);
/*
 * Those that `wish` names, in its order; where it is NULL or names none (it is a place then),
 * the first of all. `*asked`: it was by the wish. A name that is not there: ERROR_FAILED.
 */
int images_choose(const char *folder, const char *wish, struct strings *ret, bool *asked,
		  struct error *err);
/* True if the value of image= says where an image lies rather than what its name is. */
bool images_is_place(const char *value);
/* The image's words; a key that is not an image's is refused. */
int images_read(const char *folder, const char *name, struct options *ret,
		struct error *err);
/* Besides those: keys that an image may have, ended by NULL. */
extern const char *const images_keys[];

enum image_where {
	IMAGE_PATH,		/* a file or device that init can open by this path */
	IMAGE_PARTITION,	/* a GPT partition's unique GUID */
	IMAGE_FILE,		/* path on a file system of any disk */
	IMAGE_URL,		/* address of a published image (base/url.h) */
};
struct image_place {
	enum image_where where;
	struct guid guid;
	const char *path;	/* part of the value */
};
/* "partition:GUID", "file:PATH", "url:ADDRESS" or "PATH". */
int image_place_parse(const char *value, struct image_place *ret, struct error *err);

#endif
