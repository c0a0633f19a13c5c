/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Third-party driver packages out of an image, as folders that `gild inject` takes. */
#ifndef INJECTOR_EXPORT_H
#define INJECTOR_EXPORT_H

#include "tree/tree.h"
#include "windows/installation.h"

struct exported {
	const struct installed_driver *driver;	/* of the installation */
	size_t files;
	uint64_t bytes;
	char *reason;	/* why it could not be exported; NULL if it was */
};
DEFINE_VEC(export_list, struct exported);
void export_list_free(struct export_list *list);

/*
 * Writes each package's driver store folder to `output`/STORE-NAME. `published` (may be
 * empty) chooses by published name. The output folder must not exist or be empty; it
 * appears complete or not at all. A package whose folder is missing from the image, or a
 * name that is not there, gets a reason and does not stop the others.
 */
int export_drivers(struct tree *tree, const struct installation *installation,
		   const struct strings *published, const char *output,
		   struct export_list *ret, struct error *err);

#endif
