/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A notebook's lid and its keys for sleep and brightness. The host never sleeps: a guest
 * that was put to sleep from below would wake with a wrong clock and dead connections.
 */
#ifndef INIT_LID_H
#define INIT_LID_H

#include "init/evdev.h"
#include "init/options.h"
#include "init/screen.h"

enum lid_wish {
	LID_BLANK,	/* the notebook's own screen goes dark */
	LID_OFF,	/* as if the power button was pressed */
	LID_IGNORE,
};
/* lid=blank|off|ignore */
int lid_read_wish(const struct options *options, enum lid_wish *ret, struct error *err);

struct lid {
	const char *root;	/* before /sys and /dev */
	void (*say)(const char *line);
	enum lid_wish wish;
	const struct screen *screen;	/* made dark where there is no backlight; or NULL */
	struct evdevs devices;	/* lids and keyboards */
};
/* Opens what has a lid switch or such keys, and acts on a lid that is closed already. */
void lid_open(struct lid *lid);
/* Reads what the device has to say. True if the PC shall be switched off. */
bool lid_read(struct lid *lid, int fd);
/* One event of it. True as above. */
bool lid_event(struct lid *lid, const struct input_event *event);
void lid_close(struct lid *lid);

#endif
