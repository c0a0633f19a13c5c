/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Disk images: recognised by their content with all they refer to (the chain of images
 * they are based on, extents, data files), then opened without QEMU or through qemu-nbd.
 */
#include "block/container.h"

#include <limits.h>
#include <sys/stat.h>

#include "base/text.h"
#include "block/container_private.h"
#include "block/differencing.h"
#include "block/nbd.h"

static const char *const format_names[] = {
	[CONTAINER_NONE] = "none",     [CONTAINER_RAW] = "raw",
	[CONTAINER_DEVICE] = "device", [CONTAINER_VHD] = "vhd",
	[CONTAINER_VHDX] = "vhdx",     [CONTAINER_QCOW2] = "qcow2",
	[CONTAINER_VMDK] = "vmdk",
};

const char *container_format_name(enum container_format format)
{
	return format_names[format];
}

enum container_format container_format_of_name(const char *path)
{
	static const struct {
		const char *ending;
		enum container_format format;
	} endings[] = {
		{".raw", CONTAINER_RAW},     {".img", CONTAINER_RAW},
		{".vhd", CONTAINER_VHD},     {".vhdx", CONTAINER_VHDX},
		{".qcow2", CONTAINER_QCOW2}, {".vmdk", CONTAINER_VMDK},
	};

	for (size_t i = 0; i < ARRAY_SIZE(endings); i++)
		if (text_ends_with(path, endings[i].ending))
			return endings[i].format;
	return CONTAINER_NONE;
}

void container_free(struct container *container)
{
	vec_foreach (layer, &container->layers) {
		free(layer->path);
		free(layer->data_file);
	}
	vec_free(&container->layers);
	strings_free(&container->files);
	free(container->path);
	free(container->subtype);
	*container = (struct container){0};
}

/* ---- the chain ---- */

/* What the header of the image above says of the next one. */
struct expected {
	char *path;
	enum container_format format; /* NONE: not said */
	bool parent;		      /* of a differencing disk, which is `id` */
	struct guid id;
};

static void expected_free(struct expected *e)
{
	free(e->path);
}

/* QEMU's names of formats, as a qcow2 has them for its backing file. */
static int backing_format(const char *image, const char *name, enum container_format *ret,
			  struct error *err)
{
	static const struct {
		const char *name;
		enum container_format format;
	} names[] = {
		{"raw", CONTAINER_RAW},	    {"file", CONTAINER_RAW},
		{"vpc", CONTAINER_VHD},	    {"vhdx", CONTAINER_VHDX},
		{"qcow2", CONTAINER_QCOW2}, {"vmdk", CONTAINER_VMDK},
	};

	*ret = CONTAINER_NONE;
	for (size_t i = 0; name && i < ARRAY_SIZE(names); i++)
		if (strcmp(name, names[i].name) == 0) {
			*ret = names[i].format;
			return 0;
		}
	if (!name)
		return 0;
	error_set(err, ERROR_FAILED, image,
		  "its backing file has the format \"%s\", which is not served", name);
	return error_remedy(err, "convert it: qemu-img convert -O qcow2");
}

/*
 * An extent that claims to have no capacity would make QEMU read a second descriptor in
 * it, which could name any file.
 */
static int check_extent(const char *image, const char *path, struct error *err)
{
	_cleanup_block_ struct block *file = block_file_open(path, false, 0, err);
	static const uint8_t nothing[8];
	uint8_t start[20];

	if (!file)
		return -1;
	if (file->size < sizeof(start))
		return 0;
	if (block_pread(file, start, sizeof(start), 0, err) < 0)
		return -1;
	if (memcmp(start, "KDMV", 4) != 0 || memcmp(start + 12, nothing, 8) != 0)
		return 0;
	error_set(err, ERROR_FAILED, image, "its extent %s is another descriptor", path);
	return error_remedy(err, "get the image again");
}

