/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A container as QEMU's block nodes: every driver and every file of the chain is named,
 * so that QEMU neither guesses a format nor follows a name that stands in a header.
 */
#include "base/text.h"
#include "block/container_private.h"

static void add_string(struct buffer *b, const char *s)
{
	buffer_append_string(b, "\"");
	for (; *s; s++) {
		if ((uint8_t)*s < 0x20)
			buffer_printf(b, "\\u%04x", *s);
		else if (*s == '"' || *s == '\\')
			buffer_printf(b, "\\%c", *s);
		else
			buffer_append(b, s, 1);
	}
	buffer_append_string(b, "\"");
}

static void add_file(struct buffer *b, const char *key, const char *path,
		     const char *driver)
{
	buffer_printf(b, ",\"%s\":{\"driver\":\"%s\",\"filename\":", key, driver);
	add_string(b, path);
	buffer_append_string(b, "}");
}

static void add_layer(struct buffer *b, const struct container_layers *layers, size_t i)
{
	static const char *const drivers[] = {
		[CONTAINER_RAW] = "raw",     [CONTAINER_DEVICE] = "raw",
		[CONTAINER_VHD] = "vpc",     [CONTAINER_VHDX] = "vhdx",
		[CONTAINER_QCOW2] = "qcow2", [CONTAINER_VMDK] = "vmdk",
	};
	const struct container_layer *layer = &layers->items[i];

	buffer_printf(b, "{\"driver\":\"%s\"",
		      layer->fixed ? "raw" : drivers[layer->format]);
	if (layer->fixed)
		buffer_printf(b, ",\"offset\":0,\"size\":%ju",
			      (uintmax_t)layer->virtual_size);
	else if (layer->format == CONTAINER_VHD)
		buffer_printf(b, ",\"force_size_calc\":\"%s\"",
			      layer->by_geometry ? "chs" : "current_size");
	add_file(b, "file", layer->path,
		 layer->format == CONTAINER_DEVICE ? "host_device" : "file");
	if (layer->data_file)
		add_file(b, "data-file", layer->data_file, "file");
	if (layer->format == CONTAINER_QCOW2 || layer->format == CONTAINER_VMDK) {
		buffer_append_string(b, ",\"backing\":");
		if (i + 1 == layers->len)
			buffer_append_string(b, "null");
		else
			add_layer(b, layers, i + 1); /* CONTAINER_MAX_DEPTH bounds it */
	}
	buffer_append_string(b, "}");
}

char *container_nodes(const struct container *container, struct error *err)
{
	struct buffer b = BUFFER_INIT;

	for (size_t i = 0; i < container->files.len; i++) {
		const char *path = container->files.items[i];

		if (utf8_valid(path, strlen(path)))
			continue;
		error_set(err, ERROR_FAILED, path,
			  "its name is no UTF-8, which QEMU's tools require");
		error_remedy(err, "rename the file or its folder");
		return NULL;
	}
	buffer_append_string(&b, "json:");
	add_layer(&b, &container->layers, 0);
	return buffer_steal_string(&b);
}
