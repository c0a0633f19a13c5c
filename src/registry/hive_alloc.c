/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The cell allocator of a hive.
 *
 * Free cells are found by size class, best fit first, split where they are larger than
 * needed, and merged with their free neighbours inside the bin when they come back. Only
 * when nothing fits is a bin of a multiple of 4 KiB appended, as Windows does, so a hive
 * grows by what is really added. The lists of free cells are kept in memory only; an
 * entry may be out of date (the cell was merged or taken), which is noticed when it is
 * looked at.
 */
#include "registry/hive_private.h"

static int32_t size_at(const struct hive *h, uint32_t cell)
{
	return (int32_t)get_le32(hive_bins(h) + cell);
}

static void size_put(struct hive *h, uint32_t cell, int32_t size)
{
	put_le32(hive_bins(h) + cell, (uint32_t)size);
}

static uint32_t bin_of(const struct hive *h, uint32_t cell)
{
	return h->bin_of_page[cell / HIVE_PAGE];
}

static uint32_t bin_end(const struct hive *h, uint32_t bin)
{
	return bin + get_le32(hive_bins(h) + bin + BIN_SIZE);
}

static size_t size_class(uint32_t size)
{
	return size / 8 < FREE_CLASSES ? size / 8 : FREE_CLASSES - 1;
}

static void free_add(struct hive *h, uint32_t cell, uint32_t size)
{
	size_put(h, cell, (int32_t)size);
	bit_set(h->starts, cell / 8);
	vec_push(&h->free_cells[size_class(size)], cell);
}

/* Is this list entry still a free cell of its class? */
static bool free_is(const struct hive *h, uint32_t cell, size_t class)
{
	int32_t size;

	if (!bit_get(h->starts, cell / 8))
		return false;
	size = size_at(h, cell);
	return size > 0 && size_class((uint32_t)size) == class;
}

static void maps_reserve(struct hive *h, uint32_t size)
{
	size_t pages = size / HIVE_PAGE, more = pages + pages / 4 + 16;

	if (pages <= h->pages_allocated)
		return;
	h->starts = xreallocarray(h->starts, more, HIVE_PAGE / 64);
	memset(h->starts + h->pages_allocated * (HIVE_PAGE / 64), 0,
	       (more - h->pages_allocated) * (HIVE_PAGE / 64));
	h->bin_of_page = xreallocarray(h->bin_of_page, more, sizeof(*h->bin_of_page));
	h->pages_allocated = more;
}

static void bin_register(struct hive *h, uint32_t bin, uint32_t size)
{
	for (uint32_t p = bin; p < bin + size; p += HIVE_PAGE)
		h->bin_of_page[p / HIVE_PAGE] = bin;
}

void alloc_open(struct hive *h)
{
	uint32_t bin, cell;

	maps_reserve(h, h->size);
	for (bin = 0; bin < h->size; bin = bin_end(h, bin)) {
		bin_register(h, bin, bin_end(h, bin) - bin);
		for (cell = bin + HIVE_BIN_HEADER; cell < bin_end(h, bin);) {
			int32_t size = size_at(h, cell);

			if (size > 0)
				free_add(h, cell, (uint32_t)size);
			else
				bit_set(h->starts, cell / 8);
			cell += (uint32_t)(size < 0 ? -size : size);
		}
	}
}

void alloc_close(struct hive *h)
{
	for (size_t i = 0; i < FREE_CLASSES; i++)
		vec_free(&h->free_cells[i]);
	free(h->starts);
	free(h->bin_of_page);
}

/* The smallest free cell that holds `size`, taken out of its list; 0 if there is none. */
static uint32_t free_take(struct hive *h, uint32_t size)
{
	for (size_t class = size_class(size); class < FREE_CLASSES; class ++) {
		struct cell_offsets *list = &h->free_cells[class];
		uint32_t best_size = UINT32_MAX;
		size_t kept = 0, best = SIZE_MAX;

		if (class < FREE_CLASSES - 1) {
			while (list->len) {
				uint32_t cell = list->items[--list->len];

				if (free_is(h, cell, class))
					return cell;
			}
			continue;
		}
		/* All larger sizes share one list: tidy it and take the best. */
		for (size_t i = 0; i < list->len; i++) {
			uint32_t cell = list->items[i], s;

			if (!free_is(h, cell, class))
				continue;
			list->items[kept++] = cell;
			s = (uint32_t)size_at(h, cell);
			if (s >= size && s < best_size) {
				best_size = s;
				best = kept - 1;
			}
		}
		list->len = kept;
		if (best != SIZE_MAX) {
			uint32_t cell = list->items[best];

			list->items[best] = list->items[--list->len];
			return cell;
		}
	}
	return 0;
}

