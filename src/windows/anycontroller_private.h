/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the generations of --any-controller share. */
#ifndef WINDOWS_ANYCONTROLLER_PRIVATE_H
#define WINDOWS_ANYCONTROLLER_PRIVATE_H

#include "windows/anycontroller.h"
#include "windows/boot_storage.h"
#include "windows/installation.h"

struct any_work {
	struct tree *tree;
	struct registry *registry;
	struct hive *system;
	const struct installation *windows;
	struct strings sets;		/* control sets */
	struct strings vendor_infs;	/* oemN.inf of storage host classes */
	any_controller_reflect_fn *reflect;	/* may be NULL */
	void *arg;
	struct any_controller_result *out;
};

/* ---- anycontroller.c ---- */

/* Notes what is left as it is; takes `reason`. */
void any_leave(struct any_work *w, const char *control_set, const char *name,
	       uint32_t start, char *reason);
/* Every boot storage service of the set becomes boot-start, where it can. */
int any_services(struct any_work *w, const char *control_set, struct error *err);
/* Takes vendors' and dead filters off the classes of the storage stack. */
int any_classes(struct any_work *w, const char *control_set, struct error *err);

/* ---- anycontroller_cdd.c: up to Windows 7 ---- */

struct any_claim {
	const char *id, *class_guid, *service;
};
/*
 * Adds the entries of CriticalDeviceDatabase (a list that ends with a NULL id) that are
 * missing, for services that the control set has with their files.
 */
int any_claims(struct any_work *w, const char *control_set,
	       const struct any_claim *claims, struct error *err);

/* ---- one for each generation: what is done beside that, and in which order ---- */

int any_database_apply(struct any_work *w, struct error *err);	/* 8 and later */
int any_nt6_apply(struct any_work *w, struct error *err);	/* Vista, 7 */

#endif
