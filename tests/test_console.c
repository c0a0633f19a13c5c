/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The presenter's parts: keys against what QEMU documents of them, the hot key, scaling
 * against a slow and plain reckoning, the panel's text, the choice of a mode, pointers,
 * the protocol with a server of the test's own.
 */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "console/console.h"
#include "console/font.h"
#include "console/mode.h"
#include "console/sandbox.h"
#include "console/status.h"
#include "fake_sysfs.h"

/* ---- keys ---- */

/* "# evdev 96 (0x60), QKeyCode "kp_enter", number 0x9c", made by QEMU's qemu-keymap. */
static void test_scan_codes(void **state _unused_)
{
	FILE *f = fopen("/usr/share/qemu/keymaps/en-us", "re");
	char line[256];
	unsigned seen = 0;

	if (!f) {
		print_message("QEMU's keymaps are not here\n");
		skip();
	}
	while (fgets(line, sizeof(line), f)) {
		unsigned code, number;

		if (sscanf(line, "# evdev %u (%*[^)]), QKeyCode \"%*[^\"]\", number %x",
			   &code, &number) != 2)
			continue;
		/* Switching off is init's, and what no PC keyboard has is left out. */
		if (!keys_scan_code(code)) {
			assert_true(code >= KEY_KPDOT);
			continue;
		}
		assert_int_equal(keys_scan_code(code), number);
		seen++;
	}
	(void)fclose(f);
	assert_true(seen > 110);
	assert_int_equal(keys_scan_code(KEY_POWER), 0);
	assert_int_equal(keys_scan_code(KEY_SLEEP), 0);
	assert_int_equal(keys_scan_code(KEY_RESERVED), 0);
	assert_int_equal(keys_scan_code(KEY_CNT - 1), 0);
	assert_int_equal(keys_scan_code(100000), 0);
}

struct stroke {
	unsigned code;
	int value;
	enum keys_action action;
};

static void type(const struct stroke *strokes, size_t count)
{
	struct keys k = {0};

	for (size_t i = 0; i < count; i++)
		if (keys_event(&k, strokes[i].code, strokes[i].value) !=
		    strokes[i].action)
			fail_msg("stroke %zu of key %u", i, strokes[i].code);
}
#define TYPE(...)                                  \
	type((const struct stroke[]){__VA_ARGS__}, \
	     sizeof((const struct stroke[]){__VA_ARGS__}) / sizeof(struct stroke))

static void test_hot_key(void **state _unused_)
{
	/* Both, in any order, once. */
	TYPE({KEY_LEFTCTRL, 1, KEYS_PASS}, {KEY_RIGHTCTRL, 1, KEYS_PASS},
	     {KEY_LEFTCTRL, 2, KEYS_PASS}, {KEY_LEFTCTRL, 0, KEYS_PASS_HOT},
	     {KEY_RIGHTCTRL, 0, KEYS_PASS}, {KEY_A, 1, KEYS_PASS}, {KEY_A, 0, KEYS_PASS});
	TYPE({KEY_RIGHTCTRL, 1, KEYS_PASS}, {KEY_LEFTCTRL, 1, KEYS_PASS},
	     {KEY_LEFTCTRL, 0, KEYS_PASS_HOT}, {KEY_RIGHTCTRL, 0, KEYS_PASS});
	/* Another key between, or one after the other: the guest's. */
	TYPE({KEY_LEFTCTRL, 1, KEYS_PASS}, {KEY_C, 1, KEYS_PASS}, {KEY_C, 0, KEYS_PASS},
	     {KEY_RIGHTCTRL, 1, KEYS_PASS}, {KEY_RIGHTCTRL, 0, KEYS_PASS},
	     {KEY_LEFTCTRL, 0, KEYS_PASS});
	TYPE({KEY_LEFTCTRL, 1, KEYS_PASS}, {KEY_LEFTCTRL, 0, KEYS_PASS},
	     {KEY_RIGHTCTRL, 1, KEYS_PASS}, {KEY_RIGHTCTRL, 0, KEYS_PASS});
	/* Keyboards with one Ctrl key; Esc never reaches the guest. */
	TYPE({KEY_LEFTCTRL, 1, KEYS_PASS}, {KEY_LEFTALT, 1, KEYS_PASS},
	     {KEY_ESC, 1, KEYS_HOT}, {KEY_ESC, 2, KEYS_NOTHING},
	     {KEY_ESC, 0, KEYS_NOTHING}, {KEY_ESC, 1, KEYS_HOT});
	TYPE({KEY_LEFTALT, 1, KEYS_PASS}, {KEY_ESC, 1, KEYS_PASS},
	     {KEY_ESC, 0, KEYS_PASS});
	/* With one guest there is nothing to switch to. */
	TYPE({KEY_LEFTCTRL, 1, KEYS_PASS}, {KEY_RIGHTCTRL, 1, KEYS_PASS},
	     {KEY_RIGHT, 1, KEYS_PASS}, {KEY_RIGHT, 0, KEYS_PASS},
	     {KEY_RIGHTCTRL, 0, KEYS_PASS}, {KEY_LEFTCTRL, 0, KEYS_PASS});
	/* Held since before the presenter was there; not on any keyboard. */
	TYPE({KEY_A, 0, KEYS_NOTHING}, {KEY_POWER, 1, KEYS_NOTHING},
	     {KEY_CNT, 1, KEYS_NOTHING}, {UINT32_MAX, 1, KEYS_NOTHING});
}

