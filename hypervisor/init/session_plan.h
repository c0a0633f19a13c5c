/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What session_run.c makes ready of each guest: folders, disk, firmware, TPM, QEMU's command
 * line. Which guests there are, and what they get, session_judge() has said.
 */
#ifndef INIT_SESSION_PLAN_H
#define INIT_SESSION_PLAN_H

#include "init/devices.h"
#include "init/session_disk.h"
#include "init/supervise.h"

struct plan {
	struct plans *all;
	const struct guest *guest;
	struct vm_share *share;	/* of memory */
	size_t number;		/* among those that are started */
	uid_t uid;		/* its QEMU's user */
	char *folder, *vm, *vnc, *qmp, *echo;	/* paths: session.h */
	char *vars, *tpm, *msdm, *slic;
	struct session_disk disk;
	struct vm_host host;
	struct strings argv;
	struct supervise_times times;
	const char *state;	/* as the supervisor has it */
};
struct plans {
	struct session *session;
	struct plan items[SESSION_MAX_GUESTS];
	size_t count;
	uint64_t overlay;	/* bytes of each overlay in memory */
	struct session_state state;
	struct devices devices;
};
void plans_free(struct plans *plans);
/* One for each guest that fits. */
void plans_add(struct plans *plans);
/* Takes those out that fit no more; session_judge() was asked again. */
void plans_drop(struct plans *plans);

/*
 * Folders, disks, firmware, what devices each has. One of several whose disk cannot be had is
 * left out, and the verdict says why.
 */
int plans_open(struct plans *plans, struct error *err);
/* QEMU's command line; the devices are there. */
int plan_argv(struct plans *plans, size_t number, struct error *err);
/* For the supervisor; the plan stays where it is. */
struct supervise_guest plan_guest(struct plan *plan);

#endif