static int take_files(struct container *c, struct container_layer *layer,
		      const struct container_header *h, const struct strings *allow,
		      struct error *err)
{
	for (size_t i = 0; i < h->extents.len; i++) {
		char *path = reference_resolve(layer->path, h->extents.items[i], "extent",
					       allow, err);

		if (!path)
			return -1;
		vec_push(&c->files, path);
		if (check_extent(layer->path, path, err) < 0)
			return -1;
	}
	if (!h->data_file)
		return 0;
	layer->data_file =
		reference_resolve(layer->path, h->data_file, "data file", allow, err);
	if (!layer->data_file)
		return -1;
	strings_push(&c->files, layer->data_file);
	return 0;
}

static int find_next(const struct container_layer *layer,
		     const struct container_header *h, const struct strings *allow,
		     struct expected *next, struct error *err)
{
	if (h->differencing) {
		next->path =
			reference_resolve_windows(layer->path, &h->parents, allow, err);
		next->format = layer->format;
		next->parent = true;
		next->id = h->parent_id;
		return next->path ? 0 : -1;
	}
	if (!h->backing)
		return 0;
	/* A parent of a VMDK is a VMDK. */
	next->format = layer->format;
	if (layer->format == CONTAINER_QCOW2 &&
	    backing_format(layer->path, h->backing_format, &next->format, err) < 0)
		return -1;
	next->path =
		reference_resolve(layer->path, h->backing, "backing file", allow, err);
	return next->path ? 0 : -1;
}

static int check_depth(const struct container *c, const char *path, struct error *err)
{
	bool again = false;

	for (size_t i = 0; i < c->layers.len; i++)
		again |= strcmp(c->layers.items[i].path, path) == 0;
	if (!again && c->layers.len < CONTAINER_MAX_DEPTH)
		return 0;
	error_set(err, ERROR_FAILED, c->path,
		  again ? "its chain of backing files leads back to %s"
			: "its chain of backing files is too long at %s",
		  path);
	return error_remedy(err, "merge the chain with qemu-img commit or rebase");
}

/* An image below another has to be what that one says. */
static int check_expected(const struct container *c, const struct expected *e,
			  const struct container_header *h, struct error *err)
{
	if (!c->layers.len)
		return 0;
	if (h->format == CONTAINER_NONE && e->format != CONTAINER_RAW) {
		error_set(err, ERROR_FAILED, c->path,
			  "the format of its backing file %s is neither recorded nor "
			  "recognised",
			  e->path);
		return error_remedy(err, "record it: qemu-img rebase -u -F FORMAT");
	}
	if (h->log_pending) {
		error_set(err, ERROR_STATE, e->path,
			  "is a VHDX whose log was not replayed, and another image is "
			  "based on it");
		return error_remedy(err,
				    "attach it once in Hyper-V, or run qemu-img check "
				    "-r all on it");
	}
	if (e->parent && !guid_equal(&e->id, &h->id)) {
		error_set(err, ERROR_FAILED, c->path,
			  "its parent %s is not what it was when this image was made",
			  e->path);
		return error_remedy(err, "find the right parent, or reconnect it in "
					 "Hyper-V");
	}
	if (h->differencing && !e->parent) {
		error_set(err, ERROR_FAILED, c->path,
			  "is based on %s, a differencing disk, which QEMU does not read",
			  e->path);
		return error_remedy(err, "merge that disk with its parent");
	}
	return 0;
}

/* The container is what its first layer is. */
static void take_top(struct container *c, struct container_header *h)
{
	/* Which QEMU does not open either. */
	bool large_vhdx = h->format == CONTAINER_VHDX && h->sector_size != 512;

	c->format = h->format;
	c->subtype = steal_ptr(h->subtype);
	c->virtual_size = h->virtual_size;
	c->sector_size = h->sector_size;
	c->direct = h->format == CONTAINER_RAW || h->fixed;
	c->differencing = h->differencing;
	c->own_reader = h->differencing || large_vhdx;
	c->log_pending = h->log_pending;
	c->why_not = h->differencing ? "gild only reads differencing disks"
		     : large_vhdx ? "QEMU does not write VHDX with sectors of 4096 bytes"
				  : h->why_not;
	c->editable = !c->why_not;
}