static void test_switch_keys(void **state _unused_)
{
	struct keys k = {.several = true};

	(void)keys_event(&k, KEY_RIGHTCTRL, 1);
	assert_int_equal(keys_event(&k, KEY_RIGHT, 1), KEYS_PASS);
	(void)keys_event(&k, KEY_RIGHT, 0);
	(void)keys_event(&k, KEY_LEFTCTRL, 1);
	assert_int_equal(keys_event(&k, KEY_RIGHT, 1), KEYS_SWITCH);
	assert_int_equal(keys_event(&k, KEY_RIGHT, 2), KEYS_NOTHING);
	assert_int_equal(keys_event(&k, KEY_RIGHT, 0), KEYS_NOTHING);
	assert_int_equal(keys_event(&k, KEY_8, 1), KEYS_SWITCH);
	assert_int_equal(keys_event(&k, KEY_9, 1), KEYS_PASS);
	/* No panel after it. */
	assert_int_equal(keys_event(&k, KEY_LEFTCTRL, 0), KEYS_PASS);
	assert_int_equal(keys_event(&k, KEY_RIGHTCTRL, 0), KEYS_PASS);
	assert_int_equal(keys_event(&k, KEY_1, 1), KEYS_PASS);
}

static void test_release(void **state _unused_)
{
	struct keys k = {0};

	(void)keys_event(&k, KEY_A, 1);
	(void)keys_event(&k, KEY_LEFTSHIFT, 1);
	(void)keys_event(&k, KEY_B, 1);
	(void)keys_event(&k, KEY_B, 0);
	assert_int_equal(keys_release(&k), KEY_A);
	assert_int_equal(keys_release(&k), KEY_LEFTSHIFT);
	assert_int_equal(keys_release(&k), -1);
}

/* ---- scaling ---- */

static void test_fit(void **state _unused_)
{
	struct fit f = fit_find(1024, 768, 1024, 768);
	int x = 1023, y = 767;

	assert_int_equal(f.factor, 1);
	fit_to_picture(&f, &x, &y);
	assert_true(x == 1023 && y == 767);
	f = fit_find(640, 480, 1920, 1080);
	assert_int_equal(f.factor, 0);
	assert_true(f.to.w == 1440 && f.to.h == 1080 && f.to.x == 240 && f.to.y == 0);
	f = fit_find(960, 540, 1920, 1080);
	assert_int_equal(f.factor, 2);
	f = fit_find(720, 400, 640, 480);
	assert_true(f.to.w == 640 && f.to.h == 356 && f.to.y == 62 && !f.factor);
	x = 0;
	y = 0; /* above the picture */
	fit_to_picture(&f, &x, &y);
	assert_true(x == 0 && y == 0);
	x = 639;
	y = 479;
	fit_to_picture(&f, &x, &y);
	assert_true(x == 718 && y == 399);
	/* As thin as it gets. */
	f = fit_find(8192, 1, 640, 480);
	assert_true(f.to.w == 640 && f.to.h == 1);
	f = fit_find(1, 8192, 640, 480);
	assert_true(f.to.w == 1 && f.to.h == 480);
}

