/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A driver package for one image: the INF interpreted for the image's Windows and every
 * file it needs, found and checked before anything is changed. What the store then does
 * with it is injector/store.h.
 */
#ifndef INJECTOR_PACKAGE_H
#define INJECTOR_PACKAGE_H

#include "injector/driver.h"
#include "media/media.h"
#include "sign/signature.h"
#include "tree/tree.h"

enum package_verdict {
	PACKAGE_ADDED,
	PACKAGE_ALREADY,	/* the image has it; nothing to do */
	PACKAGE_SKIPPED,	/* not for this image */
	PACKAGE_REFUSED,
};
const char *package_verdict_name(enum package_verdict verdict);

struct package_file {
	char *path;	/* below the package's folder, '/'-separated, as the INF spells it */
	char *host;	/* where it is: on the host, ... */
	char *stored;	/* ... or in the image's own store (exactly one of both is set) */
};
DEFINE_VEC(package_files, struct package_file);

struct signing;

struct package {
	char *label;		/* for messages: "pack.zip/x64/vioscsi.inf" */
	char *inf_name;		/* as on disk */
	struct driver *driver;	/* NULL if the INF was refused */
	struct package_files files;	/* the INF first, then by path; all are present */
	char *store;		/* FileRepository folder */
	char *published;	/* "oem3.inf"; NULL until it is in the store */
	char *catalog;		/* path (as in files) of its catalog, or NULL */
	struct signature signature;	/* of the whole package; set by store_add() */
	struct signing *signing;	/* who checks it (injector/signing.h); NULL: nobody */
	uint32_t signer_score;	/* as the store records it; "unsigned" until it is checked */
	bool boot_critical;	/* set by the store: reflected, so that Windows can boot from it */
	enum package_verdict verdict;
	char *reason;		/* why; NULL for a plain PACKAGE_ADDED */
	struct strings remarks;	/* what is not carried out, what is odd */
	struct strings services, hardware_ids;	/* of the models that apply */
};
DEFINE_VEC(packages, struct package *);

/*
 * Reads the INF at `inf` and finds its files. Include= is served from the image's own
 * Windows/INF. A package that cannot be used is returned as well: the verdict
 * (PACKAGE_SKIPPED or PACKAGE_REFUSED, else PACKAGE_ADDED) and reason say it. NULL only if
 * the run itself cannot go on.
 */
struct package *package_open(struct source_media *media, const struct media_inf *inf,
			     struct tree *tree, const struct target *target,
			     struct error *err);
/*
 * The same for a package in the image's own store: INF and files are read from the tree.
 * `folder` is its FileRepository path, `inf_name` the INF in it.
 */
struct package *package_open_stored(struct tree *tree, const char *folder,
				    const char *inf_name, const struct target *target,
				    struct error *err);
/* A driver_include_fn: the image's own INFs; `arg` is the tree. */
int package_include(const char *name, struct buffer *ret, void *arg, struct error *err);
void package_close(struct package *package);
void package_closep(struct package **package);
#define _cleanup_package_ _cleanup_(package_closep)
void packages_free(struct packages *packages);

/* The file of that name (last component), or NULL. */
const struct package_file *package_file(const struct package *package, const char *name);
/* The kernel or file system driver of the package that the service starts, or NULL. */
const struct package_file *package_driver_file(const struct package *package,
					       const struct inf_service *service);
int package_read(const struct package *package, const struct package_file *file,
		 struct tree *tree, size_t limit, struct buffer *ret, struct error *err);
/* Stages a copy of the file at `path` of the tree. */
int package_put(const struct package *package, const struct package_file *file,
		struct tree *tree, const char *path, struct error *err);
/*
 * Checks that every driver binary the package brings is an executable for the target and,
 * if `critical`, signed as Windows wants it (signing_check_boot()). PACKAGE_REFUSED with
 * its reason otherwise, if `critical`; else a remark. -1 only if a file cannot be read.
 */
int package_check_binaries(struct package *package, struct tree *tree,
			   const struct target *target, bool critical,
			   struct error *err);

/* The destination of a CopyFiles line in the tree, or NULL where it stays in the store. */
char *file_destination(const struct inf_file *file, enum windows_arch arch);
/* PACKAGE_REFUSED if the INF asks for names or sizes that an image cannot hold. */
void package_check_limits(struct package *package, enum windows_arch arch);

/* Sets the verdict and its reason. */
void package_decide(struct package *package, enum package_verdict verdict,
		    const char *fmt, ...) _printf_(3, 4);
/* Adds a remark once. */
void package_remark(struct package *package, const char *fmt, ...) _printf_(2, 3);

#endif
