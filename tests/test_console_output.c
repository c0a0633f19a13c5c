/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Outputs against a kernel of the test's own: a frame buffer device that is a file, and a
 * DRM device with connectors, of which libdrm's functions are answered here.
 */
#include "test.h"

#include <drm_mode.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fb.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xf86drm.h>
#include <xf86drmMode.h>

#include "base/file.h"
#include "console/output.h"

/* ---- the frame buffer ---- */

static struct fb_var_screeninfo fake_var;
static struct fb_fix_screeninfo fake_fix;
static bool no_frame_buffer;
static size_t mapped; /* by the output, bytes */

int __wrap_ioctl(int fd, unsigned long request, void *arg);
void *__wrap_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset);
void *__real_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset);

int __wrap_ioctl(int fd _unused_, unsigned long request, void *arg)
{
	if (request == FBIOGET_VSCREENINFO && !no_frame_buffer) {
		*(struct fb_var_screeninfo *)arg = fake_var;
		return 0;
	}
	if (request == FBIOGET_FSCREENINFO && !no_frame_buffer) {
		*(struct fb_fix_screeninfo *)arg = fake_fix;
		return 0;
	}
	errno = ENOTTY;
	return -1;
}

void *__wrap_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset)
{
	mapped = len;
	return __real_mmap(at, len, protection, flags, fd, offset);
}

static void set_format(unsigned bits, unsigned red, unsigned rl, unsigned green,
		       unsigned gl, unsigned blue, unsigned bl)
{
	fake_var = (struct fb_var_screeninfo){.xres = 5,
					      .yres = 3,
					      .bits_per_pixel = bits,
					      .red = {red, rl, 0},
					      .green = {green, gl, 0},
					      .blue = {blue, bl, 0}};
	fake_fix = (struct fb_fix_screeninfo){.smem_len = 3 * 24, .line_length = 24};
}

static void put_pixel(const char *path, uint8_t ret[4])
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_buffer_ struct buffer file = BUFFER_INIT;
	struct surface s = SURFACE_INIT;
	struct output *o = output_fbdev(path, &err);
	unsigned bytes = fake_var.bits_per_pixel / 8;

	assert_non_null(o);
	assert_true(o->width == 5 && o->height == 3);
	surface_resize(&s, 5, 3);
	surface_fill(&s, surface_rect(&s), 0xff8040);
	o->ops->put(o, &s, (struct rect){2, 1, 1, 1});
	o->ops->put(o, &s, (struct rect){5, 3, 9, 9}); /* outside */
	output_close(o);
	surface_free(&s);
	assert_int_equal(file_read(path, 1000, &file, NULL), 0);
	memset(ret, 0, 4);
	memcpy(ret, file.data + 24 + (size_t)2 * bytes, bytes);
	/* This pixel and nothing else was written. */
	memset(file.data + 24 + (size_t)2 * bytes, 0, bytes);
	for (size_t i = 0; i < file.len; i++)
		assert_int_equal(file.data[i], 0);
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(truncate(path, 3 * 24), 0);
}

static void test_fbdev(void **state _unused_)
{
	_cleanup_(temp_folder_removep) char *folder = temp_folder_make(NULL, NULL);
	_cleanup_free_ char *path = xasprintf("%s/fb", folder);
	uint8_t pixel[4];

	closep(&(int){open(path, O_CREAT | O_WRONLY, 0600)});
	assert_int_equal(truncate(path, 3 * 24), 0);
	set_format(32, 16, 8, 8, 8, 0, 8);
	put_pixel(path, pixel);
	assert_memory_equal(pixel, "\x40\x80\xff\0", 4);
	set_format(32, 0, 8, 8, 8, 16, 8);
	put_pixel(path, pixel);
	assert_memory_equal(pixel, "\xff\x80\x40\0", 4);
	set_format(24, 16, 8, 8, 8, 0, 8);
	put_pixel(path, pixel);
	assert_memory_equal(pixel, "\x40\x80\xff", 3);
	/* 5-6-5: 31, 32, 8. */
	set_format(16, 11, 5, 5, 6, 0, 5);
	put_pixel(path, pixel);
	assert_int_equal(get_le16(pixel), 31 << 11 | 32 << 5 | 8);
	set_format(16, 10, 5, 5, 5, 0, 5);
	put_pixel(path, pixel);
	assert_int_equal(get_le16(pixel), 31 << 10 | 16 << 5 | 8);
}

