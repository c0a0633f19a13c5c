/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "block/block.h"

static int check(const struct block *block, size_t len, uint64_t offset,
		 struct error *err)
{
	if (offset <= block->size && len <= block->size - offset)
		return 0;
	error_set(err, ERROR_FAILED, block->name,
		  "%zu bytes at offset %ju lie outside of its %ju bytes", len,
		  (uintmax_t)offset, (uintmax_t)block->size);
	return error_remedy(err, "the image is cut short or damaged: get it again");
}

int block_pread(struct block *block, void *buf, size_t len, uint64_t offset,
		struct error *err)
{
	if (check(block, len, offset, err) < 0)
		return -1;
	return len ? block->ops->pread(block, buf, len, offset, err) : 0;
}

int block_pwrite(struct block *block, const void *buf, size_t len, uint64_t offset,
		 struct error *err)
{
	if (check(block, len, offset, err) < 0)
		return -1;
	if (!block->writable)
		return error_set(err, ERROR_FAILED, block->name,
				 "was opened for reading only");
	return len ? block->ops->pwrite(block, buf, len, offset, err) : 0;
}

int block_flush(struct block *block, struct error *err)
{
	return block->writable ? block->ops->flush(block, err) : 0;
}

int block_trim(struct block *block, uint64_t offset, uint64_t len, struct error *err)
{
	if (check(block, len, offset, err) < 0)
		return -1;
	return block->writable && len && block->ops->trim
		       ? block->ops->trim(block, offset, len, err)
		       : 0;
}

int block_data(struct block *block, uint64_t offset, uint64_t *start, uint64_t *end,
	       struct error *err)
{
	*start = offset;
	*end = block->size;
	if (offset >= block->size || !block->ops->data)
		return 0;
	return block->ops->data(block, offset, start, end, err);
}

void block_close(struct block *block)
{
	if (!block)
		return;
	if (block->ops->close)
		block->ops->close(block);
	free(block->name);
	free(block);
}

void block_closep(struct block **block)
{
	block_close(*block);
	*block = NULL;
}

/* ---- a part of another block --------------------------------------------------------
 */

struct window {
	struct block block;
	struct block *parent;
	uint64_t start;
};

static int window_pread(struct block *block, void *buf, size_t len, uint64_t offset,
			struct error *err)
{
	struct window *w = (struct window *)block;

	return block_pread(w->parent, buf, len, w->start + offset, err);
}

static int window_pwrite(struct block *block, const void *buf, size_t len,
			 uint64_t offset, struct error *err)
{
	struct window *w = (struct window *)block;

	return block_pwrite(w->parent, buf, len, w->start + offset, err);
}

static int window_flush(struct block *block, struct error *err)
{
	return block_flush(((struct window *)block)->parent, err);
}

static int window_trim(struct block *block, uint64_t offset, uint64_t len,
		       struct error *err)
{
	struct window *w = (struct window *)block;

	return block_trim(w->parent, w->start + offset, len, err);
}

static int window_data(struct block *block, uint64_t offset, uint64_t *start,
		       uint64_t *end, struct error *err)
{
	struct window *w = (struct window *)block;
	uint64_t all = w->start + block->size;

	if (block_data(w->parent, w->start + offset, start, end, err) < 0)
		return -1;
	*start = (*start < all ? *start : all) - w->start;
	*end = (*end < all ? *end : all) - w->start;
	return 0;
}

static const struct block_ops window_ops = {
	.pread = window_pread,
	.pwrite = window_pwrite,
	.flush = window_flush,
	.trim = window_trim,
	.data = window_data,
};

struct block *block_window_open(struct block *parent, uint64_t offset, uint64_t size,
				char *name, struct error *err)
{
	struct window *w;

	if (offset > parent->size || size > parent->size - offset) {
		error_set(err, ERROR_FAILED, parent->name,
			  "has %ju bytes, and a volume of %ju bytes is said to begin at "
			  "%ju",
			  (uintmax_t)parent->size, (uintmax_t)size, (uintmax_t)offset);
		error_remedy(err, "the image is cut short: get it again");
		free(name);
		return NULL;
	}
	w = xcalloc(1, sizeof(*w));
	w->block = (struct block){&window_ops, name, size, parent->sector_size,
				  parent->writable};
	w->parent = parent;
	w->start = offset;
	return &w->block;
}
