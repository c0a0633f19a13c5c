/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One start of the PC: from what init is told and finds to QEMU's end. main.c is PID 1
 * around it; the verdict alone can be had on any machine.
 */
#ifndef INIT_SESSION_H
#define INIT_SESSION_H

#include "init/coldplug.h"
#include "init/native.h"
#include "init/power.h"
#include "init/verdict.h"

#define SESSION_RUN "/run/gild"			/* init's: log, verdict, copies for QEMU */
#define SESSION_VM SESSION_RUN "/vm"		/* QEMU's: nothing in it is trusted */
#define SESSION_SCREEN SESSION_RUN "/screen"	/* QEMU's, and its socket the presenter's */
#define SESSION_VNC SESSION_SCREEN "/vnc"
#define SESSION_QEMU_ID 990 /* user and group of QEMU: nobody else's in the image */
#define SESSION_CONFIG "/etc/gild/init.conf"
#define SESSION_PROFILES "/etc/gild/profiles"	/* compiled */

/* What becomes of a PC on which no virtual machine can run: no_kvm=. */
enum session_policy {
	SESSION_ASK,	/* the start on the PC itself is offered on the screen */
	SESSION_NATIVE,	/* it happens */
	SESSION_STOP,
};

struct session {
	const char *root;	/* before every path of hardware; "" on a real PC */
	void (*say)(const char *line);	/* for the screen and the log; no line end */
	struct options options;
	struct options facts;	/* of the first stage (root.h); none: there was none */
	char *image_name;	/* of several (images.h), or NULL */
	struct coldplug coldplug;
	struct profiles profiles;
	struct profile_scores scores;
	struct strings kernel_arguments;
	struct machine machine;
	struct vm_image image;
	struct verdict verdict;
	struct verdict_question question;
	enum session_policy no_kvm;
	bool marked;		/* session_came_up() */
	struct native native;	/* the Windows on a disk of the PC, if one was looked for */
	struct strings kept;	/* PCI addresses that stay with the host (keep=) */
	struct strings spared;	/* those that no driver of the host shall have */
};
void session_init(struct session *session, const char *root, void (*say)(const char *));
void session_free(struct session *session);

/*
 * Reads configuration, the chosen image's words (images/ beside it), command line, profiles
 * (a missing file is none); checks every key.
 */
int session_configure(struct session *session, const char *config, const char *cmdline,
		      const char *profiles, struct error *err);
/* What the first stage found out. A file that is not there is none. */
int session_read_facts(struct session *session, const char *path, struct error *err);
/* What is known about the machine and the image becomes the verdict. */
int session_judge(struct session *session, struct error *err);
/* Keeps the verdict as JSON, in SESSION_RUN. */
void session_write_verdict(const struct session *session);
/* Loads drivers; what goes to the guest is spared. Real PCs only. */
int session_drivers(struct session *session, struct error *err);
/* Mounts, binds, prepares the disk and runs QEMU until it is gone for good. */
int session_run(struct session *session, const struct power_buttons *buttons, int stop_fd,
		bool *failed, struct error *err);

/* Once: this version has come up, so that GRUB need not take the other slot any more. */
void session_came_up(struct session *session);

/*
 * Where no virtual machine runs: the disks are searched for a Windows, for some seconds
 * until they have shown up, and the verdict is reached anew.
 */
int session_find_native(struct session *session, struct error *err);
/* Arranges the start on the PC itself if it is wanted without being asked for. */
int session_native(struct session *session, bool *restart, struct error *err);
/*
 * Nothing runs: the screen says why until the power button is pressed (false), or the start
 * on the PC itself was chosen and arranged (true: the PC is to restart).
 */
bool session_wait(struct session *session, const struct power_buttons *buttons,
		  int stop_fd);

#endif
