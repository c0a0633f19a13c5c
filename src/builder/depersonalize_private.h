/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the parts of depersonalizing share. */
#ifndef BUILDER_DEPERSONALIZE_PRIVATE_H
#define BUILDER_DEPERSONALIZE_PRIVATE_H

#include "builder/depersonalize.h"

struct depersonalizing {
	struct tree *tree;
	struct registry *registry;
	struct hive *system, *software;	/* software: NULL if the image has none */
	struct depersonalize_result *out;
};

/* Adds to the item of that code and place; `where` is copied. Nothing for a count of 0. */
void depersonalized(struct depersonalizing *d, const char *code, const char *what,
		    const char *where, uint64_t count, uint64_t bytes);
/* Deletes all subkeys; *count grows by their number. */
int depersonalize_subkeys(struct hive *hive, hkey key, uint64_t *count,
			  struct error *err);

/* depersonalize_registry.c: values and keys that name the PC, its disks and its network */
int depersonalize_registry(struct depersonalizing *d, const struct strings *sets,
			   struct error *err);
/* depersonalize_devices.c: device instances and network adapters of one control set */
int depersonalize_devices(struct depersonalizing *d, const char *set, struct error *err);
/* depersonalize_files.c */
int depersonalize_files(struct depersonalizing *d, struct error *err);

#endif
