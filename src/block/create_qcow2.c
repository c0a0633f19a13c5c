/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * New qcow2 files of version 3 (QEMU, docs/interop/qcow2.txt): the header, the clusters
 * in the order of their first write, and behind them, once it is known how many there
 * are, the L2 tables, the L1 table, the refcount blocks and their table. Every cluster of
 * the file is used once.
 */
#include "block/create_private.h"
#include "block/qcow2.h"

#define CLUSTER_BITS 16
#define CLUSTER ((uint32_t)1 << CLUSTER_BITS)
#define ENTRIES (CLUSTER / 8)	/* of a table */
#define REFCOUNTS (CLUSTER / 2) /* of a refcount block, 16 bits each */
#define REFCOUNT_ORDER 4
#define COPIED ((uint64_t)1 << 63) /* used once: may be written to in place */

_Static_assert(ENTRIES == CREATION_TABLE, "a table of places is one of a qcow2");

static void qcow2_begin(struct creation *c)
{
	c->grain = CLUSTER;
	c->packed = true;
	c->first = CLUSTER;
}

/* Where everything lies, in clusters. */
struct layout {
	uint64_t l2, l2_count, l1, l1_size, l1_count;
	uint64_t blocks, block_count, table, table_count, end;
};

static uint64_t divide_up(uint64_t n, uint64_t by)
{
	return (n + by - 1) / by;
}

static struct layout make_layout(const struct creation *c)
{
	struct layout l = {.l2 = 1 + (uint64_t)c->placed};
	uint64_t before;

	for (size_t i = 0; i < c->table_count; i++)
		l.l2_count += c->tables[i] != NULL;
	l.l1_size = divide_up(divide_up(c->block.size, CLUSTER), ENTRIES);
	l.l1 = l.l2 + l.l2_count;
	l.l1_count = divide_up(l.l1_size * 8, CLUSTER);
	l.blocks = l.l1 + l.l1_count;
	/* The refcount blocks count themselves. */
	do {
		before = l.block_count;
		l.table_count = divide_up(before ? before : 1, ENTRIES);
		l.block_count = divide_up(l.blocks + before + l.table_count, REFCOUNTS);
	} while (l.block_count != before);
	l.table = l.blocks + l.block_count;
	l.end = l.table + l.table_count;
	return l;
}

/* The L2 tables, and the L1 table that has their places. */
static int write_tables(struct creation *c, const struct layout *l, struct error *err)
{
	_cleanup_free_ uint8_t *l1 = xcalloc(l->l1_count, CLUSTER),
			       *l2 = xmalloc(CLUSTER);
	uint64_t at = l->l2 << CLUSTER_BITS, place;

	for (size_t i = 0; i < l->l1_size; i++) {
		if (!c->tables[i])
			continue;
		for (size_t k = 0; k < ENTRIES; k++) {
			bool placed = c->tables[i][k] &&
				      creation_place(c, i * ENTRIES + k, &place);

			put_be64(l2 + k * 8, placed ? place | COPIED : 0);
		}
		put_be64(l1 + i * 8, at | COPIED);
		if (creation_write(c, l2, CLUSTER, at, err) < 0)
			return -1;
		at += CLUSTER;
	}
	return creation_write(c, l1, (size_t)l->l1_count * CLUSTER, l->l1 << CLUSTER_BITS,
			      err);
}

static int write_refcounts(struct creation *c, const struct layout *l, struct error *err)
{
	_cleanup_free_ uint8_t *table = xcalloc(l->table_count, CLUSTER),
			       *block = xmalloc(CLUSTER);

	for (uint64_t i = 0; i < l->block_count; i++) {
		uint64_t at = (l->blocks + i) << CLUSTER_BITS;

		for (uint64_t k = 0; k < REFCOUNTS; k++)
			put_be16(block + k * 2, i * REFCOUNTS + k < l->end);
		put_be64(table + i * 8, at);
		if (creation_write(c, block, CLUSTER, at, err) < 0)
			return -1;
	}
	return creation_write(c, table, (size_t)l->table_count * CLUSTER,
			      l->table << CLUSTER_BITS, err);
}

static int qcow2_finish(struct creation *c, uint64_t *end, struct error *err)
{
	struct layout l = make_layout(c);
	uint8_t header[QCOW2_HEADER_V3 + 8] = {0}; /* and the end of the extensions */

	put_be32(header, QCOW2_MAGIC);
	put_be32(header + 4, 3);
	put_be32(header + 20, CLUSTER_BITS);
	put_be64(header + 24, c->block.size);
	put_be32(header + 36, (uint32_t)l.l1_size);
	put_be64(header + 40, l.l1 << CLUSTER_BITS);
	put_be64(header + 48, l.table << CLUSTER_BITS);
	put_be32(header + 56, (uint32_t)l.table_count);
	put_be32(header + 96, REFCOUNT_ORDER);
	put_be32(header + 100, QCOW2_HEADER_V3);
	*end = l.end << CLUSTER_BITS;
	if (write_tables(c, &l, err) < 0 || write_refcounts(c, &l, err) < 0)
		return -1;
	return creation_write(c, header, sizeof(header), 0, err);
}

const struct creation_format creation_qcow2 = {NULL, qcow2_begin, qcow2_finish};
