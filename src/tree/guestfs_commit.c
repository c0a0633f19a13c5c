/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Staged changes carried out on a FAT or Btrfs volume in the appliance. Nothing is undone
 * on failure: the disk is an overlay, which is thrown away then.
 *
 * A file that is replaced is written over, so that what the volume keeps with it stays
 * (attributes and short name on FAT, extended attributes on Btrfs). New files need no
 * security descriptor: FAT has none, and WinBtrfs lets one without inherit it.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/progress.h"
#include "tree/guestfs.h"

/* What is moved waits there until its place is free. */
#define HOLD ".gild-held"

struct held {
	const struct overlay *node;
	char *path; /* in the appliance */
};

struct commit {
	struct guestfs *guestfs;
	const struct guestfs_api *api;
	struct guestfs_open *volume;
	struct vec_of(struct held) held;
};

static int hold_moved(struct commit *c, const struct tree *tree, struct error *err)
{
	struct guestfs *g = c->guestfs;
	_cleanup_free_ char *folder = guestfs_path(c->volume, HOLD);
	struct overlays moved = VEC_INIT;

	overlay_moved(tree->overlay, &moved);
	vec_foreach (node, &moved)
		vec_push(&c->held, (struct held){*node, NULL});
	vec_free(&moved);
	if (!c->held.len)
		return 0;
	if (c->api->rm_rf(g->handle, folder) < 0 || c->api->mkdir(g->handle, folder) < 0)
		return guestfs_failed(g, err, "cannot make %s", folder);
	for (size_t i = 0; i < c->held.len; i++) {
		struct held *held = &c->held.items[i];
		_cleanup_free_ char *from = guestfs_path(c->volume, held->node->origin);

		held->path = xasprintf("%s/%zu", folder, i);
		if (c->api->mv(g->handle, from, held->path) < 0)
			return guestfs_failed(g, err, "cannot move %s", from);
	}
	return 0;
}

static const char *held_path(const struct commit *c, const struct overlay *node)
{
	vec_foreach (held, &c->held)
		if (held->node == node)
			return held->path;
	return NULL;
}

/* The path of what the base has in the node's place, in its own spelling. */
static char *path_of_base(const struct commit *c, const struct overlay *node)
{
	_cleanup_free_ char *folder = overlay_path(node->parent), *path = NULL;
	const char *slash = strrchr(node->base, '/');

	path = path_join(folder, slash ? slash + 1 : node->base);
	return guestfs_path(c->volume, path);
}

static int clear_place(struct commit *c, const struct overlay *node, struct error *err)
{
	_cleanup_free_ char *path = node->base ? path_of_base(c, node) : NULL;

	if (path && c->api->rm_rf(c->guestfs->handle, path) < 0)
		return guestfs_failed(c->guestfs, err, "cannot remove %s", path);
	return 0;
}

static int set_time(struct commit *c, const char *path, uint64_t filetime,
		    struct error *err)
{
	int64_t seconds = filetime_to_unix(filetime);
	int64_t rest = (int64_t)(filetime % 10000000) * 100;

	if (c->api->utimens(c->guestfs->handle, path, seconds, rest, seconds, rest) < 0)
		return guestfs_failed(c->guestfs, err, "cannot set the time of %s", path);
	return 0;
}

static int set_attributes(struct commit *c, const struct overlay *node, const char *path,
			  struct error *err)
{
	guestfs_h *g = c->guestfs->handle;
	uint32_t wanted = node->attributes;
	bool folder = node->kind != OVERLAY_FILE;
	char text[16];
	int len;

	if (c->volume->kind == VOLUME_BTRFS) {
		len = snprintf(text, sizeof(text), "0x%x",
			       wanted | (folder ? TREE_ATTR_DIRECTORY : 0));
		if (c->api->lsetxattr(g, "user.DOSATTRIB", text, len, path) == 0)
			return 0;
	} else {
		/* The kernel's driver has only this one as a mode, all w bits or none. */
		if (wanted & (TREE_ATTR_HIDDEN | TREE_ATTR_SYSTEM))
			notice("%s: the attributes hidden and system stay as they are",
			       path);
		if (c->api->chmod(g, wanted & TREE_ATTR_READONLY ? 0555 : 0755, path) ==
		    0)
			return 0;
	}
	return guestfs_failed(c->guestfs, err, "cannot set the attributes of %s", path);
}