static uint32_t noise(unsigned *seed)
{
	*seed = *seed * 1103515245 + 12345;
	return *seed >> 4 & 0xffffff;
}

static void fill_noise(struct surface *s, unsigned width, unsigned height, unsigned seed)
{
	surface_resize(s, width, height);
	for (size_t i = 0; i < (size_t)width * height; i++)
		s->pixels[i] = noise(&seed);
}

/* A channel of the picture at a point between pixels, beyond the edge that of the edge.
 */
static double sample(const struct surface *s, double x, double y, unsigned shift)
{
	double sum = 0;
	int x0 = (int)(x + 8) - 8, y0 = (int)(y + 8) - 8;

	for (int i = 0; i < 4; i++) {
		int px = x0 + i % 2, py = y0 + i / 2;
		double wx = i % 2 ? x - x0 : 1 - (x - x0);
		double wy = i / 2 ? y - y0 : 1 - (y - y0);

		px = px < 0 ? 0 : px < (int)s->width ? px : (int)s->width - 1;
		py = py < 0 ? 0 : py < (int)s->height ? py : (int)s->height - 1;
		sum += wx * wy * (*surface_at(s, px, py) >> shift & 0xff);
	}
	return sum;
}

static void check_scaled(unsigned w, unsigned h, unsigned sw, unsigned sh)
{
	struct surface picture = SURFACE_INIT, screen = SURFACE_INIT;
	struct fit f = fit_find(w, h, sw, sh);

	fill_noise(&picture, w, h, w * 31 + h);
	fill_noise(&screen, sw, sh, 1);
	fit_draw(&f, &picture, &screen, surface_rect(&screen));
	for (int y = 0; y < (int)sh; y++) {
		for (int x = 0; x < (int)sw; x++) {
			double px = (x - f.to.x + 0.5) * w / f.to.w - 0.5;
			double py = (y - f.to.y + 0.5) * h / f.to.h - 0.5;
			bool inside = x >= f.to.x && x < f.to.x + f.to.w && y >= f.to.y &&
				      y < f.to.y + f.to.h;
			uint32_t got = *surface_at(&screen, x, y);

			if (!inside) {
				assert_int_equal(got, 0);
				continue;
			}
			if (f.factor) {
				assert_int_equal(got,
						 *surface_at(&picture, (int)(px + 0.5),
							     (int)(py + 0.5)));
				continue;
			}
			for (unsigned shift = 0; shift < 24; shift += 8) {
				double want = sample(&picture, px, py, shift);
				int is = (int)(got >> shift & 0xff);

				if (is - want > 4 || want - is > 4)
					fail_msg("%ux%u on %ux%u, %d,%d: %d not %f", w, h,
						 sw, sh, x, y, is, want);
			}
		}
	}
	surface_free(&picture);
	surface_free(&screen);
}

static void test_scaling(void **state _unused_)
{
	check_scaled(64, 48, 64, 48);
	check_scaled(64, 48, 80, 80);
	check_scaled(40, 30, 120, 90);
	check_scaled(64, 48, 150, 100);
	check_scaled(72, 40, 64, 48);
	check_scaled(100, 70, 61, 53);
	check_scaled(1, 1, 33, 20);
	check_scaled(200, 1, 50, 50);
}

