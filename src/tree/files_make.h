/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What sources of files (tree/files.h) share while they fill their model. Private to
 * src/tree/files*.c.
 */
#ifndef TREE_FILES_MAKE_H
#define TREE_FILES_MAKE_H

#include "tree/files.h"

/* Frees all that struct files owns but the structure; for ops->close(). */
void files_free_model(struct files *files);

/* Finds a descriptor that is there already. Start with zeros. */
struct files_securities {
	uint32_t *slots;	/* index in files->security, plus 1 */
	size_t room;		/* a power of two */
};
/* The index of a descriptor equal to this one, which is copied if it is new. */
uint32_t files_security(struct files *files, struct files_securities *known,
			struct bytes descriptor);
void files_securities_free(struct files_securities *known);

#endif
