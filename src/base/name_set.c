/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Open addressing with linear probing, at most half full. */
#include "base/name_set.h"

#include "base/text.h"

/* The slot that has the name, or the free one where it belongs. */
static struct name_slot *find(const struct name_set *set, uint64_t hash, const char *name)
{
	for (size_t i = (size_t)hash;; i++) {
		struct name_slot *slot = &set->slots[i & (set->size - 1)];

		if (!slot->name || (slot->hash == hash && text_equal(slot->name, name)))
			return slot;
	}
}

static void grow(struct name_set *set)
{
	struct name_set bigger = {.size = set->size ? 2 * set->size : 64};

	bigger.slots = xcalloc(bigger.size, sizeof(*bigger.slots));
	for (size_t i = 0; i < set->size; i++)
		if (set->slots[i].name)
			*find(&bigger, set->slots[i].hash, set->slots[i].name) =
				set->slots[i];
	free(set->slots);
	set->slots = bigger.slots;
	set->size = bigger.size;
}

bool name_set_add(struct name_set *set, const char *name)
{
	uint64_t hash = text_hash(name);
	struct name_slot *slot;

	if (2 * (set->used + 1) > set->size)
		grow(set);
	slot = find(set, hash, name);
	if (slot->name)
		return false;
	*slot = (struct name_slot){hash, name};
	set->used++;
	return true;
}

bool name_set_has(const struct name_set *set, const char *name)
{
	return set->used && find(set, text_hash(name), name)->name;
}

void name_set_free(struct name_set *set)
{
	free(set->slots);
	*set = (struct name_set){0};
}
