/* SPDX-License-Identifier: GPL-3.0-or-later */
/* New containers from old ones, by qemu-img: overlays and full copies. */
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/progress.h"
#include "block/container_private.h"
#include "block/nbd.h"
#include "block/qemu.h"
#include "block/vhdx.h"

#define COPYING "copying the disk"
#define CHUNK ((size_t)1 << 20)
#define ZERO_BLOCK 4096

/* ---- overlays ---- */

/* The path of `to` as seen from the folder of `from`; both are absolute and resolved. */
static char *relative_path(const char *from, const char *to)
{
	struct buffer b = BUFFER_INIT;
	size_t common = 0;

	for (size_t i = 0; from[i] && from[i] == to[i]; i++)
		if (from[i] == '/')
			common = i + 1;
	for (const char *p = from + common; (p = strchr(p, '/')); p++)
		buffer_append_string(&b, "../");
	/* A colon in the first part would look like a protocol. */
	if (!b.len)
		buffer_append_string(&b, "./");
	buffer_append_string(&b, to + common);
	return buffer_steal_string(&b);
}

/* A file that may not exist yet: its folder is resolved. */
static char *resolve_new(const char *path, struct error *err)
{
	_cleanup_free_ char *folder = reference_folder(path);
	_cleanup_free_ char *resolved = realpath(folder, NULL);

	if (!resolved) {
		error_errno(err, folder, "cannot be found");
		return NULL;
	}
	return xasprintf("%s/%s", strcmp(resolved, "/") == 0 ? "" : resolved,
			 strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
}

static int check_base(const struct container *base, const char **format,
		      struct error *err)
{
	const struct container_layer *layer = base->layers.items;
	static const char *const names[] = {
		[CONTAINER_RAW] = "raw",     [CONTAINER_DEVICE] = "raw",
		[CONTAINER_VHD] = "vpc",     [CONTAINER_VHDX] = "vhdx",
		[CONTAINER_QCOW2] = "qcow2", [CONTAINER_VMDK] = "vmdk",
	};

	/* The overlay's size keeps a fixed VHD's footer out. */
	*format = layer && layer->fixed ? "raw" : names[base->format];
	if (base->format == CONTAINER_NONE)
		error_set(err, ERROR_FAILED, base->path, "is no disk image");
	else if (base->log_pending)
		error_set(err, ERROR_STATE, base->path,
			  "is a VHDX whose log was not replayed");
	else if (base->own_reader || base->format == CONTAINER_DEVICE)
		error_set(err, ERROR_FAILED, base->path,
			  "no overlay can be based on it: %s",
			  base->own_reader ? base->why_not : "it is a block device");
	else if (!layer->fixed && layer->qemu_size != layer->virtual_size)
		error_set(
			err, ERROR_FAILED, base->path,
			"no overlay can be based on it: QEMU takes it for %ju bytes, and "
			"it has %ju",
			(uintmax_t)layer->qemu_size, (uintmax_t)layer->virtual_size);
	else
		return 0;
	return error_remedy(err, "give --output a name that asks for a full copy (.vhdx, "
				 ".vhd, .raw)");
}

int container_make_overlay(const struct container *base, const char *overlay,
			   bool relative, struct error *err)
{
	_cleanup_free_ char *path = resolve_new(overlay, err), *backing = NULL,
			    *size = xasprintf("%ju", (uintmax_t)base->virtual_size);
	const char *format;

	if (!path || check_base(base, &format, err) < 0)
		return -1;
	backing = relative ? relative_path(path, base->layers.items[0].path)
			   : xstrdup(base->layers.items[0].path);

	char *argv[] = {(char *)"qemu-img",
			(char *)"create",
			(char *)"-q",
			(char *)"-f",
			(char *)"qcow2",
			(char *)"-u",
			(char *)"-b",
			backing,
			(char *)"-F",
			(char *)format,
			(char *)"--",
			path,
			size,
			NULL};

	return qemu_img_run(argv, overlay, NULL, err);
}

int container_overlay_extents(const struct container *overlay, struct block_extents *ret,
			      struct error *err)
{
	_cleanup_block_ struct block *block = NULL;
	_cleanup_free_ char *nodes = NULL;

	if (overlay->direct || overlay->own_reader)
		return error_set(err, ERROR_FAILED, overlay->path, "is no overlay");
	nodes = container_nodes(overlay, err);
	if (!nodes)
		return -1;
	block = nbd_open(nodes, overlay->path, overlay->sector_size, false, true, err);
	return block ? nbd_own_extents(block, ret, err) : -1;
}

/* ---- full copies ---- */

/* QEMU's driver and its options for the output; NULL with the error if there is none. */
static const char *output_options(const struct container *source,
				  const struct container_output *output, char **options,
				  struct error *err)
{
	const char *type = output->subtype;

	switch (output->format) {
	case CONTAINER_RAW:
		if (!type)
			return "raw";
		break;
	case CONTAINER_QCOW2:
		if (!type)
			return "qcow2";
		break;
	case CONTAINER_VHD:
		/* By force: the geometry that QEMU would round the size to is of no use.
		 */
		*options = xasprintf("subformat=%s,force_size=on", type ? type : "fixed");
		if (!type || strcmp(type, "fixed") == 0 || strcmp(type, "dynamic") == 0)
			return "vpc";
		break;
	case CONTAINER_VHDX:
		/* Blocks of a fixed one that are recorded as zeros would be made again.
		 */
		*options = xasprintf("subformat=%s,block_state_zero=%s,block_size=%ju",
				     type ? type : "dynamic",
				     type && strcmp(type, "fixed") == 0 ? "off" : "on",
				     (uintmax_t)vhdx_block_size(source->virtual_size));
		if (!type || strcmp(type, "fixed") == 0 || strcmp(type, "dynamic") == 0)
			return "vhdx";
		break;
	case CONTAINER_VMDK:
		/* Those of several files become one. */
		if (!type || strcmp(type, "streamOptimized") != 0)
			type = "monolithicSparse";
		*options = xasprintf("subformat=%s", type);
		return "vmdk";
	default:
		break;
	}
	error_set(err, ERROR_USAGE, NULL, "no image can be written as %s %s",
		  type ? type : "", container_format_name(output->format));
	error_remedy(err, "use raw, vhd (fixed, dynamic), vhdx, qcow2 or vmdk "
			  "(monolithicSparse, streamOptimized)");
	return NULL;
}

/* QEMU writes no VHD, VHDX or VMDK whose disk has sectors of 4096 bytes. */
static int check_sectors(const struct container *source, enum container_format format,
			 struct error *err)
{
	if (source->sector_size == 512 || format == CONTAINER_RAW ||
	    format == CONTAINER_QCOW2)
		return 0;
	error_set(err, ERROR_FAILED, source->path,
		  "has sectors of %u bytes, which a %s made here cannot have",
		  source->sector_size, container_format_name(format));
	return error_remedy(err,
			    "write a .raw or .qcow2, and give the machine a disk with "
			    "such sectors");
}

static int sync_file(const char *path, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return error_errno(err, path, "cannot sync");
	return file_sync_folder(path, err);
}

static int convert_nodes(const char *nodes, const char *path, const char *driver,
			 const char *options, struct error *err)
{
	char *argv[16];
	size_t n = 0;

	argv[n++] = (char *)"qemu-img";
	argv[n++] = (char *)"convert";
	argv[n++] = (char *)"-p";
	argv[n++] = (char *)"-O";
	argv[n++] = (char *)driver;
	if (options) {
		argv[n++] = (char *)"-o";
		argv[n++] = (char *)options;
	}
	argv[n++] = (char *)"--";
	argv[n++] = (char *)nodes;
	argv[n++] = (char *)path;
	argv[n] = NULL;
	return qemu_img_run(argv, path, COPYING, err);
}

/* What QEMU cannot read, as a sparse raw file. */
static int copy_raw(const struct container *source, const char *path, struct error *err)
{
	static const uint8_t zeros[ZERO_BLOCK];
	_cleanup_block_ struct block *block = container_open(source, false, err);
	_cleanup_close_ int fd = -1;
	_cleanup_free_ uint8_t *chunk = xmalloc(CHUNK);

	if (!block)
		return -1;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0 || ftruncate(fd, (off_t)block->size) < 0)
		return error_errno(err, path, "cannot make");
	for (uint64_t at = 0; at < block->size;) {
		size_t len =
			block->size - at < CHUNK ? (size_t)(block->size - at) : CHUNK;

		if (interrupted())
			return error_interrupted(err);
		progress_report(COPYING, at, block->size);
		if (block_pread(block, chunk, len, at, err) < 0)
			return -1;
		for (size_t i = 0; i < len; i += ZERO_BLOCK) {
			size_t n = len - i < ZERO_BLOCK ? len - i : ZERO_BLOCK;

			if (memcmp(chunk + i, zeros, n) == 0)
				continue;
			if (lseek(fd, (off_t)(at + i), SEEK_SET) < 0)
				return error_errno(err, path, "cannot write");
			if (file_write_all(fd, (struct bytes){chunk + i, n}, path, err) <
			    0)
				return -1;
		}
		at += len;
	}
	return 0;
}

