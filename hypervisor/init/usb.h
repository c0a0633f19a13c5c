/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * USB devices of the PC for the guest, by the port that they are plugged into. They are
 * handed to QEMU over QMP as they come and go; nobody opens one but QEMU, by its node below
 * /dev/bus/usb.
 */
#ifndef INIT_USB_H
#define INIT_USB_H

#include <sys/types.h>

#include "init/options.h"
#include "init/qmp.h"

#define USB_MAX_DEVICES 256
#define USB_NAME 32

struct usb_wish {
	bool all;		/* everything but what the host needs */
	struct strings ports;	/* "1-2", "2-1.4": bus and ports, as in sysfs */
};
/* usb=off|all-but-boot|PORT[,PORT...]. Free with usb_wish_free() also on error. */
int usb_read_wish(const struct options *options, struct usb_wish *ret, struct error *err);
void usb_wish_free(struct usb_wish *wish);
static inline bool usb_wanted(const struct usb_wish *wish)
{
	return wish->all || wish->ports.len;
}

struct usb_device {
	char name[USB_NAME];	/* its port: "1-2.3" */
	char peer[USB_NAME];	/* the other half of a USB 3 socket: "2-2.3"; or "" */
	unsigned bus, number;	/* /dev/bus/usb/001/005 */
	bool hub;
	bool input;		/* a keyboard or mouse */
	bool network, sound;	/* the host's driver has made a port, a card of it */
	char *label;		/* "SanDisk Ultra", or its IDs */
};
DEFINE_VEC(usb_devices, struct usb_device);
void usb_devices_free(struct usb_devices *devices);
/* In the order of their names. */
void usb_devices_read(const char *root, struct usb_devices *ret);

struct usb_question {
	const char *root;
	const char *guest;	/* its name, for messages; NULL: it is the only one */
	const struct usb_wish *wish;
	bool console;		/* the host shows the guest: it needs keyboard and mouse */
	bool networked;		/* the host has the network */
	bool sounding;		/* the host's sound card is one on USB */
	/* True if the host uses the disk with this node ("/dev/sdb1"); or NULL. */
	bool (*busy)(const char *node, void *arg);
	void *busy_arg;
	/* True if it is another guest's: not meant then. Or NULL. */
	bool (*taken)(const struct usb_device *device, void *arg);
	void *taken_arg;
};
/* Why it stays with the host ("it holds a disk that is in use"); NULL: the guest may have it. */
const char *usb_refusal(const struct usb_question *question, const struct usb_device *device);
/* True if the wish means this device at all. */
bool usb_is_meant(const struct usb_wish *wish, const struct usb_device *device);

/* ---- what the guest has ---- */

struct usb_plugged {
	char name[USB_NAME];
	unsigned number;
	bool refused;	/* said once */
};
DEFINE_VEC(usb_plugs, struct usb_plugged);
/*
 * Brings QEMU up to date: device_del for what is gone, device_add for what is new.
 * `plugs` is what it has; emptied by the caller when QEMU has started anew.
 */
void usb_update(const struct usb_question *question, struct usb_plugs *plugs, uid_t uid,
		struct qmp *qmp, void (*say)(const char *line));

#endif
