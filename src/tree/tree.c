/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Trees over any provider: path checks, reads through the staging overlay, and the
 * staging of changes. Providers see normal paths only.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "tree/provider.h"

/* Larger staged content goes to a temporary file. */
#define SPILL_SIZE (1024 * 1024)

void tree_entries_free(struct tree_entries *entries)
{
	vec_foreach (entry, entries)
		free(entry->name);
	vec_free(entries);
}

void tree_init(struct tree *tree, const struct tree_ops *ops, struct image *image,
	       size_t index, char *name)
{
	tree->ops = ops;
	tree->image = image;
	tree->index = index;
	tree->name = name;
	tree->overlay = overlay_new("");
}

void tree_free(struct tree *tree)
{
	if (!tree)
		return;
	overlay_free(tree->overlay);
	strings_free(&tree->reported);
	free(tree->name);
	free(tree);
}

const char *tree_name(const struct tree *tree)
{
	return tree->name;
}

static _must_check_ int fail_at(const struct tree *tree, const char *path,
				struct error *err, const char *why)
{
	_cleanup_free_ char *where = xasprintf("%s: %s", tree->name, path);

	return error_set(err, ERROR_FAILED, where, "%s", why);
}

#define _cleanup_place_ _cleanup_(place_free)
static void place_free(struct overlay_place *place)
{
	free(place->base);
	place->base = NULL;
}

/* ---- reading ------------------------------------------------------------------------
 */

static int stat_file_node(struct tree *tree, const struct overlay *node,
			  struct tree_stat *st, struct error *err)
{
	*st = (struct tree_stat){.type = TREE_FILE,
				 .attributes = TREE_ATTR_ARCHIVE,
				 .created = clock_filetime()};
	if (node->origin && tree->ops->stat(tree, node->origin, st, NULL, err) < 0)
		return -1;
	st->size = node->size;
	st->modified = node->modified;
	return 1;
}

/* What shows at a place: the overlay's node or the base. */
static int stat_place(struct tree *tree, const struct overlay_place *place,
		      struct tree_stat *st, struct error *err)
{
	const struct overlay *node = place->node;
	int found = 0;

	if (node && node->kind == OVERLAY_FILE) {
		found = stat_file_node(tree, node, st, err);
	} else if (node && node->kind == OVERLAY_FOLDER) {
		*st = (struct tree_stat){.type = TREE_FOLDER,
					 .attributes = TREE_ATTR_DIRECTORY,
					 .created = clock_filetime(),
					 .modified = clock_filetime()};
		found = 1;
	} else if (place->base) {
		found = tree->ops->stat(tree, place->base, st, NULL, err);
	}
	if (found == 1 && node && node->attributes_set)
		st->attributes =
			(st->attributes & ~TREE_ATTR_SETTABLE) | node->attributes;
	return found;
}

int tree_stat(struct tree *tree, const char *path, struct tree_stat *st,
	      struct error *err)
{
	_cleanup_place_ struct overlay_place place = {0};
	struct tree_stat unused;

	if (path_check(path, false, err) < 0)
		return -1;
	overlay_walk(tree->overlay, path, &place);
	return stat_place(tree, &place, st ? st : &unused, err);
}

static int compare_entries(const void *a, const void *b)
{
	const struct tree_entry *x = a, *y = b;
	int order = text_compare(x->name, y->name);

	return order ? order : strcmp(x->name, y->name);
}

/* Takes the entry out of the list if the overlay has its own idea of the name. */
static void hide_entry(struct tree_entries *list, const char *name)
{
	for (size_t i = 0; i < list->len;) {
		if (!text_equal(list->items[i].name, name)) {
			i++;
			continue;
		}
		free(list->items[i].name);
		memmove(list->items + i, list->items + i + 1,
			(list->len - i - 1) * sizeof(struct tree_entry));
		list->len--;
	}
}

static int overlay_entries(struct tree *tree, const struct overlay_place *folder,
			   struct tree_entries *list, struct error *err)
{
	for (size_t i = 0; i < folder->node->children.len; i++) {
		struct overlay *child = folder->node->children.items[i];
		_cleanup_place_ struct overlay_place place = {0};
		struct tree_stat st;
		int found;

		if (!overlay_changes(child))
			continue;
		overlay_walk(folder->node, child->name, &place);
		if (child->kind == OVERLAY_PASS && folder->base) {
			free(place.base);
			place.base = path_join(folder->base, child->name);
		}
		hide_entry(list, child->name);
		found = stat_place(tree, &place, &st, err);
		if (found < 0)
			return -1;
		if (found)
			vec_push(list, (struct tree_entry){xstrdup(child->name), st});
	}
	return 0;
}

