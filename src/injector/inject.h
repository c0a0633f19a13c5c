/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Offline driver injection from end to end: read the packages once, service every chosen
 * tree, commit each image file once. An image is a WIM, a disk image, a folder with a
 * Windows in it, or the folder of setup media (sources/boot.wim and sources/install.wim).
 */
#ifndef INJECTOR_INJECT_H
#define INJECTOR_INJECT_H

#include "injector/package.h"
#include "injector/signing.h"
#include "injector/wanted.h"
#include "registry/registry.h"
#include "windows/anycontroller.h"

struct inject_options {
	const char *path;
	const struct strings *drivers;	/* INFs, folders, archives */
	const struct wanted_profiles *profiles;	/* only what they want; NULL: all */
	const struct strings *published;	/* for inject_remove(): "oem3.inf" */
	const char *index;	/* "N", "all" or NULL: the only one */
	const char *output;	/* NULL: in place */
	struct image_options image;	/* how disks are opened; .write and .allow_esd are not read */
	bool standalone;	/* as in struct image_commit_options */
	bool any_controller;
	const char *source;	/* for it: the i386 folder of a CD, or NULL */
	bool winre;		/* also Windows/System32/Recovery/Winre.wim inside */
	bool strict;		/* any refusal: write nothing */
	bool dry_run;
	bool accept_dirty;
	bool esd;		/* a solid .esd may be written */
	enum unsigned_policy unsigned_policy;
	/* Called for every tree with its staged changes, before they become files. */
	void (*plan)(struct tree *tree, const struct registry *registry, void *arg);
	void *plan_arg;
};

/* What happened to one tree. */
struct inject_tree {
	char *path;		/* the image file, or "x.wim:1/.../Winre.wim" */
	unsigned index;
	enum windows_arch arch;
	struct packages packages;	/* inject */
	size_t unwanted;	/* packages that no profile wants */
	struct strings missing;	/* what profiles want and no package is for */
	struct removals *removals;	/* remove */
	bool any_controller;
	struct any_controller_result controllers;
};
DEFINE_VEC(inject_trees, struct inject_tree);

struct inject_result {
	struct inject_trees trees;
	struct strings problems;	/* what of the given PATHs could not be read */
	bool refused;		/* something was: exit code 3 */
	bool written;		/* false under dry_run, or strict and refused */
	uint64_t bytes_written;
};
void inject_result_free(struct inject_result *result);
#define _cleanup_inject_result_ _cleanup_(inject_result_free)

/* `ret` is filled as far as the work came, also on failure; free it in any case. */
int inject_run(const struct inject_options *options, struct inject_result *ret,
	       struct error *err);
/*
 * The same for one tree of an image that is open, which the caller commits: only stages.
 * `keep` gets what must stay until then; inject_release() it in any case.
 */
struct inject_job;
int inject_stage(const struct inject_options *options, struct image *image, size_t i,
		 struct inject_result *ret, struct inject_job **keep, struct error *err);
void inject_release(struct inject_job *keep);	/* NULL is fine */
/* Takes `published` packages out of the chosen trees, in the same way. */
int inject_remove(const struct inject_options *options, struct inject_result *ret,
		  struct error *err);

#endif
