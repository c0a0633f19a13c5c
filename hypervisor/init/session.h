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
/*
 * A folder NAME for each guest, with init's copies for QEMU in it, vm/ and screen/. These are
 * QEMU's, nothing in them is trusted; the socket in screen/ is the presenter's, too.
 */
#define SESSION_GUESTS SESSION_RUN "/guests"
#define SESSION_STATES SESSION_RUN "/states"	/* lines "NAME STATE", for the panel */
#define SESSION_MAX_GUESTS VM_MAX_GUESTS
/*
 * User and group of QEMU, nobody else's in the image. Guests after the first have users of
 * their own, so that a QEMU that was taken over reads no other guest's disk.
 */
#define SESSION_QEMU_ID 990
#define SESSION_MORE_ID 1000	/* and the guest's number */
#define SESSION_CONFIG "/etc/gild/init.conf"
#define SESSION_CA "/etc/gild/ca.pem"	/* proves servers instead of the usual certificates */
#define SESSION_PROFILES "/etc/gild/profiles"	/* compiled */

/* What becomes of a PC on which no virtual machine can run: no_kvm=. */
enum session_policy {
	SESSION_ASK,	/* the start on the PC itself is offered on the screen */
	SESSION_NATIVE,	/* it happens */
	SESSION_STOP,
};

/* One of those that are started. */
struct guest {
	char *name;		/* its image's (images.h); NULL: it has none */
	struct options options;	/* all that holds for it */
	struct options own;	/* of these, what its image's file says */
	struct vm_image image;
};
DEFINE_VEC(guests, struct guest);

struct session {
	const char *root;	/* before every path of hardware; "" on a real PC */
	void (*say)(const char *line);	/* for the screen and the log; no line end */
	struct options options;	/* the PC's, which are the first guest's */
	struct options facts;	/* of the first stage (root.h); none: there was none */
	struct guests guests;	/* in the order in which they start; never none */
	struct vm_share shares[SESSION_MAX_GUESTS];	/* of memory, for several */
	uint64_t reserved;	/* bytes of memory that are no guest's: overlays */
	struct coldplug coldplug;
	bool all_drivers;	/* session_new_drivers() has told of them */
	struct profiles profiles;
	struct profile_scores scores;
	struct strings kernel_arguments;
	struct machine machine;
	struct verdict verdict;
	struct verdict_question question;
	enum session_policy no_kvm;
	bool marked;		/* session_came_up() */
	struct native native;	/* the Windows on a disk of the PC, if one was looked for */
	struct strings kept;	/* PCI addresses that stay with the host (keep=) */
	struct strings spared;	/* those that no driver of the host shall have */
	/* Called while a server is waited for; true: the PC is to be switched off. Or NULL. */
	bool (*idle)(void *arg);
	void *idle_arg;
};
void session_init(struct session *session, const char *root, void (*say)(const char *));
void session_free(struct session *session);

/*
 * Reads configuration, the chosen images' words (images/ beside it), command line, profiles
 * (a missing file is none); checks every key.
 */
int session_configure(struct session *session, const char *config, const char *cmdline,
		      const char *profiles, struct error *err);
/* More words, stronger than what is there, for all guests. */
int session_add_words(struct session *session, const char *text, const char *source,
		      struct error *err);
/* What the first stage found out. A file that is not there is none. */
int session_read_facts(struct session *session, const char *path, struct error *err);
/* What is known about the machine and the images becomes the verdict. */
int session_judge(struct session *session, struct error *err);
/*
 * Loads drivers by a process of its own (coldplug.h) and waits for the urgent ones; what goes
 * to the guest is spared. Real PCs only.
 */
int session_drivers(struct session *session, struct error *err);
/*
 * To be called with news of devices, `session` being the session: when the last driver has
 * been loaded, what it told is added to the verdict, once.
 */
void session_new_drivers(void *session);
/* Keeps the verdict as JSON, in SESSION_RUN. */
void session_write_verdict(const struct session *session);
/* Mounts, binds, prepares the disks and runs QEMUs until the last is gone for good. */
int session_run(struct session *session, const struct evdevs *buttons, int stop_fd,
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
bool session_wait(struct session *session, const struct evdevs *buttons,
		  int stop_fd);

#endif