static void refuse(const char *path)
{
	_cleanup_error_ struct error err = ERROR_INIT;

	mapped = 0;
	assert_null(output_fbdev(path, &err));
	assert_non_null(err.reason);
	assert_int_equal(mapped, 0);
}

static void test_odd_fbdev(void **state _unused_)
{
	set_format(8, 0, 8, 0, 8, 0, 8);
	refuse("/dev/null");
	set_format(32, 28, 8, 8, 8, 0, 8);
	refuse("/dev/null");
	set_format(32, 16, 0, 8, 8, 0, 8);
	refuse("/dev/null");
	set_format(32, 16, 8, 8, 8, 0, 8);
	fake_fix.line_length = 19;
	refuse("/dev/null");
	fake_fix.line_length = 25;
	refuse("/dev/null");
	set_format(32, 16, 8, 8, 8, 0, 8);
	fake_var.xres = 0;
	refuse("/dev/null");
	set_format(32, 16, 8, 8, 8, 0, 8);
	fake_fix.type = FB_TYPE_PLANES;
	refuse("/dev/null");
	no_frame_buffer = true;
	refuse("/dev/null");
	no_frame_buffer = false;
	refuse("/nonexistent/fb0");
}

/* ---- DRM ---- */

#define CRTC 40
static struct {
	char file[64]; /* the dumb buffer's memory */
	bool dumb, connected[2], dirty_wanted;
	unsigned buffers, framebuffers, width, height, stride;
	unsigned sets, dirties, clips, masters;
	drmModeClip clip;
	uint32_t shown_connector;
	drmModeModeInfo modes[2][2];
} drm;

int drmGetCap(int fd _unused_, uint64_t capability, uint64_t *value)
{
	assert_int_equal(capability, DRM_CAP_DUMB_BUFFER);
	*value = drm.dumb;
	return 0;
}

int drmDropMaster(int fd _unused_)
{
	drm.masters--;
	return 0;
}

drmModeResPtr drmModeGetResources(int fd _unused_)
{
	static uint32_t connectors[] = {10, 11}, crtcs[] = {CRTC, CRTC + 1};
	drmModeRes r = {.count_connectors = 2,
			.connectors = connectors,
			.count_crtcs = 2,
			.crtcs = crtcs};

	return xmemdup(&r, sizeof(r));
}

void drmModeFreeResources(drmModeResPtr p)
{
	free(p);
}

drmModeConnectorPtr drmModeGetConnector(int fd _unused_, uint32_t id)
{
	static uint32_t encoders[] = {20};
	unsigned n = id - 10;
	drmModeConnector c = {.connector_id = id,
			      .connector_type = n ? DRM_MODE_CONNECTOR_HDMIA
						  : DRM_MODE_CONNECTOR_eDP,
			      .connection = drm.connected[n] ? DRM_MODE_CONNECTED
							     : DRM_MODE_DISCONNECTED,
			      .count_modes = drm.connected[n] ? 2 : 0,
			      .modes = drm.modes[n],
			      .count_encoders = 1,
			      .encoders = encoders};

	return xmemdup(&c, sizeof(c));
}

void drmModeFreeConnector(drmModeConnectorPtr p)
{
	free(p);
}

drmModeEncoderPtr drmModeGetEncoder(int fd _unused_, uint32_t id)
{
	drmModeEncoder e = {.encoder_id = id, .possible_crtcs = 3};

	return xmemdup(&e, sizeof(e));
}

