/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of Windows generations. */
#include "injector/strategy.h"

/* Latest first: the first one whose version the target has reached counts. */
static const struct strategy strategies[] = {
	{
		.name = "Windows 8 to 11, Server 2012 to 2025",
		.major = 6,
		.minor = 2,
		.open = nt62_open,
		.add = nt62_add,
		.remove = nt62_remove,
	},
	{
		.name = "Windows Vista and 7, Server 2008 and 2008 R2",
		.major = 6,
		.minor = 0,
		.open = nt60_open,
		.add = nt60_add,
		.remove = nt60_remove,
	},
	{
		.name = "Windows XP, Server 2003",
		.major = 5,
		.minor = 0, /* 2000 is refused by name */
		.open = nt5_open,
		.add = nt5_add,
		.remove = nt60_remove,
		.add_textmode = nt5_add_textmode,
		.any_controller = nt5_any_controller,
	},
	{.name = "Windows NT 4 and older", .major = 0, .minor = 0},
};

const struct strategy *strategy_for(const struct target *target, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(strategies); i++) {
		const struct strategy *s = &strategies[i];

		if (target_compare_version(target, s->major, s->minor, 0) < 0)
			continue;
		if (s->open)
			return s;
		error_set(err, ERROR_USAGE, NULL,
			  "the image holds Windows %u.%u (%s): drivers for it are not in "
			  "this build",
			  target->major, target->minor, s->name);
		return NULL;
	}
	error_set(err, ERROR_USAGE, NULL, "an unknown Windows generation");
	return NULL;
}
