/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * DRM: one dumb buffer, which the screen shows all the time. What changes is written into
 * it and named to the driver (DIRTYFB), which those need that copy (virtual ones, USB)
 * and the others pass over. Flipping between two buffers would cost a second copy of all
 * that changed, and a guest's screen tears by itself.
 */
#include <drm_fourcc.h>
#include <drm_mode.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xf86drm.h>
#include <xf86drmMode.h>

#include "base/file.h"
#include "console/mode.h"
#include "console/output.h"

#define MAX_CARDS 8

struct drm {
	struct output output;
	int fd;
	uint32_t connector, crtc; /* 0: none */
	uint32_t handle, framebuffer;
	uint8_t *map;
	uint64_t size;
	size_t stride;
	drmModeModeInfo mode;
	drmModeCrtc *before; /* what the CRTC showed, for the end */
	struct damage damage;
	bool no_dirty; /* the driver needs no DIRTYFB */
};

/* ---- the buffer ---- */

static void free_buffer(struct drm *d)
{
	if (d->map)
		(void)munmap(d->map, d->size);
	d->map = NULL;
	if (d->framebuffer)
		(void)drmModeRmFB(d->fd, d->framebuffer);
	if (d->handle)
		(void)drmModeDestroyDumbBuffer(d->fd, d->handle);
	d->framebuffer = d->handle = 0;
}

static int make_buffer(struct drm *d, unsigned width, unsigned height, struct error *err)
{
	uint32_t pitch;
	uint64_t offset;
	void *map;

	if (drmModeCreateDumbBuffer(d->fd, width, height, 32, 0, &d->handle, &pitch,
				    &d->size) < 0)
		return error_errno(err, "DRM", "no buffer of %ux%u", width, height);
	d->stride = pitch;
	if (d->stride < (size_t)width * 4 || d->size / d->stride < height)
		return error_set(err, ERROR_FAILED, "DRM", "the buffer is too small");
	if (drmModeAddFB(d->fd, width, height, 24, 32, pitch, d->handle,
			 &d->framebuffer) < 0 ||
	    drmModeMapDumbBuffer(d->fd, d->handle, &offset) < 0)
		return error_errno(err, "DRM", "the buffer cannot be shown");
	map = mmap(NULL, d->size, PROT_READ | PROT_WRITE, MAP_SHARED, d->fd,
		   (off_t)offset);
	if (map == MAP_FAILED)
		return error_errno(err, "DRM", "the buffer cannot be mapped");
	d->map = map;
	memset(d->map, 0, d->size);
	return 0;
}

/* ---- screens ---- */

static bool is_internal(uint32_t type)
{
	return type == DRM_MODE_CONNECTOR_LVDS || type == DRM_MODE_CONNECTOR_eDP ||
	       type == DRM_MODE_CONNECTOR_DSI;
}

static void add_connector(struct connectors *ret, const drmModeConnector *c)
{
	struct connector item = {.id = c->connector_id,
				 .connected = c->connection == DRM_MODE_CONNECTED,
				 .internal = is_internal(c->connector_type)};

	for (int i = 0; i < c->count_modes; i++) {
		const drmModeModeInfo *m = &c->modes[i];

		vec_push(&item.modes, (struct mode){m->hdisplay, m->vdisplay, m->vrefresh,
						    m->type & DRM_MODE_TYPE_PREFERRED,
						    m->flags & DRM_MODE_FLAG_INTERLACE});
	}
	vec_push(ret, item);
}

/* A CRTC that can drive the connector: the one that does, if there is one. */
static uint32_t find_crtc(int fd, const drmModeRes *res, const drmModeConnector *c)
{
	drmModeEncoder *e = c->encoder_id ? drmModeGetEncoder(fd, c->encoder_id) : NULL;
	uint32_t crtc = e ? e->crtc_id : 0;

	drmModeFreeEncoder(e);
	for (int i = 0; i < c->count_encoders && !crtc; i++) {
		e = drmModeGetEncoder(fd, c->encoders[i]);
		for (int k = 0; e && k < res->count_crtcs && k < 32 && !crtc; k++)
			if (e->possible_crtcs >> k & 1)
				crtc = res->crtcs[k];
		drmModeFreeEncoder(e);
	}
	return crtc;
}

