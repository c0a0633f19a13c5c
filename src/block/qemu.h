/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * QEMU's tools as helpers of one run: started in a process group of their own, so that
 * Ctrl-C at the terminal reaches gild first; ended with gild; what they say on standard
 * error is kept and becomes the reason of an error. Private to src/block.
 */
#ifndef BLOCK_QEMU_H
#define BLOCK_QEMU_H

#include <sys/types.h>

#include "base/error.h"

struct qemu_process {
	const char *program;
	pid_t pid;	/* 0: not running */
	int messages;	/* descriptor of what it says */
	int status;	/* as of waitpid(), once it ended */
};

/*
 * Starts argv[0] (found in PATH). `listener` >= 0 is handed over as a socket-activated
 * service gets it (descriptor 3, LISTEN_FDS); `output` >= 0 becomes its standard output.
 */
int qemu_start(struct qemu_process *process, char *const argv[], int listener, int output,
	       struct error *err);
/*
 * Waits for its end, `milliseconds` at most (< 0: as long as it takes), and ends it if it
 * has not by then. Releases everything but the messages.
 */
void qemu_wait(struct qemu_process *process, int milliseconds);
/*
 * After it ended: 0 if it succeeded, else the error that its messages tell, on `subject`.
 * A lock that another process holds is ERROR_STATE.
 */
int qemu_result(const struct qemu_process *process, const char *subject,
		struct error *err);
/* Ends it if it still runs; releases all. */
void qemu_end(struct qemu_process *process);
/*
 * Runs qemu-img to its end, on behalf of `subject`. `step` is what its progress (option -p)
 * is called; NULL if it is over at once. Ended when gild is interrupted.
 */
int qemu_img_run(char *const argv[], const char *subject, const char *step,
		 struct error *err);

#endif
