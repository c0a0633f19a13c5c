/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Optical discs: the bytes as an image. UDF's checksums are corrected first where a
 * descriptor begins a sector or follows another, so that what is behind them is reached.
 * Beyond crashes and leaks: extents lie inside the image, in order, and cover the size.
 */
#include <stdio.h>

#include "../memory_disk.h"
#include "block/iso.h"
#include "block/iso_private.h"

#define MAX_SIZE ((size_t)4 << 20)
#define MAX_NODES 500
#define MAX_READ 70000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void die(const char *why)
{
	fprintf(stderr, "fuzz_iso: %s\n", why);
	abort();
}

static void check_node(struct iso *iso, const struct iso_node *node)
{
	static uint8_t buf[MAX_READ];
	uint64_t at = 0;

	vec_foreach (e, &node->extents) {
		if (e->at != at || !e->length)
			die("extents with gaps");
		if (e->offset != ISO_HOLE && (e->offset > iso->block->size ||
					      e->length > iso->block->size - e->offset))
			die("an extent outside of the image");
		at += e->length;
	}
	if (at != node->size)
		die("extents that do not cover the file");
	at = node->size < MAX_READ ? node->size : MAX_READ;
	if (iso_read(iso, node, buf, (size_t)at, node->size - at, NULL) < 0)
		die("a file that cannot be read");
}

static void walk(struct iso *iso, const struct iso_node *folder, unsigned depth,
		 unsigned *left)
{
	_cleanup_iso_entries_ struct iso_entries entries = VEC_INIT;

	if (depth > 8 || !*left || iso_list(iso, folder, &entries, NULL) < 0)
		return;
	vec_foreach (e, &entries) {
		if (!*e->name || strchr(e->name, '/') || strcmp(e->name, "..") == 0)
			die("a name that is none");
		if (e->problem)
			continue;
		if (!*left)
			return;
		--*left;
		check_node(iso, &e->node);
		if (e->node.folder)
			walk(iso, &e->node, depth + 1, left);
	}
}

/* Makes the checksum of what may be a descriptor right; without its CRC. */
static void correct(uint8_t *tag)
{
	uint8_t sum = 0;

	put_le16(tag + 10, 0);
	for (int i = 0; i < UDF_TAG_SIZE; i++)
		if (i != 4)
			sum = (uint8_t)(sum + tag[i]);
	tag[4] = sum;
}

static void correct_all(uint8_t *data, size_t size)
{
	for (size_t at = 0; at + 38 <= size; at += 4) {
		uint16_t number = get_le16(data + at);

		if ((at % 512 == 0 && (number < 10 || (number >= 248 && number < 267))) ||
		    (number == UDF_FILE_IDENTIFIER && data[at + 2] == 2))
			correct(data + at);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_iso_node_ struct iso_node node = {0};
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_iso_ struct iso *iso = NULL;
	struct memory *block;
	unsigned left = MAX_NODES;

	if (size > MAX_SIZE)
		return 0;
	block = memory_new("x.iso", size, 512);
	memcpy(block->data, data, size);
	correct_all(block->data, size);
	block->block.writable = false;
	iso = iso_open_block(&block->block, &err);
	if (!iso) {
		if (!err.reason || err.code == ERROR_NONE)
			die("an error without a reason");
		return 0;
	}
	check_node(iso, iso_root(iso));
	walk(iso, iso_root(iso), 0, &left);
	if (iso_find(iso, "Folder/inside.txt", &node, NULL) == 1)
		check_node(iso, &node);
	return 0;
}
