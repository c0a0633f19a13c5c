/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Open addressing with linear probing, at most half full. */
#include "base/number_map.h"

#define FIRST_SIZE 64

/* Spreads keys that follow each other (the finalizer of splitmix64). */
static size_t place_of(const struct number_map *map, uint64_t key)
{
	key = (key ^ key >> 30) * 0xbf58476d1ce4e5b9u;
	key = (key ^ key >> 27) * 0x94d049bb133111ebu;
	return (size_t)(key ^ key >> 31) & (map->size - 1);
}

/* The key's slot, or the free one where it belongs. */
static struct number_slot *slot_of(const struct number_map *map, uint64_t key)
{
	size_t i = place_of(map, key);

	while (map->slots[i].used && map->slots[i].key != key)
		i = (i + 1) & (map->size - 1);
	return &map->slots[i];
}

uint32_t *number_map_find(const struct number_map *map, uint64_t key)
{
	struct number_slot *slot = map->size ? slot_of(map, key) : NULL;

	return slot && slot->used ? &slot->value : NULL;
}

static void grow(struct number_map *map)
{
	struct number_map larger = {.size = map->size ? map->size * 2 : FIRST_SIZE};

	larger.slots = xcalloc(larger.size, sizeof(*larger.slots));
	for (size_t i = 0; i < map->size; i++)
		if (map->slots[i].used)
			*slot_of(&larger, map->slots[i].key) = map->slots[i];
	larger.used = map->used;
	free(map->slots);
	*map = larger;
}

void number_map_add(struct number_map *map, uint64_t key, uint32_t value)
{
	if (map->used * 2 >= map->size)
		grow(map);
	*slot_of(map, key) = (struct number_slot){key, value, true};
	map->used++;
}

void number_map_free(struct number_map *map)
{
	free(map->slots);
	*map = (struct number_map){0};
}
