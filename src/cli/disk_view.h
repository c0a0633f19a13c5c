/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What gild inspect tells of a disk as a whole: its partitions and what is in them. */
#ifndef CLI_DISK_VIEW_H
#define CLI_DISK_VIEW_H

#include "cli/cli.h"

/* Adds the member "disk". */
void disk_view_json(struct json_object *object, const struct image *image);
void disk_view_print(const struct image *image);
/* "60.0 GiB"; exact where it can be. */
#define SIZE_TEXT_SIZE 32
void size_text(uint64_t bytes, char text[SIZE_TEXT_SIZE]);
/* "40G", "40GiB", "512M": whole MiB. Units are powers of 1024, as in qemu-img. */
bool size_parse(const char *text, uint64_t *ret);

#endif
