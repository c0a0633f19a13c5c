/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Inventories of every form on arbitrary bytes, and what becomes of a PC that was read: a
 * profile, whose XML is valid and reads back as the same.
 */
#include "check/kernel.h"
#include "check/population.h"
#include "hwprofiles/inventory.h"
#include "hwprofiles/profile_xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_profile(const struct pc *pc)
{
	struct profile *p = profile_of_pc(pc), *again;
	_cleanup_buffer_ struct buffer first = BUFFER_INIT, second = BUFFER_INIT;
	_cleanup_error_ struct error err = ERROR_INIT;

	profile_write(p, &first);
	again = profile_parse(buffer_view(&first), "x.xml", &err);
	/* IDs that no schema takes come from inventories that are no inventories. */
	if (again) {
		profile_write(again, &second);
		if (!bytes_equal(buffer_view(&first), buffer_view(&second)))
			abort();
	} else if (!err.reason || !err.subject) {
		abort();
	}
	profile_free(again);
	profile_free(p);
}

/* What Linux calls its devices, and the population that it is. */
static void check_names(const struct pc *pc)
{
	struct population population = {0};
	_cleanup_free_ char *text = NULL;

	vec_foreach (device, &pc->devices)
		free(kernel_modalias(device));
	population_add(&population, pc);
	text = population_text(&population);
	if (!strstr(text, "1 PC"))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_buffer_ struct buffer copy = BUFFER_INIT;
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_pc_ struct pc pc = PC_INIT;

	if (size > 1 << 16)
		return 0;
	buffer_append(&copy, data, size);
	if (inventory_parse(&copy, "fuzz", &pc, &err) < 0) {
		if (!err.reason || !err.subject)
			abort();
		return 0;
	}
	pc_name(&pc);
	check_profile(&pc);
	check_names(&pc);
	return 0;
}
