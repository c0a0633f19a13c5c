/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The PCs that `gild check` asks about, from profiles and inventories, one by one. */
#ifndef CLI_CHECK_PCS_H
#define CLI_CHECK_PCS_H

#include "check/population.h"
#include "cli/cli.h"
#include "hwprofiles/inventory.h"

struct check_pcs {
	struct strings profiles, inventories;	/* --profile, --inventory */
	bool all;				/* --all-profiles */
};
int check_pcs_each(const struct check_pcs *pcs, inventory_fn *fn, void *arg,
		   struct error *err);
/* The member "population" of a report. */
void check_pcs_describe(struct json_object *object, const struct population *population);

#endif