/* Appends a bin that is one free cell; its offset, or 0 if the hive would be too large.
 */
static uint32_t bin_append(struct hive *h, uint32_t size, struct error *err)
{
	uint64_t bin_size = ((uint64_t)size + HIVE_BIN_HEADER + HIVE_PAGE - 1) /
			    HIVE_PAGE * HIVE_PAGE;
	uint32_t bin = h->size;
	uint8_t *p;

	if (bin + bin_size > HIVE_SIZE_MAX) {
		error_set(err, ERROR_FAILED, h->name,
			  "the hive would grow over the 2 GiB that its format can hold");
		return 0;
	}
	p = buffer_reserve(&h->file, (size_t)bin_size);
	memset(p, 0, (size_t)bin_size);
	h->file.len += (size_t)bin_size;
	h->size += (uint32_t)bin_size;
	maps_reserve(h, h->size);
	memcpy(p, "hbin", 4);
	put_le32(p + BIN_OFFSET, bin);
	put_le32(p + BIN_SIZE, (uint32_t)bin_size);
	bin_register(h, bin, (uint32_t)bin_size);
	size_put(h, bin + HIVE_BIN_HEADER, (int32_t)(bin_size - HIVE_BIN_HEADER));
	bit_set(h->starts, (bin + HIVE_BIN_HEADER) / 8);
	return bin + HIVE_BIN_HEADER;
}

/* Whole size of a cell with that payload; 0 if no cell can be so large. */
static uint32_t cell_size(size_t len)
{
	return len > HIVE_SIZE_MAX / 2 ? 0 : (uint32_t)((len + 4 + 7) / 8 * 8);
}

/* Makes the cell `size` bytes long; what is left over becomes a free cell. */
static void trim(struct hive *h, uint32_t cell, uint32_t have, uint32_t size)
{
	if (have > size)
		free_add(h, cell + size, have - size);
	size_put(h, cell, -(int32_t)size);
}

uint32_t alloc_cell(struct hive *h, size_t len, struct error *err)
{
	uint32_t size = cell_size(len), cell;

	if (!size) {
		error_set(err, ERROR_FAILED, h->name, "%zu bytes do not fit in one cell",
			  len);
		return 0;
	}
	cell = free_take(h, size);
	if (!cell)
		cell = bin_append(h, size, err);
	if (!cell)
		return 0;
	trim(h, cell, (uint32_t)size_at(h, cell), size);
	memset(hive_bins(h) + cell + 4, 0, size - 4);
	return cell;
}

/* The free cell that ends where `cell` begins; 0 if the neighbour is in use. */
static uint32_t free_before(const struct hive *h, uint32_t cell)
{
	uint32_t first = bin_of(h, cell) + HIVE_BIN_HEADER;

	for (uint32_t p = cell; p > first;) {
		p -= 8;
		if (bit_get(h->starts, p / 8))
			return size_at(h, p) > 0 ? p : 0;
		/* A large cell before this one: eight places at a time. */
		while (p % 64 == 0 && p >= first + 64 && !h->starts[p / 64 - 1])
			p -= 64;
	}
	return 0;
}

void alloc_free(struct hive *h, uint32_t cell)
{
	uint32_t size, next, before;

	if (!hive_cell(h, cell).data)
		return;
	size = (uint32_t)-size_at(h, cell);
	next = cell + size;
	if (next < bin_end(h, bin_of(h, cell)) && size_at(h, next) > 0) {
		bit_clear(h->starts, next / 8);
		size += (uint32_t)size_at(h, next);
	}
	before = free_before(h, cell);
	if (before) {
		bit_clear(h->starts, cell / 8);
		size += (uint32_t)size_at(h, before);
		cell = before;
	}
	free_add(h, cell, size);
}

uint32_t alloc_grow(struct hive *h, uint32_t cell, size_t len, struct error *err)
{
	uint32_t size = cell_size(len), have, next, fresh;
	size_t old_len = hive_cell(h, cell).len;

	if (old_len >= len)
		return cell;
	have = (uint32_t)-size_at(h, cell);
	next = cell + have;
	if (size && next < bin_end(h, bin_of(h, cell)) && size_at(h, next) > 0 &&
	    have + (uint32_t)size_at(h, next) >= size) {
		uint32_t both = have + (uint32_t)size_at(h, next);

		bit_clear(h->starts, next / 8);
		trim(h, cell, both, size);
		memset(hive_bins(h) + cell + have, 0, size - have);
		return cell;
	}
	fresh = alloc_cell(h, len, err);
	if (!fresh)
		return 0;
	memcpy(hive_bins(h) + fresh + 4, hive_bins(h) + cell + 4, old_len);
	alloc_free(h, cell);
	return fresh;
}