/* Only what changed is drawn, and the screen is the same as if all had been. */
static void test_damage(void **state _unused_)
{
	static const unsigned screens[][2] = {
		{160, 120}, {200, 130}, {320, 240}, {90, 80}};

	for (size_t i = 0; i < ARRAY_SIZE(screens); i++) {
		struct surface picture = SURFACE_INIT, a = SURFACE_INIT, b = SURFACE_INIT;
		struct fit f = fit_find(160, 120, screens[i][0], screens[i][1]);
		unsigned seed = 7;

		fill_noise(&picture, 160, 120, 3);
		surface_resize(&a, screens[i][0], screens[i][1]);
		surface_resize(&b, screens[i][0], screens[i][1]);
		fit_draw(&f, &picture, &a, surface_rect(&a));
		for (unsigned n = 0; n < 50; n++) {
			struct rect r = {(int)(noise(&seed) % 150),
					 (int)(noise(&seed) % 110),
					 1 + (int)(noise(&seed) % 10),
					 1 + (int)(noise(&seed) % 10)};

			surface_fill(&picture, r, noise(&seed));
			fit_draw(&f, &picture, &a, fit_to_screen(&f, r));
		}
		fit_draw(&f, &picture, &b, surface_rect(&b));
		assert_memory_equal(a.pixels, b.pixels,
				    (size_t)a.width * a.height * sizeof(*a.pixels));
		surface_free(&picture);
		surface_free(&a);
		surface_free(&b);
	}
}

static void test_damage_list(void **state _unused_)
{
	struct damage d = {.count = 0};

	damage_add(&d, (struct rect){0, 0, 0, 5});
	assert_int_equal(d.count, 0);
	damage_add(&d, (struct rect){10, 10, 20, 20});
	damage_add(&d, (struct rect){12, 12, 2, 2});
	assert_int_equal(d.count, 1);
	for (int i = 0; i < DAMAGE_MAX; i++)
		damage_add(&d, (struct rect){100 + 2 * i, 0, 1, 1});
	assert_int_equal(d.count, 1);
	assert_true(d.rects[0].x == 10 && d.rects[0].y == 0 && d.rects[0].h == 30 &&
		    d.rects[0].w == 100 + 2 * (DAMAGE_MAX - 1) + 1 - 10);
}

/* ---- panel ---- */

/* What is written in the panel, read back from its pixels by the font's own rows. */
static void read_back(const struct surface *s, int x, int y, int scale, char *ret,
		      int len)
{
	for (int i = 0; i < len; i++) {
		ret[i] = 0;
		for (char c = ' '; c <= '~' && !ret[i]; c++) {
			bool same = true;

			for (int row = 0; row < FONT_HEIGHT && same; row++)
				for (int bit = 0; bit < FONT_WIDTH && same; bit++)
					same = (*surface_at(s,
							    x + (i * FONT_WIDTH + bit) *
									    scale,
							    y + row * scale) !=
						0x1c2733) ==
					       (font_row(c, (unsigned)row) >> (7 - bit) &
						1);
			if (same)
				ret[i] = c;
		}
	}
	ret[len] = 0;
}

