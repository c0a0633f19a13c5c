/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "init/lid.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/sysfs.h"

#define STEPS 10       /* from dark to bright */
#define POWER_ON "0"   /* linux/fb.h: FB_BLANK_UNBLANK */
#define POWER_DOWN "4" /* FB_BLANK_POWERDOWN */

int lid_read_wish(const struct options *o, enum lid_wish *ret, struct error *err)
{
	static const char *const words[] = {"blank", "off", "ignore"};
	const char *value = options_get(o, "lid");

	*ret = LID_BLANK;
	for (unsigned i = 0; value && i < ARRAY_SIZE(words); i++) {
		if (strcmp(value, words[i]) == 0) {
			*ret = (enum lid_wish)i;
			return 0;
		}
	}
	if (!value)
		return 0;
	error_set(err, ERROR_FAILED, "lid", "\"%s\" is not blank, off or ignore", value);
	return error_remedy(err, "docs/hypervisor.md has the keys");
}

/* ---- the notebook's screen ---- */

/* All of them: where firmware and driver both have one, only one does anything. */
static unsigned set_power(const struct lid *l, const char *power)
{
	_cleanup_(strings_free) struct strings names = VEC_INIT;
	unsigned set = 0;

	sysfs_list(l->root, "class/backlight", &names);
	vec_foreach (name, &names) {
		_cleanup_free_ char *path =
			xasprintf("class/backlight/%s/bl_power", *name);

		set += sysfs_write(l->root, path, power, NULL) == 0;
	}
	return set;
}

static unsigned long read_number(const struct lid *l, const char *name, const char *key)
{
	_cleanup_free_ char *path = xasprintf("class/backlight/%s/%s", name, key);
	_cleanup_free_ char *text = sysfs_text(l->root, path);

	return text ? strtoul(text, NULL, 10) : 0;
}

/* The kernel's advice (ABI/stable/sysfs-class-backlight): firmware, then platform, then
 * raw. */
static const char *choose_backlight(const struct lid *l, const struct strings *names)
{
	static const char *const types[] = {"firmware", "platform", "raw"};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		vec_foreach (name, names) {
			_cleanup_free_ char *path =
				xasprintf("class/backlight/%s/type", *name);
			_cleanup_free_ char *type = sysfs_text(l->root, path);

			if (type && strcmp(type, types[i]) == 0)
				return *name;
		}
	}
	return NULL;
}

/* Never to nothing: who sees nothing does not find the key that makes it brighter. */
static void change_brightness(const struct lid *l, bool up)
{
	_cleanup_(strings_free) struct strings names = VEC_INIT;
	_cleanup_free_ char *path = NULL, *text = NULL;
	unsigned long most, now, step, least;
	const char *name;

	sysfs_list(l->root, "class/backlight", &names);
	name = choose_backlight(l, &names);
	if (!name)
		return;
	most = read_number(l, name, "max_brightness");
	now = read_number(l, name, "brightness");
	step = most / STEPS ? most / STEPS : 1;
	least = step / 2 ? step / 2 : 1;
	if (up)
		now = now + step < most ? now + step : most;
	else
		now = now > least + step ? now - step : least;
	path = xasprintf("class/backlight/%s/brightness", name);
	text = xasprintf("%lu", now);
	(void)sysfs_write(l->root, path, text, NULL);
}

/* ---- events ---- */

static bool on_lid(const struct lid *l, bool closed)
{
	bool shown = l->screen && l->screen->pid > 0, dark;

	if (l->wish == LID_IGNORE)
		return false;
	if (l->wish == LID_OFF) {
		if (closed)
			l->say("the lid is closed: the PC is switched off");
		return closed;
	}
	dark = set_power(l, closed ? POWER_DOWN : POWER_ON) > 0;
	if (!dark && shown)
		screen_blank(l->screen, closed);
	if (dark || shown)
		l->say(closed ? "the lid is closed: its screen is dark, the guest runs on"
			      : "the lid is open");
	return false;
}

bool lid_event(struct lid *l, const struct input_event *e)
{
	if (e->type == EV_SW && e->code == SW_LID)
		return on_lid(l, e->value != 0);
	/* Brightness repeats while the key is down, sleep is asked for once. */
	if (e->type != EV_KEY || !e->value)
		return false;
	switch (e->code) {
	case KEY_SLEEP:
	case KEY_SUSPEND:
		if (e->value == 1)
			l->say("the PC does not sleep: close the lid, or shut the guest "
			       "down");
		break;
	case KEY_BRIGHTNESSUP:
	case KEY_BRIGHTNESSDOWN:
		change_brightness(l, e->code == KEY_BRIGHTNESSUP);
		break;
	default:
		break;
	}
	return false;
}

bool lid_read(struct lid *l, int fd)
{
	struct input_event event;
	bool off = false;

	/* The kernel gives whole events only. */
	while (read(fd, &event, sizeof(event)) == (ssize_t)sizeof(event))
		off |= lid_event(l, &event);
	return off;
}

/* ---- devices ---- */

static bool is_closed(int fd)
{
	uint8_t switches[SW_MAX / 8 + 1] = {0};

	return ioctl(fd, EVIOCGSW(sizeof(switches)), switches) >= 0 &&
	       (switches[SW_LID / 8] >> (SW_LID % 8) & 1);
}

void lid_open(struct lid *l)
{
	static const struct evdev_code codes[] = {{EV_SW, SW_LID},
						  {EV_KEY, KEY_SLEEP},
						  {EV_KEY, KEY_SUSPEND},
						  {EV_KEY, KEY_BRIGHTNESSUP},
						  {EV_KEY, KEY_BRIGHTNESSDOWN}};
	bool closed = false;

	/* Else the kernel does the steps, too. */
	(void)sysfs_write(l->root, "module/video/parameters/brightness_switch_enabled",
			  "0", NULL);
	evdev_open(l->root, codes, ARRAY_SIZE(codes), &l->devices);
	vec_foreach (fd, &l->devices)
		closed |= is_closed(*fd);
	/* With another screen and the lid closed one works, too: nothing is switched off.
	 */
	if (closed && l->wish == LID_BLANK)
		(void)on_lid(l, true);
}

void lid_close(struct lid *l)
{
	evdev_close(&l->devices);
}
