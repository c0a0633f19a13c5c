/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A set of names under Windows' case rules, for lists too long to search one by one. */
#ifndef BASE_NAME_SET_H
#define BASE_NAME_SET_H

#include "base/memory.h"

struct name_set {
	struct name_slot {
		uint64_t hash;
		const char *name;	/* NULL: free */
	} *slots;
	size_t size, used;	/* size is a power of two */
};
/* False if it was in it. The name is not copied and must outlive the set. */
bool name_set_add(struct name_set *set, const char *name);
bool name_set_has(const struct name_set *set, const char *name);
void name_set_free(struct name_set *set);
#define _cleanup_name_set_ _cleanup_(name_set_free)

#endif