/* The one that is to be shown, for the caller to free; NULL: no screen is connected. */
static drmModeConnector *find_screen(const struct drm *d, const drmModeRes *res,
				     unsigned width, unsigned height,
				     drmModeModeInfo *mode)
{
	struct connectors list = VEC_INIT;
	struct mode_choice choice;
	drmModeConnector *found = NULL;

	for (int i = 0; i < res->count_connectors; i++) {
		drmModeConnector *c = drmModeGetConnector(d->fd, res->connectors[i]);

		if (c)
			add_connector(&list, c);
		drmModeFreeConnector(c);
	}
	if (mode_choose(&list, d->connector, width, height, &choice))
		found = drmModeGetConnector(d->fd, list.items[choice.connector].id);
	connectors_free(&list);
	/* It is asked twice, and may have been pulled out between. */
	if (found && choice.mode < (size_t)found->count_modes) {
		*mode = found->modes[choice.mode];
		return found;
	}
	drmModeFreeConnector(found);
	return NULL;
}

static void go_dark(struct drm *d)
{
	if (d->crtc)
		(void)drmModeSetCrtc(d->fd, d->crtc, 0, 0, 0, NULL, 0, NULL);
	free_buffer(d);
	d->connector = d->crtc = 0;
	d->output.width = d->output.height = 0;
}

static int show(struct drm *d, const drmModeConnector *c, uint32_t crtc,
		drmModeModeInfo *mode, struct error *err)
{
	uint32_t id = c->connector_id;

	if (d->crtc && d->crtc != crtc)
		go_dark(d);
	free_buffer(d);
	if (!d->before)
		d->before = drmModeGetCrtc(d->fd, crtc);
	if (make_buffer(d, mode->hdisplay, mode->vdisplay, err) < 0)
		return -1;
	if (drmModeSetCrtc(d->fd, crtc, d->framebuffer, 0, 0, &id, 1, mode) < 0)
		return error_errno(err, "DRM", "the mode %ux%u cannot be set",
				   mode->hdisplay, mode->vdisplay);
	d->connector = id;
	d->crtc = crtc;
	d->mode = *mode;
	d->damage.count = 0;
	d->output.width = mode->hdisplay;
	d->output.height = mode->vdisplay;
	return 0;
}

static bool same_mode(const drmModeModeInfo *a, const drmModeModeInfo *b)
{
	return a->hdisplay == b->hdisplay && a->vdisplay == b->vdisplay &&
	       a->vrefresh == b->vrefresh;
}

/* 1: changed; 0: all as it was; -1: nothing can be shown. */
static int choose(struct drm *d, unsigned width, unsigned height, struct error *err)
{
	drmModeRes *res = drmModeGetResources(d->fd);
	drmModeConnector *c = NULL;
	drmModeModeInfo mode;
	int result = 1;

	if (!res)
		return error_errno(err, "DRM", "the device has no screens");
	c = find_screen(d, res, width, height, &mode);
	if (!c) {
		result = error_set(err, ERROR_FAILED, "DRM", "no screen is connected");
	} else if (d->map && c->connector_id == d->connector &&
		   same_mode(&mode, &d->mode)) {
		result = 0;
	} else {
		uint32_t crtc = find_crtc(d->fd, res, c);

		if (!crtc || show(d, c, crtc, &mode, err) < 0)
			result = -1;
	}
	if (result < 0)
		go_dark(d);
	drmModeFreeConnector(c);
	drmModeFreeResources(res);
	return result;
}

/* ---- the interface ---- */