static void test_panel(void **state _unused_)
{
	static const char long_text[] =
		"0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 "
		"0123456789 tail of it";
	static const unsigned sizes[][2] = {{1024, 768}, {1920, 1080}};
	struct panel_lines lines = VEC_INIT;

	panel_add(&lines, PANEL_TITLE, "Mode {paravirtual} \xc3\xa9.");
	panel_add(&lines, PANEL_TEXT, long_text);
	panel_add(&lines, PANEL_TEXT, "");
	assert_int_equal(lines.len, 4);
	assert_string_equal(lines.items[2].text, "tail of it");
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct surface s = SURFACE_INIT;
		int scale = i ? 2 : 1;
		struct rect at;
		char text[32];

		surface_resize(&s, sizes[i][0], sizes[i][1]);
		at = panel_place(&lines, s.width, s.height);
		assert_int_equal(at.w, (PANEL_COLUMNS + 2) * 8 * scale);
		panel_draw(&lines, &s, surface_rect(&s));
		read_back(&s, at.x + 8 * scale, at.y + 8 * scale, scale, text, 22);
		assert_string_equal(text, "Mode {paravirtual} ??.");
		read_back(&s, at.x + 8 * scale, at.y + 8 * scale + 32 * scale, scale,
			  text, 10);
		assert_string_equal(text, "tail of it");
		/* Nothing beside it. */
		assert_int_equal(*surface_at(&s, at.x - 1, at.y), 0);
		assert_int_equal(*surface_at(&s, at.x, at.y + at.h), 0);
		surface_free(&s);
	}
	/* A screen that is far too small. */
	for (unsigned side = 1; side < 40; side += 13) {
		struct surface s = SURFACE_INIT;

		surface_resize(&s, side, side);
		panel_draw(&lines, &s, surface_rect(&s));
		assert_int_equal(*surface_at(&s, 0, 0), 0x1c2733);
		surface_free(&s);
	}
	for (int i = 0; i < 100; i++)
		panel_add(&lines, PANEL_TEXT, "x");
	assert_int_equal(lines.len, PANEL_MAX_LINES);
	panel_free(&lines);
}

static void test_font(void **state _unused_)
{
	for (char c = ' '; c <= '~'; c++)
		for (char d = ' '; d < c; d++) {
			unsigned same = 0;

			for (unsigned row = 0; row < FONT_HEIGHT; row++)
				same += font_row(c, row) == font_row(d, row);
			if (same == FONT_HEIGHT)
				fail_msg("%c looks like %c", c, d);
		}
	assert_int_equal(font_row('A', FONT_HEIGHT), 0);
}

static void put_file(const char *folder, const char *name, const char *text)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", folder, name);

	assert_int_equal(file_replace(path,
				      (struct bytes){(const uint8_t *)text, strlen(text)},
				      NULL),
			 0);
}

static bool has_line(const struct panel_lines *lines, const char *text)
{
	vec_foreach (line, lines)
		if (strcmp(line->text, text) == 0)
			return true;
	return false;
}

static void test_status(void **state _unused_)
{
	_cleanup_(temp_folder_removep) char *run = temp_folder_make(NULL, NULL);
	struct panel_lines lines = VEC_INIT;
	struct status_question q = {.root = "", .run = run, .log_lines = 3};

	/* Nothing is there. */
	status_read(&q, &lines);
	assert_true(lines.len >= 3);
	put_file(run, "log", "one\ntwo\nthree\nfour\n");
	put_file(run, "verdict.json",
		 "{\"mode\":\"hybrid\",\"pc\":{\"name\":\"Dell "
		 "X\"},\"profile\":{\"id\":\"p\"},"
		 "\"reasons\":[{\"severity\":\"note\",\"message\":\"n\"},"
		 "{\"severity\":\"warning\",\"message\":\"m\",\"remedy\":\"r\"},7]}");
	q.headline = "It is lost.";
	q.keys = "Esc: back";
	q.screen = "guest 1x1";
	status_read(&q, &lines);
	assert_true(has_line(&lines, "It is lost."));
	assert_true(has_line(&lines, "Mode      hybrid"));
	assert_true(has_line(&lines, "PC        Dell X (profile p)"));
	assert_true(has_line(&lines, "! m; r"));
	assert_false(has_line(&lines, "! n"));
	assert_true(has_line(&lines, "Screen    guest 1x1"));
	assert_true(has_line(&lines, "Esc: back"));
	assert_false(has_line(&lines, "one"));
	assert_true(has_line(&lines, "two"));
	assert_true(has_line(&lines, "four"));
	/* Whatever else may lie there. */
	put_file(run, "verdict.json", "[1,2");
	put_file(run, "log", "\n\n\n");
	status_read(&q, &lines);
	put_file(run, "verdict.json", "{\"mode\":1,\"pc\":[],\"reasons\":{}}");
	put_file(run, "log", "");
	status_read(&q, &lines);
	assert_true(has_line(&lines, "Esc: back"));
	panel_free(&lines);
}