int tree_list(struct tree *tree, const char *path, struct tree_entries *ret,
	      struct error *err)
{
	_cleanup_place_ struct overlay_place place = {0};
	_cleanup_tree_entries_ struct tree_entries list = VEC_INIT;
	struct tree_stat st;
	int found;

	if (path_check(path, false, err) < 0)
		return -1;
	overlay_walk(tree->overlay, path, &place);
	found = stat_place(tree, &place, &st, err);
	if (found != 1)
		return found;
	if (st.type != TREE_FOLDER)
		return 0;
	if (place.base && tree->ops->list(tree, place.base, &list, err) < 0)
		return -1;
	if (place.node && overlay_entries(tree, &place, &list, err) < 0)
		return -1;
	if (list.len)
		qsort(list.items, list.len, sizeof(*list.items), compare_entries);
	vec_foreach (entry, &list)
		vec_push(ret, *entry);
	list.len = 0;
	return 1;
}

/* A place that is a file to read, or an error that says why not. */
static int place_to_read(struct tree *tree, const char *path, struct overlay_place *place,
			 struct tree_stat *st, struct error *err)
{
	int found;

	if (path_check(path, false, err) < 0)
		return -1;
	overlay_walk(tree->overlay, path, place);
	found = stat_place(tree, place, st, err);
	if (found < 0)
		return -1;
	if (!found)
		return fail_at(tree, path, err, "does not exist in the image");
	if (st->type == TREE_FOLDER)
		return fail_at(tree, path, err, "is a folder, not a file");
	if (st->type == TREE_LINK)
		return fail_at(tree, path, err,
			       "is a link or other reparse point, which is not followed");
	return 0;
}

int tree_read(struct tree *tree, const char *path, size_t limit, struct buffer *ret,
	      struct error *err)
{
	_cleanup_place_ struct overlay_place place = {0};
	struct overlay_reader reader;
	struct tree_stat st;
	ssize_t n;

	if (place_to_read(tree, path, &place, &st, err) < 0)
		return -1;
	if (st.size > limit) {
		_cleanup_free_ char *why =
			xasprintf("is %ju bytes long, more than the %zu allowed",
				  (uintmax_t)st.size, limit);

		return fail_at(tree, path, err, why);
	}
	if (!place.node || place.node->kind != OVERLAY_FILE)
		return tree->ops->read(tree, place.base, limit, ret, err);
	if (overlay_open(place.node, &reader, err) < 0)
		return -1;
	n = overlay_read(&reader, buffer_reserve(ret, (size_t)st.size + 1),
			 (size_t)st.size, err);
	overlay_close(&reader);
	if (n < 0)
		return -1;
	ret->len += (size_t)n;
	return 0;
}

int tree_prefetch(struct tree *tree, const struct strings *paths, struct error *err)
{
	_cleanup_(strings_free) struct strings base = VEC_INIT;

	if (!tree->ops->prefetch)
		return 0;
	vec_foreach (path, paths) {
		_cleanup_place_ struct overlay_place place = {0};

		if (path_check(*path, false, NULL) < 0)
			continue;
		overlay_walk(tree->overlay, *path, &place);
		if (place.base)
			strings_push(&base, place.base);
	}
	return tree->ops->prefetch(tree, &base, err);
}

static int extract_node(const struct overlay *node, const char *host_path,
			struct error *err)
{
	int fd;

	if (node->host)
		return file_copy(node->host, host_path, err);
	fd = open(host_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return error_errno(err, host_path, "cannot create");
	if (file_write_all(fd, buffer_view(&node->data), host_path, err) < 0) {
		close(fd);
		(void)unlink(host_path);
		return -1;
	}
	if (close(fd) < 0)
		return error_errno(err, host_path, "cannot write");
	return 0;
}

int tree_extract(struct tree *tree, const char *path, const char *host_path,
		 struct error *err)
{
	_cleanup_place_ struct overlay_place place = {0};
	struct tree_stat st;

