/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "console/input.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/file.h"

#define PAD_PIXELS 1200 /* from one side of a touchpad to the other */
#define TAP_MS 200	/* a touch that is shorter, and */
#define TAP_TRAVEL 24	/* moves less (1024ths of the pad), is a click */
#define NOTCH_TRAVEL 48 /* two fingers so far are a notch of the wheel */
#define BITS(count) ((count) / 8 + 1)

/* ---- what events mean ---- */

static unsigned button_of(unsigned code)
{
	switch (code) {
	case BTN_LEFT:
		return 1;
	case BTN_MIDDLE:
		return 2;
	case BTN_RIGHT:
		return 4;
	}
	return 0;
}

static void report(struct input_device *d, const struct input_sink *sink)
{
	if (d->placed)
		sink->place(sink->arg, (unsigned)d->x.value, (unsigned)d->y.value,
			    d->buttons);
	else
		sink->move(sink->arg, d->dx, d->dy, d->buttons);
	d->dx = d->dy = 0;
}

static void notches(const struct input_sink *sink, int *count, unsigned forwards,
		    unsigned backwards)
{
	/* More than a screen at once is a fault of the device. */
	for (int i = 0; i < 16 && *count; i++) {
		sink->wheel(sink->arg, *count > 0 ? forwards : backwards);
		*count += *count > 0 ? -1 : 1;
	}
	*count = 0;
}

static int64_t time_of(const struct input_event *e)
{
	return (int64_t)e->input_event_sec * 1000 + (int64_t)e->input_event_usec / 1000;
}

static void touch(struct input_device *d, const struct input_event *e,
		  const struct input_sink *sink)
{
	d->touching = e->value != 0;
	if (d->kind == INPUT_SCREEN) {
		d->buttons = d->touching ? d->buttons | 1 : d->buttons & ~1u;
		d->placed = true;
		return;
	}
	if (d->touching) {
		d->touched = false;
		d->travelled = 0;
		d->touch_began = time_of(e);
	} else if (d->travelled < TAP_TRAVEL && time_of(e) - d->touch_began < TAP_MS) {
		sink->move(sink->arg, 0, 0, d->buttons | 1);
		sink->move(sink->arg, 0, 0, d->buttons);
	}
}

static void on_key(struct input_device *d, const struct input_event *e,
		   const struct input_sink *sink)
{
	unsigned button = button_of(e->code);

	if (button) {
		d->buttons = e->value ? d->buttons | button : d->buttons & ~button;
	} else if (e->code == BTN_TOUCH && d->kind != INPUT_PLAIN) {
		touch(d, e, sink);
	} else if (e->code == BTN_TOOL_DOUBLETAP) {
		d->two_fingers = e->value != 0;
		d->touched = false;
	} else if (e->code < BTN_MISC || e->code >= KEY_OK) {
		sink->key(sink->arg, e->code, e->value);
	}
}

static void on_movement(struct input_device *d, const struct input_event *e)
{
	int value = e->value;

	/* So that no sum overflows. */
	if (value < -USHRT_MAX)
		value = -USHRT_MAX;
	if (value > USHRT_MAX)
		value = USHRT_MAX;
	switch (e->code) {
	case REL_X:
		d->dx = value;
		break;
	case REL_Y:
		d->dy = value;
		break;
	case REL_WHEEL:
		d->wheel = value;
		break;
	case REL_HWHEEL:
		d->side_wheel = value;
		break;
	}
}

/* From what the device counts to 0 ... 65535. */
static int normal(const struct input_axis *axis, int value)
{
	int64_t range = (int64_t)axis->most - axis->least;
	int64_t n = range > 0 ? ((int64_t)value - axis->least) * 65535 / range : 0;

	return n < 0 ? 0 : n > 65535 ? 65535 : (int)n;
}

static void on_position(struct input_device *d, const struct input_event *e)
{
	struct input_axis *axis = e->code == ABS_X ? &d->x : &d->y;

	if ((e->code != ABS_X && e->code != ABS_Y) || d->kind == INPUT_PLAIN)
		return;
	axis->value = normal(axis, e->value);
	d->placed |= d->kind == INPUT_SCREEN;
}

/* The way since the last report in pixels; what is less than one is kept. */
static int pad_step(struct input_axis *axis, int *travelled)
{
	int way = axis->value - axis->last, pixels;

	axis->last = axis->value;
	*travelled += (way < 0 ? -way : way) / 64;
	axis->rest += way * 16;
	pixels = axis->rest * (PAD_PIXELS / 16) / 65535;
	axis->rest -= pixels * 65535 / (PAD_PIXELS / 16);
	return pixels;
}

static void pad_report(struct input_device *d)
{
	int notch = NOTCH_TRAVEL * PAD_PIXELS / 1024;

	if (!d->touching)
		return;
	if (!d->touched) {
		d->x.last = d->x.value;
		d->y.last = d->y.value;
		d->x.rest = d->y.rest = 0;
		d->touched = true;
	}
	if (d->two_fingers) {
		d->y.rest += d->y.value - d->y.last;
		d->y.last = d->y.value;
		d->travelled = TAP_TRAVEL;
		/* Content follows the fingers: down shows what is above. */
		d->wheel = d->y.rest / (65536 / PAD_PIXELS * notch);
		d->y.rest -= d->wheel * (65536 / PAD_PIXELS * notch);
		return;
	}
	d->dx = pad_step(&d->x, &d->travelled);
	d->dy = pad_step(&d->y, &d->travelled);
}

