/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the reader gives up before it says a word to the network: seccomp. */
#ifndef READER_SANDBOX_H
#define READER_SANDBOX_H

#include "base/error.h"

/*
 * For all threads, for good: no other program, no socket that others could reach, no device
 * or file system, nothing of other processes.
 */
int reader_sandbox(struct error *err);

#endif