	if (place_to_read(tree, path, &place, &st, err) < 0)
		return -1;
	if (place.node && place.node->kind == OVERLAY_FILE)
		return extract_node(place.node, host_path, err);
	return tree->ops->extract(tree, place.base, host_path, err);
}

/* ---- staging ------------------------------------------------------------------------
 */

/*
 * The node for `name` in a folder that is already in the overlay; made as PASS if it is
 * not there yet. `base` is the folder's base path or NULL.
 */
static int stage_child(struct tree *tree, struct overlay *folder, const char *base,
		       const char *name, struct overlay **ret, struct error *err)
{
	struct overlay *child = overlay_child(folder, name, strlen(name));
	_cleanup_free_ char *stored = NULL;
	struct tree_stat st;
	int found = 0;

	if (child) {
		*ret = child;
		return 0;
	}
	if (base) {
		_cleanup_free_ char *path = path_join(base, name);

		found = tree->ops->stat(tree, path, &st, &stored, err);
		if (found < 0)
			return -1;
	}
	child = overlay_new(found ? path_base(stored) : name);
	child->kind = found ? OVERLAY_PASS : OVERLAY_REMOVED;
	child->base = found ? steal_ptr(stored) : NULL;
	overlay_attach(folder, child);
	*ret = child;
	return 0;
}

/* Takes a node back that carries no change and came from stage_child(). */
static void unstage_if_idle(struct overlay *node)
{
	while (node->parent && node->children.len == 0 &&
	       ((node->kind == OVERLAY_REMOVED && !node->base) ||
		(node->kind == OVERLAY_PASS && !node->attributes_set))) {
		struct overlay *parent = node->parent;

		overlay_detach(node);
		overlay_free(node);
		node = parent;
	}
}

static void node_reset(struct overlay *node, enum overlay_kind kind)
{
	while (node->children.len)
		overlay_free(node->children.items[--node->children.len]);
	buffer_free(&node->data);
	free(node->host);
	node->host = NULL;
	free(node->origin);
	node->origin = NULL;
	node->attributes_set = false;
	node->size = 0;
	node->kind = kind;
}

static const char *node_base(const struct overlay *node)
{
	if (node->kind == OVERLAY_MOVED)
		return node->origin;
	return node->kind == OVERLAY_PASS ? (node->parent ? node->base : "") : NULL;
}

/* The folder that holds `path` as an overlay node; missing folders are staged. */
static int stage_folder_of(struct tree *tree, const char *path, struct overlay **ret,
			   const char **leaf, struct error *err)
{
	struct overlay *node = tree->overlay;
	const char *rest = path;

	for (;;) {
		size_t len = path_component(rest);
		_cleanup_free_ char *name = xstrndup(rest, len);
		_cleanup_free_ char *so_far = NULL;
		struct tree_stat st;
		int found;

		if (!rest[len]) {
			*leaf = rest;
			*ret = node;
			return 0;
		}
		if (stage_child(tree, node, node_base(node), name, &node, err) < 0)
			return -1;
		so_far = xstrndup(path, (size_t)(rest - path) + len);
		found = tree_stat(tree, so_far, &st, err);
		if (found < 0)
			return -1;
		if (found && st.type != TREE_FOLDER) {
			unstage_if_idle(node);
			return fail_at(tree, so_far, err,
				       st.type == TREE_FILE
					       ? "is a file, not a folder"
					       : "is a link or other reparse point, "
						 "which is not followed");
		}
		if (!found) {
			node_reset(node, OVERLAY_FOLDER);
			free(node->name);
			node->name = xstrdup(name);
		}
		rest += len + 1;
	}
}

/* The node at `path`, its folder staged. It may be idle: see unstage_if_idle(). */
static int stage(struct tree *tree, const char *path, struct overlay **ret,
		 struct error *err)
{
	struct overlay *folder;
	const char *leaf;

	if (path_check(path, true, err) < 0)
		return -1;
	if (!*path)
		return fail_at(tree, "/", err, "the root itself cannot be changed");
	if (stage_folder_of(tree, path, &folder, &leaf, err) < 0)
		return -1;
	return stage_child(tree, folder, node_base(folder), leaf, ret, err);
}

/* A node at `path` that is ready to take content. */
static int stage_file(struct tree *tree, const char *path, uint64_t modified,
		      struct overlay **ret, struct error *err)
{
	struct tree_stat st;
	struct overlay *node;
	char *origin = NULL;
	uint32_t attributes;
	bool attributes_set;
	int found;

