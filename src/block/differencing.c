/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "block/differencing.h"

#include "block/container_private.h"
#include "block/vhd.h"
#include "block/vhdx.h"

#define SECTOR 512
#define VHD_UNUSED UINT32_MAX
#define VHDX_OFFSET_MASK (~(uint64_t)0xfffff)
/* Sectors that one bitmap block of a VHDX describes. */
#define VHDX_CHUNK ((uint64_t)1 << 23)
#define MAX_RUN ((uint64_t)1 << 20) /* read at once */

/* States of a VHDX' block ([MS-VHDX] 2.5.1.1). */
enum { NOT_PRESENT = 0, FULLY_PRESENT = 6, PARTIALLY_PRESENT = 7 };

/* One image of the chain. */
struct level {
	struct block *file;
	enum container_format format;
	bool fixed;
	struct vhd vhd;
	struct vhdx vhdx;
	uint64_t size;
};

struct differencing {
	struct block block;
	struct level *levels; /* the child first */
	size_t count;
};

/* Where a part of the disk is found. */
enum place { HERE, PARENT, ZEROS };

/* The bits of sectors tell for each whether it is here; gives the run of equal ones. */
static enum place run_of_bits(const uint8_t *bits, size_t count, size_t first,
			      bool lsb_first, uint64_t *sectors)
{
	bool here = false;

	*sectors = 0;
	for (size_t i = first; i < first + count; i++) {
		bool bit = bits[i / 8] >> (lsb_first ? i % 8 : 7 - i % 8) & 1;

		if (i == first)
			here = bit;
		else if (bit != here)
			break;
		(*sectors)++;
	}
	return here ? HERE : PARENT;
}

/*
 * The bitmap's bits for the sectors from `sector` on, at most as many as fit: one place
 * and how many sectors it holds for.
 */
static int by_bitmap(const struct level *l, uint64_t bitmap, uint64_t sector,
		     uint64_t count, bool lsb_first, enum place *place, uint64_t *run,
		     struct error *err)
{
	uint8_t bits[256];
	uint64_t most = sizeof(bits) * 8 - sector % 8;

	if (count > most)
		count = most;
	if (block_pread(l->file, bits, (size_t)((sector % 8 + count + 7) / 8),
			bitmap + sector / 8, err) < 0)
		return -1;
	*place = run_of_bits(bits, (size_t)count, (size_t)(sector % 8), lsb_first, run);
	return 0;
}

/* What the disk has at `offset`: `len` is cut to what lies in one piece. */
static int locate_vhd(const struct level *l, uint64_t offset, uint64_t *len,
		      enum place *place, uint64_t *at, struct error *err)
{
	bool child = l->vhd.type == VHD_DIFFERENCING;
	uint64_t block = offset / l->vhd.block_size, inside = offset % l->vhd.block_size;
	uint64_t bitmap_size = l->vhd.block_size / SECTOR / 8, first, sectors, run;
	uint8_t entry[4];

	if (*len > l->vhd.block_size - inside)
		*len = l->vhd.block_size - inside;
	if (block >= l->vhd.entries)
		return error_set(err, ERROR_FAILED, l->file->name,
				 "its block table is too small");
	if (block_pread(l->file, entry, 4, l->vhd.table + block * 4, err) < 0)
		return -1;
	first = (uint32_t)entry[0] << 24 | (uint32_t)entry[1] << 16 |
		(uint32_t)entry[2] << 8 | entry[3];
	*place = child ? PARENT : ZEROS;
	if (first == VHD_UNUSED)
		return 0;
	/* Whole sectors of bitmap, then the block. */
	bitmap_size = (bitmap_size + SECTOR - 1) / SECTOR * SECTOR;
	*at = first * SECTOR + bitmap_size + inside;
	*place = HERE;
	if (!child)
		return 0;
	sectors = (inside % SECTOR + *len + SECTOR - 1) / SECTOR;
	if (by_bitmap(l, first * SECTOR, inside / SECTOR, sectors, false, place, &run,
		      err) < 0)
		return -1;
	if (*len > run * SECTOR - inside % SECTOR)
		*len = run * SECTOR - inside % SECTOR;
	return 0;
}

static int vhdx_entry(const struct level *l, uint64_t index, unsigned *state,
		      uint64_t *offset, struct error *err)
{
	uint8_t entry[8];

	if (index >= l->vhdx.table_size / 8)
		return error_set(err, ERROR_FAILED, l->file->name,
				 "its block table is too small");
	if (block_pread(l->file, entry, 8, l->vhdx.table + index * 8, err) < 0)
		return -1;
	*state = entry[0] & 7;
	*offset = get_le64(entry) & VHDX_OFFSET_MASK;
	return 0;
}

static int locate_vhdx(const struct level *l, uint64_t offset, uint64_t *len,
		       enum place *place, uint64_t *at, struct error *err)
{
	uint32_t size = l->vhdx.sector_size;
	uint64_t block = offset / l->vhdx.block_size,
		 inside = offset % l->vhdx.block_size;
	uint64_t ratio = VHDX_CHUNK * size / l->vhdx.block_size, bitmap, run, sectors;
	unsigned state;

