/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the parts of the inspection share. */
#ifndef WINDOWS_INSTALLATION_PRIVATE_H
#define WINDOWS_INSTALLATION_PRIVATE_H

#include "windows/boot_storage.h"
#include "windows/installation.h"

struct inspection {
	struct tree *tree;
	struct registry *registry;
	struct hive *system, *software;	/* software is NULL if the image has none */
	struct driverdb nodes[2];	/* those that the image has */
	size_t node_count;
	struct services services;	/* of the current control set */
	struct db_packages packages;	/* of all nodes */
	struct boot_candidates storage;	/* boot storage services, whatever their Start */
	struct installation *out;
};

/* Adds a problem; `remedy` may be NULL. */
void problem_add(struct installation *installation, const char *code,
		 enum problem_severity severity, const char *remedy, const char *fmt, ...)
	_printf_(5, 6);
/* "a, b, c and 12 more". Caller's. */
char *names_list(const struct strings *names, size_t limit);

/* Product, version, architecture, language, state. */
int inspect_identity(struct inspection *in, struct error *err);
/* Third-party packages. */
int inspect_drivers(struct inspection *in, struct error *err);
/* Those that gild put into Windows up to 7, and what is wrong with them. */
int inspect_injected(struct inspection *in, struct error *err);
/* Everything that is wrong, or should be known before the image is used. */
int inspect_problems(struct inspection *in, struct error *err);
/* Its part about the driver store and database. */
int inspect_store(struct inspection *in, struct error *err);

#endif
