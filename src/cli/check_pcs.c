/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/check_pcs.h"

#include "hwprofiles/profile_xml.h"

static int one_profile(const struct profile *profile, inventory_fn *fn, void *arg,
		       struct error *err)
{
	_cleanup_pc_ struct pc pc = PC_INIT;

	profile_to_pc(profile, &pc);
	return fn(&pc, arg, err);
}

static int each_profile(const struct check_pcs *pcs, struct profile_library *library,
			inventory_fn *fn, void *arg, struct error *err)
{
	vec_foreach (name, &pcs->profiles) {
		const struct profile *profile = profile_find(library, *name, err);

		if (!profile || one_profile(profile, fn, arg, err) < 0)
			return -1;
	}
	if (!pcs->all)
		return 0;
	if (profile_read_all(library, err) < 0)
		return -1;
	for (size_t i = 0; i < library->profiles.len; i++) {
		const struct profile *profile = library->profiles.items[i];

		/* What others are built upon is no PC. */
		if (profile->devices.len && one_profile(profile, fn, arg, err) < 0)
			return -1;
	}
	return 0;
}

int check_pcs_each(const struct check_pcs *pcs, inventory_fn *fn, void *arg,
		   struct error *err)
{
	struct profile_library library;
	int result;

	profile_library_init(&library);
	result = each_profile(pcs, &library, fn, arg, err);
	profile_library_free(&library);
	vec_foreach (path, &pcs->inventories)
		if (result == 0)
			result = inventory_read(*path, fn, arg, err);
	return result;
}

void check_pcs_describe(struct json_object *object, const struct population *population)
{
	struct json_object *o = cli_add_object(object, "population"), *list;
	_cleanup_free_ char *text = population_text(population);
	unsigned first, median, last;

	cli_add(o, "text", text);
	cli_add_int(o, "pcs", (int64_t)population->pcs);
	list = cli_add_object(o, "listed");
	for (unsigned bus = 0; bus < PC_BUSES; bus++)
		cli_add_int(list, pc_bus_name((enum pc_bus)bus),
			    (int64_t)population->listed[bus]);
	list = cli_add_object(o, "without");
	for (unsigned role = 0; role < PC_ROLES; role++)
		cli_add_int(list, pc_role_name((enum pc_role)role),
			    (int64_t)population->without[role]);
	if (!population_years(population, &first, &median, &last))
		return;
	cli_add_int(o, "first_year", first);
	cli_add_int(o, "median_year", median);
	cli_add_int(o, "last_year", last);
}