static void test_status_devices(void **state _unused_)
{
	_cleanup_free_ char *root = fake_root();
	struct panel_lines lines = VEC_INIT;
	const struct status_question q = {.root = root, .run = root};

	fake_file(root, "sys/class/net/gild0/brif/eth0", "");
	fake_file(root, "sys/class/net/gild0/brif/gild-tap0", "");
	fake_file(root, "sys/class/net/eth0/device/vendor", "0x8086");
	fake_file(root, "sys/class/net/eth0/carrier", "1\n");
	fake_file(root, "sys/class/power_supply/BAT0/type", "Battery\n");
	fake_file(root, "sys/class/power_supply/BAT0/capacity", "71\n");
	fake_file(root, "sys/class/power_supply/BAT0/status", "Discharging\n");
	fake_file(root, "sys/class/power_supply/mouse/type", "Battery\n");
	fake_file(root, "sys/class/power_supply/mouse/capacity", "5\n");
	fake_file(root, "sys/class/power_supply/mouse/scope", "Device\n");
	fake_file(root, "sys/class/power_supply/AC/type", "Mains\n");
	status_read(&q, &lines);
	assert_true(has_line(&lines, "Network   the guest is on eth0"));
	assert_true(has_line(&lines, "Battery   71 %, Discharging"));
	assert_false(has_line(&lines, "Battery   5 %"));
	fake_file(root, "sys/class/net/eth0/carrier", "0\n");
	status_read(&q, &lines);
	assert_true(has_line(&lines, "Network   the guest is on eth0, no cable"));
	panel_free(&lines);
}

/* ---- modes ---- */

static void add_mode(struct connector *c, unsigned w, unsigned h, unsigned hz, bool best,
		     bool interlaced)
{
	vec_push(&c->modes, (struct mode){w, h, hz, best, interlaced});
}

static void test_modes(void **state _unused_)
{
	struct connectors list = VEC_INIT;
	struct mode_choice choice;
	struct connector panel = {.id = 5, .connected = true, .internal = true};
	struct connector monitor = {.id = 7, .connected = true};
	struct connector none = {.id = 3, .internal = true};

	assert_false(mode_choose(&list, 0, 0, 0, &choice));
	add_mode(&monitor, 3840, 2160, 30, true, false);
	add_mode(&monitor, 1920, 1080, 60, false, true);
	add_mode(&monitor, 1920, 1080, 60, false, false);
	add_mode(&monitor, 1920, 1080, 144, false, false);
	add_mode(&monitor, 1280, 1024, 24, false, false);
	add_mode(&monitor, 16384, 8192, 60, false, false);
	add_mode(&panel, 1366, 768, 60, true, false);
	vec_push(&list, none);
	vec_push(&list, monitor);
	vec_push(&list, panel);
	/* The notebook's own; after that, whichever it was. */
	assert_true(mode_choose(&list, 0, 1920, 1080, &choice));
	assert_true(choice.connector == 2 && choice.mode == 0);
	assert_true(mode_choose(&list, 7, 0, 0, &choice));
	assert_true(choice.connector == 1 && choice.mode == 0);
	/* The guest's size, not interlaced, not faster than the guest is. */
	assert_true(mode_choose(&list, 7, 1920, 1080, &choice));
	assert_true(choice.connector == 1 && choice.mode == 2);
	/* It would flicker. */
	assert_true(mode_choose(&list, 7, 1280, 1024, &choice));
	assert_true(choice.mode == 0);
	/* Pulled out. */
	list.items[1].connected = false;
	assert_true(mode_choose(&list, 7, 1920, 1080, &choice));
	assert_true(choice.connector == 2);
	list.items[2].connected = false;
	assert_false(mode_choose(&list, 7, 1920, 1080, &choice));
	connectors_free(&list);
}

/* ---- pointers ---- */

struct heard {
	int dx, dy;
	unsigned x, y, buttons, clicks, up, down, key;
};

