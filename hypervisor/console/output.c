/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The frame buffer device and memory: output.h. */
#include "console/output.h"

#include <fcntl.h>
#include <linux/fb.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"

void output_close(struct output *o)
{
	if (o)
		o->ops->close(o);
}

/* ---- memory ---- */

struct memory {
	struct output output;
	struct surface shown;
};

static void memory_put(struct output *o, const struct surface *picture, struct rect part)
{
	struct memory *m = (struct memory *)o;
	struct rect r = rect_intersect(part, surface_rect(&m->shown));

	for (int y = r.y; y < r.y + r.h && r.w > 0; y++)
		memcpy(surface_at(&m->shown, r.x, y), surface_at(picture, r.x, y),
		       (size_t)r.w * sizeof(*picture->pixels));
}

static void memory_close(struct output *o)
{
	struct memory *m = (struct memory *)o;

	surface_free(&m->shown);
	free(m);
}

static const struct output_ops memory_ops = {.put = memory_put, .close = memory_close};

struct output *output_memory(unsigned width, unsigned height)
{
	struct memory *m = xcalloc(1, sizeof(*m));

	surface_resize(&m->shown, width, height);
	m->output = (struct output){&memory_ops, "memory", width, height, &m->shown};
	return &m->output;
}

/* ---- pixels ---- */

static bool field_good(unsigned offset, unsigned length, unsigned bytes)
{
	return length >= 1 && length <= 8 && offset + length <= bytes * 8;
}

bool pixel_format_good(const struct pixel_format *f)
{
	return f->bytes >= 2 && f->bytes <= 4 && f->red.offset < 32 &&
	       f->green.offset < 32 && f->blue.offset < 32 &&
	       field_good(f->red.offset, f->red.length, f->bytes) &&
	       field_good(f->green.offset, f->green.length, f->bytes) &&
	       field_good(f->blue.offset, f->blue.length, f->bytes);
}

void pixel_pack(const struct pixel_format *f, const uint32_t *from, size_t count,
		uint8_t *to)
{
	bool same = f->bytes == 4 && f->red.offset == 16 && f->green.offset == 8 &&
		    f->blue.offset == 0 && f->red.length == 8 && f->green.length == 8 &&
		    f->blue.length == 8 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;

	if (same) {
		memcpy(to, from, count * 4);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		uint32_t red = from[i] >> 16 & 0xff, green = from[i] >> 8 & 0xff;
		uint32_t blue = from[i] & 0xff;
		uint32_t pixel = red >> (8 - f->red.length) << f->red.offset |
				 green >> (8 - f->green.length) << f->green.offset |
				 blue >> (8 - f->blue.length) << f->blue.offset;

		for (unsigned b = 0; b < f->bytes; b++)
			*to++ = (uint8_t)(pixel >> (8 * b));
	}
}

/* ---- the frame buffer device (efifb, vesafb, simplefb) ---- */

struct fbdev {
	struct output output;
	int fd;
	uint8_t *map;
	size_t size, stride;
	struct pixel_format format;
};

static void fbdev_put(struct output *o, const struct surface *picture, struct rect part)
{
	struct fbdev *f = (struct fbdev *)o;
	struct rect r = rect_intersect(part, surface_rect(picture));

	for (int y = r.y; y < r.y + r.h; y++)
		pixel_pack(&f->format, surface_at(picture, r.x, y), (size_t)r.w,
			   f->map + (size_t)y * f->stride +
				   (size_t)r.x * f->format.bytes);
}

static void fbdev_close(struct output *o)
{
	struct fbdev *f = (struct fbdev *)o;

	if (f->map)
		(void)munmap(f->map, f->size);
	closep(&f->fd);
	free(f);
}

/* Firmware's frame buffers (efifb, vesafb) cannot. */
static bool fbdev_blank(struct output *o, bool blank)
{
	struct fbdev *f = (struct fbdev *)o;

	return ioctl(f->fd, FBIOBLANK, blank ? FB_BLANK_POWERDOWN : FB_BLANK_UNBLANK) ==
	       0;
}

static const struct output_ops fbdev_ops = {
	.put = fbdev_put, .blank = fbdev_blank, .close = fbdev_close};

/* What the driver says must agree with itself before memory is written by it. */
static int fbdev_map(struct fbdev *f, const char *device, struct error *err)
{
	struct fb_var_screeninfo var = {0};
	struct fb_fix_screeninfo fix = {0};

	if (ioctl(f->fd, FBIOGET_VSCREENINFO, &var) < 0 ||
	    ioctl(f->fd, FBIOGET_FSCREENINFO, &fix) < 0)
		return error_errno(err, device, "is no frame buffer");
	f->format = (struct pixel_format){
		.bytes = var.bits_per_pixel / 8,
		.red = {var.red.offset, var.red.length},
		.green = {var.green.offset, var.green.length},
		.blue = {var.blue.offset, var.blue.length},
	};
	f->stride = fix.line_length;
	f->size = fix.smem_len;
	f->output.width = var.xres;
	f->output.height = var.yres;
	if (fix.type != FB_TYPE_PACKED_PIXELS || !pixel_format_good(&f->format) ||
	    var.bits_per_pixel % 8 || !surface_size_good(var.xres, var.yres) ||
	    f->stride < (size_t)var.xres * f->format.bytes ||
	    f->size / f->stride < var.yres)
		return error_set(err, ERROR_FAILED, device,
				 "its form of %u bits a pixel is not known",
				 var.bits_per_pixel);
	/* A console that has scrolled shows another part. */
	var.xoffset = var.yoffset = 0;
	(void)ioctl(f->fd, FBIOPAN_DISPLAY, &var);
	f->map = mmap(NULL, f->size, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd, 0);
	if (f->map == MAP_FAILED) {
		f->map = NULL;
		return error_errno(err, device, "cannot be mapped");
	}
	return 0;
}

struct output *output_fbdev(const char *device, struct error *err)
{
	const char *path = device ? device : "/dev/fb0";
	struct fbdev *f = xcalloc(1, sizeof(*f));

	f->output = (struct output){.ops = &fbdev_ops, .name = "fbdev"};
	f->fd = open(path, O_RDWR | O_CLOEXEC);
	if (f->fd < 0)
		(void)error_errno(err, path, "cannot be opened");
	else if (fbdev_map(f, path, err) == 0)
		return &f->output;
	fbdev_close(&f->output);
	return NULL;
}
