/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * QEMU from its start to the PC's end: started again after a crash, asked to shut the guest
 * down by the power button, and never killed while it could still write what the guest wrote.
 *
 * What to do is decided by supervise_step(), a pure state machine for each guest;
 * supervise_run() is the loop around all of them.
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
#define SUPERVISE_MAX_GUESTS 8	/* at once */

/* What is known about a guest's disk; each function may be NULL. */
struct supervise_disk {
	/* QEMU stopped the guest for an error: what to say. Caller's. */
	char *(*explain)(void *arg, bool no_space, const char *reason);
	bool (*has_space)(void *arg);	/* asked from time to time while it wants for it */
	bool (*is_back)(void *arg);	/* the same after other errors */
	/* True if a disk is gone without which nothing goes on; its message, caller's. */
	bool (*is_lost)(void *arg, char **ret);
	void (*came_up)(void *arg);	/* the guest has answered, or run for a minute */
	void *arg;
};

/* One guest: a QEMU that is started, ended and started again without the others. */
struct supervise_guest {
	const char *name;		/* before what is said of it; NULL: there is no other */
	char *const *argv;		/* ended by NULL */
	const char *qmp;		/* its socket */
	const struct supervise_times *times;
	uid_t uid;			/* QEMU runs as these; 0: as init itself */
	gid_t gid;
	const char *nonce, *echo;	/* for tests: "running" is said when the file has it */
	/* Called before each start; QEMU is not started where it fails. Or NULL. */
	int (*prepare)(void *arg, struct error *err);
	/* In QEMU's process, before it drops its rights. Or NULL. */
	void (*in_child)(void *arg);
	void *arg;
	struct supervise_disk disk;
};

/* What may have come of the devices of the PC. */
enum supervise_news {
	NEWS_BUTTON = 1,	/* as if the power button was pressed */
	NEWS_GUESTS = 2,	/* each guest is to be told */
	NEWS_DISKS = 4,		/* one is gone, perhaps a guest's */
};
struct supervise_config {
	const struct supervise_guest *guests;
	size_t count;			/* SUPERVISE_MAX_GUESTS at most */
	const struct evdevs *buttons;	/* or NULL */
	int stop_fd;			/* readable: as if the button was pressed; -1 */
	/*
	 * Of the presenter (screen.h); 0: none. A digit is the guest, from 0, that what
	 * follows is for; SCREEN_POWER is for all of them.
	 */
	int requests;
	/*
	 * Devices of the PC (devices.h): `on_watch` is called when `watch` is readable (0:
	 * never) and says what came of it (enum supervise_news). `tell` brings a guest up to
	 * date whose QMP is connected; `anew`: QEMU has just come. Both or none.
	 */
	int watch;
	unsigned (*on_watch)(void *arg);
	void (*tell)(void *arg, size_t guest, struct qmp *qmp, bool anew);
	void *watch_arg;
	/* One line for the log; no line end. What a guest does, in a word or two. Or NULL. */
	void (*say)(void *arg, const char *line);
	void (*on_state)(void *arg, size_t guest, const char *state);
	void *say_arg;
};
struct supervise_result {
	unsigned starts, resets;	/* of all QEMUs, by guests */
	bool failed;			/* no guest ended well */
};
/*
 * Returns when the last QEMU is gone for good: 0, or -1 where none could be started at all.
 * All wait in one poll(): a guest that is stuck holds up no other.
 */
int supervise_run(const struct supervise_config *config, struct supervise_result *ret,
		  struct error *err);

#endif
