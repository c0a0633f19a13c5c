/* SPDX-License-Identifier: GPL-3.0-or-later */
/* 8.3 names as NT makes them, on NTFS and on FAT. */
#ifndef BASE_SHORT_NAME_H
#define BASE_SHORT_NAME_H

#include "base/buffer.h"

/* True if the name (UTF-16LE) is a valid 8.3 name itself, in whatever case. */
bool short_name_valid(struct bytes name);
/*
 * The n-th (from 0) short name that NT tries for a long one, UTF-16LE; false if NT has
 * given up by then.
 */
bool short_name_candidate(struct bytes name, unsigned n, struct buffer *ret);

#endif
