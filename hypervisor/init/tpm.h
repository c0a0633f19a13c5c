/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The guest's TPM: swtpm, which ends when QEMU does, and so is started before each QEMU. One
 * that a crashed QEMU left behind is ended first, since it holds the state.
 */
#ifndef INIT_TPM_H
#define INIT_TPM_H

#include <sys/types.h>

#include "base/error.h"

/*
 * Listens at RUN/tpm for QEMU, whose user is `uid`; `state` is the folder with what the TPM
 * keeps, made if it is not there.
 */
int tpm_start(const char *run, const char *state, uid_t uid, struct error *err);

#endif