	if (*len > l->vhdx.block_size - inside)
		*len = l->vhdx.block_size - inside;
	if (vhdx_entry(l, block + block / ratio, &state, at, err) < 0)
		return -1;
	*at += inside;
	*place = state == FULLY_PRESENT || state == PARTIALLY_PRESENT ? HERE
		 : state == NOT_PRESENT && l->vhdx.has_parent	      ? PARENT
								      : ZEROS;
	if (state != PARTIALLY_PRESENT)
		return 0;
	if (vhdx_entry(l, block / ratio * (ratio + 1) + ratio, &state, &bitmap, err) < 0)
		return -1;
	if (state != FULLY_PRESENT || !l->vhdx.has_parent)
		return error_set(
			err, ERROR_FAILED, l->file->name,
			"is a damaged VHDX: a block has no bitmap of its sectors");
	sectors = (offset % size + *len + size - 1) / size;
	if (by_bitmap(l, bitmap, offset / size % VHDX_CHUNK, sectors, true, place, &run,
		      err) < 0)
		return -1;
	if (*len > run * size - offset % size)
		*len = run * size - offset % size;
	return 0;
}

static int locate(const struct level *l, uint64_t offset, uint64_t *len,
		  enum place *place, uint64_t *at, struct error *err)
{
	if (offset >= l->size) {
		/* A child may be larger than its parent. */
		*place = ZEROS;
		return 0;
	}
	if (*len > l->size - offset)
		*len = l->size - offset;
	*place = HERE;
	*at = offset;
	if (l->fixed)
		return 0;
	return l->format == CONTAINER_VHD ? locate_vhd(l, offset, len, place, at, err)
					  : locate_vhdx(l, offset, len, place, at, err);
}

static int differencing_pread(struct block *block, void *buf, size_t len, uint64_t offset,
			      struct error *err)
{
	struct differencing *d = (struct differencing *)block;
	uint8_t *to = buf;

	while (len) {
		uint64_t piece = len < MAX_RUN ? len : MAX_RUN, at = 0;
		enum place place = PARENT;
		size_t i;

		/* Down the chain until one has it; the piece only gets shorter. */
		for (i = 0; place == PARENT && i < d->count; i++)
			if (locate(&d->levels[i], offset, &piece, &place, &at, err) < 0)
				return -1;
		if (place != HERE)
			memset(to, 0, (size_t)piece);
		else if (block_pread(d->levels[i - 1].file, to, (size_t)piece, at, err) <
			 0)
			return -1;
		to += piece;
		len -= (size_t)piece;
		offset += piece;
	}
	return 0;
}

/* Never reached: the block is not writable. */
static int differencing_pwrite(struct block *block, const void *buf _unused_,
			       size_t len _unused_, uint64_t offset _unused_,
			       struct error *err)
{
	return error_set(err, ERROR_FAILED, block->name, "is only read");
}

static int differencing_flush(struct block *block _unused_, struct error *err _unused_)
{
	return 0;
}

static void differencing_close(struct block *block)
{
	struct differencing *d = (struct differencing *)block;

	for (size_t i = 0; i < d->count; i++) {
		block_close(d->levels[i].file);
		vhd_free(&d->levels[i].vhd);
		vhdx_free(&d->levels[i].vhdx);
	}
	free(d->levels);
}

static const struct block_ops differencing_ops = {
	.pread = differencing_pread,
	.pwrite = differencing_pwrite,
	.flush = differencing_flush,
	.close = differencing_close,
};

static int open_level(const struct container_layer *layer, struct level *l,
		      struct error *err)
{
	l->format = layer->format;
	l->fixed = layer->fixed;
	l->size = layer->virtual_size;
	l->file = block_file_open(layer->path, false, 0, err);
	if (!l->file || block_file_lock(l->file, err) < 0)
		return -1;
	if (l->format == CONTAINER_VHD)
		return vhd_read(l->file, &l->vhd, err);
	if (vhdx_read(l->file, &l->vhdx, err) < 0)
		return -1;
	if (!l->vhdx.log_pending)
		return 0;
	error_set(err, ERROR_STATE, layer->path, "is a VHDX whose log was not replayed");
	return error_remedy(err, "attach it once in Hyper-V");
}

struct block *differencing_open(const struct container *container, struct error *err)
{
	const struct container_layers *layers = &container->layers;
	struct differencing *d = xcalloc(1, sizeof(*d));

	d->block = (struct block){&differencing_ops, xstrdup(container->path),
				  container->virtual_size, container->sector_size, false};
	d->levels = xcalloc(layers->len, sizeof(*d->levels));
	while (d->count < layers->len) {
		size_t i = d->count++;

		if (open_level(&layers->items[i], &d->levels[i], err) < 0) {
			block_close(&d->block);
			return NULL;
		}
	}
	return &d->block;
}
