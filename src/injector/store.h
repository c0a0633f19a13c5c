/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The driver store of one image: packages are added to it and removed from it as Windows
 * itself records them, so that DISM, pnputil and Windows Update see ordinary oemN.inf
 * packages. All changes are staged in the tree and the registry; nothing is written until
 * the image is committed.
 *
 *	_cleanup_store_ struct store *store =
 *		store_open(tree, registry, installation, &err);
 *	store_add(store, package, false, &err);
 *	registry_stage(registry, &err); image_commit(...);
 */
#ifndef INJECTOR_STORE_H
#define INJECTOR_STORE_H

#include "injector/package.h"
#include "windows/anycontroller.h"
#include "windows/installation.h"

struct store;

/*
 * The tree, the registry and the installation must outlive the store. ERROR_USAGE for a
 * Windows generation that this build does not serve (injector/strategy.h).
 */
struct store *store_open(struct tree *tree, struct registry *registry,
			 const struct installation *installation, struct error *err);
void store_close(struct store *store);
struct signing;
/*
 * From now on every package's signature is checked (injector/signing.h). Without, none
 * is, and all are recorded as not signed.
 */
void store_set_signing(struct store *store, struct signing *signing);
void store_closep(struct store **store);
#define _cleanup_store_ _cleanup_(store_closep)

/*
 * Puts the package into the store, unless it is there, and sets its verdict, published
 * name and remarks. Boot-critical packages (by their class, by the INF, or `force`) are
 * also reflected: made ready for the boot loader and the kernel. A package that was
 * refused or skipped before is left alone.
 */
int store_add(struct store *store, struct package *package, bool force,
	      struct error *err);

/*
 * Adds what the TXTSETUP.OEM files of the media say beyond the INFs, whose packages
 * (`packages`, after store_add()) are completed and added to. What cannot be read or does
 * not fit becomes a line of `problems`. Nothing for Windows Vista and later.
 */
int store_add_textmode(struct store *store, struct source_media *media,
		       struct packages *packages, struct strings *problems,
		       struct error *err);

/*
 * Makes Windows able to start from a package that is only staged: `name` is its folder in
 * FileRepository. 1: done, 0: another package ranks better and stays in force, -1: error;
 * ERROR_ANSWER_NO if the package is not whole or not for the image.
 */
int store_reflect(struct store *store, const char *name, struct error *err);

/* What --any-controller may use beside the store. */
struct any_controller_options {
	struct source_media *media;	/* for temporary files */
	const char *source;	/* the i386 folder of a CD, or NULL */
	struct tree *boot;	/* the volume with boot.ini; NULL: none that can be opened */
	const char *no_boot;	/* why, or NULL */
	unsigned partition;	/* of the Windows volume; 0: not known */
};
/*
 * --any-controller for generations that need the injector for it (XP and Server 2003). 1:
 * done, 0: any_controller_apply() is to be used, -1.
 */
int store_any_controller(struct store *store,
			 const struct any_controller_options *options,
			 struct any_controller_result *ret, struct error *err);

/* What store_remove() took out. */
struct removal {
	char *published, *original, *store;
	enum package_verdict verdict;	/* ADDED stands for removed, else REFUSED */
	char *reason;
	bool boot_critical;
	struct strings services;	/* deleted */
	struct strings remarks;		/* warnings, what takes over */
};
DEFINE_VEC(removals, struct removal);
void removal_free(struct removal *removal);
void removals_free(struct removals *removals);

/*
 * Takes a third-party package out with all its traces. Inbox drivers and names that the
 * image does not have are refused (verdict and reason, not an error). Where another
 * package shares its service or files, that one takes over.
 */
int store_remove(struct store *store, const char *published, struct removal *ret,
		 struct error *err);

#endif
