/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How large a population of PCs is and how it leans, for whoever reads a share: every
 * report says it.
 */
#ifndef CHECK_POPULATION_H
#define CHECK_POPULATION_H

#include "hwprofiles/pc.h"

#define POPULATION_FIRST_YEAR 1980
#define POPULATION_YEARS 121	/* to 2100 */

struct population {
	size_t pcs;
	size_t listed[PC_BUSES];	/* PCs whose inventory lists the bus */
	size_t without[PC_ROLES];	/* PCs that name no device of the role */
	size_t firmware[3];		/* by enum pc_answer: does it have UEFI */
	size_t years[POPULATION_YEARS];	/* of the firmware; others have none */
};
void population_add(struct population *population, const struct pc *pc);
/* The first, the middle and the last year of the firmware; false: none is known. */
bool population_years(const struct population *population, unsigned *first,
		      unsigned *median, unsigned *last);
/*
 * "4,971 PCs, firmware of 2004 to 2023, half of it before 2014. PCI devices are listed by
 * 4,971 of them, USB by 0, ACPI by 0: ..." Caller's.
 */
char *population_text(const struct population *population);

#endif