static void hear_key(void *arg, unsigned code, int value)
{
	((struct heard *)arg)->key = value ? code : 0;
}

static void hear_move(void *arg, int dx, int dy, unsigned buttons)
{
	struct heard *h = arg;

	h->dx += dx;
	h->dy += dy;
	h->clicks += (buttons & 1) && !(h->buttons & 1);
	h->buttons = buttons;
}

static void hear_place(void *arg, unsigned x, unsigned y, unsigned buttons)
{
	struct heard *h = arg;

	h->x = x;
	h->y = y;
	h->clicks += (buttons & 1) && !(h->buttons & 1);
	h->buttons = buttons;
}

static void hear_wheel(void *arg, unsigned button)
{
	struct heard *h = arg;

	h->up += button == 8;
	h->down += button == 16;
}

static void event(struct input_device *d, struct heard *h, long ms, unsigned t,
		  unsigned code, int value)
{
	struct input_sink sink = {h, hear_key, hear_move, hear_place, hear_wheel};
	struct input_event e = {
		.type = (uint16_t)t, .code = (uint16_t)code, .value = value};

	e.input_event_sec = ms / 1000;
	e.input_event_usec = ms % 1000 * 1000;
	input_event(d, &e, &sink);
}

static void test_mouse(void **state _unused_)
{
	struct input_device d = {.fd = -1};
	struct heard h = {0};

	event(&d, &h, 0, EV_REL, REL_X, 5);
	event(&d, &h, 0, EV_REL, REL_Y, -7);
	event(&d, &h, 0, EV_KEY, BTN_LEFT, 1);
	event(&d, &h, 0, EV_SYN, SYN_REPORT, 0);
	assert_true(h.dx == 5 && h.dy == -7 && h.buttons == 1);
	event(&d, &h, 0, EV_REL, REL_WHEEL, -2);
	event(&d, &h, 0, EV_KEY, BTN_LEFT, 0);
	event(&d, &h, 0, EV_KEY, BTN_RIGHT, 1);
	event(&d, &h, 0, EV_SYN, SYN_REPORT, 0);
	assert_true(h.dx == 5 && h.down == 2 && h.up == 0 && h.buttons == 4);
	event(&d, &h, 0, EV_REL, REL_WHEEL, INT32_MAX);
	event(&d, &h, 0, EV_REL, REL_X, INT32_MIN);
	event(&d, &h, 0, EV_SYN, SYN_REPORT, 0);
	assert_true(h.up == 16);
	event(&d, &h, 0, EV_KEY, KEY_A, 1);
	assert_int_equal(h.key, KEY_A);
}

static void test_touch_screen(void **state _unused_)
{
	struct input_device d = {.fd = -1,
				 .kind = INPUT_SCREEN,
				 .x = {.most = 1000},
				 .y = {.least = -100, .most = 100}};
	struct heard h = {0};

	event(&d, &h, 0, EV_ABS, ABS_X, 500);
	event(&d, &h, 0, EV_ABS, ABS_Y, 100);
	event(&d, &h, 0, EV_KEY, BTN_TOUCH, 1);
	event(&d, &h, 0, EV_SYN, SYN_REPORT, 0);
	assert_true(h.x == 32767 && h.y == 65535 && h.buttons == 1);
	event(&d, &h, 0, EV_ABS, ABS_X, 99999);
	event(&d, &h, 0, EV_ABS, ABS_Y, INT32_MIN);
	event(&d, &h, 0, EV_KEY, BTN_TOUCH, 0);
	event(&d, &h, 0, EV_SYN, SYN_REPORT, 0);
	assert_true(h.x == 65535 && h.y == 0 && h.buttons == 0);
}

static void touch_at(struct input_device *d, struct heard *h, long ms, int x, int y,
		     int touching)
{
	event(d, h, ms, EV_ABS, ABS_X, x);
	event(d, h, ms, EV_ABS, ABS_Y, y);
	if (touching >= 0)
		event(d, h, ms, EV_KEY, BTN_TOUCH, touching);
	event(d, h, ms, EV_SYN, SYN_REPORT, 0);
}

