/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The staging overlay: a tree of changes over a base that nobody touches until the
 * commit. A node that is not PASS hides what the base has under its name; MOVED shows
 * another part of the base there.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "tree/provider.h"

struct overlay *overlay_new(const char *name)
{
	struct overlay *node = xcalloc(1, sizeof(*node));

	node->name = xstrdup(name);
	return node;
}

void overlay_free(struct overlay *node)
{
	struct overlay *up;

	/* Depth comes from user input: no recursion. */
	for (struct overlay *top = node; node; node = up) {
		if (node->children.len) {
			up = node->children.items[--node->children.len];
			continue;
		}
		up = node == top ? NULL : node->parent;
		vec_free(&node->children);
		buffer_free(&node->data);
		free(node->name);
		free(node->origin);
		free(node->base);
		free(node->host);
		free(node);
	}
}

bool overlay_changes(const struct overlay *node)
{
	if (node->kind == OVERLAY_REMOVED && !node->base)
		return false; /* nothing there to remove */
	return node->kind != OVERLAY_PASS || node->attributes_set;
}

/* Where `name` is or would be among the children. */
static size_t child_position(const struct overlay *node, const char *name, bool *found)
{
	size_t low = 0, high = node->children.len;

	*found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = text_compare(node->children.items[middle]->name, name);

		if (order == 0) {
			*found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct overlay *overlay_next(const struct overlay *node, const struct overlay *top)
{
	if (node->children.len)
		return node->children.items[0];
	for (; node != top; node = node->parent) {
		const struct overlay *parent = node->parent;
		bool found;
		size_t at = child_position(parent, node->name, &found) + 1;

		if (at < parent->children.len)
			return parent->children.items[at];
	}
	return NULL;
}

bool overlay_empty(const struct overlay *node)
{
	for (const struct overlay *n = node; n; n = overlay_next(n, node))
		if (overlay_changes(n))
			return false;
	return true;
}

bool overlay_in_place(const struct overlay *node)
{
	return node->origin && node->base && strcmp(node->origin, node->base) == 0;
}

static int deepest_first(const void *a, const void *b)
{
	size_t x = strlen((*(const struct overlay *const *)a)->origin);
	size_t y = strlen((*(const struct overlay *const *)b)->origin);

	return x < y ? 1 : x > y ? -1 : 0;
}

void overlay_moved(const struct overlay *top, struct overlays *ret)
{
	for (const struct overlay *n = top; n; n = overlay_next(n, top))
		if (n->kind == OVERLAY_MOVED ||
		    (n->kind == OVERLAY_FILE && n->origin && !overlay_in_place(n)))
			vec_push(ret, n);
	if (ret->len)
		qsort(ret->items, ret->len, sizeof(*ret->items), deepest_first);
}

uint64_t overlay_bytes(const struct overlay *node)
{
	uint64_t bytes = 0;

	for (const struct overlay *n = node; n; n = overlay_next(n, node))
		if (n->kind == OVERLAY_FILE)
			bytes += n->size;
	return bytes;
}

struct overlay *overlay_child(const struct overlay *node, const char *name, size_t len)
{
	_cleanup_free_ char *copy = xstrndup(name, len);
	bool found;
	size_t at = child_position(node, copy, &found);

	return found ? node->children.items[at] : NULL;
}

void overlay_attach(struct overlay *parent, struct overlay *child)
{
	bool found;
	size_t at = child_position(parent, child->name, &found);

	if (found) {
		overlay_free(parent->children.items[at]);
	} else {
		vec_push(&parent->children, NULL);
		memmove(parent->children.items + at + 1, parent->children.items + at,
			(parent->children.len - 1 - at) * sizeof(struct overlay *));
	}
	parent->children.items[at] = child;
	child->parent = parent;
}

void overlay_detach(struct overlay *child)
{
	struct overlay *parent = child->parent;

	for (size_t i = 0; i < parent->children.len; i++) {
		if (parent->children.items[i] != child)
			continue;
		memmove(parent->children.items + i, parent->children.items + i + 1,
			(parent->children.len - i - 1) * sizeof(struct overlay *));
		parent->children.len--;
		break;
	}
	child->parent = NULL;
}

char *overlay_path(const struct overlay *node)
{
	char *path = xstrdup("");

	for (; node->parent; node = node->parent) {
		char *longer = path_join(node->name, path);

		free(path);
		path = longer;
	}
	return path;
}

void overlay_walk(struct overlay *root, const char *path, struct overlay_place *place)
{
	struct overlay *node = root;
	char *base = xstrdup("");

	while (*path) {
		size_t len = path_component(path);
		struct overlay *child = node ? overlay_child(node, path, len) : NULL;
		char *next = NULL;

		if (child && child->kind == OVERLAY_MOVED) {
			next = xstrdup(child->origin);
		} else if (base && (!child || child->kind == OVERLAY_PASS)) {
			_cleanup_free_ char *name = xstrndup(path, len);

			next = path_join(base, name);
		}
		free(base);
		base = next;
		node = child;
		path += len + (path[len] == '/');
		if (!node && !base)
			break;
	}
	/* Below a removed folder or a file there is nothing, whatever is still walked. */
	place->node = *path ? NULL : node;
	place->base = base;
}

int overlay_open(const struct overlay *node, struct overlay_reader *reader,
		 struct error *err)
{
	struct stat st;

	*reader = (struct overlay_reader){node, -1, 0};
	if (!node->host)
		return 0;
	reader->fd = open(node->host, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (reader->fd < 0)
		return error_errno(err, node->host, "cannot open");
	if (fstat(reader->fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    (uint64_t)st.st_size == node->size)
		return 0;
	overlay_close(reader);
	error_set(err, ERROR_FAILED, node->host, "changed while it was being worked on");
	return error_remedy(err, "leave the source files alone until gild has ended");
}

ssize_t overlay_read(struct overlay_reader *reader, uint8_t *to, size_t len,
		     struct error *err)
{
	uint64_t left = reader->node->size - reader->at;
	size_t done = 0;

	if (len > left)
		len = (size_t)left;
	if (reader->fd < 0 && len) {
		memcpy(to, reader->node->data.data + reader->at, len);
		done = len;
	}
	while (reader->fd >= 0 && done < len) {
		ssize_t n = pread(reader->fd, to + done, len - done,
				  (off_t)(reader->at + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, reader->node->host, "cannot read");
		if (n == 0)
			return error_set(err, ERROR_FAILED, reader->node->host,
					 "became shorter while it was read");
		done += (size_t)n;
	}
	reader->at += done;
	return (ssize_t)done;
}

void overlay_close(struct overlay_reader *reader)
{
	closep(&reader->fd);
}
