/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which few drivers would raise the share of PCs most: a greedy cover. Each failing PC is
 * helped by any one of its remedies; the one that helps most is taken, its PCs are taken
 * away, and so on.
 */
#ifndef CHECK_COVER_H
#define CHECK_COVER_H

#include "check/check.h"

/* A reason for failure, and how many PCs have it. */
struct check_cause {
	char *reason, *remedy;
	const struct strings *remedies;	/* packages that would be enough; NULL: none known */
	size_t pcs;
};
struct check_causes {
	struct vec_of(struct check_cause) list;
	size_t *slots;		/* of the list, plus one, by reason */
	size_t size;
};
void check_causes_free(struct check_causes *causes);
/* Counts a result that fails. */
void check_causes_add(struct check_causes *causes, const struct check_result *result);
/* The most frequent first. Nothing may be added any more. */
void check_causes_sort(struct check_causes *causes);

/* One step: what to add, PCs that it helps beyond those before. */
struct check_step {
	const char *remedy;	/* "inject x/iaStorVD.inf" without "inject", or the remedy */
	const char *reason;	/* of what has no package: the device */
	bool package;		/* of the repository */
	size_t pcs, total;	/* of this step, of all so far */
};
DEFINE_VEC(check_steps, struct check_step);
#define CHECK_MAX_STEPS 100
void check_cover(const struct check_causes *causes, struct check_steps *ret);

#endif
