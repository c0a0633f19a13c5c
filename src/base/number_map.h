/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A map from 64-bit numbers (record numbers, hashes) to 32-bit ones (indexes). */
#ifndef BASE_NUMBER_MAP_H
#define BASE_NUMBER_MAP_H

#include "base/memory.h"

struct number_map {
	struct number_slot {
		uint64_t key;
		uint32_t value;
		bool used;
	} *slots;
	size_t size, used;	/* size is a power of two */
};
/* The value of a key, to be read or changed until the next addition; NULL: none. */
uint32_t *number_map_find(const struct number_map *map, uint64_t key);
/* The key must not be there. */
void number_map_add(struct number_map *map, uint64_t key, uint32_t value);
void number_map_free(struct number_map *map);
#define _cleanup_number_map_ _cleanup_(number_map_free)

#endif