/* One image of the chain; `e` becomes what is expected of the next. */
static int probe_layer(struct container *c, struct expected *e,
		       const struct strings *allow, struct error *err)
{
	_cleanup_container_header_ struct container_header h = {0};
	_cleanup_block_ struct block *file = NULL;
	struct container_layer layer = {0}, *last;
	enum container_format format = e->format;

	if (check_depth(c, e->path, err) < 0 ||
	    !(file = block_file_open(e->path, false, 0, err)) ||
	    (!format && container_sniff(file, &format, err) < 0) ||
	    container_header_read(file, format, &h, err) < 0 ||
	    check_expected(c, e, &h, err) < 0)
		return -1;
	if (!c->layers.len && h.format == CONTAINER_NONE)
		return 0;
	if (format == CONTAINER_RAW) {
		h.format = format;
		h.virtual_size = h.qemu_size = file->size;
	}
	layer.path = steal_ptr(e->path);
	layer.format = format;
	layer.virtual_size = h.virtual_size;
	layer.qemu_size = h.qemu_size;
	layer.by_geometry = h.by_geometry;
	layer.fixed = h.fixed;
	strings_push(&c->files, layer.path);
	vec_push(&c->layers, layer);
	last = &c->layers.items[c->layers.len - 1];
	*e = (struct expected){0};
	if (take_files(c, last, &h, allow, err) < 0 ||
	    find_next(last, &h, allow, e, err) < 0)
		return -1;
	if (c->layers.len == 1)
		take_top(c, &h);
	return 0;
}

static int probe_chain(struct container *c, const char *path, const struct strings *allow,
		       struct error *err)
{
	_cleanup_(expected_free) struct expected e = {.path = realpath(path, NULL)};
	size_t layers;

	if (!e.path)
		return error_errno(err, path, "cannot open");
	do {
		layers = c->layers.len;
		if (probe_layer(c, &e, allow, err) < 0)
			return -1;
	} while (c->layers.len > layers && e.path);
	return 0;
}

/* A device has no container: what is on it is its disk. */
static int probe_device(struct container *c, struct error *err)
{
	_cleanup_block_ struct block *device = block_file_open(c->path, false, 0, err);
	char *path = realpath(c->path, NULL);
	struct container_layer layer = {.path = path, .format = CONTAINER_DEVICE};

	if (!device || !path) {
		free(path);
		return device ? error_errno(err, c->path, "cannot open") : -1;
	}
	c->format = CONTAINER_DEVICE;
	c->virtual_size = layer.virtual_size = layer.qemu_size = device->size;
	c->sector_size = device->sector_size;
	c->direct = c->editable = true;
	strings_push(&c->files, path);
	vec_push(&c->layers, layer);
	return 0;
}

int container_probe(const char *path, const struct strings *allow, struct container *ret,
		    struct error *err)
{
	struct stat st;
	int result = 0;

	*ret = (struct container){.path = xstrdup(path)};
	if (stat(path, &st) < 0)
		result = error_errno(err, path, "cannot open");
	else if (S_ISBLK(st.st_mode))
		result = probe_device(ret, err);
	else if (S_ISREG(st.st_mode))
		result = probe_chain(ret, path, allow, err);
	if (result < 0)
		container_free(ret);
	return result;
}

/* ---- the block ---- */

struct block_container {
	struct block block;
	const struct container *container;
	struct block *below; /* NULL after a failed container_reopen() */
	struct stat seen;    /* the file when it was opened for reading */
};

static struct block *open_direct(const struct container *c, bool write, struct error *err)
{
	bool whole = c->format == CONTAINER_DEVICE;
	struct block *file =
		block_file_open(c->path, write, whole ? 0 : c->virtual_size, err);

	if (file && block_file_lock(file, err) < 0) {
		block_close(file);
		return NULL;
	}
	return file;
}

static struct block *open_below(const struct container *c, bool write, struct error *err)
{
	_cleanup_free_ char *nodes = NULL;
	struct block *block;

