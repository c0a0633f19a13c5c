/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where pictures go: a DRM device by dumb buffers (no graphics library is needed, every
 * KMS driver has them), the old frame buffer device, or memory.
 */
#ifndef CONSOLE_OUTPUT_H
#define CONSOLE_OUTPUT_H

#include "console/surface.h"

struct output;
struct output_ops {
	/* This part of a picture of the output's size is to be seen. */
	void (*put)(struct output *o, const struct surface *picture, struct rect part);
	/* All that was put since the last time. Or NULL. */
	void (*flush)(struct output *o);
	/*
	 * The guest's screen has this size, or screens came or went: chooses anew. True if
	 * the output's size or buffer changed, so that all of it must be put again. Or NULL.
	 */
	bool (*choose)(struct output *o, unsigned width, unsigned height);
	/* Dark or not. False where it cannot be made dark. Or NULL. */
	bool (*blank)(struct output *o, bool blank);
	void (*close)(struct output *o);
};
struct output {
	const struct output_ops *ops;
	const char *name;	/* "drm" */
	unsigned width, height;	/* 0: no screen is connected */
	const struct surface *shown;	/* what was put; NULL where it cannot be read */
};

/* device: NULL for the first that has a screen. */
struct output *output_drm(const char *device, struct error *err);
/* device: NULL for /dev/fb0. */
struct output *output_fbdev(const char *device, struct error *err);
struct output *output_memory(unsigned width, unsigned height);
void output_close(struct output *o);	/* NULL is fine */

/* How a frame buffer stores its pixels. */
struct pixel_format {
	unsigned bytes;		/* 2, 3 or 4 */
	struct {
		unsigned offset, length;
	} red, green, blue;
};
bool pixel_format_good(const struct pixel_format *f);
void pixel_pack(const struct pixel_format *f, const uint32_t *from, size_t count, uint8_t *to);

#endif
