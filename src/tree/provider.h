/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a provider of trees implements, and the staging overlay that all share.
 *
 * Reads go to the overlay first and to the provider's base for what the overlay does not
 * change. A commit hands the whole overlay to the provider, which makes it durable.
 * Private to src/tree.
 */
#ifndef TREE_PROVIDER_H
#define TREE_PROVIDER_H

#include "tree/tree.h"

/* Windows' limits, in UTF-16 units. */
#define TREE_MAX_NAME 255
#define TREE_MAX_PATH 32766

#define TREE_ATTR_DIRECTORY 0x10u
#define TREE_ATTR_REPARSE_POINT 0x400u
#define TREE_ATTR_ENCRYPTED 0x4000u
/* What tree_set_attributes() may change; the others say what the file is. */
#define TREE_ATTR_SETTABLE                                                                \
	(TREE_ATTR_READONLY | TREE_ATTR_HIDDEN | TREE_ATTR_SYSTEM | TREE_ATTR_ARCHIVE)

enum overlay_kind {
	OVERLAY_PASS,	/* unchanged itself; something below it (or its attributes) changes */
	OVERLAY_FILE,	/* staged content; `origin` is the base file whose metadata it keeps */
	OVERLAY_FOLDER, /* a new folder */
	OVERLAY_MOVED,	/* the base file or folder `origin`, with the changes below */
	OVERLAY_REMOVED,
};

struct overlay {
	enum overlay_kind kind;
	char *name;
	struct overlay *parent;
	struct vec_of(struct overlay *) children; /* ordered by text_compare(name) */
	char *origin;	/* base path, as stored; see the kinds */
	char *base;	/* base path of what lies at this place in the base; or NULL */
	struct buffer data;
	char *host;	/* the content's host file instead of `data` */
	uint64_t size, modified;
	bool attributes_set;
	uint32_t attributes;
	void *bound;	/* the provider's, during a commit */
};

struct tree;
/* The base of a tree. Paths are normal and have been looked up before list and read. */
struct tree_ops {
	/*
	 * 1 found, 0 missing, -1 error. `stored` (may be NULL) gets the path with each name
	 * as stored. Never follows a link, in any component.
	 */
	int (*stat)(struct tree *tree, const char *path, struct tree_stat *st,
		    char **stored, struct error *err);
	int (*list)(struct tree *tree, const char *path, struct tree_entries *ret,
		    struct error *err);
	int (*read)(struct tree *tree, const char *path, size_t limit, struct buffer *ret,
		    struct error *err);
	int (*extract)(struct tree *tree, const char *path, const char *host_path,
		       struct error *err);
	int (*prefetch)(struct tree *tree, const struct strings *paths,
			struct error *err); /* may be NULL */
};

/* Providers put this first in their own structure. */
struct tree {
	const struct tree_ops *ops;
	struct image *image;
	size_t index;
	char *name;
	struct overlay *overlay; /* the root, never NULL */
	struct strings reported; /* paths handed out by tree_staged() */
};

struct image_ops {
	struct tree *(*tree)(struct image *image, size_t i, struct error *err);
	int (*commit)(struct image *image, const struct image_commit_options *options,
		      uint64_t *bytes_written, struct error *err);
	/* True if trees that are not in image.trees have changes to commit; may be NULL. */
	bool (*changed)(const struct image *image);
	/* image_system_tree(); NULL: the tree itself is where it is started from. */
	int (*system_tree)(struct image *image, size_t i, struct tree **ret, char **why,
			   struct error *err);
	/* Releases what the provider added; the image and its trees go afterwards. */
	void (*close)(struct image *image);
};

struct image {
	const struct image_ops *ops;
	char *path;
	const char *format, *provider;
	struct image_options options;
	struct vec_of(struct image_info) infos;
	struct vec_of(struct image_problems) problems; /* one per info, or none at all */
	struct image_disk *disk;	    /* disks; disk_layout() makes it */
	struct vec_of(struct tree *) trees; /* one per info, NULL until opened */
	char *temp;			    /* folder for spilled content, or NULL */
	unsigned spilled;
};

/* Takes the tree's name and prepares its overlay. */
void tree_init(struct tree *tree, const struct tree_ops *ops, struct image *image,
	       size_t index, char *name);

void tree_free(struct tree *tree);

struct overlay *overlay_new(const char *name);
void overlay_free(struct overlay *node);
/* Puts the child in its place (an older node of that name is freed) or takes it out. */
void overlay_attach(struct overlay *parent, struct overlay *child);
void overlay_detach(struct overlay *child);
/* True if nothing is staged below and at this node. */
bool overlay_empty(const struct overlay *node);
struct overlay *overlay_child(const struct overlay *node, const char *name, size_t len);
/* The next node after `node` in depth-first order below `top`, or NULL. */
const struct overlay *overlay_next(const struct overlay *node, const struct overlay *top);
/* The node's path; owned by the caller. */
char *overlay_path(const struct overlay *node);
/* True if the node brings content (kind FILE, FOLDER or MOVED) or takes some away. */
bool overlay_changes(const struct overlay *node);
/* True if what is staged here is the base's own file of this place, changed. */
bool overlay_in_place(const struct overlay *node);
DEFINE_VEC(overlays, const struct overlay *);
/*
 * The nodes whose content the base has elsewhere. The longest of those paths comes first:
 * what lies in a folder that moves has to be taken out before it goes.
 */
void overlay_moved(const struct overlay *top, struct overlays *ret);
/* Bytes of staged content below. */
uint64_t overlay_bytes(const struct overlay *node);
/* The staged content of a FILE as a stream; -1 if the host file changed its size. */
struct overlay_reader {
	const struct overlay *node;
	int fd;
	uint64_t at;
};
int overlay_open(const struct overlay *node, struct overlay_reader *reader,
		 struct error *err);
/* Fills up to `len` bytes; fewer only at the end. -1: error. */
ssize_t overlay_read(struct overlay_reader *reader, uint8_t *to, size_t len,
		     struct error *err);
void overlay_close(struct overlay_reader *reader);

/* Where a path leads: the overlay node, if any, and the base path, if any. */
struct overlay_place {
	struct overlay *node;
	char *base;	/* NULL: nothing of the base shows here */
};
/* `path` is normal. The base path is built from the given spelling. */
void overlay_walk(struct overlay *root, const char *path, struct overlay_place *place);

/*
 * Checks a path by Windows' rules; "" is the root. `for_write` also refuses device names
 * (CON, NUL, COM1...), which Windows could never open again.
 */
int path_check(const char *path, bool for_write, struct error *err);
/* Joins "a" and "b" to "a/b"; an empty `a` gives "b". */
char *path_join(const char *a, const char *b);
/* Bytes of the first component. */
size_t path_component(const char *path);
bool path_is_below(const char *path, const char *folder);

/* The providers: NULL and *err if it cannot be opened. */
struct image *dir_open(const char *path, const struct image_options *options,
		       struct error *err);
struct image *wim_open(const char *path, const struct image_options *options,
		       struct error *err);
/* The install image on an ISO, for reading. */
struct image *wim_open_in_iso(const char *path, const struct image_options *options,
			      struct error *err);
/* A regular file or block device that is a disk image; NULL otherwise as well. */
struct image *disk_open(const char *path, const struct image_options *options,
			struct error *err);

#endif
