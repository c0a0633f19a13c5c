/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Takes out of an installation what belongs to the one PC (and its user's day) that it was
 * made on, as far as that can be done without running it. What it cannot do is make a new
 * machine SID: that is sysprep's work, and depersonalize_check() says whether it was done.
 *
 * What differs between generations is where things lie (XP: Documents and Settings, *.Evt,
 * RECYCLER; 8 and later: HardwareConfig, StartOverride, swapfile.sys): all places are
 * looked at, and what is not there is not reported.
 */
#ifndef BUILDER_DEPERSONALIZE_H
#define BUILDER_DEPERSONALIZE_H

#include "registry/registry.h"

struct depersonalized {
	const char *code;	/* stable: "mounted_devices" */
	const char *what;	/* for people: "drive letters of the old disks" */
	char *where;		/* key or folder */
	uint64_t count, bytes;	/* values, keys or files; of files their size */
};
struct depersonalize_result {
	struct vec_of(struct depersonalized) items;	/* in order of work; no two of one
							   code and place */
	/* What was found and stays, and why: "Enum\...: its driver is not known ..." */
	struct strings left;
};
void depersonalize_result_free(struct depersonalize_result *result);
#define _cleanup_depersonalize_result_ _cleanup_(depersonalize_result_free)

/*
 * The name that a depersonalized image has. Windows' own images carry a constant one, too;
 * its specialize pass (XP: mini-setup) replaces it by the one of the answer file, or by
 * WIN- or DESKTOP- and random letters. An image that is not generalized keeps it.
 */
#define DEPERSONALIZED_NAME "MINWINPC"

/*
 * Changes hives in memory and stages files; the caller stages the registry and commits.
 * `system` is the tree of the volume that it is started from, which may be the same; NULL:
 * the boot configuration is left alone. A second run finds nothing. `ret` is to be freed in
 * any case.
 */
int depersonalize(struct tree *tree, struct registry *registry, struct tree *system,
		  struct depersonalize_result *ret, struct error *err);

enum depersonalize_verdict {
	DEPERSONALIZE_READY,	/* generalized: every copy gets its own machine SID */
	DEPERSONALIZE_WARN,	/* copies share the SID; Windows up to 23H2 puts up with it */
	DEPERSONALIZE_REFUSE,	/* they do, and this Windows refuses them in a network */
};
struct depersonalize_state {
	enum depersonalize_verdict verdict;
	char *state;		/* setup state, as struct installation has it */
	char *machine_sid;	/* "S-1-5-21-..."; NULL: there is none */
	char *message, *remedy;	/* NULL if ready */
};
void depersonalize_state_free(struct depersonalize_state *state);
#define _cleanup_depersonalize_state_ _cleanup_(depersonalize_state_free)
int depersonalize_check(struct tree *tree, struct registry *registry,
			struct depersonalize_state *ret, struct error *err);

#endif
