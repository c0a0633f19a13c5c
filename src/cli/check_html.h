/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The report of `gild check --html`: one self-contained page. */
#ifndef CLI_CHECK_HTML_H
#define CLI_CHECK_HTML_H

#include "base/buffer.h"
#include "check/check.h"

/* One PC of the report. */
struct report_row {
	char *model, *maker, *reason, *remedy, *losses;
	char *facts;		/* firmware, what is not known: one line */
	struct vec_of(uint32_t) devices;	/* positions in the report's */
	unsigned year;		/* of the firmware; 0: not known */
	enum check_verdict verdict;
};
struct report_count {
	char *text, *remedy;
	size_t pcs;
};
struct report {
	char *image, *windows, *population;
	struct vec_of(struct report_row) rows;
	struct vec_of(struct report_count) causes, losses, steps;
	/* A device and its verdict are in the page once, as a line of JSON. */
	struct strings devices;
	uint32_t *slots;	/* positions plus one, by text */
	size_t slots_size;
	size_t roles[PC_ROLES][4];	/* PCs: works, partly, not at all, not listed */
};
void report_free(struct report *report);
/* Adds a row; the first word of the label is the maker unless the identity tells. */
void report_add(struct report *report, const struct pc *pc,
		const struct check_result *result);
void report_write(const struct report *report, struct buffer *ret);

#endif