	if (c->direct)
		return open_direct(c, write, err);
	if (c->own_reader && write) {
		error_set(err, ERROR_FAILED, c->path, "cannot be written to: %s",
			  c->why_not);
		error_remedy(err, "write the result to a new image with --output");
		return NULL;
	}
	if (c->own_reader)
		return differencing_open(c, err);
	nodes = container_nodes(c, err);
	if (!nodes)
		return NULL;
	block = nbd_open(nodes, c->path, c->sector_size, write, false, err);
	if (block && block->size != c->virtual_size) {
		error_set(err, ERROR_FAILED, c->path,
			  "has %ju bytes by its header and %ju for QEMU",
			  (uintmax_t)c->virtual_size, (uintmax_t)block->size);
		error_remedy(err, "convert the image with the program that made it");
		block_close(block);
		return NULL;
	}
	return block;
}

static int below(struct block *block, struct block **ret, struct error *err)
{
	*ret = ((struct block_container *)block)->below;
	return *ret ? 0 : error_set(err, ERROR_FAILED, block->name, "is closed");
}

static int container_pread(struct block *block, void *buf, size_t len, uint64_t offset,
			   struct error *err)
{
	struct block *b;

	return below(block, &b, err) < 0 ? -1 : block_pread(b, buf, len, offset, err);
}

static int container_pwrite(struct block *block, const void *buf, size_t len,
			    uint64_t offset, struct error *err)
{
	struct block *b;

	return below(block, &b, err) < 0 ? -1 : block_pwrite(b, buf, len, offset, err);
}

static int container_flush(struct block *block, struct error *err)
{
	struct block *b;

	return below(block, &b, err) < 0 ? -1 : block_flush(b, err);
}

static int container_trim(struct block *block, uint64_t offset, uint64_t len,
			  struct error *err)
{
	struct block *b;

	return below(block, &b, err) < 0 ? -1 : block_trim(b, offset, len, err);
}

static int container_data(struct block *block, uint64_t offset, uint64_t *start,
			  uint64_t *end, struct error *err)
{
	struct block *b;

	return below(block, &b, err) < 0 ? -1 : block_data(b, offset, start, end, err);
}

static void container_close(struct block *block)
{
	block_close(((struct block_container *)block)->below);
}

static const struct block_ops container_ops = {
	.pread = container_pread,
	.pwrite = container_pwrite,
	.flush = container_flush,
	.trim = container_trim,
	.data = container_data,
	.close = container_close,
};

struct block *container_open(const struct container *container, bool write,
			     struct error *err)
{
	struct block_container *b;

	if (container->format == CONTAINER_NONE) {
		error_set(err, ERROR_FAILED, container->path, "is no disk image");
		error_remedy(err, "give an image of a disk or a volume");
		return NULL;
	}
	b = xcalloc(1, sizeof(*b));
	b->block = (struct block){&container_ops, xstrdup(container->path),
				  container->virtual_size, container->sector_size, write};
	b->container = container;
	b->below = open_below(container, write, err);
	if (b->below && stat(container->path, &b->seen) == 0)
		return &b->block;
	if (b->below)
		error_errno(err, container->path, "cannot examine");
	block_close(&b->block);
	return NULL;
}

static bool same_state(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	       a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

int container_reopen(struct block *block, bool write, struct error *err)
{
	struct block_container *b = (struct block_container *)block;
	const struct container *c = b->container;
	bool was_reading = !block->writable;
	bool died = b->below && !c->direct && !c->own_reader && nbd_died(b->below);
	struct stat now;

	block_close(b->below);
	b->below = NULL;
	block->writable = false;
	if (died && !was_reading && container_replay(c, err) < 0)
		return -1;
	b->below = open_below(c, write, err);
	if (!b->below) {
		b->below = write ? open_below(c, false, NULL) : NULL;
		return -1;
	}
	block->writable = write;
	if (stat(c->path, &now) < 0)
		return error_errno(err, c->path, "cannot examine");
	/* Between two openings nobody's locks were held. */
	if (was_reading && !same_state(&now, &b->seen)) {
		block->writable = false;
		error_set(err, ERROR_STATE, c->path,
			  "was changed by another program meanwhile");
		return error_remedy(err, "run the command again");
	}
	b->seen = now;
	return 0;
}
