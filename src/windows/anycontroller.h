/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `--any-controller`: makes an image start from every storage controller that Windows has
 * a driver for, and on every PC's HAL. Changes the SYSTEM hive in memory, in every control
 * set; of 32-bit Vista and 7 also the boot configuration.
 */
#ifndef WINDOWS_ANYCONTROLLER_H
#define WINDOWS_ANYCONTROLLER_H

#include "windows/driverdb.h"
#include "windows/target.h"

/*
 * Reflects a staged package of a storage class (files to their places, services,
 * configurations), as an injector does. 1: done, 0: nothing to reflect, -1: error, where
 * ERROR_ANSWER_NO goes into the result's errors and all else ends the work.
 */
typedef int any_controller_reflect_fn(const struct db_package *package, void *arg,
				      struct error *err);

struct any_controller_service {
	char *control_set, *service;
	uint32_t from, to;	/* Start; equal if it was only masked by StartOverride */
	bool unmasked;		/* a StartOverride was removed */
	struct strings ids;	/* what it claims, now covered */
};
DEFINE_VEC(any_controller_services, struct any_controller_service);

/* A service or filter that was left as it is, and why. */
struct any_controller_left {
	char *control_set, *name;
	uint32_t start;
	char *reason;
};
DEFINE_VEC(any_controller_lefts, struct any_controller_left);

struct any_controller_filter {
	char *control_set, *class_name;
	const char *value;	/* "UpperFilters" or "LowerFilters" */
	char *filter, *reason;
};
DEFINE_VEC(any_controller_filters, struct any_controller_filter);

/* Why the image would not start, although all else was done: exit code 3. */
struct any_controller_error {
	char *subject, *message, *remedy;
};
DEFINE_VEC(any_controller_errors, struct any_controller_error);

struct any_controller_result {
	struct any_controller_services services;	/* changed or unmasked */
	struct any_controller_lefts left;
	struct any_controller_filters filters;		/* removed */
	struct any_controller_errors errors;
	struct strings reflected;	/* published names of packages */
	struct strings removed;		/* registry keys: StartOverride, HardwareConfig\... */
	struct strings ids;		/* device IDs now covered that were not, sorted */
	/* What was set in boot configurations: "Boot/BCD {guid}: detecthal". */
	struct strings boot_settings;
	struct strings files;		/* added to the image, paths in the tree */
	struct strings remarks;		/* what else to know */
};
void any_controller_result_free(struct any_controller_result *result);
#define _cleanup_any_controller_result_ _cleanup_(any_controller_result_free)

/*
 * `reflect` may be NULL: staged packages are then left and named. ERROR_USAGE for
 * generations that this build does not serve. `ret` is to be freed in any case.
 */
int any_controller_apply(struct tree *tree, struct registry *registry,
			 any_controller_reflect_fn *reflect, void *arg,
			 struct any_controller_result *ret, struct error *err);
/*
 * The part on the volume that the Windows is started from, where that is known: `system`
 * may be the same tree. Adds to what any_controller_apply() has put into `ret`.
 */
int any_controller_boot(struct tree *system, const struct target *target,
			struct any_controller_result *ret, struct error *err);
/*
 * Its part about the filters of the storage classes alone, in all control sets; adds to
 * `ret`. For generations that the injector serves itself.
 */
int any_controller_filters(struct tree *tree, struct registry *registry,
			   struct any_controller_result *ret, struct error *err);

#endif