void drmModeFreeEncoder(drmModeEncoderPtr p)
{
	free(p);
}

drmModeCrtcPtr drmModeGetCrtc(int fd _unused_, uint32_t id)
{
	drmModeCrtc c = {.crtc_id = id, .buffer_id = 99};

	return xmemdup(&c, sizeof(c));
}

void drmModeFreeCrtc(drmModeCrtcPtr p)
{
	free(p);
}

int drmModeSetCrtc(int fd _unused_, uint32_t crtc, uint32_t buffer, uint32_t x _unused_,
		   uint32_t y _unused_, uint32_t *connectors, int count,
		   drmModeModeInfoPtr mode)
{
	assert_int_equal(crtc, CRTC);
	drm.shown_connector = count ? connectors[0] : 0;
	if (count && buffer != 99) {
		assert_int_equal(mode->hdisplay, drm.width);
		assert_int_equal(mode->vdisplay, drm.height);
		drm.sets++;
	}
	return 0;
}

int drmModeCreateDumbBuffer(int fd _unused_, uint32_t width, uint32_t height,
			    uint32_t bpp, uint32_t flags _unused_, uint32_t *handle,
			    uint32_t *pitch, uint64_t *size)
{
	assert_int_equal(bpp, 32);
	drm.width = width;
	drm.height = height;
	*handle = ++drm.buffers;
	*pitch = drm.stride ? drm.stride : width * 4 + 64;
	*size = (uint64_t)(width * 4 + 64) * height;
	assert_int_equal(truncate(drm.file, (off_t)*size), 0);
	return 0;
}

int drmModeDestroyDumbBuffer(int fd _unused_, uint32_t handle _unused_)
{
	drm.buffers--;
	return 0;
}

int drmModeMapDumbBuffer(int fd _unused_, uint32_t handle _unused_, uint64_t *offset)
{
	*offset = 0;
	return 0;
}

int drmModeAddFB(int fd _unused_, uint32_t width _unused_, uint32_t height _unused_,
		 uint8_t depth, uint8_t bpp _unused_, uint32_t pitch _unused_,
		 uint32_t handle _unused_, uint32_t *id)
{
	assert_int_equal(depth, 24);
	*id = ++drm.framebuffers;
	return 0;
}

int drmModeRmFB(int fd _unused_, uint32_t id _unused_)
{
	drm.framebuffers--;
	return 0;
}

int drmModeDirtyFB(int fd _unused_, uint32_t id _unused_, drmModeClipPtr clips,
		   uint32_t count)
{
	drm.dirties++;
	drm.clips = count;
	drm.clip = clips[0];
	return drm.dirty_wanted ? 0 : -ENOSYS;
}

static int set_up_drm(void **state _unused_)
{
	memset(&drm, 0, sizeof(drm));
	(void)snprintf(drm.file, sizeof(drm.file), "/tmp/gild-test-drm-XXXXXX");
	closep(&(int){mkstemp(drm.file)});
	drm.dumb = drm.connected[0] = drm.dirty_wanted = true;
	drm.masters = 1;
	for (unsigned n = 0; n < 2; n++) {
		drm.modes[n][0] = (drmModeModeInfo){.hdisplay = n ? 1920 : 1366,
						    .vdisplay = n ? 1080 : 768,
						    .vrefresh = 60,
						    .type = DRM_MODE_TYPE_PREFERRED};
		drm.modes[n][1] = (drmModeModeInfo){
			.hdisplay = 800, .vdisplay = 600, .vrefresh = 60};
	}
	return 0;
}

static int tear_down_drm(void **state _unused_)
{
	return unlink(drm.file);
}

