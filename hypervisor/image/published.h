/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Golden images that lie on a server: NAME.img (sealed) and NAME.conf beside it, as gild
 * pack writes them into a folder. Of one that is packed by its address only the .conf is
 * fetched, and the superblock, so that what it costs does not grow with the image.
 */
#ifndef IMAGE_PUBLISHED_H
#define IMAGE_PUBLISHED_H

#include "image/golden.h"

#define PUBLISHED_MAX_CONF ((size_t)64 << 10)

/*
 * What the .conf at `source` says, into words, format and seal. Only words that an image may
 * have are accepted, and windows=, format= and seal= must be there: ERROR_FAILED.
 */
int published_parse(struct bytes conf, const char *source, struct golden *ret,
		    struct error *err);
/*
 * Fetches the .conf of the image at the address and sees to it that the server gives parts
 * of the image, and that it is as long as its seal says. `ca`: as for http_open().
 */
int published_open(const char *url, const char *ca, struct golden *ret, struct error *err);

#endif
