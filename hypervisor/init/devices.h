/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Devices of the PC that stay with the host and are the guests' all the same: network,
 * sound, USB by port, lid and brightness. One descriptor tells that something happened to
 * any of them, or to a disk; the supervisor's loop waits for it.
 */
#ifndef INIT_DEVICES_H
#define INIT_DEVICES_H

#include "init/lid.h"
#include "init/network.h"
#include "init/sound.h"
#include "init/usb.h"

/* The cable, as a guest's QEMU was told. */
enum devices_link {
	LINK_UNTOLD,
	LINK_UP,
	LINK_DOWN,
};
/* What of it one of the guests has. */
struct devices_guest {
	uid_t uid;		/* its QEMU's user */
	struct usb_wish usb;
	struct usb_plugs plugs;
	enum devices_link link;
	bool sound;		/* it has a card... */
	bool heard;		/* ...and that is the PC's */
};

struct devices {
	const char *root;	/* "" on a real PC */
	void (*say)(const char *line);
	dev_t images[NETWORK_MAX_GUESTS]; /* the guests', if these are disks; 0 */
	/* Loads drivers of devices that are new. */
	void (*load)(void *arg);
	void *load_arg;

	int fd;			/* for poll(): readable when there is something to do */
	int links, uevents, timer;
	bool console;
	struct devices_guest guests[NETWORK_MAX_GUESTS];
	size_t count;
	struct network network;
	bool network_started;
	struct sound_card sound;
	struct lid lid;
};
#define DEVICES_INIT                                                                      \
	{                                                                                 \
		.fd = -1, .links = -1, .uevents = -1, .timer = -1                         \
	}
/*
 * Before anything else: the words of all of them, so that a wrong one is an error at once.
 * These are the PC's, and the first guest's; sound and USB are its, unless another one's own
 * words say otherwise.
 */
int devices_configure(struct devices *devices, const struct options *options,
		      struct error *err);
/* One more guest: all its words, and those that are meant for no other. */
struct devices_words {
	const char *name;	/* of several; NULL: there is no other */
	uid_t uid;
	bool no_network;	/* it has no network card */
	const struct options *all, *own;
};
int devices_add_guest(struct devices *devices, const struct devices_words *words,
		      struct error *err);
/*
 * The network alone, before all else, where the host itself needs it. devices_start() goes on
 * from there, when all guests were added.
 */
int devices_start_network(struct devices *devices, const char *seed, struct error *err);
/*
 * Makes ready what QEMUs' command lines name. `seed` is what is this PC's own; `console`: the
 * host shows the guests.
 */
int devices_start(struct devices *devices, const char *seed, bool console,
		  struct error *err);
/* Fills a guest's side of it. */
void devices_fill(const struct devices *devices, size_t guest, struct vm_host *host);
/* In the QEMU process of that guest, before it drops its rights. */
void devices_in_child(const struct devices *devices, size_t guest);
/* Something happened: what came of it (enum supervise_news). `arg` is the devices. */
unsigned devices_turn(void *arg);
/* Brings a guest's QEMU up to date, which may be there anew. `arg` is the devices. */
void devices_tell(void *arg, size_t guest, struct qmp *qmp, bool anew);
void devices_end(struct devices *devices);

#endif
