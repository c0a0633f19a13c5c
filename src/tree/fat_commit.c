/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Staged changes carried out on a FAT volume. What moves is taken out of its folder
 * first, so that its new place may be the old one of something else.
 */
#include "tree/fat.h"

struct held {
	const struct overlay *node;
	struct fat_detached detached;
};

struct commit {
	struct fat *fat;
	struct vec_of(struct held) held;
};

static int hold_moved(struct commit *c, const struct tree *tree, struct error *err)
{
	struct overlays moved = VEC_INIT;
	int result = 0;

	overlay_moved(tree->overlay, &moved);
	vec_foreach (node, &moved) {
		struct held held = {.node = *node};

		result = fat_detach(c->fat, (*node)->origin, &held.detached, err);
		if (result < 0)
			break;
		vec_push(&c->held, held);
	}
	vec_free(&moved);
	return result;
}

static const struct fat_detached *find_held(const struct commit *c,
					    const struct overlay *node)
{
	vec_foreach (held, &c->held)
		if (held->node == node)
			return &held->detached;
	return NULL;
}

/* ---- one node ---- */

static int read_staged(void *arg, void *to, size_t len, struct error *err)
{
	struct overlay_reader *reader = arg;
	ssize_t n = overlay_read(reader, to, len, err);

	if (n < 0 || (size_t)n == len)
		return n < 0 ? -1 : 0;
	return error_set(err, ERROR_FAILED, reader->node->name,
			 "became shorter while it was read");
}

static int put_content(struct commit *c, const struct overlay *node, const char *path,
		       struct error *err)
{
	struct overlay_reader reader;
	struct fat_source source = {node->size, read_staged, &reader};
	int result;

	if (overlay_open(node, &reader, err) < 0)
		return -1;
	result = fat_put(c->fat, path, &source, node->modified, err);
	overlay_close(&reader);
	return result;
}

/* What the volume has at this place goes, unless it went before. */
static int clear_place(struct commit *c, const struct overlay *node, const char *path,
		       struct error *err)
{
	return node->base ? fat_remove(c->fat, path, err) : 0;
}

static int carry_out(struct commit *c, const struct overlay *node, struct error *err)
{
	_cleanup_free_ char *path = overlay_path(node);
	const struct fat_detached *held = find_held(c, node);

	if (!overlay_changes(node))
		return 0;
	if (node->kind != OVERLAY_PASS &&
	    !(node->kind == OVERLAY_FILE && overlay_in_place(node)) &&
	    clear_place(c, node, path, err) < 0)
		return -1;
	if (held && fat_attach(c->fat, path, held, err) < 0)
		return -1;
	if (node->kind == OVERLAY_FILE && put_content(c, node, path, err) < 0)
		return -1;
	if (node->kind == OVERLAY_FOLDER && fat_mkdir(c->fat, path, 0, 0, err) < 0)
		return -1;
	return node->attributes_set && node->kind != OVERLAY_REMOVED
		       ? fat_set_attributes(c->fat, path, (uint8_t)node->attributes, err)
		       : 0;
}

static int commit(struct commit *c, const struct tree *tree, struct error *err)
{
	if (fat_begin(c->fat, err) < 0 || hold_moved(c, tree, err) < 0)
		return -1;
	for (const struct overlay *n = tree->overlay; n;
	     n = overlay_next(n, tree->overlay)) {
		if (interrupted())
			return error_interrupted(err);
		if (n->parent && carry_out(c, n, err) < 0)
			return -1;
	}
	return fat_flush(c->fat, err);
}

int fat_apply(struct block *volume, const struct tree *tree, struct error *err)
{
	struct commit c = {.fat = fat_open(volume, err)};
	int result = c.fat ? commit(&c, tree, err) : -1;

	vec_free(&c.held);
	fat_close(c.fat);
	return result;
}