void input_event(struct input_device *d, const struct input_event *e,
		 const struct input_sink *sink)
{
	switch (e->type) {
	case EV_KEY:
		on_key(d, e, sink);
		break;
	case EV_REL:
		on_movement(d, e);
		break;
	case EV_ABS:
		on_position(d, e);
		break;
	case EV_SYN:
		if (d->kind == INPUT_PAD)
			pad_report(d);
		report(d, sink);
		notches(sink, &d->wheel, 8, 16);
		notches(sink, &d->side_wheel, 64, 32);
		d->placed = false;
		break;
	}
}

/* ---- devices ---- */

static bool has_bit(const uint8_t *bits, unsigned bit)
{
	return bits[bit / 8] >> (bit % 8) & 1;
}

static bool read_axis(int fd, unsigned code, struct input_axis *axis)
{
	struct input_absinfo info = {0};

	if (ioctl(fd, EVIOCGABS(code), &info) < 0)
		return false;
	axis->least = info.minimum;
	axis->most = info.maximum;
	axis->value = normal(axis, info.value);
	return true;
}

/* False for what is neither keyboard nor pointer: sensors, switches. */
static bool recognise(struct input_device *d)
{
	uint8_t types[BITS(EV_MAX)] = {0}, keys[BITS(KEY_MAX)] = {0};
	uint8_t axes[BITS(ABS_MAX)] = {0}, properties[BITS(INPUT_PROP_MAX)] = {0};

	if (ioctl(d->fd, EVIOCGBIT(0, sizeof(types)), types) < 0 ||
	    !has_bit(types, EV_KEY) ||
	    ioctl(d->fd, EVIOCGBIT(EV_KEY, sizeof(keys)), keys) < 0)
		return false;
	(void)ioctl(d->fd, EVIOCGBIT(EV_ABS, sizeof(axes)), axes);
	(void)ioctl(d->fd, EVIOCGPROP(sizeof(properties)), properties);
	d->kind = INPUT_PLAIN;
	if (!has_bit(axes, ABS_X) || !has_bit(axes, ABS_Y) ||
	    !(has_bit(keys, BTN_TOUCH) || has_bit(keys, BTN_LEFT)))
		return true;
	if (!read_axis(d->fd, ABS_X, &d->x) || !read_axis(d->fd, ABS_Y, &d->y))
		return true;
	d->kind = has_bit(properties, INPUT_PROP_POINTER) ||
				  (has_bit(keys, BTN_TOOL_FINGER) &&
				   !has_bit(properties, INPUT_PROP_DIRECT))
			  ? INPUT_PAD
			  : INPUT_SCREEN;
	return true;
}

static bool is_open(const struct input *input, const char *name)
{
	for (unsigned i = 0; i < input->count; i++)
		if (strcmp(input->devices[i].name, name) == 0)
			return true;
	return false;
}

static void open_device(struct input *input, const char *name)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", input->folder, name);
	struct input_device d = {.fd = -1};

	if (strncmp(name, "event", 5) != 0 || strlen(name) >= sizeof(d.name) ||
	    input->count == INPUT_MAX_DEVICES || is_open(input, name))
		return;
	/* For writing too: lights. */
	d.fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (d.fd < 0)
		return;
	if (!recognise(&d)) {
		close(d.fd);
		return;
	}
	memcpy(d.name, name, strlen(name) + 1);
	input->devices[input->count++] = d;
}

static void scan(struct input *input)
{
	_cleanup_(strings_free) struct strings names = VEC_INIT;

	(void)folder_list(input->folder, &names);
	vec_foreach (name, &names)
		open_device(input, *name);
}

void input_open(struct input *input, const char *folder)
{
	*input = (struct input){.folder = xstrdup(folder)};
	input->watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	/* Rights may be given after the name is there. */
	if (input->watch >= 0 &&
	    inotify_add_watch(input->watch, folder, IN_CREATE | IN_ATTRIB) < 0)
		closep(&input->watch);
	scan(input);
}

void input_add_stream(struct input *input, int fd)
{
	if (input->count < INPUT_MAX_DEVICES)
		input->devices[input->count++] = (struct input_device){.fd = fd};
	else
		close(fd);
}

void input_refresh(struct input *input)
{
	char events[4096];

	while (read(input->watch, events, sizeof(events)) > 0)
		;
	scan(input);
}

bool input_read(struct input *input, unsigned index, const struct input_sink *sink)
{
	struct input_device *d = &input->devices[index];
	struct input_event events[64];
	ssize_t n;

	/* The kernel gives whole events only; a pipe, as they were written. */
	while ((n = read(d->fd, events, sizeof(events))) > 0)
		for (size_t i = 0; i < (size_t)n / sizeof(*events); i++)
			input_event(d, &events[i], sink);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	close(d->fd);
	*d = input->devices[--input->count];
	return false;
}

void input_leds(const struct input *input, unsigned leds)
{
	const struct input_event events[] = {
		{.type = EV_LED, .code = LED_SCROLLL, .value = leds & 1},
		{.type = EV_LED, .code = LED_NUML, .value = leds >> 1 & 1},
		{.type = EV_LED, .code = LED_CAPSL, .value = leds >> 2 & 1},
		{.type = EV_SYN, .code = SYN_REPORT},
	};

	/* Devices without lights pass over them. */
	for (unsigned i = 0; i < input->count; i++)
		if (*input->devices[i].name)
			(void)!write(input->devices[i].fd, events, sizeof(events));
}

void input_close(struct input *input)
{
	for (unsigned i = 0; i < input->count; i++)
		close(input->devices[i].fd);
	input->count = 0;
	closep(&input->watch);
	free(input->folder);
	input->folder = NULL;
}