	if (path_check(path, true, err) < 0)
		return -1;
	found = tree_stat(tree, path, &st, err);
	if (found < 0)
		return -1;
	if (found && st.type != TREE_FILE)
		return fail_at(tree, path, err,
			       st.type == TREE_FOLDER ? "is a folder, not a file"
						      : "is a link or other reparse "
							"point, which is not followed");
	if (found && st.attributes & TREE_ATTR_ENCRYPTED)
		return fail_at(tree, path, err,
			       "is encrypted (EFS) and cannot be replaced");
	if (stage(tree, path, &node, err) < 0)
		return -1;
	if (node->kind == OVERLAY_PASS)
		origin = xstrdup(node->base);
	else if (node->kind != OVERLAY_REMOVED)
		origin = steal_ptr(node->origin);
	attributes = node->attributes;
	attributes_set = node->attributes_set;
	if (node->kind == OVERLAY_REMOVED) {
		free(node->name);
		node->name = xstrdup(path_base(path));
	}
	node_reset(node, OVERLAY_FILE);
	node->origin = origin;
	node->attributes = attributes;
	node->attributes_set = attributes_set;
	node->modified = modified ? modified : clock_filetime();
	*ret = node;
	return 0;
}

/* Content too large to keep in memory, as a file of the image's temporary folder. */
static int spill(struct image *image, struct bytes data, char **ret, struct error *err)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -1;

	if (!image->temp)
		image->temp = temp_folder_make(NULL, err);
	if (!image->temp)
		return -1;
	path = xasprintf("%s/%u", image->temp, image->spilled++);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_errno(err, path, "cannot create");
	if (file_write_all(fd, data, path, err) < 0)
		return -1;
	*ret = steal_ptr(path);
	return 0;
}

int tree_write(struct tree *tree, const char *path, struct bytes data, uint64_t modified,
	       struct error *err)
{
	_cleanup_free_ char *host = NULL;
	struct overlay *node;

	if (data.len > SPILL_SIZE && spill(tree->image, data, &host, err) < 0)
		return -1;
	if (stage_file(tree, path, modified, &node, err) < 0)
		return -1;
	if (!host)
		buffer_append(&node->data, data.data, data.len);
	node->host = steal_ptr(host);
	node->size = data.len;
	return 0;
}

int tree_write_host(struct tree *tree, const char *path, const char *host_path,
		    uint64_t modified, struct error *err)
{
	struct overlay *node;
	struct stat st;

	if (stat(host_path, &st) < 0)
		return error_errno(err, host_path, "cannot read");
	if (!S_ISREG(st.st_mode))
		return error_set(err, ERROR_FAILED, host_path, "is not a regular file");
	if (stage_file(tree, path, modified, &node, err) < 0)
		return -1;
	node->host = xstrdup(host_path);
	node->size = (uint64_t)st.st_size;
	return 0;
}

int tree_mkdir(struct tree *tree, const char *path, struct error *err)
{
	struct overlay *node;
	struct tree_stat st;
	int found;

	if (!*path)
		return 0;
	if (path_check(path, true, err) < 0)
		return -1;
	found = tree_stat(tree, path, &st, err);
	if (found < 0)
		return -1;
	if (found && st.type == TREE_FOLDER)
		return 0;
	if (found)
		return fail_at(tree, path, err, "exists and is not a folder");
	if (stage(tree, path, &node, err) < 0)
		return -1;
	node_reset(node, OVERLAY_FOLDER);
	free(node->name);
	node->name = xstrdup(path_base(path));
	return 0;
}

int tree_remove(struct tree *tree, const char *path, struct error *err)
{
	struct overlay *node;
	int found;

	if (path_check(path, false, err) < 0)
		return -1;
	found = tree_stat(tree, path, NULL, err);
	if (found <= 0)
		return found;
	if (stage(tree, path, &node, err) < 0)
		return -1;
	node_reset(node, OVERLAY_REMOVED);
	unstage_if_idle(node);
	return 0;
}