/* Content in memory is small; larger content is a host file. */
static int write_content(struct commit *c, const struct overlay *node, const char *path,
			 struct error *err)
{
	struct guestfs *g = c->guestfs;
	struct overlay_reader reader;
	int result;

	if (overlay_open(node, &reader, err) < 0)
		return -1;
	result = node->host
			 ? c->api->upload(g->handle, node->host, path)
			 : c->api->write(g->handle, path,
					 node->size ? (const char *)node->data.data : "",
					 (size_t)node->size);
	overlay_close(&reader);
	if (result < 0)
		return guestfs_failed(g, err, "cannot write %s", path);
	return set_time(c, path, node->modified, err);
}

static int place_held(struct commit *c, const struct overlay *node, const char *path,
		      struct error *err)
{
	if (clear_place(c, node, err) < 0)
		return -1;
	if (c->api->mv(c->guestfs->handle, held_path(c, node), path) < 0)
		return guestfs_failed(c->guestfs, err, "cannot move to %s", path);
	return 0;
}

static int make_file(struct commit *c, const struct overlay *node, const char *path,
		     struct error *err)
{
	if (overlay_in_place(node)) {
		_cleanup_free_ char *old = path_of_base(c, node);

		return write_content(c, node, old, err);
	}
	if (node->origin ? place_held(c, node, path, err) < 0
			 : clear_place(c, node, err) < 0)
		return -1;
	return write_content(c, node, path, err);
}

static int make_folder(struct commit *c, const struct overlay *node, const char *path,
		       struct error *err)
{
	if (clear_place(c, node, err) < 0)
		return -1;
	if (c->api->mkdir(c->guestfs->handle, path) < 0)
		return guestfs_failed(c->guestfs, err, "cannot make the folder %s", path);
	return 0;
}

static int carry_out(struct commit *c, const struct overlay *node, struct error *err)
{
	_cleanup_free_ char *relative = overlay_path(node);
	_cleanup_free_ char *path = guestfs_path(c->volume, relative);
	int result = 0;

	if (!overlay_changes(node))
		return 0;
	switch (node->kind) {
	case OVERLAY_REMOVED:
		return clear_place(c, node, err);
	case OVERLAY_FILE:
		result = make_file(c, node, path, err);
		break;
	case OVERLAY_FOLDER:
		result = make_folder(c, node, path, err);
		break;
	case OVERLAY_MOVED:
		result = place_held(c, node, path, err);
		break;
	case OVERLAY_PASS:
		break;
	}
	if (result == 0 && node->attributes_set) {
		if (node->kind == OVERLAY_PASS) {
			free(path);
			path = path_of_base(c, node);
		}
		result = set_attributes(c, node, path, err);
	}
	return result;
}

/* Last, since what is put into a folder changes its time. */
static int set_folder_times(struct commit *c, const struct tree *tree, struct error *err)
{
	for (const struct overlay *n = tree->overlay; n;
	     n = overlay_next(n, tree->overlay)) {
		_cleanup_free_ char *relative = NULL, *path = NULL;

		if (n->kind != OVERLAY_FOLDER)
			continue;
		relative = overlay_path(n);
		path = guestfs_path(c->volume, relative);
		if (set_time(c, path, clock_filetime(), err) < 0)
			return -1;
	}
	return 0;
}

static int commit(struct commit *c, const struct tree *tree, struct error *err)
{
	_cleanup_free_ char *hold = guestfs_path(c->volume, HOLD);

	if (hold_moved(c, tree, err) < 0)
		return -1;
	for (const struct overlay *n = tree->overlay; n;
	     n = overlay_next(n, tree->overlay)) {
		if (interrupted())
			return error_interrupted(err);
		if (n->parent && carry_out(c, n, err) < 0)
			return -1;
	}
	if (c->held.len && c->api->rm_rf(c->guestfs->handle, hold) < 0)
		return guestfs_failed(c->guestfs, err, "cannot remove %s", hold);
	if (set_folder_times(c, tree, err) < 0)
		return -1;
	if (c->api->sync(c->guestfs->handle) < 0)
		return guestfs_failed(c->guestfs, err, "cannot write");
	return 0;
}

int guestfs_files_apply(struct guestfs *guestfs, struct guestfs_open *volume,
			const struct tree *tree, struct error *err)
{
	struct commit c = {.guestfs = guestfs, .api = guestfs->api, .volume = volume};
	int result = commit(&c, tree, err);

	vec_foreach (held, &c.held)
		free(held->path);
	vec_free(&c.held);
	guestfs_forget_folders(volume);
	return result;
}
