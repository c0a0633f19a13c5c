/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `gild check --kernel`: which PCs does a Linux kernel drive. */
#ifndef CLI_CHECK_KERNEL_H
#define CLI_CHECK_KERNEL_H

#include "cli/check_pcs.h"

/* Prints the answer or the error; returns the exit code. */
int check_kernel_run(const struct check_pcs *pcs, const char *kernel,
		     const struct strings *firmware);

#endif