static void test_touchpad(void **state _unused_)
{
	struct input_device d = {
		.fd = -1, .kind = INPUT_PAD, .x = {.most = 3000}, .y = {.most = 2000}};
	struct heard h = {0};

	/* Where the finger comes down does not matter; its way does. */
	touch_at(&d, &h, 0, 2000, 1000, 1);
	assert_true(h.dx == 0 && h.dy == 0);
	for (int i = 1; i <= 100; i++)
		touch_at(&d, &h, i * 10, 2000 - 15 * i, 1000, -1);
	assert_in_range(-h.dx, 590, 602);
	assert_int_equal(h.dy, 0);
	touch_at(&d, &h, 1010, 500, 1000, 0);
	assert_int_equal(h.clicks, 0);
	/* Short, and in one place. */
	touch_at(&d, &h, 2000, 700, 700, 1);
	touch_at(&d, &h, 2100, 702, 700, 0);
	assert_int_equal(h.clicks, 1);
	assert_int_equal(h.buttons, 0);
	/* Two fingers down the pad: the content follows. */
	event(&d, &h, 3000, EV_KEY, BTN_TOOL_DOUBLETAP, 1);
	touch_at(&d, &h, 3000, 700, 100, 1);
	h.dx = h.dy = 0;
	for (int i = 1; i <= 100; i++)
		touch_at(&d, &h, 3000 + i, 700, 100 + 10 * i, -1);
	assert_true(h.up >= 8 && h.up <= 12 && h.down == 0 && h.dx == 0 && h.dy == 0);
	event(&d, &h, 3150, EV_KEY, BTN_TOOL_DOUBLETAP, 0);
	touch_at(&d, &h, 3150, 700, 1100, 0);
	assert_int_equal(h.clicks, 1);
}

/* ---- the filter ---- */

/* 0: as the filter has it; else which of these it is not. */
static int try_calls(void)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	int fds[2], fd;

	if (pipe(fds) < 0 || sandbox_enter(&err) < 0)
		return 1;
	if (write(fds[1], "x", 1) != 1 || getpid() < 2)
		return 2;
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || close(fd) < 0)
		return 3;
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd < 0)
		return 4;
	if (socket(AF_INET, SOCK_STREAM, 0) >= 0 || errno != EACCES ||
	    socket(AF_PACKET, SOCK_RAW, 0) >= 0 || errno != EACCES)
		return 5;
	if (chroot("/") >= 0 || errno != ENOSYS || fork() >= 0 || errno != ENOSYS)
		return 6;
	return 0;
}

static void test_sandbox(void **state _unused_)
{
	char *argv[] = {(char *)"/bin/true", NULL};
	/* Which does not hand on what it does not know. */
	const char *preload = getenv("LD_PRELOAD");
	bool valgrind = preload && strstr(preload, "vgpreload");
	int status;

	for (int deadly = 0; deadly < (valgrind ? 2 : 3); deadly++) {
		pid_t pid = fork();

		if (pid == 0) {
			int result = try_calls();

			if (deadly == 1)
				(void)execv(argv[0], argv);
			/* What may be called, by its number of x32. */
			if (deadly == 2)
				(void)syscall(0x40000000 | SYS_getpid);
			_exit(result);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (deadly)
			assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
		else
			assert_int_equal(status, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scan_codes),
		cmocka_unit_test(test_hot_key),
		cmocka_unit_test(test_switch_keys),
		cmocka_unit_test(test_release),
		cmocka_unit_test(test_fit),
		cmocka_unit_test(test_scaling),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_damage_list),
		cmocka_unit_test(test_panel),
		cmocka_unit_test(test_font),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_status_devices),
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_mouse),
		cmocka_unit_test(test_touch_screen),
		cmocka_unit_test(test_touchpad),
		cmocka_unit_test(test_sandbox),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