/* By way of a raw copy beside the result. */
static int convert_differencing(const struct container *source, const char *path,
				const char *driver, const char *options,
				struct error *err)
{
	_cleanup_(temp_folder_removep) char *folder = NULL;
	_cleanup_free_ char *raw = NULL, *nodes = NULL;
	struct container_layer layer = {.format = CONTAINER_RAW};
	struct container copy = {0};

	if (strcmp(driver, "raw") == 0)
		return copy_raw(source, path, err);
	folder = temp_folder_make(path, err);
	if (!folder)
		return -1;
	raw = xasprintf("%s/disk.raw", folder);
	if (copy_raw(source, raw, err) < 0)
		return -1;
	layer.path = raw;
	copy.layers.items = &layer;
	copy.layers.len = 1;
	nodes = container_nodes(&copy, err);
	return nodes ? convert_nodes(nodes, path, driver, options, err) : -1;
}

int container_convert(const struct container *source, const char *path,
		      const struct container_output *output, struct error *err)
{
	_cleanup_free_ char *options = NULL, *nodes = NULL, *target = NULL;
	const char *driver = output_options(source, output, &options, err);
	int result;

	if (source->format == CONTAINER_NONE)
		return error_set(err, ERROR_FAILED, source->path, "is no disk image");
	if (!driver || check_sectors(source, output->format, err) < 0 ||
	    !(target = resolve_new(path, err)))
		return -1;
	if (source->own_reader) {
		result = convert_differencing(source, target, driver, options, err);
	} else {
		nodes = container_nodes(source, err);
		result = nodes ? convert_nodes(nodes, target, driver, options, err) : -1;
	}
	if (result < 0 || container_identify(target, output->format, err) < 0)
		return -1;
	return sync_file(target, err);
}