static void drm_put(struct output *o, const struct surface *picture, struct rect part)
{
	struct drm *d = (struct drm *)o;
	struct rect r = rect_intersect(part, surface_rect(picture));

	if (!d->map || rect_empty(r))
		return;
	for (int y = r.y; y < r.y + r.h; y++)
		memcpy(d->map + (size_t)y * d->stride + (size_t)r.x * 4,
		       surface_at(picture, r.x, y), (size_t)r.w * 4);
	damage_add(&d->damage, r);
}

static void drm_flush(struct output *o)
{
	struct drm *d = (struct drm *)o;
	drmModeClip clips[DAMAGE_MAX];
	int result;

	for (unsigned i = 0; i < d->damage.count; i++) {
		struct rect r = d->damage.rects[i];

		clips[i] = (drmModeClip){(uint16_t)r.x, (uint16_t)r.y,
					 (uint16_t)(r.x + r.w), (uint16_t)(r.y + r.h)};
	}
	if (d->damage.count && d->framebuffer && !d->no_dirty) {
		result = drmModeDirtyFB(d->fd, d->framebuffer, clips, d->damage.count);
		d->no_dirty = result == -ENOSYS || result == -EINVAL;
	}
	d->damage.count = 0;
}

static bool drm_choose(struct output *o, unsigned width, unsigned height)
{
	struct drm *d = (struct drm *)o;
	bool shown = o->width > 0;
	int result = choose(d, width, height, NULL);

	return result > 0 || (result < 0 && shown);
}

/* The buffer stays: with the mode set again it is seen as it was. */
static bool drm_blank(struct output *o, bool blank)
{
	struct drm *d = (struct drm *)o;

	if (!d->crtc)
		return true;
	return (blank ? drmModeSetCrtc(d->fd, d->crtc, 0, 0, 0, NULL, 0, NULL)
		      : drmModeSetCrtc(d->fd, d->crtc, d->framebuffer, 0, 0,
				       &d->connector, 1, &d->mode)) == 0;
}

static void drm_close(struct output *o)
{
	struct drm *d = (struct drm *)o;
	drmModeCrtc *b = d->before;

	/* The kernel's own console comes back. */
	if (b && d->crtc && b->buffer_id)
		(void)drmModeSetCrtc(d->fd, b->crtc_id, b->buffer_id, b->x, b->y,
				     &d->connector, 1, &b->mode);
	drmModeFreeCrtc(b);
	free_buffer(d);
	if (d->fd >= 0)
		(void)drmDropMaster(d->fd);
	closep(&d->fd);
	free(d);
}

static const struct output_ops drm_ops = {.put = drm_put,
					  .flush = drm_flush,
					  .choose = drm_choose,
					  .blank = drm_blank,
					  .close = drm_close};

static struct output *open_card(const char *path, struct error *err)
{
	struct drm *d = xcalloc(1, sizeof(*d));
	uint64_t dumb = 0;

	d->output = (struct output){.ops = &drm_ops, .name = "drm"};
	d->fd = open(path, O_RDWR | O_CLOEXEC);
	if (d->fd < 0)
		(void)error_errno(err, path, "cannot be opened");
	else if (drmGetCap(d->fd, DRM_CAP_DUMB_BUFFER, &dumb) < 0 || !dumb)
		(void)error_set(err, ERROR_FAILED, path, "has no dumb buffers");
	else if (choose(d, 0, 0, err) >= 0)
		return &d->output;
	drm_close(&d->output);
	return NULL;
}

struct output *output_drm(const char *device, struct error *err)
{
	struct output *o = NULL;

	if (device)
		return open_card(device, err);
	for (unsigned i = 0; i < MAX_CARDS && !o; i++) {
		_cleanup_free_ char *path = xasprintf("/dev/dri/card%u", i);

		if (i == 0 || access(path, F_OK) == 0)
			o = open_card(path, err);
	}
	return o;
}
