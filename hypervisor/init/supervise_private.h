/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One guest of the supervisor's loop (supervise_guest.c), for the loop (supervise_run.c). */
#ifndef INIT_SUPERVISE_PRIVATE_H
#define INIT_SUPERVISE_PRIVATE_H

#include "init/supervise.h"

struct supervised {
	const struct supervise_config *config;
	const struct supervise_guest *guest;
	struct supervise_result *result;
	struct supervisor s;
	struct qmp qmp;
	pid_t pid;		/* of QEMU; 0: none */
	int pidfd;
	bool kvm, running, said;
	/* The guest is stopped for an error of its disk; for want of space it may go on. */
	bool stopped, no_space;
	int64_t look;		/* ms: when space is looked for again */
	int64_t up_since;	/* ms; 0: the guest does not run */
	bool came_up;		/* that was told already */
	bool lost;		/* a disk is gone, and that was said */
	bool more;		/* QMP has more to say than was listened to in one turn */
	const char *state;	/* as on_state() was told last */
};
/* Starts QEMU. */
void supervised_begin(struct supervised *g, const struct supervise_config *config,
		      size_t index, struct supervise_result *result);
static inline bool supervised_ended(const struct supervised *g)
{
	return g->s.state == SUPERVISE_ENDED;
}
/* All that is due, or has come over QMP. */
void supervised_turn(struct supervised *g);
/* Its QEMU is gone; `status` as waitpid() has it. */
void supervised_exited(struct supervised *g, int status);
void supervised_press(struct supervised *g);	/* its power button */
void supervised_reset(struct supervised *g);
void supervised_continue(struct supervised *g);
/* A disk was pulled out: says so if it is one that the guest needs. */
void supervised_look(struct supervised *g);
/* Devices of the PC have changed. */
void supervised_tell(struct supervised *g, bool anew);
/* Milliseconds until something is due, `most` at most. */
int64_t supervised_wait(const struct supervised *g, int64_t most);
void supervised_end(struct supervised *g);

#endif