/* Leaves in `node`'s place what hides the base there, and takes the node out. */
static void lift(struct overlay *node)
{
	struct overlay *parent = node->parent, *gone;

	overlay_detach(node);
	if (node->kind == OVERLAY_PASS) {
		node->kind = OVERLAY_MOVED;
		node->origin = xstrdup(node->base);
	}
	if (!node->base)
		return;
	gone = overlay_new(path_base(node->base));
	gone->kind = OVERLAY_REMOVED;
	gone->base = steal_ptr(node->base);
	overlay_attach(parent, gone);
}

static int rename_check(struct tree *tree, const char *from, const char *to,
			struct error *err)
{
	int found;

	if (path_check(from, true, err) < 0 || path_check(to, true, err) < 0)
		return -1;
	if (!*from || !*to)
		return fail_at(tree, "/", err, "the root itself cannot be renamed");
	found = tree_stat(tree, from, NULL, err);
	if (found < 0)
		return -1;
	if (!found)
		return fail_at(tree, from, err, "does not exist in the image");
	if (text_equal(from, to))
		return 0;
	if (path_is_below(to, from))
		return fail_at(tree, to, err, "lies in the folder to be renamed");
	found = tree_stat(tree, to, NULL, err);
	if (found < 0)
		return -1;
	if (found)
		return fail_at(tree, to, err, "exists already");
	return 0;
}

int tree_rename(struct tree *tree, const char *from, const char *to, struct error *err)
{
	struct overlay *node, *place, *parent;

	if (rename_check(tree, from, to, err) < 0)
		return -1;
	/* The target's folder first: it is the part that can fail. */
	if (stage(tree, to, &place, err) < 0 || stage(tree, from, &node, err) < 0)
		return -1;
	lift(node);
	parent = place == node ? NULL : place->parent;
	if (!parent) { /* only the case of the name changes */
		const char *leaf;

		if (stage_folder_of(tree, to, &parent, &leaf, err) < 0)
			return -1;
		place = overlay_child(parent, leaf, strlen(leaf));
	}
	free(node->name);
	node->name = xstrdup(path_base(to));
	free(node->base);
	node->base = place && place->base ? xstrdup(place->base) : NULL;
	overlay_attach(parent, node);
	return 0;
}

int tree_set_attributes(struct tree *tree, const char *path, uint32_t attributes,
			struct error *err)
{
	struct overlay *node;
	struct tree_stat st;
	int found;

	if (path_check(path, false, err) < 0)
		return -1;
	found = tree_stat(tree, path, &st, err);
	if (found < 0)
		return -1;
	if (!found)
		return fail_at(tree, path, err, "does not exist in the image");
	if (st.type == TREE_LINK)
		return fail_at(tree, path, err,
			       "is a link or other reparse point, which is not followed");
	if (stage(tree, path, &node, err) < 0)
		return -1;
	node->attributes_set = true;
	node->attributes = attributes & TREE_ATTR_SETTABLE;
	return 0;
}

static void report(struct tree *tree, struct tree_changes *ret,
		   enum tree_change_kind kind, const struct overlay *node)
{
	_cleanup_free_ char *path = overlay_path(node);

	strings_push(&tree->reported, path);
	vec_push(ret,
		 (struct tree_change){kind, tree->reported.items[tree->reported.len - 1],
				      kind == TREE_CHANGE_REMOVE ? 0 : node->size});
}

void tree_staged(struct tree *tree, struct tree_changes *ret)
{
	strings_free(&tree->reported);
	for (const struct overlay *n = tree->overlay; n;
	     n = overlay_next(n, tree->overlay)) {
		if (!overlay_changes(n))
			continue;
		switch (n->kind) {
		case OVERLAY_FILE:
			report(tree, ret, n->base ? TREE_CHANGE_REPLACE : TREE_CHANGE_ADD,
			       n);
			break;
		case OVERLAY_FOLDER:
			if (n->base)
				report(tree, ret, TREE_CHANGE_REMOVE, n);
			report(tree, ret, TREE_CHANGE_MKDIR, n);
			break;
		case OVERLAY_MOVED:
			report(tree, ret, TREE_CHANGE_ADD, n);
			break;
		case OVERLAY_REMOVED:
			report(tree, ret, TREE_CHANGE_REMOVE, n);
			break;
		case OVERLAY_PASS:
			break;
		}
		if (n->attributes_set && n->kind != OVERLAY_FILE)
			report(tree, ret, TREE_CHANGE_ATTRIBUTES, n);
	}
}
