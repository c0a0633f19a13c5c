/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How drivers get into each generation of Windows, in one table: what differs between
 * generations is behind it, not in version checks all over the injector.
 */
#ifndef INJECTOR_STRATEGY_H
#define INJECTOR_STRATEGY_H

#include "injector/store.h"

struct strategy {
	const char *name;		/* "Windows 8 to 11, Server 2012 to 2025" */
	uint32_t major, minor;		/* the first version it is for */
	/* NULL members: not in this build. */
	int (*open)(struct store *store, struct error *err);
	int (*add)(struct store *store, struct package *package, bool force,
		   struct error *err);
	int (*remove)(struct store *store, const char *published, struct removal *ret,
		      struct error *err);
	/* Packs with a TXTSETUP.OEM; NULL: this Windows has no use for them. */
	int (*add_textmode)(struct store *store, struct source_media *media,
			    struct packages *packages, struct strings *problems,
			    struct error *err);
	/* NULL: any_controller_apply(). */
	int (*any_controller)(struct store *store,
			      const struct any_controller_options *options,
			      struct any_controller_result *ret, struct error *err);
};

/* NULL (ERROR_USAGE, "not in this build") where there is none for the target. */
const struct strategy *strategy_for(const struct target *target, struct error *err);

/* Windows NT 6.2 and later: the driver database in the registry. */
/* HKLM\SYSTEM with its control sets, and SOFTWARE where there is one. */
int store_open_hives(struct store *store, struct error *err);
int nt62_open(struct store *store, struct error *err);
int nt62_add(struct store *store, struct package *package, bool force,
	     struct error *err);
int nt62_remove(struct store *store, const char *published, struct removal *ret,
		struct error *err);

/* Windows XP and Server 2003: injector/nt5.h; removing is that of Vista. */
int nt5_open(struct store *store, struct error *err);
int nt5_add(struct store *store, struct package *package, bool force, struct error *err);
int nt5_add_textmode(struct store *store, struct source_media *media,
		     struct packages *packages, struct strings *problems, struct error *err);
int nt5_any_controller(struct store *store, const struct any_controller_options *options,
		       struct any_controller_result *ret, struct error *err);

/* Vista and 7, Server 2008 and 2008 R2: injector/nt6.h. */
int nt60_open(struct store *store, struct error *err);
int nt60_add(struct store *store, struct package *package, bool force,
	     struct error *err);
int nt60_remove(struct store *store, const char *published, struct removal *ret,
		struct error *err);

#endif
