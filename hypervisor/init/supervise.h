/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * QEMU from its start to the PC's end: started again after a crash, asked to shut the guest
 * down by the power button, and never killed while it could still write what the guest wrote.
 *
 * What to do is decided by supervise_step(), a pure state machine; supervise_run() is the
 * loop around it.
 */
#ifndef INIT_SUPERVISE_H
#define INIT_SUPERVISE_H

#include <sys/types.h>

#include "base/error.h"
#include "init/power.h"
#include "init/qmp.h"

struct supervise_times {	/* milliseconds */
	unsigned start;		/* QEMU has so long until it answers */
	unsigned shutdown;	/* the guest, after the power button */
	unsigned quit;		/* QEMU, after "quit": it flushes its disks */
	unsigned term;		/* QEMU, after SIGTERM, by which it flushes too */
	unsigned backoff;	/* before the first restart; doubles */
	unsigned backoff_most;
	unsigned healthy;	/* who ran so long starts with a clean record */
	unsigned up;		/* a guest that ran so long has come up */
	unsigned space;		/* how often space is looked for */
};
extern const struct supervise_times supervise_default_times;
#define SUPERVISE_MAX_CRASHES 10	/* in a row */

enum supervise_state {
	SUPERVISE_STARTING,
	SUPERVISE_RUNNING,
	SUPERVISE_ASKED,	/* the guest is asked to shut down */
	SUPERVISE_QUITTING,
	SUPERVISE_TERMINATING,
	SUPERVISE_KILLING,
	SUPERVISE_WAITING,	/* before a restart */
	SUPERVISE_ENDED,
};
enum supervise_event {
	EVENT_CONNECTED,	/* QMP answers */
	EVENT_SHUTDOWN,		/* the guest has shut itself down */
	EVENT_BUTTON,		/* power button, or a signal that ends init */
	EVENT_EXIT,		/* QEMU is gone */
	EVENT_TIMER,		/* the deadline is over */
};
enum supervise_action {
	ACTION_NONE,
	ACTION_START,
	ACTION_POWERDOWN,	/* system_powerdown: the guest's own power button */
	ACTION_QUIT,
	ACTION_TERM,
	ACTION_KILL,
	ACTION_END,
};
struct supervisor {
	const struct supervise_times *times;
	enum supervise_state state;
	int64_t deadline;	/* ms; -1: none */
	int64_t started;
	bool connected, ending, guest_shutdown;
	unsigned crashes;	/* in a row */
	bool failed;		/* it ended since QEMU crashed too often */
};
/* The first action: ACTION_START. */
enum supervise_action supervise_begin(struct supervisor *s,
				      const struct supervise_times *times, int64_t now);
enum supervise_action supervise_step(struct supervisor *s, enum supervise_event event,
				     int64_t now);

/* Besides those of screen.h: a guest that was stopped for want of space goes on. */
#define SUPERVISE_CONTINUE 'c'

/* What is known about the guest's disk; each function may be NULL. */
struct supervise_disk {
	/* QEMU stopped the guest for an error: what to say. Caller's. */
	char *(*explain)(void *arg, bool no_space, const char *reason);
	bool (*has_space)(void *arg);	/* asked from time to time while it wants for it */
	bool (*is_back)(void *arg);	/* the same after other errors */
	/* True if a disk is gone without which nothing goes on; its message, caller's. */
	bool (*is_lost)(void *arg, char **ret);
	void (*came_up)(void *arg);	/* the guest has answered, or run for a minute */
	void *arg;
	int news;	/* readable when a device came or went (uevent.h); 0 or -1: none */
};

struct supervise_config {
	char *const *argv;		/* ended by NULL */
	const char *qmp;		/* its socket */
	const struct supervise_times *times;
	/* Called before each start; QEMU is not started where it fails. Or NULL. */
	int (*prepare)(void *arg, struct error *err);
	void *prepare_arg;
	uid_t uid;			/* QEMU runs as these; 0: as init itself */
	gid_t gid;
	const struct power_buttons *buttons;	/* or NULL */
	int stop_fd;			/* readable: as if the button was pressed; -1 */
	int requests;			/* of the presenter (screen.h); 0: none */
	const char *nonce, *echo;	/* for tests: "running" is said when the file has it */
	/*
	 * Devices of the PC (devices.h): called when `watch` is readable (0: never), and
	 * when QEMU is there, `connected`. True: as if the button was pressed. Or NULL.
	 */
	int watch;
	bool (*on_watch)(void *arg, struct qmp *qmp, bool connected);
	/* In QEMU's process, before it drops its rights. Or NULL. */
	void (*in_child)(void *arg);
	void *watch_arg;
	struct supervise_disk disk;
	/* One line for the log; no line end. */
	void (*say)(void *arg, const char *line);
	void *say_arg;
};
struct supervise_result {
	unsigned starts, resets;	/* of QEMU, by the guest */
	bool failed;
};
/* Returns when QEMU is gone for good: 0, or -1 where it could not be started at all. */
int supervise_run(const struct supervise_config *config, struct supervise_result *ret,
		  struct error *err);

#endif
