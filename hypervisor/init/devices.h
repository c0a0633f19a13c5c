/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Devices of the PC that stay with the host and are the guest's all the same: network,
 * sound, USB by port, lid and brightness. One descriptor tells that something happened to
 * any of them; the supervisor's loop waits for it.
 */
#ifndef INIT_DEVICES_H
#define INIT_DEVICES_H

#include "init/lid.h"
#include "init/network.h"
#include "init/sound.h"
#include "init/usb.h"

struct devices {
	const char *root;	/* "" on a real PC */
	void (*say)(const char *line);
	uid_t uid;		/* QEMU's user */
	dev_t image;		/* the guest's image, if that is a disk; 0 */
	bool no_network;	/* the guest has no network card */
	/* Loads drivers of devices that are new. */
	void (*load)(void *arg);
	void *load_arg;

	int fd;			/* for poll(): readable when there is something to do */
	int links, uevents, timer;
	bool sound_wanted, console;
	struct network network;
	bool network_started;
	struct sound_card sound;
	struct usb_wish usb;
	struct usb_plugs plugs;
	struct lid lid;
};
#define DEVICES_INIT                                                                      \
	{                                                                                 \
		.fd = -1, .links = -1, .uevents = -1, .timer = -1                         \
	}
/* Before anything else: the words of all of them, so that a wrong one is an error at once. */
int devices_configure(struct devices *devices, const struct options *options,
		      struct error *err);
/*
 * The network alone, before all else, where the host itself needs it: devices_start() goes
 * on from there.
 */
int devices_start_network(struct devices *devices, const char *seed, struct error *err);
/*
 * Makes ready what QEMU's command line names, and fills the host's side of it. `seed` is
 * what is this PC's own; `console`: the host shows the guest.
 */
int devices_start(struct devices *devices, const char *seed, bool console,
		  struct vm_host *host, struct error *err);
/* In QEMU's process, before it drops its rights. `arg` is the devices. */
void devices_in_child(void *arg);
/*
 * Something happened, or QEMU is there (anew: `connected`). True if the PC shall be
 * switched off as by its button.
 */
bool devices_turn(void *arg, struct qmp *qmp, bool connected);
void devices_end(struct devices *devices);

#endif
