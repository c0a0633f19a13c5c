/* SPDX-License-Identifier: GPL-3.0-or-later */
/* New containers from old ones, by qemu-img: overlays and full copies. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/progress.h"
#include "block/container_private.h"
#include "block/nbd.h"
#include "block/qemu.h"

/* ---- running qemu-img ---- */

/* Its progress is "    (12.34/100%)\r"; the last whole figure of a piece counts. */
static void take_progress(const char *step, char *text)
{
	char *end = strstr(text, "/100%");

	for (char *next = end; next; next = strstr(end + 1, "/100%"))
		end = next;
	if (!end)
		return;
	while (end > text && end[-1] != '(')
		end--;
	progress_report(step, (uint64_t)(strtod(end, NULL) * 100), 10000);
}

/* Reads what it prints until it ends; a signal to gild ends it. */
static int follow(struct qemu_process *process, int fd, const char *step,
		  struct error *err)
{
	char text[256];

	for (;;) {
		struct pollfd p = {fd, POLLIN, 0};
		ssize_t n;

		if (interrupted())
			return error_interrupted(err);
		if (poll(&p, 1, 1000) < 0 && errno != EINTR)
			return error_errno(err, process->program, "cannot follow it");
		if (!(p.revents & (POLLIN | POLLHUP)))
			continue;
		n = read(fd, text, sizeof(text) - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return 0;
		text[n] = '\0';
		if (step)
			take_progress(step, text);
	}
}

/* `step` is what progress calls it, NULL if it is over at once. */
static int run_qemu_img(char *const argv[], const char *subject, const char *step,
			struct error *err)
{
	struct qemu_process process;
	int output[2], result;

	if (pipe2(output, O_CLOEXEC) < 0)
		return error_errno(err, subject, "cannot start qemu-img");
	result = qemu_start(&process, argv, -1, output[1], err);
	close(output[1]);
	if (result == 0) {
		result = follow(&process, output[0], step, err);
		if (result == 0) {
			qemu_wait(&process, -1);
			result = qemu_result(&process, subject, err);
		}
		qemu_end(&process);
	}
	close(output[0]);
	return result;
}

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
	const struct container_layer *layer = &base->layers.items[0];
	static const char *const names[] = {
		[CONTAINER_RAW] = "raw",     [CONTAINER_DEVICE] = "raw",
		[CONTAINER_VHD] = "vpc",     [CONTAINER_VHDX] = "vhdx",
		[CONTAINER_QCOW2] = "qcow2", [CONTAINER_VMDK] = "vmdk",
	};

	/* The overlay's size keeps a fixed VHD's footer out. */
	*format = layer->fixed ? "raw" : names[base->format];
	if (base->log_pending)
		error_set(err, ERROR_STATE, base->path,
			  "is a VHDX whose log was not replayed");
	else if (base->differencing || base->format == CONTAINER_DEVICE)
		error_set(err, ERROR_FAILED, base->path,
			  "no overlay can be based on a %s: QEMU would not open it",
			  base->differencing ? "differencing disk" : "block device");
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

	return run_qemu_img(argv, overlay, NULL, err);
}

int container_overlay_extents(const struct container *overlay, struct block_extents *ret,
			      struct error *err)
{
	_cleanup_block_ struct block *block = NULL;
	_cleanup_free_ char *nodes = NULL;

	if (overlay->direct || overlay->differencing)
		return error_set(err, ERROR_FAILED, overlay->path, "is no overlay");
	nodes = container_nodes(overlay, err);
	if (!nodes)
		return -1;
	block = nbd_open(nodes, overlay->path, overlay->sector_size, false, true, err);
	return block ? nbd_own_extents(block, ret, err) : -1;
}

/* ---- full copies ---- */

/* Of a dynamic VHDX: as small as its table of blocks, 8 bytes each, stays below 16 MiB.
 */
static uint64_t vhdx_block_size(uint64_t size)
{
	uint64_t block = (uint64_t)1 << 20;

	while (size / block > ((uint64_t)2 << 20))
		block *= 2;
	return block;
}

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
		*options = xasprintf("subformat=%s", type ? type : "monolithicSparse");
		if (!type || strcmp(type, "monolithicSparse") == 0 ||
		    strcmp(type, "streamOptimized") == 0)
			return "vmdk";
		break;
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
	return run_qemu_img(argv, path, "copying the disk", err);
}

int container_convert(const struct container *source, const char *path,
		      const struct container_output *output, struct error *err)
{
	_cleanup_free_ char *options = NULL, *nodes = NULL, *target = NULL;
	const char *driver = output_options(source, output, &options, err);

	if (!driver || check_sectors(source, output->format, err) < 0 ||
	    !(target = resolve_new(path, err)))
		return -1;
	nodes = container_nodes(source, err);
	if (!nodes || convert_nodes(nodes, target, driver, options, err) < 0)
		return -1;
	return sync_file(target, err);
}