static void test_drm(void **state _unused_)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_buffer_ struct buffer file = BUFFER_INIT;
	struct output *o = output_drm(drm.file, &err);
	struct surface s = SURFACE_INIT;

	assert_non_null(o);
	assert_true(o->width == 1366 && o->height == 768 && drm.shown_connector == 10);
	surface_resize(&s, 1366, 768);
	surface_fill(&s, surface_rect(&s), 0x123456);
	o->ops->put(o, &s, (struct rect){1365, 767, 1, 1});
	o->ops->flush(o);
	assert_true(drm.dirties == 1 && drm.clips == 1 && drm.clip.x1 == 1365 &&
		    drm.clip.y2 == 768);
	o->ops->flush(o); /* nothing new */
	assert_int_equal(drm.dirties, 1);
	assert_int_equal(file_read(drm.file, 8 << 20, &file, NULL), 0);
	assert_int_equal(get_le32(file.data + (size_t)767 * (1366 * 4 + 64) + 1365 * 4),
			 0x123456);
	assert_int_equal(get_le32(file.data), 0);
	/* The guest's size, where there is such a mode; not set again when it is set. */
	assert_true(o->ops->choose(o, 800, 600));
	assert_true(o->width == 800 && drm.sets == 2);
	assert_false(o->ops->choose(o, 800, 600));
	assert_int_equal(drm.sets, 2);
	assert_true(drm.buffers == 1 && drm.framebuffers == 1);
	/* A driver that wants no word of changes is not told twice. */
	drm.dirty_wanted = false;
	for (int i = 0; i < 3; i++) {
		o->ops->put(o, &s, (struct rect){0, 0, 2, 2});
		o->ops->flush(o);
	}
	assert_int_equal(drm.dirties, 2);
	output_close(o);
	assert_true(!drm.buffers && !drm.framebuffers && !drm.masters);
	surface_free(&s);
}

static void test_hot_plug(void **state _unused_)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct output *o = output_drm(drm.file, &err);
	struct surface s = SURFACE_INIT;

	/* A second screen changes nothing. */
	drm.connected[1] = true;
	assert_false(o->ops->choose(o, 0, 0));
	/* The first is pulled out, then both. */
	drm.connected[0] = false;
	assert_true(o->ops->choose(o, 0, 0));
	assert_true(o->width == 1920 && drm.shown_connector == 11);
	drm.connected[1] = false;
	assert_true(o->ops->choose(o, 0, 0));
	assert_true(o->width == 0 && drm.shown_connector == 0 && !drm.buffers);
	assert_false(o->ops->choose(o, 0, 0));
	surface_resize(&s, 8, 8);
	o->ops->put(o, &s, surface_rect(&s));
	o->ops->flush(o);
	drm.connected[0] = true;
	assert_true(o->ops->choose(o, 800, 600));
	assert_true(o->width == 800 && drm.shown_connector == 10);
	output_close(o);
	assert_true(!drm.buffers && !drm.framebuffers);
	surface_free(&s);
}

static void refuse_drm(const char *path, const char *why)
{
	_cleanup_error_ struct error err = ERROR_INIT;

	assert_null(output_drm(path, &err));
	assert_non_null(strstr(err.reason, why));
	assert_true(!drm.buffers && !drm.framebuffers);
}

static void test_no_drm(void **state _unused_)
{
	refuse_drm("/nonexistent/card0", "cannot be opened");
	drm.dumb = false;
	refuse_drm(drm.file, "dumb");
	drm.dumb = true;
	drm.connected[0] = false;
	refuse_drm(drm.file, "no screen");
	drm.connected[0] = true;
	/* Rows that reach beyond the buffer. */
	drm.stride = 1366 * 4 + 4096;
	refuse_drm(drm.file, "too small");
}

#define DRM_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_drm, tear_down_drm)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fbdev), cmocka_unit_test(test_odd_fbdev),
		DRM_TEST(test_drm),	      DRM_TEST(test_hot_plug),
		DRM_TEST(test_no_drm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
