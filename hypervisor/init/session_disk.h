/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The guest's disk: where image and state lie, what is opened, what went wrong with it. */
#ifndef INIT_SESSION_DISK_H
#define INIT_SESSION_DISK_H

#include "init/medium.h"
#include "init/overlay.h"
#include "init/session.h"
#include "init/stream.h"

#define SESSION_STATE "/state"
#define SESSION_IMAGE_MOUNT SESSION_RUN "/image" /* file system with a golden image */

struct session_disk {
	char *state;		/* this image's folder for what is kept; NULL: there is none */
	bool persist;		/* the overlay is in it */
	char *overlay;
	char *memory;		/* tmpfs for an overlay that is not kept; or NULL */
	uint64_t reserved;	/* its bytes */
	struct overlay_golden golden;
	bool golden_device;	/* it is a block device */
	char *label;		/* the image, for messages: "win10 on sda3 (...)" */
	char *sealed;		/* device mapper's name of it, or NULL */
	struct stream stream;	/* of an image that comes from a server */
	char *disk;		/* the kernel's name of the disk that has it, or NULL */
	char *state_disk;	/* the same of the state */
};
void session_disk_free(struct session_disk *disk);

/*
 * Mounts media= and state= (or the partition of gild's own type), opens the image and
 * prepares its overlay, all of it readable for QEMU's user. A damaged image also becomes
 * the verdict's reason "image-damaged".
 */
int session_disk_open(struct session *session, struct session_disk *ret, struct error *err);
/* What a guest that QEMU stopped for its disk has met, and what to do. Caller's. */
char *session_disk_trouble(const struct session_disk *disk, bool no_space,
			   const char *reason);
/* True if a disk is gone that the guest cannot do without; `*ret`: the message, caller's. */
bool session_disk_lost(const struct session *session, const struct session_disk *disk,
		       char **ret);
/* True if there is room for the guest's writes. */
bool session_disk_space(const struct session_disk *disk);

/* True if a guest that was stopped since its server was away may go on. */
bool session_disk_is_back(const struct session_disk *disk);

/* Gives a file to QEMU's user. */
int session_hand_over(const char *path, unsigned mode, struct error *err);

#endif
