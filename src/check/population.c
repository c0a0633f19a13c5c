/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "check/population.h"

#include "base/buffer.h"

void population_add(struct population *population, const struct pc *pc)
{
	unsigned year = pc_year(pc);
	bool seen[PC_ROLES] = {false};

	population->pcs++;
	population->firmware[pc->uefi]++;
	for (size_t bus = 0; bus < PC_BUSES; bus++)
		population->listed[bus] += pc->listed[bus];
	vec_foreach (device, &pc->devices)
		seen[device->role] = true;
	for (size_t role = 0; role < PC_ROLES; role++)
		population->without[role] += !seen[role];
	if (year >= POPULATION_FIRST_YEAR &&
	    year < POPULATION_FIRST_YEAR + POPULATION_YEARS)
		population->years[year - POPULATION_FIRST_YEAR]++;
}

bool population_years(const struct population *population, unsigned *first,
		      unsigned *median, unsigned *last)
{
	size_t known = 0, before = 0;

	*first = *median = *last = 0;
	for (unsigned i = 0; i < POPULATION_YEARS; i++)
		known += population->years[i];
	for (unsigned i = 0; i < POPULATION_YEARS; i++) {
		if (!population->years[i])
			continue;
		if (!*first)
			*first = POPULATION_FIRST_YEAR + i;
		*last = POPULATION_FIRST_YEAR + i;
		before += population->years[i];
		if (!*median && before * 2 >= known)
			*median = POPULATION_FIRST_YEAR + i;
	}
	return known > 0;
}

char *population_text(const struct population *p)
{
	struct buffer b = BUFFER_INIT;
	unsigned first, median, last;

	buffer_printf(&b, "%zu %s", p->pcs, p->pcs == 1 ? "PC" : "PCs");
	if (population_years(p, &first, &median, &last))
		buffer_printf(&b, ", firmware of %u to %u, the median %u", first, last,
			      median);
	buffer_printf(
		&b,
		". PCI devices are listed for %zu of them, USB for %zu, ACPI for %zu; "
		"what is not listed is not judged. The shares are those of these "
		"PCs, not of all that there are",
		p->listed[PC_PCI], p->listed[PC_USB], p->listed[PC_ACPI]);
	if (p->pcs && p->without[PC_INPUT])
		buffer_printf(&b, "; nothing is known of keyboard and mouse of %zu",
			      p->without[PC_INPUT]);
	buffer_append_string(&b, ".");
	return buffer_steal_string(&b);
}
